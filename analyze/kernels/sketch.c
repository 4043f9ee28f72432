/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch.h"

#include "histogram.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/statistics_abi.h>

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Beyond what is needed where there were counts already, so that each new extreme does not move all of them. */
#define GROUPS_AHEAD 2u

/* The histograms of one series, in order of first use. */
struct part {
	struct part *next;
	uint32_t scale;
	struct histogram histogram;
};

struct sketches {
	struct part **series;
	size_t series_count;
	size_t budget_bytes;
	uint64_t scales[SKETCH_SCALES_MAX];
	uint32_t scale_count;
};

/* A bin as a value. */
struct weight {
	uint64_t value;
	uint64_t count;
};

int sketches_new(size_t series_count, size_t budget_bytes, struct sketches **ret_sketches) {
	struct sketches *sketches = calloc(1, sizeof(*sketches));
	if (!sketches)
		return -ENOMEM;
	sketches->series = calloc(series_count ? series_count : 1, sizeof(sketches->series[0]));
	if (!sketches->series) {
		free(sketches);
		return -ENOMEM;
	}
	sketches->series_count = series_count;
	sketches->budget_bytes = budget_bytes;
	*ret_sketches = sketches;
	return 0;
}

void sketches_free(struct sketches *sketches) {
	if (!sketches)
		return;
	for (size_t i = 0; i < sketches->series_count; i++) {
		struct part *next = NULL;
		for (struct part *part = sketches->series[i]; part; part = next) {
			next = part->next;
			histogram_clear(&part->histogram);
			free(part);
		}
	}
	free(sketches->series);
	free(sketches);
}

int sketches_scale(struct sketches *sketches, uint64_t ns_per_tick_q32) {
	for (uint32_t i = 0; i < sketches->scale_count; i++) {
		uint64_t scale = sketches->scales[i];
		uint64_t distance = scale > ns_per_tick_q32 ? scale - ns_per_tick_q32 : ns_per_tick_q32 - scale;
		if (distance <= scale / SKETCH_SCALE_SLACK)
			return (int)i;
	}
	if (sketches->scale_count == SKETCH_SCALES_MAX)
		return ERR_LIMIT;
	sketches->scales[sketches->scale_count] = ns_per_tick_q32;
	return (int)sketches->scale_count++;
}

static int spend(struct sketches *sketches, size_t bytes) {
	if (bytes > sketches->budget_bytes)
		return ERR_LIMIT;
	sketches->budget_bytes -= bytes;
	return 0;
}

static int part_of(struct sketches *sketches, size_t series, uint32_t scale, struct part **ret_part) {
	struct part **place = &sketches->series[series];
	while (*place && (*place)->scale != scale)
		place = &(*place)->next;
	if (!*place) {
		int error = spend(sketches, sizeof(**place));
		if (error)
			return error;
		*place = calloc(1, sizeof(**place));
		if (!*place)
			return -ENOMEM;
		(*place)->scale = scale;
	}
	*ret_part = *place;
	return 0;
}

static int make_room(struct sketches *sketches, struct part *part, const struct store_rollup_bin *bins,
                     uint32_t count) {
	uint32_t first = bins[0].bin / HISTOGRAM_GROUP_BINS;
	uint32_t last = bins[count - 1].bin / HISTOGRAM_GROUP_BINS;
	uint32_t missing = histogram_missing(&part->histogram, first, last);
	if (!missing)
		return 0;
	if (part->histogram.counts && first < part->histogram.first)
		first -= first < GROUPS_AHEAD ? first : GROUPS_AHEAD;
	if (part->histogram.counts && last >= part->histogram.end)
		last = last + GROUPS_AHEAD < HISTOGRAM_GROUPS ? last + GROUPS_AHEAD : HISTOGRAM_GROUPS - 1;
	missing = histogram_missing(&part->histogram, first, last);
	int error = spend(sketches, missing * HISTOGRAM_GROUP_BINS * sizeof(*part->histogram.counts));
	return error ? error : histogram_grow(&part->histogram, first, last);
}

