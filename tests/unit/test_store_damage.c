/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is done to a file: the reader says so, or the rows are the right ones. Never other rows, never a crash,
 * never a change.
 */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "base/errs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct damage_state {
	struct store_fixture fixture;
	struct store_rows expected;
	char path[SCRATCH_PATH_BYTES];   /* the good segment */
	char broken[SCRATCH_PATH_BYTES]; /* where tests put theirs */
	uint8_t *bytes;
	size_t size;
};

static void commit_agent_sample(struct store_fixture *fixture, uint64_t time_ns) {
	const struct store_memory_sample sample = {.agent_pid = 4, .agent_start = 5, .time_ns = time_ns};
	const struct store_commit commit = {.catalog = fixture->catalog, .samples = &sample, .sample_count = 1};
	struct store_receipt receipt;
	assert_int_equal(store_writer_commit(fixture->writer, &commit, &receipt), 0);
}

static int make(void **state) {
	struct damage_state *damage = calloc(1, sizeof(*damage));
	struct seed seed = {.state = 99};
	struct stat status;
	assert_non_null(damage);
	store_fixture_make(&damage->fixture);
	store_fixture_open(&damage->fixture);
	for (uint64_t i = 1; i <= 3; i++) {
		store_rows_fill(damage->fixture.batch, &seed, STORE_SHAPE_TREES, i == 2 ? 3000 : 40, FIXTURE_IDS);
		store_rows_add_batch(&damage->expected, damage->fixture.batch);
		assert_int_equal(store_fixture_commit(&damage->fixture, i), 0);
		commit_agent_sample(&damage->fixture, i);
	}
	store_fixture_close(&damage->fixture);
	store_fixture_segment(&damage->fixture, 0, damage->path);
	assert_int_equal(stat(damage->path, &status), 0);
	damage->size = (size_t)status.st_size;
	damage->bytes = malloc(damage->size);
	int fd = open(damage->path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && damage->bytes);
	assert_int_equal(read(fd, damage->bytes, damage->size), damage->size);
	(void)close(fd);
	(void)snprintf(damage->broken, sizeof(damage->broken), "%.480s/broken.db", damage->fixture.scratch.rings);
	*state = damage;
	return 0;
}

static int clean(void **state) {
	struct damage_state *damage = *state;
	store_rows_free(&damage->expected);
	store_fixture_remove(&damage->fixture);
	free(damage->bytes);
	free(damage);
	return 0;
}

static void write_file(const char *path, const void *bytes, size_t size) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(close(fd), 0);
}

/* Opens, reads all, and is it right? 1: damage was named; 0: all rows are right; fails the test otherwise. */
static unsigned read_broken(struct damage_state *damage, const char *doing, uint64_t at) {
	struct store_rows rows;
	int named = store_rows_read(damage->broken, &rows);
	if (named == 0 && !store_rows_equal(&rows, &damage->expected))
		fail_msg("%s at %lu: other rows and no complaint", doing, (unsigned long)at);
	store_rows_free(&rows);
	return named != 0;
}

static void flipped_bits_are_found(void **state) {
	struct damage_state *damage = *state;
	struct seed seed = seed_start("store flips");
	unsigned named = 0;
	unsigned flips = seed_rounds(4000);
	write_file(damage->broken, damage->bytes, damage->size);
	int fd = open(damage->broken, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < flips; i++) {
		/* A third in the first page: header and schema. */
		size_t at = (size_t)seed_below(&seed, i % 3 ? damage->size : 16384);
		uint8_t flipped = (uint8_t)(damage->bytes[at] ^ 1u << seed_below(&seed, 8));
		assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
		named += read_broken(damage, "bit flipped", at);
		assert_int_equal(pwrite(fd, &damage->bytes[at], 1, (off_t)at), 1);
	}
	(void)close(fd);
	print_message("%u flips: %u named, the others changed nothing that is read\n", flips, named);
	assert_true(named > flips / 20);
}

static void run_sql(const char *path, const char *sql) {
	sqlite3 *db = NULL;
	char *words = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* verify must find at least all that changes rows, samples or books; a flip in unused space may go unseen. */
static void verify_finds_flipped_columns(void **state) {
	struct damage_state *damage = *state;
	static const char *const changes[] = {
	    "UPDATE sample SET rss_bytes=rss_bytes+1 WHERE id=2",
	    "UPDATE sample_detail SET descriptors=descriptors+1 WHERE id=2", "DELETE FROM sample_detail WHERE id=3",
	    "UPDATE agent_sample SET rss_bytes=rss_bytes+1 WHERE id=2", "DELETE FROM agent_sample WHERE id=3"};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct store_reader *reader = NULL;
		char text[512];
		size_t count = 0;
		write_file(damage->broken, damage->bytes, damage->size);
		run_sql(damage->broken, changes[i]);
		assert_int_equal(store_reader_open(damage->broken, &reader, text, sizeof(text)), 0);
		assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
		(void)store_reader_damage(reader, &count);
		if (count == 0)
			fail_msg("%s: no complaint", changes[i]);
		store_reader_close(reader);
	}
}

