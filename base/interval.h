/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of time, and how much of one the union of others covers. */
#ifndef SPANRING_BASE_INTERVAL_H
#define SPANRING_BASE_INTERVAL_H

#include "checked.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct interval {
	uint64_t start;
	uint64_t end;
};

static inline struct interval interval_from(uint64_t start_ns, uint64_t duration_ns) {
	return (struct interval){start_ns, saturating_add(start_ns, duration_ns)};
}

/* What one more interval, not earlier than those before, adds to their union inside of `whole`; *until is where that ends. */
static inline uint64_t interval_add(struct interval whole, struct interval interval, uint64_t *until) {
	uint64_t from = interval.start > *until ? interval.start : *until;
	uint64_t to = interval.end < whole.end ? interval.end : whole.end;
	if (to <= from)
		return 0;
	*until = to;
	return to - from;
}

static inline int interval_by_start(const void *a, const void *b) {
	const struct interval *first = a;
	const struct interval *second = b;
	return first->start < second->start ? -1 : first->start > second->start;
}

/* Most spans have few children, in order. */
static inline void interval_sort(struct interval *intervals, size_t count) {
	if (count > 32) {
		qsort(intervals, count, sizeof(*intervals), interval_by_start);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct interval interval = intervals[i];
		size_t at = i;
		for (; at > 0 && intervals[at - 1].start > interval.start; at--)
			intervals[at] = intervals[at - 1];
		intervals[at] = interval;
	}
}

/* How much of `whole` they cover together; sorts them. */
static inline uint64_t interval_union(struct interval whole, struct interval *intervals, size_t count) {
	uint64_t until = whole.start;
	uint64_t covered = 0;
	interval_sort(intervals, count);
	for (size_t i = 0; i < count; i++)
		covered += interval_add(whole, intervals[i], &until);
	return covered;
}

#endif
