/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is about to be written: pieces of JSON without blanks, one after the other, in memory until there is enough for a write. Text from elsewhere is
 * escaped as base/json.h does it.
 */
#ifndef SPANRING_ANALYZE_EXPORT_TEXT_H
#define SPANRING_ANALYZE_EXPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct export_text {
	char *bytes;
	size_t count;
	size_t room;
	bool failed; /* out of memory: export_text_flush says so */
};

void export_text_done(struct export_text *text);

void export_put(struct export_text *text, const char *bytes, size_t count);
void export_put_word(struct export_text *text, const char *word); /* as it stands */
void export_put_u64(struct export_text *text, uint64_t value);
void export_put_i64(struct export_text *text, int64_t value);
/* The fewest digits that are read back as the same number, with a point or an exponent, so that it is no integer; "NaN", "Infinity", "-Infinity" in quotes. */
void export_put_f64(struct export_text *text, double value);
/* In quotes. */
void export_put_json(struct export_text *text, const char *bytes, size_t count);
void export_put_json_word(struct export_text *text, const char *word);
void export_put_id(struct export_text *text, uint64_t id); /* 16 digits */

/* Write all of it, and begin again. 0 or -ENOMEM; errors of the file stay with it. */
int export_text_flush(struct export_text *text, FILE *out);

#endif
