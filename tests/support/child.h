/* SPDX-License-Identifier: Apache-2.0 */
/* Real child processes: start a program, read what it says, wait, kill. Every wait has a deadline that fails the test. */
#ifndef SPANRING_TESTS_SUPPORT_CHILD_H
#define SPANRING_TESTS_SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_OUTPUT_BYTES_MAX (1u << 20)

struct child {
	pid_t pid;
	int out; /* read ends; FD_NONE once read to the end */
	int err;
};

/* What a program that ran to its end said. Texts are zero-terminated, cut at CHILD_OUTPUT_BYTES_MAX; free with child_result_free. */
struct child_result {
	int exit_code; /* 128 + n when killed by signal n */
	char *out;
	char *err;
};

/*
 * Start argv[0] (a path); environment is a list of "NAME=value" put on top of ours ("NAME" alone: removed), NULL-terminated, or NULL.
 * The child dies with the test.
 */
struct child child_start(const char *const *argv, const char *const *environment);
/* Read its standard error up to and including the first line that contains text; fails the test at end of file or deadline. */
void child_wait_for_line(struct child *child, const char *text);
void child_signal(const struct child *child, int signal_number);
/* SIGSTOP, and wait until all of its threads stand still: a thread inside a write finishes that first. */
void child_stop(const struct child *child);
/* Collect output and status. */
struct child_result child_finish(struct child *child);
void child_result_free(struct child_result *result);
/* Start and finish. */
struct child_result child_run(const char *const *argv, const char *const *environment);

/*
 * fork(2) for a test that goes on in the child: it dies with the thread that made it, and its crashes are its own
 * (cmocka would turn them into a jump back into its runner).
 */
pid_t child_fork(void);

/* Path of a program of this build: <build>/bin/name, from SPANRING_TEST_BIN. The text lives as long as the test. */
const char *child_program(const char *name);

#endif
