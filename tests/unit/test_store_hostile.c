/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: nothing that somebody puts into a store or beside a segment is believed, waited for or followed.
 * Method: what SQLite would take for its own (WAL, journal, shared memory) from noise, from other segments, as pipes and links; copies of a
 * segment that is being written; pages that lead in circles; and every connection asked how it is set up.
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

#define HANG_S 300 /* only ends one */
#define COPIES 40u
#define PAGE_BYTES 16384u
#define CIRCLE_PAGES 17u

static const char *const endings[] = {"-journal", "-wal", "-shm"};
#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

struct hostile {
	struct store_fixture fixture;
	struct store_rows expected;
	char path[SCRATCH_PATH_BYTES];   /* the segment of the fixture */
	char broken[SCRATCH_PATH_BYTES]; /* where tests put theirs */
};

static void commit(struct hostile *hostile, struct seed *seed, uint64_t position) {
	store_rows_fill(hostile->fixture.batch, seed, STORE_SHAPE_TREES, 40, FIXTURE_IDS);
	store_rows_add_batch(&hostile->expected, hostile->fixture.batch);
	assert_int_equal(store_fixture_commit(&hostile->fixture, position), 0);
}

static int make(void **state) {
	struct hostile *hostile = calloc(1, sizeof(*hostile));
	struct seed seed = {.state = 7};
	assert_non_null(hostile);
	(void)alarm(HANG_S);
	store_fixture_make(&hostile->fixture);
	store_fixture_open(&hostile->fixture);
	for (uint64_t i = 1; i <= 3; i++)
		commit(hostile, &seed, i);
	store_fixture_segment(&hostile->fixture, 0, hostile->path);
	(void)snprintf(hostile->broken, sizeof(hostile->broken), "%.480s/broken %%41?#.db",
	               hostile->fixture.scratch.rings);
	*state = hostile;
	return 0;
}

static int make_sealed(void **state) {
	(void)make(state);
	struct hostile *hostile = *state;
	store_fixture_close(&hostile->fixture);
	return 0;
}

static int clean(void **state) {
	struct hostile *hostile = *state;
	store_rows_free(&hostile->expected);
	store_fixture_remove(&hostile->fixture);
	free(hostile);
	(void)alarm(0);
	return 0;
}

static const char *beside(const char *path, const char *ending) {
	static char text[SCRATCH_PATH_BYTES + 16];
	(void)snprintf(text, sizeof(text), "%s%s", path, ending);
	return text;
}

static uint8_t *read_file(const char *path, size_t *ret_bytes) {
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	uint8_t *bytes = malloc((size_t)status.st_size + 1);
	assert_non_null(bytes);
	*ret_bytes = (size_t)status.st_size;
	assert_int_equal(read(fd, bytes, *ret_bytes), *ret_bytes);
	(void)close(fd);
	return bytes;
}

static void write_file(const char *path, const void *bytes, size_t size) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	assert_int_equal(close(fd), 0);
}

static void copy_file(const char *from, const char *to) {
	size_t size = 0;
	uint8_t *bytes = read_file(from, &size);
	write_file(to, bytes, size);
	free(bytes);
}

static void copy_wal(const char *from, const char *to) {
	char wal[SCRATCH_PATH_BYTES + 16];
	(void)snprintf(wal, sizeof(wal), "%s-wal", to);
	copy_file(beside(from, "-wal"), wal);
}

static void remove_broken(const struct hostile *hostile) {
	(void)unlink(hostile->broken);
	for (size_t i = 0; i < ENDINGS; i++)
		(void)remove(beside(hostile->broken, endings[i]));
}

static void expect_refused(const struct hostile *hostile, const char *words) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	int error = store_reader_open(hostile->broken, &reader, text, sizeof(text));
	if (!error)
		fail_msg("not refused: should say \"%s\"", words);
	assert_true(error == ERR_FOREIGN || error == ERR_DAMAGED || error == -EROFS);
	if (!strstr(text, words) || !strstr(text, hostile->broken) || strchr(text, '\n'))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void expect_right_rows(struct hostile *hostile, const char *what) {
	struct store_rows rows;
	int damages = store_rows_read(hostile->broken, &rows);
	if (damages != 0 || !store_rows_equal(&rows, &hostile->expected))
		fail_msg("%s: not the rows of the segment: %d damages, %zu spans of %zu", what, damages,
		         rows.span_count, hostile->expected.span_count);
	store_rows_free(&rows);
}

/* --- how connections are set up --------------------------------------------------------------------------------- */

static sqlite3 *newest;

static int note_connection(sqlite3 *handle, const char **ret_words, const struct sqlite3_api_routines *api) {
	(void)ret_words;
	(void)api;
	newest = handle;
	return SQLITE_OK;
}

