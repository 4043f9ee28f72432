/* SPDX-License-Identifier: Apache-2.0 */
#include "drain.h"

#include "base/errs.h"

#include <string.h>

#define KIND_MAX 4u
#define STATUS_MAX 2u
#define FLAGS_SHIFT 5u /* UNFINISHED, REMOTE_PARENT, HEAP become STORE_SPAN_* in the same order */

_Static_assert(SPANRING_BITS_UNFINISHED >> FLAGS_SHIFT == STORE_SPAN_UNFINISHED &&
                   SPANRING_BITS_REMOTE_PARENT >> FLAGS_SHIFT == STORE_SPAN_REMOTE_PARENT &&
                   SPANRING_BITS_HEAP >> FLAGS_SHIFT == STORE_SPAN_HEAP,
               "flags keep their order");

/* What one handler is given: a record, what follows it, and where rows go. */
struct turn {
	struct feed *feed;
	struct producer_sink *sink;
	const union spanring_record *record;
	uint32_t left; /* records from this one on */
	bool last;
};

/*
 * A handler returns how many records it used up, TURN_WAIT, TURN_FULL, or TURN_REJECT (this one record breaks the
 * contract).
 */
enum { TURN_WAIT = 0, TURN_FULL = -1, TURN_REJECT = -2 };

/* A name that does not exist is the record's fault; anything else is ours, and the record stays where it is. */
static int name_failed(int rc) {
	return rc == ERR_DAMAGED || rc == ERR_GONE ? TURN_REJECT : TURN_FULL;
}

/* The capacity is a power of two, and this is asked for every record. */
static bool lap_is_right(const struct feed *feed, uint64_t position, const union spanring_record *record) {
	return record->span.tail.lap == spanring_lap_tag(position >> __builtin_ctz(feed->reader.capacity));
}

