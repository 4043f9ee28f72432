/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the commands of spanring-bench that users run measure, judge and refuse as they say. No time is looked at.
 * Method: each with few iterations; the documents are taken apart by SQLite's JSON functions; results of our own making for compare.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* The number that a query over one document (?1) gives. */
static double ask(const char *document, const char *query) {
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_bind_text(statement, 1, document, -1, SQLITE_STATIC), SQLITE_OK);
	if (sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("%s: %s", query, document);
	double value = sqlite3_column_double(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return value;
}

static struct child_result bench(const char *const *words, int exit_code) {
	const char *argv[20] = {child_program("spanring-bench")};
	size_t count = 1;
	for (; *words; words++)
		argv[count++] = *words;
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code)
		fail_msg("%s exits %d, not %d: %s%s", argv[1], result.exit_code, exit_code, result.err, result.out);
	return result;
}
#define BENCH(exit_code, ...) bench((const char *const[]){__VA_ARGS__, NULL}, exit_code)

static void check_document(const char *document, const char *command, int rows, int samples) {
	char query[640];
	assert_true(ask(document, "SELECT json_extract(?1, '$.schema') = 'bench-result/1'") == 1);
	(void)snprintf(query, sizeof(query), "SELECT json_extract(?1, '$.command') = '%s'", command);
	assert_true(ask(document, query) == 1);
	assert_true(ask(document, "SELECT length(json_extract(?1, '$.machine.fingerprint')) = 16") == 1);
	assert_true(ask(document, "SELECT json_array_length(?1, '$.results')") == rows);
	(void)snprintf(
	    query, sizeof(query),
	    "SELECT count(*) FROM json_each(?1, '$.results') WHERE json_array_length(value, '$.samples') <> %d "
	    "OR json_extract(value, '$.min') > json_extract(value, '$.median') "
	    "OR json_extract(value, '$.median_low') > json_extract(value, '$.median_high') "
	    "OR json_extract(value, '$.median') > json_extract(value, '$.max')",
	    samples);
	assert_true(ask(document, query) == 0);
}

static void quick_measures_and_judges(void **state) {
	(void)state;
	/* Only the verdict is of interest: a bound that nothing passes, and one that nothing fails. */
	struct child_result result = BENCH(0, "quick", "--iterations", "5", "--max-ratio", "1e9", "--json");
	check_document(result.out, "quick", 3, 5);
	child_result_free(&result);
	result = BENCH(EXIT_CODE_FAILED, "quick", "--iterations", "5", "--max-ratio", "1e-9");
	assert_non_null(strstr(result.out, "red flag"));
	child_result_free(&result);
	result = BENCH(0, "quick", "--iterations", "5", "--max-ratio", "1e9", "--csv");
	assert_true(strncmp(result.out, "name,unit,median,", 17) == 0);
	child_result_free(&result);
	result = BENCH(0, "quick", "--iterations", "5", "--max-ratio", "1e9", "--markdown");
	assert_non_null(strstr(result.out, "\n|---|---|"));
	child_result_free(&result);
}

static void run_takes_cases(void **state) {
	(void)state;
	struct child_result result = BENCH(0, "run", "--iterations", "5", "--warmup", "1", "--json");
	check_document(result.out, "run", 1 + 2 * 11, 5);
	child_result_free(&result);
	result = BENCH(0, "run", "span", "event", "--iterations", "6", "--json");
	check_document(result.out, "run", 1 + 2 * 2, 6);
	child_result_free(&result);
	result = BENCH(EXIT_CODE_USAGE, "run", "spann");
	assert_non_null(strstr(result.err, "did you mean 'span'?"));
	child_result_free(&result);
}

static void exec_times_a_command(void **state) {
	(void)state;
	struct child_result result =
	    BENCH(0, "exec", "--iterations", "5", "--max-ratio", "1e9", "--json", "--", "true");
	check_document(result.out, "exec", 8, 5);
	child_result_free(&result);
	result = BENCH(EXIT_CODE_FAILED, "exec", "--", "false");
	assert_non_null(strstr(result.err, "did not exit with 0"));
	child_result_free(&result);
	result = BENCH(EXIT_CODE_FAILED, "exec", "--", "/nonexistent/command");
	assert_non_null(strstr(result.err, "not found"));
	child_result_free(&result);
	result = BENCH(EXIT_CODE_USAGE, "exec");
	child_result_free(&result);
}

static void concurrent_counts_all(void **state) {
	(void)state;
	struct child_result result = BENCH(0, "concurrent", "--threads", "7", "--ops", "300", "--json");
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.facts.operations')") == 7 * 300);
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.facts.errors')") == 0);
	child_result_free(&result);
}

