/* SPDX-License-Identifier: Apache-2.0 */
/* Test mode as a user's test meets it: what is recorded, its clock and ids, reset, and that nothing is left anywhere. */
#define SPANRING_SCOPE (&testing_scope)
#include "support/cmocka.h"

#include "ring_view.h"

#include <dirent.h>
#include <errno.h>
#include <spanring/context.h>
#include <spanring/testing.h>
#include <string.h>

#define START SPANRING_TESTING_CLOCK_NS
#define STEP SPANRING_TESTING_STEP_NS

static const struct spanring_scope testing_scope = {"test.testing", "4.5"};

static unsigned entries_in(const char *path) {
	unsigned count = 0;
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return count;
}

/* In a process of its own, which leaves nothing in the ring directory. */
static void run(void (*scenario)(void)) {
	(void)view_run(view_scratch.rings, scenario, VIEW_EXIT);
	assert_int_equal(entries_in(view_scratch.rings), 0);
}

static uint64_t misuse(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters.misuse;
}

/* --- spans -------------------------------------------------------------------------------------------------------- */

static void fail_inside(void) {
	SPANRING_SPAN_KIND(outer, "outer", SPANRING_KIND_SERVER);
	SPANRING_SPAN(inner, "inner");
	spanring_set_status(inner, SPANRING_STATUS_ERROR, "no such file");
}

static void spans(void) {
	CHECK(spanring_testing_start() == 0 && spanring_testing_active());
	CHECK(spanring_testing_count() == 0 && !spanring_testing_next(NULL) && !spanring_testing_find("inner"));
	fail_inside();
	const struct spanring_testing_span *inner = spanring_testing_next(NULL);
	const struct spanring_testing_span *outer = spanring_testing_next(inner);
	CHECK(inner && outer && !spanring_testing_next(outer) && spanring_testing_count() == 2);
	CHECK(strcmp(inner->name, "inner") == 0 && strcmp(outer->name, "outer") == 0);
	CHECK(outer->span_id == 1 && outer->parent_id == 0 && inner->span_id == 2 && inner->parent_id == 1);
	CHECK(outer->start_ns == START + STEP && inner->start_ns == START + 2 * STEP);
	CHECK(inner->duration_ns == STEP && outer->duration_ns == 3 * STEP);
	CHECK(outer->trace_hi == 1 && outer->trace_lo != 0 && inner->trace_lo == outer->trace_lo);
	CHECK(outer->kind == SPANRING_KIND_SERVER && inner->kind == SPANRING_KIND_INTERNAL);
	CHECK(outer->status == SPANRING_STATUS_UNSET && !outer->status_description);
	CHECK(inner->status == SPANRING_STATUS_ERROR && strcmp(inner->status_description, "no such file") == 0);
	CHECK(inner->attribute_count == 0 && !inner->attributes && !inner->events && !inner->links);
	CHECK(strcmp(inner->scope_name, "test.testing") == 0 && strcmp(inner->scope_version, "4.5") == 0);
	CHECK(strcmp(inner->file, __FILE__) == 0 && inner->line == outer->line + 1);
	CHECK(inner->thread == 1 && !inner->is_open && !inner->is_unfinished && !inner->has_remote_parent);
	CHECK(spanring_testing_find("inner") == inner && spanring_testing_span_of(1) == outer);
	CHECK(!spanring_testing_find("neither") && !spanring_testing_span_of(0) && !spanring_testing_span_of(3));
	fail_inside();
	CHECK(spanring_testing_next_named(inner, "inner")->span_id == 4);
	CHECK(!spanring_testing_next_named(spanring_testing_next_named(inner, "inner"), "inner"));
	CHECK(spanring_testing_lost() == 0);
}

static void test_spans(void **state) {
	(void)state;
	run(spans);
}

static void no_scope_and_last_status(void) {
	static struct spanring_site site = SPANRING_SITE_INIT_SCOPE("bare", SPANRING_KIND_CLIENT, NULL);
	static const struct spanring_scope nameless = {"only.name", NULL};
	static struct spanring_site other = SPANRING_SITE_INIT_SCOPE("named", SPANRING_KIND_CLIENT, &nameless);
	CHECK(spanring_testing_start() == 0);
	struct spanring_span span = spanring_begin(&site);
	spanring_set_status(span, SPANRING_STATUS_ERROR, "first try");
	spanring_set_status(span, SPANRING_STATUS_OK, NULL);
	spanring_end(span);
	spanring_end(spanring_begin(&other));
	CHECK(!spanring_testing_find("bare")->scope_name && !spanring_testing_find("bare")->status_description);
	CHECK(spanring_testing_find("bare")->status == SPANRING_STATUS_OK);
	CHECK(strcmp(spanring_testing_find("named")->scope_name, "only.name") == 0);
	CHECK(!spanring_testing_find("named")->scope_version);
}

