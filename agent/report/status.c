/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/json.h"
#include "status_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 8
#define ANSWERS_MAX 8u /* in one step */
#define SEND_BUFFER_BYTES (512 * 1024)

/* Through the open directory: the path may be longer than a socket address holds. */
static void socket_address(int rings_fd, struct sockaddr_un *ret_address) {
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/" STATUS_SOCKET_NAME,
	               rings_fd);
}

int status_listen(int rings_fd, bool of_system, const struct log *log) {
	struct sockaddr_un address;
	socket_address(rings_fd, &address);
	(void)unlinkat(rings_fd, STATUS_SOCKET_NAME, 0); /* of an agent that was killed: we have its lock */
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0) {
		log_warning(log, "no status socket: %s; everything else works", strerror(errno));
		return -1;
	}
	/* bind() knows nothing of access lists: here the group asks, too. */
	if (of_system && fchmodat(rings_fd, STATUS_SOCKET_NAME, 0660, 0) < 0)
		log_warning(log, "status socket: %s; only this user and root can ask", strerror(errno));
	return take_fd(&fd);
}

void status_close(int rings_fd, int status_fd) {
	if (status_fd < 0)
		return;
	(void)unlinkat(rings_fd, STATUS_SOCKET_NAME, 0);
	(void)close(status_fd);
}

static int make_answer(struct agent *agent, bool with_rings, char **ret_text, size_t *ret_bytes) {
	FILE *file = open_memstream(ret_text, ret_bytes);
	if (!file)
		return -errno;
	struct json json = json_begin(file);
	json_open(&json, NULL, '{');
	status_agent_write(agent, &json);
	status_list_write(agent, with_rings, &json);
	json_close(&json);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

/* Rings are left out where the machine allows a socket less than they need: what is cut off would be worth nothing. */
static void answer(struct agent *agent, int fd) {
	int buffer_bytes = SEND_BUFFER_BYTES;
	socklen_t length = sizeof(buffer_bytes);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, &length) < 0)
		return;
	for (int without_rings = 0; without_rings < 2; without_rings++) {
		CLEANUP_FREE char *text = NULL;
		size_t bytes = 0;
		if (make_answer(agent, !without_rings, &text, &bytes) < 0)
			return;
		if (!without_rings && bytes > (size_t)buffer_bytes / 4 * 3)
			continue;
		(void)send(fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
}

void status_serve(struct agent *agent) {
	for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
		CLEANUP_FD int fd = accept4(agent->status_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		if (i == 0)
			pace_round(agent, clock_monotonic_ns());
		answer(agent, fd);
	}
}
