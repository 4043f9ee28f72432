/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX 2048

static const char *const level_prefix[] = {[LOG_LEVEL_ERROR] = "error: ",
                                           [LOG_LEVEL_WARNING] = "warning: ",
                                           [LOG_LEVEL_INFO] = "",
                                           [LOG_LEVEL_DEBUG] = "debug: "};

void log_write(const struct log *log, enum log_level level, const char *format, ...) {
	if (level > log->level)
		return;
	char text[LINE_BYTES_MAX];
	char line[LINE_BYTES_MAX + 64];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	size_t bytes = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
	int head = snprintf(line, sizeof(line), "%s: %s", log->program, level_prefix[level]);
	if (head < 0 || (size_t)head >= sizeof(line) - 1)
		return;
	size_t at = (size_t)head;
	at += text_printable(text, bytes, line + at, sizeof(line) - at - 1);
	line[at++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, at);
	(void)written; /* nowhere left to say so */
}
