/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files to import against any bytes, in all three formats and both ways to take mistakes. A span that is given away is complete,
 * and all its texts lie within it; a mistake has a place in the input; the end is always reached.
 */
#include "analyze/import/import_read.h"

#include <spanring/record.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
	if (!condition)
		abort();
}

static void check_text(const struct import_span *span, struct import_text text) {
	require(text.bytes <= span->text_bytes && text.at <= span->text_bytes - text.bytes);
}

static int on_span(void *context, const struct import_origin *origin, const struct import_span *span,
                   char ret_text[JSON_READER_ERROR_BYTES]) {
	(void)context;
	ret_text[0] = 0;
	require((span->trace_hi | span->trace_lo) && span->span_id && span->name.bytes > 0);
	require(span->start_ns + span->duration_ns <= INT64_MAX && span->kind <= 4 && span->status <= 2);
	require(memchr(origin->resource, 0, sizeof(origin->resource)) != NULL);
	require(memchr(origin->service, 0, sizeof(origin->service)) != NULL);
	check_text(span, span->name);
	check_text(span, span->thread);
	check_text(span, span->scope);
	check_text(span, span->scope_version);
	check_text(span, span->status_message);
	for (uint32_t i = 0; i < span->attribute_count; i++) {
		const struct import_attribute *attribute = &span->attributes[i];
		check_text(span, attribute->key);
		check_text(span, attribute->string);
		require(attribute->event_index <= span->event_count);
		require(attribute->type >= SPANRING_VALUE_BOOL && attribute->type <= SPANRING_VALUE_STRING);
	}
	for (uint32_t i = 0; i < span->event_count; i++)
		check_text(span, span->events[i].name);
	return 0;
}

static void on_problem(void *context, uint64_t line, uint64_t column, const char *text) {
	const size_t *size = context;
	require(line >= 1 && line <= *size + 1 && column >= 1 && column <= *size + 1 && *text);
}

static void read_all(const uint8_t *data, size_t size, enum import_format format, bool keep_going,
                     struct import_span *span, struct import_origin *origin) {
	struct byte_source source;
	byte_source_memory(data, size, &source);
	struct import_read read = {.source = &source,
	                           .keep_going = keep_going,
	                           .on_span = on_span,
	                           .on_problem = on_problem,
	                           .context = &size,
	                           .span = span,
	                           .origin = origin};
	int error = import_read(&read, format);
	require(keep_going ? read.problems > 0 || error == 0 : (error != 0) == (read.problems == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct import_span *span = NULL;
	struct import_origin *origin = calloc(1, sizeof(*origin));
	struct byte_source source;
	/* Allocated to the byte, so that a sanitizer sees one too many. */
	uint8_t *bytes = malloc(size ? size : 1);
	require(bytes && origin && import_span_new(&span) == 0);
	if (size)
		memcpy(bytes, data, size);
	byte_source_memory(bytes, size, &source);
	(void)import_read_guess(&source);
	for (enum import_format format = IMPORT_FORMAT_JSONL; format <= IMPORT_FORMAT_OTLP; format++) {
		read_all(bytes, size, format, false, span, origin);
		read_all(bytes, size, format, true, span, origin);
	}
	free(bytes);
	free(origin);
	import_span_free(span);
	return 0;
}
