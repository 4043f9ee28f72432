/* SPDX-License-Identifier: Apache-2.0 */
#include "config_file.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NULL_DEVICE_MAJOR 1u
#define NULL_DEVICE_MINOR 3u

struct reading {
	char *section; /* NULL: none began yet */
	uint32_t line;
	int (*on_item)(void *context, const struct config_file_item *item);
	void *context;
	char *why;
};

static int refuse(const struct reading *reading, const char *why) {
	(void)snprintf(reading->why, CONFIG_FILE_WHY_BYTES, "%s", why);
	return ERR_DAMAGED;
}

static bool is_blank(char byte) {
	return byte == ' ' || byte == '\t';
}

static bool is_name(const char *text) {
	return *text != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Cuts blanks at both ends; text ends at `end`, which is written. */
static char *trim(char *text, char *end) {
	while (text < end && is_blank(*text))
		text++;
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int check_text(const struct reading *reading, const char *text, size_t bytes) {
	for (size_t at = 0; at < bytes;) {
		unsigned char byte = (unsigned char)text[at];
		uint32_t code_point;
		size_t step = text_utf8_sequence(text + at, bytes - at, &code_point);
		if (byte == 0)
			return refuse(reading, "a zero byte; this is no text file");
		if (byte == '\r')
			return refuse(reading, "a carriage return within the line; end lines with LF or CR LF");
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return refuse(reading, "a control character; remove it");
		if (step == 0)
			return refuse(reading, "not UTF-8; save the file as UTF-8");
		if (code_point == 0xfeff)
			return refuse(reading, "a byte order mark; save the file as UTF-8 without one");
		at += step;
	}
	return 0;
}

static int read_section(struct reading *reading, char *text, char *end) {
	if (end[-1] != ']')
		return refuse(reading, "a section without its closing bracket; write [name] on a line of its own");
	text = trim(text + 1, end - 1);
	if (!is_name(text))
		return refuse(reading, "no name of a section; write [name], of a-z, 0-9 and \"-\"");
	reading->section = text;
	struct config_file_item item = {.line = reading->line, .section = text};
	return reading->on_item(reading->context, &item);
}

static int read_key(struct reading *reading, char *text, char *end) {
	char *equals = memchr(text, '=', (size_t)(end - text));
	if (!equals)
		return refuse(reading, "neither [section], nor key = value, nor # comment");
	char *key = trim(text, equals);
	char *value = trim(equals + 1, end);
	if (!is_name(key))
		return refuse(reading, "no name before \"=\"; write key = value, the key of a-z, 0-9 and \"-\"");
	if (!reading->section)
		return refuse(reading, "a key before any section; put [agent], [flush] or [programs] above it");
	if (*value == '\0')
		return refuse(reading, "no value behind \"=\"; give one, or remove the line");
	struct config_file_item item = {.line = reading->line, .section = reading->section, .key = key, .value = value};
	return reading->on_item(reading->context, &item);
}

static int read_line(struct reading *reading, char *text, size_t bytes) {
	if (bytes > 0 && text[bytes - 1] == '\r')
		bytes--;
	if (bytes > CONFIG_FILE_LINE_BYTES_MAX)
		return refuse(reading, "a line of more than 8192 bytes; shorten it");
	int rc = check_text(reading, text, bytes);
	if (rc < 0)
		return rc;
	char *end = text + bytes;
	text = trim(text, end);
	end = text + strlen(text);
	if (*text == '\0' || *text == '#' || *text == ';')
		return 0;
	return *text == '[' ? read_section(reading, text, end) : read_key(reading, text, end);
}

int config_file_parse(char *text, size_t bytes, int (*on_item)(void *context, const struct config_file_item *item),
                      void *context, uint32_t *ret_line, char ret_why[CONFIG_FILE_WHY_BYTES]) {
	struct reading reading = {.on_item = on_item, .context = context, .why = ret_why};
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < bytes;) {
		const char *newline = memchr(text + at, '\n', bytes - at);
		size_t length = newline ? (size_t)(newline - text) - at : bytes - at;
		reading.line++;
		rc = read_line(&reading, text + at, length);
		at += length + 1;
	}
	*ret_line = reading.line;
	return rc;
}

int config_file_load(const char *path, char **ret_text, size_t *ret_bytes) {
	/* Never blocks: a FIFO without a writer would. */
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	bool is_null = S_ISCHR(status.st_mode) && major(status.st_rdev) == NULL_DEVICE_MAJOR &&
	               minor(status.st_rdev) == NULL_DEVICE_MINOR;
	if (!S_ISREG(status.st_mode) && !is_null)
		return ERR_FOREIGN;
	CLEANUP_FREE char *text = malloc(CONFIG_FILE_BYTES_MAX + 2);
	if (!text)
		return -ENOMEM;
	size_t at = 0;
	while (at <= CONFIG_FILE_BYTES_MAX) {
		ssize_t got = read(fd, text + at, CONFIG_FILE_BYTES_MAX + 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	if (at > CONFIG_FILE_BYTES_MAX)
		return ERR_LIMIT;
	text[at] = '\0';
	*ret_bytes = at;
	*ret_text = TAKE_PTR(text);
	return 0;
}
