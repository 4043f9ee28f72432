/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands as a user meets them: spanring-analyze run on a store with known content (cli_store.h). Values are computed here, from the
 * same inputs, without the analyzer. tests/integration/cli/golden holds whole outputs; SPANRING_TEST_GOLDEN_WRITE=1 writes them anew.
 */
#include "cli_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"
#include "base/text.h"
#include "libstore/format.h"
#include "libstore/schema.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 12

static struct scratch scratch;
static const char *program;

/* Words are separated by one blank; "STORE" stands for the store. */
/* Paths may hold spaces, so they stand in a line of words by their names. */
static const char *meant(const char *word) {
	if (strcmp(word, "STORE") == 0)
		return scratch.store;
	return strcmp(word, "PROGRAM") == 0 ? program : word;
}

static struct child_result run_in(const char *words, const char *const *environment) {
	const char *argv[ARGUMENTS_MAX] = {program};
	char *copy = strdup(words);
	size_t count = 1;
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(count + 1 < ARGUMENTS_MAX);
		argv[count++] = meant(word);
	}
	struct child_result result = child_run(argv, environment);
	free(copy);
	return result;
}

static struct child_result run(const char *words) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS",    "NO_COLOR",
	                                          "SPANRING_STORE", "TERM=xterm", NULL};
	return run_in(words, environment);
}

static void expect_exit(const char *words, int exit_code, const char *message) {
	struct child_result result = run(words);
	if (result.exit_code != exit_code)
		fail_msg("'%s' exits with %d, not %d: %s", words, result.exit_code, exit_code, result.err);
	if (!strstr(result.err, message))
		fail_msg("'%s' does not say '%s' but: %s", words, message, result.err);
	child_result_free(&result);
}

/* The number after "key": in the first object after `anchor`. */
static double number(const char *json, const char *anchor, const char *key) {
	char quoted[64];
	(void)snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	const char *at = strstr(json, anchor);
	if (!at)
		fail_msg("no %s in %s", anchor, json);
	at = strstr(at, quoted);
	if (!at)
		fail_msg("no %s after %s", key, anchor);
	return strtod(at + strlen(quoted), NULL);
}

