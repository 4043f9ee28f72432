/* SPDX-License-Identifier: Apache-2.0 */
/* Heap bytes in SPAN records, from counters of the test's own: libspanring takes whatever spanring_heap_counters gives it. */
#include "support/cmocka.h"

#include "ring_view.h"

#include <pthread.h>
#include <spanring/heap.h>
#include <spanring/spanring.h>
#include <string.h>

static __thread struct spanring_heap_totals counters;
static bool is_absent;

const struct spanring_heap_totals *spanring_heap_counters(void) {
	return is_absent ? NULL : &counters;
}

static struct view_instance *run(void (*scenario)(void)) {
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, scenario, VIEW_EXIT));
	assert_non_null(view);
	return view;
}

static void check(const struct view_instance *view, const char *name, uint32_t alloc_units, int32_t net_units) {
	const struct spanring_span_record *span = view_span(view, name);
	assert_non_null(span);
	assert_true(span->tail.bits & SPANRING_BITS_HEAP);
	assert_int_equal(span->heap_alloc_units, alloc_units);
	assert_int_equal(span->heap_net_units, net_units);
}

static void nested(void) {
	counters.allocated_bytes = 1000; /* before the thread's first span: not of any */
	counters.freed_bytes = 900;
	SPANRING_BEGIN(outer, "outer");
	counters.allocated_bytes += 160;
	SPANRING_BEGIN(inner, "inner");
	counters.allocated_bytes += 320;
	counters.freed_bytes += 480;
	spanring_end(inner);
	SPANRING_BEGIN(idle, "idle");
	spanring_end(idle);
	counters.freed_bytes += 16;
	spanring_end(outer);
}

static void children_count_in_their_parent(void **state) {
	(void)state;
	struct view_instance *view = run(nested);
	check(view, "outer", 30, -1);
	check(view, "inner", 20, -10);
	check(view, "idle", 0, 0);
	view_close(view);
}

struct span_of_thread {
	uint64_t allocated_bytes;
	uint64_t freed_bytes;
};

static void *count_in_thread(void *context) {
	const struct span_of_thread *span = context;
	SPANRING_BEGIN(begun, "thread");
	counters.allocated_bytes += span->allocated_bytes;
	counters.freed_bytes += span->freed_bytes;
	spanring_end(begun);
	return NULL;
}

/* One after the other: all of them take the same ring. */
static void threads_in_turn(void) {
	struct span_of_thread spans[] = {{100, 10}, {2000, 300}, {5, 7}};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, count_in_thread, &spans[i]) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
}

static void a_ring_counts_the_heap_of_all_its_threads(void **state) {
	(void)state;
	struct view_instance *view = run(threads_in_turn);
	assert_int_equal(view->ring_count, 1);
	assert_int_equal(view->rings[0].header.heap_allocated_bytes, 2105);
	assert_int_equal(view->rings[0].header.heap_freed_bytes, 317);
	view_close(view);
	view = run(nested);
	assert_int_equal(view->rings[0].header.heap_allocated_bytes, 1480); /* from the thread's beginning */
	assert_int_equal(view->rings[0].header.heap_freed_bytes, 1396);
	view_close(view);
}

/* A destructor that runs after the library's begins another span: the thread comes back to its ring. */
static pthread_key_t late_key;

static void begin_late(void *value) {
	static const struct span_of_thread more = {16, 1};
	if (*(int *)value > 0)
		--*(int *)value;
	else
		return;
	(void)count_in_thread((void *)(uintptr_t)&more);
	(void)pthread_setspecific(late_key, value);
}

static void *leave_late(void *context) {
	static const struct span_of_thread first = {1000, 100};
	(void)count_in_thread((void *)(uintptr_t)&first);
	CHECK(pthread_setspecific(late_key, context) == 0);
	return NULL;
}

