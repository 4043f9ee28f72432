/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that show when things were: the critical path of a trace, heat maps, timelines. On the store of cli_store.h, whose trace A is
 *
 *     GET /users    0 .. 12.34 ms          query    1.3 .. 12.2 ms, fails
 *     authenticate  0.21 .. 1.212 ms       query    2 .. 2.5 ms, its parent is not stored
 */
#include "cli_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 14
#define A_START_WALL_NS (CLI_WALL_OFFSET_NS + UINT64_C(10000000000))

static struct scratch scratch;
static const char *program;

/* Words are separated by one blank; "STORE" stands for the store. */
static struct child_result run_wide(const char *words, const char *columns) {
	const char *const environment[] = {"LC_ALL=C.UTF-8", columns, "NO_COLOR", "TERM=xterm", NULL};
	const char *argv[ARGUMENTS_MAX] = {program};
	char *copy = strdup(words);
	size_t count = 1;
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(count + 1 < ARGUMENTS_MAX);
		argv[count++] = strcmp(word, "STORE") == 0 ? scratch.store : word;
	}
	struct child_result result = child_run(argv, environment);
	free(copy);
	return result;
}

static struct child_result run(const char *words) {
	return run_wide(words, "COLUMNS");
}

static void expect_exit(const char *words, int exit_code, const char *message) {
	struct child_result result = run(words);
	if (result.exit_code != exit_code || !strstr(result.err, message))
		fail_msg("'%s' exits with %d, not %d: %s", words, result.exit_code, exit_code, result.err);
	child_result_free(&result);
}

static void expect_all(const char *words, const char *const *wanted, size_t count) {
	struct child_result result = run(words);
	assert_int_equal(result.exit_code, 0);
	const char *at = result.out;
	for (size_t i = 0; i < count; i++) {
		const char *found = strstr(at, wanted[i]);
		if (!found)
			fail_msg("'%s' has no '%s' behind what came before:\n%s", words, wanted[i], result.out);
		at = found + strlen(wanted[i]);
	}
	child_result_free(&result);
}

/* --- critical path ----------------------------------------------------------------------------------------------- */

static const char *piece_text(uint64_t span, uint64_t from_ns, uint64_t ns) {
	static char texts[8][160];
	static unsigned next;
	char *text = texts[next++ % 8];
	(void)snprintf(text, sizeof(texts[0]),
	               "\"span_id\": \"%016" PRIx64 "\",\n        \"start_wall_ns\": %" PRIu64
	               ",\n        \"duration_ns\": %" PRIu64 "\n",
	               span, A_START_WALL_NS + from_ns, ns);
	return text;
}

static void the_path_is_what_the_end_waited_for(void **state) {
	const char *wanted[] = {"\"span_id\": \"0000000000000001\"",
	                        "\"critical\": true,\n      \"critical_ns\": 438000",
	                        "\"span_id\": \"0000000000000002\"",
	                        "\"critical\": true,\n      \"critical_ns\": 1002000",
	                        "\"span_id\": \"0000000000000003\"",
	                        "\"critical\": true,\n      \"critical_ns\": 10900000",
	                        "\"span_id\": \"0000000000000005\"",
	                        "\"critical\": false,\n      \"critical_ns\": 0",
	                        "\"path_ns\": 12340000,\n    \"trace_ns\": 12340000",
	                        piece_text(1, 0, 210000),
	                        piece_text(2, 210000, 1002000),
	                        piece_text(1, 1212000, 88000),
	                        piece_text(3, 1300000, 10900000),
	                        piece_text(1, 12200000, 140000)};
	const char *lines[] = {"start   on path   share  span          service",
	                       "    0 ns  210.0 us   1.7 %  GET /users    frontend\n",
	                       "210.0 us  1.002 ms   8.1 %  authenticate  frontend\n",
	                       "1.212 ms  88.00 us   0.7 %  GET /users    frontend\n",
	                       "1.300 ms  10.90 ms  88.3 %  query         frontend\n",
	                       "12.20 ms  140.0 us   1.1 %  GET /users    frontend\n",
	                       "12.34 ms of 12.34 ms (100.0 %)"};
	(void)state;
	expect_all("trace " CLI_TRACE_A " STORE --json", wanted, sizeof(wanted) / sizeof(wanted[0]));
	expect_all("trace " CLI_TRACE_A " STORE --critical-path", lines, sizeof(lines) / sizeof(lines[0]));
	struct child_result result = run("trace " CLI_TRACE_A " STORE --json --critical-path");
	assert_non_null(strstr(result.out, "\"span_id\": \"0000000000000003\""));
	assert_null(strstr(result.out, "\"span_id\": \"0000000000000005\""));
	child_result_free(&result);
}

/* --- heat map ---------------------------------------------------------------------------------------------------- */

