/* SPDX-License-Identifier: Apache-2.0 */
#include "moments.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* So many squares below 2^(2 * 55) fit a 128-bit sum with room to spare. */
#define NEAR (UINT64_C(1) << 55)

static void add_square(struct moments *moments, moments_u128 square) {
	if (__builtin_add_overflow(moments->square, square, &moments->square)) {
		moments->square -= square; /* back to what it was */
		moments->spilled += (long double)moments->square;
		moments->square = square;
	}
}

static uint64_t distance_of(uint64_t a, uint64_t b) {
	return a > b ? a - b : b - a;
}

void moments_add_run(struct moments *moments, const uint64_t *values, uint32_t count) {
	assert(count <= MOMENTS_RUN_MAX);
	if (count == 0)
		return;
	uint64_t pivot = moments->count ? moments->pivot : values[0];
	uint64_t min = values[0];
	uint64_t max = values[0];
	for (uint32_t i = 1; i < count; i++) {
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	if (distance_of(min, pivot) >= NEAR || distance_of(max, pivot) >= NEAR) {
		for (uint32_t i = 0; i < count; i++)
			moments_add(moments, values[i]);
		return;
	}
	int64_t sum = 0; /* 2^16 times 2^55 would not fit: taken in parts below */
	moments_u128 square = 0;
	moments_i128 sums = 0;
	for (uint32_t i = 0; i < count;) {
		uint32_t end = count - i > 128u ? i + 128u : count;
		for (sum = 0; i < end; i++) {
			int64_t distance = (int64_t)(values[i] - pivot);
			sum += distance;
			square += (moments_u128)((moments_i128)distance * distance);
		}
		sums += sum;
	}
	moments->min = moments->count && moments->min < min ? moments->min : min;
	moments->max = moments->count && moments->max > max ? moments->max : max;
	moments->pivot = pivot;
	moments->count += count;
	moments->sum += sums;
	add_square(moments, square);
}

/*
 * About another pivot p the values lie d = pivot - p further: their sum grows by n * d, that of the squares by d * (2 * sum + n * d). Both are
 * exact where they fit 128 bits, else the squares are rounded as spilled ones are.
 */
static void merge(struct moments *moments, const struct moments *from) {
	moments_i128 further = (moments_i128)from->pivot - (moments_i128)moments->pivot;
	moments_i128 moved = further * (moments_i128)from->count;
	moments_i128 twice = 0;
	moments_i128 cross = 0;
	bool fits = !__builtin_add_overflow(from->sum + from->sum, moved, &twice) &&
	            !__builtin_mul_overflow(further, twice, &cross);
	if (fits && (cross >= 0 || (moments_u128)-cross <= from->square)) {
		add_square(moments, from->square);
		if (cross >= 0)
			add_square(moments, (moments_u128)cross);
		else if (moments->square >= (moments_u128)-cross)
			moments->square -= (moments_u128)-cross;
		else
			moments->spilled -= (long double)-cross;
	} else {
		add_square(moments, from->square);
		moments->spilled += (long double)further * (2 * (long double)from->sum + (long double)moved);
	}
	moments->spilled += from->spilled;
	moments->sum += from->sum + moved;
	moments->count += from->count;
	moments->min = from->min < moments->min ? from->min : moments->min;
	moments->max = from->max > moments->max ? from->max : moments->max;
}

void moments_merge(struct moments *moments, const struct moments *from) {
	if (from->count == 0)
		return;
	if (moments->count == 0)
		*moments = *from;
	else
		merge(moments, from);
}

/* Sums about 0 are sums about another pivot like any others; but moments begin with one of the values. */
void moments_add_sums(struct moments *moments, const struct moments_sums *sums) {
	assert(sums->count > 0 && sums->count <= MOMENTS_RUN_MAX);
	struct moments from = {.count = sums->count,
	                       .min = sums->min,
	                       .max = sums->max,
	                       .sum = (moments_i128)sums->sum,
	                       .square = sums->square};
	if (moments->count == 0)
		*moments = (struct moments){.pivot = sums->first, .min = sums->min, .max = sums->max};
	merge(moments, &from);
}

uint64_t moments_total(const struct moments *moments) {
	moments_i128 total = (moments_i128)moments->pivot * (moments_i128)moments->count + moments->sum;
	return total > (moments_i128)UINT64_MAX ? UINT64_MAX : (uint64_t)total;
}

double moments_mean(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	return (double)((long double)moments->pivot + (long double)moments->sum / (long double)moments->count);
}

double moments_stddev(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	long double n = (long double)moments->count;
	long double sum = (long double)moments->sum;
	long double variance = (moments->spilled + (long double)moments->square - sum * sum / n) / n;
	return variance > 0 ? (double)sqrtl(variance) : 0;
}
