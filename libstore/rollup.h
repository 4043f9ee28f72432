/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups: what the statistics channel says of all spans that ended, recorded or not. A row covers one step of time of one site of one
 * process. Bins are those of include/spanring/statistics_abi.h, in ticks of the process's clock, and are never binned anew: a percentile
 * taken from them has the error of one bin however many rows it is made of.
 *
 * EXACTLY ONCE. A program's counters only grow. The agent reads them, takes the difference to the store_rollup_total it read before as one
 * row, and gives row and new total to one commit. A total replaces the one before it; the agent gives all totals of processes that still
 * exist with the first commit of each new catalog, as it does with cursors, and asks for them when it meets a process again
 * (store_writer_rollup_totals).
 *
 * ENCODED BINS (docs/store-format.md, "Rollups"), at most ROLLUP_BINS_BYTES_MAX:
 *
 *     bins := (gap:varint length-1:varint (count-1:varint)[length])*      runs of bins that are not empty
 *
 * Bins from one run to the next, first from bin 0, are skipped: gap, which is 0 for the first run only. A varint has 7 bits per byte, lowest
 * first, the high bit set on all but the last byte, and no more bytes than it needs. So equal bins have equal bytes.
 */
#ifndef SPANRING_LIBSTORE_ROLLUP_H
#define SPANRING_LIBSTORE_ROLLUP_H

#include "span.h"

#include <spanring/statistics_abi.h>

#include <stddef.h>
#include <stdint.h>

#define ROLLUP_BINS_MAX SPANRING_STATISTICS_BINS
/* A bin takes at most ten bytes of count, and those of a run that is one bin long. */
#define ROLLUP_BINS_BYTES_MAX (ROLLUP_BINS_MAX * 14u)
#define ROLLUP_SCALE_BITS 32u

struct store_rollup_bin {
	uint64_t count; /* not 0 */
	uint32_t bin;
	uint32_t reserved;
};

/* One site of one process in one step of time. */
struct store_rollup {
	uint32_t process; /* ids of the segment's catalog; 0: all processes together, in SCHEMA_ROLLUP_SITE */
	uint32_t site;
	uint64_t
	    since_ns; /* spans that ended after the reading at since_ns and are in the one at until_ns; CLOCK_MONOTONIC */
	uint64_t until_ns;
	uint64_t ns_per_tick_q32; /* ns per 2^32 ticks, not 0; 2^32 where ticks are ns */
	uint64_t count;           /* the sum of the bins */
	uint64_t errors;
	uint64_t sum_ns;
	/*
	 * Of the first rows of a site the smallest and largest so far; later, where the program's did not change in this step, the nearest
	 * that is known: lowest value of the first bin or the program's min, whichever is larger; likewise max. Thus over all rows of a
	 * process both are exact, and over some of them within one bin.
	 */
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t heap_allocated_units; /* of 16 bytes */
	int64_t heap_net_units;
	uint64_t heap_spans;
	const struct store_rollup_bin *bins; /* ascending */
	uint32_t bin_count;
	uint32_t reserved;
};

/* Up to where the counters of a site of a program, summed over its threads, are stored as rollups. */
struct store_rollup_total {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t site; /* the program's number, not the catalog's */
	uint32_t bin_count;
	uint64_t time_ns; /* of the reading; the latest row counts */
	uint64_t count;   /* the sum of the bins */
	uint64_t errors;
	uint64_t sum_ticks;
	uint64_t min_ticks;
	uint64_t max_ticks;
	uint64_t heap_allocated_units;
	int64_t heap_net_units;
	uint64_t heap_spans;
	const struct store_rollup_bin *bins; /* ascending */
};

/*
 * What the writer refuses with -EINVAL: bins not ascending, empty, beyond the last one, or with another sum than count; a scale of 0; min over max.
 * The agent checks what it has from a program with these before it commits.
 */
int store_rollup_check(const struct store_rollup *rollup);
int store_rollup_total_check(const struct store_rollup_total *total);

/* ticks * ns_per_tick_q32 / 2^32, to the nearest, at most UINT64_MAX. */
uint64_t store_rollup_ns(uint64_t ticks, uint64_t ns_per_tick_q32);

/* The same but for the bins, as those of rollup_decode_bins are sound, and for the process, of which some rows have none. */
int rollup_check_figures(const struct store_rollup *rollup);

/* Bytes written; bytes has room for ROLLUP_BINS_BYTES_MAX. The bins are as store_rollup_check wants them. */
uint32_t rollup_encode_bins(const struct store_rollup_bin *bins, uint32_t count, uint8_t *bytes);

/* ret_bins has room for ROLLUP_BINS_MAX. 0, or ERR_DAMAGED: also for any other spelling than that of rollup_encode_bins. */
int rollup_decode_bins(const uint8_t *bytes, size_t byte_count, struct store_rollup_bin *ret_bins, uint32_t *ret_count,
                       uint64_t *ret_sum);

#endif
