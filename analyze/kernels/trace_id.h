/* SPDX-License-Identifier: Apache-2.0 */
/* Trace and span ids as people write them: W3C hexadecimal, whole or in part. */
#ifndef SPANRING_ANALYZE_TRACE_ID_H
#define SPANRING_ANALYZE_TRACE_ID_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_ID_DIGITS 32u
#define TRACE_ID_TEXT_BYTES 40u

/* 32 digits; 16 digits. They return ret_text. */
const char *trace_id_text(uint64_t hi, uint64_t lo, char ret_text[TRACE_ID_TEXT_BYTES]);
const char *span_id_text(uint64_t id, char ret_text[TRACE_ID_TEXT_BYTES]);

/* "unset", "ok", "error" and "internal", "server", ...: OpenTelemetry's words. */
const char *trace_status_text(uint8_t status);
const char *trace_kind_text(uint8_t kind);

/* What was asked for: the whole id, its first digits, or its low half. */
struct trace_id_pattern {
	uint64_t hi; /* digits from the left, the rest 0 */
	uint64_t lo;
	uint64_t hi_mask;
	uint64_t lo_mask;
	unsigned digits;
	bool whole;
};

/* 4 to 32 hexadecimal digits, or a traceparent ("00-<trace>-<span>-01"). 0 or -EINVAL. */
int trace_id_parse(const char *text, struct trace_id_pattern *ret_pattern);

/* 16 digits also match the low half of an id: that is how systems with 64-bit ids write them. */
bool trace_id_matches(const struct trace_id_pattern *pattern, uint64_t hi, uint64_t lo);

#endif