static void expect_number(const char *json, const char *anchor, const char *key, double wanted) {
	double got = number(json, anchor, key);
	if (fabs(got - wanted) > 1e-9 * fabs(wanted))
		fail_msg("%s of %s is %.17g, not %.17g", key, anchor, got, wanted);
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static void sorted_durations(uint64_t ret_durations[CLI_INDEX_SPANS]) {
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		ret_durations[i] = cli_index_duration(i);
	qsort(ret_durations, CLI_INDEX_SPANS, sizeof(uint64_t), by_value);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void latency_is_that_of_the_sorted_values(void **state) {
	(void)state;
	static const struct {
		const char *key;
		uint32_t rank;
	} quantiles[] = {{"p50_ns", 500}, {"p90_ns", 900}, {"p95_ns", 950}, {"p99_ns", 990}, {"p999_ns", 999}};
	uint64_t durations[CLI_INDEX_SPANS];
	const char *name = "\"name\": \"index file\"";
	struct child_result result = run("latency STORE --json");
	long double total = 0;
	long double square = 0;
	sorted_durations(durations);
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		total += (long double)durations[i];
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		square += ((long double)durations[i] - total / CLI_INDEX_SPANS) *
		          ((long double)durations[i] - total / CLI_INDEX_SPANS);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_string_equal(result.err, "");
	expect_number(result.out, name, "count", CLI_INDEX_SPANS);
	expect_number(result.out, name, "errors", 10);
	expect_number(result.out, name, "total_ns", (double)total);
	expect_number(result.out, name, "mean_ns", (double)(total / CLI_INDEX_SPANS));
	expect_number(result.out, name, "stddev_ns", (double)sqrtl(square / CLI_INDEX_SPANS));
	expect_number(result.out, name, "min_ns", (double)durations[0]);
	expect_number(result.out, name, "max_ns", (double)durations[CLI_INDEX_SPANS - 1]);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		expect_number(result.out, name, quantiles[i].key, (double)durations[quantiles[i].rank - 1]);
	expect_number(result.out, "\"name\": \"query\"", "count", 2);
	expect_number(result.out, "\"name\": \"query\"", "errors", 1);
	expect_number(result.out, "\"name\": \"query\"", "p50_ns", 500000);
	assert_non_null(strstr(result.out, "\"coverage\": \"stored\""));
	child_result_free(&result);
}

/* 12.34 ms of which its two children ran 1.002 and 10.9, also where a filter leaves these out. */
static void self_time_is_what_children_leave(void **state) {
	static const char *const questions[] = {"latency STORE --json", "latency STORE --json --name GET*",
	                                        "latency STORE --json --service front* --sort self"};
	(void)state;
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct child_result result = run(questions[i]);
		assert_int_equal(result.exit_code, EXIT_CODE_OK);
		expect_number(result.out, "\"name\": \"GET /users\"", "self_ns", 438000);
		if (i != 1)
			expect_number(result.out, "\"name\": \"query\"", "self_ns", 11400000);
		child_result_free(&result);
	}
}

static void expect_count(const char *words, double count) {
	struct child_result result = run(words);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	if (count == 0)
		assert_null(strstr(result.out, "\"name\""));
	else
		expect_number(result.out, "\"names\"", "count", count);
	child_result_free(&result);
}

static void expect_near(const char *json, const char *key, uint64_t wanted) {
	double got = number(json, "\"name\": \"index file\"", key);
	if (fabs(got - (double)wanted) > 0.0079 * (double)wanted + 1)
		fail_msg("%s is %.17g, not near %" PRIu64, key, got, wanted);
}

/* All that ended, also what was sampled out: each duration of "index file" twice. */
static void check_sketch(const char *json) {
	uint64_t durations[CLI_INDEX_SPANS];
	const char *name = "\"name\": \"index file\"";
	sorted_durations(durations);
	assert_non_null(strstr(json, "\"coverage\": \"all\""));
	assert_non_null(strstr(json, "\"method\": \"sketch\""));
	expect_number(json, "{", "max_relative_error", 0.0079);
	expect_number(json, name, "count", 2.0 * CLI_INDEX_SPANS);
	expect_number(json, name, "errors", 20);
	expect_number(json, name, "min_ns", (double)durations[0]);
	expect_number(json, name, "max_ns", (double)durations[CLI_INDEX_SPANS - 1]);
	expect_near(json, "p50_ns", durations[499]);
	expect_near(json, "p90_ns", durations[899]);
	expect_near(json, "p99_ns", durations[989]);
	expect_near(json, "p999_ns", durations[998]);
	expect_number(json, "\"name\": \"query\"", "errors", 1);
	expect_number(json, "\"name\": \"query\"", "total_ns", 11400000);
	expect_number(json, "\"name\": \"GET /users\"", "p50_ns", 12340000);
	expect_number(json, "\"name\": \"GET /users\"", "stddev_ns", 0);
	assert_non_null(strstr(json, "\"self_ns\": null"));
}

static void expect_method(const char *words, const char *method, const char *coverage, double count) {
	struct child_result result = run(words);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	if (!strstr(result.out, method) || !strstr(result.out, coverage))
		fail_msg("'%s' is not %s over %s: %s", words, method, coverage, result.out);
	expect_number(result.out, "\"name\": \"index file\"", "count", count);
	child_result_free(&result);
}

static void statistics_answer_for_all_spans(void **state) {
	(void)state;
	struct scratch kept = scratch;
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_STATISTICS);
	struct child_result result = run("latency STORE --json");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	check_sketch(result.out);
	child_result_free(&result);
	result = run("latency STORE");
	assert_non_null(strstr(result.out, "all 2,006 spans that ended, percentiles within 0.8 %"));
	child_result_free(&result);
	result = run("latency STORE --exact");
	assert_non_null(strstr(result.out, "exact, over the stored spans only (50.1 % of 2,007)"));
	child_result_free(&result);
	double all = 2.0 * CLI_INDEX_SPANS;
	expect_method("latency STORE --json --name index*", "sketch", "\"all\"", all);
	expect_method("latency STORE --json --service index*", "sketch", "\"all\"", all);
	expect_method("latency STORE --json --exact", "\"exact\"", "\"stored\"", CLI_INDEX_SPANS);
	expect_method("latency STORE --json --exact --threads 5", "\"exact\"", "\"stored\"", CLI_INDEX_SPANS);
	expect_method("latency STORE --json --since 2026-11-20", "\"exact\"", "\"stored\"", CLI_INDEX_SPANS);
	expect_count("latency STORE --json --service nobody", 0);
	scratch_remove(&scratch);
	scratch = kept;
}

