/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Old segments are removed whole, the oldest first, and what was in them stays in the books (evict.c).
 */
#ifndef SPANRING_LIBSTORE_EVICT_H
#define SPANRING_LIBSTORE_EVICT_H

#include "span.h"

#include <stdbool.h>
#include <stddef.h>

enum store_evict_reason {
	STORE_EVICT_BYTES, /* the store was larger than it may be */
	STORE_EVICT_AGE,   /* older than wanted */
	STORE_EVICT_FREE,  /* too little room was left in the file system */
	STORE_EVICT_REASONS
};

#define STORE_EVICT_STATES (STORE_RING_QUARANTINED + 1u)

struct store_evict_sum {
	uint64_t segments;
	uint64_t spans; /* rows, also of spans that never ended */
	uint64_t bytes;
};

/* What no segment tells any more. */
struct store_evictions {
	uint64_t through; /* the highest sequence evicted: what is left of a segment up to it is not to be read */
	struct store_evict_sum reasons[STORE_EVICT_REASONS];
	/* By enum store_ring_state: sums of the last cursors of rings that are in no segment any more. */
	uint64_t departed_rings[STORE_EVICT_STATES];
	struct store_cursor departed[STORE_EVICT_STATES];
	/* Of processes that are in none. */
	uint64_t departed_processes;
	uint64_t departed_statistics_spans;
	struct store_process_account departed_account; /* only what is dropped outside rings */
};

/* A segment file, as the directory tells it. */
struct store_evict_segment {
	char *path;
	uint64_t sequence;
	uint64_t bytes;
	uint64_t written_wall_ns; /* last write */
	enum store_evict_reason reason;
};

/* In order of sequence. The list is for store_evict_list_free. */
int store_evict_list(const char *directory, struct store_evict_segment **ret_segments, size_t *ret_count);
void store_evict_list_free(struct store_evict_segment *segments, size_t count);

#endif
