/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a running agent, read again (SIGHUP): the same words of the command line, the same environment, the file as it is now.
 *
 * Everything is read and checked before anything counts, as at the start. One mistake anywhere and nothing changes; one line says what is wrong. Else what
 * can change while the agent runs (`reloads` in options.c) counts from the next step on, and what cannot is named in one line and stays as it was,
 * so that `status` and the log never tell of a value that is not in use.
 */
#ifndef SPANRING_AGENT_RELOAD_H
#define SPANRING_AGENT_RELOAD_H

#include "base/log.h"
#include "config.h"

#include <stdint.h>

#define RELOAD_TEXT_BYTES 1024u /* two lists, and what stands between */

struct agent;

struct reload_figures {
	uint64_t done;
	uint64_t refused;
	char text[RELOAD_TEXT_BYTES]; /* of the last one: what came of it */
};

/* The configuration and the log of this agent, between two steps. */
void reload_agent(struct agent *agent, struct config *config, struct log *log);

/* The command: have the agent at config->rings do that and tell what came of it. An exit code. */
int reload_command(const struct config *config, const struct log *log);

#endif
