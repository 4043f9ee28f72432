/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual tables as SQLite meets them: one module for all of them, told apart by their struct sql_table.
 *
 * PLAN. idxStr: the words of the conditions, whose values are the arguments of xFilter in this order (filter.h). idxNum: the columns of the
 * store that the statement looks at (STORE_COLUMN_*), from colUsed; no other is read or decoded.
 *
 * ROWID. Segment, batch and row: the same however the row was found, since SQLite tells by it whether two ways of an OR met the same row.
 */
#include "table.h"

#include "base/errs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SQL_COLUMNS_MAX 40
#define DECLARATION_BYTES 2048u
#define ROWID_BATCH_BITS 16u
#define ROWID_SEGMENT_BITS 40u
#define RHS_VALUE_SINCE 3038000 /* sqlite3_vtab_rhs_value */

struct binding {
	struct source_host *host;
	const struct sql_table *table;
};

struct sql_view {
	sqlite3_vtab base;
	struct source *source;
	const struct sql_table *table;
};

static const struct sql_view *view_of(const struct sql_cursor *cursor) {
	return (const struct sql_view *)cursor->base.pVtab;
}

static int fail_with(sqlite3_vtab *table, int error, const char *text) {
	sqlite3_free(table->zErrMsg);
	table->zErrMsg = sqlite3_mprintf("%s", *text ? text : strerror(-error));
	return error == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* The path as written in CREATE VIRTUAL TABLE, without its quotes; NULL without memory. */
static char *unquote(const char *word) {
	size_t bytes = strlen(word);
	char quote = word[0];
	if (bytes < 2 || (quote != '\'' && quote != '"') || word[bytes - 1] != quote)
		return strdup(word);
	char *text = malloc(bytes);
	size_t written = 0;
	for (size_t i = 1; text && i < bytes - 1; i++) {
		text[written++] = word[i];
		i += word[i] == quote && word[i + 1] == quote && i + 1 < bytes - 1;
	}
	if (text)
		text[written] = 0;
	return text;
}

static int declare(sqlite3 *db, const struct sql_table *table) {
	char text[DECLARATION_BYTES] = "CREATE TABLE t(";
	size_t at = strlen(text);
	for (int i = 0; i < table->column_count; i++) {
		size_t bytes = strlen(table->columns[i].declaration);
		assert(at + bytes + 3 < sizeof(text));
		memcpy(text + at, table->columns[i].declaration, bytes);
		at += bytes;
		text[at++] = i + 1 < table->column_count ? ',' : ')';
	}
	text[at] = 0;
	(void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	return sqlite3_declare_vtab(db, text);
}

static int on_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret_vtab,
                      char **ret_message) {
	const struct binding *binding = aux;
	char text[SOURCE_TEXT_BYTES] = "";
	if (argc != 4) {
		*ret_message = sqlite3_mprintf("spanring_%s: give one store: USING spanring_%s('/path/to/store')",
		                               binding->table->name, binding->table->name);
		return SQLITE_ERROR;
	}
	int code = declare(db, binding->table);
	if (code != SQLITE_OK)
		return code;
	struct sql_view *view = sqlite3_malloc64(sizeof(*view));
	char *path = unquote(argv[3]);
	int error = -ENOMEM;
	if (view && path) {
		memset(view, 0, sizeof(*view));
		view->table = binding->table;
		error = source_get(binding->host, path, &view->source, text);
	}
	free(path);
	if (error) {
		sqlite3_free(view);
		*ret_message = sqlite3_mprintf("%s", *text ? text : strerror(-error));
		return error == -ENOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
	}
	*ret_vtab = &view->base;
	return SQLITE_OK;
}

/* Of its own, so that the module is no table by itself: it needs a store. */
static int on_create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret_vtab,
                     char **ret_message) {
	return on_connect(db, aux, argc, argv, ret_vtab, ret_message);
}

