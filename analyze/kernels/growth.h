/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a series of memory samples says: first, last, peak, spread, and growth per hour as the slope of the least-squares line.
 *
 * The growth is absent where a slope would be noise: with fewer than GROWTH_SAMPLES_MIN samples, or over less than GROWTH_RANGE_NS_MIN. It comes
 * with its standard error, because a slope over seconds, told per hour, is a large number with a larger doubt; with TREND_POINTS_MIN samples also
 * with a 95 % interval that knows that samples depend on each other (trend.h).
 *
 * VERDICT. Growing: all samples grow, and the later half of them alone does so, too, in both by more than the tolerance even at the lower end
 * of the interval. A program that takes memory while it starts and then keeps it is stable.
 */
#ifndef SPANRING_ANALYZE_GROWTH_H
#define SPANRING_ANALYZE_GROWTH_H

#include "trend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROWTH_SAMPLES_MIN 3u
#define GROWTH_RANGE_NS_MIN UINT64_C(2000000000)
#define GROWTH_VERDICT_SAMPLES_MIN (2u * TREND_POINTS_MIN)
#define GROWTH_TOLERANCE_BYTES 65536.0
#define GROWTH_TOLERANCE_SHARE 0.005 /* of the mean, if that is more */
#define GROWTH_UNREAD UINT64_MAX     /* a sample whose figure could not be read: left out */

struct growth_sample {
	uint64_t time_ns;
	uint64_t bytes;
};

extern const char *const growth_verdict_names[];

struct growth {
	size_t samples;          /* 0: nothing else is set */
	uint64_t baseline_bytes; /* the first sample */
	uint64_t peak_bytes;
	uint64_t last_bytes;
	uint64_t min_bytes;
	double mean_bytes;
	double stddev_bytes; /* of the population */
	bool has_slope;
	double slope_bytes_per_hour;
	double slope_error_bytes_per_hour;
	bool has_interval;
	double slope_low_bytes_per_hour;
	double slope_high_bytes_per_hour;
	enum trend_verdict verdict;
};

/* samples in order of time. 0 or -ENOMEM. */
int growth_compute(const struct growth_sample *samples, size_t count, struct growth *ret_growth);

#endif
