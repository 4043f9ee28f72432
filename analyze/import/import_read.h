/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file to spans: one reader per format, all of them streaming; each span is given away whole before the next one is read.
 *
 * MISTAKES. What does not follow the format is a problem with line and column, and the first one ends the reading. With keep_going what
 * it stands in is left out and counted, and reading goes on behind it: in JSON Lines with the next line, in CSV with the next record, in
 * OTLP with the next span where the JSON is sound. Where it is not, with the next line if the whole request stood in one, else not at all.
 */
#ifndef SPANRING_ANALYZE_IMPORT_READ_H
#define SPANRING_ANALYZE_IMPORT_READ_H

#include "byte_source.h"
#include "import_span.h"
#include "json_reader.h"

enum import_format { IMPORT_FORMAT_GUESS, IMPORT_FORMAT_JSONL, IMPORT_FORMAT_CSV, IMPORT_FORMAT_OTLP };

struct import_read {
	struct byte_source *source;
	bool keep_going;
	/* 0; -EINVAL with what is wrong with this span in ret_text; any other error ends the reading. */
	int (*on_span)(void *context, const struct import_origin *origin, const struct import_span *span,
	               char ret_text[JSON_READER_ERROR_BYTES]);
	void (*on_problem)(void *context, uint64_t line, uint64_t column, const char *text);
	void *context;
	struct import_span *span;
	struct import_origin *origin;
	uint64_t spans;
	uint64_t problems;
};

/* By its first bytes, which are not taken. */
enum import_format import_read_guess(struct byte_source *source);
/* "jsonl", "csv", "otlp-json"; IMPORT_FORMAT_GUESS if it is none of them. */
enum import_format import_format_named(const char *name);
const char *import_format_name(enum import_format format);

/* 0; -EINVAL at the first problem without keep_going; the error of on_span; or that of reading, which is a problem as well. */
int import_read(struct import_read *read, enum import_format format);

/* One each (import_jsonl.c, import_csv.c, import_otlp.c), behind the byte order mark. */
int import_read_jsonl(struct import_read *read);
int import_read_csv(struct import_read *read);
int import_read_otlp(struct import_read *read);

/* For them. Tell of a problem: 0 with keep_going, else -EINVAL. */
int import_read_problem(struct import_read *read, uint64_t line, uint64_t column, const char *text);
/* The same of what was expected. */
int import_read_expected(struct import_read *read, uint64_t line, uint64_t column, const char *expected);
/* The span is complete: check it and give it away. */
int import_read_give(struct import_read *read, uint64_t line, uint64_t column);
/* Up to the end of this line. */
void import_read_skip_line(struct import_read *read);

#endif
