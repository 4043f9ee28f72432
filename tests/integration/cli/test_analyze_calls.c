/* SPDX-License-Identifier: Apache-2.0 */
/* top and tree on random forests whose traces lie in many batches of two segments, against figures computed here from the same spans. */
#include "call_store.h"
#include "cli_answer.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"
#include "libstore/span.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS 4000u
#define PATHS_MAX 8192u
#define DEPTH_MAX 128u

static struct scratch scratch;
static const char *program;
static struct call_span spans[SPANS];

static struct child_result ask(const char *command, const char *const *words) {
	static const char *const environment[] = {"LC_ALL=C.UTF-8", "COLUMNS", "TERM=xterm", NULL};
	const char *argv[16] = {program, command, scratch.store};
	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	struct child_result result = child_run(argv, environment);
	if (result.exit_code != EXIT_CODE_OK || result.err[0])
		fail_msg("%s %s: exit %d: %s", command, words[0], result.exit_code, result.err);
	return result;
}

struct figures {
	uint64_t calls;
	uint64_t errors;
	uint64_t total_ns;
	uint64_t outer_ns;
	uint64_t self_ns;
};

static void add(struct figures *figures, size_t span) {
	if (spans[span].open)
		return;
	figures->calls++;
	figures->errors += spans[span].error;
	figures->total_ns += spans[span].duration_ns;
	figures->outer_ns += call_is_nested(spans, span) ? 0 : spans[span].duration_ns;
	figures->self_ns += call_self_ns(spans, SPANS, span);
}

/* --- top --------------------------------------------------------------------------------------------------------- */

static void expect_line(const struct child_result *result, const char *label, const struct figures *wanted) {
	char begin[512];
	const char *line = NULL;
	(void)snprintf(begin, sizeof(begin), "\n%s,%lu,%lu,%lu,%lu,%lu,", label, (unsigned long)wanted->calls,
	               (unsigned long)wanted->errors, (unsigned long)wanted->total_ns, (unsigned long)wanted->outer_ns,
	               (unsigned long)wanted->self_ns);
	line = strstr(result->out, begin);
	if (!line)
		fail_msg("no %s in\n%s", begin, result->out);
}

static void names_have_their_figures(void **state) {
	static const char *const threads[] = {"1", "2", "5"};
	(void)state;
	for (size_t round = 0; round < sizeof(threads) / sizeof(threads[0]); round++) {
		struct child_result result = ask("top", (const char *[]){"--csv", "--threads", threads[round], NULL});
		for (uint32_t name = 0; name < CALL_NAMES; name++) {
			struct figures wanted = {0};
			for (size_t span = 0; span < SPANS; span++)
				if (spans[span].name == name)
					add(&wanted, span);
			expect_line(&result, call_names_csv[name], &wanted);
		}
		child_result_free(&result);
	}
}

/* A filter chooses what counts; what is above and below it stays what it is. */
static void filters_choose_what_counts(void **state) {
	struct child_result result =
	    ask("top", (const char *[]){"--csv", "--where", "status = error", "--threads", "3", NULL});
	struct child_result named = ask("top", (const char *[]){"--csv", "--name", "que*", NULL});
	struct figures queries = {0};
	(void)state;
	for (uint32_t name = 0; name < CALL_NAMES; name++) {
		struct figures wanted = {0};
		for (size_t span = 0; span < SPANS; span++)
			if (spans[span].name == name && spans[span].error)
				add(&wanted, span);
		expect_line(&result, call_names_csv[name], &wanted);
	}
	for (size_t span = 0; span < SPANS; span++)
		if (spans[span].name == 1)
			add(&queries, span);
	expect_line(&named, "query", &queries);
	assert_null(strstr(named.out, "parse"));
	child_result_free(&result);
	child_result_free(&named);
}

