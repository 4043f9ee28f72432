/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTelemetry's data model as it is recorded: links, events with attributes, arrays, scope, resource, limits of one span. */
#define SPANRING_SCOPE (&model_scope)
#include "support/cmocka.h"

#include "ring_view.h"

#include <spanring/spanring.h>
#include <string.h>

static const struct spanring_scope model_scope = {"test.model", "1.2.3"};

static struct spanring_counters counters_now(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters;
}

static void links(void) {
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	const struct spanring_context no_span = {1, 2, 0, 0, 0};
	const struct spanring_context no_trace = {0, 0, 3, 0, 0};
	SPANRING_SPAN(span, "linked");
	spanring_link(span, &linked);
	spanring_link(span, &no_span);
	spanring_link(span, &no_trace);
	CHECK(counters_now().misuse == 2);
	spanring_link((struct spanring_span){0}, &linked);
	CHECK(counters_now().misuse == 2);
	spanring_link((struct spanring_span){99}, &linked);
	CHECK(counters_now().misuse == 3);
}

static void test_links(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, links, VIEW_EXIT));
	const struct spanring_span_record *span = view_span(view, "linked");
	const union spanring_record *record = view_record(view, SPANRING_RECORD_LINK, 0);
	assert_int_equal(view_count(view, SPANRING_RECORD_LINK), 1);
	assert_non_null(record);
	assert_true(record->link.span_id == span->span_id && record->link.trace_lo == span->trace_lo);
	assert_true(record->link.linked_trace_hi == 1 && record->link.linked_trace_lo == 2);
	assert_true(record->link.linked_span_id == 3);
	view_close(view);
}

static void arrays(void) {
	static struct spanring_key truth = SPANRING_KEY_INIT("truth");
	static struct spanring_key number = SPANRING_KEY_INIT("number");
	static struct spanring_key size = SPANRING_KEY_INIT("size");
	static struct spanring_key ratio = SPANRING_KEY_INIT("ratio");
	static struct spanring_key text = SPANRING_KEY_INIT("text");
	static struct spanring_key part = SPANRING_KEY_INIT("part");
	struct spanring_attribute attributes[] = {
	    spanring_attribute_bool(&truth, true),     spanring_attribute_i64(&number, -7),
	    spanring_attribute_u64(&size, UINT64_MAX), spanring_attribute_f64(&ratio, 0.5),
	    spanring_attribute_string(&text, "abc"),   spanring_attribute_bytes(&part, "abcdef", 4),
	    spanring_attribute_u64(NULL, 1),           spanring_attribute_u64(&size, 1),
	};
	attributes[7].type = 77;
	SPANRING_SPAN(span, "array");
	spanring_set_attributes(span, attributes, 8);
	CHECK(counters_now().misuse == 2);
	spanring_set_attributes(span, NULL, 0);
	spanring_set_attributes((struct spanring_span){0}, attributes, 8);
	CHECK(counters_now().misuse == 2);
}

static uint64_t number_of(const struct view_instance *view, uint64_t span_id, const char *key) {
	uint64_t value;
	const struct spanring_attribute_record *attribute = view_attribute(view, span_id, key);
	assert_non_null(attribute);
	memcpy(&value, attribute->value, sizeof(value));
	return value;
}

static void test_arrays(void **state) {
	(void)state;
	char text[SPANRING_STRING_VALUE_MAX];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, arrays, VIEW_EXIT));
	uint64_t span = view_span(view, "array")->span_id;
	double ratio = 0.5;
	uint64_t ratio_word;
	memcpy(&ratio_word, &ratio, sizeof(ratio));
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 6);
	assert_int_equal(number_of(view, span, "truth"), 1);
	assert_true(number_of(view, span, "number") == (uint64_t)-7);
	assert_true(number_of(view, span, "size") == UINT64_MAX);
	assert_true(number_of(view, span, "ratio") == ratio_word);
	assert_int_equal(view_string_value(view, view_attribute(view, span, "text"), text), 3);
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(view_string_value(view, view_attribute(view, span, "part"), text), 4);
	view_close(view);
}

static void events(void) {
	static struct spanring_key name = SPANRING_KEY_INIT("retry");
	static struct spanring_key attempt = SPANRING_KEY_INIT("attempt");
	SPANRING_SPAN(span, "eventful");
	SPANRING_EVENT(span, "first");
	const struct spanring_attribute attributes[] = {spanring_attribute_u64(&attempt, 2)};
	spanring_event_with(span, &name, attributes, 1);
	spanring_event_with(span, &name, NULL, 0);
}

