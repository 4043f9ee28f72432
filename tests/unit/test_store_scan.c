/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads that share a scan give the rows that one gives, name the same damage, and stop together. */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "base/checked.h"
#include "base/errs.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define BATCHES 40u
#define STOPPED 7

struct gathering {
	pthread_mutex_t lock;
	struct store_rows rows;
	uint32_t workers;
	uint32_t batches;
	uint32_t stop_after; /* 0: never */
	uint64_t progress;
};

static int make(void **state) {
	static struct store_fixture fixture;
	struct seed seed = seed_start("scan");
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		if (i % 16 == 0)
			store_fixture_catalog(&fixture);
		do /* one that holds nothing would not be stored */
			store_rows_fill(fixture.batch, &seed, (enum store_shape)(i % STORE_SHAPES),
			                (uint32_t)seed_below(&seed, 900), FIXTURE_IDS);
		while (batch_empty(fixture.batch));
		assert_int_equal(store_fixture_commit(&fixture, i * 1000), 0);
	}
	*state = &fixture;
	return 0;
}

static int clean(void **state) {
	store_fixture_close(*state);
	store_fixture_remove(*state);
	return 0;
}

static int gather(void *context, const struct store_columns *columns) {
	struct gathering *gathering = context;
	(void)pthread_mutex_lock(&gathering->lock);
	assert_true(columns->worker < gathering->workers);
	store_rows_add_columns(&gathering->rows, columns);
	bool stops = ++gathering->batches == gathering->stop_after;
	(void)pthread_mutex_unlock(&gathering->lock);
	return stops ? STOPPED : 0;
}

static void progress(void *context, uint64_t done, uint64_t total) {
	struct gathering *gathering = context;
	assert_true(done >= gathering->progress && done <= total);
	gathering->progress = done;
}

/* The damage of one scan. */
static size_t scan(const char *store, uint32_t threads, uint32_t stop_after, struct gathering *ret_gathering) {
	struct store_reader *reader = NULL;
	char text[512];
	size_t damage = 0;
	*ret_gathering = (struct gathering){
	    .lock = PTHREAD_MUTEX_INITIALIZER, .workers = threads ? threads : 1, .stop_after = stop_after};
	assert_int_equal(store_reader_open(store, &reader, text, sizeof(text)), 0);
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL,
	                          .threads = threads,
	                          .on_batch = gather,
	                          .on_progress = progress,
	                          .context = ret_gathering};
	assert_int_equal(store_reader_scan(reader, &scan), stop_after ? STOPPED : 0);
	(void)store_reader_damage(reader, &damage);
	store_reader_close(reader);
	return damage;
}

static void check_threads(const char *store, size_t damage, uint32_t batches) {
	struct gathering alone;
	assert_int_equal(scan(store, 1, 0, &alone), damage);
	assert_int_equal(alone.batches, batches);
	for (uint32_t threads = 2; threads <= STORE_SCAN_THREADS_MAX + 1; threads += 5) {
		struct gathering together;
		assert_int_equal(scan(store, threads, 0, &together), damage);
		assert_int_equal(together.batches, batches);
		assert_true(together.progress == alone.progress);
		assert_true(store_rows_equal(&together.rows, &alone.rows));
		store_rows_free(&together.rows);
	}
	store_rows_free(&alone.rows);
}

/* Three segments, the last of which is open. */
static void threads_give_the_same_rows(void **state) {
	struct store_fixture *fixture = *state;
	check_threads(fixture->scratch.store, 0, BATCHES);
}

static void threads_stop_together(void **state) {
	struct store_fixture *fixture = *state;
	struct gathering gathering;
	assert_int_equal(scan(fixture->scratch.store, 4, 5, &gathering), 0);
	assert_true(gathering.batches >= 5); /* those that others had at hand are read to their end */
	store_rows_free(&gathering.rows);
}

/* Bytes in the middle of the first segment: what it costs is the same whoever finds it. */
static void threads_name_the_same_damage(void **state) {
	struct store_fixture *fixture = *state;
	char path[SCRATCH_PATH_BYTES];
	struct gathering alone;
	store_fixture_segment(fixture, 0, path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	off_t size = lseek(fd, 0, SEEK_END);
	for (int i = 0; i < 40; i++)
		assert_int_equal(pwrite(fd, "damage", 6, size / 4 + size / 60 * i), 6);
	assert_int_equal(close(fd), 0);
	size_t damage = scan(fixture->scratch.store, 1, 0, &alone);
	store_rows_free(&alone.rows);
	assert_true(damage > 0);
	check_threads(fixture->scratch.store, damage, alone.batches);
}

/* --- batches that a look leaves out ------------------------------------------------------------------------------ */

struct look {
	pthread_mutex_t lock;
	uint64_t trace_lo;
	uint64_t since_ns; /* wall time */
	uint64_t until_ns;
	uint64_t spans; /* of the trace, or that start in the time */
	uint64_t batches;
	uint64_t inside; /* batches given as runs */
	uint64_t start_ns[BATCHES];
	uint64_t traces[BATCHES];
};

static int count_trace(void *context, const struct store_columns *columns) {
	struct look *look = context;
	uint64_t spans = 0;
	for (uint32_t row = 0; row < columns->span_count; row++)
		spans += columns->trace_lo[row] == look->trace_lo;
	assert_true(spans || columns->attribute_count || columns->event_count || columns->link_count);
	(void)pthread_mutex_lock(&look->lock);
	look->spans += spans;
	look->batches++;
	(void)pthread_mutex_unlock(&look->lock);
	return 0;
}

static int count_starts(void *context, const struct store_columns *columns) {
	struct look *look = context;
	uint64_t spans = columns->start_ns ? 0 : columns->span_count;
	for (uint32_t row = 0; columns->start_ns && row < columns->span_count; row++) {
		uint64_t wall_ns = saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns);
		spans += wall_ns >= look->since_ns && wall_ns < look->until_ns;
		assert_true(columns->start_ns[row] >= columns->start_ns_min);
	}
	assert_int_equal(columns->start_ns == NULL, columns->run_count > 0);
	assert_true(spans > 0 || columns->span_count == 0 || columns->attribute_count || columns->event_count ||
	            columns->link_count || look->until_ns == UINT64_MAX);
	(void)pthread_mutex_lock(&look->lock);
	look->spans += spans;
	look->inside += columns->run_count > 0;
	look->batches++;
	(void)pthread_mutex_unlock(&look->lock);
	return 0;
}

