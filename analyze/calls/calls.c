/* SPDX-License-Identifier: Apache-2.0 */
#include "calls.h"

#include "analyze/latency/latency.h"
#include "call_keyed.h"
#include "call_rows.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/units.h"

#include <spanring/spanring.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SHARED_KEYS_MAX 16384u

static int open_workers(struct call_reading *reading) {
	for (uint32_t i = 0; i < reading->threads; i++) {
		size_t bytes = sizeof(struct call_known) << CALL_KNOWN_BITS;
		reading->workers[i].known = malloc(bytes);
		if (!reading->workers[i].known)
			return -ENOMEM;
		memset(reading->workers[i].known, 0xff, bytes);
	}
	return 0;
}

static void close_workers(struct call_reading *reading) {
	for (uint32_t i = 0; i < reading->threads; i++) {
		struct call_worker *worker = &reading->workers[i];
		free(worker->known);
		free(worker->figures);
		call_rows_free(worker);
	}
}

/* --- parents in other batches ------------------------------------------------------------------------------------ */

static int take_wanted(void *context, const struct store_columns *columns) {
	struct call_reading *reading = context;
	uint32_t place = 0;
	int error = 0;
	if (columns->away_count == 0)
		return 0;
	(void)pthread_mutex_lock(&reading->lock);
	for (uint32_t row = 0; row < columns->span_count && place < columns->away_count && !error; row++)
		if (columns->parent_row[row] == STORE_PARENT_AWAY)
			error =
			    call_away_want(&reading->away, columns->trace_lo[row], columns->away_parent_id[place++]);
	(void)pthread_mutex_unlock(&reading->lock);
	return error;
}

/* The path of a span that is wanted: whole, or from where its batch begins. */
static int settle(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                  uint32_t row, uint32_t wanted) {
	uint32_t keys[CALL_DEPTH_MAX + 1];
	uint32_t count = 0;
	uint32_t anchor = CALL_AWAY_NONE;
	uint32_t node = CALL_ROOT;
	int error = 0;
	keys[count++] = call_rows_key(reading, columns, row);
	for (; call_rows_has_parent(columns, row) && count <= CALL_DEPTH_MAX; count++) {
		row = columns->parent_row[row];
		keys[count] = call_rows_key(reading, columns, row);
	}
	bool is_away = columns->parent_row[row] == STORE_PARENT_AWAY && columns->away_count > 0;
	if (is_away)
		anchor = call_away_find(&reading->away, columns->trace_lo[row],
		                        columns->away_parent_id[worker->away_place[row]]);
	if (count > CALL_DEPTH_MAX || (is_away && anchor == CALL_AWAY_NONE)) {
		anchor = CALL_AWAY_NONE;
		node = CALL_OTHER;
		count = 1;
	}
	bool whole = anchor == CALL_AWAY_NONE && reading->question->by_path;
	struct call_tree *tree = whole ? &reading->calls->tree : &reading->parts;
	while (count > 0 && !error)
		error = call_tree_child(tree, node, keys[--count], &node);
	call_away_settle(&reading->away, wanted, anchor, node);
	return error;
}

static int take_found(void *context, const struct store_columns *columns) {
	struct call_reading *reading = context;
	struct call_worker *worker = &reading->workers[columns->worker];
	bool may_have = false;
	int error = call_rows_begin(worker, columns);
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		if (row == 0 || columns->trace_lo[row] != columns->trace_lo[row - 1])
			may_have = call_away_may_have(&reading->away, columns->trace_lo[row]);
		uint32_t wanted = may_have
		                      ? call_away_find(&reading->away, columns->trace_lo[row], columns->span_id[row])
		                      : CALL_AWAY_NONE;
		if (wanted == CALL_AWAY_NONE)
			continue;
		(void)pthread_mutex_lock(&reading->lock);
		error = settle(reading, worker, columns, row, wanted);
		(void)pthread_mutex_unlock(&reading->lock);
	}
	return error;
}

static int want_away(struct call_reading *reading) {
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW,
	                          .whole_time = true,
	                          .without_where = true,
	                          .threads = reading->threads,
	                          .on_batch = take_wanted,
	                          .context = reading};
	return query_scan(reading->calls->query, &scan);
}