static void lost_statistics_are_not_taken_for_all(void **state) {
	(void)state;
	struct scratch kept = scratch;
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_UNCOUNTED);
	expect_method("latency STORE --json", "\"exact\"", "\"stored\"", CLI_INDEX_SPANS);
	scratch_remove(&scratch);
	scratch = kept;
}

static void filters_select(void **state) {
	(void)state;
	expect_count("latency STORE --json --name index*", CLI_INDEX_SPANS);
	expect_count("latency STORE --json --name=nothing", 0);
	expect_count("latency STORE --json --service front* --sort count", 2);
	expect_count("latency STORE --json --service nobody", 0);
	/* span i starts at 18:40:20 + i ms: since is part of the range, until is not */
	expect_count(
	    "latency STORE --json --name index* --since 2026-11-20T18:40:20.100Z --until 2026-11-20T18:40:20.107Z", 7);
	expect_count("latency STORE --json --since 2026-11-20T18:40:20.999Z --until 2026-11-20T18:40:21Z", 1);
	expect_count("latency STORE --json --since 2026-11-20T18:41:00Z", 0);
}

static void expect_order(const char *words, const char *first, const char *second) {
	struct child_result result = run(words);
	const char *a = strstr(result.out, first);
	const char *b = strstr(result.out, second);
	assert_non_null(a);
	assert_non_null(b);
	if (a >= b)
		fail_msg("'%s': %s should stand before %s", words, first, second);
	child_result_free(&result);
}

static void sorting_orders(void **state) {
	(void)state;
	expect_order("latency STORE --json --sort name", "\"GET /users\"", "\"authenticate\"");
	expect_order("latency STORE --json --sort name", "\"index file\"", "\"query\"");
	expect_order("latency STORE --json --sort max", "\"GET /users\"", "\"query\"");
	expect_order("latency STORE --json --sort p50", "\"GET /users\"", "\"index file\"");
	expect_order("latency STORE --json --sort count", "\"index file\"", "\"query\"");
	expect_order("latency STORE --json --sort errors", "\"query\"", "\"GET /users\"");
	struct child_result result = run("latency STORE --json --limit 1 --sort count");
	assert_non_null(strstr(result.out, "\"index file\""));
	assert_null(strstr(result.out, "\"query\""));
	child_result_free(&result);
}

static void slowest_are_the_longest(void **state) {
	(void)state;
	uint64_t durations[CLI_INDEX_SPANS];
	struct child_result result = run("slowest STORE --json --name index* -n 20");
	const char *at = result.out;
	sorted_durations(durations);
	for (uint32_t i = 0; i < 20; i++) {
		at = strstr(at, "\"duration_ns\": ");
		assert_non_null(at);
		at += strlen("\"duration_ns\": ");
		assert_true(strtoull(at, NULL, 10) == durations[CLI_INDEX_SPANS - 1 - i]);
	}
	assert_null(strstr(at, "\"duration_ns\": "));
	child_result_free(&result);
	result = run("slowest STORE -n 100000 --json --service frontend");
	assert_non_null(strstr(result.out, "\"trace_id\": \"" CLI_TRACE_A "\""));
	assert_non_null(strstr(result.out, "\"span_id\": \"0000000000000003\""));
	child_result_free(&result);
}

