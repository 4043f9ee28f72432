/* SPDX-License-Identifier: Apache-2.0 */
#include "call_rows.h"

#include "call_keyed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct call_worker *worker, uint32_t rows) {
	if (rows <= worker->row_room)
		return 0;
	call_rows_free(worker);
	worker->places = malloc(rows * sizeof(*worker->places));
	worker->above = malloc(rows * sizeof(*worker->above));
	worker->tops = malloc(rows * sizeof(*worker->tops));
	worker->chain = malloc(rows * sizeof(*worker->chain));
	worker->away_place = malloc(rows * sizeof(*worker->away_place));
	worker->covered = malloc(rows * sizeof(*worker->covered));
	if (!worker->places || !worker->above || !worker->tops || !worker->chain || !worker->away_place ||
	    !worker->covered)
		return -ENOMEM;
	worker->row_room = rows;
	return 0;
}

void call_rows_free(struct call_worker *worker) {
	free(worker->places);
	free(worker->above);
	free(worker->tops);
	free(worker->chain);
	free(worker->away_place);
	free(worker->covered);
	worker->places = NULL;
	worker->above = NULL;
	worker->tops = NULL;
	worker->chain = NULL;
	worker->away_place = NULL;
	worker->covered = NULL;
	worker->row_room = 0;
}

int call_rows_begin(struct call_worker *worker, const struct store_columns *columns) {
	uint32_t place = 0;
	int error = make_room(worker, columns->span_count);
	if (error)
		return error;
	memset(worker->places, 0xff, columns->span_count * sizeof(*worker->places));
	for (uint32_t row = 0; row < columns->span_count && place < columns->away_count; row++)
		if (columns->parent_row[row] == STORE_PARENT_AWAY)
			worker->away_place[row] = place++;
	return 0;
}

/* The node below which a row without a parent in its batch goes. */
static uint32_t node_above(const struct call_reading *reading, const struct call_worker *worker,
                           const struct store_columns *columns, uint32_t row) {
	if (columns->parent_row[row] != STORE_PARENT_AWAY || columns->away_count == 0)
		return reading->is_first_round ? CALL_ROOT : CALL_ROW_SKIPPED;
	if (!call_away_in_round(&reading->away, columns->trace_lo[row]))
		return CALL_ROW_SKIPPED;
	uint32_t span =
	    call_away_find(&reading->away, columns->trace_lo[row], columns->away_parent_id[worker->away_place[row]]);
	return span == CALL_AWAY_NONE ? CALL_OTHER : reading->away.spans[span].node;
}

static int find_child(struct call_reading *reading, struct call_worker *worker, uint32_t parent, uint32_t key,
                      uint32_t *ret_node) {
	uint32_t hash = (parent * UINT32_C(0x9e3779b1) + key) * UINT32_C(0x85ebca6b);
	struct call_known *known = &worker->known[hash >> (32 - CALL_KNOWN_BITS)];
	if (known->parent != parent || known->key != key) {
		struct call_known found = {parent, key, 0};
		(void)pthread_mutex_lock(&reading->lock);
		int error = call_tree_child(&reading->calls->tree, parent, key, &found.node);
		(void)pthread_mutex_unlock(&reading->lock);
		if (error)
			return error;
		*known = found;
	}
	*ret_node = known->node;
	return 0;
}

static int descend_paths(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                         uint32_t count, uint32_t place) {
	int error = 0;
	if (place == CALL_ROW_PENDING)
		place = CALL_OTHER; /* a span that is above itself: no path leads there */
	while (count > 0 && !error) {
		uint32_t row = worker->chain[--count];
		if (place != CALL_ROW_SKIPPED)
			error =
			    find_child(reading, worker, CALL_NODE(place), call_rows_key(reading, columns, row), &place);
		worker->places[row] = place;
	}
	return error;
}

/* Up to a row that has a place, or to the top, and down again. */
int call_rows_find(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                   uint32_t row) {
	uint32_t count = 0;
	uint32_t place = CALL_ROW_UNKNOWN;
	while (place == CALL_ROW_UNKNOWN) {
		worker->chain[count++] = row;
		worker->places[row] = CALL_ROW_PENDING;
		if (call_rows_has_parent(columns, row)) {
			row = columns->parent_row[row];
			place = worker->places[row];
			continue;
		}
		if (!reading->question->by_path)
			break;
		place = node_above(reading, worker, columns, row);
		worker->absent += place == CALL_ABSENT && reading->is_first_pass;
	}
	if (reading->question->by_path)
		return descend_paths(reading, worker, columns, count, place);
	call_keyed_descend(reading, worker, columns, count, place);
	return 0;
}

int call_rows_find_all(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns) {
	int error = 0;
	if (!reading->question->by_path)
		return call_keyed_place_all(reading, worker, columns);
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		uint32_t parent = columns->parent_row[row];
		if (worker->places[row] != CALL_ROW_UNKNOWN)
			continue;
		if (parent >= row) /* no rule: parents begin before their children */
			error = call_rows_find(reading, worker, columns, row);
		else if (worker->places[parent] == CALL_ROW_SKIPPED)
			worker->places[row] = CALL_ROW_SKIPPED;
		else
			error = find_child(reading, worker, CALL_NODE(worker->places[parent]),
			                   call_rows_key(reading, columns, row), &worker->places[row]);
	}
	return error;
}
