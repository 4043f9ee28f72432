/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `top` shows what `status` knows, obeys its keys and the size of the terminal, waits for an agent that is away, and gives the terminal
 * back as it was, however it ends; `status` says of each program and ring how it is.
 * Method: a pseudo terminal whose other end reads frames; every wait is for a text, with a deadline.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/pty_view.h"
#include "support/session.h"

#include "base/errs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_NS (60 * NS_PER_S)

static void start_view(const struct session *session, const char *const *environment, struct pty_view *ret_view) {
	const char *argv[] = {child_program("spanring-agent"), "top", "--interval", "100ms", "--rings",
	                      session->scratch.rings,          NULL};
	pty_view_start(argv, environment, ret_view);
}

static struct child start_program(const struct session *session, const char *service) {
	char variable[160];
	(void)snprintf(variable, sizeof(variable), "OTEL_SERVICE_NAME=%s", service);
	const char *environment[] = {session->environment, variable, NULL};
	const char *argv[] = {child_program("spanring-test-producer"),
	                      "--threads",
	                      "2",
	                      "--trees",
	                      "100",
	                      "--flush-every",
	                      "1000",
	                      "--hang-depth",
	                      "3",
	                      NULL};
	return child_start(argv, environment);
}

static void end_program(struct child *program) {
	child_signal(program, SIGKILL);
	struct child_result result = child_finish(program);
	child_result_free(&result);
}

static void the_view_lives(void **state) {
	(void)state;
	static struct pty_view view;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	start_view(&session, NULL, &view);
	pty_view_wait_for(&view, PTY_VIEW_TAKEN);
	pty_view_wait_for(&view, "all is well");
	pty_view_wait_for(&view, "q quit   s sort (rate)   r rings (off)");
	struct child program = start_program(&session, "shop\033[2J");
	pty_view_wait_for(&view, "shop\\x1b[2J"); /* shown, not obeyed */
	pty_view_wait_for(&view, "running");
	pty_view_press(&view, "r");
	pty_view_wait_for(&view, "  ring 0");
	pty_view_wait_for(&view, "r rings (on)");
	pty_view_press(&view, "s");
	pty_view_wait_for(&view, "s sort (lag)");
	pty_view_press(&view, "ssss");
	pty_view_wait_for(&view, "s sort (rate)");
	/* The terminal becomes smaller: a column goes. */
	pty_view_wait_for(&view, "STORED");
	pty_view_resize(&view, 10, 60);
	pty_view_wait_for(&view, "LAG\033[K");
	/* The agent goes, and another one comes. */
	session_stop_agent(&session);
	pty_view_wait_for(&view, "has no agent; asking again");
	session_start_agent(&session);
	pty_view_wait_for(&view, "commits");
	pty_view_wait_for(&view, "running");
	pty_view_press(&view, "q");
	pty_view_finish(&view, EXIT_CODE_OK);
	end_program(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

static void the_terminal_is_given_back(void **state) {
	(void)state;
	static struct pty_view view;
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		start_view(&session, NULL, &view);
		pty_view_wait_for(&view, "all is well");
		assert_int_equal(kill(view.pid, signals[i]), 0);
		pty_view_finish(&view, EXIT_CODE_OK);
	}
	start_view(&session, NULL, &view);
	pty_view_wait_for(&view, "all is well");
	pty_view_press(&view, "\003"); /* Ctrl-C */
	pty_view_finish(&view, EXIT_CODE_OK);
	/* Ctrl-Z, and back. */
	start_view(&session, NULL, &view);
	pty_view_wait_for(&view, "all is well");
	int status;
	assert_int_equal(kill(view.pid, SIGTSTP), 0);
	assert_int_equal(waitpid(view.pid, &status, WUNTRACED), view.pid);
	assert_true(WIFSTOPPED(status));
	pty_view_wait_for(&view, PTY_VIEW_GIVEN_BACK);
	assert_int_equal(kill(view.pid, SIGCONT), 0);
	pty_view_wait_for(&view, PTY_VIEW_TAKEN);
	pty_view_wait_for(&view, "all is well");
	pty_view_press(&view, "q");
	pty_view_finish(&view, EXIT_CODE_OK);
	session_stop_agent(&session);
	session_close(&session);
}

static void colours_are_asked_for(void **state) {
	(void)state;
	static struct pty_view view;
	static const char *const plain[] = {"NO_COLOR=1", NULL};
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	start_view(&session, NULL, &view);
	pty_view_wait_for(&view, "\033[1mq quit");
	pty_view_press(&view, "q");
	pty_view_finish(&view, EXIT_CODE_OK);
	start_view(&session, plain, &view);
	pty_view_wait_for(&view, "q quit");
	if (memmem(view.seen, view.bytes, "\033[1m", 4))
		fail_msg("colours in spite of NO_COLOR");
	pty_view_press(&view, "q");
	pty_view_finish(&view, EXIT_CODE_OK);
	session_stop_agent(&session);
	session_close(&session);
}

static struct child_result ask(const struct session *session, const char *command, const char *option) {
	const char *argv[] = {child_program("spanring-agent"), command, "--rings",
	                      session->scratch.rings,          option,  NULL};
	return child_run(argv, NULL);
}

static void must_say(const struct session *session, const char *command, const char *option, const char *const *words) {
	struct child_result result = ask(session, command, option);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s", command, result.exit_code, result.err);
	assert_null(strchr(result.out, '\033'));
	for (; *words; words++)
		if (!strstr(result.out, *words))
			fail_msg("%s %s does not say \"%s\": %s", command, option ? option : "", *words, result.out);
	child_result_free(&result);
}

static void wait_for_status(const struct session *session, const char *words) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (bool is_there = false; !is_there;) {
		struct child_result result = ask(session, "status", "--json");
		assert_int_equal(result.exit_code, 0);
		is_there = strstr(result.out, words) != NULL;
		if (!is_there && clock_monotonic_ns() > deadline_ns)
			fail_msg("the status never says %s: %s", words, result.out);
		child_result_free(&result);
	}
}

