/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the golden segments, written down once: make_golden_store stores them, test_store_golden expects
 * them. They never change: a file of each format version must decode to them for ever.
 */
#ifndef SPANRING_TESTS_GOLDEN_GOLDEN_STORE_H
#define SPANRING_TESTS_GOLDEN_GOLDEN_STORE_H

#include "libstore/batch.h"
#include "spanring/record.h"

#include <string.h>

#define GOLDEN_BATCHES 2u
#define GOLDEN_SPANS (5u + 2000u)
#define GOLDEN_ATTRIBUTES 6u
#define GOLDEN_EVENTS 2u
#define GOLDEN_WALL_OFFSET_NS UINT64_C(1760000000000000000)
#define GOLDEN_POSITION 4711u
#define GOLDEN_SAMPLE_RSS_BYTES UINT64_C(123456789)

/* Strings 2 .. 6 of the catalog; 1 is STORE_OVERFLOW_NAME. */
static const char *const golden_names[] = {"GET /cart", "SELECT \xc3\xa9", "cart.c", "attribute.key", "event name"};

static const struct store_span golden_tree[5] = {{.trace_hi = 1,
                                                  .trace_lo = 0xfeedfacecafebeef,
                                                  .span_id = 100,
                                                  .start_ns = 1000,
                                                  .duration_ns = 900,
                                                  .site = 2,
                                                  .thread = 1,
                                                  .kind = 1,
                                                  .flags = STORE_SPAN_HEAP,
                                                  .heap_alloc_units = 77,
                                                  .heap_net_units = -5},
                                                 {.trace_hi = 1,
                                                  .trace_lo = 0xfeedfacecafebeef,
                                                  .span_id = 101,
                                                  .parent_id = 100,
                                                  .start_ns = 1100,
                                                  .duration_ns = 5,
                                                  .site = 3,
                                                  .thread = 1,
                                                  .kind = 2,
                                                  .status = 2},
                                                 {.trace_hi = 1,
                                                  .trace_lo = 0xfeedfacecafebeef,
                                                  .span_id = UINT64_MAX,
                                                  .parent_id = 100,
                                                  .start_ns = 1100,
                                                  .duration_ns = UINT64_MAX,
                                                  .site = 3,
                                                  .thread = 2,
                                                  .kind = 2,
                                                  .status = 1},
                                                 {.trace_hi = UINT64_MAX,
                                                  .trace_lo = 7,
                                                  .span_id = 1,
                                                  .parent_id = 424242,
                                                  .start_ns = 10,
                                                  .duration_ns = 0,
                                                  .site = 2,
                                                  .thread = 2,
                                                  .flags = STORE_SPAN_REMOTE_PARENT},
                                                 {.trace_hi = UINT64_MAX,
                                                  .trace_lo = 7,
                                                  .span_id = 2,
                                                  .parent_id = 1,
                                                  .start_ns = 9,
                                                  .duration_ns = 3,
                                                  .site = 1,
                                                  .thread = 1,
                                                  .kind = 4,
                                                  .flags = STORE_SPAN_UNFINISHED}};

static inline void golden_add_attribute(struct batch *batch, uint64_t span_id, uint8_t type, uint64_t value,
                                        const char *text) {
	struct store_attribute attribute = {.trace_lo = 0xfeedfacecafebeef,
	                                    .span_id = span_id,
	                                    .value = value,
	                                    .text_bytes = text ? (uint32_t)strlen(text) : 0,
	                                    .key = 5,
	                                    .type = type};
	batch_add_attribute(batch, &attribute, text);
}

static inline void golden_fill(struct batch *batch, unsigned number) {
	batch_clear(batch);
	for (unsigned i = 0; i < 5 && number == 0; i++)
		batch_add_span(batch, &golden_tree[i]);
	if (number == 0) {
		golden_add_attribute(batch, 100, SPANRING_VALUE_STRING, 0, "/srv/www/index.html");
		golden_add_attribute(batch, 100, SPANRING_VALUE_STRING, 0, "");
		golden_add_attribute(batch, 101, SPANRING_VALUE_I64, (uint64_t)-12345, NULL);
		golden_add_attribute(batch, 101, SPANRING_VALUE_U64, UINT64_MAX, NULL);
		golden_add_attribute(batch, 100, SPANRING_VALUE_F64, 0x400921fb54442d18, NULL);
		golden_add_attribute(batch, 999, SPANRING_VALUE_BOOL, 1, NULL); /* its span is elsewhere */
		struct store_event here = {0xfeedfacecafebeef, 100, 1500, 6, 1};
		struct store_event elsewhere = {31, 999, 77, 6, 2};
		batch_add_event(batch, &here);
		batch_add_event(batch, &elsewhere);
		return;
	}
	for (uint64_t i = 0; i < 2000; i++) {
		struct store_span span = {.trace_hi = 3,
		                          .trace_lo = (i / 10 + 1) * 0x9e3779b97f4a7c15,
		                          .span_id = 5000 + i,
		                          .parent_id = i % 10 ? 5000 + i - 1 - i % 3 % (i % 10) : 0,
		                          .start_ns = 1000000 + i * 977,
		                          .duration_ns = i * i * 131 % 1000003,
		                          .heap_alloc_units = (uint32_t)(i * 37 % 1009),
		                          .site = (uint32_t)(1 + i % 3),
		                          .thread = (uint32_t)(1 + i / 10 % 2),
		                          .kind = (uint8_t)(i % 5),
		                          .status = i % 97 ? 0 : 2,
		                          .flags = STORE_SPAN_HEAP};
		batch_add_span(batch, &span);
	}
}

#endif
