/* SPDX-License-Identifier: Apache-2.0 */
/* --where as a user meets it, on the store of cli_store.h. What passes is computed here from the same inputs, without the analyzer. */
#include "cli_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"

#include "base/errs.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scratch scratch;
static const char *program;

static struct child_result ask(const char *command, const char *expression) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS", "TERM=xterm", NULL};
	const char *argv[] = {program, command, scratch.store, "--json", "--where", expression, NULL};
	return child_run(argv, environment);
}

static unsigned occurrences(const char *text, const char *word) {
	unsigned count = 0;
	for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
		count++;
	return count;
}

/* How many spans does `latency` count in all? */
static void expect_spans(const char *expression, uint64_t spans) {
	struct child_result result = ask("latency", expression);
	uint64_t counted = 0;
	if (result.exit_code != EXIT_CODE_OK)
		fail_msg("%s: exit %d: %s", expression, result.exit_code, result.err);
	for (const char *at = result.out; (at = strstr(at, "\"count\": ")) != NULL; at += 9)
		counted += strtoull(at + 9, NULL, 10);
	if (counted != spans)
		fail_msg("%s: %lu spans, not %lu", expression, (unsigned long)counted, (unsigned long)spans);
	child_result_free(&result);
}

static void fields_select(void **state) {
	static const struct {
		const char *expression;
		uint64_t spans;
	} cases[] = {
	    {"name = \"index file\"", CLI_INDEX_SPANS},
	    {"status = error", 11},
	    {"status = error and service = indexer", 10},
	    {"kind = client", 2},
	    {"kind in (client, server)", 3},
	    {"trace = " CLI_TRACE_A, 4},
	    {"trace = " CLI_TRACE_A_LOW " and parent = none", 1},
	    {"parent = 0000000000000001", 2},
	    {"thread = 1002", 2},
	    {"pid = 100", 4},
	    {"thread.name = worker and pid = 100", 4},
	    {"heap.allocated >= 1KiB", 2},
	    {"heap.net < 0", 1},
	    {"unfinished", 1},
	    {"event.name = retry", 1},
	    {"start >= 2026-11-20T18:40:30Z", 2},
	    {"end < 2026-11-20T18:40:11Z", 4},
	    {"duration >= 3s", 1},
	    {"name ~ \"*\" and not name ~ \"index*\"", 6},
	    {"name = nobody", 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_spans(cases[i].expression, cases[i].spans);
}

static void durations_select(void **state) {
	uint64_t longer = 0;
	(void)state;
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		longer += cli_index_duration(i) > 500000;
	expect_spans("duration > 500us and service = indexer and thread = 1001", longer);
	expect_spans("not (duration > 500us) and service = indexer and thread = 1001", CLI_INDEX_SPANS - longer);
}

/* db.rows was set to 5 and then to 12; one attribute of trace A lies in another segment than its span. */
static void attributes_select(void **state) {
	(void)state;
	expect_spans("attr.db.rows = 12", 1);
	expect_spans("attr.db.rows = 5", 0);
	expect_spans("attr.user.id = -7", 1);
	expect_spans("attr.user.id < 0 or attr.db.ratio = 0.25", 2);
	expect_spans("attr.db.cached = false", 1);
	expect_spans("attr.db.cached", 1);
	expect_spans("not attr.db.cached", CLI_INDEX_SPANS + 5);
	expect_spans("attr.db.cached != false", 0);
	expect_spans("attr.db.statement ~ \"SELECT*\"", 1);
	expect_spans("attr.db.statement = \"SELECT \\\"x\\\"\\x1b[2J FROM users\"", 1);
	expect_spans("attr.http.route = \"/users\"", 1);
	expect_spans("attr.http.route in (1, /users) and name ~ GET*", 1);
}

static void every_command_takes_it(void **state) {
	struct child_result result = ask("slowest", "status = error and kind = client");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_equal(occurrences(result.out, "\"span_id\""), 1);
	assert_non_null(strstr(result.out, "\"duration_ns\": 10900000"));
	child_result_free(&result);
	result = ask("memory", "heap.net > 0");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_equal(occurrences(result.out, "\"heap_net_bytes\""), 1);
	child_result_free(&result);
	result = ask("unfinished", "unfinished");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	child_result_free(&result);
	result = ask("trace", "unfinished");
	assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
	child_result_free(&result);
}

/* Self times count children whatever the filter says of them. */
static void self_time_is_of_whole_traces(void **state) {
	struct child_result result = ask("latency", "name = \"GET /users\"");
	(void)state;
	assert_non_null(strstr(result.out, "\"self_ns\": 438000"));
	child_result_free(&result);
}

static void mistakes_are_pointed_at(void **state) {
	static const struct {
		const char *expression;
		const char *words; /* and the two lines below them */
	} cases[] = {
	    {"duration > 5",
	     "--where, column 12: expected a duration like 5ms or 1.5s, not '5'\n  duration > 5\n             ^\n"},
	    {"name = '\xe6\x97\xa5' or sttus = 1",
	     "column 15: unknown field 'sttus': did you mean 'status'?\n  name = '\xe6\x97\xa5' or sttus = 1\n                 ^\n"},
	    {"name = \x1b[2J and", "the expression ends\n  name = \\x1b[2J and\n                    ^\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask("latency", cases[i].expression);
		if (result.exit_code != EXIT_CODE_USAGE || !strstr(result.err, cases[i].words) || result.out[0])
			fail_msg("%s: exit %d: %s", cases[i].expression, result.exit_code, result.err);
		child_result_free(&result);
	}
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static struct child_result ask_groups(const char *group_by, const char *interval, const char *form) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS=80", "TERM=xterm", NULL};
	const char *argv[12] = {program, "latency", scratch.store, form};
	size_t count = 4;
	if (group_by) {
		argv[count++] = "--group-by";
		argv[count++] = group_by;
	}
	if (interval) {
		argv[count++] = "--interval";
		argv[count++] = interval;
	}
	return child_run(argv, environment);
}

static int by_u64(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* One span a millisecond: a hundred in each step, with the percentiles of their sorted durations. */
static void steps_have_their_spans(void **state) {
	struct child_result result = ask_groups(NULL, "100ms", "--csv");
	const char *line = result.out;
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_equal(occurrences(result.out, "\r\n"), 1 + 1 + 10 + 1);
	for (uint32_t step = 0; step < 10; step++) {
		uint64_t sorted[100];
		uint64_t total = 0;
		uint64_t start_ns = CLI_WALL_OFFSET_NS + CLI_INDEX_START_NS + step * UINT64_C(100000000);
		char wanted[128];
		char tail[128];
		for (uint32_t i = 0; i < 100; i++) {
			sorted[i] = cli_index_duration(100 * step + i);
			total += sorted[i];
		}
		qsort(sorted, 100, sizeof(sorted[0]), by_u64);
		(void)snprintf(wanted, sizeof(wanted), "\r\n%lu,100,1,%lu,", (unsigned long)start_ns,
		               (unsigned long)total);
		line = strstr(line, wanted);
		if (!line)
			fail_msg("no %s in %s", wanted, result.out);
		(void)snprintf(tail, sizeof(tail), ",%lu,%lu,%lu,%lu,%lu,%lu,%lu\r\n", (unsigned long)sorted[0],
		               (unsigned long)sorted[49], (unsigned long)sorted[89], (unsigned long)sorted[94],
		               (unsigned long)sorted[98], (unsigned long)sorted[99], (unsigned long)sorted[99]);
		if (!strstr(line, tail))
			fail_msg("no %s in %s", tail, line);
	}
	child_result_free(&result);
}

static void groups_are_told_apart(void **state) {
	static const struct {
		const char *group_by;
		const char *words;
	} cases[] = {
	    {"service,status", "\nindexer,error,10,10,"},
	    {"service,status", "\nfrontend,error,1,1,10900000,"},
	    {"kind", "\nclient,2,1,11400000,"},
	    {"pid", "\n100,4,1,"},
	    {"attr.db.rows", "\n12,1,1,10900000,"},
	    {"bucket(attr.db.rows,5),name", "\n10,query,1,1,10900000,"},
	    {"bucket(attr.db.ratio,0.2)", "\n0.2,1,1,"},
	    {"attr.http.route", "\n/users,1,0,12340000,"},
	    {"attr.http.route", "\n,1005,11,"},
	    {"attr.db.cached", "\nfalse,1,1,"},
	    {"attr.user.id", "\n-7,1,0,1002000,"},
	    {"attr.db.statement", "\n\"SELECT \"\"x\"\"\x1b[2J FROM users\",1,1,"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask_groups(cases[i].group_by, NULL, "--csv");
		if (result.exit_code != EXIT_CODE_OK || !strstr(result.out, cases[i].words))
			fail_msg("%s: exit %d: %s%s", cases[i].group_by, result.exit_code, result.err, result.out);
		child_result_free(&result);
	}
	struct child_result result = ask_groups("attr.db.rows", NULL, "--json");
	assert_non_null(strstr(result.out, "\"schema\": \"latency-groups/1\""));
	assert_non_null(strstr(result.out, "\"attr.db.rows\": 12"));
	assert_non_null(strstr(result.out, "\"attr.db.rows\": null"));
	child_result_free(&result);
}

/* A step for each span, and more steps than there is room for: the last three spans come too late. */
static void groups_without_room_are_others(void **state) {
	struct child_result result = ask_groups("name", "500us", "--csv");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_equal(occurrences(result.out, "\r\n"), 1 + 1000 + 1);
	assert_int_equal(occurrences(result.out, "index file"), 1000);
	assert_int_equal(occurrences(result.out, "\n(other),,6,1,"), 1);
	child_result_free(&result);
	result = ask_groups(NULL, "500us", "--color=never");
	assert_non_null(strstr(result.out, "more than 1000 groups"));
	child_result_free(&result);
}

static void groups_are_refused(void **state) {
	static const char *const cases[] = {"nome",
	                                    "",
	                                    "name,",
	                                    "attr.",
	                                    "bucket(attr.x)",
	                                    "bucket(name,5)",
	                                    "bucket(attr.x,0)",
	                                    "name,kind,pid,status,service,attr.x"};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask_groups(cases[i], NULL, "--csv");
		if (result.exit_code != EXIT_CODE_USAGE || !strstr(result.err, "--group-by") || result.out[0])
			fail_msg("%s: exit %d: %s", cases[i], result.exit_code, result.err);
		child_result_free(&result);
	}
	struct child_result result = ask_groups("name", "5", "--csv");
	assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
	child_result_free(&result);
}

/* --- errors and histogram ---------------------------------------------------------------------------------------- */

static void errors_have_their_newest_traces(void **state) {
	struct child_result result = ask("errors", "duration >= 0");
	const char *index = strstr(result.out, "\"name\": \"index file\"");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "\"error_count\": 11"));
	assert_non_null(index);
	assert_non_null(strstr(index, "\"count\": 1000"));
	assert_non_null(strstr(index, "\"errors\": 10"));
	/* the last that failed is number 900, then 800 and 700 */
	const char *first = strstr(index, "b000000000000384c000000000000384");
	const char *second = strstr(index, "b000000000000320c000000000000320");
	const char *third = strstr(index, "b0000000000002bcc0000000000002bc");
	assert_true(first && second && third && first < second && second < third);
	assert_null(strstr(result.out, "b000000000000258c000000000000258"));
	assert_non_null(strstr(result.out, CLI_TRACE_A));
	child_result_free(&result);
	result = ask("errors", "name = authenticate");
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "\"names\": []"));
	child_result_free(&result);
}

