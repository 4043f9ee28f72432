/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_sql.h"

#include "base/cleanup.h"
#include "bench/temporary.h"
#include "bench/timed_child.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES (TEMPORARY_PATH_BYTES + 32u)

static const char *const programs[PEER_SQL_TOOLS] = {[PEER_SQL_SQLITE] = "sqlite3", [PEER_SQL_DUCKDB] = "duckdb"};
static const char *const databases[PEER_SQL_TOOLS] = {
    [PEER_SQL_SQLITE] = "peer.sqlite", [PEER_SQL_DUCKDB] = "peer.duckdb"};

static const char table[] =
    "CREATE TABLE spans(name INTEGER, start BIGINT, duration BIGINT, trace BIGINT, span BIGINT, "
    "parent BIGINT, status INTEGER);\n";

#define RANKS(from)                                                                                                    \
	"WITH ranked AS (SELECT name, duration, row_number() OVER (PARTITION BY name ORDER BY duration) AS k, "        \
	"count(*) OVER (PARTITION BY name) AS n FROM " from ") SELECT name, count(*), sum(duration), "                 \
	"max(CASE WHEN k * 1000 >= n * 500 AND (k - 1) * 1000 < n * 500 THEN duration END), "                          \
	"max(CASE WHEN k * 1000 >= n * 900 AND (k - 1) * 1000 < n * 900 THEN duration END), "                          \
	"max(CASE WHEN k * 1000 >= n * 950 AND (k - 1) * 1000 < n * 950 THEN duration END), "                          \
	"max(CASE WHEN k * 1000 >= n * 990 AND (k - 1) * 1000 < n * 990 THEN duration END), "                          \
	"max(CASE WHEN k * 1000 >= n * 999 AND (k - 1) * 1000 < n * 999 THEN duration END) FROM ranked GROUP BY name;\n"

#define MIDDLE                                                                                                         \
	"start >= (SELECT (max(start) - min(start)) * 0.5 + min(start) FROM spans) AND start < (SELECT (max(start) - " \
	"min(start)) * 0.51 + min(start) FROM spans)"
#define SELF                                                                                                           \
	"SELECT p.name, sum(p.duration - coalesce(c.busy, 0)) FROM spans p LEFT JOIN (SELECT trace, parent, "          \
	"sum(duration) AS busy FROM spans WHERE parent <> 0 GROUP BY trace, parent) c ON c.trace = p.trace AND "       \
	"c.parent = p.span GROUP BY p.name;\n"
#define ONE_TRACE "SELECT * FROM spans WHERE trace = (SELECT trace FROM spans LIMIT 1);\n"
#define QUANTILES(function, where)                                                                                     \
	"SELECT name, count(*), sum(duration), " function                                                              \
	"(duration, [0.5, 0.9, 0.95, 0.99, 0.999]) FROM spans " where " GROUP BY name;\n"

/* Each in the form that is the fastest there. */
static const char *const questions[PEER_SQL_TOOLS][PEER_SQL_QUESTIONS] = {
    [PEER_SQL_SQLITE] =
        {
            [PEER_SQL_EXACT] = RANKS("spans"),
            [PEER_SQL_SELF] = SELF,
            [PEER_SQL_TRACE] = ONE_TRACE,
            [PEER_SQL_RANGE] = RANKS("(SELECT * FROM spans WHERE " MIDDLE ")"),
        },
    [PEER_SQL_DUCKDB] =
        {
            [PEER_SQL_EXACT] = QUANTILES("quantile_disc", ""),
            [PEER_SQL_SELF] = SELF,
            [PEER_SQL_TRACE] = ONE_TRACE,
            [PEER_SQL_RANGE] = QUANTILES("quantile_disc", "WHERE " MIDDLE),
            [PEER_SQL_APPROXIMATE] = QUANTILES("approx_quantile", ""),
        },
};

