/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a store says of the children of its spans is what their ids say. Method: random trees whose spans arrive in random order, in batches of many
 * sizes; then every span of the segment is looked at, live, sealed and merged, and the union of its counted children compared with the sums. Which
 * children are counted is taken from the states, and the states are looked at by ids.
 */
#include "support/cmocka.h"

#include "store_fixture.h"

#include "base/interval.h"
#include "libstore/child_pending.h"
#include "libstore/child_sums.h"
#include "libstore/merge.h"
#include "libstore/reader.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 3000u
#define BATCHES_MAX 64u

/* A row of the store. */
struct seen {
	uint64_t batch;
	uint32_t row;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id;
	struct interval interval;
	uint32_t parent_row;
	uint32_t state;
	bool is_found; /* by a later batch */
	bool is_open;
	uint64_t covered; /* as the store has it */
};

struct whole {
	struct seen seen[SPANS_MAX];
	uint32_t count;
	uint32_t first[BATCHES_MAX + 1]; /* of each batch */
	uint64_t from[BATCHES_MAX + 1];
	uint64_t batches;
	uint64_t without; /* batches that say nothing */
	uint32_t states[STORE_AWAY_STATES];
	uint32_t corrections;
	uint32_t late;
};

static struct seen *at(struct whole *whole, uint64_t batch, uint32_t row) {
	assert_in_range(batch, 1, whole->batches);
	return &whole->seen[whole->first[batch] + row];
}

static void take_sums(struct whole *whole, const struct store_columns *columns) {
	const struct store_child_sums *sums = columns->child_sums;
	whole->from[columns->batch] = sums->from;
	for (uint32_t i = 0; i < sums->correction_count; i++)
		at(whole, columns->batch, sums->correction_row[i])->covered += sums->correction_ns[i];
	for (uint32_t i = 0; i < sums->late_count; i++)
		at(whole, columns->batch - sums->late_back[i], sums->late_row[i])->covered += sums->late_ns[i];
	for (uint32_t i = 0; i < sums->found_count; i++) {
		struct seen *child = at(whole, columns->batch - sums->found_back[i], sums->found_row[i]);
		assert_false(child->is_found);
		assert_int_equal(child->state, STORE_AWAY_WAITS);
		child->is_found = true;
	}
	whole->corrections += sums->correction_count;
	whole->late += sums->late_count;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct whole *whole = context;
	uint32_t away = 0;
	assert_int_equal(columns->batch, ++whole->batches);
	whole->first[columns->batch] = whole->count;
	if (!columns->child_sums)
		whole->without++;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		struct seen *seen = &whole->seen[whole->count++];
		*seen = (struct seen){.batch = columns->batch,
		                      .row = row,
		                      .trace_lo = columns->trace_lo[row],
		                      .span_id = columns->span_id[row],
		                      .parent_id = columns->parent_id[row],
		                      .interval = interval_from(columns->start_ns[row], columns->duration_ns[row]),
		                      .parent_row = columns->parent_row[row],
		                      .is_open = columns->flags[row] & STORE_SPAN_OPEN};
		if (seen->parent_row != STORE_PARENT_AWAY || !columns->child_sums)
			continue;
		seen->state = columns->child_sums->away_state[away++];
		whole->states[seen->state]++;
	}
	for (uint32_t row = 0; row < columns->span_count; row++)
		if (columns->parent_row[row] < columns->span_count && columns->parent_row[row] != row)
			at(whole, columns->batch, columns->parent_row[row])->covered += columns->duration_ns[row];
	if (columns->child_sums)
		take_sums(whole, columns);
	return 0;
}

static bool is_counted(const struct whole *whole, const struct seen *child, const struct seen *parent) {
	if (child->batch == parent->batch)
		return true;
	bool is_there = child->trace_lo == parent->trace_lo && child->parent_id == parent->span_id;
	if (parent->batch < child->batch)
		return is_there && child->state == STORE_AWAY_FOUND;
	bool waits = child->state == STORE_AWAY_WAITS;
	if (is_there && waits && whole->from[parent->batch] <= child->batch)
		assert_true(child->is_found);
	return is_there && child->is_found;
}

static void check_span(struct whole *whole, const struct seen *parent) {
	static struct interval intervals[SPANS_MAX];
	uint32_t count = 0;
	bool late = false;
	for (uint32_t i = 0; i < whole->count; i++) {
		const struct seen *child = &whole->seen[i];
		if (child == parent || child->parent_id != parent->span_id || child->trace_lo != parent->trace_lo)
			continue;
		if (!is_counted(whole, child, parent))
			continue;
		late |= child->batch > parent->batch;
		intervals[count++] = child->interval;
	}
	uint64_t expected = interval_union(parent->interval, intervals, count);
	if (parent->covered != expected && !(parent->is_open && late))
		fail_msg("batch %lu, row %u: %lu, not %lu", (unsigned long)parent->batch, parent->row,
		         (unsigned long)parent->covered, (unsigned long)expected);
}

