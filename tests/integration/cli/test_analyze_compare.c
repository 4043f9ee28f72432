/* SPDX-License-Identifier: Apache-2.0 */
/* compare as a user meets it, on stores of known runs (run_store.h). Figures are computed here from the same durations. */
#include "cli_store.h"
#include "run_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"

#include "base/errs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORES 5u
#define ARGUMENTS_MAX 14u

enum store { BEFORE, SLOWER, SAME, BEFORE_ROLLUPS, SLOWER_ROLLUPS };

static struct scratch scratch;
static const char *program;
static char paths[STORES][SCRATCH_PATH_BYTES + 16];
static struct run_truth truths[STORES];

static struct child_result run_in(const char *const *words, const char *columns) {
	const char *const environment[] = {"LC_ALL=C.UTF-8", columns, "NO_COLOR", "TERM=xterm", NULL};
	const char *argv[ARGUMENTS_MAX] = {program, "compare"};
	size_t count = 2;
	for (; *words; words++)
		argv[count++] = *words;
	return child_run(argv, environment);
}

static struct child_result compare(enum store before, enum store after, const char *option, const char *value) {
	const char *words[] = {paths[before], paths[after], option, value, NULL};
	return run_in(words, "COLUMNS");
}

/* The text behind "key": after the anchors, one after the other. */
static const char *value_at(const char *json, const char *name, const char *figure, const char *key) {
	char text[128];
	(void)snprintf(text, sizeof(text), "\"name\": \"%s\"", name);
	const char *at = strstr(json, text);
	if (at && figure) {
		(void)snprintf(text, sizeof(text), "\"%s\": {", figure);
		at = strstr(at, text);
	}
	(void)snprintf(text, sizeof(text), "\"%s\": ", key);
	at = at ? strstr(at, text) : NULL;
	if (!at)
		fail_msg("no %s of %s of %s in %s", key, figure ? figure : "", name, json);
	return at + strlen(text);
}

static double number_at(const char *json, const char *name, const char *figure, const char *key) {
	return strtod(value_at(json, name, figure, key), NULL);
}

static void expect_word(const char *json, const char *name, const char *figure, const char *word) {
	char quoted[32];
	const char *at = value_at(json, name, figure, "verdict");
	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", word);
	if (strncmp(at, quoted, strlen(quoted)) != 0)
		fail_msg("%s of %s is not %s: %.20s", figure ? figure : "verdict", name, word, at);
}

static double quantile_of(const struct run_truth *truth, unsigned name, double share) {
	return (double)truth->durations[name][(size_t)ceil(share * truth->requests) - 1];
}

static void expect_near(double got, double wanted, double tolerance) {
	if (!(fabs(got - wanted) <= tolerance * fabs(wanted)))
		fail_msg("%.10g is not %.10g", got, wanted);
}

