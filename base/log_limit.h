/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bound on how often one kind of line is written, so that nobody fills a disk with the agent's log, or the agent's time with writing it. Each kind
 * has a bucket of LOG_LIMIT_BURST lines that gets one back every LOG_LIMIT_REFILL_NS. What is left out is counted, and told by the next line of
 * the kind or, if none comes, after LOG_LIMIT_TELL_NS. The kind of a line is the address of its event's name or of its format: a word in
 * the program, never something that came from outside. Any thread may use it.
 */
#ifndef SPANRING_BASE_LOG_LIMIT_H
#define SPANRING_BASE_LOG_LIMIT_H

#include "log.h"

#include <pthread.h>
#include <stddef.h>

#define LOG_LIMIT_BURST 20u
#define LOG_LIMIT_REFILL_NS UINT64_C(6000000000)
#define LOG_LIMIT_TELL_NS UINT64_C(60000000000)
#define LOG_LIMIT_KINDS_MAX 256u /* a power of two, above the number of calls that log; the last ones share a bucket */
#define LOG_LIMIT_LIKE_BYTES 160u

struct log_limit_bucket {
	const char *kind;
	enum log_level level;
	uint64_t full_ns; /* when it would be full again */
	uint64_t left_out;
	uint64_t first_ns;               /* when the first of those was left out */
	char like[LOG_LIMIT_LIKE_BYTES]; /* the last of them, as it came */
};

struct log_limit {
	pthread_mutex_t lock;
	uint64_t left_out; /* not told yet, of all kinds */
	struct log_limit_bucket buckets[LOG_LIMIT_KINDS_MAX];
};

#define LOG_LIMIT_INIT                                                                                                 \
	{ .lock = PTHREAD_MUTEX_INITIALIZER }

/* May this line be written? If so *ret_left_out is how many of its kind were not since the last that was. */
bool log_limit_take(struct log_limit *limit, const char *kind, enum log_level level, const char *text, uint64_t now_ns,
                    uint64_t *ret_left_out);

/* A kind whose lines were left out so long ago that it has to be told; it counts as told. False: there is none. */
bool log_limit_untold(struct log_limit *limit, uint64_t now_ns, struct log_limit_bucket *ret_bucket);

#endif
