/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: statistics count every span that ended, whatever becomes of its record, and whatever is killed; and the percentiles made of
 * them are those of the records, and those that the program itself measured, within the error that is stated.
 * Method: producers that write far more than their rings take, or of whose traces one in a hundred is kept, with an agent that is killed at random
 * moments, or comes only afterwards; the rows of the store are added up by name. One run of which every record is stored is asked both ways, and a
 * program that measures its spans is compared with what is said of them where nine of ten have no record.
 */
#include "libstore/reader.h"
#include "support/child.h"
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 24
#define ENDS_PER_ROUND 400000  /* at most, between the start of an agent and its death: some steps of its statistics */
#define TREES_PER_ROUND 100000 /* enough for the program to outlive most rounds, the starts of the agents included */
#define THREADS 2
#define RELATIVE_ERROR 0.008
#define ROUNDING_NS 1.0 /* of start and end of a record to whole nanoseconds */
#define MEASURED_SPANS "3000"
#define MEASURED_TOTAL 60000 /* ten of each measured one, the measured ones included */
#define CLOCK_ERROR 0.0005   /* of the ticks' rate, learned within a second, to the program's clock */
#define BRACKET_SHARE 0.10   /* between inside and outside at the median, for the comparison to mean something */

struct counts {
	const struct store_overview *overview;
	uint64_t outer;
	uint64_t inner;
	uint64_t rows;
};

static int add_row(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct counts *counts = context;
	assert_in_range(rollup->site, 1, segment->site_count);
	const char *name = counts->overview->names[segment->sites[rollup->site].name];
	if (strcmp(name, "outer") == 0)
		counts->outer += rollup->count;
	else if (strcmp(name, "inner") == 0)
		counts->inner += rollup->count;
	else
		fail_msg("statistics of \"%s\"", name);
	counts->rows++;
	return 0;
}

