/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define SOCKET_VARIABLE "NOTIFY_SOCKET"
#define WATCHDOG_VARIABLE "WATCHDOG_USEC"
#define WATCHDOG_PID_VARIABLE "WATCHDOG_PID"
#define WAIT_SECONDS_MAX 5
#define NS_PER_US UINT64_C(1000)

/* False: not a name that this knows, such as one of a virtual machine's socket ("vsock:..."). */
static bool read_address(const char *name, struct notify *notify) {
	size_t bytes = strlen(name);
	if ((*name != '/' && *name != '@') || bytes < 2 || bytes >= sizeof(notify->address.sun_path))
		return false;
	notify->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(notify->address.sun_path, name, bytes);
	bool is_abstract = *name == '@';
	if (is_abstract)
		notify->address.sun_path[0] = '\0';
	notify->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + !is_abstract);
	return true;
}

/* WATCHDOG_PID names the process that is watched; it is another one when a shell stands between. */
static uint64_t read_watchdog(void) {
	const char *text = getenv(WATCHDOG_VARIABLE);
	const char *pid_text = getenv(WATCHDOG_PID_VARIABLE);
	uint64_t us = 0;
	uint64_t pid = (uint64_t)getpid();
	char more;
	if (!text || sscanf(text, "%" SCNu64 "%c", &us, &more) != 1 || us > UINT64_MAX / NS_PER_US)
		return 0;
	if (pid_text && (sscanf(pid_text, "%" SCNu64 "%c", &pid, &more) != 1 || pid != (uint64_t)getpid()))
		return 0;
	return us * NS_PER_US;
}

void notify_open(struct notify *ret_notify, const struct log *log) {
	const char *name = getenv(SOCKET_VARIABLE);
	struct timeval limit = {.tv_sec = WAIT_SECONDS_MAX};
	*ret_notify = (struct notify){.fd = FD_NONE};
	if (name && *name && !read_address(name, ret_notify))
		log_warning(log,
		            SOCKET_VARIABLE "=%.100s: not a socket that can be told; the service manager hears nothing",
		            name);
	else if (name && *name)
		ret_notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ret_notify->fd >= 0) {
		(void)setsockopt(ret_notify->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		ret_notify->watchdog_ns = read_watchdog();
	}
	(void)unsetenv(SOCKET_VARIABLE);
	(void)unsetenv(WATCHDOG_VARIABLE);
	(void)unsetenv(WATCHDOG_PID_VARIABLE);
}

void notify_close(struct notify *notify) {
	if (notify->fd >= 0)
		(void)close(take_fd(&notify->fd));
}

bool notify_send(const struct notify *notify, bool must, const char *text) {
	ssize_t sent;
	if (notify->fd < 0)
		return true;
	do
		sent = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | (must ? 0 : MSG_DONTWAIT),
		              (const struct sockaddr *)&notify->address, notify->address_bytes);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}
