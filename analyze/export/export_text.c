/* SPDX-License-Identifier: Apache-2.0 */
#include "export_text.h"

#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST ((size_t)64 << 10)
#define NUMBER_BYTES 40u
#define PIECE_BYTES 16u            /* one character, escaped */
#define REPLACEMENT "\xef\xbf\xbd" /* as it is written when it is read and written again */
#define F64_DIGITS_MIN 15
#define F64_DIGITS_MAX 17

void export_text_done(struct export_text *text) {
	free(text->bytes);
	*text = (struct export_text){0};
}

static bool make_room(struct export_text *text, size_t count) {
	if (count <= text->room - text->count)
		return true;
	size_t room = text->room ? text->room : ROOM_FIRST;
	while (room - text->count < count)
		room *= 2;
	char *grown = realloc(text->bytes, room);
	if (!grown) {
		text->failed = true;
		return false;
	}
	text->bytes = grown;
	text->room = room;
	return true;
}

void export_put(struct export_text *text, const char *bytes, size_t count) {
	if (count == 0 || !make_room(text, count))
		return;
	memcpy(text->bytes + text->count, bytes, count);
	text->count += count;
}

void export_put_word(struct export_text *text, const char *word) {
	export_put(text, word, strlen(word));
}

void export_put_u64(struct export_text *text, uint64_t value) {
	char digits[NUMBER_BYTES];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	export_put(text, digits + at, sizeof(digits) - at);
}

void export_put_i64(struct export_text *text, int64_t value) {
	if (value < 0)
		export_put(text, "-", 1);
	export_put_u64(text, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void export_put_f64(struct export_text *text, double value) {
	char number[NUMBER_BYTES];
	int digits = F64_DIGITS_MIN;
	if (!isfinite(value)) {
		export_put_word(text, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	do
		(void)snprintf(number, sizeof(number), "%.*g", digits, value);
	while (++digits <= F64_DIGITS_MAX && strtod(number, NULL) != value);
	export_put_word(text, number);
	if (!strpbrk(number, ".e"))
		export_put(text, ".0", 2);
}

static bool is_plain(char byte) {
	return byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
}

void export_put_json(struct export_text *text, const char *bytes, size_t count) {
	export_put(text, "\"", 1);
	for (size_t at = 0; at < count;) {
		char piece[PIECE_BYTES];
		uint32_t code = 0;
		size_t plain = 0;
		while (at + plain < count && is_plain(bytes[at + plain]))
			plain++;
		export_put(text, bytes + at, plain);
		at += plain;
		if (at == count)
			break;
		size_t length = text_utf8_sequence(bytes + at, count - at, &code);
		if (length == 0)
			export_put_word(text, REPLACEMENT);
		else
			export_put(text, piece, json_escape(bytes + at, length, piece, sizeof(piece)));
		at += length ? length : 1;
	}
	export_put(text, "\"", 1);
}

void export_put_json_word(struct export_text *text, const char *word) {
	export_put_json(text, word, strlen(word));
}

void export_put_id(struct export_text *text, uint64_t id) {
	static const char digits[] = "0123456789abcdef";
	char hex[16];
	for (unsigned i = 0; i < sizeof(hex); i++)
		hex[i] = digits[id >> (60 - 4 * i) & 15];
	export_put(text, hex, sizeof(hex));
}

int export_text_flush(struct export_text *text, FILE *out) {
	if (text->failed)
		return -ENOMEM;
	if (text->count > 0)
		(void)fwrite(text->bytes, 1, text->count, out);
	text->count = 0;
	return 0;
}
