/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C Trace Context, Level 1 (the Recommendation of 2021):
 *
 *     traceparent = version "-" trace-id "-" parent-id "-" flags       2, 32, 16, 2 lower-case hexadecimal digits
 *     tracestate  = members separated by commas, white space around them, empty ones allowed
 *     member      = key "=" value
 *     key         = lower-case letter, then up to 255 of a-z 0-9 _ - * /
 *                 | tenant (a-z 0-9 first, up to 241) "@" system (a-z first, up to 14)
 *     value       = 1 to 256 of 0x20 to 0x7e without "," and "=", the last one no space
 *
 * Everything is read up to its zero byte and never beyond its bound: a traceparent to 56 characters, a tracestate member by
 * member, with no more than 32 of them.
 */
#include "w3c.h"
#include "process.h"
#include <spanring/context.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_AT 3u
#define SPAN_AT 36u
#define FLAGS_AT 53u
#define TRACEPARENT_LENGTH 55u
#define VERSION_INVALID 0xffu
#define FLAGS_KNOWN (SPANRING_FLAG_SAMPLED | SPANRING_FLAG_RANDOM)
#define KEY_BYTES_MAX 256u
#define TENANT_BYTES_MAX 241u
#define SYSTEM_BYTES_MAX 14u
#define VALUE_BYTES_MAX 256u

_Static_assert(TRACEPARENT_LENGTH + 1 == SPANRING_TRACEPARENT_BYTES, "length of a traceparent");

/* So many digits; false if one is none. */
static bool read_hex(const char *text, unsigned digits, uint64_t *ret_value) {
	uint64_t value = 0;
	for (unsigned i = 0; i < digits; i++) {
		char c = text[i];
		if (w3c_is_digit(c))
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret_value = value;
	return true;
}

static char *put_hex(char *text, uint64_t value, unsigned digits) {
	static const char hex[] = "0123456789abcdef";
	for (unsigned i = 0; i < digits; i++)
		text[i] = hex[value >> (4 * (digits - 1 - i)) & 15u];
	return text + digits;
}

static bool read_traceparent(const char *text, struct spanring_remote *ret_remote) {
	uint64_t version, flags;
	struct spanring_context context = {0};
	size_t bytes = strnlen(text, TRACEPARENT_LENGTH + 1);
	if (bytes < TRACEPARENT_LENGTH || text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' ||
	    text[FLAGS_AT - 1] != '-')
		return false;
	if (!read_hex(text, 2, &version) || !read_hex(text + TRACE_AT, 16, &context.trace_hi) ||
	    !read_hex(text + TRACE_AT + 16, 16, &context.trace_lo) || !read_hex(text + SPAN_AT, 16, &context.span_id) ||
	    !read_hex(text + FLAGS_AT, 2, &flags))
		return false;
	if (version == VERSION_INVALID || (context.trace_hi | context.trace_lo) == 0 || context.span_id == 0)
		return false;
	if (bytes > TRACEPARENT_LENGTH && (version == 0 || text[TRACEPARENT_LENGTH] != '-'))
		return false;
	if ((flags & SPANRING_FLAG_SAMPLED) == 0)
		context.flags = SPANRING_CONTEXT_UNSAMPLED;
	ret_remote->context = context;
	ret_remote->flags = (uint32_t)flags & (version == 0 ? FLAGS_KNOWN : SPANRING_FLAG_SAMPLED);
	return true;
}

static bool is_key_char(char c) {
	return w3c_is_lower(c) || w3c_is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/';
}

static bool are_key_chars(const char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++)
		if (!is_key_char(text[i]))
			return false;
	return bytes > 0;
}

static bool is_key(struct w3c_text key) {
	const char *at = memchr(key.at, '@', key.bytes);
	if (!at)
		return key.bytes <= KEY_BYTES_MAX && are_key_chars(key.at, key.bytes) && w3c_is_lower(*key.at);
	size_t tenant = (size_t)(at - key.at);
	size_t system = key.bytes - tenant - 1;
	return tenant <= TENANT_BYTES_MAX && system <= SYSTEM_BYTES_MAX && are_key_chars(key.at, tenant) &&
	       (w3c_is_lower(*key.at) || w3c_is_digit(*key.at)) && are_key_chars(at + 1, system) && w3c_is_lower(at[1]);
}

static bool is_value(struct w3c_text value) {
	for (size_t i = 0; i < value.bytes; i++)
		if (value.at[i] < 0x20 || value.at[i] > 0x7e || value.at[i] == '=')
			return false;
	return value.bytes > 0 && value.bytes <= VALUE_BYTES_MAX;
}

static bool is_known(const struct w3c_text *keys, unsigned count, struct w3c_text key) {
	for (unsigned i = 0; i < count; i++)
		if (keys[i].bytes == key.bytes && memcmp(keys[i].at, key.at, key.bytes) == 0)
			return true;
	return false;
}

