/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording session of LTTng-UST, made with its own programs: session daemon and consumer on the core of the agent, a channel of four times 1 MiB per
 * core that discards what does not fit, written to a folder beside the store. A session daemon of the system is used if there is one (root
 * can have one only), and then runs where it likes.
 */
#ifndef SPANRING_BENCH_LTTNG_SESSION_H
#define SPANRING_BENCH_LTTNG_SESSION_H

#include "bench/stage.h"

#define SESSION_NAME_BYTES 48u

struct session {
	char name[SESSION_NAME_BYTES];
	pid_t daemon; /* 0: the system's */
	struct temporary folders;
};

/* 0, -ENOENT: LTTng's programs are not installed, or another negative errno; then nothing is left. */
int session_open(const struct stage *stage, struct session *ret_session);

/* Stops recording; *ret_discarded: events that found no room. 0 or negative errno; nothing is left in either case. */
int session_close(struct session *session, uint64_t *ret_discarded);

#endif
