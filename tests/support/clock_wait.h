/* SPDX-License-Identifier: Apache-2.0 */
/* Wait until a word that another process counts up reaches a value; the deadline ends a hang, it measures nothing. */
#ifndef SPANRING_TESTS_SUPPORT_CLOCK_WAIT_H
#define SPANRING_TESTS_SUPPORT_CLOCK_WAIT_H

#include "cmocka.h"

#include "base/clock.h"

#include <sched.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_WAIT_DEADLINE_NS (300 * NS_PER_S)

static inline void clock_wait_for_u64(const uint64_t *word, uint64_t value) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < value) {
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("a count stays below %llu", (unsigned long long)value);
		(void)sched_yield();
	}
}

/* The random moment of a kill: nothing depends on how long it really takes. */
static inline void clock_wait_ns(uint64_t ns) {
	struct timespec rest = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	(void)nanosleep(&rest, NULL);
}

#endif
