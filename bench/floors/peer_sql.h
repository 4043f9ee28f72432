/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same questions in SQL, to a plain table without an index: the first spans of the same workload, in the command-line tool of SQLite, and in
 * DuckDB as a library or in its command-line tool, where they are found. To a tool a question is a process that opens the database and answers
 * once; to a library it is the second answer on an open connection. Each has one thread.
 */
#ifndef SPANRING_BENCH_PEER_SQL_H
#define SPANRING_BENCH_PEER_SQL_H

#include "bench/feed/workload.h"
#include "peer_duckdb.h"

#include <stdbool.h>

enum peer_sql_tool { PEER_SQL_SQLITE, PEER_SQL_DUCKDB, PEER_SQL_TOOLS };
/* The last one only to DuckDB. */
enum peer_sql_question {
	PEER_SQL_EXACT,
	PEER_SQL_SELF,
	PEER_SQL_TRACE,
	PEER_SQL_RANGE,
	PEER_SQL_APPROXIMATE,
	PEER_SQL_QUESTIONS
};

struct peer_sql {
	const char *folder;
	enum peer_sql_tool tool;
	struct peer_duckdb *duckdb; /* NULL: the command-line tool */
};

/* Is it here? */
bool peer_sql_is_there(const struct peer_sql *peer);

/* The table with one row per span, at most span_count, from all streams alike. 0 or negative errno. */
int peer_sql_load(const struct peer_sql *peer, const struct workload *workload, uint64_t span_count);

bool peer_sql_is_loaded(const struct peer_sql *peer);

/* How long the answer takes. 0 or negative errno. */
int peer_sql_ask(const struct peer_sql *peer, enum peer_sql_question question, uint64_t *ret_ns);

#endif