static void memory_has_its_figures(void **state) {
	(void)state;
	struct child_result result = run("memory STORE --json");
	const char *frontend = "\"service\": \"frontend\"";
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	expect_number(result.out, frontend, "samples", 5);
	expect_number(result.out, frontend, "baseline_bytes", 10u << 20);
	expect_number(result.out, frontend, "peak_bytes", 14u << 20);
	expect_number(result.out, frontend, "mean_bytes", 12u << 20);
	expect_number(result.out, frontend, "growth_bytes_per_hour", 3600.0 * (1u << 20));
	expect_number(result.out, "\"pss\"", "samples", 4); /* one could not be read */
	expect_number(result.out, frontend, "cpu_user_ns", 1e9);
	expect_number(result.out, frontend, "cpu_system_ns", 5e8);
	expect_number(result.out, frontend, "cpu_cores", 0.375);
	expect_number(result.out, frontend, "switches_voluntary", 40);
	expect_number(result.out, frontend, "switches_involuntary", 4);
	expect_number(result.out, frontend, "threads", 2);
	expect_number(result.out, frontend, "descriptors", 7);
	expect_number(result.out, frontend, "descriptors_peak", 99);
	expect_number(result.out, frontend, "heap_allocated_bytes", 8192);
	expect_number(result.out, frontend, "pss_samples", 4);
	expect_number(result.out, frontend, "pss_samples_left_out", 1);
	expect_number(result.out, frontend, "pss_ns_max", 5000);
	expect_number(result.out, "\"heap\": {", "samples", 4); /* more freed than allocated is no size */
	expect_number(result.out, "\"heap\": {", "last_bytes", 7168);
	expect_number(result.out, "\"agents\"", "pid", 4321);
	expect_number(result.out, "\"agents\"", "peak_bytes", 17u << 20);
	expect_number(result.out, "\"agents\"", "samples", 2);
	assert_non_null(strstr(result.out, "\"growth_bytes_per_hour\": null"));
	assert_non_null(strstr(result.out, "\"heap_recorded\": true"));
	expect_number(result.out, "\"names\"", "heap_bytes", 1024);
	child_result_free(&result);
	result = run("memory STORE --json --service indexer --name GET*");
	assert_non_null(strstr(result.out, "\"heap_recorded\": false"));
	assert_null(strstr(result.out, frontend));
	assert_non_null(strstr(result.out, "\"agents\": []"));
	child_result_free(&result);
	result = run("memory STORE");
	assert_non_null(strstr(result.out, "(agent)"));
	assert_non_null(strstr(result.out, "switches"));
	child_result_free(&result);
}

static void a_trace_is_whole(void **state) {
	(void)state;
	static const char *const wanted[] = {"\"trace_id\": \"" CLI_TRACE_A "\"",
	                                     "\"span_count\": 4",
	                                     "\"http.route\": \"/users\"",
	                                     "\"user.id\": -7",
	                                     "\"db.rows\": 12",
	                                     "\"db.cached\": false",
	                                     "\"db.ratio\": 0.25",
	                                     "\"SELECT \\\"x\\\"\\u001b[2J FROM users\"",
	                                     "\"name\": \"retry\"",
	                                     "\"time_wall_ns\": 1795200010003100000",
	                                     "\"kind\": \"server\"",
	                                     "\"unfinished\": true",
	                                     "\"parent_id\": \"0000000000000004\"",
	                                     "\"parent_stored\": false",
	                                     "\"depth\": 1",
	                                     "\"complete\": true",
	                                     "\"file\": \"src/main.c\"",
	                                     "\"line\": 42"};
	struct child_result result = run("trace " CLI_TRACE_A " STORE --json");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(result.out, wanted[i]))
			fail_msg("no %s in %s", wanted[i], result.out);
	assert_null(strstr(result.out, "\"db.rows\": 5")); /* the last value of a key counts */
	assert_null(strstr(result.out, "\"db.rows\": 1,"));
	child_result_free(&result);
}