static void expect_figures(enum store before, enum store after, double tolerance) {
	static const struct {
		const char *key;
		double share;
	} quantiles[] = {{"p50_ns", 0.5}, {"p95_ns", 0.95}, {"p99_ns", 0.99}};
	struct child_result result = compare(before, after, "--json", NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	for (unsigned name = 0; name < RUN_NAMES; name++) {
		const char *text = run_names[name];
		for (size_t q = 0; q < 3; q++) {
			double values[2] = {quantile_of(&truths[before], name, quantiles[q].share),
			                    quantile_of(&truths[after], name, quantiles[q].share)};
			expect_near(number_at(result.out, text, quantiles[q].key, "before"), values[0], tolerance);
			expect_near(number_at(result.out, text, quantiles[q].key, "after"), values[1], tolerance);
		}
		expect_near(number_at(result.out, text, "mean_ns", "before"),
		            (double)truths[before].totals[name] / truths[before].requests, 1e-9);
		expect_near(number_at(result.out, text, "mean_ns", "after"),
		            (double)truths[after].totals[name] / truths[after].requests, 1e-9);
	}
	expect_near(number_at(result.out, "db.query", "error_share", "before"),
	            (double)truths[before].errors / truths[before].requests, 1e-9);
	expect_near(number_at(result.out, "db.query", "error_share", "after"),
	            (double)truths[after].errors / truths[after].requests, 1e-9);
	child_result_free(&result);
}

static void records_give_exact_figures(void **state) {
	(void)state;
	expect_figures(BEFORE, SLOWER, 1e-9);
}

static void rollups_give_figures_within_a_bin(void **state) {
	(void)state;
	expect_figures(BEFORE_ROLLUPS, SLOWER_ROLLUPS, 1.0 / 64);
}

/* db.query takes 10 % longer and fails more often; auth and render did not change. */
static void planted_changes_are_named(void **state) {
	static const enum store pairs[][2] = {{BEFORE, SLOWER}, {BEFORE_ROLLUPS, SLOWER_ROLLUPS}};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct child_result result = compare(pairs[i][0], pairs[i][1], "--json", NULL);
		const char *method = i ? "\"method\": \"sketch\"" : "\"method\": \"exact\"";
		assert_non_null(strstr(result.out, method));
		expect_word(result.out, "db.query", NULL, "slower");
		expect_word(result.out, "db.query", "mean_ns", "slower");
		expect_word(result.out, "db.query", "error_share", "more");
		expect_word(result.out, "GET /cart", NULL, "slower");
		expect_word(result.out, "auth", NULL, "~");
		expect_word(result.out, "render", NULL, "~");
		double low = number_at(result.out, "db.query", "mean_ns", "low");
		double high = number_at(result.out, "db.query", "mean_ns", "high");
		double change = number_at(result.out, "db.query", "mean_ns", "change");
		assert_true(low < change && change < high && low > 0.02 && high < 0.25);
		assert_true(number_at(result.out, "db.query", "slower_in", "share") > 0.52);
		child_result_free(&result);
		/* the other way round it is faster */
		result = compare(pairs[i][1], pairs[i][0], "--json", NULL);
		expect_word(result.out, "db.query", NULL, "faster");
		expect_word(result.out, "db.query", "error_share", "less");
		child_result_free(&result);
	}
}

static void equal_runs_are_equal(void **state) {
	struct child_result result = compare(BEFORE, SAME, "--json", NULL);
	(void)state;
	assert_null(strstr(result.out, "slower\""));
	assert_null(strstr(result.out, "faster\""));
	child_result_free(&result);
	result = compare(BEFORE, BEFORE, "--json", NULL);
	assert_null(strstr(result.out, "slower\""));
	expect_near(number_at(result.out, "db.query", "slower_in", "share"), 0.5, 1e-9);
	child_result_free(&result);
}

/* Sum over places of all pairs, by merging two sorted lists. */
static void places_are_those_of_all_pairs(void **state) {
	struct child_result result = compare(BEFORE, SLOWER, "--json", NULL);
	const uint64_t *before = truths[BEFORE].durations[RUN_DB];
	const uint64_t *after = truths[SLOWER].durations[RUN_DB];
	uint32_t n = truths[BEFORE].requests;
	uint32_t m = truths[SLOWER].requests;
	double wins = 0;
	(void)state;
	for (uint32_t i = 0, below = 0; i < m; i++) {
		while (below < n && before[below] < after[i])
			below++;
		wins += below;
	}
	/* ties are those of a bin of 1/256 of an octave */
	expect_near(number_at(result.out, "db.query", "slower_in", "share"), wins / n / m, 2e-3);
	child_result_free(&result);
}

static void names_of_one_run_are_listed(void **state) {
	struct child_result result = compare(BEFORE, SLOWER, "--json", NULL);
	(void)state;
	assert_non_null(strstr(result.out, "\"only_here\": []"));
	assert_non_null(strstr(result.out, "\"name\": \"evil\\u001b[31m\\u000aname\""));
	child_result_free(&result);
	result = compare(BEFORE, SLOWER, NULL, NULL);
	assert_non_null(strstr(result.out, "only after: evil\\x1b[31m\\x0aname"));
	assert_null(strchr(result.out, '\x1b'));
	child_result_free(&result);
}

