/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP in JSON: ExportTraceServiceRequest, one or many one after the other, as a Collector's file exporter writes them (one in a line) or a
 * person keeps them. Keys in lowerCamelCase or snake_case; ids hexadecimal; 64-bit numbers in quotes or not; enumerations as numbers or
 * names; what is not known is passed over, as the protocol wants it.
 *
 * It is read as a stream, so resource and scope must come before the spans that they are of, and a key before its value. That is the
 * order in which they are numbered, and in which everything writes them.
 */
#include "import_field.h"
#include "import_json.h"
#include "import_read.h"

#include <spanring/spanring.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_REMOTE UINT64_C(0x200) /* SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK */

struct otlp {
	struct json_reader reader;
	struct import_read *read;
	char scope[IMPORT_NAME_BYTES_MAX];
	char scope_version[IMPORT_NAME_BYTES_MAX];
	bool spans_seen; /* in this resource, then in this scope */
	bool told;       /* what ended the reading is told of already */
};

/* The next key of the object, in lowerCamelCase. */
static int next_key(struct json_reader *reader) {
	int more = json_reader_key(reader);
	char *to = reader->text;
	if (more != 1)
		return more;
	for (const char *from = reader->text; *from; from++) {
		if (*from == '_' && from[1] >= 'a' && from[1] <= 'z')
			*to++ = (char)(*++from - 'a' + 'A');
		else
			*to++ = *from;
	}
	*to = 0;
	return 1;
}

static bool is(const struct json_reader *reader, const char *key) {
	return strcmp(reader->text, key) == 0;
}

/* A string or number into reader->text: 1; null: 0. */
static int read_scalar(struct json_reader *reader) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error || type == JSON_NULL)
		return error;
	if (type != JSON_STRING && type != JSON_NUMBER)
		return import_json_expect(reader, "a string or a number");
	return 1;
}

static int read_u64(struct json_reader *reader, uint64_t *ret_value) {
	int more = read_scalar(reader);
	return more != 1 ? more : import_json_expect(reader, import_u64(reader->text, reader->text_bytes, ret_value));
}

static int read_time(struct json_reader *reader, uint64_t *ret_value) {
	int more = read_scalar(reader);
	return more != 1 ? more
	                 : import_json_expect(reader, import_time_ns(reader->text, reader->text_bytes, ret_value));
}

static int read_trace(struct json_reader *reader, uint64_t *ret_hi, uint64_t *ret_lo) {
	int more = read_scalar(reader);
	return more != 1
	           ? more
	           : import_json_expect(reader, import_trace_id(reader->text, reader->text_bytes, ret_hi, ret_lo));
}

/* An empty one is none. */
static int read_span_id(struct json_reader *reader, uint64_t *ret_id) {
	int more = read_scalar(reader);
	if (more != 1 || reader->text_bytes == 0)
		return more < 0 ? more : 0;
	return import_json_expect(reader, import_span_id(reader->text, reader->text_bytes, ret_id));
}

static int read_name(struct json_reader *reader, struct import_span *span, struct import_text *ret_name) {
	int more = import_json_begin(reader, JSON_STRING, "a name in quotes");
	if (more != 1)
		return more;
	return import_json_expect(reader, import_span_name(span, reader->text, reader->text_bytes, ret_name));
}

