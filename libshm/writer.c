/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begin and end.
 *
 * WAYS. Begin and end of a thread whose traces are all kept are the two functions without a call in them. Where a sampler
 * decides, spans of a trace that is not kept are on the stack like others, as entries of type UNSAMPLED, if statistics want
 * their duration; if not, they are muted: only their number is known. Children follow their parent in all ways, so a trace
 * is kept or left out as a whole. What else can be asked for goes the long way (control_words.h).
 *
 * ENDING OUT OF ORDER. The span to end is first moved to the top of the stack, then ended as any other. Depth does not change
 * in between, so the accounting is exact at every instant; but the entries between its place and the top are rewritten one by
 * one, and a reader that looks just then, or after a kill just there, can see one of them twice and the moved one not at all.
 */
#include "writer.h"
#include "control_words.h"
#include "muted.h"
#include "process.h"
#include "span_heap.h"
#include "statistics.h"
#include "tables.h"
#include "thread_ring.h"
#include <errno.h>

static const struct spanring_span empty_span = {0};

static uint32_t enabled_word(void) {
	const uint32_t *word = __atomic_load_n(&spanring__enabled, __ATOMIC_RELAXED);
	return __atomic_load_n(word, __ATOMIC_RELAXED);
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

struct spanring__thread *spanring__writer_thread(uint32_t control) {
	struct spanring__thread *self = spanring__self;
	if (control == 0)
		return NULL;
	if (ring_writer_is_busy(self) || spanring__process_is_locked_here()) {
		spanring__process_count_reentry();
		return NULL;
	}
	if (self->live == 0)
		self = spanring__thread_attach();
	if (!self)
		return NULL;
	if (self->live == SPANRING__RINGLESS) {
		spanring__process_count_no_ring();
		return NULL;
	}
	if (self->control_seen != control) {
		struct spanring_open_span *top = ring_writer_take(self);
		spanring__control_words_obey(self, self->process_header, top, control);
		ring_writer_give(self, top);
	}
	return self;
}

/* Everything that happens once: this thread's ring, the words in force, this site's number. NULL: no span. */
static __attribute__((noinline)) struct spanring__thread *prepare(struct spanring_site *site, uint32_t control) {
	struct spanring__thread *self = spanring__writer_thread(control);
	if (self && site_word(site) == 0)
		intern_site(site);
	return self;
}

/* Where a span belongs, and whether its trace is kept. */
struct place {
	struct ring_writer_parent parent;
	bool is_kept;
};

static inline struct place new_trace(struct spanring__thread *self) {
	struct place place = {.parent = ring_writer_new_trace(self)};
	place.is_kept = sampling_keeps(&self->sampling, place.parent.trace_lo);
	return place;
}

static inline struct place implicit_place(struct spanring__thread *self, const struct spanring_open_span *top) {
	if (top == self->stack)
		return new_trace(self);
	struct place place = {.parent = {top[-1].trace_hi, top[-1].trace_lo, top[-1].span_id},
	                      .is_kept = ring_writer_is_recorded(&top[-1])};
	return place;
}

static struct place explicit_place(struct spanring__thread *self, const struct spanring_context *context) {
	if (context->trace_hi == 0 && context->trace_lo == 0)
		return new_trace(self);
	struct place place = {.parent = {context->trace_hi, context->trace_lo, context->span_id}};
	if (self->sampling.flags & SPANRING_CONTROL_PARENT_BASED)
		place.is_kept = (context->flags & SPANRING_CONTEXT_UNSAMPLED) == 0;
	else
		place.is_kept = sampling_keeps(&self->sampling, context->trace_lo);
	return place;
}

/*
 * On the stack, though no record will be written: filled in is what children and statistics look at. trace_hi 0: the trace has
 * no id yet, see name_trace.
 */
static inline void fill_unsampled(struct spanring__thread *self, struct spanring_open_span *top, uint64_t tail_word,
                                  struct ring_writer_parent parent) {
	ring_order_put(&top->span_id, ids_next_span(&self->ids) ^ SPANRING__UNSAMPLED_BIT);
	ring_order_put(&top->trace_hi, parent.trace_hi);
	ring_order_put(&top->trace_lo, parent.trace_lo);
	ring_order_entry_tail_put(top, tail_word ^ ring_writer_tail_word(0, SPANRING_RECORD_SPAN, 0, 0));
	self->begun_open += RING_BEGUN_ONE + RING_OPEN_ONE;
}

static inline struct spanring_span open_unsampled(struct spanring__thread *self, struct spanring_open_span *top,
                                                  uint64_t now) {
	struct spanring_span span = {top->span_id ^ SPANRING__UNSAMPLED_BIT};
	ring_writer_open(self, top, now);
	return span;
}

static inline struct spanring_span open_kept(struct spanring__thread *self, struct spanring_open_span *top,
                                             uint64_t now) {
	struct spanring_span span = {top->span_id};
	ring_writer_open(self, top, now);
	return span;
}

static inline bool measures(const struct spanring__thread *self) {
	return (self->sampling.flags & SPANRING_CONTROL_STATISTICS) != 0;
}

/* A sampler decides on the first span of a trace; nothing else is asked, there is room, and no span is muted. */
static inline struct spanring_span begin_sampled(struct spanring__thread *self, uint64_t tail_word) {
	struct spanring_open_span *top = ring_writer_take(self);
	struct ring_writer_parent parent = {0, 0, 0};
	bool is_kept = false;
	if (top != self->stack) {
		parent = ring_writer_implicit_parent(self, top);
		is_kept = ring_writer_is_recorded(&top[-1]);
	} else if (likely(self->sampling.threshold != 0)) {
		parent = ring_writer_new_trace(self);
		is_kept = sampling_keeps(&self->sampling, parent.trace_lo);
	}
	if (is_kept) {
		ring_writer_fill(self, top, tail_word, parent);
		return open_kept(self, top, ticks_counter());
	}
	fill_unsampled(self, top, tail_word, parent);
	return open_unsampled(self, top, ticks_counter());
}

/* The same for the first span of a trace, where nobody wants statistics. False: it is kept. */
static inline bool mute_root(struct spanring__thread *self) {
	uint64_t trace_lo = 0;
	if (self->sampling.threshold != 0) {
		/* Looked at, and used up only if it is not kept. */
		struct spanring__ids ids = self->ids;
		trace_lo = ids_next_trace_lo(&ids);
		if (sampling_keeps(&self->sampling, trace_lo))
			return false;
		self->ids.generator = ids.generator;
	}
	self->muted = 1;
	self->muted_trace_lo = trace_lo;
	return true;
}

/* A span that is not kept, the long way. */
static struct spanring_span begin_left_out(struct spanring__thread *self, struct spanring_open_span *top,
                                           uint64_t tail_word, struct ring_writer_parent parent) {
	if (measures(self)) {
		fill_unsampled(self, top, tail_word, parent);
		self->control = 0;
		if (self->live == SPANRING__LIVE_HEAP)
			span_heap_mark(self, top);
		return open_unsampled(self, top, ticks_now(self->clock_kind));
	}
	if (self->muted == 0)
		muted_start(self, parent);
	else
		self->muted++;
	ring_writer_give(self, top);
	return muted_handle();
}

static struct spanring_span begin_at(struct spanring__thread *self, struct spanring_open_span *top, uint64_t tail_word,
                                     struct place place) {
	if (!place.is_kept)
		return begin_left_out(self, top, tail_word, place.parent);
	if (self->muted != 0)
		top = muted_mark(self, top);
	ring_writer_fill(self, top, tail_word, place.parent);
	if (self->live == SPANRING__LIVE_HEAP)
		span_heap_mark(self, top);
	self->control = self->control_always;
	return open_kept(self, top, ticks_now(self->clock_kind));
}

/* Any clock, any parent, any state of the thread; parent NULL: the innermost open span. */
static struct spanring_span begin_any(struct spanring__thread *self, uint64_t tail_word,
                                      const struct spanring_context *parent) {
	if (!spanring__control_words_site_is_on(self, self->process_header, (uint32_t)tail_word))
		return empty_span;
	struct spanring_open_span *top = ring_writer_take(self);
	if (!parent && self->muted != 0) {
		self->muted++;
		ring_writer_give(self, top);
		return muted_handle();
	}
	/* A mark may be needed, too. */
	if (self->stack_end - top < (self->muted != 0 ? 2 : 1)) {
		spanring__ring_drop_deep(self);
		ring_writer_give(self, top);
		return empty_span;
	}
	return begin_at(self, top, tail_word, parent ? explicit_place(self, parent) : implicit_place(self, top));
}

static __attribute__((noinline)) struct spanring_span begin_prepared(struct spanring_site *site, uint32_t control) {
	struct spanring__thread *self = prepare(site, control);
	return self ? begin_any(self, site_word(site), NULL) : empty_span;
}

static __attribute__((noinline)) struct spanring_span begin_with_thought(struct spanring__thread *self,
                                                                         struct spanring_site *site, uint32_t control) {
	uint64_t word = site_word(site);
	if (unlikely(self->control_sampling != control || word == 0 || self->top >= self->stack_end))
		return begin_prepared(site, control);
	if (self->muted != 0) {
		self->muted++;
		return muted_handle();
	}
	if (!measures(self) && self->top == self->stack && mute_root(self))
		return muted_handle();
	return begin_sampled(self, word);
}

struct spanring_span spanring__begin_enabled(struct spanring_site *site, uint32_t control) {
	struct spanring__thread *self = spanring__self;
	uint64_t word = site_word(site);
	if (unlikely(self->control != control || word == 0 || self->top >= self->stack_end))
		return begin_with_thought(self, site, control);
	struct spanring_open_span *top = ring_writer_take(self);
	ring_writer_fill(self, top, word, ring_writer_implicit_parent(self, top));
	return open_kept(self, top, ticks_counter());
}

struct spanring_span spanring_begin_site(struct spanring_site *site) {
	uint32_t control = enabled_word();
	return control != 0 ? spanring__begin_enabled(site, control) : empty_span;
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
	uint32_t control = enabled_word();
	if (control == 0)
		return empty_span;
	if (!options)
		return spanring__begin_enabled(site, control);
	struct spanring__thread *self = prepare(site, control);
	if (!self)
		return empty_span;
	uint64_t word = ring_writer_tail_word(__atomic_load_n(&site->id, __ATOMIC_RELAXED), SPANRING_RECORD_SPAN,
	                                      bits_of(site, options), 0);
	return begin_any(self, word, options->parent);
}

bool spanring__writer_prepare(struct spanring_site *site, const struct spanring_begin_options *options,
                              struct spanring__begin *ret_begin) {
	struct spanring__thread *self = prepare(site, enabled_word());
	if (!self || !spanring__control_words_site_is_on(self, self->process_header, (uint32_t)site_word(site)))
		return false;
	const struct spanring_context *parent = options ? options->parent : NULL;
	struct spanring_open_span *top = ring_writer_take(self);
	struct place place = {.parent = {self->muted_trace_hi, self->muted_trace_lo, 0}, .is_kept = false};
	if (parent)
		place = explicit_place(self, parent);
	else if (self->muted == 0)
		place = implicit_place(self, top);
	uint8_t type = place.is_kept ? SPANRING_RECORD_SPAN : SPANRING_ENTRY_UNSAMPLED;
	*ret_begin = (struct spanring__begin){.self = self, .top = top, .parent = place.parent};
	ret_begin->tail_word = ring_writer_tail_word(__atomic_load_n(&site->id, __ATOMIC_RELAXED), type,
	                                             options ? bits_of(site, options) : site->kind, 0);
	return true;
}

bool spanring__writer_keeps(struct spanring__thread *self, const struct spanring_context *context) {
	return explicit_place(self, context).is_kept;
}

/* --- the end -------------------------------------------------------------------------------------------------------- */

static inline bool is_entry_of(const struct spanring_open_span *entry, struct spanring_span span) {
	uint64_t difference = entry->span_id ^ span.span_id;
	return difference == 0 || (difference == SPANRING__UNSAMPLED_BIT && entry->tail.type == SPANRING_ENTRY_UNSAMPLED);
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

static inline void end_one_muted(struct spanring__thread *self) {
	ring_order_add(&self->header->muted, 1);
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
		end_one_muted(self);
	control_words_restart(self, top);
	ring_writer_give(self, top);
}

/* The innermost span, of a trace that is not kept; only its statistics are. */
static inline void end_unsampled(struct spanring__thread *self, uint64_t now) {
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
	if (self->control_always != 0)
		control_words_restart(self, entry);
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

static __attribute__((noinline)) void end_with_thought(struct spanring__thread *self, struct spanring_span span) {
	struct spanring_open_span *top = self->top;
	if (span.span_id == SPANRING__MUTED && self->muted > 0 && self->control_sampling != 0 &&
	    !ring_writer_is_busy(self)) {
		end_one_muted(self);
	} else if (likely(top != self->stack && top != self->busy && !self->thinks &&
	                  top[-1].span_id == (span.span_id ^ SPANRING__UNSAMPLED_BIT) &&
	                  top[-1].tail.type == SPANRING_ENTRY_UNSAMPLED)) {
		end_unsampled(self, ticks_counter());
	} else {
		end_any(span);
	}
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

void spanring_end_span(struct spanring_span span) {
	struct spanring__thread *self = spanring__self;
	if (unlikely(self->top == self->stack || self->top[-1].span_id != span.span_id)) {
		end_with_thought(self, span);
		return;
	}
	struct spanring_open_span *entry = ring_writer_take(self) - 1;
	union spanring_record *slot = self->slot;
	if (unlikely(slot >= self->slot_stop)) {
		end_taken(self, entry, span, ticks_now(self->clock_kind));
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

/* --- contexts ------------------------------------------------------------------------------------------------------- */

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
