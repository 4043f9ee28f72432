/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of traces that are not kept, while nobody wants statistics: not on the stack, no clock, no id. A thread only knows
 * how many of them are open. Each counts as begun and ended at once, when it ends.
 *
 * A span with an explicit parent of a trace that is kept may begin inside. It goes on the stack, above a mark (an entry of
 * type CONTEXT_UNSAMPLED that names no span) which holds the number for the time when it is gone.
 */
#ifndef SPANRING_LIBSHM_MUTED_H
#define SPANRING_LIBSHM_MUTED_H

#include "control_words.h"
#include "ring_writer.h"

#define MUTED_MARK_REF 1u /* tail.ref of a mark; 0 in a context */

static inline struct spanring_span muted_handle(void) {
	struct spanring_span span = {SPANRING__MUTED};
	return span;
}

/* The first one; trace_lo: of the trace that is not kept. */
static inline void muted_start(struct spanring__thread *self, struct ring_writer_parent parent) {
	self->muted = 1;
	self->control = 0;
	self->muted_trace_hi = parent.trace_hi;
	self->muted_trace_lo = parent.trace_lo;
}

static inline bool muted_is_mark(const struct spanring_open_span *entry) {
	return entry->tail.type == SPANRING_ENTRY_CONTEXT_UNSAMPLED && entry->tail.ref == MUTED_MARK_REF;
}

/* Put the number aside; there is room above top. Returns the new top. */
static inline struct spanring_open_span *muted_mark(struct spanring__thread *self, struct spanring_open_span *top) {
	struct ring_writer_parent parent = {self->muted_trace_hi, self->muted_trace_lo, 0};
	ring_writer_fill(self, top, ring_writer_tail_word(MUTED_MARK_REF, SPANRING_ENTRY_CONTEXT_UNSAMPLED, 0, 0),
	                 parent);
	ring_order_put(&top->event_count, self->muted);
	ring_order_begun_open_publish(self->header, self->begun_open);
	self->muted = 0;
	return top + 1;
}

/* And take it up again. */
static inline void muted_unmark(struct spanring__thread *self, struct spanring_open_span *mark) {
	self->muted = mark->event_count;
	self->muted_trace_hi = mark->trace_hi;
	self->muted_trace_lo = mark->trace_lo;
}

#endif