/* Span i of "index file" starts i milliseconds after the first. */
static void a_heat_map_has_every_span(void **state) {
	struct child_result result = run("histogram index* STORE --heatmap --csv");
	uint64_t sum = 0;
	(void)state;
	assert_int_equal(result.exit_code, 0);
	const char *at = strchr(result.out, '\n');
	for (; at && at[1]; at = strchr(at + 1, '\n')) {
		uint64_t cell[4] = {0};
		uint64_t count = 0;
		assert_int_equal(sscanf(at + 1, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 ",%" SCNu64, &cell[0], &cell[1],
		                        &cell[2], &cell[3]),
		                 4);
		for (uint64_t i = 0; i < CLI_INDEX_SPANS; i++) {
			uint64_t start_ns = CLI_WALL_OFFSET_NS + CLI_INDEX_START_NS + i * 1000000;
			uint64_t duration_ns = cli_index_duration((uint32_t)i);
			/* a second in at most 240 columns of a power of two, or a few of them: 2^22 ns */
			count += start_ns >= cell[0] && start_ns < cell[0] + (UINT64_C(1) << 22) &&
			         duration_ns >= cell[1] && duration_ns <= cell[2];
		}
		assert_int_equal(count, cell[3]);
		sum += cell[3];
	}
	assert_int_equal(sum, CLI_INDEX_SPANS);
	child_result_free(&result);
	const char *wanted[] = {"\"schema\": \"heatmap/1\"", "\"count\": 1000",  "\"unfinished\": 0",
	                        "\"column_ns\": 4194304",    "\"columns\": 239", "\"from_ns\": "};
	expect_all("histogram index* STORE --heatmap --json", wanted, sizeof(wanted) / sizeof(wanted[0]));
	expect_exit("histogram nothing STORE --heatmap", 0, "matches");
}

static void a_heat_map_fits(void **state) {
	const char *const environment[] = {"LC_ALL=C", "COLUMNS=40", NULL};
	const char *argv[] = {program, "histogram", "index*", scratch.store, "--heatmap", NULL};
	struct child_result result = child_run(argv, environment);
	unsigned rows = 0;
	(void)state;
	for (char *line = strtok(result.out, "\n"); line; line = strtok(NULL, "\n")) {
		assert_true(strlen(line) <= 40);
		for (const char *at = line; *at; at++)
			assert_true(*at >= ' ' && *at < 0x7f);
		rows += strpbrk(line, "#") != NULL;
	}
	assert_true(rows > 1);
	child_result_free(&result);
}

/* --- timeline ---------------------------------------------------------------------------------------------------- */

static void a_timeline_around_a_trace(void **state) {
	static const char wanted[] = "from 2026-11-20T18:40:09.999Z, 13.57 ms, 4 spans in 1 thread\n"
	                             "0                          6.787 ms                   13.57 ms\n"
	                             "\n"
	                             "frontend 100, worker 1000\n"
	                             "  ├GET /users──────────────────────────────────────────────┤\n"
	                             "   ├aut…┤├query───────────────────────────────────────────┤\n"
	                             "           ├q…┤\n"
	                             "\n";
	struct child_result result = run_wide("timeline STORE --trace 4bf9", "COLUMNS=62");
	(void)state;
	assert_string_equal(result.out, wanted);
	child_result_free(&result);
	const char *keys[] = {"\"schema\": \"timeline/1\"",
	                      "\"span_count\": 4",
	                      "\"service\": \"frontend\"",
	                      "\"span_count\": 4",
	                      "\"name\": \"GET /users\"",
	                      "\"duration_ns\": 12340000",
	                      "\"level\": 0",
	                      "\"name\": \"authenticate\"",
	                      "\"level\": 1",
	                      "\"name\": \"query\"",
	                      "\"status\": \"error\"",
	                      "\"level\": 1",
	                      "\"name\": \"query\"",
	                      "\"duration_ns\": 500000",
	                      "\"level\": 2"};
	expect_all("timeline STORE --trace 4bf9 --json", keys, sizeof(keys) / sizeof(keys[0]));
}

/* 20 to 20.999 s: a span a millisecond; what began before the window and ends in it counts. */
static void a_window_has_what_overlaps_it(void **state) {
	uint64_t since_ns = CLI_INDEX_START_NS + UINT64_C(500500000);
	uint64_t until_ns = CLI_INDEX_START_NS + UINT64_C(600000000);
	unsigned count = 0;
	char wanted[64];
	(void)state;
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++) {
		uint64_t start_ns = CLI_INDEX_START_NS + i * UINT64_C(1000000);
		count += start_ns < until_ns && start_ns + cli_index_duration(i) > since_ns;
	}
	(void)snprintf(wanted, sizeof(wanted), "\"span_count\": %u", count);
	const char *keys[] = {wanted};
	expect_all(
	    "timeline STORE --name index* --since 2026-11-20T18:40:20.5005Z --until 2026-11-20T18:40:20.6Z --json",
	    keys, 1);
	(void)snprintf(wanted, sizeof(wanted), "%u shorter spans are in the shades only", count - 7);
	expect_all("timeline STORE --name index* --since 2026-11-20T18:40:20.5005Z --until 2026-11-20T18:40:20.6Z -n 7",
	           keys, 1);
}

static unsigned count_of(const char *text, const char *word) {
	unsigned count = 0;
	for (const char *at = text; (at = strstr(at, word)); at++)
		count++;
	return count;
}