static struct whole *check(const char *store) {
	struct whole *whole = calloc(1, sizeof(*whole));
	struct store_reader *reader = NULL;
	char text[512] = "";
	size_t damaged = 0;
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_CHILD_SUMS,
	                          .on_batch = take_batch,
	                          .context = whole};
	assert_non_null(whole);
	if (store_reader_open(store, &reader, text, sizeof(text)))
		fail_msg("%s", text);
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	for (uint32_t i = 0; i < whole->count; i++)
		check_span(whole, &whole->seen[i]);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	const struct store_damage *damage = store_reader_damage(reader, &damaged);
	if (damaged)
		fail_msg("%s", damage[0].text);
	store_reader_close(reader);
	return whole;
}

struct arrival {
	uint64_t time;
	struct store_span span;
};

static int by_time(const void *a, const void *b) {
	const struct arrival *first = a;
	const struct arrival *second = b;
	return first->time < second->time ? -1 : first->time > second->time;
}

/* Spans in the order in which they come, up to `late` after their end. Some parents never come. */
static uint32_t make_spans(struct seed *seed, struct arrival *arrivals, uint64_t late) {
	uint32_t count = 1 + (uint32_t)seed_below(seed, SPANS_MAX);
	uint32_t traces = 1 + (uint32_t)seed_below(seed, count / 4 + 1);
	for (uint32_t i = 0; i < count; i++) {
		struct store_span span = {.trace_lo = 1 + i % traces,
		                          .span_id = 1000 + i,
		                          .start_ns = (uint64_t)i * 10 + seed_below(seed, 40),
		                          .duration_ns =
		                              seed_below(seed, 8) ? seed_below(seed, 20 * (uint64_t)traces) : 0,
		                          .site = 1 + (uint32_t)seed_below(seed, FIXTURE_IDS),
		                          .thread = 1 + (uint32_t)seed_below(seed, FIXTURE_IDS),
		                          .flags = seed_below(seed, 50) ? 0 : STORE_SPAN_OPEN};
		uint32_t back = traces * (1 + (uint32_t)seed_below(seed, 4));
		if (i >= back)
			span.parent_id = 1000 + i - back;
		else if (seed_below(seed, 4) == 0)
			span.parent_id = 7;
		if (seed_below(seed, 100) == 0)
			span.parent_id = span.span_id;
		arrivals[i] = (struct arrival){span.start_ns + span.duration_ns + seed_below(seed, late), span};
	}
	qsort(arrivals, count, sizeof(*arrivals), by_time);
	return count;
}

static void merge(struct store_fixture *fixture) {
	static const struct store_merge_options options = {.free_bytes = 0};
	struct store_merge *merge = NULL;
	char path[SCRATCH_PATH_BYTES];
	char text[512] = "";
	store_fixture_segment(fixture, 0, path);
	assert_int_equal(store_merge_open(fixture->writer, path, &options, &merge, text, sizeof(text)), 0);
	int rc = merge ? 1 : 0;
	while (rc == 1)
		rc = store_merge_step(merge, text, sizeof(text));
	if (rc)
		fail_msg("%s", text);
	store_merge_close(merge);
}

static void add_states(uint32_t *states, struct whole *whole) {
	for (unsigned i = 0; i < STORE_AWAY_STATES; i++)
		states[i] += whole->states[i];
	free(whole);
}

