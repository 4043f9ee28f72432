/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span carries: attributes, events, status. Attributes and events leave at once, before the span's own record; a
 * long string is one ATTRIBUTE record and the CONTINUATION records right behind it, all or none.
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

static void set_number(struct spanring_span span, struct spanring_key *key, uint8_t value_type, uint64_t value) {
	struct spanring__thread *self;
	const struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	uint32_t id = key_id(key);
	if (!ring_writer_reserve(self, 1)) {
		drop_attribute(self);
		return;
	}
	union spanring_record record;
	memset(&record, 0, sizeof(record));
	record.attribute.span_id = entry->span_id;
	record.attribute.trace_lo = entry->trace_lo;
	record.attribute.value_type = value_type;
	memcpy(record.attribute.value, &value, sizeof(value));
	ring_writer_append(self, record.words, id, SPANRING_RECORD_ATTRIBUTE, 0);
	ring_writer_publish_many(self);
}

static void append_string(struct spanring__thread *self, const struct spanring_open_span *entry, uint32_t id,
                          const uint8_t *value, uint32_t bytes) {
	union spanring_record record;
	uint32_t part = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	memset(&record, 0, sizeof(record));
	record.attribute.span_id = entry->span_id;
	record.attribute.trace_lo = entry->trace_lo;
	record.attribute.value_type = SPANRING_VALUE_STRING;
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

void spanring_set_bytes(struct spanring_span span, struct spanring_key *key, const void *value, uint64_t value_bytes) {
	struct spanring__thread *self;
	const struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	uint32_t id = key_id(key);
	uint64_t kept = value ? tables_cut_utf8(value, value_bytes, SPANRING_STRING_VALUE_MAX) : 0;
	if (!ring_writer_reserve(self, 1 + spanring_continuation_count((uint32_t)kept))) {
		drop_attribute(self);
		return;
	}
	if (value && kept != value_bytes)
		spanring__process_count_cut();
	append_string(self, entry, id, value, (uint32_t)kept);
}

void spanring_set_string(struct spanring_span span, struct spanring_key *key, const char *value) {
	if (span.span_id == 0)
		return;
	/* One byte more than is kept: it tells whether the cut falls between characters. */
	spanring_set_bytes(span, key, value, value ? strnlen(value, SPANRING_STRING_VALUE_MAX + 1u) : 0);
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

void spanring_event(struct spanring_span span, struct spanring_key *name) {
	struct spanring__thread *self;
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	uint32_t id = key_id(name);
	uint64_t now = ticks_now(self->clock_kind);
	if (!ring_writer_reserve(self, 1)) {
		ring_order_put(&self->header->dropped_events, ++self->dropped_events);
		return;
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
}

void spanring_set_status(struct spanring_span span, enum spanring_status status, const char *description) {
	struct spanring__thread *self;
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	if ((unsigned)status > SPANRING_STATUS_ERROR) {
		spanring__process_count_misuse();
		return;
	}
	uint8_t others = (uint8_t)(entry->tail.bits & ~(SPANRING_BITS_STATUS_MASK << SPANRING_BITS_STATUS_SHIFT));
	ring_order_put(&entry->tail.bits, (uint8_t)(others | (unsigned)status << SPANRING_BITS_STATUS_SHIFT));
	if (status == SPANRING_STATUS_ERROR && description)
		spanring_set_string(span, &status_description_key, description);
}
