/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: killing the agent at any moment, also while it recovers from the kill before, loses nothing and stores nothing twice.
 * Method: producers write under load and wait for the store now and then, so that nothing may be dropped; the agent, one that begins a new
 * segment every 16,384 spans, is killed each time they have finished a random number of further spans, and started again. In the second
 * story the one that comes next is killed 1 to 50 ms after its start, with the segment of the first still to be recovered. In the end
 * every number is there once, every segment is sound, the books balance.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <signal.h>
#include <stdio.h>

#define ROUNDS 50
#define ROUNDS_RECOVERING 30
#define PRODUCERS 4
#define ENDS_PER_ROUND 6000
#define RECOVERY_NS_MAX (50 * NS_PER_MS)

struct load {
	struct session session;
	struct child producers[PRODUCERS];
	const uint64_t *acknowledged; /* by the first */
	uint64_t trees;               /* of each */
	uint64_t target;
};

/* Enough for all rounds to find the producers at work, and a bit more. */
static void begin(struct load *load, unsigned rounds) {
	char tree_text[24];
	load->target = 0;
	load->trees = (uint64_t)rounds * ENDS_PER_ROUND / STORED_SPANS_PER_TREE;
	session_open(&load->session);
	load->session.agent_program = "spanring-test-agent";
	(void)snprintf(tree_text, sizeof(tree_text), "%llu", (unsigned long long)load->trees);
	for (int i = 0; i < PRODUCERS; i++) {
		char ack[SCRATCH_PATH_BYTES + 8];
		char process[8];
		(void)snprintf(ack, sizeof(ack), "%s/ack%d", load->session.scratch.files, i);
		(void)snprintf(process, sizeof(process), "%d", i);
		if (i == 0)
			load->acknowledged = session_acknowledgements(ack);
		const char *arguments[] = {"--process", process,         "--trees", tree_text, "--ack",
		                           ack,         "--flush-every", "1500",    NULL};
		load->producers[i] = session_producer(&load->session, arguments);
	}
}

static void kill_under_load(struct load *load, struct seed *seed) {
	session_start_agent(&load->session);
	load->target += seed_below(seed, ENDS_PER_ROUND);
	clock_wait_for_u64(&load->acknowledged[0], load->target);
	session_kill_agent(&load->session);
}

static void finish(struct load *load) {
	session_start_agent(&load->session);
	for (int i = 0; i < PRODUCERS; i++) {
		struct session_counters counters = session_producer_finish(&load->producers[i]);
		assert_int_equal(counters.dropped_full, 0);
	}
	session_stop_agent(&load->session);

	struct stored stored;
	stored_load(load->session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < PRODUCERS; process++)
		assert_int_equal(stored_count_of(&stored, process, 0), load->trees * STORED_SPANS_PER_TREE);
	assert_int_equal(stored.attribute_count, stored.count);
	stored_free(&stored);
	session_check_audit(&load->session);
}

static void killed_at_random_points_under_load(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_killed");
	struct load load;
	unsigned rounds = seed_rounds(ROUNDS);
	begin(&load, rounds);
	for (unsigned round = 0; round < rounds; round++)
		kill_under_load(&load, &seed);
	finish(&load);
	/* Each agent that commits begins a segment; more of them than agents means that some were full. */
	unsigned segments = session_check_segments(&load.session);
	if (rounds >= ROUNDS)
		assert_true(segments > rounds + 1);
	session_close(&load.session);
}

static void killed_again_while_it_recovers(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_killed_recovering");
	struct load load;
	unsigned rounds = seed_rounds(ROUNDS_RECOVERING);
	begin(&load, rounds);
	for (unsigned round = 0; round < rounds; round++) {
		kill_under_load(&load, &seed);
		for (uint64_t again = seed_below(&seed, 3) + 1; again > 0; again--) {
			session_spawn_agent(&load.session, NULL, NULL);
			clock_wait_ns(NS_PER_MS + seed_below(&seed, RECOVERY_NS_MAX - NS_PER_MS));
			session_kill_agent(&load.session);
		}
	}
	finish(&load);
	(void)session_check_segments(&load.session);
	session_close(&load.session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_random_points_under_load),
	    cmocka_unit_test(killed_again_while_it_recovers),
	};
	return cmocka_run_group_tests_name("agent_killed", tests, NULL, NULL);
}
