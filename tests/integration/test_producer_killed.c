/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a program finished before SIGKILL is stored, once; nothing is stored that it did not do; the books balance.
 * Method: the program counts each finished span in shared memory after the call returns. It is killed after a random number of them. Stored
 * must be exactly the spans counted, per thread, and possibly the one whose end was under way.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <signal.h>
#include <stdio.h>

#define ROUNDS 100
#define THREADS 2
#define ENDS_BEFORE_KILL_MAX 9000

static void check_thread(const struct stored *stored, uint64_t thread, uint64_t acknowledged) {
	uint64_t highest = 0;
	uint64_t count = 0;
	for (size_t i = 0; i < stored->count; i++) {
		if (stored->spans[i].seq >> 48 != thread)
			continue;
		uint64_t order = stored_end_order(stored->spans[i].seq);
		count++;
		highest = order > highest ? order : highest;
	}
	/* A set without gaps: as many as the highest says. */
	if (count > 0)
		assert_int_equal(count, highest + 1);
	if (count < acknowledged || count > acknowledged + 1)
		fail_msg("thread %d: %d spans acknowledged, %d stored", (int)thread, (int)acknowledged, (int)count);
}

static void run_round(struct seed *seed, bool agent_first) {
	struct session session;
	char ack[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session.scratch.files);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	uint64_t target = seed_below(seed, ENDS_BEFORE_KILL_MAX);
	const char *arguments[] = {"--threads", "2", "--trees", "0", "--ack", ack, "--flush-every", "4000", NULL};
	if (agent_first)
		session_start_agent(&session);
	else
		target %= 3000; /* what fits into the ring without an agent */
	struct child producer = session_producer(&session, arguments);
	clock_wait_for_u64(&acknowledged[0], target);
	child_signal(&producer, SIGKILL);
	struct child_result result = child_finish(&producer);
	child_result_free(&result);
	if (!agent_first)
		session_start_agent(&session);
	session_stop_agent(&session);

	struct stored stored;
	stored_load(session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t thread = 0; thread < THREADS; thread++)
		check_thread(&stored, thread, acknowledged[thread]);
	stored_free(&stored);
	session_check_audit(&session);
	session_close(&session);
}

static void killed_at_random_points_beside_an_agent(void **state) {
	(void)state;
	struct seed seed = seed_start("producer_killed");
	for (unsigned round = 0; round < seed_rounds(ROUNDS / 2); round++)
		run_round(&seed, true);
}

static void killed_at_random_points_before_the_agent_came(void **state) {
	(void)state;
	struct seed seed = seed_start("producer_killed_before_agent");
	for (unsigned round = 0; round < seed_rounds(ROUNDS / 2); round++)
		run_round(&seed, false);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_random_points_beside_an_agent),
	    cmocka_unit_test(killed_at_random_points_before_the_agent_came),
	};
	return cmocka_run_group_tests_name("producer_killed", tests, NULL, NULL);
}
