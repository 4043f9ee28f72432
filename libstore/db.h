/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to SQLite: the only file that knows it, and where its errors become ours:
 *
 *     full; I/O error for ENOSPC, EDQUOT, EFBIG   ERR_FULL       corrupt, wrong types, unknown columns   ERR_DAMAGED
 *     read-only                                   -EROFS         not a database                          ERR_FOREIGN
 *     any other I/O error                         -EIO           locked                                  -EAGAIN
 *     cannot open                                 what the system said, else -EIO
 */
#ifndef SPANRING_LIBSTORE_DB_H
#define SPANRING_LIBSTORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum db_mode {
	DB_READ_ONLY,       /* defensive: the file may be hostile */
	DB_READ_FILE_ALONE, /* likewise, without the WAL that lies beside it: what was copied into the file, perhaps torn */
	DB_READ_WRITE       /* must exist */
};

struct db;
struct db_statement;

int db_open(const char *path, enum db_mode mode, struct db **ret_db);
/* Out of WAL mode: read without a look at what lies beside it, and without locks. */
bool db_is_final(const struct db *db);
/* Several threads may read columns of it at the same time, each with statements of its own: BATCH_ROWS_SELECT_COLUMN, and no others. */
bool db_is_shared(const struct db *db);
/* From here on no statement takes more rows and steps than a sound file of this size can need: ERR_DAMAGED. */
int db_bound(struct db *db);
/* A number that the caller wants to find again with the connection; 0 at first. */
void db_set_note(struct db *db, uint64_t note);
uint64_t db_note(const struct db *db);
/* NULL is fine. */
void db_close(struct db *db);
/* Without the checkpoint that SQLite does on closing: after an I/O error the file is left as it is. */
void db_abandon(struct db *db);
int db_execute(struct db *db, const char *sql);
/* The one integer that a statement gives, such as a PRAGMA. */
int db_integer(struct db *db, const char *sql, int64_t *ret_value);
/* Roll back if a transaction is open. */
void db_rollback(struct db *db);
/* SQLite's words for the last failure. */
const char *db_words(const struct db *db);

int db_prepare(struct db *db, const char *sql, struct db_statement **ret_statement);
void db_finalize(struct db_statement *statement);
static inline void db_finalize_cleanup(struct db_statement **statement) {
	db_finalize(*statement);
}

/* Parameters in their order; bytes must stay until db_run or the last db_next. */
void db_put_u64(struct db_statement *statement, uint64_t value);
void db_put_blob(struct db_statement *statement, const void *data, size_t bytes);
void db_put_text(struct db_statement *statement, const char *text, size_t bytes);
/* Run a statement that gives no rows, and make it ready for the next parameters. */
int db_run(struct db_statement *statement);

/* 1: a row is there; 0: no more, ready to run again; negative: an error. */
int db_next(struct db_statement *statement);
void db_reset(struct db_statement *statement);
/* Columns in their order. A value of another type, or too large, gives 0 or NULL and is remembered for db_row_end. */
uint64_t db_get_u64(struct db_statement *statement);
uint32_t db_get_u32(struct db_statement *statement);
const uint8_t *db_get_blob(struct db_statement *statement, size_t *ret_bytes);
const char *db_get_text(struct db_statement *statement, size_t *ret_bytes); /* no zero behind it */
/* All columns of this row as the parameters of that statement, for db_run before the next row. */
void db_put_row(struct db_statement *to, const struct db_statement *row);
/* ERR_DAMAGED if a get found what it should not, or columns are left. */
int db_row_end(const struct db_statement *statement);
/* Chain the whole row, types and values, into a checksum (docs/store-format.md, "Row checksum"). */
uint64_t db_row_checksum(const struct db_statement *statement, uint64_t seed);

const char *db_version(void);

#endif
