/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of the store format, version 1 (docs/store-format.md). What is here is on disk: nothing changes its
 * meaning, new columns, transforms and plane codecs take new numbers, and a reader that meets a number it does not
 * know says so.
 */
#ifndef SPANRING_LIBSTORE_FORMAT_H
#define SPANRING_LIBSTORE_FORMAT_H

#include "batch.h"

#define FORMAT_APPLICATION_ID 0x53505247 /* "SPRG" */
#define FORMAT_VERSION 1
#define FORMAT_PAGE_BYTES 16384

/* column_blob.id = batch * FORMAT_COLUMN_STRIDE + column */
#define FORMAT_COLUMN_STRIDE 64u
/* Columns below this size go into batch.small. */
#define FORMAT_SMALL_BYTES 4096u

enum format_column {
	FORMAT_COLUMN_TRACE = 0,
	FORMAT_COLUMN_SPAN_ID = 1,
	FORMAT_COLUMN_PARENT = 2,
	FORMAT_COLUMN_START = 3,
	FORMAT_COLUMN_DURATION = 4,
	FORMAT_COLUMN_SITE = 5,
	FORMAT_COLUMN_THREAD = 6,
	FORMAT_COLUMN_KIND = 7,
	FORMAT_COLUMN_STATUS = 8,
	FORMAT_COLUMN_FLAGS = 9,
	FORMAT_COLUMN_HEAP_ALLOC = 10,
	FORMAT_COLUMN_HEAP_NET = 11,
	FORMAT_COLUMN_ATTRIBUTES = 12,
	FORMAT_COLUMN_TEXT = 13,
	FORMAT_COLUMN_EVENTS = 14,
	FORMAT_COLUMN_LINKS = 15,
	FORMAT_COLUMN_WEIGHT = 16,
	FORMAT_COLUMN_SITE_RUNS = 17,
	FORMAT_COLUMN_CHILD_SUMS = 18,
	FORMAT_COLUMNS = 19
};

/* First byte of each column. */
enum format_transform {
	FORMAT_TRANSFORM_PLAIN = 1,        /* values in order of rows */
	FORMAT_TRANSFORM_BY_SITE = 2,      /* values in order of (site, row) */
	FORMAT_TRANSFORM_RUNS = 3,         /* trace: dictionary and run lengths */
	FORMAT_TRANSFORM_THREAD_DELTA = 4, /* span id: difference to the one before in (thread, start, row) order */
	FORMAT_TRANSFORM_ROW_DISTANCE = 5, /* parent: how many rows back */
	FORMAT_TRANSFORM_TRACE_DELTA = 6,  /* start: difference to the row before in the trace */
	FORMAT_TRANSFORM_AS_PARENT = 7,    /* thread: 0 when that of the parent */
	FORMAT_TRANSFORM_ATTRIBUTES = 8,
	FORMAT_TRANSFORM_BYTES = 9, /* one plane */
	FORMAT_TRANSFORM_EVENTS = 10,
	FORMAT_TRANSFORM_LINKS = 11,
	FORMAT_TRANSFORM_SITE_RUNS = 12, /* how many rows each site has */
	FORMAT_TRANSFORM_CHILD_SUMS = 13
};

enum format_plane { FORMAT_PLANE_CONSTANT = 0, FORMAT_PLANE_RAW = 1, FORMAT_PLANE_ZSTD = 2 };

/* Distinct traces that a bloom filter may have to hold: one of each span, attribute, event and link. */
#define FORMAT_BLOOM_TRACES_MAX (BATCH_SPANS_MAX + BATCH_ATTRIBUTES_MAX + BATCH_EVENTS_MAX + BATCH_LINKS_MAX)
#define FORMAT_BLOOM_BITS_PER_TRACE 10u
#define FORMAT_BLOOM_HASHES 7u
#define FORMAT_BLOOM_BYTES_MAX ((FORMAT_BLOOM_TRACES_MAX * FORMAT_BLOOM_BITS_PER_TRACE + 63u) / 64u * 8u)

/*
 * No batch is larger, encoded: 108 bytes per span, 41 per attribute, 44 per event, 44 per link when nothing compresses, the
 * text, and headers. No column is larger than FORMAT_COLUMN_BYTES_MAX.
 */
#define FORMAT_BATCH_BYTES_MAX (21u << 20)
#define FORMAT_COLUMN_BYTES_MAX (5u << 20)

/* One batch in its encoded form. A column without rows has no bytes. */
struct format_column_bytes {
	const uint8_t *data;
	uint32_t bytes;
};

struct format_batch {
	uint32_t span_count;
	uint32_t attribute_count;
	uint32_t event_count;
	uint32_t link_count; /* from the encoder only: the column of links counts its own rows */
	uint32_t text_bytes;
	uint64_t start_ns_min;
	uint64_t end_ns_max;
	uint64_t duration_ns_max;
	struct format_column_bytes columns[FORMAT_COLUMNS];
	const uint8_t *bloom;
	uint32_t bloom_bytes;
};

static inline uint64_t format_zigzag(uint64_t value) {
	return (value << 1) ^ (0u - (value >> 63));
}

static inline uint64_t format_unzigzag(uint64_t value) {
	return (value >> 1) ^ (0u - (value & 1));
}

#endif