static void load_makes_what_was_meant(void **state) {
	(void)state;
	struct scratch scratch;
	unsigned stored = 0;
	scratch_make(&scratch);
	/* 50 ms at 400 a second: a request each 2.5 ms, by three users in turns */
	struct child_result result =
	    BENCH(0, "load", "--users", "3", "--duration", "50ms", "--rate", "400", "--mix", "a:1:1us,b:3:1us",
	          "--max-p95", "1h", "--min-rate", "1e-9", "--keep", scratch.store, "--json");
	double requests = ask(result.out, "SELECT json_extract(?1, '$.facts.requests')");
	assert_true(requests >= 18 && requests <= 22);
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.facts.a') + json_extract(?1, '$.facts.b')") ==
	            requests);
	child_result_free(&result);
	const char *argv[] = {child_program("spanring-analyze"),
	                      "latency",
	                      "--exact",
	                      "--name",
	                      "load.work",
	                      "--json",
	                      scratch.store,
	                      NULL};
	result = child_run(argv, NULL);
	const char *at = strstr(result.out, "\"names\"");
	at = at ? strstr(at, "\"count\": ") : NULL;
	assert_true(at && sscanf(at, "\"count\": %u", &stored) == 1);
	assert_true(stored == (unsigned)requests);
	child_result_free(&result);
	result = BENCH(EXIT_CODE_FAILED, "load", "--duration", "20ms", "--think-time", "1ms", "--max-p95", "1ns",
	               "--min-rate", "1e-9");
	assert_non_null(strstr(result.out, "closed loop"));
	child_result_free(&result);
	static const char *const mixes[] = {"", "a:", "a:0", "a:x", "a,,b", "a,", ":1", "a:1:2:3"};
	for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++) {
		result = BENCH(EXIT_CODE_USAGE, "load", "--mix", mixes[i]);
		assert_non_null(strstr(result.err, "--mix"));
		child_result_free(&result);
	}
	scratch_remove(&scratch);
}

/* Each gives a document with so many figures; no gate is looked at. */
static void other_commands_give_results(void **state) {
	(void)state;
	static const struct {
		const char *words[6];
		const char *command;
		int rows;
	} cases[] = {
	    {{"coldstart", "--iterations", "2"}, "coldstart", 10},
	    {{"warmstart", "--iterations", "5"}, "warmstart", 1},
	    {{"sampling", "--iterations", "5", "--ratios", "1,0.5"}, "sampling", 4},
	    {{"matrix", "--iterations", "5", "--statistics", "off"}, "matrix", 8},
	    {{"stages", "--spans", "1000"}, "stages", 5},
	    {{"size", "--spans", "1000", "--rate", "100"}, "size", 7},
	    {{"memory", "baseline"}, "memory baseline", 2},
	    {{"memory", "tracers", "--count", "3"}, "memory tracers", 5},
	    {{"memory", "growth", "--samples", "3", "--spans", "100"}, "memory growth", 3},
	    {{"memory", "stability", "--duration", "200ms"}, "memory stability", 1},
	    {{"memory", "per-span", "--samples", "3", "--spans", "100"}, "memory per-span", 4},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[10] = {child_program("spanring-bench")};
		char query[128];
		size_t count = 1;
		for (size_t w = 0; w < 6 && cases[i].words[w]; w++)
			argv[count++] = cases[i].words[w];
		argv[count] = "--json";
		struct child_result result = child_run(argv, NULL);
		if (result.exit_code > EXIT_CODE_FAILED)
			fail_msg("%s exits %d: %s", cases[i].command, result.exit_code, result.err);
		(void)snprintf(query, sizeof(query), "SELECT json_extract(?1, '$.command') = '%s'", cases[i].command);
		assert_true(ask(result.out, query) == 1);
		if ((int)ask(result.out, "SELECT json_array_length(?1, '$.results')") != cases[i].rows)
			fail_msg("%s: not %d figures: %s", cases[i].command, cases[i].rows, result.out);
		child_result_free(&result);
	}
	struct child_result result = BENCH(EXIT_CODE_USAGE, "memory", "bseline");
	assert_non_null(strstr(result.err, "did you mean 'baseline'?"));
	child_result_free(&result);
	result = BENCH(EXIT_CODE_USAGE, "sampling", "--ratios", "1,2");
	child_result_free(&result);
}

