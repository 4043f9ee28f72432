/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever lies in a ring directory, honest programs lose nothing, the agent goes on, and what is not ours is neither followed nor removed.
 * Method: fill a ring directory with links, pipes, devices' look-alikes, foreign and half-made instances, then collect a real program through
 * it, and look at the strange things afterwards.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTANCE_A "0123456789abcdef0123456789abcde0"
#define INSTANCE_B "0123456789abcdef0123456789abcde1"
#define INSTANCE_C "0123456789abcdef0123456789abcde2"
#define INSTANCE_D "0123456789abcdef0123456789abcde3"
#define INSTANCE_E "0123456789abcdef0123456789abcde4"

static void path_in(const struct session *session, const char *name, char *ret_path, size_t bytes) {
	assert_true(snprintf(ret_path, bytes, "%s/%s", session->scratch.rings, name) < (int)bytes);
}

static void make_folder(const struct session *session, const char *name) {
	char path[2 * SCRATCH_PATH_BYTES];
	path_in(session, name, path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_file(const struct session *session, const char *name, const char *text) {
	char path[2 * SCRATCH_PATH_BYTES];
	path_in(session, name, path, sizeof(path));
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void make_link(const struct session *session, const char *name, const char *target) {
	char path[2 * SCRATCH_PATH_BYTES];
	path_in(session, name, path, sizeof(path));
	assert_int_equal(symlink(target, path), 0);
}

static void make_pipe(const struct session *session, const char *name) {
	char path[2 * SCRATCH_PATH_BYTES];
	path_in(session, name, path, sizeof(path));
	assert_int_equal(mkfifo(path, 0600), 0);
}

static const char *const strange_names[] = {
    INSTANCE_A,
    INSTANCE_B,
    INSTANCE_C,
    INSTANCE_C "/process",
    INSTANCE_D,
    INSTANCE_D "/process",
    INSTANCE_E,
    INSTANCE_E "/process",
    "not hexadecimal\n\x1b[31m",
    "0123",
};

static void make_strange_things(const struct session *session) {
	make_link(session, INSTANCE_A, session->scratch.files);        /* a link to a folder */
	make_file(session, INSTANCE_B, "a file in place of a folder"); /* a file in place of a folder */
	make_folder(session, INSTANCE_C); /* its process file is a pipe that nobody writes */
	make_pipe(session, INSTANCE_C "/process");
	make_folder(session, INSTANCE_D); /* its process file is noise */
	make_file(session, INSTANCE_D "/process", "noise, and far too short");
	make_folder(session, INSTANCE_E); /* its process file is a link to one of the system's */
	make_link(session, INSTANCE_E "/process", "/proc/self/mem");
	make_folder(session, "not hexadecimal\n\x1b[31m");
	make_file(session, "0123", "a short name");
}

static void check_strange_things(const struct session *session) {
	for (size_t i = 0; i < sizeof(strange_names) / sizeof(strange_names[0]); i++) {
		char path[2 * SCRATCH_PATH_BYTES];
		struct stat status;
		path_in(session, strange_names[i], path, sizeof(path));
		if (lstat(path, &status) != 0)
			fail_msg("%s is gone", strange_names[i]);
	}
}

/* Which spans are there: process p wrote trees[p] trees on one thread. */
static void check_stored(const struct session *session, const uint64_t *trees, size_t processes) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	stored_check_tree(&stored);
	for (size_t i = 0; i < processes; i++)
		assert_int_equal(stored_count_of(&stored, i, 0), trees[i] * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(session);
}

static void strange_entries_cost_nobody_else(void **state) {
	(void)state;
	struct session session;
	const char *before[] = {"--process", "0", "--trees", "300", NULL};
	const char *beside[] = {"--process", "1", "--trees", "200", NULL};
	session_open(&session);
	make_strange_things(&session);
	struct child producer = session_producer(&session, before);
	(void)session_producer_finish(&producer);
	session_start_agent(&session);
	producer = session_producer(&session, beside);
	(void)session_producer_finish(&producer);
	const char *status[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                        session.scratch.rings,           NULL};
	struct child_result result = child_run(status, NULL);
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, "\"names_refused\": 5")); /* one for each instance that is none */
	child_result_free(&result);
	session_stop_agent(&session);
	check_strange_things(&session);
	check_stored(&session, (const uint64_t[]){300, 200}, 2);
	session_close(&session);
}

/* A ring file that its owner replaces by something else: only that program's data is lost. */
static void a_ring_replaced_by_a_link(void **state) {
	(void)state;
	struct session session;
	const char *honest[] = {"--process", "0", "--trees", "300", NULL};
	const char *spoilt[] = {"--process", "1", "--trees", "200", NULL};
	session_open(&session);
	struct child producer = session_producer(&session, honest);
	(void)session_producer_finish(&producer);
	/* The first program's instance gets another name for a moment, so that the glob below finds the second one only. */
	const char *script = "cd \"$0\" && mkdir kept && mv [0-9a-f]*[0-9a-f] kept/";
	const char *hide[] = {"/bin/sh", "-c", script, session.scratch.rings, NULL};
	struct child_result result = child_run(hide, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	producer = session_producer(&session, spoilt);
	(void)session_producer_finish(&producer);
	const char *spoil_script =
	    "cd \"$0\" && rm [0-9a-f]*/ring-0000 && ln -s /etc/passwd \"$(ls -d [0-9a-f]*[0-9a-f])/ring-0000\""
	    " && mv kept/* . && rmdir kept";
	const char *spoil[] = {"/bin/sh", "-c", spoil_script, session.scratch.rings, NULL};
	result = child_run(spoil, NULL);
	if (result.exit_code != 0)
		fail_msg("%s", result.err);
	child_result_free(&result);
	session_collect(&session);
	struct stored stored;
	stored_load(session.scratch.store, &stored);
	assert_int_equal(stored_count_of(&stored, 0, 0), 300 * STORED_SPANS_PER_TREE);
	assert_int_equal(stored_count_of(&stored, 1, 0), 0);
	stored_free(&stored);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strange_entries_cost_nobody_else),
	    cmocka_unit_test(a_ring_replaced_by_a_link),
	};
	return cmocka_run_group_tests_name("ring_directory", tests, NULL, NULL);
}
