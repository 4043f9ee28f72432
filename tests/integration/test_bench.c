/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every case of spanring-bench runs to its end, says so in valid JSON, and counts right what can be counted. No
 * time is looked at. Method: each case with few rounds; the document is taken apart by SQLite's JSON functions.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define RUNS 5
#define FIGURES_MIN 4

/* The number that a query over one document (?1) gives. */
static double ask(const char *document, const char *query) {
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_bind_text(statement, 1, document, -1, SQLITE_STATIC), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	double value = sqlite3_column_double(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

/* Figures for which the condition does not hold. */
static int figures_where(const char *document, const char *condition) {
	char query[512];
	assert_true(snprintf(query, sizeof(query), "SELECT count(*) FROM json_each(?1, '$.figures') WHERE %s",
	                     condition) < (int)sizeof(query));
	return (int)ask(document, query);
}

/* Run one case; the result is the caller's to free. */
static struct child_result run_case(const char *name, const char *const *more) {
	const char *argv[12] = {child_program("spanring-bench"), name, "--json"};
	size_t count = 3;
	for (; *more; more++)
		argv[count++] = *more;
	argv[count] = NULL;
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		print_error("%s: %s", name, result.err);
	assert_int_equal(result.exit_code, 0);
	assert_int_equal(ask(result.out, "SELECT json_valid(?1)"), 1);
	char query[128];
	(void)snprintf(query, sizeof(query), "SELECT json_extract(?1, '$.schema') = 'bench-%s/1'", name);
	assert_int_equal(ask(result.out, query), 1);
	assert_true(figures_where(result.out, "1") >= FIGURES_MIN);
	return result;
}

static const char *const quick[] = {"--quick", "--runs", "5", NULL};

/* A figure was measured in every run or, where the machine cannot, in none; and the numbers are in order. */
static void check_figures(const char *document) {
	assert_int_equal(figures_where(document, "json_extract(value, '$.runs') NOT IN (0, 5)"), 0);
	assert_int_equal(figures_where(document,
	                               "json_extract(value, '$.runs') > 0 AND NOT "
	                               "(json_extract(value, '$.min') <= json_extract(value, '$.median') "
	                               "AND json_extract(value, '$.median') <= json_extract(value, '$.max'))"),
	                 0);
	assert_int_equal(figures_where(document, "json_extract(value, '$.runs') = 0 AND "
	                                         "json_extract(value, '$.median') IS NOT NULL"),
	                 0);
}

static void check_quick(const char *name) {
	struct child_result result = run_case(name, quick);
	check_figures(result.out);
	child_result_free(&result);
}

static void every_small_case_runs(void **state) {
	(void)state;
	check_quick("off");
	check_quick("codec");
	check_quick("query");
	check_quick("attr");
	check_quick("async");
	check_quick("context");
	check_quick("init");
	check_quick("threads");
	check_quick("idle");
	check_quick("rate");
	check_quick("wake");
	/* A sanitizer brings an allocator of its own: nothing to count. */
	if (SANITIZER_SLOWDOWN == 1)
		check_quick("heap");
}

static double median(const char *document, const char *key) {
	char query[128];
	(void)snprintf(query, sizeof(query), "SELECT json_extract(?1, '$.figures.%s.median')", key);
	return ask(document, query);
}

static void a_span_makes_no_calls(void **state) {
	(void)state;
	struct child_result result = run_case("span", quick);
	check_figures(result.out);
	/* SQLite gives 0 for null, too: where calls cannot be counted, there is nothing to check. */
	if (SANITIZER_SLOWDOWN == 1) {
		assert_true(median(result.out, "system_calls_per_span") <= 0);
		assert_true(median(result.out, "allocations_per_span") <= 0);
		assert_int_equal(ask(result.out, "SELECT json_extract(?1, '$.figures.allocations_per_span.runs')"),
		                 RUNS);
	}
	assert_true(median(result.out, "span_drained_dropped") <= 0);
	assert_true(median(result.out, "span_burst_dropped") <= 0);
	child_result_free(&result);
}

static void the_sampled_share_is_what_was_asked_for(void **state) {
	(void)state;
	struct child_result result = run_case("sampled", quick);
	check_figures(result.out);
	assert_true(median(result.out, "span_always_off_kept_percent") <= 0);
	assert_true(median(result.out, "span_always_off_bare_kept_percent") <= 0);
	/* 16,384 spans at 1 %: five standard deviations are 0.4 %. */
	double kept = median(result.out, "span_ratio_kept_percent");
	assert_true(kept > 0.6 && kept < 1.4);
	child_result_free(&result);
}

static void ingest_stores_a_small_workload(void **state) {
	(void)state;
	const char *const more[] = {"--spans", "1000", NULL};
	struct child_result result = run_case("ingest", more);
	check_figures(result.out);
	child_result_free(&result);
}

static void check_usage(const char *first, const char *second, const char *third, int exit_code) {
	const char *argv[] = {child_program("spanring-bench"), first, second, third, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, exit_code);
	assert_true(strlen(exit_code == 0 ? result.out : result.err) > 0);
	child_result_free(&result);
}

static void wrong_words_are_refused(void **state) {
	(void)state;
	check_usage("help", NULL, NULL, 0);
	check_usage("--help", NULL, NULL, 0);
	check_usage("nonsense", NULL, NULL, 2);
	check_usage("off", "--runs", "4", 2);
	check_usage("off", "--agent", "/nonexistent/spanring-agent", 1);
	check_usage(NULL, NULL, NULL, 2);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_small_case_runs),
	    cmocka_unit_test(a_span_makes_no_calls),
	    cmocka_unit_test(the_sampled_share_is_what_was_asked_for),
	    cmocka_unit_test(ingest_stores_a_small_workload),
	    cmocka_unit_test(wrong_words_are_refused),
	};
	return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