static void one_store(struct seed *seed, uint64_t late, uint32_t *states) {
	static struct arrival arrivals[SPANS_MAX];
	struct store_fixture fixture;
	uint64_t position = 0;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	uint32_t count = make_spans(seed, arrivals, late);
	uint32_t step = 1 + count / (BATCHES_MAX - 2);
	for (uint32_t i = 0; i < count;) {
		batch_clear(fixture.batch);
		for (uint32_t end = i + step + (uint32_t)seed_below(seed, 3 * (uint64_t)step); i < count && i < end;
		     i++)
			batch_add_span(fixture.batch, &arrivals[i].span);
		assert_int_equal(store_fixture_commit(&fixture, ++position), 0);
		if (seed_below(seed, 8) == 0)
			free(check(fixture.scratch.store));
	}
	assert_int_equal(store_writer_seal(fixture.writer), 0);
	struct whole *sealed = check(fixture.scratch.store);
	assert_int_equal(sealed->without, 0);
	add_states(states, sealed);
	merge(&fixture);
	struct whole *merged = check(fixture.scratch.store);
	assert_int_equal(merged->count, count);
	assert_int_equal(merged->without, 0);
	free(merged);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

static void random_trees(void **state) {
	struct seed seed = seed_start("store children");
	uint32_t states[STORE_AWAY_STATES] = {0};
	(void)state;
	for (unsigned i = 0; i < seed_rounds(24); i++)
		one_store(&seed, i % 3 == 0 ? 1 : i % 3 == 1 ? 2000 : 30000, states);
	assert_true(states[STORE_AWAY_WAITS] && states[STORE_AWAY_FOUND]);
	/* Rare: a few seeds have none. Of some hundred stores one has. */
	for (unsigned i = 0; i < 300 && !states[STORE_AWAY_UNSURE]; i++)
		one_store(&seed, i % 3 == 0 ? 1 : i % 3 == 1 ? 2000 : 30000, states);
	assert_true(states[STORE_AWAY_UNSURE]);
}

/* A commit that fails is given again, and says the same. */
static void said_again(void **state) {
	struct child_sums *sums = NULL;
	uint64_t trace = 5, ids[2] = {1, 2}, starts[2] = {10, 20}, durations[2] = {100, 30}, away = 1;
	uint32_t run = 1, none = STORE_PARENT_NONE, parent = STORE_PARENT_AWAY, site = 3, row = 0;
	uint8_t flags = 0;
	struct child_rows child = {1,       1,     &trace, &run, &ids[1], &starts[1], &durations[1],
	                           &parent, &site, &flags, 1,    &row,    &away};
	struct child_rows root = {1, 1, &trace, &run, ids, starts, durations, &none, &site, &flags, 0, NULL, NULL};
	(void)state;
	assert_int_equal(child_sums_new(&sums), 0);
	assert_int_equal(child_sums_put(sums, 1, &child)->away_state[0], STORE_AWAY_WAITS);
	child_sums_keep(sums);
	for (int i = 0; i < 3; i++) {
		const struct store_child_sums *said = child_sums_put(sums, 2, &root);
		assert_int_equal(said->found_count, 1);
		assert_int_equal(said->correction_count, 1);
		assert_int_equal(said->correction_ns[0], 30);
	}
	child_sums_keep(sums);
	/* It is a child of the root a second time: nothing more is covered. */
	for (int i = 0; i < 3; i++) {
		const struct store_child_sums *said = child_sums_put(sums, 3, &child);
		assert_int_equal(said->away_state[0], STORE_AWAY_FOUND);
		assert_int_equal(said->late_count, 0);
	}
	durations[1] = 60;
	const struct store_child_sums *said = child_sums_put(sums, 3, &child);
	assert_int_equal(said->late_count, 1);
	assert_int_equal(said->late_back[0], 1);
	assert_int_equal(said->late_site[0], 3);
	assert_int_equal(said->late_ns[0], 30);
	child_sums_clear(sums);
	assert_int_equal(child_sums_put(sums, 1, &child)->away_state[0], STORE_AWAY_WAITS);
	child_sums_free(sums);
}

/* More wait than are remembered: the oldest batches are given up, and it is said from which one on they are known. */
static void too_many_wait(void **state) {
	struct child_pending *pending = NULL;
	(void)state;
	assert_int_equal(child_pending_new(1, &pending), 0);
	for (uint32_t i = 0; i < 3 * CHILD_PENDING_MAX; i++) {
		struct child_waiting waiting = {
		    .trace_lo = i, .parent_id = i + 1, .batch = 1 + i / 1000, .row = i % 1000};
		assert_int_equal(child_pending_add(pending, &waiting), 0);
	}
	uint64_t from = child_pending_from(pending);
	assert_in_range(from, 2, 3 * CHILD_PENDING_MAX / 1000);
	for (uint32_t i = 0; i < 3 * CHILD_PENDING_MAX; i++)
		assert_int_equal(child_pending_next(pending, i, 0) != 0, 1 + i / 1000 >= from);
	child_pending_clear(pending);
	assert_int_equal(child_pending_from(pending), 1);
	child_pending_free(pending);
}

/* What cannot be known is not said. */
static void batches_that_say_nothing(void **state) {
	struct store_fixture fixture;
	(void)state;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (uint64_t i = 0; i < 6; i++) {
		uint32_t count = i == 2 ? CHILD_SUMS_AWAY_MAX + 1 : 2;
		batch_clear(fixture.batch);
		for (uint32_t row = 0; row < count; row++) {
			struct store_span span = {.trace_hi = i == 4 ? row : 0, /* two traces with one low half */
			                          .trace_lo = 1,
			                          .span_id = 1 + i * 10000 + row,
			                          .parent_id = i == 2 ? 7 : 0,
			                          .site = 1,
			                          .thread = 1};
			batch_add_span(fixture.batch, &span);
		}
		assert_int_equal(store_fixture_commit(&fixture, i + 1), 0);
	}
	uint64_t without[6] = {0};
	struct store_reader *reader = NULL;
	struct store_columns columns;
	struct store_walk *walk = NULL;
	struct store_scan scan = {.columns = STORE_COLUMN_CHILD_SUMS};
	char text[512];
	assert_int_equal(store_reader_open(fixture.scratch.store, &reader, text, sizeof(text)), 0);
	assert_int_equal(store_walk_open(reader, &scan, &walk), 0);
	while (store_walk_next(walk, &columns))
		without[columns.batch - 1] = columns.child_sums == NULL;
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(without[i], i == 2 || i == 4);
	store_walk_close(walk);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	store_reader_close(reader);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_trees),
	    cmocka_unit_test(said_again),
	    cmocka_unit_test(too_many_wait),
	    cmocka_unit_test(batches_that_say_nothing),
	};
	return cmocka_run_group_tests_name("store children", tests, NULL, NULL);
}
