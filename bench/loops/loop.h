/* SPDX-License-Identifier: Apache-2.0 */
/* What the timed loops share. A loop is called through a pointer, so nothing of the measuring gets inlined into it. */
#ifndef SPANRING_BENCH_LOOP_H
#define SPANRING_BENCH_LOOP_H

#include "base/clock.h"

#include <stdbool.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/* The compiler must neither drop a value that nobody uses nor merge two rounds. */
static inline void loop_keep(uint64_t value) {
	__asm__ volatile("" : : "r"(value) : "memory");
}

/* And it must not know a value that it could know. */
static inline uint64_t loop_hide(uint64_t value) {
	__asm__ volatile("" : "+r"(value));
	return value;
}

/* There is a counter to read without a call. */
static inline bool loop_has_ticks(void) {
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
	return true;
#else
	return false;
#endif
}

/* The counter that the library reads. */
static inline uint64_t loop_ticks(void) {
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

#endif
