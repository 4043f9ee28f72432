/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of each span its children cover, across batches: what a reader needs beside the durations of a batch and the rows of its parents, so that
 * it never has to look for a span by its id (docs/store-format.md, transform 13).
 *
 *     child and parent in one batch      the reader adds up durations; where children overlap, or outlive their parent, a correction of the
 *                                        parent's row says what that is too much
 *     the child came first               it waits (child_pending.h) until its parent is there, whose correction then counts it in
 *     the parent came first              the batch of the child carries the sum for a row of an earlier batch (child_window.h)
 *
 * Each is written with the batch that makes it true, in one transaction, and never changed: a reader that sees a prefix of the commits sees what is
 * right for that prefix. Memory is bounded; a child whose parent may be where nobody looks any more is called unsure, or the column says from which batch
 * on children still wait. A new segment begins with nothing.
 *
 *     child_sums_add      what batch `batch` has to say, from its rows; may be called again for the same batch
 *     child_sums_keep     that batch is stored
 */
#ifndef SPANRING_LIBSTORE_CHILD_SUMS_H
#define SPANRING_LIBSTORE_CHILD_SUMS_H

#include "child_rows.h"
#include "format.h"
#include "reader.h"

/*
 * A batch with more rows whose parent is elsewhere says nothing, and is not looked into for others. That many come of rings that were full when they were
 * drained, one long piece after the other; then an agent has better things to do, and a reader looks for the ids.
 */
#define CHILD_SUMS_AWAY_MAX 4096u

struct child_sums;

int child_sums_new(struct child_sums **ret_sums);
void child_sums_free(struct child_sums *sums);
/* The next batch is the first of its segment. */
void child_sums_clear(struct child_sums *sums);

/*
 * Batches come in order. NULL: there is nothing to say, or nothing can be said: too many rows have their parent elsewhere, two traces of the batch have
 * ids with the same low half, or more than BATCH_SPANS_MAX children waited for it; or there was no memory, and then nothing is said up to the end of
 * the segment.
 * Valid until the next call.
 */
const struct store_child_sums *child_sums_put(struct child_sums *sums, uint64_t batch, const struct child_rows *rows);
void child_sums_keep(struct child_sums *sums);

/* Put them, as a column, into a batch that has these rows; valid until the next call. */
void child_sums_add(struct child_sums *sums, uint64_t batch, const struct child_rows *rows,
                    struct format_batch *encoded);

#endif
