/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of the rings into lists. This end of a ring keeps to the contract of ring_abi.h as an agent does: load-acquire head,
 * copy, look at lap, type and ids, use the copy, and only then store-release tail. What makes no sense is counted as lost and
 * left out; a program that writes wildly must not make its tests crash in the reader.
 *
 * What a span carries is in the ring before the span, or, of an async span, in another ring. So an item is made by whatever
 * names its id first, grows, and is appended to the list of the ended ones when its own record comes. Records of one ring end
 * in order of time; rings are merged from the end of the list backwards, stable, so that spans of one thread never change
 * places.
 */
#include "testing_state.h"

#define DESCRIPTION_KEY "otel.status_description"
/* Looks at the stack of another thread that does not stand still. */
#define STACK_TRIES 64u

struct source {
	struct spanring__process *process;
	struct spanring__testing *testing;
	const struct spanring__thread *thread;
	uint64_t position;
	uint64_t head;
};

/* --- tables ------------------------------------------------------------------------------------------------------- */

static const void *table_at(const struct spanring__process *process, uint64_t offset) {
	return (const uint8_t *)process->header + offset;
}

const char *spanring__testing_string(struct spanring__process *process, uint32_t id) {
	struct spanring__testing *testing = process->testing;
	struct spanring_string_entry entry;
	if (id == 0 || id > SPANRING_STRINGS_MAX || id > ring_order_table_read(&process->header->string_count))
		return NULL;
	if (testing->strings[id - 1])
		return testing->strings[id - 1];
	memcpy(&entry, table_at(process, SPANRING_STRING_INDEX_OFFSET + (id - 1) * sizeof(entry)), sizeof(entry));
	if (entry.bytes > SPANRING_NAME_BYTES_MAX || entry.offset > SPANRING_STRING_ARENA_BYTES - entry.bytes)
		return NULL;
	char *text = spanring__testing_allocate(testing, entry.bytes + 1u);
	if (text)
		memcpy(text, table_at(process, SPANRING_STRING_ARENA_OFFSET + entry.offset), entry.bytes);
	testing->strings[id - 1] = text;
	return text;
}

