/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open spans of a thread, read from its ring file. The entries are copied, then judged one by one; what makes no
 * sense is left out and counted.
 *
 *     dead thread     the entries that begun_open counts are the open spans. But it may have died between writing the
 *                     record of a span and taking the span off the stack: that span has ended. It is known by its
 *                     record, the last of the ring.
 *     living thread   the stack moves while it is read. The copy is used only when begun_open was the same before and
 *                     after, and even then it is a hint for display: a span ended out of order moves inside the stack.
 *
 * A thread that died while it moved an entry leaves one twice; it is taken once.
 *
 * Not every entry is an open span with a record to come: one of a trace that is not sampled is open and no more, and an attached
 * context is no span at all, though begun_open counts it as one begun and open.
 */
#ifndef SPANRING_LIBSHM_RING_STACK_H
#define SPANRING_LIBSHM_RING_STACK_H

#include "ring_reader.h"

struct ring_stack {
	uint32_t count;
	uint32_t refused;                                    /* entries that make no sense, or stand there twice */
	uint32_t unsampled;                                  /* open spans that no record was to come of */
	uint32_t contexts;                                   /* attached */
	struct spanring_open_span spans[SPANRING_DEPTH_MAX]; /* outermost first */
	uint8_t places[SPANRING_DEPTH_MAX];                  /* where each stood among all entries */
};

/*
 * `end` is the position behind the last record, of a dead thread; not used for a living one. 0, ERR_DAMAGED (more
 * entries than there can be), ERR_GONE, -EAGAIN (a living thread that never stood still), or what pread said.
 */
int ring_stack_read(const struct ring_reader *reader, bool living, uint64_t end, struct ring_stack *ret_stack);

/* Only the number of attached contexts, which begun_open counts twice over. The same results. */
int ring_stack_contexts(const struct ring_reader *reader, bool living, uint32_t *ret_count);

#endif
