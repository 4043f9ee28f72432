/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `spanring-agent record -- CMD` is CMD, with a store beside it: same output, same exit status, nothing left behind.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct recording {
	struct session session;
	struct child_result result;
};

static void record(struct recording *recording, const char *const *command) {
	const char *argv[24] = {child_program("spanring-agent"), "record", "-o", recording->session.scratch.store,
	                        "--"};
	size_t at = 5;
	for (; *command; command++) {
		assert_true(at < 23);
		argv[at++] = *command;
	}
	recording->result = child_run(argv, NULL);
}

static void open_recording(struct recording *recording) {
	session_open(&recording->session);
}

static void close_recording(struct recording *recording) {
	child_result_free(&recording->result);
	session_close(&recording->session);
}

static void output_is_the_command_s_own(void **state) {
	(void)state;
	struct recording recording;
	open_recording(&recording);
	const char *command[] = {child_program("spanring-test-producer"), "--threads", "2", "--trees", "300", NULL};
	record(&recording, command);
	assert_int_equal(recording.result.exit_code, 0);
	assert_string_equal(recording.result.out, "3000 3000 0 0 0 0 traced\n");
	assert_non_null(strstr(recording.result.err, "outer")); /* the latency table */
	assert_non_null(strstr(recording.result.err, "inner"));
	struct stored stored;
	stored_load(recording.session.scratch.store, &stored);
	assert_int_equal(stored.count, 3000);
	stored_check_tree(&stored);
	stored_free(&stored);
	session_check_audit(&recording.session);
	close_recording(&recording);
}

struct status_case {
	const char *script;
	int exit_code;
};

static void exit_status_is_the_command_s_own(void **state) {
	(void)state;
	static const struct status_case cases[] = {
	    {"exit 0", 0}, {"exit 7", 7}, {"kill -9 $$", 137}, {"kill -TERM $$", 143}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct recording recording;
		open_recording(&recording);
		const char *command[] = {"/bin/sh", "-c", cases[i].script, NULL};
		record(&recording, command);
		assert_int_equal(recording.result.exit_code, cases[i].exit_code);
		assert_string_equal(recording.result.out, "");
		close_recording(&recording);
	}
}

static void a_command_that_cannot_run(void **state) {
	(void)state;
	struct recording recording;
	open_recording(&recording);
	const char *missing[] = {"/nonexistent/command", NULL};
	record(&recording, missing);
	assert_int_equal(recording.result.exit_code, 127);
	assert_non_null(strstr(recording.result.err, "/nonexistent/command"));
	child_result_free(&recording.result);
	const char *unknown[] = {"no-such-command-anywhere", NULL};
	record(&recording, unknown);
	assert_int_equal(recording.result.exit_code, 127);
	assert_int_equal(access(recording.session.scratch.store, F_OK), -1); /* nothing was made for nothing */
	child_result_free(&recording.result);
	const char *not_executable[] = {"/etc/passwd", NULL};
	record(&recording, not_executable);
	assert_int_equal(recording.result.exit_code, 126);
	close_recording(&recording);
}

static int count_recordings(void) {
	int count = 0;
	DIR *folder = opendir("/dev/shm");
	assert_non_null(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += strncmp(entry->d_name, "spanring-record-", 16) == 0;
	(void)closedir(folder);
	return count;
}

static void nothing_is_left_in_shared_memory(void **state) {
	(void)state;
	struct recording recording;
	int before = count_recordings();
	open_recording(&recording);
	const char *command[] = {child_program("spanring-test-producer"), "--trees", "10", NULL};
	record(&recording, command);
	assert_int_equal(count_recordings(), before);
	close_recording(&recording);
}

static void a_second_recording_is_added(void **state) {
	(void)state;
	struct recording recording;
	struct stored stored;
	open_recording(&recording);
	const char *first[] = {child_program("spanring-test-producer"), "--process", "1", "--trees", "100", NULL};
	const char *second[] = {child_program("spanring-test-producer"), "--process", "2", "--trees", "50", NULL};
	record(&recording, first);
	child_result_free(&recording.result);
	record(&recording, second);
	stored_load(recording.session.scratch.store, &stored);
	assert_int_equal(stored_count_of(&stored, 1, 0), 500);
	assert_int_equal(stored_count_of(&stored, 2, 0), 250);
	stored_free(&stored);
	session_check_audit(&recording.session);
	close_recording(&recording);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(output_is_the_command_s_own), cmocka_unit_test(exit_status_is_the_command_s_own),
	    cmocka_unit_test(a_command_that_cannot_run),   cmocka_unit_test(nothing_is_left_in_shared_memory),
	    cmocka_unit_test(a_second_recording_is_added),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
