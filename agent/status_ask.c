/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"
#include "status.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_SECONDS_MAX 5

int status_connect(const char *rings, int *ret_fd) {
	CLEANUP_FD int directory_fd = open(rings, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return -errno;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATUS_SOCKET_NAME,
	               directory_fd);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = ANSWER_SECONDS_MAX};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int status_ask(const char *rings, char *ret_text, size_t text_bytes) {
	CLEANUP_FD int fd = FD_NONE;
	int rc = status_connect(rings, &fd);
	if (rc < 0)
		return rc;
	size_t at = 0;
	while (at < text_bytes - 1) {
		ssize_t got = read(fd, ret_text + at, text_bytes - 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	ret_text[at] = '\0';
	return at > 2 && ret_text[at - 2] == '}' ? 0 : ERR_DAMAGED;
}

/* Between quotes: the one that ends it is the first without a backslash, which is taken off \" and \\. */
static size_t read_quoted(const char *value, char ret_plain[STATUS_VALUE_BYTES], size_t *ret_bytes) {
	size_t at = 0;
	size_t out = 0;
	while (value[at] && value[at] != '"') {
		bool escaped = value[at] == '\\' && value[at + 1];
		bool simple = escaped && (value[at + 1] == '"' || value[at + 1] == '\\');
		for (size_t i = simple; i <= (size_t)escaped && out < STATUS_VALUE_BYTES; i++)
			ret_plain[out++] = value[at + i];
		at += escaped ? 2 : 1;
	}
	*ret_bytes = out;
	return at;
}

const char *status_find(const char *at, const char *key, char ret_value[STATUS_VALUE_BYTES]) {
	char pattern[64];
	char plain[STATUS_VALUE_BYTES];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	const char *value = at ? strstr(at, pattern) : NULL;
	ret_value[0] = '\0';
	if (!value)
		return NULL;
	value += strlen(pattern);
	value += strspn(value, " ");
	if (*value != '"') {
		size_t bytes = strcspn(value, ",}] \n");
		(void)text_printable(value, bytes, ret_value, STATUS_VALUE_BYTES);
		return value + bytes;
	}
	size_t plain_bytes;
	value++;
	value += read_quoted(value, plain, &plain_bytes);
	(void)text_printable(plain, plain_bytes, ret_value, STATUS_VALUE_BYTES);
	return value;
}

uint64_t status_find_number(const char *at, const char *key) {
	char value[STATUS_VALUE_BYTES];
	uint64_t number = 0;
	if (status_find(at, key, value))
		(void)sscanf(value, "%" SCNu64, &number);
	return number;
}
