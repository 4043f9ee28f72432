/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span carries: attributes, events, links, status. All but the status leave at once, before the span's own record; a
 * long string is one ATTRIBUTE record and the CONTINUATION records right behind it, all or none.
 *
 * Limits of one span are asked first and counted by reason; what a full ring drops still counts as one of the span, so a limit
 * means calls, not records. The description of a status is a field of the span, not one of its attributes.
 */
#include "process.h"
#include "tables.h"
#include "writer.h"
#include <errno.h>

/* The texts of a process are few and static; so is this one. */
static struct spanring_key status_description_key = SPANRING_KEY_INIT("otel.status_description");

static __attribute__((noinline, cold)) uint32_t intern_key(struct spanring_key *key) {
	int saved_errno = errno;
	uint32_t id = SPANRING_STRING_OVERFLOW;
	struct spanring__process *process = spanring__process_lock();
	if (process) {
		id = spanring__tables_string(process->tables, process->header, key->text);
		__atomic_store_n(&key->id, id, __ATOMIC_RELEASE);
		spanring__process_unlock(process);
	}
	errno = saved_errno;
	return id;
}

static inline uint32_t key_id(struct spanring_key *key) {
	uint32_t id = __atomic_load_n(&key->id, __ATOMIC_RELAXED);
	return likely(id != 0) ? id : intern_key(key);
}

static void drop_attribute(struct spanring__thread *self) {
	ring_order_put(&self->header->dropped_attributes, ++self->dropped_attributes);
}

/* Whose attribute it is: the span's own (event_index 0) or that of one of its events. */
struct place {
	struct spanring__thread *self;
	struct spanring_open_span *entry;
	uint32_t event_index;
};

static bool find_place(struct spanring_span span, struct place *ret_place) {
	ret_place->entry = spanring__writer_find(span, &ret_place->self);
	ret_place->event_index = 0;
	return ret_place->entry != NULL;
}

/* One more attribute of the span itself, if the limit allows. */
static bool count_attribute(const struct place *place) {
	struct spanring_open_span *entry = place->entry;
	if (unlikely(entry->attribute_count >= place->self->limits.attributes)) {
		spanring__process_count_over_limit(SPANRING__OVER_ATTRIBUTES);
		return false;
	}
	ring_order_put(&entry->attribute_count, (uint16_t)(entry->attribute_count + 1u));
	return true;
}

static void fill_attribute(const struct place *place, union spanring_record *record, uint8_t value_type) {
	memset(record, 0, sizeof(*record));
	record->attribute.span_id = place->entry->span_id;
	record->attribute.trace_lo = place->entry->trace_lo;
	record->attribute.value_type = value_type;
	record->attribute.event_index = place->event_index;
}

static void put_number(const struct place *place, struct spanring_key *key, uint8_t value_type, uint64_t value) {
	struct spanring__thread *self = place->self;
	uint32_t id = key_id(key);
	if (!ring_writer_reserve(self, 1)) {
		drop_attribute(self);
		return;
	}
	union spanring_record record;
	fill_attribute(place, &record, value_type);
	memcpy(record.attribute.value, &value, sizeof(value));
	ring_writer_append(self, record.words, id, SPANRING_RECORD_ATTRIBUTE, 0);
	ring_writer_publish_many(self);
}

static void append_string(const struct place *place, uint32_t id, const uint8_t *value, uint32_t bytes) {
	struct spanring__thread *self = place->self;
	union spanring_record record;
	uint32_t part = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	fill_attribute(place, &record, SPANRING_VALUE_STRING);
	record.attribute.string_bytes = (uint16_t)bytes;
	if (part > 0)
		memcpy(record.attribute.value, value, part);
	ring_writer_append(self, record.words, id, SPANRING_RECORD_ATTRIBUTE, 0);
	for (uint32_t done = part; done < bytes; done += part) {
		part = bytes - done < SPANRING_CONTINUATION_BYTES ? bytes - done : SPANRING_CONTINUATION_BYTES;
		memset(&record, 0, sizeof(record));
		memcpy(record.continuation.bytes, value + done, part);
		ring_writer_append(self, record.words, 0, SPANRING_RECORD_CONTINUATION, 0);
	}
	ring_writer_publish_many(self);
}

static void put_string(const struct place *place, struct spanring_key *key, const void *value, uint64_t value_bytes) {
	struct spanring__thread *self = place->self;
	uint32_t id = key_id(key);
	/* One byte more than is kept: it tells whether the cut falls between characters. */
	if (value && value_bytes == SPANRING_TERMINATED)
		value_bytes = strnlen(value, self->limits.value_bytes + 1u);
	uint64_t kept = value ? tables_cut_utf8(value, value_bytes, self->limits.value_bytes) : 0;
	if (!ring_writer_reserve(self, 1 + spanring_continuation_count((uint32_t)kept))) {
		drop_attribute(self);
		return;
	}
	if (value && kept != value_bytes)
		spanring__process_count_value_cut();
	append_string(place, id, value, (uint32_t)kept);
}

static void set_number(struct spanring_span span, struct spanring_key *key, uint8_t value_type, uint64_t value) {
	struct place place;
	if (find_place(span, &place) && count_attribute(&place))
		put_number(&place, key, value_type, value);
}

void spanring_set_bytes(struct spanring_span span, struct spanring_key *key, const void *value, uint64_t value_bytes) {
	struct place place;
	if (find_place(span, &place) && count_attribute(&place))
		put_string(&place, key, value, value_bytes);
}

void spanring_set_string(struct spanring_span span, struct spanring_key *key, const char *value) {
	spanring_set_bytes(span, key, value, SPANRING_TERMINATED);
}

