/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of durations on a log-linear grid, of a fineness and a clock of its own: what two stores are compared on.
 *
 *     64 bins an octave of clock ticks     rollups: the very bins of the programs (spanring/statistics_abi.h)
 *     256 bins an octave of nanoseconds    records
 *
 * A histogram that was counted on another clock is laid over the grid: each of its bins gives every bin that it meets the part of its weight that
 * lies there. So no weight moves farther than the width of a bin, and the sum stays.
 *
 * Adding comes first; grid_seal turns counts into sums of all up to there, and only then are quantiles and shares asked for. Within a bin weights are
 * taken as spread evenly, from its lowest value to that of the next bin.
 */
#ifndef SPANRING_ANALYZE_GRID_H
#define SPANRING_ANALYZE_GRID_H

#include <stddef.h>
#include <stdint.h>

#define GRID_BITS_MAX 10u
#define GRID_GROUPS 59u

struct grid {
	unsigned bits;      /* 2^bits bins an octave, at most GRID_BITS_MAX */
	double ns_per_tick; /* above 0 */
};

struct grid_weights {
	double *groups[GRID_GROUPS];    /* NULL: nothing fell there */
	double before[GRID_GROUPS + 1]; /* sealed: weight in groups below; the last: all */
};

/* Of a value in ticks; values below 2^bits have a bin each. */
static inline uint32_t grid_bin(const struct grid *grid, uint64_t ticks) {
	uint32_t shift = 63u - (uint32_t)__builtin_clzll(ticks | (UINT64_C(1) << grid->bits)) - grid->bits;
	uint32_t bin = (shift << grid->bits) + (uint32_t)(ticks >> shift);
	uint32_t last = (GRID_GROUPS << grid->bits) - 1;
	return bin < last ? bin : last;
}

/* Lowest value of a bin, in ns; of one beyond the last, where that ends. */
double grid_low_ns(const struct grid *grid, uint32_t bin);

/* 0 or -ENOMEM. */
int grid_add(const struct grid *grid, struct grid_weights *weights, uint32_t bin, double weight);
/* Weight spread over [low, high): on_part is given the part in each bin; 0, or what it returned. */
int grid_lay(const struct grid *grid, double low_ns, double high_ns, double weight,
             int (*on_part)(void *context, uint32_t bin, double weight), void *context);
void grid_clear(struct grid_weights *weights);

void grid_seal(const struct grid *grid, struct grid_weights *weights);

/* --- sealed ------------------------------------------------------------------------------------------------------ */

static inline double grid_total(const struct grid_weights *weights) {
	return weights->before[GRID_GROUPS];
}

/* Weight in bins below this one, and in those up to it. */
static inline double grid_below(const struct grid *grid, const struct grid_weights *weights, uint32_t bin) {
	uint32_t group = bin >> grid->bits;
	uint32_t place = bin & ((1u << grid->bits) - 1);
	if (!weights->groups[group] || place == 0)
		return weights->before[group];
	return weights->groups[group][place - 1];
}

static inline double grid_up_to(const struct grid *grid, const struct grid_weights *weights, uint32_t bin) {
	uint32_t group = bin >> grid->bits;
	const double *sums = weights->groups[group];
	return sums ? sums[bin & ((1u << grid->bits) - 1)] : weights->before[group];
}

/* The value with this share of the weight below it, 0 <= share <= 1; 0 where there is no weight. */
double grid_quantile(const struct grid *grid, const struct grid_weights *weights, double share);
/* The share of a bin's values below a value, in ns. */
double grid_part_below(const struct grid *grid, uint32_t bin, double value_ns);
/* Mean of the squared distance of all bins' middles to a value. */
double grid_square(const struct grid *grid, const struct grid_weights *weights, double value_ns);
/* The integral of the product of two densities over the logarithm of durations: how fast places change when one of them is moved. */
double grid_overlap(const struct grid *grid, const struct grid_weights *one, const struct grid_weights *other);

#endif
