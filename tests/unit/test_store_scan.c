/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads that share a scan give the rows that one gives, name the same damage, and stop together. */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

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

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(threads_give_the_same_rows, make, clean),
	    cmocka_unit_test_setup_teardown(threads_stop_together, make, clean),
	    cmocka_unit_test_setup_teardown(threads_name_the_same_damage, make, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
