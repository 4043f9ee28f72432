/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as a table, as JSON, as CSV. */
#ifndef SPANRING_ANALYZE_CHANGE_PRINT_H
#define SPANRING_ANALYZE_CHANGE_PRINT_H

#include "change_compare.h"

struct change_print {
	unsigned metric; /* CHANGE_METRICS: a row for each */
	size_t limit;    /* lines */
};

#define CHANGE_TEXT_BYTES 64u

/* "slower", "faster", "more", "fewer", "~" */
const char *change_word(unsigned metric, enum change_verdict verdict);
/* "+9.8 %", "x3.2"; of shares "+0.5 pp". Returns ret_text. */
const char *change_percent(unsigned metric, double change, char ret_text[CHANGE_TEXT_BYTES]);
/* "12.3 ms", "0.5 %", "64 KiB" */
const char *change_value(unsigned metric, double value, char ret_text[CHANGE_TEXT_BYTES]);

/* 0 or -ENOMEM */
int change_print_text(const struct change_comparison *comparison, const struct change_print *print);
void change_print_json(const struct change_comparison *comparison, const struct change_print *print);
void change_print_csv(const struct change_comparison *comparison, const struct change_print *print);

#endif
