/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log-linear histogram of 64-bit values: the values 0 to 63 have a bin each, every octave above is cut into 64 bins of equal width.
 *
 *     group 0           0 .. 63               width 1
 *     group g >= 1      2^(g+5) .. 2^(g+6)-1  width 2^(g-1)
 *
 * So a bin is never wider than 1/64 of its lower edge, over the whole range, with 59 groups. Counts are allocated from the first group that a
 * value fell into to the last one: a series that spans four octaves takes 2.5 KiB.
 */
#ifndef SPANRING_ANALYZE_HISTOGRAM_H
#define SPANRING_ANALYZE_HISTOGRAM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_GROUP_BINS 64u
#define HISTOGRAM_GROUPS 59u
#define HISTOGRAM_BINS (HISTOGRAM_GROUPS * HISTOGRAM_GROUP_BINS)

/* All zero: empty. */
struct histogram {
	uint64_t *counts; /* of the bins from that of the first group on */
	uint32_t first;   /* group */
	uint32_t end;     /* group after the last one */
};

/* Free what it holds; it is empty afterwards and may be used again. */
void histogram_clear(struct histogram *histogram);

/* How many groups more it would have to have counts for, to hold these; and make them: 0 or -ENOMEM. */
uint32_t histogram_missing(const struct histogram *histogram, uint32_t first, uint32_t last);
int histogram_grow(struct histogram *histogram, uint32_t first, uint32_t last);

static inline bool histogram_has(const struct histogram *histogram, uint32_t group) {
	return group >= histogram->first && group < histogram->end;
}

/* 0 also where it has no counts. */
static inline uint64_t histogram_count(const struct histogram *histogram, uint32_t bin) {
	return histogram_has(histogram, bin / HISTOGRAM_GROUP_BINS)
	           ? histogram->counts[bin - histogram->first * HISTOGRAM_GROUP_BINS]
	           : 0;
}

/* Without a branch: group 0 is the lower half of what group 1 would be with the same width. */
static inline uint32_t histogram_bin(uint64_t value) {
	uint32_t shift = 57u - (uint32_t)__builtin_clzll(value | HISTOGRAM_GROUP_BINS);
	return shift * HISTOGRAM_GROUP_BINS + (uint32_t)(value >> shift);
}

static inline uint64_t histogram_bin_low(uint32_t bin) {
	uint32_t group = bin / HISTOGRAM_GROUP_BINS;
	uint64_t step = bin % HISTOGRAM_GROUP_BINS;
	return group == 0 ? step : (HISTOGRAM_GROUP_BINS + step) << (group - 1u);
}

static inline uint64_t histogram_bin_high(uint32_t bin) {
	uint32_t group = bin / HISTOGRAM_GROUP_BINS;
	return histogram_bin_low(bin) + ((UINT64_C(1) << (group == 0 ? 0 : group - 1u)) - 1u);
}

/* 0 or -ENOMEM. */
static inline int histogram_add_weight(struct histogram *histogram, uint64_t value, uint64_t weight) {
	uint32_t bin = histogram_bin(value);
	uint32_t group = bin / HISTOGRAM_GROUP_BINS;
	if (__builtin_expect(!histogram_has(histogram, group), 0) && histogram_grow(histogram, group, group) != 0)
		return -ENOMEM;
	histogram->counts[bin - histogram->first * HISTOGRAM_GROUP_BINS] += weight;
	return 0;
}

static inline int histogram_add(struct histogram *histogram, uint64_t value) {
	return histogram_add_weight(histogram, value, 1);
}

/* Many values at once, the smallest and largest of which are known. 0 or -ENOMEM, and then nothing was added. */
int histogram_add_run(struct histogram *histogram, const uint64_t *values, size_t count, uint64_t min, uint64_t max);

/* Values of which the bins are known, the lowest and highest among them. 0 or -ENOMEM, and then nothing was added. */
int histogram_add_bins(struct histogram *histogram, const uint16_t *bins, size_t count, uint32_t low, uint32_t high);

/* What `from` counted, too. 0 or -ENOMEM. */
int histogram_merge(struct histogram *histogram, const struct histogram *from);

/* Where the value of a rank (1 is the smallest) lies. */
struct histogram_place {
	uint32_t bin;
	uint64_t rank;  /* among the values of the bin, from 1 */
	uint64_t count; /* of the bin */
};

/* rank must be between 1 and the number of values added. */
struct histogram_place histogram_find(const struct histogram *histogram, uint64_t rank);

#endif
