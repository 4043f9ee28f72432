/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self time: the part of a span's duration in which none of its direct children was running. That is its duration less the union of the
 * intervals of its children, each cut to the interval of the span: children that overlap count once, one that outlives its parent
 * counts up to the parent's end.
 *
 * METHOD. Spans come batch by batch, several times over. Within a batch the parent of a row is found by its id among the rows of the trace
 * that stand together, and a union grows child by child, in order of start. A child whose parent is not there is a stray: strays are kept, and the next pass looks for their
 * parents; where it finds one, it takes the union anew, of all its children, and gives what is covered beyond the union of those in the batch.
 *
 * A store knows which row of a batch is whose parent. Then the first pass needs no ids, and the next one only looks at traces that have strays.
 *
 * SETTLED BATCHES. Where child sums say what children cover (self_sums.h), only children that they do not count are looked for, and what is found is what those
 * cover beyond the others. Two passes more come first: the first notes the traces of such children (MARK), the second which of these also are where the
 * parents may be (SPREAD), so that all others need no look at their ids. What sums have said is not said again.
 *
 * MEMORY is bounded by a budget for strays. When it is spent, those of the upper half of the hashes are given up, and get passes of their
 * own later; nothing is estimated. Only the strays of a single span must fit the budget, else ERR_LIMIT.
 *
 * TIME is bounded where ids are not unique, which only a hostile or broken writer makes: of the rows that share one id, as many as SELF_TIME_TWINS_MAX look at
 * more than a few strays of that id. The strays of the others stay unresolved, their self times too long, and they are counted.
 *
 *     do for each batch: self_time_take(...), and take what it gives off the duration
 *     while ((rc = self_time_next_pass(self)) > 0)
 */
#ifndef SPANRING_ANALYZE_SELF_TIME_H
#define SPANRING_ANALYZE_SELF_TIME_H

#include "libstore/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELF_TIME_BUDGET_BYTES (32u << 20)
/* Of one span, in other batches than its own, with that budget. */
#define SELF_TIME_CHILDREN_MAX ((size_t)SELF_TIME_BUDGET_BYTES / 40)
/* Rows with one and the same id whose many children in other batches are looked at. */
#define SELF_TIME_TWINS_MAX 16u

/* One batch, at most 2^31 - 1 rows in any order; those that stand trace by trace in order of start are fastest. */
struct self_time_rows {
	uint32_t count;
	const uint64_t *trace_lo;
	const uint64_t *span_id;
	const uint64_t *parent_id; /* 0: root */
	const uint64_t *start_ns;
	const uint64_t *duration_ns;
	/*
	 * Where it is known which row is whose parent, instead of parent_id: STORE_PARENT_NONE, STORE_PARENT_AWAY or a row of the trace; and the ids of
	 * those away, in order of rows. span_id may be NULL then while self_time_wants_ids says no. In all passes, or in none.
	 */
	const uint32_t *parent_row;
	uint32_t away_count;
	const uint64_t *away_parent_id;
	/* After self_time_settled: the place of the batch, and its child sums, if it has them. */
	uint32_t segment;
	uint64_t batch;
	const struct store_child_sums *child_sums;
	bool waits_elsewhere; /* the parents of those that wait are in another segment, if anywhere */
};

struct self_time;

/* 0 or -ENOMEM. */
int self_time_new(size_t budget_bytes, struct self_time **ret_self);
void self_time_free(struct self_time *self);

/* Before the first pass: rows come with child sums, where there are some. -ENOMEM or 0. */
int self_time_settled(struct self_time *self);

/* What the pass at hand wants of a batch. */
enum self_time_pass {
	SELF_TIME_MARK,    /* traces, and of those with children that are not settled starts and durations */
	SELF_TIME_SPREAD,  /* traces */
	SELF_TIME_COLLECT, /* traces, starts, durations, rows of parents */
	SELF_TIME_RESOLVE  /* and ids of spans */
};
enum self_time_pass self_time_pass(const struct self_time *self);

/*
 * One batch of a pass. ret_covered[row]: how much of the row's duration this pass found to be covered by children, beyond what earlier
 * passes found. 0, -ENOMEM or ERR_LIMIT.
 */
int self_time_take(struct self_time *self, const struct self_time_rows *rows, uint64_t *ret_covered);

/* Does the pass at hand need the ids of the spans? */
bool self_time_wants_ids(const struct self_time *self);

/* So far: rows of which children in other batches were not looked at, as too many rows share their id. */
uint64_t self_time_unresolved(const struct self_time *self);

/* Ends a pass: 1 when all batches are wanted once more, 0 when all is known, or -ENOMEM. */
int self_time_next_pass(struct self_time *self);

#endif
