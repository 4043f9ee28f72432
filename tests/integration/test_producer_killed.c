/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a program finished before SIGKILL is stored, once; nothing is stored that it did not do; the books balance.
 * Method: the program counts each finished span in shared memory after the call returns. It is killed after a random number of them. Stored
 * must be exactly the spans counted, per thread, and possibly the one whose end was under way; open must be the outer span around the
 * inner ones that had ended. In the last story the agent is killed in the same moment, and half of the time the next one while it recovers.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <signal.h>
#include <stdio.h>

#define ROUNDS 100
#define ROUNDS_BOTH 40
#define THREADS 2
#define ENDS_BEFORE_KILL_MAX 9000
#define RECOVERY_NS_MAX (50 * NS_PER_MS)

enum agents {
	AGENT_BESIDE,
	AGENT_AFTERWARDS,
	AGENT_KILLED_TOO,
};

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

/* In the order in which they end, the spans of a thread are four inner ones, then the outer one around them. */
static void check_open(const struct stored *stored, uint64_t thread, uint64_t acknowledged) {
	uint64_t inside = acknowledged % STORED_SPANS_PER_TREE;
	uint64_t outer_end = acknowledged - inside + STORED_SPANS_PER_TREE - 1;
	unsigned count = 0;
	bool has_outer = false;
	for (size_t i = 0; i < stored->open_count; i++) {
		if (stored->open[i].seq == UINT64_MAX || stored->open[i].seq >> 48 != thread)
			continue;
		uint64_t end = stored_end_order(stored->open[i].seq);
		/* Only what had not ended, of this tree or, with the end of this one under way, the next. */
		assert_in_range(end, acknowledged, outer_end + STORED_SPANS_PER_TREE);
		has_outer = has_outer || end == outer_end;
		count++;
	}
	assert_in_range(count, 0, 2);
	if (inside > 0 && inside < STORED_SPANS_PER_TREE - 1 && !has_outer)
		fail_msg("thread %d: killed inside a tree, and its outer span is not open", (int)thread);
}

/* Both in the same moment: nothing of ours happens between the two signals. */
static void kill_both(struct session *session, const struct child *producer, struct seed *seed) {
	bool producer_first = seed_below(seed, 2) == 0;
	child_signal(producer_first ? producer : &session->agent, SIGKILL);
	child_signal(producer_first ? &session->agent : producer, SIGKILL);
	struct child_result result = child_finish(&session->agent);
	assert_int_equal(result.exit_code, 128 + SIGKILL);
	child_result_free(&result);
}

static void kill_one_that_recovers(struct session *session, struct seed *seed) {
	session_spawn_agent(session, NULL, NULL);
	clock_wait_ns(NS_PER_MS + seed_below(seed, RECOVERY_NS_MAX - NS_PER_MS));
	session_kill_agent(session);
}

static void run_round(struct seed *seed, enum agents agents) {
	struct session session;
	char ack[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session.scratch.files);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	uint64_t target = seed_below(seed, ENDS_BEFORE_KILL_MAX);
	const char *arguments[] = {"--threads", "2", "--trees", "0", "--ack", ack, "--flush-every", "4000", NULL};
	if (agents == AGENT_AFTERWARDS)
		target %= 3000; /* what fits into the ring without an agent */
	else
		session_start_agent(&session);
	struct child producer = session_producer(&session, arguments);
	clock_wait_for_u64(&acknowledged[0], target);
	if (agents == AGENT_KILLED_TOO)
		kill_both(&session, &producer, seed);
	else
		child_signal(&producer, SIGKILL);
	struct child_result result = child_finish(&producer);
	child_result_free(&result);
	if (agents == AGENT_KILLED_TOO && seed_below(seed, 2) == 0)
		kill_one_that_recovers(&session, seed);
	if (agents != AGENT_BESIDE)
		session_start_agent(&session);
	session_stop_agent(&session);

	struct stored stored;
	stored_load(session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t thread = 0; thread < THREADS; thread++) {
		check_thread(&stored, thread, acknowledged[thread]);
		check_open(&stored, thread, acknowledged[thread]);
	}
	stored_free(&stored);
	session_check_audit(&session);
	session_close(&session);
}

static void killed_at_random_points_beside_an_agent(void **state) {
	(void)state;
	struct seed seed = seed_start("producer_killed");
	for (unsigned round = 0; round < seed_rounds(ROUNDS / 2); round++)
		run_round(&seed, AGENT_BESIDE);
}

static void killed_at_random_points_before_the_agent_came(void **state) {
	(void)state;
	struct seed seed = seed_start("producer_killed_before_agent");
	for (unsigned round = 0; round < seed_rounds(ROUNDS / 2); round++)
		run_round(&seed, AGENT_AFTERWARDS);
}

static void killed_in_the_same_moment_as_the_agent(void **state) {
	(void)state;
	struct seed seed = seed_start("both_killed");
	for (unsigned round = 0; round < seed_rounds(ROUNDS_BOTH); round++)
		run_round(&seed, AGENT_KILLED_TOO);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_random_points_beside_an_agent),
	    cmocka_unit_test(killed_at_random_points_before_the_agent_came),
	    cmocka_unit_test(killed_in_the_same_moment_as_the_agent),
	};
	return cmocka_run_group_tests_name("producer_killed", tests, NULL, NULL);
}
