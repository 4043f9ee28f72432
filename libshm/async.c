/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begin and end of async spans. The slot is written and published before the handle leaves, and freed after the record was
 * written, so that a kill at any point leaves a span that is either open or has ended (spanring/async_abi.h).
 *
 * Whoever ends one may be a thread that never began a span: it gets its ring here. A thread that cannot have one ends the span
 * without a record, counted as dropped_no_ring.
 */
#include "async_span.h"
#include "process.h"
#include "ring_end.h"
#include "statistics.h"
#include "thread_ring.h"
#include "writer.h"
#include <spanring/async.h>

#define MANY_STEP 64u /* slots taken at once */

static const struct spanring_async empty = {0, 0, 0};

/* --- begin -------------------------------------------------------------------------------------------------------- */

static struct spanring_async begin_slot(struct spanring__async_table *table, const struct spanring__begin *begin,
                                        uint32_t index, uint64_t now) {
	struct spanring_async_slot *slot = &table->slots[index];
	struct spanring_async span = {.span_id = ids_next_span(&begin->self->ids), .slot = index};
	span.generation = spanring__async_table_generation(table, index);
	ring_order_put(&slot->span.span_id, span.span_id);
	ring_order_put(&slot->span.parent_id, begin->parent.span_id);
	ring_order_put(&slot->span.trace_hi, begin->parent.trace_hi);
	ring_order_put(&slot->span.trace_lo, begin->parent.trace_lo);
	ring_order_put(&slot->span.start_ticks, now);
	ring_order_entry_tail_put(&slot->span, begin->tail_word);
	ring_order_entry_counts_put(&slot->span, 0);
	ring_order_put(&slot->begin_tid, ring_order_get(&begin->self->header->tid));
	ring_order_async_state_publish(slot, (uint64_t)span.generation << SPANRING_ASYNC_GENERATION_SHIFT |
	                                         SPANRING_ASYNC_OPEN);
	spanring__async_table_open(table, index);
	return span;
}

static void drop(struct spanring__thread *self) {
	spanring__process_count_dropped_async();
	spanring__ring_drop_deep(self);
}

static struct spanring_async begin_one(struct spanring_site *site, const struct spanring_begin_options *options) {
	struct spanring__begin begin;
	struct spanring_async span = empty;
	uint32_t index;
	if (!spanring__writer_prepare(site, options, &begin))
		return empty;
	struct spanring__process *process = spanring__process_get();
	if (likely(spanring__async_table_take(process, 1, &index) == 1))
		span = begin_slot(&process->async, &begin, index, ticks_now(begin.self->clock_kind));
	else
		drop(begin.self);
	ring_writer_give(begin.self, begin.top);
	return span;
}

struct spanring_async spanring_async_begin(struct spanring_site *site) {
	return begin_one(site, NULL);
}

struct spanring_async spanring_async_begin_with(struct spanring_site *site,
                                                const struct spanring_begin_options *options) {
	return begin_one(site, options);
}

/* Some of many; ret_is_root: each one is a trace of its own, so they are begun one by one. */
static uint32_t begin_step(struct spanring_site *site, const struct spanring_begin_options *options, uint32_t count,
                           uint64_t *now, bool *ret_is_root, struct spanring_async *ret_spans) {
	uint32_t slots[MANY_STEP];
	struct spanring__begin begin;
	if (!spanring__writer_prepare(site, options, &begin))
		return 0;
	struct spanring__process *process = spanring__process_get();
	uint32_t taken = spanring__async_table_take(process, count, slots);
	if (*now == 0)
		*now = ticks_now(begin.self->clock_kind);
	*ret_is_root = begin.parent.span_id == 0;
	for (uint32_t i = 0; i < taken; i++)
		ret_spans[i] = begin_slot(&process->async, &begin, slots[i], *now);
	for (uint32_t i = taken; i < count; i++)
		drop(begin.self);
	ring_writer_give(begin.self, begin.top);
	return taken;
}

uint32_t spanring_async_begin_many(struct spanring_site *site, const struct spanring_context *parent, uint32_t count,
                                   struct spanring_async *ret_spans) {
	const struct spanring_begin_options options = {parent, 0, false};
	bool is_root = true; /* until the first one has told */
	uint64_t now = 0;
	uint32_t begun = 0;
	for (uint32_t at = 0, step; at < count; at += step) {
		step = is_root ? 1 : MANY_STEP;
		step = count - at < step ? count - at : step;
		begun += begin_step(site, &options, step, &now, &is_root, ret_spans + begun);
	}
	for (uint32_t i = begun; i < count; i++)
		ret_spans[i] = empty;
	return begun;
}

/* --- use ---------------------------------------------------------------------------------------------------------- */

/*
 * This thread's state, attached if it was not yet; it may have no ring. NULL: tracing has stopped, or a signal handler interrupted a
 * function of this library.
 */
static struct spanring__thread *find_self(void) {
	struct spanring__thread *self = spanring__self;
	if (unlikely(ring_writer_is_busy(self)))
		return NULL;
	if (likely(self->live != 0))
		return self;
	return spanring__process_is_locked_here() ? NULL : spanring__thread_attach();
}