/* Sites of one file are one line, and nested in one another. */
static void files_and_sites_are_keys(void **state) {
	struct child_result sites = ask("top", (const char *[]){"--csv", "--by", "site", "--strip-dirs", NULL});
	struct child_result files = ask("top", (const char *[]){"--csv", "--by", "file", NULL});
	struct figures queries = {0};
	struct figures wanted = {0};
	(void)state;
	for (size_t span = 0; span < SPANS; span++) {
		if (spans[span].name == 1)
			add(&queries, span);
		if (spans[span].name >= 3)
			continue;
		bool nested = false;
		for (int32_t at = spans[span].parent; at >= 0; at = spans[at].parent)
			nested |= spans[at].name < 3;
		uint64_t outer_ns = wanted.outer_ns + (nested || spans[span].open ? 0 : spans[span].duration_ns);
		add(&wanted, span);
		wanted.outer_ns = outer_ns;
	}
	expect_line(&sites, "query,a.c,11", &queries);
	expect_line(&files, "/src/a.c", &wanted);
	child_result_free(&sites);
	child_result_free(&files);
}

static uint64_t number_after(const char *at, const char *key) {
	const char *place = strstr(at, key);
	assert_non_null(place);
	return strtoull(place + strlen(key), NULL, 10);
}

/* What tail keep left stands for what it left out. */
static void weights_count(void **state) {
	static struct call_span heavy[SPANS];
	char store[SCRATCH_PATH_BYTES + 8];
	(void)state;
	memcpy(heavy, spans, sizeof(heavy));
	for (size_t span = 0; span < SPANS; span++)
		heavy[span].weight = heavy[span].name == 2 ? 3 * STORE_WEIGHT_ONE : STORE_WEIGHT_ONE;
	(void)snprintf(store, sizeof(store), "%s/heavy", scratch.files);
	call_store_make(store, heavy, SPANS);
	const char *argv[] = {program, "top", store, "--csv", NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	for (uint32_t name = 0; name < CALL_NAMES; name++) {
		uint64_t weight = name == 2 ? 3 : 1;
		struct figures wanted = {0};
		for (size_t span = 0; span < SPANS; span++)
			if (spans[span].name == name)
				add(&wanted, span);
		wanted.calls *= weight;
		wanted.errors *= weight;
		wanted.total_ns *= weight;
		wanted.outer_ns *= weight;
		wanted.self_ns *= weight;
		expect_line(&result, call_names_csv[name], &wanted);
	}
	child_result_free(&result);
	const char *json[] = {program, "tree", store, "--json", NULL};
	result = child_run(json, NULL);
	assert_non_null(strstr(result.out, "\"method\": \"estimate\""));
	child_result_free(&result);
}

#define DEEP 300u

/* A function that calls itself 300 times: one stack, and a tree that says what it has no room for. */
static void a_deep_recursion_counts_once(void **state) {
	static struct call_span deep[DEEP];
	struct figures wanted = {.calls = DEEP, .self_ns = 1000 * DEEP, .outer_ns = 1000 * DEEP};
	char store[SCRATCH_PATH_BYTES + 8];
	(void)state;
	for (uint32_t i = 0; i < DEEP; i++) {
		deep[i] = (struct call_span){.start_ns = 5000 + i,
		                             .duration_ns = 1000 * (DEEP - i),
		                             .parent = (int32_t)i - 1,
		                             .name = 2,
		                             .batch = i % 7};
		wanted.total_ns += deep[i].duration_ns;
	}
	(void)snprintf(store, sizeof(store), "%s/deep", scratch.files);
	call_store_make(store, deep, DEEP);
	const char *argv[] = {program, "top", store, "--csv", NULL};
	struct child_result result = child_run(argv, NULL);
	expect_line(&result, "parse", &wanted);
	child_result_free(&result);
	const char *json[] = {program, "tree", store, "--json", NULL};
	result = child_run(json, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_equal(number_after(result.out, "\"path_left_out\": "), DEEP - DEPTH_MAX);
	const char *other = strstr(result.out, "\"name\": \"(other)\"");
	assert_non_null(other);
	assert_int_equal(number_after(strstr(other, "\"parse\""), "\"count\": "), DEEP - DEPTH_MAX);
	child_result_free(&result);
}

static int by_falling(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left > right ? -1 : left < right;
}

static void sorted_and_limited(void **state) {
	struct child_result result = ask("top", (const char *[]){"--json", "--sort", "calls", "-n", "3", NULL});
	uint64_t calls[CALL_NAMES] = {0};
	const char *at = result.out;
	(void)state;
	for (size_t span = 0; span < SPANS; span++)
		calls[spans[span].name] += !spans[span].open;
	qsort(calls, CALL_NAMES, sizeof(calls[0]), by_falling);
	for (uint32_t i = 0; i < 3; i++) {
		at = strstr(at, "\"count\": ");
		assert_non_null(at);
		at += 9;
		assert_int_equal(strtoull(at, NULL, 10), calls[i]);
	}
	assert_null(strstr(at, "\"count\": "));
	assert_non_null(strstr(result.out, "\"schema\": \"top/1\""));
	child_result_free(&result);
}

static void mistakes_have_their_line(void **state) {
	static const struct {
		const char *words[3];
		const char *text;
	} cases[] = {
	    {{"--sort", "cals", NULL}, "top: --sort 'cals': did you mean 'calls'?"},
	    {{"--sort", "shoe", NULL}, "give self, cumulative, total, calls, errors, per-call or name"},
	    {{"--by", "line", NULL}, "top: --by 'line': give name, site or file"},
	    {{"--json", "--csv", NULL}, "--json or --csv, not both"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argv[] = {program, "top", scratch.store, cases[i].words[0], cases[i].words[1], NULL};
		struct child_result result = child_run(argv, NULL);
		assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
		if (!strstr(result.err, cases[i].text))
			fail_msg("%s", result.err);
		child_result_free(&result);
	}
}

/* --- tree -------------------------------------------------------------------------------------------------------- */

struct path {
	char text[1024]; /* names as in JSON, each ended by a tab */
	struct figures figures;
};

static struct path paths[PATHS_MAX];
static size_t path_count;

static void append(char *text, size_t bytes, const char *name) {
	size_t used = strlen(text);
	assert_true(used + strlen(name) + 2 <= bytes);
	memcpy(text + used, name, strlen(name) + 1);
	memcpy(text + used + strlen(name), "\t", 2);
}

/* From the outermost that stands in `roots` (bits of names; 0: from the top). False: it is below none. */
static bool path_of(size_t span, uint32_t roots, char *ret_text, size_t bytes) {
	uint32_t names[SPANS];
	uint32_t count = 0;
	bool absent = false;
	uint32_t first = 0;
	for (int32_t at = (int32_t)span; at >= 0; at = spans[at].parent) {
		names[count++] = spans[at].name;
		absent = spans[at].parent == -2;
	}
	first = count;
	while (roots && first > 0 && !(roots >> names[first - 1] & 1))
		first--;
	ret_text[0] = 0;
	if (absent && !roots)
		append(ret_text, bytes, "(parent not stored)");
	for (uint32_t i = first; i-- > 0;)
		append(ret_text, bytes, call_names_json[names[i]]);
	return first > 0;
}

static struct path *find_path(const char *text) {
	for (size_t i = 0; i < path_count; i++)
		if (strcmp(paths[i].text, text) == 0)
			return &paths[i];
	assert_true(path_count < PATHS_MAX);
	(void)snprintf(paths[path_count].text, sizeof(paths[0].text), "%s", text);
	paths[path_count].figures = (struct figures){0};
	return &paths[path_count++];
}

static void list_paths(uint32_t roots) {
	path_count = 0;
	for (size_t span = 0; span < SPANS; span++) {
		char text[sizeof(paths[0].text)];
		if (!spans[span].open && path_of(span, roots, text, sizeof(text)))
			add(&find_path(text)->figures, span);
	}
}

/* The document has a line per value; how far a name is indented says how deep it is. Each path is taken off the list. */
static void compare_paths(const char *out) {
	char names[DEPTH_MAX][256];
	size_t seen = 0;
	for (const char *at = out; (at = strstr(at, "\"name\": \"")) != NULL; at++) {
		const char *line = at;
		while (line > out && line[-1] != '\n')
			line--;
		size_t depth = (size_t)(at - line) / 4 - 1; /* of two blanks, for an object and a list each */
		const char *name = at + strlen("\"name\": \"");
		const char *end = strstr(name, "\",\n");
		char text[sizeof(paths[0].text)] = "";
		assert_true(depth < DEPTH_MAX);
		(void)snprintf(names[depth], sizeof(names[0]), "%.*s", (int)(end - name), name);
		for (size_t i = 0; i <= depth; i++)
			append(text, sizeof(text), names[i]);
		uint64_t calls = number_after(at, "\"count\": ");
		if (calls == 0)
			continue; /* it only leads to others: of a span that never ended, or not of a span */
		const struct figures *wanted = &find_path(text)->figures;
		if (wanted->calls != calls || wanted->errors != number_after(at, "\"errors\": ") ||
		    wanted->total_ns != number_after(at, "\"total_ns\": ") ||
		    wanted->self_ns != number_after(at, "\"self_ns\": "))
			fail_msg("%s: %lu calls, not %lu", text, (unsigned long)calls, (unsigned long)wanted->calls);
		seen++;
	}
	assert_int_equal(seen, path_count);
}

static void paths_have_their_figures(void **state) {
	static const char *const threads[] = {"1", "3"};
	(void)state;
	list_paths(0);
	for (size_t round = 0; round < 2; round++) {
		struct child_result result = ask("tree", (const char *[]){"--json", "--threads", threads[round], NULL});
		compare_paths(result.out);
		child_result_free(&result);
	}
}

static void a_root_is_the_outermost_that_matches(void **state) {
	struct child_result result = ask("tree", (const char *[]){"--json", "--root", "[pr]*", NULL});
	(void)state;
	list_paths(1u << 2 | 1u << 3); /* parse, render */
	compare_paths(result.out);
	child_result_free(&result);
}

static void small_and_deep_paths_are_left_out(void **state) {
	struct child_result result = ask("tree", (const char *[]){"--depth", "1", "--min-share", "0", NULL});
	size_t lines = 0;
	(void)state;
	for (const char *at = result.out; *at && *at != '\n'; at = strchr(at, '\n') + 1)
		lines++;
	/* a title, the names of roots, and one for those whose parents are not stored */
	assert_int_equal(lines, 1 + CALL_NAMES + 1);
	assert_non_null(strstr(result.out, "deeper paths are left out"));
	assert_non_null(strstr(result.out, "(parent not stored)"));
	assert_null(strchr(result.out, '\x1b'));
	child_result_free(&result);
}

/* --- golden outputs ---------------------------------------------------------------------------------------------- */

#define GOLDEN_SPANS 60u
#define GOLDEN_SEED UINT64_C(6)

static void outputs_are_as_reviewed(void **state) {
	static const struct {
		const char *file;
		const char *columns;
		const char *words[6];
	} cases[] = {
	    {"top-80.txt", "COLUMNS=80", {"top", NULL}},
	    {"top-40.txt", "COLUMNS=40", {"top", "--by", "site", NULL}},
	    {"top.json", "COLUMNS=80", {"top", "--json", "--by", "file", NULL}},
	    {"tree-80.txt", "COLUMNS=80", {"tree", "--min-share", "2%", NULL}},
	    {"tree-40.txt", "COLUMNS=40", {"tree", "--name", "parse", NULL}},
	};
	static struct call_span few[GOLDEN_SPANS];
	struct seed seed = {GOLDEN_SEED};
	char store[SCRATCH_PATH_BYTES + 8];
	(void)state;
	call_forest_make(&seed, few, GOLDEN_SPANS);
	(void)snprintf(store, sizeof(store), "%s/few", scratch.files);
	call_store_make(store, few, GOLDEN_SPANS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const environment[] = {"LC_ALL=C.UTF-8", cases[i].columns, NULL};
		const char *argv[8] = {program, cases[i].words[0], store};
		for (size_t word = 1; cases[i].words[word]; word++)
			argv[2 + word] = cases[i].words[word];
		struct child_result result = child_run(argv, environment);
		assert_int_equal(result.exit_code, EXIT_CODE_OK);
		cli_expect_golden(cases[i].file, result.out);
		child_result_free(&result);
	}
}

static int make_store(void **state) {
	struct seed seed = seed_start("analyze_calls");
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
	    cmocka_unit_test(names_have_their_figures),
	    cmocka_unit_test(filters_choose_what_counts),
	    cmocka_unit_test(files_and_sites_are_keys),
	    cmocka_unit_test(weights_count),
	    cmocka_unit_test(a_deep_recursion_counts_once),
	    cmocka_unit_test(sorted_and_limited),
	    cmocka_unit_test(mistakes_have_their_line),
	    cmocka_unit_test(paths_have_their_figures),
	    cmocka_unit_test(a_root_is_the_outermost_that_matches),
	    cmocka_unit_test(small_and_deep_paths_are_left_out),
	    cmocka_unit_test(outputs_are_as_reviewed),
	};
	return cmocka_run_group_tests_name("analyze_calls", tests, make_store, remove_store);
}
