/* SPDX-License-Identifier: Apache-2.0 */
#include "call_keyed.h"

#define WALK_MAX 1024u /* rows; a stack that is deeper is not looked through */

/* Is the key on the stack of the batch, above the row? What cannot be told is taken for nested: nothing counts twice. */
static bool walk_up(const struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                    uint32_t row, uint32_t key) {
	for (uint32_t steps = 0; steps < WALK_MAX; steps++) {
		if (!call_rows_has_parent(columns, row))
			return false;
		row = columns->parent_row[row];
		if (call_rows_key(reading, columns, row) == key)
			return true;
	}
	worker->unclear += reading->is_first_pass;
	return true;
}

void call_keyed_descend(const struct call_reading *reading, struct call_worker *worker,
                        const struct store_columns *columns, uint32_t count, uint32_t place) {
	uint32_t row = worker->chain[count - 1];
	uint32_t top = row;
	uint32_t stray = 0;
	uint64_t above = 0;
	if (place == CALL_ROW_PENDING) {
		above = UINT64_MAX; /* a span that is above itself */
	} else if (call_rows_has_parent(columns, row)) {
		above = worker->above[columns->parent_row[row]];
		top = worker->tops[columns->parent_row[row]];
		stray = place & CALL_STRAY;
	} else if (columns->parent_row[row] == STORE_PARENT_AWAY && columns->away_count > 0) {
		stray = CALL_STRAY;
	}
	while (count > 0) {
		row = worker->chain[--count];
		uint32_t key = call_rows_key(reading, columns, row);
		uint64_t bit = call_tree_key_bit(key);
		bool nested = above & bit && walk_up(reading, worker, columns, row, key);
		above |= bit;
		worker->above[row] = above;
		worker->tops[row] = top;
		worker->places[row] = key | stray | (nested ? CALL_NESTED : 0);
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
