/* SPDX-License-Identifier: Apache-2.0 */
#include "fit.h"

#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPED_BYTES_MAX 4u /* what text_printable makes of one byte, at most: "\x1b" */

static size_t step(const char *text) {
	uint32_t code = 0;
	size_t length = text_utf8_sequence(text, strnlen(text, 4), &code);
	return length ? length : 1;
}

/* Bytes of the longest beginning of text that takes at most this many columns. */
static size_t prefix_bytes(const char *text, size_t columns) {
	size_t at = 0;
	size_t used = 0;
	while (text[at]) {
		char one[8] = {0};
		size_t length = step(text + at);
		memcpy(one, text + at, length);
		used += text_columns(one);
		if (used > columns)
			break;
		at += length;
	}
	return at;
}

/* Offset of the longest end of text that takes at most this many columns. */
static size_t suffix_offset(const char *text, size_t columns) {
	size_t at = 0;
	size_t left = text_columns(text);
	while (text[at] && left > columns) {
		char one[8] = {0};
		size_t length = step(text + at);
		memcpy(one, text + at, length);
		left -= text_columns(one);
		at += length;
	}
	return at;
}

static char *cut(const char *text, size_t columns, size_t tail_columns, bool utf8) {
	const char *ellipsis = utf8 ? "\xe2\x80\xa6" : "..";
	size_t ellipsis_columns = utf8 ? 1 : 2;
	if (text_columns(text) <= columns)
		return strdup(text);
	if (columns <= ellipsis_columns) {
		ellipsis = "";
		ellipsis_columns = 0;
		tail_columns = 0;
	}
	size_t head = prefix_bytes(text, columns - ellipsis_columns - tail_columns);
	size_t tail = tail_columns ? suffix_offset(text, tail_columns) : strlen(text);
	size_t bytes = head + strlen(ellipsis) + strlen(text + tail) + 1;
	char *result = malloc(bytes);
	if (!result)
		return NULL;
	memcpy(result, text, head);
	(void)strcpy(result + head, ellipsis);
	(void)strcat(result + head, text + tail);
	return result;
}

char *fit_middle(const char *text, size_t columns, bool utf8) {
	size_t ellipsis_columns = utf8 ? 1 : 2;
	return cut(text, columns, columns > ellipsis_columns ? (columns - ellipsis_columns) / 2 : 0, utf8);
}

char *fit_end(const char *text, size_t columns, bool utf8) {
	return cut(text, columns, 0, utf8);
}

char *fit_printable(const char *text, size_t bytes) {
	size_t room = bytes * ESCAPED_BYTES_MAX + 1;
	char *result = malloc(room);
	if (!result)
		return NULL;
	(void)text_printable(text, bytes, result, room);
	return result;
}
