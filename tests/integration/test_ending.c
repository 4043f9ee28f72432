/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the reason why open spans never ended is stored and shown, where it can be known; and never a wrong one.
 * Method: a program ends in each way there is, as the command of `record` and beside an agent that is told nothing of it.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct child_result ask(const struct session *session, const char *command, const char *first,
                               const char *option) {
	const char *argv[] = {child_program("spanring-analyze"), command, session->scratch.store, first, option, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s%s", command, result.exit_code, result.out, result.err);
	return result;
}

static size_t count_words(const char *text, const char *words) {
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}

static void expect_words(const char *text, const char *words, size_t count) {
	if (count_words(text, words) != count)
		fail_msg("'%s' is there %zu times, not %zu: %s", words, count_words(text, words), count, text);
}

/* In both tables and both documents, for each of the spans that are there. */
static void expect_reason(const struct session *session, size_t spans, const char *reason, const char *phrase) {
	char json_reason[64];
	char words[96];
	char trace_id[33] = "";
	(void)snprintf(json_reason, sizeof(json_reason), "\"reason\": \"%s\"", reason);
	struct child_result unfinished = ask(session, "unfinished", "--json", NULL);
	expect_words(unfinished.out, "\"span_id\"", spans);
	expect_words(unfinished.out, json_reason, spans);
	const char *at = strstr(unfinished.out, "\"trace_id\": \"");
	assert_non_null(at);
	memcpy(trace_id, at + strlen("\"trace_id\": \""), 32);
	child_result_free(&unfinished);
	struct child_result table = ask(session, "unfinished", NULL, NULL);
	(void)snprintf(words, sizeof(words), "  %s  ", reason);
	expect_words(table.out, words, spans);
	child_result_free(&table);
	struct child_result trace = ask(session, "trace", trace_id, NULL);
	(void)snprintf(words, sizeof(words), "open, its process %s: never ended", phrase);
	expect_words(trace.out, words, spans);
	child_result_free(&trace);
	struct child_result json = ask(session, "trace", trace_id, "--json");
	expect_words(json.out, json_reason, spans);
	child_result_free(&json);
	session_check_audit(session);
}

static void record(const char *how, const char *number, int exit_code, size_t spans, const char *reason,
                   const char *phrase) {
	struct session session;
	session_open(&session);
	const char *argv[] = {child_program("spanring-agent"),
	                      "record",
	                      "--rings",
	                      session.scratch.rings,
	                      "-o",
	                      session.scratch.store,
	                      "--",
	                      child_program("spanring-test-ending"),
	                      how,
	                      number,
	                      NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code)
		fail_msg("record exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
	expect_reason(&session, spans, reason, phrase);
	session_close(&session);
}

static void record_knows_the_signal(void **state) {
	(void)state;
	record("signal", "9", 128 + SIGKILL, 3, "SIGKILL", "was killed by SIGKILL");
	record("signal", "10", 128 + SIGUSR1, 3, "SIGUSR1", "was killed by SIGUSR1");
	record("signal", "40", 128 + 40, 3, "signal 40", "was killed by signal 40");
}

static void record_knows_the_status(void **state) {
	(void)state;
	record("status", "0", 0, 3, "exit status 0", "left with status 0");
	record("status", "7", 7, 3, "exit status 7", "left with status 7");
}

/* The library ended what the thread had open; the async span is left. */
static void a_goodbye_is_told_apart(void **state) {
	(void)state;
	record("exit", NULL, 0, 1, "exited", "exited");
}

static struct child start(const struct session *session, const char *how, const char *number) {
	const char *argv[] = {child_program("spanring-test-ending"), how, number, NULL};
	const char *environment[] = {session->environment, NULL};
	return child_start(argv, environment);
}

static void finish(struct child *program, int exit_code) {
	struct child_result result = child_finish(program);
	assert_int_equal(result.exit_code, exit_code);
	child_result_free(&result);
}

static void an_agent_does_not_guess(void **state) {
	struct session session;
	(void)state;
	session_open(&session);
	session_start_agent(&session);
	struct child program = start(&session, "signal", "9");
	finish(&program, 128 + SIGKILL);
	session_stop_agent(&session);
	expect_reason(&session, 3, "died", "died");
	session_close(&session);
}

static void an_agent_sees_an_exec(void **state) {
	struct session session;
	(void)state;
	session_open(&session);
	session_start_agent(&session);
	struct child program = start(&session, "exec", NULL);
	child_wait_for_line(&program, "waiting");
	session_stop_agent(&session);
	expect_reason(&session, 3, "exec", "ran another program");
	child_signal(&program, SIGTERM);
	finish(&program, 128 + SIGTERM);
	session_close(&session);
}

/* What the store says of an ended process is the last word, also for an agent that finds the rings of others there. */
static void a_reason_outlives_the_agent(void **state) {
	struct session session;
	(void)state;
	session_open(&session);
	session_start_agent(&session);
	struct child program = start(&session, "exec", NULL);
	child_wait_for_line(&program, "waiting");
	session_stop_agent(&session);
	struct child other = start(&session, "exit", NULL);
	finish(&other, 0);
	session_collect(&session);
	struct child_result unfinished = ask(&session, "unfinished", "--json", NULL);
	expect_words(unfinished.out, "\"reason\": \"exec\"", 3);
	expect_words(unfinished.out, "\"reason\": \"exited\"", 1);
	child_result_free(&unfinished);
	child_signal(&program, SIGTERM);
	finish(&program, 128 + SIGTERM);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_knows_the_signal), cmocka_unit_test(record_knows_the_status),
	    cmocka_unit_test(a_goodbye_is_told_apart), cmocka_unit_test(an_agent_does_not_guess),
	    cmocka_unit_test(an_agent_sees_an_exec),   cmocka_unit_test(a_reason_outlives_the_agent),
	};
	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
