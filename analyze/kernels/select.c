/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quickselect: part the values at one of them, and go on in the part that holds the rank. Values that were made to be parted badly are sorted
 * instead once that has failed too often.
 */
#include "select.h"

#include <assert.h>
#include <stdlib.h>

#define SORTED_BELOW 16u

static void swap(uint64_t *a, uint64_t *b) {
	uint64_t kept = *a;
	*a = *b;
	*b = kept;
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c) {
	uint64_t low = a < b ? a : b;
	uint64_t high = a < b ? b : a;
	if (c <= low)
		return low;
	return c < high ? c : high;
}

size_t select_range(uint64_t *values, size_t count, uint64_t low, uint64_t high) {
	size_t inside = 0;
	for (size_t i = 0; i < count; i++) {
		if (values[i] - low <= high - low)
			swap(&values[inside++], &values[i]);
	}
	return inside;
}

/* Below the pivot, then equal to it, then above; where the equal ones begin and end. */
static void part(uint64_t *values, size_t count, uint64_t pivot, size_t *ret_begin, size_t *ret_end) {
	size_t begin = 0;
	size_t end = count;
	for (size_t i = 0; i < end;) {
		if (values[i] < pivot)
			swap(&values[begin++], &values[i++]);
		else if (values[i] > pivot)
			swap(&values[i], &values[--end]);
		else
			i++;
	}
	*ret_begin = begin;
	*ret_end = end;
}

uint64_t select_rank(uint64_t *values, size_t count, size_t rank) {
	assert(rank >= 1 && rank <= count);
	unsigned tries = 8;
	for (size_t left = count; left; left >>= 1)
		tries += 2;
	while (count > SORTED_BELOW && tries-- > 0) {
		size_t begin = 0;
		size_t end = 0;
		uint64_t pivot = middle_of(values[0], values[count / 2], values[count - 1]);
		part(values, count, pivot, &begin, &end);
		if (rank > begin && rank <= end)
			return pivot;
		if (rank > end) {
			values += end;
			count -= end;
			rank -= end;
		} else {
			count = begin;
		}
	}
	qsort(values, count, sizeof(*values), by_value);
	return values[rank - 1];
}
