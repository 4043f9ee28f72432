/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a virtual table: its columns, where its rows come from, and how a value is given. module.c does the rest.
 *
 * Rows come from batches of spans (`from` says which kind of row), or from segments or processes, one after the other: `load` makes the rows
 * of one at a time, so memory does not grow with the store.
 */
#ifndef SPANRING_ANALYZE_SQL_TABLE_H
#define SPANRING_ANALYZE_SQL_TABLE_H

#include "filter.h"
#include "source.h"
#include "sql_api.h"

struct sql_column {
	const char *declaration; /* "name TEXT" */
	uint32_t needs;          /* STORE_COLUMN_* */
	enum filter_field field; /* what a condition on it filters */
};

enum sql_rows {
	SQL_SPANS, /* of batches */
	SQL_ATTRIBUTES,
	SQL_EVENTS,
	SQL_LINKS,
	SQL_LOADED
};

struct sql_cursor {
	sqlite3_vtab_cursor base;
	struct source *source;
	struct filter filter;
	struct store_walk *walk;
	struct store_columns batch;
	void *rows; /* of a loaded part */
	size_t row_count;
	size_t row;  /* of the batch, or the part */
	size_t part; /* the next to load */
	bool end;
};

struct sql_table {
	const char *name;
	enum sql_rows from;
	const struct sql_column *columns;
	int column_count;
	uint64_t (*size)(const struct source_sizes *sizes); /* rows, about */
	/* SQL_LOADED: fill rows and row_count of part n; 1 when there is no part n, 0, or a negative errno. */
	int (*load)(struct sql_cursor *cursor, size_t part);
	void (*value)(const struct sql_cursor *cursor, sqlite3_context *context, int column);
};

extern const struct sql_table table_spans;
extern const struct sql_table table_attributes;
extern const struct sql_table table_events;
extern const struct sql_table table_links;
extern const struct sql_table table_processes;
extern const struct sql_table table_memory_samples;
extern const struct sql_table table_site_stats;
extern const struct sql_table table_losses;

/* Make it known to a connection under the name "spanring_" and its own. A SQLite result code. */
int module_register(sqlite3 *db, struct source_host *host, const struct sql_table *table);

#endif
