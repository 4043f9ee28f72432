/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a trace goes on in a child process that gets its context through the environment, and all of OpenTelemetry's data model
 * arrives in the store and in what the analyzer says.
 * Method: a program that runs itself; the store is read back, then asked.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "libstore/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct found {
	const struct store_overview *overview;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t parent_id;    /* of the span "parent" */
	uint64_t child_id;     /* of the span "child" */
	uint64_t child_parent; /* what the child says */
	uint64_t child_trace;
	uint32_t links;
	uint32_t event_attributes;
};

static int take_batch(void *context, const struct store_columns *columns) {
	struct found *found = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		const struct store_site *site = &columns->segment->sites[columns->site[i]];
		assert_string_equal(found->overview->names[site->scope_name], "test.context");
		assert_string_equal(found->overview->names[site->scope_version], "4.5.6");
		if (strcmp(found->overview->names[site->name], "parent") == 0) {
			found->trace_hi = columns->trace_hi[i];
			found->trace_lo = columns->trace_lo[i];
			found->parent_id = columns->span_id[i];
		} else {
			found->child_id = columns->span_id[i];
			found->child_parent = columns->parent_id[i];
			found->child_trace = columns->trace_lo[i];
		}
	}
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		found->event_attributes += columns->attributes[i].event_index == 1;
	found->links += columns->link_count;
	for (uint32_t i = 0; i < columns->link_count; i++)
		if (columns->links[i].linked_trace_hi == 7)
			assert_true(columns->links[i].linked_trace_lo == 8 && columns->links[i].linked_span_id == 9);
	return 0;
}

static void run_program(const struct session *session) {
	const char *argv[] = {child_program("spanring-test-context"), NULL};
	const char *environment[] = {session->environment,
	                             "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test,place=a%2Cb",
	                             "OTEL_SPAN_EVENT_COUNT_LIMIT=1", "TRACEPARENT", NULL};
	struct child_result result = child_run(argv, environment);
	if (result.exit_code != 0)
		fail_msg("program exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
}

static void check_store(const struct session *session, struct found *ret_found) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	memset(ret_found, 0, sizeof(*ret_found));
	assert_int_equal(store_reader_open(session->scratch.store, &reader, text, sizeof(text)), 0);
	ret_found->overview = store_reader_overview(reader);
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = ret_found};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_int_equal(ret_found->overview->process_count, 2);
	uint64_t over = 0;
	for (size_t i = 0; i < 2; i++) {
		const struct store_process_view *process = &ret_found->overview->processes[i];
		assert_string_equal(process->resource, "deployment.environment=test,place=a%2Cb");
		over += process->account.limits.events_over_limit;
	}
	assert_int_equal(over, 1);
	uint64_t links = 0;
	for (size_t i = 0; i < ret_found->overview->segment_count; i++)
		links += ret_found->overview->segments[i].links;
	assert_int_equal(links, 2);
	store_reader_close(reader);
}

static void check_answer(const char *const *argv, const char *const *expected) {
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	for (; *expected; expected++)
		if (!strstr(result.out, *expected))
			fail_msg("%s: \"%s\" is not in: %s", argv[1], *expected, result.out);
	child_result_free(&result);
}

static void check_answers(const struct session *session, const struct found *found) {
	char trace[33];
	char link[64];
	(void)snprintf(trace, sizeof(trace), "%016" PRIx64 "%016" PRIx64, found->trace_hi, found->trace_lo);
	(void)snprintf(link, sizeof(link), "-> this trace, span %016" PRIx64, found->parent_id);
	const char *program = child_program("spanring-analyze");
	const char *store = session->scratch.store;
	const char *const plain[] = {program, "trace", trace, store, NULL};
	const char *const in_plain[] = {"attempt = 2", link,
	                                "-> trace 00000000000000070000000000000008 span 0000000000000009",
	                                "Anna & Bert", NULL};
	check_answer(plain, in_plain);
	const char *const json[] = {program, "trace", trace, store, "--json", NULL};
	const char *const in_json[] = {"\"links\":",       "\"00000000000000070000000000000008\"",
	                               "\"test.context\"", "\"4.5.6\"",
	                               "\"attempt\":",     NULL};
	check_answer(json, in_json);
	const char *const info[] = {program, "info", store, "--json", NULL};
	const char *const in_info[] = {"\"deployment.environment\":",
	                               "\"a,b\"",
	                               "\"events_over_limit\":",
	                               "\"scopes\":",
	                               "\"test.context\"",
	                               NULL};
	check_answer(info, in_info);
	const char *const verify[] = {program, "verify", store, NULL};
	const char *const in_verify[] = {NULL};
	check_answer(verify, in_verify);
}

static void one_trace_in_two_processes(void **state) {
	(void)state;
	struct session session;
	struct found found;
	session_open(&session);
	session_start_agent(&session);
	run_program(&session);
	session_stop_agent(&session);
	check_store(&session, &found);
	assert_true(found.parent_id != 0 && found.child_parent == found.parent_id);
	assert_true(found.child_trace == found.trace_lo);
	assert_int_equal(found.links, 2);
	assert_int_equal(found.event_attributes, 1);
	check_answers(&session, &found);
	session_check_audit(&session);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_trace_in_two_processes),
	};
	return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}
