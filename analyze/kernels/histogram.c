/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <assert.h>
#include <stdlib.h>

void histogram_clear(struct histogram *histogram) {
	for (uint32_t group = 0; group < HISTOGRAM_GROUPS; group++) {
		free(histogram->groups[group]);
		histogram->groups[group] = NULL;
	}
}

int histogram_grow(struct histogram *histogram, uint32_t group) {
	assert(group < HISTOGRAM_GROUPS);
	histogram->groups[group] = calloc(HISTOGRAM_GROUP_BINS, sizeof(uint64_t));
	return histogram->groups[group] ? 0 : -ENOMEM;
}

int histogram_add_run(struct histogram *histogram, const uint64_t *values, size_t count, uint64_t min, uint64_t max) {
	uint64_t *const *groups = histogram->groups;
	uint32_t last = histogram_bin(max) / HISTOGRAM_GROUP_BINS;
	for (uint32_t group = histogram_bin(min) / HISTOGRAM_GROUP_BINS; group <= last; group++)
		if (!groups[group] && histogram_grow(histogram, group) != 0)
			return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t bin = histogram_bin(values[i]);
		groups[bin / HISTOGRAM_GROUP_BINS][bin % HISTOGRAM_GROUP_BINS]++;
	}
	return 0;
}

int histogram_merge(struct histogram *histogram, const struct histogram *from) {
	for (uint32_t group = 0; group < HISTOGRAM_GROUPS; group++) {
		if (!from->groups[group])
			continue;
		if (!histogram->groups[group] && histogram_grow(histogram, group) != 0)
			return -ENOMEM;
		for (uint32_t bin = 0; bin < HISTOGRAM_GROUP_BINS; bin++)
			histogram->groups[group][bin] += from->groups[group][bin];
	}
	return 0;
}

struct histogram_place histogram_find(const struct histogram *histogram, uint64_t rank) {
	assert(rank >= 1);
	struct histogram_place place = {0, rank, 0};
	for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
		const uint64_t *group = histogram->groups[bin / HISTOGRAM_GROUP_BINS];
		if (!group) {
			bin += HISTOGRAM_GROUP_BINS - 1u;
			continue;
		}
		place.count = group[bin % HISTOGRAM_GROUP_BINS];
		if (place.rank <= place.count) {
			place.bin = bin;
			return place;
		}
		place.rank -= place.count;
	}
	assert(!"rank above the number of values");
	return place;
}
