/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: what one thread keeps to itself, and how it fills, drops and publishes records. Inline, no lock, no system
 * call; what is rare lives out of line in thread_ring.c.
 *
 * The thread's state is a page of its own that a forked child sees as zeros: `live` is then 0 and every function takes the
 * slow path. Nothing in it is read back from shared memory except the open-span entries, whose values are only copied.
 *
 * A span costs two readings of the counter and about a hundred other instructions, and those are what can be saved. So the
 * hot path asks one question where it could ask several: `live` says in one word that there is a ring and that the clock is the
 * counter; `stop` is the first position at which anything has to be thought about (the ring may be full, a lap ends, a group is
 * to be published); an entry of the stack holds the bytes of its record in their places.
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
#include "ticks.h"
#include <spanring/heap.h>
#include <spanring/spanring.h>
#include <stddef.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SPANRING__TSAN 1
#endif
#endif
#if defined(__x86_64__) && !defined(SPANRING_PLAIN_STORES) && !defined(__SANITIZE_THREAD__) && !defined(SPANRING__TSAN)
#include <emmintrin.h>
#define SPANRING__STREAM 1
#else
#define SPANRING__STREAM 0
#endif

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/*
 * Values of spanring__thread.live; 0: not attached, or wiped by a fork. Only the first one takes the short way, so that what the
 * others need costs nothing where it is not wanted.
 */
#define SPANRING__LIVE_COUNTER 0x4c495645u /* has a ring; ticks are the processor's counter */
#define SPANRING__LIVE_CLOCK 0x434c4f4bu   /* has a ring; ticks are clock_gettime's */
#define SPANRING__LIVE_HEAP 0x48454150u    /* has a ring; any clock; its heap is counted (span_heap.h) */
#define SPANRING__RINGLESS 0x4e4f4e45u     /* it was tried once, and it has none */

/* Number of a ring's quarters is a power of two, so a crossing shows in the bits above the quarter. */
#define RING_QUARTER_SHIFT 2u

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
	uint32_t live;
	uint32_t clock_kind;
	struct spanring_open_span *top; /* the entry that the next span takes */
	struct spanring_open_span *stack;
	struct spanring_open_span *stack_end;
	uint64_t begun_open;
	struct spanring__ids ids;
	struct spanring_ring_header *header;
	union spanring_record *slots;
	uint64_t mask;
	uint64_t position;  /* of the next record */
	uint64_t stop;      /* spans below this position need no thought; see ring_writer_restop */
	uint64_t due_ticks; /* when the head is to be published whatever its distance */
	uint64_t lap_word;  /* a record's tail with nothing but the lap tag of the slot at position */

	/* Once per group or rarer. */
	uint64_t limit; /* tail as last seen + capacity */
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
	const struct spanring_control *control;
	struct spanring__thread *next_free;
	const struct spanring_heap_totals *heap;                   /* of this thread; NULL unless SPANRING__LIVE_HEAP */
	struct spanring__heap_mark heap_marks[SPANRING_DEPTH_MAX]; /* by place in the stack */
};

/* Never NULL: a thread that is not attached points at a state of zeros. */
extern __thread struct spanring__thread *spanring__self __attribute__((tls_model("initial-exec")));
extern struct spanring__thread spanring__unattached;

/* Out of line: see thread_ring.c. */
bool spanring__ring_refresh(struct spanring__thread *self, uint64_t records);
void spanring__ring_drop_deep(struct spanring__thread *self);
void spanring__ring_crossed(struct spanring__thread *self);
void spanring__ring_end_top(struct spanring__thread *self, uint64_t now, uint8_t extra_bits);

static inline bool ring_writer_has_ring(const struct spanring__thread *self) {
	return self->live == SPANRING__LIVE_COUNTER || self->live == SPANRING__LIVE_CLOCK ||
	       self->live == SPANRING__LIVE_HEAP;
}

/* This thread's state if it has a ring, else NULL. */
static inline struct spanring__thread *ring_writer_self(void) {
	struct spanring__thread *self = spanring__self;
	return likely(ring_writer_has_ring(self)) ? self : NULL;
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
                                          uint64_t now, uint64_t heap_word, uint64_t lap_word) {
	uint64_t start = entry->start_ticks;
	uint64_t tail;
	memcpy(&tail, &entry->tail, sizeof(tail));
	const uint64_t words[8] = {
	    start,           now > start ? now - start : 0,
	    entry->span_id,  entry->parent_id,
	    entry->trace_hi, entry->trace_lo,
	    heap_word,       tail | lap_word,
	};
	ring_writer_store(slot, words);
}

/*
 * A span may be written at p < stop without a question: there is room (limit), it does not end a lap, and it does not complete
 * a group that is to be published. To be called whenever one of the three has moved.
 */
