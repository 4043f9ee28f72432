/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the agent is: it listens on agent.sock in the ring directory and answers whoever connects with one JSON document
 * (schema status/1), bounded so that it always fits into the socket's buffer: a reader that stalls cannot stall the
 * agent.
 */
#ifndef SPANRING_AGENT_STATUS_H
#define SPANRING_AGENT_STATUS_H

#include "base/log.h"
#include "config.h"

#include <stddef.h>
#include <stdint.h>

#define STATUS_SOCKET_NAME "agent.sock"
#define STATUS_PROCESSES_MAX 128u /* listed one by one; the totals cover all */
#define STATUS_RINGS_MAX 192u     /* the same, of all these together */

#define STATUS_ANSWER_BYTES_MAX (1u << 20)
#define STATUS_VALUE_BYTES 1024u

struct agent;

/* Descriptor to wait on, or -1 after a warning: the agent works without. The caller holds the lock of the directory. */
int status_listen(int rings_fd, const struct log *log);
void status_close(int rings_fd, int status_fd);

/* Answer those who wait. */
void status_serve(struct agent *agent);

/* Connected to the agent of a ring directory, which answers within seconds or read fails with EAGAIN. -ENOENT, -ECONNREFUSED: there is none. */
int status_connect(const char *rings, int *ret_fd);

/* Ask the agent of a ring directory; ret_text is its whole answer. 0; errors of status_connect and of reading; ERR_DAMAGED: no answer of an agent. */
int status_ask(const char *rings, char *ret_text, size_t text_bytes);

/*
 * The value behind "key": in an answer, from `at` on. A quote inside a string is written \", so what looks like a key is one. Returns where the
 * value ends, NULL if there is no such key.
 */
const char *status_find(const char *at, const char *key, char ret_value[STATUS_VALUE_BYTES]);
/* 0 if there is none. */
uint64_t status_find_number(const char *at, const char *key);

/* The command: ask the agent of config->rings and print its answer. An exit code. */
int status_command(const struct config *config, const struct log *log);

#endif
