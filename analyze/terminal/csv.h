/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of comma-separated values after RFC 4180, ended by CR LF as it wants. The first value of a line begins it. */
#ifndef SPANRING_ANALYZE_CSV_H
#define SPANRING_ANALYZE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct csv {
	FILE *out;
	bool has_values;
};

/* Quoted where it must be. What a spreadsheet would run as a formula gets an apostrophe before it. */
void csv_text(struct csv *csv, const char *text, size_t bytes);
/* Digits that stand there already. */
void csv_number(struct csv *csv, const char *text);
void csv_u64(struct csv *csv, uint64_t value);
void csv_f64(struct csv *csv, double value);
void csv_end(struct csv *csv);

#endif
