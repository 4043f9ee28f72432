/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of random spans with everything that a span can have, of hostile names and values; attributes, events and links lie in batches before and after
 * that of their span. Three processes, two of which have the same pid, in one segment.
 */
#ifndef SPANRING_TESTS_EXPORT_STORE_H
#define SPANRING_TESTS_EXPORT_STORE_H

#include "support/seed.h"

#include "libstore/writer.h"

#include <stdbool.h>
#include <stdint.h>

#define EXPORT_WALL_OFFSET_NS (UINT64_C(1795200000) * 1000000000u) /* 2026-11-20T18:40:00Z */
#define EXPORT_SAMPLE_NS UINT64_C(5000000)                         /* of the one memory sample; after all spans began */
#define EXPORT_SPANS 400u
#define EXPORT_SPAN_FIRST 100u /* span i has the id 100 + i */
#define EXPORT_PROCESSES 3u
#define EXPORT_THREADS 6u
#define EXPORT_BATCHES 3u

struct export_store {
	struct seed seed;
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batches[EXPORT_BATCHES];
	struct store_span spans[EXPORT_SPANS];
	uint32_t threads[EXPORT_THREADS];
	uint64_t open[EXPORT_PROCESSES];
	uint64_t ended[EXPORT_PROCESSES];
};

/* Fails the test if it cannot be made. */
void export_store_make(const char *directory, struct export_store *ret_store);

/*
 * Full batches of attributes alone, and a last one with spans. `of_spans`: the attributes are of those spans, one of each for every batch; else they are
 * of spans that are not stored, but for "found" of span 1, which is 1 in the first batch and 2 in the second.
 */
#define EXPORT_APART_BATCHES 5u
void export_store_make_apart(const char *directory, bool of_spans);

#endif
