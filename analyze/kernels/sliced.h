/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of one name in one run, cut into slices of time: what their figures are, and how sure one can be of them.
 *
 * Spans of a run are not independent: a slow second makes all of its spans slow, and a machine that warms up makes all of a minute's. A test that
 * counts them as independent finds "differences" between two runs of one program whenever there are enough spans. So the error of a figure is taken
 * from how much it changes from slice to slice inside the run (the noise floor), and is never less than that of independent spans.
 *
 * Each figure is a mean over spans of something: of being below a threshold (a quantile), of failing, of the duration, of the place among the other
 * run's spans. d_i is what slice i has beyond its part, which is 0 in sum. With B slices and N spans
 *
 *     variance = B / (B - 1) * sum(d_i^2) / N^2 * (1 + r) / (1 - r)
 *
 * with r the correlation of neighbouring slices, made right for the bias of so few and not below 0: it is near 1 where latencies drift slowly, and
 * then few slices say something new. The degrees of freedom shrink with it: (B - 1) * (1 - r^2) / (1 + r^2).
 *
 * Two readings: weights and squares first, then, after sliced_settle, slices.
 */
#ifndef SPANRING_ANALYZE_SLICED_H
#define SPANRING_ANALYZE_SLICED_H

#include "difference.h"

#include <stdint.h>

#define SLICED_SLICES 32u
#define SLICED_SLICES_MIN 4u  /* that have spans; with fewer nothing is known of the noise */
#define SLICED_PART_SLICES 8u /* of a part of the run that drift is looked for in */
#define SLICED_QUANTILES 3u

extern const double sliced_shares[SLICED_QUANTILES]; /* 0.5, 0.95, 0.99 */

struct sliced_slice {
	double weight;
	double errors;
	double total_ns;
	double below[SLICED_QUANTILES]; /* weight below the thresholds */
	double places;                  /* sum of the places among the spans of the other run */
	double heap_bytes;
	double heap_weight; /* of the spans whose heap was counted */
	double self_ns;
	double logs; /* of durations in ns */
};

struct sliced {
	struct grid_weights weights;
	double squares; /* of the weights of single spans */
	double thresholds_ns[SLICED_QUANTILES];
	uint32_t threshold_bins[SLICED_QUANTILES]; /* where they lie */
	double threshold_parts[SLICED_QUANTILES];  /* of these bins, below them */
	double place_squares;
	double log_squares;
	struct sliced_slice slices[SLICED_SLICES];
};

/* The weights are all there. */
void sliced_settle(const struct grid *grid, struct sliced *sliced);
/* So much weight in a bin and a slice. other: settled weights of the other run, NULL: it has none. The rest of the slice the caller adds. */
void sliced_count(const struct grid *grid, struct sliced *sliced, const struct grid_weights *other, uint32_t slice,
                  uint32_t bin, double weight);

struct measured sliced_quantile(const struct grid *grid, const struct sliced *sliced, unsigned which);
struct measured sliced_mean(const struct grid *grid, const struct sliced *sliced);
struct measured sliced_errors(const struct sliced *sliced);
/* Mean per span; nothing where it was not counted. */
struct measured sliced_heap(const struct sliced *sliced);
struct measured sliced_self(const struct sliced *sliced);

/* The sum of all slices over the sum of their weights, where nothing more is known; its error is set also where kind is NOTHING. */
struct measured sliced_ratio(const double *sums, const double *weights);

/*
 * The probability that a span of `after` takes longer than one of `before`, ties counting half (Brunner and Munzel, who need neither equal variances
 * nor a shape). Spans in one bin are ties. margin: as in difference_of, turned into places by how dense durations lie. 0.5: none is slower; 2 * value - 1 is Cliff's delta.
 */
struct superiority {
	bool known;
	double value;
	double low;
	double high;
	double p;
};
struct superiority sliced_superiority(const struct grid *grid, const struct sliced *before, const struct sliced *after,
                                      double level, double margin);

/*
 * How far a run moves within itself: the distance between the fastest and the slowest of its quarters, by the mean logarithm of durations, beyond
 * what chance does. If two runs of one program pass through a common level at any time, their means are at most the sum of both ranges apart: less
 * than that is no difference between programs. drift_add of all names: what moves them together (the machine); of one: also what is its own.
 */
struct drift {
	double weights[SLICED_SLICES];
	double deviations[SLICED_SLICES];
	double noise[SLICED_SLICES];
};
void drift_add(struct drift *drift, const struct sliced *sliced);
/* 0.05: durations change by a factor of exp(0.05). */
double drift_range(const struct drift *drift);

/* Variance of the sum of deviations over the sum of weights; *ret_freedom is 0 where there are too few slices to know it. */
double sliced_variance(const double *deviations, const double *weights, uint32_t count, double *ret_freedom);

#endif
