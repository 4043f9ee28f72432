/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that implement the public functions. */
#ifndef SPANRING_LIBSHM_WRITER_H
#define SPANRING_LIBSHM_WRITER_H

#include "ring_writer.h"

/*
 * The entry of an open span of this thread, with the thread's state; NULL for an empty handle and (counted as misuse) for one
 * that is stale or not of this thread.
 */
struct spanring_open_span *spanring__writer_find(struct spanring_span span, struct spanring__thread **ret_self);

/*
 * This thread's state, for what begins on it, with the words of `control` (a value of `enabled`) in force. NULL: nothing can begin;
 * what has to be counted is counted.
 */
struct spanring__thread *spanring__writer_thread(uint32_t control);

/* What a span of this thread begins with, wherever its entry will be. */
struct spanring__begin {
	struct spanring__thread *self;
	struct spanring_open_span *top; /* taken: to be given back */
	struct ring_writer_parent parent;
	uint64_t tail_word; /* type UNSAMPLED: no record is to come */
};

/* options may be NULL. False: no span, and nothing is taken. */
bool spanring__writer_prepare(struct spanring_site *site, const struct spanring_begin_options *options,
                              struct spanring__begin *ret_begin);

/* Are children of this context recorded? */
bool spanring__writer_keeps(struct spanring__thread *self, const struct spanring_context *context);

/* Make an entry the innermost one; last: the one that is now. The stack has been taken. */
void spanring__writer_move_to_top(struct spanring__thread *self, struct spanring_open_span *entry,
                                  struct spanring_open_span *last);

#endif
