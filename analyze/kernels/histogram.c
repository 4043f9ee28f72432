/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void histogram_clear(struct histogram *histogram) {
	free(histogram->counts);
	*histogram = (struct histogram){NULL, 0, 0};
}

uint32_t histogram_missing(const struct histogram *histogram, uint32_t first, uint32_t last) {
	uint32_t end = last + 1;
	if (!histogram->counts)
		return end - first;
	uint32_t before = histogram->first > first ? histogram->first - first : 0;
	return before + (end > histogram->end ? end - histogram->end : 0);
}

int histogram_grow(struct histogram *histogram, uint32_t first, uint32_t last) {
	assert(first <= last && last < HISTOGRAM_GROUPS);
	struct histogram grown = {NULL, first, last + 1};
	if (histogram->counts) {
		grown.first = histogram->first < first ? histogram->first : first;
		grown.end = histogram->end > last + 1 ? histogram->end : last + 1;
	}
	grown.counts = calloc((size_t)(grown.end - grown.first) * HISTOGRAM_GROUP_BINS, sizeof(uint64_t));
	if (!grown.counts)
		return -ENOMEM;
	if (histogram->counts)
		memcpy(grown.counts + (size_t)(histogram->first - grown.first) * HISTOGRAM_GROUP_BINS,
		       histogram->counts,
		       (size_t)(histogram->end - histogram->first) * HISTOGRAM_GROUP_BINS * sizeof(uint64_t));
	free(histogram->counts);
	*histogram = grown;
	return 0;
}

static int make_room(struct histogram *histogram, uint32_t low_bin, uint32_t high_bin) {
	uint32_t first = low_bin / HISTOGRAM_GROUP_BINS;
	uint32_t last = high_bin / HISTOGRAM_GROUP_BINS;
	return histogram_missing(histogram, first, last) ? histogram_grow(histogram, first, last) : 0;
}

int histogram_add_run(struct histogram *histogram, const uint64_t *values, size_t count, uint64_t min, uint64_t max) {
	int error = make_room(histogram, histogram_bin(min), histogram_bin(max));
	if (error)
		return error;
	uint64_t *counts = histogram->counts;
	uint32_t from = histogram->first * HISTOGRAM_GROUP_BINS;
	for (size_t i = 0; i < count; i++)
		counts[histogram_bin(values[i]) - from]++;
	return 0;
}

int histogram_add_bins(struct histogram *histogram, const uint16_t *bins, size_t count, uint32_t low, uint32_t high) {
	int error = make_room(histogram, low, high);
	if (error)
		return error;
	uint64_t *counts = histogram->counts;
	uint32_t from = histogram->first * HISTOGRAM_GROUP_BINS;
	for (size_t i = 0; i < count; i++)
		counts[bins[i] - from]++;
	return 0;
}

int histogram_merge(struct histogram *histogram, const struct histogram *from) {
	if (!from->counts)
		return 0;
	if (histogram_missing(histogram, from->first, from->end - 1) &&
	    histogram_grow(histogram, from->first, from->end - 1) != 0)
		return -ENOMEM;
	uint64_t *to = histogram->counts + (size_t)(from->first - histogram->first) * HISTOGRAM_GROUP_BINS;
	for (size_t bin = 0; bin < (size_t)(from->end - from->first) * HISTOGRAM_GROUP_BINS; bin++)
		to[bin] += from->counts[bin];
	return 0;
}

struct histogram_place histogram_find(const struct histogram *histogram, uint64_t rank) {
	assert(rank >= 1);
	struct histogram_place place = {0, rank, 0};
	for (uint32_t bin = histogram->first * HISTOGRAM_GROUP_BINS; bin < histogram->end * HISTOGRAM_GROUP_BINS;
	     bin++) {
		place.count = histogram_count(histogram, bin);
		if (place.rank <= place.count) {
			place.bin = bin;
			return place;
		}
		place.rank -= place.count;
	}
	assert(!"rank above the number of values");
	return place;
}