/* A trace and a start of each batch. */
static int note_some(void *context, const struct store_columns *columns) {
	struct look *look = context;
	uint32_t row = columns->span_count / 2;
	look->start_ns[look->batches] =
	    columns->span_count ? saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns) : 0;
	look->traces[look->batches++] = columns->span_count ? columns->trace_lo[row] : 0;
	return 0;
}

static struct store_reader *open_store(const struct store_fixture *fixture) {
	struct store_reader *reader = NULL;
	char text[512];
	assert_int_equal(store_reader_open(fixture->scratch.store, &reader, text, sizeof(text)), 0);
	return reader;
}

static void run_look(struct store_reader *reader, struct store_scan scan, struct look *look) {
	look->spans = look->batches = look->inside = 0;
	scan.context = look;
	assert_int_equal(store_reader_scan(reader, &scan), 0);
}

static void a_look_leaves_out_other_traces(void **state) {
	struct store_reader *reader = open_store(*state);
	struct look look = {.lock = PTHREAD_MUTEX_INITIALIZER};
	run_look(reader, (struct store_scan){.columns = STORE_COLUMNS_ALL, .on_batch = note_some}, &look);
	for (uint32_t i = 0; i < BATCHES; i++) {
		struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = count_trace};
		uint64_t all = 0;
		look.trace_lo = look.traces[i];
		for (scan.threads = 1; scan.threads < 4; scan.threads += 2) {
			scan.has_trace = true;
			scan.trace_lo = look.trace_lo;
			run_look(reader, scan, &look);
			assert_true(scan.threads == 1 || look.spans == all);
			all = look.spans;
		}
		/* all batches, none left out */
		struct store_rows rows = {0};
		assert_int_equal(store_rows_read(((struct store_fixture *)*state)->scratch.store, &rows), 0);
		for (size_t row = 0; row < rows.span_count; row++)
			all -= rows.spans[row].trace_lo == look.trace_lo;
		assert_int_equal(all, 0);
		store_rows_free(&rows);
	}
	store_reader_close(reader);
}

static void a_look_leaves_out_other_times(void **state) {
	struct store_reader *reader = open_store(*state);
	struct look look = {.lock = PTHREAD_MUTEX_INITIALIZER};
	uint64_t inside = 0;
	uint64_t left_out = 0;
	run_look(reader, (struct store_scan){.columns = STORE_COLUMNS_ALL, .on_batch = note_some}, &look);
	for (uint32_t i = 1; i < BATCHES; i++) {
		uint64_t first = look.start_ns[i - 1];
		uint64_t second = look.start_ns[i];
		struct store_scan all = {.columns = STORE_COLUMN_START, .on_batch = count_starts};
		uint64_t since_ns = first < second ? first : second;
		uint64_t until_ns = first < second ? second : first;
		look.since_ns = since_ns;
		look.until_ns = UINT64_MAX; /* every batch may be there */
		run_look(reader, all, &look);
		uint64_t later = look.spans;
		look.since_ns = until_ns;
		run_look(reader, all, &look);
		uint64_t expected = later - look.spans;
		look.since_ns = since_ns;
		look.until_ns = until_ns;
		struct store_scan some = all;
		some.columns |= STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID | STORE_COLUMN_PARENT_ID | STORE_COLUMN_SITE |
		                STORE_COLUMN_THREAD; /* of a few there is no look */
		some.start_since_wall_ns = since_ns;
		some.start_until_wall_ns = until_ns;
		some.columns_inside = STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION;
		for (some.threads = 1; some.threads < 4 && until_ns > since_ns; some.threads += 2) {
			run_look(reader, some, &look);
			assert_int_equal(look.spans, expected);
			inside += look.inside;
			left_out += BATCHES - look.batches;
		}
	}
	assert_true(inside > 0 && left_out > 0);
	store_reader_close(reader);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_look_leaves_out_other_traces, make, clean),
	    cmocka_unit_test_setup_teardown(a_look_leaves_out_other_times, make, clean),
	    cmocka_unit_test_setup_teardown(threads_give_the_same_rows, make, clean),
	    cmocka_unit_test_setup_teardown(threads_stop_together, make, clean),
	    cmocka_unit_test_setup_teardown(threads_name_the_same_damage, make, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