/* Where no seal tells: rows that cannot be are named, and nothing of that segment's samples is given. */
static void samples_of_an_open_segment_are_checked(void **state) {
	struct damage_state *damage = *state;
	static const char *const changes[] = {"UPDATE sample SET id=7 WHERE id=3",
	                                      "UPDATE sample SET process=99 WHERE id=2",
	                                      "UPDATE sample SET process=0 WHERE id=2",
	                                      "UPDATE sample_detail SET id=4 WHERE id=3",
	                                      "UPDATE sample_detail SET pss_state=4 WHERE id=1",
	                                      "UPDATE sample_detail SET descriptors='many' WHERE id=1",
	                                      "UPDATE agent_sample SET id=9 WHERE id=3",
	                                      "UPDATE agent_sample SET pid=4294967296 WHERE id=1",
	                                      "UPDATE agent_sample SET pss_state=4 WHERE id=1"};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct store_reader *reader = NULL;
		struct store_memory_sample *samples = NULL;
		char text[512];
		size_t count = 0;
		write_file(damage->broken, damage->bytes, damage->size);
		run_sql(damage->broken, "DELETE FROM seal;DELETE FROM meta WHERE key='sealed'");
		run_sql(damage->broken, changes[i]);
		assert_int_equal(store_reader_open(damage->broken, &reader, text, sizeof(text)), 0);
		assert_int_equal(store_reader_samples(reader, &samples, &count), 0);
		assert_int_equal(count, 0);
		free(samples);
		(void)store_reader_damage(reader, &count);
		if (count == 0)
			fail_msg("%s: no complaint", changes[i]);
		store_reader_close(reader);
	}
}

static void truncated_files_are_found(void **state) {
	struct damage_state *damage = *state;
	struct seed seed = seed_start("store truncated");
	for (unsigned i = 0; i < seed_rounds(200); i++) {
		size_t size = (size_t)seed_below(&seed, damage->size);
		if (i % 2)
			size -= size % 4096;
		write_file(damage->broken, damage->bytes, size);
		if (!read_broken(damage, "truncated", size))
			fail_msg("truncated at %zu of %zu: no complaint", size, damage->size);
	}
}

static void noise_is_found(void **state) {
	struct damage_state *damage = *state;
	struct seed seed = seed_start("store noise");
	uint8_t *copy = malloc(damage->size);
	assert_non_null(copy);
	for (unsigned i = 0; i < seed_rounds(200); i++) {
		memcpy(copy, damage->bytes, damage->size);
		size_t at = (size_t)seed_below(&seed, damage->size - 512);
		for (size_t k = 0; k < 512; k++)
			copy[at + k] = (uint8_t)seed_next(&seed);
		write_file(damage->broken, copy, damage->size);
		(void)read_broken(damage, "noise", at);
	}
	free(copy);
}

static void expect_refused(const char *path, int error, const char *words) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	assert_int_equal(store_reader_open(path, &reader, text, sizeof(text)), error);
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	assert_null(strchr(text, '\n'));
	assert_non_null(strstr(text, path));
}

static void foreign_files_are_refused(void **state) {
	struct damage_state *damage = *state;
	char path[SCRATCH_PATH_BYTES];
	expect_refused("/nonexistent/store", -ENOENT, "No such file");
	expect_refused(damage->fixture.scratch.files, ERR_FOREIGN, "no Spanring segment");
	expect_refused("/dev/null", ERR_FOREIGN, "not a regular file");
	write_file(damage->broken, "", 0);
	expect_refused(damage->broken, ERR_FOREIGN, "empty");
	write_file(damage->broken, "just some text\n", 15);
	expect_refused(damage->broken, ERR_FOREIGN, "not a SQLite file");
	(void)snprintf(path, sizeof(path), "%.480s/other.db", damage->fixture.scratch.files);
	run_sql(path, "CREATE TABLE t(a);INSERT INTO t VALUES(1)");
	expect_refused(path, ERR_FOREIGN, "application id 0");
}

static void newer_versions_are_named(void **state) {
	struct damage_state *damage = *state;
	write_file(damage->broken, damage->bytes, damage->size);
	run_sql(damage->broken, "PRAGMA user_version=2");
	expect_refused(damage->broken, ERR_NEWER, "store format 2, this build reads up to 1");
}

/* No statement of a stranger's schema may run. */
static void other_schemas_are_refused(void **state) {
	struct damage_state *damage = *state;
	static const char *const changes[] = {
	    ("DROP TABLE batch;CREATE VIEW batch AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM c) "
	     "SELECT id FROM c"),
	    "DROP TABLE account",
	    "ALTER TABLE string ADD COLUMN more GENERATED ALWAYS AS (hex(zeroblob(1000)))",
	    "CREATE INDEX i ON string(length(text))",
	    "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM meta; END",
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		write_file(damage->broken, damage->bytes, damage->size);
		run_sql(damage->broken, changes[i]);
		expect_refused(damage->broken, ERR_DAMAGED, "is not as store format 1 has it");
	}
	write_file(damage->broken, damage->bytes, damage->size);
	run_sql(damage->broken, "CREATE TABLE of_a_later_version(a)");
	assert_int_equal(read_broken(damage, "more tables", 0), 0);
}

