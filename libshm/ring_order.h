/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every ordered access to a word that two processes share, with the two ends of each pair side by side. No other file
 * uses atomics on words of a ring, process or control file.
 *
 *     pair        release (who)                          acquire (who)                       carries
 *     HEAD        head_publish    (writer, W3)           head_read       (agent, A1)         the records before head
 *     TAIL        tail_publish    (agent, A4)            tail_read       (writer, W4)        the slots before tail are free
 *     TAG         tag_publish     (writer, plain stores) tag_read        (agent, A1')        the other words of the slot
 *     STACK       begun_open_publish (writer)            begun_open_read (agent)             the stack entries it counts
 *     TABLE       table_publish   (program)              table_read      (agent)             the entries it counts
 *     STATISTICS  block_count_publish (writer)          block_count_read (agent)            the blocks it counts
 *     WANTED      flush_wanted_publish (writer)          flush_wanted_read (agent)           nothing: a request
 *     STATE       state_publish   (program)              state_read      (agent)             all that the thread wrote
 *     ASYNC       async_state_publish (program)          async_state_read (agent)            the other words of the slot
 *     CONTROL     control_publish (spanring-agent ctl)   control_read    (program, ctl)      the other control words, site controls
 *     BELL        full_fence between "head stored" and "asleep loaded" (writer); and between "asleep stored" and "heads
 *                 loaded" (agent): one of the two sees the other.
 *
 * Where the writer streams its records past the cache there is no TAG release: a reader that relies on a tag, not on head,
 * puts membarrier(GLOBAL_EXPEDITED) between its look at the tag and its copy. Counters are relaxed: each has one writer, and
 * their consistency comes from STACK.
 */
#ifndef SPANRING_LIBSHM_RING_ORDER_H
#define SPANRING_LIBSHM_RING_ORDER_H

#include <spanring/async_abi.h>
#include <spanring/ring_abi.h>
#include <spanring/statistics_abi.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* clang has no macro for it. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SPANRING__TSAN 1
#endif
#endif
/* Eight bytes that are declared as several fields. */
typedef uint64_t __attribute__((may_alias)) ring_order_word;

/*
 * Add to a counter of which this thread is the only writer. One instruction where there is one: nothing is in a register
 * when a signal comes, and a span adds to four of them.
 */
static inline void ring_order_add(uint64_t *counter, uint64_t more) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(SPANRING__TSAN)
	__asm__ volatile("addq %1, %0" : "+m"(*counter) : "er"(more));
#else
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
#endif
}

