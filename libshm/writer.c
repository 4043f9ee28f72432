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
#include "span_heap.h"
#include "tables.h"
#include "thread_ring.h"
#include <errno.h>

static bool is_enabled(void) {
	const uint32_t *word = __atomic_load_n(&spanring__enabled, __ATOMIC_RELAXED);
	return likely(__atomic_load_n(word, __ATOMIC_RELAXED) != 0);
}

/* id and tag of a site in the order of a record's tail; 0: not interned yet. */
static inline uint64_t site_word(const struct spanring_site *site) {
	return __atomic_load_n((const ring_order_word *)(const void *)&site->id, __ATOMIC_RELAXED);
}

static void intern_site(struct spanring_site *site) {
	int saved_errno = errno;
	struct spanring__process *process = spanring__process_lock();
	if (process) {
		if (site->kind > SPANRING_KIND_CONSUMER)
			ring_order_put(&site->kind, (uint8_t)SPANRING_KIND_INTERNAL);
		uint32_t id = spanring__tables_site(process->tables, process->header, site);
		__atomic_store_n((ring_order_word *)(void *)&site->id,
		                 ring_writer_tail_word(id, SPANRING_RECORD_SPAN, site->kind, 0), __ATOMIC_RELEASE);
		spanring__process_unlock(process);
	}
	errno = saved_errno;
}

/* Everything that happens once: this thread's ring, this site's number. NULL: no span. */
static __attribute__((noinline, cold)) struct spanring__thread *prepare(struct spanring_site *site) {
	struct spanring__thread *self = spanring__self;
	if (!is_enabled())
		return NULL;
	if (self->live == 0)
		self = spanring__thread_attach();
	if (!self)
		return NULL;
	if (self->live == SPANRING__RINGLESS) {
		spanring__process_count_no_ring();
		return NULL;
	}
	if (site_word(site) == 0)
		intern_site(site);
	return self;
}

static inline bool is_prepared(const struct spanring__thread *self, const struct spanring_site *site) {
	return likely(ring_writer_has_ring(self)) && likely(site_word(site) != 0);
}

/* Any clock, any parent, any state of thread and site. */
static struct spanring_span begin_any(struct spanring__thread *self, uint64_t tail_word,
                                      struct ring_writer_parent parent) {
	struct spanring_span empty = {0};
	if (self->top == self->stack_end) {
		spanring__ring_drop_deep(self);
		return empty;
	}
	struct spanring_open_span *entry = ring_writer_fill(self, tail_word, parent);
	if (unlikely(self->live == SPANRING__LIVE_HEAP))
		span_heap_mark(self, entry);
	return ring_writer_open(self, entry, ticks_now(self->clock_kind));
}

static __attribute__((noinline)) struct spanring_span begin_with_thought(struct spanring_site *site) {
	struct spanring_span empty = {0};
	struct spanring__thread *self = spanring__self;
	if (!is_prepared(self, site))
		self = prepare(site);
	return self ? begin_any(self, site_word(site), ring_writer_implicit_parent(self)) : empty;
}

struct spanring_span spanring__begin_enabled(struct spanring_site *site) {
	struct spanring__thread *self = spanring__self;
	uint64_t word = site_word(site);
	if (unlikely(self->live != SPANRING__LIVE_COUNTER || word == 0 || self->top == self->stack_end))
		return begin_with_thought(site);
	struct spanring_open_span *entry = ring_writer_fill(self, word, ring_writer_implicit_parent(self));
	return ring_writer_open(self, entry, ticks_counter());
}

struct spanring_span spanring_begin_site(struct spanring_site *site) {
	struct spanring_span empty = {0};
	return is_enabled() ? spanring__begin_enabled(site) : empty;
}

static struct ring_writer_parent explicit_parent(struct spanring__thread *self,
                                                 const struct spanring_context *context) {
	if (context->trace_hi == 0 && context->trace_lo == 0)
		return ring_writer_new_trace(self);
	struct ring_writer_parent parent = {context->trace_hi, context->trace_lo, context->span_id};
	return parent;
}

