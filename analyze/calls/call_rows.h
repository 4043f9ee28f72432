/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a row of a batch to the place where its span counts: the node of its call path, or, where paths are not asked for, its key alone
 * (call_keyed.h). Either way with CALL_NESTED where the key is already on the stack.
 */
#ifndef SPANRING_ANALYZE_CALL_ROWS_H
#define SPANRING_ANALYZE_CALL_ROWS_H

#include "analyze/kernels/self_time.h"
#include "call_away.h"
#include "calls.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Of a row, in place of a node or key. */
#define CALL_ROW_UNKNOWN UINT32_MAX
#define CALL_ROW_PENDING (UINT32_MAX - 1u)
#define CALL_ROW_SKIPPED (UINT32_MAX - 2u) /* not of this round */

/* A child that was looked up before: most spans take one of few ways. */
struct call_known {
	uint32_t parent;
	uint32_t key;
	uint32_t node;
};

#define CALL_KNOWN_BITS 13u

struct call_worker {
	struct call_known *known;
	struct call_figures *figures; /* by node or key */
	uint32_t figure_room;
	uint32_t row_room;
	uint32_t *places; /* by row, as those below */
	uint64_t *above;  /* by key: bits of the keys above, with its own */
	uint32_t *tops;   /* by key: the row of the batch that is above all others of the stack */
	uint32_t *chain;
	uint32_t *away_place; /* in away_parent_id */
	uint64_t *covered;
	uint64_t spans;
	uint64_t open;
	uint64_t unclear; /* by key: not known whether they are nested */
	uint64_t absent;
	bool heap_known;
};

struct call_reading {
	struct calls *calls;
	const struct calls_question *question;
	struct call_worker workers[STORE_SCAN_THREADS_MAX];
	uint32_t threads;
	pthread_mutex_t lock; /* of both trees and of `away` */
	pthread_mutex_t self_lock;
	struct call_tree parts;
	struct call_away away;
	struct self_time *self;
	bool is_filtered;
	bool is_first_round;
	bool is_first_pass; /* over the figures, in this round */
};

static inline uint32_t call_rows_key(const struct call_reading *reading, const struct store_columns *columns,
                                     uint32_t row) {
	uint32_t site = columns->site[row];
	return site <= columns->segment->site_count ? call_keys_of(&reading->calls->keys, columns)[site] : 0;
}

static inline bool call_rows_has_parent(const struct store_columns *columns, uint32_t row) {
	return columns->parent_row[row] < columns->span_count && columns->parent_row[row] != row;
}

/* Room for the rows of a batch, none with a place yet, and the ids of those whose parents are away put where they are found. 0 or -ENOMEM. */
int call_rows_begin(struct call_worker *worker, const struct store_columns *columns);
void call_rows_free(struct call_worker *worker);

/* Fills places[row], and those of the rows above it. 0 or -ENOMEM. */
int call_rows_find(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                   uint32_t row);

/* Fills the places of all rows. 0 or -ENOMEM. */
int call_rows_find_all(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns);

#endif
