/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: reading tables without SQLite gives what SQLite gives, and nothing in a file can make it read outside of its memory or forever.
 * Method: random tables of both kinds, of every page size and several levels, with rows that fill chains of pages, against SQLite's own
 * rows; each row looked for by its rowid, and some that are not there; then the same files with bytes overwritten, read to the end of
 * what can be read.
 */
#include "support/cmocka.h"

#include "support/scratch.h"
#include "support/seed.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "libstore/page_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 24u
#define FLIPS 60u
#define ROWS_MAX 600u
#define BLOB_BYTES_MAX 60000u
#define COLUMNS 4

struct image {
	uint8_t *bytes;
	uint64_t size;
	uint64_t reads;
};

static struct scratch scratch;
static char path[SCRATCH_PATH_BYTES + 16];

static int make(void **state) {
	(void)state;
	scratch_make(&scratch);
	(void)snprintf(path, sizeof(path), "%.480s/pages.db", scratch.rings);
	return 0;
}

static int clean(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static void run(sqlite3 *db, const char *sql) {
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	return statement;
}

/* Small ones mostly; some that fill a page nearly, or many. */
static size_t blob_bytes(struct seed *seed) {
	switch (seed_below(seed, 8)) {
	case 0:
		return (size_t)seed_below(seed, BLOB_BYTES_MAX);
	case 1:
		return (size_t)seed_below(seed, 2000);
	default:
		return (size_t)seed_below(seed, 40);
	}
}

static void fill(sqlite3 *db, const char *insert, struct seed *seed, uint32_t rows, bool with_key) {
	uint8_t *bytes CLEANUP_FREE = malloc(BLOB_BYTES_MAX);
	sqlite3_stmt *statement = prepare(db, insert);
	assert_non_null(bytes);
	for (uint32_t i = 0; i < rows; i++) {
		size_t count = blob_bytes(seed);
		for (size_t at = 0; at < count; at++)
			bytes[at] = (uint8_t)(seed->state + at * 31);
		int64_t integer = (int64_t)(seed_next(seed) >> seed_below(seed, 64));
		if (with_key)
			(void)sqlite3_bind_blob(statement, 1, &(uint64_t){seed_next(seed)}, 8, SQLITE_TRANSIENT);
		else
			(void)sqlite3_bind_int64(statement, 1, (int64_t)i * 7 - 300);
		(void)sqlite3_bind_int64(statement, 2, seed_below(seed, 2) ? integer : -integer);
		(void)sqlite3_bind_text(statement, 3, "some words", (int)seed_below(seed, 11), SQLITE_STATIC);
		(void)sqlite3_bind_blob(statement, 4, bytes, (int)count, SQLITE_STATIC);
		if (seed_below(seed, 50) == 0)
			(void)sqlite3_bind_double(statement, 2, 0.5);
		assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
		(void)sqlite3_reset(statement);
	}
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

static void make_file(struct seed *seed, uint32_t page_bytes) {
	sqlite3 *db = NULL;
	char sql[64];
	(void)unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	(void)snprintf(sql, sizeof(sql), "PRAGMA page_size=%u", page_bytes);
	run(db, sql);
	run(db, "PRAGMA user_version=77;PRAGMA application_id=-5;PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF");
	run(db, "BEGIN;CREATE TABLE by_row(id INTEGER PRIMARY KEY,number,text,data);"
	        "CREATE TABLE by_key(key BLOB PRIMARY KEY,number,text,data)WITHOUT ROWID;CREATE TABLE no_rows(id)");
	fill(db, "INSERT INTO by_row VALUES(?,?,?,?)", seed, (uint32_t)seed_below(seed, ROWS_MAX), false);
	fill(db, "INSERT OR REPLACE INTO by_key VALUES(?,?,?,?)", seed, (uint32_t)seed_below(seed, ROWS_MAX), true);
	run(db, "DELETE FROM by_row WHERE id%13=5;DELETE FROM by_key WHERE number%11=3;COMMIT");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int read_image(void *file, void *to, size_t bytes, uint64_t offset) {
	struct image *image = file;
	image->reads++;
	if (offset > image->size || bytes > image->size - offset)
		return ERR_DAMAGED;
	memcpy(to, image->bytes + offset, bytes);
	return 0;
}

static struct image load(void) {
	struct image image = {.reads = 0};
	struct stat status;
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	image.size = (uint64_t)status.st_size;
	image.bytes = malloc(image.size);
	assert_non_null(image.bytes);
	assert_int_equal(read(fd, image.bytes, image.size), (ssize_t)image.size);
	return image;
}

static struct page_file *open_image(struct image *image) {
	struct page_source source = {read_image, image, image->size};
	struct page_file *file = NULL;
	assert_int_equal(page_file_open(&source, &file), 0);
	return file;
}

static void expect_row(const struct page_cursor *cursor, sqlite3_stmt *row) {
	for (int i = 0; i < COLUMNS; i++) {
		struct page_value value = page_cursor_value(cursor, (uint32_t)i);
		assert_int_equal(value.type, sqlite3_column_type(row, i));
		if (value.type == PAGE_INTEGER)
			assert_true(value.integer == sqlite3_column_int64(row, i));
		if (value.type != PAGE_TEXT && value.type != PAGE_BLOB)
			continue;
		const void *bytes = sqlite3_column_blob(row, i);
		assert_int_equal(value.count, sqlite3_column_bytes(row, i));
		if (value.count)
			assert_memory_equal(value.bytes, bytes, value.count);
	}
	assert_int_equal(page_cursor_value(cursor, COLUMNS).type, PAGE_NULL);
}

static void expect_table(const struct page_file *file, const char *table, bool without_rowid) {
	sqlite3 *db = NULL;
	char sql[64];
	struct page_cursor *cursor = NULL;
	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1", table);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_stmt *rows = prepare(db, sql);
	assert_int_equal(page_cursor_open(file, page_file_root(file, table), without_rowid, !without_rowid, &cursor),
	                 0);
	for (int walk = 0; walk < 2; walk++) {
		while (sqlite3_step(rows) == SQLITE_ROW) {
			assert_int_equal(page_cursor_next(cursor), 1);
			expect_row(cursor, rows);
		}
		assert_int_equal(page_cursor_next(cursor), 0);
		assert_int_equal(page_cursor_next(cursor), 0);
		page_cursor_rewind(cursor);
		(void)sqlite3_reset(rows);
	}
	while (!without_rowid && sqlite3_step(rows) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(rows, 0);
		assert_int_equal(page_cursor_seek(cursor, id), 1);
		expect_row(cursor, rows);
		assert_int_equal(page_cursor_seek(cursor, id + 1), 0);
	}
	page_cursor_close(cursor);
	assert_int_equal(sqlite3_finalize(rows), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void same_as_sqlite(void **state) {
	(void)state;
	struct seed seed = seed_start("page file");
	for (uint32_t round = 0; round < seed_rounds(ROUNDS); round++) {
		uint32_t page_bytes = 512u << round % 8;
		make_file(&seed, page_bytes);
		struct image image = load();
		struct page_file *file = open_image(&image);
		assert_int_equal(page_file_page_bytes(file), page_bytes);
		assert_int_equal(page_file_page_count(file), image.size / page_bytes);
		assert_int_equal(page_file_user_version(file), 77);
		assert_int_equal((int32_t)page_file_application_id(file), -5);
		assert_int_equal(page_file_root(file, "no table"), 0);
		expect_table(file, "by_row", false);
		expect_table(file, "by_key", true);
		page_file_close(file);
		free(image.bytes);
	}
}

/* As far as it goes. */
static void read_all(const struct page_file *file, const char *table, bool without_rowid, struct seed *seed) {
	struct page_cursor *cursor = NULL;
	uint32_t root = page_file_root(file, table);
	int row = 1;
	if (!root)
		return;
	assert_int_equal(page_cursor_open(file, root, without_rowid, !without_rowid, &cursor), 0);
	for (uint64_t sum = 0; (row = page_cursor_next(cursor)) == 1;)
		for (uint32_t i = 0; i < COLUMNS; i++) {
			struct page_value value = page_cursor_value(cursor, i);
			for (size_t at = 0; value.type != PAGE_NULL && at < value.count; at++)
				sum += value.bytes[at];
			__asm__ volatile("" : : "r"(sum));
		}
	assert_true(row == 0 || row == ERR_DAMAGED);
	for (uint32_t i = 0; i < 20; i++) {
		row = page_cursor_seek(cursor, (int64_t)seed_below(seed, 5000) - 500);
		assert_true(row == 0 || row == 1 || row == ERR_DAMAGED);
	}
	page_cursor_close(cursor);
}

static void nothing_is_believed(void **state) {
	(void)state;
	struct seed seed = seed_start("page file hostile");
	for (uint32_t round = 0; round < seed_rounds(ROUNDS); round++) {
		make_file(&seed, 512u << round % 8);
		struct image image = load();
		uint8_t *sound = malloc(image.size);
		assert_non_null(sound);
		memcpy(sound, image.bytes, image.size);
		for (uint32_t flip = 0; flip < FLIPS; flip++) {
			struct page_source source = {read_image, &image, image.size};
			struct page_file *file = NULL;
			uint64_t places = 1 + seed_below(&seed, 40);
			/* the first bytes of pages lead elsewhere more often than others */
			for (uint64_t i = 0; i < places; i++) {
				uint64_t at = seed_below(&seed, image.size);
				if (seed_below(&seed, 2))
					at = (at & ~UINT64_C(511)) + seed_below(&seed, 24);
				image.bytes[at] = (uint8_t)seed_next(&seed);
			}
			image.reads = 0;
			int error = page_file_open(&source, &file);
			assert_true(error == 0 || error == -ENOTSUP || error == ERR_DAMAGED);
			if (!error) {
				read_all(file, "by_row", false, &seed);
				read_all(file, "by_key", true, &seed);
				read_all(file, "by_row", true, &seed);
			}
			/* three walks, each of every page at most once, and 40 ways down with a row each */
			assert_true(image.reads < 50 * (image.size / 512 + 10));
			page_file_close(file);
			memcpy(image.bytes, sound, image.size);
		}
		free(sound);
		free(image.bytes);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_as_sqlite),
	    cmocka_unit_test(nothing_is_believed),
	};
	return cmocka_run_group_tests(tests, make, clean);
}
