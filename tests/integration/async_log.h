/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/integration/async_program.c did, as far as it came: a file that it shares with the test. */
#ifndef SPANRING_TESTS_INTEGRATION_ASYNC_LOG_H
#define SPANRING_TESTS_INTEGRATION_ASYNC_LOG_H

#include <stdint.h>

#define ASYNC_LOG_THREADS 3u
#define ASYNC_LOG_SPANS 40000u /* of each thread */
#define ASYNC_LOG_THREAD_SHIFT 32u

/* Seq of a span: thread that began it << 32 | its number there. */
struct async_log {
	uint64_t total;                                     /* of begun */
	uint64_t begun[ASYNC_LOG_THREADS];                  /* counted when begin and the attribute "seq" are done */
	uint8_t ending[ASYNC_LOG_THREADS][ASYNC_LOG_SPANS]; /* 1: end was called */
	uint8_t ended[ASYNC_LOG_THREADS][ASYNC_LOG_SPANS];  /* 1: end is done */
};

#endif
