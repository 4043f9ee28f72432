/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_id.h"

#include "base/text.h"

#include <spanring/spanring.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MIN 4u
#define TRACEPARENT_BYTES 55u

const char *trace_id_text(uint64_t hi, uint64_t lo, char ret_text[TRACE_ID_TEXT_BYTES]) {
	(void)snprintf(ret_text, TRACE_ID_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, hi, lo);
	return ret_text;
}

const char *span_id_text(uint64_t id, char ret_text[TRACE_ID_TEXT_BYTES]) {
	(void)snprintf(ret_text, TRACE_ID_TEXT_BYTES, "%016" PRIx64, id);
	return ret_text;
}

const char *trace_status_text(uint8_t status) {
	return status == SPANRING_STATUS_ERROR ? "error" : status == SPANRING_STATUS_OK ? "ok" : "unset";
}

const char *trace_kind_text(uint8_t kind) {
	static const char *const words[] = {"internal", "server", "client", "producer", "consumer"};
	return kind < sizeof(words) / sizeof(words[0]) ? words[kind] : "unknown";
}

int trace_id_parse(const char *text, struct trace_id_pattern *ret_pattern) {
	struct trace_id_pattern pattern = {.whole = false};
	char padded[TRACE_ID_DIGITS + 1];
	uint8_t bytes[TRACE_ID_DIGITS / 2];
	size_t digits = strspn(text, "0123456789abcdefABCDEF");
	if (strlen(text) == TRACEPARENT_BYTES && digits == 2 && text[2] == '-' && text[3 + TRACE_ID_DIGITS] == '-') {
		text += 3;
		digits = strspn(text, "0123456789abcdefABCDEF");
		if (digits != TRACE_ID_DIGITS)
			return -EINVAL;
	} else if (text[digits] != 0) {
		return -EINVAL;
	}
	if (digits < DIGITS_MIN || digits > TRACE_ID_DIGITS)
		return -EINVAL;
	memset(padded, '0', TRACE_ID_DIGITS);
	padded[TRACE_ID_DIGITS] = 0;
	memcpy(padded, text, digits);
	if (!text_hex_decode(padded, bytes, sizeof(bytes)))
		return -EINVAL;
	for (unsigned i = 0; i < 8; i++) {
		pattern.hi = pattern.hi << 8 | bytes[i];
		pattern.lo = pattern.lo << 8 | bytes[i + 8];
	}
	unsigned low_digits = digits > 16 ? (unsigned)digits - 16 : 0;
	pattern.digits = (unsigned)digits;
	pattern.whole = digits == TRACE_ID_DIGITS;
	pattern.hi_mask = digits >= 16 ? UINT64_MAX : ~(UINT64_MAX >> (4 * digits));
	pattern.lo_mask = low_digits >= 16 ? UINT64_MAX : low_digits ? ~(UINT64_MAX >> (4 * low_digits)) : 0;
	*ret_pattern = pattern;
	return 0;
}

bool trace_id_matches(const struct trace_id_pattern *pattern, uint64_t hi, uint64_t lo) {
	if ((hi & pattern->hi_mask) == pattern->hi && (lo & pattern->lo_mask) == pattern->lo)
		return true;
	return pattern->digits == 16 && lo == pattern->hi;
}
