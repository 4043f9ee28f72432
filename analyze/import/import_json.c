/* SPDX-License-Identifier: Apache-2.0 */
#include "import_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int key_fits(struct json_reader *reader, const char *name, size_t before, size_t bytes) {
	if (before + bytes > IMPORT_KEY_BYTES_MAX)
		return json_reader_refuse(reader, "expected a key of at most %u bytes", IMPORT_KEY_BYTES_MAX);
	if (memchr(name, 0, bytes))
		return json_reader_refuse(reader, "expected a key without zero bytes");
	return 0;
}

int import_key_set(struct json_reader *reader, struct import_key *key) {
	int error = key_fits(reader, reader->text, 0, reader->text_bytes);
	if (error)
		return error;
	memcpy(key->text, reader->text, reader->text_bytes + 1);
	key->bytes = reader->text_bytes;
	return 0;
}

int import_key_add(struct json_reader *reader, struct import_key *key, const char *name, size_t bytes,
                   size_t *ret_before) {
	int error = key_fits(reader, name, key->bytes + 1, bytes);
	if (error)
		return error;
	*ret_before = key->bytes;
	key->text[key->bytes] = '.';
	memcpy(key->text + key->bytes + 1, name, bytes);
	key->bytes += 1 + bytes;
	key->text[key->bytes] = 0;
	return 0;
}

int import_key_add_index(struct json_reader *reader, struct import_key *key, uint64_t index, size_t *ret_before) {
	char digits[24];
	int count = snprintf(digits, sizeof(digits), "%" PRIu64, index);
	return import_key_add(reader, key, digits, (size_t)count, ret_before);
}

void import_key_cut(struct import_key *key, size_t before) {
	key->bytes = before;
	key->text[before] = 0;
}

int import_json_expect(struct json_reader *reader, const char *expected) {
	return expected ? json_reader_refuse(reader, "expected %s", expected) : 0;
}

int import_json_begin(struct json_reader *reader, enum json_type wanted, const char *expected) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error)
		return error;
	if (type == JSON_NULL)
		return 0;
	return type == wanted ? 1 : import_json_expect(reader, expected);
}

static int read_value(struct json_reader *reader, const struct import_target *target, struct import_key *key);

static int read_map(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	size_t before = 0;
	bool any = false;
	int more;
	while ((more = json_reader_key(reader)) == 1) {
		any = true;
		int error = import_key_add(reader, key, reader->text, reader->text_bytes, &before);
		if (!error)
			error = read_value(reader, target, key);
		if (error)
			return error;
		import_key_cut(key, before);
	}
	return more || any ? more : import_json_expect(reader, import_add_string(target, key->text, "{}", 2));
}

static int read_list(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	size_t before = 0;
	uint64_t index = 0;
	int more;
	while ((more = json_reader_item(reader)) == 1) {
		int error = import_key_add_index(reader, key, index++, &before);
		if (!error)
			error = read_value(reader, target, key);
		if (error)
			return error;
		import_key_cut(key, before);
	}
	return more || index ? more : import_json_expect(reader, import_add_string(target, key->text, "[]", 2));
}

static int read_value(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error)
		return error;
	switch (type) {
	case JSON_OBJECT:
		return read_map(reader, target, key);
	case JSON_ARRAY:
		return read_list(reader, target, key);
	case JSON_STRING:
		return import_json_expect(reader,
		                          import_add_string(target, key->text, reader->text, reader->text_bytes));
	case JSON_NUMBER:
		return import_json_expect(reader, import_add_number(target, key->text, reader->text));
	case JSON_TRUE:
	case JSON_FALSE:
		return import_json_expect(reader, import_add_bool(target, key->text, type == JSON_TRUE));
	case JSON_NULL:
		break;
	}
	return 0;
}

int import_json_attributes(struct json_reader *reader, const struct import_target *target) {
	struct import_key key;
	int more = import_json_begin(reader, JSON_OBJECT, "an object of attributes");
	if (more != 1)
		return more;
	while ((more = json_reader_key(reader)) == 1) {
		int error = import_key_set(reader, &key);
		if (!error)
			error = read_value(reader, target, &key);
		if (error)
			return error;
	}
	return more;
}
