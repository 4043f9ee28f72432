/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span carries: attributes, events, links, status. All but the status leave at once, before the span's own record; a
 * long string is one ATTRIBUTE record and the CONTINUATION records right behind it, all or none.
 *
 * Limits of one span are asked first and counted by reason; what a full ring drops still counts as one of the span, so a limit
 * means calls, not records. The description of a status is a field of the span, not one of its attributes.
 */
#include "writer_attributes.h"
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

/* The stack is taken while records are written; leave_place gives it back. */
static bool find_place(struct spanring_span span, struct spanring__place *ret_place) {
	ret_place->entry = spanring__writer_find(span, &ret_place->self);
	ret_place->event_index = 0;
	ret_place->is_shared = false;
	if (!ret_place->entry)
		return false;
	ret_place->top = ring_writer_take(ret_place->self);
	return true;
}

static void leave_place(const struct spanring__place *place) {
	ring_writer_give(place->self, place->top);
}

/* Of a span that gets no record, only the status is kept, for its statistics. */
static bool is_recorded(const struct spanring__place *place) {
	return ring_order_get(&place->entry->tail.type) == SPANRING_RECORD_SPAN;
}

/*
 * event_count, attribute_count and link_count of an entry are one word: a count is a field of it, dealt with in a register, since
 * a part that is stored is slow to load as a word.
 */
struct count_field {
	uint32_t shift;
	uint32_t limit; /* below the field's largest value + 1, so that no count runs over into the next */
};

static inline struct count_field count_field(const struct spanring__limits *limits, enum spanring__over_limit what) {
	const bool is_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	switch (what) {
	case SPANRING__OVER_EVENTS:
		return (struct count_field){is_little ? 0 : 32, limits->events};
	case SPANRING__OVER_ATTRIBUTES:
		return (struct count_field){is_little ? 32 : 16, limits->attributes};
	default:
		return (struct count_field){is_little ? 48 : 0, limits->links};
	}
}

/* One more of the span, if the limit allows: its number, from 1; else 0. */
static inline uint32_t count_one(const struct spanring__place *place, enum spanring__over_limit what) {
	struct count_field field = count_field(&place->self->limits, what);
	uint64_t word = ring_order_entry_counts_get(place->entry);
	uint64_t mask = what == SPANRING__OVER_EVENTS ? UINT32_MAX : UINT16_MAX;
	for (;;) {
		uint32_t count = (uint32_t)(word >> field.shift & mask);
		uint64_t counted = word + (UINT64_C(1) << field.shift);
		if (unlikely(count >= field.limit)) {
			spanring__process_count_over_limit(what);
			return 0;
		}
		if (likely(!place->is_shared)) {
			ring_order_entry_counts_put(place->entry, counted);
			return count + 1;
		}
		if (ring_order_entry_counts_replace(place->entry, &word, counted))
			return count + 1;
	}
}

static bool count_attribute(const struct spanring__place *place) {
	return count_one(place, SPANRING__OVER_ATTRIBUTES) != 0;
}

_Static_assert(offsetof(struct spanring_attribute_record, value_type) == 16 &&
                   offsetof(struct spanring_attribute_record, string_bytes) == 18 &&
                   offsetof(struct spanring_attribute_record, event_index) == 20 &&
                   offsetof(struct spanring_attribute_record, value) == 24,
               "what describes the value is word 2, the value begins in word 3");

/* Word 2 of an ATTRIBUTE record. Put together in a register: parts that are stored are slow to load as a word. */
static inline uint64_t description_word(uint8_t value_type, uint32_t string_bytes, uint32_t event_index) {
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return value_type | (uint64_t)string_bytes << 16 | (uint64_t)event_index << 32;
	return (uint64_t)value_type << 56 | (uint64_t)string_bytes << 32 | event_index;
}

/* A 32-bit field and the zeros behind it. */
static inline uint64_t first_half_word(uint32_t value) {
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? value : (uint64_t)value << 32;
}

_Static_assert(offsetof(struct spanring_event_record, event_index) == 24, "the number of an event begins word 3");

static void fill_attribute(const struct spanring__place *place, union spanring_record *record, uint64_t description) {
	record->words[0] = ring_order_get(&place->entry->span_id);
	record->words[1] = ring_order_get(&place->entry->trace_lo);
	record->words[2] = description;
	memset(record->attribute.value, 0, sizeof(record->attribute.value));
}

