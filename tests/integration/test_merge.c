/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: merging changes no answer, and an agent that is killed while it merges loses nothing and stores nothing twice.
 * Method: a store of many small batches answers the same questions before and after an agent has merged it, an agent within its budget and one
 * without; then agents that merge all the time beside programs under load are killed at random moments. In the end every number is there once,
 * the books balance, no half file is left, and most batches are gone.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "libstore/reader.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 25
#define PRODUCERS 2
#define ENDS_PER_ROUND 6000
#define TREES_ASKED "3000"

/* What a sanitizer keeps of freed memory counts as the agent's own, and it does not merge beyond its cap. */
#define ROOM "--memory-cap", "4GiB"

static const char *const many_batches[] = {"--batch-size", "50", "--flush-interval", "1ms", "--merge-budget", "100",
                                           ROOM,           NULL};
static const char *const never[] = {"--batch-size", "50", "--flush-interval", "1ms", "--merge-budget", "0", NULL};
static const char *const within_budget[] = {"--merge-budget", "50", ROOM, NULL};

static void start_agent(struct session *session, const char *const *options) {
	session->agent_program = "spanring-test-agent";
	session_spawn_agent(session, options, NULL);
	child_wait_for_line(&session->agent, session->scratch.store);
}

struct shape {
	uint64_t batches;
	uint64_t spans;
	uint64_t trace_hi;
	uint64_t trace_lo;
};

static int note_trace(void *context, const struct store_columns *columns) {
	struct shape *shape = context;
	if (columns->span_count) {
		shape->trace_hi = columns->trace_hi[columns->span_count / 2];
		shape->trace_lo = columns->trace_lo[columns->span_count / 2];
	}
	return 0;
}

