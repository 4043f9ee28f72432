/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "analyze/kernels/fit.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLEXIBLE_HARD_MIN 4u /* a name shorter than that says nothing */

struct table table_begin(const struct table_column *columns, unsigned column_count, unsigned flexible,
                         unsigned flexible_min) {
	assert(column_count <= TABLE_COLUMNS_MAX);
	assert(flexible < column_count);
	struct table table = {
	    .columns = columns, .column_count = column_count, .flexible = flexible, .flexible_min = flexible_min};
	return table;
}

void table_done(struct table *table) {
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->cell_count = 0;
}

void table_cell(struct table *table, enum terminal_style style, const char *text) {
	if (table->cell_count == table->cell_room) {
		size_t room = table->cell_room ? 2 * table->cell_room : 256;
		struct table_cell *cells = realloc(table->cells, room * sizeof(*cells));
		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->cell_room = room;
	}
	char *printable = fit_printable(text, strlen(text));
	if (!printable) {
		table->failed = true;
		return;
	}
	struct table_cell cell = {printable, style};
	table->cells[table->cell_count++] = cell;
}

void table_count(struct table *table, enum terminal_style style, unsigned long long count) {
	char text[UNITS_TEXT_BYTES];
	table_cell(table, style, units_format_count(count, text));
}

void table_duration(struct table *table, double ns) {
	char text[UNITS_TEXT_BYTES];
	table_cell(table, STYLE_PLAIN, units_format_duration(ns, text));
}

void table_bytes(struct table *table, double bytes) {
	char text[UNITS_TEXT_BYTES];
	table_cell(table, STYLE_PLAIN, units_format_bytes(bytes, text));
}

/* What the shown columns and the gaps take, without the flexible one. */
static size_t fixed_width(const struct table *table, const struct table_layout *layout) {
	size_t width = 0;
	for (unsigned i = 0; i < table->column_count; i++)
		if (i != table->flexible && layout->widths[i] > 0)
			width += layout->widths[i] + TABLE_GAP;
	return width;
}

/* The shown column to leave out next: highest rank, rightmost of equals. */
static unsigned next_to_hide(const struct table *table, const struct table_layout *layout) {
	unsigned found = table->column_count;
	for (unsigned i = 0; i < table->column_count; i++) {
		if (i == table->flexible || layout->widths[i] == 0)
			continue;
		if (found == table->column_count || table->columns[i].rank >= table->columns[found].rank)
			found = i;
	}
	return found;
}

struct table_layout table_fit(const struct table *table, const size_t natural[TABLE_COLUMNS_MAX], unsigned width) {
	struct table_layout layout = {.hidden = 0};
	memcpy(layout.widths, natural, table->column_count * sizeof(natural[0]));
	if (width == TERMINAL_WIDTH_UNLIMITED)
		return layout;
	size_t *flexible = &layout.widths[table->flexible];
	size_t wanted = *flexible < table->flexible_min ? *flexible : table->flexible_min;
	for (;;) {
		size_t fixed = fixed_width(table, &layout);
		size_t room = width > fixed ? width - fixed : 0;
		unsigned victim = next_to_hide(table, &layout);
		bool must_hide = victim < table->column_count &&
		                 (table->columns[victim].rank > 0 ? room < wanted : room < FLEXIBLE_HARD_MIN);
		if (!must_hide) {
			if (*flexible > room)
				*flexible = room > 0 ? room : 1;
			return layout;
		}
		layout.widths[victim] = 0;
		layout.hidden++;
	}
}

static int print_cell(const struct table *table, unsigned column, size_t width, const struct table_cell *cell,
                      const struct terminal *terminal, FILE *out) {
	CLEANUP_FREE char *cut = column == table->flexible ? fit_middle(cell->text, width, terminal->utf8)
	                                                   : fit_end(cell->text, width, terminal->utf8);
	if (!cut)
		return -ENOMEM;
	size_t taken = text_columns(cut);
	int padding = taken < width ? (int)(width - taken) : 0;
	bool styled = cell->style != STYLE_PLAIN && terminal->color;
	(void)fprintf(out, "%*s%s%s%s", table->columns[column].right ? padding : 0, "",
	              styled ? terminal_style(terminal, cell->style) : "", cut,
	              styled ? terminal_style(terminal, STYLE_PLAIN) : "");
	if (!table->columns[column].right)
		(void)fprintf(out, "%*s", padding, "");
	return 0;
}

static unsigned last_shown(const struct table *table, const struct table_layout *layout) {
	unsigned last = 0;
	for (unsigned i = 0; i < table->column_count; i++)
		if (layout->widths[i] > 0)
			last = i;
	return last;
}

static int print_row(const struct table *table, const struct table_layout *layout, const struct table_cell *cells,
                     const struct terminal *terminal, FILE *out) {
	unsigned last = last_shown(table, layout);
	for (unsigned i = 0; i <= last; i++) {
		size_t width = layout->widths[i];
		if (width == 0)
			continue;
		/* no blanks at the end of a line */
		if (i == last && !table->columns[i].right && text_columns(cells[i].text) < width)
			width = text_columns(cells[i].text);
		int rc = width ? print_cell(table, i, width, &cells[i], terminal, out) : 0;
		if (rc != 0)
			return rc;
		(void)fputs(i == last ? "\n" : "  ", out);
	}
	return 0;
}

int table_print(const struct table *table, const struct terminal *terminal, FILE *out) {
	struct table_cell titles[TABLE_COLUMNS_MAX];
	size_t natural[TABLE_COLUMNS_MAX] = {0};
	if (table->failed)
		return -ENOMEM;
	assert(table->cell_count % table->column_count == 0);
	for (unsigned i = 0; i < table->column_count; i++) {
		struct table_cell title = {(char *)table->columns[i].title, STYLE_BOLD};
		titles[i] = title;
		natural[i] = text_columns(title.text);
	}
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t taken = text_columns(table->cells[i].text);
		if (taken > natural[i % table->column_count])
			natural[i % table->column_count] = taken;
	}
	struct table_layout layout = table_fit(table, natural, terminal->width);
	int rc = print_row(table, &layout, titles, terminal, out);
	for (size_t i = 0; i < table->cell_count && rc == 0; i += table->column_count)
		rc = print_row(table, &layout, &table->cells[i], terminal, out);
	return rc;
}