static struct counts count_rollups(const struct session *session) {
	char text[512] = "";
	size_t damage = 0;
	struct store_reader *reader = NULL;
	if (store_reader_open(session->scratch.store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	struct counts counts = {.overview = store_reader_overview(reader)};
	assert_int_equal(store_reader_rollups(reader, add_row, &counts), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
	counts.overview = NULL;
	return counts;
}

static void check_counts(const struct session *session, uint64_t trees) {
	struct counts counts = count_rollups(session);
	assert_int_equal(counts.outer, trees);
	assert_int_equal(counts.inner, trees * (STORED_SPANS_PER_TREE - 1));
	session_check_audit(session);
}

/* Reads and commits as often as it can, so that a kill hits it at that. */
static void start_busy_agent(struct session *session) {
	const char *argv[] = {child_program("spanring-agent"),
	                      "run",
	                      "--rings",
	                      session->scratch.rings,
	                      "--store",
	                      session->scratch.store,
	                      "--flush-interval",
	                      "3ms",
	                      "--statistics-interval",
	                      "10ms",
	                      NULL};
	session->agent = child_start(argv, NULL);
	child_wait_for_line(&session->agent, session->scratch.store);
}

static struct child start_producer(const struct session *session, const char *trees, const char *ack,
                                   const char *const settings[3]) {
	const char *environment[] = {session->environment, settings[0], settings[1], settings[2], NULL};
	const char *argv[] = {child_program("spanring-test-producer"),
	                      "--threads",
	                      "2",
	                      "--trees",
	                      trees,
	                      ack ? "--ack" : NULL,
	                      ack,
	                      NULL};
	return child_start(argv, environment);
}

static void killed_agents(const char *const settings[3], uint64_t *ret_dropped) {
	struct seed seed = seed_start("statistics");
	struct session session;
	unsigned rounds = seed_rounds(ROUNDS);
	uint64_t trees = (uint64_t)rounds * TREES_PER_ROUND;
	char ack[SCRATCH_PATH_BYTES + 16];
	char tree_text[24];
	session_open(&session);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session.scratch.files);
	(void)snprintf(tree_text, sizeof(tree_text), "%" PRIu64, trees);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	struct child producer = start_producer(&session, tree_text, ack, settings);
	for (unsigned round = 0; round < rounds; round++) {
		start_busy_agent(&session);
		/* From where the program is now: the agent took its time to start. */
		uint64_t target =
		    __atomic_load_n(&acknowledged[0], __ATOMIC_ACQUIRE) + seed_below(&seed, ENDS_PER_ROUND);
		uint64_t end = trees * STORED_SPANS_PER_TREE;
		clock_wait_for_u64(&acknowledged[0], target < end ? target : end);
		session_kill_agent(&session);
	}
	start_busy_agent(&session);
	struct session_counters counters = session_producer_finish(&producer);
	session_stop_agent(&session);
	check_counts(&session, trees * THREADS);
	*ret_dropped = counters.dropped_full;
	session_close(&session);
}

static void killed_agents_neither_lose_nor_double(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536"};
	uint64_t dropped;
	(void)state;
	killed_agents(settings, &dropped);
	assert_true(dropped > 0);
}

static void nor_do_they_where_one_trace_in_a_hundred_is_kept(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536", "OTEL_TRACES_SAMPLER=traceidratio",
	                                        "OTEL_TRACES_SAMPLER_ARG=0.01"};
	uint64_t dropped;
	(void)state;
	killed_agents(settings, &dropped);
}

/* 200,000 spans for each of two rings that take 1,024 records: with every record two hundred times, with one in a hundred twice too much. */
static void an_overload_is_counted(const char *const settings[3], bool sampled) {
	struct session session;
	struct stored stored;
	session_open(&session);
	struct child producer = start_producer(&session, "40000", NULL, settings);
	struct session_counters counters = session_producer_finish(&producer);
	session_collect(&session);
	stored_load(session.scratch.store, &stored);
	assert_true(counters.dropped_full > 0);
	assert_int_equal(counters.ended, 2 * 40000 * STORED_SPANS_PER_TREE);
	if (sampled)
		assert_true(stored.count + counters.dropped_full < counters.ended / 10);
	else
		assert_int_equal(stored.count + counters.dropped_full, counters.ended);
	stored_free(&stored);
	check_counts(&session, 2 * 40000);
	session_close(&session);
}

static void overload(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536"};
	(void)state;
	an_overload_is_counted(settings, false);
}

static void overload_of_a_sample(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536", "OTEL_TRACES_SAMPLER=traceidratio",
	                                        "OTEL_TRACES_SAMPLER_ARG=0.01"};
	(void)state;
	an_overload_is_counted(settings, true);
}

static void spans_that_are_too_short_are_counted(void **state) {
	static const char *const settings[3] = {"SPANRING_DURATION_MIN=1h"};
	struct session session;
	struct stored stored;
	(void)state;
	session_open(&session);
	struct child producer = start_producer(&session, "1000", NULL, settings);
	struct session_counters counters = session_producer_finish(&producer);
	session_collect(&session);
	stored_load(session.scratch.store, &stored);
	assert_int_equal(stored.count, 0);
	assert_int_equal(counters.dropped_full, 0);
	stored_free(&stored);
	check_counts(&session, 2 * 1000);
	session_close(&session);
}

static void switched_off_there_are_none(void **state) {
	static const char *const settings[3] = {"SPANRING_STATISTICS=0"};
	struct session session;
	(void)state;
	session_open(&session);
	struct child producer = start_producer(&session, "1000", NULL, settings);
	(void)session_producer_finish(&producer);
	session_collect(&session);
	assert_int_equal(count_rollups(&session).rows, 0);
	session_check_audit(&session);
	session_close(&session);
}

