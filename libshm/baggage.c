/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Baggage. The struct holds the header itself, in canonical form: members without white space around them, separated by
 * commas. So passing it on is free, and get and set look through at most 64 members.
 *
 *     member = key "=" value *( ";" property )      key: token; value: 0x21 0x23-0x2b 0x2d-0x3a 0x3c-0x5b 0x5d-0x7e
 *     property = token [ "=" value ]                white space is allowed around "=" and ";"
 */
#include "process.h"
#include "w3c.h"
#include <errno.h>
#include <spanring/context.h>
#include <string.h>

#define TEXT_BYTES_MAX (SPANRING_BAGGAGE_BYTES - 1u)
/* Of a longer header the rest is not looked at: it counts as one member left out. */
#define MEMBERS_SEEN_MAX 1024u

static bool is_token_char(char c) {
	return w3c_is_digit(c) || w3c_is_lower(c) || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct w3c_text text) {
	for (size_t i = 0; i < text.bytes; i++)
		if (!is_token_char(text.at[i]))
			return false;
	return text.bytes > 0;
}

static bool is_value_char(char c) {
	return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static int hex_digit(char c) {
	if (w3c_is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent sign begins two digits, or the member is malformed. */
static bool is_value(struct w3c_text text) {
	for (size_t i = 0; i < text.bytes; i++) {
		if (!is_value_char(text.at[i]))
			return false;
		if (text.at[i] == '%' &&
		    (i + 2 >= text.bytes || hex_digit(text.at[i + 1]) < 0 || hex_digit(text.at[i + 2]) < 0))
			return false;
	}
	return true;
}

/* Key and value around the first "=", trimmed; false without one. */
static bool split(struct w3c_text pair, struct w3c_text *ret_key, struct w3c_text *ret_value) {
	struct w3c_text rest = pair;
	(void)w3c_next(&rest, '=', ret_key);
	if (!rest.at)
		return false;
	*ret_value = w3c_trimmed(rest);
	return true;
}

static bool is_property(struct w3c_text property) {
	struct w3c_text key, value;
	if (!split(property, &key, &value))
		return is_token(property);
	return is_token(key) && is_value(value);
}

static bool is_member(struct w3c_text member, struct w3c_text *ret_key) {
	struct w3c_text rest = member;
	struct w3c_text part, value;
	(void)w3c_next(&rest, ';', &part);
	if (!split(part, ret_key, &value) || !is_token(*ret_key) || !is_value(value))
		return false;
	while (w3c_next(&rest, ';', &part))
		if (!is_property(part))
			return false;
	return true;
}

/* Offset and length of the member of this key in the text; false if there is none. */
static bool find(const struct spanring_baggage *baggage, struct w3c_text key, struct w3c_text *ret_member) {
	struct w3c_text rest = {baggage->text, strnlen(baggage->text, TEXT_BYTES_MAX)};
	struct w3c_text found, value;
	while (w3c_next(&rest, ',', ret_member))
		if (split(*ret_member, &found, &value) && found.bytes == key.bytes &&
		    memcmp(found.at, key.at, key.bytes) == 0)
			return true;
	return false;
}

/* Out of the text, with one comma. */
static void cut_out(struct spanring_baggage *baggage, struct w3c_text member) {
	size_t from = (size_t)(member.at - baggage->text);
	size_t to = from + member.bytes;
	size_t bytes = strnlen(baggage->text, TEXT_BYTES_MAX);
	if (to < bytes)
		to++;
	else if (from > 0)
		from--;
	memmove(baggage->text + from, baggage->text + to, bytes - to);
	baggage->bytes = (uint32_t)(bytes - (to - from));
	baggage->text[baggage->bytes] = '\0';
	baggage->count -= baggage->count > 0;
}

static bool has_room(const struct spanring_baggage *baggage, size_t bytes, struct w3c_text replaced) {
	size_t used = baggage->bytes - (replaced.at ? replaced.bytes : 0);
	uint32_t count = baggage->count - (replaced.at ? 1u : 0u);
	if (replaced.at && used > 0)
		used--; /* its comma */
	size_t comma = used > 0;
	return count < SPANRING_BAGGAGE_MEMBERS_MAX && used + comma <= TEXT_BYTES_MAX &&
	       bytes <= TEXT_BYTES_MAX - used - comma;
}

void spanring_baggage_clear(struct spanring_baggage *baggage) {
	memset(baggage, 0, sizeof(*baggage));
}

bool spanring_baggage_extract(const char *text, struct spanring_baggage *ret_baggage) {
	spanring_baggage_clear(ret_baggage);
	if (!text || !*text)
		return false;
	struct w3c_text rest = {text, strlen(text)};
	struct w3c_text member, key, older;
	const struct w3c_text none = {NULL, 0};
	for (unsigned seen = 0; w3c_next(&rest, ',', &member); seen++) {
		if (seen == MEMBERS_SEEN_MAX) {
			ret_baggage->left_out++;
			break;
		}
		if (!is_member(member, &key)) {
			spanring_baggage_clear(ret_baggage);
			spanring__process_count_malformed();
			return false;
		}
		if (!has_room(ret_baggage, member.bytes, none)) {
			ret_baggage->left_out++;
			continue;
		}
		if (find(ret_baggage, key, &older))
			cut_out(ret_baggage, older);
		if (ret_baggage->bytes > 0)
			ret_baggage->text[ret_baggage->bytes++] = ',';
		memcpy(ret_baggage->text + ret_baggage->bytes, member.at, member.bytes);
		ret_baggage->bytes += (uint32_t)member.bytes;
		ret_baggage->text[ret_baggage->bytes] = '\0';
		ret_baggage->count++;
	}
	return true;
}

/* Encoded length of a value, at most `limit` + 3. */
static size_t encoded_bytes(const char *value, size_t limit) {
	size_t bytes = 0;
	for (; *value && bytes <= limit; value++)
		bytes += is_value_char(*value) && *value != '%' ? 1 : 3;
	return bytes;
}

static char *encode(char *to, const char *value) {
	static const char hex[] = "0123456789ABCDEF";
	for (; *value; value++) {
		uint8_t byte = (uint8_t)*value;
		if (is_value_char(*value) && *value != '%') {
			*to++ = *value;
			continue;
		}
		*to++ = '%';
		*to++ = hex[byte >> 4];
		*to++ = hex[byte & 15u];
	}
	return to;
}

bool spanring_baggage_set(struct spanring_baggage *baggage, const char *key, const char *value) {
	struct w3c_text name = {key, strnlen(key, TEXT_BYTES_MAX)};
	struct w3c_text replaced = {NULL, 0};
	if (!is_token(name) || baggage->bytes > TEXT_BYTES_MAX)
		return false;
	size_t bytes = name.bytes + 1 + encoded_bytes(value, TEXT_BYTES_MAX);
	if (!find(baggage, name, &replaced))
		replaced.at = NULL;
	if (!has_room(baggage, bytes, replaced))
		return false;
	if (replaced.at)
		cut_out(baggage, replaced);
	char *at = baggage->text + baggage->bytes;
	if (baggage->bytes > 0)
		*at++ = ',';
	memcpy(at, name.at, name.bytes);
	at += name.bytes;
	*at++ = '=';
	at = encode(at, value);
	*at = '\0';
	baggage->bytes = (uint32_t)(at - baggage->text);
	baggage->count++;
	return true;
}

bool spanring_baggage_remove(struct spanring_baggage *baggage, const char *key) {
	struct w3c_text name = {key, strnlen(key, TEXT_BYTES_MAX)};
	struct w3c_text member;
	if (!find(baggage, name, &member))
		return false;
	cut_out(baggage, member);
	return true;
}

int spanring_baggage_get(const struct spanring_baggage *baggage, const char *key, char *ret_value, size_t room) {
	struct w3c_text name = {key, strnlen(key, TEXT_BYTES_MAX)};
	struct w3c_text member, pair, found, value;
	int bytes = 0;
	if (!find(baggage, name, &member))
		return -ENOENT;
	(void)w3c_next(&member, ';', &pair);
	(void)split(pair, &found, &value);
	for (size_t i = 0; i < value.bytes; i++, bytes++) {
		char c = value.at[i];
		if (c == '%' && i + 2 < value.bytes) {
			c = (char)(hex_digit(value.at[i + 1]) * 16 + hex_digit(value.at[i + 2]));
			i += 2;
		}
		if ((size_t)bytes + 1 < room)
			ret_value[bytes] = c;
	}
	if (room > 0)
		ret_value[(size_t)bytes < room ? (size_t)bytes : room - 1] = '\0';
	return bytes;
}
