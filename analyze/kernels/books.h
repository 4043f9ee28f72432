/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity that every ring, every process and the whole store must keep, to the unit:
 *
 *     begun = ended + open
 *     ended = stored + dropped[reason] + sampled_out + rejected[reason] + lost_store[reason] + evicted  (+ in_ring)
 *
 * Three parties keep the books: the program counts begun, open and its drops; the agent counts what it stored, rejected and lost; and `stored` is
 * counted here from the rows of the batches (without those of spans that never ended, which are `open`), so an agent that miscounts is found out. What is left over is explained or it is a gap:
 *
 *     lost records   the agent skipped records without knowing their type: the missing spans are among them, at most that many
 *     quarantined    the agent stopped reading a ring that broke its contract: what it did not read is lost
 *     live ring      ended, still in the ring at the last commit (in_ring). A thread may stand between writing the record and counting it:
 *                    the ring then shows ended one short, and the span on top of its stack is the one that ended;
 *                    or an async span has, which is counted when it ends, and begun is one short as well
 *     anything else  a gap: not balanced
 */
#ifndef SPANRING_ANALYZE_BOOKS_H
#define SPANRING_ANALYZE_BOOKS_H

#include "libstore/evict.h"
#include "libstore/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOKS_PROBLEM_BYTES 160u

struct books {
	uint64_t begun;
	uint64_t ended;
	uint64_t open;
	uint64_t stored;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_no_ring;
	uint64_t dropped_reentry;   /* begun by a signal handler inside the writer library */
	uint64_t dropped_async;     /* of dropped_depth: async spans that found no place */
	uint64_t sampled_out;       /* for either reason */
	uint64_t sampled_out_short; /* of these: ended before their minimum duration */
	uint64_t thinned;           /* of these: left out by tail keep of the agent */
	uint64_t rejected_contract;
	uint64_t lost_skipped;
	uint64_t lost_quarantined;
	uint64_t lost_quota;    /* in rings that their user had no quota for */
	uint64_t dropped_quota; /* of dropped_full: while the agent held the user back */
	uint64_t evicted;
	uint64_t in_ring;
	uint64_t unfinished;         /* of `open`: those that are stored as rows of spans that never ended */
	uint64_t dropped_attributes; /* beside the identity of spans */
	uint64_t dropped_events;
};

/*
 * Books of one ring with `rows` counted, and `evicted` that were stored and went with their segments. False when they do not balance; ret_problem then says where, else it is empty.
 */
bool books_of_ring(const struct store_cursor *cursor, uint64_t rows, uint64_t evicted, struct books *ret_books,
                   char ret_problem[BOOKS_PROBLEM_BYTES]);

/*
 * Rows of spans that never ended, beside the identity: not more than the books of their ring call open, and only of a
 * ring whose process is gone. Likewise false with a text.
 */
bool books_of_open(const struct store_cursor *cursor, uint64_t open_rows, char ret_problem[BOOKS_PROBLEM_BYTES]);

/*
 * The spans of a process that its statistics counted, beside those that ended in its rings; a span that was too deep has no duration
 * and is in neither, nor is one that was in no ring. One whose thread was killed while it ended it may be missing from its statistics, or there without its
 * record: one for each of the `killed` rings. Likewise false with a text.
 */
bool books_of_statistics(const struct books *books, uint64_t statistics_spans, uint64_t killed,
                         char ret_problem[BOOKS_PROBLEM_BYTES]);

/* The spans of a process that were in no ring: begun, ended and dropped at once. */
struct books books_of_process(const struct store_process_account *account);

/* Rings of which no segment tells any more: all they stored is evicted. False when they do not balance. */
bool books_of_departed(const struct store_evictions *evictions, struct books *ret_books,
                       char ret_problem[BOOKS_PROBLEM_BYTES]);

/* Add the books of one to a sum. */
void books_add(struct books *sum, const struct books *books);

/* Does the identity hold in these numbers? Of a sum of balanced rings it does. */
bool books_balanced(const struct books *books);

uint64_t books_dropped(const struct books *books);
uint64_t books_lost(const struct books *books);

#endif
