/* SPDX-License-Identifier: Apache-2.0 */
#include "json_reader.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_STEP 256u

void json_reader_init(struct json_reader *reader, struct byte_source *source) {
	*reader = (struct json_reader){.source = source, .line = 1, .column = 1};
}

void json_reader_done(struct json_reader *reader) {
	free(reader->text);
	reader->text = NULL;
}

int json_reader_refuse(struct json_reader *reader, const char *format, ...) {
	va_list arguments;
	if (reader->failed)
		return reader->failed;
	va_start(arguments, format);
	(void)vsnprintf(reader->error, sizeof(reader->error), format, arguments);
	va_end(arguments);
	reader->failed = -EINVAL;
	return reader->failed;
}

static void mark(struct json_reader *reader) {
	reader->line = reader->source->line;
	reader->column = reader->source->column;
}

__attribute__((format(printf, 2, 3))) static int spoil(struct json_reader *reader, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(reader->error, sizeof(reader->error), format, arguments);
	va_end(arguments);
	reader->unsound = true;
	reader->failed = -EINVAL;
	return reader->failed;
}

/* The next byte is not one that may stand here. */
static int unexpected(struct json_reader *reader, const char *expected) {
	int found = byte_source_peek(reader->source);
	mark(reader);
	if (reader->source->error) {
		(void)spoil(reader, "cannot be read: %s", strerror(-reader->source->error));
		return reader->failed = reader->source->error;
	}
	if (found == BYTE_SOURCE_END)
		return spoil(reader, "expected %s, found the end of the input", expected);
	if (found == '\n' || found == '\r')
		return spoil(reader, "expected %s, found the end of the line", expected);
	if (found < ' ' || found > '~')
		return spoil(reader, "expected %s, found byte 0x%02x", expected, (unsigned)found);
	return spoil(reader, "expected %s, found '%c'", expected, found);
}

/* The next byte that is no white space. */
static int peek_token(struct json_reader *reader) {
	int byte;
	while ((byte = byte_source_peek(reader->source)) == ' ' || byte == '\t' || byte == '\r' ||
	       (byte == '\n' && !reader->one_line))
		byte_source_take(reader->source);
	return byte;
}

static int put(struct json_reader *reader, const char *bytes, size_t count) {
	if (reader->text_bytes + count > JSON_READER_TEXT_BYTES_MAX)
		return spoil(reader, "expected a value of at most %u bytes", JSON_READER_TEXT_BYTES_MAX);
	if (reader->text_bytes + count + 1 > reader->text_room) {
		size_t room = (reader->text_room + count + TEXT_STEP) * 2;
		char *grown = realloc(reader->text, room);
		if (!grown) {
			(void)spoil(reader, "no memory for a value of this length");
			return reader->failed = -ENOMEM;
		}
		reader->text = grown;
		reader->text_room = room;
	}
	memcpy(reader->text + reader->text_bytes, bytes, count);
	reader->text_bytes += count;
	reader->text[reader->text_bytes] = 0;
	return 0;
}

static int put_code_point(struct json_reader *reader, uint32_t code) {
	char utf8[4];
	size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = count - 1; i > 0; i--, code >>= 6)
		utf8[i] = (char)(uint8_t)(0x80 | (code & 0x3f));
	utf8[0] = (char)(uint8_t)(leads[count] | code);
	return put(reader, utf8, count);
}

static int hex_digit(int byte) {
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int four_digits(struct json_reader *reader, uint32_t *ret_unit) {
	uint32_t unit = 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(byte_source_peek(reader->source));
		if (digit < 0)
			return unexpected(reader, "four hexadecimal digits after \\u");
		byte_source_take(reader->source);
		unit = unit << 4 | (uint32_t)digit;
	}
	*ret_unit = unit;
	return 0;
}

static int read_escape(struct json_reader *reader);

