/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begin and end.
 *
 * ENDING OUT OF ORDER. The span to end is first moved to the top of the stack, then ended as any other. Depth does not change
 * in between, so the accounting is exact at every instant; but the entries between its place and the top are rewritten one by
 * one, and a reader that looks just then, or after a kill just there, can see one of them twice and the moved one not at all.
 */
#include "writer.h"
#include "process.h"
#include "tables.h"
#include "thread_ring.h"
#include <errno.h>

static bool is_enabled(void) {
	const uint32_t *word = __atomic_load_n(&spanring__enabled, __ATOMIC_RELAXED);
	return likely(__atomic_load_n(word, __ATOMIC_RELAXED) != 0);
}

static void intern_site(struct spanring_site *site) {
	int saved_errno = errno;
	struct spanring__process *process = spanring__process_lock();
	if (process) {
		if (site->kind > SPANRING_KIND_CONSUMER)
			ring_order_put(&site->kind, (uint8_t)SPANRING_KIND_INTERNAL);
		uint32_t id = spanring__tables_site(process->tables, process->header, site);
		__atomic_store_n(&site->id, id, __ATOMIC_RELEASE);
		spanring__process_unlock(process);
	}
	errno = saved_errno;
}

/* Everything that happens once: this thread's ring, this site's number. NULL: no span. */
static __attribute__((noinline, cold)) struct spanring__thread *prepare(struct spanring_site *site) {
	struct spanring__thread *self = spanring__self;
	if (!is_enabled())
		return NULL;
	if (!self || self->live == 0)
		self = spanring__thread_attach();
	if (!self)
		return NULL;
	if (self->live == SPANRING__RINGLESS) {
		spanring__process_count_no_ring();
		return NULL;
	}
	if (__atomic_load_n(&site->id, __ATOMIC_RELAXED) == 0)
		intern_site(site);
	return self;
}

static inline struct spanring__thread *ready(struct spanring_site *site) {
	struct spanring__thread *self = ring_writer_self();
	if (likely(self && is_enabled() && __atomic_load_n(&site->id, __ATOMIC_RELAXED) != 0))
		return self;
	return prepare(site);
}

struct spanring_span spanring_begin_site(struct spanring_site *site) {
	struct spanring_span empty = {0};
	struct spanring__thread *self = ready(site);
	if (unlikely(!self))
		return empty;
	return ring_writer_begin(self, __atomic_load_n(&site->id, __ATOMIC_RELAXED),
	                         site->kind & SPANRING_BITS_KIND_MASK, ring_writer_implicit_parent(self));
}

static struct ring_writer_parent explicit_parent(struct spanring__thread *self,
                                                 const struct spanring_context *context) {
	struct ring_writer_parent parent = {context->trace_hi, context->trace_lo, context->span_id,
	                                    SPANRING_BITS_REMOTE_PARENT};
	if (context->trace_hi == 0 && context->trace_lo == 0) {
		parent.trace_hi = self->ids.trace_hi;
		parent.trace_lo = ids_next_trace_lo(&self->ids);
		parent.span_id = 0;
		parent.bits = 0;
	}
	return parent;
}

struct spanring_span spanring_begin_with(struct spanring_site *site, const struct spanring_begin_options *options) {
	struct spanring_span empty = {0};
	uint8_t kind = site->kind & SPANRING_BITS_KIND_MASK;
	struct spanring__thread *self = ready(site);
	if (!self)
		return empty;
	if (options && options->has_kind && options->kind >= 0 && options->kind <= SPANRING_KIND_CONSUMER)
		kind = (uint8_t)options->kind;
	return ring_writer_begin(self, __atomic_load_n(&site->id, __ATOMIC_RELAXED), kind,
	                         options && options->parent ? explicit_parent(self, options->parent)
	                                                    : ring_writer_implicit_parent(self));
}

struct spanring_open_span *spanring__writer_find(struct spanring_span span, struct spanring__thread **ret_self) {
	struct spanring__thread *self = ring_writer_self();
	if (span.span_id == 0)
		return NULL;
	if (self) {
		for (uint32_t i = self->depth; i > 0; i--) {
			if (self->stack[i - 1].span_id == span.span_id) {
				*ret_self = self;
				return &self->stack[i - 1];
			}
		}
	}
	spanring__process_count_misuse();
	return NULL;
}

static void move_entry(struct spanring_open_span *to, const struct spanring_open_span *from) {
	ring_order_put(&to->span_id, from->span_id);
	ring_order_put(&to->parent_id, from->parent_id);
	ring_order_put(&to->trace_hi, from->trace_hi);
	ring_order_put(&to->trace_lo, from->trace_lo);
	ring_order_put(&to->start_ticks, from->start_ticks);
	ring_order_put(&to->site, from->site);
	ring_order_put(&to->bits, from->bits);
	ring_order_put(&to->event_count, from->event_count);
}

static __attribute__((noinline)) void end_out_of_order(struct spanring_span span, uint64_t now) {
	struct spanring__thread *self;
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	struct spanring_open_span *top = &self->stack[self->depth - 1];
	struct spanring_open_span moved = *entry;
	for (; entry < top; entry++)
		move_entry(entry, entry + 1);
	move_entry(top, &moved);
	ring_writer_end_top(self, now, 0);
}

void spanring_end_span(struct spanring_span span) {
	struct spanring__thread *self = ring_writer_self();
	if (unlikely(!self || span.span_id == 0)) {
		end_out_of_order(span, 0);
		return;
	}
	uint64_t now = ticks_now(self->clock_kind);
	if (likely(self->depth > 0 && self->stack[self->depth - 1].span_id == span.span_id))
		ring_writer_end_top(self, now, 0);
	else
		end_out_of_order(span, now);
}

struct spanring_context spanring_context_of(struct spanring_span span) {
	struct spanring_context context = {0, 0, 0};
	struct spanring__thread *self;
	const struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (entry) {
		context.trace_hi = entry->trace_hi;
		context.trace_lo = entry->trace_lo;
		context.span_id = entry->span_id;
	}
	return context;
}

struct spanring_context spanring_context_current(void) {
	struct spanring_context context = {0, 0, 0};
	struct spanring__thread *self = ring_writer_self();
	if (self && self->depth > 0) {
		const struct spanring_open_span *top = &self->stack[self->depth - 1];
		context.trace_hi = top->trace_hi;
		context.trace_lo = top->trace_lo;
		context.span_id = top->span_id;
	}
	return context;
}
