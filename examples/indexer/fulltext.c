/* SPDX-License-Identifier: Apache-2.0 */
#include "fulltext.h"

#include "path_text.h"
#include "tokenize.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x53505849 /* "SPXI" in the header of the file: an index made by this program */

struct fulltext {
	sqlite3 *database;
	sqlite3_stmt *insert_file;
	sqlite3_stmt *insert_words;
	char *path;      /* final name; NULL: in memory */
	char *work_path; /* name while it is built; NULL: in memory, or renamed */
	uint32_t pending;
};

/* The words stay out of the file (content=''): they are in the files, and the index finds those. */
static const char schema[] = "PRAGMA journal_mode=OFF;"
                             "PRAGMA synchronous=OFF;"
                             "PRAGMA application_id=1397774409;"
                             "CREATE TABLE files(id INTEGER PRIMARY KEY, path BLOB NOT NULL, bytes INTEGER NOT NULL,"
                             " compressed_bytes INTEGER NOT NULL, words INTEGER NOT NULL);"
                             "CREATE VIRTUAL TABLE postings USING fts5(text, content='');";

_Static_assert(APPLICATION_ID == 1397774409, "the schema states the same number");

static int to_errno(int sqlite_rc) {
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	default:
		return -EIO;
	}
}

const char *fulltext_error(const struct fulltext *fulltext, int rc) {
	if (fulltext && fulltext->database && sqlite3_errcode(fulltext->database) != SQLITE_OK)
		return sqlite3_errmsg(fulltext->database);
	if (rc == -EEXIST)
		return "exists and is not an index made by this program; give another name or remove it";
	if (rc == -EBADMSG)
		return "is not an index made by this program";
	return strerror(-rc);
}

