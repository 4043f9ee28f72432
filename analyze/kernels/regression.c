/* SPDX-License-Identifier: Apache-2.0 */
#include "regression.h"

#include <math.h>

static struct regression_point mean_of(const struct regression_point *points, size_t count) {
	struct regression_point mean = {0, 0};
	for (size_t i = 0; i < count; i++) {
		/* running means: no sum grows beyond the size of a value */
		mean.x += (points[i].x - mean.x) / (double)(i + 1);
		mean.y += (points[i].y - mean.y) / (double)(i + 1);
	}
	return mean;
}

bool regression_fit(const struct regression_point *points, size_t count, struct regression *ret_line) {
	if (count < 2)
		return false;
	struct regression_point mean = mean_of(points, count);
	double xx = 0;
	double xy = 0;
	double yy = 0;
	for (size_t i = 0; i < count; i++) {
		double dx = points[i].x - mean.x;
		double dy = points[i].y - mean.y;
		xx += dx * dx;
		xy += dx * dy;
		yy += dy * dy;
	}
	if (!(xx > 0))
		return false;
	ret_line->slope = xy / xx;
	double rest = yy - xy * xy / xx;
	ret_line->slope_error = count > 2 && rest > 0 ? sqrt(rest / (double)(count - 2) / xx) : 0;
	return true;
}
