/* SPDX-License-Identifier: Apache-2.0 */
/* why as a user meets it, on stores of known runs (run_store.h): what was planted must come first, and own times are those of the durations. */
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

#define ARGUMENTS_MAX 14u
#define PATH_BYTES (SCRATCH_PATH_BYTES + 32)

enum store { BEFORE, CHILD, VALUE, SLOW_SHARD, FREQUENT, STORES };

static struct scratch scratch;
static const char *program;
static char paths[STORES][PATH_BYTES];
static struct run_truth truths[STORES];

static struct child_result run(const char *const *words) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS=80", "NO_COLOR", "TERM=xterm", NULL};
	const char *argv[ARGUMENTS_MAX] = {program, "why"};
	for (size_t count = 2; *words; words++)
		argv[count++] = *words;
	return child_run(argv, environment);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static void expect(struct child_result result, int code, const char *out, const char *err) {
	if (result.exit_code != code || !strstr(result.out, out) || !strstr(result.err, err))
		fail_msg("exit %d, not %d; out: %s\nerr: %s", result.exit_code, code, result.out, result.err);
	child_result_free(&result);
}

/* The text behind "key": after the n-th anchor has been passed. */
static const char *value_at(const char *json, const char *anchor, const char *key) {
	char text[64];
	const char *at = strstr(json, anchor);
	(void)snprintf(text, sizeof(text), "\"%s\": ", key);
	at = at ? strstr(at, text) : NULL;
	if (!at)
		fail_msg("no %s after %s in %s", key, anchor, json);
	return at + strlen(text);
}

static double number_at(const char *json, const char *anchor, const char *key) {
	return strtod(value_at(json, anchor, key), NULL);
}

static void expect_first(const char *json, const char *list, const char *key, const char *wanted) {
	const char *at = value_at(json, list, key);
	if (strncmp(at + 1, wanted, strlen(wanted)) != 0 || at[1 + strlen(wanted)] != '"')
		fail_msg("first in %s is not %s: %.60s", list, wanted, at);
}

static void expect_near(double got, double wanted, double tolerance) {
	if (!(fabs(got - wanted) <= tolerance))
		fail_msg("%.10g is not %.10g", got, wanted);
}

static double mean_of(enum store store, unsigned name) {
	return (double)truths[store].totals[name] / truths[store].requests;
}

static double own_of(enum store store) {
	return mean_of(store, RUN_CART) - mean_of(store, RUN_AUTH) - mean_of(store, RUN_DB) -
	       mean_of(store, RUN_RENDER);
}

static void a_slow_child_comes_first(void **state) {
	struct child_result result = RUN(paths[BEFORE], paths[CHILD], "--json");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "\"name\": \"GET /cart\""));
	expect_first(result.out, "\"spans\":", "path", "GET /cart > db.query");
	expect_near(number_at(result.out, "\"why/1\"", "before_ns"), mean_of(BEFORE, RUN_CART), 1e-3);
	expect_near(number_at(result.out, "\"why/1\"", "after_ns"), mean_of(CHILD, RUN_CART), 1e-3);
	double shift = mean_of(CHILD, RUN_CART) - mean_of(BEFORE, RUN_CART);
	static const struct {
		const char *anchor;
		unsigned name;
	} children[] = {{"> auth\"", RUN_AUTH}, {"> db.query\"", RUN_DB}, {"> render\"", RUN_RENDER}};
	for (size_t i = 0; i < 3; i++) {
		double before = mean_of(BEFORE, children[i].name);
		double after = mean_of(CHILD, children[i].name);
		expect_near(number_at(result.out, children[i].anchor, "own_before_ns"), before, 1e-3);
		expect_near(number_at(result.out, children[i].anchor, "own_after_ns"), after, 1e-3);
		expect_near(number_at(result.out, children[i].anchor, "explained"), (after - before) / shift, 1e-6);
	}
	expect_near(number_at(result.out, "\"path\": \"GET /cart\"", "own_before_ns"), own_of(BEFORE), 1e-3);
	expect_near(number_at(result.out, "\"why/1\"", "unexplained"), 0, 1e-6);
	/* sure of the cause, not sure of others */
	assert_true(number_at(result.out, "> db.query\"", "low") > 0.3);
	assert_true(number_at(result.out, "> render\"", "low") < 0.05);
	child_result_free(&result);
}

static void a_slow_value_comes_first(void **state) {
	struct child_result result = RUN(paths[BEFORE], paths[VALUE], "GET /cart", "--json");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	expect_first(result.out, "\"attributes\":", "key", "shard");
	expect_first(result.out, "\"attributes\":", "value", "c");
	expect_first(result.out, "\"spans\":", "path", "GET /cart");
	assert_true(number_at(result.out, "\"attributes\":", "low") > 0.3);
	/* values of one span each say nothing */
	assert_null(strstr(result.out, "\"key\": \"user\""));
	child_result_free(&result);
}

static void a_slow_value_that_became_frequent_comes_first(void **state) {
	struct child_result result = RUN(paths[SLOW_SHARD], paths[FREQUENT], "--json");
	(void)state;
	expect_first(result.out, "\"attributes\":", "key", "shard");
	expect_first(result.out, "\"attributes\":", "value", "c");
	expect_near(number_at(result.out, "\"attributes\":", "share_before"), 0.2, 0.03);
	expect_near(number_at(result.out, "\"attributes\":", "share_after"), 0.5, 0.04);
	child_result_free(&result);
	/* and back: what became faster is explained by the same */
	result = RUN(paths[FREQUENT], paths[SLOW_SHARD], "--json");
	expect_first(result.out, "\"attributes\":", "value", "c");
	assert_true(number_at(result.out, "\"attributes\":", "explained") > 0.7);
	child_result_free(&result);
}

