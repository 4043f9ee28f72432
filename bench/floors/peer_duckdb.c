/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_duckdb.h"

#include "base/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_BYTES 256u /* of a duckdb_result, which has 48 and is only handed on */

/* Of duckdb.h: handles are pointers to structs of a pointer; a state is 0 when all is well. */
struct peer_duckdb {
	void *library;
	int (*open)(const char *path, void **ret_database);
	void (*close)(void **database);
	int (*connect)(void *database, void **ret_connection);
	void (*disconnect)(void **connection);
	int (*query)(void *connection, const char *sql, void *ret_result);
	void (*destroy_result)(void *result);
	const char *(*version)(void);
};

/* A function's address out of an object's, as dlsym means it. */
static int find(struct peer_duckdb *duckdb, const char *name, void *ret_function) {
	void *symbol = dlsym(duckdb->library, name);
	memcpy(ret_function, &symbol, sizeof(symbol));
	return symbol ? 0 : -ENOENT;
}

int peer_duckdb_open(const char *file, struct peer_duckdb **ret_duckdb) {
	struct peer_duckdb *duckdb = calloc(1, sizeof(*duckdb));
	if (!duckdb)
		return -ENOMEM;
	duckdb->library = dlopen(file ? file : "libduckdb.so", RTLD_NOW | RTLD_LOCAL);
	if (!duckdb->library || find(duckdb, "duckdb_open", &duckdb->open) ||
	    find(duckdb, "duckdb_close", &duckdb->close) || find(duckdb, "duckdb_connect", &duckdb->connect) ||
	    find(duckdb, "duckdb_disconnect", &duckdb->disconnect) || find(duckdb, "duckdb_query", &duckdb->query) ||
	    find(duckdb, "duckdb_destroy_result", &duckdb->destroy_result) ||
	    find(duckdb, "duckdb_library_version", &duckdb->version)) {
		peer_duckdb_close(duckdb);
		return -ENOENT;
	}
	*ret_duckdb = duckdb;
	return 0;
}

void peer_duckdb_close(struct peer_duckdb *duckdb) {
	if (!duckdb)
		return;
	if (duckdb->library)
		(void)dlclose(duckdb->library);
	free(duckdb);
}

const char *peer_duckdb_version(const struct peer_duckdb *duckdb) {
	return duckdb->version();
}

static int ask(const struct peer_duckdb *duckdb, void *connection, const char *sql) {
	_Alignas(16) char result[RESULT_BYTES] = {0};
	int state = duckdb->query(connection, sql, result);
	duckdb->destroy_result(result);
	return state ? -EIO : 0;
}

/* times: how often; *ret_ns: of the last. */
static int run(const struct peer_duckdb *duckdb, const char *database, const char *sql, unsigned times,
               uint64_t *ret_ns) {
	void *handle = NULL;
	void *connection = NULL;
	*ret_ns = 0;
	if (duckdb->open(database, &handle))
		return -EIO;
	int rc = duckdb->connect(handle, &connection) ? -EIO : 0;
	if (rc == 0)
		rc = ask(duckdb, connection, "SET threads=1");
	for (unsigned i = 0; i < times && rc == 0; i++) {
		uint64_t from_ns = clock_monotonic_ns();
		rc = ask(duckdb, connection, sql);
		*ret_ns = clock_monotonic_ns() - from_ns;
	}
	if (connection)
		duckdb->disconnect(&connection);
	duckdb->close(&handle);
	return rc;
}

int peer_duckdb_run(const struct peer_duckdb *duckdb, const char *database, const char *sql) {
	uint64_t ns;
	return run(duckdb, database, sql, 1, &ns);
}

int peer_duckdb_time(const struct peer_duckdb *duckdb, const char *database, const char *sql, uint64_t *ret_ns) {
	return run(duckdb, database, sql, 2, ret_ns);
}
