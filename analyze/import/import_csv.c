/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV (RFC 4180) with a header: its names say what a column is, in any order. A field in quotes may hold commas, line breaks and doubled
 * quotes. A value of a column attr.KEY that reads as a number, true or false in JSON is one, in quotes or not; all others are strings, as are those with
 * a mark (import_mark.h).
 */
#include "import_field.h"
#include "import_mark.h"
#include "import_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 1024u
#define RECORD_BYTES_MAX (4u << 20)
#define ATTRIBUTE_PREFIX "attr."

struct csv_field {
	uint32_t at;
	uint32_t bytes; /* and a zero behind them */
	uint64_t line;
	uint64_t column;
};

struct csv_column {
	const struct import_field *field; /* NULL: an attribute */
	const char *key;
};

struct csv {
	struct import_read *read;
	char *text; /* of the record at hand */
	uint32_t text_bytes;
	uint32_t field_count;
	uint32_t column_count;
	char *header; /* what the keys point into */
	const char *wrong;
	struct csv_field fields[COLUMNS_MAX];
	struct csv_column columns[COLUMNS_MAX];
};

static bool put(struct csv *csv, int byte) {
	if (csv->text_bytes == RECORD_BYTES_MAX) {
		csv->wrong = "a record of at most 4 MiB: is a quote not closed?";
		return false;
	}
	csv->text[csv->text_bytes++] = (char)byte;
	return true;
}

static bool ends_field(int byte) {
	return byte == ',' || byte == '\n' || byte == BYTE_SOURCE_END;
}

/* Behind the opening quote, up to behind the closing one. */
static bool read_quoted(struct csv *csv) {
	struct byte_source *source = csv->read->source;
	for (;;) {
		int byte = byte_source_peek(source);
		if (byte == BYTE_SOURCE_END) {
			csv->wrong = "a closing quote before the end of the input";
			return false;
		}
		byte_source_take(source);
		if (byte == '"') {
			if (byte_source_peek(source) != '"')
				return true;
			byte_source_take(source);
		}
		if (!put(csv, byte))
			return false;
	}
}

static bool read_plain(struct csv *csv) {
	struct byte_source *source = csv->read->source;
	int byte;
	while (!ends_field(byte = byte_source_peek(source))) {
		if (byte == '"') {
			csv->wrong = "quotes around the whole field, and doubled within it";
			return false;
		}
		byte_source_take(source);
		if (!put(csv, byte))
			return false;
	}
	return true;
}

/* A carriage return before a line break is no part of the field. */
static bool read_field(struct csv *csv) {
	struct byte_source *source = csv->read->source;
	if (csv->field_count == COLUMNS_MAX) {
		csv->wrong = "at most 1024 columns";
		return false;
	}
	struct csv_field *field = &csv->fields[csv->field_count++];
	*field = (struct csv_field){.at = csv->text_bytes, .line = source->line, .column = source->column};
	if (byte_source_peek(source) == '"') {
		byte_source_take(source);
		if (!read_quoted(csv))
			return false;
		if (byte_source_peek(source) == '\r')
			byte_source_take(source);
		if (!ends_field(byte_source_peek(source))) {
			csv->wrong = "a comma or the end of the line after a closing quote";
			return false;
		}
	} else if (!read_plain(csv)) {
		return false;
	} else if (csv->text_bytes > field->at && csv->text[csv->text_bytes - 1] == '\r' &&
	           byte_source_peek(source) != ',') {
		csv->text_bytes--;
	}
	field->bytes = csv->text_bytes - field->at;
	return put(csv, 0);
}

/* 1, 0 at the end, or -EINVAL with what is wrong. Empty lines are passed over. */
static int read_record(struct csv *csv) {
	struct byte_source *source = csv->read->source;
	int byte;
	csv->text_bytes = 0;
	csv->field_count = 0;
	csv->wrong = NULL;
	while ((byte = byte_source_peek(source)) == '\n' || byte == '\r')
		byte_source_take(source);
	if (byte == BYTE_SOURCE_END)
		return 0;
	while (read_field(csv)) {
		byte = byte_source_peek(source);
		if (byte != BYTE_SOURCE_END)
			byte_source_take(source);
		if (byte != ',')
			return 1;
	}
	return -EINVAL;
}

