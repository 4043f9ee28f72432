/* SPDX-License-Identifier: Apache-2.0 */
#include "import_span.h"

#include "import_field.h"

#include "base/checked.h"
#include "base/text.h"

#include <spanring/record.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int import_span_new(struct import_span **ret_span) {
	struct import_span *span = calloc(1, sizeof(*span));
	if (!span)
		return -ENOMEM;
	span->attributes = malloc(IMPORT_ROWS_MAX * sizeof(*span->attributes));
	span->events = malloc(IMPORT_ROWS_MAX * sizeof(*span->events));
	span->links = malloc(IMPORT_ROWS_MAX * sizeof(*span->links));
	span->text = malloc(IMPORT_TEXT_BYTES_MAX);
	if (!span->attributes || !span->events || !span->links || !span->text) {
		import_span_free(span);
		return -ENOMEM;
	}
	*ret_span = span;
	return 0;
}

void import_span_free(struct import_span *span) {
	if (!span)
		return;
	free(span->attributes);
	free(span->events);
	free(span->links);
	free(span->text);
	free(span);
}

void import_span_clear(struct import_span *span) {
	*span = (struct import_span){
	    .attributes = span->attributes, .events = span->events, .links = span->links, .text = span->text};
}

void import_origin_clear(struct import_origin *origin) {
	origin->pid = 0;
	origin->ppid = 0;
	origin->resource_left_out = 0;
	origin->service[0] = 0;
	origin->executable[0] = 0;
	origin->command[0] = 0;
	origin->resource[0] = 0;
}

const char *import_span_text(struct import_span *span, const char *text, size_t bytes, struct import_text *ret_text) {
	if (bytes > IMPORT_TEXT_BYTES_MAX - span->text_bytes)
		return "at most 1 MiB of text in one span";
	ret_text->at = span->text_bytes;
	ret_text->bytes = (uint32_t)bytes;
	if (bytes)
		memcpy(span->text + span->text_bytes, text, bytes);
	span->text_bytes += (uint32_t)bytes;
	return NULL;
}

const char *import_span_name(struct import_span *span, const char *text, size_t bytes, struct import_text *ret_text) {
	if (bytes > IMPORT_NAME_BYTES_MAX)
		return "a name of at most 1024 bytes";
	if (memchr(text, 0, bytes))
		return "a name without zero bytes";
	return import_span_text(span, text, bytes, ret_text);
}

const char *import_span_event(struct import_span *span, const char *name, size_t bytes) {
	if (span->event_count == IMPORT_ROWS_MAX)
		return "at most 4096 events in one span";
	struct import_event *event = &span->events[span->event_count];
	event->time_ns = 0;
	const char *expected = import_span_name(span, name, bytes, &event->name);
	if (!expected)
		span->event_count++;
	return expected;
}

const char *import_span_link(struct import_span *span, const struct import_link *link) {
	if (span->link_count == IMPORT_ROWS_MAX)
		return "at most 4096 links in one span";
	span->links[span->link_count++] = *link;
	return NULL;
}

const char *import_span_complete(struct import_span *span) {
	const uint32_t ids = IMPORT_HAS_TRACE | IMPORT_HAS_SPAN_ID;
	if (!(span->has & IMPORT_HAS_TRACE))
		return "a trace id in every span";
	if ((span->has & ids) != ids)
		return "a span id in every span";
	if (!(span->has & IMPORT_HAS_NAME) || span->name.bytes == 0)
		return "a name in every span";
	if (!(span->has & IMPORT_HAS_START))
		return "a start time in every span";
	if (!(span->has & (IMPORT_HAS_END | IMPORT_HAS_DURATION)))
		return "an end time or a duration in every span";
	if (!(span->has & IMPORT_HAS_DURATION)) {
		if (span->end_ns < span->start_ns)
			return "an end that is not before the start";
		span->duration_ns = span->end_ns - span->start_ns;
	} else if ((span->has & IMPORT_HAS_END) && span->end_ns != saturating_add(span->start_ns, span->duration_ns)) {
		return "an end time that is start and duration";
	}
	if (saturating_add(span->start_ns, span->duration_ns) > INT64_MAX)
		return "an end before the year 2262";
	for (uint32_t i = 0; i < span->event_count; i++)
		if (span->events[i].time_ns == 0)
			span->events[i].time_ns = span->start_ns;
	return NULL;
}

