/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread's end of its statistics (spanring/statistics_abi.h). A span whose duration lies between the smallest and the
 * largest of its site so far, and which is no error, only counts: two additions, in the caller. All else is rare and out of
 * line, what the first span of a site needs included.
 *
 * While statistics are off, all sites share one private block that nobody reads: the span need not ask.
 */
#ifndef SPANRING_LIBSHM_STATISTICS_H
#define SPANRING_LIBSHM_STATISTICS_H

#include "ring_writer.h"

/* NULL: none yet. */
static inline struct spanring_site_statistics *statistics_of(const struct spanring__thread *self, uint64_t tail_word) {
	return self->statistics[tail_word & (SPANRING__STATISTICS_SLOTS - 1)];
}

/* Does this span only count? Reads what only this thread writes. Also tells of a clock that went back: that duration is larger than any. */
static inline bool statistics_is_usual(const struct spanring_site_statistics *block,
                                       const struct spanring_open_span *entry, uint64_t duration) {
	return likely(block && duration <= block->max_ticks && duration >= block->min_ticks &&
	              (entry->tail.bits & SPANRING_STATUS_ERROR << SPANRING_BITS_STATUS_SHIFT) == 0);
}

static inline void statistics_count_usual(struct spanring_site_statistics *block, uint64_t duration) {
	ring_order_add(&block->bins[spanring_statistics_bin_below(duration)], 1);
	ring_order_add(&block->sum_ticks, duration);
}

/* Any span that has ended, with its heap word (span_heap.h) or 0. */
void spanring__statistics_count(struct spanring__thread *self, uint64_t tail_word, uint64_t duration,
                                uint64_t heap_word, bool has_heap);

/* Statistics were switched on or off: ask again for each site. */
void spanring__statistics_forget(struct spanring__thread *self);

#endif
