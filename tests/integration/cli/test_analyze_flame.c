/* SPDX-License-Identifier: Apache-2.0 */
/* flame: folded stacks against sums over the same spans; SVG and speedscope against the folded stacks; zoom and search in a real browser. */
#include "call_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPANS 1500u
#define PATHS_MAX 4096u
#define TEXT_BYTES 1024u
#define FILE_BYTES (SCRATCH_PATH_BYTES + 32)

static struct scratch scratch;
static const char *program;
static struct call_span spans[SPANS];
static const char *const folded_names[CALL_NAMES] = {
    "GET /users", "query", "parse", "render", "cache.get", "=evil <b>&\"':\\x1b[31m\\u{202e}</script>"};

static struct child_result ask(const char *store, const char *const *words) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS", "TERM=xterm", NULL};
	const char *argv[16] = {program, "flame", store};
	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	struct child_result result = child_run(argv, environment);
	if (result.exit_code != EXIT_CODE_OK || result.err[0])
		fail_msg("flame %s: exit %d: %s", words[0], result.exit_code, result.err);
	return result;
}

static const char *file_in(const char *name, char ret_path[FILE_BYTES]) {
	(void)snprintf(ret_path, FILE_BYTES, "%s/%s", scratch.files, name);
	return ret_path;
}

static void write_file(const char *path, const char *text, const char *more) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && fputs(more, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* --- folded stacks ----------------------------------------------------------------------------------------------- */

struct path {
	char text[TEXT_BYTES]; /* names, each ended by ';' */
	uint64_t value;
	uint64_t wide;
	uint64_t below;
	size_t length;
};

static struct path paths[PATHS_MAX];
static size_t path_count;

static struct path *find_path(const char *text, size_t length) {
	for (size_t i = 0; i < path_count; i++)
		if (strcmp(paths[i].text, text) == 0)
			return &paths[i];
	assert_true(path_count < PATHS_MAX);
	struct path *path = &paths[path_count++];
	*path = (struct path){.length = length};
	(void)snprintf(path->text, sizeof(path->text), "%s", text);
	return path;
}

/* All prefixes of the path of a span are paths, too. */
static struct path *path_of(size_t span) {
	uint32_t names[SPANS];
	char text[TEXT_BYTES] = "";
	uint32_t count = 0;
	struct path *path = NULL;
	int32_t at = (int32_t)span;
	for (; at >= 0; at = spans[at].parent)
		names[count++] = spans[at].name;
	if (at == -2)
		path = find_path(strcpy(text, "(parent not stored);"), 1);
	for (uint32_t i = count; i-- > 0;) {
		size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, "%s;", folded_names[names[i]]);
		path = find_path(text, count - i + (at == -2));
	}
	return path;
}

static int by_falling_length(const void *a, const void *b) {
	const struct path *left = a;
	const struct path *right = b;
	return left->length > right->length ? -1 : left->length < right->length;
}

static uint64_t value_of(const char *what, size_t span) {
	if (strcmp(what, "wall") == 0)
		return spans[span].duration_ns;
	if (strcmp(what, "self") == 0)
		return call_self_ns(spans, SPANS, span);
	return strcmp(what, "calls") == 0 ? 1 : UINT64_C(16) * spans[span].heap_units;
}

/* What holds all that is below it has as its own what is left; what does not has all that it has. */
static void expect_folded(const char *what) {
	bool holds = strcmp(what, "wall") == 0 || strcmp(what, "allocated") == 0;
	struct child_result result = ask(scratch.store, (const char *[]){"--format", "folded", "--value", what, NULL});
	size_t wanted_lines = 0;
	size_t lines = 0;
	path_count = 0;
	for (size_t span = 0; span < SPANS; span++)
		if (!spans[span].open)
			path_of(span)->value += value_of(what, span);
	qsort(paths, path_count, sizeof(paths[0]), by_falling_length);
	for (size_t i = 0; i < path_count; i++) {
		struct path *path = &paths[i];
		uint64_t own = !holds ? path->value : path->value > path->below ? path->value - path->below : 0;
		char line[TEXT_BYTES + 32];
		char above[TEXT_BYTES];
		memcpy(above, path->text, sizeof(above));
		above[strlen(above) - 1] = 0;
		(void)snprintf(line, sizeof(line), "%s %lu\n", above, (unsigned long)own);
		const char *found = strstr(result.out, line);
		while (found && found > result.out && found[-1] != '\n')
			found = strstr(found + 1, line);
		if (own > 0 && !found)
			fail_msg("%s: no %s", what, line);
		wanted_lines += own > 0;
		path->wide = path->below + own;
		char *cut = strrchr(above, ';');
		if (cut) {
			cut[1] = 0;
			find_path(above, 0)->below += path->wide;
		}
	}
	for (const char *at = result.out; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, wanted_lines);
	child_result_free(&result);
}

