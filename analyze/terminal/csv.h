/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of comma-separated values after RFC 4180, ended by CR LF as it wants. The first value of a line begins it. */
#ifndef SPANRING_ANALYZE_CSV_H
#define SPANRING_ANALYZE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum csv_place { CSV_PLACE_UNKNOWN, CSV_PLACE_FILE, CSV_PLACE_TERMINAL };

struct csv {
	FILE *out;
	bool has_values;
	enum csv_place place; /* found out with the first text */
};

/*
 * Quoted where it must be. What a spreadsheet would run as a formula gets an apostrophe before it. Into a file or pipe all bytes go as they are; a
 * terminal gets those that it would obey escaped (text_printable).
 */
void csv_text(struct csv *csv, const char *text, size_t bytes);
/* Likewise, of a text that ends with a zero byte. */
void csv_string(struct csv *csv, const char *text);
/* What is not known. */
void csv_none(struct csv *csv);
/* Digits that stand there already. */
void csv_number(struct csv *csv, const char *text);
void csv_u64(struct csv *csv, uint64_t value);
void csv_f64(struct csv *csv, double value);
void csv_end(struct csv *csv);
/* A whole line: "name,count,errors". */
void csv_head(struct csv *csv, const char *titles);

#endif
