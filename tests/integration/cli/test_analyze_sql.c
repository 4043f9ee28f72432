/* SPDX-License-Identifier: Apache-2.0 */
/* spanring-analyze sql: the same figures as the commands give, in three forms, and nothing but reading, within its bounds. */
#include "cli_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"

static struct scratch scratch;
static const char *program;
static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS", "NO_COLOR", "SPANRING_STORE", NULL};

static struct child_result run(const char *option, const char *sql) {
	const char *argv[] = {program, "sql", scratch.store, sql, option, NULL};
	return child_run(argv, environment);
}

static void expect(const char *option, const char *sql, int exit_code, const char *out, const char *err) {
	struct child_result result = run(option, sql);
	if (result.exit_code != exit_code || !strstr(result.out, out) || !strstr(result.err, err))
		fail_msg("%s: exit code %d, not %d, or not '%s' and '%s' in:\n%s\n%s", sql, result.exit_code, exit_code,
		         out, err, result.out, result.err);
	child_result_free(&result);
}

/* A figure of a command's JSON behind the name it belongs to. */
static double figure(const char *command, const char *option, const char *anchor, const char *key) {
	const char *argv[] = {program, command, scratch.store, "--json", option, NULL};
	struct child_result result = child_run(argv, environment);
	char quoted[64];
	(void)snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	const char *at = strstr(result.out, anchor);
	at = at ? strstr(at, quoted) : NULL;
	if (!at)
		fail_msg("no %s of %s in %s", key, anchor, result.out);
	double value = strtod(at + strlen(quoted), NULL);
	child_result_free(&result);
	return value;
}

static void figures_are_those_of_the_commands(void **state) {
	static const struct {
		const char *key;
		const char *sql;
	} figures[] = {{"count", "count(duration_ns)"},  {"errors", "sum(status = 'error')"},
	               {"total_ns", "sum(duration_ns)"}, {"min_ns", "min(duration_ns)"},
	               {"p50_ns", "p50(duration_ns)"},   {"p90_ns", "p90(duration_ns)"},
	               {"p95_ns", "p95(duration_ns)"},   {"p99_ns", "p99(duration_ns)"},
	               {"max_ns", "max(duration_ns)"},   {"p999_ns", "quantile(duration_ns, 0.999)"}};
	(void)state;
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		char sql[256];
		char wanted[64];
		(void)snprintf(sql, sizeof(sql), "SELECT %s FROM spans WHERE name = 'index file'", figures[i].sql);
		(void)snprintf(wanted, sizeof(wanted), "\r\n%.0f\r\n",
		               figure("latency", "--exact", "\"name\": \"index file\"", figures[i].key));
		expect("--csv", sql, EXIT_CODE_OK, wanted, "");
	}
	char wanted[64];
	(void)snprintf(wanted, sizeof(wanted), "\r\n%.0f\r\n", figure("slowest", NULL, "\"spans\"", "duration_ns"));
	expect("--csv", "SELECT duration_ns FROM spans ORDER BY 1 DESC LIMIT 1", EXIT_CODE_OK, wanted, "");
	expect("--csv", "SELECT count(*) FROM spans WHERE trace_id = '" CLI_TRACE_A "' AND parent_id IS NULL",
	       EXIT_CODE_OK, "\r\n1\r\n", "");
	expect(
	    "--csv",
	    "SELECT count(*) > 0 FROM spans JOIN attributes USING(trace_id_low, span_id) WHERE trace_id = '" CLI_TRACE_A
	    "'",
	    EXIT_CODE_OK, "\r\n1\r\n", "");
}

