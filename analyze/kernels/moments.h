/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Count, sum, mean, standard deviation, smallest and largest of 64-bit values, in one pass and without a division per value.
 *
 * Sums are kept in 128-bit integers of the distance to the first value (the pivot), so they are exact; the sum of squares spills into a long
 * double before it would overflow. The one subtraction at the end cannot cancel badly: as the pivot is itself one of the n values, the
 * variance is at least 1/n of the mean square distance to it, so the relative error stays below n * 2^-63.
 *
 * The standard deviation is that of the population (divisor n): the spans at hand are all there are, not a sample of others.
 */
#ifndef SPANRING_ANALYZE_MOMENTS_H
#define SPANRING_ANALYZE_MOMENTS_H

#include <stdint.h>

__extension__ typedef __int128 moments_i128;
__extension__ typedef unsigned __int128 moments_u128;

struct moments {
	uint64_t count;
	uint64_t pivot;
	uint64_t min;
	uint64_t max;
	moments_i128 sum;    /* of value - pivot */
	moments_u128 square; /* of (value - pivot)^2, beyond what is in spilled */
	long double spilled;
};

static inline void moments_add(struct moments *moments, uint64_t value) {
	if (__builtin_expect(moments->count == 0, 0)) {
		moments->pivot = value;
		moments->min = value;
		moments->max = value;
	}
	uint64_t distance = value >= moments->pivot ? value - moments->pivot : moments->pivot - value;
	moments_u128 square = (moments_u128)distance * distance;
	moments->count++;
	moments->sum += value >= moments->pivot ? (moments_i128)distance : -(moments_i128)distance;
	if (__builtin_expect(__builtin_add_overflow(moments->square, square, &moments->square), 0)) {
		moments->square -= square; /* back to what it was */
		moments->spilled += (long double)moments->square;
		moments->square = square;
	}
	if (value < moments->min)
		moments->min = value;
	if (value > moments->max)
		moments->max = value;
}

/* The same as one after the other; at most MOMENTS_RUN_MAX values. */
#define MOMENTS_RUN_MAX 65536u
void moments_add_run(struct moments *moments, const uint64_t *values, uint32_t count);

/* Sums over values of 32 bits, from which the same follows: all exact. */
struct moments_sums {
	uint32_t count; /* at least 1, at most MOMENTS_RUN_MAX */
	uint32_t first;
	uint32_t min;
	uint32_t max;
	uint64_t sum;
	moments_u128 square;
};
void moments_add_sums(struct moments *moments, const struct moments_sums *sums);

/* What `from` has, too: as if all its values had been added here. */
void moments_merge(struct moments *moments, const struct moments *from);

/* Exact; UINT64_MAX when it does not fit. */
uint64_t moments_total(const struct moments *moments);
/* 0 when there are no values. */
double moments_mean(const struct moments *moments);
double moments_stddev(const struct moments *moments);

#endif
