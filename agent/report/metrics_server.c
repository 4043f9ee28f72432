/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_server.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "http.h"
#include "metrics.h"
#include "metrics_listen.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define EVENTS_MAX (METRICS_CONNECTIONS_MAX + 1)
#define ACCEPTS_MAX METRICS_CONNECTIONS_MAX /* in one turn */
#define PAGES_MAX 2u                        /* made in one turn; who is not served comes next time */
#define DRAIN_BYTES_MAX (1u << 16)
#define LISTENER UINT32_MAX /* as an event's data; else the number of a connection */
#define HEADER_BYTES 512u
#define HEALTHY "healthy\n"

enum phase { CLOSED, WAITING, SENDING, DRAINING };

struct connection {
	enum phase phase;
	int fd;
	uint64_t since_ns; /* of the phase */
	uint64_t until_ns;
	bool is_last; /* close after the answer */
	size_t in_bytes;
	size_t drained_bytes;
	char *out;
	size_t out_bytes;
	size_t out_at;
	char in[HTTP_REQUEST_BYTES_MAX];
};

struct metrics_server {
	const struct log *log;
	struct metrics_listener listener;
	int epoll_fd;
	uint64_t answers;
	uint32_t pages_left; /* in this turn */
	struct connection connections[METRICS_CONNECTIONS_MAX];
};

int metrics_server_open(const char *text, const struct log *log, struct metrics_server **ret_server) {
	struct metrics_address address;
	const char *why;
	*ret_server = NULL;
	if (metrics_address_parse(text, &address, &why) < 0 || address.kind == METRICS_ADDRESS_NONE)
		return EXIT_CODE_OK;
	CLEANUP_FREE struct metrics_server *server = calloc(1, sizeof(*server));
	CLEANUP_FD int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = LISTENER};
	if (!server || epoll_fd < 0) {
		log_error(log, "metrics cannot be set up: %s", strerror(server ? errno : ENOMEM));
		return EXIT_CODE_FAILED;
	}
	int rc = metrics_listen(&address, &server->listener);
	if (rc == 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, server->listener.fd, &event) < 0) {
		rc = -errno;
		metrics_unlisten(&server->listener);
	}
	if (rc < 0) {
		log_error(log, "metrics %s: %s; %s", text, strerror(-rc),
		          rc == -EADDRINUSE ? "another program has it: stop that one, or give another --metrics"
		                            : "give another --metrics, or off");
		return EXIT_CODE_FAILED;
	}
	server->log = log;
	server->epoll_fd = take_fd(&epoll_fd);
	*ret_server = TAKE_PTR(server);
	return EXIT_CODE_OK;
}

int metrics_server_fd(const struct metrics_server *server) {
	return server ? server->epoll_fd : FD_NONE;
}

const char *metrics_server_address(const struct metrics_server *server) {
	return server ? server->listener.text : METRICS_ADDRESS_OFF;
}

uint64_t metrics_server_answers(const struct metrics_server *server) {
	return server ? server->answers : 0;
}

/* Closing takes the descriptor out of the epoll set, too: nobody has a copy of it. */
static void close_connection(struct connection *connection) {
	if (connection->phase == CLOSED)
		return;
	(void)close(connection->fd);
	free(connection->out);
	connection->out = NULL;
	connection->phase = CLOSED;
}

void metrics_server_close(struct metrics_server *server) {
	if (!server)
		return;
	for (uint32_t i = 0; i < METRICS_CONNECTIONS_MAX; i++)
		close_connection(&server->connections[i]);
	metrics_unlisten(&server->listener);
	(void)close(server->epoll_fd);
	free(server);
}

static void listen_for(struct metrics_server *server, struct connection *connection, uint32_t events) {
	struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(connection - server->connections)};
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) < 0)
		close_connection(connection);
}

static void enter(struct connection *connection, enum phase phase, uint64_t time_ns) {
	connection->phase = phase;
	connection->since_ns = clock_monotonic_ns();
	connection->until_ns = connection->since_ns + time_ns;
}

/* A free one, or the one that has waited longest, closed; NULL: all are being answered. */
static struct connection *room(struct metrics_server *server) {
	struct connection *longest = NULL;
	for (uint32_t i = 0; i < METRICS_CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];
		if (connection->phase == CLOSED)
			return connection;
		if (connection->phase != SENDING && (!longest || connection->since_ns < longest->since_ns))
			longest = connection;
	}
	if (longest)
		close_connection(longest);
	return longest;
}

static void accept_some(struct metrics_server *server) {
	for (uint32_t i = 0; i < ACCEPTS_MAX; i++) {
		CLEANUP_FD int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *connection = fd < 0 ? NULL : room(server);
		if (fd < 0)
			return;
		if (!connection)
			continue;
		struct epoll_event event = {.events = EPOLLIN,
		                            .data.u32 = (uint32_t)(connection - server->connections)};
		if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			continue;
		connection->fd = take_fd(&fd);
		connection->in_bytes = connection->drained_bytes = 0;
		connection->is_last = false;
		enter(connection, WAITING, METRICS_REQUEST_NS);
	}
}

/* Header and body; false when there is no memory for them. */
static bool put_answer(struct connection *connection, int status, const char *type, const char *body, size_t bytes,
                       bool is_head) {
	char header[HEADER_BYTES];
	int length =
	    snprintf(header, sizeof(header),
	             "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sCache-Control: no-store\r\n"
	             "Connection: %s\r\n\r\n",
	             status, http_reason(status), type, bytes, status == 405 ? "Allow: GET, HEAD\r\n" : "",
	             connection->is_last ? "close" : "keep-alive");
	size_t sent = is_head ? 0 : bytes;
	connection->out = malloc((size_t)length + sent);
	if (!connection->out)
		return false;
	memcpy(connection->out, header, (size_t)length);
	if (sent > 0)
		memcpy(connection->out + length, body, sent);
	connection->out_bytes = (size_t)length + sent;
	connection->out_at = 0;
	return true;
}

