/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a full ring drops the newest spans and counts each of them; what is stored and what is dropped is what was begun.
 * Method: no agent, or one that is stopped, while the program writes ten times what its rings hold.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include <signal.h>

#define TREES "40000"
#define SPANS_BEGUN (2u * 40000u * STORED_SPANS_PER_TREE)

static const char *const overflowing_run[] = {"--threads", "2", "--trees", TREES, NULL};

static void check_books(const struct session *session, const struct session_counters *counters) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	assert_int_equal(counters->begun, SPANS_BEGUN);
	assert_int_equal(counters->ended, SPANS_BEGUN);
	assert_true(counters->dropped_full > 0);
	assert_int_equal(stored.count + counters->dropped_full, SPANS_BEGUN);
	stored_free(&stored);
	session_check_audit(session);
}

static void no_agent(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	struct child producer = session_producer(&session, overflowing_run);
	struct session_counters counters = session_producer_finish(&producer);
	session_collect(&session);
	check_books(&session, &counters);
	session_close(&session);
}

static void stopped_agent(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	child_signal(&session.agent, SIGSTOP);
	struct child producer = session_producer(&session, overflowing_run);
	struct session_counters counters = session_producer_finish(&producer);
	child_signal(&session.agent, SIGCONT);
	session_stop_agent(&session);
	check_books(&session, &counters);
	session_close(&session);
}

static void running_agent(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	struct child producer = session_producer(&session, overflowing_run);
	struct session_counters counters = session_producer_finish(&producer);
	session_stop_agent(&session);
	struct stored stored;
	stored_load(session.scratch.store, &stored);
	assert_int_equal(stored.count + counters.dropped_full, SPANS_BEGUN);
	stored_free(&stored);
	session_check_audit(&session);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_agent),
	    cmocka_unit_test(stopped_agent),
	    cmocka_unit_test(running_agent),
	};
	return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