static int setting(int which) {
	int value = -1;
	assert_int_equal(sqlite3_db_config(newest, which, -1, &value), SQLITE_OK);
	return value;
}

static int64_t pragma(const char *sql) {
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_prepare_v2(newest, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	return value;
}

static void expect_hardened(void) {
	assert_int_equal(setting(SQLITE_DBCONFIG_DEFENSIVE), 1);
	assert_int_equal(setting(SQLITE_DBCONFIG_TRUSTED_SCHEMA), 0);
	assert_int_equal(setting(SQLITE_DBCONFIG_ENABLE_TRIGGER), 0);
	assert_int_equal(setting(SQLITE_DBCONFIG_ENABLE_VIEW), 0);
	assert_int_equal(setting(SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION), 0);
	assert_int_equal(pragma("PRAGMA cell_size_check"), 1);
	assert_int_equal(pragma("PRAGMA mmap_size"), 0);
	assert_int_equal(pragma("PRAGMA temp_store"), 2);
	assert_true(sqlite3_limit(newest, SQLITE_LIMIT_LENGTH, -1) <= 64 << 20);
	assert_true(sqlite3_limit(newest, SQLITE_LIMIT_SQL_LENGTH, -1) <= 100000);
	assert_int_equal(sqlite3_limit(newest, SQLITE_LIMIT_ATTACHED, -1), 0);
	assert_true(sqlite3_limit(newest, SQLITE_LIMIT_VDBE_OP, -1) <= 25000);
}

static void every_connection_is_hardened(void **state) {
	struct hostile *hostile = *state;
	struct store_reader *reader = NULL;
	char text[512];
	/* SQLite declares the entry without its parameters. */
	assert_int_equal(sqlite3_auto_extension((void (*)(void))note_connection), SQLITE_OK);
	assert_int_equal(store_reader_open(hostile->path, &reader, text, sizeof(text)), 0);
	assert_non_null(newest);
	expect_hardened();
	assert_int_equal(sqlite3_db_readonly(newest, "main"), 1);
	store_reader_close(reader);
	sqlite3_reset_auto_extension();
}

/* --- files beside a segment -------------------------------------------------------------------------------------- */

static void noise(struct seed *seed, uint8_t *bytes, size_t size) {
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)seed_next(seed);
}

/* A WAL that SQLite finds sound, with other names and no seal. */
static void make_foreign_wal(const struct hostile *hostile, const char *to) {
	char other[SCRATCH_PATH_BYTES];
	sqlite3 *db = NULL;
	(void)snprintf(other, sizeof(other), "%.480s/other.db", hostile->fixture.scratch.files);
	copy_file(hostile->path, other);
	assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint=0;DELETE FROM seal;"
	                              "UPDATE string SET text='foreign'||id;DELETE FROM batch WHERE id=3",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	copy_wal(other, to);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_sealed_segment_is_read_alone(void **state) {
	static const uint8_t hot[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	struct hostile *hostile = *state;
	struct seed seed = seed_start("store beside");
	uint8_t bytes[65536];
	struct stat status;
	copy_file(hostile->path, hostile->broken);
	expect_right_rows(hostile, "nothing beside");
	for (size_t i = 0; i < ENDINGS; i++) {
		noise(&seed, bytes, sizeof(bytes));
		write_file(beside(hostile->broken, endings[i]), bytes, sizeof(bytes));
	}
	expect_right_rows(hostile, "noise beside");
	memcpy(bytes, hot, sizeof(hot));
	write_file(beside(hostile->broken, "-journal"), bytes, sizeof(bytes));
	expect_right_rows(hostile, "a hot journal beside");
	remove_broken(hostile);
	copy_file(hostile->path, hostile->broken);
	make_foreign_wal(hostile, hostile->broken);
	expect_right_rows(hostile, "the WAL of another segment beside");
	assert_int_equal(stat(beside(hostile->broken, "-shm"), &status), -1);
	remove_broken(hostile);
}

static void nothing_but_files_is_opened(void **state) {
	struct hostile *hostile = *state;
	for (unsigned kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < ENDINGS; i++) {
			copy_file(hostile->path, hostile->broken);
			const char *path = beside(hostile->broken, endings[i]);
			if (kind == 0)
				assert_int_equal(mkfifo(path, 0600), 0);
			if (kind == 1)
				assert_int_equal(symlink(hostile->path, path), 0);
			if (kind == 2)
				assert_int_equal(symlink("/dev/zero", path), 0);
			if (kind == 3)
				assert_int_equal(mkdir(path, 0700), 0);
			expect_refused(hostile, "not a regular file");
			remove_broken(hostile);
		}
	}
	assert_int_equal(mkfifo(hostile->broken, 0600), 0);
	expect_refused(hostile, "not a regular file");
	remove_broken(hostile);
}

static void copy_open(const struct hostile *hostile) {
	copy_file(hostile->path, hostile->broken);
	copy_wal(hostile->path, hostile->broken);
}

static void an_open_segment_wants_its_own_wal(void **state) {
	struct hostile *hostile = *state;
	struct store_fixture other;
	struct seed seed = {.state = 8};
	char path[SCRATCH_PATH_BYTES];
	uint8_t bytes[4096] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1};
	copy_open(hostile);
	expect_right_rows(hostile, "a copy");
	write_file(beside(hostile->broken, "-journal"), bytes, sizeof(bytes));
	expect_refused(hostile, "-journal: not of this segment");
	remove_broken(hostile);
	store_fixture_make(&other);
	store_fixture_open(&other);
	store_rows_fill(other.batch, &seed, STORE_SHAPE_TREES, 60, FIXTURE_IDS);
	assert_int_equal(store_fixture_commit(&other, 1), 0);
	store_fixture_segment(&other, 0, path);
	copy_file(hostile->path, hostile->broken);
	copy_wal(path, hostile->broken);
	expect_refused(hostile, "-wal: of another segment");
	remove_broken(hostile);
	store_fixture_close(&other);
	store_fixture_remove(&other);
}