static void path_of(const struct peer_sql *peer, const char *name, char ret_path[PATH_BYTES]) {
	(void)snprintf(ret_path, PATH_BYTES, "%s/%s", peer->folder, name);
}

static int write_script(const char *path, const char *text, const char *more) {
	CLEANUP_FILE FILE *file = fopen(path, "we");
	if (!file)
		return -errno;
	return fprintf(file, "%s%s", text, more) < 0 || fflush(file) ? -EIO : 0;
}

static int run_script(const struct peer_sql *peer, const char *text, const char *more, uint64_t *ret_ns) {
	char database[PATH_BYTES];
	char script[PATH_BYTES];
	struct timed_child child = {0};
	const char *arguments[] = {programs[peer->tool], database, NULL};
	path_of(peer, databases[peer->tool], database);
	path_of(peer, "peer.sql", script);
	int rc = write_script(script, text, more);
	if (rc == 0)
		rc = timed_child_run(arguments, script, &child);
	*ret_ns = child.wall_ns;
	return rc;
}

static void put_row(FILE *file, const struct spanring_span_record *record) {
	(void)fprintf(file, "%u,%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%u\n", record->tail.ref,
	              record->start_ticks, record->duration_ticks, (int64_t)record->trace_lo, record->span_id,
	              record->parent_id, record->tail.bits >> SPANRING_BITS_STATUS_SHIFT & 3u);
}

static int write_rows(const char *path, const struct workload *workload, uint64_t span_count) {
	CLEANUP_FILE FILE *file = fopen(path, "we");
	if (!file)
		return -errno;
	for (uint32_t s = 0; s < WORKLOAD_STREAMS; s++) {
		const struct workload_stream *stream = &workload->streams[s];
		uint64_t count = span_count / WORKLOAD_STREAMS;
		for (uint32_t i = 0; i < stream->count && i < count; i++)
			put_row(file, &stream->records[i]);
	}
	return fflush(file) || ferror(file) ? -EIO : 0;
}

bool peer_sql_is_there(const struct peer_sql *peer) {
	uint64_t ns;
	return peer->duckdb || run_script(peer, "SELECT 1;\n", "", &ns) == 0;
}

/* In statements of their own: a library takes one at a time. */
static int load_rows(const struct peer_sql *peer, const char *rows) {
	char more[PATH_BYTES + 64];
	char database[PATH_BYTES];
	uint64_t ns = 0;
	(void)snprintf(more, sizeof(more),
	               peer->tool == PEER_SQL_SQLITE ? ".mode csv\n.import %s spans\n" : "COPY spans FROM '%s';\n",
	               rows);
	if (!peer->duckdb)
		return run_script(peer, table, more, &ns);
	path_of(peer, databases[peer->tool], database);
	int rc = peer_duckdb_run(peer->duckdb, database, table);
	return rc ? rc : peer_duckdb_run(peer->duckdb, database, more);
}

int peer_sql_load(const struct peer_sql *peer, const struct workload *workload, uint64_t span_count) {
	char rows[PATH_BYTES];
	path_of(peer, "peer.csv", rows);
	int rc = write_rows(rows, workload, span_count);
	if (rc == 0)
		rc = load_rows(peer, rows);
	(void)unlink(rows);
	return rc;
}

bool peer_sql_is_loaded(const struct peer_sql *peer) {
	char database[PATH_BYTES];
	path_of(peer, databases[peer->tool], database);
	return access(database, F_OK) == 0;
}

int peer_sql_ask(const struct peer_sql *peer, enum peer_sql_question question, uint64_t *ret_ns) {
	const char *sql = questions[peer->tool][question];
	char database[PATH_BYTES];
	if (!peer->duckdb)
		return run_script(peer, peer->tool == PEER_SQL_DUCKDB ? "SET threads=1;\n" : "", sql, ret_ns);
	path_of(peer, databases[peer->tool], database);
	return peer_duckdb_time(peer->duckdb, database, sql, ret_ns);
}
