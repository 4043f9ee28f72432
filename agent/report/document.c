/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include "base/errs.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES_MAX 64u
#define STRING_BYTES_MAX 1024u /* of one that is shown */

struct reading {
	struct document *to;
	size_t at;
	size_t bytes;
	uint32_t parents[DOCUMENT_DEPTH_MAX]; /* open objects and arrays */
	uint32_t last[DOCUMENT_DEPTH_MAX];    /* newest value in each */
	uint32_t depth;
};

/* 0 at the end: no text of ours holds one. */
static char peek(const struct reading *reading) {
	return reading->at < reading->bytes ? reading->to->text[reading->at] : '\0';
}

static void pass_space(struct reading *reading) {
	while (peek(reading) == ' ' || peek(reading) == '\n' || peek(reading) == '\t' || peek(reading) == '\r')
		reading->at++;
}

static bool is_hex(char c) {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int pass_string(struct reading *reading) {
	for (reading->at++; peek(reading) != '"'; reading->at++) {
		if ((unsigned char)peek(reading) < ' ')
			return ERR_DAMAGED;
		if (peek(reading) != '\\')
			continue;
		reading->at++;
		if (peek(reading) == '\0' || !strchr("\"\\/bfnrtu", peek(reading)))
			return ERR_DAMAGED;
		for (int digits = peek(reading) == 'u' ? 4 : 0; digits > 0; digits--) {
			reading->at++;
			if (!is_hex(peek(reading)))
				return ERR_DAMAGED;
		}
	}
	reading->at++;
	return 0;
}

static size_t digits_at(const struct reading *reading) {
	size_t count = 0;
	while (reading->at + count < reading->bytes && reading->to->text[reading->at + count] >= '0' &&
	       reading->to->text[reading->at + count] <= '9')
		count++;
	return count;
}

static int pass_number(struct reading *reading) {
	size_t begin = reading->at;
	reading->at += peek(reading) == '-';
	size_t digits = digits_at(reading);
	if (digits == 0 || (digits > 1 && peek(reading) == '0'))
		return ERR_DAMAGED;
	reading->at += digits;
	if (peek(reading) == '.') {
		reading->at++;
		digits = digits_at(reading);
		reading->at += digits;
		if (digits == 0)
			return ERR_DAMAGED;
	}
	if (peek(reading) == 'e' || peek(reading) == 'E') {
		reading->at++;
		reading->at += peek(reading) == '+' || peek(reading) == '-';
		digits = digits_at(reading);
		reading->at += digits;
		if (digits == 0)
			return ERR_DAMAGED;
	}
	return reading->at - begin < NUMBER_BYTES_MAX ? 0 : ERR_LIMIT;
}

static int pass_word(struct reading *reading) {
	static const char *const words[] = {"true", "false", "null"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t bytes = strlen(words[i]);
		if (reading->bytes - reading->at < bytes ||
		    memcmp(reading->to->text + reading->at, words[i], bytes) != 0)
			continue;
		reading->at += bytes;
		return 0;
	}
	return ERR_DAMAGED;
}

/* A row for the value that begins here, hung into what is open. */
static int add_value(struct reading *reading, size_t key_at, uint32_t *ret_value) {
	struct document *to = reading->to;
	if (to->count == DOCUMENT_VALUES_MAX)
		return ERR_LIMIT;
	if ((to->count & (to->count - 1)) == 0) {
		size_t room = to->count ? 2 * (size_t)to->count : 64;
		struct document_value *grown =
		    to->count == 0 || to->count >= 64 ? realloc(to->values, room * sizeof(*grown)) : to->values;
		if (!grown)
			return -ENOMEM;
		to->values = grown;
	}
	uint32_t value = to->count++;
	to->values[value] = (struct document_value){
	    .key_at = (uint32_t)key_at, .at = (uint32_t)reading->at, .next = DOCUMENT_NONE, .first = DOCUMENT_NONE};
	if (reading->depth > 0) {
		uint32_t *last = &reading->last[reading->depth - 1];
		if (*last == DOCUMENT_NONE)
			to->values[reading->parents[reading->depth - 1]].first = value;
		else
			to->values[*last].next = value;
		*last = value;
	}
	*ret_value = value;
	return 0;
}

/* "key": in an object, nothing elsewhere. */
static int read_key(struct reading *reading, size_t *ret_key_at) {
	*ret_key_at = 0;
	if (reading->depth == 0 ||
	    reading->to->text[reading->to->values[reading->parents[reading->depth - 1]].at] == '[')
		return 0;
	*ret_key_at = reading->at;
	int rc = peek(reading) == '"' ? pass_string(reading) : ERR_DAMAGED;
	if (rc < 0)
		return rc;
	pass_space(reading);
	if (peek(reading) != ':')
		return ERR_DAMAGED;
	reading->at++;
	pass_space(reading);
	return 0;
}

/* A value; of an object or array its beginning only. */
static int read_value(struct reading *reading, bool *ret_opened) {
	size_t key_at;
	uint32_t value;
	int rc = read_key(reading, &key_at);
	if (rc == 0)
		rc = add_value(reading, key_at, &value);
	if (rc < 0)
		return rc;
	char c = peek(reading);
	*ret_opened = c == '{' || c == '[';
	if (*ret_opened) {
		if (reading->depth == DOCUMENT_DEPTH_MAX)
			return ERR_LIMIT;
		reading->at++;
		reading->parents[reading->depth] = value;
		reading->last[reading->depth++] = DOCUMENT_NONE;
		return 0;
	}
	rc = c == '"'                             ? pass_string(reading)
	     : c == '-' || (c >= '0' && c <= '9') ? pass_number(reading)
	                                          : pass_word(reading);
	reading->to->values[value].bytes = (uint32_t)(reading->at - reading->to->values[value].at);
	return rc;
}

/* What closes here is closed; then a comma, or the end of all. */
static int close_values(struct reading *reading, bool opened) {
	for (;;) {
		pass_space(reading);
		if (reading->depth == 0)
			return 0;
		struct document_value *parent = &reading->to->values[reading->parents[reading->depth - 1]];
		char closer = reading->to->text[parent->at] == '{' ? '}' : ']';
		if (peek(reading) != closer)
			break;
		reading->at++;
		parent->bytes = (uint32_t)(reading->at - parent->at);
		reading->depth--;
		opened = false;
	}
	if (opened)
		return 0;
	if (peek(reading) != ',')
		return ERR_DAMAGED;
	reading->at++;
	pass_space(reading);
	return 0;
}

int document_read(const char *text, size_t bytes, struct document *ret_document) {
	struct document document = {.text = text};
	struct reading reading = {.to = &document, .bytes = bytes};
	int rc = bytes < UINT32_MAX ? 0 : ERR_LIMIT;
	pass_space(&reading);
	do {
		bool opened = false;
		if (rc == 0)
			rc = read_value(&reading, &opened);
		if (rc == 0)
			rc = close_values(&reading, opened);
	} while (rc == 0 && reading.depth > 0);
	if (rc == 0 && reading.at != bytes)
		rc = ERR_DAMAGED;
	if (rc < 0)
		document_done(&document);
	else
		*ret_document = document;
	return rc;
}

void document_done(struct document *document) {
	free(document->values);
	*document = (struct document){.text = NULL};
}

uint32_t document_first(const struct document *document, uint32_t array) {
	return array < document->count ? document->values[array].first : DOCUMENT_NONE;
}

uint32_t document_next(const struct document *document, uint32_t value) {
	return value < document->count ? document->values[value].next : DOCUMENT_NONE;
}

uint32_t document_find(const struct document *document, uint32_t object, const char *key) {
	size_t bytes = strlen(key);
	for (uint32_t at = document_first(document, object); at < document->count; at = document_next(document, at)) {
		const struct document_value *value = &document->values[at];
		const char *name = document->text + value->key_at + 1;
		/* The value lies behind its key, so the quote that ends the key is within the text. */
		if (value->key_at != 0 && value->at - value->key_at > bytes + 1 && memcmp(name, key, bytes) == 0 &&
		    name[bytes] == '"')
			return at;
	}
	return DOCUMENT_NONE;
}

/* Of a number that ends where the text may end. */
static bool number_text(const struct document *document, uint32_t object, const char *key,
                        char ret_text[NUMBER_BYTES_MAX]) {
	uint32_t at = document_find(document, object, key);
	if (at == DOCUMENT_NONE || document->values[at].bytes >= NUMBER_BYTES_MAX)
		return false;
	memcpy(ret_text, document->text + document->values[at].at, document->values[at].bytes);
	ret_text[document->values[at].bytes] = '\0';
	return ret_text[0] == '-' || (ret_text[0] >= '0' && ret_text[0] <= '9');
}

uint64_t document_u64(const struct document *document, uint32_t object, const char *key) {
	char text[NUMBER_BYTES_MAX];
	if (!number_text(document, object, key, text) || text[0] == '-')
		return 0;
	return strtoull(text, NULL, 10);
}

double document_f64(const struct document *document, uint32_t object, const char *key) {
	char text[NUMBER_BYTES_MAX];
	return number_text(document, object, key, text) ? strtod(text, NULL) : 0;
}

static size_t put_code_point(uint32_t code, char *to) {
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char)(0xc0 | (code >> 6));
		to[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | (code >> 12));
	to[1] = (char)(0x80 | ((code >> 6) & 0x3f));
	to[2] = (char)(0x80 | (code & 0x3f));
	return 3;
}