/* All that is in the WAL goes into the file, so that the next commit begins another WAL. */
static void checkpoint(const char *path) {
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void expect_unharmed(const struct hostile *hostile, const char *words) {
	struct store_writer_options options = {.agent_version = "test"};
	struct store_writer *writer = NULL;
	char store[SCRATCH_PATH_BYTES];
	char text[1024] = "";
	int holder = 0;
	size_t size[2] = {0};
	uint8_t *before = read_file(hostile->broken, &size[0]);
	(void)snprintf(store, sizeof(store), "%s", hostile->broken);
	*strrchr(store, '/') = 0;
	assert_int_equal(store_writer_open(store, &options, &writer, &holder, text, sizeof(text)), 0);
	assert_non_null(strstr(text, words));
	assert_int_equal(store_writer_close(writer), 0);
	uint8_t *after = read_file(hostile->broken, &size[1]);
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(before, after, size[0]);
	free(before);
	free(after);
}

/* WALs of one commit, which changes none of the pages with names: the count of commits tells. No writer copies them into the file. */
static void every_wal_says_whose_it_is(void **state) {
	struct hostile *hostile = *state;
	struct store_fixture other;
	struct seed seed = {.state = 9};
	char path[SCRATCH_PATH_BYTES];
	(void)snprintf(hostile->broken, sizeof(hostile->broken), "%.400s/segment-20200101T000000Z-000000.db",
	               hostile->fixture.scratch.files);
	store_fixture_make(&other);
	store_fixture_open(&other);
	for (uint64_t i = 1; i <= 2; i++) {
		if (i == 1)
			store_rows_fill(other.batch, &seed, STORE_SHAPE_TREES, 60, FIXTURE_IDS);
		else
			batch_clear(other.batch); /* no links, which are counted in a page with a name */
		assert_int_equal(store_fixture_commit(&other, i), 0);
		store_fixture_segment(&other, 0, path);
		if (i == 1)
			checkpoint(path);
	}
	copy_file(hostile->path, hostile->broken);
	copy_wal(path, hostile->broken);
	expect_refused(hostile, "-wal: of another segment");
	expect_unharmed(hostile, "-wal: of another segment");
	remove_broken(hostile);
	store_fixture_close(&other);
	store_fixture_remove(&other);
	copy_wal(hostile->path, hostile->broken);
	commit(hostile, &seed, 4);
	checkpoint(hostile->path);
	copy_file(hostile->path, hostile->broken);
	expect_refused(hostile, "-wal: older than what was copied from it");
	expect_unharmed(hostile, "-wal: older than what was copied from it");
	remove_broken(hostile);
}

/* cp of a segment and its WAL while the writer goes on: what was, or a word of complaint. */
static void copies_of_a_living_segment_are_a_beginning(void **state) {
	struct hostile *hostile = *state;
	struct seed seed = seed_start("store copies");
	size_t known[8192] = {0};
	size_t commits = 0;
	unsigned named = 0;
	uint64_t position = 3;
	known[commits++] = 0;
	known[commits++] = hostile->expected.span_count;
	for (unsigned i = 0; i < seed_rounds(COPIES); i++) {
		copy_file(hostile->path, hostile->broken);
		for (uint64_t n = seed_below(&seed, 40); n && commits < sizeof(known) / sizeof(known[0]); n--) {
			commit(hostile, &seed, ++position);
			known[commits++] = hostile->expected.span_count;
		}
		copy_wal(hostile->path, hostile->broken);
		struct store_rows rows;
		int damage = store_rows_read(hostile->broken, &rows);
		bool is_known = false;
		for (size_t k = 0; k < commits; k++)
			is_known |= rows.span_count == known[k];
		if (damage == 0 && !is_known)
			fail_msg("copy %u: %zu spans, which no commit had", i, rows.span_count);
		named += damage != 0;
		store_rows_free(&rows);
		remove_broken(hostile);
	}
	print_message("%u copies, %u named\n", seed_rounds(COPIES), named);
}

/* --- pages in circles --------------------------------------------------------------------------------------------- */

static void put_u32(uint8_t *at, uint32_t value) {
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at) {
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* An interior page of a table with as many children as there is room, all of them the same page. */
static void make_circle_page(uint8_t *page, uint32_t child) {
	uint32_t cells = 1000;
	uint32_t at = PAGE_BYTES;
	memset(page, 0, PAGE_BYTES);
	page[0] = 5;
	put_u32(page + 8, child);
	for (uint32_t i = 0; i < cells; i++) {
		at -= 7;
		put_u32(page + at, child);
		page[at + 4] = (uint8_t)(0x80 | i >> 14);
		page[at + 5] = (uint8_t)(0x80 | i >> 7);
		page[at + 6] = (uint8_t)(i & 0x7f);
		page[12 + 2 * i] = (uint8_t)(at >> 8);
		page[13 + 2 * i] = (uint8_t)at;
	}
	page[3] = (uint8_t)(cells >> 8);
	page[4] = (uint8_t)cells;
	page[5] = (uint8_t)(at >> 8);
	page[6] = (uint8_t)at;
}

static uint32_t root_of(const char *path, const char *table) {
	sqlite3 *db = NULL;
	char sql[128];
	(void)snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name='%s'", table);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	newest = db;
	uint32_t root = (uint32_t)pragma(sql);
	newest = NULL;
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return root;
}

/* 1000^17 rows: the root becomes the first of a chain of pages, of which each has the next one for each of its children. */
static void circles_are_left(void **state) {
	static const char *const tables[] = {"sample", "string", "batch", "site"};
	struct hostile *hostile = *state;
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		size_t size = 0;
		uint8_t *file = read_file(hostile->path, &size);
		uint32_t root = root_of(hostile->path, tables[t]);
		uint32_t pages = (uint32_t)(size / PAGE_BYTES);
		assert_int_equal(size % PAGE_BYTES, 0);
		size += (size_t)(CIRCLE_PAGES + 1) * PAGE_BYTES;
		file = realloc(file, size);
		assert_non_null(file);
		memcpy(file + (size_t)(pages + CIRCLE_PAGES) * PAGE_BYTES, file + (size_t)(root - 1) * PAGE_BYTES,
		       PAGE_BYTES);
		for (uint32_t i = 0; i < CIRCLE_PAGES; i++)
			make_circle_page(file + (size_t)(pages + i) * PAGE_BYTES, pages + i + 2);
		make_circle_page(file + (size_t)(root - 1) * PAGE_BYTES, pages + 1);
		put_u32(file + 28, pages + CIRCLE_PAGES + 1);
		put_u32(file + 92, get_u32(file + 24)); /* the count of pages holds for this change */
		write_file(hostile->broken, file, size);
		free(file);
		struct store_reader *reader = NULL;
		char text[512];
		size_t damages = 0;
		int error = store_reader_open(hostile->broken, &reader, text, sizeof(text));
		if (!error) {
			assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
			(void)store_reader_damage(reader, &damages);
			assert_true(damages > 0);
			store_reader_close(reader);
		} else {
			assert_int_equal(error, ERR_DAMAGED);
		}
		remove_broken(hostile);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_connection_is_hardened, make_sealed, clean),
	    cmocka_unit_test_setup_teardown(a_sealed_segment_is_read_alone, make_sealed, clean),
	    cmocka_unit_test_setup_teardown(nothing_but_files_is_opened, make_sealed, clean),
	    cmocka_unit_test_setup_teardown(an_open_segment_wants_its_own_wal, make, clean),
	    cmocka_unit_test_setup_teardown(every_wal_says_whose_it_is, make, clean),
	    cmocka_unit_test_setup_teardown(copies_of_a_living_segment_are_a_beginning, make, clean),
	    cmocka_unit_test_setup_teardown(circles_are_left, make_sealed, clean),
	};
	return cmocka_run_group_tests_name("hostile store", tests, NULL, NULL);
}
