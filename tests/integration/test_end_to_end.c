/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every span of several processes with several threads arrives once, with its parent and its attribute, whether the
 * agent is there before, during or after the program.
 * Method: producers number their spans; the store is read back and every number is looked for.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PROCESSES 4
#define THREADS 4
#define SPANS_PER_THREAD 100000

static void check_complete(const struct session *session, uint64_t processes, uint64_t threads,
                           uint64_t spans_per_thread) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	assert_int_equal(stored.count, processes * threads * spans_per_thread);
	assert_int_equal(stored.attribute_count, stored.count);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < processes; process++)
		for (uint64_t thread = 0; thread < threads; thread++)
			assert_int_equal(stored_count_of(&stored, process, thread), spans_per_thread);
	stored_free(&stored);
	session_check_audit(session);
}

static void four_processes_of_four_threads(void **state) {
	(void)state;
	struct session session;
	struct child producers[PROCESSES];
	session_open(&session);
	session_start_agent(&session);
	for (int i = 0; i < PROCESSES; i++) {
		char process[8];
		(void)snprintf(process, sizeof(process), "%d", i);
		const char *arguments[] = {"--process", process,         "--threads", "4", "--trees",
		                           "20000",     "--flush-every", "4000",      NULL};
		producers[i] = session_producer(&session, arguments);
	}
	for (int i = 0; i < PROCESSES; i++) {
		struct session_counters counters = session_producer_finish(&producers[i]);
		assert_int_equal(counters.begun, THREADS * SPANS_PER_THREAD);
		assert_int_equal(counters.ended, counters.begun);
		assert_int_equal(counters.dropped_full, 0);
	}
	session_stop_agent(&session);
	check_complete(&session, PROCESSES, THREADS, SPANS_PER_THREAD);
	session_close(&session);
}

static const char *const small_run[] = {"--threads", "2", "--trees", "500", NULL};
static const char *const small_run_that_waits[] = {"--threads", "2", "--trees", "500", "--wait", NULL};

static void agent_before_the_program(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	struct child producer = session_producer(&session, small_run);
	(void)session_producer_finish(&producer);
	session_stop_agent(&session);
	check_complete(&session, 1, 2, 2500);
	session_close(&session);
}

static void agent_after_the_program_began(void **state) {
	(void)state;
	struct session session;
	char line[256];
	int input[2];
	session_open(&session);
	assert_int_equal(pipe(input), 0);
	int own_input = dup(STDIN_FILENO);
	assert_true(dup2(input[0], STDIN_FILENO) >= 0); /* the producer waits for its end */
	struct child producer = session_producer(&session, small_run_that_waits);
	assert_true(dup2(own_input, STDIN_FILENO) >= 0);
	(void)close(own_input);
	(void)close(input[0]);
	assert_true(read(producer.out, line, sizeof(line)) > 0); /* all spans are written now */
	session_collect(&session);
	check_complete(&session, 1, 2, 2500);
	child_signal(&producer, SIGTERM);
	(void)close(input[1]);
	struct child_result result = child_finish(&producer);
	child_result_free(&result);
	session_close(&session);
}

static void agent_after_the_program_ended(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	struct child producer = session_producer(&session, small_run);
	(void)session_producer_finish(&producer);
	session_collect(&session);
	check_complete(&session, 1, 2, 2500);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agent_before_the_program),
	    cmocka_unit_test(agent_after_the_program_began),
	    cmocka_unit_test(agent_after_the_program_ended),
	    cmocka_unit_test(four_processes_of_four_threads),
	};
	return cmocka_run_group_tests_name("end_to_end", tests, NULL, NULL);
}
