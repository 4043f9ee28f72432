/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `latency` says the self times that the definition gives, however the spans lie. Method: random trees that arrive in random order, in one or more segments, live
 * and sealed, with batches that say nothing of children, with spans that never ended, with very long ones, and with a damaged batch; each name's self
 * time against every span looked at by its id.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include "store_fixture.h"

#include "base/errs.h"
#include "base/interval.h"
#include "libstore/reader.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 1200u

struct arrival {
	uint64_t time;
	uint32_t batch; /* of all segments */
	struct store_span span;
};

struct forest {
	struct arrival arrivals[SPANS_MAX];
	uint32_t count;
};

struct shape {
	uint64_t late;        /* how long after its end a span may come */
	uint64_t longest_ns;  /* of those that are long */
	uint32_t segments;    /* about so many */
	uint32_t batch_spans; /* at most */
	bool silent;          /* some batches say nothing of children */
	bool open;            /* some spans never ended */
	bool live;            /* the last segment is still written */
};

static int by_time(const void *a, const void *b) {
	const struct arrival *first = a;
	const struct arrival *second = b;
	return first->time < second->time ? -1 : first->time > second->time;
}

static void plant(struct seed *seed, const struct shape *shape, struct forest *forest) {
	uint32_t traces = 1 + (uint32_t)seed_below(seed, 60);
	forest->count = 1 + (uint32_t)seed_below(seed, SPANS_MAX);
	for (uint32_t i = 0; i < forest->count; i++) {
		struct store_span span = {.trace_lo = 1 + i % traces,
		                          .span_id = 1000 + i,
		                          .start_ns = 1000000 + (uint64_t)i * 10 + seed_below(seed, 40),
		                          .duration_ns = seed_below(seed, 20 * (uint64_t)traces + 1),
		                          .site = 2 + (uint32_t)seed_below(seed, FIXTURE_IDS - 1),
		                          .thread = 1 + (uint32_t)seed_below(seed, FIXTURE_IDS),
		                          .flags = shape->open && seed_below(seed, 20) == 0 ? STORE_SPAN_OPEN : 0};
		uint32_t back = traces * (1 + (uint32_t)seed_below(seed, 4));
		if (i >= back)
			span.parent_id = 1000 + i - back;
		else if (seed_below(seed, 4) == 0)
			span.parent_id = 7;
		if (shape->longest_ns && seed_below(seed, 10) == 0)
			span.duration_ns = seed_below(seed, shape->longest_ns);
		uint64_t comes = span.start_ns + 20 * (uint64_t)traces + seed_below(seed, shape->late);
		forest->arrivals[i] = (struct arrival){comes, 0, span};
	}
	qsort(forest->arrivals, forest->count, sizeof(*forest->arrivals), by_time);
}

static void commit(struct store_fixture *fixture, const struct shape *shape, uint64_t position) {
	struct store_cursor cursor = store_fixture_cursor(position);
	cursor.state = shape->open ? STORE_RING_DIED : STORE_RING_LIVE;
	struct store_commit commit = {
	    .catalog = fixture->catalog, .batch = fixture->batch, .cursors = &cursor, .cursor_count = 1};
	assert_int_equal(store_writer_commit(fixture->writer, &commit, NULL), 0);
}

/* Two traces whose ids have the same low half: such a batch has no child sums. */
static void add_twins(struct store_fixture *fixture) {
	for (uint64_t high = 1; high <= 2; high++) {
		struct store_span span = {.trace_hi = high,
		                          .trace_lo = UINT64_MAX,
		                          .span_id = high,
		                          .start_ns = 1000000,
		                          .site = 1,
		                          .thread = 1};
		batch_add_span(fixture->batch, &span);
	}
}

/* How many batches there are. */
static uint32_t write_store(struct store_fixture *fixture, struct seed *seed, const struct shape *shape,
                            struct forest *forest) {
	uint32_t batch = 0;
	for (uint32_t i = 0; i < forest->count; batch++) {
		uint32_t end = i + 1 + (uint32_t)seed_below(seed, shape->batch_spans);
		if (batch && seed_below(seed, forest->count) < shape->segments * (end - i))
			store_fixture_catalog(fixture);
		batch_clear(fixture->batch);
		for (; i < end && i < forest->count; i++) {
			forest->arrivals[i].batch = batch;
			batch_add_span(fixture->batch, &forest->arrivals[i].span);
		}
		if (shape->silent && seed_below(seed, 3) == 0)
			add_twins(fixture);
		commit(fixture, shape, batch + 1);
	}
	if (!shape->live)
		assert_int_equal(store_writer_seal(fixture->writer), 0);
	return batch;
}

static uint64_t self_of(const struct forest *forest, const struct store_span *span, uint32_t without) {
	static struct interval intervals[SPANS_MAX];
	uint32_t count = 0;
	for (uint32_t i = 0; i < forest->count; i++) {
		const struct store_span *child = &forest->arrivals[i].span;
		if (forest->arrivals[i].batch != without && child->parent_id == span->span_id &&
		    child->trace_lo == span->trace_lo)
			intervals[count++] = interval_from(child->start_ns, child->duration_ns);
	}
	return span->duration_ns - interval_union(interval_from(span->start_ns, span->duration_ns), intervals, count);
}

