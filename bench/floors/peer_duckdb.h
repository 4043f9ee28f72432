/* SPDX-License-Identifier: Apache-2.0 */
/* DuckDB as a library, found when the program runs: its C interface, and of that only what a timed question needs. */
#ifndef SPANRING_BENCH_PEER_DUCKDB_H
#define SPANRING_BENCH_PEER_DUCKDB_H

#include <stdint.h>

struct peer_duckdb;

/* file: a path, or NULL for libduckdb.so where the system looks for libraries. -ENOENT: there is none, or it is not DuckDB. */
int peer_duckdb_open(const char *file, struct peer_duckdb **ret_duckdb);
/* NULL is fine. */
void peer_duckdb_close(struct peer_duckdb *duckdb);
/* "v1.5.6" */
const char *peer_duckdb_version(const struct peer_duckdb *duckdb);

/* One statement to a database file, on a connection of its own with one thread. 0 or -EIO. */
int peer_duckdb_run(const struct peer_duckdb *duckdb, const char *database, const char *sql);
/* The same, asked twice; how long the second answer took. */
int peer_duckdb_time(const struct peer_duckdb *duckdb, const char *database, const char *sql, uint64_t *ret_ns);

#endif
