/* SPDX-License-Identifier: Apache-2.0 */
/*
 * End: the record or the reason why there is none, the statistics, and one span less on the stack.
 *
 * ENDING OUT OF ORDER. The span to end is first moved to the top of the stack, then ended as any other. Depth does not change
 * in between, so the accounting is exact at every instant; but the entries between its place and the top are rewritten one by
 * one, and a reader that looks just then, or after a kill just there, can see one of them twice and the moved one not at all.
 */
#include "control_words.h"
#include "muted.h"
#include "process.h"
#include "span_heap.h"
#include "statistics.h"
#include "thread_ring.h"
#include "writer.h"

static inline bool is_entry_of(const struct spanring_open_span *entry, struct spanring_span span) {
	uint64_t difference = entry->span_id ^ span.span_id;
	return difference == 0 ||
	       (difference == SPANRING__UNSAMPLED_BIT && entry->tail.type == SPANRING_ENTRY_UNSAMPLED);
}

struct spanring_open_span *spanring__writer_find(struct spanring_span span, struct spanring__thread **ret_self) {
	struct spanring__thread *self = ring_writer_self();
	if (span.span_id == 0)
		return NULL;
	if (self) {
		for (struct spanring_open_span *entry = self->top; entry != self->stack; entry--) {
			if (is_entry_of(&entry[-1], span) && !ring_writer_is_context(&entry[-1])) {
				*ret_self = self;
				return &entry[-1];
			}
		}
		if (span.span_id == SPANRING__MUTED && self->muted != 0)
			return NULL;
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

void spanring__writer_move_to_top(struct spanring__thread *self, struct spanring_open_span *entry,
                                  struct spanring_open_span *last) {
	struct spanring_open_span moved = *entry;
	if (self->live == SPANRING__LIVE_HEAP)
		span_heap_move_to_top(self, entry, last);
	for (; entry < last; entry++)
		move_entry(entry, entry + 1);
	move_entry(last, &moved);
}

static inline void end_one_muted(struct spanring__thread *self, ring_order_word *count) {
	ring_order_add(count, 1);
	self->muted--;
}

/* Also where a mark is on top, or no muted span is open at all. */
static void end_muted(struct spanring__thread *self) {
	struct spanring_open_span *top = ring_writer_take(self);
	if (self->muted == 0 && top != self->stack && muted_is_mark(&top[-1])) {
		muted_unmark(self, --top);
		self->begun_open -= RING_BEGUN_ONE + RING_OPEN_ONE;
		ring_order_begun_open_publish(self->header, self->begun_open);
	}
	if (self->muted == 0)
		spanring__process_count_misuse();
	else
		end_one_muted(self, &self->header->muted);
	control_words_restart(self, top);
	ring_writer_give(self, top);
}

/* The innermost span, of a trace that is not kept; only its statistics are. */
static inline void end_unsampled(struct spanring__thread *self) {
	uint64_t now = ticks_counter();
	struct spanring_open_span *entry = ring_writer_take(self) - 1;
	uint64_t duration = now - entry->start_ticks;
	uint64_t tail_word;
	memcpy(&tail_word, &entry->tail, sizeof(tail_word));
	struct spanring_site_statistics *block = statistics_of(self, tail_word);
	if (unlikely(!statistics_is_usual(block, entry, duration))) {
		spanring__ring_end(self, entry, now, 0);
		return;
	}
	statistics_count_usual(block, duration);
	ring_order_add(&self->header->sampled_out, 1);
	ring_writer_close(self, entry);
}

/* Any clock, any place in the stack, any handle. */
static __attribute__((noinline)) void end_any(struct spanring_span span) {
	struct spanring__thread *self = ring_writer_self();
	if (span.span_id == SPANRING__MUTED && self) {
		end_muted(self);
		return;
	}
	uint64_t now = self ? ticks_now(self->clock_kind) : 0;
	struct spanring_open_span *entry = spanring__writer_find(span, &self);
	if (!entry)
		return;
	struct spanring_open_span *last = ring_writer_take(self) - 1;
	if (entry != last)
		spanring__writer_move_to_top(self, entry, last);
	spanring__ring_end(self, last, now, 0);
}

static __attribute__((noinline)) void end_with_thought(struct spanring_span span, struct spanring__thread *self) {
	struct spanring_open_span *top = self->top;
	if (likely(self->control_measuring != 0 && top != self->busy &&
	           top[-1].span_id == (span.span_id ^ SPANRING__UNSAMPLED_BIT) &&
	           top[-1].tail.type == SPANRING_ENTRY_UNSAMPLED))
		end_unsampled(self);
	else
		end_any(span);
}

/*
 * The span seems to be the innermost; but a context that was attached may carry its id, too. No site has number 0, so there are
 * no statistics of one, and it always comes here.
 */
static __attribute__((noinline)) void end_taken(struct spanring__thread *self, struct spanring_open_span *entry,
                                                struct spanring_span span, uint64_t now) {
	if (unlikely(ring_writer_is_context(entry))) {
		ring_writer_give(self, entry + 1);
		end_any(span);
		return;
	}
	spanring__ring_end(self, entry, now, 0);
}

/* The same before the clock was read. */
static __attribute__((noinline)) void end_taken_now(struct spanring__thread *self, struct spanring_open_span *entry,
                                                    struct spanring_span span) {
	end_taken(self, entry, span, ticks_now(self->clock_kind));
}

void spanring_end_span(struct spanring_span span) {
	struct spanring__thread *self = spanring__self;
	if (unlikely(self->top == self->stack)) {
		if (likely(span.span_id == SPANRING__MUTED && self->muting && self->muted > 0))
			end_one_muted(self, self->muting);
		else
			end_any(span);
		return;
	}
	if (unlikely(self->top[-1].span_id != span.span_id)) {
		end_with_thought(span, self);
		return;
	}
	struct spanring_open_span *entry = ring_writer_take(self) - 1;
	union spanring_record *slot = self->slot;
	if (unlikely(slot >= self->slot_stop)) {
		end_taken_now(self, entry, span);
		return;
	}
	uint64_t tail_word;
	memcpy(&tail_word, &entry->tail, sizeof(tail_word));
	struct spanring_site_statistics *block = statistics_of(self, tail_word);
	uint64_t now = ticks_counter();
	uint64_t duration = now - entry->start_ticks;
	if (unlikely(!statistics_is_usual(block, entry, duration) || now >= self->due_ticks)) {
		end_taken(self, entry, span, now);
		return;
	}
	ring_writer_store_span(slot, entry, duration, 0, tail_word | self->lap_word);
	self->slot = slot + 1;
	statistics_count_usual(block, duration);
	ring_writer_close(self, entry);
}