static void test_no_scope_and_last_status(void **state) {
	(void)state;
	run(no_scope_and_last_status);
}

static void remote_parents(void) {
	static struct spanring_site site = SPANRING_SITE_INIT("remote", SPANRING_KIND_INTERNAL);
	const struct spanring_context parent = {0xabc, 0xdef, 77, 0, 0};
	const struct spanring_begin_options options = {&parent, SPANRING_KIND_CONSUMER, true};
	CHECK(spanring_testing_start() == 0);
	struct spanring_span span = spanring_begin_with(&site, &options);
	struct spanring_context context = spanring_context_of(span);
	spanring_end(span);
	const struct spanring_testing_span *seen = spanring_testing_find("remote");
	CHECK(seen->trace_hi == 0xabc && seen->trace_lo == 0xdef && seen->parent_id == 77 && seen->has_remote_parent);
	CHECK(seen->kind == SPANRING_KIND_CONSUMER && context.span_id == seen->span_id && seen->span_id == 1);
}

static void test_remote_parents(void **state) {
	(void)state;
	run(remote_parents);
}

/* --- what a span carries ------------------------------------------------------------------------------------------ */

static const struct spanring_testing_attribute *attribute(const char *key) {
	return spanring_testing_attribute_of(spanring_testing_find("carrier")->attributes, key);
}

static void attributes(void) {
	static struct spanring_key bytes = SPANRING_KEY_INIT("bytes");
	char longest[SPANRING_STRING_VALUE_MAX + 1];
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK(spanring_testing_start() == 0);
	SPANRING_BEGIN(span, "carrier");
	SPANRING_SET_BOOL(span, "bool", true);
	SPANRING_SET_I64(span, "i64", INT64_MIN);
	SPANRING_SET_U64(span, "u64", UINT64_MAX);
	SPANRING_SET_F64(span, "f64", 0.1);
	SPANRING_SET_STRING(span, "string", "thirty-three bytes and one more..");
	SPANRING_SET_STRING(span, "longest", longest);
	SPANRING_SET_STRING(span, "none", NULL);
	spanring_set_bytes(span, &bytes, "a\0b", 3);
	SPANRING_SET_I64(span, "twice", 1);
	SPANRING_SET_I64(span, "twice", 2);
	spanring_end(span);
	const struct spanring_testing_span *carrier = spanring_testing_find("carrier");
	CHECK(carrier->attribute_count == 10 && strcmp(carrier->attributes->key, "bool") == 0);
	CHECK(attribute("bool")->type == SPANRING_VALUE_BOOL && attribute("bool")->value.boolean);
	CHECK(attribute("i64")->type == SPANRING_VALUE_I64 && attribute("i64")->value.i64 == INT64_MIN);
	CHECK(attribute("u64")->type == SPANRING_VALUE_U64 && attribute("u64")->value.u64 == UINT64_MAX);
	CHECK(attribute("f64")->type == SPANRING_VALUE_F64 && !(attribute("f64")->value.f64 < 0.1) &&
	      !(attribute("f64")->value.f64 > 0.1));
	CHECK(attribute("string")->type == SPANRING_VALUE_STRING && attribute("string")->string_bytes == 33);
	CHECK(strcmp(attribute("string")->value.string, "thirty-three bytes and one more..") == 0);
	CHECK(attribute("longest")->string_bytes == sizeof(longest) - 1);
	CHECK(strcmp(attribute("longest")->value.string, longest) == 0);
	CHECK(attribute("none")->string_bytes == 0 && attribute("none")->value.string[0] == '\0');
	CHECK(attribute("bytes")->string_bytes == 3 && memcmp(attribute("bytes")->value.string, "a\0b", 4) == 0);
	CHECK(attribute("twice")->value.i64 == 2 && !attribute("twice")->next && !attribute("absent"));
}

