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
#ifndef SPANRING_ANALYZE_TREND_H
#define SPANRING_ANALYZE_TREND_H

#include "regression.h"

#include <stddef.h>

#define TREND_POINTS_MIN 12u /* with fewer there is no verdict */

enum trend_verdict { TREND_SHORT, TREND_FLAT, TREND_GROWING };

extern const char *const trend_verdict_names[];

struct trend {
	size_t points;
	double first; /* mean of the first and of the last tenth */
	double last;
	double slope; /* per unit of x */
	double slope_low;
	double slope_high;
	enum trend_verdict verdict;
};

/* Points in order of x, seconds or any other unit; tolerance in that of y. */
struct trend trend_of(const struct regression_point *points, size_t count, double tolerance);

/* The two-sided 95 % quantile of Student's distribution, within 0.5 % from 5 degrees of freedom on. */
double trend_student_95(double degrees);

#endif
