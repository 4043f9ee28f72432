/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define F64_DIGITS_MIN 15
#define F64_DIGITS_MAX 17
#define F64_TEXT_BYTES 32u
#define PIECE_BYTES 8u /* one character, escaped */

struct json json_begin(FILE *file) {
	struct json json = {.file = file};
	return json;
}

struct json json_begin_line(FILE *file) {
	struct json json = {.file = file, .is_line = true};
	return json;
}

/* What stands for the first character of text, and how many bytes that was; at most PIECE_BYTES with its zero. */
static size_t escape_one(const char *text, size_t bytes, char ret_piece[PIECE_BYTES]) {
	uint32_t code = 0;
	size_t length = text_utf8_sequence(text, bytes, &code);
	if (length == 0) {
		memcpy(ret_piece, "\\ufffd", sizeof("\\ufffd"));
		return 1;
	}
	if (code == '"' || code == '\\') {
		(void)snprintf(ret_piece, PIECE_BYTES, "\\%c", (char)code);
	} else if (text_is_dangerous(code)) {
		(void)snprintf(ret_piece, PIECE_BYTES, "\\u%04x", code & 0xffff);
	} else {
		memcpy(ret_piece, text, length);
		ret_piece[length] = '\0';
	}
	return length;
}

size_t json_escape(const char *text, size_t bytes, char *ret_text, size_t ret_bytes) {
	size_t out = 0;
	for (size_t at = 0; at < bytes;) {
		char piece[PIECE_BYTES];
		size_t taken = escape_one(text + at, bytes - at, piece);
		size_t wanted = strlen(piece);
		if (out + wanted + 1 > ret_bytes)
			break;
		memcpy(ret_text + out, piece, wanted);
		out += wanted;
		at += taken;
	}
	if (ret_bytes > 0)
		ret_text[out] = '\0';
	return out;
}

static void write_string(FILE *file, const char *text, size_t bytes) {
	(void)fputc('"', file);
	for (size_t at = 0; at < bytes;) {
		char piece[PIECE_BYTES];
		at += escape_one(text + at, bytes - at, piece);
		(void)fputs(piece, file);
	}
	(void)fputc('"', file);
}

static void new_line(const struct json *json) {
	if (!json->is_line)
		(void)fprintf(json->file, "\n%*s", (int)(2 * json->depth), "");
}

/* What stands before a value: comma, new line, indentation, key. */
static void lead_in(struct json *json, const char *key) {
	if (json->depth > 0) {
		bool *has_values = &json->has_values[json->depth - 1];
		if (*has_values)
			(void)fputs(json->is_line ? ", " : ",", json->file);
		*has_values = true;
		new_line(json);
	}
	if (key) {
		write_string(json->file, key, strlen(key));
		(void)fputs(": ", json->file);
	}
}

void json_open(struct json *json, const char *key, char bracket) {
	assert(json->depth < JSON_DEPTH_MAX);
	assert(bracket == '{' || bracket == '[');
	lead_in(json, key);
	(void)fputc(bracket, json->file);
	json->closers[json->depth] = bracket == '{' ? '}' : ']';
	json->has_values[json->depth] = false;
	json->depth++;
}

void json_close(struct json *json) {
	assert(json->depth > 0);
	json->depth--;
	if (json->has_values[json->depth])
		new_line(json);
	(void)fputc(json->closers[json->depth], json->file);
	if (json->depth == 0)
		(void)fputc('\n', json->file);
}

void json_text_n(struct json *json, const char *key, const char *value, size_t bytes) {
	lead_in(json, key);
	write_string(json->file, value, bytes);
}

void json_text(struct json *json, const char *key, const char *value) {
	json_text_n(json, key, value, strlen(value));
}

void json_u64(struct json *json, const char *key, uint64_t value) {
	lead_in(json, key);
	(void)fprintf(json->file, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *key, int64_t value) {
	lead_in(json, key);
	(void)fprintf(json->file, "%" PRId64, value);
}

/* The fewest digits that are read back as the same number: 17 always are, most numbers that people wrote need 15. */
static void write_f64(FILE *file, double value) {
	char text[F64_TEXT_BYTES];
	int digits = F64_DIGITS_MIN;
	do
		(void)snprintf(text, sizeof(text), "%.*g", digits, value);
	while (++digits <= F64_DIGITS_MAX && strtod(text, NULL) != value);
	(void)fputs(text, file);
}

void json_f64(struct json *json, const char *key, double value) {
	lead_in(json, key);
	if (isfinite(value))
		write_f64(json->file, value);
	else
		(void)fputs("null", json->file);
}

void json_bool(struct json *json, const char *key, bool value) {
	lead_in(json, key);
	(void)fputs(value ? "true" : "false", json->file);
}

void json_null(struct json *json, const char *key) {
	lead_in(json, key);
	(void)fputs("null", json->file);
}
