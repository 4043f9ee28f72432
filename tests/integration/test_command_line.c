/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: bad input gets one line that names the thing, the documented exit code, and changes nothing.
 * Method: real programs, real files; each case names the words it must find on standard error.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/version.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const readers[] = {"info", "latency", "memory", "slowest", "audit", "verify"};
#define READER_COUNT (sizeof(readers) / sizeof(readers[0]))

static unsigned line_count(const char *text) {
	unsigned lines = 0;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* One line on standard error that contains the word, this exit code, nothing on standard output. */
static void check_refusal(const char *const *argv, int exit_code, const char *word) {
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code || !strstr(result.err, word) || line_count(result.err) != 1 ||
	    result.out[0] != 0)
		fail_msg("%s %s: exit %d (expected %d), expected \"%s\" in one line; stderr: %s stdout: %s", argv[0],
		         argv[1], result.exit_code, exit_code, word, result.err, result.out);
	child_result_free(&result);
}

static void usage_errors(void **state) {
	(void)state;
	const char *analyze = child_program("spanring-analyze");
	const char *agent = child_program("spanring-agent");
	const char *cases[][5] = {
	    {"latency", analyze, "latancy", "x", NULL},
	    {"--json", analyze, "latency", "--jsn", "x"},
	    {"nothex", analyze, "trace", "nothex", "x"},
	    {"run", agent, "rum", NULL, NULL},
	    {"--stor", agent, "run", "--stor", NULL},
	    {"full", agent, "run", "--durability", "some"},
	    {"--memory-interval", agent, "run", "--memory-interval", "1ns"},
	    {"no value", agent, "run", "--rings", NULL},
	    {"unexpected", agent, "run", "there", NULL},
	    {"--rings '': empty path", agent, "run", "--rings", ""},
	    {"no command", agent, "record", NULL, NULL},
	    {"soon", agent, "run", "--flush-interval", "soon"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {cases[i][1], cases[i][2], cases[i][3], cases[i][4], NULL};
		check_refusal(argv, EXIT_CODE_USAGE, cases[i][0]);
	}
}

static void help_and_version(void **state) {
	(void)state;
	static const char *const programs[] = {"spanring-agent", "spanring-analyze"};
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const char *help[] = {child_program(programs[i]), "--help", NULL};
		const char *version[] = {child_program(programs[i]), "--version", NULL};
		struct child_result result = child_run(help, NULL);
		assert_int_equal(result.exit_code, 0);
		assert_non_null(strstr(result.out, "exit"));
		assert_string_equal(result.err, "");
		child_result_free(&result);
		result = child_run(version, NULL);
		assert_int_equal(result.exit_code, 0);
		assert_non_null(strstr(result.out, SPANRING_VERSION_STRING));
		child_result_free(&result);
	}
}

static void every_option_of_the_agent(void **state) {
	(void)state;
	struct session session;
	const char *arguments[] = {"--trees", "100", NULL};
	session_open(&session);
	struct child producer = session_producer(&session, arguments);
	(void)session_producer_finish(&producer);
	const char *argv[] = {child_program("spanring-agent"),
	                      "run",
	                      "--durability",
	                      "full",
	                      "--flush-interval",
	                      "5ms",
	                      "--memory-interval",
	                      "0",
	                      "--store",
	                      session.scratch.store,
	                      NULL};
	const char *environment[] = {session.environment, NULL};
	session.agent = child_start(argv, environment);
	child_wait_for_line(&session.agent, session.scratch.store);
	session_stop_agent(&session);
	session_check_audit(&session);
	const char *info[] = {child_program("spanring-analyze"), "info", session.scratch.store, NULL};
	struct child_result result = child_run(info, NULL);
	assert_non_null(strstr(result.out, "500"));
	child_result_free(&result);
	session_close(&session);
}

static void a_missing_store(void **state) {
	(void)state;
	for (size_t i = 0; i < READER_COUNT; i++) {
		const char *argv[] = {child_program("spanring-analyze"), readers[i], "/nonexistent/store", NULL};
		check_refusal(argv, EXIT_CODE_INPUT, "/nonexistent/store");
	}
}

static void a_missing_ring_directory(void **state) {
	(void)state;
	const char *status[] = {child_program("spanring-agent"), "status", "--rings", "/nonexistent/rings", NULL};
	check_refusal(status, EXIT_CODE_FAILED, "ring directory /nonexistent/rings: No such file or directory; name");
}

static void write_file(const char *path, const void *bytes, size_t count) {
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), (ssize_t)count);
}

