/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include "base/pages.h"
#include "spanring/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int batch_new(struct batch **ret_batch) {
	struct batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	batch->spans = malloc(sizeof(*batch->spans) * BATCH_SPANS_MAX);
	batch->attributes = malloc(sizeof(*batch->attributes) * BATCH_ATTRIBUTES_MAX);
	batch->events = malloc(sizeof(*batch->events) * BATCH_EVENTS_MAX);
	batch->links = malloc(sizeof(*batch->links) * BATCH_LINKS_MAX);
	batch->text = malloc(BATCH_TEXT_BYTES_MAX);
	if (!batch->spans || !batch->attributes || !batch->events || !batch->links || !batch->text) {
		batch_free(batch);
		return -ENOMEM;
	}
	batch->room_rows = BATCH_SPANS_MAX;
	batch->room_text_bytes = BATCH_TEXT_BYTES_MAX;
	*ret_batch = batch;
	return 0;
}

void batch_free(struct batch *batch) {
	if (!batch)
		return;
	free(batch->spans);
	free(batch->attributes);
	free(batch->events);
	free(batch->links);
	free(batch->text);
	free(batch);
}

void batch_clear(struct batch *batch) {
	batch->span_count = 0;
	batch->attribute_count = 0;
	batch->event_count = 0;
	batch->link_count = 0;
	batch->text_bytes = 0;
}

void batch_set_room(struct batch *batch, uint32_t rows, uint32_t text_bytes, bool release) {
	assert(batch_empty(batch));
	batch->room_rows = rows < BATCH_SPANS_MAX ? rows : BATCH_SPANS_MAX;
	batch->room_text_bytes = text_bytes < BATCH_TEXT_BYTES_MAX ? text_bytes : BATCH_TEXT_BYTES_MAX;
	if (!release)
		return;
	size_t room = batch->room_rows;
	pages_release(batch->spans, sizeof(*batch->spans) * room, sizeof(*batch->spans) * BATCH_SPANS_MAX);
	pages_release(batch->attributes, sizeof(*batch->attributes) * room,
	              sizeof(*batch->attributes) * BATCH_ATTRIBUTES_MAX);
	pages_release(batch->events, sizeof(*batch->events) * room, sizeof(*batch->events) * BATCH_EVENTS_MAX);
	pages_release(batch->links, sizeof(*batch->links) * room, sizeof(*batch->links) * BATCH_LINKS_MAX);
	pages_release(batch->text, batch->room_text_bytes, BATCH_TEXT_BYTES_MAX);
}

bool batch_empty(const struct batch *batch) {
	return batch->span_count == 0 && batch->attribute_count == 0 && batch->event_count == 0 &&
	       batch->link_count == 0;
}

bool batch_has_room(const struct batch *batch, uint32_t spans, uint32_t attributes, uint32_t events,
                    uint32_t text_bytes) {
	return spans <= batch->room_rows - batch->span_count &&
	       attributes <= batch->room_rows - batch->attribute_count &&
	       events <= batch->room_rows - batch->event_count &&
	       text_bytes <= batch->room_text_bytes - batch->text_bytes;
}

bool batch_has_room_for_link(const struct batch *batch) {
	return batch->link_count < batch->room_rows;
}

void batch_add_span(struct batch *batch, const struct store_span *span) {
	assert(batch->span_count < BATCH_SPANS_MAX);
	batch->spans[batch->span_count++] = *span;
}

void batch_add_attribute(struct batch *batch, const struct store_attribute *attribute, const char *text) {
	assert(batch->attribute_count < BATCH_ATTRIBUTES_MAX);
	struct store_attribute *row = &batch->attributes[batch->attribute_count++];
	*row = *attribute;
	if (attribute->type != SPANRING_VALUE_STRING) {
		row->text_bytes = 0;
		return;
	}
	assert(attribute->text_bytes <= BATCH_TEXT_BYTES_MAX - batch->text_bytes);
	row->value = batch->text_bytes;
	if (attribute->text_bytes)
		memcpy(batch->text + batch->text_bytes, text, attribute->text_bytes);
	batch->text_bytes += attribute->text_bytes;
}

void batch_add_event(struct batch *batch, const struct store_event *event) {
	assert(batch->event_count < BATCH_EVENTS_MAX);
	batch->events[batch->event_count++] = *event;
}

void batch_add_link(struct batch *batch, const struct store_link *link) {
	assert(batch->link_count < BATCH_LINKS_MAX);
	batch->links[batch->link_count++] = *link;
}