/* One escape, from behind its backslash; returns how long it is. Halves of a pair come out as what text_printable refuses. */
static size_t take_escape(const char *at, char *to, size_t *used) {
	static const char letters[] = "bfnrt";
	static const char meanings[] = "\b\f\n\r\t";
	char digits[5] = "";
	if (*at == 'u') {
		memcpy(digits, at + 1, 4);
		*used += put_code_point((uint32_t)strtoul(digits, NULL, 16), to + *used);
		return 5;
	}
	const char *letter = strchr(letters, *at);
	to[(*used)++] = letter ? meanings[letter - letters] : *at;
	return 1;
}

const char *document_text(const struct document *document, uint32_t object, const char *key, char *ret_text,
                          size_t text_bytes) {
	uint32_t value = document_find(document, object, key);
	char plain[STRING_BYTES_MAX + 4];
	size_t used = 0;
	ret_text[0] = '\0';
	if (value == DOCUMENT_NONE || document->text[document->values[value].at] != '"')
		return ret_text;
	const char *at = document->text + document->values[value].at + 1;
	const char *end = at + document->values[value].bytes - 2;
	while (at < end && used < STRING_BYTES_MAX) {
		if (*at == '\\')
			at += 1 + take_escape(at + 1, plain, &used);
		else
			plain[used++] = *at++;
	}
	(void)text_printable(plain, used, ret_text, text_bytes);
	return ret_text;
}
