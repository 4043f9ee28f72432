/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: doctor says what is wrong, in an area a reader finds, with a remedy; and nothing where nothing is wrong.
 * Method: the real program in environments that are wrong in one way each; an agent that runs and one that does not.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "base/errs.h"

#include <spanring/version.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Variables that the shell of the test run may have; and lines that are not broken. */
static const char *const cleared[] = {"COLUMNS=400",          "SPANRING_STORE=",     "SPANRING_TEST_BIN=",
                                      "SPANRING_TEST_SCALE=", "SPANRING_TEST_SEED=", "SPANRING_TEST_GOLDEN_WRITE=",
                                      "SPANRING_DISABLED=",   "OTEL_SDK_DISABLED=",  "OTEL_TRACES_SAMPLER=",
                                      "SPANRING_RING_BYTES="};
#define CLEARED_COUNT (sizeof(cleared) / sizeof(cleared[0]))

static struct child_result ask(const struct session *session, const char *variable, const char *word,
                               const char *more) {
	const char *argv[] = {child_program("spanring-analyze"), "doctor", word, more, NULL};
	const char *environment[CLEARED_COUNT + 3];
	memcpy(environment, cleared, sizeof(cleared));
	environment[CLEARED_COUNT] = session->environment;
	environment[CLEARED_COUNT + 1] = variable;
	environment[CLEARED_COUNT + 2] = NULL;
	return child_run(argv, environment);
}

static void expect(const struct session *session, const char *variable, const char *word, int exit_code,
                   const char *const *words) {
	struct child_result result = ask(session, variable, word, NULL);
	for (; *words; words++)
		if (!strstr(result.out, *words))
			fail_msg("%s: no \"%s\" in: %s%s", variable ? variable : "-", *words, result.out, result.err);
	if (result.exit_code != exit_code)
		fail_msg("%s: exit %d, not %d: %s", variable ? variable : "-", result.exit_code, exit_code, result.out);
	assert_string_equal(result.err, "");
	child_result_free(&result);
}
#define EXPECT(session, variable, word, exit_code, ...)                                                                \
	expect(session, variable, word, exit_code, (const char *const[]){__VA_ARGS__, NULL})

static void says_when_no_agent_runs(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	EXPECT(&session, NULL, NULL, 0, "note     running", "spanring-agent run --rings", "mode 0700");
	session_close(&session);
}

static void names_the_agent_that_runs(void **state) {
	(void)state;
	struct session session;
	char pid[32];
	session_open(&session);
	session_start_agent(&session);
	(void)snprintf(pid, sizeof(pid), "process %d", (int)session.agent.pid);
	EXPECT(&session, NULL, NULL, 0, "ok       running", pid, "ok       reads by");
	session_stop_agent(&session);
	EXPECT(&session, NULL, session.scratch.store, 0, "ok       reading", "note     running");
	session_close(&session);
}

static void a_wrong_variable_is_named(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	EXPECT(&session, "SPANRING_RING_BYTE=1", NULL, 0, "SPANRING_RING_BYTE means nothing",
	       "did you mean SPANRING_RING_BYTES?", "1 warning");
	EXPECT(&session, "SPANRING_RING_BYTES=1000", NULL, 0, "warning", "is 1000, which is no size of a ring");
	EXPECT(&session, "SPANRING_RING_BYTES=1048576", NULL, 0, "none that is misspelt");
	EXPECT(&session, "OTEL_TRACES_SAMPLER=allways_on", NULL, 0, "did you mean always_on?");
	EXPECT(&session, "OTEL_SDK_DISABLED=true", NULL, 0, "record nothing");
	session_close(&session);
}

static void a_bad_place_is_a_problem(void **state) {
	(void)state;
	struct session session;
	char variable[SCRATCH_PATH_BYTES + 64];
	char file[SCRATCH_PATH_BYTES + 16];
	session_open(&session);
	(void)snprintf(file, sizeof(file), "%s/file", session.scratch.files);
	FILE *made = fopen(file, "we");
	assert_non_null(made);
	assert_int_equal(fclose(made), 0);
	(void)snprintf(variable, sizeof(variable), "SPANRING_DIR=%s", file);
	EXPECT(&session, variable, NULL, EXIT_CODE_FAILED, "problem  directory", "is not a directory");
	EXPECT(&session, NULL, "/nonexistent/store", EXIT_CODE_FAILED, "problem  reading", "/nonexistent/store");
	assert_int_equal(chmod(session.scratch.rings, 0777), 0);
	EXPECT(&session, NULL, NULL, 0, "warning  directory", "written to by everybody", "chmod go-rwx");
	session_close(&session);
}

static void the_document_has_each_finding(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	struct child_result result = ask(&session, "SPANRING_STOR\x1b[2J=1", "--json", NULL);
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, "\"schema\": \"doctor/1\""));
	assert_non_null(strstr(result.out, "\"version\": \"" SPANRING_VERSION_STRING "\""));
	assert_non_null(strstr(result.out, "\"warnings\": 1"));
	assert_null(strchr(result.out, 0x1b));
	child_result_free(&result);
	result = ask(&session, "SPANRING_STOR\x1b[2J=1", NULL, NULL);
	assert_non_null(strstr(result.out, "did you mean SPANRING_STORE?"));
	assert_null(strchr(result.out, 0x1b));
	child_result_free(&result);
	result = ask(&session, NULL, "--rings", "/dev/null");
	assert_int_equal(result.exit_code, EXIT_CODE_FAILED);
	child_result_free(&result);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(says_when_no_agent_runs),       cmocka_unit_test(names_the_agent_that_runs),
	    cmocka_unit_test(a_wrong_variable_is_named),     cmocka_unit_test(a_bad_place_is_a_problem),
	    cmocka_unit_test(the_document_has_each_finding),
	};
	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
