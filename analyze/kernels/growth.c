/* SPDX-License-Identifier: Apache-2.0 */
#include "growth.h"

#include "regression.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_HOUR 3600e9

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

int growth_compute(const struct growth_sample *samples, size_t count, struct growth *ret_growth) {
	struct growth growth = {.samples = 0};
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
	*ret_growth = growth;
	return 0;
}