static void traces_are_found_by_what_people_have(void **state) {
	(void)state;
	static const char *const words[] = {"trace STORE " CLI_TRACE_A, "trace 4bf9 STORE",
	                                    "trace " CLI_TRACE_A_LOW " STORE",
	                                    "trace 00-" CLI_TRACE_A "-00f067aa0ba902b7-01 STORE"};
	struct child_result wanted = run("trace " CLI_TRACE_A " STORE");
	assert_int_equal(wanted.exit_code, EXIT_CODE_OK);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct child_result result = run(words[i]);
		assert_int_equal(result.exit_code, EXIT_CODE_OK);
		assert_string_equal(result.out, wanted.out);
		child_result_free(&result);
	}
	child_result_free(&wanted);
	expect_exit("trace b000 STORE", EXIT_CODE_USAGE, "at least 5 traces: give more digits");
	expect_exit("trace 0123456789abcdef0123456789abcdef STORE", EXIT_CODE_FAILED, "is not stored");
	expect_exit("trace deadbeef STORE", EXIT_CODE_FAILED, "no stored trace");
	expect_exit("trace xyz STORE", EXIT_CODE_USAGE, "'xyz' is not a trace id");
}

static void long_traces_are_cut_with_a_count(void **state) {
	(void)state;
	struct child_result result = run("trace " CLI_TRACE_A " STORE --limit 2 --no-attributes");
	assert_non_null(strstr(result.out, "query"));
	assert_null(strstr(result.out, "authenticate"));
	assert_non_null(strstr(result.out, "\xe2\x80\xa6 1 more, 1.002 ms in all"));
	assert_null(strstr(result.out, "db.rows"));
	child_result_free(&result);
}

static void info_counts(void **state) {
	(void)state;
	struct child_result result = run("info STORE --json");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	expect_number(result.out, "{", "spans", CLI_INDEX_SPANS + 6);
	expect_number(result.out, "{", "attributes", 8);
	expect_number(result.out, "{", "events", 1);
	expect_number(result.out, "{", "span_names", 6);
	expect_number(result.out, "\"service\": \"indexer\"", "spans", CLI_INDEX_SPANS + 2);
	assert_non_null(strstr(result.out, "\"state\": \"died\""));
	child_result_free(&result);
	result = run("info STORE");
	assert_non_null(strstr(result.out, "bytes per span"));
	assert_non_null(strstr(result.out, "indexer --threads 2"));
	child_result_free(&result);
}

/* --- audit ------------------------------------------------------------------------------------------------------- */

static void audit_of(enum cli_defect defect, int exit_code, const char *balanced, const char *words) {
	struct scratch kept = scratch;
	scratch_make(&scratch);
	cli_store_make(scratch.store, defect);
	struct child_result json = run("audit STORE --json");
	struct child_result table = run("audit STORE");
	assert_int_equal(json.exit_code, exit_code);
	assert_int_equal(table.exit_code, exit_code);
	assert_non_null(strstr(json.out, balanced));
	if (!strstr(table.out, words))
		fail_msg("no '%s' in %s", words, table.out);
	if (defect == CLI_LIVE)
		expect_number(json.out, "\"total\"", "in_ring", 5);
	child_result_free(&json);
	child_result_free(&table);
	scratch_remove(&scratch);
	scratch = kept;
}

static void audit_tells_a_gap(void **state) {
	(void)state;
	audit_of(CLI_BALANCED, EXIT_CODE_OK, "\"balanced\": true", "balanced: every span is accounted for");
	audit_of(CLI_LIVE, EXIT_CODE_OK, "\"balanced\": true", "not yet stored at the last commit");
	audit_of(CLI_GAP, EXIT_CODE_FAILED, "\"balanced\": false", "process 200, ring 0: 5 ended spans are neither");
	audit_of(CLI_DUPLICATES, EXIT_CODE_FAILED, "\"balanced\": false", "3 rows more than the agent stored");
}

static void audit_has_the_identity(void **state) {
	(void)state;
	struct child_result result = run("audit STORE --json");
	const char *total = "\"total\"";
	expect_number(result.out, total, "begun", CLI_INDEX_SPANS + 8);
	expect_number(result.out, total, "ended", CLI_INDEX_SPANS + 7);
	expect_number(result.out, total, "open", 1);
	expect_number(result.out, total, "stored", CLI_INDEX_SPANS + 6);
	expect_number(result.out, total, "full", 1);
	expect_number(result.out, total, "evicted", 0);
	child_result_free(&result);
}

