/* SPDX-License-Identifier: Apache-2.0 */
#include "moments.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* So far a run of values sums up in 64 bits, and their squares in 128. */
#define NEAR (UINT64_MAX / MOMENTS_RUN_MAX)

static void add_square(struct moments *moments, moments_u128 square) {
	moments->square_high += __builtin_add_overflow(moments->square, square, &moments->square);
}

static void widen(struct moments *moments, uint64_t min, uint64_t max) {
	moments->min = moments->count && moments->min < min ? moments->min : min;
	moments->max = moments->count && moments->max > max ? moments->max : max;
}

void moments_add_run(struct moments *moments, const uint64_t *values, uint32_t count) {
	assert(count <= MOMENTS_RUN_MAX);
	if (count == 0)
		return;
	uint64_t min = values[0];
	uint64_t max = values[0];
	for (uint32_t i = 1; i < count; i++) {
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	if (max > NEAR) {
		for (uint32_t i = 0; i < count; i++)
			moments_add(moments, values[i]);
		return;
	}
	uint64_t sum = 0;
	moments_u128 square = 0;
	for (uint32_t i = 0; i < count; i++) {
		sum += values[i];
		square += (moments_u128)values[i] * values[i];
	}
	widen(moments, min, max);
	moments->count += count;
	moments->sum += sum;
	add_square(moments, square);
}

void moments_merge(struct moments *moments, const struct moments *from) {
	if (from->count == 0)
		return;
	widen(moments, from->min, from->max);
	moments->count += from->count;
	moments->sum += from->sum;
	moments->square_high += from->square_high;
	add_square(moments, from->square);
}

void moments_add_sums(struct moments *moments, const struct moments_sums *sums) {
	assert(sums->count > 0 && sums->count <= MOMENTS_RUN_MAX);
	widen(moments, sums->min, sums->max);
	moments->count += sums->count;
	moments->sum += sums->sum;
	add_square(moments, sums->square);
}

uint64_t moments_total(const struct moments *moments) {
	return moments->sum > UINT64_MAX ? UINT64_MAX : (uint64_t)moments->sum;
}

double moments_mean(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	return (double)((long double)moments->sum / (long double)moments->count);
}

/*
 * With sum = n * m + r, the squares of the distances to m sum up to square - m * (sum + r): what is subtracted here has 192 bits, as the square
 * has, and the difference is exact. It is at least |r|, and r^2 / n at most |r| / 2: the last subtraction cannot cancel.
 */
double moments_stddev(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	uint64_t middle = (uint64_t)(moments->sum / moments->count);
	moments_i128 rest = (moments_i128)(moments->sum % moments->count);
	if (rest > (moments_i128)(moments->count / 2)) {
		middle++;
		rest -= (moments_i128)moments->count;
	}
	moments_u128 factor = moments->sum + (moments_u128)rest;
	moments_u128 low = (moments_u128)middle * (uint64_t)factor;
	moments_u128 high = (moments_u128)middle * (uint64_t)(factor >> 64) + (uint64_t)(low >> 64);
	moments_u128 away = high << 64 | (uint64_t)low;
	bool borrow = moments->square < away;
	uint64_t far = moments->square_high - (uint64_t)(high >> 64) - borrow;
	long double n = (long double)moments->count;
	long double squares = ldexpl((long double)far, 128) + (long double)(moments->square - away);
	return (double)sqrtl((squares - (long double)rest * (long double)rest / n) / n);
}