/* Bits of a span that was begun with options. */
static uint8_t bits_of(const struct spanring_site *site, const struct spanring_begin_options *options) {
	uint8_t bits = site->kind;
	const struct spanring_context *parent = options->parent;
	if (options->has_kind && options->kind >= 0 && options->kind <= SPANRING_KIND_CONSUMER)
		bits = (uint8_t)options->kind;
	if (parent && (parent->trace_hi != 0 || parent->trace_lo != 0))
		bits |= SPANRING_BITS_REMOTE_PARENT;
	return bits;
}

struct spanring_span spanring_begin_with(struct spanring_site *site, const struct spanring_begin_options *options) {
	struct spanring_span empty = {0};
	struct spanring__thread *self = spanring__self;
	if (!is_enabled())
		return empty;
	if (!options)
		return spanring__begin_enabled(site);
	if (!is_prepared(self, site))
		self = prepare(site);
	if (!self)
		return empty;
	uint64_t word = ring_writer_tail_word(__atomic_load_n(&site->id, __ATOMIC_RELAXED), SPANRING_RECORD_SPAN,
	                                      bits_of(site, options), 0);
	return begin_any(self, word,
	                 options->parent ? explicit_parent(self, options->parent) : ring_writer_implicit_parent(self));
}

struct spanring_open_span *spanring__writer_find(struct spanring_span span, struct spanring__thread **ret_self) {
	struct spanring__thread *self = ring_writer_self();
	if (span.span_id == 0)
		return NULL;
	if (self) {
		for (struct spanring_open_span *entry = self->top; entry != self->stack; entry--) {
			if (entry[-1].span_id == span.span_id) {
				*ret_self = self;
				return &entry[-1];
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
	uint64_t tail;
	memcpy(&tail, &from->tail, sizeof(tail));
	ring_order_entry_tail_put(to, tail);
	ring_order_entry_counts_put(to, ring_order_entry_counts_get(from));
}

static void move_to_top(struct spanring__thread *self, struct spanring_open_span *entry) {
	struct spanring_open_span *top = self->top - 1;
	struct spanring_open_span moved = *entry;
	if (self->live == SPANRING__LIVE_HEAP)
		span_heap_move_to_top(self, entry);
	for (; entry < top; entry++)
		move_entry(entry, entry + 1);
	move_entry(top, &moved);
}

/* Any clock, any place in the stack, any handle. */
static __attribute__((noinline)) void end_with_thought(struct spanring_span span) {
	struct spanring__thread *self = ring_writer_self();
	uint64_t now = self ? ticks_now(self->clock_kind) : 0;
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	if (entry != self->top - 1)
		move_to_top(self, entry);
	spanring__ring_end_top(self, now, 0);
}

/* The usual end of a thread whose heap is counted, else the long way. */
static __attribute__((noinline)) void end_counted(struct spanring_span span) {
	struct spanring__thread *self = spanring__self;
	if (self->live != SPANRING__LIVE_HEAP || self->top == self->stack || self->top[-1].span_id != span.span_id) {
		end_with_thought(span);
		return;
	}
	uint64_t now = ticks_now(self->clock_kind);
	ring_writer_end_top(self, now, span_heap_word(self, self->top - 1),
	                    ring_writer_tail_word(0, 0, SPANRING_BITS_HEAP, 0));
}

void spanring_end_span(struct spanring_span span) {
	struct spanring__thread *self = spanring__self;
	if (unlikely(self->live != SPANRING__LIVE_COUNTER || self->top == self->stack ||
	             self->top[-1].span_id != span.span_id)) {
		end_counted(span);
		return;
	}
	ring_writer_end_top(self, ticks_counter(), 0, 0);
}

struct spanring_context spanring_context_of(struct spanring_span span) {
	struct spanring_context context = {0, 0, 0, 0, 0};
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
	struct spanring_context context = {0, 0, 0, 0, 0};
	struct spanring__thread *self = ring_writer_self();
	if (self && self->top != self->stack) {
		const struct spanring_open_span *top = self->top - 1;
		context.trace_hi = top->trace_hi;
		context.trace_lo = top->trace_lo;
		context.span_id = top->span_id;
	}
	return context;
}