/* Members into ret_text, which stays "" if one is wrong. */
static bool read_tracestate(const char *text, char ret_text[SPANRING_TRACESTATE_BYTES]) {
	struct w3c_text keys[SPANRING_TRACESTATE_MEMBERS_MAX];
	struct w3c_text rest = {text, strlen(text)};
	struct w3c_text member;
	unsigned count = 0;
	size_t used = 0;
	bool full = false;
	while (w3c_next(&rest, ',', &member)) {
		if (member.bytes == 0)
			continue;
		const char *equals = memchr(member.at, '=', member.bytes);
		if (!equals)
			return false;
		struct w3c_text key = {member.at, (size_t)(equals - member.at)};
		struct w3c_text value = {equals + 1, member.bytes - key.bytes - 1};
		if (count == SPANRING_TRACESTATE_MEMBERS_MAX || !is_key(key) || !is_value(value) ||
		    is_known(keys, count, key))
			return false;
		keys[count++] = key;
		size_t comma = used > 0;
		full = full || used + comma + member.bytes > SPANRING_TRACESTATE_BYTES - 1;
		if (full)
			continue;
		ret_text[used] = ',';
		memcpy(ret_text + used + comma, member.at, member.bytes);
		used += comma + member.bytes;
	}
	ret_text[used] = '\0';
	return true;
}

bool spanring_remote_extract(const char *traceparent, const char *tracestate, struct spanring_remote *ret_remote) {
	memset(ret_remote, 0, sizeof(*ret_remote));
	if (!traceparent || !*traceparent)
		return false;
	if (!read_traceparent(traceparent, ret_remote)) {
		spanring__process_count_malformed();
		return false;
	}
	if (tracestate && *tracestate && !read_tracestate(tracestate, ret_remote->tracestate)) {
		memset(ret_remote->tracestate, 0, sizeof(ret_remote->tracestate));
		spanring__process_count_malformed();
	}
	return true;
}

size_t spanring_traceparent_inject(const struct spanring_context *context, uint32_t flags,
                                   char ret_text[SPANRING_TRACEPARENT_BYTES]) {
	uint32_t sampled = (context->flags & SPANRING_CONTEXT_UNSAMPLED) ? 0 : SPANRING_FLAG_SAMPLED;
	char *at = ret_text;
	*at = '\0';
	if ((context->trace_hi | context->trace_lo) == 0 || context->span_id == 0)
		return 0;
	at = put_hex(at, 0, 2);
	*at++ = '-';
	at = put_hex(at, context->trace_hi, 16);
	at = put_hex(at, context->trace_lo, 16);
	*at++ = '-';
	at = put_hex(at, context->span_id, 16);
	*at++ = '-';
	at = put_hex(at, sampled | (flags & SPANRING_FLAG_RANDOM), 2);
	*at = '\0';
	return TRACEPARENT_LENGTH;
}

bool spanring_context_from_environment(struct spanring_remote *ret_remote, struct spanring_baggage *ret_baggage) {
	if (ret_baggage)
		(void)spanring_baggage_extract(getenv(W3C_BAGGAGE_VARIABLE), ret_baggage);
	return spanring_remote_extract(getenv(W3C_TRACEPARENT_VARIABLE), getenv(W3C_TRACESTATE_VARIABLE), ret_remote);
}

static unsigned put_entry(char *ret_entry, const char *variable, const char *value, size_t bytes) {
	size_t name = strlen(variable);
	*ret_entry = '\0';
	if (bytes == 0)
		return 0;
	memcpy(ret_entry, variable, name);
	ret_entry[name] = '=';
	memcpy(ret_entry + name + 1, value, bytes);
	ret_entry[name + 1 + bytes] = '\0';
	return 1;
}

unsigned spanring_context_to_environment(const struct spanring_context *context, const char *tracestate,
                                         const struct spanring_baggage *baggage,
                                         struct spanring_environment *ret_environment) {
	char traceparent[SPANRING_TRACEPARENT_BYTES];
	struct spanring_context current = context ? *context : spanring_context_current();
	size_t parent = spanring_traceparent_inject(&current, 0, traceparent);
	/* A tracestate means nothing without its traceparent. */
	size_t state = tracestate && parent ? strnlen(tracestate, SPANRING_TRACESTATE_BYTES) : 0;
	if (state == SPANRING_TRACESTATE_BYTES)
		state = 0;
	return put_entry(ret_environment->traceparent, W3C_TRACEPARENT_VARIABLE, traceparent, parent) +
	       put_entry(ret_environment->tracestate, W3C_TRACESTATE_VARIABLE, tracestate, state) +
	       put_entry(ret_environment->baggage, W3C_BAGGAGE_VARIABLE, baggage ? baggage->text : "",
	                 baggage ? strnlen(baggage->text, SPANRING_BAGGAGE_BYTES - 1) : 0);
}

size_t spanring_trace_id_text(const struct spanring_context *context, char ret_text[SPANRING_TRACE_ID_BYTES]) {
	char *end = ret_text;
	if ((context->trace_hi | context->trace_lo) != 0)
		end = put_hex(put_hex(ret_text, context->trace_hi, 16), context->trace_lo, 16);
	*end = '\0';
	return (size_t)(end - ret_text);
}

size_t spanring_span_id_text(const struct spanring_context *context, char ret_text[SPANRING_SPAN_ID_BYTES]) {
	char *end = context->span_id != 0 ? put_hex(ret_text, context->span_id, 16) : ret_text;
	*end = '\0';
	return (size_t)(end - ret_text);
}

size_t spanring_log_text(char ret_text[SPANRING_LOG_TEXT_BYTES]) {
	static const char trace[] = "trace_id=";
	static const char span[] = " span_id=";
	struct spanring_context context = spanring_context_current();
	char *at = ret_text;
	if (context.span_id != 0) {
		memcpy(at, trace, sizeof(trace) - 1);
		at += sizeof(trace) - 1;
		at += spanring_trace_id_text(&context, at);
		memcpy(at, span, sizeof(span) - 1);
		at += sizeof(span) - 1;
		at += spanring_span_id_text(&context, at);
	}
	*at = '\0';
	return (size_t)(at - ret_text);
}
