/* SPDX-License-Identifier: Apache-2.0 */
#include "import_read.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

static const char *const names[] = {[IMPORT_FORMAT_GUESS] = "",
                                    [IMPORT_FORMAT_JSONL] = "jsonl",
                                    [IMPORT_FORMAT_CSV] = "csv",
                                    [IMPORT_FORMAT_OTLP] = "otlp-json"};

enum import_format import_format_named(const char *name) {
	for (enum import_format format = IMPORT_FORMAT_JSONL; format <= IMPORT_FORMAT_OTLP; format++)
		if (strcmp(names[format], name) == 0)
			return format;
	return IMPORT_FORMAT_GUESS;
}

const char *import_format_name(enum import_format format) {
	return names[format];
}

static size_t skip_space(const char *bytes, size_t count, size_t at) {
	while (at < count && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\r' || bytes[at] == '\n'))
		at++;
	return at;
}

enum import_format import_read_guess(struct byte_source *source) {
	static const char *const requests[] = {"\"resourceSpans\"", "\"resource_spans\""};
	const uint8_t *looked;
	size_t count = byte_source_look(source, &looked);
	const char *bytes = (const char *)looked;
	size_t at = count >= 3 && memcmp(bytes, byte_order_mark, 3) == 0 ? 3 : 0;
	at = skip_space(bytes, count, at);
	if (at == count || bytes[at] != '{')
		return at == count ? IMPORT_FORMAT_JSONL : IMPORT_FORMAT_CSV;
	at = skip_space(bytes, count, at + 1);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (count - at >= strlen(requests[i]) && memcmp(bytes + at, requests[i], strlen(requests[i])) == 0)
			return IMPORT_FORMAT_OTLP;
	return IMPORT_FORMAT_JSONL;
}

int import_read(struct import_read *read, enum import_format format) {
	const uint8_t *looked;
	if (byte_source_look(read->source, &looked) >= 3 && memcmp(looked, byte_order_mark, 3) == 0)
		for (int i = 0; i < 3; i++)
			byte_source_take(read->source);
	int error = format == IMPORT_FORMAT_CSV    ? import_read_csv(read)
	            : format == IMPORT_FORMAT_OTLP ? import_read_otlp(read)
	                                           : import_read_jsonl(read);
	if (read->source->error) {
		char text[JSON_READER_ERROR_BYTES];
		(void)snprintf(text, sizeof(text), "cannot be read: %s", strerror(-read->source->error));
		read->on_problem(read->context, read->source->line, read->source->column, text);
	}
	return read->source->error ? read->source->error : error;
}

int import_read_problem(struct import_read *read, uint64_t line, uint64_t column, const char *text) {
	read->problems++;
	read->on_problem(read->context, line, column, text);
	return read->keep_going ? 0 : -EINVAL;
}

int import_read_expected(struct import_read *read, uint64_t line, uint64_t column, const char *expected) {
	char text[JSON_READER_ERROR_BYTES];
	(void)snprintf(text, sizeof(text), "expected %s", expected);
	return import_read_problem(read, line, column, text);
}

int import_read_give(struct import_read *read, uint64_t line, uint64_t column) {
	char text[JSON_READER_ERROR_BYTES];
	const char *expected = import_span_complete(read->span);
	if (expected)
		return import_read_expected(read, line, column, expected);
	int error = read->on_span(read->context, read->origin, read->span, text);
	if (error == -EINVAL)
		return import_read_problem(read, line, column, text);
	read->spans += !error;
	return error;
}

void import_read_skip_line(struct import_read *read) {
	int byte;
	while ((byte = byte_source_peek(read->source)) != BYTE_SOURCE_END && byte != '\n')
		byte_source_take(read->source);
}
