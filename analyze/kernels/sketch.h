/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percentiles of many series from histograms whose bins are counted in ticks (spanring/statistics_abi.h), of clocks that need not run alike.
 *
 * A series keeps a histogram per scale, in the bins it came in; nothing is binned a second time. At the end each bin becomes a value, its middle
 * in ns, and all values of a series together, each as often as its bin counted, give the nearest rank. Scales within 1/SKETCH_SCALE_SLACK
 * of each other are one: the processes of one machine mostly have the same clock, each measured by itself.
 *
 * ERROR. Half a bin is at most 1/128 of its value; steps put together when a segment was sealed add at most 1/16384, scales taken as one
 * 1/40000: in all less than SKETCH_ERROR, beside the rounding to whole ns. Spans of 2^44 ticks and more are in the last bin, whatever they took:
 * only the largest value bounds them.
 *
 * The standard deviation is that of the values of the bins.
 */
#ifndef SPANRING_ANALYZE_SKETCH_H
#define SPANRING_ANALYZE_SKETCH_H

#include "quantile.h"

#include "libstore/rollup.h"

#include <stddef.h>
#include <stdint.h>

#define SKETCH_ERROR 0.0079
#define SKETCH_BUDGET_BYTES (32u << 20)
#define SKETCH_SCALES_MAX 64u
#define SKETCH_SCALE_SLACK 40000u

struct sketches;

struct sketch_figures {
	uint64_t quantiles[QUANTILE_COUNT];
	double stddev;
};

/* Series are numbered from 0; one without values costs nothing but a pointer. 0 or -ENOMEM. */
int sketches_new(size_t series_count, size_t budget_bytes, struct sketches **ret_sketches);
void sketches_free(struct sketches *sketches);

/* The number of a scale, ns per 2^32 ticks; ERR_LIMIT: clocks too different. */
int sketches_scale(struct sketches *sketches, uint64_t ns_per_tick_q32);

/* 0, -ENOMEM, or ERR_LIMIT when the budget is spent. The bins are as store_rollup_check wants them. */
int sketches_add(struct sketches *sketches, size_t series, int scale, const struct store_rollup_bin *bins,
                 uint32_t count);

/* Figures of one series, none outside [min, max]; all 0 for one without values. 0 or -ENOMEM. */
int sketches_figures(const struct sketches *sketches, size_t series, uint64_t min, uint64_t max,
                     struct sketch_figures *ret_figures);

#endif