static void status_says_how_each_ring_is(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	must_say(&session, "status", NULL,
	         (const char *const[]){"health       all is well\n", "store state  ok\n", NULL});
	struct child program = start_program(&session, "shop");
	wait_for_status(&session, "\"open\": 3");
	wait_for_status(&session, "\"stored\": 1000");
	must_say(&session, "status", NULL, (const char *const[]){"shop", "running", " rings; 0 have ended", NULL});
	must_say(&session, "status", "--each-ring", (const char *const[]){"  ring 0", "live", NULL});
	must_say(&session, "top", "--each-ring", (const char *const[]){"  ring 0", "health  all is well", NULL});
	must_say(&session, "top", "--once", (const char *const[]){"shop", "PID", NULL});
	/* A ring that is cut off under the agent is put aside, and it is said which and why. */
	char script[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(script, sizeof(script), "truncate -s 100 %s/*/ring-0000", session.scratch.rings);
	struct child_result result = child_run((const char *[]){"/bin/sh", "-c", script, NULL}, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	wait_for_status(&session, "\"state\": \"quarantined\"");
	must_say(&session, "status", NULL,
	         (const char *const[]){"attention    ring 0 of", "(shop) is not read any more", "  ring 0", NULL});
	end_program(&program);
	session_stop_agent(&session);
	session_close(&session);
}

static void wrong_words_are_refused(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	static const struct {
		const char *command;
		const char *option;
		int code;
		const char *words;
	} cases[] = {{"top", "--sort=size", EXIT_CODE_USAGE, "rate, lag, drops, open or pid"},
	             {"top", "--interval=1ms", EXIT_CODE_USAGE, "from 100ms"},
	             {"top", "--json", EXIT_CODE_USAGE, "status --json"},
	             {"top", "now", EXIT_CODE_USAGE, "unexpected word"},
	             {"status", "--once", EXIT_CODE_USAGE, "belongs to top"},
	             {"ps", "--each-ring", EXIT_CODE_USAGE, "belongs to status and top"},
	             {"top", "--once", EXIT_CODE_FAILED, "no agent runs on"},
	             {"status", NULL, EXIT_CODE_FAILED, "no agent runs on"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask(&session, cases[i].command, cases[i].option);
		if (result.exit_code != cases[i].code || !strstr(result.err, cases[i].words) || *result.out)
			fail_msg("%s %s exits %d: %s", cases[i].command, cases[i].option, result.exit_code, result.err);
		child_result_free(&result);
	}
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_view_lives),          cmocka_unit_test(the_terminal_is_given_back),
	    cmocka_unit_test(colours_are_asked_for),   cmocka_unit_test(status_says_how_each_ring_is),
	    cmocka_unit_test(wrong_words_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
