/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdio.h>
#include <string.h>

void text_hex_encode(const uint8_t *bytes, size_t count, char *ret_text) {
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * count] = 0;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool text_hex_decode(const char *text, uint8_t *ret_bytes, size_t count) {
	size_t digits = 0;
	for (; digits < 2 * count; text++) {
		if (*text == '-')
			continue;
		int value = hex_digit(*text);
		if (value < 0)
			return false;
		uint8_t *byte = &ret_bytes[digits / 2];
		*byte = (uint8_t)(digits % 2 == 0 ? value << 4 : *byte | value);
		digits++;
	}
	return true;
}

size_t text_utf8_sequence(const char *text, size_t bytes, uint32_t *ret_code_point) {
	static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (bytes == 0)
		return 0;
	uint8_t lead = (uint8_t)text[0];
	size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
	if (length == 0 || length > bytes)
		return 0;
	uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		uint8_t next = (uint8_t)text[i];
		if (next >> 6 != 2)
			return 0;
		code = code << 6 | (next & 0x3fu);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code_point = code;
	return length;
}

bool text_is_dangerous(uint32_t code) {
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

size_t text_printable(const char *text, size_t bytes, char *ret_text, size_t ret_bytes) {
	size_t out = 0;
	for (size_t at = 0; at < bytes;) {
		char piece[16];
		uint32_t code = 0;
		size_t length = text_utf8_sequence(text + at, bytes - at, &code);
		size_t wanted = length;
		if (length == 0 || (text_is_dangerous(code) && code < 0x80)) {
			wanted = (size_t)snprintf(piece, sizeof(piece), "\\x%02x", (uint8_t)text[at]);
			length = 1;
		} else if (text_is_dangerous(code)) {
			wanted = (size_t)snprintf(piece, sizeof(piece), "\\u{%x}", code);
		} else {
			memcpy(piece, text + at, length);
		}
		if (out + wanted + 1 > ret_bytes)
			break;
		memcpy(ret_text + out, piece, wanted);
		out += wanted;
		at += length;
	}
	if (ret_bytes > 0)
		ret_text[out] = 0;
	return out;
}

static size_t code_point_columns(uint32_t code) {
	if ((code >= 0x300 && code <= 0x36f) || code == 0x200b || code == 0x200d || (code >= 0xfe00 && code <= 0xfe0f))
		return 0;
	bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
	            (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
	            (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	            (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
	return wide ? 2 : 1;
}

size_t text_columns(const char *text) {
	size_t bytes = strlen(text);
	size_t columns = 0;
	for (size_t at = 0; at < bytes;) {
		uint32_t code = 0;
		size_t length = text_utf8_sequence(text + at, bytes - at, &code);
		columns += length ? code_point_columns(code) : 1;
		at += length ? length : 1;
	}
	return columns;
}
