/* SPDX-License-Identifier: Apache-2.0 */
/* What one thread of a well-behaved program records. Each scenario runs in a process of its own; its files are read after. */
#include "support/cmocka.h"

#include "ring_view.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/prctl.h>

static void nested(void) {
	SPANRING_SPAN_KIND(outer, "outer", SPANRING_KIND_SERVER);
	{
		SPANRING_SPAN(middle, "middle");
		for (int i = 0; i < 3; i++) {
			SPANRING_SPAN_KIND(inner, "inner", SPANRING_KIND_CLIENT);
			CHECK(inner.span_id != 0);
		}
	}
	CHECK(spanring_context_current().span_id == outer.span_id);
}

static void test_nested_spans(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, nested, VIEW_EXIT));
	assert_non_null(view);
	const struct spanring_span_record *outer = view_span(view, "outer");
	const struct spanring_span_record *middle = view_span(view, "middle");
	const struct spanring_span_record *inner = view_span(view, "inner");
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 5);
	assert_true(outer->parent_id == 0 && outer->span_id != 0 && (outer->trace_hi | outer->trace_lo) != 0);
	assert_true(middle->parent_id == outer->span_id && inner->parent_id == middle->span_id);
	assert_true(middle->trace_hi == outer->trace_hi && middle->trace_lo == outer->trace_lo);
	assert_true(inner->trace_hi == outer->trace_hi && inner->trace_lo == outer->trace_lo);
	assert_int_equal(view_kind(outer), SPANRING_KIND_SERVER);
	assert_int_equal(view_kind(middle), SPANRING_KIND_INTERNAL);
	assert_int_equal(view_kind(inner), SPANRING_KIND_CLIENT);
	assert_true(outer->start_ticks <= middle->start_ticks && middle->start_ticks <= inner->start_ticks);
	assert_true(inner->start_ticks + inner->duration_ticks <= middle->start_ticks + middle->duration_ticks);
	assert_true(view->header->anchor_ticks != 0 && view->header->anchor_ticks <= outer->start_ticks);
	assert_int_equal(view->rings[0].header.begun_open, UINT64_C(5) << SPANRING_BEGUN_SHIFT);
	assert_int_equal(view->header->state, SPANRING_PROCESS_EXITED);
	assert_int_equal(view->rings[0].header.state, SPANRING_RING_RETIRED);
	assert_int_equal(view->rings[0].owner_word, 0);
	assert_int_equal(view->rings[0].header.head, view->rings[0].count);
	view_close(view);
}

static void roots(void) {
	(void)prctl(PR_SET_NAME, "worker-7");
	for (int i = 0; i < 100; i++) {
		SPANRING_SPAN(span, "root");
	}
}

static void test_every_root_has_its_own_trace(void **state) {
	(void)state;
	pid_t pid = view_run(view_scratch.rings, roots, VIEW_EXIT);
	struct view_instance *view = view_open(view_scratch.rings, pid);
	for (unsigned i = 0; i < 100; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct spanring_span_record *a = &view_record(view, SPANRING_RECORD_SPAN, i)->span;
			const struct spanring_span_record *b = &view_record(view, SPANRING_RECORD_SPAN, j)->span;
			assert_true(a->trace_lo != b->trace_lo && a->span_id != b->span_id);
		}
	const struct spanring_thread_record *thread = &view->rings[0].records[0].thread;
	assert_int_equal(thread->tail.type, SPANRING_RECORD_THREAD);
	assert_int_equal(thread->tid, pid);
	assert_int_equal(view->rings[0].header.tid, pid);
	assert_string_equal((const char *)thread->name, "worker-7");
	view_close(view);
}

