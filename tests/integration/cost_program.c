/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work with and without a span around it, again and again in turn; prints "A\n", the median of what a span added, in picoseconds. Nobody asks
 * the library for times: only the clock before and after each burst.
 */
#include <spanring/spanring.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BURST 2048u
#define PAIRS 101u
#define WORK 8u

static uint64_t now_ns(void) {
	struct timespec time;
	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline uint64_t work(uint64_t value) {
	for (uint32_t i = 0; i < WORK; i++) {
		value = value * UINT64_C(6364136223846793005) + 1;
		__asm__ volatile("" : "+r"(value));
	}
	return value;
}

static uint64_t bare_ns(uint64_t *value) {
	uint64_t start_ns = now_ns();
	for (uint32_t i = 0; i < BURST; i++)
		*value = work(*value);
	return now_ns() - start_ns;
}

static uint64_t traced_ns(uint64_t *value) {
	uint64_t start_ns = now_ns();
	for (uint32_t i = 0; i < BURST; i++) {
		SPANRING_BEGIN(span, "work");
		*value = work(*value);
		spanring_end(span);
	}
	return now_ns() - start_ns;
}

static int by_value(const void *a, const void *b) {
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;
	return left < right ? -1 : left > right;
}

int main(void) {
	int64_t added_ps[PAIRS];
	uint64_t value = 1;
	struct spanring_counters counters;
	for (uint32_t pair = 0; pair < PAIRS; pair++) {
		/* the ring is empty before each burst, which is a part of it: nothing is dropped */
		if (spanring_flush(UINT64_C(10000000000)) != 0)
			return 2;
		int64_t bare = (int64_t)bare_ns(&value);
		added_ps[pair] = ((int64_t)traced_ns(&value) - bare) * 1000 / (int64_t)BURST;
	}
	qsort(added_ps, PAIRS, sizeof(added_ps[0]), by_value);
	spanring_counters_read(&counters);
	if (counters.dropped_full > 0)
		return 3;
	printf("%lld\n", (long long)added_ps[PAIRS / 2]);
	return value == 0;
}
