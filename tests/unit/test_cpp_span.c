/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that use spanring.hpp leave in their rings. */
#include "support/cmocka.h"

#include "cpp_scenarios.h"
#include "ring_view.h"

#include <spanring/spanring.h>
#include <string.h>

static struct view_instance *run(void (*scenario)(void)) {
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, scenario, VIEW_EXIT));
	assert_non_null(view);
	return view;
}

static void a_span_ends_with_its_scope(void **state) {
	(void)state;
	struct view_instance *view = run(cpp_scopes);
	const struct spanring_span_record *outer = view_span(view, "outer");
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 5);
	assert_int_equal(view_kind(outer), SPANRING_KIND_SERVER);
	assert_true(view_span(view, "thrown")->parent_id == outer->span_id);
	assert_true(view_span(view, "inner")->parent_id == outer->span_id);
	for (unsigned i = 0; i < 5; i++)
		assert_false(view_record(view, SPANRING_RECORD_SPAN, i)->span.tail.bits & SPANRING_BITS_UNFINISHED);
	view_close(view);
}

static void a_moved_span_ends_once(void **state) {
	(void)state;
	struct view_instance *view = run(cpp_moves);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 2);
	assert_true(view_span(view, "second")->parent_id == view_span(view, "first")->span_id);
	view_close(view);
}

static const struct spanring_attribute_record *attribute(const struct view_instance *view, const char *key,
                                                         uint8_t type) {
	const struct spanring_attribute_record *found = view_attribute(view, view_span(view, "typed")->span_id, key);
	assert_non_null(found);
	assert_int_equal(found->value_type, type);
	return found;
}

static uint64_t number(const struct view_instance *view, const char *key, uint8_t type) {
	uint64_t value;
	memcpy(&value, attribute(view, key, type)->value, sizeof(value));
	return value;
}

static void check_text(const struct view_instance *view, const char *key, const char *text) {
	char value[SPANRING_STRING_VALUE_MAX];
	const struct spanring_attribute_record *found = attribute(view, key, SPANRING_VALUE_STRING);
	assert_int_equal(view_string_value(view, found, value), strlen(text));
	assert_memory_equal(value, text, strlen(text));
}

static void the_value_chooses_the_type(void **state) {
	(void)state;
	struct view_instance *view = run(cpp_attributes);
	double half;
	assert_int_equal(attribute(view, "bool", SPANRING_VALUE_BOOL)->value[0], 1);
	assert_true(number(view, "short", SPANRING_VALUE_I64) == (uint64_t)-7);
	assert_true(number(view, "char", SPANRING_VALUE_U64) == 200);
	assert_true(number(view, "size", SPANRING_VALUE_U64) == sizeof(int));
	assert_true(number(view, "int64", SPANRING_VALUE_I64) == (uint64_t)INT64_MIN);
	memcpy(&half, attribute(view, "float", SPANRING_VALUE_F64)->value, sizeof(half));
	assert_true(half > 0.49 && half < 0.51);
	check_text(view, "literal", "text");
	check_text(view, "view", "cut");
	check_text(view, "empty", "");
	check_text(view, "null", "");
	assert_int_equal(attribute(view, "string", SPANRING_VALUE_STRING)->string_bytes, 1000);
	assert_int_equal(view_status(view_span(view, "typed")), SPANRING_STATUS_ERROR);
	check_text(view, "otel.status_description", "as told");
	char name[256];
	assert_int_equal(view_count(view, SPANRING_RECORD_EVENT), 1);
	(void)view_text(view, view_record(view, SPANRING_RECORD_EVENT, 0)->event.tail.ref, name);
	assert_string_equal(name, "happened");
	view_close(view);
}

static void parents_are_explicit(void **state) {
	(void)state;
	struct view_instance *view = run(cpp_parents);
	const struct spanring_span_record *parent = view_span(view, "parent");
	const struct spanring_span_record *remote = view_span(view, "remote");
	assert_true(remote->parent_id == parent->span_id && remote->trace_lo == parent->trace_lo);
	assert_true(remote->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	unsigned late = 0;
	for (unsigned i = 0; i < view_count(view, SPANRING_RECORD_SPAN); i++) {
		const struct spanring_span_record *span = &view_record(view, SPANRING_RECORD_SPAN, i)->span;
		late += view_kind(span) == SPANRING_KIND_CONSUMER && span->parent_id == parent->span_id;
		late += view_kind(span) == SPANRING_KIND_CLIENT && span->parent_id != 0;
	}
	assert_int_equal(late, 2);
	view_close(view);
}

static void an_empty_span_does_nothing(void **state) {
	(void)state;
	(void)view_run(view_scratch.rings, cpp_empty, VIEW_EXIT);
}

static void an_async_span_ends_elsewhere(void **state) {
	(void)state;
	struct view_instance *view = run(cpp_async);
	const struct spanring_span_record *handler = view_span(view, "handler");
	const struct spanring_span_record *request = view_span(view, "request");
	assert_int_equal(view->ring_count, 2);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 3);
	for (unsigned i = 0; request->span_id != handler->parent_id && i < 3; i++)
		request = &view_record(view, SPANRING_RECORD_SPAN, i)->span;
	assert_true(handler->parent_id == request->span_id);
	assert_int_equal(view_status(request), SPANRING_STATUS_OK);
	assert_int_equal(view_kind(request), SPANRING_KIND_SERVER);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(a_span_ends_with_its_scope), VIEW_TEST(a_moved_span_ends_once),
	    VIEW_TEST(the_value_chooses_the_type), VIEW_TEST(parents_are_explicit),
	    VIEW_TEST(an_empty_span_does_nothing), VIEW_TEST(an_async_span_ends_elsewhere),
	};
	return cmocka_run_group_tests_name("cpp_span", tests, NULL, NULL);
}
