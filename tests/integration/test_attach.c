/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `attach` records a running program whatever its sampler, only it, only meanwhile, and leaves it as it was.
 * Method: a program that begins traces on command and says which of them are kept; its control words before and after; the store
 * counted; beside an agent and without one; attach ended by time, by a signal and by the end of the program.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/session.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct program {
	struct child child;
	int commands;
	FILE *answers;
	char pipe[SCRATCH_PATH_BYTES + 32];
	char pid[16];
};

static void program_start(const struct session *session, const char *name, const char *sampler,
                          struct program *ret_program) {
	char variable[64];
	(void)snprintf(variable, sizeof(variable), "OTEL_TRACES_SAMPLER=%s", sampler);
	const char *environment[] = {session->environment, variable, NULL};
	(void)snprintf(ret_program->pipe, sizeof(ret_program->pipe), "%s/%s", session->scratch.files, name);
	assert_int_equal(mkfifo(ret_program->pipe, 0600), 0);
	const char *argv[] = {child_program("spanring-test-sampling"), ret_program->pipe, NULL};
	ret_program->commands = open(ret_program->pipe, O_RDWR | O_CLOEXEC);
	ret_program->child = child_start(argv, environment);
	(void)snprintf(ret_program->pid, sizeof(ret_program->pid), "%d", (int)ret_program->child.pid);
	ret_program->answers = fdopen(ret_program->child.out, "r");
	assert_non_null(ret_program->answers);
	ret_program->child.out = FD_NONE;
}

/* Begin so many traces; how many of them are kept. */
static unsigned program_run(struct program *program, unsigned traces) {
	char line[128];
	unsigned kept = 0;
	assert_true(dprintf(program->commands, "run %u\n", traces) > 0);
	for (;;) {
		if (!fgets(line, sizeof(line), program->answers))
			fail_msg("the program left");
		if (strcmp(line, "done\n") == 0)
			return kept;
		kept += strstr(line, " 1\n") != NULL;
	}
}

static void program_quit(struct program *program) {
	assert_int_equal(write(program->commands, "quit\n", 5), 5);
	struct child_result result = child_finish(&program->child);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	(void)fclose(program->answers);
	(void)close(program->commands);
}

static struct child attach(const struct session *session, const struct program *program, const char *duration,
                           const char *store) {
	const char *argv[] = {child_program("spanring-agent"),
	                      "attach",
	                      program->pid,
	                      "--duration",
	                      duration,
	                      store ? "-o" : NULL,
	                      store,
	                      NULL};
	const char *environment[] = {session->environment, NULL};
	return child_start(argv, environment);
}

static struct child_result finish(struct child *child, int exit_code) {
	struct child_result result = child_finish(child);
	if (result.exit_code != exit_code)
		fail_msg("attach exits %d, not %d: %s", result.exit_code, exit_code, result.err);
	return result;
}

/* From the first trace that is kept on, all are. What was kept until then. */
static unsigned until_recorded(struct program *program) {
	for (unsigned kept; (kept = program_run(program, 1)) == 0;)
		clock_wait_ns(NS_PER_MS);
	return 1;
}

static void check_words(const struct session *session, const struct program *program, const char *expected) {
	const char *argv[] = {child_program("spanring-agent"), "ctl", program->pid, "show", NULL};
	const char *environment[] = {session->environment, NULL};
	struct child_result result = child_run(argv, environment);
	if (!strstr(result.out, expected))
		fail_msg("ctl show: no \"%s\" in %s%s", expected, result.out, result.err);
	child_result_free(&result);
}

static unsigned stored_roots(const char *store) {
	const char *argv[] = {
	    child_program("spanring-analyze"), "latency", "--exact", "--name", "root", "--json", store, NULL};
	struct child_result result = child_run(argv, NULL);
	unsigned count = 0;
	const char *at = strstr(result.out, "\"names\"");
	at = at ? strstr(at, "\"count\": ") : NULL;
	if (result.exit_code != 0 || !at || sscanf(at, "\"count\": %u", &count) != 1)
		fail_msg("latency exits %d: %s%s", result.exit_code, result.out, result.err);
	child_result_free(&result);
	return count;
}

