/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes in JSON. Values that hold others become one attribute for each of those, however deep: `{"a": {"b": [1, 2]}}` is `a.b.0` = 1 and
 * `a.b.1` = 2. An empty list is the string "[]", an empty map "{}"; null is nothing.
 */
#ifndef SPANRING_ANALYZE_IMPORT_JSON_H
#define SPANRING_ANALYZE_IMPORT_JSON_H

#include "import_span.h"
#include "json_reader.h"

/* A key that grows by what it leads to. */
struct import_key {
	char text[IMPORT_KEY_BYTES_MAX + 1];
	size_t bytes;
};

/* 0 or what json_reader_refuse returns. */
int import_key_set(struct json_reader *reader, struct import_key *key);
/* ".name" behind it; *ret_before is what import_key_cut takes off again. */
int import_key_add(struct json_reader *reader, struct import_key *key, const char *name, size_t bytes,
                   size_t *ret_before);
int import_key_add_index(struct json_reader *reader, struct import_key *key, uint64_t index, size_t *ret_before);
void import_key_cut(struct import_key *key, size_t before);

/* Refuse the value at hand unless expected is NULL. */
int import_json_expect(struct json_reader *reader, const char *expected);
/* Begin the next value, which must be of this type: 1; null: 0; or an error. */
int import_json_begin(struct json_reader *reader, enum json_type wanted, const char *expected);

/* The next value, an object of attributes as they come in JSON Lines. */
int import_json_attributes(struct json_reader *reader, const struct import_target *target);

#endif