/* --- words, terminals, bad input --------------------------------------------------------------------------------- */

static void wrong_words(void **state) {
	(void)state;
	expect_exit("", EXIT_CODE_USAGE, "which command?");
	expect_exit("latnecy STORE", EXIT_CODE_USAGE, "did you mean 'latency'?");
	expect_exit("latency STORE --jsn", EXIT_CODE_USAGE, "did you mean '--json'?");
	expect_exit("latency STORE --frobnicate", EXIT_CODE_USAGE, "unknown option '--frobnicate'");
	expect_exit("memory STORE --sort p99", EXIT_CODE_USAGE, "does not apply");
	expect_exit("latency STORE --sort p98", EXIT_CODE_USAGE, "--sort 'p98'");
	expect_exit("latency STORE --since yesterday", EXIT_CODE_USAGE, "--since 'yesterday'");
	expect_exit("latency STORE --since 1m --until 2m", EXIT_CODE_USAGE, "--since is not before --until");
	expect_exit("latency STORE --limit ten", EXIT_CODE_USAGE, "--limit 'ten'");
	expect_exit("latency STORE --limit", EXIT_CODE_USAGE, "needs a value");
	expect_exit("latency STORE --json=yes", EXIT_CODE_USAGE, "takes no value");
	expect_exit("latency STORE --color blue", EXIT_CODE_USAGE, "--color 'blue'");
	expect_exit("latency STORE another", EXIT_CODE_USAGE, "unexpected word");
	expect_exit("latency", EXIT_CODE_USAGE, "which store?");
	expect_exit("trace", EXIT_CODE_USAGE, "which trace?");
	expect_exit("slowest STORE -n 0", EXIT_CODE_USAGE, "--limit");
	expect_exit("help latnecy", EXIT_CODE_USAGE, "did you mean 'latency'?");
}

static void help_is_there(void **state) {
	(void)state;
	static const char *const words[] = {"help",     "--help",          "help latency", "latency --help",
	                                    "trace -h", "help exit-codes", "--version"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct child_result result = run(words[i]);
		assert_int_equal(result.exit_code, EXIT_CODE_OK);
		assert_true(strlen(result.out) > 10);
		for (char *line = strtok(result.out, "\n"); line; line = strtok(NULL, "\n"))
			if (text_columns(line) > 80)
				fail_msg("'%s' is too wide: %s", words[i], line);
		assert_string_equal(result.err, "");
		child_result_free(&result);
	}
}

static void the_environment_names_the_store(void **state) {
	(void)state;
	char variable[SCRATCH_PATH_BYTES + 32];
	(void)snprintf(variable, sizeof(variable), "SPANRING_STORE=%s", scratch.store);
	const char *const environment[] = {variable, NULL};
	struct child_result result = run_in("audit --json", environment);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	child_result_free(&result);
}

static void widths_are_kept(void **state) {
	(void)state;
	static const char *const words[] = {"latency STORE", "memory STORE", "slowest STORE", "audit STORE",
	                                    "trace " CLI_TRACE_A " STORE"};
	static const char *const columns[] = {"COLUMNS=40", "COLUMNS=80", "COLUMNS=200"};
	static const size_t widths[] = {40, 80, 200};
	for (size_t w = 0; w < 3; w++) {
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			const char *const environment[] = {"LC_ALL=C.UTF-8", columns[w], NULL};
			struct child_result result = run_in(words[i], environment);
			assert_int_equal(result.exit_code, EXIT_CODE_OK);
			assert_null(strchr(result.out, '\x1b'));
			for (char *line = strtok(result.out, "\n"); line; line = strtok(NULL, "\n"))
				if (text_columns(line) > widths[w])
					fail_msg("'%s' at %zu: %s", words[i], widths[w], line);
			child_result_free(&result);
		}
	}
}