static void statuses(void) {
	SPANRING_BEGIN(ok, "ok");
	spanring_set_status(ok, SPANRING_STATUS_ERROR, NULL);
	spanring_set_status(ok, SPANRING_STATUS_OK, "ignored");
	spanring_end(ok);
	SPANRING_BEGIN_KIND(bad, "bad", SPANRING_KIND_PRODUCER);
	spanring_set_status(bad, SPANRING_STATUS_ERROR, "unexpected end of file");
	spanring_end(bad);
	SPANRING_BEGIN(unset, "unset");
	spanring_set_status(unset, (enum spanring_status)7, NULL);
	spanring_end(unset);
}

static void test_status(void **state) {
	(void)state;
	char value[SPANRING_STRING_VALUE_MAX];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, statuses, VIEW_EXIT));
	assert_int_equal(view_status(view_span(view, "ok")), SPANRING_STATUS_OK);
	assert_int_equal(view_status(view_span(view, "bad")), SPANRING_STATUS_ERROR);
	assert_int_equal(view_kind(view_span(view, "bad")), SPANRING_KIND_PRODUCER);
	assert_int_equal(view_status(view_span(view, "unset")), SPANRING_STATUS_UNSET);
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 1);
	const struct spanring_attribute_record *text =
	    view_attribute(view, view_span(view, "bad")->span_id, "otel.status_description");
	assert_non_null(text);
	assert_int_equal(view_string_value(view, text, value), 22);
	assert_memory_equal(value, "unexpected end of file", 22);
	view_close(view);
}

static void typed_attributes(void) {
	SPANRING_SPAN(span, "typed");
	SPANRING_SET_BOOL(span, "b", true);
	SPANRING_SET_I64(span, "i", INT64_MIN);
	SPANRING_SET_U64(span, "u", UINT64_MAX);
	SPANRING_SET_F64(span, "f", -0.125);
	SPANRING_SET_STRING(span, "null", NULL);
}

static uint64_t number(const struct view_instance *view, uint64_t span_id, const char *key, uint8_t type) {
	const struct spanring_attribute_record *attribute = view_attribute(view, span_id, key);
	uint64_t value;
	assert_non_null(attribute);
	assert_int_equal(attribute->value_type, type);
	assert_int_equal(attribute->string_bytes, 0);
	memcpy(&value, attribute->value, sizeof(value));
	return value;
}

static void test_typed_attributes(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, typed_attributes, VIEW_EXIT));
	const struct spanring_span_record *span = view_span(view, "typed");
	double f;
	uint64_t bits = number(view, span->span_id, "f", SPANRING_VALUE_F64);
	memcpy(&f, &bits, sizeof(f));
	assert_true(f == -0.125);
	assert_int_equal(number(view, span->span_id, "b", SPANRING_VALUE_BOOL), 1);
	assert_int_equal(number(view, span->span_id, "i", SPANRING_VALUE_I64), (uint64_t)INT64_MIN);
	assert_int_equal(number(view, span->span_id, "u", SPANRING_VALUE_U64), UINT64_MAX);
	assert_int_equal(number(view, span->span_id, "null", SPANRING_VALUE_STRING), 0);
	assert_int_equal(view_attribute(view, span->span_id, "b")->trace_lo, span->trace_lo);
	view_close(view);
}

static const uint32_t string_lengths[] = {0, 1, 31, 32, 33, 87, 88, 89, 144, 4095, 4096, 5000};
#define STRING_LENGTHS (sizeof(string_lengths) / sizeof(string_lengths[0]))

static char letter(uint32_t length, uint32_t i) {
	return (char)('a' + (length * 7 + i) % 26);
}