static void three_forms(void **state) {
	(void)state;
	expect(NULL, "SELECT name, count(*) AS n FROM spans WHERE name = 'index file' GROUP BY 1", EXIT_CODE_OK,
	       "name           n\nindex file  1000\n", "");
	expect("--csv", "SELECT 1 AS a, NULL AS b, 'x,\"y\"' AS c, x'00ff' AS d, 2.5 AS e", EXIT_CODE_OK,
	       "a,b,c,d,e\r\n1,,\"x,\"\"y\"\"\",00ff,2.5\r\n", "");
	expect("--csv", "SELECT '=1+1' AS a", EXIT_CODE_OK, "a\r\n\"'=1+1\"\r\n", "");
	expect("--json", "SELECT 1 AS a, NULL AS b WHERE 1", EXIT_CODE_OK, "\"schema\": \"sql/1\"", "");
	expect("--json", "SELECT 1 WHERE 0", EXIT_CODE_OK, "\"complete\": true", "");
	expect(NULL, "SELECT 1 WHERE 0", EXIT_CODE_OK, "", "no row");
	struct child_result result = run(NULL, "SELECT name FROM spans WHERE name GLOB 'evil*'");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_null(strchr(result.out, '\x1b'));
	child_result_free(&result);
}

static void only_reading(void **state) {
	static const char *const statements[] = {"DELETE FROM spans",
	                                         "INSERT INTO spans(name) VALUES('x')",
	                                         "UPDATE processes SET pid = 1",
	                                         "CREATE TABLE t(a)",
	                                         "CREATE TEMP TABLE t AS SELECT 1",
	                                         "CREATE TEMP VIEW v AS SELECT 1",
	                                         "CREATE TEMP TRIGGER x AFTER INSERT ON spans BEGIN SELECT 1; END",
	                                         "CREATE VIRTUAL TABLE temp.o USING spanring_spans('/tmp')",
	                                         "DROP TABLE spans",
	                                         "ALTER TABLE spans RENAME TO x",
	                                         "ATTACH '/tmp/x.db' AS x",
	                                         "DETACH temp",
	                                         "PRAGMA temp_store_directory = '/tmp'",
	                                         "PRAGMA user_version",
	                                         "SELECT * FROM pragma_database_list",
	                                         "SELECT load_extension('/tmp/x')",
	                                         "SELECT spanring_open('/tmp')",
	                                         "SELECT sqlite_log(1, 'x')",
	                                         "VACUUM",
	                                         "VACUUM INTO '/tmp/spanring-never.db'",
	                                         "REINDEX",
	                                         "ANALYZE",
	                                         "BEGIN",
	                                         "SAVEPOINT x",
	                                         "COMMIT"};
	(void)state;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		expect(NULL, statements[i], EXIT_CODE_USAGE, "", "error: sql: ");
	assert_int_equal(access("/tmp/spanring-never.db", F_OK), -1);
	expect(NULL, "SELECT 1; SELECT 2", EXIT_CODE_USAGE, "", "more than one statement");
	expect(NULL, "SELEC 1", EXIT_CODE_USAGE, "", "syntax error");
	expect(NULL, "SELECT nosuch FROM spans", EXIT_CODE_USAGE, "", "no such column");
	expect(NULL, "SELECT ?", EXIT_CODE_USAGE, "", "parameters have no values");
	expect(NULL, " ; ", EXIT_CODE_USAGE, "", "no statement");
	expect("extra", "SELECT 1", EXIT_CODE_USAGE, "", "unexpected word 'extra'");
	expect("--memory=1", "SELECT 1", EXIT_CODE_USAGE, "", "--memory");
	expect("--deadline=x", "SELECT 1", EXIT_CODE_USAGE, "", "--deadline 'x'");
}

static void within_its_bounds(void **state) {
	(void)state;
	expect("--deadline=100ms", ENDLESS, EXIT_CODE_FAILED, "", "the deadline has passed");
	expect("--json", "SELECT length(zeroblob(90000000))", EXIT_CODE_FAILED, "\"complete\": false", "--memory");
	expect("--memory=8MiB", "SELECT length(group_concat(hex(randomblob(100000)))) FROM spans", EXIT_CODE_FAILED, "",
	       "--memory");
	/* sorting goes to files instead */
	expect(
	    "--memory=8MiB",
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200000) SELECT count(*) FROM (SELECT "
	    "i, hex(i*7919 % 65521) || 'a text of some length that makes it more than memory holds' AS t FROM n ORDER BY t LIMIT 150000)",
	    EXIT_CODE_OK, "150000", "");
}

