/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: putting the small batches of a sealed segment together changes no row, no book and no answer, and whatever ends it on the way leaves
 * the segment as it was. Method: random batches of every shape; a merge that is killed, that finds no room, whose file operations fail
 * one by one, whose segment is evicted, and readers that hold the store or read it all the while.
 */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "base/errs.h"
#include "libstore/merge.h"
#include "libstore/reader.h"
#include "support/child.h"
#include "support/fault_vfs.h"
#include "support/seed.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES 24u
#define STEPS_MAX 100000u
#define OPERATIONS_MAX 4000u
#define STRIDE 7u /* one operation in so many fails */

struct books {
	uint64_t batches;
	uint64_t spans;
	uint64_t positions;
	size_t samples;
	size_t damage;
	uint64_t rollup_count;
	uint64_t rollup_rows;
};

static int add_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct books *books = context;
	(void)segment;
	books->rollup_count += rollup->count;
	books->rollup_rows++;
	return 0;
}

static struct store_reader *open_reader(const char *path) {
	struct store_reader *reader = NULL;
	char text[512];
	if (store_reader_open(path, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	return reader;
}

static struct books read_books(const char *path) {
	struct books books = {0};
	struct store_reader *reader = open_reader(path);
	const struct store_overview *overview = store_reader_overview(reader);
	struct store_memory_sample *samples = NULL;
	for (size_t i = 0; i < overview->segment_count; i++) {
		books.batches += overview->segments[i].batches;
		books.spans += overview->segments[i].spans;
	}
	for (size_t i = 0; i < overview->ring_count; i++)
		books.positions += overview->rings[i].cursor.position;
	assert_int_equal(store_reader_samples(reader, &samples, &books.samples), 0);
	free(samples);
	assert_int_equal(store_reader_rollups(reader, add_rollup, &books), 0);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	const struct store_damage *damage = store_reader_damage(reader, &books.damage);
	if (books.damage)
		print_error("%s\n", damage[0].text);
	store_reader_close(reader);
	return books;
}

/* A segment of small batches with rollups; all rows of it go to `expected` as well. */
static void write_segment(struct store_fixture *fixture, struct seed *seed, struct store_rows *expected,
                          uint32_t spans_max) {
	store_fixture_catalog(fixture);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		enum store_shape shape = (enum store_shape)seed_below(seed, STORE_SHAPES);
		store_rows_fill(fixture->batch, seed, shape, (uint32_t)seed_below(seed, spans_max), FIXTURE_IDS);
		assert_int_equal(store_fixture_commit(fixture, i), 0);
		store_rows_add_batch(expected, fixture->batch);
		struct store_rollup_bin bin = {.count = i, .bin = (uint32_t)(100 + i % 3)};
		struct store_rollup rollup = {.process = 1,
		                              .site = 1 + (uint32_t)(i % 2),
		                              .since_ns = i * 10000000000u,
		                              .until_ns = (i + 1) * 10000000000u,
		                              .ns_per_tick_q32 = UINT64_C(1) << 32,
		                              .count = i,
		                              .sum_ns = i,
		                              .min_ns = i,
		                              .max_ns = i + 1,
		                              .bins = &bin,
		                              .bin_count = 1};
		struct store_rollup_total total = {
		    .instance = {1}, .site = rollup.site, .time_ns = i, .count = i, .bins = &bin, .bin_count = 1};
		struct store_commit commit = {.catalog = fixture->catalog,
		                              .rollups = &rollup,
		                              .rollup_count = 1,
		                              .rollup_totals = &total,
		                              .rollup_total_count = 1};
		assert_int_equal(store_writer_commit(fixture->writer, &commit, NULL), 0);
	}
}

/* 1: merged; 0: nothing to gain; or the error. steps: end after so many, as if the agent stopped. */
static int merge_path(struct store_writer *writer, const char *path, uint64_t steps, char text[512]) {
	static const struct store_merge_options options = {.free_bytes = 0};
	struct store_merge *merge = NULL;
	int rc = store_merge_open(writer, path, &options, &merge, text, 512);
	if (rc < 0 || !merge)
		return rc;
	rc = 1;
	for (uint64_t step = 0; rc == 1 && step < steps; step++)
		rc = store_merge_step(merge, text, 512);
	store_merge_close(merge);
	return rc < 0 ? rc : rc == 0;
}

static int merge_first(struct store_fixture *fixture, uint64_t steps) {
	char path[SCRATCH_PATH_BYTES];
	char text[512] = "";
	store_fixture_segment(fixture, 0, path);
	int rc = merge_path(fixture->writer, path, steps, text);
	if (rc < 0 && !strstr(text, "segment-"))
		fail_msg("%d without a word on the file: %s", rc, text);
	return rc;
}

static bool has_left_over(const struct store_fixture *fixture) {
	char path[SCRATCH_PATH_BYTES];
	char temporary[SCRATCH_PATH_BYTES + 8];
	store_fixture_segment(fixture, 0, path);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	return access(temporary, F_OK) == 0;
}

static void expect_rows(const struct store_fixture *fixture, struct store_rows *expected) {
	struct store_rows found;
	assert_int_equal(store_rows_read(fixture->scratch.store, &found), 0);
	assert_true(store_rows_equal(&found, expected));
	store_rows_free(&found);
}

static void expect_same_books(struct books before, struct books after, bool merged) {
	assert_int_equal(before.damage, 0);
	assert_int_equal(after.damage, 0);
	assert_int_equal(after.spans, before.spans);
	assert_int_equal(after.positions, before.positions);
	assert_int_equal(after.samples, before.samples);
	assert_int_equal(after.rollup_count, before.rollup_count);
	assert_int_equal(after.rollup_rows, before.rollup_rows);
	if (merged)
		assert_true(after.batches * 2 <= before.batches);
	else
		assert_int_equal(after.batches, before.batches);
}

struct story {
	struct store_fixture fixture;
	struct store_rows expected;
	struct books before;
};

/* One sealed segment, and a writer. */
static void begin(struct story *story, struct seed *seed, uint32_t spans_max) {
	memset(story, 0, sizeof(*story));
	store_fixture_make(&story->fixture);
	store_fixture_open(&story->fixture);
	write_segment(&story->fixture, seed, &story->expected, spans_max);
	store_fixture_close(&story->fixture);
	story->before = read_books(story->fixture.scratch.store);
	store_fixture_open(&story->fixture);
}

static void end(struct story *story) {
	store_rows_free(&story->expected);
	store_fixture_remove(&story->fixture);
}

static int64_t ask(const char *path, const char *sql) {
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	int code = sqlite3_step(statement);
	assert_true(code == SQLITE_ROW || code == SQLITE_DONE);
	int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

static void rows_and_books_stay(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge");
	for (unsigned round = 0; round < seed_rounds(8); round++) {
		struct story story;
		char path[SCRATCH_PATH_BYTES];
		struct stat before;
		struct stat after;
		begin(&story, &seed, 2500);
		store_fixture_segment(&story.fixture, 0, path);
		assert_int_equal(stat(path, &before), 0);
		assert_int_equal(merge_first(&story.fixture, STEPS_MAX), 1);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
		assert_int_equal(before.st_mode, after.st_mode);
		assert_true(after.st_size < before.st_size);
		expect_rows(&story.fixture, &story.expected);
		expect_same_books(story.before, read_books(story.fixture.scratch.store), true);
		assert_false(has_left_over(&story.fixture));
		/* Four minutes, two sites; and merged it is not worth another merge. */
		assert_in_range(ask(path, "SELECT count(*) FROM rollup"), 8, 12);
		assert_int_equal(merge_first(&story.fixture, STEPS_MAX), 0);
		store_fixture_close(&story.fixture);
		end(&story);
	}
}

/* The limits of a batch end a group: spans, attributes, text, and links, which no batch row counts. */
static void limits_of_a_batch_are_kept(void **state) {
	(void)state;
	struct store_fixture fixture;
	struct store_rows expected = {0};
	char text[1024];
	memset(text, 'x', sizeof(text));
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		uint32_t rows = i % 8 == 0 ? BATCH_SPANS_MAX : 1 + (uint32_t)(i * 37 % 9000);
		batch_clear(fixture.batch);
		for (uint32_t row = 0; row < rows; row++) {
			struct store_span span = {
			    .trace_lo = row / 9 + 1, .span_id = i << 32 | row, .site = 1, .thread = 1};
			struct store_attribute attribute = {.trace_lo = row / 9 + 1,
			                                    .span_id = span.span_id,
			                                    .key = 1,
			                                    .type = SPANRING_VALUE_STRING,
			                                    .text_bytes = row < 3000 ? sizeof(text) : 0};
			struct store_link link = {
			    .trace_lo = span.trace_lo, .span_id = span.span_id, .linked_trace_lo = row};
			batch_add_span(fixture.batch, &span);
			if (i % 3 == 0 && batch_has_room(fixture.batch, 0, 1, 0, sizeof(text)))
				batch_add_attribute(fixture.batch, &attribute, text);
			for (unsigned more = 0; i % 2 && more < 7 && batch_has_room_for_link(fixture.batch); more++)
				batch_add_link(fixture.batch, &link);
		}
		assert_int_equal(store_fixture_commit(&fixture, i), 0);
		store_rows_add_batch(&expected, fixture.batch);
	}
	store_fixture_close(&fixture);
	struct books before = read_books(fixture.scratch.store);
	store_fixture_open(&fixture);
	int rc = merge_first(&fixture, STEPS_MAX);
	assert_true(rc >= 0);
	expect_rows(&fixture, &expected);
	struct books after = read_books(fixture.scratch.store);
	assert_int_equal(after.damage, 0);
	assert_true(after.batches <= before.batches);
	store_fixture_close(&fixture);
	store_rows_free(&expected);
	store_fixture_remove(&fixture);
}

/* Open, damaged, or with something that only a newer Spanring knows: left as it is. */
static void what_is_not_ours_to_merge_stays(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge strangers");
	struct story story;
	char path[SCRATCH_PATH_BYTES];
	char text[512] = "";
	begin(&story, &seed, 300);
	store_fixture_segment(&story.fixture, 0, path);
	(void)ask(path, "CREATE TABLE tomorrow(a)");
	assert_int_equal(merge_first(&story.fixture, STEPS_MAX), 0);
	(void)ask(path, "DROP TABLE tomorrow");
	write_segment(&story.fixture, &seed, &story.expected, 300);
	store_fixture_segment(&story.fixture, 1, path);
	assert_int_equal(merge_path(story.fixture.writer, path, STEPS_MAX, text), 0);
	assert_int_equal(merge_path(story.fixture.writer, "/nowhere/segment-1.db", STEPS_MAX, text), 0);
	expect_rows(&story.fixture, &story.expected);
	store_fixture_segment(&story.fixture, 0, path);
	(void)ask(path, "UPDATE sample SET rss_bytes=rss_bytes+1 WHERE id=3");
	assert_int_equal(merge_first(&story.fixture, STEPS_MAX), ERR_DAMAGED);
	assert_int_equal(ask(path, "SELECT batches FROM seal"), story.before.batches);
	assert_false(has_left_over(&story.fixture));
	store_fixture_close(&story.fixture);
	end(&story);
}

/* Killed after each number of steps: the next writer finds the segment as it was, or merged, and nothing beside it. */
static void killed_anywhere(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge killed");
	unsigned merged = 0;
	for (uint64_t steps = 0; !merged && steps < STEPS_MAX; steps += 1 + seed_below(&seed, 12)) {
		struct story story;
		int status = 0;
		begin(&story, &seed, 200);
		pid_t child = child_fork();
		assert_true(child >= 0);
		if (child == 0) {
			static const struct store_merge_options options = {.free_bytes = 0};
			struct store_merge *merge = NULL;
			char path[SCRATCH_PATH_BYTES];
			char text[512];
			store_fixture_segment(&story.fixture, 0, path);
			int rc = store_merge_open(story.fixture.writer, path, &options, &merge, text, sizeof(text));
			for (uint64_t step = 0; rc >= 0 && merge && step < steps; step++)
				if (store_merge_step(merge, text, sizeof(text)) != 1)
					break;
			(void)raise(SIGKILL);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		store_fixture_close(&story.fixture);
		store_fixture_open(&story.fixture);
		assert_false(has_left_over(&story.fixture));
		struct books after = read_books(story.fixture.scratch.store);
		merged = after.batches < story.before.batches;
		expect_same_books(story.before, after, merged);
		expect_rows(&story.fixture, &story.expected);
		store_fixture_close(&story.fixture);
		end(&story);
	}
	assert_true(merged);
}

/* A merge that is stopped, or that finds no room, can be made again. */
static void stopped_or_without_room(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge room");
	struct rlimit before;
	struct story story;
	begin(&story, &seed, 800);
	assert_int_equal(merge_first(&story.fixture, 20), 0);
	assert_false(has_left_over(&story.fixture));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit = {400000, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int rc = merge_first(&story.fixture, STEPS_MAX);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, ERR_FULL);
	assert_false(has_left_over(&story.fixture));
	expect_same_books(story.before, read_books(story.fixture.scratch.store), false);
	struct store_merge_options greedy = {.free_bytes = UINT64_MAX};
	struct store_merge *merge = NULL;
	char path[SCRATCH_PATH_BYTES];
	char text[512];
	store_fixture_segment(&story.fixture, 0, path);
	assert_int_equal(store_merge_open(story.fixture.writer, path, &greedy, &merge, text, sizeof(text)), ERR_FULL);
	assert_null(merge);
	assert_int_equal(merge_first(&story.fixture, STEPS_MAX), 1);
	expect_rows(&story.fixture, &story.expected);
	store_fixture_close(&story.fixture);
	end(&story);
}

static void any_file_operation_may_fail(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge faults");
	for (int kind = FAULT_VFS_NONE + 1; kind < FAULT_VFS_KINDS; kind++) {
		uint64_t n = 1 + seed_below(&seed, STRIDE);
		bool struck = true;
		for (; struck; n += kind == FAULT_VFS_SYNC ? 1 : STRIDE) {
			struct story story;
			assert_true(n < OPERATIONS_MAX);
			begin(&story, &seed, 150);
			fault_vfs_arm((enum fault_vfs_kind)kind, n, 1);
			int rc = merge_first(&story.fixture, STEPS_MAX);
			struck = fault_vfs_struck();
			fault_vfs_arm(FAULT_VFS_NONE, 0, 0);
			assert_true(rc != 0 || struck);
			assert_false(has_left_over(&story.fixture));
			struct books after = read_books(story.fixture.scratch.store);
			expect_same_books(story.before, after, after.batches < story.before.batches);
			expect_rows(&story.fixture, &story.expected);
			assert_true(merge_first(&story.fixture, STEPS_MAX) >= 0);
			assert_true(read_books(story.fixture.scratch.store).batches < story.before.batches);
			store_fixture_close(&story.fixture);
			end(&story);
		}
	}
}

#define SEGMENTS 20u /* more than a reader keeps open */

/* A reader that was there before, and opens some of the segments again; and readers that come all the while. */
struct watcher {
	const char *store;
	uint64_t spans;
	atomic_bool stop;
	unsigned looks;
	unsigned wrong;
};

static void *watch(void *context) {
	struct watcher *watcher = context;
	while (!atomic_load(&watcher->stop)) {
		struct store_rows rows = {0};
		struct store_reader *reader = NULL;
		char text[512];
		size_t damage = 0;
		struct store_scan scan = {
		    .columns = STORE_COLUMNS_ALL, .on_batch = store_rows_collect, .context = &rows};
		bool right = store_reader_open(watcher->store, &reader, text, sizeof(text)) == 0 &&
		             store_reader_scan(reader, &scan) == 0 && store_reader_damage(reader, &damage) &&
		             damage == 0 && rows.span_count == watcher->spans;
		if (reader && !right)
			(void)store_reader_damage(reader, &damage);
		watcher->wrong += !right && (damage > 0 || rows.span_count != watcher->spans);
		watcher->looks++;
		store_reader_close(reader);
		store_rows_free(&rows);
	}
	return NULL;
}

static void readers_see_the_same(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge readers");
	struct store_fixture fixture;
	struct store_rows expected = {0};
	struct store_rows found = {0};
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (unsigned i = 0; i < SEGMENTS; i++)
		write_segment(&fixture, &seed, &expected, 60);
	store_fixture_close(&fixture);
	store_fixture_open(&fixture);
	struct store_reader *reader = open_reader(fixture.scratch.store);
	struct watcher watcher = {.store = fixture.scratch.store, .spans = expected.span_count};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, watch, &watcher), 0);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		char path[SCRATCH_PATH_BYTES];
		char text[512];
		store_fixture_segment(&fixture, i, path);
		assert_int_equal(merge_path(fixture.writer, path, STEPS_MAX, text), 1);
	}
	atomic_store(&watcher.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(watcher.wrong, 0);
	assert_true(watcher.looks > 0);
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = store_rows_collect, .context = &found};
	struct books books = {0};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_int_equal(store_reader_rollups(reader, add_rollup, &books), 0);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	const struct store_damage *damage = store_reader_damage(reader, &books.damage);
	if (books.damage)
		fail_msg("%s", damage[0].text);
	assert_true(store_rows_equal(&found, &expected));
	store_reader_close(reader);
	store_rows_free(&found);
	expect_rows(&fixture, &expected);
	store_fixture_close(&fixture);
	store_rows_free(&expected);
	store_fixture_remove(&fixture);
}

