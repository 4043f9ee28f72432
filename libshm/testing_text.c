/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans as text, to be kept in a file beside a test and compared byte by byte. So nothing in it depends on the machine, the
 * locale or the moment: no file names and lines of sites, no thread ids of the kernel, a point in every fraction.
 *
 *     span 1 "parse" internal error "no such file"
 *       trace 0000000000000001.e3f1c0d7a5b29864 parent 0 thread 1 start 1000001000 duration 3000
 *       scope "parser" "1.2"
 *       attribute "file.path" string "a.txt"
 *       event "retry" 1000002000
 *         attribute "attempt" u64 2
 *       link 0000000000000001.e3f1c0d7a5b29864 7
 */
#include <inttypes.h>
#include <spanring/testing.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PART_BYTES 128u

struct writer {
	char *text;
	uint64_t bytes; /* room, the final zero included */
	uint64_t used;  /* length of the whole text, also of what found no room */
};

static void put(struct writer *writer, const char *part, uint64_t part_bytes) {
	uint64_t end = writer->used + part_bytes;
	if (writer->bytes > 0 && writer->used < writer->bytes - 1) {
		uint64_t room = writer->bytes - 1 - writer->used;
		memcpy(writer->text + writer->used, part, part_bytes < room ? part_bytes : room);
	}
	writer->used = end;
}

__attribute__((format(printf, 2, 3))) static void put_format(struct writer *writer, const char *format, ...) {
	char part[PART_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int bytes = vsnprintf(part, sizeof(part), format, arguments);
	va_end(arguments);
	if (bytes > 0)
		put(writer, part, (uint64_t)bytes < sizeof(part) ? (uint64_t)bytes : sizeof(part) - 1);
}

static void put_quoted(struct writer *writer, const char *text, uint64_t bytes) {
	put(writer, " \"", 2);
	for (uint64_t i = 0; i < bytes; i++) {
		uint8_t c = (uint8_t)text[i];
		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			put_format(writer, "\\x%02x", c);
		else
			put(writer, &text[i], 1);
	}
	put(writer, "\"", 1);
}

static void put_name(struct writer *writer, const char *name) {
	put_quoted(writer, name, strlen(name));
}

/* Digits enough to give the same number back. */
static void put_fraction(struct writer *writer, double value) {
	char part[PART_BYTES];
	int bytes = snprintf(part, sizeof(part), "%.17g", value);
	for (int i = 0; i < bytes; i++)
		if (!strchr("0123456789+-einfa", part[i]))
			part[i] = '.';
	put_format(writer, " f64 %s", part);
}

static void put_attributes(struct writer *writer, const char *indent,
                           const struct spanring_testing_attribute *attribute) {
	for (; attribute; attribute = attribute->next) {
		put_format(writer, "%sattribute", indent);
		put_name(writer, attribute->key);
		switch (attribute->type) {
		case SPANRING_VALUE_BOOL:
			put_format(writer, " bool %s", attribute->value.boolean ? "true" : "false");
			break;
		case SPANRING_VALUE_I64:
			put_format(writer, " i64 %" PRId64, attribute->value.i64);
			break;
		case SPANRING_VALUE_U64:
			put_format(writer, " u64 %" PRIu64, attribute->value.u64);
			break;
		case SPANRING_VALUE_F64:
			put_fraction(writer, attribute->value.f64);
			break;
		default:
			put_format(writer, " string");
			put_quoted(writer, attribute->value.string, attribute->string_bytes);
		}
		put(writer, "\n", 1);
	}
}

static void put_head(struct writer *writer, const struct spanring_testing_span *span) {
	static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
	static const char *const statuses[] = {"unset", "ok", "error"};
	put_format(writer, "span %" PRIu64, span->span_id);
	put_name(writer, span->name);
	put_format(writer, " %s %s", kinds[span->kind], statuses[span->status]);
	if (span->status_description)
		put_name(writer, span->status_description);
	put_format(writer, "%s\n", span->is_unfinished ? " unfinished" : "");
	put_format(writer, "  trace %016" PRIx64 ".%016" PRIx64, span->trace_hi, span->trace_lo);
	put_format(writer, " %sparent %" PRIu64 " thread %" PRIu32, span->has_remote_parent ? "remote " : "",
	           span->parent_id, span->thread);
	put_format(writer, " start %" PRIu64 " duration %" PRIu64 "\n", span->start_ns, span->duration_ns);
	if (span->scope_name) {
		put_format(writer, "  scope");
		put_name(writer, span->scope_name);
		if (span->scope_version)
			put_name(writer, span->scope_version);
		put(writer, "\n", 1);
	}
}

static void put_span(struct writer *writer, const struct spanring_testing_span *span) {
	put_head(writer, span);
	put_attributes(writer, "  ", span->attributes);
	for (const struct spanring_testing_event *event = span->events; event; event = event->next) {
		put_format(writer, "  event");
		put_name(writer, event->name);
		put_format(writer, " %" PRIu64 "\n", event->time_ns);
		put_attributes(writer, "    ", event->attributes);
	}
	for (const struct spanring_testing_link *link = span->links; link; link = link->next)
		put_format(writer, "  link %016" PRIx64 ".%016" PRIx64 " %" PRIu64 "\n", link->linked.trace_hi,
		           link->linked.trace_lo, link->linked.span_id);
}

uint64_t spanring_testing_text(char *ret_text, uint64_t bytes) {
	struct writer writer = {ret_text, bytes, 0};
	const struct spanring_testing_span *span = spanring_testing_next(NULL);
	for (; span; span = spanring_testing_next(span))
		put_span(&writer, span);
	if (bytes > 0)
		ret_text[writer.used < bytes ? writer.used : bytes - 1] = '\0';
	return writer.used;
}
