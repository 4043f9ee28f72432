/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a file a segment, and what makes its rows believable (docs/store-format.md).
 *
 *     batch row:  checksum over its figures, bloom filter and directory
 *     directory:  size and checksum of each column of the batch, wherever it lies
 *     seal row:   checksum over its totals: counts, checksum over the checksums of all batches, checksum over
 *                 all rows of the catalog tables, checksum over the samples
 *
 * So of a sealed segment every byte that matters is covered, and of an open one every byte of spans.
 */
#include "segment.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "segment_wal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_PREFIX "segment-"
#define NAME_SUFFIX ".db"
#define TABLES_KNOWN (UINT64_C(1) << 63) /* the note of a connection holds the tables that are there, a bit each */
#define REMEDY_FOREIGN "give a store directory or a segment-*.db file"
#define REMEDY_DAMAGED "restore it from a copy, or leave it out"

_Static_assert(SCHEMA_TABLES < 63, "each table has its bit in a note");

bool segment_is_name(const char *name) {
	size_t length = strlen(name);
	return length > strlen(NAME_PREFIX NAME_SUFFIX) && strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 &&
	       strcmp(name + length - strlen(NAME_SUFFIX), NAME_SUFFIX) == 0;
}

__attribute__((format(printf, 2, 3))) static void say(char *text, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, SEGMENT_TEXT_BYTES, format, arguments);
	va_end(arguments);
}

static int check_file(const char *path, char *text) {
	struct stat status;
	if (stat(path, &status) < 0) {
		int error = -errno;
		say(text, "%.300s: %s: check the path", path, strerror(-error));
		return error;
	}
	if (S_ISREG(status.st_mode) && status.st_size > 0)
		return 0;
	say(text, "%.300s: not a Spanring segment (%s): " REMEDY_FOREIGN, path,
	    S_ISREG(status.st_mode) ? "the file is empty" : "not a regular file");
	return ERR_FOREIGN;
}

/* SQLite opens what has these names, and would wait for the other end of a pipe. */
static int check_beside(const char *path, char *text) {
	static const char *const endings[] = {"-journal", "-wal", "-shm"};
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		char *beside CLEANUP_FREE = NULL;
		struct stat status;
		if (asprintf(&beside, "%s%s", path, endings[i]) < 0) {
			beside = NULL;
			return -ENOMEM;
		}
		if (lstat(beside, &status) < 0 || S_ISREG(status.st_mode))
			continue;
		say(text, "%.300s: not a regular file: remove it from the store", beside);
		return ERR_FOREIGN;
	}
	return 0;
}

static bool has_journal(const char *path) {
	char *journal CLEANUP_FREE = NULL;
	if (asprintf(&journal, "%s-journal", path) < 0) {
		journal = NULL;
		return false;
	}
	return access(journal, F_OK) == 0;
}

/* SQLite could not read the file at all. */
static int say_unreadable(const char *path, const struct db *db, int error, char *text) {
	const char *words = db ? db_words(db) : strerror(-error);
	if (error == ERR_FOREIGN)
		say(text, "%.300s: not a Spanring segment (not a SQLite file): " REMEDY_FOREIGN, path);
	else if (error == ERR_DAMAGED || error == -EIO)
		say(text, "%.300s: damaged or unreadable (%s): " REMEDY_DAMAGED, path, words);
	else if (access(path, R_OK) < 0)
		say(text, "%.300s: %s: check the permissions", path, strerror(errno));
	else if (error == -EROFS && has_journal(path))
		say(text, "%.300s-journal: not of this segment, which has none: remove it from the store", path);
	else
		say(text,
		    "%.300s: still open for writing, and cannot be read in this place (%s): copy its whole directory "
		    "to one where you may write",
		    path, words);
	return error;
}

