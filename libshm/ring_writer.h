/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot path: what one thread keeps to itself, and how it fills, drops and publishes records. Inline, no lock, no system
 * call; what is rare lives out of line in thread_ring.c.
 *
 * The thread's state is a page of its own that a forked child sees as zeros: `live` is then 0 and every function takes the
 * slow path. Nothing in it is read back from shared memory except the open-span entries, whose values are only copied.
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

#define SPANRING__LIVE 0x4c495645u     /* the thread has a ring */
#define SPANRING__RINGLESS 0x4e4f4e45u /* it was tried once, and it has none */

/* Number of a ring's quarters is a power of two, so a crossing shows in the bits above the quarter. */
#define RING_QUARTER_SHIFT 2u

struct spanring__thread {
	uint32_t live;
	uint32_t depth;
	struct spanring_open_span *stack;
	struct spanring_ring_header *header;
	union spanring_record *slots;
	uint64_t mask;
	uint64_t position; /* of the next record */
	uint64_t limit;    /* tail as last seen + capacity */
	uint64_t published;
	uint64_t published_ticks;
	uint64_t publish_ticks;
	uint64_t publish_records;
	uint64_t begun_open;
	struct spanring__ids ids;
	uint32_t clock_kind;
	uint16_t lap_tag; /* of the slot at position */

	/* Cold. */
	uint32_t capacity_shift;
	uint32_t owner_word_offset;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_attributes;
	uint64_t dropped_events;
	const struct spanring_control *control;
	struct spanring__thread *next_free;
};

extern __thread struct spanring__thread *spanring__self __attribute__((tls_model("initial-exec")));

/* Out of line: see thread_ring.c. */
bool spanring__ring_refresh(struct spanring__thread *self, uint64_t records);
void spanring__ring_drop_full(struct spanring__thread *self, uint64_t now);
void spanring__ring_drop_deep(struct spanring__thread *self);
void spanring__ring_crossed(struct spanring__thread *self);

/* This thread's state if it has a ring, else NULL. */
static inline struct spanring__thread *ring_writer_self(void) {
	struct spanring__thread *self = spanring__self;
	return likely(self && self->live == SPANRING__LIVE) ? self : NULL;
}

static inline uint64_t ring_writer_tail_word(uint32_t ref, uint8_t type, uint8_t bits, uint16_t lap) {
	struct spanring_record_tail tail = {.ref = ref, .type = type, .bits = bits, .lap = lap};
	uint64_t word;
	memcpy(&word, &tail, sizeof(word));
	return word;
}

/* One slot, its last 16 bytes last. */
static inline void ring_writer_store(union spanring_record *slot, const uint64_t words[8]) {
#if SPANRING__STREAM
	__m128i *line = (void *)slot;
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

/* Room for so many records that belong together. */
static inline bool ring_writer_reserve(struct spanring__thread *self, uint64_t records) {
	return likely(self->limit - self->position >= records) || spanring__ring_refresh(self, records);
}

/* Write words[0..6] and the tail made of ref, type and bits into the next slot, which must be reserved. */
static inline void ring_writer_append(struct spanring__thread *self, uint64_t words[8], uint32_t ref, uint8_t type,
                                      uint8_t bits) {
	words[7] = ring_writer_tail_word(ref, type, bits, self->lap_tag);
	ring_writer_store(&self->slots[self->position & self->mask], words);
	self->position++;
	if (unlikely((self->position & self->mask) == 0))
		self->lap_tag = spanring_lap_tag(self->position >> self->capacity_shift);
}

static inline void ring_writer_publish(struct spanring__thread *self, uint64_t now) {
	uint64_t before = self->published;
	self->published = self->position;
	self->published_ticks = now;
#if SPANRING__STREAM
	_mm_sfence();
#endif
	ring_order_head_publish(self->header, self->position);
	if (unlikely((before ^ self->position) >> (self->capacity_shift - RING_QUARTER_SHIFT)))
		spanring__ring_crossed(self);
}

/* After records whose time is not at hand. */
static inline void ring_writer_publish_many(struct spanring__thread *self) {
	if (unlikely(self->position - self->published >= self->publish_records))
		ring_writer_publish(self, self->published_ticks);
}

static inline void ring_writer_publish_due(struct spanring__thread *self, uint64_t now) {
	if (unlikely(self->position - self->published >= self->publish_records ||
	             now - self->published_ticks >= self->publish_ticks))
		ring_writer_publish(self, now);
}

/* A new trace, or the place of the span that comes next in one. */
struct ring_writer_parent {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint8_t bits;
};

static inline struct ring_writer_parent ring_writer_implicit_parent(struct spanring__thread *self) {
	struct ring_writer_parent parent = {0, 0, 0, 0};
	if (self->depth != 0) {
		const struct spanring_open_span *top = &self->stack[self->depth - 1];
		parent.trace_hi = top->trace_hi;
		parent.trace_lo = top->trace_lo;
		parent.span_id = top->span_id;
	} else {
		parent.trace_hi = self->ids.trace_hi;
		parent.trace_lo = ids_next_trace_lo(&self->ids);
	}
	return parent;
}

/* The entry is complete before begun_open counts it; the clock is read as late as can be. */
static inline struct spanring_span ring_writer_begin(struct spanring__thread *self, uint32_t site, uint8_t kind,
                                                     struct ring_writer_parent parent) {
	struct spanring_span span = {0};
	if (unlikely(self->depth >= SPANRING_DEPTH_MAX)) {
		spanring__ring_drop_deep(self);
		return span;
	}
	struct spanring_open_span *entry = &self->stack[self->depth++];
	span.span_id = ids_next_span(&self->ids);
	ring_order_put(&entry->span_id, span.span_id);
	ring_order_put(&entry->parent_id, parent.span_id);
	ring_order_put(&entry->trace_hi, parent.trace_hi);
	ring_order_put(&entry->trace_lo, parent.trace_lo);
	ring_order_put(&entry->site, site);
	ring_order_put(&entry->bits, (uint8_t)(kind | parent.bits));
	ring_order_put(&entry->event_count, 0);
	self->begun_open += (UINT64_C(1) << SPANRING_BEGUN_SHIFT) + 1;
	ring_order_put(&entry->start_ticks, ticks_now(self->clock_kind));
	ring_order_begun_open_publish(self->header, self->begun_open);
	return span;
}

/* End the top of the stack: record written or drop counted first, then the entry leaves the count. */
__attribute__((always_inline)) static inline void ring_writer_end_top(struct spanring__thread *self, uint64_t now,
                                                                      uint8_t extra_bits) {
	const struct spanring_open_span *entry = &self->stack[self->depth - 1];
	if (likely(ring_writer_reserve(self, 1))) {
		/* Loads as wide as the stores of begin: a wider one would wait until those have left the store buffer. */
		uint64_t start = ring_order_get(&entry->start_ticks);
		uint64_t words[8] = {start,
		                     now > start ? now - start : 0,
		                     ring_order_get(&entry->span_id),
		                     ring_order_get(&entry->parent_id),
		                     ring_order_get(&entry->trace_hi),
		                     ring_order_get(&entry->trace_lo)};
		ring_writer_append(self, words, entry->site, SPANRING_RECORD_SPAN, (uint8_t)(entry->bits | extra_bits));
	} else {
		spanring__ring_drop_full(self, now);
	}
	self->depth--;
	ring_order_begun_open_publish(self->header, --self->begun_open);
	ring_writer_publish_due(self, now);
}

#endif