static void records_all_and_leaves_it_as_it_was(void **state) {
	(void)state;
	struct session session;
	struct program program;
	struct program other;
	session_open(&session);
	program_start(&session, "commands", "parentbased_always_off", &program);
	program_start(&session, "others", "always_on", &other);
	assert_int_equal(program_run(&program, 50), 0);
	assert_int_equal(program_run(&other, 7), 7);
	struct child agent = attach(&session, &program, "1h", session.scratch.store);
	unsigned kept = until_recorded(&program);
	kept += program_run(&program, 100);
	assert_int_equal(kept, 101);
	child_signal(&agent, SIGINT);
	struct child_result result = finish(&agent, 0);
	assert_non_null(strstr(result.err, "spans stored in"));
	assert_non_null(strstr(result.err, "root"));
	child_result_free(&result);
	check_words(&session, &program, "enabled, sampler parentbased_always_off");
	assert_int_equal(program_run(&program, 50), 0);
	/* Only of this program, and only what was begun meanwhile. */
	assert_int_equal(stored_roots(session.scratch.store), kept);
	program_quit(&program);
	program_quit(&other);
	session_close(&session);
}

static void ends_by_time_or_with_the_program(void **state) {
	(void)state;
	struct session session;
	struct program program;
	char second[SCRATCH_PATH_BYTES + 16];
	session_open(&session);
	program_start(&session, "commands", "always_on", &program);
	assert_int_equal(program_run(&program, 20), 20);
	struct child agent = attach(&session, &program, "10ms", session.scratch.store);
	struct child_result result = finish(&agent, 0);
	child_result_free(&result);
	/* What lay in its rings was not lost. */
	assert_int_equal(stored_roots(session.scratch.store), 20);
	(void)snprintf(second, sizeof(second), "%s/second", session.scratch.files);
	agent = attach(&session, &program, "1h", second);
	child_wait_for_line(&agent, "version");
	assert_int_equal(program_run(&program, 5), 5);
	program_quit(&program);
	result = finish(&agent, 0);
	child_result_free(&result);
	assert_int_equal(stored_roots(second), 5);
	session_close(&session);
}

static void goes_through_the_agent_that_serves(void **state) {
	(void)state;
	struct session session;
	struct program program;
	session_open(&session);
	session_start_agent(&session);
	program_start(&session, "commands", "always_off", &program);
	assert_int_equal(program_run(&program, 10), 0);
	struct child agent = attach(&session, &program, "1h", session.scratch.files);
	struct child_result result = finish(&agent, EXIT_CODE_HELD);
	assert_non_null(strstr(result.err, "leave out --store"));
	child_result_free(&result);
	agent = attach(&session, &program, "1h", NULL);
	unsigned kept = until_recorded(&program) + program_run(&program, 30);
	assert_int_equal(kept, 31);
	child_signal(&agent, SIGTERM);
	result = finish(&agent, 0);
	assert_non_null(strstr(result.err, session.scratch.store));
	child_result_free(&result);
	check_words(&session, &program, "sampler always_off");
	program_quit(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	assert_int_equal(stored_roots(session.scratch.store), kept);
	session_close(&session);
}

/* Somebody else's choice is not undone. */
static void leaves_a_change_by_somebody_else(void **state) {
	(void)state;
	struct session session;
	struct program program;
	session_open(&session);
	program_start(&session, "commands", "always_off", &program);
	(void)program_run(&program, 1);
	struct child agent = attach(&session, &program, "1h", session.scratch.store);
	(void)until_recorded(&program);
	const char *argv[] = {child_program("spanring-agent"), "ctl", program.pid, "ratio", "0.25", NULL};
	const char *environment[] = {session.environment, NULL};
	struct child_result result = child_run(argv, environment);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	child_signal(&agent, SIGINT);
	result = finish(&agent, 0);
	assert_non_null(strstr(result.err, "somebody changed"));
	child_result_free(&result);
	check_words(&session, &program, "0.25");
	program_quit(&program);
	session_close(&session);
}

static void wrong_words(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	static const struct {
		const char *word;
		const char *more;
		int exit_code;
		const char *says;
	} cases[] = {{NULL, NULL, EXIT_CODE_USAGE, "which program"},
	             {"all", NULL, EXIT_CODE_USAGE, "one program at a time"},
	             {"1", "2", EXIT_CODE_USAGE, "one program at a time"},
	             {"1", "--duration=1ns", EXIT_CODE_USAGE, "--duration"},
	             {"1", NULL, EXIT_CODE_INPUT, "no such traced process"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {child_program("spanring-agent"), "attach", cases[i].word, cases[i].more, NULL};
		const char *environment[] = {session.environment, NULL};
		struct child_result result = child_run(argv, environment);
		if (result.exit_code != cases[i].exit_code || !strstr(result.err, cases[i].says))
			fail_msg("case %zu: exit %d: %s", i, result.exit_code, result.err);
		child_result_free(&result);
	}
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_all_and_leaves_it_as_it_was),
	    cmocka_unit_test(ends_by_time_or_with_the_program),
	    cmocka_unit_test(goes_through_the_agent_that_serves),
	    cmocka_unit_test(leaves_a_change_by_somebody_else),
	    cmocka_unit_test(wrong_words),
	};
	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