static int check_version(const char *path, struct db *db, char *text) {
	int64_t application = 0;
	int64_t version = 0;
	int error = db_integer(db, "PRAGMA application_id", &application);
	if (!error)
		error = db_integer(db, "PRAGMA user_version", &version);
	if (error)
		return say_unreadable(path, db, error, text);
	if (application != FORMAT_APPLICATION_ID) {
		say(text, "%.300s: not a Spanring segment (SQLite application id %lld): " REMEDY_FOREIGN, path,
		    (long long)application);
		return ERR_FOREIGN;
	}
	if (version > FORMAT_VERSION) {
		say(text, "%.300s: store format %lld, this build reads up to %d: use a newer Spanring", path,
		    (long long)version, FORMAT_VERSION);
		return ERR_NEWER;
	}
	if (version < 1) {
		say(text, "%.300s: damaged: store format %lld does not exist: " REMEDY_DAMAGED, path,
		    (long long)version);
		return ERR_DAMAGED;
	}
	return 0;
}

static bool is_same(const char *text, size_t bytes, const char *expected) {
	return bytes == strlen(expected) && memcmp(text, expected, bytes) == 0;
}

/* The number of a table of ours, SCHEMA_TABLES for any other. */
static int table_of(const char *name, size_t bytes) {
	int table = 0;
	while (table < SCHEMA_TABLES && !is_same(name, bytes, schema_tables[table].name))
		table++;
	return table;
}

/* One row of SQLite's own table. *ret_tables: the bit of a table of ours is set when it is as it should be. */
static int check_entry(struct db_statement *select, uint64_t *ret_tables, const char **ret_wrong) {
	size_t type_bytes = 0;
	size_t name_bytes = 0;
	size_t sql_bytes = 0;
	const char *type = db_get_text(select, &type_bytes);
	const char *name = db_get_text(select, &name_bytes);
	const char *sql = db_get_text(select, &sql_bytes);
	if (!sql)
		return 0; /* an index that SQLite made itself */
	*ret_wrong = "schema";
	if (!type || !name || !is_same(type, type_bytes, "table"))
		return ERR_DAMAGED;
	int table = table_of(name, name_bytes);
	if (table == SCHEMA_TABLES)
		return 0;
	*ret_wrong = schema_tables[table].name;
	if (!is_same(sql, sql_bytes, schema_tables[table].create))
		return ERR_DAMAGED;
	*ret_tables |= UINT64_C(1) << table;
	return 0;
}

/* Those it was made with, in the first segments not told. One whose name was damaged would else pass for a table of a later version, and be missed by nobody. */
static int find_promised(struct db *db, uint64_t *ret_tables) {
	static const char key[] = SEGMENT_META_TABLES;
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, "SELECT value FROM meta WHERE key=?", &select);
	if (error)
		return error;
	db_put_text(select, key, sizeof(key) - 1);
	int row = db_next(select);
	if (row != 1)
		return row;
	size_t bytes = 0;
	const char *at = (const char *)db_get_blob(select, &bytes);
	if (db_row_end(select) || bytes == 0)
		return ERR_DAMAGED;
	const char *end = at + bytes;
	while (at < end) {
		const char *space = memchr(at, ' ', (size_t)(end - at));
		int table = table_of(at, (size_t)((space ? space : end) - at));
		if (table < SCHEMA_TABLES)
			*ret_tables |= UINT64_C(1) << table;
		at = space ? space + 1 : end;
	}
	return 0;
}

static int read_schema(struct db *db, uint64_t *ret_tables, const char **ret_wrong) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, "SELECT type,name,sql FROM sqlite_master", &select);
	while (!error && (row = db_next(select)) == 1)
		error = check_entry(select, ret_tables, ret_wrong);
	return error ? error : row;
}