static void a_signal_ends_it(void **state) {
	(void)state;
	const char *argv[] = {program, "sql", scratch.store, "SELECT 'first' UNION ALL SELECT * FROM (" ENDLESS ")",
	                      "--csv", NULL};
	struct child child = child_start(argv, environment);
	/* what it prints may be held back: wait until it catches the signal */
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)child.pid);
	for (bool caught = false; !caught;) {
		char line[256];
		FILE *file = fopen(path, "re");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file))
			if (strncmp(line, "SigCgt:", 7) == 0)
				caught = (strtoull(line + 7, NULL, 16) >> (SIGINT - 1) & 1) != 0;
		(void)fclose(file);
	}
	child_signal(&child, SIGINT);
	struct child_result result = child_finish(&child);
	assert_int_equal(result.exit_code, EXIT_CODE_INTERRUPTED);
	assert_true(!*result.out || result.out[strlen(result.out) - 1] == '\n');
	child_result_free(&result);
}

static void the_statement_from_standard_input(void **state) {
	(void)state;
	char command[2 * SCRATCH_PATH_BYTES];
	(void)snprintf(command, sizeof(command), "echo 'SELECT 40 + 2 AS n' | '%.400s' sql '%.400s' --csv -", program,
	               scratch.store);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct child_result result = child_run(argv, environment);
	assert_string_equal(result.out, "n\r\n42\r\n");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	child_result_free(&result);
}

/* The rows of the sound part, the damage by file and reason, and exit code 3; never a file more or less. */
static void damage_is_named(void **state) {
	char path[CLI_PATH_BYTES];
	struct stat status;
	(void)state;
	expect(NULL, "SELECT 1", EXIT_CODE_OK, "1", "");
	cli_store_segment(scratch.store, path);
	assert_int_equal(stat(path, &status), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char page[16384];
	assert_true(fd >= 0);
	/* the last page holds columns of a batch */
	assert_int_equal(pread(fd, page, sizeof(page), status.st_size - (off_t)sizeof(page)), sizeof(page));
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] ^= 0x55;
	assert_int_equal(pwrite(fd, page, sizeof(page), status.st_size - (off_t)sizeof(page)), sizeof(page));
	struct child_result result = run("--json", "SELECT count(*), sum(duration_ns) FROM spans JOIN attributes");
	if (result.exit_code != EXIT_CODE_INPUT || !strstr(result.err, path) ||
	    !strstr(result.out, "\"complete\": false"))
		fail_msg("%d: %s %s", result.exit_code, result.out, result.err);
	child_result_free(&result);
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] ^= 0x55;
	assert_int_equal(pwrite(fd, page, sizeof(page), status.st_size - (off_t)sizeof(page)), sizeof(page));
	assert_int_equal(close(fd), 0);
	const char *argv[] = {program, "sql", "/no/such/store", "SELECT 1", NULL};
	result = child_run(argv, environment);
	assert_int_equal(result.exit_code, EXIT_CODE_INPUT);
	assert_non_null(strstr(result.err, "/no/such/store: No such file or directory"));
	child_result_free(&result);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(figures_are_those_of_the_commands),
	    cmocka_unit_test(three_forms),
	    cmocka_unit_test(only_reading),
	    cmocka_unit_test(within_its_bounds),
	    cmocka_unit_test(a_signal_ends_it),
	    cmocka_unit_test(the_statement_from_standard_input),
	    cmocka_unit_test(damage_is_named),
	};
	program = child_program("spanring-analyze");
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_BALANCED);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	scratch_remove(&scratch);
	return failed;
}
