/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on standard error, one line each, for the programs only; libraries never log. As text, "program: level: text", or as one JSON
 * object (log_line.h). A line that says what a machine may want to act on has an event, whose name is a contract, and fields.
 */
#ifndef SPANRING_BASE_LOG_H
#define SPANRING_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* "error", "warning" ...; "text", "json"; each ends in NULL. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

struct log_limit;

struct log {
	const char *program;
	enum log_level level; /* messages above this level are not written */
	enum log_format format;
	bool journal;            /* standard error is the journal: lines begin with their priority, "<3>" */
	struct log_limit *limit; /* of lines of one kind; NULL: none */
	/* Gets each message in place of standard error; NULL: none does. */
	void (*hear)(void *context, enum log_level level, const char *message);
	void *context;
};

struct log_field {
	const char *key;  /* NULL: the last one */
	const char *text; /* NULL: the number counts */
	uint64_t number;
};

#define LOG_TEXT(field_key, field_text)                                                                                \
	{ .key = (field_key), .text = (field_text) }
#define LOG_NUMBER(field_key, field_number)                                                                            \
	{ .key = (field_key), .number = (field_number) }
#define LOG_FIELDS(...)                                                                                                \
	(const struct log_field[]) {                                                                                   \
		__VA_ARGS__, {                                                                                         \
			.key = NULL                                                                                    \
		}                                                                                                      \
	}

/* Does standard error go to the journal of systemd? */
bool log_is_journal(void);

/* Written with one write(2), so that lines of several threads never mix; control characters are escaped. */
__attribute__((format(printf, 3, 4))) void log_write(const struct log *log, enum log_level level, const char *format,
                                                     ...);

/* The same with the name of what happened, in lower case with underscores, and fields (NULL: none) beside the text. */
__attribute__((format(printf, 5, 6))) void log_event(const struct log *log, enum log_level level, const char *event,
                                                     const struct log_field *fields, const char *format, ...);

/* Say what the limit has left out, where no line of that kind has come since to say it. Cheap when there is nothing. */
void log_say_left_out(const struct log *log);

#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