static void test_attributes(void **state) {
	(void)state;
	run(attributes);
}

static void events_and_links(void) {
	static struct spanring_key name = SPANRING_KEY_INIT("retry");
	static struct spanring_key attempt = SPANRING_KEY_INIT("attempt");
	const struct spanring_attribute with[] = {spanring_attribute_u64(&attempt, 2)};
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	CHECK(spanring_testing_start() == 0);
	SPANRING_BEGIN(span, "eventful");
	SPANRING_EVENT(span, "connected");
	spanring_event_with(span, &name, with, 1);
	spanring_link(span, &linked);
	SPANRING_SET_U64(span, "attempt", 9);
	spanring_end(span);
	const struct spanring_testing_span *seen = spanring_testing_find("eventful");
	const struct spanring_testing_event *first = seen->events;
	const struct spanring_testing_event *retry = spanring_testing_event_of(seen, "retry");
	CHECK(seen->event_count == 2 && strcmp(first->name, "connected") == 0 && first->attribute_count == 0);
	CHECK(first->time_ns == START + 2 * STEP && first->next == retry && !retry->next);
	CHECK(retry->time_ns == START + 3 * STEP && seen->duration_ns == 3 * STEP);
	CHECK(retry->attribute_count == 1 && retry->attributes->value.u64 == 2);
	CHECK(seen->attribute_count == 1 && seen->attributes->value.u64 == 9);
	CHECK(seen->link_count == 1 && seen->links->linked.trace_hi == 1 && seen->links->linked.trace_lo == 2);
	CHECK(seen->links->linked.span_id == 3 && !seen->links->next && !spanring_testing_event_of(seen, "other"));
}

static void test_events_and_links(void **state) {
	(void)state;
	run(events_and_links);
}

static void open_spans(void) {
	CHECK(spanring_testing_start() == 0 && !spanring_testing_next_open(NULL));
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(inner, "inner");
	SPANRING_SET_I64(inner, "rows", 7);
	spanring_set_status(inner, SPANRING_STATUS_ERROR, "half way");
	const struct spanring_testing_span *first = spanring_testing_next_open(NULL);
	const struct spanring_testing_span *second = spanring_testing_next_open(first);
	CHECK(first && second && !spanring_testing_next_open(second) && spanring_testing_count() == 0);
	CHECK(strcmp(first->name, "outer") == 0 && first->is_open && first->duration_ns == 0);
	CHECK(second->parent_id == first->span_id && second->attributes->value.i64 == 7);
	CHECK(strcmp(second->status_description, "half way") == 0 && spanring_testing_span_of(2) == second);
	spanring_end(inner);
	CHECK(spanring_testing_next_open(NULL) == first && !spanring_testing_next_open(first));
	CHECK(spanring_testing_find("inner") == second && !second->is_open && second->duration_ns == STEP);
	spanring_end(outer);
	CHECK(!spanring_testing_next_open(NULL) && spanring_testing_count() == 2);
	SPANRING_BEGIN(left, "left");
	(void)left;
	spanring_shutdown();
	CHECK(spanring_testing_find("left")->is_unfinished && !spanring_testing_next_open(NULL));
	SPANRING_BEGIN(late, "late");
	CHECK(late.span_id == 0 && spanring_testing_count() == 3);
}

static void test_open_spans(void **state) {
	(void)state;
	run(open_spans);
}

/* --- clock and ids ------------------------------------------------------------------------------------------------ */

static void injected_clock(void) {
	CHECK(spanring_testing_start() == 0 && spanring_testing_clock_now() == START);
	CHECK(spanring_testing_clock_set(START - 1) == -EINVAL && spanring_testing_clock_set(START + 500) == 0);
	SPANRING_BEGIN(span, "timed");
	CHECK(spanring_testing_clock_advance(250) == 0);
	SPANRING_EVENT(span, "then");
	CHECK(spanring_testing_clock_advance(UINT64_MAX) == -EINVAL && spanring_testing_clock_advance(50) == 0);
	spanring_end(span);
	const struct spanring_testing_span *timed = spanring_testing_find("timed");
	CHECK(timed->start_ns == START + 500 && timed->duration_ns == 300);
	CHECK(timed->events->time_ns == START + 750 && spanring_testing_clock_now() == START + 800);
	CHECK(spanring_testing_clock_step(10) == 0);
	SPANRING_BEGIN(stepped, "stepped");
	spanring_end(stepped);
	CHECK(spanring_testing_find("stepped")->duration_ns == 10);
	CHECK(spanring_testing_clock_now() == START + 820);
	CHECK(spanring_testing_clock_step(0) == 0);
	SPANRING_BEGIN(still, "still");
	spanring_end(still);
	CHECK(spanring_testing_find("still")->duration_ns == 0);
}