static void strings(void) {
	static struct spanring_key keys[STRING_LENGTHS];
	static char names[STRING_LENGTHS][16], text[8192];
	SPANRING_SPAN(span, "strings");
	for (unsigned n = 0; n < STRING_LENGTHS; n++) {
		(void)snprintf(names[n], sizeof(names[n]), "%" PRIu32, string_lengths[n]);
		keys[n].text = names[n];
		for (uint32_t i = 0; i < string_lengths[n]; i++)
			text[i] = letter(string_lengths[n], i);
		text[string_lengths[n]] = '\0';
		spanring_set_string(span, &keys[n], text);
	}
	/* A limit inside a three-byte character: the cut goes before it. */
	memset(text, 'x', sizeof(text));
	memcpy(text + 4095, "\xe2\x82\xac", 3);
	text[4100] = '\0';
	SPANRING_SET_STRING(span, "euro", text);
	static struct spanring_key zeros = SPANRING_KEY_INIT("zeros");
	spanring_set_bytes(span, &zeros, "a\0b", 3);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.names_cut == 2);
}

static void test_string_lengths(void **state) {
	(void)state;
	char value[SPANRING_STRING_VALUE_MAX], key[16];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, strings, VIEW_EXIT));
	uint64_t span_id = view_span(view, "strings")->span_id;
	for (unsigned n = 0; n < STRING_LENGTHS; n++) {
		uint32_t length = string_lengths[n];
		uint32_t kept = length < SPANRING_STRING_VALUE_MAX ? length : SPANRING_STRING_VALUE_MAX;
		(void)snprintf(key, sizeof(key), "%" PRIu32, length);
		assert_int_equal(view_string_value(view, view_attribute(view, span_id, key), value), kept);
		for (uint32_t i = 0; i < kept; i++)
			assert_int_equal(value[i], letter(length, i));
	}
	assert_int_equal(view_string_value(view, view_attribute(view, span_id, "euro"), value), 4095);
	assert_int_equal(view_string_value(view, view_attribute(view, span_id, "zeros"), value), 3);
	assert_memory_equal(value, "a\0b", 3);
	view_close(view);
}

static void events(void) {
	SPANRING_SPAN(span, "events");
	SPANRING_EVENT(span, "first");
	{
		SPANRING_SPAN(child, "child");
		SPANRING_EVENT(child, "child's");
	}
	SPANRING_EVENT(span, "second");
}

static void test_events(void **state) {
	(void)state;
	static const struct {
		const char *name, *span;
		uint32_t index;
	} wanted[] = {{"first", "events", 1}, {"child's", "child", 1}, {"second", "events", 2}};
	char text[SPANRING_NAME_BYTES_MAX + 1];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, events, VIEW_EXIT));
	for (unsigned n = 0; n < 3; n++) {
		const struct spanring_event_record *event = &view_record(view, SPANRING_RECORD_EVENT, n)->event;
		const struct spanring_span_record *span = view_span(view, wanted[n].span);
		(void)view_text(view, event->tail.ref, text);
		assert_string_equal(text, wanted[n].name);
		assert_int_equal(event->span_id, span->span_id);
		assert_int_equal(event->event_index, wanted[n].index);
		assert_true(event->time_ticks >= span->start_ticks &&
		            event->time_ticks <= span->start_ticks + span->duration_ticks);
	}
	view_close(view);
}

static void out_of_order(void) {
	SPANRING_BEGIN(a, "a");
	SPANRING_BEGIN(b, "b");
	SPANRING_BEGIN(c, "c");
	spanring_end(b);
	CHECK(spanring_context_current().span_id == c.span_id);
	spanring_end(a);
	SPANRING_BEGIN(d, "d");
	CHECK(spanring_context_of(b).span_id == 0); /* stale: misuse 1 */
	spanring_end(c);
	CHECK(spanring_context_current().span_id == d.span_id);
	spanring_end(d);
	spanring_end(d);                                  /* misuse 2 */
	SPANRING_SET_U64(a, "late", 1);                   /* misuse 3 */
	spanring_set_status(a, SPANRING_STATUS_OK, NULL); /* misuse 4 */
	SPANRING_EVENT(a, "late");                        /* misuse 5 */
	struct spanring_span stranger = {0x1234}, empty = {0};
	spanring_end(stranger); /* misuse 6 */
	spanring_end(empty);
	spanring_end_span(empty);
	SPANRING_SET_U64(empty, "none", 1);
	spanring_set_status(empty, SPANRING_STATUS_OK, NULL);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.misuse == 6);
	CHECK(counters.begun == 4 && counters.ended == 4 && counters.open == 0);
	CHECK(counters.reason == SPANRING_REASON_NONE);
}