static int find_away(struct call_reading *reading) {
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_SPAN_ID |
	                                     STORE_COLUMN_SITE,
	                          .whole_time = true,
	                          .without_where = true,
	                          .threads = reading->threads,
	                          .on_batch = take_found,
	                          .context = reading};
	call_tree_free(&reading->parts);
	int rc = call_tree_new(&reading->parts, CALL_PARTS_MAX);
	if (rc == 0)
		rc = query_scan(reading->calls->query, &scan);
	if (rc == 0 && reading->question->by_path)
		rc = call_away_resolve(&reading->away, &reading->calls->tree, &reading->parts);
	else if (rc == 0)
		rc = call_away_gather_keys(&reading->away, &reading->parts);
	return rc;
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

static uint64_t weighted(uint64_t value, uint32_t weight) {
	uint64_t product;
	if (weight == STORE_WEIGHT_ONE)
		return value;
	if (__builtin_mul_overflow(value, (uint64_t)weight, &product))
		return value / STORE_WEIGHT_ONE > UINT64_MAX / weight ? UINT64_MAX : value / STORE_WEIGHT_ONE * weight;
	return product / STORE_WEIGHT_ONE;
}

static int make_figure_room(struct call_worker *worker, uint32_t node) {
	uint32_t room = worker->figure_room ? worker->figure_room : 256;
	while (room <= node)
		room *= 2;
	if (room == worker->figure_room)
		return 0;
	struct call_figures *figures = reallocarray(worker->figures, room, sizeof(*figures));
	if (!figures)
		return -ENOMEM;
	memset(figures + worker->figure_room, 0, (room - worker->figure_room) * sizeof(*figures));
	worker->figures = figures;
	worker->figure_room = room;
	return 0;
}

static void add_row(struct call_worker *worker, const struct store_columns *columns, uint32_t row, bool wants_self) {
	uint32_t node = worker->places[row];
	uint32_t weight = query_weight(columns, row);
	uint64_t duration_ns = columns->duration_ns[row];
	struct call_figures *figures = &worker->figures[CALL_NODE(node)];
	if (figures->calls == 0 || duration_ns < figures->min_ns)
		figures->min_ns = duration_ns;
	if (duration_ns > figures->max_ns)
		figures->max_ns = duration_ns;
	if (wants_self)
		figures->self_ns += weighted(duration_ns, weight) - weighted(worker->covered[row], weight);
	duration_ns = weighted(duration_ns, weight);
	figures->total_ns = saturating_add(figures->total_ns, duration_ns);
	if (!(node & (CALL_NESTED | CALL_STRAY)))
		figures->outer_ns = saturating_add(figures->outer_ns, duration_ns);
	figures->calls += weight;
	figures->errors += columns->status[row] == SPANRING_STATUS_ERROR ? weight : 0;
	if (columns->heap_alloc_units) {
		uint64_t bytes = (uint64_t)columns->heap_alloc_units[row] * SPANRING_HEAP_UNIT_BYTES;
		figures->heap_bytes = saturating_add(figures->heap_bytes, weighted(bytes, weight));
		worker->heap_known |= bytes > 0;
	}
	worker->spans++;
}

static int take_self(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns) {
	struct self_time_rows rows = {.count = columns->span_count,
	                              .trace_lo = columns->trace_lo,
	                              .span_id = columns->span_id,
	                              .start_ns = columns->start_ns,
	                              .duration_ns = columns->duration_ns,
	                              .parent_row = columns->parent_row,
	                              .away_count = columns->away_count,
	                              .away_parent_id = columns->away_parent_id};
	(void)pthread_mutex_lock(&reading->self_lock);
	int error = self_time_take(reading->self, &rows, worker->covered);
	(void)pthread_mutex_unlock(&reading->self_lock);
	return error;
}

static int take_row(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns,
                    uint32_t row) {
	const struct query *query = reading->calls->query;
	int error = worker->places[row] == CALL_ROW_UNKNOWN ? call_rows_find(reading, worker, columns, row) : 0;
	uint32_t node = worker->places[row];
	if (error || node == CALL_ROW_SKIPPED || (reading->is_filtered && !query_accepts(query, columns, row)))
		return error;
	if (query_is_open(columns, row)) {
		worker->open += reading->is_first_pass;
		return 0;
	}
	if (CALL_NODE(node) >= worker->figure_room && (error = make_figure_room(worker, CALL_NODE(node))))
		return error;
	if (reading->is_first_pass)
		add_row(worker, columns, row, reading->self != NULL);
	else
		worker->figures[CALL_NODE(node)].self_ns -= weighted(worker->covered[row], query_weight(columns, row));
	return 0;
}

