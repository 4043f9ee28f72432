/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics_sum.h"

#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

bool statistics_sum_equals(const struct statistics_sum *a, const struct statistics_sum *b) {
	return a->count == b->count && a->errors == b->errors && a->sum_ticks == b->sum_ticks &&
	       a->min_ticks == b->min_ticks && a->max_ticks == b->max_ticks &&
	       a->heap_allocated_units == b->heap_allocated_units && a->heap_net_units == b->heap_net_units &&
	       a->heap_spans == b->heap_spans;
}

bool statistics_sum_follows(const struct statistics_sum *after, const struct statistics_sum *before) {
	return after->count >= before->count && after->errors >= before->errors &&
	       after->min_ticks <= before->min_ticks && after->max_ticks >= before->max_ticks &&
	       after->heap_spans >= before->heap_spans;
}

struct statistics_sum statistics_sum_of_block(const struct spanring_site_statistics *block, uint64_t count) {
	return (struct statistics_sum){.count = count,
	                               .errors = block->errors,
	                               .sum_ticks = block->sum_ticks,
	                               .min_ticks = block->min_ticks,
	                               .max_ticks = block->longest_ticks ? block->longest_ticks : block->max_ticks,
	                               .heap_allocated_units = block->heap_allocated_units,
	                               .heap_net_units = (uint64_t)block->heap_net_units,
	                               .heap_spans = block->heap_spans};
}

void statistics_sum_spread(struct statistics_scratch *scratch, const struct statistics_sum *sum,
                           uint64_t ret_bins[ROLLUP_BINS_MAX]) {
	uint32_t count = 0;
	uint64_t total;
	memset(ret_bins, 0, ROLLUP_BINS_MAX * sizeof(ret_bins[0]));
	if (sum->bins_bytes > 0)
		(void)rollup_decode_bins(sum->bins, sum->bins_bytes, scratch->bins, &count, &total); /* ours */
	for (uint32_t i = 0; i < count; i++)
		ret_bins[scratch->bins[i].bin] = scratch->bins[i].count;
}

uint32_t statistics_sum_gather(struct statistics_scratch *scratch, const uint64_t bins[ROLLUP_BINS_MAX]) {
	uint32_t count = 0;
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (bins[bin] != 0)
			scratch->bins[count++] = (struct store_rollup_bin){.bin = bin, .count = bins[bin]};
	return count;
}

int statistics_sum_encode(struct statistics_scratch *scratch, const uint64_t bins[ROLLUP_BINS_MAX],
                          struct statistics_sum *sum) {
	uint32_t count = statistics_sum_gather(scratch, bins);
	uint32_t bytes = rollup_encode_bins(scratch->bins, count, scratch->encoded);
	sum->bins = NULL;
	sum->bins_bytes = 0;
	if (bytes == 0)
		return 0;
	uint8_t *copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, scratch->encoded, bytes);
	sum->bins = copy;
	sum->bins_bytes = bytes;
	return 0;
}

void statistics_sum_advance(struct statistics_sum *sum, const struct statistics_sum *before,
                            const struct statistics_sum *after) {
	sum->count += after->count - before->count;
	sum->errors += after->errors - before->errors;
	sum->sum_ticks += after->sum_ticks - before->sum_ticks;
	sum->heap_allocated_units += after->heap_allocated_units - before->heap_allocated_units;
	sum->heap_net_units += after->heap_net_units - before->heap_net_units;
	sum->heap_spans += after->heap_spans - before->heap_spans;
	if (after->min_ticks < sum->min_ticks)
		sum->min_ticks = after->min_ticks;
	if (after->max_ticks > sum->max_ticks)
		sum->max_ticks = after->max_ticks;
}

/* Largest value of a bin; the last one has no end. */
static uint64_t bin_top(uint32_t bin) {
	return bin + 1 < ROLLUP_BINS_MAX ? spanring_statistics_bin_floor(bin + 1) - 1 : UINT64_MAX;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high) {
	if (value < low)
		return low;
	return value > high ? high : value;
}

/* A new record is exact. Else the program's own is as near as the first or last bin of the step allows. */
static void find_extremes(const struct statistics_sum *before, const struct statistics_sum *after,
                          const struct store_rollup_bin *bins, uint32_t count, uint64_t *ret_min, uint64_t *ret_max) {
	uint64_t low = after->min_ticks;
	uint64_t high = after->max_ticks;
	if (count > 0 && low >= before->min_ticks)
		low = clamp(low, spanring_statistics_bin_floor(bins[0].bin), bin_top(bins[0].bin));
	if (count > 0 && (high <= before->max_ticks || low > high))
		high = clamp(high, spanring_statistics_bin_floor(bins[count - 1].bin), bin_top(bins[count - 1].bin));
	/* Read between two stores of the thread, a record may lie on the wrong side of the other one. */
	*ret_min = low < high ? low : high;
	*ret_max = high;
}

void statistics_sum_row(const struct statistics_sum *before, const struct statistics_sum *after,
                        const struct store_rollup_bin *bins, uint32_t bin_count, uint64_t ns_per_tick_q32,
                        struct store_rollup *ret_row) {
	uint64_t min_ticks;
	uint64_t max_ticks;
	find_extremes(before, after, bins, bin_count, &min_ticks, &max_ticks);
	*ret_row =
	    (struct store_rollup){.ns_per_tick_q32 = ns_per_tick_q32,
	                          .count = after->count - before->count,
	                          .errors = after->errors - before->errors,
	                          .sum_ns = store_rollup_ns(after->sum_ticks - before->sum_ticks, ns_per_tick_q32),
	                          .min_ns = store_rollup_ns(min_ticks, ns_per_tick_q32),
	                          .max_ns = store_rollup_ns(max_ticks, ns_per_tick_q32),
	                          .heap_allocated_units = after->heap_allocated_units - before->heap_allocated_units,
	                          .heap_net_units = (int64_t)(after->heap_net_units - before->heap_net_units),
	                          .heap_spans = after->heap_spans - before->heap_spans,
	                          .bin_count = bin_count};
}