static inline void ring_writer_restop(struct spanring__thread *self) {
	uint64_t stop = self->position | self->mask;
	uint64_t group = self->published + self->publish_records - 1;
	stop = group < stop ? group : stop;
	self->stop = self->limit < stop ? self->limit : stop;
}

/* Room for so many records that belong together. */
static inline bool ring_writer_reserve(struct spanring__thread *self, uint64_t records) {
	return likely(self->limit - self->position >= records) || spanring__ring_refresh(self, records);
}

/* After a slot was written. */
static inline void ring_writer_advance(struct spanring__thread *self) {
	self->position++;
	if (unlikely((self->position & self->mask) == 0)) {
		uint16_t lap = spanring_lap_tag(self->position >> self->capacity_shift);
		self->lap_word = ring_writer_tail_word(0, 0, 0, lap);
		ring_writer_restop(self);
	}
}

/* Write words[0..6] and the tail made of ref, type and bits into the next slot, which must be reserved. */
static inline void ring_writer_append(struct spanring__thread *self, uint64_t words[8], uint32_t ref, uint8_t type,
                                      uint8_t bits) {
	words[7] = ring_writer_tail_word(ref, type, bits, 0) | self->lap_word;
	ring_writer_store(&self->slots[self->position & self->mask], words);
	ring_writer_advance(self);
}

/* --- publication -------------------------------------------------------------------------------------------------- */

static inline void ring_writer_publish_head(struct spanring__thread *self) {
	uint64_t before = self->published;
	self->published = self->position;
#if SPANRING__STREAM
	_mm_sfence();
#endif
	ring_order_head_publish(self->header, self->position);
	ring_writer_restop(self);
	if (unlikely((before ^ self->position) >> (self->capacity_shift - RING_QUARTER_SHIFT)))
		spanring__ring_crossed(self);
}

static inline void ring_writer_publish(struct spanring__thread *self, uint64_t now) {
	self->due_ticks = now + self->publish_ticks;
	ring_writer_publish_head(self);
}

static inline bool ring_writer_group_is_full(const struct spanring__thread *self) {
	return self->position - self->published >= self->publish_records;
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

static inline struct ring_writer_parent ring_writer_implicit_parent(struct spanring__thread *self) {
	const struct spanring_open_span *top = self->top;
	if (top == self->stack)
		return ring_writer_new_trace(self);
	struct ring_writer_parent parent = {top[-1].trace_hi, top[-1].trace_lo, top[-1].span_id};
	return parent;
}

/* Fill the next entry; it does not count yet. tail_word: site, type and bits. */
static inline struct spanring_open_span *ring_writer_fill(struct spanring__thread *self, uint64_t tail_word,
                                                          struct ring_writer_parent parent) {
	struct spanring_open_span *entry = self->top;
	ring_order_put(&entry->span_id, ids_next_span(&self->ids));
	ring_order_put(&entry->parent_id, parent.span_id);
	ring_order_put(&entry->trace_hi, parent.trace_hi);
	ring_order_put(&entry->trace_lo, parent.trace_lo);
	ring_order_entry_tail_put(entry, tail_word);
	ring_order_entry_counts_put(entry, 0);
	self->begun_open += (UINT64_C(1) << SPANRING_BEGUN_SHIFT) + 1;
	return entry;
}

/* The entry is complete before begun_open counts it; the clock is read as late as can be. */
static inline struct spanring_span ring_writer_open(struct spanring__thread *self, struct spanring_open_span *entry,
                                                    uint64_t now) {
	struct spanring_span span = {entry->span_id};
	ring_order_put(&entry->start_ticks, now);
	self->top = entry + 1;
	ring_order_begun_open_publish(self->header, self->begun_open);
	return span;
}

/* Off the stack, after its record was written or its drop counted. */
static inline void ring_writer_close(struct spanring__thread *self, struct spanring_open_span *entry) {
	self->top = entry;
	ring_order_begun_open_publish(self->header, --self->begun_open);
}

/* End the innermost span. heap_word: word 6 of its record; extra: bits of its tail. Both 0 unless SPANRING__LIVE_HEAP. */
static inline void ring_writer_end_top(struct spanring__thread *self, uint64_t now, uint64_t heap_word,
                                       uint64_t extra) {
	struct spanring_open_span *entry = self->top - 1;
	uint64_t position = self->position;
	if (unlikely(position >= self->stop || now >= self->due_ticks)) {
		spanring__ring_end_top(self, now, 0);
		return;
	}
	ring_writer_store_span(&self->slots[position & self->mask], entry, now, heap_word, self->lap_word | extra);
	self->position = position + 1;
	ring_writer_close(self, entry);
}

#endif