static int take_figures(void *context, const struct store_columns *columns) {
	struct call_reading *reading = context;
	struct call_worker *worker = &reading->workers[columns->worker];
	int error = call_rows_begin(worker, columns);
	if (!error && reading->self)
		error = take_self(reading, worker, columns);
	if (error)
		return error;
	/* rows below parents that are away are all that later rounds are for */
	if (!reading->is_first_round && columns->away_count == 0)
		return 0;
	if (!reading->question->by_path && reading->is_first_pass && (error = take_wanted(context, columns)))
		return error;
	if (reading->is_first_pass)
		error = call_rows_find_all(reading, worker, columns);
	for (uint32_t row = 0; row < columns->span_count && !error; row++)
		if (reading->is_first_pass || worker->covered[row])
			error = take_row(reading, worker, columns, row);
	return error;
}

static int read_figures(struct call_reading *reading) {
	struct query *query = reading->calls->query;
	bool self = reading->self != NULL;
	struct query_scan scan = {
	    .whole_time = true, .threads = reading->threads, .on_batch = take_figures, .context = reading};
	uint32_t columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_DURATION | STORE_COLUMN_SITE |
	                   query_open_column(query) | (reading->calls->estimated ? STORE_COLUMN_WEIGHT : 0) |
	                   (self ? STORE_COLUMN_START : 0);
	int rc = 0;
	reading->is_first_pass = true;
	do {
		scan.columns = columns;
		if (reading->is_first_pass)
			scan.columns |= STORE_COLUMN_STATUS | (reading->question->wants_heap ? STORE_COLUMN_HEAP : 0);
		if (self && self_time_wants_ids(reading->self))
			scan.columns |= STORE_COLUMN_SPAN_ID;
		rc = query_scan(query, &scan);
		reading->is_first_pass = false;
	} while (rc == 0 && self && (rc = self_time_next_pass(reading->self)) > 0);
	return rc;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static int merge_workers(struct call_reading *reading) {
	struct calls *calls = reading->calls;
	bool by_path = reading->question->by_path;
	calls->figure_count = by_path ? calls->tree.node_count : calls->keys.key_count;
	calls->figures = calloc(calls->figure_count, sizeof(*calls->figures));
	if (!calls->figures)
		return -ENOMEM;
	for (uint32_t i = 0; i < reading->threads; i++) {
		const struct call_worker *worker = &reading->workers[i];
		calls->spans += worker->spans;
		calls->open += worker->open;
		calls->others += worker->unclear;
		calls->absent += worker->absent;
		calls->heap_known |= worker->heap_known;
		for (uint32_t at = 0; at < calls->figure_count && at < worker->figure_room; at++)
			call_figures_add(&calls->figures[at], &worker->figures[at]);
	}
	for (uint32_t at = 0; at < calls->figure_count; at++) {
		struct call_figures *figures = &calls->figures[at];
		if (figures->self_ns > figures->total_ns) /* of sums that were too large */
			figures->self_ns = figures->total_ns;
		if (by_path && call_tree_is_other(&calls->tree, at))
			calls->others += calls_count(figures->calls);
	}
	return 0;
}

static int read_figures_and_self(struct call_reading *reading) {
	int rc = reading->question->wants_self ? self_time_new(SELF_TIME_BUDGET_BYTES, &reading->self) : 0;
	if (rc == 0)
		rc = read_figures(reading);
	if (rc == 0 && reading->self && reading->is_first_round)
		latency_self_tell(reading->calls->query, self_time_unresolved(reading->self));
	self_time_free(TAKE_PTR(reading->self));
	return rc;
}

static int read_paths(struct call_reading *reading) {
	int rc = 0;
	do {
		rc = want_away(reading);
		if (rc == 0 && reading->away.count > 0)
			rc = find_away(reading);
		if (rc == 0)
			rc = read_figures_and_self(reading);
		reading->is_first_round = false;
	} while (rc == 0 && call_away_next_round(&reading->away));
	return rc;
}

/* The time of spans below parents that are away, where they are not nested. */
static int take_outer(void *context, const struct store_columns *columns) {
	struct call_reading *reading = context;
	struct call_worker *worker = &reading->workers[columns->worker];
	if (columns->away_count == 0)
		return 0;
	int error = call_rows_begin(worker, columns);
	if (!error)
		error = call_keyed_place_all(reading, worker, columns);
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		uint32_t place = worker->places[row];
		if ((place & (CALL_STRAY | CALL_NESTED)) != CALL_STRAY || query_is_open(columns, row) ||
		    !call_keyed_is_outer(reading, worker, columns, row) ||
		    (reading->is_filtered && !query_accepts(reading->calls->query, columns, row)))
			continue;
		uint64_t *outer_ns = &worker->figures[CALL_NODE(place)].outer_ns;
		*outer_ns = saturating_add(*outer_ns, weighted(columns->duration_ns[row], query_weight(columns, row)));
	}
	return error;
}

