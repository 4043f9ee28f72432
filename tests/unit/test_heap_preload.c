/* SPDX-License-Identifier: Apache-2.0 */
/* A program that does not know of libspanring_heap, with and without it in LD_PRELOAD. */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/child.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct expected {
	uint64_t allocated_bytes;
	int64_t net_bytes;
};

static struct view_instance *run(const char *program, const char *preload, struct expected *ret_expected) {
	char rings[SCRATCH_PATH_BYTES + 16], preloaded[1024];
	(void)snprintf(rings, sizeof(rings), "SPANRING_DIR=%s", view_scratch.rings);
	(void)snprintf(preloaded, sizeof(preloaded), "LD_PRELOAD=%s", preload);
	const char *argv[] = {program, SPANRING_TEST_PLUGIN, NULL};
	const char *environment[] = {rings, preloaded, NULL};
	struct child child = child_start(argv, environment);
	pid_t pid = child.pid;
	struct child_result result = child_finish(&child);
	assert_string_equal(result.err, "");
	assert_int_equal(result.exit_code, 0);
	assert_int_equal(
	    sscanf(result.out, "%" SCNu64 " %" SCNd64, &ret_expected->allocated_bytes, &ret_expected->net_bytes), 2);
	child_result_free(&result);
	struct view_instance *view = view_open(view_scratch.rings, pid);
	assert_non_null(view);
	return view;
}

static void check_counted(const char *program, const char *preload) {
	struct expected expected;
	struct view_instance *view = run(program, preload, &expected);
	const struct spanring_span_record *span = view_span(view, "main");
	assert_true(span->tail.bits & SPANRING_BITS_HEAP);
	assert_int_equal(span->heap_alloc_units, (expected.allocated_bytes + 8) / 16);
	assert_int_equal(span->heap_net_units, (expected.net_bytes + 8) / 16);
	/* It frees what another thread allocated. */
	const struct spanring_span_record *thread = view_span(view, "thread");
	assert_true(thread->tail.bits & SPANRING_BITS_HEAP);
	assert_int_equal(thread->heap_alloc_units, 0);
	assert_in_range((uint64_t) - (int64_t)thread->heap_net_units, 10000 / 16, 10100 / 16);
	view_close(view);
}

static void a_preloaded_library_counts(void **state) {
	(void)state;
	check_counted(SPANRING_TEST_PROGRAM_STATIC, SPANRING_TEST_HEAP);
}

static void with_the_shared_libspanring_too(void **state) {
	(void)state;
	check_counted(SPANRING_TEST_PROGRAM_SHARED, SPANRING_TEST_HEAP);
}

static void a_linked_library_counts(void **state) {
	(void)state;
	check_counted(SPANRING_TEST_PROGRAM_LINKED, "");
}

static void without_it_no_span_has_heap_bytes(void **state) {
	(void)state;
	struct expected expected;
	struct view_instance *view = run(SPANRING_TEST_PROGRAM_STATIC, "", &expected);
	const struct spanring_span_record *span = view_span(view, "main");
	assert_false(span->tail.bits & SPANRING_BITS_HEAP);
	assert_true(span->heap_alloc_units == 0 && span->heap_net_units == 0);
	view_close(view);
}

static void a_library_behind_another_allocator_says_so(void **state) {
	(void)state;
	struct expected expected;
	struct view_instance *view = run(SPANRING_TEST_PROGRAM_OWN, SPANRING_TEST_HEAP, &expected);
	assert_false(view_span(view, "main")->tail.bits & SPANRING_BITS_HEAP);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(a_preloaded_library_counts),
	    VIEW_TEST(with_the_shared_libspanring_too),
	    VIEW_TEST(a_linked_library_counts),
	    VIEW_TEST(without_it_no_span_has_heap_bytes),
	    VIEW_TEST(a_library_behind_another_allocator_says_so),
	};
	return cmocka_run_group_tests_name("heap_preload", tests, NULL, NULL);
}
