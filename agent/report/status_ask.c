/* SPDX-License-Identifier: Apache-2.0 */
#include "status_ask.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "status.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static int read_all(int fd, char *text, size_t *ret_bytes) {
	size_t at = 0;
	while (at < STATUS_ASK_BYTES_MAX - 1) {
		ssize_t got = read(fd, text + at, STATUS_ASK_BYTES_MAX - 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	text[at] = '\0';
	*ret_bytes = at;
	return at > 2 && text[at - 2] == '}' ? 0 : ERR_DAMAGED;
}

int status_connect(const char *rings, uint64_t timeout_ns, int *ret_fd) {
	CLEANUP_FD int directory_fd = open(rings, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return -errno;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATUS_SOCKET_NAME,
	               directory_fd);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
	                        .tv_usec = (suseconds_t)(timeout_ns % NS_PER_S / NS_PER_US)};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int status_ask(const char *rings, uint64_t timeout_ns, char **ret_text, size_t *ret_bytes) {
	CLEANUP_FREE char *text = malloc(STATUS_ASK_BYTES_MAX);
	CLEANUP_FD int fd = FD_NONE;
	int rc = text ? status_connect(rings, timeout_ns, &fd) : -ENOMEM;
	if (rc == 0)
		rc = read_all(fd, text, ret_bytes);
	if (rc == 0)
		*ret_text = TAKE_PTR(text);
	return rc;
}
