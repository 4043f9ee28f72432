/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON (RFC 8259) from a stream, a value at a time, as the caller asks for it; nothing but the scalar at hand is kept, so a document
 * may be of any length. Strict: no comments, no trailing commas, UTF-8 only; one half of a surrogate pair alone becomes U+FFFD.
 *
 *     json_reader_value(&reader, &type);                     // of the whole document
 *     while ((more = json_reader_key(&reader)) == 1)         // when it was JSON_OBJECT; json_reader_item of a JSON_ARRAY
 *         if (strcmp(reader.text, "name") == 0)
 *             json_reader_value(&reader, &type);
 *         else
 *             json_reader_skip(&reader);
 *
 * Each function returns a negative errno once something is wrong, and from then on; error says what was expected, line and column where.
 */
#ifndef SPANRING_ANALYZE_JSON_READER_H
#define SPANRING_ANALYZE_JSON_READER_H

#include "byte_source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_READER_DEPTH_MAX 64u
#define JSON_READER_TEXT_BYTES_MAX (4u << 20) /* of one string or number */
#define JSON_READER_ERROR_BYTES 160u

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

struct json_reader {
	struct byte_source *source;
	bool one_line; /* a line break ends the document, wherever it stands */
	char *text;    /* of the last key, string or number; zero-terminated, may hold zeros */
	size_t text_bytes;
	size_t text_room;
	uint32_t depth;
	bool begun[JSON_READER_DEPTH_MAX]; /* has a value already */
	bool objects[JSON_READER_DEPTH_MAX];
	bool pending;  /* a key was read, its value was not */
	bool unsound;  /* what failed is the JSON itself */
	uint64_t line; /* where the last key or value begins, or the error */
	uint64_t column;
	int failed;
	char error[JSON_READER_ERROR_BYTES];
};

void json_reader_init(struct json_reader *reader, struct byte_source *source);
void json_reader_done(struct json_reader *reader);

/* Between two documents: 1 if there is another, 0 at the end. Forgets the error of the one before. */
int json_reader_document(struct json_reader *reader);

/* The next value: a scalar whole, of an object or array the opening bracket. */
int json_reader_value(struct json_reader *reader, enum json_type *ret_type);
/* In an object: 1, a key is in text and its value comes next; 0, it is closed. */
int json_reader_key(struct json_reader *reader);
/* In an array: 1, a value comes next; 0, it is closed. */
int json_reader_item(struct json_reader *reader);
/* The next value with all that is in it. */
int json_reader_skip(struct json_reader *reader);
/* After a refusal of sound JSON: go on behind what is open from this depth on. */
int json_reader_recover(struct json_reader *reader, uint32_t depth);
/* Nothing but white space up to the end of the line or the input. */
int json_reader_line_end(struct json_reader *reader);

/* Say that the value at hand is not what was expected; returns what the others return from then on. */
__attribute__((format(printf, 2, 3))) int json_reader_refuse(struct json_reader *reader, const char *format, ...);

#endif
