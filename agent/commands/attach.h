/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `attach`: look into a program that runs, for a while. Its rings are mapped anyway, so there is nothing to inject and nobody
 * to trace: an agent for this one program, and its control words say meanwhile that everything is recorded.
 *
 *     find the program ─> an agent that collects only it ─> control words: enabled, every trace
 *         ─> until the time is over, the program ends or a signal comes
 *         ─> control words as they were ─> drain, commit, seal ─> latency table on standard error
 *
 * Where an agent serves the ring directory already, that one stores what is recorded, and attach only changes the words.
 */
#ifndef SPANRING_AGENT_ATTACH_H
#define SPANRING_AGENT_ATTACH_H

#include "agent/settings/config.h"
#include "base/log.h"

/* Sets config->only. An exit code. */
int attach_command(struct config *config, const struct log *log);

#endif