static void words_choose(void **state) {
	struct child_result result = compare(BEFORE, SLOWER, "--metric", "all");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "errors"));
	child_result_free(&result);
	result = compare(BEFORE, SLOWER, "--csv", NULL);
	assert_non_null(
	    strstr(result.out, "name,figure,count_before,count_after,before,after,change,low,high,p,verdict\r\n"));
	assert_non_null(strstr(result.out, "db.query,p50_ns,2500,2500,"));
	child_result_free(&result);
	result = compare(BEFORE, SLOWER, "--metric", "self");
	assert_non_null(strstr(result.out, "self before"));
	child_result_free(&result);
	/* own time is the duration less those of the children, one after the other; that of GET /cart did not change */
	result = compare(BEFORE, SLOWER, "--self", "--json");
	double own = 0;
	for (unsigned name = 0; name < RUN_NAMES; name++)
		own += (name == RUN_CART ? 1 : -1) * (double)truths[SLOWER].totals[name] / truths[SLOWER].requests;
	expect_near(number_at(result.out, "GET /cart", "self_ns", "after"), own, 1e-9);
	expect_word(result.out, "GET /cart", "self_ns", "~");
	expect_word(result.out, "db.query", "self_ns", "slower");
	double self_low = number_at(result.out, "db.query", "self_ns", "low");
	expect_near(self_low, number_at(result.out, "db.query", "mean_ns", "low"), 0.2);
	child_result_free(&result);
	const char *const filtered[] = {paths[BEFORE], paths[SLOWER], "--json",         "--name",
	                                "db.*",        "--where",     "status = error", NULL};
	result = run_in(filtered, "COLUMNS");
	assert_int_equal((int)number_at(result.out, "db.query", NULL, "count_before"), (int)truths[BEFORE].errors);
	assert_int_equal((int)number_at(result.out, "db.query", NULL, "count_after"), (int)truths[SLOWER].errors);
	assert_null(strstr(result.out, "GET /cart"));
	child_result_free(&result);
	result = compare(BEFORE, SLOWER, "--least", "50%");
	assert_null(strstr(result.out, "slower\n"));
	child_result_free(&result);
}

static void mistakes_are_named(void **state) {
	static const struct {
		const char *words[5];
		int code;
		const char *text;
	} cases[] = {
	    {{"nowhere", NULL}, EXIT_CODE_USAGE, "which stores? Give two"},
	    {{"nowhere", "neither", NULL}, EXIT_CODE_INPUT, "nowhere"},
	    {{"a", "b", "--metric", "p98", NULL}, EXIT_CODE_USAGE, "compare: --metric 'p98': did you mean 'p9"},
	    {{"a", "b", "--sort", "size", NULL}, EXIT_CODE_USAGE, "compare: --sort 'size'"},
	    {{"a", "b", "--significance", "0", NULL}, EXIT_CODE_USAGE, "--significance"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = run_in(cases[i].words, "COLUMNS");
		if (result.exit_code != cases[i].code || !strstr(result.err, cases[i].text))
			fail_msg("case %zu: %d, %s", i, result.exit_code, result.err);
		child_result_free(&result);
	}
}

static void an_empty_store_has_nothing_to_compare(void **state) {
	char empty[SCRATCH_PATH_BYTES + 8];
	(void)state;
	(void)snprintf(empty, sizeof(empty), "%s/empty", scratch.files);
	cli_store_make_empty(empty);
	const char *const words[] = {paths[BEFORE], empty, "--json", NULL};
	struct child_result result = run_in(words, "COLUMNS");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_non_null(strstr(result.err, "no spans stored yet"));
	assert_non_null(strstr(result.out, "\"names\": []"));
	child_result_free(&result);
}

/* Pairs of equal runs, and of runs with a slow-down of 10 %, as whole stores: more of them with SPANRING_TEST_SCALE. */
static void campaigns_keep_their_promise(void **state) {
	struct seed seed = seed_start("campaigns_keep_their_promise");
	unsigned rounds = seed_rounds(10);
	unsigned alarms = 0;
	unsigned found = 0;
	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		char stores[3][SCRATCH_PATH_BYTES + 16];
		for (unsigned i = 0; i < 3; i++) {
			struct run_plan plan = {.seed = seed_next(&seed), .rollups = round % 2, .errors = 0.01};
			if (i == 2)
				for (unsigned name = 0; name < RUN_NAMES; name++)
					plan.factors[name] = 1.1;
			(void)snprintf(stores[i], sizeof(stores[i]), "%s/round-%u", scratch.files, i);
			scratch_remove_tree(stores[i]);
			run_store_make(stores[i], &plan, NULL);
		}
		for (unsigned after = 1; after < 3; after++) {
			const char *const words[] = {stores[0], stores[after], "--json", NULL};
			struct child_result result = run_in(words, "COLUMNS");
			bool any = strstr(result.out, "\"slower\"") || strstr(result.out, "\"faster\"") ||
			           strstr(result.out, "\"more\"") || strstr(result.out, "\"less\"");
			if (after == 1)
				alarms += any;
			else
				found += strstr(result.out, "\"slower\"") != NULL;
			child_result_free(&result);
		}
	}
	print_message("%u of %u equal pairs differ, %u of %u slow-downs found\n", alarms, rounds, found, rounds);
	assert_true(alarms <= 1 + rounds / 100);
	assert_true(found + 1 + rounds / 20 >= rounds);
}

