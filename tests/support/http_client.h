/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough HTTP to ask a server, and to ask it badly. Every wait has a deadline that fails the test. */
#ifndef SPANRING_TESTS_SUPPORT_HTTP_CLIENT_H
#define SPANRING_TESTS_SUPPORT_HTTP_CLIENT_H

#include <stddef.h>

#define HTTP_CLIENT_ANSWER_BYTES_MAX (1u << 20)

struct http_answer {
	int status; /* 0: the connection was closed without one */
	char *head; /* with the status line */
	char *body;
};

/* "127.0.0.1:9464", "[::1]:9464" or "unix:/path". A descriptor, or -1. */
int http_client_connect(const char *address);
/* All of it. */
void http_client_send(int fd, const char *bytes, size_t count);
/* One answer, or the end of the connection. */
struct http_answer http_client_receive(int fd);
/* One request of a connection of its own; fields: further lines, each with its end. */
struct http_answer http_client_get(const char *address, const char *path, const char *fields);
void http_answer_free(struct http_answer *answer);

#endif
