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

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_document_with_everything)};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