static void test_out_of_order_and_stale(void **state) {
	(void)state;
	static const char *const order[] = {"b", "a", "c", "d"};
	char text[SPANRING_NAME_BYTES_MAX + 1];
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, out_of_order, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 4);
	for (unsigned n = 0; n < 4; n++) {
		const struct spanring_span_record *span = &view_record(view, SPANRING_RECORD_SPAN, n)->span;
		assert_string_equal(view_site_name(view, span->tail.ref, text), order[n]);
	}
	assert_int_equal(view_span(view, "d")->parent_id, view_span(view, "c")->span_id);
	assert_int_equal(view_span(view, "c")->parent_id, view_span(view, "b")->span_id);
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE) + view_count(view, SPANRING_RECORD_EVENT), 0);
	view_close(view);
}

static struct spanring_context handed_over;

static void *other_thread(void *argument) {
	(void)argument;
	SPANRING_SPAN_CHILD_OF(span, "remote", &handed_over);
	SPANRING_SPAN(below, "below");
	return NULL;
}

static void explicit_parents(void) {
	pthread_t thread;
	static struct spanring_site site = SPANRING_SITE_INIT("fresh", SPANRING_KIND_INTERNAL);
	static const struct spanring_context none;
	struct spanring_begin_options options = {&none, SPANRING_KIND_CONSUMER, true};
	SPANRING_SPAN(local, "local");
	handed_over = spanring_context_of(local);
	CHECK(handed_over.span_id == local.span_id);
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	spanring_end(spanring_begin_with(&site, &options));
	options.parent = NULL;
	options.kind = 77;
	spanring_end(spanring_begin_with(&site, &options));
	spanring_end(spanring_begin_with(&site, NULL));
}

static void test_explicit_parents(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, explicit_parents, VIEW_EXIT));
	const struct spanring_span_record *local = view_span(view, "local"), *remote = view_span(view, "remote");
	const struct spanring_span_record *below = view_span(view, "below"), *fresh = view_span(view, "fresh");
	assert_int_equal(view->ring_count, 2);
	assert_int_equal(remote->parent_id, local->span_id);
	assert_true(remote->trace_hi == local->trace_hi && remote->trace_lo == local->trace_lo);
	assert_true(remote->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	assert_false(local->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	assert_int_equal(below->parent_id, remote->span_id);
	assert_int_equal(below->trace_lo, local->trace_lo);
	assert_false(below->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	assert_int_equal(fresh->parent_id, 0);
	assert_true(fresh->trace_lo != local->trace_lo);
	assert_int_equal(view_kind(fresh), SPANRING_KIND_CONSUMER);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 6);
	const struct spanring_span_record *last = &view_record(view, SPANRING_RECORD_SPAN, 2)->span;
	assert_int_equal(view_kind(last), SPANRING_KIND_INTERNAL);
	view_close(view);
}

static void published_lazily(void) {
	/* The first publication is the THREAD record's; then 64 records make the next, whatever the time. */
	for (int i = 0; i < 64 * 5; i++) {
		SPANRING_SPAN(span, "quick");
	}
	spanring_flush(0);
	SPANRING_BEGIN(last, "after flush");
	spanring_end(last);
}

static void test_publication(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, published_lazily, VIEW_LEAVE_AT_ONCE));
	const struct view_ring *ring = &view->rings[0];
	assert_int_equal(ring->count, 1 + 64 * 5 + 1);
	assert_in_range(ring->header.head, 1 + 64 * 5, ring->count);
	assert_int_equal(ring->header.state, SPANRING_RING_ACTIVE);
	assert_true(ring->owner_word & 0x40000000u); /* FUTEX_OWNER_DIED */
	assert_int_equal(view->header->state, SPANRING_PROCESS_RUNNING);
	view_close(view);
}

