/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STEP_BYTES 65536u
#define KEY_BYTES 64u

static _Noreturn void become(const char *const *arguments, int out) {
	(void)dup2(out, STDOUT_FILENO);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execv(arguments[0], (char *const *)(uintptr_t)arguments);
	_exit(127);
}

/* All there is; what is longer than ANSWER_BYTES_MAX is read and cut. NULL without memory. */
static char *read_all(int fd) {
	size_t room = STEP_BYTES;
	size_t at = 0;
	char *text CLEANUP_FREE = malloc(room);
	char rest[STEP_BYTES];
	while (text) {
		if (at + 1 == room && room < ANSWER_BYTES_MAX) {
			char *grown = realloc(text, room * 2);
			if (!grown)
				break;
			text = grown;
			room *= 2;
		}
		bool full = at + 1 == room;
		ssize_t got = full ? read(fd, rest, sizeof(rest)) : read(fd, text + at, room - 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			text[at] = 0;
			return TAKE_PTR(text);
		}
		at += full ? 0 : (size_t)got;
	}
	return NULL;
}

int answer_ask(const char *const *arguments, char **ret_text) {
	int ends[2], status = 0;
	*ret_text = NULL;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	CLEANUP_FD int read_fd = ends[0];
	CLEANUP_FD int write_fd = ends[1];
	pid_t pid = fork();
	if (pid == 0)
		become(arguments, write_fd);
	if (pid < 0)
		return -errno;
	(void)close(take_fd(&write_fd));
	char *text CLEANUP_FREE = read_all(read_fd);
	(void)close(take_fd(&read_fd));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!text)
		return -ENOMEM;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -ECHILD;
	*ret_text = TAKE_PTR(text);
	return WEXITSTATUS(status);
}

uint64_t answer_number(const char *text, const char *key) {
	char pattern[KEY_BYTES];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	const char *at = text ? strstr(text, pattern) : NULL;
	return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}
