/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the past is kept. Segments go whole, the oldest first, when the store has more bytes than it may, when they are older than
 * wanted, or when the file system runs short. What is removed is counted in the store (libstore/evict.h).
 */
#ifndef SPANRING_AGENT_RETENTION_H
#define SPANRING_AGENT_RETENTION_H

#include "libstore/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETENTION_INTERVAL_NS UINT64_C(30000000000)
#define RETENTION_TEXT_BYTES 512u
/* In one run, so that commits do not wait long for it; the next run follows at once. */
#define RETENTION_VICTIMS_MAX 8u

/* 0: no limit. */
struct retention_limits {
	uint64_t bytes;
	uint64_t age_ns;
	uint64_t free_bytes;
};

/* Around the store, now. */
struct retention_place {
	uint64_t wall_ns;
	uint64_t free_bytes;
	uint64_t size_bytes; /* of the file system */
};

struct retention_result {
	int error;
	char text[RETENTION_TEXT_BYTES]; /* of the error */
	bool ran;
	bool more; /* there is more to remove */
	uint64_t store_bytes;
	uint64_t store_segments;
	uint64_t free_bytes;
	struct store_evict_sum evicted;
};

bool retention_wanted(const struct retention_limits *limits);

/*
 * How many segments go, of the first `sealed` ones of a list in order of age: pure. Sets their reason. No more than a tenth of the file system is
 * kept free: on a small one a limit in bytes would leave no store at all.
 */
size_t retention_choose(const struct retention_limits *limits, const struct retention_place *place,
                        struct store_evict_segment *segments, size_t count, size_t sealed);

/* On the store thread, between two commits. */
void retention_run(const struct retention_limits *limits, const char *directory, struct store_writer *writer,
                   const struct catalog *catalog, struct retention_result *ret_result);

/* Room to be left in the file system of that directory; 0: none is asked for, or the system does not say. */
uint64_t retention_free_bytes(const struct retention_limits *limits, const char *directory);

#endif