static void put_number(const struct spanring__place *place, struct spanring_key *key, uint8_t value_type,
                       uint64_t value) {
	struct spanring__thread *self = place->self;
	uint32_t id = key_id(key);
	if (!ring_writer_reserve(self, 1)) {
		drop_attribute(self);
		return;
	}
	union spanring_record record;
	fill_attribute(place, &record, description_word(value_type, 0, place->event_index));
	record.words[3] = value;
	ring_writer_append(self, record.words, id, SPANRING_RECORD_ATTRIBUTE, 0);
	ring_writer_publish_many(self);
}

static void append_string(const struct spanring__place *place, uint32_t id, const uint8_t *value, uint32_t bytes) {
	struct spanring__thread *self = place->self;
	union spanring_record record;
	uint32_t part = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	fill_attribute(place, &record, description_word(SPANRING_VALUE_STRING, bytes, place->event_index));
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

static void put_string(const struct spanring__place *place, struct spanring_key *key, const void *value,
                       uint64_t value_bytes) {
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

void spanring__place_number(const struct spanring__place *place, struct spanring_key *key, uint8_t value_type,
                            uint64_t value) {
	if (is_recorded(place) && count_attribute(place))
		put_number(place, key, value_type, value);
}

void spanring__place_bytes(const struct spanring__place *place, struct spanring_key *key, const void *value,
                           uint64_t value_bytes) {
	if (is_recorded(place) && count_attribute(place))
		put_string(place, key, value, value_bytes);
}

/*
 * A number on the innermost span, where a record needs no thought (ring_writer_restop) and the key is known: what nearly all
 * attributes are. False, and nothing done, for any other.
 */
static inline bool set_quickly(struct spanring_span span, const struct spanring_key *key, uint8_t value_type,
                               uint64_t value) {
	struct spanring__thread *self = spanring__self;
	struct spanring_open_span *top = self->top;
	uint32_t id = __atomic_load_n(&key->id, __ATOMIC_RELAXED);
	if (unlikely(top == self->stack || top == self->busy || id == 0))
		return false;
	struct spanring_open_span *entry = top - 1;
	if (unlikely(entry->span_id != span.span_id || entry->tail.type != SPANRING_RECORD_SPAN ||
	             entry->attribute_count >= self->limits.attributes))
		return false;
	(void)ring_writer_take(self);
	union spanring_record *slot = self->slot;
	if (unlikely(slot >= self->slot_stop)) {
		ring_writer_give(self, top);
		return false;
	}
	const uint64_t words[8] = {
	    entry->span_id,
	    entry->trace_lo,
	    description_word(value_type, 0, 0),
	    value,
	    0,
	    0,
	    0,
	    ring_writer_tail_word(id, SPANRING_RECORD_ATTRIBUTE, 0, 0) | self->lap_word,
	};
	ring_order_put(&entry->attribute_count, (uint16_t)(entry->attribute_count + 1u));
	ring_writer_store(slot, words);
	self->slot = slot + 1;
	ring_writer_give(self, top);
	return true;
}

static void set_number(struct spanring_span span, struct spanring_key *key, uint8_t value_type, uint64_t value) {
	struct spanring__place place;
	if (likely(set_quickly(span, key, value_type, value)))
		return;
	if (find_place(span, &place)) {
		spanring__place_number(&place, key, value_type, value);
		leave_place(&place);
	}
}

void spanring_set_bytes(struct spanring_span span, struct spanring_key *key, const void *value, uint64_t value_bytes) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_bytes(&place, key, value, value_bytes);
		leave_place(&place);
	}
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

static void put_attribute(const struct spanring__place *place, const struct spanring_attribute *attribute) {
	uint64_t word = attribute->value.u64;
	if (attribute->type == SPANRING_VALUE_STRING)
		put_string(place, attribute->key, attribute->value.bytes, attribute->value_bytes);
	else
		put_number(place, attribute->key, (uint8_t)attribute->type,
		           attribute->type == SPANRING_VALUE_BOOL ? (uint64_t)attribute->value.boolean : word);
}

void spanring__place_attributes(const struct spanring__place *place, const struct spanring_attribute *attributes,
                                uint32_t count) {
	for (uint32_t i = 0; i < count && is_recorded(place); i++)
		if (is_sound(&attributes[i]) && count_attribute(place))
			put_attribute(place, &attributes[i]);
}

void spanring_set_attributes(struct spanring_span span, const struct spanring_attribute *attributes, uint32_t count) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_attributes(&place, attributes, count);
		leave_place(&place);
	}
}