static void histograms_count_each_span(void **state) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS=80", "TERM=xterm", NULL};
	const char *argv[] = {program, "histogram", "index*", scratch.store, "--json", NULL};
	struct child_result result = child_run(argv, environment);
	uint64_t sorted[CLI_INDEX_SPANS];
	uint64_t counted = 0;
	char wanted[64];
	(void)state;
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		sorted[i] = cli_index_duration(i);
	qsort(sorted, CLI_INDEX_SPANS, sizeof(sorted[0]), by_u64);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	(void)snprintf(wanted, sizeof(wanted), "\"p99_ns\": %lu", (unsigned long)sorted[989]);
	assert_non_null(strstr(result.out, wanted));
	const char *at = strstr(result.out, "\"steps\"");
	assert_non_null(at);
	while ((at = strstr(at, "\"from_ns\": ")) != NULL) {
		uint64_t from = strtoull(at + 11, NULL, 10);
		uint64_t to = strtoull(strstr(at, "\"to_ns\": ") + 9, NULL, 10);
		uint64_t count = strtoull(strstr(at, "\"count\": ") + 9, NULL, 10);
		uint64_t inside = 0;
		for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
			inside += sorted[i] >= from && sorted[i] <= to;
		assert_int_equal(count, inside);
		counted += count;
		at++;
	}
	assert_int_equal(counted, CLI_INDEX_SPANS);
	child_result_free(&result);
	argv[4] = NULL;
	result = child_run(argv, environment);
	assert_non_null(strstr(result.out, "  p50 "));
	assert_non_null(strstr(result.out, "1,000 spans that ended and match"));
	child_result_free(&result);
	const char *nothing[] = {program, "histogram", NULL};
	result = child_run(nothing, environment);
	assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
	assert_non_null(strstr(result.err, "which spans?"));
	child_result_free(&result);
}