static int read_list(struct otlp *otlp, const char *expected, int (*read_one)(struct otlp *otlp)) {
	int more = import_json_begin(&otlp->reader, JSON_ARRAY, expected);
	if (more != 1)
		return more;
	while (more >= 0 && (more = json_reader_item(&otlp->reader)) == 1)
		more = read_one(otlp);
	return more;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static int read_any(struct json_reader *reader, const struct import_target *target, struct import_key *key);
static int read_key_values(struct json_reader *reader, const struct import_target *target, struct import_key *prefix,
                           uint64_t *ret_count);

/* The object around the values of a list or map: opens them, 1; there are none, 0. */
static int open_values(struct json_reader *reader) {
	int more = import_json_begin(reader, JSON_OBJECT, "an object with \"values\"");
	while (more == 1 && (more = next_key(reader)) == 1) {
		if (is(reader, "values"))
			return import_json_begin(reader, JSON_ARRAY, "a list of values");
		more = json_reader_skip(reader);
		if (more == 0)
			more = 1;
	}
	return more;
}

/* Behind the list, up to the end of that object. */
static int close_values(struct json_reader *reader) {
	int more;
	while ((more = next_key(reader)) == 1) {
		int error = json_reader_skip(reader);
		if (error)
			return error;
	}
	return more;
}

static int read_array(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	uint32_t depth = reader->depth;
	size_t before = 0;
	uint64_t count = 0;
	int more = open_values(reader);
	bool opened = more == 1;
	while (more >= 0 && opened && (more = json_reader_item(reader)) == 1) {
		more = import_key_add_index(reader, key, count++, &before);
		if (more >= 0)
			more = read_any(reader, target, key);
		import_key_cut(key, before);
	}
	if (more >= 0 && reader->depth > depth)
		more = close_values(reader);
	return more || count ? more : import_json_expect(reader, import_add_string(target, key->text, "[]", 2));
}

static int read_map(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	uint32_t depth = reader->depth;
	uint64_t count = 0;
	int more = open_values(reader);
	if (more == 1)
		more = read_key_values(reader, target, key, &count);
	if (more >= 0 && reader->depth > depth)
		more = close_values(reader);
	return more || count ? more : import_json_expect(reader, import_add_string(target, key->text, "{}", 2));
}

static int read_bool(struct json_reader *reader, const struct import_target *target, const char *key) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error)
		return error;
	if (type != JSON_TRUE && type != JSON_FALSE)
		return import_json_expect(reader, "true or false");
	return import_json_expect(reader, import_add_bool(target, key, type == JSON_TRUE));
}

static int read_integer(struct json_reader *reader, const struct import_target *target, const char *key) {
	int more = read_scalar(reader);
	if (more != 1)
		return more;
	const char *digits = reader->text + (*reader->text == '-');
	if (!*digits || digits[strspn(digits, "0123456789")] || strlen(digits) > 20)
		return import_json_expect(reader, "a whole number, in quotes or not");
	return import_json_expect(reader, import_add_number(target, key, reader->text));
}

static int read_double(struct json_reader *reader, const struct import_target *target, const char *key) {
	int more = read_scalar(reader);
	char *end = NULL;
	if (more != 1)
		return more;
	(void)strtod(reader->text, &end);
	if (end == reader->text || *end)
		return import_json_expect(reader, "a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
	return import_json_expect(reader, import_add_double(target, key, reader->text));
}

/* Bytes stay as they are written, in base64. */
static int read_string(struct json_reader *reader, const struct import_target *target, const char *key) {
	int more = import_json_begin(reader, JSON_STRING, "a string");
	if (more != 1)
		return more;
	return import_json_expect(reader, import_add_string(target, key, reader->text, reader->text_bytes));
}

static int read_any(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	int more = import_json_begin(reader, JSON_OBJECT, "a value such as {\"stringValue\": \"...\"}");
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "stringValue") || is(reader, "bytesValue"))
			more = read_string(reader, target, key->text);
		else if (is(reader, "boolValue"))
			more = read_bool(reader, target, key->text);
		else if (is(reader, "intValue"))
			more = read_integer(reader, target, key->text);
		else if (is(reader, "doubleValue"))
			more = read_double(reader, target, key->text);
		else if (is(reader, "arrayValue"))
			more = read_array(reader, target, key);
		else if (is(reader, "kvlistValue"))
			more = read_map(reader, target, key);
		else
			more = json_reader_skip(reader);
	}
	return more;
}

/* One {key, value}; the key goes behind the prefix, if there is one. */
static int read_key_value(struct json_reader *reader, const struct import_target *target, struct import_key *key) {
	size_t before = key->bytes;
	bool has_key = false;
	int more = import_json_begin(reader, JSON_OBJECT, "an attribute: {\"key\": ..., \"value\": ...}");
	if (more == 0)
		return import_json_expect(reader, "an attribute: {\"key\": ..., \"value\": ...}");
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "key")) {
			more = import_json_begin(reader, JSON_STRING, "a key in quotes");
			import_key_cut(key, before);
			if (more == 1 && before)
				more = import_key_add(reader, key, reader->text, reader->text_bytes, &before);
			else if (more == 1)
				more = import_key_set(reader, key);
			has_key = true;
		} else if (is(reader, "value")) {
			more = has_key ? read_any(reader, target, key)
			               : import_json_expect(reader, "\"key\" before \"value\"");
		} else {
			more = json_reader_skip(reader);
		}
	}
	import_key_cut(key, before);
	return more;
}

