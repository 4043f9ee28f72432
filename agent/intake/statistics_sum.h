/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and histogram of one site, kept small: the bins are encoded as the store encodes them (libstore/rollup.h), some
 * hundred bytes in place of twenty thousand. Arithmetic is done on bins spread out in a scratch.
 */
#ifndef SPANRING_AGENT_STATISTICS_SUM_H
#define SPANRING_AGENT_STATISTICS_SUM_H

#include "libstore/rollup.h"

#include <stdbool.h>
#include <stdint.h>

struct statistics_sum {
	uint64_t count; /* the sum of the bins */
	uint64_t errors;
	uint64_t sum_ticks; /* wraps, as in the program */
	uint64_t min_ticks; /* UINT64_MAX: none yet */
	uint64_t max_ticks;
	uint64_t heap_allocated_units;
	uint64_t heap_net_units; /* two's complement */
	uint64_t heap_spans;
	uint8_t *bins; /* encoded; NULL: none */
	uint32_t bins_bytes;
};

#define STATISTICS_SUM_EMPTY ((struct statistics_sum){.min_ticks = UINT64_MAX})

/* Bins spread out, and room to encode them. */
struct statistics_scratch {
	uint64_t before[ROLLUP_BINS_MAX];
	uint64_t after[ROLLUP_BINS_MAX];
	struct store_rollup_bin bins[ROLLUP_BINS_MAX];
	uint8_t encoded[ROLLUP_BINS_BYTES_MAX];
};

/* All but the bins are the same. Counters that only grow: then the bins are the same, too. */
bool statistics_sum_equals(const struct statistics_sum *a, const struct statistics_sum *b);

/* Nothing but the bins, which are for the caller to compare, has gone back from `before` to `after`. */
bool statistics_sum_follows(const struct statistics_sum *after, const struct statistics_sum *before);

/* Of one block as copied from a program. */
struct statistics_sum statistics_sum_of_block(const struct spanring_site_statistics *block, uint64_t count);

void statistics_sum_spread(struct statistics_scratch *scratch, const struct statistics_sum *sum,
                           uint64_t ret_bins[ROLLUP_BINS_MAX]);

/* The bins that are not empty, in scratch->bins. */
uint32_t statistics_sum_gather(struct statistics_scratch *scratch, const uint64_t bins[ROLLUP_BINS_MAX]);

/* Encoded bins of their own for *sum; those it had are left to the caller. 0 or -ENOMEM. */
int statistics_sum_encode(struct statistics_scratch *scratch, const uint64_t bins[ROLLUP_BINS_MAX],
                          struct statistics_sum *sum);

/* `sum` with what one of its parts has gained between two readings. Figures only; the bins are the caller's. */
void statistics_sum_advance(struct statistics_sum *sum, const struct statistics_sum *before,
                            const struct statistics_sum *after);

/*
 * What came between two readings, as a row without process, site, times and bins; bins is the difference of the two in
 * ascending order. Smallest and largest as rollup.h wants them.
 */
void statistics_sum_row(const struct statistics_sum *before, const struct statistics_sum *after,
                        const struct store_rollup_bin *bins, uint32_t bin_count, uint64_t ns_per_tick_q32,
                        struct store_rollup *ret_row);

#endif