static int on_disconnect(sqlite3_vtab *vtab) {
	struct sql_view *view = (struct sql_view *)vtab;
	source_put(view->source);
	sqlite3_free(view);
	return SQLITE_OK;
}

static bool is_binary(sqlite3_index_info *info, int constraint) {
	const char *collation = sqlite3_vtab_collation(info, constraint);
	return !collation || sqlite3_stricmp(collation, "BINARY") == 0;
}

/* How much of the spans a time range leaves, from what segments span. */
static double share_of_time(const struct source_sizes *sizes, uint64_t min, uint64_t max) {
	double all = 0;
	double left = 0;
	for (size_t i = 0; i < sizes->part_count; i++) {
		const struct source_part *part = &sizes->parts[i];
		double spans = (double)part->spans;
		all += spans;
		if (part->end_wall_ns < min || part->start_wall_ns > max)
			continue;
		uint64_t from = part->start_wall_ns > min ? part->start_wall_ns : min;
		uint64_t to = part->end_wall_ns < max ? part->end_wall_ns : max;
		double whole = (double)(part->end_wall_ns - part->start_wall_ns) + 1;
		left += spans * ((double)(to > from ? to - from : 0) + 1) / whole;
	}
	return all > 0 ? left / all : 1;
}

/* What the conditions leave, as a share: of rows given, and of batches read. */
struct estimate {
	double rows;
	double batches;
	uint64_t time_min;
	uint64_t time_max;
	bool time_known;
};

static void estimate_time(struct estimate *estimate, sqlite3_index_info *info, int i) {
	sqlite3_value *value = NULL;
	if (sqlite3_libversion_number() >= RHS_VALUE_SINCE && sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK) {
		filter_bounds(info->aConstraint[i].op, value, &estimate->time_min, &estimate->time_max);
		estimate->time_known = true;
		return;
	}
	estimate->rows *= 0.25;
	estimate->batches *= 0.25;
}

static void estimate_condition(struct estimate *estimate, enum filter_field field, sqlite3_index_info *info, int i) {
	switch (field) {
	case FILTER_START:
	case FILTER_END:
		estimate_time(estimate, info, i);
		return;
	case FILTER_TRACE:
	case FILTER_TRACE_LOW:
		estimate->rows *= 1e-5;
		estimate->batches *= 0.01;
		return;
	case FILTER_DURATION:
		estimate->rows *= 0.1;
		estimate->batches *= 0.5;
		return;
	case FILTER_NAME:
	case FILTER_SERVICE:
	case FILTER_PROCESS:
	case FILTER_KEY:
		estimate->rows *= 0.1;
		return;
	case FILTER_NONE:
		return;
	}
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
	const struct sql_view *view = (const struct sql_view *)vtab;
	const struct sql_table *table = view->table;
	struct estimate estimate = {.rows = 1, .batches = 1, .time_max = UINT64_MAX};
	sqlite3_str *words = sqlite3_str_new(NULL);
	int used = 0;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
		if (!constraint->usable || constraint->iColumn < 0)
			continue;
		enum filter_field field = table->columns[constraint->iColumn].field;
		const char *word = filter_word(field, constraint->op);
		if (!word || (constraint->op == SQLITE_INDEX_CONSTRAINT_EQ && !is_binary(info, i)))
			continue;
		sqlite3_str_appendf(words, "%s%s", used ? " " : "", word);
		info->aConstraintUsage[i].argvIndex = ++used;
		estimate_condition(&estimate, field, info, i);
	}
	uint32_t needs = 0;
	for (int i = 0; i < table->column_count; i++)
		if (info->colUsed >> i & 1)
			needs |= table->columns[i].needs;
	if (estimate.time_known) {
		double share = share_of_time(&view->source->sizes, estimate.time_min, estimate.time_max);
		estimate.rows *= share;
		estimate.batches *= share;
	}
	double rows = (double)table->size(&view->source->sizes);
	info->idxNum = (int)needs;
	info->idxStr = sqlite3_str_finish(words);
	info->needToFreeIdxStr = 1;
	info->estimatedRows = 1 + (sqlite3_int64)(rows * estimate.rows);
	info->estimatedCost = (table->from == SQL_LOADED ? 10 : 50) +
	                      rows * estimate.batches * (0.05 + 0.02 * __builtin_popcount(needs)) +
	                      rows * estimate.rows;
	return used && !info->idxStr ? SQLITE_NOMEM : SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor) {
	const struct sql_view *view = (const struct sql_view *)vtab;
	char text[SOURCE_TEXT_BYTES] = "";
	struct sql_cursor *cursor = sqlite3_malloc64(sizeof(*cursor));
	if (!cursor)
		return SQLITE_NOMEM;
	memset(cursor, 0, sizeof(*cursor));
	int error = source_enter(view->source, text);
	if (error) {
		sqlite3_free(cursor);
		return fail_with(vtab, error, text);
	}
	cursor->source = view->source;
	*ret_cursor = &cursor->base;
	return SQLITE_OK;
}

