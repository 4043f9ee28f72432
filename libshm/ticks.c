/* SPDX-License-Identifier: Apache-2.0 */
#include "ticks.h"
#include "proc_text.h"
#include "testing_clock.h"
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define ANCHOR_TRIES 5u
/* Frequencies outside this range are a measurement that went wrong. */
#define TICKS_HZ_MIN UINT64_C(1000000)
#define TICKS_HZ_MAX UINT64_C(10000000000)
#define TICKS_HZ_ASSUMED UINT64_C(2500000000)
#define ANCHOR_DISTANCE_NS_MIN UINT64_C(20000)

#if defined(__x86_64__) || defined(__i386__)
static bool tsc_is_invariant(void) {
	unsigned eax, ebx, ecx, edx;
	if (!__get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx))
		return false;
	return (edx & (1u << 8)) != 0;
}

/* The kernel watches the counter; where it went over to another clock source it found this one unfit. */
static bool tsc_is_kernel_clock(void) {
	char text[32];
	if (proc_text_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", text, sizeof(text)) <= 0)
		return true;
	return strncmp(text, "tsc", 3) == 0;
}
#endif

__attribute__((noinline)) uint64_t spanring__ticks_monotonic_ns(void) {
	return spanring__testing_clock_is_on() ? spanring__testing_clock_take() : ticks_clock_ns(CLOCK_MONOTONIC);
}

uint64_t spanring__ticks_quiet(uint32_t clock_kind) {
	return spanring__testing_clock_is_on() ? spanring__testing_clock_peek() : ticks_now(clock_kind);
}

uint32_t spanring__ticks_choose(const char *preference) {
	if (preference && strcmp(preference, "monotonic") == 0)
		return SPANRING_CLOCK_MONOTONIC;
#if defined(__x86_64__) || defined(__i386__)
	if (preference && strcmp(preference, "tsc") == 0)
		return SPANRING_CLOCK_TSC;
	return tsc_is_invariant() && tsc_is_kernel_clock() ? SPANRING_CLOCK_TSC : SPANRING_CLOCK_MONOTONIC;
#elif defined(__aarch64__)
	return SPANRING_CLOCK_CNTVCT;
#else
	return SPANRING_CLOCK_MONOTONIC;
#endif
}

void spanring__ticks_anchor_take(uint32_t clock_kind, struct spanring__ticks_anchor *ret_anchor) {
	uint64_t best = UINT64_MAX;
	for (unsigned i = 0; i < ANCHOR_TRIES; i++) {
		uint64_t before = ticks_now(clock_kind);
		uint64_t monotonic_ns = ticks_clock_ns(CLOCK_MONOTONIC);
		uint64_t after = ticks_now(clock_kind);
		uint64_t wall_ns = ticks_clock_ns(CLOCK_REALTIME);
		if (after < before || after - before >= best)
			continue;
		best = after - before;
		ret_anchor->ticks = before + best / 2;
		ret_anchor->monotonic_ns = monotonic_ns;
		ret_anchor->wall_ns = wall_ns;
	}
	if (best == UINT64_MAX) {
		ret_anchor->ticks = ticks_now(clock_kind);
		ret_anchor->monotonic_ns = ticks_clock_ns(CLOCK_MONOTONIC);
		ret_anchor->wall_ns = ticks_clock_ns(CLOCK_REALTIME);
	}
}

uint64_t spanring__ticks_per(uint32_t clock_kind, uint64_t ns, const struct spanring__ticks_anchor *first,
                             const struct spanring__ticks_anchor *second) {
	if (clock_kind == SPANRING_CLOCK_MONOTONIC)
		return ns;
	uint64_t distance_ns = second->monotonic_ns - first->monotonic_ns;
	uint64_t hz = TICKS_HZ_ASSUMED;
	if (second->monotonic_ns > first->monotonic_ns && distance_ns >= ANCHOR_DISTANCE_NS_MIN) {
		double measured = (double)(second->ticks - first->ticks) * 1e9 / (double)distance_ns;
		if (measured >= (double)TICKS_HZ_MIN && measured <= (double)TICKS_HZ_MAX)
			hz = (uint64_t)measured;
	}
	return (uint64_t)((double)ns * (double)hz / 1e9);
}
