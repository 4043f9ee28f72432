/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: old segments go when the store has more bytes than it may, and every span stays accounted for, whatever is killed.
 * Method: producers write under load; the agent, one that begins a new segment every 16,384 spans and may keep one MiB, is killed at random
 * moments and started again, so that it dies before, while and after it evicts. Then an agent that may keep nothing removes all that is
 * sealed, and counting goes on behind it. After each step the books balance, every segment is sound, and what is stored and
 * what is evicted together is what the producers ended.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 24
#define PRODUCERS 3
#define ENDS_PER_ROUND 6000
#define SEGMENTS_LEFT_MAX 6u

struct load {
	struct session session;
	struct child producers[PRODUCERS];
	const uint64_t *acknowledged; /* by the first */
	uint64_t trees;               /* of each */
	uint64_t target;
};

static uint64_t number_of(const char *text, const char *key) {
	uint64_t number = 0;
	char pattern[64];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	const char *at = strstr(text, pattern);
	if (!at || sscanf(at + strlen(pattern), "%" SCNu64, &number) != 1)
		fail_msg("no %s in %s", key, text);
	return number;
}

/* The totals of the audit come first in its answer. */
static void check_books(const struct session *session, uint64_t ended, uint64_t *ret_evicted) {
	const char *argv[] = {child_program("spanring-analyze"), "audit", "--json", session->scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("audit exits %d: %s%s", result.exit_code, result.out, result.err);
	*ret_evicted = number_of(result.out, "evicted");
	assert_int_equal(number_of(result.out, "ended"), ended);
	assert_int_equal(number_of(result.out, "stored") + *ret_evicted, ended);
	assert_int_equal(number_of(result.out, "statistics_spans"), ended);
	child_result_free(&result);
}

/* Asked until the agent has looked for the first time. */
static void wait_for_eviction(const struct session *session) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", NULL};
	const char *environment[] = {session->environment, NULL};
	for (uint64_t looked = 0; looked == 0;) {
		struct child_result result = child_run(argv, environment);
		assert_int_equal(result.exit_code, 0);
		looked = number_of(result.out, "store_segments");
		if (looked > 0) {
			assert_true(number_of(result.out, "evicted_segments") > 0);
			assert_true(number_of(result.out, "store_bytes") > 0);
		}
		child_result_free(&result);
	}
}

static struct child begin_producer(const struct session *session, const char *process, uint64_t trees,
                                   const char *acknowledgements) {
	char tree_text[24];
	(void)snprintf(tree_text, sizeof(tree_text), "%" PRIu64, trees);
	const char *arguments[] = {"--process",      process,         "--trees", tree_text, "--ack",
	                           acknowledgements, "--flush-every", "1500",    NULL};
	return session_producer(session, arguments);
}

static void begin(struct load *load, unsigned rounds) {
	load->target = 0;
	load->trees = (uint64_t)rounds * ENDS_PER_ROUND / STORED_SPANS_PER_TREE;
	session_open(&load->session);
	load->session.agent_program = "spanring-test-agent";
	for (int i = 0; i < PRODUCERS; i++) {
		char ack[SCRATCH_PATH_BYTES + 8];
		char process[8];
		(void)snprintf(ack, sizeof(ack), "%s/ack%d", load->session.scratch.files, i);
		(void)snprintf(process, sizeof(process), "%d", i);
		if (i == 0)
			load->acknowledged = session_acknowledgements(ack);
		load->producers[i] = begin_producer(&load->session, process, load->trees, ack);
	}
}

static void check_rows(const struct session *session, bool all) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	/* Attributes go before their span: those of some first spans were in a segment that is gone. They are sorted last. */
	while (stored.count > 0 && stored.spans[stored.count - 1].seq == UINT64_MAX)
		stored.count--;
	stored_check_tree(&stored);
	assert_true(all || stored.count > 0);
	stored_free(&stored);
}

static void kill_under_load(struct load *load, struct seed *seed) {
	session_start_agent(&load->session);
	load->target += seed_below(seed, ENDS_PER_ROUND);
	clock_wait_for_u64(&load->acknowledged[0], load->target);
	session_kill_agent(&load->session);
}

static void the_books_balance_through_kills(void **state) {
	(void)state;
	struct seed seed = seed_start("retention");
	struct load load;
	uint64_t evicted;
	unsigned rounds = seed_rounds(ROUNDS);
	(void)setenv("SPANRING_AGENT_RETAIN_BYTES", "1MiB", 1);
	begin(&load, rounds);
	uint64_t ended = PRODUCERS * load.trees * STORED_SPANS_PER_TREE;
	for (unsigned round = 0; round < rounds; round++)
		kill_under_load(&load, &seed);
	session_start_agent(&load.session);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(session_producer_finish(&load.producers[i]).dropped_full, 0);
	session_stop_agent(&load.session);
	check_rows(&load.session, false);
	check_books(&load.session, ended, &evicted);
	session_collect(&load.session); /* the last look: only what is allowed is left */
	check_books(&load.session, ended, &evicted);
	if (rounds >= ROUNDS)
		assert_true(evicted > 0);
	assert_true(session_check_segments(&load.session) <= SEGMENTS_LEFT_MAX);
	(void)unsetenv("SPANRING_AGENT_RETAIN_BYTES");
	session_close(&load.session);
}

/* A program outlives every segment that has a span of its beginning. */
static void counting_goes_on_when_all_is_evicted(void **state) {
	(void)state;
	struct session session;
	char ack[SCRATCH_PATH_BYTES + 8];
	uint64_t evicted = 0;
	const uint64_t trees = 6000;
	(void)setenv("SPANRING_AGENT_RETAIN_AGE", "1s", 1);
	session_open(&session);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session.scratch.files);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	struct child producer = begin_producer(&session, "0", trees, ack);
	for (uint64_t step = 1; step <= 5; step++) {
		session_start_agent(&session);
		clock_wait_for_u64(acknowledged, step * 5000);
		session_stop_agent(&session);
		session_check_audit(&session);
		clock_wait_ns(1100 * NS_PER_MS); /* so long that what is there is old */
	}
	session_start_agent(&session);
	wait_for_eviction(&session);
	assert_int_equal(session_producer_finish(&producer).dropped_full, 0);
	session_stop_agent(&session);
	check_books(&session, trees * STORED_SPANS_PER_TREE, &evicted);
	assert_true(evicted > 0);
	clock_wait_ns(1100 * NS_PER_MS);
	session_collect(&session); /* nobody lives, and all of it is old: its rings depart */
	check_books(&session, trees * STORED_SPANS_PER_TREE, &evicted);
	assert_int_equal(evicted, trees * STORED_SPANS_PER_TREE);
	(void)session_check_segments(&session);
	(void)unsetenv("SPANRING_AGENT_RETAIN_AGE");
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_books_balance_through_kills),
	    cmocka_unit_test(counting_goes_on_when_all_is_evicted),
	};
	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
