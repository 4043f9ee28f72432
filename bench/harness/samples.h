/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of one figure and what they say. Quantiles are nearest rank, as everywhere in Spanring; intervals of 95 % are from order
 * statistics (of n values those of rank n/2 -+ 0.98 sqrt(n) enclose the median of what they come from), so nothing is assumed of the shape.
 */
#ifndef SPANRING_BENCH_SAMPLES_H
#define SPANRING_BENCH_SAMPLES_H

#include <stdint.h>

#define SAMPLES_MAX 10000u

struct samples {
	uint32_t count;
	double values[SAMPLES_MAX]; /* as they came */
};

/* Of no samples all NaN. */
struct samples_summary {
	uint32_t count;
	uint32_t outliers; /* further than three times the middle half, and a twentieth of the median, from it */
	double median;
	double mean;
	double stddev; /* of a sample: n - 1 */
	double min;
	double max;
	double p95;
	double p99;
	double median_low; /* 95 % of the median */
	double median_high;
};

/* Values beyond SAMPLES_MAX are a programming error. */
void samples_add(struct samples *samples, double value);

void samples_summarise(const struct samples *samples, struct samples_summary *ret_summary);

/*
 * The ratio of two figures that were measured in turns: of each pair after / before, so what slowed both cancels out. Pairs with a `before`
 * of 0 are left out. No more than SAMPLES_MAX; those of the shorter list.
 */
void samples_ratios(const struct samples *before, const struct samples *after, struct samples *ret_ratios);

/*
 * Are two lists from the same? Mann and Whitney's rank test with their correction for ties, by the normal approximation: the probability of
 * ranks as uneven as these, two-sided. NaN with fewer than 5 values on a side.
 */
double samples_p_value(const struct samples *a, const struct samples *b);

#endif
