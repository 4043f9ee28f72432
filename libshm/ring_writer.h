/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: what one thread keeps to itself, and how it fills, drops and publishes records. Inline, no lock, no system
 * call; what is rare lives out of line in ring_end.c and thread_ring.c.
 *
 * The thread's state is a page of its own that a forked child sees as zeros: `live` is then 0 and every function takes the
 * slow path. Nothing in it is read back from shared memory except the open-span entries, whose values are only copied.
 *
 * A span costs two readings of the counter and about a hundred other instructions, and those are what can be saved. So the
 * hot path asks one question where it could ask several. At begin, `control` says in one word that there is a ring, that the
 * clock is the counter, that nobody has changed the control words, and that every trace is kept. At end, `slot_stop` is the
 * first slot at which anything has to be thought about (the ring may be full, a lap ends, a group is to be published, the
 * clock is another one); the smallest and largest duration of the site so far bound those that only count; an entry of the
 * stack holds the bytes of its record in their places. Each usual case runs straight to its own return: a taken branch costs as
 * much as several additions (docs/decisions/0017).
 *
 * STORE KIND. On x86-64 a record leaves as four non-temporal 16-byte stores: the line goes past the cache, so the core
 * that drains the ring and the core that fills it never fight over it, and the program's own cache is left alone. Such
 * stores need a fence before head is published; it is paid once per SPANRING_PUBLISH_RECORDS. Elsewhere, and with
 * SPANRING_PLAIN_STORES, and under ThreadSanitizer, records are plain stores with the tagged word released last.
 */
#ifndef SPANRING_LIBSHM_RING_WRITER_H
#define SPANRING_LIBSHM_RING_WRITER_H

#include "ids.h"
#include "ring_order.h"
#include "sampling.h"
#include "ticks.h"
#include <spanring/heap.h>
#include <spanring/spanring.h>
#include <spanring/statistics_abi.h>
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) && !defined(SPANRING_PLAIN_STORES) && !defined(__SANITIZE_THREAD__) && !defined(SPANRING__TSAN)
#include <emmintrin.h>
#define SPANRING__STREAM 1
#else
#define SPANRING__STREAM 0
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Values of spanring__thread.live; 0: not attached, or wiped by a fork. */
#define SPANRING__LIVE_COUNTER 0x4c495645u /* has a ring; ticks are the processor's counter */
#define SPANRING__LIVE_CLOCK 0x434c4f4bu   /* has a ring; ticks are clock_gettime's */
#define SPANRING__LIVE_HEAP 0x48454150u    /* has a ring; any clock; its heap is counted (span_heap.h) */
#define SPANRING__RINGLESS 0x4e4f4e45u     /* it was tried once, and it has none */

/*
 * An entry whose span gets no record (tail.type 0) has this bit of its span id turned over, so that the quick end takes it
 * for another span's and leaves it to the long way. No reader looks at such an entry's id.
 */
#define SPANRING__UNSAMPLED_BIT (UINT64_C(1) << 63)

/* The handle of all spans that are neither recorded nor measured: their only state is how many of them are open. */
#define SPANRING__MUTED UINT64_MAX

/* Statistics of a thread, by site id; a power of two above SPANRING_SITES_MAX, so that no id can lead outside. */
#define SPANRING__STATISTICS_SLOTS 4096u

/* A half of the ring is a power of two, so a crossing shows in the bits above it. */
#define RING_HALF_SHIFT 1u

/* One more in each half of begun_open. */
#define RING_BEGUN_ONE (UINT64_C(1) << SPANRING_BEGUN_SHIFT)
#define RING_OPEN_ONE UINT64_C(1)

/* What one span may have; counts at most 65535, as wide as their fields in the open-span entry. */
struct spanring__limits {
	uint32_t attributes;
	uint32_t event_attributes;
	uint32_t events;
	uint32_t links;
	uint32_t value_bytes;
};

/* A thread's heap counters when a span began. */
struct spanring__heap_mark {
	uint64_t allocated_bytes;
	uint64_t freed_bytes;
};

struct spanring__thread {
	uint32_t control; /* of the program's `enabled`: the value with which begin may take the short way; 0: none */
	uint32_t live;
	uint32_t clock_kind;
	struct spanring_open_span *top; /* the entry that the next span takes; `busy` while a function is at work */
	struct spanring_open_span *stack;
	struct spanring_open_span *stack_end;
	struct spanring_open_span *busy; /* beyond stack_end */
	uint64_t begun_open;
	struct spanring__ids ids;
	struct spanring_ring_header *header;
	union spanring_record *slot; /* of the next record */
	union spanring_record
	    *slot_stop;     /* a span that is written before this slot needs no thought; see ring_writer_restop */
	uint64_t due_ticks; /* when the head is to be published whatever its distance */
	uint64_t lap_word;  /* a record's tail with nothing but the lap tag of this lap */

