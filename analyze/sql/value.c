/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#define HEX_BYTES_MAX 16u

void value_u64(sqlite3_context *context, uint64_t value) {
	sqlite3_result_int64(context, value > INT64_MAX ? INT64_MAX : (sqlite3_int64)value);
}

void value_figure(sqlite3_context *context, uint64_t value) {
	if (value != UINT64_MAX)
		value_u64(context, value);
}

static bool is_ascii(const char *text, size_t bytes) {
	unsigned char all = 0;
	for (size_t i = 0; i < bytes; i++)
		all |= (unsigned char)text[i];
	return all < 0x80;
}

/* What is not UTF-8 as U+FFFD, at most three bytes for one. */
static size_t mend(const char *text, size_t bytes, char *ret_text) {
	size_t written = 0;
	for (size_t at = 0; at < bytes;) {
		uint32_t code_point;
		size_t length = text_utf8_sequence(text + at, bytes - at, &code_point);
		const char *from = length ? text + at : "\xef\xbf\xbd";
		memcpy(ret_text + written, from, length ? length : 3);
		written += length ? length : 3;
		at += length ? length : 1;
	}
	return written;
}

void value_text_n(sqlite3_context *context, const char *text, size_t bytes) {
	if (is_ascii(text, bytes)) {
		sqlite3_result_text64(context, text, bytes, SQLITE_TRANSIENT, SQLITE_UTF8);
		return;
	}
	char *mended = sqlite3_malloc64(3 * (sqlite3_uint64)bytes + 1);
	if (mended)
		sqlite3_result_text64(context, mended, mend(text, bytes, mended), sqlite3_free, SQLITE_UTF8);
	else
		sqlite3_result_error_nomem(context);
}

void value_text(sqlite3_context *context, const char *text) {
	if (*text)
		value_text_n(context, text, strlen(text));
}

void value_word(sqlite3_context *context, const char *word) {
	sqlite3_result_text(context, word, -1, SQLITE_STATIC);
}

void value_hex(sqlite3_context *context, const uint8_t *bytes, size_t count) {
	char text[2 * HEX_BYTES_MAX + 1];
	text_hex_encode(bytes, count, text);
	sqlite3_result_text(context, text, (int)(2 * count), SQLITE_TRANSIENT);
}

static void put_big_endian(uint64_t value, uint8_t *ret_bytes) {
	for (unsigned i = 0; i < 8; i++)
		ret_bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

void value_id(sqlite3_context *context, uint64_t id) {
	uint8_t bytes[8];
	put_big_endian(id, bytes);
	value_hex(context, bytes, sizeof(bytes));
}

void value_trace(sqlite3_context *context, uint64_t hi, uint64_t lo) {
	uint8_t bytes[16];
	put_big_endian(hi, bytes);
	put_big_endian(lo, bytes + 8);
	value_hex(context, bytes, sizeof(bytes));
}