static void color_is_a_choice(void **state) {
	(void)state;
	static const char *const no_color[] = {"NO_COLOR=1", "LC_ALL=C.UTF-8", NULL};
	struct child_result always = run("latency STORE --color always");
	struct child_result automatic = run("latency STORE");
	struct child_result never = run_in("latency STORE --color=never", no_color);
	assert_non_null(strstr(always.out, "\x1b["));
	assert_null(strchr(automatic.out, '\x1b'));
	assert_string_equal(automatic.out, never.out);
	child_result_free(&always);
	child_result_free(&automatic);
	child_result_free(&never);
}

static void missing_and_foreign_stores(void **state) {
	(void)state;
	char words[2 * SCRATCH_PATH_BYTES];
	expect_exit("latency /nonexistent/store", EXIT_CODE_INPUT, "/nonexistent/store");
	(void)snprintf(words, sizeof(words), "latency %s", scratch.files);
	expect_exit(words, EXIT_CODE_INPUT, "no Spanring segment");
	expect_exit("latency PROGRAM", EXIT_CODE_INPUT, "spanring-analyze");
}

static void an_empty_store_is_no_error(void **state) {
	(void)state;
	static const char *const words[] = {"latency STORE --json", "memory STORE --json", "slowest STORE --json",
	                                    "info STORE --json",    "audit STORE --json",  "verify STORE --json"};
	struct scratch kept = scratch;
	scratch_make(&scratch);
	cli_store_make_empty(scratch.store);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		expect_exit(words[i], EXIT_CODE_OK, "no spans stored yet");
		struct child_result result = run(words[i]);
		assert_true(result.out[0] == '{');
		child_result_free(&result);
	}
	expect_exit("latency STORE", EXIT_CODE_OK, "no spans stored yet");
	expect_exit("trace deadbeef STORE", EXIT_CODE_FAILED, "no spans stored yet");
	scratch_remove(&scratch);
	scratch = kept;
}

/* Flip one bit of the first string: the tables of a new segment have one page each, in order, behind SQLite's own. */
static void damage(const char *path) {
	uint8_t byte;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	off_t at = (off_t)(SCHEMA_STRING + 2) * FORMAT_PAGE_BYTES - 1;
	for (byte = 0; byte == 0 && at > 0; at--)
		assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at + 1), 1);
	assert_int_equal(close(fd), 0);
}

static void damage_is_named_and_the_rest_printed(void **state) {
	(void)state;
	struct scratch kept = scratch;
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_BALANCED);
	expect_exit("verify STORE", EXIT_CODE_OK, "");
	char segment[CLI_PATH_BYTES];
	cli_store_segment(scratch.store, segment);
	damage(segment);
	struct child_result verify = run("verify STORE");
	struct child_result latency = run("latency STORE --json");
	assert_int_equal(verify.exit_code, EXIT_CODE_INPUT);
	assert_int_equal(latency.exit_code, EXIT_CODE_INPUT);
	assert_non_null(strstr(verify.err, segment));
	assert_non_null(strstr(verify.out, "sound")); /* the other segment */
	assert_non_null(strstr(latency.err, segment));
	assert_non_null(strstr(latency.out, "\"GET /users\"")); /* of the other segment */
	child_result_free(&verify);
	child_result_free(&latency);
	scratch_remove(&scratch);
	scratch = kept;
}

/* In the script "$1" is the program and "$2" the store. */
static struct child_result run_shell(const char *script) {
	const char *argv[] = {"/bin/sh", "-c", script, "sh", program, scratch.store, NULL};
	return child_run(argv, NULL);
}

static void output_that_cannot_be_written(void **state) {
	(void)state;
	struct child_result full = run_shell("\"$1\" latency \"$2\" --json > /dev/full");
	assert_int_equal(full.exit_code, EXIT_CODE_OUTPUT);
	assert_non_null(strstr(full.err, "standard output cannot be written"));
	child_result_free(&full);
	struct child_result closed = run_shell("{ \"$1\" slowest \"$2\" -n 1000 --json; echo $? >&2; } | head -c 1");
	assert_string_equal(closed.err, "0\n");
	child_result_free(&closed);
}

