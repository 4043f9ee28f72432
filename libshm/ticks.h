/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of a process: raw ticks on the hot path, chosen and anchored once at attach. Ticks become time in the agent. */
#ifndef SPANRING_LIBSHM_TICKS_H
#define SPANRING_LIBSHM_TICKS_H

#include <spanring/ring_abi.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

static inline uint64_t ticks_clock_ns(clockid_t clock) {
	struct timespec time;
	(void)clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Out of line, so that the fast way through the hot path needs no stack frame. */
uint64_t spanring__ticks_monotonic_ns(void);

/* The processor's counter. No fence around it: that would double the cost of a span and order nothing that a span promises. */
static inline uint64_t ticks_counter(void) {
#if defined(__x86_64__) || defined(__i386__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return spanring__ticks_monotonic_ns();
#endif
}

static inline uint64_t ticks_now(uint32_t clock_kind) {
	return clock_kind == SPANRING_CLOCK_MONOTONIC ? spanring__ticks_monotonic_ns() : ticks_counter();
}

/* The same, but where no span is measured by it: does not count as a reading in test mode. */
uint64_t spanring__ticks_quiet(uint32_t clock_kind);

/* One moment on three clocks. */
struct spanring__ticks_anchor {
	uint64_t ticks;
	uint64_t monotonic_ns;
	uint64_t wall_ns;
};

/* preference: text of SPANRING_CLOCK or NULL. */
uint32_t spanring__ticks_choose(const char *preference);
void spanring__ticks_anchor_take(uint32_t clock_kind, struct spanring__ticks_anchor *ret_anchor);

/*
 * How many ticks make `ns`, from two anchors some moments apart: near enough for a hint such as "publish about once
 * a millisecond", not for a duration.
 */
uint64_t spanring__ticks_per(uint32_t clock_kind, uint64_t ns, const struct spanring__ticks_anchor *first,
                             const struct spanring__ticks_anchor *second);

#endif
