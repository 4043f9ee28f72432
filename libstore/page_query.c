/* SPDX-License-Identifier: Apache-2.0 */
#include "page_query.h"

#include "base/errs.h"
#include "batch_rows.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_CHOSEN_MAX 3u

enum search { ALL_ROWS, BY_ROWID, BY_TEXT };

/* Columns of a statement, as numbers of those of its table. */
struct choice {
	const char *sql;
	enum schema_table table; /* SCHEMA_TABLES: SQLite's own */
	enum search search;
	int count;
	uint32_t columns[COLUMNS_CHOSEN_MAX];
};

static const struct choice choices[] = {
    {"SELECT type,name,sql FROM sqlite_master", SCHEMA_TABLES, ALL_ROWS, 3, {0, 1, 4}},
    {"SELECT value FROM meta WHERE key=?", SCHEMA_META, BY_TEXT, 1, {1}},
    {BATCH_ROWS_SELECT_COLUMN, SCHEMA_COLUMN_BLOB, BY_ROWID, 1, {1}},
};

struct page_query {
	struct page_cursor *cursor;
	const struct choice *choice; /* NULL: all columns in order */
	int columns;
	bool is_over; /* of one row there is no second */
	int64_t rowid;
	const char *text;
	size_t text_bytes;
};

/* Of a list between SELECT and FROM. */
static int count_columns(const char *sql) {
	const char *end = strstr(sql, " FROM ");
	int count = 1;
	for (; end && sql < end; sql++)
		count += *sql == ',';
	return count;
}

/* The statement's table, and what it wants of it; SCHEMA_TABLES and NULL: it is none of these. */
static enum schema_table find_table(const char *sql, const struct choice **ret_choice) {
	*ret_choice = NULL;
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(choices[i].sql, sql) == 0) {
			*ret_choice = &choices[i];
			return choices[i].table;
		}
	}
	int table = 0;
	while (table < SCHEMA_TABLES && strcmp(schema_tables[table].select, sql) != 0)
		table++;
	return (enum schema_table)table;
}

int page_query_open(const struct page_file *file, const char *sql, struct page_query **ret_query) {
	const struct choice *choice = NULL;
	enum schema_table table = find_table(sql, &choice);
	if (table == SCHEMA_TABLES && !choice)
		return -ENOTSUP;
	bool is_own = table == SCHEMA_TABLES;
	bool without_rowid = !is_own && strstr(schema_tables[table].create, "WITHOUT ROWID");
	uint32_t root = is_own ? PAGE_FILE_SCHEMA_ROOT : page_file_root(file, schema_tables[table].name);
	if (!root)
		return -ENOTSUP;
	struct page_query *query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	query->choice = choice;
	query->columns = choice ? choice->count : count_columns(sql);
	int error = page_cursor_open(file, root, without_rowid, !is_own && !without_rowid, &query->cursor);
	if (error) {
		free(query);
		return error;
	}
	*ret_query = query;
	return 0;
}

void page_query_close(struct page_query *query) {
	if (!query)
		return;
	page_cursor_close(query->cursor);
	free(query);
}

bool page_query_integer(const struct page_file *file, const char *sql, int64_t *ret_value) {
	const struct {
		const char *sql;
		int64_t value;
	} answers[] = {{"PRAGMA application_id", (int32_t)page_file_application_id(file)},
	               {"PRAGMA user_version", (int32_t)page_file_user_version(file)},
	               {"PRAGMA page_count", page_file_page_count(file)},
	               {"PRAGMA page_size", page_file_page_bytes(file)}};
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(answers[i].sql, sql) == 0) {
			*ret_value = answers[i].value;
			return true;
		}
	}
	return false;
}

int page_query_columns(const struct page_query *query) {
	return query->columns;
}

void page_query_put_integer(struct page_query *query, int64_t value) {
	query->rowid = value;
}

void page_query_put_text(struct page_query *query, const char *text, size_t bytes) {
	query->text = text;
	query->text_bytes = bytes;
}

static int next_with_text(struct page_query *query) {
	int row = 0;
	while ((row = page_cursor_next(query->cursor)) == 1) {
		struct page_value key = page_cursor_value(query->cursor, 0);
		if (query->text && key.type == PAGE_TEXT && key.count == query->text_bytes &&
		    memcmp(key.bytes, query->text, key.count) == 0)
			break;
	}
	return row;
}

int page_query_next(struct page_query *query) {
	if (!query->choice || query->choice->search == ALL_ROWS)
		return page_cursor_next(query->cursor);
	if (query->is_over)
		return 0;
	query->is_over = true;
	return query->choice->search == BY_TEXT ? next_with_text(query) : page_cursor_seek(query->cursor, query->rowid);
}

void page_query_reset(struct page_query *query) {
	page_cursor_rewind(query->cursor);
	query->is_over = false;
	query->text = NULL;
}

struct page_value page_query_value(const struct page_query *query, int column) {
	uint32_t place = query->choice ? query->choice->columns[column] : (uint32_t)column;
	return page_cursor_value(query->cursor, place);
}
