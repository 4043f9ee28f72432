/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of text cells that fits its width. Each column is as wide as its widest cell. When the whole is too wide, the columns with the
 * highest `rank` are left out, one by one, as long as the flexible column would have less than `flexible_min` (or its natural width if that is
 * less); then the flexible column is cut in the middle of its cells. Columns of rank 0 stay until nothing else is left to take.
 * Without a limit (TERMINAL_WIDTH_UNLIMITED) nothing is left out or cut.
 */
#ifndef SPANRING_ANALYZE_TABLE_H
#define SPANRING_ANALYZE_TABLE_H

#include "terminal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 64u
#define TABLE_GAP 2u

struct table_column {
	const char *title;
	bool right; /* numbers */
	unsigned rank;
};

struct table_cell {
	char *text; /* printable */
	enum terminal_style style;
};

struct table {
	const struct table_column *columns;
	unsigned column_count;
	unsigned flexible; /* index of the column that is cut */
	unsigned flexible_min;
	struct table_cell *cells; /* row by row */
	size_t cell_count;
	size_t cell_room;
	bool failed; /* out of memory: table_print says so */
};

/* What a layout decides; widths of columns that are left out are 0. */
struct table_layout {
	size_t widths[TABLE_COLUMNS_MAX];
	unsigned hidden; /* number of columns left out */
};

struct table table_begin(const struct table_column *columns, unsigned column_count, unsigned flexible,
                         unsigned flexible_min);
void table_done(struct table *table);

/* Add the next cell, left to right, row by row. text comes from anywhere: it is made printable and copied. */
void table_cell(struct table *table, enum terminal_style style, const char *text);
void table_count(struct table *table, enum terminal_style style, unsigned long long count);
void table_duration(struct table *table, double ns);
void table_bytes(struct table *table, double bytes);

/* Pure: from natural widths to shown ones. */
struct table_layout table_fit(const struct table *table, const size_t natural[TABLE_COLUMNS_MAX], unsigned width);

/* Title line and rows. 0, or -ENOMEM also for cells that found no memory. */
int table_print(const struct table *table, const struct terminal *terminal, FILE *out);

#endif
