/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include <inttypes.h>
#include <string.h>

static void part(struct csv *csv) {
	if (csv->has_values)
		(void)fputc(',', csv->out);
	csv->has_values = true;
}

static bool needs_quotes(const char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++)
		if (text[i] == 0 || strchr(",\"\r\n", text[i]))
			return true;
	return bytes > 0 && (text[0] == ' ' || text[bytes - 1] == ' ');
}

void csv_text(struct csv *csv, const char *text, size_t bytes) {
	bool formula = bytes > 0 && memchr("=+-@\t\r", text[0], 6);
	part(csv);
	if (!formula && !needs_quotes(text, bytes)) {
		(void)fwrite(text, 1, bytes, csv->out);
		return;
	}
	(void)fputs(formula ? "\"'" : "\"", csv->out);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '"')
			(void)fputc('"', csv->out);
		(void)fputc(text[i], csv->out);
	}
	(void)fputc('"', csv->out);
}

void csv_number(struct csv *csv, const char *text) {
	part(csv);
	(void)fputs(text, csv->out);
}

void csv_u64(struct csv *csv, uint64_t value) {
	part(csv);
	(void)fprintf(csv->out, "%" PRIu64, value);
}

void csv_f64(struct csv *csv, double value) {
	part(csv);
	(void)fprintf(csv->out, "%.17g", value);
}

void csv_end(struct csv *csv) {
	(void)fputs("\r\n", csv->out);
	csv->has_values = false;
}