static void test_injected_clock(void **state) {
	(void)state;
	run(injected_clock);
}

static void quiet_functions(void) {
	char log[SPANRING_LOG_TEXT_BYTES];
	struct spanring_counters counters;
	CHECK(spanring_testing_start() == 0);
	SPANRING_BEGIN(span, "measured");
	SPANRING_SET_I64(span, "key", 1);
	CHECK(spanring_flush(0) == 0 && spanring_flush(1000) == 0 && spanring_flush(UINT64_MAX) == 0);
	spanring_counters_read(&counters);
	(void)spanring_log_text(log);
	(void)spanring_context_of(span);
	(void)spanring_testing_next_open(NULL);
	spanring_end(span);
	CHECK(counters.begun == 1 && counters.open == 1 && counters.reason == SPANRING_REASON_NONE);
	CHECK(spanring_testing_find("measured")->duration_ns == STEP);
}

static void test_only_spans_read_the_clock(void **state) {
	(void)state;
	run(quiet_functions);
}

/* Fixed for ever: what users keep beside their tests must stay true. */
static void fixed_ids(void) {
	static const char *const expected[] = {
	    "00-0000000000000001c19c91beb285f041-0000000000000001-01",
	    "00-00000000000000012644a5d7d75afddc-0000000000000002-01",
	};
	CHECK(spanring_testing_start() == 0);
	for (int i = 0; i < 2; i++) {
		char parent[SPANRING_TRACEPARENT_BYTES];
		SPANRING_BEGIN(span, "root");
		const struct spanring_context context = spanring_context_of(span);
		(void)spanring_traceparent_inject(&context, SPANRING_FLAG_SAMPLED, parent);
		spanring_end(span);
		if (strcmp(parent, expected[i]) != 0)
			fprintf(stderr, "got %s\n", parent);
		CHECK(strcmp(parent, expected[i]) == 0);
	}
}

static void test_ids_are_fixed(void **state) {
	(void)state;
	run(fixed_ids);
}

/* --- reset -------------------------------------------------------------------------------------------------------- */

static void reset_begins_anew(void) {
	CHECK(spanring_testing_start() == 0);
	for (int round = 0; round < 3; round++) {
		fail_inside();
		SPANRING_BEGIN(forgotten, "forgotten");
		SPANRING_SET_I64(forgotten, "key", 1);
		const struct spanring_testing_span *inner = spanring_testing_find("inner");
		CHECK(spanring_testing_count() == 2 && inner->span_id == 2 && inner->start_ns == START + 2 * STEP);
		CHECK(spanring_testing_next_open(NULL)->span_id == 3);
		CHECK(spanring_testing_clock_advance(12345) == 0);
		CHECK(spanring_testing_reset() == 0);
		CHECK(spanring_testing_count() == 0 && !spanring_testing_next(NULL) && !spanring_testing_span_of(2));
		CHECK(!spanring_testing_next_open(NULL) && spanring_testing_clock_now() == START);
		CHECK(spanring_testing_lost() == 0);
		uint64_t before = misuse();
		spanring_end(forgotten);
		CHECK(misuse() == before + 1 && spanring_testing_count() == 0);
		/* The stale end read the clock. */
		CHECK(spanring_testing_clock_now() == START + STEP && spanring_testing_reset() == 0);
	}
}

static void test_reset_begins_anew(void **state) {
	(void)state;
	run(reset_begins_anew);
}

/* --- rings -------------------------------------------------------------------------------------------------------- */

#define SMALL_RING_RECORDS (SPANRING_RING_BYTES_MIN / SPANRING_RECORD_BYTES)