static void left_open(void) {
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(inner, "inner");
	(void)outer;
	(void)inner;
}

static void test_exit_ends_open_spans(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, left_open, VIEW_EXIT));
	assert_true(view_span(view, "inner")->tail.bits & SPANRING_BITS_UNFINISHED);
	assert_true(view_span(view, "outer")->tail.bits & SPANRING_BITS_UNFINISHED);
	assert_int_equal(view->rings[0].header.begun_open, UINT64_C(2) << SPANRING_BEGUN_SHIFT);
	view_close(view);
	view = view_open(view_scratch.rings, view_run(view_scratch.rings, left_open, VIEW_LEAVE_AT_ONCE));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 0);
	assert_int_equal(view->rings[0].header.begun_open, (UINT64_C(2) << SPANRING_BEGUN_SHIFT) + 2);
	assert_int_equal(view->rings[0].stack[1].parent_id, view->rings[0].stack[0].span_id);
	view_close(view);
}

static void shut_down(void) {
	SPANRING_BEGIN(before, "before");
	spanring_shutdown();
	spanring_shutdown();
	SPANRING_BEGIN(after, "after");
	static struct spanring_site site = SPANRING_SITE_INIT("direct", SPANRING_KIND_INTERNAL);
	CHECK(after.span_id == 0);
	CHECK(spanring_begin_site(&site).span_id == 0);
	CHECK(spanring_begin_with(&site, NULL).span_id == 0);
	SPANRING_SET_U64(before, "late", 1);
	spanring_end(before);
	CHECK(spanring_flush(1) == 0);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 1 && counters.ended == 1 && counters.open == 0);
	CHECK(counters.reason == SPANRING_REASON_SHUTDOWN);
	CHECK(strcmp(spanring_reason_text(counters.reason), "tracing was shut down") == 0);
	CHECK(strcmp(spanring_reason_text(12345), "unknown reason") == 0);
	CHECK(strcmp(spanring_version(), SPANRING_VERSION_STRING) == 0);
}

static void test_shutdown(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, shut_down, VIEW_LEAVE_AT_ONCE));
	assert_int_equal(view->header->state, SPANRING_PROCESS_EXITED);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	assert_true(view_span(view, "before")->tail.bits & SPANRING_BITS_UNFINISHED);
	view_close(view);
}

static void flush_without_agent(void) {
	CHECK(spanring_flush(1000000) == 0);
	SPANRING_SPAN(span, "span");
	CHECK(spanring_flush(0) == 0);
	CHECK(spanring_flush(1000000000) == -ENOTCONN);
}

static void test_flush_without_agent(void **state) {
	(void)state;
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, flush_without_agent, VIEW_EXIT)));
}

static void never_used(void) {
	spanring_flush(0);
	spanring_end(((struct spanring_span){7}));
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 0 && counters.reason == SPANRING_REASON_NONE);
}

static void test_unused_library_leaves_nothing(void **state) {
	(void)state;
	(void)view_run(view_scratch.rings, never_used, VIEW_EXIT);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_nested_spans),
	    VIEW_TEST(test_every_root_has_its_own_trace),
	    VIEW_TEST(test_status),
	    VIEW_TEST(test_typed_attributes),
	    VIEW_TEST(test_string_lengths),
	    VIEW_TEST(test_events),
	    VIEW_TEST(test_out_of_order_and_stale),
	    VIEW_TEST(test_explicit_parents),
	    VIEW_TEST(test_publication),
	    VIEW_TEST(test_exit_ends_open_spans),
	    VIEW_TEST(test_shutdown),
	    VIEW_TEST(test_flush_without_agent),
	    VIEW_TEST(test_unused_library_leaves_nothing),
	};
	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