static void the_tail_has_causes_of_its_own(void **state) {
	struct child_result result = RUN(paths[BEFORE], paths[CHILD], "--metric", "p95", "--json");
	(void)state;
	expect_first(result.out, "\"spans\":", "path", "GET /cart > db.query");
	double sum = 0;
	size_t first = (size_t)ceil(0.95 * truths[BEFORE].requests);
	for (size_t i = first; i < truths[BEFORE].requests; i++)
		sum += (double)truths[BEFORE].durations[RUN_CART][i];
	sum /= (double)(truths[BEFORE].requests - first);
	expect_near(number_at(result.out, "\"why/1\"", "before_ns") / sum, 1, 0.01);
	child_result_free(&result);
}

/* Planted again and again, with other seeds. */
static void planted_causes_come_first(void **state) {
	struct seed seed = seed_start("planted_causes_come_first");
	unsigned rounds = seed_rounds(12);
	unsigned first = 0;
	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		char stores[2][PATH_BYTES];
		enum run_name child = (enum run_name)(RUN_AUTH + round % 3);
		bool is_value = round % 4 == 3;
		for (unsigned i = 0; i < 2; i++) {
			struct run_plan plan = {.seed = seed_next(&seed)};
			if (i && is_value)
				plan.shard_factor = 6;
			else if (i)
				plan.factors[child] = child == RUN_DB ? 1.3 : 2.5;
			(void)snprintf(stores[i], sizeof(stores[i]), "%s/round-%u", scratch.files, i);
			scratch_remove_tree(stores[i]);
			run_store_make(stores[i], &plan, NULL);
		}
		struct child_result result = RUN(stores[0], stores[1], "--json");
		char wanted[64];
		(void)snprintf(wanted, sizeof(wanted), "GET /cart > %s", run_names[child]);
		const char *at = is_value ? value_at(result.out, "\"attributes\":", "key")
		                          : value_at(result.out, "\"spans\":", "path");
		const char *name = is_value ? "shard" : wanted;
		first += strncmp(at + 1, name, strlen(name)) == 0;
		child_result_free(&result);
	}
	print_message("%u of %u planted causes come first\n", first, rounds);
	assert_true(first + rounds / 50 >= rounds);
}

static void words_choose(void **state) {
	(void)state;
	expect(RUN(paths[BEFORE], paths[CHILD], "-n", "1"), EXIT_CODE_OK, "own time in", "");
	expect(RUN(paths[BEFORE], paths[CHILD], "--csv"), EXIT_CODE_OK,
	       "kind,cause,explained,shift_ns,low_ns,high_ns,before_ns,after_ns\r\nspan,GET /cart > db.query,", "");
	expect(RUN(paths[BEFORE], paths[CHILD], "db.*"), EXIT_CODE_OK, "db.*: mean", "");
	expect(RUN(paths[BEFORE], paths[BEFORE]), EXIT_CODE_OK, "that may be chance", "");
	expect(RUN(paths[BEFORE], paths[CHILD], "--where", "attr.shard = c"), EXIT_CODE_OK, "db.query", "");
	expect(RUN(paths[BEFORE], paths[CHILD], "nobody"), EXIT_CODE_FAILED, "", "not both stores have a span");
	expect(RUN(paths[BEFORE], paths[CHILD], "--metric", "p99"), EXIT_CODE_USAGE, "", "give mean or p95");
	expect(RUN(paths[BEFORE]), EXIT_CODE_USAGE, "", "which stores?");
	expect(RUN(paths[BEFORE], "/nonexistent"), EXIT_CODE_INPUT, "", "/nonexistent");
	expect(RUN(paths[BEFORE], paths[CHILD], "a", "b"), EXIT_CODE_USAGE, "", "unexpected word");
}

static void write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void outputs_are_the_golden_ones(void **state) {
	char path[SCRATCH_PATH_BYTES];
	char wanted[16384] = "";
	struct child_result result = RUN(paths[BEFORE], paths[VALUE]);
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/why-80.txt", getenv("SPANRING_TEST_GOLDEN"));
	if (getenv("SPANRING_TEST_GOLDEN_WRITE"))
		write_file(path, result.out);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(wanted, 1, sizeof(wanted) - 1, file) < sizeof(wanted) - 1);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(result.out, wanted);
	child_result_free(&result);
}

static int setup(void **state) {
	static const struct run_plan plans[STORES] = {
	    [BEFORE] = {.seed = 41},
	    [CHILD] = {.seed = 42, .factors = {[RUN_DB] = 1.3}},
	    [VALUE] = {.seed = 43, .shard_factor = 5},
	    [SLOW_SHARD] = {.seed = 44, .shard_factor = 5},
	    [FREQUENT] = {.seed = 45, .shard_factor = 5, .shard_share = 0.5, .extra = CLI_EVIL_NAME},
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
	    cmocka_unit_test(a_slow_child_comes_first),
	    cmocka_unit_test(a_slow_value_comes_first),
	    cmocka_unit_test(a_slow_value_that_became_frequent_comes_first),
	    cmocka_unit_test(the_tail_has_causes_of_its_own),
	    cmocka_unit_test(planted_causes_come_first),
	    cmocka_unit_test(words_choose),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
