/* SPDX-License-Identifier: Apache-2.0 */
#include "trend.h"

#include <math.h>

#define CORRELATION_MAX 0.98
#define DEGREES_MIN 2.0

const char *const trend_verdict_names[] = {
    [TREND_SHORT] = "too short to say", [TREND_FLAT] = "flat", [TREND_GROWING] = "growing"};

static double mean_y(const struct regression_point *points, size_t count) {
	double mean = 0;
	for (size_t i = 0; i < count; i++)
		mean += (points[i].y - mean) / (double)(i + 1);
	return mean;
}

static double mean_x(const struct regression_point *points, size_t count) {
	double mean = 0;
	for (size_t i = 0; i < count; i++)
		mean += (points[i].x - mean) / (double)(i + 1);
	return mean;
}

/* Of each residual with the next one, 0 to CORRELATION_MAX. */
static double correlation(const struct regression_point *points, size_t count, double slope) {
	double x = mean_x(points, count);
	double y = mean_y(points, count);
	double square = 0;
	double product = 0;
	double before = 0;
	for (size_t i = 0; i < count; i++) {
		double residual = points[i].y - y - slope * (points[i].x - x);
		square += residual * residual;
		product += i ? residual * before : 0;
		before = residual;
	}
	double found = square > 0 ? product / square : 0;
	return fmin(fmax(found, 0), CORRELATION_MAX);
}

/* Cornish and Fisher's expansion. */
double trend_student_95(double n) {
	const double z = 1.959964;
	double z3 = z * z * z;
	double z5 = z3 * z * z;
	double z7 = z5 * z * z;
	return z + (z3 + z) / (4 * n) + (5 * z5 + 16 * z3 + 3 * z) / (96 * n * n) +
	       (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * n * n * n);
}

struct trend trend_of(const struct regression_point *points, size_t count, double tolerance) {
	struct trend trend = {.points = count, .verdict = TREND_SHORT};
	struct regression line;
	if (count < TREND_POINTS_MIN || !regression_fit(points, count, &line))
		return trend;
	size_t tenth = (count + 9) / 10;
	double r = correlation(points, count, line.slope);
	double degrees = fmax((double)count * (1 - r) / (1 + r) - 2, DEGREES_MIN);
	double half = trend_student_95(degrees) * line.slope_error * sqrt((double)(count - 2) / degrees);
	double range = points[count - 1].x - points[0].x;
	trend.first = mean_y(points, tenth);
	trend.last = mean_y(points + count - tenth, tenth);
	trend.slope = line.slope;
	trend.slope_low = line.slope - half;
	trend.slope_high = line.slope + half;
	trend.verdict = trend.slope_low * range > tolerance ? TREND_GROWING : TREND_FLAT;
	return trend;
}
