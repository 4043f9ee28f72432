/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to each duration of a store, many at a time: its bin of histogram.h, sums, and picking those of a few bins. Values have 32 bits
 * here, as nearly all durations have; a run with a longer one goes the ordinary way.
 *
 * Each kernel is compiled for AVX-512, for AVX2 and for any processor; all give the same.
 */
#ifndef SPANRING_ANALYZE_LANES_H
#define SPANRING_ANALYZE_LANES_H

#include "moments.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_AT_ONCE 1024u /* that many values and their bins fit the nearest cache */
#define LANES_RANGES_MAX 5u

enum lanes_set { LANES_PORTABLE, LANES_AVX2, LANES_AVX512 };

/* Bins from first to last, both inclusive. */
struct lanes_range {
	uint16_t first;
	uint16_t last;
};

/* How many values were below a range, and inside. */
struct lanes_counts {
	uint64_t below[LANES_RANGES_MAX];
	uint64_t inside[LANES_RANGES_MAX];
};

struct lanes {
	/* The bins of 1 to LANES_AT_ONCE values, and the lowest and highest of these. */
	struct lanes_range (*bins)(const uint32_t *values, size_t count, uint16_t *ret_bins);
	/*
	 * Values whose bin is in one of the ranges, in order. ret_picked has room for `count`, and may be `values` or lie before it. At most
	 * LANES_AT_ONCE.
	 */
	size_t (*pick)(const uint32_t *values, const uint16_t *bins, size_t count, const struct lanes_range *ranges,
	               uint32_t range_count, uint32_t *ret_picked);
	/* The same, and adds to the counts. */
	size_t (*sieve)(const uint32_t *values, const uint16_t *bins, size_t count, const struct lanes_range *ranges,
	                uint32_t range_count, struct lanes_counts *counts, uint32_t *ret_picked);
	/* Of 1 to MOMENTS_RUN_MAX values. */
	struct moments_sums (*sums)(const uint32_t *values, uint32_t count);
	/* How many are that one. */
	size_t (*count)(const uint8_t *bytes, size_t count, uint8_t wanted);
};

/* The best set that this processor has, at most `most`. */
const struct lanes *lanes_choose(enum lanes_set most);

/* Is any of them not 0? */
static inline bool lanes_any(const uint32_t *values, size_t count) {
	uint32_t all = 0;
	for (size_t i = 0; i < count; i++)
		all |= values[i];
	return all != 0;
}

#endif