/* What retention removed meanwhile does not come back. */
static void an_evicted_segment_stays_away(void **state) {
	(void)state;
	struct seed seed = seed_start("store_merge evicted");
	static const struct store_merge_options options = {.free_bytes = 0};
	struct story story;
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	struct store_evict_sum sum;
	struct store_merge *merge = NULL;
	char path[SCRATCH_PATH_BYTES];
	char text[512] = "";
	int rc = 1;
	begin(&story, &seed, 200);
	store_fixture_segment(&story.fixture, 0, path);
	assert_int_equal(store_merge_open(story.fixture.writer, path, &options, &merge, text, sizeof(text)), 0);
	assert_non_null(merge);
	for (unsigned step = 0; step < 30; step++)
		assert_int_equal(store_merge_step(merge, text, sizeof(text)), 1);
	write_segment(&story.fixture, &seed, &story.expected, 200);
	assert_int_equal(store_evict_list(story.fixture.scratch.store, &segments, &count), 0);
	assert_int_equal(count, 2);
	segments[0].reason = STORE_EVICT_BYTES;
	assert_int_equal(store_writer_evict(story.fixture.writer, story.fixture.catalog, segments, count, 1, &sum), 0);
	assert_int_equal(sum.segments, 1);
	assert_int_equal(sum.spans, story.before.spans);
	store_evict_list_free(segments, count);
	while (rc == 1)
		rc = store_merge_step(merge, text, sizeof(text));
	assert_int_equal(rc, -ENOENT);
	store_merge_close(merge);
	assert_int_equal(access(path, F_OK), -1);
	store_fixture_close(&story.fixture);
	end(&story);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_and_books_stay),
	    cmocka_unit_test(limits_of_a_batch_are_kept),
	    cmocka_unit_test(what_is_not_ours_to_merge_stays),
	    cmocka_unit_test(killed_anywhere),
	    cmocka_unit_test(stopped_or_without_room),
	    cmocka_unit_test(any_file_operation_may_fail),
	    cmocka_unit_test(readers_see_the_same),
	    cmocka_unit_test(an_evicted_segment_stays_away),
	};
	return cmocka_run_group_tests_name("store merge", tests, NULL, NULL);
}
