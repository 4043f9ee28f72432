/* SPDX-License-Identifier: Apache-2.0 */
/* All that a connection gets: modules, functions, and on demand the tables of one store. */
#ifndef SPANRING_ANALYZE_SQL_TABLES_H
#define SPANRING_ANALYZE_SQL_TABLES_H

#include "source.h"
#include "sql_api.h"

/* What the owner of a connection wants to hear and say; all may be NULL, and on_damage wants the context for itself (source.h, quantile_functions.h). */
struct tables_options {
	void (*on_damage)(void *context, const char *text);
	bool (*is_stopped)(void *context);
	void (*on_binned)(void *context);
	void *context;
};

/* options may be NULL. A SQLite result code. */
int tables_register(sqlite3 *db, const struct tables_options *options);

/* temp.spans, temp.attributes, ... of that store, in place of those there are. A SQLite result code; ret_message is freed with sqlite3_free. */
int tables_open(sqlite3 *db, const char *path, char **ret_message);

#endif
