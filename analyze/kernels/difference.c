/* SPDX-License-Identifier: Apache-2.0 */
#include "difference.h"

#include "student.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>

#define ARM_T_MAX 1000.0
#define DURATION_LEAST_NS 0.5 /* a logarithm of durations that are 0 */

void difference_wilson(double share, double n, double t, double *ret_low, double *ret_high) {
	double square = t * t / n;
	double middle = (share + square / 2) / (1 + square);
	double half = sqrt(share * (1 - share) / n * t * t + square * square / 4) / (1 + square);
	*ret_low = fmax(middle - half, 0);
	*ret_high = fmin(middle + half, 1);
}

static void quantile_interval(const struct measured *measured, double t, double *ret_low, double *ret_high) {
	double low;
	double high;
	double end = 0.5 / measured->records;
	difference_wilson(measured->share, measured->effective, t, &low, &high);
	*ret_low = low < end ? 0 : fmin(grid_quantile(measured->grid, measured->weights, low), measured->value);
	*ret_high =
	    high > 1 - end ? INFINITY : fmax(grid_quantile(measured->grid, measured->weights, high), measured->value);
}

void measured_interval(const struct measured *measured, double t, double *ret_low, double *ret_high) {
	double ratio;
	switch (measured->kind) {
	case MEASURED_QUANTILE:
		quantile_interval(measured, t, ret_low, ret_high);
		return;
	case MEASURED_MEAN:
		ratio = measured->value > 0 ? exp(t * measured->error / measured->value) : INFINITY;
		*ret_low = measured->value / ratio;
		*ret_high = isinf(ratio) ? INFINITY : measured->value * ratio;
		return;
	case MEASURED_SHARE:
		difference_wilson(measured->value, measured->effective, t, ret_low, ret_high);
		return;
	case MEASURED_NOTHING:
		break;
	}
	*ret_low = 0;
	*ret_high = INFINITY;
}

/* On the scale on which differences are taken. */
static double placed(const struct measured *measured, double value) {
	return measured->kind == MEASURED_SHARE ? value : log(fmax(value, DURATION_LEAST_NS));
}

/* How far the interval reaches from the figure, down and up; no end below where the value is 0. */
static void arms(const struct measured *measured, double t, double *ret_down, double *ret_up) {
	double low;
	double high;
	double at = placed(measured, measured->value);
	measured_interval(measured, t, &low, &high);
	*ret_down = measured->kind != MEASURED_SHARE && !(low > 0) ? INFINITY : at - placed(measured, low);
	*ret_up = placed(measured, high) - at;
}

/* The interval of after - before. */
static void combine(const struct measured *before, const struct measured *after, double t, double *ret_low,
                    double *ret_high) {
	double down[2];
	double up[2];
	double distance = placed(after, after->value) - placed(before, before->value);
	arms(before, t, &down[0], &up[0]);
	arms(after, t, &down[1], &up[1]);
	*ret_low = distance - sqrt(down[1] * down[1] + up[0] * up[0]);
	*ret_high = distance + sqrt(up[1] * up[1] + down[0] * down[0]);
}

static double freedom_of(const struct measured *before, const struct measured *after) {
	double down;
	double up;
	double squares[2];
	const struct measured *both[2] = {before, after};
	for (int i = 0; i < 2; i++) {
		arms(both[i], 1, &down, &up);
		double arm = isinf(up) ? down : up;
		squares[i] = arm * arm;
	}
	double sum = squares[0] + squares[1];
	if (!isfinite(sum) || sum <= 0)
		return fmin(before->freedom, after->freedom);
	return sum * sum / (squares[0] * squares[0] / before->freedom + squares[1] * squares[1] / after->freedom);
}

/* The t at which the interval touches the margin around 0; it only widens. */
static double touching(const struct measured *before, const struct measured *after, double distance, double margin) {
	double inside = 0;
	double outside = ARM_T_MAX;
	for (int i = 0; i < 60; i++) {
		double t = (inside + outside) / 2;
		double low;
		double high;
		combine(before, after, t, &low, &high);
		if (distance > 0 ? low > margin : high < -margin)
			inside = t;
		else
			outside = t;
	}
	return inside;
}

struct difference difference_of(const struct measured *before, const struct measured *after, double level,
                                double margin) {
	struct difference difference = {.p = 1};
	if (before->kind == MEASURED_NOTHING || before->kind != after->kind)
		return difference;
	bool is_share = before->kind == MEASURED_SHARE;
	double distance = placed(after, after->value) - placed(before, before->value);
	double freedom = freedom_of(before, after);
	double t = student_beyond(1 - level, freedom);
	combine(before, after, t, &difference.low, &difference.high);
	difference.change = is_share ? distance : expm1(distance);
	if (!is_share) {
		difference.low = expm1(difference.low);
		difference.high = expm1(difference.high);
	}
	difference.known = isfinite(difference.low) && isfinite(difference.high);
	if (fabs(distance) > margin)
		difference.p = student_two_sided(touching(before, after, distance, margin), freedom);
	return difference;
}

struct ranked {
	double p;
	size_t place;
};

static int by_p(const void *a, const void *b) {
	const struct ranked *left = a;
	const struct ranked *right = b;
	if (left->p != right->p)
		return left->p < right->p ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

int difference_holm(double *p, size_t count) {
	CLEANUP_FREE struct ranked *order = calloc(count ? count : 1, sizeof(*order));
	double largest = 0;
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = (struct ranked){p[i], i};
	qsort(order, count, sizeof(*order), by_p);
	for (size_t i = 0; i < count; i++) {
		double adjusted = fmin(order[i].p * (double)(count - i), 1);
		largest = fmax(largest, adjusted);
		p[order[i].place] = largest;
	}
	return 0;
}
