/* SPDX-License-Identifier: Apache-2.0 */
#include "db.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "format.h"
#include "page_query.h"

#ifdef SPANRING_DB_OF_HOST /* inside an extension: the SQLite that loaded it, never a second one (docs/decisions/0020) */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 250 /* for a lock, which only a checkpoint beside a reader ever waits for */

/* A row takes at least this of a file, a statement at most so many steps for a byte of it: what needs more goes in circles. */
#define ROW_BYTES_MIN 4u
#define STEPS_PER_BYTE 16u
#define STEPS_EACH_LOOK 1000000
#define STEPS_FREE (UINT64_C(64) * STEPS_EACH_LOOK)

/* In the header of a file: versions for writing and reading, 1 without a WAL, 2 with one. */
#define HEADER_VERSIONS_AT 18
#define HEADER_WITHOUT_WAL 1

struct db {
	sqlite3 *handle;
	struct page_file *
	    pages; /* of a final file, if it is a plain one: then SQLite is asked only for what is not read from them */
	const char *words; /* for the last failure in the pages */
	uint64_t note;     /* the caller's */
	uint64_t rows_max; /* of one statement; 0: not bounded */
	uint64_t looks;    /* since a step began, each after STEPS_EACH_LOOK */
	uint64_t looks_max;
	bool final;
	bool failed; /* ever */
};

struct db_statement {
	struct db *db;
	sqlite3_stmt *handle;     /* or */
	struct page_query *pages; /* one of them is NULL */
	int next;                 /* parameter or column */
	int columns;
	uint64_t rows;
	bool mismatch;
};

static int error_of_system(int system, int otherwise) {
	if (system == ENOSPC || system == EDQUOT || system == EFBIG)
		return ERR_FULL;
	return system > 0 ? -system : otherwise;
}

static int last_errno_of(const struct db *db, int which) {
	sqlite3_file *file = NULL;
	int system = 0;
	if (sqlite3_file_control(db->handle, "main", which, &file) != SQLITE_OK || !file || !file->pMethods)
		return 0;
	if (file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system) != SQLITE_OK)
		return 0;
	return system;
}

/* SQLite calls a full quota or file size limit an I/O error; the file that could not be written remembers why. */
static int error_of_io(const struct db *db) {
	const int causes[] = {sqlite3_system_errno(db->handle), last_errno_of(db, SQLITE_FCNTL_FILE_POINTER),
	                      last_errno_of(db, SQLITE_FCNTL_JOURNAL_POINTER)};
	bool full = false;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i] == EIO)
			return -EIO;
		full |= error_of_system(causes[i], -EIO) == ERR_FULL;
	}
	return full ? ERR_FULL : -EIO;
}

/* SQLite calls a read that failed with one of these, in the middle of a statement, a damaged file; which may have none. */
static bool failed_to_read(const struct db *db) {
	const int causes[] = {last_errno_of(db, SQLITE_FCNTL_FILE_POINTER),
	                      last_errno_of(db, SQLITE_FCNTL_JOURNAL_POINTER)};
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i] == EIO || causes[i] == ENXIO || causes[i] == ERANGE)
			return true;
	return false;
}

static int error_of(struct db *db, int code) {
	if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
		__atomic_store_n(&db->failed, true, __ATOMIC_RELAXED);
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOTADB:
		return ERR_FOREIGN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* too many tries for a lock of the WAL */
		return -EAGAIN;
	case SQLITE_CANTOPEN:
		return error_of_system(sqlite3_system_errno(db->handle), -EIO);
	case SQLITE_IOERR:
		if (code == SQLITE_IOERR_SHORT_READ)
			return ERR_DAMAGED;
		/* Never a mere lack of room: what was not synchronised may or may not be there. */
		if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
			return -EIO;
		return error_of_io(db);
	default:
		return failed_to_read(db) ? -EIO : ERR_DAMAGED;
	}
}

/* After SQLite's advice for files of uncertain provenance. The length limit is what a batch may need, and no more. */
static void distrust(sqlite3 *handle) {
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, (int)FORMAT_COLUMN_BYTES_MAX);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_SQL_LENGTH, 100000);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_COLUMN, 100);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_EXPR_DEPTH, 10);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_COMPOUND_SELECT, 3);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_VDBE_OP, 25000);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_FUNCTION_ARG, 8);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_VARIABLE_NUMBER, 32);
	(void)sqlite3_limit(handle, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
}

