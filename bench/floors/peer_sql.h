/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same questions in SQL, to a plain table without an index: the first spans of the same workload, in the command-line tools of SQLite and of
 * DuckDB, where they are found. A question is a process that opens the database and answers once.
 */
#ifndef SPANRING_BENCH_PEER_SQL_H
#define SPANRING_BENCH_PEER_SQL_H

#include "bench/feed/workload.h"

#include <stdbool.h>

enum peer_sql_tool { PEER_SQL_SQLITE, PEER_SQL_DUCKDB, PEER_SQL_TOOLS };
enum peer_sql_question { PEER_SQL_EXACT, PEER_SQL_SELF, PEER_SQL_TRACE, PEER_SQL_RANGE, PEER_SQL_QUESTIONS };

/* One row per span into folder/peer.csv; at most span_count, from all streams alike. 0 or negative errno. */
int peer_sql_export(const char *folder, const struct workload *workload, uint64_t span_count);

/* Load that file. 0, -ENOENT: the tool is not here, or another negative errno. */
int peer_sql_load(const char *folder, enum peer_sql_tool tool);

bool peer_sql_is_loaded(const char *folder, enum peer_sql_tool tool);

/* How long the answer takes. 0 or negative errno. */
int peer_sql_ask(const char *folder, enum peer_sql_tool tool, enum peer_sql_question question, uint64_t *ret_ns);

#endif
