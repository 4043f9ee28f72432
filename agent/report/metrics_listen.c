/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_listen.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BACKLOG 16
#define SOCKET_MODE 0660 /* the group of the file decides who else may ask */

union place {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t fill(const struct metrics_address *address, union place *ret_place) {
	memset(ret_place, 0, sizeof(*ret_place));
	switch (address->kind) {
	case METRICS_ADDRESS_UNIX:
		ret_place->local.sun_family = AF_UNIX;
		memcpy(ret_place->local.sun_path, address->path, sizeof(address->path));
		return sizeof(ret_place->local);
	case METRICS_ADDRESS_IPV4:
		ret_place->ipv4.sin_family = AF_INET;
		ret_place->ipv4.sin_port = htons(address->port);
		memcpy(&ret_place->ipv4.sin_addr, address->ip, sizeof(ret_place->ipv4.sin_addr));
		return sizeof(ret_place->ipv4);
	default:
		ret_place->ipv6.sin6_family = AF_INET6;
		ret_place->ipv6.sin6_port = htons(address->port);
		memcpy(&ret_place->ipv6.sin6_addr, address->ip, sizeof(ret_place->ipv6.sin6_addr));
		return sizeof(ret_place->ipv6);
	}
}

static void clear_stale(const union place *place) {
	struct stat status;
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool is_dead = fd >= 0 && connect(fd, &place->any, sizeof(place->local)) < 0 && errno == ECONNREFUSED;
	if (is_dead && lstat(place->local.sun_path, &status) == 0 && S_ISSOCK(status.st_mode))
		(void)unlink(place->local.sun_path);
}

static void write_text(struct metrics_listener *listener) {
	union place place;
	socklen_t length = sizeof(place);
	memset(&place, 0, sizeof(place));
	(void)getsockname(listener->fd, &place.any, &length);
	char host[INET6_ADDRSTRLEN] = "";
	bool is_ipv6 = listener->address.kind == METRICS_ADDRESS_IPV6;
	if (listener->address.kind == METRICS_ADDRESS_UNIX) {
		(void)snprintf(listener->text, sizeof(listener->text), "unix:%s", listener->address.path);
		return;
	}
	(void)inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, listener->address.ip, host, sizeof(host));
	(void)snprintf(listener->text, sizeof(listener->text), is_ipv6 ? "[%s]:%u" : "%s:%u", host,
	               ntohs(is_ipv6 ? place.ipv6.sin6_port : place.ipv4.sin_port));
}

int metrics_listen(const struct metrics_address *address, struct metrics_listener *ret_listener) {
	union place place;
	int yes = 1;
	bool is_unix = address->kind == METRICS_ADDRESS_UNIX;
	socklen_t length = fill(address, &place);
	if (is_unix)
		clear_stale(&place);
	CLEANUP_FD int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Only against the rest of connections of the agent before: a port that is listened on stays refused. */
	if (!is_unix)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, &place.any, length) < 0)
		return -errno;
	if (is_unix && chmod(address->path, SOCKET_MODE) < 0)
		return -errno;
	if (listen(fd, BACKLOG) < 0)
		return -errno;
	ret_listener->fd = take_fd(&fd);
	ret_listener->address = *address;
	write_text(ret_listener);
	return 0;
}

void metrics_unlisten(struct metrics_listener *listener) {
	if (listener->address.kind == METRICS_ADDRESS_UNIX)
		(void)unlink(listener->address.path);
	(void)close(listener->fd);
}