static inline void ring_order_head_publish(struct spanring_ring_header *header, uint64_t position) {
	__atomic_store_n(&header->head, position, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_head_read(const struct spanring_ring_header *header) {
	return __atomic_load_n(&header->head, __ATOMIC_ACQUIRE);
}

static inline void ring_order_tail_publish(struct spanring_ring_header *header, uint64_t cursor) {
	__atomic_store_n(&header->tail, cursor, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_tail_read(const struct spanring_ring_header *header) {
	return __atomic_load_n(&header->tail, __ATOMIC_ACQUIRE);
}

/* The last word of a slot: ref, type, bits and lap tag in one store. */
static inline void ring_order_tag_publish(union spanring_record *slot, uint64_t tail_word) {
	__atomic_store_n(&slot->words[7], tail_word, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_tag_read(const union spanring_record *slot) {
	return __atomic_load_n(&slot->words[7], __ATOMIC_ACQUIRE);
}

static inline void ring_order_begun_open_publish(struct spanring_ring_header *header, uint64_t begun_open) {
	__atomic_store_n(&header->begun_open, begun_open, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_begun_open_read(const struct spanring_ring_header *header) {
	return __atomic_load_n(&header->begun_open, __ATOMIC_ACQUIRE);
}

/* site_count, string_count, string_arena_used of the process file. */
static inline void ring_order_table_publish(uint32_t *count, uint32_t value) {
	__atomic_store_n(count, value, __ATOMIC_RELEASE);
}

static inline uint32_t ring_order_table_read(const uint32_t *count) {
	return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* block_count of a statistics file. */
static inline void ring_order_block_count_publish(struct spanring_statistics_header *header, uint32_t count) {
	__atomic_store_n(&header->block_count, count, __ATOMIC_RELEASE);
}

static inline uint32_t ring_order_block_count_read(const struct spanring_statistics_header *header) {
	return __atomic_load_n(&header->block_count, __ATOMIC_ACQUIRE);
}

/* Only a request: what it asks for is found through head. */
static inline void ring_order_flush_wanted_publish(struct spanring_ring_header *header, uint64_t position) {
	__atomic_store_n(&header->flush_wanted, position, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_flush_wanted_read(const struct spanring_ring_header *header) {
	return __atomic_load_n(&header->flush_wanted, __ATOMIC_ACQUIRE);
}

/* state of a ring and of a process. */
static inline void ring_order_state_publish(uint32_t *state, uint32_t value) {
	__atomic_store_n(state, value, __ATOMIC_RELEASE);
}

static inline uint32_t ring_order_state_read(const uint32_t *state) {
	return __atomic_load_n(state, __ATOMIC_ACQUIRE);
}

/* `enabled` of the process file; the words it stands for are stored before. */
static inline void ring_order_control_publish(struct spanring_process_header *header, uint32_t enabled) {
	__atomic_store_n(&header->enabled, enabled, __ATOMIC_RELEASE);
}

static inline uint32_t ring_order_control_read(const struct spanring_process_header *header) {
	return __atomic_load_n(&header->enabled, __ATOMIC_ACQUIRE);
}

/* state of a slot of the async file. */
static inline void ring_order_async_state_publish(struct spanring_async_slot *slot, uint64_t state) {
	__atomic_store_n(&slot->state, state, __ATOMIC_RELEASE);
}

static inline uint64_t ring_order_async_state_read(const struct spanring_async_slot *slot) {
	return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

/* An exchange in place of the fence under ThreadSanitizer, which knows no fences; both order store before load. */
static inline void ring_order_full_fence(void) {
#ifdef __SANITIZE_THREAD__
	uint32_t word = 0;
	(void)__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Words with one writer and no order of their own: counters, fields of the open-span stack, words of a slot. */
#define ring_order_put(word, value) __atomic_store_n((word), (value), __ATOMIC_RELAXED)
#define ring_order_get(word) __atomic_load_n((word), __ATOMIC_RELAXED)

/* Site, type and bits of an open span, in one store. */
static inline void ring_order_entry_tail_put(struct spanring_open_span *entry, uint64_t word) {
	__atomic_store_n((ring_order_word *)(void *)&entry->tail, word, __ATOMIC_RELAXED);
}

static inline uint64_t ring_order_entry_tail_get(const struct spanring_open_span *entry) {
	return __atomic_load_n((const ring_order_word *)(const void *)&entry->tail, __ATOMIC_RELAXED);
}

/* Numbers of events, attributes and links of an open span, in one store. */
static inline void ring_order_entry_counts_put(struct spanring_open_span *entry, uint64_t word) {
	__atomic_store_n((ring_order_word *)(void *)&entry->event_count, word, __ATOMIC_RELAXED);
}

/* The same where several threads count: true if the word still was *expected, else *expected is what it is. */
static inline bool ring_order_entry_counts_replace(struct spanring_open_span *entry, uint64_t *expected,
                                                   uint64_t word) {
	return __atomic_compare_exchange_n((ring_order_word *)(void *)&entry->event_count, expected, word, true,
	                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Site, type and bits of a span that begins, and the counts behind them at 0. Nobody reads the entry before begun_open counts it. */
static inline void ring_order_entry_tail_begin(struct spanring_open_span *entry, uint64_t word) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(SPANRING__TSAN)
	_mm_storeu_si128((__m128i *)(void *)&entry->tail, _mm_cvtsi64_si128((long long)word));
#else
	ring_order_entry_tail_put(entry, word);
	ring_order_entry_counts_put(entry, 0);
#endif
}

static inline uint64_t ring_order_entry_counts_get(const struct spanring_open_span *entry) {
	return __atomic_load_n((const ring_order_word *)(const void *)&entry->event_count, __ATOMIC_RELAXED);
}

/* Counters that every thread of a process adds to, off the hot path. */
static inline void ring_order_count(uint64_t *counter) {
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#endif
