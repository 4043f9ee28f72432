/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a segment against any values: names, sites, processes, threads, cursors and all tables beside them, batch rows with their
 * directory and filter, samples, rollups, what was evicted. The input changes values of a sound segment that has rows in each table; checksums of the
 * changed rows are made right again and the segment is not sealed, so that none of them stands before the parsers. Whatever it holds: no fault, every
 * row that is given is sound (its ids lie in their tables), and what is left out is named.
 *
 *     input := (table:u8 row:u8 column:u8 what:u8 size:u8 byte[size])*
 *
 * what % 8: 0 the integer that the bytes are, 1 a text, 2 a blob, 3 the row is removed, 4 bytes over those of the blob from its middle on, 5 the blob
 * is cut to `size`, 6 a number in words (of another type), 7 the integer that was there, and the first byte
 */
#include "decoder/rich_store.h"
#include "decoder/store_exercise.h"
#include "libstore/checksum.h"
#include "libstore/schema.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX 256u
#define ROUNDS 3000u
#define SEGMENT_BYTES_MAX (8u << 20)
#define SQL_BYTES 1024u
#define COMMITS 6u
#define EDIT_BYTES 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct {
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES + 16];
	unsigned char *sound;
	size_t bytes;
} target;

static void run(sqlite3 *db, const char *sql) {
	char *words = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
}

static void load(const char *path) {
	FILE *file = fopen(path, "rb");
	target.sound = malloc(SEGMENT_BYTES_MAX);
	assert_true(file && target.sound);
	target.bytes = fread(target.sound, 1, SEGMENT_BYTES_MAX, file);
	assert_in_range(target.bytes, 1, SEGMENT_BYTES_MAX - 1);
	assert_int_equal(fclose(file), 0);
}

/* A sealed segment from which the seal was taken again: all of it is in one file, and no sum stands before the rows. */
static void make_target(void) {
	static const struct store_writer_options options = {.boot_id = "fuzz", .agent_version = "fuzz"};
	struct seed seed = {1};
	struct store_writer *writer = NULL;
	struct store_evict_segment *segments = NULL;
	struct store_evict_sum sum;
	size_t count = 0;
	char text[512];
	int holder = 0;
	sqlite3 *db = NULL;
	struct catalog *catalogs[2];
	scratch_make(&target.scratch);
	assert_int_equal(store_writer_open(target.scratch.store, &options, &writer, &holder, text, sizeof(text)), 0);
	for (uint64_t i = 0; i < 2; i++) {
		catalogs[i] = rich_store_catalog(&seed);
		for (uint64_t n = 1; n <= COMMITS; n++)
			rich_store_commit(writer, catalogs[i], &seed, i * COMMITS + n, 40);
	}
	assert_int_equal(store_evict_list(target.scratch.store, &segments, &count), 0);
	assert_int_equal(store_writer_evict(writer, catalogs[1], segments, count, 1, &sum), 0);
	assert_int_equal(store_writer_close(writer), 0);
	catalog_free(catalogs[0]);
	catalog_free(catalogs[1]);
	assert_int_equal(sqlite3_open(segments[1].path, &db), SQLITE_OK);
	run(db, "DELETE FROM seal;DELETE FROM meta WHERE key='sealed'");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	load(segments[1].path);
	store_evict_list_free(segments, count);
	(void)snprintf(target.path, sizeof(target.path), "%s/input.db", target.scratch.rings);
}

/* "SELECT a,b,c FROM t ORDER BY k": the n-th column, and the key. */
static void take_names(const struct schema *schema, unsigned column, char ret_column[64], const char **ret_key) {
	const char *at = schema->select + strlen("SELECT ");
	const char *end = strstr(at, " FROM ");
	unsigned columns = 1;
	for (const char *comma = at; (comma = memchr(comma, ',', (size_t)(end - comma))); comma++)
		columns++;
	for (column %= columns; column > 0; column--)
		at = strchr(at, ',') + 1;
	(void)snprintf(ret_column, 64, "%.*s", (int)strcspn(at, ", "), at);
	*ret_key = strstr(schema->select, "ORDER BY ") + strlen("ORDER BY ");
}

static void bind(sqlite3_stmt *statement, unsigned what, const uint8_t *bytes, int size) {
	uint64_t number = 0;
	memcpy(&number, bytes, (size_t)(size < 8 ? size : 8));
	switch (what) {
	case 1:
		(void)sqlite3_bind_text(statement, 1, (const char *)bytes, size, SQLITE_TRANSIENT);
		break;
	case 0:
	case 5:
	case 6:
	case 7:
		(void)sqlite3_bind_int64(statement, 1, what == 5 ? size : (int64_t)number);
		break;
	default:
		(void)sqlite3_bind_blob(statement, 1, size ? (const void *)bytes : "", size, SQLITE_TRANSIENT);
	}
}

/* "$" in text stands for the column. */
static void put_column(char *to, size_t to_bytes, const char *text, const char *column) {
	for (size_t used = 0; *text; text++, used = strlen(to))
		(void)snprintf(to + used, to_bytes - used, *text == '$' ? "%s" : "%.1s", *text == '$' ? column : text);
}

