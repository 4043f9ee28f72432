/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines: a span in each line, an object with the keys of docs/import.md. A key it does not know is a mistake, not a silent loss. */
#include "import_field.h"
#include "import_json.h"
#include "import_read.h"

#include <errno.h>
#include <string.h>

static int read_scalar(struct json_reader *reader, const struct import_field *field, struct import_read *read) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error || type == JSON_NULL)
		return error;
	if (type == JSON_TRUE || type == JSON_FALSE) {
		const char *word = type == JSON_TRUE ? "true" : "false";
		return import_json_expect(reader,
		                          import_field_set(field, word, strlen(word), read->span, read->origin));
	}
	if (type != JSON_STRING && type != JSON_NUMBER)
		return import_json_expect(reader, "a string or a number");
	return import_json_expect(reader,
	                          import_field_set(field, reader->text, reader->text_bytes, read->span, read->origin));
}

/* A string or number that is one part of an event or link. */
static int read_part(struct json_reader *reader,
                     const char *(*parse)(const char *text, size_t bytes, uint64_t *ret_value), uint64_t *ret_value) {
	enum json_type type;
	int error = json_reader_value(reader, &type);
	if (error || type == JSON_NULL)
		return error;
	if (type != JSON_STRING && type != JSON_NUMBER)
		return import_json_expect(reader, "a string or a number");
	return import_json_expect(reader, parse(reader->text, reader->text_bytes, ret_value));
}

static int read_event_name(struct json_reader *reader, struct import_span *span, struct import_event *event) {
	int more = import_json_begin(reader, JSON_STRING, "a name in quotes");
	if (more != 1)
		return more;
	return import_json_expect(reader, import_span_name(span, reader->text, reader->text_bytes, &event->name));
}

static int read_event(struct json_reader *reader, struct import_read *read) {
	struct import_span *span = read->span;
	int more = import_json_expect(reader, import_span_event(span, "", 0));
	if (!more)
		more = import_json_begin(reader, JSON_OBJECT, "an event: an object");
	struct import_event *event = span->event_count ? &span->events[span->event_count - 1] : NULL;
	if (more == 0)
		return import_json_expect(reader, "an event: an object");
	const struct import_target target = {.span = span, .event_index = span->event_count};
	while (more >= 0 && (more = json_reader_key(reader)) == 1) {
		if (strcmp(reader->text, "name") == 0)
			more = read_event_name(reader, span, event);
		else if (strcmp(reader->text, "time_ns") == 0)
			more = read_part(reader, import_time_ns, &event->time_ns);
		else if (strcmp(reader->text, "time") == 0)
			more = read_part(reader, import_time, &event->time_ns);
		else if (strcmp(reader->text, "attributes") == 0)
			more = import_json_attributes(reader, &target);
		else
			more = import_json_expect(reader, "name, time_ns, time or attributes in an event");
	}
	if (more == 0 && event->name.bytes == 0)
		return import_json_expect(reader, "a name in every event");
	return more;
}

static int read_link_trace(struct json_reader *reader, struct import_link *link) {
	int more = import_json_begin(reader, JSON_STRING, "a trace id in quotes");
	if (more != 1)
		return more;
	return import_json_expect(reader,
	                          import_trace_id(reader->text, reader->text_bytes, &link->trace_hi, &link->trace_lo));
}

static int read_link(struct json_reader *reader, struct import_read *read) {
	struct import_link link = {0};
	int more = import_json_begin(reader, JSON_OBJECT, "a link: an object");
	if (more == 0)
		return import_json_expect(reader, "a link: an object");
	while (more >= 0 && (more = json_reader_key(reader)) == 1) {
		if (strcmp(reader->text, "trace_id") == 0)
			more = read_link_trace(reader, &link);
		else if (strcmp(reader->text, "span_id") == 0)
			more = read_part(reader, import_span_id, &link.span_id);
		else
			more = import_json_expect(reader, "trace_id or span_id in a link");
	}
	if (more < 0)
		return more;
	if (!(link.trace_hi | link.trace_lo) || !link.span_id)
		return import_json_expect(reader, "trace_id and span_id in every link");
	return import_json_expect(reader, import_span_link(read->span, &link));
}

static int read_list(struct json_reader *reader, struct import_read *read,
                     int (*read_one)(struct json_reader *reader, struct import_read *read)) {
	int more = import_json_begin(reader, JSON_ARRAY, "a list");
	if (more != 1)
		return more;
	while (more >= 0 && (more = json_reader_item(reader)) == 1)
		more = read_one(reader, read);
	return more;
}

static int refuse_key(struct json_reader *reader) {
	const char *nearest = reader->text_bytes < 64 ? import_field_nearest(reader->text) : NULL;
	if (nearest)
		return json_reader_refuse(reader, "unknown key '%s': did you mean '%s'?", reader->text, nearest);
	return json_reader_refuse(reader, "unknown key '%.40s': put what is not of every span into \"attributes\"",
	                          reader->text);
}

static int read_member(struct json_reader *reader, struct import_read *read) {
	const struct import_target span = {.span = read->span};
	const struct import_target origin = {.span = read->span, .origin = read->origin};
	const struct import_field *field = import_field_find(reader->text);
	if (field)
		return read_scalar(reader, field, read);
	if (strcmp(reader->text, "attributes") == 0)
		return import_json_attributes(reader, &span);
	if (strcmp(reader->text, "resource") == 0)
		return import_json_attributes(reader, &origin);
	if (strcmp(reader->text, "events") == 0)
		return read_list(reader, read, read_event);
	if (strcmp(reader->text, "links") == 0)
		return read_list(reader, read, read_link);
	return refuse_key(reader);
}

static int read_span(struct json_reader *reader, struct import_read *read) {
	int more = import_json_begin(reader, JSON_OBJECT, "a span: an object in one line");
	if (more == 0)
		return import_json_expect(reader, "a span: an object in one line");
	while (more >= 0 && (more = json_reader_key(reader)) == 1)
		more = read_member(reader, read);
	return more < 0 ? more : json_reader_line_end(reader);
}

int import_read_jsonl(struct import_read *read) {
	struct json_reader reader;
	int error = 0;
	json_reader_init(&reader, read->source);
	reader.one_line = true;
	while (!error && json_reader_document(&reader) == 1) {
		uint64_t line = reader.line;
		import_span_clear(read->span);
		import_origin_clear(read->origin);
		error = read_span(&reader, read);
		if (error == -EINVAL) {
			error = import_read_problem(read, reader.line, reader.column, reader.error);
			import_read_skip_line(read);
		} else if (!error) {
			error = import_read_give(read, line, 1);
		}
	}
	json_reader_done(&reader);
	return error;
}
