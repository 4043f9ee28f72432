/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch: the unit of compression and of commit. The agent fills one while the store encodes another. All memory is taken once, at
 * batch_new, and used again after batch_clear; an append that does not fit says so and the agent flushes.
 */
#ifndef SPANRING_LIBSTORE_BATCH_H
#define SPANRING_LIBSTORE_BATCH_H

#include "span.h"

#include <stdbool.h>
#include <stddef.h>

/* Limits of the format: a reader refuses a batch that claims more. */
#define BATCH_SPANS_MAX 65536u
#define BATCH_ATTRIBUTES_MAX 65536u
#define BATCH_EVENTS_MAX 65536u
#define BATCH_LINKS_MAX 65536u
#define BATCH_TEXT_BYTES_MAX (4u << 20)

struct batch {
	struct store_span *spans;
	struct store_attribute *attributes;
	struct store_event *events;
	struct store_link *links;
	char *text; /* values of string attributes, one after the other */
	uint32_t span_count;
	uint32_t attribute_count;
	uint32_t event_count;
	uint32_t link_count;
	uint32_t text_bytes;
	uint32_t room_rows; /* of each kind; the maxima after batch_new */
	uint32_t room_text_bytes;
};

int batch_new(struct batch **ret_batch);
void batch_free(struct batch *batch);
void batch_clear(struct batch *batch);
bool batch_empty(const struct batch *batch);

/*
 * A smaller room, or a larger one up to the maxima, for a batch that is empty. `release`: the memory behind the room goes back to the
 * system; it comes again when the room grows.
 */
void batch_set_room(struct batch *batch, uint32_t rows, uint32_t text_bytes, bool release);

/* The place of the next span, and its becoming one when it is filled. The caller checked for room. */
static inline struct store_span *batch_next_span(struct batch *batch) {
	return &batch->spans[batch->span_count];
}

static inline void batch_keep_span(struct batch *batch) {
	batch->span_count++;
}

/* Room for that much more, so that a group of records goes in whole or not at all. */
bool batch_has_room(const struct batch *batch, uint32_t spans, uint32_t attributes, uint32_t events,
                    uint32_t text_bytes);

bool batch_has_room_for_link(const struct batch *batch);

/* The caller checked for room. The row is copied; for a string attribute text is copied and value/text_bytes are set here. */
void batch_add_span(struct batch *batch, const struct store_span *span);
void batch_add_attribute(struct batch *batch, const struct store_attribute *attribute, const char *text);
void batch_add_event(struct batch *batch, const struct store_event *event);
void batch_add_link(struct batch *batch, const struct store_link *link);

#endif