/* --- origin ------------------------------------------------------------------------------------------------------ */

static void copy_cut(char *to, size_t room, const char *text, size_t bytes) {
	size_t cut = bytes < room ? bytes : room - 1;
	while (cut > 0 && cut < bytes && ((uint8_t)text[cut] & 0xc0) == 0x80)
		cut--;
	memcpy(to, text, cut);
	to[cut] = 0;
}

static void put_encoded(char *to, const char *text, size_t bytes, size_t *at) {
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)text[i];
		bool plain = byte > ' ' && byte != ',' && byte != '%' && byte != 0x7f;
		if (plain || byte == ' ') {
			to[(*at)++] = text[i];
			continue;
		}
		to[(*at)++] = '%';
		to[(*at)++] = digits[byte >> 4];
		to[(*at)++] = digits[byte & 15];
	}
}

/* A whole pair or nothing, which is counted. */
static void add_resource(struct import_origin *origin, const char *key, const char *text, size_t bytes) {
	size_t used = strlen(origin->resource);
	size_t key_bytes = strlen(key);
	bool fits = bytes < IMPORT_RESOURCE_BYTES_MAX && used + key_bytes + 3 * bytes + 3 < IMPORT_RESOURCE_BYTES_MAX;
	if (!fits || key_bytes == 0 || strpbrk(key, "=,%")) {
		origin->resource_left_out++;
		return;
	}
	if (used)
		origin->resource[used++] = ',';
	memcpy(origin->resource + used, key, key_bytes);
	used += key_bytes;
	origin->resource[used++] = '=';
	put_encoded(origin->resource, text, bytes, &used);
	origin->resource[used] = 0;
}

static const char *add_origin(struct import_origin *origin, const char *key, const char *text, size_t bytes) {
	if (strcmp(key, "process.pid") == 0 || strcmp(key, "process.parent_pid") == 0) {
		char *end = NULL;
		unsigned long long number = strtoull(text, &end, 10);
		if (*text < '0' || *text > '9' || *end || number > UINT32_MAX)
			return "a process id";
		*(key[8] == 'p' && key[9] == 'i' ? &origin->pid : &origin->ppid) = (uint32_t)number;
		return NULL;
	}
	bool whole = memchr(text, 0, bytes) == NULL;
	if (strcmp(key, "service.name") == 0 && whole)
		copy_cut(origin->service, sizeof(origin->service), text, bytes);
	else if (strcmp(key, "process.executable.path") == 0 && whole)
		copy_cut(origin->executable, sizeof(origin->executable), text, bytes);
	else if (strcmp(key, "process.command_line") == 0 && whole)
		copy_cut(origin->command, sizeof(origin->command), text, bytes);
	else
		add_resource(origin, key, text, bytes);
	return NULL;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static const char *add(const struct import_target *target, const char *key, uint8_t type, uint64_t value,
                       const char *text, size_t bytes) {
	struct import_span *span = target->span;
	if (span->attribute_count == IMPORT_ROWS_MAX)
		return "at most 4096 attributes in one span";
	struct import_attribute *attribute = &span->attributes[span->attribute_count];
	size_t cut = bytes < IMPORT_VALUE_BYTES_MAX ? bytes : IMPORT_VALUE_BYTES_MAX;
	while (cut > 0 && cut < bytes && ((uint8_t)text[cut] & 0xc0) == 0x80)
		cut--;
	*attribute = (struct import_attribute){.type = type, .value = value, .event_index = target->event_index};
	const char *expected = import_span_name(span, key, strlen(key), &attribute->key);
	if (!expected && type == SPANRING_VALUE_STRING)
		expected = import_span_text(span, text, cut, &attribute->string);
	if (expected)
		return expected;
	span->limits.values_cut += cut < bytes;
	span->attribute_count++;
	return NULL;
}

/* Where a span ran is not one of its attributes here, but its thread. */
static const char *add_thread(struct import_span *span, const char *key, const char *text, size_t bytes) {
	char *end = NULL;
	if (strcmp(key, "thread.name") == 0)
		return import_span_name(span, text, bytes, &span->thread);
	unsigned long long number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || number > UINT32_MAX)
		return "a thread id below 2^32";
	span->tid = (uint32_t)number;
	return NULL;
}

