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
 */
#ifndef SPANRING_LIBSHM_RING_STACK_H
#define SPANRING_LIBSHM_RING_STACK_H

#include "ring_reader.h"

struct ring_stack {
	uint32_t count;
	uint32_t refused;                                    /* entries that make no sense, or stand there twice */
	struct spanring_open_span spans[SPANRING_DEPTH_MAX]; /* outermost first */
};

/*
 * `end` is the position behind the last record, of a dead thread; not used for a living one. 0, ERR_DAMAGED (more
 * entries than there can be), ERR_GONE, -EAGAIN (a living thread that never stood still), or what pread said.
 */
int ring_stack_read(const struct ring_reader *reader, bool living, uint64_t end, struct ring_stack *ret_stack);

#endif
