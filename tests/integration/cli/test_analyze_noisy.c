/* SPDX-License-Identifier: Apache-2.0 */
/* noisy on a store whose figures are plain, and the commands that it prints, as a shell and a pattern take them. */
#include "call_store.h"
#include "cli_answer.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS 1000u
#define EVIL (CALL_NAMES - 1u)

static struct scratch scratch;
static const char *program;

/* One a ms: of ten, six queries of 400 to 405 ns, one evil span of none, three renders of 1 ms. */
static int make_store(void **state) {
	static struct call_span spans[SPANS];
	(void)state;
	program = child_program("spanring-analyze");
	scratch_make(&scratch);
	for (uint32_t i = 0; i < SPANS; i++) {
		uint32_t kind = i % 10;
		spans[i] = (struct call_span){.trace = i,
		                              .start_ns = UINT64_C(1000000) * (i + 1),
		                              .duration_ns = kind < 6    ? 400 + kind
		                                             : kind == 6 ? 0
		                                                         : 1000000,
		                              .parent = -1,
		                              .name = kind < 6    ? 1
		                                      : kind == 6 ? EVIL
		                                                  : 3,
		                              .batch = i % CALL_BATCHES};
	}
	call_store_make(scratch.store, spans, SPANS);
	return 0;
}

static int remove_store(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static void places_have_their_figures(void **state) {
	const char *query = "\"name\": \"query\"";
	struct child_result result = cli_ask(scratch.store, "noisy STORE --json", "COLUMNS", "LC_ALL=C.UTF-8");
	(void)state;
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	cli_expect_number(result.out, "", "records", SPANS);
	/* from the first start to the end of the last render */
	cli_expect_number(result.out, "", "range_ns", 1e6 * (SPANS - 1) + 1e6);
	cli_expect_text(result.out, "", "span_cost_from", "\"constant\"");
	cli_expect_number(result.out, query, "count", 600);
	cli_expect_number(result.out, query, "share", 0.6);
	cli_expect_number(result.out, query, "spans_per_second", 600);
	cli_expect_number(result.out, query, "p50_ns", 402);
	cli_expect_number(result.out, query, "cost_ns", 600 * 23);
	cli_expect_number(result.out, query, "agent_cost_ns", 600 * 226);
	cli_expect_number(result.out, query, "cost_share", 23.0 / 402);
	cli_expect_text(result.out, query, "mute", "\"spanring-agent ctl all site 'query' disable\"");
	assert_non_null(strstr(strstr(result.out, query), "\"noisy\": true"));
	assert_non_null(strstr(strstr(result.out, "\"name\": \"render\""), "\"noisy\": false"));
	cli_expect_number(result.out, "\"name\": \"=evil", "cost_share", 1);
	child_result_free(&result);
	result =
	    cli_ask(scratch.store, "noisy STORE --json --span-cost 804ns --name query", "COLUMNS", "LC_ALL=C.UTF-8");
	cli_expect_number(result.out, query, "cost_share", 2);
	cli_expect_text(result.out, "", "span_cost_from", "\"option\"");
	cli_expect_number(result.out, query, "share", 1);
	assert_null(strstr(result.out, "render"));
	child_result_free(&result);
}

static void commands_can_be_pasted(void **state) {
	struct child_result result = cli_ask(scratch.store, "noisy STORE", "COLUMNS=80", "LC_ALL=C.UTF-8");
	char *at = result.out;
	bool matched[CALL_NAMES] = {false};
	(void)state;
	assert_null(strchr(result.out, '\x1b'));
	while ((at = strstr(at, "  spanring-agent ctl all site ")) != NULL) {
		char script[4096];
		char *end = strchr(at, '\n');
		(void)snprintf(script, sizeof(script),
		               "set -- %.*s; printf %%s \"$5\"; test $# = 6 && test \"$6\" = disable", (int)(end - at),
		               at);
		const char *argv[] = {"/bin/sh", "-c", script, NULL};
		struct child_result shell = child_run(argv, NULL);
		assert_int_equal(shell.exit_code, 0);
		for (uint32_t name = 0; name < CALL_NAMES; name++)
			matched[name] |= fnmatch(shell.out, call_names[name], 0) == 0;
		child_result_free(&shell);
		at = end;
	}
	for (uint32_t name = 0; name < CALL_NAMES; name++)
		assert_int_equal(matched[name], name == 1 || name == EVIL);
	child_result_free(&result);
}

static void outputs_are_as_reviewed(void **state) {
	static const char *const files[] = {"noisy-80.txt", "noisy-40.txt"};
	static const char *const columns[] = {"COLUMNS=80", "COLUMNS=40"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct child_result result =
		    cli_ask(scratch.store, "noisy STORE --strip-dirs", columns[i], "LC_ALL=C.UTF-8");
		/* how large the file is depends on SQLite */
		char *bytes = strstr(result.out, "muting these");
		assert_non_null(bytes);
		*bytes = 0;
		cli_expect_golden(files[i], result.out);
		child_result_free(&result);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_have_their_figures),
	    cmocka_unit_test(commands_can_be_pasted),
	    cmocka_unit_test(outputs_are_as_reviewed),
	};
	return cmocka_run_group_tests_name("analyze_noisy", tests, make_store, remove_store);
}