static int check_schema(const char *path, struct db *db, uint64_t *ret_tables, char *text) {
	const char *wrong = "schema";
	uint64_t promised = 0;
	*ret_tables = 0;
	int error = read_schema(db, ret_tables, &wrong);
	for (int table = 0; table < SCHEMA_TABLES; table++)
		promised |= (uint64_t)!schema_tables[table].added << table;
	if (!error && (*ret_tables >> SCHEMA_META & 1)) {
		wrong = schema_tables[SCHEMA_META].name;
		error = find_promised(db, &promised);
	}
	for (int table = 0; table < SCHEMA_TABLES && !error; table++) {
		if ((promised & ~*ret_tables) >> table & 1) {
			wrong = schema_tables[table].name;
			error = ERR_DAMAGED;
		}
	}
	if (error == ERR_DAMAGED)
		say(text, "%.300s: damaged: %s is not as store format %d has it: " REMEDY_DAMAGED, path, wrong,
		    FORMAT_VERSION);
	else if (error)
		(void)say_unreadable(path, db, error, text);
	return error;
}

static int check_open(const char *path, struct db *db, enum db_mode mode, char *text) {
	uint64_t tables = 0;
	int error = check_version(path, db, text);
	if (!error)
		error = check_schema(path, db, &tables, text);
	if (error)
		return error;
	if (mode != DB_READ_ONLY)
		return segment_check_wal(path, db, text);
	error = db_bound(db);
	if (error)
		return say_unreadable(path, db, error, text);
	db_set_note(db, tables | TABLES_KNOWN);
	return segment_check_wal(path, db, text);
}

int segment_open(const char *path, enum db_mode mode, struct db **ret_db, char *ret_text) {
	struct db *db = NULL;
	int error = check_file(path, ret_text);
	if (!error)
		error = check_beside(path, ret_text);
	if (error)
		return error;
	error = db_open(path, mode, &db);
	if (!error && mode == DB_READ_ONLY && !db_is_final(db))
		error = db_execute(db, "PRAGMA cache_size=-1024;BEGIN");
	if (error) {
		db_close(db);
		return say_unreadable(path, NULL, error, ret_text);
	}
	error = check_open(path, db, mode, ret_text);
	if (error) {
		db_abandon(db); /* a WAL of somebody else is not to be copied into it */
		return error;
	}
	*ret_db = db;
	return 0;
}

int segment_has_table(struct db *db, enum schema_table table) {
	struct db_statement *statement CLEANUP(db_finalize_cleanup) = NULL;
	if (!schema_tables[table].added)
		return 1;
	if (db_note(db) & TABLES_KNOWN)
		return db_note(db) >> table & 1;
	int error = db_prepare(db, "SELECT 1 FROM sqlite_master WHERE type='table' AND name=?", &statement);
	if (error)
		return error;
	db_put_text(statement, schema_tables[table].name, strlen(schema_tables[table].name));
	return db_next(statement);
}

static int get_meta(struct db_statement *statement, const char *key, void *ret_bytes, size_t bytes) {
	db_put_text(statement, key, strlen(key));
	int error = db_next(statement);
	if (error != 1)
		return error < 0 ? error : ERR_DAMAGED;
	size_t found_bytes = 0;
	const uint8_t *found = db_get_blob(statement, &found_bytes);
	error = db_row_end(statement);
	if (!error && found_bytes != bytes)
		error = ERR_DAMAGED;
	if (!error)
		memcpy(ret_bytes, found, bytes);
	db_reset(statement);
	return error;
}

int segment_read_identity(struct db *db, struct segment_identity *ret_identity) {
	struct segment_identity identity = {0};
	const struct {
		const char *key;
		void *value;
		size_t bytes;
	} values[] = {{"sequence", &identity.sequence, 8},
	              {"segment_id", identity.segment_id, 16},
	              {"boot_id", identity.boot_id, 16},
	              {"wall_offset_ns", &identity.wall_offset_ns, 8},
	              {"created_wall_ns", &identity.created_wall_ns, 8}};
	struct db_statement *statement CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, "SELECT value FROM meta WHERE key=?", &statement);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) && !error; i++)
		error = get_meta(statement, values[i].key, values[i].value, values[i].bytes);
	if (!error)
		*ret_identity = identity;
	return error;
}

