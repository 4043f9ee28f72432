/* SPDX-License-Identifier: Apache-2.0 */
#include "growth.h"

#include "regression.h"

#include "base/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_HOUR 3600e9

const char *const growth_verdict_names[] = {
    [TREND_SHORT] = "not enough data", [TREND_FLAT] = "stable", [TREND_GROWING] = "growing"};

static void take(struct growth *growth, uint64_t bytes) {
	if (growth->samples == 0) {
		growth->baseline_bytes = bytes;
		growth->min_bytes = bytes;
	}
	if (bytes > growth->peak_bytes)
		growth->peak_bytes = bytes;
	if (bytes < growth->min_bytes)
		growth->min_bytes = bytes;
	growth->last_bytes = bytes;
	growth->samples++;
	growth->mean_bytes += ((double)bytes - growth->mean_bytes) / (double)growth->samples;
}

static double stddev_of(const struct regression_point *points, size_t count, double mean) {
	double square = 0;
	for (size_t i = 0; i < count; i++)
		square += (points[i].y - mean) * (points[i].y - mean);
	return count ? sqrt(square / (double)count) : 0;
}

static void judge(struct growth *growth, const struct regression_point *points) {
	double tolerance = fmax(GROWTH_TOLERANCE_BYTES, GROWTH_TOLERANCE_SHARE * growth->mean_bytes);
	struct trend all = trend_of(points, growth->samples, tolerance);
	growth->has_interval = all.verdict != TREND_SHORT && growth->has_slope;
	growth->slope_low_bytes_per_hour = all.slope_low * NS_PER_HOUR;
	growth->slope_high_bytes_per_hour = all.slope_high * NS_PER_HOUR;
	if (!growth->has_interval || growth->samples < GROWTH_VERDICT_SAMPLES_MIN)
		return;
	size_t half = growth->samples / 2;
	struct trend later = trend_of(points + half, growth->samples - half, tolerance);
	growth->verdict = all.verdict == TREND_GROWING ? later.verdict : all.verdict;
}

int growth_compute(const struct growth_sample *samples, size_t count, struct growth *ret_growth) {
	struct growth growth = {.verdict = TREND_SHORT};
	CLEANUP_FREE struct regression_point *points = calloc(count ? count : 1, sizeof(*points));
	uint64_t first_ns = 0;
	uint64_t last_ns = 0;
	if (!points)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (samples[i].bytes == GROWTH_UNREAD)
			continue;
		if (growth.samples == 0)
			first_ns = samples[i].time_ns;
		last_ns = samples[i].time_ns >= first_ns ? samples[i].time_ns : first_ns;
		struct regression_point point = {(double)(last_ns - first_ns), (double)samples[i].bytes};
		points[growth.samples] = point;
		take(&growth, samples[i].bytes);
	}
	struct regression line;
	if (growth.samples >= GROWTH_SAMPLES_MIN && last_ns - first_ns >= GROWTH_RANGE_NS_MIN &&
	    regression_fit(points, growth.samples, &line)) {
		growth.has_slope = true;
		growth.slope_bytes_per_hour = line.slope * NS_PER_HOUR;
		growth.slope_error_bytes_per_hour = line.slope_error * NS_PER_HOUR;
	}
	growth.stddev_bytes = stddev_of(points, growth.samples, growth.mean_bytes);
	judge(&growth, points);
	*ret_growth = growth;
	return 0;
}