static int refuse_column(struct csv *csv, const struct csv_field *field) {
	char text[JSON_READER_ERROR_BYTES];
	const char *name = csv->text + field->at;
	const char *nearest = field->bytes < 64 ? import_field_nearest(name) : NULL;
	if (nearest)
		(void)snprintf(text, sizeof(text), "unknown column '%.60s': did you mean '%s'?", name, nearest);
	else
		(void)snprintf(text, sizeof(text),
		               "unknown column '%.60s': name a column of attributes " ATTRIBUTE_PREFIX "KEY", name);
	(void)import_read_problem(csv->read, field->line, field->column, text);
	return -EINVAL;
}

/* Without a header nothing can be read, whatever is to go on. */
static int read_header(struct csv *csv) {
	struct import_read *read = csv->read;
	int more = read_record(csv);
	if (more < 0)
		(void)import_read_expected(read, read->source->line, read->source->column, csv->wrong);
	if (more <= 0)
		return more;
	csv->header = malloc(csv->text_bytes);
	if (!csv->header)
		return -ENOMEM;
	memcpy(csv->header, csv->text, csv->text_bytes);
	csv->column_count = csv->field_count;
	for (uint32_t i = 0; i < csv->column_count; i++) {
		const char *name = csv->header + csv->fields[i].at;
		bool attribute = strncmp(name, ATTRIBUTE_PREFIX, sizeof(ATTRIBUTE_PREFIX) - 1) == 0;
		csv->columns[i].field = attribute ? NULL : import_field_find(name);
		csv->columns[i].key = attribute ? name + sizeof(ATTRIBUTE_PREFIX) - 1 : NULL;
		if (!csv->columns[i].field && (!attribute || !*csv->columns[i].key))
			return refuse_column(csv, &csv->fields[i]);
	}
	return 1;
}

/* A text behind a mark is a text, whatever it looks like. */
static bool is_marked(const char *text, size_t bytes) {
	return bytes > 0 && *text == '\'' && import_needs_mark(text + 1, bytes - 1);
}

static const char *set_attribute(struct csv *csv, const char *key, const char *text, size_t bytes) {
	const struct import_target target = {.span = csv->read->span};
	if (bytes == 0)
		return NULL;
	if (is_marked(text, bytes))
		return import_add_string(&target, key, text + 1, bytes - 1);
	if (import_is_number(text, bytes))
		return import_add_number(&target, key, text);
	if (import_is_not_finite(text, bytes))
		return import_add_double(&target, key, text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return import_add_bool(&target, key, *text == 't');
	return import_add_string(&target, key, text, bytes);
}

static int take_record(struct csv *csv) {
	struct import_read *read = csv->read;
	if (csv->field_count != csv->column_count) {
		char text[JSON_READER_ERROR_BYTES];
		(void)snprintf(text, sizeof(text), "expected %u fields as in the header, found %u", csv->column_count,
		               csv->field_count);
		return import_read_problem(read, csv->fields[0].line, 1, text);
	}
	import_span_clear(read->span);
	import_origin_clear(read->origin);
	for (uint32_t i = 0; i < csv->field_count; i++) {
		const struct csv_field *field = &csv->fields[i];
		const struct csv_column *column = &csv->columns[i];
		const char *text = csv->text + field->at;
		uint32_t mark = column->field && is_marked(text, field->bytes);
		const char *expected = column->field ? import_field_set(column->field, text + mark, field->bytes - mark,
		                                                        read->span, read->origin)
		                                     : set_attribute(csv, column->key, text, field->bytes);
		if (expected)
			return import_read_expected(read, field->line, field->column, expected);
	}
	return import_read_give(read, csv->fields[0].line, 1);
}

int import_read_csv(struct import_read *read) {
	struct csv *csv = calloc(1, sizeof(*csv));
	int more = csv ? 1 : -ENOMEM;
	if (csv) {
		csv->read = read;
		csv->text = malloc(RECORD_BYTES_MAX + 1);
		more = csv->text ? read_header(csv) : -ENOMEM;
	}
	while (more == 1 && (more = read_record(csv)) != 0) {
		int error = more == 1
		                ? take_record(csv)
		                : import_read_expected(read, read->source->line, read->source->column, csv->wrong);
		if (more < 0)
			import_read_skip_line(read);
		more = error ? error : 1;
	}
	if (csv) {
		free(csv->text);
		free(csv->header);
	}
	free(csv);
	return more;
}