/* What only some segments have: 1, and at most `bytes` of it in ret_bytes; 0: this one has none. */
static int get_meta_optional(struct db *db, const char *key, void *ret_bytes, size_t bytes, size_t *ret_found_bytes) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, "SELECT value FROM meta WHERE key=?", &select);
	if (error)
		return error;
	db_put_text(select, key, strlen(key));
	int row = db_next(select);
	if (row != 1)
		return row;
	const uint8_t *value = db_get_blob(select, ret_found_bytes);
	if (db_row_end(select))
		return ERR_DAMAGED;
	memcpy(ret_bytes, value, *ret_found_bytes < bytes ? *ret_found_bytes : bytes);
	return 1;
}

int segment_read_number(struct db *db, const char *key, uint64_t *ret_number) {
	size_t bytes = 0;
	uint64_t number = 0;
	int found = get_meta_optional(db, key, &number, sizeof(number), &bytes);
	*ret_number = 0;
	if (found != 1)
		return found;
	if (bytes != sizeof(number))
		return ERR_DAMAGED;
	*ret_number = number;
	return 0;
}

static bool is_sound(const struct store_cost_figure *figure) {
	return figure->low_ps <= figure->median_ps && figure->median_ps <= figure->high_ps &&
	       figure->high_ps <= STORE_COST_PS_MAX && figure->spread_low_ps <= figure->spread_high_ps &&
	       figure->spread_high_ps <= STORE_COST_PS_MAX;
}

int segment_read_writer_cost(struct db *db, struct store_writer_cost *ret_cost) {
	struct segment_writer_cost row;
	size_t bytes = 0;
	memset(ret_cost, 0, sizeof(*ret_cost));
	int found = get_meta_optional(db, SEGMENT_META_WRITER_COST, &row, sizeof(row), &bytes);
	if (found != 1)
		return found;
	if (bytes < sizeof(row) || row.checksum != checksum64(&row.cost, sizeof(row.cost), 0))
		return ERR_DAMAGED;
	for (unsigned i = 0; i < STORE_COST_COUNT; i++)
		if (!is_sound(&row.cost.figures[i]))
			return 0;
	*ret_cost = row.cost;
	return 0;
}

static uint64_t seal_checksum(const struct segment_totals *totals) {
	uint64_t values[10] = {
	    totals->batches,      totals->spans,          totals->attributes,     totals->events,
	    totals->start_ns_min, totals->end_ns_max,     totals->batch_checksum, totals->catalog_checksum,
	    totals->samples,      totals->sample_checksum};
	return checksum64(values, sizeof(values), 0);
}

int segment_read_seal(struct db *db, struct segment_totals *ret_totals) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_SEAL].select, &select);
	if (error)
		return error;
	error = db_next(select);
	if (error == 0) {
		uint64_t must_be_there = 0;
		error = segment_read_number(db, SEGMENT_META_SEALED, &must_be_there);
		return !error && must_be_there ? ERR_DAMAGED : error;
	}
	if (error != 1)
		return error;
	bool first = db_get_u64(select) == 1;
	struct segment_totals totals = {.batches = db_get_u64(select)};
	totals.spans = db_get_u64(select);
	totals.attributes = db_get_u64(select);
	totals.events = db_get_u64(select);
	totals.start_ns_min = db_get_u64(select);
	totals.end_ns_max = db_get_u64(select);
	totals.batch_checksum = db_get_u64(select);
	totals.catalog_checksum = db_get_u64(select);
	totals.samples = db_get_u64(select);
	totals.sample_checksum = db_get_u64(select);
	uint64_t checksum = db_get_u64(select);
	if (db_row_end(select) || !first || checksum != seal_checksum(&totals))
		return ERR_DAMAGED;
	*ret_totals = totals;
	return 1;
}