/* All spans of the store, those with hostile names, too. */
static void pictures_are_inert(void **state) {
	static const char *const words[] = {"timeline STORE --output -", "timeline STORE --html -"};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct child_result result = run(words[i]);
		assert_int_equal(result.exit_code, 0);
		assert_null(strchr(result.out, '\x1b'));
		assert_non_null(strstr(result.out, "evil\\x1b[31m\\x0aname"));
		assert_int_equal(count_of(result.out, "<script"), 1);
		assert_int_equal(count_of(result.out, "</script"), 1);
		assert_int_equal(count_of(result.out, "class=\"b"), 1006);
		assert_int_equal(count_of(result.out, "http:"), 2); /* the names of SVG and XHTML */
		assert_null(strstr(result.out, "https"));
		assert_int_equal(count_of(result.out, "Content-Security-Policy"), i);
		child_result_free(&result);
	}
}

/* --- a browser --------------------------------------------------------------------------------------------------- */

static const char *browser(void) {
	static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
	char command[64];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(command, sizeof(command), "command -v %s >/dev/null", names[i]);
		const char *argv[] = {"/bin/sh", "-c", command, NULL};
		struct child_result result = child_run(argv, NULL);
		int code = result.exit_code;
		child_result_free(&result);
		if (code == 0)
			return names[i];
	}
	return NULL;
}

static void write_clicked(const char *svg, const char *path) {
	static char clicks[8192];
	char from[CLI_PATH_BYTES];
	(void)snprintf(from, sizeof(from), "%s/timeline_clicks.js", getenv("SPANRING_TEST_CLI"));
	FILE *file = fopen(from, "r");
	assert_non_null(file);
	assert_true(fread(clicks, 1, sizeof(clicks) - 1, file) < sizeof(clicks) - 1);
	assert_int_equal(fclose(file), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	size_t body = strlen(svg) - strlen("</svg>\n");
	assert_string_equal(svg + body, "</svg>\n");
	assert_true(fprintf(file, "%.*s<script><![CDATA[%s]]></script></svg>\n", (int)body, svg, clicks) > 0);
	assert_int_equal(fclose(file), 0);
}

/* The picture with a script of the test at its end, and what the browser made of it. */
static void a_browser_zooms_moves_and_searches(void **state) {
	static const char *const wanted[] = {"data-controls=\"visible\"",
	                                     "data-before=\"4/7%\"",
	                                     "data-found=\"2 found/2\"",
	                                     "data-details=\"authenticate, 1.002 ms, trace " CLI_TRACE_A "\"",
	                                     "data-zoomed=\"2/100%/authenticate\"",
	                                     "data-wheeled=\"4/7%\"",
	                                     "data-moved=\"50%\"",
	                                     "data-reset=\"4/7%\""};
	char path[CLI_PATH_BYTES];
	char command[4 * CLI_PATH_BYTES];
	(void)state;
	if (!browser()) {
		print_message("skipped: no chromium\n");
		skip();
	}
	struct child_result svg = run("timeline STORE --trace 4bf9 --output -");
	(void)snprintf(path, sizeof(path), "%s/clicked.svg", scratch.files);
	write_clicked(svg.out, path);
	(void)snprintf(command, sizeof(command),
	               "HOME='%s' timeout 60 %s --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
	               "--user-data-dir='%s/browser' --window-size=1000,400 --dump-dom 'file://%s' 2>/dev/null",
	               scratch.files, browser(), scratch.files, path);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct child_result result = child_run(argv, NULL);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(result.out, wanted[i]))
			fail_msg("no '%s' in\n%.3000s", wanted[i], result.out);
	child_result_free(&svg);
	child_result_free(&result);
}

static void wrong_words(void **state) {
	(void)state;
	expect_exit("timeline STORE --trace deadbeef", EXIT_CODE_FAILED, "no stored trace");
	expect_exit("timeline STORE --trace xyz", EXIT_CODE_USAGE, "is not a trace id");
	expect_exit("timeline STORE --trace b000", EXIT_CODE_USAGE, "give more digits");
	expect_exit("timeline STORE --trace 4bf9 --since 10m", EXIT_CODE_USAGE, "leave out --since");
	expect_exit("timeline STORE -o x --html y", EXIT_CODE_USAGE, "not both");
	expect_exit("timeline STORE -o /nowhere/x.svg", EXIT_CODE_OUTPUT, "cannot be written");
	expect_exit("timeline STORE --name nothing", 0, "no stored span matches");
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
	    cmocka_unit_test(the_path_is_what_the_end_waited_for),
	    cmocka_unit_test(a_heat_map_has_every_span),
	    cmocka_unit_test(a_heat_map_fits),
	    cmocka_unit_test(a_timeline_around_a_trace),
	    cmocka_unit_test(a_window_has_what_overlaps_it),
	    cmocka_unit_test(pictures_are_inert),
	    cmocka_unit_test(a_browser_zooms_moves_and_searches),
	    cmocka_unit_test(wrong_words),
	};
	return cmocka_run_group_tests(tests, make_store, remove_store);
}