/* A key that is there already, or a NULL, is no change. */
static void edit(sqlite3 *db, const uint8_t *head, const uint8_t *bytes, int size) {
	static const char *const values[8] = {
	    "?",
	    "?",
	    "?",
	    "",
	    "CAST(substr($,1,length($)/2)||?||substr($,length($)/2+1+length(?1)) AS BLOB)",
	    "substr($,1,?)",
	    "?||' words'",
	    "$+?"};
	const struct schema *schema = &schema_tables[head[0] % SCHEMA_TABLES];
	char column[64];
	char value[SQL_BYTES / 2] = "";
	char sql[SQL_BYTES];
	const char *key = NULL;
	unsigned what = head[3] % 8;
	sqlite3_stmt *statement = NULL;
	take_names(schema, head[2], column, &key);
	put_column(value, sizeof(value), values[what], column);
	if (what == 3)
		(void)snprintf(sql, sizeof(sql), "DELETE FROM %s", schema->name);
	else
		(void)snprintf(sql, sizeof(sql), "UPDATE OR IGNORE %s SET %s=%s", schema->name, column, value);
	size_t used = strlen(sql);
	(void)snprintf(sql + used, sizeof(sql) - used, " WHERE (%s)=(SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %u)",
	               key, key, schema->name, key, head[1] % 32u);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (what != 3)
		bind(statement, what, bytes, size);
	(void)sqlite3_step(statement);
	(void)sqlite3_finalize(statement);
}

/* As the document says: over the numbers, then over the blobs, of which `checksum` is none. */
static uint64_t right_checksum(sqlite3_stmt *row, const int *numbers, int count, const int *blobs, int blob_count,
                               uint64_t sum) {
	uint64_t words[16];
	for (int i = 0; i < count; i++)
		words[i] = numbers[i] >= 0 ? (uint64_t)sqlite3_column_int64(row, numbers[i])
		                           : (uint64_t)sqlite3_column_bytes(row, -numbers[i]);
	sum = checksum64(words, sizeof(words[0]) * (size_t)count, sum);
	for (int i = 0; i < blob_count; i++) {
		const void *blob = sqlite3_column_blob(row, blobs[i]);
		sum = checksum64(blob ? blob : "", (size_t)sqlite3_column_bytes(row, blobs[i]), sum);
	}
	return sum;
}

static void mend(sqlite3 *db, const char *table, const int *numbers, int count, const int *blobs, int blob_count) {
	char sql[SQL_BYTES];
	sqlite3_stmt *select = NULL;
	sqlite3_stmt *update = NULL;
	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &select, NULL), SQLITE_OK);
	(void)snprintf(sql, sizeof(sql), "UPDATE %s SET checksum=? WHERE id=?", table);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &update, NULL), SQLITE_OK);
	while (sqlite3_step(select) == SQLITE_ROW) {
		uint64_t sum = right_checksum(select, numbers, count, blobs, blob_count, 0);
		(void)sqlite3_bind_int64(update, 1, (int64_t)sum);
		(void)sqlite3_bind_int64(update, 2, sqlite3_column_int64(select, 0));
		(void)sqlite3_step(update);
		(void)sqlite3_reset(update);
	}
	(void)sqlite3_finalize(select);
	(void)sqlite3_finalize(update);
}

static void mend_checksums(sqlite3 *db) {
	static const int batch_numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, -9}; /* the last: bytes of the filter */
	static const int batch_blobs[] = {9, 10};
	static const int rollup_numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	static const int rollup_blobs[] = {15};
	mend(db, "batch", batch_numbers, 9, batch_blobs, 2);
	mend(db, "rollup", rollup_numbers, 14, rollup_blobs, 1);
	mend(db, "rollup_segment", rollup_numbers, 14, rollup_blobs, 1);
}

static void write_input(const uint8_t *data, size_t bytes) {
	sqlite3 *db = NULL;
	FILE *file = fopen(target.path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(target.sound, 1, target.bytes, file), target.bytes);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(sqlite3_open(target.path, &db), SQLITE_OK);
	run(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
	while (bytes >= EDIT_BYTES) {
		size_t size = data[4] < bytes - EDIT_BYTES ? data[4] : bytes - EDIT_BYTES;
		edit(db, data, data + EDIT_BYTES, (int)size);
		data += EDIT_BYTES + size;
		bytes -= EDIT_BYTES + size;
	}
	mend_checksums(db);
	run(db, "COMMIT");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
	if (!target.sound)
		make_target();
	write_input(data, bytes < INPUT_BYTES_MAX ? bytes : INPUT_BYTES_MAX);
	store_exercise(target.path);
	return 0;
}

#ifndef SPANRING_FUZZ
static size_t make_input(struct seed *seed, uint8_t input[INPUT_BYTES_MAX]) {
	size_t bytes = 0;
	uint64_t edits = seed_below(seed, 4);
	for (uint64_t i = 0; i < edits; i++) {
		uint8_t size = (uint8_t)(seed_below(seed, 2) ? 8 : seed_below(seed, 32));
		for (size_t n = 0; n < EDIT_BYTES + size; n++)
			input[bytes + n] = (uint8_t)(seed_next(seed) >> seed_below(seed, 8));
		input[bytes] = (uint8_t)seed_below(seed, SCHEMA_TABLES);
		input[bytes + 4] = size;
		if (seed_below(seed, 2)) /* a small number, which an id or a count might be */
			input[bytes + 3] = 0;
		if (input[bytes + 3] == 0 && size)
			memset(input + bytes + EDIT_BYTES + 1, 0, size - 1u);
		bytes += EDIT_BYTES + size;
	}
	return bytes;
}

static void changed_rows_do_no_harm(void **state) {
	struct seed seed = seed_start("fuzz_segment");
	uint8_t input[INPUT_BYTES_MAX];
	(void)state;
	for (uint32_t round = 0; round < seed_rounds(ROUNDS); round++)
		(void)LLVMFuzzerTestOneInput(input, make_input(&seed, input));
	scratch_remove(&target.scratch);
	free(target.sound);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(changed_rows_do_no_harm)};
	return cmocka_run_group_tests_name("fuzz_segment", tests, NULL, NULL);
}
#endif