int segment_write_seal(struct db *db, const struct segment_totals *totals) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_SEAL].insert, &insert);
	if (error)
		return error;
	db_put_u64(insert, 1);
	db_put_u64(insert, totals->batches);
	db_put_u64(insert, totals->spans);
	db_put_u64(insert, totals->attributes);
	db_put_u64(insert, totals->events);
	db_put_u64(insert, totals->start_ns_min);
	db_put_u64(insert, totals->end_ns_max);
	db_put_u64(insert, totals->batch_checksum);
	db_put_u64(insert, totals->catalog_checksum);
	db_put_u64(insert, totals->samples);
	db_put_u64(insert, totals->sample_checksum);
	db_put_u64(insert, seal_checksum(totals));
	return db_run(insert);
}

void segment_add_batch(struct segment_totals *totals, const struct segment_batch *batch) {
	const struct format_batch *encoded = &batch->encoded;
	if (encoded->span_count) {
		if (!totals->spans || encoded->start_ns_min < totals->start_ns_min)
			totals->start_ns_min = encoded->start_ns_min;
		if (encoded->end_ns_max > totals->end_ns_max)
			totals->end_ns_max = encoded->end_ns_max;
	}
	totals->batches++;
	totals->spans += encoded->span_count;
	totals->attributes += encoded->attribute_count;
	totals->events += encoded->event_count;
	totals->batch_checksum = checksum64(&batch->checksum, sizeof(batch->checksum), totals->batch_checksum);
}

int segment_sum_batches(struct db *db, struct segment_totals *totals) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_BATCH].select, &select);
	while (!error) {
		struct segment_batch batch;
		int row = db_next(select);
		if (row <= 0)
			return row;
		error = segment_get_batch(select, &batch);
		if (!error && batch.id != totals->batches + 1)
			error = ERR_DAMAGED;
		if (!error)
			segment_add_batch(totals, &batch);
	}
	return error;
}

int segment_sum_rows(struct db_statement *select, uint64_t rows_max, uint64_t *checksum, uint64_t *ret_rows) {
	for (*ret_rows = 0;; ++*ret_rows) {
		int row = db_next(select);
		if (row <= 0)
			return row;
		*checksum = db_row_checksum(select, *checksum);
		if (*ret_rows == rows_max)
			return ERR_DAMAGED;
	}
}

static int sum_table(struct db *db, enum schema_table table, uint64_t rows_max, uint64_t *checksum, uint64_t *rows) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	*rows = 0;
	int there = segment_has_table(db, table);
	if (there != 1)
		return there;
	int error = db_prepare(db, schema_tables[table].select, &select);
	return error ? error : segment_sum_rows(select, rows_max, checksum, rows);
}

int segment_sum_catalog(struct db *db, struct segment_totals *totals) {
	uint64_t rows = 0;
	int error = 0;
	totals->catalog_checksum = 0;
	for (int table = 0; table < SCHEMA_CATALOG_TABLES && !error; table++)
		error = sum_table(db, (enum schema_table)table, SEGMENT_CURSORS_MAX, &totals->catalog_checksum, &rows);
	return error;
}

int segment_sum_samples(struct db *db, struct segment_totals *totals) {
	totals->sample_checksum = 0;
	uint64_t *checksum = &totals->sample_checksum;
	uint64_t rows = 0;
	int error = sum_table(db, SCHEMA_SAMPLE, SEGMENT_SAMPLES_MAX, checksum, &totals->samples);
	if (!error)
		error = sum_table(db, SCHEMA_SAMPLE_DETAIL, SEGMENT_SAMPLES_MAX, checksum, &rows);
	if (!error)
		error = sum_table(db, SCHEMA_AGENT_SAMPLE, SEGMENT_SAMPLES_MAX, checksum, &rows);
	return error;
}