/* What is not here is skipped with its reason, and the span measured all the same; what is here stands beside it. */
static void peers_measures_or_skips(void **state) {
	(void)state;
	struct child_result result =
	    BENCH(0, "peers", "--iterations", "5", "--warmup", "1", "--provider", "/nonexistent/provider.so", "--json");
	check_document(result.out, "peers", 3, 5);
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.facts.LTTng-UST') LIKE 'skipped: no %'") == 1);
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.results[2].name') = 'span / floor'") == 1);
	child_result_free(&result);
	/* A library that is another. */
	result = BENCH(0, "peers", "--iterations", "5", "--provider", "/proc/self/exe", "--json");
	assert_true(ask(result.out, "SELECT json_extract(?1, '$.facts.LTTng-UST') LIKE 'skipped: %'") == 1);
	child_result_free(&result);
	result = BENCH(0, "peers", "--iterations", "5", "--warmup", "1", "--json");
	check_document(result.out, "peers", 3, 5);
	assert_true(ask(result.out, "SELECT count(*) FROM json_each(?1, '$.facts') WHERE key IN ('SQLite', 'DuckDB') "
	                            "AND (value LIKE 'skipped: %' OR value LIKE 'measured %')") == 2);
	assert_true(ask(result.out, "SELECT (json_extract(?1, '$.facts.LTTng-UST') LIKE 'skipped: %') <> "
	                            "(json_extract(?1, '$.results[2].name') = 'LTTng-UST / span')") == 1);
	if (ask(result.out, "SELECT json_extract(?1, '$.facts.LTTng-UST') LIKE 'skipped: %'") == 1)
		print_message("beside LTTng-UST: skipped, it is not here\n");
	child_result_free(&result);
}

