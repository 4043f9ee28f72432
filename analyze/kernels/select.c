/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The range of the values is cut into CELLS equal ones; counting says which of them holds the rank, and its values go to the front. Each round
 * takes ten bits off the range and, as values mostly lie, leaves one of a thousand of them, without a branch that is hard to foresee. Whatever the
 * values are, seven rounds are the most.
 */
#include "select.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CELLS 1024u
#define SORTED_BELOW 64u

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* Where the values begin, and how many bits of their distance to it do not tell cells apart. */
static uint64_t find_cells(const uint64_t *values, size_t count, unsigned *ret_shift) {
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	unsigned shift = 0;
	for (size_t i = 0; i < count; i++) {
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	while ((high - low) >> shift >= CELLS)
		shift++;
	*ret_shift = shift;
	return low;
}

/* The values of the cell to the front; how many. */
static size_t gather(uint64_t *values, size_t count, uint64_t low, unsigned shift, uint64_t cell) {
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = values[i];
		if ((value - low) >> shift != cell)
			continue;
		values[i] = values[found];
		values[found++] = value;
	}
	return found;
}

uint64_t select_rank(uint64_t *values, size_t count, size_t rank) {
	assert(rank >= 1 && rank <= count);
	while (count > SORTED_BELOW) {
		size_t counts[CELLS];
		unsigned shift = 0;
		uint64_t low = find_cells(values, count, &shift);
		memset(counts, 0, sizeof(counts));
		for (size_t i = 0; i < count; i++)
			counts[(values[i] - low) >> shift]++;
		uint64_t cell = 0;
		for (; rank > counts[cell]; cell++)
			rank -= counts[cell];
		if (shift == 0)
			return low + cell;
		count = gather(values, count, low, shift, cell);
	}
	qsort(values, count, sizeof(*values), by_value);
	return values[rank - 1];
}
