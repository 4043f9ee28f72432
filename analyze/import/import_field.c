/* SPDX-License-Identifier: Apache-2.0 */
#include "import_field.h"

#include "analyze/kernels/time_point.h"
#include "analyze/kernels/trace_id.h"

#include "base/suggest.h"
#include "base/text.h"

#include <spanring/record.h>
#include <spanring/spanring.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_UNIT_BYTES 16

struct import_field {
	const char *name;
	const char *(*set)(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin);
};

static const char *read_id(const char *text, size_t bytes, uint8_t *ret_bytes, size_t count) {
	if (bytes != 2 * count || strspn(text, "0123456789abcdefABCDEF") != bytes ||
	    !text_hex_decode(text, ret_bytes, count))
		return count == 16 ? "32 hexadecimal digits" : "16 hexadecimal digits";
	return NULL;
}

static uint64_t big_endian(const uint8_t *bytes) {
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

const char *import_trace_id(const char *text, size_t bytes, uint64_t *ret_hi, uint64_t *ret_lo) {
	uint8_t id[16];
	const char *expected = read_id(text, bytes, id, sizeof(id));
	if (expected)
		return expected;
	*ret_hi = big_endian(id);
	*ret_lo = big_endian(id + 8);
	return *ret_hi | *ret_lo ? NULL : "a trace id that is not all zero";
}

const char *import_span_id(const char *text, size_t bytes, uint64_t *ret_id) {
	uint8_t id[8];
	const char *expected = read_id(text, bytes, id, sizeof(id));
	if (!expected)
		*ret_id = big_endian(id);
	return expected;
}

const char *import_u64(const char *text, size_t bytes, uint64_t *ret_value) {
	errno = 0;
	unsigned long long value = strtoull(text, NULL, 10);
	if (bytes == 0 || strspn(text, "0123456789") != bytes || errno)
		return "a whole number from 0 to 2^64-1";
	*ret_value = value;
	return NULL;
}

const char *import_time_ns(const char *text, size_t bytes, uint64_t *ret_wall_ns) {
	const char *expected = import_u64(text, bytes, ret_wall_ns);
	return expected || *ret_wall_ns > INT64_MAX ? "nanoseconds since 1970 UTC, below 2^63" : NULL;
}

const char *import_time(const char *text, size_t bytes, uint64_t *ret_wall_ns) {
	bool is_date = bytes >= 10 && strlen(text) == bytes && text[4] == '-' && text[7] == '-';
	if (!is_date || time_point_parse(text, 0, ret_wall_ns) != 0 || *ret_wall_ns > INT64_MAX)
		return "a time like 2026-11-20T18:43:30.123456789Z";
	return NULL;
}

static const char *set_trace(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_TRACE;
	return import_trace_id(text, bytes, &span->trace_hi, &span->trace_lo);
}

static const char *set_span_id(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_SPAN_ID;
	const char *expected = import_span_id(text, bytes, &span->span_id);
	return expected || span->span_id ? expected : "a span id that is not all zero";
}

static const char *set_parent(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	return import_span_id(text, bytes, &span->parent_id);
}

static const char *set_name(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_NAME;
	return import_span_name(span, text, bytes, &span->name);
}

static const char *set_service(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	const struct import_target target = {.span = span, .origin = origin};
	return import_add_string(&target, "service.name", text, bytes);
}

static const char *set_pid(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	const struct import_target target = {.span = span, .origin = origin};
	return import_add_string(&target, "process.pid", text, bytes);
}

static const char *set_kind(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)bytes;
	(void)origin;
	for (uint8_t kind = SPANRING_KIND_INTERNAL; kind <= SPANRING_KIND_CONSUMER; kind++) {
		if (strcasecmp(text, trace_kind_text(kind)) == 0) {
			span->kind = kind;
			return NULL;
		}
	}
	return "internal, server, client, producer or consumer";
}

static const char *set_status(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)bytes;
	(void)origin;
	for (uint8_t status = SPANRING_STATUS_UNSET; status <= SPANRING_STATUS_ERROR; status++) {
		if (strcasecmp(text, trace_status_text(status)) == 0) {
			span->status = status;
			return NULL;
		}
	}
	return "unset, ok or error";
}

static const char *set_message(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	return import_span_text(span, text, bytes, &span->status_message);
}

static const char *set_start_ns(const char *text, size_t bytes, struct import_span *span,
                                struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_START;
	return import_time_ns(text, bytes, &span->start_ns);
}

static const char *set_start(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_START;
	return import_time(text, bytes, &span->start_ns);
}

static const char *set_end_ns(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_END;
	return import_time_ns(text, bytes, &span->end_ns);
}

static const char *set_end(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_END;
	return import_time(text, bytes, &span->end_ns);
}

static const char *set_duration(const char *text, size_t bytes, struct import_span *span,
                                struct import_origin *origin) {
	(void)origin;
	span->has |= IMPORT_HAS_DURATION;
	return import_u64(text, bytes, &span->duration_ns) ? "whole nanoseconds" : NULL;
}