	/* What is recorded: controls.h. */
	uint32_t control_seen;   /* the value of `enabled` that the next ones belong to */
	uint32_t control_always; /* = control_seen where every trace is kept, else 0 */
	uint32_t
	    control_measuring;   /* = control_seen where a sampler decides, and what is not kept is measured; else 0 */
	uint32_t control_muting; /* the same where it is not measured */
	ring_order_word *muting; /* where ends of muted spans are counted; NULL unless control_muting is set */
	uint32_t thinks;         /* every end takes the long way */
	uint32_t muted;          /* spans open that are neither recorded nor measured */
	struct spanring__sampling sampling;
	uint64_t muted_trace_hi; /* of the trace they belong to */
	uint64_t muted_trace_lo;

	/* Once per group or rarer. */
	union spanring_record *slots;
	uint64_t mask;
	uint64_t lap_start; /* position of slots[0] in this lap */
	uint64_t limit;     /* tail as last seen + capacity */
	uint64_t published;
	uint64_t publish_ticks;
	uint64_t publish_records;
	uint32_t capacity_shift;
	uint16_t ring_index;
	uint32_t owner_word_offset; /* of the mutex, in the header */
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_attributes;
	uint64_t dropped_events;
	struct spanring__limits limits;
	const struct spanring_control *bell;
	const struct spanring_process_header *process_header; /* our own; only its control words are read back */
	struct spanring__thread *next_free;
	const struct spanring_heap_totals *heap;                   /* of this thread; NULL unless SPANRING__LIVE_HEAP */
	struct spanring_statistics_header *statistics_header;      /* NULL: no file yet, or none to be had */
	bool statistics_refused;                                   /* it was tried once */
	uint32_t statistics_blocks;                                /* in the file */
	uint16_t statistics_sites[SPANRING_STATISTICS_BLOCKS_MAX]; /* their sites */
	struct spanring_site_statistics *statistics_unread;        /* where spans count that nobody wants to know of */
	struct spanring__heap_mark heap_before;                    /* of the threads that held the ring before */
	struct spanring__heap_mark heap_counted;                   /* in the ring: theirs, and this thread's */
	uint32_t heap_tid;                                         /* whose heap that is */
	struct spanring__heap_mark heap_marks[SPANRING_DEPTH_MAX]; /* by place in the stack */
	struct spanring_site_statistics *statistics[SPANRING__STATISTICS_SLOTS]; /* NULL: ask statistics.c */
};

/* Never NULL: a thread that is not attached points at a state of zeros. */
extern __thread struct spanring__thread *spanring__self __attribute__((tls_model("initial-exec")));
extern struct spanring__thread spanring__unattached;

/* Out of line: see ring_end.c. */
bool spanring__ring_refresh(struct spanring__thread *self, uint64_t records);
void spanring__ring_drop_deep(struct spanring__thread *self);
void spanring__ring_crossed(struct spanring__thread *self);
void spanring__ring_heap(struct spanring__thread *self);
void spanring__ring_end(struct spanring__thread *self, struct spanring_open_span *entry, uint64_t now,
                        uint8_t extra_bits);

static inline bool ring_writer_has_ring(const struct spanring__thread *self) {
	return self->live == SPANRING__LIVE_COUNTER || self->live == SPANRING__LIVE_CLOCK ||
	       self->live == SPANRING__LIVE_HEAP;
}

/* A signal handler that runs while a function of this library was at work on the same thread. */
static inline bool ring_writer_is_busy(const struct spanring__thread *self) {
	return self->top == self->busy && self->busy != NULL;
}

/* This thread's state if it has a ring and nothing is at work on it, else NULL. */
static inline struct spanring__thread *ring_writer_self(void) {
	struct spanring__thread *self = spanring__self;
	return likely(ring_writer_has_ring(self) && self->top != self->busy) ? self : NULL;
}

/*
 * RE-ENTRY. A function that changes anything takes `top` out of the thread's state first and puts it back last. A signal
 * handler that comes in between finds `busy` there, where every check sends it to the long way, and is turned away, counted.
 * What it meets otherwise is complete. Only the order of this thread's own stores matters, so a compiler barrier is enough.
 */
