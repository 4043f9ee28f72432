/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, and the command `run` from start to clean stop. */
#ifndef SPANRING_AGENT_LIFECYCLE_H
#define SPANRING_AGENT_LIFECYCLE_H

#include "agent/settings/config.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;

/*
 * Signals, then the agent, then one line that says who, where, with what. SIGINT and SIGTERM, of a service SIGHUP, too, arrive
 * through the descriptor, which the agent's loop watches; SIGPIPE, SIGIO, SIGXFSZ and otherwise SIGHUP are ignored. Before any thread is started. A service gives up what it does not need (sandbox.h). An exit code;
 * other than EXIT_CODE_OK after one line was logged.
 */
int lifecycle_start(const struct config *config, const struct log *log, bool is_service, int *ret_signal_fd,
                    struct agent **ret_agent);

/* For a child: everything as it was given to us. Async-signal-safe. */
void lifecycle_signals_restore(void);

/*
 * The next signal that arrived: its number, or 0 if there is none. *ret_from_terminal: the whole foreground group got
 * it.
 */
int lifecycle_signals_take(int fd, bool *ret_from_terminal);

/* The command; a reload changes the configuration. An exit code. */
int lifecycle_run(struct config *config, const struct log *log);

#endif