static void folded_stacks_add_up(void **state) {
	(void)state;
	expect_folded("wall");
	expect_folded("self");
	expect_folded("calls");
	expect_folded("allocated");
}

/* --- other forms ------------------------------------------------------------------------------------------------- */

static bool has_program(const char *name) {
	char command[128];
	(void)snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct child_result result = child_run(argv, NULL);
	bool has = result.exit_code == 0;
	child_result_free(&result);
	return has;
}

static void check_form(const char *form, const char *value) {
	char folded[FILE_BYTES];
	char other[FILE_BYTES];
	char command[4 * FILE_BYTES];
	struct child_result result = ask(scratch.store, (const char *[]){"--format", "folded", "--value", value, "-o",
	                                                                 file_in("folded", folded), NULL});
	child_result_free(&result);
	result = ask(scratch.store,
	             (const char *[]){"--format", form, "--value", value, "-o", file_in("other", other), NULL});
	child_result_free(&result);
	(void)snprintf(command, sizeof(command), "exec python3 '%s/check_flame.py' %s '%s' <'%s'",
	               getenv("SPANRING_TEST_CLI"), form, folded, other);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s of %s: %s", form, value, result.err);
	child_result_free(&result);
}

static void every_form_is_the_same_picture(void **state) {
	static const char *const values[] = {"wall", "self", "calls", "allocated"};
	(void)state;
	if (!has_program("python3")) {
		print_message("skipped: no python3\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		check_form("svg", values[i]);
		check_form("speedscope", values[i]);
	}
}

/* --- change ------------------------------------------------------------------------------------------------------ */

/* "GET /users" of 100 + `more` us, in it a query of 40 + `more`, and a parse of 20. */
static size_t add_trace(struct call_span *to, uint64_t trace, uint64_t more_us, bool renders) {
	to[0] =
	    (struct call_span){.trace = trace, .start_ns = 1000, .duration_ns = 1000 * (100 + more_us), .parent = -1};
	to[1] = (struct call_span){.trace = trace, .start_ns = 2000, .duration_ns = 1000 * (40 + more_us), .name = 1};
	to[2] = (struct call_span){.trace = trace, .start_ns = 80000, .duration_ns = 20000, .name = renders ? 3 : 2};
	for (size_t i = 1; i < 3; i++)
		to[i].parent = (int32_t)trace;
	return 3;
}

static void expect_in(const char *text, const char *wanted) {
	if (!strstr(text, wanted))
		fail_msg("no %s in\n%s", wanted, text);
}

/* Twice as many traces are not slower; a query that takes longer is, and nothing above it. */
static void a_change_is_per_call_of_a_root(void **state) {
	struct call_span few[12];
	char before[FILE_BYTES];
	char after[FILE_BYTES];
	size_t count = add_trace(few, 0, 0, false);
	(void)state;
	count += add_trace(few + count, count, 0, true);
	call_store_make(file_in("before", before), few, count);
	count = 0;
	for (uint32_t i = 0; i < 4; i++)
		count += add_trace(few + count, count, 30, false);
	call_store_make(file_in("after", after), few, count);
	struct child_result folded = ask(after, (const char *[]){"--format", "folded", "--before", before, NULL});
	assert_string_equal(folded.out, "GET /users 80000 160000\nGET /users;query 80000 280000\n"
	                                "GET /users;parse 20000 80000\nGET /users;render 20000 0\n");
	struct child_result svg = ask(after, (const char *[]){"--before", before, NULL});
	expect_in(svg.out, "change of wall time per call of a root");
	expect_in(svg.out, "before is scaled by 2 to as many calls of roots; 10.0 % of it is in paths that are gone");
	expect_in(svg.out,
	          "query: 280.0 us, 53.85 %, 4 calls; +120.0 us (+75.0 %), own +120.0 us</title>"
	          "<rect width=\"100%\" height=\"100%\" rx=\"2\" class=\"more\" fill=\"#f99\" style=\"--c:100\"/>");
	expect_in(svg.out, "own 160.0 us, 4 calls; +120.0 us (+30.0 %), own +0 ns</title>"
	                   "<rect width=\"100%\" height=\"100%\" rx=\"2\" class=\"same\"");
	child_result_free(&folded);
	child_result_free(&svg);
}

/* --- files and mistakes ------------------------------------------------------------------------------------------ */

static void a_file_is_whole_or_untouched(void **state) {
	char path[FILE_BYTES];
	struct stat there;
	(void)state;
	write_file(file_in("picture.svg", path), "old", "");
	const char *wrong[] = {program, "flame", "/nowhere", "-o", path, NULL};
	struct child_result result = child_run(wrong, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_INPUT);
	assert_int_equal(stat(path, &there), 0);
	assert_int_equal(there.st_size, 3);
	child_result_free(&result);
	const char *nowhere[] = {program, "flame", scratch.store, "-o", "/nowhere/picture.svg", NULL};
	result = child_run(nowhere, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OUTPUT);
	expect_in(result.err, "cannot write '/nowhere/picture.svg': No such file or directory");
	child_result_free(&result);
	result = ask(scratch.store, (const char *[]){"-o", path, NULL});
	assert_int_equal(stat(path, &there), 0);
	assert_true(there.st_size > 1000 && !result.out[0]);
	child_result_free(&result);
	result = ask(scratch.store, (const char *[]){"-o", "-", NULL});
	expect_in(result.out, "</svg>");
	child_result_free(&result);
}

static void mistakes_have_their_line(void **state) {
	static const struct {
		const char *words[5];
		const char *text;
	} cases[] = {
	    {{"--value", "time", NULL}, "flame: --value 'time': give wall, self, allocated or calls"},
	    {{"--format", "png", NULL}, "flame: --format 'png': give svg, folded or speedscope"},
	    {{"--json", "--before", "x", NULL}, "flame: speedscope shows one store"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {program,           "flame",           scratch.store, cases[i].words[0],
		                      cases[i].words[1], cases[i].words[2], NULL};
		struct child_result result = child_run(argv, NULL);
		assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
		expect_in(result.err, cases[i].text);
		child_result_free(&result);
	}
}

/* --- a browser --------------------------------------------------------------------------------------------------- */

static const char *browser(void) {
	static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (has_program(names[i]))
			return names[i];
	return NULL;
}

static char *read_whole(const char *path) {
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 65536);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) < 65535);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* The picture with a script of the test at its end, and what the browser made of it. */
static void a_browser_zooms_and_searches(void **state) {
	struct call_span few[3];
	char store[FILE_BYTES];
	char path[FILE_BYTES];
	char command[4 * FILE_BYTES];
	(void)state;
	if (!browser()) {
		print_message("skipped: no chromium\n");
		skip();
	}
	call_store_make(file_in("one", store), few, add_trace(few, 0, 0, false));
	struct child_result svg = ask(store, (const char *[]){"-o", "-", NULL});
	(void)snprintf(command, sizeof(command), "%s/flame_clicks.js", getenv("SPANRING_TEST_CLI"));
	char *clicks = read_whole(command);
	size_t body = strlen(svg.out) - strlen("</svg>\n");
	assert_string_equal(svg.out + body, "</svg>\n");
	char *document = NULL;
	assert_true(asprintf(&document, "%.*s<script><![CDATA[%s]]></script></svg>\n", (int)body, svg.out, clicks) > 0);
	write_file(file_in("clicked.svg", path), document, "");
	(void)snprintf(command, sizeof(command),
	               "HOME='%s' timeout 60 %s --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
	               "--user-data-dir='%s/browser' --window-size=1000,300 --dump-dom 'file://%s' 2>/dev/null",
	               scratch.files, browser(), scratch.files, path);
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct child_result result = child_run(argv, NULL);
	expect_in(result.out, "data-controls=\"visible\"");
	expect_in(result.out, "data-before=\"4/40%\"");
	expect_in(result.out, "data-zoomed=\"3/100%/none/f up\"");
	expect_in(result.out, "data-label=\"query\"");
	expect_in(result.out, "data-reset=\"4/40%/\"");
	expect_in(result.out, "data-found=\"1 found, 40.0 %/1\"");
	expect_in(result.out, "data-all=\"1 found, 20.0 %/1\"");
	expect_in(result.out, "data-nothing=\"0\"");
	expect_in(result.out, "data-details=\"parse: 20.00 us, 20.00 %, 1 call\"");
	free(clicks);
	free(document);
	child_result_free(&svg);
	child_result_free(&result);
}

static int make_store(void **state) {
	struct seed seed = seed_start("analyze_flame");
	(void)state;
	program = child_program("spanring-analyze");
	scratch_make(&scratch);
	call_forest_make(&seed, spans, SPANS);
	call_store_make(scratch.store, spans, SPANS);
	return 0;
}

static int remove_store(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folded_stacks_add_up),           cmocka_unit_test(every_form_is_the_same_picture),
	    cmocka_unit_test(a_change_is_per_call_of_a_root), cmocka_unit_test(a_file_is_whole_or_untouched),
	    cmocka_unit_test(mistakes_have_their_line),       cmocka_unit_test(a_browser_zooms_and_searches),
	};
	return cmocka_run_group_tests_name("analyze_flame", tests, make_store, remove_store);
}
