/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile text must not reach a terminal, and hexadecimal ids must survive the round trip. */
#include "support/cmocka.h"

#include "base/text.h"

#include <string.h>

static void hex_round_trip(void **state) {
	(void)state;
	uint8_t bytes[16];
	uint8_t back[16];
	char text[33];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 17 + 3);
	text_hex_encode(bytes, sizeof(bytes), text);
	assert_int_equal(strlen(text), 32);
	assert_true(text_hex_decode(text, back, sizeof(back)));
	assert_memory_equal(bytes, back, sizeof(bytes));
	assert_true(text_hex_decode("0123-4567", back, 4));
	assert_int_equal(back[2], 0x45);
	assert_false(text_hex_decode("012", back, 2));
	assert_false(text_hex_decode("0g", back, 1));
}

struct printable_case {
	const char *from;
	const char *to;
};

static void controls_are_escaped(void **state) {
	(void)state;
	static const struct printable_case cases[] = {
	    {"plain text", "plain text"},
	    {"\x1b[31mred", "\\x1b[31mred"},
	    {"two\nlines\t", "two\\x0alines\\x09"},
	    {"caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5"},
	    {"\xc2\x9b"
	     "31m",
	     "\\u{9b}31m"},
	    {"\xe2\x80\xae"
	     "evil",
	     "\\u{202e}evil"},
	    {"bad \xff\xc0\x80", "bad \\xff\\xc0\\x80"},
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	    {"\x7f", "\\x7f"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		size_t length = text_printable(cases[i].from, strlen(cases[i].from), out, sizeof(out));
		assert_string_equal(out, cases[i].to);
		assert_int_equal(length, strlen(cases[i].to));
	}
}

static void a_small_buffer_cuts_whole_characters(void **state) {
	(void)state;
	char out[5];
	assert_int_equal(text_printable("abc\xc3\xa9", 5, out, sizeof(out)), 3);
	assert_string_equal(out, "abc");
	assert_int_equal(text_printable("\n\n", 2, out, sizeof(out)), 4);
	assert_string_equal(out, "\\x0a");
}

static void columns_follow_the_terminal(void **state) {
	(void)state;
	assert_int_equal(text_columns("abc"), 3);
	assert_int_equal(text_columns("caf\xc3\xa9"), 4);
	assert_int_equal(text_columns("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(text_columns("e\xcc\x81"), 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hex_round_trip),
	    cmocka_unit_test(controls_are_escaped),
	    cmocka_unit_test(a_small_buffer_cuts_whole_characters),
	    cmocka_unit_test(columns_follow_the_terminal),
	};
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