static int read_outer(struct call_reading *reading) {
	struct query *query = reading->calls->query;
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_DURATION |
	                                     STORE_COLUMN_SITE | query_open_column(query) |
	                                     (reading->calls->estimated ? STORE_COLUMN_WEIGHT : 0),
	                          .whole_time = true,
	                          .threads = reading->threads,
	                          .on_batch = take_outer,
	                          .context = reading};
	return query_scan(query, &scan);
}

/* The figures first: paths only matter where a parent is away, and only for whether a span is nested. */
static int read_keys(struct call_reading *reading) {
	int rc = 0;
	for (uint32_t i = 0; i < reading->threads && rc == 0; i++)
		rc = make_figure_room(&reading->workers[i], reading->calls->keys.key_count);
	if (rc == 0)
		rc = read_figures_and_self(reading);
	reading->is_first_round = false;
	while (rc == 0) {
		if (reading->away.count > 0)
			rc = find_away(reading);
		if (rc == 0 && reading->away.count > 0)
			rc = read_outer(reading);
		if (rc != 0 || !call_away_next_round(&reading->away))
			break;
		rc = want_away(reading);
	}
	return rc;
}

static int read_store(struct calls *calls, const struct calls_question *question) {
	struct call_reading *reading CLEANUP_FREE = calloc(1, sizeof(*reading));
	if (!reading)
		return -ENOMEM;
	*reading = (struct call_reading){.calls = calls, .question = question, .is_first_round = true};
	reading->is_filtered = calls->query->where || query_columns(calls->query) != 0;
	/* with more names the figures of several threads would take too much memory */
	reading->threads = calls->keys.key_count > SHARED_KEYS_MAX ? 1 : query_threads(calls->query);
	calls->self_known = question->wants_self;
	int rc = call_away_new(&reading->away, CALL_AWAY_MAX);
	if (rc)
		return rc;
	(void)pthread_mutex_init(&reading->lock, NULL);
	(void)pthread_mutex_init(&reading->self_lock, NULL);
	rc = open_workers(reading);
	if (rc == 0)
		rc = question->by_path ? read_paths(reading) : read_keys(reading);
	if (rc == 0)
		rc = merge_workers(reading);
	call_tree_free(&reading->parts);
	close_workers(reading);
	call_away_free(&reading->away);
	(void)pthread_mutex_destroy(&reading->lock);
	(void)pthread_mutex_destroy(&reading->self_lock);
	return rc;
}

static int read_calls(struct query *query, const struct calls_question *question, struct calls *calls) {
	*calls = (struct calls){.query = query, .by_path = question->by_path, .estimated = query_is_weighted(query)};
	int rc = call_keys_new(query, question->by, &calls->keys);
	if (rc == 0)
		rc = call_tree_new(&calls->tree, CALL_NODES_MAX);
	if (rc == 0)
		rc = read_store(calls, question);
	if (rc != 0)
		calls_free(calls);
	return rc;
}

#define NO_KEY UINT32_MAX