int sketches_add(struct sketches *sketches, size_t series, int scale, const struct store_rollup_bin *bins,
                 uint32_t count) {
	struct part *part = NULL;
	assert(series < sketches->series_count);
	if (!count)
		return 0;
	int error = part_of(sketches, series, (uint32_t)scale, &part);
	if (!error)
		error = make_room(sketches, part, bins, count);
	if (error)
		return error;
	uint64_t *counts = part->histogram.counts;
	uint32_t from = part->histogram.first * HISTOGRAM_GROUP_BINS;
	for (uint32_t i = 0; i < count; i++) {
		assert(bins[i].bin < SPANRING_STATISTICS_BINS);
		counts[bins[i].bin - from] = saturating_add(counts[bins[i].bin - from], bins[i].count);
	}
	return 0;
}

/* The middle of a bin, to the nearest ns. */
static uint64_t middle_ns(uint32_t bin, uint64_t ns_per_tick_q32, uint64_t min, uint64_t max) {
	__extension__ typedef unsigned __int128 u128;
	uint64_t twice = spanring_statistics_bin_floor(bin) + spanring_statistics_bin_floor(bin + 1) - 1;
	u128 ns = ((u128)twice * ns_per_tick_q32 + (UINT64_C(1) << 32)) >> 33;
	if (ns < min)
		return min;
	return ns > max ? max : (uint64_t)ns;
}

static size_t count_bins(const struct part *part) {
	size_t count = 0;
	for (; part; part = part->next)
		count += (size_t)(part->histogram.end - part->histogram.first) * HISTOGRAM_GROUP_BINS;
	return count;
}

static size_t list_weights(const struct sketches *sketches, const struct part *part, uint64_t min, uint64_t max,
                           struct weight *weights) {
	size_t count = 0;
	for (; part; part = part->next) {
		uint32_t end = part->histogram.end * HISTOGRAM_GROUP_BINS;
		for (uint32_t bin = part->histogram.first * HISTOGRAM_GROUP_BINS; bin < end; bin++) {
			uint64_t counted = histogram_count(&part->histogram, bin);
			if (counted)
				weights[count++] =
				    (struct weight){middle_ns(bin, sketches->scales[part->scale], min, max), counted};
		}
	}
	return count;
}

static int by_value(const void *a, const void *b) {
	uint64_t first = ((const struct weight *)a)->value;
	uint64_t second = ((const struct weight *)b)->value;
	return first < second ? -1 : first > second;
}

static void find_quantiles(const struct weight *weights, size_t count, uint64_t total, uint64_t *ret_quantiles) {
	uint64_t below = 0;
	unsigned which = 0;
	uint64_t rank = quantile_rank(total, which);
	for (size_t i = 0; i < count && which < QUANTILE_COUNT; i++) {
		below = saturating_add(below, weights[i].count);
		while (which < QUANTILE_COUNT && rank <= below) {
			ret_quantiles[which++] = weights[i].value;
			rank = which < QUANTILE_COUNT ? quantile_rank(total, (enum quantile)which) : rank;
		}
	}
}

static double stddev_of(const struct weight *weights, size_t count, uint64_t total) {
	long double sum = 0;
	long double square = 0;
	for (size_t i = 0; i < count; i++)
		sum += (long double)weights[i].value * (long double)weights[i].count;
	long double mean = sum / (long double)total;
	for (size_t i = 0; i < count; i++) {
		long double distance = (long double)weights[i].value - mean;
		square += distance * distance * (long double)weights[i].count;
	}
	return count > 1 ? (double)sqrtl(square / (long double)total) : 0;
}

int sketches_figures(const struct sketches *sketches, size_t series, uint64_t min, uint64_t max,
                     struct sketch_figures *ret_figures) {
	const struct part *parts = sketches->series[series];
	memset(ret_figures, 0, sizeof(*ret_figures));
	size_t room = count_bins(parts);
	if (!room)
		return 0;
	struct weight *weights CLEANUP_FREE = malloc(room * sizeof(*weights));
	if (!weights)
		return -ENOMEM;
	size_t count = list_weights(sketches, parts, min, max, weights);
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++)
		total = saturating_add(total, weights[i].count);
	if (parts->next)
		qsort(weights, count, sizeof(*weights), by_value);
	if (total) {
		find_quantiles(weights, count, total, ret_figures->quantiles);
		ret_figures->stddev = stddev_of(weights, count, total);
	}
	return 0;
}
