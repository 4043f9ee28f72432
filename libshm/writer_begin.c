/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begin.
 *
 * WAYS. Begin and end of a thread whose traces are all kept are two functions without a call in them. Where a sampler
 * decides, spans of a trace that is not kept are on the stack like others, as entries of type UNSAMPLED, if statistics want
 * their duration; if not, they are muted: only their number is known (muted.h). Children follow their parent in all ways, so a
 * trace is kept or left out as a whole. What else can be asked for goes the long way (control_words.h).
 */
#include "control_words.h"
#include "muted.h"
#include "process.h"
#include "span_heap.h"
#include "tables.h"
#include "thread_ring.h"
#include "writer.h"
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

static inline struct spanring_span begin_unsampled(struct spanring__thread *self, struct spanring_open_span *top,
                                                   uint64_t tail_word, struct ring_writer_parent parent) {
	fill_unsampled(self, top, tail_word, parent);
	return open_unsampled(self, top, ticks_counter());
}

static inline struct spanring_span begin_kept(struct spanring__thread *self, struct spanring_open_span *top,
                                              uint64_t tail_word, struct ring_writer_parent parent) {
	ring_writer_fill(self, top, tail_word, parent);
	return open_kept(self, top, ticks_counter());
}

/* A sampler decides on the first span of a trace; nothing else is asked, there is room, and no span is muted. */
static inline struct spanring_span begin_sampled(struct spanring__thread *self, uint64_t tail_word) {
	struct spanring_open_span *top = ring_writer_take(self);
	if (likely(top == self->stack)) {
		struct ring_writer_parent parent = {0, 0, 0};
		if (self->sampling.threshold != 0) {
			parent = ring_writer_new_trace(self);
			if (unlikely(sampling_keeps(&self->sampling, parent.trace_lo)))
				return begin_kept(self, top, tail_word, parent);
		}
		return begin_unsampled(self, top, tail_word, parent);
	}
	struct ring_writer_parent parent = ring_writer_implicit_parent(self, top);
	if (likely(!ring_writer_is_recorded(&top[-1])))
		return begin_unsampled(self, top, tail_word, parent);
	return begin_kept(self, top, tail_word, parent);
}

/* The same for the first span of a trace, where nobody wants statistics. False: it is kept. */
static inline bool mute_root(struct spanring__thread *self) {
	if (self->sampling.threshold == 0) {
		self->muted_trace_lo = 0;
		self->muted = 1;
		return true;
	}
	/* Looked at, and used up only if it is not kept. */
	struct spanring__ids ids = self->ids;
	uint64_t trace_lo = ids_next_trace_lo(&ids);
	if (unlikely(sampling_keeps(&self->sampling, trace_lo)))
		return false;
	self->ids.generator = ids.generator;
	self->muted_trace_lo = trace_lo;
	self->muted = 1;
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

static __attribute__((noinline)) struct spanring_span begin_with_thought(struct spanring_site *site, uint32_t control,
                                                                         uint64_t word, struct spanring__thread *self) {
	if (unlikely(self->control_measuring != control && self->control_muting != control))
		return begin_prepared(site, control);
	if (unlikely(word == 0 || self->top >= self->stack_end || self->muted != 0))
		return begin_prepared(site, control);
	return begin_sampled(self, word);
}

/*
 * Each usual case has a straight way, for a jump costs as much as several additions: the first span of a trace, those below it,
 * and the same two where they are muted. Of a muted one nothing is known but that it is open, so not even its site is looked
 * at. An empty stack says that no function is at work, too.
 */
struct spanring_span spanring__begin_enabled(struct spanring_site *site, uint32_t control) {
	struct spanring__thread *self = spanring__self;
	uint64_t word = site_word(site);
	if (unlikely(self->control != control)) {
		if (unlikely(self->control_muting != control))
			return begin_with_thought(site, control, word, self);
		if (likely(self->muted == 0 && self->top == self->stack && mute_root(self)))
			return muted_handle();
		if (unlikely(self->muted == 0 || self->top >= self->stack_end))
			return begin_with_thought(site, control, word, self);
		self->muted++;
		return muted_handle();
	}
	if (unlikely(word == 0 || self->top >= self->stack_end))
		return begin_prepared(site, control);
	struct spanring_open_span *top = ring_writer_take(self);
	if (top == self->stack)
		return begin_kept(self, top, word, ring_writer_new_trace(self));
	return begin_kept(self, top, word, ring_writer_implicit_parent(self, top));
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
