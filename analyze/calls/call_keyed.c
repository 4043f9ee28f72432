/* SPDX-License-Identifier: Apache-2.0 */
#include "call_keyed.h"

#define WALK_MAX 1024u /* rows; a stack that is deeper is not looked through */

/*
 * Is the key on the stack of the batch, above the row? The rows there have their places. What cannot be told is taken for nested: nothing counts twice.
 */
static bool walk_up(const struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                    uint32_t row, uint32_t key) {
	for (uint32_t steps = 0; steps < WALK_MAX; steps++) {
		if (!call_rows_has_parent(columns, row))
			return false;
		row = columns->parent_row[row];
		if (CALL_NODE(worker->places[row]) == key)
			return true;
	}
	worker->unclear += reading->is_first_pass;
	return true;
}

/* `above`: the bits of the keys above; top: the outermost row of the batch. */
static inline void place(const struct call_reading *reading, struct call_worker *worker,
                         const struct store_columns *columns, uint32_t row, uint32_t key, uint64_t above,
                         uint32_t stray, uint32_t top) {
	uint64_t bit = call_tree_key_bit(key);
	bool nested = above & bit && walk_up(reading, worker, columns, row, key);
	worker->above[row] = above | bit;
	worker->tops[row] = top;
	worker->places[row] = key | stray | (nested ? CALL_NESTED : 0);
}

int call_keyed_place_all(struct call_reading *reading, struct call_worker *worker,
                         const struct store_columns *columns) {
	const uint32_t *keys = call_keys_of(&reading->calls->keys, columns);
	uint32_t site_count = columns->segment->site_count;
	int error = 0;
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		uint32_t parent = columns->parent_row[row];
		uint32_t key = columns->site[row] <= site_count ? keys[columns->site[row]] : 0;
		if (parent < row) /* the rule: it has its place */
			place(reading, worker, columns, row, key, worker->above[parent],
			      worker->places[parent] & CALL_STRAY, worker->tops[parent]);
		else if (parent == STORE_PARENT_NONE)
			place(reading, worker, columns, row, key, 0, 0, row);
		else if (parent == STORE_PARENT_AWAY)
			place(reading, worker, columns, row, key, 0, columns->away_count > 0 ? CALL_STRAY : 0, row);
		else if (worker->places[row] == CALL_ROW_UNKNOWN)
			error = call_rows_find(reading, worker, columns, row);
	}
	return error;
}

void call_keyed_descend(const struct call_reading *reading, struct call_worker *worker,
                        const struct store_columns *columns, uint32_t count, uint32_t above_place) {
	uint32_t row = worker->chain[count - 1];
	uint32_t top = row;
	uint32_t stray = 0;
	uint64_t above = 0;
	if (above_place == CALL_ROW_PENDING) {
		above = UINT64_MAX; /* a span that is above itself */
	} else if (call_rows_has_parent(columns, row)) {
		above = worker->above[columns->parent_row[row]];
		top = worker->tops[columns->parent_row[row]];
		stray = above_place & CALL_STRAY;
	} else if (columns->parent_row[row] == STORE_PARENT_AWAY && columns->away_count > 0) {
		stray = CALL_STRAY;
	}
	while (count > 0) {
		row = worker->chain[--count];
		place(reading, worker, columns, row, call_rows_key(reading, columns, row), above, stray, top);
		above = worker->above[row];
	}
}

bool call_keyed_is_outer(const struct call_reading *reading, struct call_worker *worker,
                         const struct store_columns *columns, uint32_t row) {
	uint32_t top = worker->tops[row];
	if (!call_away_in_round(&reading->away, columns->trace_lo[top]))
		return false;
	uint32_t span =
	    call_away_find(&reading->away, columns->trace_lo[top], columns->away_parent_id[worker->away_place[top]]);
	enum call_has has = span == CALL_AWAY_NONE ? CALL_HAS_UNKNOWN
	                                           : call_away_has_key(&reading->away, &reading->parts, span,
	                                                               CALL_NODE(worker->places[row]));
	worker->unclear += has == CALL_HAS_UNKNOWN;
	worker->absent += row == top && span != CALL_AWAY_NONE && reading->away.spans[span].node == CALL_AWAY_NONE;
	return has == CALL_HAS_NOT;
}