static void rewind_cursor(struct sql_cursor *cursor) {
	store_walk_close(cursor->walk);
	free(cursor->rows);
	filter_clear(&cursor->filter);
	cursor->walk = NULL;
	cursor->rows = NULL;
	cursor->row_count = 0;
	cursor->row = 0;
	cursor->part = 0;
	cursor->end = false;
}

static int on_close(sqlite3_vtab_cursor *base) {
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	rewind_cursor(cursor);
	source_leave(cursor->source);
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static size_t rows_of(const struct sql_table *table, const struct store_columns *batch) {
	switch (table->from) {
	case SQL_SPANS:
		return batch->span_count;
	case SQL_ATTRIBUTES:
		return batch->attribute_count;
	case SQL_EVENTS:
		return batch->event_count;
	case SQL_LINKS:
		return batch->link_count;
	case SQL_LOADED:
		break;
	}
	return 0;
}

static bool accepts(const struct sql_cursor *cursor, enum sql_rows from) {
	const struct filter *filter = &cursor->filter;
	const struct store_columns *batch = &cursor->batch;
	size_t row = cursor->row;
	switch (from) {
	case SQL_SPANS:
		return filter_accepts_span(filter, batch, (uint32_t)row);
	case SQL_ATTRIBUTES:
		return (!filter->has_trace || batch->attributes[row].trace_lo == filter->trace_lo) &&
		       (!filter->keys || filter->keys[batch->attributes[row].key]);
	case SQL_EVENTS:
		return (!filter->has_trace || batch->events[row].trace_lo == filter->trace_lo) &&
		       (!filter->names || filter->names[batch->events[row].name]);
	case SQL_LINKS:
		return !filter->has_trace || batch->links[row].trace_lo == filter->trace_lo;
	case SQL_LOADED:
		break;
	}
	return true;
}

/* The next batch or part: 1 with rows, 0 at the end, or a negative errno. */
static int refill(struct sql_cursor *cursor, const struct sql_table *table) {
	const struct source_host *host = cursor->source->host;
	if (host->is_stopped && host->is_stopped(host->context))
		return -EINTR;
	cursor->row = 0;
	if (table->from == SQL_LOADED) {
		free(cursor->rows);
		cursor->rows = NULL;
		cursor->row_count = 0;
		int result = table->load(cursor, cursor->part++);
		return result < 0 ? result : result == 0;
	}
	int result = store_walk_next(cursor->walk, &cursor->batch);
	cursor->row_count = result == 1 ? rows_of(table, &cursor->batch) : 0;
	cursor->source->host->batches_read += result == 1;
	return result;
}

/* To the first row from here on that may match. */
static int settle(struct sql_cursor *cursor) {
	const struct sql_table *table = view_of(cursor)->table;
	char text[SOURCE_TEXT_BYTES] = "";
	for (;;) {
		while (cursor->row < cursor->row_count && !accepts(cursor, table->from))
			cursor->row++;
		if (cursor->row < cursor->row_count)
			return SQLITE_OK;
		int result = refill(cursor, table);
		int error = result < 0 ? result : source_check(cursor->source, text);
		if (error == -EINTR)
			return SQLITE_INTERRUPT;
		if (error)
			return fail_with(cursor->base.pVtab, error, text);
		if (result == 0) {
			cursor->end = true;
			return SQLITE_OK;
		}
	}
}

static bool wants_segment(void *context, const struct store_segment_view *segment) {
	return filter_accepts_segment(context, segment);
}

static uint32_t extras_of(enum sql_rows from) {
	static const uint32_t columns[] = {[SQL_ATTRIBUTES] = STORE_COLUMN_ATTRIBUTES,
	                                   [SQL_EVENTS] = STORE_COLUMN_EVENTS,
	                                   [SQL_LINKS] = STORE_COLUMN_LINKS,
	                                   [SQL_LOADED] = 0};
	return columns[from];
}

static int on_filter(sqlite3_vtab_cursor *base, int columns, const char *words, int argc, sqlite3_value **argv) {
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	const struct sql_table *table = view_of(cursor)->table;
	struct store_scan scan = {.context = &cursor->filter};
	rewind_cursor(cursor);
	int error = filter_make(&cursor->filter, cursor->source->overview, words, argv, argc);
	if (error)
		return fail_with(base->pVtab, error, "");
	cursor->end = cursor->filter.nothing;
	if (cursor->end)
		return SQLITE_OK;
	if (table->from != SQL_LOADED) {
		filter_scan(&cursor->filter, &scan);
		scan.columns = (uint32_t)columns | extras_of(table->from);
		if (table->from == SQL_SPANS) {
			scan.columns |= filter_columns(words);
			scan.wants_segment = wants_segment;
		}
		error = store_walk_open(cursor->source->reader, &scan, &cursor->walk);
		if (error)
			return fail_with(base->pVtab, error, "");
	}
	return settle(cursor);
}

static int on_next(sqlite3_vtab_cursor *base) {
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	cursor->row++;
	return settle(cursor);
}

static int on_eof(sqlite3_vtab_cursor *base) {
	return ((struct sql_cursor *)base)->end;
}

static int on_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
	const struct sql_cursor *cursor = (const struct sql_cursor *)base;
	view_of(cursor)->table->value(cursor, context, column);
	return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid) {
	const struct sql_cursor *cursor = (const struct sql_cursor *)base;
	uint64_t part = cursor->part;
	uint64_t batch = 0;
	if (cursor->walk) {
		part = (uint64_t)(cursor->batch.segment - cursor->source->overview->segments);
		batch = cursor->batch.batch;
	}
	*ret_rowid =
	    (sqlite3_int64)(part << ROWID_SEGMENT_BITS | batch << ROWID_BATCH_BITS) + (sqlite3_int64)cursor->row;
	return SQLITE_OK;
}

static void unbind(void *aux) {
	struct binding *binding = aux;
	if (--binding->host->users == 0)
		free(binding->host);
	free(binding);
}

static const sqlite3_module module = {
    .iVersion = 1,
    .xCreate = on_create,
    .xConnect = on_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xDestroy = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

int module_register(sqlite3 *db, struct source_host *host, const struct sql_table *table) {
	struct binding *binding = malloc(sizeof(*binding));
	char name[64];
	if (!binding)
		return SQLITE_NOMEM;
	assert(table->column_count <= SQL_COLUMNS_MAX);
	binding->host = host;
	binding->table = table;
	host->users++;
	(void)sqlite3_snprintf(sizeof(name), name, "spanring_%s", table->name);
	return sqlite3_create_module_v2(db, name, &module, binding, unbind); /* which it calls also when it fails */
}
