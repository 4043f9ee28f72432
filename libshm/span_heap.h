/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap bytes of a span: the counters of this thread (spanring/heap.h) at its begin, kept beside the stack in the thread's
 * private state, and what they have gone up by at its end. Only for a thread that is SPANRING__LIVE_HEAP.
 */
#ifndef SPANRING_LIBSHM_SPAN_HEAP_H
#define SPANRING_LIBSHM_SPAN_HEAP_H

#include "ring_writer.h"
#include <string.h>

static inline struct spanring__heap_mark span_heap_now(const struct spanring__thread *self) {
	struct spanring__heap_mark mark = {self->heap->allocated_bytes, self->heap->freed_bytes};
	return mark;
}

/* At the begin of the span that takes this entry. */
static inline void span_heap_mark(struct spanring__thread *self, const struct spanring_open_span *entry) {
	self->heap_marks[entry - self->stack] = span_heap_now(self);
}

/* Goes with its entry, which becomes the innermost one, in the place `last`. */
static inline void span_heap_move_to_top(struct spanring__thread *self, const struct spanring_open_span *entry,
                                         const struct spanring_open_span *last) {
	size_t at = (size_t)(entry - self->stack);
	size_t top = (size_t)(last - self->stack);
	struct spanring__heap_mark moved = self->heap_marks[at];
	memmove(&self->heap_marks[at], &self->heap_marks[at + 1], (top - at) * sizeof(moved));
	self->heap_marks[top] = moved;
}

/* Nearest unit; no sum of real sizes comes near 2^63. */
static inline uint64_t span_heap_units(uint64_t bytes) {
	return (bytes + SPANRING_HEAP_UNIT_BYTES / 2) / SPANRING_HEAP_UNIT_BYTES;
}

/* heap_alloc_units and heap_net_units of the record, in one word. */
static inline uint64_t span_heap_word(const struct spanring__thread *self, const struct spanring_open_span *entry) {
	const struct spanring__heap_mark *mark = &self->heap_marks[entry - self->stack];
	struct spanring__heap_mark now = span_heap_now(self);
	uint64_t allocated = now.allocated_bytes - mark->allocated_bytes;
	uint64_t freed = now.freed_bytes - mark->freed_bytes;
	bool is_loss = freed > allocated;
	uint64_t units = span_heap_units(allocated);
	uint64_t net_units = span_heap_units(is_loss ? freed - allocated : allocated - freed);
	struct {
		uint32_t alloc_units;
		int32_t net_units;
	} fields = {
	    .alloc_units = units > UINT32_MAX ? UINT32_MAX : (uint32_t)units,
	    .net_units = net_units > INT32_MAX ? INT32_MAX : (int32_t)net_units,
	};
	if (is_loss)
		fields.net_units = -fields.net_units;
	uint64_t word;
	memcpy(&word, &fields, sizeof(word));
	return word;
}

#endif
