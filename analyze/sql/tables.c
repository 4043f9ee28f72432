/* SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"

#include "damage_function.h"
#include "quantile_functions.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

static const struct sql_table *const tables[] = {&table_spans,      &table_attributes, &table_events,
                                                 &table_links,      &table_processes,  &table_memory_samples,
                                                 &table_site_stats, &table_losses};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))
#define OPENED_TEXT "spans, attributes, events, links, processes, memory_samples, site_stats, losses"

int tables_open(sqlite3 *db, const char *path, char **ret_message) {
	*ret_message = NULL;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		char *sql = sqlite3_mprintf("DROP TABLE IF EXISTS temp.%s;"
		                            "CREATE VIRTUAL TABLE temp.%s USING spanring_%s('%q')",
		                            tables[i]->name, tables[i]->name, tables[i]->name, path);
		int code = sql ? sqlite3_exec(db, sql, NULL, NULL, ret_message) : SQLITE_NOMEM;
		sqlite3_free(sql);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

static void spanring_open(sqlite3_context *context, int argc, sqlite3_value **arguments) {
	const char *path = (const char *)sqlite3_value_text(arguments[0]);
	char *message = NULL;
	(void)argc;
	if (!path) {
		sqlite3_result_error(context, "spanring_open: give a store directory or a segment-*.db file", -1);
		return;
	}
	int code = tables_open(sqlite3_context_db_handle(context), path, &message);
	if (code == SQLITE_OK) {
		sqlite3_result_text(context, OPENED_TEXT, -1, SQLITE_STATIC);
	} else {
		sqlite3_result_error(context, message ? message : sqlite3_errstr(code), -1);
	}
	sqlite3_free(message);
}

static void spanring_batches_read(sqlite3_context *context, int argc, sqlite3_value **arguments) {
	const struct source_host *host = sqlite3_user_data(context);
	(void)argc;
	(void)arguments;
	sqlite3_result_int64(context, (sqlite3_int64)host->batches_read);
}

static void leave_host(void *aux) {
	struct source_host *host = aux;
	if (--host->users == 0)
		free(host);
}

int tables_register(sqlite3 *db, const struct tables_options *options) {
	static const struct tables_options none = {0};
	struct source_host *host = calloc(1, sizeof(*host));
	if (!host)
		return SQLITE_NOMEM;
	if (!options)
		options = &none;
	host->on_damage = options->on_damage;
	host->is_stopped = options->is_stopped;
	host->context = options->context;
	host->users = 1;
	int code = sqlite3_create_function_v2(db, "spanring_batches_read", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, host,
	                                      spanring_batches_read, NULL, NULL, leave_host);
	for (size_t i = 0; i < TABLE_COUNT && code == SQLITE_OK; i++)
		code = module_register(db, host, tables[i]);
	if (code == SQLITE_OK && !options->on_damage)
		code = damage_function_register(db, host);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(db, "spanring_open", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
		                                  spanring_open, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = quantile_functions_register(db, options->on_binned, options->context);
	return code;
}
