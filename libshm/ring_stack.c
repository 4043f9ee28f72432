/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_stack.h"

#include "base/errs.h"
#include "ring_order.h"
#include "shared_file.h"

#include <spanring/spanring.h>

#define LIVING_TRIES 16u

/* One look at the word, a copy of what it counts. */
static int copy_stack(const struct ring_reader *reader, struct ring_stack *stack, uint64_t *ret_begun_open) {
	uint64_t begun_open;
	int rc = ring_reader_begun_open(reader, &begun_open); /* acquire: pairs with begun_open_publish */
	if (rc < 0)
		return rc;
	uint64_t open = begun_open & SPANRING_OPEN_MASK;
	if (open > SPANRING_DEPTH_MAX || open > begun_open >> SPANRING_BEGUN_SHIFT)
		return ERR_DAMAGED;
	stack->count = (uint32_t)open;
	stack->refused = stack->unsampled = stack->contexts = 0;
	*ret_begun_open = begun_open;
	return shared_file_read(reader->fd, stack->spans, open * sizeof(stack->spans[0]), SPANRING_RING_STACK_OFFSET);
}

static int copy_living(const struct ring_reader *reader, struct ring_stack *stack) {
	for (uint32_t i = 0; i < LIVING_TRIES; i++) {
		uint64_t before;
		uint64_t after;
		int rc = copy_stack(reader, stack, &before);
		if (rc < 0)
			return rc;
		/* The copy is complete before the word is looked at again (pair STACK, as a sequence lock). */
		ring_order_full_fence();
		rc = ring_reader_begun_open(reader, &after);
		if (rc < 0)
			return rc;
		if (before == after)
			return 0;
	}
	return -EAGAIN;
}

/* Id of the span whose record is the last of the ring; 0 if that is no span. */
static int last_span_id(const struct ring_reader *reader, uint64_t end, uint64_t *ret_id) {
	union spanring_record record;
	*ret_id = 0;
	if (end == 0)
		return 0;
	int rc = ring_reader_read(reader, end - 1, 1, &record);
	if (rc == 0 && ring_reader_valid(reader, end - 1, 1, &record) == 1 &&
	    record.span.tail.type == SPANRING_RECORD_SPAN)
		*ret_id = record.span.span_id;
	return rc;
}

static bool is_sound(const struct spanring_open_span *span) {
	uint8_t kind = span->tail.bits & SPANRING_BITS_KIND_MASK;
	uint8_t status = (uint8_t)(span->tail.bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
	return span->span_id != 0 && (span->trace_hi | span->trace_lo) != 0 && span->tail.ref != 0 &&
	       span->tail.ref <= SPANRING_SITES_MAX && kind <= SPANRING_KIND_CONSUMER &&
	       status <= SPANRING_STATUS_ERROR;
}

static bool is_known(const struct ring_stack *stack, uint32_t count, uint64_t span_id) {
	for (uint32_t i = 0; i < count; i++)
		if (stack->spans[i].span_id == span_id)
			return true;
	return false;
}

static bool is_context(const struct spanring_open_span *entry) {
	return entry->tail.type == SPANRING_ENTRY_CONTEXT || entry->tail.type == SPANRING_ENTRY_CONTEXT_UNSAMPLED;
}

static void keep_sound(struct ring_stack *stack) {
	uint32_t kept = 0;
	for (uint32_t i = 0; i < stack->count; i++) {
		const struct spanring_open_span entry = stack->spans[i];
		if (is_context(&entry)) {
			stack->contexts++;
		} else if (entry.tail.type == SPANRING_ENTRY_UNSAMPLED) {
			stack->unsampled++;
		} else if (entry.tail.type != SPANRING_RECORD_SPAN || !is_sound(&entry) ||
		           is_known(stack, kept, entry.span_id)) {
			stack->refused++;
		} else {
			stack->places[kept] = (uint8_t)i;
			stack->spans[kept++] = entry;
		}
	}
	stack->count = kept;
}

/* Is this the entry of the span with that record? */
static bool has_ended(const struct spanring_open_span *entry, uint64_t ended_id) {
	return ended_id != 0 && entry->tail.type == SPANRING_RECORD_SPAN && entry->span_id == ended_id;
}

int ring_stack_read(const struct ring_reader *reader, bool living, uint64_t end, struct ring_stack *ret_stack) {
	uint64_t begun_open;
	uint64_t ended_id = 0;
	int rc = living ? copy_living(reader, ret_stack) : copy_stack(reader, ret_stack, &begun_open);
	if (rc == 0 && !living)
		rc = last_span_id(reader, end, &ended_id);
	if (rc < 0)
		return rc;
	if (ret_stack->count > 0 && has_ended(&ret_stack->spans[ret_stack->count - 1], ended_id))
		ret_stack->count--;
	keep_sound(ret_stack);
	return 0;
}

int ring_stack_contexts(const struct ring_reader *reader, bool living, uint32_t *ret_count) {
	struct ring_stack stack;
	uint64_t begun_open;
	int rc = living ? copy_living(reader, &stack) : copy_stack(reader, &stack, &begun_open);
	if (rc < 0)
		return rc;
	*ret_count = 0;
	for (uint32_t i = 0; i < stack.count; i++)
		*ret_count += is_context(&stack.spans[i]);
	return 0;
}