/* Each name has one site: site 1 is that of the overflow. `without`: a batch that is damaged. */
static void expect_self(const struct forest *forest, const struct shape *shape, const char *json, uint32_t site,
                        uint32_t without) {
	uint64_t expected = 0;
	uint32_t count = 0;
	char name[64];
	for (uint32_t i = 0; i < forest->count; i++) {
		const struct store_span *span = &forest->arrivals[i].span;
		if (span->site != site || forest->arrivals[i].batch == without || span->flags & STORE_SPAN_OPEN)
			continue;
		expected += self_of(forest, span, without);
		count++;
	}
	(void)snprintf(name, sizeof(name), "\"name\": \"name %" PRIu32 "\"", site - 1);
	const char *line = strstr(json, name);
	if (!line || count == 0) {
		assert_int_equal(count, 0);
		return;
	}
	uint64_t found = strtoull(strstr(line, "\"self_ns\": ") + 11, NULL, 10);
	if (found != expected)
		fail_msg("%s: %" PRIu64 ", not %" PRIu64 " (late %" PRIu64 ", segments %" PRIu32 ", %s%s%s)", name,
		         found, expected, shape->late, shape->segments, shape->silent ? "silent " : "",
		         shape->open ? "open " : "", shape->live ? "live" : "");
}

static void ask(const struct store_fixture *fixture, const struct forest *forest, const struct shape *shape,
                const char *const *words, uint32_t without) {
	const char *argv[16] = {
	    child_program("spanring-analyze"), "latency", fixture->scratch.store, "--exact", "--json", "-q"};
	size_t count = 6;
	while (*words)
		argv[count++] = *words++;
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != (without == UINT32_MAX ? EXIT_CODE_OK : EXIT_CODE_INPUT))
		fail_msg("exit %d: %s", result.exit_code, result.err);
	for (uint32_t site = 2; site <= FIXTURE_IDS; site++)
		expect_self(forest, shape, result.out, site, without);
	child_result_free(&result);
}

static void one_store(struct seed *seed, const struct shape *shape) {
	static const char *const alone[] = {"--threads", "1", NULL};
	static const char *const together[] = {"--threads", "3", NULL};
	/* rows are told apart: all by ids */
	static const char *const filtered[] = {"--name", "name*", NULL};
	static struct forest forest;
	struct store_fixture fixture;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	plant(seed, shape, &forest);
	(void)write_store(&fixture, seed, shape, &forest);
	ask(&fixture, &forest, shape, alone, UINT32_MAX);
	ask(&fixture, &forest, shape, together, UINT32_MAX);
	ask(&fixture, &forest, shape, filtered, UINT32_MAX);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

static void by_definition(void **state) {
	struct seed seed = seed_start("self time of stores");
	(void)state;
	for (unsigned i = 0; i < seed_rounds(24); i++) {
		struct shape shape = {.late = seed_below(&seed, 3) ? 1 + seed_below(&seed, 4000) : 1,
		                      .longest_ns = seed_below(&seed, 3) ? 0 : UINT64_C(1) << seed_below(&seed, 52),
		                      .segments = (uint32_t)seed_below(&seed, 5),
		                      .batch_spans = 1 + (uint32_t)seed_below(&seed, 100),
		                      .silent = seed_below(&seed, 3) == 0,
		                      .open = seed_below(&seed, 3) == 0,
		                      .live = seed_below(&seed, 2)};
		one_store(&seed, &shape);
	}
}

/* What a damaged batch said of others is lost with its spans: they are counted as if it had never been. */
static void damaged_batches(void **state) {
	static const char *const words[] = {"--threads", "2", NULL};
	static struct forest forest;
	struct seed seed = seed_start("self time damage");
	(void)state;
	for (unsigned i = 0; i < seed_rounds(6); i++) {
		struct shape shape = {.late = 3000, .batch_spans = 60};
		struct store_fixture fixture;
		char path[SCRATCH_PATH_BYTES];
		char update[128];
		sqlite3 *db = NULL;
		store_fixture_make(&fixture);
		store_fixture_open(&fixture);
		plant(&seed, &shape, &forest);
		uint32_t broken = (uint32_t)seed_below(&seed, write_store(&fixture, &seed, &shape, &forest));
		store_fixture_close(&fixture);
		store_fixture_segment(&fixture, 0, path);
		(void)snprintf(update, sizeof(update),
		               "UPDATE batch SET small=zeroblob(length(small)) WHERE id=%" PRIu32, broken + 1);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, update, NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		ask(&fixture, &forest, &shape, words, broken);
		store_fixture_remove(&fixture);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_definition),
	    cmocka_unit_test(damaged_batches),
	};
	return cmocka_run_group_tests_name("self time", tests, NULL, NULL);
}