static int take_span(struct turn *turn) {
	const struct spanring_span_record *record = &turn->record->span;
	struct feed *feed = turn->feed;
	uint8_t kind = record->tail.bits & SPANRING_BITS_KIND_MASK;
	uint8_t status = (uint8_t)(record->tail.bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
	if (record->span_id == 0 || (record->trace_hi | record->trace_lo) == 0 || kind > KIND_MAX ||
	    status > STATUS_MAX)
		return TURN_REJECT;
	struct batch *batch = turn->sink->batch;
	if (batch->span_count >= batch->room_rows)
		return TURN_FULL;
	uint32_t site;
	uint32_t thread;
	int rc = producer_site_id(feed->producer, turn->sink, record->tail.ref, &site);
	if (rc == 0)
		rc = producer_thread_id(feed->producer, turn->sink, feed, &thread);
	if (rc < 0)
		return name_failed(rc);
	uint64_t end_ticks;
	if (__builtin_add_overflow(record->start_ticks, record->duration_ticks, &end_ticks)) {
		end_ticks = UINT64_MAX;
		turn->sink->clamped++;
	}
	uint64_t start_ns = producer_ns(feed->producer, turn->sink, record->start_ticks);
	uint64_t end_ns = producer_ns(feed->producer, turn->sink, end_ticks);
	if (end_ns < start_ns)
		turn->sink->clamped++;
	if (end_ns > feed->producer->last_end_ns)
		feed->producer->last_end_ns = end_ns;
	*batch_next_span(batch) = (struct store_span){.trace_hi = record->trace_hi,
	                                              .trace_lo = record->trace_lo,
	                                              .span_id = record->span_id,
	                                              .parent_id = record->parent_id,
	                                              .start_ns = start_ns,
	                                              .duration_ns = end_ns >= start_ns ? end_ns - start_ns : 0,
	                                              .heap_alloc_units = record->heap_alloc_units,
	                                              .heap_net_units = record->heap_net_units,
	                                              .site = site,
	                                              .thread = thread,
	                                              .kind = kind,
	                                              .status = status,
	                                              .flags = (uint8_t)(record->tail.bits >> FLAGS_SHIFT)};
	batch_keep_span(batch);
	feed->books.stored_spans++;
	return 1;
}

static bool value_is_sound(const struct spanring_attribute_record *record) {
	switch (record->value_type) {
	case SPANRING_VALUE_BOOL:
	case SPANRING_VALUE_I64:
	case SPANRING_VALUE_U64:
	case SPANRING_VALUE_F64:
		return record->string_bytes == 0;
	case SPANRING_VALUE_STRING:
		return record->string_bytes <= SPANRING_STRING_VALUE_MAX;
	default:
		return false;
	}
}

/* The text of a group into one piece. False if a continuation is none. */
static bool join_string(const struct turn *turn, uint32_t continuations, char *ret_text) {
	const struct spanring_attribute_record *record = &turn->record->attribute;
	uint32_t bytes = record->string_bytes;
	uint32_t part = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	memcpy(ret_text, record->value, part);
	for (uint32_t i = 1; i <= continuations; i++) {
		const union spanring_record *next = turn->record + i;
		if (!lap_is_right(turn->feed, turn->feed->taken + i, next) ||
		    next->continuation.tail.type != SPANRING_RECORD_CONTINUATION)
			return false;
		uint32_t left = bytes - part;
		uint32_t more = left < SPANRING_CONTINUATION_BYTES ? left : SPANRING_CONTINUATION_BYTES;
		memcpy(ret_text + part, next->continuation.bytes, more);
		part += more;
	}
	return true;
}

static int take_attribute(struct turn *turn) {
	const struct spanring_attribute_record *record = &turn->record->attribute;
	if (record->span_id == 0 || !value_is_sound(record))
		return TURN_REJECT;
	uint32_t continuations = spanring_continuation_count(record->string_bytes);
	if (continuations >= turn->left)
		return turn->last ? TURN_REJECT : TURN_WAIT;
	if (!batch_has_room(turn->sink->batch, 0, 1, 0, record->string_bytes))
		return TURN_FULL;
	char text[SPANRING_STRING_VALUE_MAX];
	struct store_attribute row = {.trace_lo = record->trace_lo,
	                              .span_id = record->span_id,
	                              .text_bytes = record->string_bytes,
	                              .event_index = record->event_index,
	                              .type = record->value_type};
	if (record->value_type == SPANRING_VALUE_STRING) {
		if (!join_string(turn, continuations, text))
			return TURN_REJECT;
	} else {
		memcpy(&row.value, record->value, sizeof(row.value));
	}
	if (record->value_type == SPANRING_VALUE_BOOL)
		row.value = row.value != 0;
	int rc = producer_string_id(turn->feed->producer, turn->sink, record->tail.ref, &row.key);
	if (rc < 0)
		return name_failed(rc);
	batch_add_attribute(turn->sink->batch, &row, text);
	turn->feed->books.stored_attributes++;
	return (int)(1 + continuations);
}

static int take_event(struct turn *turn) {
	const struct spanring_event_record *record = &turn->record->event;
	if (record->span_id == 0 || record->event_index == 0)
		return TURN_REJECT;
	if (!batch_has_room(turn->sink->batch, 0, 0, 1, 0))
		return TURN_FULL;
	struct store_event row = {
	    .trace_lo = record->trace_lo, .span_id = record->span_id, .event_index = record->event_index};
	int rc = producer_string_id(turn->feed->producer, turn->sink, record->tail.ref, &row.name);
	if (rc < 0)
		return name_failed(rc);
	row.time_ns = producer_ns(turn->feed->producer, turn->sink, record->time_ticks);
	batch_add_event(turn->sink->batch, &row);
	turn->feed->books.stored_events++;
	return 1;
}

static int take_link(struct turn *turn) {
	const struct spanring_link_record *record = &turn->record->link;
	if (record->span_id == 0 || record->linked_span_id == 0 ||
	    (record->linked_trace_hi | record->linked_trace_lo) == 0)
		return TURN_REJECT;
	if (!batch_has_room_for_link(turn->sink->batch))
		return TURN_FULL;
	struct store_link row = {.trace_lo = record->trace_lo,
	                         .span_id = record->span_id,
	                         .linked_trace_hi = record->linked_trace_hi,
	                         .linked_trace_lo = record->linked_trace_lo,
	                         .linked_span_id = record->linked_span_id};
	batch_add_link(turn->sink->batch, &row);
	return 1;
}

static int take_thread(struct turn *turn) {
	producer_thread_begins(turn->feed->producer, turn->feed, &turn->record->thread);
	return 1;
}

static int take_record(struct turn *turn) {
	if (!lap_is_right(turn->feed, turn->feed->taken, turn->record))
		return TURN_REJECT;
	switch (turn->record->span.tail.type) {
	case SPANRING_RECORD_SPAN:
		return take_span(turn);
	case SPANRING_RECORD_ATTRIBUTE:
		return take_attribute(turn);
	case SPANRING_RECORD_EVENT:
		return take_event(turn);
	case SPANRING_RECORD_LINK:
		return take_link(turn);
	case SPANRING_RECORD_THREAD:
		return take_thread(turn);
	default:
		return TURN_REJECT;
	}
}

enum drain_end drain_records(struct feed *feed, struct producer_sink *sink, const union spanring_record *records,
                             uint32_t count, bool last) {
	struct turn turn = {.feed = feed, .sink = sink, .record = records, .left = count, .last = last};
	while (turn.left > 0) {
		int used = take_record(&turn);
		if (used == TURN_WAIT)
			return DRAIN_WAIT;
		if (used == TURN_FULL)
			return DRAIN_FULL;
		if (used == TURN_REJECT) {
			if (turn.record->span.tail.type == SPANRING_RECORD_SPAN)
				feed->books.rejected_spans++;
			else
				feed->books.rejected_other++;
			used = 1;
		}
		feed->taken += (uint64_t)used;
		turn.record += used;
		turn.left -= (uint32_t)used;
	}
	return DRAIN_DONE;
}
