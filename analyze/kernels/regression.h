/* SPDX-License-Identifier: Apache-2.0 */
/* The straight line through points with the least squares of vertical distances. */
#ifndef SPANRING_ANALYZE_REGRESSION_H
#define SPANRING_ANALYZE_REGRESSION_H

#include <stdbool.h>
#include <stddef.h>

struct regression_point {
	double x;
	double y;
};

struct regression {
	double slope;
	double slope_error; /* standard error of the slope; 0 with two points */
};

/* False when there is no such line: fewer than two points, or all of one x. */
bool regression_fit(const struct regression_point *points, size_t count, struct regression *ret_line);

#endif