static int read_application_id(const char *path, int64_t *ret_id) {
	sqlite3 *database = NULL;
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(database, "PRAGMA application_id", -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*ret_id = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(database);
	return rc == SQLITE_ROW ? 0 : to_errno(rc);
}

/* The name to build under; refuses to replace what is not ours. */
static int work_path_make(struct fulltext *fulltext, const char *path) {
	int64_t id = 0;
	if (access(path, F_OK) == 0 && (read_application_id(path, &id) < 0 || id != APPLICATION_ID))
		return -EEXIST;
	fulltext->path = strdup(path);
	if (!fulltext->path || asprintf(&fulltext->work_path, "%s.XXXXXX", path) < 0) {
		fulltext->work_path = NULL;
		return -ENOMEM;
	}
	int fd = mkstemp(fulltext->work_path);
	if (fd < 0) {
		int rc = -errno;
		free(fulltext->work_path);
		fulltext->work_path = NULL;
		return rc;
	}
	(void)close(fd);
	return 0;
}

static int database_open(struct fulltext *fulltext) {
	const char *name = fulltext->work_path ? fulltext->work_path : ":memory:";
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int rc = sqlite3_open_v2(name, &fulltext->database, flags, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(fulltext->database, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(fulltext->database, "INSERT INTO files VALUES(NULL,?1,?2,?3,?4)", -1,
		                        &fulltext->insert_file, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(fulltext->database, "INSERT INTO postings(rowid,text) VALUES(?1,?2)", -1,
		                        &fulltext->insert_words, NULL);
	return to_errno(rc);
}

int fulltext_create(const char *path, struct fulltext **ret_fulltext) {
	struct fulltext *fulltext = calloc(1, sizeof(*fulltext));
	if (!fulltext)
		return -ENOMEM;
	int rc = path ? work_path_make(fulltext, path) : 0;
	if (rc == 0)
		rc = database_open(fulltext);
	if (rc < 0) {
		fulltext_free(fulltext);
		return rc;
	}
	*ret_fulltext = fulltext;
	return 0;
}

static int step(sqlite3_stmt *statement) {
	int rc = sqlite3_step(statement);
	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return to_errno(rc);
}

static int insert_words(struct fulltext *fulltext, const struct buffer *words) {
	(void)sqlite3_bind_int64(fulltext->insert_words, 1, sqlite3_last_insert_rowid(fulltext->database));
	(void)sqlite3_bind_text64(fulltext->insert_words, 2, words->data, words->bytes, SQLITE_STATIC, SQLITE_UTF8);
	return step(fulltext->insert_words);
}

int fulltext_insert(struct fulltext *fulltext, const struct fulltext_file *file, uint32_t *ret_pending) {
	int rc = 0;
	if (fulltext->pending == 0)
		rc = to_errno(sqlite3_exec(fulltext->database, "BEGIN", NULL, NULL, NULL));
	if (rc < 0)
		return rc;
	(void)sqlite3_bind_blob64(fulltext->insert_file, 1, file->path, strlen(file->path), SQLITE_STATIC);
	(void)sqlite3_bind_int64(fulltext->insert_file, 2, (sqlite3_int64)file->bytes);
	(void)sqlite3_bind_int64(fulltext->insert_file, 3, (sqlite3_int64)file->compressed_bytes);
	(void)sqlite3_bind_int64(fulltext->insert_file, 4, (sqlite3_int64)file->word_count);
	rc = step(fulltext->insert_file);
	if (rc == 0 && file->words)
		rc = insert_words(fulltext, file->words);
	if (rc < 0)
		return rc;
	*ret_pending = ++fulltext->pending;
	return 0;
}

int fulltext_commit(struct fulltext *fulltext) {
	if (fulltext->pending == 0)
		return 0;
	fulltext->pending = 0;
	return to_errno(sqlite3_exec(fulltext->database, "COMMIT", NULL, NULL, NULL));
}

static int database_close(struct fulltext *fulltext) {
	(void)sqlite3_finalize(fulltext->insert_file);
	(void)sqlite3_finalize(fulltext->insert_words);
	fulltext->insert_file = NULL;
	fulltext->insert_words = NULL;
	int rc = sqlite3_close(fulltext->database);
	fulltext->database = NULL;
	return to_errno(rc);
}

int fulltext_publish(struct fulltext *fulltext) {
	int rc = database_close(fulltext);
	if (rc < 0 || !fulltext->work_path)
		return rc;
	if (rename(fulltext->work_path, fulltext->path) < 0)
		return -errno;
	free(fulltext->work_path);
	fulltext->work_path = NULL;
	return 0;
}

void fulltext_free(struct fulltext *fulltext) {
	if (!fulltext)
		return;
	(void)database_close(fulltext);
	if (fulltext->work_path)
		(void)unlink(fulltext->work_path);
	free(fulltext->work_path);
	free(fulltext->path);
	free(fulltext);
}

/* "a b" becomes "\"a\" \"b\"": words only, none of the operators of the query language. */
static int match_expression(const char *words, struct buffer *ret_expression) {
	struct buffer source = {.data = (char *)(uintptr_t)words, .bytes = strlen(words)};
	struct buffer tokens = {0};
	uint64_t count;
	int rc = tokenize(&source, &tokens, &count);
	if (rc == 0)
		rc = buffer_reserve(ret_expression, tokens.bytes + 3 * (size_t)count + 1);
	if (rc == 0 && count > 0) {
		char *to = ret_expression->data;
		*to++ = '"';
		for (size_t i = 0; i < tokens.bytes; i++) {
			if (tokens.data[i] == ' ')
				to = stpcpy(to, "\" \"");
			else
				*to++ = tokens.data[i];
		}
		*to++ = '"';
		ret_expression->bytes = (size_t)(to - ret_expression->data);
	}
	buffer_done(&tokens);
	return rc;
}

static int search_rows(sqlite3 *database, const struct buffer *expression, FILE *file) {
	sqlite3_stmt *statement = NULL;
	int rc =
	    sqlite3_prepare_v2(database,
	                       "SELECT CAST(files.path AS TEXT) FROM postings JOIN files ON files.id = postings.rowid"
	                       " WHERE postings MATCH ?1 ORDER BY postings.rank, files.path",
	                       -1, &statement, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text64(statement, 1, expression->data, expression->bytes, SQLITE_STATIC, SQLITE_UTF8);
	while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *path = (const char *)sqlite3_column_text(statement, 0);
		path_text_write(file, path ? path : "");
		(void)putc('\n', file);
		rc = SQLITE_OK;
	}
	(void)sqlite3_finalize(statement);
	return to_errno(rc);
}

int fulltext_search(const char *path, const char *words, FILE *file) {
	struct buffer expression = {0};
	sqlite3 *database = NULL;
	int64_t id = 0;
	if (access(path, R_OK) < 0)
		return -errno;
	if (read_application_id(path, &id) < 0 || id != APPLICATION_ID)
		return -EBADMSG;
	int rc = match_expression(words, &expression);
	if (rc == 0 && expression.bytes > 0) {
		rc = to_errno(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL));
		if (rc == 0)
			rc = search_rows(database, &expression, file);
		(void)sqlite3_close(database);
	}
	buffer_done(&expression);
	return rc;
}