static void suite_run(const char *gates, const char *text, int exit_code, const char *says) {
	FILE *file = fopen(gates, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	struct child_result result = BENCH(exit_code, "suite", "async", "--quick", "--gates", gates, "--json");
	if (says && !strstr(result.err, says))
		fail_msg("no \"%s\" in %s", says, result.err);
	child_result_free(&result);
	result = BENCH(exit_code == EXIT_CODE_INPUT ? exit_code : 0, "suite", "async", "--quick", "--gates", gates);
	child_result_free(&result);
}

static void suite_puts_together(void **state) {
	(void)state;
	struct scratch scratch;
	char gates[SCRATCH_PATH_BYTES + 16];
	scratch_make(&scratch);
	(void)snprintf(gates, sizeof(gates), "%s/gates", scratch.files);
	struct child_result result = BENCH(0, "suite", "async", "--quick", "--json");
	assert_true(ask(result.out, "SELECT json_array_length(?1, '$.results')") == 3);
	child_result_free(&result);
	suite_run(gates, "# nothing\n\n", 0, NULL);
	suite_run(gates, "what is this\n", EXIT_CODE_INPUT, ":1: give");
	suite_run(gates, "# x\nquick: ratio = 1\n", EXIT_CODE_INPUT, ":2: give");
	/* Levels that nothing passes, in the unit of the gate. */
	FILE *file = fopen(gates, "we");
	assert_true(file && fputs("warmstart: warm start, p95 = 1ns 2ns\ncoldstart: cold start, p95 = 1h 2h\n"
	                          "coldstart: first span, p95 = 1h 2h\n",
	                          file) >= 0);
	assert_int_equal(fclose(file), 0);
	result = BENCH(EXIT_CODE_FAILED, "suite", "coldstart", "--quick", "--gates", gates, "--json");
	assert_true(ask(result.out,
	                "SELECT count(*) FROM json_each(?1, '$.gates') WHERE json_extract(value, '$.state') = "
	                "'red flag'") == 1);
	child_result_free(&result);
	result = BENCH(EXIT_CODE_USAGE, "suite", "asinc");
	assert_non_null(strstr(result.err, "did you mean 'async'?"));
	child_result_free(&result);
	scratch_remove(&scratch);
}

/* A run is spans in a store, and a baseline of one holds against the same store. */
static void runs_are_kept_and_gated(void **state) {
	(void)state;
	struct scratch scratch;
	char file[SCRATCH_PATH_BYTES + 16];
	scratch_make(&scratch);
	(void)snprintf(file, sizeof(file), "%s/baseline.json", scratch.files);
	struct child_result result =
	    BENCH(0, "quick", "--iterations", "5", "--max-ratio", "1e9", "--keep", scratch.store, "--json");
	child_result_free(&result);
	const char *save[] = {child_program("spanring-analyze"), "baseline", "save", file, scratch.store, NULL};
	const char *check[] = {child_program("spanring-analyze"), "check", "--baseline", file, scratch.store, NULL};
	result = child_run(save, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	result = child_run(check, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	scratch_remove(&scratch);
}

static void cases_have_the_same_formats(void **state) {
	(void)state;
	static const struct {
		const char *format;
		const char *begins;
	} cases[] = {{"csv", "figure,unit,median,min,max,runs,bar\n"},
	             {"json", "{\n"},
	             {"markdown", "Spans"},
	             {"text", "Spans"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = BENCH(0, "off", "--quick", "--format", cases[i].format);
		if (strncmp(result.out, cases[i].begins, strlen(cases[i].begins)) != 0)
			fail_msg("%s: %s", cases[i].format, result.out);
		child_result_free(&result);
	}
	struct child_result result = BENCH(EXIT_CODE_USAGE, "off", "--format", "xml");
	assert_non_null(strstr(result.err, "markdown"));
	child_result_free(&result);
}

/* A result with one figure, its samples around a value. */
static void write_result(const char *path, const char *machine, const char *better, double value) {
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	(void)fprintf(file,
	              "{\"schema\":\"bench-result/1\",\"command\":\"quick\",\"machine\":{\"fingerprint\":\"%s\"},"
	              "\"results\":[{\"name\":\"figure\",\"unit\":\"ns\",\"better\":\"%s\",\"samples\":[",
	              machine, better);
	for (int i = 0; i < 50; i++)
		(void)fprintf(file, "%s%.3f", i ? "," : "", value * (1 + 0.001 * (i % 7)));
	(void)fputs("]}]}", file);
	assert_int_equal(fclose(file), 0);
}

static void compare_knows_directions(void **state) {
	(void)state;
	struct scratch scratch;
	char before[SCRATCH_PATH_BYTES + 16];
	char after[SCRATCH_PATH_BYTES + 16];
	static const struct {
		const char *better;
		double before;
		double after;
		int exit_code;
		const char *verdict;
	} cases[] = {{"lower", 100, 130, EXIT_CODE_FAILED, "worse"},
	             {"lower", 130, 100, 0, "better"},
	             {"higher", 100, 130, 0, "better"},
	             {"higher", 130, 100, EXIT_CODE_FAILED, "worse"},
	             {"lower", 100, 101, 0, "~"},
	             {"neither", 100, 200, 0, "~"}};
	scratch_make(&scratch);
	(void)snprintf(before, sizeof(before), "%s/before", scratch.files);
	(void)snprintf(after, sizeof(after), "%s/after", scratch.files);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_result(before, "0123456789abcdef", cases[i].better, cases[i].before);
		write_result(after, "0123456789abcdef", cases[i].better, cases[i].after);
		struct child_result result = BENCH(cases[i].exit_code, "compare", before, after, "--csv");
		if (!strstr(result.out, cases[i].verdict))
			fail_msg("case %zu: no %s in %s", i, cases[i].verdict, result.out);
		child_result_free(&result);
	}
	/* A third worse, and half is allowed. */
	write_result(before, "0123456789abcdef", "lower", 100);
	write_result(after, "0123456789abcdef", "lower", 130);
	struct child_result result = BENCH(0, "compare", before, after, "--max-ratio", "1.5");
	child_result_free(&result);
	write_result(after, "fedcba9876543210", "lower", 100);
	result = BENCH(EXIT_CODE_INPUT, "compare", before, after);
	assert_non_null(strstr(result.err, "different machines"));
	child_result_free(&result);
	result = BENCH(0, "compare", before, after, "--force");
	child_result_free(&result);
	result = BENCH(EXIT_CODE_INPUT, "compare", before, "/etc/passwd");
	assert_non_null(strstr(result.err, "/etc/passwd"));
	child_result_free(&result);
	scratch_remove(&scratch);
}

static void compare_refuses_hostile_files(void **state) {
	(void)state;
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES + 16];
	static const char *const documents[] = {"",
	                                        "{",
	                                        "[]",
	                                        "{\"schema\":1}",
	                                        "{\"schema\":\"other/1\"}",
	                                        "{\"results\":[1]}",
	                                        "{\"results\":{}}",
	                                        "{\"schema\":\"bench-result/1\",\"results\":[{\"samples\":[\"x\"]}]}"};
	scratch_make(&scratch);
	(void)snprintf(path, sizeof(path), "%s/hostile", scratch.files);
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		FILE *file = fopen(path, "we");
		assert_non_null(file);
		assert_true(fputs(documents[i], file) >= 0);
		assert_int_equal(fclose(file), 0);
		struct child_result result = BENCH(EXIT_CODE_INPUT, "compare", path, path);
		assert_non_null(strstr(result.err, path));
		child_result_free(&result);
	}
	scratch_remove(&scratch);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quick_measures_and_judges), cmocka_unit_test(run_takes_cases),
	    cmocka_unit_test(exec_times_a_command),      cmocka_unit_test(concurrent_counts_all),
	    cmocka_unit_test(load_makes_what_was_meant), cmocka_unit_test(other_commands_give_results),
	    cmocka_unit_test(peers_measures_or_skips),   cmocka_unit_test(suite_puts_together),
	    cmocka_unit_test(runs_are_kept_and_gated),   cmocka_unit_test(cases_have_the_same_formats),
	    cmocka_unit_test(compare_knows_directions),  cmocka_unit_test(compare_refuses_hostile_files),
	};
	return cmocka_run_group_tests_name("bench suite", tests, NULL, NULL);
}
