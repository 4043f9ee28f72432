/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "clock.h"
#include "log_limit.h"
#include "log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool log_is_journal(void) {
	const char *stream = getenv("JOURNAL_STREAM"); /* device:inode of what systemd connected */
	struct stat status;
	uint64_t device;
	uint64_t inode;
	char more;
	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64 "%c", &device, &inode, &more) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static void write_line(const struct log *log, struct log_line *line) {
	char text[LOG_LINE_BYTES_MAX];
	line->program = log->program;
	line->journal = log->journal;
	line->wall_ns = clock_wall_ns();
	line->pid = getpid();
	size_t bytes = log->format == LOG_FORMAT_JSON ? log_line_json(line, text) : log_line_text(line, text);
	ssize_t written = write(STDERR_FILENO, text, bytes);
	(void)written; /* nowhere left to say so */
}

__attribute__((format(printf, 5, 0))) static void write_message(const struct log *log, enum log_level level,
                                                                const char *event, const struct log_field *fields,
                                                                const char *format, va_list arguments) {
	char message[LOG_LINE_MESSAGE_BYTES_MAX];
	struct log_line line = {.level = level, .event = event, .fields = fields, .message = message};
	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		return;
	if (log->hear)
		log->hear(log->context, level, message);
	else if (!log->limit || log_limit_take(log->limit, event ? event : format, level, message, clock_monotonic_ns(),
	                                       &line.left_out))
		write_line(log, &line);
}

void log_write(const struct log *log, enum log_level level, const char *format, ...) {
	va_list arguments;
	if (level > log->level)
		return;
	va_start(arguments, format);
	write_message(log, level, NULL, NULL, format, arguments);
	va_end(arguments);
}

void log_event(const struct log *log, enum log_level level, const char *event, const struct log_field *fields,
               const char *format, ...) {
	va_list arguments;
	if (level > log->level)
		return;
	va_start(arguments, format);
	write_message(log, level, event, fields, format, arguments);
	va_end(arguments);
}

void log_say_left_out(const struct log *log) {
	struct log_limit_bucket bucket;
	uint64_t now_ns = log->limit ? clock_monotonic_ns() : 0;
	while (log->limit && log_limit_untold(log->limit, now_ns, &bucket)) {
		char message[LOG_LINE_MESSAGE_BYTES_MAX];
		struct log_field fields[] = {LOG_NUMBER("lines", bucket.left_out), LOG_TEXT("like", bucket.like), {0}};
		struct log_line line = {
		    .level = bucket.level, .event = "lines_left_out", .fields = fields, .message = message};
		(void)snprintf(message, sizeof(message), "%" PRIu64 " lines were left out, the last of them: %s",
		               bucket.left_out, bucket.like);
		if (bucket.level <= log->level)
			write_line(log, &line);
	}
}
