/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and cut texts must fit, times and ids must mean what was written, suggestions must be near. */
#include "support/cmocka.h"

#include "analyze/kernels/fit.h"
#include "analyze/kernels/time_point.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/terminal/table.h"
#include "base/clock.h"
#include "base/suggest.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

static void expect_fit(char *(*cut)(const char *, size_t, bool), const char *text, size_t columns, bool utf8,
                       const char *wanted) {
	char *got = cut(text, columns, utf8);
	assert_string_equal(got, wanted);
	assert_true(text_columns(got) <= columns);
	free(got);
}

static void texts_are_cut(void **state) {
	(void)state;
	expect_fit(fit_middle, "abcdef", 6, true, "abcdef");
	expect_fit(fit_middle, "abcdefgh", 6, true, "abc" ELLIPSIS "gh");
	expect_fit(fit_middle, "abcdefgh", 6, false, "ab..gh");
	expect_fit(fit_middle, "abcdefgh", 1, true, "a");
	expect_fit(fit_end, "abcdefgh", 6, true, "abcde" ELLIPSIS);
	expect_fit(fit_end, "", 3, true, "");
	/* wide characters take two columns and are never halved */
	expect_fit(fit_end, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, true, "\xe6\x97\xa5" ELLIPSIS);
	expect_fit(fit_middle, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, true, "\xe6\x97\xa5" ELLIPSIS "\xe8\xaa\x9e");
}

static void controls_do_not_survive(void **state) {
	(void)state;
	char *safe = fit_printable("a\x1b[31mb\n", 8);
	assert_string_equal(safe, "a\\x1b[31mb\\x0a");
	free(safe);
}

static const struct table_column columns[] = {
    {"name", false, 0}, {"count", true, 0}, {"mean", true, 2}, {"max", true, 1}};

static char *render(unsigned width, bool color) {
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct terminal terminal = {.width = width, .color = color, .utf8 = true};
	struct table table = table_begin(columns, 4, 0, 10);
	assert_non_null(out);
	table_cell(&table, STYLE_PLAIN, "a_rather_long_name_of_a_span");
	table_count(&table, STYLE_PLAIN, 1234567);
	table_duration(&table, 1234.5);
	table_duration(&table, 5e9);
	table_cell(&table, STYLE_PLAIN, "short");
	table_count(&table, STYLE_RED, 7);
	table_duration(&table, 1);
	table_duration(&table, 2);
	assert_int_equal(table_print(&table, &terminal, out), 0);
	assert_int_equal(fclose(out), 0);
	table_done(&table);
	return text;
}

static void tables_fit(void **state) {
	(void)state;
	char *wide = render(TERMINAL_WIDTH_UNLIMITED, false);
	assert_string_equal(wide, "name                              count      mean      max\n"
	                          "a_rather_long_name_of_a_span  1,234,567  1.234 us  5.000 s\n"
	                          "short                                 7      1 ns     2 ns\n");
	free(wide);
	char *narrow = render(30, false);
	assert_string_equal(narrow, "name            count      max\n"
	                            "a_rat" ELLIPSIS "span  1,234,567  5.000 s\n"
	                            "short               7     2 ns\n");
	free(narrow);
	for (unsigned width = 20; width < 100; width++) {
		char *text = render(width, false);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(text_columns(line) <= width);
		free(text);
	}
}

static void color_is_around_cells(void **state) {
	(void)state;
	char *plain = render(80, false);
	char *colored = render(80, true);
	assert_null(strchr(plain, '\x1b'));
	assert_non_null(strstr(colored, "\x1b[31m7\x1b[0m"));
	free(plain);
	free(colored);
}

struct time_case {
	const char *text;
	uint64_t seconds;
	uint64_t ns;
};

static void times_are_read(void **state) {
	(void)state;
	static const struct time_case cases[] = {
	    {"1970-01-01T00:00:00Z", 0, 0},
	    {"2026-11-20T18:43:30Z", 1795200210, 0},
	    {"2026-11-20T18:43:30.25Z", 1795200210, 250000000},
	    {"2026-11-20 19:43:30+01:00", 1795200210, 0},
	    {"2026-11-20T17:13:30-01:30", 1795200210, 0},
	    {"2026-11-20", 1795132800, 0},
	    {"2026-11-20T18:43", 1795200180, 0},
	    {"2024-02-29", 1709164800, 0},
	    {"10m", 1795199610, 0},
	    {"0", 1795200210, 0},
	};
	static const char *const wrong[] = {"",
	                                    "now",
	                                    "2026",
	                                    "2026-13-01",
	                                    "2026-02-29",
	                                    "2026-11-20T24:00Z",
	                                    "2026-11-20T18:43:30X",
	                                    "2026-11-20T18:43:30+1:00",
	                                    "-10m",
	                                    "10",
	                                    "1969-12-31"};
	const uint64_t now = UINT64_C(1795200210) * NS_PER_S;
	uint64_t got = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(time_point_parse(cases[i].text, now, &got), 0);
		assert_true(got == cases[i].seconds * NS_PER_S + cases[i].ns);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(time_point_parse(wrong[i], now, &got), -EINVAL);
}

static void ids_are_read(void **state) {
	(void)state;
	struct trace_id_pattern pattern;
	const uint64_t hi = UINT64_C(0x4bf92f3577b34da6);
	const uint64_t lo = UINT64_C(0xa3ce929d0e0e4736);
	assert_int_equal(trace_id_parse("4BF92f3577b34da6a3ce929d0e0e4736", &pattern), 0);
	assert_true(pattern.whole && pattern.hi == hi && pattern.lo == lo);
	assert_int_equal(trace_id_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &pattern), 0);
	assert_true(pattern.whole && pattern.hi == hi && pattern.lo == lo);
	assert_int_equal(trace_id_parse("4bf92", &pattern), 0);
	assert_true(trace_id_matches(&pattern, hi, lo));
	assert_false(trace_id_matches(&pattern, hi ^ (UINT64_C(1) << 44), lo));
	assert_true(trace_id_matches(&pattern, hi ^ (UINT64_C(1) << 43), 0));
	assert_int_equal(trace_id_parse("4bf92f3577b34da6a3c", &pattern), 0);
	assert_true(trace_id_matches(&pattern, hi, lo));
	assert_false(trace_id_matches(&pattern, hi, lo ^ (UINT64_C(1) << 52)));
	assert_int_equal(trace_id_parse("a3ce929d0e0e4736", &pattern), 0);
	assert_true(trace_id_matches(&pattern, hi, lo));
	assert_false(trace_id_matches(&pattern, hi, hi));
	static const char *const wrong[] = {"",
	                                    "4bf",
	                                    "4bf9x",
	                                    "xyz",
	                                    "4bf92f3577b34da6a3ce929d0e0e47361",
	                                    "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(trace_id_parse(wrong[i], &pattern), -EINVAL);
}

static void suggestions_are_near(void **state) {
	(void)state;
	static const char *const words[] = {"info", "latency", "memory", "--json", "--since"};
	assert_string_equal(suggest_nearest("latnecy", words, 5), "latency");
	assert_string_equal(suggest_nearest("memroy", words, 5), "memory");
	assert_string_equal(suggest_nearest("--jsn", words, 5), "--json");
	assert_null(suggest_nearest("completely", words, 5));
	assert_null(suggest_nearest("", words, 0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_cut),        cmocka_unit_test(controls_do_not_survive),
	    cmocka_unit_test(tables_fit),           cmocka_unit_test(color_is_around_cells),
	    cmocka_unit_test(times_are_read),       cmocka_unit_test(ids_are_read),
	    cmocka_unit_test(suggestions_are_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
