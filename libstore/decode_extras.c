/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder.h"

#include "base/errs.h"
#include "spanring/record.h"

#include <string.h>

/* words := rows from their differences, which start again at each new group; more than span_count is damage. */
static int get_places(struct decoder *decoder, const uint32_t *group, uint32_t count, uint32_t *ret_foreign) {
	int error = plane_get_u32(decoder->planes, decoder->words, count);
	uint32_t row = 0;
	uint32_t foreign = 0;
	for (uint32_t i = 0; i < count && !error; i++) {
		if (group && i > 0 && group[i] != group[i - 1])
			row = 0;
		if (decoder->words[i] > decoder->span_count - row)
			error = ERR_DAMAGED;
		row += decoder->words[i];
		decoder->words[i] = row;
		foreign += row == decoder->span_count;
	}
	*ret_foreign = foreign;
	return error;
}

/* values, more_values := trace_lo and span_id of those without a span in the batch. */
static int get_foreign(struct decoder *decoder, uint32_t expected) {
	uint32_t count = 0;
	int error = plane_get_count(decoder->planes, &count);
	if (!error && count != expected)
		error = ERR_DAMAGED;
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->more_values, count);
	return error;
}

static void place_attributes(struct decoder *decoder, uint32_t count) {
	uint32_t foreign = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct store_attribute *attribute = &decoder->attributes[i];
		uint32_t row = decoder->words[i];
		bool here = row < decoder->span_count;
		attribute->trace_lo = here ? decoder->trace_lo[row] : decoder->values[foreign];
		attribute->span_id = here ? decoder->span_id[row] : decoder->more_values[foreign];
		decoder->attribute_row[i] = row;
		foreign += !here;
	}
}

static int get_attribute_places(struct decoder *decoder, uint32_t count) {
	uint32_t foreign = 0;
	int error = plane_get_u32(decoder->planes, decoder->rows, count);
	if (!error)
		error = get_places(decoder, decoder->rows, count, &foreign);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->by_site, count);
	if (!error)
		error = get_foreign(decoder, foreign);
	if (error)
		return error;
	memset(decoder->attributes, 0, sizeof(*decoder->attributes) * count);
	for (uint32_t i = 0; i < count; i++) {
		decoder->attributes[i].key = decoder->rows[i];
		decoder->attributes[i].event_index = decoder->by_site[i];
	}
	place_attributes(decoder, count);
	return 0;
}

static int get_attribute_values(struct decoder *decoder, uint32_t count, uint32_t text_bytes) {
	uint32_t strings = 0;
	int error = plane_get_u8(decoder->planes, decoder->bytes, count);
	for (uint32_t i = 0; i < count && !error; i++)
		strings += decoder->bytes[i] == SPANRING_VALUE_STRING;
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, count - strings);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->words, strings);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	uint32_t number = 0;
	uint32_t string = 0;
	uint32_t offset = 0;
	for (uint32_t i = 0; i < count && !error; i++) {
		struct store_attribute *attribute = &decoder->attributes[i];
		attribute->type = decoder->bytes[i];
		if (attribute->type != SPANRING_VALUE_STRING) {
			uint64_t value = decoder->values[number++];
			attribute->value = attribute->type == SPANRING_VALUE_I64 ? format_unzigzag(value) : value;
			continue;
		}
		attribute->value = offset;
		attribute->text_bytes = decoder->words[string++];
		if (attribute->text_bytes > text_bytes - offset)
			return ERR_DAMAGED;
		offset += attribute->text_bytes;
	}
	if (!error && offset != text_bytes)
		error = ERR_DAMAGED;
	return error;
}

int decode_attributes(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t count = encoded->attribute_count;
	if (!count)
		return encoded->text_bytes ? ERR_DAMAGED : 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_ATTRIBUTES, FORMAT_TRANSFORM_ATTRIBUTES);
	if (!error)
		error = get_attribute_places(decoder, count);
	if (!error)
		error = get_attribute_values(decoder, count, encoded->text_bytes);
	if (error || !encoded->text_bytes)
		return error;
	error = decode_start(decoder, encoded, FORMAT_COLUMN_TEXT, FORMAT_TRANSFORM_BYTES);
	if (!error)
		error = plane_get_bytes(decoder->planes, decoder->text, encoded->text_bytes);
	return error ? error : plane_reader_finish(decoder->planes);
}

static int get_event_times(struct decoder *decoder, uint32_t count) {
	int error = plane_get_u64(decoder->planes, decoder->values, count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t i = 0; i < count && !error; i++) {
		uint32_t row = decoder->words[i];
		uint64_t base = row < decoder->span_count ? decoder->start_ns[row] : 0;
		decoder->events[i].time_ns = base + format_unzigzag(decoder->values[i]);
	}
	return error;
}

int decode_events(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t count = encoded->event_count;
	uint32_t foreign = 0;
	if (!count)
		return 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_EVENTS, FORMAT_TRANSFORM_EVENTS);
	if (!error)
		error = get_places(decoder, NULL, count, &foreign);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->rows, count);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->by_site, count);
	if (!error)
		error = get_foreign(decoder, foreign);
	if (error)
		return error;
	uint32_t next = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct store_event *event = &decoder->events[i];
		uint32_t row = decoder->words[i];
		bool here = row < decoder->span_count;
		event->trace_lo = here ? decoder->trace_lo[row] : decoder->values[next];
		event->span_id = here ? decoder->span_id[row] : decoder->more_values[next];
		event->name = decoder->rows[i];
		event->event_index = decoder->by_site[i];
		decoder->event_row[i] = row;
		next += !here;
	}
	return get_event_times(decoder, count);
}

static int get_linked(struct decoder *decoder, uint32_t count) {
	int error = plane_get_u64(decoder->planes, decoder->values, count);
	for (uint32_t i = 0; i < count && !error; i++)
		decoder->links[i].linked_trace_hi = decoder->values[i];
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, count);
	for (uint32_t i = 0; i < count && !error; i++)
		decoder->links[i].linked_trace_lo = decoder->values[i];
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, count);
	for (uint32_t i = 0; i < count && !error; i++)
		decoder->links[i].linked_span_id = decoder->values[i];
	return error ? error : plane_reader_finish(decoder->planes);
}

int decode_links(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t count = 0;
	uint32_t foreign = 0;
	uint32_t next = 0;
	decoder->link_count = 0;
	if (!encoded->columns[FORMAT_COLUMN_LINKS].bytes)
		return 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_LINKS, FORMAT_TRANSFORM_LINKS);
	if (!error)
		error = plane_get_count(decoder->planes, &count);
	if (!error && (count == 0 || count > BATCH_LINKS_MAX))
		error = ERR_DAMAGED;
	if (!error)
		error = get_places(decoder, NULL, count, &foreign);
	if (!error)
		error = get_foreign(decoder, foreign);
	for (uint32_t i = 0; i < count && !error; i++) {
		struct store_link *link = &decoder->links[i];
		uint32_t row = decoder->words[i];
		bool here = row < decoder->span_count;
		link->trace_lo = here ? decoder->trace_lo[row] : decoder->values[next];
		link->span_id = here ? decoder->span_id[row] : decoder->more_values[next];
		next += !here;
	}
	if (!error)
		error = get_linked(decoder, count);
	if (!error)
		decoder->link_count = count;
	return error;
}
