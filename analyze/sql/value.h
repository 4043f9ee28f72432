/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the store as values of SQLite: whole numbers end at 2^63-1, texts are UTF-8, ids are lower-case hexadecimal. */
#ifndef SPANRING_ANALYZE_SQL_VALUE_H
#define SPANRING_ANALYZE_SQL_VALUE_H

#include "sql_api.h"

#include <stddef.h>
#include <stdint.h>

void value_u64(sqlite3_context *context, uint64_t value);
/* UINT64_MAX, where a figure could not be read, is NULL. */
void value_figure(sqlite3_context *context, uint64_t value);
/* "" is NULL; what is not UTF-8 becomes U+FFFD. */
void value_text(sqlite3_context *context, const char *text);
void value_text_n(sqlite3_context *context, const char *text, size_t bytes);
/* A constant. */
void value_word(sqlite3_context *context, const char *word);
void value_id(sqlite3_context *context, uint64_t id);
void value_trace(sqlite3_context *context, uint64_t hi, uint64_t lo);
void value_hex(sqlite3_context *context, const uint8_t *bytes, size_t count);

#endif
