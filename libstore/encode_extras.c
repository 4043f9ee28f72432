/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes are stored in order of (key, row of their span, order of arrival), so that values of one kind lie
 * side by side and rows ascend; events and links in order of (row, arrival). One whose span is not in the batch (it ended
 * earlier or later) has row span_count, sorts last and takes its ids from a list. The batch of a span that has
 * attributes elsewhere is found through the bloom filters.
 */
#include "encoder.h"

#include "spanring/record.h"

/* words := differences of ascending rows; a smaller row than before (another key) starts again from 0. */
static void put_places(struct encoder *encoder, const uint32_t *order, const uint32_t *group, uint32_t count) {
	uint32_t before = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (group && i > 0 && group[order[i]] != group[order[i - 1]])
			before = 0;
		encoder->more_words[i] = encoder->places[order[i]] - before;
		before = encoder->places[order[i]];
	}
	plane_put_u32(encoder->planes, encoder->more_words, count);
}

/* values, more_values := trace_lo, span_id of those without a span here. */
static void put_foreign(struct encoder *encoder, uint32_t count) {
	plane_put_count(encoder->planes, count);
	plane_put_u64(encoder->planes, encoder->values, count);
	plane_put_u64(encoder->planes, encoder->more_values, count);
	memcpy(encoder->foreign_traces + encoder->foreign_count, encoder->values, sizeof(*encoder->values) * count);
	encoder->foreign_count += count;
}

static void put_attribute_values(struct encoder *encoder, const struct batch *batch, const uint32_t *order) {
	uint32_t numbers = 0;
	uint32_t strings = 0;
	for (uint32_t i = 0; i < batch->attribute_count; i++) {
		const struct store_attribute *attribute = &batch->attributes[order[i]];
		encoder->bytes[i] = attribute->type;
		if (attribute->type == SPANRING_VALUE_STRING)
			encoder->more_words[strings++] = attribute->text_bytes;
		else
			encoder->values[numbers++] =
			    attribute->type == SPANRING_VALUE_I64 ? format_zigzag(attribute->value) : attribute->value;
	}
	plane_put_u8(encoder->planes, encoder->bytes, batch->attribute_count);
	plane_put_u64(encoder->planes, encoder->values, numbers);
	plane_put_u32(encoder->planes, encoder->more_words, strings);
}

static void sort_attributes(struct encoder *encoder, const struct batch *batch, uint32_t *order) {
	uint32_t count = batch->attribute_count;
	for (uint32_t i = 0; i < count; i++) {
		const struct store_attribute *attribute = &batch->attributes[i];
		encoder->places[i] = encoder_find_row(encoder, attribute->trace_lo, attribute->span_id);
		encoder->words[i] = attribute->key;
	}
	order_identity(order, count);
	order_by_u32(&encoder->order, order, encoder->places, count);
	order_by_u32(&encoder->order, order, encoder->words, count);
}

void encode_attributes(struct encoder *encoder, const struct batch *batch) {
	uint32_t count = batch->attribute_count;
	uint32_t *order = encoder->rows;
	sort_attributes(encoder, batch, order);
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_ATTRIBUTES);
	for (uint32_t i = 0; i < count; i++)
		encoder->more_words[i] = encoder->words[order[i]];
	plane_put_u32(encoder->planes, encoder->more_words, count);
	put_places(encoder, order, encoder->words, count);
	uint32_t foreign = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct store_attribute *attribute = &batch->attributes[order[i]];
		encoder->more_words[i] = attribute->event_index;
		if (encoder->places[order[i]] < encoder->span_count)
			continue;
		encoder->values[foreign] = attribute->trace_lo;
		encoder->more_values[foreign++] = attribute->span_id;
	}
	plane_put_u32(encoder->planes, encoder->more_words, count);
	put_foreign(encoder, foreign);
	put_attribute_values(encoder, batch, order);
}

void encode_text(struct encoder *encoder, const struct batch *batch) {
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < batch->attribute_count; i++) {
		const struct store_attribute *attribute = &batch->attributes[encoder->rows[i]];
		if (attribute->type != SPANRING_VALUE_STRING)
			continue;
		memcpy(encoder->text + bytes, batch->text + attribute->value, attribute->text_bytes);
		bytes += attribute->text_bytes;
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_BYTES);
	plane_put_bytes(encoder->planes, encoder->text, bytes);
}

static void put_event_times(struct encoder *encoder, const struct batch *batch, const uint32_t *order) {
	for (uint32_t i = 0; i < batch->event_count; i++) {
		uint32_t row = encoder->places[order[i]];
		uint64_t base = row < encoder->span_count ? encoder->spans.start_ns[row] : 0;
		encoder->values[i] = format_zigzag(batch->events[order[i]].time_ns - base);
	}
	plane_put_u64(encoder->planes, encoder->values, batch->event_count);
}

void encode_events(struct encoder *encoder, const struct batch *batch) {
	uint32_t count = batch->event_count;
	uint32_t *order = encoder->rows;
	for (uint32_t i = 0; i < count; i++)
		encoder->places[i] = encoder_find_row(encoder, batch->events[i].trace_lo, batch->events[i].span_id);
	order_identity(order, count);
	order_by_u32(&encoder->order, order, encoder->places, count);
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_EVENTS);
	put_places(encoder, order, NULL, count);
	uint32_t foreign = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct store_event *event = &batch->events[order[i]];
		encoder->words[i] = event->name;
		encoder->more_words[i] = event->event_index;
		if (encoder->places[order[i]] < encoder->span_count)
			continue;
		encoder->values[foreign] = event->trace_lo;
		encoder->more_values[foreign++] = event->span_id;
	}
	plane_put_u32(encoder->planes, encoder->words, count);
	plane_put_u32(encoder->planes, encoder->more_words, count);
	put_foreign(encoder, foreign);
	put_event_times(encoder, batch, order);
}

void encode_links(struct encoder *encoder, const struct batch *batch) {
	uint32_t count = batch->link_count;
	uint32_t *order = encoder->rows;
	for (uint32_t i = 0; i < count; i++)
		encoder->places[i] = encoder_find_row(encoder, batch->links[i].trace_lo, batch->links[i].span_id);
	order_identity(order, count);
	order_by_u32(&encoder->order, order, encoder->places, count);
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_LINKS);
	plane_put_count(encoder->planes, count);
	put_places(encoder, order, NULL, count);
	uint32_t foreign = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (encoder->places[order[i]] < encoder->span_count)
			continue;
		encoder->values[foreign] = batch->links[order[i]].trace_lo;
		encoder->more_values[foreign++] = batch->links[order[i]].span_id;
	}
	put_foreign(encoder, foreign);
	for (uint32_t i = 0; i < count; i++)
		encoder->values[i] = batch->links[order[i]].linked_trace_hi;
	plane_put_u64(encoder->planes, encoder->values, count);
	for (uint32_t i = 0; i < count; i++)
		encoder->values[i] = batch->links[order[i]].linked_trace_lo;
	plane_put_u64(encoder->planes, encoder->values, count);
	for (uint32_t i = 0; i < count; i++)
		encoder->values[i] = batch->links[order[i]].linked_span_id;
	plane_put_u64(encoder->planes, encoder->values, count);
}
