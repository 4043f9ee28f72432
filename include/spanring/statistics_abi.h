/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of spans in shared memory: what a thread keeps of every span it ends, recorded or not.
 *
 * STATISTICS FILE (statistics-0007 beside ring-0007; none if statistics are off)
 *
 *     0                         struct spanring_statistics_header
 *     4096 + n * 20480          struct spanring_site_statistics, n < block_count
 *
 * The thread that owns the ring owns this file, too; when another thread takes the ring over it goes on counting where the
 * last one stopped. Nothing is ever reset. A block is made when the thread first ends a span of that site: the file grows
 * (posix_fallocate), the block is filled in, then block_count is released (pair STATISTICS). Block 0 is that of
 * SPANRING_SITE_OVERFLOW: it takes the spans of all sites that find no room, because the table or the memory is full.
 *
 * HISTOGRAM. Log-linear, 64 bins per octave, of the duration in ticks of the process's clock: bin v for v < 64; above, with e the
 * number of the highest bit, (e - 6) * 64 + (v >> (e - 6)). A bin is at most 1/64 of its lower edge wide, so its middle is within
 * 1/128 (0.79 %) of every value in it. What is 2^44 ticks or longer falls into the last bin.
 *
 * The number of spans is the sum of the bins; there is no second counter that could differ. The bin is stored before sum, min
 * and max, so a thread that is killed in between has its last span in the bin only.
 */
#ifndef SPANRING_STATISTICS_ABI_H
#define SPANRING_STATISTICS_ABI_H

#include <spanring/ring_abi.h>

#define SPANRING_STATISTICS_MAGIC 0x3154415453525053ull /* "SPRSTAT1" */
#define SPANRING_STATISTICS_PREFIX "statistics-"

#define SPANRING_STATISTICS_BIN_BITS 6u /* 64 bins per octave */
#define SPANRING_STATISTICS_TICKS_BITS 44u
#define SPANRING_STATISTICS_BINS                                                                                       \
	((SPANRING_STATISTICS_TICKS_BITS - SPANRING_STATISTICS_BIN_BITS + 1u) << SPANRING_STATISTICS_BIN_BITS)
#define SPANRING_STATISTICS_BLOCKS_MAX 256u /* of one thread, the overflow block included */
#define SPANRING_STATISTICS_BLOCKS_OFFSET 4096u

struct spanring_statistics_header {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t ring_index;
	uint32_t block_bytes;
	uint32_t blocks_max;
	uint32_t bins;
	uint8_t reserved0[80];

	/* Written by the thread. */
	uint32_t block_count;
	uint8_t reserved1[3964];
};

struct spanring_site_statistics {
	uint32_t site; /* as in the site table; written once */
	uint32_t reserved0;
	uint64_t errors;               /* spans that ended with status error */
	uint64_t sum_ticks;            /* of durations; wraps at 2^64 */
	uint64_t min_ticks;            /* UINT64_MAX: no span yet */
	uint64_t max_ticks;            /* of those below 2^44 */
	uint64_t heap_allocated_units; /* as in the records, in units of 16 bytes; only where the heap is counted */
	int64_t heap_net_units;
	uint64_t heap_spans;    /* spans whose heap was counted */
	uint64_t longest_ticks; /* of those of 2^44 and above; 0: there were none */
	uint64_t reserved1[7];
	uint64_t bins[SPANRING_STATISTICS_BINS];
	uint64_t reserved2[48];
};

#define SPANRING_STATISTICS_TICKS_LAST ((UINT64_C(1) << SPANRING_STATISTICS_TICKS_BITS) - 1u)

/* Bin of a duration that is at most SPANRING_STATISTICS_TICKS_LAST. The highest bit is taken as at least bit 6: no question for less. */
static inline uint64_t spanring_statistics_bin_below(uint64_t ticks) {
	uint64_t shift = 57u - (uint64_t)(uint32_t)__builtin_clzll(ticks | 64u);
	return (shift << SPANRING_STATISTICS_BIN_BITS) + (ticks >> shift);
}

/* Bin of any duration. */
static inline uint32_t spanring_statistics_bin(uint64_t ticks) {
	uint64_t last = SPANRING_STATISTICS_TICKS_LAST;
	return (uint32_t)spanring_statistics_bin_below(ticks < last ? ticks : last);
}

/* Smallest value of a bin; of the number one beyond the last one: the smallest that no bin holds. */
static inline uint64_t spanring_statistics_bin_floor(uint32_t bin) {
	uint32_t octave = bin >> SPANRING_STATISTICS_BIN_BITS;
	uint32_t shift = octave > 1 ? octave - 1u : 0u;
	return (uint64_t)(bin - (shift << SPANRING_STATISTICS_BIN_BITS)) << shift;
}

SPANRING_STATIC_ASSERT(SPANRING_STATISTICS_BINS == 2496, "statistics: bins");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_statistics_header) == 4096, "statistics header is one page");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_statistics_header, block_count) == 128, "statistics: count line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_site_statistics, bins) == 128, "statistics: bins");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_site_statistics) == 20480, "a block is five pages");

#endif