static void test_events_with_attributes(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, events, VIEW_EXIT));
	uint64_t span = view_span(view, "eventful")->span_id;
	assert_int_equal(view_count(view, SPANRING_RECORD_EVENT), 3);
	assert_int_equal(view_record(view, SPANRING_RECORD_EVENT, 2)->event.event_index, 3);
	const struct spanring_attribute_record *attribute = view_attribute(view, span, "attempt");
	assert_non_null(attribute);
	assert_int_equal(attribute->event_index, 2);
	view_close(view);
}

static unsigned evaluated;

static uint64_t expensive(void) {
	return ++evaluated;
}

static void lazy(void) {
	struct spanring_span empty = {0};
	SPANRING_SET_U64(empty, "value", expensive());
	SPANRING_SET_STRING(empty, "value", expensive() ? "a" : "b");
	CHECK(evaluated == 0);
	SPANRING_SPAN(span, "lazy");
	SPANRING_SET_U64(span, "value", expensive());
	CHECK(evaluated == 1);
}

static void test_values_are_evaluated_for_recorded_spans_only(void **state) {
	(void)state;
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, lazy, VIEW_EXIT)));
}

static void scoped(void) {
	static const struct spanring_scope other = {"test.other", NULL};
	static struct spanring_site other_site = SPANRING_SITE_INIT_SCOPE("other", SPANRING_KIND_INTERNAL, &other);
	static struct spanring_site bare_site = SPANRING_SITE_INIT_SCOPE("bare", SPANRING_KIND_INTERNAL, NULL);
	SPANRING_SPAN(span, "scoped");
	spanring_end(spanring_begin(&other_site));
	spanring_end(spanring_begin(&bare_site));
}

static struct spanring_site_entry site_of(const struct view_instance *view, const char *name) {
	struct spanring_site_entry entry;
	uint64_t offset = SPANRING_SITE_TABLE_OFFSET + (view_span(view, name)->tail.ref - 1u) * sizeof(entry);
	memcpy(&entry, view->process + offset, sizeof(entry));
	return entry;
}

static void test_scope(void **state) {
	(void)state;
	char text[256];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, scoped, VIEW_EXIT));
	(void)view_text(view, site_of(view, "scoped").scope_name, text);
	assert_string_equal(text, "test.model");
	(void)view_text(view, site_of(view, "scoped").scope_version, text);
	assert_string_equal(text, "1.2.3");
	(void)view_text(view, site_of(view, "other").scope_name, text);
	assert_string_equal(text, "test.other");
	assert_int_equal(site_of(view, "other").scope_version, 0);
	assert_int_equal(site_of(view, "bare").scope_name, 0);
	view_close(view);
}

static void one_span(void) {
	SPANRING_SPAN(span, "one");
}

static void check_resource(const char *variable, const char *expected, uint32_t left_out) {
	assert_int_equal(setenv("OTEL_RESOURCE_ATTRIBUTES", variable, 1), 0);
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, one_span, VIEW_EXIT));
	assert_string_equal(view->header->resource, expected);
	assert_int_equal(view->header->resource_left_out, left_out);
	assert_int_equal(unsetenv("OTEL_RESOURCE_ATTRIBUTES"), 0);
	view_close(view);
}

static void test_resource(void **state) {
	(void)state;
	char longest[900] = "a=";
	char expected[900];
	check_resource("", "", 0);
	check_resource(
	    "deployment.environment=test, host.name = a%20b ,k=", "deployment.environment=test,host.name=a b,k=", 0);
	check_resource("list=a%2Cb%25,=x,none,z=%0a%zz", "list=a%2Cb%25,z=%0a%zz", 2);
	memset(longest + 2, 'x', 765);
	check_resource(longest, longest, 0); /* 767 bytes: just fits */
	memset(longest + 2, 'x', 766);
	(void)snprintf(expected, sizeof(expected), "%s,b=1", longest);
	check_resource(expected, "b=1", 1);
}

#define OVER 10u

static void over_limits(void) {
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	const struct spanring_attribute four[] = {spanring_attribute_u64(&key, 1), spanring_attribute_u64(&key, 2),
	                                          spanring_attribute_u64(&key, 3), spanring_attribute_u64(&key, 4)};
	SPANRING_SPAN(outer, "outer");
	SPANRING_BEGIN(span, "limited");
	for (unsigned i = 0; i < OVER; i++) {
		SPANRING_SET_STRING(span, "text", "0123456789");
		SPANRING_EVENT(span, "event");
		spanring_link(span, &linked);
	}
	spanring_set_attributes(outer, four, 4); /* each span has its own limits */
	spanring_event_with(outer, &key, four, 4);
	spanring_set_status(span, SPANRING_STATUS_ERROR, "a field of its own");
	struct spanring_counters counters = counters_now();
	CHECK(counters.attributes_over_limit == OVER - 3 + 1 + 2);
	CHECK(counters.events_over_limit == OVER - 2 && counters.links_over_limit == OVER - 1);
	CHECK(counters.values_cut == 3 + 1 && counters.names_cut == counters.values_cut);
	CHECK(counters.dropped_attributes == 0 && counters.dropped_events == 0 && counters.dropped_links == 0);
	spanring_end(outer); /* out of order: the numbers go with the span */
	SPANRING_SET_U64(span, "more", 1);
	CHECK(counters_now().attributes_over_limit == counters.attributes_over_limit + 1);
	spanring_end(span);
}

