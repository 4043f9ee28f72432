/* SPDX-License-Identifier: Apache-2.0 */
/* The table of programs and rings: columns from the most important on, as many as the terminal has room for. */
#include "base/text.h"
#include "base/units.h"
#include "view.h"

#include <inttypes.h>
#include <string.h>

#define CELL_BYTES 512u
#define RED "\033[31m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

enum column { PID, SERVICE, STATE, RATE, LAG, FILL, OPEN, DROPPED, STORED, MEAN, REJECTED, RINGS, COLUMN_COUNT };

static const struct {
	const char *title;
	uint32_t columns;
	bool is_text;
} table[COLUMN_COUNT] = {
    [PID] = {"PID", 8, true},        [SERVICE] = {"SERVICE", 15, true},   [STATE] = {"STATE", 10, true},
    [RATE] = {"SPANS/S", 10, false}, [LAG] = {"LAG", 8, false},           [FILL] = {"FULL", 5, false},
    [OPEN] = {"OPEN", 6, false},     [DROPPED] = {"DROPPED", 10, false},  [STORED] = {"STORED", 14, false},
    [MEAN] = {"MEAN/S", 10, false},  [REJECTED] = {"REJECTED", 8, false}, [RINGS] = {"RINGS", 5, false}};

void view_print_cell(FILE *file, const char *text, uint32_t columns, bool padded) {
	char cell[CELL_BYTES];
	(void)text_printable(text, strlen(text), cell, sizeof(cell));
	size_t bytes = strlen(cell);
	while (bytes > 0 && text_columns(cell) > columns) {
		do
			bytes--;
		while (bytes > 0 && ((uint8_t)cell[bytes] & 0xc0) == 0x80);
		cell[bytes] = '\0';
	}
	size_t used = text_columns(cell);
	(void)fprintf(file, "%s%*s", cell, padded && used < columns ? (int)(columns - used) : 0, "");
}

const char *view_rate_text(double rate_per_s, char ret_text[VIEW_WORD_BYTES]) {
	if (rate_per_s > 0 && rate_per_s < 10)
		(void)snprintf(ret_text, VIEW_WORD_BYTES, "%.2f", rate_per_s);
	else
		(void)units_format_count((uint64_t)(rate_per_s + 0.5), ret_text);
	return ret_text;
}

static void cell_text(const struct view_row *row, enum column column, char text[CELL_BYTES]) {
	char word[VIEW_WORD_BYTES] = "";
	const char *value = word;
	switch (column) {
	case PID:
		(void)snprintf(word, sizeof(word), row->is_ring ? "  ring %" PRIu64 : "%" PRIu64, row->number);
		break;
	case SERVICE:
		if (row->is_ring && !*row->service)
			(void)snprintf(word, sizeof(word), "tid %" PRIu64, row->tid);
		else
			value = row->service;
		break;
	case STATE:
		value = row->state;
		break;
	case RATE:
	case MEAN:
		(void)view_rate_text(column == RATE ? row->rate_per_s : row->mean_per_s, word);
		break;
	case LAG:
		if (row->lag_ns)
			(void)units_format_duration((double)row->lag_ns, word);
		else
			value = "-";
		break;
	case FILL:
		(void)snprintf(word, sizeof(word), "%.0f %%", row->fill_ratio * 100);
		break;
	case RINGS:
		if (!row->is_ring)
			(void)units_format_count(row->rings, word);
		break;
	default:
		(void)units_format_count(column == OPEN      ? row->open
		                         : column == DROPPED ? row->dropped
		                         : column == STORED  ? row->stored
		                                             : row->rejected,
		                         word);
	}
	(void)snprintf(text, CELL_BYTES, "%s", value);
}

/* How many columns of the table fit. */
static uint32_t fitting(const struct view_form *form) {
	uint32_t used = 0;
	uint32_t count = 0;
	while (count < COLUMN_COUNT) {
		used += table[count].columns + (count > 0);
		if (form->columns > 0 && used > form->columns && count > 0)
			break;
		count++;
	}
	return count;
}

static void print_cells(FILE *file, const struct view_row *row, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		char text[CELL_BYTES];
		if (row)
			cell_text(row, i, text);
		else
			(void)snprintf(text, sizeof(text), "%s", table[i].title);
		if (i > 0)
			(void)fputc(' ', file);
		if (table[i].is_text)
			view_print_cell(file, text, table[i].columns, true);
		else
			(void)fprintf(file, "%*s", (int)table[i].columns, text);
	}
}

static bool is_in_trouble(const struct view_row *row) {
	return row->quarantined > 0 || row->dropped > 0 || row->rejected > 0 || row->fill_ratio > 0.8;
}

uint32_t view_print_rows(FILE *file, const struct view *view, const struct view_form *form) {
	uint32_t count = fitting(form);
	uint32_t printed = 0;
	print_cells(file, NULL, count);
	(void)fputs(form->line_end, file);
	for (uint32_t i = 0; i < view->row_count && (form->rows_max == 0 || printed < form->rows_max); i++) {
		const struct view_row *row = &view->rows[i];
		if (row->is_ring && !form->each_ring && !row->quarantined)
			continue;
		const char *colour = !form->colour ? "" : is_in_trouble(row) ? RED : row->is_ring ? DIM : "";
		(void)fputs(colour, file);
		print_cells(file, row, count);
		(void)fputs(*colour ? PLAIN : "", file);
		(void)fputs(form->line_end, file);
		printed++;
	}
	return printed;
}
