/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves /metrics and /-/healthy on this machine only. Nothing in here waits: descriptors do not block, an answer lies in
 * memory until its reader has taken it, and whoever is slow is closed.
 *
 *     WAITING ──request──> SENDING ──all taken──> WAITING (kept alive) or DRAINING ──end of file──> closed
 *
 *     of a request     HTTP_REQUEST_BYTES_MAX, METRICS_REQUEST_NS from the connection or the last answer on
 *     of an answer     METRICS_SEND_NS to be taken
 *     of connections   METRICS_CONNECTIONS_MAX; one more closes the one that has waited longest for its request
 *
 * All descriptors lie behind one epoll descriptor, which is the agent's LOOP_METRICS.
 */
#ifndef SPANRING_AGENT_METRICS_SERVER_H
#define SPANRING_AGENT_METRICS_SERVER_H

#include "base/log.h"
#include "metrics_address.h"

#include <stdint.h>

#define METRICS_CONNECTIONS_MAX 8u
#define METRICS_REQUEST_NS UINT64_C(10000000000)
#define METRICS_IDLE_NS UINT64_C(150000000000) /* longer than anyone scrapes apart */
#define METRICS_SEND_NS UINT64_C(10000000000)
#define METRICS_DRAIN_NS UINT64_C(2000000000)

struct agent;
struct metrics_server;

/*
 * Listens where the text says (metrics_address.h; it was checked). An exit code; other than EXIT_CODE_OK after one line was
 * logged. NULL when it says off.
 */
int metrics_server_open(const char *text, const struct log *log, struct metrics_server **ret_server);
/* All of these take NULL, too. */
void metrics_server_close(struct metrics_server *server);
int metrics_server_fd(const struct metrics_server *server);

/* Where it listens, as the option has it, with the port that it got; "off". */
const char *metrics_server_address(const struct metrics_server *server);
uint64_t metrics_server_answers(const struct metrics_server *server);

/* What can be done without waiting. */
void metrics_server_serve(struct metrics_server *server, struct agent *agent);

/* Close who took too long; about once a second. */
void metrics_server_expire(struct metrics_server *server, uint64_t now_ns);

#endif
