/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "tables.h"

#include "base/clock.h"
#include "base/errs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_OPS 2000 /* instructions of SQLite between two looks at clock and flag */
#define CACHE_SHARE 4u    /* of the memory, for pages of temporary tables and for sorting before it goes to files */
#define SOFT_SHARE 8u     /* pages are given back when no more than that is left */

struct session {
	sqlite3 *db;
	sqlite3_stmt *statement;
	struct session_options options;
	uint64_t end_ns; /* UINT64_MAX: none */
	bool forbidden;
	bool late;
	bool binned;
};

static bool is_stopped(void *context) {
	struct session *session = context;
	if (session->options.is_interrupted && session->options.is_interrupted())
		return true;
	session->late = session->late || (session->end_ns != UINT64_MAX && clock_monotonic_ns() >= session->end_ns);
	return session->late;
}

static int on_progress(void *context) {
	return is_stopped(context);
}

static void on_binned(void *context) {
	((struct session *)context)->binned = true;
}

static void on_damage(void *context, const char *text) {
	const struct session *session = context;
	session->options.on_damage(session->options.context, text);
}

/* Functions that reach outside of the statement. */
static bool is_harmless(const char *function) {
	static const char *const harmful[] = {"load_extension", "spanring_open", "sqlite_log", "fts3_tokenizer"};
	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++)
		if (sqlite3_stricmp(function, harmful[i]) == 0)
			return false;
	return true;
}

static int authorize(void *context, int action, const char *first, const char *second, const char *database,
                     const char *trigger) {
	struct session *session = context;
	(void)first;
	(void)database;
	(void)trigger;
	if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
		return SQLITE_OK;
	if (action == SQLITE_FUNCTION && is_harmless(second))
		return SQLITE_OK;
	session->forbidden = true;
	return SQLITE_DENY;
}

static void bound(sqlite3 *db, const struct session_options *options) {
	uint64_t length = options->memory_bytes / 2;
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, length > INT32_MAX ? INT32_MAX : (int)length);
	(void)sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, (int)SESSION_SQL_BYTES_MAX);
	(void)sqlite3_limit(db, SQLITE_LIMIT_COLUMN, (int)SESSION_COLUMNS_MAX);
	(void)sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 200);
	(void)sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 50);
	(void)sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, 250000);
	(void)sqlite3_limit(db, SQLITE_LIMIT_FUNCTION_ARG, 32);
	(void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
	(void)sqlite3_limit(db, SQLITE_LIMIT_VARIABLE_NUMBER, 1);
	(void)sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
	(void)sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
}

/* Everything that the connection itself needs, before the statement of a stranger. */
static int prepare_connection(struct session *session, const char *store, char *ret_text) {
	struct tables_options tables = {.on_damage = session->options.on_damage ? on_damage : NULL,
	                                .is_stopped = is_stopped,
	                                .on_binned = on_binned,
	                                .context = session};
	char *message = NULL;
	char pragma[64];
	int code = sqlite3_open_v2(":memory:", &session->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = tables_register(session->db, &tables);
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA temp.cache_size=-%llu",
	               (unsigned long long)(session->options.memory_bytes / CACHE_SHARE / 1024));
	if (code == SQLITE_OK)
		code = sqlite3_exec(session->db, pragma, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = tables_open(session->db, store, &message);
	if (code != SQLITE_OK)
		(void)snprintf(ret_text, SESSION_TEXT_BYTES, "%s", message ? message : sqlite3_errstr(code));
	sqlite3_free(message);
	return code == SQLITE_OK ? 0 : code == SQLITE_NOMEM ? -ENOMEM : ERR_DAMAGED;
}

int session_open(const char *store, const struct session_options *options, struct session **ret_session,
                 char ret_text[SESSION_TEXT_BYTES]) {
	struct session *session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->options = *options;
	session->end_ns = options->deadline_ns ? clock_monotonic_ns() + options->deadline_ns : UINT64_MAX;
	(void)sqlite3_hard_heap_limit64((sqlite3_int64)options->memory_bytes);
	(void)sqlite3_soft_heap_limit64((sqlite3_int64)(options->memory_bytes - options->memory_bytes / SOFT_SHARE));
	int error = prepare_connection(session, store, ret_text);
	if (error) {
		session_close(session);
		return error;
	}
	(void)sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(session->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(session->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	bound(session->db, options);
	(void)sqlite3_set_authorizer(session->db, authorize, session);
	sqlite3_progress_handler(session->db, PROGRESS_OPS, on_progress, session);
	*ret_session = session;
	return 0;
}

void session_close(struct session *session) {
	if (!session)
		return;
	(void)sqlite3_finalize(session->statement);
	(void)sqlite3_close_v2(session->db);
	free(session);
}

static int explain(struct session *session, int code, char *ret_text) {
	const char *words = sqlite3_errmsg(session->db);
	if (session->options.is_interrupted && session->options.is_interrupted()) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES, "interrupted");
		return SESSION_INTERRUPTED;
	}
	if (session->late) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES,
		               "the deadline has passed: narrow the question, or give it more time with --deadline");
		return SESSION_LATE;
	}
	if (session->forbidden) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES, "only reading is allowed here: give a SELECT (%s)", words);
		return SESSION_FORBIDDEN;
	}
	if (code == SQLITE_NOMEM || code == SQLITE_TOOBIG) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES,
		               "it needs more memory than --memory allows: narrow the question, or allow more");
		return SESSION_NO_MEMORY;
	}
	(void)snprintf(ret_text, SESSION_TEXT_BYTES, "%s", words);
	return SESSION_MISTAKE;
}

