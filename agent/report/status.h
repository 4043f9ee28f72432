/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the agent is: it listens on agent.sock in the ring directory and answers whoever connects with one JSON document
 * (schema status/1), bounded so that it always fits into the socket's buffer: a reader that stalls cannot stall the
 * agent.
 */
#ifndef SPANRING_AGENT_STATUS_H
#define SPANRING_AGENT_STATUS_H

#include "agent/settings/config.h"
#include "base/log.h"

#include <stddef.h>
#include <stdint.h>

#define STATUS_SOCKET_NAME "agent.sock"
#define STATUS_PROCESSES_MAX 128u /* listed one by one; the totals cover all */
#define STATUS_RINGS_MAX 192u     /* the same, of all these together */

#define STATUS_USERS_MAX 64u
struct agent;

/* Descriptor to wait on, or -1 after a warning: the agent works without. The caller holds the lock of the directory. */
int status_listen(int rings_fd, bool of_system, const struct log *log);
void status_close(int rings_fd, int status_fd);

/* Answer those who wait. */
void status_serve(struct agent *agent);

/* Say why there is no answer (status_ask.h). An exit code. */
int status_refusal(const struct config *config, const struct log *log, int rc);

/* The command: ask the agent of config->rings and print its answer. An exit code. */
int status_command(const struct config *config, const struct log *log);

#endif