/* A high half waits for its low half, which may be any other escape or character instead. */
static int read_unicode(struct json_reader *reader) {
	uint32_t unit = 0;
	uint32_t low = 0;
	int error = four_digits(reader, &unit);
	while (!error && unit >= 0xd800 && unit < 0xdc00) {
		if (byte_source_peek(reader->source) != '\\')
			return put_code_point(reader, 0xfffd);
		byte_source_take(reader->source);
		if (byte_source_peek(reader->source) != 'u') {
			error = put_code_point(reader, 0xfffd);
			return error ? error : read_escape(reader);
		}
		byte_source_take(reader->source);
		error = four_digits(reader, &low);
		if (!error && low >= 0xdc00 && low < 0xe000)
			return put_code_point(reader, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
		error = error ? error : put_code_point(reader, 0xfffd);
		unit = low;
	}
	if (error)
		return error;
	return put_code_point(reader, unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit);
}

/* Behind the backslash. */
static int read_escape(struct json_reader *reader) {
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	int byte = byte_source_peek(reader->source);
	const char *at = byte > 0 ? strchr(from, byte) : NULL;
	if (byte != 'u' && !at)
		return unexpected(reader, "an escape such as \\n or \\u00e4");
	byte_source_take(reader->source);
	return at ? put(reader, &to[at - from], 1) : read_unicode(reader);
}

static int read_utf8(struct json_reader *reader) {
	char bytes[4];
	uint32_t code;
	size_t count = 0;
	int byte = byte_source_peek(reader->source);
	size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
	while (count < wanted && byte > 0x7f) {
		bytes[count++] = (char)(uint8_t)byte;
		byte_source_take(reader->source);
		byte = byte_source_peek(reader->source);
	}
	if (text_utf8_sequence(bytes, count, &code) != wanted)
		return unexpected(reader, "UTF-8 before this");
	return put(reader, bytes, count);
}

/* Plain characters up to the end of what is buffered, at once. */
static int read_plain(struct json_reader *reader) {
	struct byte_source *source = reader->source;
	const uint8_t *at = source->next;
	while (at < source->end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	size_t count = (size_t)(at - source->next);
	int error = put(reader, (const char *)source->next, count);
	source->next = at;
	source->column += count;
	source->bytes += count;
	return error;
}

static int read_string(struct json_reader *reader) {
	int error = put(reader, "", 0);
	byte_source_take(reader->source);
	while (!error) {
		int byte = byte_source_peek(reader->source);
		if (byte < ' ')
			return unexpected(reader, "the closing quote of a string");
		if (byte >= 0x80) {
			error = read_utf8(reader);
		} else if (byte != '"' && byte != '\\') {
			error = read_plain(reader);
		} else {
			byte_source_take(reader->source);
			if (byte == '"')
				return 0;
			error = read_escape(reader);
		}
	}
	return error;
}

static int take_digits(struct json_reader *reader) {
	int byte = byte_source_peek(reader->source);
	if (byte < '0' || byte > '9')
		return unexpected(reader, "a digit");
	for (; byte >= '0' && byte <= '9'; byte = byte_source_peek(reader->source)) {
		char digit = (char)byte;
		if (put(reader, &digit, 1))
			return reader->failed;
		byte_source_take(reader->source);
	}
	return 0;
}

/* One of two bytes, if it is there. */
static bool take_one(struct json_reader *reader, char a, char b) {
	int byte = byte_source_peek(reader->source);
	char taken = (char)byte;
	if (byte != a && byte != b)
		return false;
	byte_source_take(reader->source);
	return put(reader, &taken, 1) == 0;
}

static int read_number(struct json_reader *reader) {
	(void)take_one(reader, '-', '-');
	int error = take_one(reader, '0', '0') ? 0 : take_digits(reader);
	if (!error && take_one(reader, '.', '.'))
		error = take_digits(reader);
	if (!error && take_one(reader, 'e', 'E')) {
		(void)take_one(reader, '+', '-');
		error = take_digits(reader);
	}
	return error ? error : reader->failed;
}

static int read_word(struct json_reader *reader, const char *word) {
	for (; *word; word++) {
		if (byte_source_peek(reader->source) != *word)
			return unexpected(reader, "a value: true, false, null, a number, a string, { or [");
		byte_source_take(reader->source);
	}
	return 0;
}

static int open_bracket(struct json_reader *reader, bool object) {
	if (reader->depth == JSON_READER_DEPTH_MAX)
		return spoil(reader, "expected at most %u values within one another", JSON_READER_DEPTH_MAX);
	byte_source_take(reader->source);
	reader->objects[reader->depth] = object;
	reader->begun[reader->depth++] = false;
	return 0;
}

int json_reader_value(struct json_reader *reader, enum json_type *ret_type) {
	if (reader->failed)
		return reader->failed;
	int byte = peek_token(reader);
	mark(reader);
	reader->text_bytes = 0;
	reader->pending = false;
	switch (byte) {
	case '{':
		*ret_type = JSON_OBJECT;
		return open_bracket(reader, true);
	case '[':
		*ret_type = JSON_ARRAY;
		return open_bracket(reader, false);
	case '"':
		*ret_type = JSON_STRING;
		return read_string(reader);
	case 't':
		*ret_type = JSON_TRUE;
		return read_word(reader, "true");
	case 'f':
		*ret_type = JSON_FALSE;
		return read_word(reader, "false");
	case 'n':
		*ret_type = JSON_NULL;
		return read_word(reader, "null");
	default:
		if (byte != '-' && (byte < '0' || byte > '9'))
			return unexpected(reader, "a value");
		*ret_type = JSON_NUMBER;
		return read_number(reader);
	}
}

/* Past the comma, or the closing bracket: 1 or 0. */
static int next_of(struct json_reader *reader, char closer, const char *expected) {
	if (reader->failed)
		return reader->failed;
	int byte = peek_token(reader);
	bool *begun = &reader->begun[reader->depth - 1];
	if (byte == closer) {
		byte_source_take(reader->source);
		reader->depth--;
		return 0;
	}
	if (*begun) {
		if (byte != ',')
			return unexpected(reader, expected);
		byte_source_take(reader->source);
	}
	*begun = true;
	return 1;
}

int json_reader_key(struct json_reader *reader) {
	int more = next_of(reader, '}', "',' or '}'");
	if (more != 1)
		return more;
	int byte = peek_token(reader);
	if (byte != '"')
		return unexpected(reader, "a key in quotes");
	mark(reader);
	reader->text_bytes = 0;
	int error = read_string(reader);
	if (error)
		return error;
	if (peek_token(reader) != ':')
		return unexpected(reader, "':' after a key");
	byte_source_take(reader->source);
	reader->pending = true;
	return 1;
}

int json_reader_item(struct json_reader *reader) {
	return next_of(reader, ']', "',' or ']'");
}

/* Close what is open from this depth on. */
static int skip_to(struct json_reader *reader, uint32_t depth) {
	enum json_type type;
	int more = 0;
	while (more >= 0 && reader->depth > depth) {
		more = reader->objects[reader->depth - 1] ? json_reader_key(reader) : json_reader_item(reader);
		if (more == 1)
			more = json_reader_value(reader, &type);
	}
	return more;
}

int json_reader_skip(struct json_reader *reader) {
	enum json_type type;
	uint32_t depth = reader->depth;
	int error = json_reader_value(reader, &type);
	return error ? error : skip_to(reader, depth);
}

int json_reader_recover(struct json_reader *reader, uint32_t depth) {
	if (reader->unsound)
		return reader->failed;
	reader->failed = 0;
	int error = reader->pending ? json_reader_skip(reader) : 0;
	return error ? error : skip_to(reader, depth);
}

int json_reader_document(struct json_reader *reader) {
	bool one_line = reader->one_line;
	reader->failed = 0;
	reader->error[0] = 0;
	reader->depth = 0;
	reader->pending = false;
	reader->unsound = false;
	reader->one_line = false;
	int byte = peek_token(reader);
	reader->one_line = one_line;
	mark(reader);
	if (byte == BYTE_SOURCE_END && reader->source->error)
		return unexpected(reader, "a value");
	return byte != BYTE_SOURCE_END;
}

int json_reader_line_end(struct json_reader *reader) {
	bool one_line = reader->one_line;
	reader->one_line = true;
	int byte = reader->failed ? BYTE_SOURCE_END : peek_token(reader);
	reader->one_line = one_line;
	if (byte == BYTE_SOURCE_END || byte == '\n')
		return reader->failed;
	return unexpected(reader, "the end of the line");
}