/* At whatever moment Ctrl-C comes: the whole answer, or nothing of it. */
static void an_interrupt_leaves_nothing_half(void **state) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS=80", "TERM=xterm", NULL};
	const char *argv[] = {program,
	                      "latency",
	                      scratch.store,
	                      "--exact",
	                      "--json",
	                      "--where",
	                      "attr.db.rows or unfinished or duration > 0",
	                      NULL};
	struct child_result whole = child_run(argv, environment);
	struct seed seed = seed_start("interrupt");
	(void)state;
	for (unsigned round = 0; round < 10 + seed_rounds(20); round++) {
		struct child child = child_start(argv, environment);
		for (uint64_t spin = seed_below(&seed, 400); spin > 0; spin--)
			(void)sched_yield();
		child_signal(&child, SIGINT);
		struct child_result result = child_finish(&child);
		bool all = result.exit_code == EXIT_CODE_OK && strcmp(result.out, whole.out) == 0;
		if (!all && (result.exit_code != EXIT_CODE_INTERRUPTED || result.out[0] || result.err[0]))
			fail_msg("exit %d, %zu bytes: %s", result.exit_code, strlen(result.out), result.err);
		child_result_free(&result);
	}
	child_result_free(&whole);
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
	    cmocka_unit_test(fields_select),
	    cmocka_unit_test(durations_select),
	    cmocka_unit_test(attributes_select),
	    cmocka_unit_test(every_command_takes_it),
	    cmocka_unit_test(self_time_is_of_whole_traces),
	    cmocka_unit_test(mistakes_are_pointed_at),
	    cmocka_unit_test(steps_have_their_spans),
	    cmocka_unit_test(groups_are_told_apart),
	    cmocka_unit_test(groups_without_room_are_others),
	    cmocka_unit_test(groups_are_refused),
	    cmocka_unit_test(errors_have_their_newest_traces),
	    cmocka_unit_test(histograms_count_each_span),
	    cmocka_unit_test(an_interrupt_leaves_nothing_half),
	};
	return cmocka_run_group_tests_name("analyze_query", tests, make_store, remove_store);
}