static struct shape shape_of(const struct session *session) {
	struct shape shape = {0};
	struct store_reader *reader = NULL;
	char text[512];
	struct store_scan scan = {.columns = STORE_COLUMN_TRACE, .on_batch = note_trace, .context = &shape};
	if (store_reader_open(session->scratch.store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	const struct store_overview *overview = store_reader_overview(reader);
	for (size_t i = 0; i < overview->segment_count; i++) {
		shape.batches += overview->segments[i].batches;
		shape.spans += overview->segments[i].spans;
	}
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	store_reader_close(reader);
	return shape;
}

static void expect_no_left_over(const struct session *session) {
	DIR *folder = opendir(session->scratch.store);
	const struct dirent *entry;
	assert_non_null(folder);
	while ((entry = readdir(folder)))
		if (strstr(entry->d_name, ".tmp"))
			fail_msg("%s is left over", entry->d_name);
	(void)closedir(folder);
}

#define QUESTIONS 5u

/* What the analyzer says, for free. */
static void ask(const struct session *session, const char *trace, char *ret_answers[QUESTIONS]) {
	const char *const questions[QUESTIONS][4] = {{"latency", "--exact", "--json"},
	                                             {"latency", "--json"},
	                                             {"trace", "--json", trace},
	                                             {"audit", "--json"},
	                                             {"memory", "--json"}};
	for (size_t i = 0; i < QUESTIONS; i++) {
		const char *argv[7] = {child_program("spanring-analyze"), questions[i][0]};
		int count = 2;
		for (int word = 1; word < 4 && questions[i][word]; word++)
			if (questions[i][word] != trace)
				argv[count++] = questions[i][word];
		argv[count++] = session->scratch.store;
		if (strcmp(questions[i][0], "trace") == 0) {
			argv[count - 1] = trace;
			argv[count++] = session->scratch.store;
		}
		argv[count] = NULL;
		struct child_result result = child_run(argv, NULL);
		if (result.exit_code != 0)
			fail_msg("%s: exit %d: %s", questions[i][0], result.exit_code, result.err);
		ret_answers[i] = strdup(result.out);
		assert_non_null(ret_answers[i]);
		child_result_free(&result);
	}
}

#define THREADS_MAX 5

/* Which thread got which batch is chance, and no answer may show it. */
static void expect_same_by_any_threads(const struct session *session, const char *exact) {
	for (int threads = 1; threads <= THREADS_MAX; threads++) {
		char number[8];
		(void)snprintf(number, sizeof(number), "%d", threads);
		const char *argv[] = {child_program("spanring-analyze"),
		                      "latency",
		                      "--exact",
		                      "--json",
		                      "--threads",
		                      number,
		                      session->scratch.store,
		                      NULL};
		struct child_result result = child_run(argv, NULL);
		if (result.exit_code != 0 || strcmp(result.out, exact) != 0)
			fail_msg("%d threads: exit %d: %s\nexpected:\n%s\ngot:\n%s", threads, result.exit_code,
			         result.err, exact, result.out);
		child_result_free(&result);
	}
}

static void expect_same_answers(const struct session *session, const char *trace, char *const before[QUESTIONS]) {
	char *after[QUESTIONS];
	ask(session, trace, after);
	for (size_t i = 0; i < QUESTIONS; i++) {
		if (strcmp(before[i], after[i]) != 0)
			fail_msg("before:\n%s\nafter:\n%s", before[i], after[i]);
		free(after[i]);
	}
	expect_same_by_any_threads(session, before[0]);
	session_check_audit(session);
	(void)session_check_segments(session);
	expect_no_left_over(session);
}

static void answers_stay(void **state) {
	(void)state;
	struct session session;
	char trace[40];
	char *before[QUESTIONS];
	session_open(&session);
	start_agent(&session, never);
	const char *arguments[] = {"--trees", TREES_ASKED, "--flush-every", "100", NULL};
	struct child producer = session_producer(&session, arguments);
	(void)session_producer_finish(&producer);
	session_stop_agent(&session);
	struct shape many = shape_of(&session);
	assert_true(many.batches > 20);
	(void)snprintf(trace, sizeof(trace), "%016llx%016llx", (unsigned long long)many.trace_hi,
	               (unsigned long long)many.trace_lo);
	ask(&session, trace, before);
	expect_same_by_any_threads(&session, before[0]);
	start_agent(&session, within_budget);
	child_wait_for_line(&session.agent, "merged");
	session_stop_agent(&session);
	expect_same_answers(&session, trace, before);
	/* This one merges what is left, at its end. */
	start_agent(&session, many_batches);
	session_stop_agent(&session);
	struct shape few = shape_of(&session);
	assert_int_equal(few.spans, many.spans);
	assert_true(few.batches * 10 <= many.batches);
	expect_same_answers(&session, trace, before);
	for (size_t i = 0; i < QUESTIONS; i++)
		free(before[i]);
	session_close(&session);
}

static void killed_while_it_merges(void **state) {
	(void)state;
	struct seed seed = seed_start("merge_killed");
	struct session session;
	struct child producers[PRODUCERS];
	const uint64_t *acknowledged = NULL;
	char trees[24];
	unsigned rounds = seed_rounds(ROUNDS);
	uint64_t tree_count = (uint64_t)rounds * ENDS_PER_ROUND / STORED_SPANS_PER_TREE;
	uint64_t target = 0;
	session_open(&session);
	(void)snprintf(trees, sizeof(trees), "%llu", (unsigned long long)tree_count);
	for (int i = 0; i < PRODUCERS; i++) {
		char ack[SCRATCH_PATH_BYTES + 8];
		char process[8];
		(void)snprintf(ack, sizeof(ack), "%s/ack%d", session.scratch.files, i);
		(void)snprintf(process, sizeof(process), "%d", i);
		if (i == 0)
			acknowledged = session_acknowledgements(ack);
		const char *arguments[] = {"--process", process,         "--trees", trees, "--ack",
		                           ack,         "--flush-every", "300",     NULL};
		producers[i] = session_producer(&session, arguments);
	}
	for (unsigned round = 0; round < rounds; round++) {
		start_agent(&session, many_batches);
		target += seed_below(&seed, ENDS_PER_ROUND);
		clock_wait_for_u64(&acknowledged[0], target);
		session_kill_agent(&session);
	}
	start_agent(&session, many_batches);
	for (int i = 0; i < PRODUCERS; i++) {
		struct session_counters counters = session_producer_finish(&producers[i]);
		assert_int_equal(counters.dropped_full, 0);
	}
	session_stop_agent(&session);
	struct stored stored;
	stored_load(session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < PRODUCERS; process++)
		assert_int_equal(stored_count_of(&stored, process, 0), tree_count * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(&session);
	unsigned segments = session_check_segments(&session);
	expect_no_left_over(&session);
	assert_true(shape_of(&session).batches <= 3u * segments);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_stay),
	    cmocka_unit_test(killed_while_it_merges),
	};
	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