/* Up to the end of a list that was begun. */
static int read_key_values(struct json_reader *reader, const struct import_target *target, struct import_key *prefix,
                           uint64_t *ret_count) {
	int more;
	while ((more = json_reader_item(reader)) == 1) {
		int error = read_key_value(reader, target, prefix);
		if (error)
			return error;
		(*ret_count)++;
	}
	return more;
}

static int read_attributes(struct json_reader *reader, const struct import_target *target) {
	struct import_key key = {.bytes = 0};
	uint64_t count = 0;
	int more = import_json_begin(reader, JSON_ARRAY, "a list of attributes");
	return more == 1 ? read_key_values(reader, target, &key, &count) : more;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

/* A number, or a name that ends in one of the words, which are in order of the numbers. */
static int read_enumeration(struct json_reader *reader, const char *prefix, const char *const *words, uint64_t *ret) {
	uint64_t value = 0;
	int more = read_scalar(reader);
	if (more != 1)
		return more;
	for (*ret = 0; words[*ret]; (*ret)++)
		if (strncmp(reader->text, prefix, strlen(prefix)) == 0 &&
		    strcmp(reader->text + strlen(prefix), words[*ret]) == 0)
			return 0;
	if (import_u64(reader->text, reader->text_bytes, &value))
		return json_reader_refuse(reader, "expected a number or a name such as %s%s", prefix, words[1]);
	*ret = value;
	return 0;
}

static int read_kind(struct json_reader *reader, struct import_span *span) {
	static const char *const words[] = {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT",
	                                    "PRODUCER",    "CONSUMER", NULL};
	uint64_t kind = 0;
	int error = read_enumeration(reader, "SPAN_KIND_", words, &kind);
	/* one that a later version of the protocol may have is internal, as one not said */
	span->kind = kind >= 1 && kind <= 5 ? (uint8_t)(kind - 1) : SPANRING_KIND_INTERNAL;
	return error;
}

static int read_status(struct json_reader *reader, struct import_span *span) {
	static const char *const words[] = {"UNSET", "OK", "ERROR", NULL};
	uint64_t status = 0;
	int more = import_json_begin(reader, JSON_OBJECT, "a status: an object");
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "code")) {
			more = read_enumeration(reader, "STATUS_CODE_", words, &status);
			span->status = status <= SPANRING_STATUS_ERROR ? (uint8_t)status : SPANRING_STATUS_UNSET;
		} else if (is(reader, "message")) {
			more = import_json_begin(reader, JSON_STRING, "a string");
			if (more == 1)
				more =
				    import_json_expect(reader, import_span_text(span, reader->text, reader->text_bytes,
				                                                &span->status_message));
		} else {
			more = json_reader_skip(reader);
		}
	}
	return more;
}

static int read_dropped(struct json_reader *reader, uint64_t *sum) {
	uint64_t count = 0;
	int error = read_u64(reader, &count);
	*sum += count & UINT32_MAX;
	return error;
}

static int read_event(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	struct import_span *span = otlp->read->span;
	int more = import_json_expect(reader, import_span_event(span, "", 0));
	if (!more)
		more = import_json_begin(reader, JSON_OBJECT, "an event: an object");
	struct import_event *event = &span->events[span->event_count ? span->event_count - 1 : 0];
	const struct import_target target = {.span = span, .event_index = span->event_count};
	while (more == 1 && (more = next_key(reader)) == 1) {
		if (is(reader, "timeUnixNano"))
			more = read_time(reader, &event->time_ns);
		else if (is(reader, "name"))
			more = read_name(reader, span, &event->name);
		else if (is(reader, "attributes"))
			more = read_attributes(reader, &target);
		else if (is(reader, "droppedAttributesCount"))
			more = read_dropped(reader, &span->limits.attributes_over_limit);
		else
			more = json_reader_skip(reader);
		more = more ? more : 1;
	}
	return more;
}

/* A link has no attributes here: how many there were is counted with those that were dropped. */
static int count_attributes(struct json_reader *reader, uint64_t *sum) {
	int more = import_json_begin(reader, JSON_ARRAY, "a list of attributes");
	if (more != 1)
		return more;
	while ((more = json_reader_item(reader)) == 1) {
		int error = json_reader_skip(reader);
		if (error)
			return error;
		(*sum)++;
	}
	return more;
}

