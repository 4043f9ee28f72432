/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the last batches, as far as it takes to find a parent that came before its child, and the children it has so far. They lie in
 * one ring of rows: a new batch takes the place of the oldest. Of the batches that are gone only a filter of their traces stays.
 *
 * Trace after trace, as in the store, a trace is searched row by row; of a long one the ids, and the children by parent, are indexed first.
 */
#ifndef SPANRING_LIBSTORE_CHILD_WINDOW_H
#define SPANRING_LIBSTORE_CHILD_WINDOW_H

#include "base/interval.h"
#include "child_rows.h"

#include <stdbool.h>
#include <stddef.h>

/* Batches that are kept at most, and in rooms of so many rows for each row of the largest. */
#define CHILD_WINDOW_BATCHES 16u
#define CHILD_WINDOW_ROOM 4u
/* Children in other batches that one batch is remembered to have. */
#define CHILD_WINDOW_ADOPTED_MAX 16384u

struct child_intervals {
	struct interval *items;
	size_t count;
	size_t room;
};

struct child_slot;
struct child_window;

int child_window_new(uint64_t seed, struct child_window **ret_window);
void child_window_free(struct child_window *window);
/* Nothing is known any more, as at the beginning of a segment. */
void child_window_clear(struct child_window *window);

/*
 * A copy of these rows, not among those searched before child_window_keep; a second call takes the first one back. -ENOMEM, or 0 and *ret_slot,
 * which has the rows that child_slot_rows gives until its batch is gone.
 */
int child_window_put(struct child_window *window, uint64_t batch, const struct child_rows *rows,
                     struct child_slot **ret_slot);
void child_window_keep(struct child_window *window);

const struct child_rows *child_slot_rows(const struct child_slot *slot);
uint64_t child_slot_batch(const struct child_slot *slot);

/* Are there two traces with one low half in the batch? */
bool child_slot_has_twins(const struct child_slot *slot);

/* A trace of this window: rows [first, end) of a batch. */
struct child_run {
	struct child_slot *slot;
	uint32_t first;
	uint32_t end;
	uint32_t position;
};

/* Trace number `trace` of a batch that was put. */
struct child_run child_slot_run(struct child_slot *slot, uint32_t trace);
/* The trace with the same low half that came before this one, if it is still there. */
bool child_window_older(struct child_window *window, const struct child_run *run, struct child_run *ret_older);
/* Into the cache, before it is needed: the one that child_window_older gives. */
void child_run_prefetch(const struct child_run *run);
/* Was there a trace with this low half in a batch that is gone? False is certain. */
bool child_window_forgot(const struct child_window *window, uint64_t trace_lo);

/* The first row of the trace that has this id: 1; 0: none has; or -ENOMEM. */
int child_run_find(const struct child_run *run, uint64_t span_id, uint32_t *ret_row);

/* Put the children of a row of the trace behind those in `intervals`: of its own batch, then the adopted ones. 0 or -ENOMEM. */
int child_run_list_near(const struct child_run *run, uint32_t row, struct child_intervals *intervals);
int child_slot_list_adopted(const struct child_slot *slot, uint32_t row, struct child_intervals *intervals);

/* Is there room to remember that many more? */
bool child_slot_may_adopt(const struct child_slot *slot, uint32_t count);
int child_slot_adopt(struct child_slot *slot, uint32_t row, struct interval child);

int child_intervals_add(struct child_intervals *intervals, struct interval interval);

#endif
