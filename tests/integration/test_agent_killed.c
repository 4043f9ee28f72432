/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: killing the agent at any moment loses nothing and stores nothing twice.
 * Method: two producers write under load and wait for the store now and then, so that nothing may be dropped; the agent is killed each time
 * they have finished a random number of further spans, and started again. In the end every number is there once.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <stdio.h>

#define ROUNDS 50
#define PRODUCERS 2
#define THREADS 2
#define ENDS_PER_ROUND 6000

static void killed_at_random_points_under_load(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_killed");
	struct session session;
	struct child producers[PRODUCERS];
	const uint64_t *acknowledged = NULL;
	unsigned rounds = seed_rounds(ROUNDS);
	/* Enough for all rounds to find the producers at work, and a bit more. */
	uint64_t trees = (uint64_t)rounds * ENDS_PER_ROUND / STORED_SPANS_PER_TREE;
	session_open(&session);
	for (int i = 0; i < PRODUCERS; i++) {
		char ack[SCRATCH_PATH_BYTES + 8];
		char process[8];
		char tree_text[24];
		(void)snprintf(ack, sizeof(ack), "%s/ack%d", session.scratch.files, i);
		(void)snprintf(process, sizeof(process), "%d", i);
		(void)snprintf(tree_text, sizeof(tree_text), "%llu", (unsigned long long)trees);
		if (i == 0)
			acknowledged = session_acknowledgements(ack);
		const char *arguments[] = {"--process", process, "--threads",     "2",    "--trees", tree_text,
		                           "--ack",     ack,     "--flush-every", "1500", NULL};
		producers[i] = session_producer(&session, arguments);
	}
	uint64_t target = 0;
	for (unsigned round = 0; round < rounds; round++) {
		session_start_agent(&session);
		target += seed_below(&seed, ENDS_PER_ROUND);
		clock_wait_for_u64(&acknowledged[0], target);
		session_kill_agent(&session);
	}
	session_start_agent(&session);
	for (int i = 0; i < PRODUCERS; i++) {
		struct session_counters counters = session_producer_finish(&producers[i]);
		assert_int_equal(counters.dropped_full, 0);
	}
	session_stop_agent(&session);

	struct stored stored;
	stored_load(session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < PRODUCERS; process++)
		for (uint64_t thread = 0; thread < THREADS; thread++)
			assert_int_equal(stored_count_of(&stored, process, thread), trees * STORED_SPANS_PER_TREE);
	assert_int_equal(stored.attribute_count, stored.count);
	stored_free(&stored);
	session_check_audit(&session);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_random_points_under_load)};
	return cmocka_run_group_tests_name("agent_killed", tests, NULL, NULL);
}
