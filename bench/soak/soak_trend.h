/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a figure grow? The slope of the least-squares line through its samples, with a 95 % confidence interval (Student).
 *
 * Samples of memory are not independent: a page once taken stays for many of them, and the plain interval would be far too narrow. So n
 * samples count as n * (1 - r) / (1 + r) only, in the variance and in the degrees of freedom, where r is the correlation of each residual
 * with the next one (not below 0): as for a first-order autoregression.
 *
 * A figure is called growing when even the lower end of the interval, over the time that was looked at, is more than a tolerance that the
 * caller sets. The first part of a run, when caches and pools fill, is not looked at.
 */
#ifndef SPANRING_BENCH_SOAK_TREND_H
#define SPANRING_BENCH_SOAK_TREND_H

#include "analyze/kernels/regression.h"

#include <stddef.h>

#define SOAK_TREND_POINTS_MIN 12u /* with fewer there is no verdict */

enum soak_verdict { SOAK_VERDICT_SHORT, SOAK_VERDICT_FLAT, SOAK_VERDICT_GROWING };

extern const char *const soak_verdict_names[];

struct soak_trend {
	size_t points;
	double first; /* mean of the first and of the last tenth */
	double last;
	double slope; /* per unit of x */
	double slope_low;
	double slope_high;
	enum soak_verdict verdict;
};

/* Points in order of x, seconds or any other unit; tolerance in that of y. */
struct soak_trend soak_trend_of(const struct regression_point *points, size_t count, double tolerance);

#endif