static int read_link(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	struct import_span *span = otlp->read->span;
	struct import_link link = {0};
	int more = import_json_begin(reader, JSON_OBJECT, "a link: an object");
	while (more == 1 && (more = next_key(reader)) == 1) {
		if (is(reader, "traceId"))
			more = read_trace(reader, &link.trace_hi, &link.trace_lo);
		else if (is(reader, "spanId"))
			more = read_span_id(reader, &link.span_id);
		else if (is(reader, "droppedAttributesCount"))
			more = read_dropped(reader, &span->limits.attributes_over_limit);
		else if (is(reader, "attributes"))
			more = count_attributes(reader, &span->limits.attributes_over_limit);
		else
			more = json_reader_skip(reader);
		more = more ? more : 1;
	}
	return more ? more : import_json_expect(reader, import_span_link(span, &link));
}

static int read_identity(struct json_reader *reader, struct import_span *span, bool *ret_known) {
	*ret_known = true;
	if (is(reader, "traceId")) {
		span->has |= IMPORT_HAS_TRACE;
		return read_trace(reader, &span->trace_hi, &span->trace_lo);
	}
	if (is(reader, "spanId")) {
		int error = read_span_id(reader, &span->span_id);
		span->has |= span->span_id ? IMPORT_HAS_SPAN_ID : 0;
		return error;
	}
	if (is(reader, "parentSpanId"))
		return read_span_id(reader, &span->parent_id);
	if (is(reader, "name")) {
		span->has |= IMPORT_HAS_NAME;
		return read_name(reader, span, &span->name);
	}
	if (is(reader, "startTimeUnixNano")) {
		span->has |= IMPORT_HAS_START;
		return read_time(reader, &span->start_ns);
	}
	if (is(reader, "endTimeUnixNano")) {
		span->has |= IMPORT_HAS_END;
		return read_time(reader, &span->end_ns);
	}
	*ret_known = false;
	return 0;
}

static int read_flags(struct json_reader *reader, struct import_span *span) {
	uint64_t flags = 0;
	int error = read_u64(reader, &flags);
	span->flags |= flags & FLAG_REMOTE ? STORE_SPAN_REMOTE_PARENT : 0;
	return error;
}

static int read_member(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	struct import_span *span = otlp->read->span;
	const struct import_target target = {.span = span};
	bool known = false;
	int error = read_identity(reader, span, &known);
	if (known)
		return error;
	if (is(reader, "kind"))
		return read_kind(reader, span);
	if (is(reader, "flags"))
		return read_flags(reader, span);
	if (is(reader, "status"))
		return read_status(reader, span);
	if (is(reader, "attributes"))
		return read_attributes(reader, &target);
	if (is(reader, "events"))
		return read_list(otlp, "a list of events", read_event);
	if (is(reader, "links"))
		return read_list(otlp, "a list of links", read_link);
	if (is(reader, "droppedAttributesCount"))
		return read_dropped(reader, &span->limits.attributes_over_limit);
	if (is(reader, "droppedEventsCount"))
		return read_dropped(reader, &span->limits.events_over_limit);
	if (is(reader, "droppedLinksCount"))
		return read_dropped(reader, &span->limits.links_over_limit);
	return json_reader_skip(reader);
}

/* The scope is text of every span. */
static const char *add_scope(const struct otlp *otlp) {
	struct import_span *span = otlp->read->span;
	const char *expected = import_span_name(span, otlp->scope, strlen(otlp->scope), &span->scope);
	return expected
	           ? expected
	           : import_span_name(span, otlp->scope_version, strlen(otlp->scope_version), &span->scope_version);
}

/* What is wrong with one span only is its own problem, if reading is to go on. */
static int refuse_span(struct otlp *otlp, uint32_t depth) {
	struct json_reader *reader = &otlp->reader;
	if (reader->failed != -EINVAL || reader->unsound)
		return reader->failed;
	int error = import_read_problem(otlp->read, reader->line, reader->column, reader->error);
	otlp->told = error != 0;
	return error ? error : json_reader_recover(reader, depth);
}

static int read_span(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	uint32_t depth = reader->depth;
	import_span_clear(otlp->read->span);
	otlp->spans_seen = true;
	int more = import_json_begin(reader, JSON_OBJECT, "a span: an object");
	uint64_t line = reader->line;
	uint64_t column = reader->column;
	if (more == 0)
		more = import_json_expect(reader, "a span: an object");
	while (more >= 0 && (more = next_key(reader)) == 1)
		more = read_member(otlp);
	if (more == 0)
		more = import_json_expect(reader, add_scope(otlp));
	if (more < 0)
		return refuse_span(otlp, depth);
	int error = import_read_give(otlp->read, line, column);
	otlp->told = error != 0;
	return error;
}

