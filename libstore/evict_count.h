/* SPDX-License-Identifier: Apache-2.0 */
/* The eviction tables of a segment, for its writer and for readers. */
#ifndef SPANRING_LIBSTORE_EVICT_COUNT_H
#define SPANRING_LIBSTORE_EVICT_COUNT_H

#include "db.h"
#include "evict.h"

/* Segments after a victim in which its rings and processes are looked for, beside the one being written. */
#define EVICT_LOOKAHEAD 4u

/* The highest sequence that the rows of this segment call evicted, 0 if none. */
int evict_through(struct db *db, uint64_t *ret_through);
/* The same of the newest segment of the list that can be read; newest_path is that one, or NULL. */
int evict_through_list(const struct store_evict_segment *segments, size_t count, uint64_t *ret_through,
                       const char **ret_newest_path);
/* All but the rows of single rings and processes. */
int evict_load(struct db *db, struct store_evictions *ret_evictions);

/* Within a transaction on a new segment: the rows of the newest of the segments in directory. */
int evict_carry(struct db *db, const char *directory);

/*
 * Count the first segment of the list as evicted, in one transaction on the segment being written. 0; 1: it cannot be evicted now
 * (not sealed, no segment of ours); negative: an error, and nothing was written. Of a damaged one there is nothing to count but its size.
 */
int evict_count(struct db *db, const struct store_evict_segment *segments, size_t count, const uint8_t *boot_id,
                uint64_t *ret_spans);

#endif