/*
 * What stands out of WAL mode was sealed, and nobody writes it any more. SQLite would nevertheless believe a WAL or a journal of
 * somebody else that lies beside it.
 */
static bool is_final(const struct db *db) {
	sqlite3_file *file = NULL;
	uint8_t versions[2] = {0};
	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file &&
	       file->pMethods &&
	       file->pMethods->xRead(file, versions, sizeof(versions), HEADER_VERSIONS_AT) == SQLITE_OK &&
	       versions[0] == HEADER_WITHOUT_WAL && versions[1] == HEADER_WITHOUT_WAL;
}

/* The path as a URI that keeps SQLite from looking at anything but the file itself. */
static char *final_uri(const char *path) {
	static const char digits[] = "0123456789abcdef";
	static const char head[] = "file:";
	static const char tail[] = "?immutable=1";
	char *uri = malloc(sizeof(head) + 2 + 3 * strlen(path) + sizeof(tail));
	if (!uri)
		return NULL;
	char *to = stpcpy(uri, head);
	if (*path == '/')
		to = stpcpy(to, "//");
	for (; *path; path++) {
		if (strchr("%?#", *path)) {
			*to++ = '%';
			*to++ = digits[(uint8_t)*path >> 4];
			*to++ = digits[(uint8_t)*path & 15];
		} else {
			*to++ = *path;
		}
	}
	(void)stpcpy(to, tail);
	return uri;
}

static int open_handle(struct db *db, const char *path, int flags) {
	int code = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	return db->handle ? error_of(db, code) : -ENOMEM;
}

static int read_file(void *context, void *to, size_t bytes, uint64_t offset) {
	struct db *db = context;
	sqlite3_file *file = NULL;
	(void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	return error_of(db, file->pMethods->xRead(file, to, (int)bytes, (sqlite3_int64)offset));
}

/* Where the pages cannot be read, SQLite finds the words for it. */
static int find_pages(struct db *db) {
	sqlite3_file *file = NULL;
	sqlite3_int64 bytes = 0;
	if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
	    !file->pMethods || file->pMethods->xFileSize(file, &bytes) != SQLITE_OK)
		return 0;
	struct page_source source = {read_file, db, (uint64_t)bytes};
	return page_file_open(&source, &db->pages) == -ENOMEM ? -ENOMEM : 0;
}

