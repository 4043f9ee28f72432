/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include "cmocka.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_SECONDS 120

static int connect_to(const struct sockaddr *place, socklen_t bytes) {
	struct timeval limit = {.tv_sec = DEADLINE_SECONDS};
	int fd = socket(place->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	if (connect(fd, place, bytes) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

int http_client_connect(const char *address) {
	const char *colon = strrchr(address, ':');
	assert_non_null(colon);
	uint16_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (strncmp(address, "unix:", 5) == 0) {
		struct sockaddr_un place = {.sun_family = AF_UNIX};
		(void)snprintf(place.sun_path, sizeof(place.sun_path), "%s", address + 5);
		return connect_to((const struct sockaddr *)&place, sizeof(place));
	}
	if (address[0] == '[') {
		struct sockaddr_in6 place = {
		    .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
		return connect_to((const struct sockaddr *)&place, sizeof(place));
	}
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return connect_to((const struct sockaddr *)&place, sizeof(place));
}

void http_client_send(int fd, const char *bytes, size_t count) {
	while (count > 0) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
		assert_true(sent > 0);
		bytes += sent;
		count -= (size_t)sent;
	}
}

/* Of the text so far: how long the whole answer is; 0: not known yet. */
static size_t length_of(const char *text) {
	const char *end = strstr(text, "\r\n\r\n");
	const char *field = strstr(text, "Content-Length: ");
	if (!end)
		return 0;
	assert_true(field && field < end);
	return (size_t)(end + 4 - text) + strtoul(field + 16, NULL, 10);
}

struct http_answer http_client_receive(int fd) {
	struct http_answer answer = {0};
	char *text = calloc(1, HTTP_CLIENT_ANSWER_BYTES_MAX);
	size_t bytes = 0;
	assert_non_null(text);
	while (length_of(text) == 0 || bytes < length_of(text)) {
		assert_true(bytes < HTTP_CLIENT_ANSWER_BYTES_MAX - 1);
		size_t room = length_of(text) ? length_of(text) - bytes : 1; /* not a byte of the next one */
		ssize_t got = recv(fd, text + bytes, room, 0);
		if (got < 0 && errno != ECONNRESET)
			fail_msg("no answer: %s", strerror(errno));
		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	char *end = strstr(text, "\r\n\r\n");
	if (end) {
		assert_int_equal(sscanf(text, "HTTP/1.1 %d ", &answer.status), 1);
		end[2] = '\0';
		answer.body = strdup(end + 4);
	}
	answer.head = text;
	return answer;
}

struct http_answer http_client_get(const char *address, const char *path, const char *fields) {
	char request[1024];
	int fd = http_client_connect(address);
	if (fd < 0)
		fail_msg("%s: %s", address, strerror(errno));
	int bytes = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n%s\r\n",
	                     path, fields ? fields : "");
	http_client_send(fd, request, (size_t)bytes);
	struct http_answer answer = http_client_receive(fd);
	(void)close(fd);
	return answer;
}

void http_answer_free(struct http_answer *answer) {
	free(answer->head);
	free(answer->body);
	*answer = (struct http_answer){0};
}