/* A killed program: every span that it ended but, of each thread, the one that it was ending. The audit holds it to that. */
static void killed_programs_are_counted(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536"};
	struct seed seed = seed_start("statistics of killed programs");
	struct session session;
	char ack[SCRATCH_PATH_BYTES + 16];
	(void)state;
	session_open(&session);
	session_start_agent(&session);
	for (unsigned round = 0; round < seed_rounds(ROUNDS); round++) {
		(void)snprintf(ack, sizeof(ack), "%s/ack%u", session.scratch.files, round);
		const uint64_t *acknowledged = session_acknowledgements(ack);
		struct child producer = start_producer(&session, "0", ack, settings);
		clock_wait_for_u64(&acknowledged[0], 1 + seed_below(&seed, 20000));
		child_signal(&producer, SIGKILL);
		struct child_result result = child_finish(&producer);
		child_result_free(&result);
	}
	session_stop_agent(&session);
	session_check_audit(&session);
	assert_true(count_rollups(&session).rows > 0);
	session_close(&session);
}

static double figure(const char *json, const char *name, const char *key) {
	char text[64];
	(void)snprintf(text, sizeof(text), "\"name\": \"%s\"", name);
	const char *at = strstr(json, text);
	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "\"%s\": ", key);
	at = strstr(at, text);
	assert_non_null(at);
	return strtod(at + strlen(text), NULL);
}

static void check_name(const char *sketch, const char *exact, const char *name) {
	static const char *const quantiles[] = {"p50_ns", "p90_ns", "p95_ns", "p99_ns", "p999_ns"};
	assert_true(figure(sketch, name, "count") == figure(exact, name, "count"));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		double found = figure(sketch, name, quantiles[i]);
		double wanted = figure(exact, name, quantiles[i]);
		double error = found > wanted ? found - wanted : wanted - found;
		if (error > RELATIVE_ERROR * wanted + ROUNDING_NS)
			fail_msg("%s of %s: %g, of the records %g", quantiles[i], name, found, wanted);
	}
}

static void percentiles_are_those_of_the_records(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=67108864"};
	struct session session;
	(void)state;
	session_open(&session);
	struct child producer = start_producer(&session, "40000", NULL, settings);
	assert_int_equal(session_producer_finish(&producer).dropped_full, 0);
	session_collect(&session);
	const char *argv[] = {
	    child_program("spanring-analyze"), "latency", session.scratch.store, "--json", NULL, NULL};
	struct child_result sketch = child_run(argv, NULL);
	argv[4] = "--exact";
	struct child_result exact = child_run(argv, NULL);
	assert_int_equal(sketch.exit_code, 0);
	assert_int_equal(exact.exit_code, 0);
	assert_non_null(strstr(sketch.out, "\"method\": \"sketch\""));
	assert_non_null(strstr(sketch.out, "\"coverage\": \"all\""));
	assert_non_null(strstr(exact.out, "\"method\": \"exact\""));
	check_name(sketch.out, exact.out, "outer");
	check_name(sketch.out, exact.out, "inner");
	child_result_free(&sketch);
	child_result_free(&exact);
	session_close(&session);
}

struct bracket {
	uint64_t inside_ns[3];
	uint64_t outside_ns[3];
};

static struct bracket read_bracket(const char *text, const char *name) {
	struct bracket bracket;
	uint64_t count = 0;
	const char *at = strstr(text, name);
	assert_non_null(at);
	int fields = sscanf(at + strlen(name),
	                    "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &count,
	                    &bracket.inside_ns[0], &bracket.outside_ns[0], &bracket.inside_ns[1],
	                    &bracket.outside_ns[1], &bracket.inside_ns[2], &bracket.outside_ns[2]);
	assert_int_equal(fields, 7);
	assert_int_equal(count, strtoull(MEASURED_SPANS, NULL, 10));
	return bracket;
}