static int open_final(struct db *db, const char *path) {
	char *uri CLEANUP_FREE = final_uri(path);
	if (!uri)
		return -ENOMEM;
	db->final = true;
	return open_handle(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

/* Most segments are final, so that is tried first; one that is not is only looked at in that way, and opened again. */
static int open_as(struct db *db, const char *path, enum db_mode mode) {
	if (mode == DB_READ_WRITE)
		return open_handle(db, path, SQLITE_OPEN_READWRITE);
	int error = open_final(db, path);
	if (mode == DB_READ_FILE_ALONE)
		return error;
	if (!error && is_final(db))
		return find_pages(db);
	(void)sqlite3_close_v2(db->handle);
	db->handle = NULL;
	db->final = false;
	return open_handle(db, path, SQLITE_OPEN_READONLY);
}

int db_open(const char *path, enum db_mode mode, struct db **ret_db) {
	struct db *db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	int error = open_as(db, path, mode);
	if (!error) {
		(void)sqlite3_extended_result_codes(db->handle, 1);
		(void)sqlite3_busy_timeout(db->handle, WAIT_MS);
		distrust(db->handle);
		error = db_execute(db, "PRAGMA cell_size_check=ON;PRAGMA mmap_size=0;PRAGMA temp_store=MEMORY");
	}
	if (error) {
		db_close(db);
		return error;
	}
	*ret_db = db;
	return 0;
}

bool db_is_final(const struct db *db) {
	return db->final;
}

bool db_is_shared(const struct db *db) {
	return db->pages != NULL;
}

static int look(void *context) {
	struct db *db = context;
	return ++db->looks > db->looks_max;
}

int db_bound(struct db *db) {
	int64_t pages = 0;
	int64_t page_bytes = 0;
	int error = db_integer(db, "PRAGMA page_count", &pages);
	if (!error)
		error = db_integer(db, "PRAGMA page_size", &page_bytes);
	if (error)
		return error;
	uint64_t bytes = (uint64_t)pages * (uint64_t)page_bytes;
	db->rows_max = bytes / ROW_BYTES_MIN;
	db->looks_max = (bytes * STEPS_PER_BYTE + STEPS_FREE) / STEPS_EACH_LOOK;
	sqlite3_progress_handler(db->handle, STEPS_EACH_LOOK, look, db);
	return 0;
}

void db_set_note(struct db *db, uint64_t note) {
	db->note = note;
}

uint64_t db_note(const struct db *db) {
	return db->note;
}

/*
 * SQLite checkpoints on closing and removes the WAL. A connection that failed before it had read the WAL takes it for empty: it would remove
 * commits that nobody has copied.
 */
void db_close(struct db *db) {
	if (!db)
		return;
	page_file_close(db->pages);
	if (db->failed && db->handle)
		(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close_v2(db->handle);
	free(db);
}

void db_abandon(struct db *db) {
	if (!db)
		return;
	db->failed = true;
	db_close(db);
}

int db_execute(struct db *db, const char *sql) {
	db->looks = 0;
	return error_of(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

int db_integer(struct db *db, const char *sql, int64_t *ret_value) {
	sqlite3_stmt *statement = NULL;
	if (db->pages && page_query_integer(db->pages, sql, ret_value))
		return 0;
	db->looks = 0;
	int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(statement, 0);
	int error = code == SQLITE_DONE ? ERR_DAMAGED : error_of(db, code);
	(void)sqlite3_finalize(statement);
	return error;
}

void db_rollback(struct db *db) {
	if (!sqlite3_get_autocommit(db->handle))
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

const char *db_words(const struct db *db) {
	return db->words ? db->words : sqlite3_errmsg(db->handle);
}

static int compile(struct db_statement *statement, const char *sql) {
	struct db *db = statement->db;
	int error = db->pages ? page_query_open(db->pages, sql, &statement->pages) : -ENOTSUP;
	if (!error)
		statement->columns = page_query_columns(statement->pages);
	if (error != -ENOTSUP)
		return error;
	error =
	    error_of(db, sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL));
	if (!error)
		statement->columns = sqlite3_column_count(statement->handle);
	return error;
}

int db_prepare(struct db *db, const char *sql, struct db_statement **ret_statement) {
	struct db_statement *statement = calloc(1, sizeof(*statement));
	if (!statement)
		return -ENOMEM;
	statement->db = db;
	int error = compile(statement, sql);
	if (error) {
		free(statement);
		return error;
	}
	*ret_statement = statement;
	return 0;
}

void db_finalize(struct db_statement *statement) {
	if (!statement)
		return;
	page_query_close(statement->pages);
	(void)sqlite3_finalize(statement->handle);
	free(statement);
}

/* A failed bind leaves NULL, which the NOT NULL of every column refuses at db_run. */
void db_put_u64(struct db_statement *statement, uint64_t value) {
	if (statement->pages)
		page_query_put_integer(statement->pages, (int64_t)value);
	else
		(void)sqlite3_bind_int64(statement->handle, ++statement->next, (sqlite3_int64)value);
}

void db_put_blob(struct db_statement *statement, const void *data, size_t bytes) {
	if (bytes)
		(void)sqlite3_bind_blob64(statement->handle, ++statement->next, data, bytes, SQLITE_STATIC);
	else
		(void)sqlite3_bind_zeroblob(statement->handle, ++statement->next, 0);
}

void db_put_text(struct db_statement *statement, const char *text, size_t bytes) {
	if (statement->pages)
		page_query_put_text(statement->pages, text, bytes);
	else
		(void)sqlite3_bind_text64(statement->handle, ++statement->next, bytes ? text : "", bytes, SQLITE_STATIC,
		                          SQLITE_UTF8);
}

int db_run(struct db_statement *statement) {
	statement->db->looks = 0;
	int error = error_of(statement->db, sqlite3_step(statement->handle));
	db_reset(statement);
	return error;
}

static int next_in_pages(struct db_statement *statement) {
	struct db *db = statement->db;
	int row = page_query_next(statement->pages);
	if (row < 0)
		__atomic_store_n(&db->words, sqlite3_errstr(row == ERR_DAMAGED ? SQLITE_CORRUPT : SQLITE_IOERR),
		                 __ATOMIC_RELAXED);
	return row;
}

static int next_of_sqlite(struct db_statement *statement) {
	statement->db->looks = 0;
	int code = sqlite3_step(statement->handle);
	if (code == SQLITE_ROW && statement->db->rows_max && ++statement->rows > statement->db->rows_max)
		code = SQLITE_CORRUPT;
	return code == SQLITE_ROW ? 1 : error_of(statement->db, code);
}

int db_next(struct db_statement *statement) {
	int row = statement->pages ? next_in_pages(statement) : next_of_sqlite(statement);
	statement->next = 0;
	statement->mismatch = false;
	if (row != 1)
		db_reset(statement);
	return row;
}

void db_reset(struct db_statement *statement) {
	if (statement->pages) {
		page_query_reset(statement->pages);
	} else {
		(void)sqlite3_reset(statement->handle);
		(void)sqlite3_clear_bindings(statement->handle);
	}
	statement->next = 0;
	statement->rows = 0;
}

static struct page_value value_of(const struct db_statement *statement, int column) {
	sqlite3_stmt *handle = statement->handle;
	if (statement->pages)
		return page_query_value(statement->pages, column);
	struct page_value value = {.type = (enum page_type)sqlite3_column_type(handle, column)};
	if (value.type == PAGE_INTEGER) {
		value.integer = sqlite3_column_int64(handle, column);
	} else if (value.type == PAGE_TEXT || value.type == PAGE_BLOB) {
		value.bytes = sqlite3_column_blob(handle, column);
		value.count = (size_t)sqlite3_column_bytes(handle, column);
	}
	return value;
}

/* The next value, which is of no use if it has another type. */
static struct page_value next_of_type(struct db_statement *statement, enum page_type type) {
	struct page_value value = {.type = PAGE_NULL};
	int column = statement->next++;
	if (column < statement->columns)
		value = value_of(statement, column);
	if (value.type == type)
		return value;
	statement->mismatch = true;
	return (struct page_value){.type = PAGE_NULL};
}

uint64_t db_get_u64(struct db_statement *statement) {
	return (uint64_t)next_of_type(statement, PAGE_INTEGER).integer;
}

uint32_t db_get_u32(struct db_statement *statement) {
	uint64_t value = db_get_u64(statement);
	if (value > UINT32_MAX) {
		statement->mismatch = true;
		return 0;
	}
	return (uint32_t)value;
}

const uint8_t *db_get_blob(struct db_statement *statement, size_t *ret_bytes) {
	struct page_value value = next_of_type(statement, PAGE_BLOB);
	*ret_bytes = value.count;
	return value.bytes;
}

const char *db_get_text(struct db_statement *statement, size_t *ret_bytes) {
	struct page_value value = next_of_type(statement, PAGE_TEXT);
	*ret_bytes = value.count;
	return value.type == PAGE_TEXT && !value.bytes ? "" : (const char *)value.bytes;
}

/* Of the pages: values of the types that our tables have. */
static void put_value(struct db_statement *to, struct page_value value) {
	if (value.type == PAGE_INTEGER)
		(void)sqlite3_bind_int64(to->handle, ++to->next, value.integer);
	else if (value.type == PAGE_TEXT)
		(void)sqlite3_bind_text64(to->handle, ++to->next, (const char *)value.bytes, value.count,
		                          SQLITE_TRANSIENT, SQLITE_UTF8);
	else if (value.type == PAGE_BLOB)
		(void)sqlite3_bind_blob64(to->handle, ++to->next, value.bytes, value.count, SQLITE_TRANSIENT);
	else
		++to->next; /* NULL, which no column takes */
}

void db_put_row(struct db_statement *to, const struct db_statement *row) {
	for (int i = 0; i < row->columns; i++)
		if (row->pages)
			put_value(to, page_query_value(row->pages, i));
		else
			(void)sqlite3_bind_value(to->handle, ++to->next, sqlite3_column_value(row->handle, i));
}

int db_row_end(const struct db_statement *statement) {
	return statement->mismatch || statement->next != statement->columns ? ERR_DAMAGED : 0;
}

uint64_t db_row_checksum(const struct db_statement *statement, uint64_t seed) {
	uint64_t sum = seed;
	for (int i = 0; i < statement->columns; i++) {
		struct page_value found = value_of(statement, i);
		bool has_bytes = found.type == PAGE_TEXT || found.type == PAGE_BLOB;
		uint64_t value = has_bytes ? found.count : (uint64_t)found.integer;
		uint8_t head[9] = {(uint8_t)found.type};
		memcpy(head + 1, &value, sizeof(value));
		sum = checksum64(head, sizeof(head), sum);
		if (has_bytes && value)
			sum = checksum64(found.bytes, value, sum);
	}
	return sum;
}

const char *db_version(void) {
	return sqlite3_libversion();
}
