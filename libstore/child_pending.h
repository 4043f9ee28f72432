/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children whose parent has not come yet, by trace; bounded. When it is full, those of the oldest batches are forgotten, batch
 * by batch, so that what is still known can be said with one number.
 */
#ifndef SPANRING_LIBSTORE_CHILD_PENDING_H
#define SPANRING_LIBSTORE_CHILD_PENDING_H

#include "base/interval.h"

#include <stdbool.h>

#define CHILD_PENDING_MAX (1u << 17)

struct child_waiting {
	uint64_t trace_lo;
	uint64_t parent_id;
	struct interval interval;
	uint32_t batch;
	uint32_t row;
};

struct child_pending;

int child_pending_new(uint64_t seed, struct child_pending **ret_pending);
void child_pending_free(struct child_pending *pending);
void child_pending_clear(struct child_pending *pending);

/* Those of this batch and all later ones are known. */
uint64_t child_pending_from(const struct child_pending *pending);

int child_pending_add(struct child_pending *pending, const struct child_waiting *waiting);
/* Into the cache, before it is needed: the bucket of a trace, and some time later its entries. */
void child_pending_prefetch(const struct child_pending *pending, uint64_t trace_lo, bool entries);

/* Number + 1 of one of this trace that waits, the one after `after` (0: the first), or 0. Numbers hold until the next add. */
uint32_t child_pending_next(const struct child_pending *pending, uint64_t trace_lo, uint32_t after);
const struct child_waiting *child_pending_at(const struct child_pending *pending, uint32_t number);
/* It waits no longer. */
void child_pending_remove(struct child_pending *pending, uint32_t number);

#endif
