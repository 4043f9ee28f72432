/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The long way of the hot path: what a span needs that ends where something has to be thought about, and what the ring needs
 * where it is full, or where a reader may sleep.
 */
#include "ring_end.h"
#include "control.h"
#include "control_words.h"
#include "span_heap.h"
#include "statistics.h"

bool spanring__ring_refresh(struct spanring__thread *self, uint64_t records) {
	uint64_t capacity = self->mask + 1;
	uint64_t tail = ring_order_tail_read(self->header);
	uint64_t seen = self->limit - capacity;
	uint64_t position = ring_writer_position(self);
	/* Anything but a step forward to at most our own position is not from an agent that keeps the rules. */
	if (tail - seen <= position - seen)
		self->limit = tail + capacity;
	ring_writer_restop(self);
	if (self->limit - position >= records)
		return true;
	if (self->published != position)
		ring_writer_publish_head(self);
	return false;
}

static void drop_full(struct spanring__thread *self, uint64_t now) {
	if (self->dropped_full == 0)
		ring_order_put(&self->header->first_drop_ticks, now);
	ring_order_put(&self->header->last_drop_ticks, now);
	ring_order_put(&self->header->dropped_full, ++self->dropped_full);
}

/* Nanoseconds since attach are compared with ticks since attach: exact enough for a limit that people set. */
static bool is_too_short(const struct spanring__thread *self, const struct spanring_process_header *header,
                         uint32_t site, uint64_t now, uint64_t duration) {
	uint64_t min_ns = spanring__control_words_duration_min_ns(self, header, site);
	if (min_ns == 0)
		return false;
	double ns = (double)duration;
	if (self->clock_kind != SPANRING_CLOCK_MONOTONIC)
		ns *= (double)(ticks_clock_ns(CLOCK_MONOTONIC) - header->anchor_monotonic_ns) /
		      (double)(now - header->anchor_ticks);
	return ns < (double)min_ns;
}

enum spanring__fate spanring__ring_fate(struct spanring__thread *self, const struct spanring_open_span *entry,
                                        uint64_t now, uint64_t duration) {
	if (entry->tail.type != SPANRING_RECORD_SPAN)
		return SPANRING__FATE_SAMPLED;
	if (self->thinks && is_too_short(self, self->process_header, entry->tail.ref, now, duration))
		return SPANRING__FATE_SHORT;
	return likely(ring_writer_reserve(self, 1)) ? SPANRING__FATE_RECORD : SPANRING__FATE_FULL;
}

void spanring__ring_fulfil(struct spanring__thread *self, enum spanring__fate fate,
                           const struct spanring_open_span *entry, uint64_t tail_word, uint64_t now, uint64_t duration,
                           uint64_t heap_word) {
	switch (fate) {
	case SPANRING__FATE_SAMPLED:
		ring_order_add(&self->header->sampled_out, 1);
		break;
	case SPANRING__FATE_SHORT:
		ring_order_add(&self->header->sampled_out_short, 1);
		break;
	case SPANRING__FATE_FULL:
		drop_full(self, now);
		break;
	case SPANRING__FATE_RECORD:
		ring_writer_store_span_cached(self->slot, entry, duration, heap_word, tail_word | self->lap_word);
		ring_writer_advance(self);
		break;
	}
}

/*
 * The whole way, for the span that needs some thought: entry, the innermost one, has been taken. Record written or drop
 * counted first, then off the stack.
 */
__attribute__((noinline)) void spanring__ring_end(struct spanring__thread *self, struct spanring_open_span *entry,
                                                  uint64_t now, uint8_t extra_bits) {
	uint64_t start = entry->start_ticks;
	uint64_t duration = now > start ? now - start : 0;
	uint64_t heap_word = 0, tail_word;
	bool has_heap = self->live == SPANRING__LIVE_HEAP;
	if (has_heap) {
		heap_word = span_heap_word(self, entry);
		extra_bits |= SPANRING_BITS_HEAP;
	}
	memcpy(&tail_word, &entry->tail, sizeof(tail_word));
	tail_word |= ring_writer_tail_word(0, 0, extra_bits, 0);
	enum spanring__fate fate = spanring__ring_fate(self, entry, now, duration);
	spanring__ring_fulfil(self, fate, entry, tail_word, now, duration, heap_word);
	spanring__statistics_count(self, tail_word, duration, heap_word, has_heap);
	if (self->control == 0)
		control_words_restart(self, entry);
	ring_writer_close(self, entry);
	ring_writer_publish_due(self, now);
}

/* Begun and ended in one: `open` stays. The drop is counted before the word, as in an ordinary end. */
void spanring__ring_drop_deep(struct spanring__thread *self) {
	ring_order_put(&self->header->dropped_depth, ++self->dropped_depth);
	self->begun_open += RING_BEGUN_ONE;
	ring_order_begun_open_publish(self->header, self->begun_open);
}

/* Once per group of records, for who wants to know of the whole process. */
void spanring__ring_heap(struct spanring__thread *self) {
	struct spanring__heap_mark now = span_heap_now(self);
	self->heap_counted.allocated_bytes = self->heap_before.allocated_bytes + now.allocated_bytes;
	self->heap_counted.freed_bytes = self->heap_before.freed_bytes + now.freed_bytes;
	ring_order_put(&self->header->heap_allocated_bytes, self->heap_counted.allocated_bytes);
	ring_order_put(&self->header->heap_freed_bytes, self->heap_counted.freed_bytes);
}

void spanring__ring_crossed(struct spanring__thread *self) {
	spanring__control_ring(self->bell);
}
