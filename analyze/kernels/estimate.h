/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of all spans of a name from those that tail keep left, each with its weight: the reciprocal of the probability with which it was kept.
 *
 * Sums of weight and of weight * value have the true sums as their expectation. What they may be off comes from the traces that were kept by
 * chance. For a trace of weight w with m spans of the name that adds w * (w - 1) * m^2 to the variance of the count, as all of them are
 * kept together or not; traces kept for certain add nothing. The share of spans up to any duration, and so the rank of a percentile, has at
 * most the variance of the count over its square. ESTIMATE_SIGMAS of the standard deviation hold for 19 of 20 stores.
 *
 * Rows of a trace stand together in a batch; of one that goes on in another batch the parts count as if they were two.
 */
#ifndef SPANRING_ANALYZE_ESTIMATE_H
#define SPANRING_ANALYZE_ESTIMATE_H

#include <stdint.h>

#define ESTIMATE_SIGMAS 1.96

struct estimate {
	uint64_t records;
	uint64_t units; /* sum of weights */
	uint64_t error_units;
	uint64_t pivot; /* the first value; sums are of the distance to it */
	uint64_t min;
	uint64_t max;
	long double sum; /* of weight * distance */
	long double square;
	long double variance; /* of `units` */
	uint64_t trace_lo;    /* of the last span, and how many of it there were */
	uint64_t in_trace;
	uint32_t weight_max;
};

/* weight in units of 1/STORE_WEIGHT_ONE, at least one. */
void estimate_add(struct estimate *estimate, uint64_t value, uint32_t weight, uint64_t trace_lo);

uint64_t estimate_count(uint64_t units);
/* UINT64_MAX when it does not fit. */
uint64_t estimate_total(const struct estimate *estimate);
/* 0 when there are no values. */
double estimate_mean(const struct estimate *estimate);
double estimate_stddev(const struct estimate *estimate);
/* Relative, of the count, and absolute, of the rank of each percentile: 0.02 are 2 %. */
double estimate_error(const struct estimate *estimate);

#endif