static void a_file_that_is_no_segment(void **state) {
	(void)state;
	struct session session;
	char path[SCRATCH_PATH_BYTES + 32];
	session_open(&session);
	(void)snprintf(path, sizeof(path), "%s/notes.txt", session.scratch.files);
	write_file(path, "shopping list\n", 14);
	for (size_t i = 0; i < READER_COUNT; i++) {
		const char *argv[] = {child_program("spanring-analyze"), readers[i], path, NULL};
		check_refusal(argv, EXIT_CODE_INPUT, "notes.txt");
	}
	session_close(&session);
}

/* A store with one sealed segment; its path goes to ret_segment. */
static void make_store(struct session *session, char *ret_segment, size_t bytes) {
	const char *arguments[] = {"--threads", "2", "--trees", "200", NULL};
	session_open(session);
	struct child producer = session_producer(session, arguments);
	(void)session_producer_finish(&producer);
	session_collect(session);
	const char *argv[] = {"/bin/sh", "-c", "ls \"$0\"/segment-*.db", session->scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	(void)snprintf(ret_segment, bytes, "%s", result.out);
	ret_segment[strcspn(ret_segment, "\n")] = 0;
	child_result_free(&result);
}

static void damaged_segments(void **state) {
	(void)state;
	struct session session;
	char segment[SCRATCH_PATH_BYTES * 2];
	struct stat status;
	make_store(&session, segment, sizeof(segment));
	assert_int_equal(stat(segment, &status), 0);
	const char *verify[] = {child_program("spanring-analyze"), "verify", session.scratch.store, NULL};
	struct child_result result = child_run(verify, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);

	const off_t lengths[] = {0, 100, 16384, status.st_size / 2, status.st_size - 16384};
	char *whole = malloc((size_t)status.st_size);
	assert_non_null(whole);
	CLEANUP_FD int fd = open(segment, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, whole, (size_t)status.st_size, 0), status.st_size);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_int_equal(ftruncate(fd, lengths[i]), 0);
		result = child_run(verify, NULL);
		assert_int_equal(result.exit_code, EXIT_CODE_INPUT);
		assert_non_null(strstr(result.err, "segment-"));
		child_result_free(&result);
		assert_int_equal(pwrite(fd, whole, (size_t)status.st_size, 0), status.st_size);
	}
	/* A bit in the middle of every page. */
	for (off_t page = 0; page < status.st_size; page += 16384) {
		char byte = (char)(whole[page + 8000] ^ 0x10);
		assert_int_equal(pwrite(fd, &byte, 1, page + 8000), 1);
		const char *latency[] = {child_program("spanring-analyze"), "latency", "--json", session.scratch.store,
		                         NULL};
		result = child_run(latency, NULL);
		assert_true(result.exit_code == EXIT_CODE_INPUT || result.exit_code == 0);
		child_result_free(&result);
		assert_int_equal(pwrite(fd, &whole[page + 8000], 1, page + 8000), 1);
	}
	free(whole);
	session_close(&session);
}

static void a_store_of_a_newer_version(void **state) {
	(void)state;
	struct session session;
	char segment[SCRATCH_PATH_BYTES * 2];
	make_store(&session, segment, sizeof(segment));
	/* user_version lives at byte 60 of an SQLite file, big endian. */
	CLEANUP_FD int fd = open(segment, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\0\0\0\143", 4, 60), 4);
	for (size_t i = 0; i < READER_COUNT; i++) {
		const char *argv[] = {child_program("spanring-analyze"), readers[i], session.scratch.store, NULL};
		struct child_result result = child_run(argv, NULL);
		assert_int_equal(result.exit_code, EXIT_CODE_INPUT);
		assert_non_null(strstr(result.err, "99"));
		child_result_free(&result);
	}
	session_close(&session);
}

static void an_agent_that_cannot_write(void **state) {
	(void)state;
	struct session session;
	char blocked[SCRATCH_PATH_BYTES + 32];
	session_open(&session);
	/* Below a regular file nobody can make a directory, root included. */
	(void)snprintf(blocked, sizeof(blocked), "%s/file", session.scratch.files);
	write_file(blocked, "", 0);
	(void)snprintf(blocked, sizeof(blocked), "%s/file/inside", session.scratch.files);
	const char *no_store[] = {
	    child_program("spanring-agent"), "run", "--rings", session.scratch.rings, "--store", blocked, NULL};
	check_refusal(no_store, EXIT_CODE_OUTPUT, blocked);
	const char *no_rings[] = {child_program("spanring-agent"), "run", "--rings", blocked, "--store",
	                          session.scratch.store,           NULL};
	check_refusal(no_rings, EXIT_CODE_OUTPUT, blocked);
	session_close(&session);
}

/* Run a shell script with a full tmpfs of its own at $1; false: no such mounts here. */
static bool run_on_full_folder(const struct session *session, const char *script, struct child_result *ret_result) {
	char whole[2048];
	(void)snprintf(whole, sizeof(whole),
	               "mount -t tmpfs -o size=64k,mode=0700 none \"$1\" || exit 77\n"
	               "mkdir -m 0700 \"$1/rings\"\n"
	               "dd if=/dev/zero of=\"$1/fill\" bs=4k 2>/dev/null\n%s",
	               script);
	const char *argv[] = {"/usr/bin/unshare",
	                      "-m",
	                      "/bin/sh",
	                      "-c",
	                      whole,
	                      child_program("spanring-agent"),
	                      session->scratch.rings,
	                      session->scratch.files,
	                      NULL};
	*ret_result = child_run(argv, NULL);
	bool possible =
	    ret_result->exit_code != 77 && ret_result->exit_code != 127 && !strstr(ret_result->err, "unshare");
	if (!possible)
		child_result_free(ret_result);
	return possible;
}

static void full_folders(void **state) {
	(void)state;
	static const char *const scripts[] = {
	    "exec \"$0\" run --rings \"$1/rings\" --store \"$2/store\"",
	    "exec \"$0\" run --rings \"$2\" --store \"$1/store\"",
	    "exec \"$0\" record -o \"$1/store\" -- /bin/echo hello",
	};
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct session session;
		struct child_result result;
		session_open(&session);
		bool possible = run_on_full_folder(&session, scripts[i], &result);
		if (possible) {
			assert_int_equal(result.exit_code, EXIT_CODE_OUTPUT);
			assert_non_null(strstr(result.err, session.scratch.rings));
			assert_non_null(strstr(result.err, "free some room"));
			assert_int_equal(line_count(result.err), 1);
			assert_string_equal(result.out, "");
			child_result_free(&result);
		}
		session_close(&session);
		if (!possible) {
			print_message("skipped: no mounts of one's own here\n");
			skip();
		}
	}
}

