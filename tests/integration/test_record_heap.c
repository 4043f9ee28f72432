/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `spanring-agent record --heap -- CMD` shows the heap bytes of CMD's spans, for a command that knows nothing of it, and
 * changes nothing else.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN "../lib/libheap_plugin.so"
#define HEAP_LIBRARY "libspanring_heap.so."

static struct session session;

static int set_up(void **state) {
	(void)state;
	session_open(&session);
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	session_close(&session);
	return 0;
}

/* record [--heap] -- command argument */
static struct child_result record(const char *agent, bool heap, const char *command, const char *argument,
                                  const char *const *environment) {
	const char *argv[10] = {agent, "record", "--quiet", "-o", session.scratch.store};
	size_t at = 5;
	if (heap)
		argv[at++] = "--heap";
	argv[at++] = "--";
	argv[at++] = command;
	argv[at++] = argument;
	return child_run(argv, environment);
}

static struct child_result analyze(const char *command) {
	const char *argv[] = {child_program("spanring-analyze"), command, "--json", session.scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	return result;
}

/* Number behind the first such key behind `from`. */
static int64_t number_after(const char *from, const char *key) {
	const char *found = from ? strstr(from, key) : NULL;
	assert_non_null(found);
	return strtoll(found + strlen(key), NULL, 10);
}

static int64_t rounded(int64_t bytes) {
	return (bytes + 8) / 16 * 16;
}

static void bytes_of_every_span_name(void **state) {
	(void)state;
	int64_t allocated, net;
	struct child_result result = record(child_program("spanring-agent"), true,
	                                    child_program("spanring-test-heap-static"), child_program(PLUGIN), NULL);
	assert_int_equal(result.exit_code, 0);
	assert_int_equal(sscanf(result.out, "%" SCNd64 " %" SCNd64, &allocated, &net), 2);
	assert_true(allocated >= 20000 && net >= 9000);
	child_result_free(&result);
	result = analyze("memory");
	assert_non_null(strstr(result.out, "\"heap_recorded\": true"));
	const char *line = strstr(result.out, "\"name\": \"main\"");
	assert_int_equal(number_after(line, "\"count\": "), 1);
	assert_int_equal(number_after(line, "\"heap_bytes\": "), rounded(allocated));
	assert_int_equal(number_after(line, "\"heap_max_bytes\": "), rounded(allocated));
	assert_int_equal(number_after(line, "\"heap_net_bytes\": "), rounded(net));
	line = strstr(result.out, "\"name\": \"thread\"");
	assert_int_equal(number_after(line, "\"heap_bytes\": "), 0);
	assert_true(number_after(line, "\"heap_net_bytes\": ") <= -10000);
	child_result_free(&result);
	session_check_audit(&session);
}

static void without_the_flag_nothing_is_counted(void **state) {
	(void)state;
	struct child_result result = record(child_program("spanring-agent"), false,
	                                    child_program("spanring-test-heap-static"), child_program(PLUGIN), NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	result = analyze("memory");
	assert_non_null(strstr(result.out, "\"heap_recorded\": false"));
	child_result_free(&result);
}

/* Counts by name, as the indexer prints them. */
static char *counts(const char *out) {
	const char *first = strstr(out, "spans begun by name");
	assert_non_null(first);
	char *text = strdup(first);
	assert_non_null(text);
	return text;
}

static void a_counted_program_does_the_same(void **state) {
	(void)state;
	const char *agent = child_program("spanring-agent");
	const char *indexer = child_program("indexer");
	struct child_result plain = record(agent, false, indexer, SPANRING_TEST_FOLDER, NULL);
	struct child_result counted = record(agent, true, indexer, SPANRING_TEST_FOLDER, NULL);
	assert_int_equal(plain.exit_code, 0);
	assert_int_equal(counted.exit_code, 0);
	char *before = counts(plain.out);
	char *after = counts(counted.out);
	assert_string_equal(before, after);
	free(before);
	free(after);
	child_result_free(&plain);
	child_result_free(&counted);
	session_check_audit(&session);
	struct child_result result = analyze("memory");
	assert_non_null(strstr(result.out, "\"heap_recorded\": true"));
	assert_true(number_after(strstr(result.out, "\"name\": \"file\""), "\"heap_bytes\": ") > 0);
	child_result_free(&result);
}

static void what_was_preloaded_stays(void **state) {
	(void)state;
	char preload[1024], wanted[1040];
	static const char script[] = "printf '%s' \"${LD_PRELOAD##*/libspanring_heap.so.}\"";
	const char *agent = child_program("spanring-agent");
	(void)snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", child_program(PLUGIN));
	const char *environment[] = {preload, NULL};
	const char *argv[] = {agent,     "record", "--quiet", "-o", session.scratch.store, "--heap", "--",
	                      "/bin/sh", "-c",     script,    NULL};
	struct child_result result = child_run(argv, environment);
	assert_int_equal(result.exit_code, 0);
	(void)snprintf(wanted, sizeof(wanted), "0:%s", child_program(PLUGIN));
	assert_string_equal(result.out, wanted);
	child_result_free(&result);
}

static void copy(const char *from, const char *to) {
	const char *argv[] = {"/bin/cp", from, to, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
}

static void check_refused(const char *agent, const char *why) {
	struct child_result result = record(agent, true, "/bin/echo", "not started", NULL);
	assert_int_equal(result.exit_code, 3);
	assert_string_equal(result.out, "");
	assert_non_null(strstr(result.err, HEAP_LIBRARY));
	assert_non_null(strstr(result.err, why));
	assert_true(access(session.scratch.store, F_OK) != 0);
	child_result_free(&result);
}

static void a_library_that_cannot_be_preloaded(void **state) {
	(void)state;
	char folder[SCRATCH_PATH_BYTES + 16], agent[SCRATCH_PATH_BYTES + 64], library[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(folder, sizeof(folder), "%s/a b", session.scratch.files);
	(void)snprintf(agent, sizeof(agent), "%s/spanring-agent", folder);
	(void)snprintf(library, sizeof(library), "%s/" HEAP_LIBRARY "0", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	copy(child_program("spanring-agent"), agent);
	check_refused(agent, "No such file or directory");
	copy(child_program("../lib/" HEAP_LIBRARY "0"), library);
	check_refused(agent, "space");
}

static void the_flag_belongs_to_record(void **state) {
	(void)state;
	const char *argv[] = {child_program("spanring-agent"), "status", "--heap", NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 2);
	assert_non_null(strstr(result.err, "--heap belongs to record"));
	child_result_free(&result);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bytes_of_every_span_name, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_the_flag_nothing_is_counted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_counted_program_does_the_same, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_preloaded_stays, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_library_that_cannot_be_preloaded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_flag_belongs_to_record, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("record_heap", tests, NULL, NULL);
}