/* --- around the spans -------------------------------------------------------------------------------------------- */

static int copy_name(struct json_reader *reader, char ret_name[IMPORT_NAME_BYTES_MAX]) {
	int more = import_json_begin(reader, JSON_STRING, "a name in quotes");
	if (more != 1)
		return more;
	if (reader->text_bytes >= IMPORT_NAME_BYTES_MAX || memchr(reader->text, 0, reader->text_bytes))
		return import_json_expect(reader, "a name of less than 1024 bytes, without zero bytes");
	memcpy(ret_name, reader->text, reader->text_bytes + 1);
	return 0;
}

static int read_scope(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	int more = import_json_begin(reader, JSON_OBJECT, "a scope: an object");
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "name"))
			more = copy_name(reader, otlp->scope);
		else if (is(reader, "version"))
			more = copy_name(reader, otlp->scope_version);
		else
			more = json_reader_skip(reader);
	}
	return more;
}

static int read_scope_spans(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	int more = import_json_begin(reader, JSON_OBJECT, "an object with \"scope\" and \"spans\"");
	bool seen_before = otlp->spans_seen;
	otlp->scope[0] = 0;
	otlp->scope_version[0] = 0;
	otlp->spans_seen = false;
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		bool scope = is(reader, "scope") || is(reader, "instrumentationLibrary");
		if (scope && otlp->spans_seen)
			more = import_json_expect(reader, "\"scope\" before the \"spans\" that are of it");
		else if (scope)
			more = read_scope(otlp);
		else if (is(reader, "spans"))
			more = read_list(otlp, "a list of spans", read_span);
		else
			more = json_reader_skip(reader);
	}
	otlp->spans_seen |= seen_before;
	return more;
}

static int read_resource(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	const struct import_target target = {.span = otlp->read->span, .origin = otlp->read->origin};
	uint64_t dropped = 0;
	int more = import_json_begin(reader, JSON_OBJECT, "a resource: an object");
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "attributes"))
			more = read_attributes(reader, &target);
		else if (is(reader, "droppedAttributesCount"))
			more = read_dropped(reader, &dropped);
		else
			more = json_reader_skip(reader);
	}
	otlp->read->origin->resource_left_out += (uint32_t)(dropped < UINT16_MAX ? dropped : UINT16_MAX);
	return more;
}

static int read_resource_spans(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	int more = import_json_begin(reader, JSON_OBJECT, "an object with \"resource\" and \"scopeSpans\"");
	import_origin_clear(otlp->read->origin);
	otlp->spans_seen = false;
	if (more != 1)
		return more;
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "resource") && otlp->spans_seen)
			more = import_json_expect(reader, "\"resource\" before the \"scopeSpans\" that are of it");
		else if (is(reader, "resource"))
			more = read_resource(otlp);
		else if (is(reader, "scopeSpans") || is(reader, "instrumentationLibrarySpans"))
			more = read_list(otlp, "a list of scopes with their spans", read_scope_spans);
		else
			more = json_reader_skip(reader);
	}
	return more;
}

static int read_request(struct otlp *otlp) {
	struct json_reader *reader = &otlp->reader;
	int more = import_json_begin(reader, JSON_OBJECT, "a request: {\"resourceSpans\": [...]}");
	if (more == 0)
		return import_json_expect(reader, "a request: {\"resourceSpans\": [...]}");
	while (more >= 0 && (more = next_key(reader)) == 1) {
		if (is(reader, "resourceSpans"))
			more = read_list(otlp, "a list of resources with their spans", read_resource_spans);
		else
			more = json_reader_skip(reader);
	}
	return more;
}

int import_read_otlp(struct import_read *read) {
	struct otlp *otlp = calloc(1, sizeof(*otlp));
	int error = otlp ? 0 : -ENOMEM;
	if (otlp) {
		otlp->read = read;
		json_reader_init(&otlp->reader, read->source);
	}
	while (!error && json_reader_document(&otlp->reader) == 1) {
		uint64_t line = otlp->reader.line;
		error = read_request(otlp);
		if (error != -EINVAL || otlp->told)
			continue;
		/* Behind it is the next request only where each has its line. */
		bool stood_in_line = read->source->line == line;
		error = import_read_problem(read, otlp->reader.line, otlp->reader.column, otlp->reader.error);
		if (!stood_in_line)
			break;
		import_read_skip_line(read);
	}
	if (otlp)
		json_reader_done(&otlp->reader);
	free(otlp);
	return error;
}