static const char *set_thread(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	return import_span_name(span, text, bytes, &span->thread);
}

static const char *set_tid(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	uint64_t tid = 0;
	(void)origin;
	if (import_u64(text, bytes, &tid) || tid > UINT32_MAX)
		return "a thread id below 2^32";
	span->tid = (uint32_t)tid;
	return NULL;
}

/* Whole units, upwards, as the counters of the library. */
static const char *set_allocated(const char *text, size_t bytes, struct import_span *span,
                                 struct import_origin *origin) {
	uint64_t allocated = 0;
	(void)origin;
	const char *expected = import_u64(text, bytes, &allocated);
	uint64_t units = allocated / HEAP_UNIT_BYTES + (allocated % HEAP_UNIT_BYTES != 0);
	span->heap_alloc_units = units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
	span->flags |= STORE_SPAN_HEAP;
	return expected;
}

static const char *set_net(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	char *end = NULL;
	(void)origin;
	errno = 0;
	long long net = strtoll(text, &end, 10);
	if ((size_t)(end - text) != bytes || errno || !strchr("-0123456789", *text))
		return "a whole number of bytes";
	long long units = net / HEAP_UNIT_BYTES + (net % HEAP_UNIT_BYTES > 0) - (net % HEAP_UNIT_BYTES < 0);
	span->heap_net_units = units > INT32_MAX ? INT32_MAX : units < INT32_MIN ? INT32_MIN : (int32_t)units;
	span->flags |= STORE_SPAN_HEAP;
	return NULL;
}

static const char *set_scope(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	return import_span_name(span, text, bytes, &span->scope);
}

static const char *set_scope_version(const char *text, size_t bytes, struct import_span *span,
                                     struct import_origin *origin) {
	(void)origin;
	return import_span_name(span, text, bytes, &span->scope_version);
}

static const char *set_state(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)bytes;
	(void)origin;
	span->flags &= (uint8_t) ~(STORE_SPAN_UNFINISHED | STORE_SPAN_OPEN);
	if (strcasecmp(text, "ended") == 0)
		return NULL;
	if (strcasecmp(text, "unfinished") == 0)
		span->flags |= STORE_SPAN_UNFINISHED;
	else if (strcasecmp(text, "open") == 0)
		span->flags |= STORE_SPAN_OPEN;
	else
		return "ended, unfinished or open";
	return NULL;
}

static const char *set_weight(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	char *end = NULL;
	double weight = strtod(text, &end) * STORE_WEIGHT_ONE;
	(void)origin;
	if ((size_t)(end - text) != bytes || !(weight >= STORE_WEIGHT_ONE && weight <= UINT32_MAX))
		return "for how many spans it stands: a number from 1 to 1048575";
	span->weight = (uint32_t)(weight + 0.5);
	return NULL;
}

static const char *set_remote(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)bytes;
	(void)origin;
	span->flags &= (uint8_t)~STORE_SPAN_REMOTE_PARENT;
	if (strcasecmp(text, "true") == 0)
		span->flags |= STORE_SPAN_REMOTE_PARENT;
	else if (strcasecmp(text, "false") != 0)
		return "true or false";
	return NULL;
}

static const char *set_file(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	(void)origin;
	return import_span_name(span, text, bytes, &span->file);
}

static const char *set_line(const char *text, size_t bytes, struct import_span *span, struct import_origin *origin) {
	uint64_t line = 0;
	(void)origin;
	if (import_u64(text, bytes, &line) || line > UINT32_MAX)
		return "a line number below 2^32";
	span->line = (uint32_t)line;
	return NULL;
}

static const struct import_field fields[] = {
    {"trace_id", set_trace},
    {"span_id", set_span_id},
    {"parent_id", set_parent},
    {"name", set_name},
    {"service", set_service},
    {"kind", set_kind},
    {"start_ns", set_start_ns},
    {"start", set_start},
    {"end_ns", set_end_ns},
    {"end", set_end},
    {"duration_ns", set_duration},
    {"status", set_status},
    {"status_message", set_message},
    {"thread", set_thread},
    {"tid", set_tid},
    {"pid", set_pid},
    {"heap_allocated_bytes", set_allocated},
    {"heap_net_bytes", set_net},
    {"scope", set_scope},
    {"scope_version", set_scope_version},
    {"state", set_state},
    {"weight", set_weight},
    {"remote_parent", set_remote},
    {"file", set_file},
    {"line", set_line},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

const struct import_field *import_field_find(const char *name) {
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

const char *import_field_nearest(const char *name) {
	const char *names[FIELD_COUNT];
	for (size_t i = 0; i < FIELD_COUNT; i++)
		names[i] = fields[i].name;
	return suggest_nearest(name, names, FIELD_COUNT);
}

bool import_field_is(const struct import_field *field, const char *name) {
	return field && strcmp(field->name, name) == 0;
}

const char *import_field_set(const struct import_field *field, const char *text, size_t bytes, struct import_span *span,
                             struct import_origin *origin) {
	return bytes ? field->set(text, bytes, span, origin) : NULL;
}
