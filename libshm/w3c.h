/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that the header grammars of Trace Context and Baggage share. */
#ifndef SPANRING_LIBSHM_W3C_H
#define SPANRING_LIBSHM_W3C_H

#include <stdbool.h>
#include <stddef.h>

#define W3C_TRACEPARENT_VARIABLE "TRACEPARENT"
#define W3C_TRACESTATE_VARIABLE "TRACESTATE"
#define W3C_BAGGAGE_VARIABLE "BAGGAGE"

struct w3c_text {
	const char *at;
	size_t bytes;
};

static inline bool w3c_is_space(char c) {
	return c == ' ' || c == '\t';
}

static inline bool w3c_is_digit(char c) {
	return c >= '0' && c <= '9';
}

static inline bool w3c_is_lower(char c) {
	return c >= 'a' && c <= 'z';
}

static inline struct w3c_text w3c_trimmed(struct w3c_text text) {
	while (text.bytes > 0 && w3c_is_space(*text.at)) {
		text.at++;
		text.bytes--;
	}
	while (text.bytes > 0 && w3c_is_space(text.at[text.bytes - 1]))
		text.bytes--;
	return text;
}

/* The part of *rest before the separator, trimmed; *rest is what comes after it. False when there is no more. */
static inline bool w3c_next(struct w3c_text *rest, char separator, struct w3c_text *ret_part) {
	if (!rest->at)
		return false;
	size_t bytes = 0;
	while (bytes < rest->bytes && rest->at[bytes] != separator)
		bytes++;
	struct w3c_text part = {rest->at, bytes};
	*ret_part = w3c_trimmed(part);
	if (bytes == rest->bytes) {
		rest->at = NULL;
		rest->bytes = 0;
	} else {
		rest->at += bytes + 1;
		rest->bytes -= bytes + 1;
	}
	return true;
}

#endif