void spanring_set_bool(struct spanring_span span, struct spanring_key *key, bool value) {
	set_number(span, key, SPANRING_VALUE_BOOL, value ? 1 : 0);
}

void spanring_set_i64(struct spanring_span span, struct spanring_key *key, int64_t value) {
	set_number(span, key, SPANRING_VALUE_I64, (uint64_t)value);
}

void spanring_set_u64(struct spanring_span span, struct spanring_key *key, uint64_t value) {
	set_number(span, key, SPANRING_VALUE_U64, value);
}

void spanring_set_f64(struct spanring_span span, struct spanring_key *key, double value) {
	uint64_t word;
	memcpy(&word, &value, sizeof(word));
	set_number(span, key, SPANRING_VALUE_F64, word);
}

static bool is_sound(const struct spanring_attribute *attribute) {
	if (attribute->key && attribute->type >= SPANRING_VALUE_BOOL && attribute->type <= SPANRING_VALUE_STRING)
		return true;
	spanring__process_count_misuse();
	return false;
}

static void put_attribute(const struct place *place, const struct spanring_attribute *attribute) {
	uint64_t word = attribute->value.u64;
	if (attribute->type == SPANRING_VALUE_STRING)
		put_string(place, attribute->key, attribute->value.bytes, attribute->value_bytes);
	else
		put_number(place, attribute->key, (uint8_t)attribute->type,
		           attribute->type == SPANRING_VALUE_BOOL ? (uint64_t)attribute->value.boolean : word);
}

void spanring_set_attributes(struct spanring_span span, const struct spanring_attribute *attributes, uint32_t count) {
	struct place place;
	if (!find_place(span, &place))
		return;
	for (uint32_t i = 0; i < count; i++)
		if (is_sound(&attributes[i]) && count_attribute(&place))
			put_attribute(&place, &attributes[i]);
}

/* Write an event; its number in the span, or 0. */
static uint32_t put_event(const struct place *place, struct spanring_key *name) {
	struct spanring__thread *self = place->self;
	struct spanring_open_span *entry = place->entry;
	uint32_t id = key_id(name);
	uint64_t now = ticks_now(self->clock_kind);
	if (unlikely(entry->event_count >= self->limits.events)) {
		spanring__process_count_over_limit(SPANRING__OVER_EVENTS);
		return 0;
	}
	if (!ring_writer_reserve(self, 1)) {
		ring_order_put(&self->header->dropped_events, ++self->dropped_events);
		return 0;
	}
	union spanring_record record;
	memset(&record, 0, sizeof(record));
	ring_order_put(&entry->event_count, entry->event_count + 1);
	record.event.span_id = entry->span_id;
	record.event.trace_lo = entry->trace_lo;
	record.event.time_ticks = now;
	record.event.event_index = entry->event_count;
	ring_writer_append(self, record.words, id, SPANRING_RECORD_EVENT, 0);
	ring_writer_publish_due(self, now);
	return entry->event_count;
}

void spanring_event(struct spanring_span span, struct spanring_key *name) {
	struct place place;
	if (find_place(span, &place))
		(void)put_event(&place, name);
}

void spanring_event_with(struct spanring_span span, struct spanring_key *name,
                         const struct spanring_attribute *attributes, uint32_t count) {
	struct place place;
	if (!find_place(span, &place))
		return;
	place.event_index = put_event(&place, name);
	uint32_t written = 0;
	for (uint32_t i = 0; i < count && place.event_index != 0; i++) {
		if (!is_sound(&attributes[i]))
			continue;
		if (written++ < place.self->limits.event_attributes)
			put_attribute(&place, &attributes[i]);
		else
			spanring__process_count_over_limit(SPANRING__OVER_ATTRIBUTES);
	}
}

void spanring_link(struct spanring_span span, const struct spanring_context *linked) {
	struct place place;
	if (!find_place(span, &place))
		return;
	struct spanring__thread *self = place.self;
	struct spanring_open_span *entry = place.entry;
	if (linked->span_id == 0 || (linked->trace_hi | linked->trace_lo) == 0) {
		spanring__process_count_misuse();
		return;
	}
	if (unlikely(entry->link_count >= self->limits.links)) {
		spanring__process_count_over_limit(SPANRING__OVER_LINKS);
		return;
	}
	if (!ring_writer_reserve(self, 1)) {
		spanring__process_count_dropped_link();
		return;
	}
	union spanring_record record;
	memset(&record, 0, sizeof(record));
	ring_order_put(&entry->link_count, (uint16_t)(entry->link_count + 1u));
	record.link.span_id = entry->span_id;
	record.link.trace_lo = entry->trace_lo;
	record.link.linked_trace_hi = linked->trace_hi;
	record.link.linked_trace_lo = linked->trace_lo;
	record.link.linked_span_id = linked->span_id;
	ring_writer_append(self, record.words, 0, SPANRING_RECORD_LINK, 0);
	ring_writer_publish_many(self);
}

void spanring_set_status(struct spanring_span span, enum spanring_status status, const char *description) {
	struct place place;
	if (!find_place(span, &place))
		return;
	struct spanring_open_span *entry = place.entry;
	if ((unsigned)status > SPANRING_STATUS_ERROR) {
		spanring__process_count_misuse();
		return;
	}
	uint8_t others = (uint8_t)(entry->tail.bits & ~(SPANRING_BITS_STATUS_MASK << SPANRING_BITS_STATUS_SHIFT));
	ring_order_put(&entry->tail.bits, (uint8_t)(others | (unsigned)status << SPANRING_BITS_STATUS_SHIFT));
	if (status == SPANRING_STATUS_ERROR && description)
		put_string(&place, &status_description_key, description, SPANRING_TERMINATED);
}
