/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of one line of a log, without where it goes. Text from elsewhere is safe in both: in text by text_printable, in JSON by
 * json_escape. A JSON line is one object:
 *
 *     {"ts":"2026-11-21T08:15:00.123456789Z","level":"error","event":"store_failing","msg":"...","program":"spanring-agent","pid":4711,
 *      "left_out":12,"store":"/var/lib/spanring"}
 *
 * ts is UTC, event "message" where the line has none of its own, left_out how many lines of the kind were not written before this one
 * (missing: none), then come the fields of the event. What does not fit is cut: the text at a character, fields as a whole.
 */
#ifndef SPANRING_BASE_LOG_LINE_H
#define SPANRING_BASE_LOG_LINE_H

#include "log.h"

#include <stddef.h>

#define LOG_LINE_BYTES_MAX 16384u
#define LOG_LINE_MESSAGE_BYTES_MAX 2048u

struct log_line {
	enum log_level level;
	const char *program;
	const char *event;              /* NULL: none of its own */
	const char *message;            /* at most LOG_LINE_MESSAGE_BYTES_MAX */
	const struct log_field *fields; /* NULL: none */
	uint64_t left_out;
	uint64_t wall_ns;
	int64_t pid;
	bool journal;
};

/* With the end of line, without a zero; returns the bytes. ret_text has room for LOG_LINE_BYTES_MAX. */
size_t log_line_text(const struct log_line *line, char *ret_text);
size_t log_line_json(const struct log_line *line, char *ret_text);

#endif