struct spanring__thread *spanring__async_use(struct spanring_async span, struct spanring_async_slot **ret_slot) {
	struct spanring__process *process = spanring__process_get();
	if (span.span_id == 0)
		return NULL;
	*ret_slot = process ? spanring__async_table_use(&process->async, span) : NULL;
	struct spanring__thread *self = *ret_slot ? find_self() : NULL;
	if (likely(self && ring_writer_has_ring(self)))
		return self;
	if (*ret_slot)
		spanring__async_unuse(span);
	if (!self)
		spanring__process_count_misuse();
	return NULL;
}

void spanring__async_unuse(struct spanring_async span) {
	spanring__async_table_unuse(&spanring__process_get()->async, span.slot);
}

struct spanring_context spanring_async_context(struct spanring_async span) {
	struct spanring_context context = {0, 0, 0, 0, 0};
	struct spanring__process *process = spanring__process_get();
	if (span.span_id == 0)
		return context;
	const struct spanring_async_slot *slot = process ? spanring__async_table_use(&process->async, span) : NULL;
	if (!slot) {
		spanring__process_count_misuse();
		return context;
	}
	context.trace_hi = ring_order_get(&slot->span.trace_hi);
	context.trace_lo = ring_order_get(&slot->span.trace_lo);
	context.span_id = span.span_id;
	if (ring_order_get(&slot->span.tail.type) == SPANRING_ENTRY_UNSAMPLED)
		context.flags = SPANRING_CONTEXT_UNSAMPLED;
	spanring__async_unuse(span);
	return context;
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

static uint64_t end_count(const struct spanring__thread *self, enum spanring__fate fate) {
	switch (fate) {
	case SPANRING__FATE_FULL:
		return self->dropped_full + 1;
	case SPANRING__FATE_SAMPLED:
		return ring_order_get(&self->header->sampled_out) + 1;
	case SPANRING__FATE_SHORT:
		return ring_order_get(&self->header->sampled_out_short) + 1;
	default:
		return ring_writer_position(self);
	}
}

static void copy_entry(struct spanring_open_span *to, const struct spanring_open_span *from) {
	uint64_t tail = ring_order_entry_tail_get(from);
	to->span_id = ring_order_get(&from->span_id);
	to->parent_id = ring_order_get(&from->parent_id);
	to->trace_hi = ring_order_get(&from->trace_hi);
	to->trace_lo = ring_order_get(&from->trace_lo);
	to->start_ticks = ring_order_get(&from->start_ticks);
	memcpy(&to->tail, &tail, sizeof(tail));
}

/* The order that async_abi.h promises. */
static void end_slot(struct spanring__thread *self, struct spanring_async_slot *slot, uint64_t generation,
                     uint64_t now) {
	struct spanring_open_span *top = ring_writer_take(self);
	struct spanring_open_span entry;
	uint64_t tail_word;
	copy_entry(&entry, &slot->span);
	memcpy(&tail_word, &entry.tail, sizeof(tail_word));
	uint64_t duration = now > entry.start_ticks ? now - entry.start_ticks : 0;
	enum spanring__fate fate = spanring__ring_fate(self, &entry, now, duration);
	ring_order_put(&slot->end_count, end_count(self, fate));
	ring_order_put(&slot->end_ring, self->ring_index);
	ring_order_async_state_publish(slot, generation | fate);
	spanring__ring_fulfil(self, fate, &entry, tail_word, now, duration, 0);
	spanring__statistics_count(self, tail_word, duration, 0, false);
	self->begun_open += RING_BEGUN_ONE;
	ring_order_begun_open_publish(self->header, self->begun_open);
	ring_order_async_state_publish(slot, generation | SPANRING_ASYNC_FREE);
	ring_writer_publish_due(self, now);
	ring_writer_give(self, top);
}

static void end_one(struct spanring__process *process, struct spanring__thread *self, struct spanring_async span,
                    uint64_t now) {
	struct spanring_async_slot *slot = process && self ? spanring__async_table_close(&process->async, span) : NULL;
	uint64_t generation = (uint64_t)span.generation << SPANRING_ASYNC_GENERATION_SHIFT;
	if (!slot) {
		spanring__process_count_misuse();
		return;
	}
	if (likely(ring_writer_has_ring(self))) {
		end_slot(self, slot, generation, now);
	} else {
		spanring__process_count_no_ring();
		ring_order_async_state_publish(slot, generation | SPANRING_ASYNC_FREE);
	}
	spanring__async_table_closed(&process->async, span.slot);
}

void spanring_async_end_many(const struct spanring_async *spans, uint32_t count) {
	struct spanring__process *process = spanring__process_get();
	struct spanring__thread *self = NULL;
	uint64_t now = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (spans[i].span_id == 0)
			continue;
		/* A process without a table has no handle that is not stale, and does not attach for one. */
		if (!self && process && __atomic_load_n(&process->async.places, __ATOMIC_RELAXED)) {
			self = find_self();
			now = self && ring_writer_has_ring(self) ? ticks_now(self->clock_kind) : 0;
		}
		end_one(process, self, spans[i], now);
	}
}

void spanring_async_end(struct spanring_async span) {
	spanring_async_end_many(&span, 1);
}
