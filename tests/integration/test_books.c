/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the books in the store are the program's own, figure by figure, also where spans were in no ring at all.
 * Method: a program that drops spans for every reason says what its library counted; `audit` says what the store has.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct drops {
	uint64_t begun, ended, open, full, depth, no_ring, async, reentry;
};

static uint64_t number_after(const char *text, const char *words) {
	const char *at = strstr(text, words);
	if (!at)
		fail_msg("'%s' is not in %s", words, text);
	return strtoull(at + strlen(words), NULL, 10);
}

static struct drops run_program(const struct session *session) {
	const char *argv[] = {child_program("spanring-test-drops"), NULL};
	const char *environment[] = {session->environment, NULL};
	struct drops drops;
	struct child_result result = child_run(argv, environment);
	assert_int_equal(result.exit_code, 0);
	int fields = sscanf(
	    result.out, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
	    &drops.begun, &drops.ended, &drops.open, &drops.full, &drops.depth, &drops.no_ring, &drops.async,
	    &drops.reentry);
	assert_int_equal(fields, 8);
	child_result_free(&result);
	return drops;
}

static void the_audit_says_what_the_program_counted(void **state) {
	struct session session;
	(void)state;
	session_open(&session);
	struct drops drops = run_program(&session);
	assert_true(drops.reentry > 0);
	assert_int_equal(drops.async, 7);
	assert_int_equal(drops.open, 0);
	session_collect(&session);
	session_check_audit(&session);
	const char *argv[] = {child_program("spanring-analyze"), "audit", session.scratch.store, "--json", NULL};
	struct child_result audit = child_run(argv, NULL);
	assert_int_equal(audit.exit_code, 0);
	assert_int_equal(number_after(audit.out, "\"begun\": "), drops.begun);
	assert_int_equal(number_after(audit.out, "\"ended\": "), drops.ended);
	assert_int_equal(number_after(audit.out, "\"open\": "), 0);
	assert_int_equal(number_after(audit.out, "\"full\": "), drops.full);
	assert_int_equal(number_after(audit.out, "\"depth\": "), drops.depth);
	assert_int_equal(number_after(audit.out, "\"no_ring\": "), drops.no_ring);
	assert_int_equal(number_after(audit.out, "\"reentry\": "), drops.reentry);
	assert_int_equal(number_after(audit.out, "\"dropped_async\": "), drops.async);
	child_result_free(&audit);
	argv[3] = NULL;
	struct child_result text = child_run(argv, NULL);
	assert_non_null(strstr(text.out, "too deep 7 (7 of them async)"));
	assert_int_equal(number_after(text.out, "in a signal handler "), drops.reentry);
	child_result_free(&text);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_audit_says_what_the_program_counted),
	};
	return cmocka_run_group_tests_name("books", tests, NULL, NULL);
}