/* Site, type and bits, as a record and an entry of the stack have them. */
static bool fill_from_tail(struct spanring__process *process, struct spanring_testing_span *span,
                           const struct spanring_record_tail *tail) {
	struct spanring_site_entry site;
	uint32_t kind = tail->bits & SPANRING_BITS_KIND_MASK;
	uint32_t status = (uint32_t)(tail->bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
	if (tail->ref == 0 || tail->ref > SPANRING_SITES_MAX ||
	    tail->ref > ring_order_table_read(&process->header->site_count) || kind > SPANRING_KIND_CONSUMER ||
	    status > SPANRING_STATUS_ERROR)
		return false;
	memcpy(&site, table_at(process, SPANRING_SITE_TABLE_OFFSET + (tail->ref - 1) * sizeof(site)), sizeof(site));
	const char *name = spanring__testing_string(process, site.name);
	const char *file = spanring__testing_string(process, site.file);
	if (!name || !file)
		return false;
	span->name = name;
	span->file = file;
	span->line = site.line;
	span->scope_name = spanring__testing_string(process, site.scope_name);
	span->scope_version = spanring__testing_string(process, site.scope_version);
	span->kind = kind;
	span->status = status;
	span->is_unfinished = (tail->bits & SPANRING_BITS_UNFINISHED) != 0;
	span->has_remote_parent = (tail->bits & SPANRING_BITS_REMOTE_PARENT) != 0;
	return true;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static bool copy_record(const struct source *source, uint64_t position, union spanring_record *ret_record) {
	const struct spanring__thread *thread = source->thread;
	const union spanring_record *slot = &thread->slots[position & thread->mask];
	ret_record->words[7] = ring_order_tag_read(slot);
	for (unsigned i = 0; i < 7; i++)
		ret_record->words[i] = ring_order_get(&slot->words[i]);
	return ret_record->span.tail.lap == spanring_lap_tag(position >> thread->capacity_shift);
}

static void append_ended(struct spanring__testing *testing, struct testing_item *item) {
	struct testing_item *before = testing->last;
	while (before && before->end_ns > item->end_ns)
		before = before->previous;
	item->previous = before;
	item->next = before ? before->next : testing->first;
	if (item->next)
		item->next->previous = item;
	else
		testing->last = item;
	if (before)
		before->next = item;
	else
		testing->first = item;
	testing->count++;
}

static void describe(struct testing_item *item) {
	item->span.status_description = item->span.status == SPANRING_STATUS_ERROR ? item->description : NULL;
}

static bool take_span(struct source *source, const struct spanring_span_record *record) {
	struct testing_item *item;
	if (record->span_id == 0 || (record->trace_hi | record->trace_lo) == 0)
		return false;
	item = spanring__testing_item(source->testing, record->span_id, true);
	if (!item || item->has_ended || !fill_from_tail(source->process, &item->span, &record->tail))
		return false;
	item->span.parent_id = record->parent_id;
	item->span.trace_hi = record->trace_hi;
	item->span.trace_lo = record->trace_lo;
	item->span.start_ns = record->start_ticks;
	item->span.duration_ns = record->duration_ticks;
	item->span.is_open = false;
	item->end_ns = record->start_ticks + record->duration_ticks;
	item->has_ended = true;
	describe(item);
	append_ended(source->testing, item);
	return true;
}

/* The public part comes first in an event. */
static struct testing_event *event_of(const struct spanring_testing_event *event) {
	return (void *)(uintptr_t)event;
}

/* By number: those of an async span may come out of several rings. */
static void insert_event(struct testing_item *item, struct testing_event *event) {
	struct testing_event *before = item->last_event;
	if (before && before->index > event->index) {
		struct testing_event *next = event_of(item->span.events);
		for (before = NULL; next->index <= event->index; next = event_of(next->event.next))
			before = next;
	}
	event->event.next = before ? before->event.next : item->span.events;
	if (before)
		before->event.next = &event->event;
	else
		item->span.events = &event->event;
	if (!event->event.next)
		item->last_event = event;
	item->span.event_count++;
}

static struct testing_event *find_event(const struct testing_item *item, uint32_t index) {
	if (item->last_event && item->last_event->index == index)
		return item->last_event;
	struct testing_event *event = event_of(item->span.events);
	while (event && event->index != index)
		event = event_of(event->event.next);
	return event;
}

static bool take_event(struct source *source, const struct spanring_event_record *record) {
	const char *name = spanring__testing_string(source->process, record->tail.ref);
	struct testing_item *item = spanring__testing_item(source->testing, record->span_id, true);
	struct testing_event *event = name && item ? spanring__testing_allocate(source->testing, sizeof(*event)) : NULL;
	if (!event)
		return false;
	event->event.name = name;
	event->event.time_ns = record->time_ticks;
	event->index = record->event_index;
	insert_event(item, event);
	return true;
}

static bool take_link(struct source *source, const struct spanring_link_record *record) {
	struct testing_item *item = spanring__testing_item(source->testing, record->span_id, true);
	struct spanring_testing_link *link = item ? spanring__testing_allocate(source->testing, sizeof(*link)) : NULL;
	if (!link)
		return false;
	link->linked.trace_hi = record->linked_trace_hi;
	link->linked.trace_lo = record->linked_trace_lo;
	link->linked.span_id = record->linked_span_id;
	if (item->last_link)
		item->last_link->next = link;
	else
		item->span.links = link;
	item->last_link = link;
	item->span.link_count++;
	return true;
}

/* --- attributes --------------------------------------------------------------------------------------------------- */

/* A string and its CONTINUATION records; NULL: they are not what they should be, or no room. */
static const char *take_string(struct source *source, const struct spanring_attribute_record *record) {
	uint32_t bytes = record->string_bytes;
	uint32_t done = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	char *text = spanring__testing_allocate(source->testing, bytes + 1u);
	if (!text)
		return NULL;
	memcpy(text, record->value, done);
	for (uint64_t position = source->position + 1; done < bytes; position++) {
		union spanring_record more;
		uint32_t part = bytes - done;
		part = part < SPANRING_CONTINUATION_BYTES ? part : SPANRING_CONTINUATION_BYTES;
		if (!copy_record(source, position, &more) ||
		    more.continuation.tail.type != SPANRING_RECORD_CONTINUATION)
			return NULL;
		memcpy(text + done, more.continuation.bytes, part);
		done += part;
	}
	return text;
}

static bool fill_value(struct source *source, const struct spanring_attribute_record *record,
                       struct spanring_testing_attribute *attribute) {
	uint64_t word;
	attribute->type = record->value_type;
	memcpy(&word, record->value, sizeof(word));
	switch (record->value_type) {
	case SPANRING_VALUE_BOOL:
		attribute->value.boolean = word != 0;
		return true;
	case SPANRING_VALUE_I64:
	case SPANRING_VALUE_U64:
	case SPANRING_VALUE_F64:
		memcpy(&attribute->value, &word, sizeof(word));
		return true;
	case SPANRING_VALUE_STRING:
		attribute->string_bytes = record->string_bytes;
		attribute->value.string = take_string(source, record);
		return attribute->value.string != NULL;
	default:
		return false;
	}
}

static void append_attribute(struct spanring_testing_attribute *attribute, uint32_t *count,
                             const struct spanring_testing_attribute **first,
                             struct spanring_testing_attribute **last) {
	if (*last)
		(*last)->next = attribute;
	else
		*first = attribute;
	*last = attribute;
	(*count)++;
}

static bool take_attribute(struct source *source, const struct spanring_attribute_record *record) {
	struct testing_item *item = spanring__testing_item(source->testing, record->span_id, true);
	struct spanring_testing_attribute *attribute =
	    item ? spanring__testing_allocate(source->testing, sizeof(*attribute)) : NULL;
	if (!attribute || !fill_value(source, record, attribute))
		return false;
	attribute->key = spanring__testing_string(source->process, record->tail.ref);
	if (!attribute->key)
		return false;
	if (record->event_index != 0) {
		struct testing_event *event = find_event(item, record->event_index);
		if (!event)
			return false;
		append_attribute(attribute, &event->event.attribute_count, &event->event.attributes,
		                 &event->last_attribute);
		return true;
	}
	if (attribute->type == SPANRING_VALUE_STRING && strcmp(attribute->key, DESCRIPTION_KEY) == 0) {
		item->description = attribute->value.string;
		describe(item);
		return true;
	}
	append_attribute(attribute, &item->span.attribute_count, &item->span.attributes, &item->last_attribute);
	return true;
}

/* --- rings -------------------------------------------------------------------------------------------------------- */

/* How many records belong to the one at position; 0: not all of them are published. */
static uint64_t group_records(const struct source *source, const union spanring_record *record) {
	uint64_t records = 1;
	if (record->span.tail.type == SPANRING_RECORD_ATTRIBUTE &&
	    record->attribute.value_type == SPANRING_VALUE_STRING &&
	    record->attribute.string_bytes <= SPANRING_STRING_VALUE_MAX)
		records += spanring_continuation_count(record->attribute.string_bytes);
	return records <= source->head - source->position ? records : 0;
}

static bool take_record(struct source *source, const union spanring_record *record) {
	switch (record->span.tail.type) {
	case SPANRING_RECORD_SPAN:
		return take_span(source, &record->span);
	case SPANRING_RECORD_ATTRIBUTE:
		return record->attribute.string_bytes <= SPANRING_STRING_VALUE_MAX && record->attribute.span_id != 0 &&
		       take_attribute(source, &record->attribute);
	case SPANRING_RECORD_EVENT:
		return record->event.span_id != 0 && take_event(source, &record->event);
	case SPANRING_RECORD_LINK:
		return record->link.span_id != 0 && take_link(source, &record->link);
	case SPANRING_RECORD_THREAD:
		return true;
	default:
		return false;
	}
}

static void collect_ring(struct spanring__process *process, uint32_t index) {
	struct source source = {process, process->testing, process->threads[index], process->testing->cursors[index],
	                        0};
	struct spanring_ring_header *header = process->threads[index]->header;
	source.head = ring_order_head_read(header); /* pairs with W3 */
	if (source.head - source.position > source.thread->mask + 1)
		return;
	while (source.position != source.head) {
		union spanring_record record;
		uint64_t records = 1;
		if (copy_record(&source, source.position, &record)) {
			records = group_records(&source, &record);
			if (records == 0)
				break;
			if (!take_record(&source, &record))
				source.testing->lost++;
		} else {
			source.testing->lost++;
		}
		source.position += records;
	}
	process->testing->cursors[index] = source.position;
	ring_order_tail_publish(header, source.position); /* pairs with W4 */
}

void spanring__testing_collect(struct spanring__process *process) {
	struct spanring__thread *self = ring_writer_self();
	if (self && self->published != ring_writer_position(self))
		ring_writer_publish(self, spanring__ticks_quiet(self->clock_kind));
	for (uint32_t i = 0; i < process->thread_count; i++)
		collect_ring(process, i);
}

/* --- open spans --------------------------------------------------------------------------------------------------- */

static void copy_entry(const struct spanring_open_span *entry, struct spanring_open_span *ret_entry) {
	const ring_order_word *from = (const void *)entry;
	ring_order_word *to = (void *)ret_entry;
	for (uint32_t word = 0; word < sizeof(*entry) / sizeof(*to); word++)
		to[word] = ring_order_get(&from[word]);
}

/* The stack of a thread that may run: copied between two looks at the same word. Number of entries; 0: it never stood still. */
static uint32_t copy_stack(const struct spanring__thread *thread,
                           struct spanring_open_span ret_stack[SPANRING_DEPTH_MAX]) {
	for (uint32_t tries = 0; tries < STACK_TRIES; tries++) {
		uint64_t before = ring_order_begun_open_read(thread->header);
		uint64_t open = before & SPANRING_OPEN_MASK;
		if (open > SPANRING_DEPTH_MAX)
			return 0;
		for (uint64_t i = 0; i < open; i++)
			copy_entry(&thread->stack[i], &ret_stack[i]);
		ring_order_full_fence();
		if (ring_order_begun_open_read(thread->header) == before)
			return (uint32_t)open;
	}
	return 0;
}

static void insert_open(struct spanring__testing *testing, struct testing_item *item) {
	struct testing_item **link = &testing->open_first;
	while (*link && (*link)->span.start_ns <= item->span.start_ns)
		link = &(*link)->open_next;
	item->open_next = *link;
	*link = item;
}

static void take_open(struct spanring__process *process, const struct spanring_open_span *entry) {
	struct testing_item *item;
	/* Spans of a trace that is not kept, and attached contexts, have other types. */
	if (entry->tail.type != SPANRING_RECORD_SPAN || entry->span_id == 0)
		return;
	item = spanring__testing_item(process->testing, entry->span_id, true);
	if (!item || item->has_ended || item->span.is_open || !fill_from_tail(process, &item->span, &entry->tail))
		return;
	item->span.parent_id = entry->parent_id;
	item->span.trace_hi = entry->trace_hi;
	item->span.trace_lo = entry->trace_lo;
	item->span.start_ns = entry->start_ticks;
	item->span.is_open = true;
	describe(item);
	insert_open(process->testing, item);
}

/* A slot is copied between two looks at its state, which is never twice the same. */
static void collect_open_async(struct spanring__process *process) {
	const struct spanring__async_table *table = &process->async;
	for (uint32_t i = 0; table->places && i < table->slot_count; i++) {
		struct spanring_open_span entry;
		uint64_t state = ring_order_async_state_read(&table->slots[i]);
		if ((uint32_t)state != SPANRING_ASYNC_OPEN)
			continue;
		copy_entry(&table->slots[i].span, &entry);
		ring_order_full_fence();
		if (ring_order_async_state_read(&table->slots[i]) == state)
			take_open(process, &entry);
	}
}

void spanring__testing_collect_open(struct spanring__process *process) {
	struct spanring__testing *testing = process->testing;
	while (testing->open_first) {
		struct testing_item *item = testing->open_first;
		testing->open_first = item->open_next;
		item->open_next = NULL;
		item->span.is_open = false;
	}
	for (uint32_t i = 0; i < process->thread_count; i++) {
		struct spanring_open_span stack[SPANRING_DEPTH_MAX];
		uint32_t open = copy_stack(process->threads[i], stack);
		for (uint32_t entry = 0; entry < open; entry++)
			take_open(process, &stack[entry]);
	}
	collect_open_async(process);
}
