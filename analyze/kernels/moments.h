/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Count, sum, mean, standard deviation, smallest and largest of 64-bit values, in one pass and without a division per value.
 *
 * Sums are integers, those of the values of 128 bits and those of their squares of 192: they are exact, so that no answer depends on the order
 * of the values, on how they were cut into batches, or on which thread added which. Rounding begins with the mean and the standard deviation,
 * of which each is a function of these integers alone.
 *
 * The standard deviation is that of the population (divisor n): the spans at hand are all there are, not a sample of others.
 */
#ifndef SPANRING_ANALYZE_MOMENTS_H
#define SPANRING_ANALYZE_MOMENTS_H

#include <stdint.h>

__extension__ typedef __int128 moments_i128;
__extension__ typedef unsigned __int128 moments_u128;

struct moments {
	uint64_t count; /* below 2^63 */
	uint64_t min;
	uint64_t max;
	uint64_t square_high; /* bits 128 and up of the sum of the squares */
	moments_u128 sum;
	moments_u128 square;
};

static inline void moments_add(struct moments *moments, uint64_t value) {
	if (__builtin_expect(moments->count == 0, 0)) {
		moments->min = value;
		moments->max = value;
	}
	moments->count++;
	moments->sum += value;
	moments->square_high += __builtin_add_overflow(moments->square, (moments_u128)value * value, &moments->square);
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
