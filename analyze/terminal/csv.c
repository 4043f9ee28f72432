/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRINTABLE_BYTES_MAX 8u /* of one byte: \u{202e} of three, \x1b of one */

static void part(struct csv *csv) {
	if (csv->has_values)
		(void)putc_unlocked(',', csv->out);
	csv->has_values = true;
}

static bool needs_quotes(const char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++)
		if (text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n' || text[i] == 0)
			return true;
	return bytes > 0 && (text[0] == ' ' || text[bytes - 1] == ' ');
}

static bool is_terminal(struct csv *csv) {
	if (csv->place == CSV_PLACE_UNKNOWN)
		csv->place = isatty(fileno(csv->out)) ? CSV_PLACE_TERMINAL : CSV_PLACE_FILE;
	return csv->place == CSV_PLACE_TERMINAL;
}

static void put_text(struct csv *csv, const char *text, size_t bytes) {
	bool formula = bytes > 0 && memchr("=+-@\t\r", text[0], 6);
	part(csv);
	if (!formula && !needs_quotes(text, bytes)) {
		(void)fwrite_unlocked(text, 1, bytes, csv->out);
		return;
	}
	(void)fputs(formula ? "\"'" : "\"", csv->out);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '"')
			(void)putc_unlocked('"', csv->out);
		(void)putc_unlocked(text[i], csv->out);
	}
	(void)putc_unlocked('"', csv->out);
}

/* A text that finds no memory is left out: the line keeps its number of values. */
void csv_text(struct csv *csv, const char *text, size_t bytes) {
	if (!is_terminal(csv)) {
		put_text(csv, text, bytes);
		return;
	}
	CLEANUP_FREE char *printable = malloc(PRINTABLE_BYTES_MAX * bytes + 1);
	size_t length = printable ? text_printable(text, bytes, printable, PRINTABLE_BYTES_MAX * bytes + 1) : 0;
	put_text(csv, printable ? printable : "", length);
}

void csv_string(struct csv *csv, const char *text) {
	csv_text(csv, text, strlen(text));
}

void csv_none(struct csv *csv) {
	part(csv);
}

void csv_number(struct csv *csv, const char *text) {
	part(csv);
	(void)fputs_unlocked(text, csv->out);
}

void csv_u64(struct csv *csv, uint64_t value) {
	char digits[20];
	size_t at = sizeof(digits);
	part(csv);
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	(void)fwrite_unlocked(digits + at, 1, sizeof(digits) - at, csv->out);
}

void csv_f64(struct csv *csv, double value) {
	part(csv);
	(void)fprintf(csv->out, "%.17g", value);
}

void csv_end(struct csv *csv) {
	(void)fputs_unlocked("\r\n", csv->out);
	csv->has_values = false;
}

void csv_head(struct csv *csv, const char *titles) {
	(void)fputs(titles, csv->out);
	csv_end(csv);
}
