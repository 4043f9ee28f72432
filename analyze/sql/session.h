/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection for one statement of a stranger over one store. What it may do, is decided before it runs: read the tables and call functions,
 * nothing else. What it may use is bounded: time, SQLite's memory, and the limits of SQLite, each by its name in session.c.
 */
#ifndef SPANRING_ANALYZE_SQL_SESSION_H
#define SPANRING_ANALYZE_SQL_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_TEXT_BYTES 1024u
#define SESSION_SQL_BYTES_MAX (1u << 20)
#define SESSION_COLUMNS_MAX 64u

/* Errors of session_prepare and session_next. */
#define SESSION_MISTAKE (-EINVAL)    /* in the statement */
#define SESSION_FORBIDDEN (-EPERM)   /* it would do more than read */
#define SESSION_LATE (-ETIME)        /* the deadline has passed */
#define SESSION_INTERRUPTED (-EINTR) /* is_interrupted said so */
#define SESSION_NO_MEMORY (-ENOMEM)  /* of the bound */

struct session_options {
	uint64_t deadline_ns; /* from the opening on; 0: none */
	uint64_t memory_bytes;
	bool (*is_interrupted)(void); /* true: stop; may be NULL */
	void (*on_damage)(void *context, const char *text);
	void *context;
};

enum session_type { SESSION_NULL, SESSION_WHOLE, SESSION_REAL, SESSION_TEXT, SESSION_BLOB };

/* Valid until the next row. */
struct session_cell {
	enum session_type type;
	int64_t whole;
	double real;
	const char *text; /* also of a blob */
	size_t bytes;
};

struct session;

/* 0, or a negative errno with one line in ret_text: the store cannot be read. */
int session_open(const char *store, const struct session_options *options, struct session **ret_session,
                 char ret_text[SESSION_TEXT_BYTES]);
/* NULL is fine. */
void session_close(struct session *session);

/* One statement. 0, or SESSION_... with the reason in ret_text. */
int session_prepare(struct session *session, const char *sql, char ret_text[SESSION_TEXT_BYTES]);
unsigned session_columns(const struct session *session);
const char *session_title(const struct session *session, unsigned column);

/* 1: a row; 0: no more; or SESSION_... with the reason. */
int session_next(struct session *session, char ret_text[SESSION_TEXT_BYTES]);
void session_cell(const struct session *session, unsigned column, struct session_cell *ret_cell);

/* Percentiles were taken from bins: some answer is within QUANTILE_BINNED_ERROR only. */
bool session_binned(const struct session *session);

#endif