/* Attributes of these names are columns of a span here; export writes them where OTLP has no field. */
static const struct import_field *column_of(const struct import_target *target, const char *key) {
	static const char *const names[][2] = {{"code.file.path", "file"},
	                                       {"code.line.number", "line"},
	                                       {"spanring.state", "state"},
	                                       {"spanring.weight", "weight"},
	                                       {"spanring.heap_allocated_bytes", "heap_allocated_bytes"},
	                                       {"spanring.heap_net_bytes", "heap_net_bytes"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && target->event_index == 0; i++)
		if (strcmp(key, names[i][0]) == 0)
			return import_field_find(names[i][1]);
	return NULL;
}

static const char *add_column(const struct import_target *target, const struct import_field *column, const char *text,
                              size_t bytes) {
	return import_field_set(column, text, bytes, target->span, NULL);
}

static bool is_thread(const struct import_target *target, const char *key) {
	return target->event_index == 0 && (strcmp(key, "thread.name") == 0 || strcmp(key, "thread.id") == 0);
}

const char *import_add_string(const struct import_target *target, const char *key, const char *text, size_t bytes) {
	if (target->origin)
		return add_origin(target->origin, key, text, bytes);
	if (is_thread(target, key) && strcmp(key, "thread.name") == 0)
		return add_thread(target->span, key, text, bytes);
	const struct import_field *column = column_of(target, key);
	if (column)
		return add_column(target, column, text, bytes);
	return add(target, key, SPANRING_VALUE_STRING, 0, text, bytes);
}

const char *import_add_bool(const struct import_target *target, const char *key, bool value) {
	if (target->origin)
		return add_origin(target->origin, key, value ? "true" : "false", value ? 4 : 5);
	return add(target, key, SPANRING_VALUE_BOOL, value, NULL, 0);
}

const char *import_add_double(const struct import_target *target, const char *key, const char *text) {
	uint64_t bits;
	double value = strtod(text, NULL);
	if (target->origin)
		return add_origin(target->origin, key, text, strlen(text));
	const struct import_field *column = column_of(target, key);
	if (column)
		return add_column(target, column, text, strlen(text));
	memcpy(&bits, &value, sizeof(bits));
	return add(target, key, SPANRING_VALUE_F64, bits, NULL, 0);
}

const char *import_add_number(const struct import_target *target, const char *key, const char *text) {
	char *end = NULL;
	if (target->origin)
		return add_origin(target->origin, key, text, strlen(text));
	if (is_thread(target, key))
		return add_thread(target->span, key, text, strlen(text));
	const struct import_field *column = column_of(target, key);
	if (column)
		return add_column(target, column, text, strlen(text));
	errno = 0;
	long long integer = strtoll(text, &end, 10);
	if (*end == 0 && errno == 0)
		return add(target, key, SPANRING_VALUE_I64, (uint64_t)integer, NULL, 0);
	errno = 0;
	unsigned long long natural = *text == '-' ? 0 : strtoull(text, &end, 10);
	if (*text != '-' && *end == 0 && errno == 0)
		return add(target, key, SPANRING_VALUE_U64, natural, NULL, 0);
	return import_add_double(target, key, text);
}