static void write_golden(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void outputs_are_the_golden_ones(void **state) {
	static const struct {
		const char *file;
		const char *columns;
		const char *metric;
	} cases[] = {{"compare-80.txt", "COLUMNS=80", "p50"},
	             {"compare-120.txt", "COLUMNS=120", "mean"},
	             {"compare-all-80.txt", "COLUMNS=80", "all"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const words[] = {paths[BEFORE], paths[SLOWER], "--metric", cases[i].metric, NULL};
		struct child_result result = run_in(words, cases[i].columns);
		char path[SCRATCH_PATH_BYTES];
		char wanted[16384] = "";
		(void)snprintf(path, sizeof(path), "%s/%s", getenv("SPANRING_TEST_GOLDEN"), cases[i].file);
		if (getenv("SPANRING_TEST_GOLDEN_WRITE"))
			write_golden(path, result.out);
		FILE *file = fopen(path, "r");
		if (!file)
			fail_msg("%s is missing", path);
		assert_true(fread(wanted, 1, sizeof(wanted) - 1, file) < sizeof(wanted) - 1);
		assert_int_equal(fclose(file), 0);
		assert_string_equal(result.out, wanted);
		child_result_free(&result);
	}
}

static int setup(void **state) {
	static const struct run_plan plans[STORES] = {
	    [BEFORE] = {.seed = 11, .errors = 0.01},
	    [SLOWER] = {.seed = 12, .errors = 0.05, .factors = {[RUN_DB] = 1.1}, .extra = CLI_EVIL_NAME},
	    [SAME] = {.seed = 13, .errors = 0.01},
	    [BEFORE_ROLLUPS] = {.seed = 14, .errors = 0.01, .rollups = true},
	    [SLOWER_ROLLUPS] = {.seed = 15, .errors = 0.05, .factors = {[RUN_DB] = 1.1}, .rollups = true},
	};
	(void)state;
	scratch_make(&scratch);
	program = child_program("spanring-analyze");
	for (unsigned i = 0; i < STORES; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/run-%u", scratch.files, i);
		run_store_make(paths[i], &plans[i], &truths[i]);
	}
	return 0;
}

static int teardown(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_give_exact_figures),
	    cmocka_unit_test(rollups_give_figures_within_a_bin),
	    cmocka_unit_test(planted_changes_are_named),
	    cmocka_unit_test(equal_runs_are_equal),
	    cmocka_unit_test(places_are_those_of_all_pairs),
	    cmocka_unit_test(names_of_one_run_are_listed),
	    cmocka_unit_test(words_choose),
	    cmocka_unit_test(mistakes_are_named),
	    cmocka_unit_test(an_empty_store_has_nothing_to_compare),
	    cmocka_unit_test(campaigns_keep_their_promise),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