uint64_t segment_batch_checksum(uint64_t id, const struct format_batch *encoded, const uint8_t *directory,
                                size_t directory_bytes) {
	uint64_t head[9] = {id,
	                    encoded->span_count,
	                    encoded->attribute_count,
	                    encoded->event_count,
	                    encoded->text_bytes,
	                    encoded->start_ns_min,
	                    encoded->end_ns_max,
	                    encoded->duration_ns_max,
	                    encoded->bloom_bytes};
	uint64_t sum = checksum64(head, sizeof(head), 0);
	sum = checksum64(encoded->bloom, encoded->bloom_bytes, sum);
	return checksum64(directory, directory_bytes, sum);
}

/* Columns that this build does not know are skipped: no column it knows depends on them. */
static int parse_directory(struct segment_batch *batch, const uint8_t *directory, size_t bytes) {
	uint64_t small = 0;
	int before = -1;
	for (size_t at = 0; at + SEGMENT_DIRECTORY_ENTRY_BYTES <= bytes; at += SEGMENT_DIRECTORY_ENTRY_BYTES) {
		const uint8_t *entry = directory + at;
		struct segment_column column = {.own_row = entry[1] == 1, .small_offset = (uint32_t)small};
		memcpy(&column.bytes, entry + 4, sizeof(column.bytes));
		memcpy(&column.checksum, entry + 8, sizeof(column.checksum));
		if (entry[0] <= before || entry[0] >= FORMAT_COLUMN_STRIDE || entry[1] > 1 || column.bytes == 0 ||
		    column.bytes > (column.own_row ? FORMAT_COLUMN_BYTES_MAX : FORMAT_SMALL_BYTES))
			return ERR_DAMAGED;
		before = entry[0];
		small += column.own_row ? 0 : column.bytes;
		if (entry[0] < FORMAT_COLUMNS)
			batch->columns[entry[0]] = column;
		else
			batch->has_unknown = true;
	}
	return small == batch->small_bytes ? 0 : ERR_DAMAGED;
}

static bool limits_kept(const struct format_batch *encoded, size_t bloom_bytes, size_t directory_bytes,
                        size_t small_bytes) {
	return encoded->span_count <= BATCH_SPANS_MAX && encoded->attribute_count <= BATCH_ATTRIBUTES_MAX &&
	       encoded->event_count <= BATCH_EVENTS_MAX && encoded->text_bytes <= BATCH_TEXT_BYTES_MAX &&
	       bloom_bytes >= 8 && bloom_bytes % 8 == 0 && bloom_bytes <= FORMAT_BLOOM_BYTES_MAX &&
	       directory_bytes % SEGMENT_DIRECTORY_ENTRY_BYTES == 0 &&
	       directory_bytes <= FORMAT_COLUMN_STRIDE * SEGMENT_DIRECTORY_ENTRY_BYTES &&
	       small_bytes <= (size_t)FORMAT_COLUMN_STRIDE * FORMAT_SMALL_BYTES;
}

int segment_get_batch(struct db_statement *select, struct segment_batch *ret_batch) {
	struct segment_batch *batch = ret_batch;
	struct format_batch *encoded = &batch->encoded;
	memset(batch, 0, sizeof(*batch));
	batch->id = db_get_u64(select);
	encoded->span_count = db_get_u32(select);
	encoded->attribute_count = db_get_u32(select);
	encoded->event_count = db_get_u32(select);
	encoded->text_bytes = db_get_u32(select);
	encoded->start_ns_min = db_get_u64(select);
	encoded->end_ns_max = db_get_u64(select);
	encoded->duration_ns_max = db_get_u64(select);
	batch->checksum = db_get_u64(select);
	size_t bloom_bytes = 0;
	size_t directory_bytes = 0;
	size_t small_bytes = 0;
	encoded->bloom = db_get_blob(select, &bloom_bytes);
	const uint8_t *directory = db_get_blob(select, &directory_bytes);
	batch->small = db_get_blob(select, &small_bytes);
	if (db_row_end(select) || !limits_kept(encoded, bloom_bytes, directory_bytes, small_bytes))
		return ERR_DAMAGED;
	encoded->bloom_bytes = (uint32_t)bloom_bytes;
	batch->small_bytes = (uint32_t)small_bytes;
	if (segment_batch_checksum(batch->id, encoded, directory, directory_bytes) != batch->checksum)
		return ERR_DAMAGED;
	return parse_directory(batch, directory, directory_bytes);
}