static bool put_page(struct metrics_server *server, struct connection *connection, struct agent *agent,
                     const struct http_request *request) {
	CLEANUP_FREE char *page = NULL;
	size_t bytes = 0;
	enum metrics_form form = !request->wants_openmetrics      ? METRICS_TEXT
	                         : request->wants_openmetrics_old ? METRICS_OPENMETRICS_OLD
	                                                          : METRICS_OPENMETRICS;
	server->pages_left -= server->pages_left > 0;
	server->answers++;
	if (metrics_page(agent, form, &page, &bytes) < 0)
		return false;
	return put_answer(connection, 200, metrics_content_type(form), page, bytes, request->is_head);
}

static bool put_text(struct connection *connection, int status, const char *text, bool is_head) {
	return put_answer(connection, status, "text/plain; charset=utf-8", text, strlen(text), is_head);
}

static bool put_refusal(struct connection *connection, int status, bool is_head) {
	char text[128];
	(void)snprintf(text, sizeof(text), "%d %s; there are GET /metrics and GET /-/healthy\n", status,
	               http_reason(status));
	return put_text(connection, status, text, is_head);
}

static bool put_for_request(struct metrics_server *server, struct connection *connection, struct agent *agent,
                            const struct http_request *request) {
	connection->is_last = !request->keeps_alive;
	if (strcmp(request->path, "/metrics") == 0)
		return put_page(server, connection, agent, request);
	if (strcmp(request->path, "/-/healthy") == 0 || strcmp(request->path, "/health") == 0)
		return put_text(connection, 200, HEALTHY, request->is_head);
	return put_refusal(connection, 404, request->is_head);
}

/* The answer to a whole request, if there is one; then it is under way. */
static void answer(struct metrics_server *server, struct connection *connection, struct agent *agent) {
	struct http_request request;
	size_t used = 0;
	int status = 0;
	bool is_put;
	switch (http_parse(connection->in, connection->in_bytes, &request, &used, &status)) {
	case HTTP_MORE:
		return;
	case HTTP_READY:
		is_put = put_for_request(server, connection, agent, &request);
		break;
	default:
		connection->is_last = true;
		used = connection->in_bytes;
		is_put = put_refusal(connection, status, false);
	}
	memmove(connection->in, connection->in + used, connection->in_bytes - used);
	connection->in_bytes -= used;
	if (!is_put) {
		close_connection(connection);
		return;
	}
	enter(connection, SENDING, METRICS_SEND_NS);
	listen_for(server, connection, EPOLLOUT);
}

static void receive(struct metrics_server *server, struct connection *connection, struct agent *agent) {
	if (server->pages_left == 0)
		return; /* what is not read makes the descriptor readable again */
	if (connection->in_bytes < HTTP_REQUEST_BYTES_MAX) {
		ssize_t got = recv(connection->fd, connection->in + connection->in_bytes,
		                   HTTP_REQUEST_BYTES_MAX - connection->in_bytes, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			close_connection(connection);
			return;
		}
		connection->in_bytes += (size_t)got;
	}
	answer(server, connection, agent);
}

/* Closing with bytes unread would take the answer back from who has not read it yet. */
static void drain(struct connection *connection) {
	ssize_t got = recv(connection->fd, connection->in, sizeof(connection->in), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		connection->drained_bytes += (size_t)got;
	if (got <= 0 || connection->drained_bytes > DRAIN_BYTES_MAX)
		close_connection(connection);
}

static void send_more(struct metrics_server *server, struct connection *connection) {
	ssize_t sent = send(connection->fd, connection->out + connection->out_at,
	                    connection->out_bytes - connection->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent < 0) {
		close_connection(connection);
		return;
	}
	connection->out_at += (size_t)sent;
	if (connection->out_at < connection->out_bytes)
		return;
	free(connection->out);
	connection->out = NULL;
	if (connection->is_last) {
		(void)shutdown(connection->fd, SHUT_WR);
		enter(connection, DRAINING, METRICS_DRAIN_NS);
	} else {
		enter(connection, WAITING, METRICS_IDLE_NS);
	}
	listen_for(server, connection, EPOLLIN);
}

static void serve_connection(struct metrics_server *server, struct connection *connection, struct agent *agent) {
	if (connection->phase == WAITING)
		receive(server, connection, agent);
	else if (connection->phase == DRAINING)
		drain(connection);
	if (connection->phase == SENDING)
		send_more(server, connection);
	/* A request that came along with the one before makes no descriptor readable. */
	if (connection->phase == WAITING && connection->in_bytes > 0)
		answer(server, connection, agent);
}

void metrics_server_serve(struct metrics_server *server, struct agent *agent) {
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(server->epoll_fd, events, EVENTS_MAX, 0);
	server->pages_left = PAGES_MAX;
	for (int i = 0; i < count; i++) {
		uint32_t number = events[i].data.u32;
		if (number == LISTENER)
			accept_some(server);
		else if (number < METRICS_CONNECTIONS_MAX && server->connections[number].phase != CLOSED)
			serve_connection(server, &server->connections[number], agent);
	}
}

void metrics_server_expire(struct metrics_server *server, uint64_t now_ns) {
	for (uint32_t i = 0; server && i < METRICS_CONNECTIONS_MAX; i++)
		if (server->connections[i].phase != CLOSED && now_ns >= server->connections[i].until_ns)
			close_connection(&server->connections[i]);
}
