/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain HTTP/1.0 over a socket: one request, one status line. There is no TLS here; whoever needs it has curl, and --alert-exec.
 * A name is looked up by the resolver of the system, which has its own timeouts (resolv.conf).
 */
#include "alert.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define HOST_BYTES 256u
#define PORT_BYTES 6u
#define ANSWER_BYTES 256u
#define WAIT_STEP_MS 20

struct address {
	char host[HOST_BYTES];
	char port[PORT_BYTES];
	const char *path; /* with its slash; "" means "/" */
};

static bool parse_url(const char *url, struct address *ret_address) {
	static const char scheme[] = "http://";
	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	const char *host = url + sizeof(scheme) - 1;
	for (const char *at = url; *at; at++)
		if (*at <= ' ' || *at == 0x7f)
			return false;
	size_t host_bytes = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	size_t inner = *host == '[' ? 1 : 0;
	const char *at = host + host_bytes;
	size_t port_bytes = *at == ':' ? strspn(at + 1, "0123456789") : 0;
	if (host_bytes <= 2 * inner || host_bytes - 2 * inner >= HOST_BYTES || strlen(host) < host_bytes ||
	    port_bytes >= PORT_BYTES || (*at == ':' && port_bytes == 0))
		return false;
	(void)snprintf(ret_address->host, HOST_BYTES, "%.*s", (int)(host_bytes - 2 * inner), host + inner);
	(void)snprintf(ret_address->port, PORT_BYTES, "%.*s", port_bytes ? (int)port_bytes : 2,
	               port_bytes ? at + 1 : "80");
	ret_address->path = *at == ':' ? at + 1 + port_bytes : at;
	return *ret_address->path == 0 || *ret_address->path == '/';
}

/* Wait for the descriptor; false when the time is over. */
static bool wait_for(int fd, short events, uint64_t until_ns) {
	for (;;) {
		uint64_t now_ns = clock_monotonic_ns();
		struct pollfd wanted = {.fd = fd, .events = events};
		if (now_ns >= until_ns)
			return false;
		int ready = poll(&wanted, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
	}
}

static int connect_to(const struct addrinfo *address, uint64_t until_ns) {
	int error = 0;
	socklen_t bytes = sizeof(error);
	int fd CLEANUP_FD = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return take_fd(&fd);
	if (errno != EINPROGRESS)
		return -errno;
	if (!wait_for(fd, POLLOUT, until_ns))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0)
		return error ? -error : -errno;
	return take_fd(&fd);
}

static int send_all(int fd, const char *text, size_t bytes, uint64_t until_ns) {
	while (bytes > 0) {
		ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);
		if (sent >= 0) {
			text += sent;
			bytes -= (size_t)sent;
		} else if (errno != EAGAIN && errno != EINTR) {
			return -errno;
		} else if (!wait_for(fd, POLLOUT, until_ns)) {
			return -ETIMEDOUT;
		}
	}
	return 0;
}

/* The status of the answer, or a negative errno. */
static int read_status(int fd, uint64_t until_ns) {
	char answer[ANSWER_BYTES] = "";
	size_t bytes = 0;
	int status = 0;
	while (bytes < sizeof(answer) - 1 && !memchr(answer, '\n', bytes)) {
		ssize_t got = recv(fd, answer + bytes, sizeof(answer) - 1 - bytes, 0);
		if (got == 0)
			break;
		if (got > 0)
			bytes += (size_t)got;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if (!wait_for(fd, POLLIN, until_ns))
			return -ETIMEDOUT;
	}
	if (sscanf(answer, "HTTP/%*1d.%*1d %3d", &status) != 1)
		return -EPROTO;
	return status;
}

static int talk(int fd, const struct address *address, const char *body, size_t bytes, uint64_t until_ns) {
	char *head CLEANUP_FREE = NULL;
	if (asprintf(&head,
	             "POST %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	             "User-Agent: spanring-analyze\r\nConnection: close\r\n\r\n",
	             *address->path ? address->path : "/", address->host, address->port, bytes) < 0) {
		head = NULL;
		return -ENOMEM;
	}
	int error = send_all(fd, head, strlen(head), until_ns);
	if (!error)
		error = send_all(fd, body, bytes, until_ns);
	return error ? error : read_status(fd, until_ns);
}

int alert_post(const char *url, const char *body, size_t bytes, char ret_why[ALERT_WHY_BYTES]) {
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	uint64_t until_ns = clock_monotonic_ns() + ALERT_TIMEOUT_NS;
	struct addrinfo *found = NULL;
	struct address address;
	int result = -EHOSTUNREACH;
	if (!parse_url(url, &address)) {
		(void)snprintf(ret_why, ALERT_WHY_BYTES,
		               "not a URL like http://host:port/path; for https use --alert-exec 'curl ...'");
		return -1;
	}
	int failed = getaddrinfo(address.host, address.port, &hints, &found);
	if (failed) {
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "%.100s", gai_strerror(failed));
		return -1;
	}
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		int fd CLEANUP_FD = connect_to(at, until_ns);
		result = fd;
		if (fd < 0) {
			fd = FD_NONE;
			continue;
		}
		result = talk(fd, &address, body, bytes, until_ns);
		break;
	}
	freeaddrinfo(found);
	if (result >= 200 && result < 300)
		return 0;
	if (result < 0)
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "%s", strerror(-result));
	else
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "the answer is status %d", result);
	return -1;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void become(const char *command, const int pipe_fds[2]) {
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	(void)setpgid(0, 0);
	/* our standard output is data */
	if (dup2(pipe_fds[0], STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(126);
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Its status; -1: it was killed when the time was over. */
static int wait_for_child(pid_t child, uint64_t until_ns) {
	int status = 0;
	for (;;) {
		pid_t done = waitpid(child, &status, WNOHANG);
		if (done == child)
			return status;
		if ((done < 0 && errno != EINTR) || clock_monotonic_ns() >= until_ns)
			break;
		(void)poll(NULL, 0, WAIT_STEP_MS);
	}
	(void)kill(-child, SIGKILL);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	return -1;
}

int alert_run(const char *command, const char *body, size_t bytes, char ret_why[ALERT_WHY_BYTES]) {
	uint64_t until_ns = clock_monotonic_ns() + ALERT_TIMEOUT_NS;
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0) {
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "%s", strerror(errno));
		return -1;
	}
	pid_t child = fork();
	if (child == 0)
		become(command, fds);
	(void)close(fds[0]);
	int error = child < 0 ? -errno : 0;
	(void)fcntl(fds[1], F_SETFL, O_NONBLOCK);
	/* one that does not read its input may still do what it is for */
	for (size_t sent = 0; !error && sent < bytes;) {
		ssize_t wrote = write(fds[1], body + sent, bytes - sent);
		if (wrote > 0)
			sent += (size_t)wrote;
		else if (wrote < 0 && errno != EAGAIN && errno != EINTR)
			break;
		else if (!wait_for(fds[1], POLLOUT, until_ns))
			break;
	}
	(void)close(fds[1]);
	if (error) {
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "%s", strerror(-error));
		return -1;
	}
	int status = wait_for_child(child, until_ns);
	if (status == 0)
		return 0;
	if (status < 0)
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "it took more than 5 s");
	else if (WIFSIGNALED(status))
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "it was killed by signal %d", WTERMSIG(status));
	else
		(void)snprintf(ret_why, ALERT_WHY_BYTES, "it exited with %d", WEXITSTATUS(status));
	return -1;
}
