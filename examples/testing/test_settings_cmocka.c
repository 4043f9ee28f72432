/* SPDX-License-Identifier: Apache-2.0 */
/* The same in cmocka's style: a reset around each test, and one that compares all spans with a text. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "settings.h"

#include <spanring/testing.h>

static int switch_on(void **state) {
	(void)state;
	return spanring_testing_start();
}

static int begin_anew(void **state) {
	(void)state;
	return spanring_testing_reset();
}

static void test_missing_file(void **state) {
	(void)state;
	assert_int_equal(settings_load("/no/such/file"), -1);
	const struct spanring_testing_span *span = spanring_testing_find("settings.load");
	assert_non_null(span);
	assert_int_equal(span->status, SPANRING_STATUS_ERROR);
	assert_string_equal(span->status_description, "No such file or directory");
	assert_null(spanring_testing_find("parse"));
}

static void test_all_spans(void **state) {
	char text[2048];
	(void)state;
	assert_int_equal(settings_load("/dev/null"), 0);
	assert_in_range(spanring_testing_text(text, sizeof(text)), 1, sizeof(text) - 1);
	assert_string_equal(text, "span 2 \"parse\" internal unset\n"
	                          "  trace 0000000000000001.c19c91beb285f041 parent 1 thread 1 start 1000002000 "
	                          "duration 1000\n"
	                          "  attribute \"settings.count\" i64 0\n"
	                          "span 1 \"settings.load\" internal unset\n"
	                          "  trace 0000000000000001.c19c91beb285f041 parent 0 thread 1 start 1000001000 "
	                          "duration 3000\n"
	                          "  attribute \"file.path\" string \"/dev/null\"\n");
}

static void test_slow_disk(void **state) {
	(void)state;
	SPANRING_BEGIN(request, "request");
	assert_int_equal(spanring_testing_clock_advance(250000000), 0);
	spanring_end(request);
	assert_int_equal(spanring_testing_find("request")->duration_ns, 250000000);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_missing_file, begin_anew),
	    cmocka_unit_test_setup(test_all_spans, begin_anew),
	    cmocka_unit_test_setup(test_slow_disk, begin_anew),
	};
	return cmocka_run_group_tests(tests, switch_on, NULL);
}