static void set_limits(const char *const *pairs) {
	for (; *pairs; pairs += 2)
		assert_int_equal(pairs[1] ? setenv(pairs[0], pairs[1], 1) : unsetenv(pairs[0]), 0);
}

static void test_limits(void **state) {
	(void)state;
	static const char *const low[] = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
	                                  "3",
	                                  "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
	                                  "2",
	                                  "OTEL_SPAN_EVENT_COUNT_LIMIT",
	                                  "2",
	                                  "OTEL_SPAN_LINK_COUNT_LIMIT",
	                                  "1",
	                                  "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
	                                  "4",
	                                  NULL};
	char text[SPANRING_STRING_VALUE_MAX];
	set_limits(low);
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, over_limits, VIEW_EXIT));
	for (size_t i = 0; low[i]; i += 2)
		assert_int_equal(unsetenv(low[i]), 0);
	uint64_t span = view_span(view, "limited")->span_id;
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 3 + 3 + 2 + 1);
	assert_int_equal(view_count(view, SPANRING_RECORD_EVENT), 2 + 1);
	assert_int_equal(view_count(view, SPANRING_RECORD_LINK), 1);
	assert_int_equal(view_string_value(view, view_attribute(view, span, "text"), text), 4);
	assert_non_null(view_attribute(view, span, "otel.status_description"));
	assert_int_equal(view->header->events_over_limit, OVER - 2);
	view_close(view);
}

static void defaults(void) {
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	SPANRING_SPAN(span, "defaults");
	for (unsigned i = 0; i < 130; i++)
		spanring_set_u64(span, &key, i);
	CHECK(counters_now().attributes_over_limit == 2);
	char text[5000];
	memset(text, 'x', sizeof(text));
	SPANRING_BEGIN(other, "other");
	spanring_set_bytes(other, &key, text, sizeof(text));
	spanring_end(other);
	CHECK(counters_now().values_cut == 1);
}

static void none(void) {
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	SPANRING_SPAN(span, "none");
	spanring_set_u64(span, &key, 1);
	CHECK(counters_now().attributes_over_limit == 1);
}

static void check_attribute_limit(const char *value, void (*scenario)(void)) {
	assert_int_equal(setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", value, 1), 0);
	assert_int_equal(setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", value, 1), 0);
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, scenario, VIEW_EXIT)));
	assert_int_equal(unsetenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"), 0);
	assert_int_equal(unsetenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"), 0);
}

static void test_limits_that_make_no_sense(void **state) {
	(void)state;
	static const char *const absurd[] = {"", "-1", "many", "12x", " 5", "99999999999999999999", "0x10", "1e3"};
	for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++)
		check_attribute_limit(absurd[i], defaults);
	check_attribute_limit("0", none);
}

#define SMALL_RING_RECORDS 1024u

static void links_in_a_full_ring(void) {
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	SPANRING_SPAN(span, "full");
	for (unsigned i = 0; i < SMALL_RING_RECORDS + 5; i++)
		spanring_link(span, &linked);
	CHECK(counters_now().dropped_links == 5 + 1 && counters_now().links_over_limit == 0); /* one slot: THREAD */
}

static void test_links_that_find_no_room(void **state) {
	(void)state;
	assert_int_equal(setenv("SPANRING_RING_BYTES", "65536", 1), 0);
	assert_int_equal(setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "1000000", 1), 0);
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, links_in_a_full_ring, VIEW_EXIT)));
	assert_int_equal(unsetenv("SPANRING_RING_BYTES"), 0);
	assert_int_equal(unsetenv("OTEL_SPAN_LINK_COUNT_LIMIT"), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_links),
	    VIEW_TEST(test_arrays),
	    VIEW_TEST(test_events_with_attributes),
	    VIEW_TEST(test_values_are_evaluated_for_recorded_spans_only),
	    VIEW_TEST(test_scope),
	    VIEW_TEST(test_resource),
	    VIEW_TEST(test_limits),
	    VIEW_TEST(test_limits_that_make_no_sense),
	    VIEW_TEST(test_links_that_find_no_room),
	};
	return cmocka_run_group_tests_name("writer model", tests, NULL, NULL);
}
