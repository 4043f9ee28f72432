/* SPDX-License-Identifier: Apache-2.0 */
#include "span_loops.h"

#include "base/clock.h"

#include <spanring/spanring.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/* The compiler must neither drop a value that nobody uses nor merge two rounds. */
static inline void keep(uint64_t value) {
	__asm__ volatile("" : : "r"(value) : "memory");
}

bool span_loop_has_ticks(void) {
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
	return true;
#else
	return false;
#endif
}

static inline uint64_t ticks(void) {
#if defined(__x86_64__) || defined(__i386__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t value;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
	return value;
#else
	return clock_monotonic_ns();
#endif
}

uint64_t span_loop_empty_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		keep(i);
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_two_clocks_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		keep(clock_monotonic_ns());
		keep(clock_monotonic_ns());
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_two_ticks_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		keep(ticks());
		keep(ticks());
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_spans_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.span");
		spanring_end(span);
	}
	return clock_monotonic_ns() - start_ns;
}