static void a_second_agent(void **state) {
	(void)state;
	struct session session;
	char holder[16];
	char other[SCRATCH_PATH_BYTES + 32];
	session_open(&session);
	session_start_agent(&session);
	(void)snprintf(holder, sizeof(holder), "%d", (int)session.agent.pid);
	(void)snprintf(other, sizeof(other), "%s/other", session.scratch.files);
	const char *same_rings[] = {
	    child_program("spanring-agent"), "run", "--rings", session.scratch.rings, "--store", other, NULL};
	check_refusal(same_rings, EXIT_CODE_HELD, holder);
	assert_int_equal(mkdir(other, 0700), 0);
	const char *same_store[] = {child_program("spanring-agent"), "run", "--rings", other, "--store",
	                            session.scratch.store,           NULL};
	check_refusal(same_store, EXIT_CODE_HELD, holder);
	session_kill_agent(&session);
	session_collect(&session); /* no stale lock */
	session_close(&session);
}

static void status_with_and_without_an_agent(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	const char *argv[] = {child_program("spanring-agent"), "status", "--rings", session.scratch.rings, NULL};
	check_refusal(argv, EXIT_CODE_FAILED, "no agent");
	session_start_agent(&session);
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, session.scratch.store));
	child_result_free(&result);
	session_stop_agent(&session);
	session_close(&session);
}

struct hostile_case {
	const char *environment;
	const char *reason; /* what the program's own counters say */
};

static void a_program_without_rings_runs_on(void **state) {
	(void)state;
	static const struct hostile_case cases[] = {
	    {"SPANRING_DIR=/proc/1/no-such-folder", "directory"},
	    {"SPANRING_DIR=/dev/null/below", "directory"},
	    {"SPANRING_DISABLED=1", "switched off"},
	    {"OTEL_SDK_DISABLED=true", "switched off"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {
		    child_program("spanring-test-producer"), "--threads", "2", "--trees", "100", NULL};
		const char *environment[] = {cases[i].environment, NULL};
		struct child_result result = child_run(argv, environment);
		assert_int_equal(result.exit_code, 0);
		assert_string_equal(result.err, "");
		if (!strstr(result.out, cases[i].reason))
			fail_msg("%s: %s", cases[i].environment, result.out);
		child_result_free(&result);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(usage_errors),
	    cmocka_unit_test(help_and_version),
	    cmocka_unit_test(every_option_of_the_agent),
	    cmocka_unit_test(a_missing_store),
	    cmocka_unit_test(a_missing_ring_directory),
	    cmocka_unit_test(a_file_that_is_no_segment),
	    cmocka_unit_test(damaged_segments),
	    cmocka_unit_test(a_store_of_a_newer_version),
	    cmocka_unit_test(an_agent_that_cannot_write),
	    cmocka_unit_test(full_folders),
	    cmocka_unit_test(a_second_agent),
	    cmocka_unit_test(status_with_and_without_an_agent),
	    cmocka_unit_test(a_program_without_rings_runs_on),
	};
	return cmocka_run_group_tests_name("command_line", tests, NULL, NULL);
}
