/* SPDX-License-Identifier: Apache-2.0 */
/* The document must be JSON whatever the strings hold. */
#include "support/cmocka.h"

#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void a_document_with_everything(void **state) {
	(void)state;
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	assert_non_null(file);
	struct json json = json_begin(file);
	json_open(&json, NULL, '{');
	json_text(&json, "a", "q\"b\\n\n\x7f\xff\xc3\xa9");
	json_u64(&json, "u", UINT64_MAX);
	json_i64(&json, "i", INT64_MIN);
	json_f64(&json, "f", 0.5);
	json_f64(&json, "nan", (double)NAN);
	json_open(&json, "list", '[');
	json_bool(&json, NULL, true);
	json_null(&json, NULL);
	json_open(&json, NULL, '{');
	json_close(&json);
	json_close(&json);
	json_close(&json);
	assert_int_equal(fclose(file), 0);
	assert_string_equal(text, "{\n"
	                          "  \"a\": \"q\\\"b\\\\n\\u000a\\u007f\\ufffd\xc3\xa9\",\n"
	                          "  \"u\": 18446744073709551615,\n"
	                          "  \"i\": -9223372036854775808,\n"
	                          "  \"f\": 0.5,\n"
	                          "  \"nan\": null,\n"
	                          "  \"list\": [\n    true,\n    null,\n    {}\n  ]\n"
	                          "}\n");
	free(text);
}

static void expect_number(double value, const char *wanted) {
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	assert_non_null(file);
	struct json json = json_begin(file);
	json_open(&json, NULL, '[');
	json_f64(&json, NULL, value);
	json_close(&json);
	assert_int_equal(fclose(file), 0);
	assert_true(strtod(text + 1, NULL) == value);
	text[strcspn(text + 4, "\n") + 4] = '\0';
	assert_string_equal(text + 4, wanted);
	free(text);
}

static void numbers_are_as_short_as_they_can_be(void **state) {
	(void)state;
	expect_number(0.0079, "0.0079");
	expect_number(0.1, "0.1");
	expect_number(0.1 + 0.2, "0.30000000000000004");
	expect_number(1.0 / 3, "0.3333333333333333");
	expect_number(-2.5e-7, "-2.5e-07");
	expect_number(1e15, "1e+15");
	expect_number(123456789012345678.0, "1.2345678901234568e+17");
	expect_number(5e-324, "4.94065645841247e-324");
	expect_number(0.0, "0");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_document_with_everything),
	                                   cmocka_unit_test(numbers_are_as_short_as_they_can_be)};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
