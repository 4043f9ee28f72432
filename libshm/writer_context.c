/* SPDX-License-Identifier: Apache-2.0 */
/* What a span hands on to those that are begun elsewhere: the ids of its trace, and whether the trace is kept. */
#include "writer.h"

/* A sampler that keeps nothing makes no ids. Who asks for them gets some, the same for the whole trace: they go to its root. */
static void name_trace(struct spanring__thread *self, struct spanring_open_span *entry) {
	struct spanring_open_span *root = entry;
	while (root != self->stack && root[-1].tail.type == SPANRING_ENTRY_UNSAMPLED && root->trace_hi == 0)
		root--;
	if (root->trace_hi == 0) {
		struct ring_writer_parent parent = ring_writer_new_trace(self);
		ring_order_put(&root->trace_hi, parent.trace_hi);
		ring_order_put(&root->trace_lo, parent.trace_lo);
	}
	ring_order_put(&entry->trace_hi, root->trace_hi);
	ring_order_put(&entry->trace_lo, root->trace_lo);
}

static struct spanring_context context_of_entry(struct spanring__thread *self, struct spanring_open_span *entry) {
	if (entry->tail.type == SPANRING_ENTRY_UNSAMPLED && entry->trace_hi == 0)
		name_trace(self, entry);
	struct spanring_context context = {entry->trace_hi, entry->trace_lo, entry->span_id, 0, 0};
	if (entry->tail.type == SPANRING_ENTRY_UNSAMPLED)
		context.span_id ^= SPANRING__UNSAMPLED_BIT;
	if (!ring_writer_is_recorded(entry))
		context.flags = SPANRING_CONTEXT_UNSAMPLED;
	return context;
}

/* Muted spans have no ids; who asks gets that of their trace, and a span id that no span has. */
static struct spanring_context muted_context(struct spanring__thread *self) {
	if (self->muted_trace_lo == 0) {
		self->muted_trace_lo = ids_next_trace_lo(&self->ids);
		self->muted_trace_hi = self->ids.trace_hi;
	}
	struct spanring_context context = {self->muted_trace_hi, self->muted_trace_lo, ids_next_span(&self->ids),
	                                   SPANRING_CONTEXT_UNSAMPLED, 0};
	return context;
}

struct spanring_context spanring_context_of(struct spanring_span span) {
	struct spanring_context context = {0, 0, 0, 0, 0};
	struct spanring__thread *self = ring_writer_self();
	if (span.span_id == SPANRING__MUTED && self && self->muted != 0)
		return muted_context(self);
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	return entry ? context_of_entry(self, entry) : context;
}

struct spanring_context spanring_context_current(void) {
	struct spanring_context context = {0, 0, 0, 0, 0};
	struct spanring__thread *self = ring_writer_self();
	if (self && self->muted != 0)
		return muted_context(self);
	return self && self->top != self->stack ? context_of_entry(self, self->top - 1) : context;
}