/* Write an event; its number in the span, or 0. */
static uint32_t put_event(const struct spanring__place *place, struct spanring_key *name) {
	struct spanring__thread *self = place->self;
	const struct spanring_open_span *entry = place->entry;
	uint32_t id = key_id(name);
	uint64_t now = ticks_now(self->clock_kind);
	if (unlikely(ring_order_get(&entry->event_count) >= self->limits.events)) {
		spanring__process_count_over_limit(SPANRING__OVER_EVENTS);
		return 0;
	}
	if (!ring_writer_reserve(self, 1)) {
		ring_order_put(&self->header->dropped_events, ++self->dropped_events);
		return 0;
	}
	uint32_t number = count_one(place, SPANRING__OVER_EVENTS);
	if (number == 0)
		return 0;
	uint64_t words[8] = {
	    ring_order_get(&entry->span_id), ring_order_get(&entry->trace_lo), now, first_half_word(number), 0, 0, 0, 0,
	};
	ring_writer_append(self, words, id, SPANRING_RECORD_EVENT, 0);
	ring_writer_publish_due(self, now);
	return number;
}

void spanring__place_event(struct spanring__place *place, struct spanring_key *name,
                           const struct spanring_attribute *attributes, uint32_t count) {
	place->event_index = is_recorded(place) ? put_event(place, name) : 0;
	uint32_t written = 0;
	for (uint32_t i = 0; i < count && place->event_index != 0; i++) {
		if (!is_sound(&attributes[i]))
			continue;
		if (written++ < place->self->limits.event_attributes)
			put_attribute(place, &attributes[i]);
		else
			spanring__process_count_over_limit(SPANRING__OVER_ATTRIBUTES);
	}
}

void spanring_event(struct spanring_span span, struct spanring_key *name) {
	spanring_event_with(span, name, NULL, 0);
}

void spanring_event_with(struct spanring_span span, struct spanring_key *name,
                         const struct spanring_attribute *attributes, uint32_t count) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_event(&place, name, attributes, count);
		leave_place(&place);
	}
}

void spanring__place_link(const struct spanring__place *place, const struct spanring_context *linked) {
	struct spanring__thread *self = place->self;
	const struct spanring_open_span *entry = place->entry;
	if (linked->span_id == 0 || (linked->trace_hi | linked->trace_lo) == 0) {
		spanring__process_count_misuse();
		return;
	}
	if (!is_recorded(place))
		return;
	if (unlikely(ring_order_get(&entry->link_count) >= self->limits.links)) {
		spanring__process_count_over_limit(SPANRING__OVER_LINKS);
		return;
	}
	if (!ring_writer_reserve(self, 1)) {
		spanring__process_count_dropped_link();
		return;
	}
	if (count_one(place, SPANRING__OVER_LINKS) == 0)
		return;
	uint64_t words[8] = {
	    ring_order_get(&entry->span_id),
	    ring_order_get(&entry->trace_lo),
	    linked->trace_hi,
	    linked->trace_lo,
	    linked->span_id,
	    0,
	    0,
	    0,
	};
	ring_writer_append(self, words, 0, SPANRING_RECORD_LINK, 0);
	ring_writer_publish_many(self);
}

void spanring_link(struct spanring_span span, const struct spanring_context *linked) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_link(&place, linked);
		leave_place(&place);
	}
}

void spanring__place_status(const struct spanring__place *place, enum spanring_status status, const char *description) {
	struct spanring_open_span *entry = place->entry;
	if ((unsigned)status > SPANRING_STATUS_ERROR) {
		spanring__process_count_misuse();
		return;
	}
	uint8_t bits = ring_order_get(&entry->tail.bits);
	uint8_t others = (uint8_t)(bits & ~(SPANRING_BITS_STATUS_MASK << SPANRING_BITS_STATUS_SHIFT));
	ring_order_put(&entry->tail.bits, (uint8_t)(others | (unsigned)status << SPANRING_BITS_STATUS_SHIFT));
	if (status == SPANRING_STATUS_ERROR && description && is_recorded(place))
		put_string(place, &status_description_key, description, SPANRING_TERMINATED);
}

void spanring_set_status(struct spanring_span span, enum spanring_status status, const char *description) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_status(&place, status, description);
		leave_place(&place);
	}
}
