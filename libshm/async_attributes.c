/* SPDX-License-Identifier: Apache-2.0 */
/* What an async span carries. The records go into the ring of the calling thread; the span counts them in its slot. */
#include "async_span.h"
#include "process.h"
#include "writer_attributes.h"

/* The slot is kept and the stack taken until leave_place. */
static bool find_place(struct spanring_async span, struct spanring__place *ret_place) {
	struct spanring_async_slot *slot;
	ret_place->self = spanring__async_use(span, &slot);
	if (!ret_place->self)
		return false;
	ret_place->entry = &slot->span;
	ret_place->event_index = 0;
	ret_place->is_shared = true;
	ret_place->top = ring_writer_take(ret_place->self);
	return true;
}

static void leave_place(const struct spanring__place *place, struct spanring_async span) {
	ring_writer_give(place->self, place->top);
	spanring__async_unuse(span);
}

static void set_number(struct spanring_async span, struct spanring_key *key, uint8_t value_type, uint64_t value) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_number(&place, key, value_type, value);
		leave_place(&place, span);
	}
}

void spanring_async_set_bool(struct spanring_async span, struct spanring_key *key, bool value) {
	set_number(span, key, SPANRING_VALUE_BOOL, value ? 1 : 0);
}

void spanring_async_set_i64(struct spanring_async span, struct spanring_key *key, int64_t value) {
	set_number(span, key, SPANRING_VALUE_I64, (uint64_t)value);
}

void spanring_async_set_u64(struct spanring_async span, struct spanring_key *key, uint64_t value) {
	set_number(span, key, SPANRING_VALUE_U64, value);
}

void spanring_async_set_f64(struct spanring_async span, struct spanring_key *key, double value) {
	uint64_t word;
	memcpy(&word, &value, sizeof(word));
	set_number(span, key, SPANRING_VALUE_F64, word);
}

void spanring_async_set_bytes(struct spanring_async span, struct spanring_key *key, const void *value,
                              uint64_t value_bytes) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_bytes(&place, key, value, value_bytes);
		leave_place(&place, span);
	}
}

void spanring_async_set_string(struct spanring_async span, struct spanring_key *key, const char *value) {
	spanring_async_set_bytes(span, key, value, SPANRING_TERMINATED);
}

void spanring_async_set_attributes(struct spanring_async span, const struct spanring_attribute *attributes,
                                   uint32_t count) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_attributes(&place, attributes, count);
		leave_place(&place, span);
	}
}

void spanring_async_event_with(struct spanring_async span, struct spanring_key *name,
                               const struct spanring_attribute *attributes, uint32_t count) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_event(&place, name, attributes, count);
		leave_place(&place, span);
	}
}

void spanring_async_event(struct spanring_async span, struct spanring_key *name) {
	spanring_async_event_with(span, name, NULL, 0);
}

void spanring_async_link(struct spanring_async span, const struct spanring_context *linked) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_link(&place, linked);
		leave_place(&place, span);
	}
}

void spanring_async_set_status(struct spanring_async span, enum spanring_status status, const char *description) {
	struct spanring__place place;
	if (find_place(span, &place)) {
		spanring__place_status(&place, status, description);
		leave_place(&place, span);
	}
}