static void json_is_json(void **state) {
	(void)state;
	static const char *const commands[] = {
	    "latency", "memory", "slowest", "info", "audit", "verify", ("trace " CLI_TRACE_A)};
	struct child_result python = run_shell("command -v python3 >/dev/null");
	bool missing = python.exit_code != 0;
	child_result_free(&python);
	if (missing)
		skip();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char script[256];
		(void)snprintf(script, sizeof(script), "\"$1\" %s \"$2\" --json | python3 -m json.tool >/dev/null",
		               commands[i]);
		struct child_result result = run_shell(script);
		if (result.exit_code != 0)
			fail_msg("%s --json: %s", commands[i], result.err);
		child_result_free(&result);
	}
}

/* --- golden outputs ---------------------------------------------------------------------------------------------- */

struct golden {
	const char *file;
	const char *words;
	const char *columns;
};

static void write_golden(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void check_golden(const struct golden *golden) {
	const char *const environment[] = {"LC_ALL=C.UTF-8", golden->columns, NULL};
	char path[SCRATCH_PATH_BYTES];
	char wanted[16384] = "";
	struct child_result result = run_in(golden->words, environment);
	(void)snprintf(path, sizeof(path), "%s/%s", getenv("SPANRING_TEST_GOLDEN"), golden->file);
	if (getenv("SPANRING_TEST_GOLDEN_WRITE"))
		write_golden(path, result.out);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s is missing", path);
	size_t got = fread(wanted, 1, sizeof(wanted) - 1, file);
	assert_true(got < sizeof(wanted) - 1);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(result.out, wanted);
	child_result_free(&result);
}

static void outputs_are_the_golden_ones(void **state) {
	(void)state;
	static const struct golden goldens[] = {
	    {"latency-40.txt", "latency STORE", "COLUMNS=40"},
	    {"latency-80.txt", "latency STORE", "COLUMNS=80"},
	    {"latency-200.txt", "latency STORE", "COLUMNS=200"},
	    {"latency.json", "latency STORE --json", "COLUMNS=80"},
	    {"memory-80.txt", "memory STORE", "COLUMNS=80"},
	    {"slowest-80.txt", "slowest STORE", "COLUMNS=80"},
	    {"trace-80.txt", "trace " CLI_TRACE_A " STORE", "COLUMNS=80"},
	    {"trace-40.txt", "trace " CLI_TRACE_A " STORE", "COLUMNS=40"},
	    {"audit-80.txt", "audit STORE", "COLUMNS=80"},
	    {"audit.json", "audit STORE --json", "COLUMNS=80"},
	};
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
		check_golden(&goldens[i]);
}

static int make_store(void **state) {
	(void)state;
	program = child_program("spanring-analyze");
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_BALANCED);
	return 0;
}

static int remove_store(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(latency_is_that_of_the_sorted_values),
	    cmocka_unit_test(self_time_is_what_children_leave),
	    cmocka_unit_test(statistics_answer_for_all_spans),
	    cmocka_unit_test(lost_statistics_are_not_taken_for_all),
	    cmocka_unit_test(filters_select),
	    cmocka_unit_test(sorting_orders),
	    cmocka_unit_test(slowest_are_the_longest),
	    cmocka_unit_test(memory_has_its_figures),
	    cmocka_unit_test(a_trace_is_whole),
	    cmocka_unit_test(traces_are_found_by_what_people_have),
	    cmocka_unit_test(long_traces_are_cut_with_a_count),
	    cmocka_unit_test(info_counts),
	    cmocka_unit_test(audit_tells_a_gap),
	    cmocka_unit_test(audit_has_the_identity),
	    cmocka_unit_test(wrong_words),
	    cmocka_unit_test(help_is_there),
	    cmocka_unit_test(the_environment_names_the_store),
	    cmocka_unit_test(widths_are_kept),
	    cmocka_unit_test(color_is_a_choice),
	    cmocka_unit_test(missing_and_foreign_stores),
	    cmocka_unit_test(an_empty_store_is_no_error),
	    cmocka_unit_test(damage_is_named_and_the_rest_printed),
	    cmocka_unit_test(output_that_cannot_be_written),
	    cmocka_unit_test(json_is_json),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, make_store, remove_store);
}
