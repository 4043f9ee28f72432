/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context of a thread, as an entry of its stack: what begins above it becomes its child without another question in begin.
 * The entry holds the ids of the context; parent_id, which a context has not, is the number of the attachment. begun_open
 * counts it like a span as long as it is there (spanring/ring_abi.h).
 */
#include "control_words.h"
#include "muted.h"
#include "process.h"
#include "thread_ring.h"
#include "writer.h"
#include <spanring/async.h>

static struct spanring_attachment push(struct spanring__thread *self, struct spanring_open_span *top,
                                       const struct spanring_context *context) {
	uint8_t type =
	    spanring__writer_keeps(self, context) ? SPANRING_ENTRY_CONTEXT : SPANRING_ENTRY_CONTEXT_UNSAMPLED;
	struct ring_writer_parent parent = {context->trace_hi, context->trace_lo, 0};
	if (self->muted != 0)
		top = muted_mark(self, top);
	ring_writer_fill(self, top, ring_writer_tail_word(0, type, 0, 0), parent);
	struct spanring_attachment attachment = {top->span_id};
	ring_order_put(&top->parent_id, attachment.id);
	ring_order_put(&top->span_id, context->span_id);
	control_words_restart(self, top + 1);
	ring_writer_open(self, top, 0);
	return attachment;
}

/* Nothing is begun here, so nothing is counted where there is no ring. */
static struct spanring__thread *find_self(uint32_t control) {
	struct spanring__thread *self = spanring__self;
	if (ring_writer_is_busy(self) || (self->live == 0 && spanring__process_is_locked_here()))
		return NULL;
	if (self->live == 0)
		self = spanring__thread_attach();
	return self && ring_writer_has_ring(self) ? spanring__writer_thread(control) : NULL;
}

struct spanring_attachment spanring_context_attach(const struct spanring_context *context) {
	struct spanring_attachment none = {0};
	const uint32_t *enabled = __atomic_load_n(&spanring__enabled, __ATOMIC_RELAXED);
	uint32_t control = __atomic_load_n(enabled, __ATOMIC_RELAXED);
	if (control == 0 || context->span_id == 0 || (context->trace_hi | context->trace_lo) == 0)
		return none;
	struct spanring__thread *self = find_self(control);
	if (!self)
		return none;
	struct spanring_open_span *top = ring_writer_take(self);
	/* A mark may be needed, too. */
	if (self->stack_end - top < (self->muted != 0 ? 2 : 1)) {
		ring_writer_give(self, top);
		spanring__process_count_dropped_context();
		return none;
	}
	return push(self, top, context);
}

void spanring_context_detach(struct spanring_attachment attachment) {
	struct spanring__thread *self = ring_writer_self();
	if (attachment.id == 0)
		return;
	struct spanring_open_span *top = self ? ring_writer_take(self) : NULL;
	struct spanring_open_span *entry = top;
	while (self && entry != self->stack &&
	       !(ring_writer_is_context(&entry[-1]) && entry[-1].parent_id == attachment.id))
		entry--;
	bool is_there = self && entry != self->stack;
	if (is_there && entry != top)
		spanring__writer_move_to_top(self, entry - 1, top - 1);
	if (is_there) {
		control_words_restart(self, top - 1);
		ring_writer_uncount(self, top - 1);
	} else if (self) {
		ring_writer_give(self, top);
	}
	if (!is_there || entry != top)
		spanring__process_count_misuse();
}
