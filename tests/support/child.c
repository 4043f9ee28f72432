/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include "cmocka.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far above anything that happens on a slow machine under a sanitizer: it ends a hang, it measures nothing. */
#define DEADLINE_NS (300 * NS_PER_S)
#define PROGRAMS_MAX 16u /* names given to child_program by one test */
#define PATH_BYTES 1024u

static void apply_environment(const char *const *environment) {
	for (; environment && *environment; environment++) {
		if (strchr(*environment, '='))
			(void)putenv((char *)(uintptr_t)*environment);
		else
			(void)unsetenv(*environment);
	}
}

pid_t child_fork(void) {
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
	pid_t parent = getpid();
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	/* A parent that is gone by now sends no signal any more. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		(void)signal(crashes[i], SIG_DFL);
	return 0;
}

struct child child_start(const char *const *argv, const char *const *environment) {
	int out[2];
	int err[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1], STDERR_FILENO);
		apply_environment(environment);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(out[1]);
	(void)close(err[1]);
	struct child child = {pid, out[0], err[0]};
	return child;
}

void child_signal(const struct child *child, int signal_number) {
	assert_int_equal(kill(child->pid, signal_number), 0);
}

void child_stop(const struct child *child) {
	siginfo_t info;
	child_signal(child, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WSTOPPED | WNOWAIT), 0);
}

static int milliseconds_left(uint64_t deadline_ns) {
	uint64_t now = clock_monotonic_ns();
	return now >= deadline_ns ? 0 : (int)((deadline_ns - now) / NS_PER_MS) + 1;
}

void child_wait_for_line(struct child *child, const char *text) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	char line[4096];
	size_t length = 0;
	for (;;) {
		struct pollfd ready = {child->err, POLLIN, 0};
		if (poll(&ready, 1, milliseconds_left(deadline_ns)) == 0)
			fail_msg("no line with \"%s\" before the deadline", text);
		ssize_t got = read(child->err, line + length, 1);
		if (got <= 0)
			fail_msg("no line with \"%s\"; last words: %.*s", text, (int)length, line);
		if (line[length] != '\n') {
			length += length < sizeof(line) - 1 ? 1 : 0;
			continue;
		}
		line[length] = 0;
		if (strstr(line, text))
			return;
		length = 0;
	}
}

struct sink {
	int *fd;
	char *text;
	size_t bytes;
};

/* Take what is there; at the end of the stream close it. */
static void drain(struct sink *sink) {
	char piece[65536];
	ssize_t got = read(*sink->fd, piece, sizeof(piece));
	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		(void)close(*sink->fd);
		*sink->fd = FD_NONE;
		return;
	}
	size_t room = CHILD_OUTPUT_BYTES_MAX - sink->bytes;
	size_t kept = (size_t)got < room ? (size_t)got : room;
	memcpy(sink->text + sink->bytes, piece, kept);
	sink->bytes += kept;
	sink->text[sink->bytes] = 0;
}

static int exit_code_of(int status) {
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct child_result child_finish(struct child *child) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	struct sink sinks[2] = {{&child->out, calloc(1, CHILD_OUTPUT_BYTES_MAX + 1), 0},
	                        {&child->err, calloc(1, CHILD_OUTPUT_BYTES_MAX + 1), 0}};
	assert_non_null(sinks[0].text);
	assert_non_null(sinks[1].text);
	while (child->out >= 0 || child->err >= 0) {
		struct pollfd ready[2] = {{child->out, POLLIN, 0}, {child->err, POLLIN, 0}};
		if (poll(ready, 2, milliseconds_left(deadline_ns)) == 0) {
			(void)kill(child->pid, SIGKILL);
			fail_msg("program still runs at the deadline; it said: %s", sinks[1].text);
		}
		for (int i = 0; i < 2; i++)
			if (*sinks[i].fd >= 0 && ready[i].revents)
				drain(&sinks[i]);
	}
	int status = 0;
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	struct child_result result = {exit_code_of(status), sinks[0].text, sinks[1].text};
	return result;
}

void child_result_free(struct child_result *result) {
	free(result->out);
	free(result->err);
	result->out = NULL;
	result->err = NULL;
}

struct child_result child_run(const char *const *argv, const char *const *environment) {
	struct child child = child_start(argv, environment);
	return child_finish(&child);
}

const char *child_program(const char *name) {
	static char paths[PROGRAMS_MAX][PATH_BYTES];
	const char *folder = getenv("SPANRING_TEST_BIN");
	char path[PATH_BYTES];
	if (!folder)
		fail_msg("SPANRING_TEST_BIN is not set: run through ctest");
	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path));
	size_t at = 0;
	while (at < PROGRAMS_MAX && paths[at][0] && strcmp(paths[at], path) != 0)
		at++;
	assert_true(at < PROGRAMS_MAX);
	memcpy(paths[at], path, sizeof(path));
	return paths[at];
}