static bool is_blank(const char *text) {
	while (isspace((unsigned char)*text) || *text == ';')
		text++;
	return *text == 0;
}

int session_prepare(struct session *session, const char *sql, char ret_text[SESSION_TEXT_BYTES]) {
	const char *rest = "";
	int code = sqlite3_prepare_v2(session->db, sql, -1, &session->statement, &rest);
	if (code != SQLITE_OK)
		return explain(session, code & 0xff, ret_text);
	if (!session->statement || !is_blank(rest)) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES,
		               session->statement ? "more than one statement: give one at a time"
		                                  : "no statement: give a SELECT");
		return SESSION_MISTAKE;
	}
	if (sqlite3_bind_parameter_count(session->statement) > 0) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES, "parameters have no values here: write the values");
		return SESSION_MISTAKE;
	}
	if (!sqlite3_stmt_readonly(session->statement) || sqlite3_column_count(session->statement) == 0) {
		(void)snprintf(ret_text, SESSION_TEXT_BYTES, "only reading is allowed here: give a SELECT");
		return SESSION_FORBIDDEN;
	}
	return 0;
}

unsigned session_columns(const struct session *session) {
	return (unsigned)sqlite3_column_count(session->statement);
}

const char *session_title(const struct session *session, unsigned column) {
	const char *title = sqlite3_column_name(session->statement, (int)column);
	return title ? title : "";
}

int session_next(struct session *session, char ret_text[SESSION_TEXT_BYTES]) {
	int code = sqlite3_step(session->statement);
	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : explain(session, code & 0xff, ret_text);
}

void session_cell(const struct session *session, unsigned column, struct session_cell *ret_cell) {
	static const struct session_cell null = {.type = SESSION_NULL, .text = ""};
	sqlite3_stmt *statement = session->statement;
	int at = (int)column;
	*ret_cell = null;
	switch (sqlite3_column_type(statement, at)) {
	case SQLITE_INTEGER:
		ret_cell->type = SESSION_WHOLE;
		ret_cell->whole = sqlite3_column_int64(statement, at);
		break;
	case SQLITE_FLOAT:
		ret_cell->type = SESSION_REAL;
		ret_cell->real = sqlite3_column_double(statement, at);
		break;
	case SQLITE_TEXT:
		ret_cell->type = SESSION_TEXT;
		ret_cell->text = (const char *)sqlite3_column_text(statement, at);
		break;
	case SQLITE_BLOB:
		ret_cell->type = SESSION_BLOB;
		ret_cell->text = sqlite3_column_blob(statement, at);
		break;
	default:
		return;
	}
	ret_cell->bytes = (size_t)sqlite3_column_bytes(statement, at);
	if (!ret_cell->text)
		ret_cell->text = "";
}

bool session_binned(const struct session *session) {
	return session->binned;
}
