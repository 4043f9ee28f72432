/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `record`: one agent for one command, in one process. Rings are private, so nothing else is collected; the
 * command's standard input, output and exit status are its own.
 *
 *     private ring directory ─> agent ─> start the command
 *         ─> collect until it is gone, and for at most a second more what it left behind
 *         ─> drain, commit, seal ─> latency table on standard error ─> exit as the command did
 */
#ifndef SPANRING_AGENT_RECORD_H
#define SPANRING_AGENT_RECORD_H

#include "agent/settings/config.h"
#include "base/log.h"

/* Changes config->rings where none was named. An exit code, or the command's own. */
int record_command(struct config *config, const struct log *log);

#endif