int segment_get_cursor(struct db_statement *select, struct store_cursor *ret_cursor) {
	size_t bytes = 0;
	const uint8_t *instance = db_get_blob(select, &bytes);
	struct store_cursor cursor = {.ring_index = db_get_u32(select)};
	if (bytes == STORE_INSTANCE_BYTES)
		memcpy(cursor.instance, instance, STORE_INSTANCE_BYTES);
	cursor.state = db_get_u32(select);
	cursor.position = db_get_u64(select);
	cursor.begun = db_get_u64(select);
	cursor.open = db_get_u64(select);
	cursor.dropped_full = db_get_u64(select);
	cursor.dropped_depth = db_get_u64(select);
	cursor.dropped_attributes = db_get_u64(select);
	cursor.dropped_events = db_get_u64(select);
	cursor.stored_spans = db_get_u64(select);
	cursor.stored_attributes = db_get_u64(select);
	cursor.stored_events = db_get_u64(select);
	cursor.rejected_spans = db_get_u64(select);
	cursor.rejected_other = db_get_u64(select);
	cursor.lost_records = db_get_u64(select);
	cursor.reason = db_get_u32(select);
	if (db_row_end(select) || bytes != STORE_INSTANCE_BYTES)
		return ERR_DAMAGED;
	*ret_cursor = cursor;
	return 0;
}

/* The key of a row that belongs to a cursor; *ret_known: it is one. */
static struct store_cursor get_ring_key(struct db_statement *select, bool *ret_known) {
	size_t bytes = 0;
	const uint8_t *instance = db_get_blob(select, &bytes);
	struct store_cursor cursor = {.ring_index = db_get_u32(select)};
	*ret_known = bytes == STORE_INSTANCE_BYTES;
	if (*ret_known)
		memcpy(cursor.instance, instance, STORE_INSTANCE_BYTES);
	return cursor;
}

int segment_get_sampling(struct db_statement *select, struct store_cursor *ret_cursor) {
	bool known = false;
	struct store_cursor cursor = get_ring_key(select, &known);
	cursor.sampled_out = db_get_u64(select);
	cursor.sampled_out_short = db_get_u64(select);
	if (db_row_end(select) || !known)
		return ERR_DAMAGED;
	*ret_cursor = cursor;
	return 0;
}

int segment_get_thinned(struct db_statement *select, struct store_cursor *ret_cursor) {
	bool known = false;
	struct store_cursor cursor = get_ring_key(select, &known);
	cursor.thinned_spans = db_get_u64(select);
	cursor.thinned_attributes = db_get_u64(select);
	cursor.thinned_events = db_get_u64(select);
	cursor.weighted_spans = db_get_u64(select);
	cursor.traces_in_part = db_get_u64(select);
	if (db_row_end(select) || !known)
		return ERR_DAMAGED;
	*ret_cursor = cursor;
	return 0;
}

static void raise_to(uint64_t *count, uint64_t other) {
	if (other > *count)
		*count = other;
}

void segment_merge_sampling(struct store_cursor *cursor, const struct store_cursor *sampling) {
	raise_to(&cursor->sampled_out, sampling->sampled_out);
	raise_to(&cursor->sampled_out_short, sampling->sampled_out_short);
	raise_to(&cursor->thinned_spans, sampling->thinned_spans);
	raise_to(&cursor->thinned_attributes, sampling->thinned_attributes);
	raise_to(&cursor->thinned_events, sampling->thinned_events);
	raise_to(&cursor->weighted_spans, sampling->weighted_spans);
	raise_to(&cursor->traces_in_part, sampling->traces_in_part);
}