static inline struct spanring_open_span *ring_writer_take(struct spanring__thread *self) {
	struct spanring_open_span *top = self->top;
	ring_order_put(&self->top, self->busy);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return top;
}

static inline void ring_writer_give(struct spanring__thread *self, struct spanring_open_span *top) {
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_order_put(&self->top, top);
}

static inline uint64_t ring_writer_tail_word(uint32_t ref, uint8_t type, uint8_t bits, uint16_t lap) {
	struct spanring_record_tail tail = {.ref = ref, .type = type, .bits = bits, .lap = lap};
	uint64_t word;
	memcpy(&word, &tail, sizeof(word));
	return word;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

/* One slot, its last 16 bytes last. */
static inline void ring_writer_store(union spanring_record *slot, const uint64_t words[8]) {
#if SPANRING__STREAM
	__m128i *line = (__m128i *)(void *)slot;
	_mm_stream_si128(line + 0, _mm_set_epi64x((long long)words[1], (long long)words[0]));
	_mm_stream_si128(line + 1, _mm_set_epi64x((long long)words[3], (long long)words[2]));
	_mm_stream_si128(line + 2, _mm_set_epi64x((long long)words[5], (long long)words[4]));
	__asm__ volatile("" ::: "memory");
	_mm_stream_si128(line + 3, _mm_set_epi64x((long long)words[7], (long long)words[6]));
#else
	for (unsigned i = 0; i < 7; i++)
		ring_order_put(&slot->words[i], words[i]);
	ring_order_tag_publish(slot, words[7]);
#endif
}

/* The same for a span: ids of the entry are words 2 to 5 of its record. heap_word: word 6, see span_heap.h; else 0. */
static inline void ring_writer_store_span(union spanring_record *slot, const struct spanring_open_span *entry,
                                          uint64_t duration, uint64_t heap_word, uint64_t tail_word) {
	const uint64_t words[8] = {
	    entry->start_ticks, duration,        entry->span_id, entry->parent_id,
	    entry->trace_hi,    entry->trace_lo, heap_word,      tail_word,
	};
	ring_writer_store(slot, words);
}

/*
 * The same through the cache: for spans that end the long way. Most come with a locked instruction nearby (an async span's
 * slot), which would wait until the line has left.
 */
static inline void ring_writer_store_span_cached(union spanring_record *slot, const struct spanring_open_span *entry,
                                                 uint64_t duration, uint64_t heap_word, uint64_t tail_word) {
	const uint64_t words[7] = {entry->start_ticks, duration,        entry->span_id, entry->parent_id,
	                           entry->trace_hi,    entry->trace_lo, heap_word};
	for (unsigned i = 0; i < 7; i++)
		ring_order_put(&slot->words[i], words[i]);
	ring_order_tag_publish(slot, tail_word);
}

static inline uint64_t ring_writer_position(const struct spanring__thread *self) {
	return self->lap_start + (uint64_t)(self->slot - self->slots);
}

/*
 * A span may be written at p < stop without a question: there is room (limit), it does not end a lap, and it does not complete
 * a group that is to be published. To be called whenever one of the three has moved.
 */
static inline void ring_writer_restop(struct spanring__thread *self) {
	uint64_t position = ring_writer_position(self);
	uint64_t stop = position | self->mask;
	uint64_t group = self->published + self->publish_records - 1;
	stop = group < stop ? group : stop;
	stop = self->limit < stop ? self->limit : stop;
	self->slot_stop = self->thinks || stop < position ? self->slots : self->slot + (stop - position);
}

/* Room for so many records that belong together. */
static inline bool ring_writer_reserve(struct spanring__thread *self, uint64_t records) {
	return likely(self->limit - ring_writer_position(self) >= records) || spanring__ring_refresh(self, records);
}

/* After a slot was written. */
static inline void ring_writer_advance(struct spanring__thread *self) {
	self->slot++;
	if (unlikely(self->slot == self->slots + self->mask + 1)) {
		self->slot = self->slots;
		self->lap_start += self->mask + 1;
		uint16_t lap = spanring_lap_tag(self->lap_start >> self->capacity_shift);
		self->lap_word = ring_writer_tail_word(0, 0, 0, lap);
		ring_writer_restop(self);
	}
}

/* Write words[0..6] and the tail made of ref, type and bits into the next slot, which must be reserved. */
static inline void ring_writer_append(struct spanring__thread *self, uint64_t words[8], uint32_t ref, uint8_t type,
                                      uint8_t bits) {
	words[7] = ring_writer_tail_word(ref, type, bits, 0) | self->lap_word;
	ring_writer_store(self->slot, words);
	ring_writer_advance(self);
}

/* --- publication -------------------------------------------------------------------------------------------------- */

static inline void ring_writer_publish_head(struct spanring__thread *self) {
	uint64_t before = self->published;
	uint64_t position = ring_writer_position(self);
	self->published = position;
	if (unlikely(self->live == SPANRING__LIVE_HEAP))
		spanring__ring_heap(self);
#if SPANRING__STREAM
	_mm_sfence();
#endif
	ring_order_head_publish(self->header, position);
	ring_writer_restop(self);
	if (unlikely((before ^ position) >> (self->capacity_shift - RING_HALF_SHIFT)))
		spanring__ring_crossed(self);
}

static inline void ring_writer_publish(struct spanring__thread *self, uint64_t now) {
	self->due_ticks = now + self->publish_ticks;
	ring_writer_publish_head(self);
}

static inline bool ring_writer_group_is_full(const struct spanring__thread *self) {
	return ring_writer_position(self) - self->published >= self->publish_records;
}

/* After records whose time is not at hand. */
static inline void ring_writer_publish_many(struct spanring__thread *self) {
	if (unlikely(ring_writer_group_is_full(self)))
		ring_writer_publish_head(self);
}

static inline void ring_writer_publish_due(struct spanring__thread *self, uint64_t now) {
	if (unlikely(ring_writer_group_is_full(self) || now >= self->due_ticks))
		ring_writer_publish(self, now);
}

/* --- spans -------------------------------------------------------------------------------------------------------- */

/* A new trace, or the place of the span that comes next in one. */
struct ring_writer_parent {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
};

static inline struct ring_writer_parent ring_writer_new_trace(struct spanring__thread *self) {
	struct ring_writer_parent parent = {self->ids.trace_hi, ids_next_trace_lo(&self->ids), 0};
	return parent;
}

/* Are spans below this entry recorded? So are those of a context whose trace is kept. */
static inline bool ring_writer_is_recorded(const struct spanring_open_span *entry) {
	return entry->tail.type == SPANRING_RECORD_SPAN || entry->tail.type == SPANRING_ENTRY_CONTEXT;
}

static inline bool ring_writer_is_context(const struct spanring_open_span *entry) {
	return entry->tail.type == SPANRING_ENTRY_CONTEXT || entry->tail.type == SPANRING_ENTRY_CONTEXT_UNSAMPLED;
}

/* top: as taken. The entry below it holds a span that is recorded, or a context. */
static inline struct ring_writer_parent ring_writer_implicit_parent(struct spanring__thread *self,
                                                                    const struct spanring_open_span *top) {
	if (top == self->stack)
		return ring_writer_new_trace(self);
	struct ring_writer_parent parent = {top[-1].trace_hi, top[-1].trace_lo, top[-1].span_id};
	return parent;
}

/* Fill the entry at top; it does not count yet. tail_word: site, type and bits. */
static inline void ring_writer_fill(struct spanring__thread *self, struct spanring_open_span *entry, uint64_t tail_word,
                                    struct ring_writer_parent parent) {
	ring_order_put(&entry->span_id, ids_next_span(&self->ids));
	ring_order_put(&entry->parent_id, parent.span_id);
	ring_order_put(&entry->trace_hi, parent.trace_hi);
	ring_order_put(&entry->trace_lo, parent.trace_lo);
	ring_order_entry_tail_begin(entry, tail_word);
	self->begun_open += RING_BEGUN_ONE + RING_OPEN_ONE;
}

/* The entry is complete before begun_open counts it; the clock is read as late as can be. */
static inline void ring_writer_open(struct spanring__thread *self, struct spanring_open_span *entry, uint64_t now) {
	ring_order_put(&entry->start_ticks, now);
	ring_order_begun_open_publish(self->header, self->begun_open);
	ring_writer_give(self, entry + 1);
}

/* Off the stack, after its record was written or its drop counted. */
static inline void ring_writer_close(struct spanring__thread *self, struct spanring_open_span *entry) {
	self->begun_open -= RING_OPEN_ONE;
	ring_order_begun_open_publish(self->header, self->begun_open);
	ring_writer_give(self, entry);
}

/* The same for an entry that is no span: as if it had never been begun. */
static inline void ring_writer_uncount(struct spanring__thread *self, struct spanring_open_span *entry) {
	self->begun_open -= RING_BEGUN_ONE + RING_OPEN_ONE;
	ring_order_begun_open_publish(self->header, self->begun_open);
	ring_writer_give(self, entry);
}

#endif
