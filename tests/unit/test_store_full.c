/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that cannot grow (RLIMIT_FSIZE): a commit that fails leaves nothing behind, and succeeds when there is
 * room again.
 */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "base/errs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void limit_files(rlim_t bytes) {
	struct rlimit limit = {bytes, RLIM_INFINITY};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint64_t random_limit(struct seed *seed) {
	return 1 + seed_below(seed, 200000);
}

/* Commit, under a limit that is often too low, until 12 commits have succeeded. */
static void commit_in_little_room(struct store_fixture *fixture, struct seed *seed) {
	unsigned failures = 0;
	unsigned attempts = 0;
	struct store_rows expected = {0};
	struct store_rows found;
	(void)signal(SIGXFSZ, SIG_IGN);
	store_fixture_open(fixture);
	for (uint64_t position = 1; position <= 12; position++) {
		store_rows_fill(fixture->batch, seed, STORE_SHAPE_TREES, 4000, FIXTURE_IDS);
		if (position % 5 == 0)
			store_fixture_catalog(fixture);
		for (bool stored = false; !stored;) {
			limit_files(attempts++ % 3 == 2 ? RLIM_INFINITY : random_limit(seed));
			int error = store_fixture_commit(fixture, position);
			limit_files(RLIM_INFINITY);
			stored = error == 0;
			if (stored)
				store_rows_add_batch(&expected, fixture->batch);
			failures += !stored;
			if (!stored && (error != ERR_FULL || !strstr(store_writer_error(fixture->writer), "segment-")))
				fail_msg("%d: %s", error, store_writer_error(fixture->writer));
			assert_int_equal(store_rows_read(fixture->scratch.store, &found), 0);
			assert_int_equal(found.span_count, expected.span_count);
			store_rows_free(&found);
		}
	}
	store_fixture_close(fixture);
	assert_int_equal(store_rows_read(fixture->scratch.store, &found), 0);
	assert_true(store_rows_equal(&found, &expected));
	assert_true(failures > 3);
	struct store_reader *reader = NULL;
	char text[512];
	size_t damage = 0;
	assert_int_equal(store_reader_open(fixture->scratch.store, &reader, text, sizeof(text)), 0);
	assert_int_equal(store_reader_overview(reader)->rings[0].cursor.position, 12);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
	store_rows_free(&found);
	store_rows_free(&expected);
}

static void a_failed_commit_can_be_repeated(void **state) {
	(void)state;
	struct seed seed = seed_start("store full");
	for (unsigned round = 0; round < seed_rounds(3); round++) {
		struct store_fixture fixture;
		struct rlimit before;
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
		store_fixture_make(&fixture);
		commit_in_little_room(&fixture, &seed);
		store_fixture_remove(&fixture);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	}
}

/* No segment can be made: said so, no half file, and the store works when it can. */
static void no_room_for_a_segment(void **state) {
	(void)state;
	struct store_fixture fixture;
	struct store_rows rows;
	char path[SCRATCH_PATH_BYTES];
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	store_fixture_make(&fixture);
	(void)signal(SIGXFSZ, SIG_IGN);
	store_fixture_open(&fixture);
	limit_files(20000);
	assert_int_equal(store_fixture_commit(&fixture, 1), ERR_FULL);
	store_fixture_segment(&fixture, 0, path);
	assert_string_equal(path, "");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(store_fixture_commit(&fixture, 1), 0);
	store_fixture_close(&fixture);
	assert_int_equal(store_rows_read(fixture.scratch.store, &rows), 0);
	store_rows_free(&rows);
	store_fixture_remove(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failed_commit_can_be_repeated),
	    cmocka_unit_test(no_room_for_a_segment),
	};
	return cmocka_run_group_tests_name("store full", tests, NULL, NULL);
}