/* Right checksums and hostile content: references outside their tables. */
static void references_are_checked(void **state) {
	struct damage_state *damage = *state;
	static const char *const changes[] = {
	    "UPDATE site SET name=4000000000 WHERE id=2",     "UPDATE site SET id=900 WHERE id=3",
	    "UPDATE thread SET process=3 WHERE id=1",         "UPDATE process SET service=77 WHERE id=1",
	    "UPDATE string SET text=x'00' WHERE id=2",        "DELETE FROM meta WHERE key='boot_id'",
	    "INSERT INTO ending VALUES(zeroblob(16),9,0)",    "INSERT INTO ending VALUES(zeroblob(15),1,0)",
	    "INSERT INTO drops VALUES(zeroblob(16),'a',0,0)", "INSERT INTO drops VALUES(zeroblob(17),0,0,0)",
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		write_file(damage->broken, damage->bytes, damage->size);
		run_sql(
		    damage->broken,
		    "DELETE FROM seal;DELETE FROM meta WHERE key='sealed'"); /* as if it were still open: no checksum over the catalog */
		run_sql(damage->broken, changes[i]);
		expect_refused(damage->broken, ERR_DAMAGED, "damaged");
	}
}

/* The figures by which scans skip batches, and the filter, are under the checksum of the batch. */
static void batch_figures_are_covered(void **state) {
	struct damage_state *damage = *state;
	static const char *const changes[] = {
	    "UPDATE batch SET start_ns_min=start_ns_min+1 WHERE id=2",
	    "UPDATE batch SET end_ns_max=1 WHERE id=2",
	    "UPDATE batch SET duration_ns_max=1 WHERE id=1",
	    "UPDATE batch SET spans=spans-1 WHERE id=1",
	    "UPDATE batch SET bloom=zeroblob(length(bloom)) WHERE id=3",
	    "UPDATE batch SET directory=substr(directory,17) WHERE id=3",
	    "UPDATE batch SET id=4 WHERE id=3",
	    "DELETE FROM batch WHERE id=2",
	    "DELETE FROM batch WHERE id=3",
	    "DELETE FROM column_blob WHERE id=2*64+4",
	};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		write_file(damage->broken, damage->bytes, damage->size);
		run_sql(damage->broken, changes[i]);
		if (!read_broken(damage, changes[i], i))
			fail_msg("%s: no complaint", changes[i]);
	}
}

static void a_bad_segment_leaves_the_others(void **state) {
	struct damage_state *damage = *state;
	char path[SCRATCH_PATH_BYTES];
	struct store_rows rows;
	(void)snprintf(path, sizeof(path), "%.440s/segment-20200101T000000Z-000000.db", damage->fixture.scratch.store);
	write_file(path, "not a segment", 13);
	assert_int_equal(store_rows_read(damage->fixture.scratch.store, &rows), 1);
	assert_true(store_rows_equal(&rows, &damage->expected));
	store_rows_free(&rows);
	/* The same segment twice would count every span twice. */
	write_file(path, damage->bytes, damage->size);
	assert_int_equal(store_rows_read(damage->fixture.scratch.store, &rows), 1);
	assert_true(store_rows_equal(&rows, &damage->expected));
	store_rows_free(&rows);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(damage->path, path), 0);
	assert_int_equal(store_rows_read(damage->fixture.scratch.store, &rows), 1);
	store_rows_free(&rows);
	/* The writer goes on beside it, and leaves it alone. */
	assert_int_equal(unlink(path), 0);
	write_file(path, "not a segment", 13);
	struct store_writer_options options = {.agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	assert_int_equal(store_writer_open(damage->fixture.scratch.store, &options, &damage->fixture.writer, &holder,
	                                   text, sizeof(text)),
	                 0);
	assert_non_null(strstr(text, path));
	assert_int_equal(store_fixture_commit(&damage->fixture, 9), 0);
	store_fixture_close(&damage->fixture);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 13);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(flipped_bits_are_found, make, clean),
	    cmocka_unit_test_setup_teardown(verify_finds_flipped_columns, make, clean),
	    cmocka_unit_test_setup_teardown(samples_of_an_open_segment_are_checked, make, clean),
	    cmocka_unit_test_setup_teardown(truncated_files_are_found, make, clean),
	    cmocka_unit_test_setup_teardown(noise_is_found, make, clean),
	    cmocka_unit_test_setup_teardown(foreign_files_are_refused, make, clean),
	    cmocka_unit_test_setup_teardown(newer_versions_are_named, make, clean),
	    cmocka_unit_test_setup_teardown(other_schemas_are_refused, make, clean),
	    cmocka_unit_test_setup_teardown(references_are_checked, make, clean),
	    cmocka_unit_test_setup_teardown(batch_figures_are_covered, make, clean),
	    cmocka_unit_test_setup_teardown(a_bad_segment_leaves_the_others, make, clean),
	};
	return cmocka_run_group_tests_name("store damage", tests, NULL, NULL);
}
