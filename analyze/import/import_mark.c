/* SPDX-License-Identifier: Apache-2.0 */
#include "import_mark.h"

#include "byte_source.h"
#include "json_reader.h"

#include <string.h>

bool import_is_number(const char *text, size_t bytes) {
	struct byte_source source;
	struct json_reader reader;
	enum json_type type;
	if (bytes == 0 || *text == 0 || !strchr("-0123456789", *text))
		return false;
	byte_source_memory(text, bytes, &source);
	json_reader_init(&reader, &source);
	bool is = json_reader_value(&reader, &type) == 0 && byte_source_peek(&source) == BYTE_SOURCE_END;
	json_reader_done(&reader);
	return is;
}

static bool is_word(const char *text, size_t bytes, const char *word) {
	return bytes == strlen(word) && memcmp(text, word, bytes) == 0;
}

bool import_is_not_finite(const char *text, size_t bytes) {
	return is_word(text, bytes, "NaN") || is_word(text, bytes, "Infinity") || is_word(text, bytes, "-Infinity");
}

bool import_needs_mark(const char *text, size_t bytes) {
	while (bytes > 0 && *text == '\'') {
		text++;
		bytes--;
	}
	if (bytes == 0)
		return true;
	return memchr("=+-@\t\r", *text, 6) || is_word(text, bytes, "true") || is_word(text, bytes, "false") ||
	       import_is_number(text, bytes) || import_is_not_finite(text, bytes);
}
