/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one JSON document to a stream, a value at a time; commas, indentation and escaping are kept here. Keys come out in
 * the order of the calls. Strings from elsewhere are safe: controls and what reorders text are escaped, bytes that are not UTF-8 become U+FFFD.
 *
 *     struct json json = json_begin(stdout);
 *     json_open(&json, NULL, '{');
 *     json_text(&json, "schema", "latency/1");
 *     json_open(&json, "names", '[');
 *     ...
 *     json_close(&json);
 *     json_close(&json);              // the last close ends the line
 *
 * In an object every value has a key, in an array none (NULL).
 */
#ifndef SPANRING_BASE_JSON_H
#define SPANRING_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 320u

struct json {
	FILE *file;
	bool is_line;
	uint32_t depth;
	char closers[JSON_DEPTH_MAX];
	bool has_values[JSON_DEPTH_MAX];
};

/*
 * What stands between the quotes of a string, cut at a whole character if ret_bytes is too small, always terminated. Returns the
 * number of bytes written.
 */
size_t json_escape(const char *text, size_t bytes, char *ret_text, size_t ret_bytes);

struct json json_begin(FILE *file);
/* The whole document in one line, for streams of documents (JSON Lines). */
struct json json_begin_line(FILE *file);
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json);
void json_text(struct json *json, const char *key, const char *value);
void json_text_n(struct json *json, const char *key, const char *value, size_t bytes);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
/* A value that is not finite becomes null. */
void json_f64(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