/* The true percentile lies between what the program measured around and inside begin and end, whatever interrupted it there. */
static void check_bracket(const char *text, const char *latency, const char *name) {
	static const char *const quantiles[] = {"p50_ns", "p90_ns", "p99_ns"};
	struct bracket bracket = read_bracket(text, name);
	assert_true(figure(latency, name, "count") == strtod(MEASURED_SPANS, NULL));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		double found = figure(latency, name, quantiles[i]);
		double least = (double)bracket.inside_ns[i] * (1 - RELATIVE_ERROR - CLOCK_ERROR) - ROUNDING_NS;
		double most = (double)bracket.outside_ns[i] * (1 + RELATIVE_ERROR + CLOCK_ERROR) + ROUNDING_NS;
		if (found < least || found > most)
			fail_msg("%s of %s: %g, measured %llu to %llu", quantiles[i], name, found,
			         (unsigned long long)bracket.inside_ns[i], (unsigned long long)bracket.outside_ns[i]);
	}
	double width = (double)(bracket.outside_ns[0] - bracket.inside_ns[0]);
	assert_true(width <= BRACKET_SHARE * (double)bracket.outside_ns[0]);
}

static uint64_t stored_spans(const struct session *session) {
	const char *argv[] = {child_program("spanring-analyze"), "audit", session->scratch.store, "--json", NULL};
	struct child_result audit = child_run(argv, NULL);
	assert_int_equal(audit.exit_code, 0);
	const char *at = strstr(audit.out, "\"stored\": ");
	assert_non_null(at);
	uint64_t stored = strtoull(at + strlen("\"stored\": "), NULL, 10);
	child_result_free(&audit);
	return stored;
}

/* At least nine of ten spans have no record. */
static void measured(const char *const settings[3]) {
	struct seed seed = seed_start("measured");
	struct session session;
	char seed_text[24];
	session_open(&session);
	(void)snprintf(seed_text, sizeof(seed_text), "%" PRIu64, seed_below(&seed, UINT32_MAX));
	const char *argv[] = {child_program("spanring-test-measured"), MEASURED_SPANS, "9", seed_text, NULL};
	const char *environment[] = {session.environment, settings[0], settings[1], settings[2], NULL};
	struct child_result program = child_run(argv, environment);
	assert_int_equal(program.exit_code, 0);
	session_collect(&session);
	const char *latency_argv[] = {child_program("spanring-analyze"), "latency", session.scratch.store, "--json",
	                              NULL};
	struct child_result latency = child_run(latency_argv, NULL);
	assert_int_equal(latency.exit_code, 0);
	assert_non_null(strstr(latency.out, "\"coverage\": \"all\""));
	check_bracket(program.out, latency.out, "even");
	check_bracket(program.out, latency.out, "rare");
	assert_true(figure(latency.out, "filler", "count") == MEASURED_TOTAL - 2 * strtod(MEASURED_SPANS, NULL));
	session_check_audit(&session);
	assert_in_range(stored_spans(&session), 1, MEASURED_TOTAL / 10);
	child_result_free(&latency);
	child_result_free(&program);
	session_close(&session);
}

static void percentiles_survive_an_overload(void **state) {
	static const char *const settings[3] = {"SPANRING_RING_BYTES=65536"};
	(void)state;
	measured(settings);
}

static void percentiles_survive_sampling(void **state) {
	static const char *const settings[3] = {"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"};
	(void)state;
	measured(settings);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(overload),
	    cmocka_unit_test(overload_of_a_sample),
	    cmocka_unit_test(spans_that_are_too_short_are_counted),
	    cmocka_unit_test(switched_off_there_are_none),
	    cmocka_unit_test(percentiles_are_those_of_the_records),
	    cmocka_unit_test(percentiles_survive_an_overload),
	    cmocka_unit_test(percentiles_survive_sampling),
	    cmocka_unit_test(killed_programs_are_counted),
	    cmocka_unit_test(killed_agents_neither_lose_nor_double),
	    cmocka_unit_test(nor_do_they_where_one_trace_in_a_hundred_is_kept),
	};
	return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
