/* SPDX-License-Identifier: Apache-2.0 */
/* One line per message on standard error, "program: level: text", for the programs only; libraries never log. */
#ifndef SPANRING_BASE_LOG_H
#define SPANRING_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
	const char *program;
	enum log_level level; /* messages above this level are not written */
};

/* Written with one write(2), so that lines of several threads never mix; control characters are escaped. */
__attribute__((format(printf, 3, 4))) void log_write(const struct log *log, enum log_level level, const char *format,
                                                     ...);

#define log_error(log, ...) log_write((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
