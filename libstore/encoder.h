/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of an encoder, shared by encode.c (spans) and encode_extras.c (attributes, events, links). */
#ifndef SPANRING_LIBSTORE_ENCODER_H
#define SPANRING_LIBSTORE_ENCODER_H

#include "encode.h"
#include "order.h"
#include "plane.h"

#include <stdbool.h>
#include <string.h>

#define ENCODER_SLOTS (2u * BATCH_SPANS_MAX)

/* Open addressing, at most half full: slot -> index + 1. */
struct encoder_slots {
	uint32_t mask;
	uint32_t slots[ENCODER_SLOTS];
};

/* Spans in stored order, field by field. */
struct encoder_spans {
	uint64_t span_id[BATCH_SPANS_MAX];
	uint64_t parent_id[BATCH_SPANS_MAX];
	uint64_t start_ns[BATCH_SPANS_MAX];
	uint64_t duration_ns[BATCH_SPANS_MAX];
	uint32_t trace[BATCH_SPANS_MAX]; /* index */
	uint32_t site[BATCH_SPANS_MAX];
	uint32_t thread[BATCH_SPANS_MAX];
	uint32_t heap_alloc_units[BATCH_SPANS_MAX];
	uint32_t heap_net[BATCH_SPANS_MAX]; /* zigzag */
	uint32_t weight[BATCH_SPANS_MAX];
	uint8_t kind[BATCH_SPANS_MAX];
	uint8_t status[BATCH_SPANS_MAX];
	uint8_t flags[BATCH_SPANS_MAX];
};

struct encoder {
	struct plane_writer *planes;
	uint64_t seed[2]; /* of hashes: ids come from the traced programs */
	/* From here on nothing is kept from one batch to the next (encoder_rest). */
	struct order order;
	struct encoder_slots slots; /* traces, then upper halves of trace ids, then rows by (trace_lo, span_id) */
	bool has_index;             /* the rows are in slots */
	uint32_t span_count;
	uint32_t trace_count;
	uint64_t trace_hi[BATCH_SPANS_MAX];
	uint64_t trace_lo[BATCH_SPANS_MAX];
	uint32_t run[BATCH_SPANS_MAX];      /* rows of the trace */
	uint32_t trace_of[BATCH_SPANS_MAX]; /* by input row */
	uint32_t rows[BATCH_SPANS_MAX];     /* stored row -> input row */
	uint32_t by_thread[BATCH_SPANS_MAX];
	uint32_t by_site[BATCH_SPANS_MAX];
	uint32_t parent_code[BATCH_SPANS_MAX];
	struct encoder_spans spans;
	uint64_t values[BATCH_SPANS_MAX];
	uint64_t more_values[BATCH_SPANS_MAX];
	uint32_t words[BATCH_SPANS_MAX];
	uint32_t more_words[BATCH_SPANS_MAX];
	uint32_t places[BATCH_SPANS_MAX]; /* stored row of each attribute, event or link */
	uint8_t bytes[BATCH_SPANS_MAX];
	uint64_t
	    foreign_traces[BATCH_ATTRIBUTES_MAX + BATCH_EVENTS_MAX + BATCH_LINKS_MAX]; /* of those without their span */
	uint32_t foreign_count;
	bool weighted; /* a span stands for more than one */
	uint8_t text[BATCH_TEXT_BYTES_MAX];
	uint8_t bloom[FORMAT_BLOOM_BYTES_MAX];
	uint8_t out[FORMAT_BATCH_BYTES_MAX];
};

__extension__ typedef unsigned __int128 encoder_u128;

static inline uint32_t encoder_hash(const struct encoder *encoder, uint64_t a, uint64_t b) {
	encoder_u128 product = (encoder_u128)(a ^ encoder->seed[0]) * (b ^ encoder->seed[1]);
	return (uint32_t)((uint64_t)product ^ (uint64_t)(product >> 64));
}

static inline void encoder_slots_clear(struct encoder_slots *slots, uint32_t count) {
	uint32_t size = 64;
	while (size < 2 * count)
		size *= 2;
	slots->mask = size - 1;
	memset(slots->slots, 0, sizeof(*slots->slots) * size);
}

/* Put the first row of each (trace_lo, span_id) into slots; after the column of traces, which needs them, too. */
void encoder_index_rows(struct encoder *encoder);

/* Stored row of a span, or span_count if it is not in the batch. */
static inline uint32_t encoder_find_row(struct encoder *encoder, uint64_t trace_lo, uint64_t span_id) {
	const struct encoder_slots *slots = &encoder->slots;
	if (!encoder->has_index)
		encoder_index_rows(encoder);
	uint32_t at = encoder_hash(encoder, trace_lo, span_id) & slots->mask;
	for (; slots->slots[at]; at = (at + 1) & slots->mask) {
		uint32_t row = slots->slots[at] - 1;
		if (encoder->spans.span_id[row] == span_id && encoder->trace_lo[encoder->spans.trace[row]] == trace_lo)
			return row;
	}
	return encoder->span_count;
}

/* Both write one column at the plane writer's place. */
void encode_attributes(struct encoder *encoder, const struct batch *batch);
/* After encode_attributes, in whose order the text is. */
void encode_text(struct encoder *encoder, const struct batch *batch);
void encode_events(struct encoder *encoder, const struct batch *batch);
void encode_links(struct encoder *encoder, const struct batch *batch);

#endif