static void full_ring(void) {
	setenv("SPANRING_RING_BYTES", "65536", 1);
	CHECK(spanring_testing_start() == 0);
	/* One slot holds the record of the thread. */
	for (unsigned i = 0; i < SMALL_RING_RECORDS + 9; i++) {
		SPANRING_BEGIN(span, "many");
		spanring_end(span);
	}
	CHECK(spanring_testing_lost() == 10 && spanring_testing_count() == SMALL_RING_RECORDS - 1);
	CHECK(spanring_testing_reset() == 0 && spanring_testing_lost() == 0);
	for (unsigned i = 0; i < 10 * SMALL_RING_RECORDS; i++) {
		SPANRING_BEGIN(span, "read in between");
		SPANRING_SET_STRING(span, "text", "a value that takes more than one record to keep");
		spanring_end(span);
		if (i % 100 == 0)
			CHECK(spanring_testing_count() == i + 1);
	}
	CHECK(spanring_testing_lost() == 0 && spanring_testing_count() == (uint64_t)10 * SMALL_RING_RECORDS);
	unsigned seen = 0;
	for (const struct spanring_testing_span *span = spanring_testing_next(NULL); span; seen++) {
		CHECK(span->span_id == seen + 1 && span->attribute_count == 1 && span->attributes->string_bytes == 47);
		span = spanring_testing_next(span);
	}
	CHECK(seen == 10 * SMALL_RING_RECORDS);
}

static void test_full_ring(void **state) {
	(void)state;
	run(full_ring);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void text(void) {
	static const char expected[] = "span 2 \"in\\x22ner\\x0a\" client unset\n"
	                               "  trace 0000000000000001.c19c91beb285f041 parent 1 thread 1 start 1000002000 "
	                               "duration 2000\n"
	                               "  scope \"test.testing\" \"4.5\"\n"
	                               "  attribute \"ratio\" f64 0.5\n"
	                               "  attribute \"cold\" bool false\n"
	                               "  event \"retry\" 1000003000\n"
	                               "    attribute \"attempt\" i64 -2\n"
	                               "  link 0000000000000001.0000000000000002 3\n"
	                               "span 1 \"outer\" internal error \"no\"\n"
	                               "  trace 0000000000000001.c19c91beb285f041 parent 0 thread 1 start 1000001000 "
	                               "duration 4000\n"
	                               "  scope \"test.testing\" \"4.5\"\n"
	                               "  attribute \"size\" u64 9\n"
	                               "  attribute \"path\" string \"a\\x5cb\"\n";
	static struct spanring_key name = SPANRING_KEY_INIT("retry");
	static struct spanring_key attempt = SPANRING_KEY_INIT("attempt");
	const struct spanring_attribute with[] = {spanring_attribute_i64(&attempt, -2)};
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	char got[2048], start[8];
	CHECK(spanring_testing_start() == 0 && spanring_testing_text(NULL, 0) == 0);
	SPANRING_BEGIN(outer, "outer");
	SPANRING_SET_U64(outer, "size", 9);
	SPANRING_SET_STRING(outer, "path", "a\\b");
	spanring_set_status(outer, SPANRING_STATUS_ERROR, "no");
	SPANRING_BEGIN_KIND(inner, "in\"ner\n", SPANRING_KIND_CLIENT);
	SPANRING_SET_F64(inner, "ratio", 0.5);
	SPANRING_SET_BOOL(inner, "cold", false);
	spanring_event_with(inner, &name, with, 1);
	spanring_link(inner, &linked);
	spanring_end(inner);
	spanring_end(outer);
	CHECK(spanring_testing_text(got, sizeof(got)) == sizeof(expected) - 1);
	if (strcmp(got, expected) != 0)
		fputs(got, stderr);
	CHECK(strcmp(got, expected) == 0);
	CHECK(spanring_testing_text(start, sizeof(start)) == sizeof(expected) - 1 && strcmp(start, "span 2 ") == 0);
	CHECK(spanring_testing_text(NULL, 0) == sizeof(expected) - 1);
}

static void test_text(void **state) {
	(void)state;
	run(text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_spans),
	    VIEW_TEST(test_no_scope_and_last_status),
	    VIEW_TEST(test_remote_parents),
	    VIEW_TEST(test_attributes),
	    VIEW_TEST(test_events_and_links),
	    VIEW_TEST(test_open_spans),
	    VIEW_TEST(test_injected_clock),
	    VIEW_TEST(test_only_spans_read_the_clock),
	    VIEW_TEST(test_ids_are_fixed),
	    VIEW_TEST(test_reset_begins_anew),
	    VIEW_TEST(test_full_ring),
	    VIEW_TEST(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