/* The one key that each name has, in all segments; false: some name has two. */
static bool keys_of_names(const struct call_keys *keys, uint32_t *ret_keys) {
	const struct store_overview *overview = keys->overview;
	memset(ret_keys, 0xff, ((size_t)overview->name_count + 1) * sizeof(*ret_keys));
	ret_keys[0] = 0;
	for (size_t i = 0; i < overview->segment_count; i++) {
		for (uint32_t site = 1; site <= overview->segments[i].site_count; site++) {
			uint32_t name = overview->segments[i].sites[site].name;
			uint32_t key = keys->of_site[i][site];
			if (name > overview->name_count || (ret_keys[name] != NO_KEY && ret_keys[name] != key))
				return false;
			ret_keys[name] = key;
		}
	}
	return true;
}

/*
 * Without paths, self times are those of `latency`, which has quicker ways to them than going from row to row, and says them by name. 1: a name has several
 * keys.
 */
static int read_names(struct query *query, const struct calls_question *question, struct calls *calls) {
	struct calls_question without = *question;
	struct call_keys keys;
	struct latency latency = {.query = *query, .wants_self = true, .estimated = query_is_weighted(query)};
	size_t names = (size_t)query->overview->name_count + 1;
	struct latency_line *lines CLEANUP_FREE = calloc(names, sizeof(*lines));
	uint32_t *key_of CLEANUP_FREE = malloc(names * sizeof(*key_of));
	int rc = lines && key_of ? call_keys_new(query, question->by, &keys) : -ENOMEM;
	if (rc != 0)
		return rc;
	bool has_keys = keys_of_names(&keys, key_of);
	call_keys_free(&keys);
	if (!has_keys)
		return 1;
	latency.lines = lines;
	latency.filtered = query->where || query_columns(query) != 0;
	rc = latency_self_from_records(&latency);
	*query = latency.query; /* its first scans, and what they made for later ones */
	without.wants_self = false;
	if (rc == 0)
		rc = read_calls(query, &without, calls);
	if (rc != 0)
		return rc;
	calls->self_known = latency.self_known;
	for (size_t name = 0; name < names; name++)
		if (key_of[name] != NO_KEY)
			calls->figures[key_of[name]].self_ns += lines[name].self_ns;
	return 0;
}

int calls_read(struct query *query, const struct calls_question *question, struct calls *calls) {
	struct calls_question without = *question;
	int rc = question->wants_self && !question->by_path ? read_names(query, question, calls) : 1;
	if (rc != 1)
		return rc;
	rc = read_calls(query, question, calls);
	if (rc != ERR_LIMIT || !question->wants_self)
		return rc;
	log_warning(&query->context->log,
	            "no self times: a span has more than %zu children that were stored apart from it",
	            SELF_TIME_CHILDREN_MAX);
	without.wants_self = false;
	return read_calls(query, &without, calls);
}

void calls_free(struct calls *calls) {
	if (calls->keys.overview)
		call_keys_free(&calls->keys);
	call_tree_free(&calls->tree);
	free(calls->figures);
	memset(calls, 0, sizeof(*calls));
}

uint64_t calls_count(uint64_t units) {
	return units / STORE_WEIGHT_ONE + (units % STORE_WEIGHT_ONE >= STORE_WEIGHT_ONE / 2);
}

static void note(const struct calls *calls, uint64_t spans, const char *what) {
	char text[UNITS_TEXT_BYTES];
	if (spans > 0)
		terminal_note(&calls->query->context->terminal, stdout, STYLE_DIM, "%s %s %s",
		              units_format_count(spans, text), spans == 1 ? "span" : "spans", what);
}

void calls_print_notes(const struct calls *calls) {
	char text[UNITS_TEXT_BYTES];
	uint64_t lost = query_lost_spans(calls->query);
	const struct terminal *terminal = &calls->query->context->terminal;
	terminal_note(terminal, stdout, STYLE_DIM,
	              calls->estimated ? "estimated from %s stored spans and their weights: tail keep left some out"
	                               : "exact, from %s stored spans that ended",
	              units_format_count(calls->spans, text));
	note(calls, calls->absent, "whose parent is not stored: the paths of these begin below (parent not stored)");
	note(calls, calls->others,
	     calls->by_path ? "whose path found no room: under (other), each by itself"
	                    : "deep in paths too many to keep: not in cumulative times");
	note(calls, calls->open, "left out that never ended: see spanring-analyze unfinished");
	note(calls, lost, "never reached the store: see spanring-analyze audit");
}
