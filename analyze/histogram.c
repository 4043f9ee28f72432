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
