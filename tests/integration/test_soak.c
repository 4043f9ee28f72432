/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a short soak comes to its end with every span accounted for and nothing left behind, and says so in a table, CSV and JSON; a soak
 * whose agent dies fails. Method: the real case for ten seconds. Whether something grows is not asked: ten seconds cannot tell.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CSV_BYTES_MAX 65536u

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

static void expect(const char *document, const char *path, const char *condition) {
	char query[256];
	(void)snprintf(query, sizeof(query), "SELECT json_extract(?1, '$.%s') %s", path, condition);
	if (ask(document, query) != 1)
		fail_msg("%s is not %s in %s", path, condition, document);
}

static unsigned lines_of(const char *path) {
	char text[CSV_BYTES_MAX];
	FILE *file = fopen(path, "re");
	unsigned lines = 0;
	assert_non_null(file);
	while (fgets(text, sizeof(text), file))
		lines++;
	assert_int_equal(fclose(file), 0);
	return lines;
}

static void every_span_is_accounted_for(void **state) {
	struct scratch scratch;
	char csv[SCRATCH_PATH_BYTES + 16];
	(void)state;
	scratch_make(&scratch);
	(void)snprintf(csv, sizeof(csv), "%s/soak.csv", scratch.files);
	const char *argv[] = {
	    child_program("spanring-bench"), "soak", "--quick", "--rate", "5000", "--json", "--csv", csv, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("exit %d: %s%s", result.exit_code, result.err, result.out);
	expect(result.out, "schema", "= 'bench-soak/1'");
	expect(result.out, "passed", "= 1");
	expect(result.out, "books.balanced", "= 1");
	expect(result.out, "books.accounted", "= 1");
	expect(result.out, "books.lost", "= 0");
	expect(result.out, "books.ended", ">= 1000");
	expect(result.out, "books.ended",
	       "= json_extract(?1, '$.books.stored') + json_extract(?1, '$.books.evicted') + "
	       "json_extract(?1, '$.books.dropped')");
	expect(result.out, "ring_directories_left", "= 0");
	expect(result.out, "programs_killed", "> 0");
	expect(result.out, "programs_started", "> 6");
	expect(result.out, "trends.agent_rss_bytes.verdict", "= 'too short to say'");
	expect(result.out, "trends.agent_rss_bytes.slope_per_hour", "IS NULL");
	double samples = ask(result.out, "SELECT json_array_length(?1, '$.samples')");
	assert_true(samples >= 2);
	assert_true((double)lines_of(csv) == samples + 1);
	child_result_free(&result);
	scratch_remove(&scratch);
}

static void check_usage(const char *first, const char *second, const char *third) {
	const char *argv[] = {child_program("spanring-bench"), "soak", first, second, third, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 2);
	assert_string_not_equal(result.err, "");
	child_result_free(&result);
}

static void wrong_words_are_refused(void **state) {
	(void)state;
	check_usage("--life", "5s", NULL);
	check_usage("--life", "60s..5s", NULL);
	check_usage("--programs", "1", NULL);
	check_usage("--rate", "many", NULL);
	check_usage("--duration", "0", NULL);
	check_usage("--duration=2s", "--interval=3s", NULL);
}

static void an_agent_that_cannot_run_fails_it(void **state) {
	(void)state;
	const char *argv[] = {child_program("spanring-bench"), "soak", "--quick", "--agent", "/bin/true", NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 1);
	assert_non_null(strstr(result.err, "agent"));
	child_result_free(&result);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wrong_words_are_refused),
	    cmocka_unit_test(an_agent_that_cannot_run_fails_it),
	    cmocka_unit_test(every_span_is_accounted_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