static void late_destructors(void) {
	pthread_t thread;
	int rounds = 3;
	CHECK(pthread_key_create(&late_key, begin_late) == 0);
	CHECK(pthread_create(&thread, NULL, leave_late, &rounds) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void a_thread_that_comes_back_counts_once(void **state) {
	(void)state;
	struct view_instance *view = run(late_destructors);
	assert_int_equal(view->ring_count, 1);
	assert_true(view_count(view, SPANRING_RECORD_THREAD) >= 3);
	assert_int_equal(view->rings[0].header.heap_allocated_bytes, 1048);
	assert_int_equal(view->rings[0].header.heap_freed_bytes, 103);
	view_close(view);
}

static void spend(struct spanring_site *site, uint64_t allocated, uint64_t freed) {
	struct spanring_span span = spanring_begin(site);
	counters.allocated_bytes += allocated;
	counters.freed_bytes += freed;
	spanring_end(span);
}

#define SPEND(name, allocated, freed)                                                                                  \
	do {                                                                                                           \
		static struct spanring_site site = SPANRING_SITE_INIT(name, SPANRING_KIND_INTERNAL);                   \
		spend(&site, allocated, freed);                                                                        \
	} while (0)

static void edges(void) {
	SPEND("7", 7, 0);
	SPEND("8", 8, 0);
	SPEND("23", 23, 0);
	SPEND("24", 24, 0);
	SPEND("-7", 0, 7);
	SPEND("-8", 0, 8);
	SPEND("largest", UINT64_C(16) * UINT32_MAX, UINT64_C(16) * UINT32_MAX);
	SPEND("too large", UINT64_C(16) * UINT32_MAX + 16, 0);
	SPEND("too large a loss", 0, UINT64_C(1) << 40);
	counters.allocated_bytes = UINT64_MAX - 15; /* counters may wrap */
	SPEND("wrapped", 32, 0);
}

static void units_are_rounded_and_saturate(void **state) {
	(void)state;
	struct view_instance *view = run(edges);
	check(view, "7", 0, 0);
	check(view, "8", 1, 1);
	check(view, "23", 1, 1);
	check(view, "24", 2, 2);
	check(view, "-7", 0, 0);
	check(view, "-8", 0, -1);
	check(view, "largest", UINT32_MAX, 0);
	check(view, "too large", UINT32_MAX, INT32_MAX);
	check(view, "too large a loss", 0, -INT32_MAX);
	check(view, "wrapped", 2, 2);
	view_close(view);
}

static void out_of_order(void) {
	SPANRING_BEGIN(first, "first");
	counters.allocated_bytes += 16;
	SPANRING_BEGIN(second, "second");
	counters.allocated_bytes += 32;
	SPANRING_BEGIN(third, "third");
	counters.allocated_bytes += 64;
	spanring_end(first);
	counters.allocated_bytes += 128;
	spanring_end(second);
	SPANRING_BEGIN(fourth, "fourth");
	counters.allocated_bytes += 256;
	spanring_end(third);
	counters.allocated_bytes += 512;
	spanring_end(fourth);
}

static void bytes_stay_with_a_span_that_ends_out_of_order(void **state) {
	(void)state;
	struct view_instance *view = run(out_of_order);
	check(view, "first", 7, 7);
	check(view, "second", 14, 14);
	check(view, "third", 28, 28);
	check(view, "fourth", 48, 48);
	view_close(view);
}

static void *work(void *argument) {
	(void)argument;
	static struct spanring_site site = SPANRING_SITE_INIT("left open", SPANRING_KIND_INTERNAL);
	(void)spanring_begin(&site);
	counters.allocated_bytes += 48;
	return NULL;
}

/* One ring, taken by three threads after each other, each with counters of its own. */
static void threads(void) {
	pthread_t thread;
	for (int i = 0; i < 2; i++) {
		CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
	const struct spanring_begin_options options = {0};
	static struct spanring_site site = SPANRING_SITE_INIT("with options", SPANRING_KIND_INTERNAL);
	struct spanring_span span = spanring_begin_with(&site, &options);
	counters.allocated_bytes += 80;
	spanring_end(span);
}

static void every_thread_has_its_own(void **state) {
	(void)state;
	struct view_instance *view = run(threads);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 3);
	assert_int_equal(view->ring_count, 1);
	for (unsigned i = 0; i < 3; i++) {
		const struct spanring_span_record *span = &view_record(view, SPANRING_RECORD_SPAN, i)->span;
		bool is_open = span->tail.bits & SPANRING_BITS_UNFINISHED;
		assert_true(span->tail.bits & SPANRING_BITS_HEAP);
		assert_int_equal(span->heap_alloc_units, is_open ? 3 : 5);
	}
	view_close(view);
}

static void slow_clock(void) {
	CHECK(setenv("SPANRING_CLOCK", "monotonic", 1) == 0);
	nested();
}

static void any_clock_will_do(void **state) {
	(void)state;
	struct view_instance *view = run(slow_clock);
	check(view, "outer", 30, -1);
	view_close(view);
}

static void absent(void) {
	is_absent = true;
	nested();
}

static void without_counters_nothing_is_said(void **state) {
	(void)state;
	struct view_instance *view = run(absent);
	const struct spanring_span_record *outer = view_span(view, "outer");
	assert_int_equal(outer->tail.bits, SPANRING_KIND_INTERNAL);
	assert_true(outer->heap_alloc_units == 0 && outer->heap_net_units == 0);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(children_count_in_their_parent),
	    VIEW_TEST(units_are_rounded_and_saturate),
	    VIEW_TEST(bytes_stay_with_a_span_that_ends_out_of_order),
	    VIEW_TEST(every_thread_has_its_own),
	    VIEW_TEST(a_ring_counts_the_heap_of_all_its_threads),
	    VIEW_TEST(a_thread_that_comes_back_counts_once),
	    VIEW_TEST(any_clock_will_do),
	    VIEW_TEST(without_counters_nothing_is_said),
	};
	return cmocka_run_group_tests_name("span_heap", tests, NULL, NULL);
}
