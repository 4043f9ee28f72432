/* SPDX-License-Identifier: Apache-2.0 */
/* What people write must mean what they meant, or be refused. */
#include "support/cmocka.h"

#include "base/units.h"

#include <errno.h>

struct parse_case {
	const char *text;
	int result;
	uint64_t value;
};

static void durations_are_parsed(void **state) {
	(void)state;
	static const struct parse_case cases[] = {
	    {"0", 0, 0},
	    {"250us", 0, 250000},
	    {"10ms", 0, 10000000},
	    {"1.5s", 0, 1500000000},
	    {"2m", 0, 120000000000},
	    {"24h", 0, 86400000000000},
	    {"10 ms", 0, 10000000},
	    {"10", -EINVAL, 0},
	    {"", -EINVAL, 0},
	    {"-1s", -EINVAL, 0},
	    {"1e300s", -EINVAL, 0},
	    {"ten ms", -EINVAL, 0},
	    {"1sx", -EINVAL, 0},
	    {"nan", -EINVAL, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;
		assert_int_equal(units_parse_duration(cases[i].text, &value), cases[i].result);
		assert_true(value == cases[i].value);
	}
}

static void sizes_are_parsed(void **state) {
	(void)state;
	static const struct parse_case cases[] = {
	    {"65536", 0, 65536}, {"64KiB", 0, 65536},    {"1.5MiB", 0, 1572864}, {"2G", 0, 2147483648},
	    {"1KB", -EINVAL, 0}, {"banana", -EINVAL, 0}, {"-5", -EINVAL, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;
		assert_int_equal(units_parse_bytes(cases[i].text, &value), cases[i].result);
		assert_true(value == cases[i].value);
	}
}

static void figures_read_well(void **state) {
	(void)state;
	char text[UNITS_TEXT_BYTES];
	assert_string_equal(units_format_duration(0, text), "0 ns");
	assert_string_equal(units_format_duration(999, text), "999 ns");
	assert_string_equal(units_format_duration(1234, text), "1.234 us");
	assert_string_equal(units_format_duration(12345678, text), "12.35 ms");
	assert_string_equal(units_format_duration(999999, text), "1.000 ms");
	assert_string_equal(units_format_duration(7.2e12, text), "2.000 h");
	assert_string_equal(units_format_bytes(1023, text), "1023 B");
	assert_string_equal(units_format_bytes(65536, text), "64.0 KiB");
	assert_string_equal(units_format_count(0, text), "0");
	assert_string_equal(units_format_count(999, text), "999");
	assert_string_equal(units_format_count(1234567, text), "1,234,567");
	assert_string_equal(units_format_wall(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(units_format_wall(UINT64_C(1763664210123000000), text), "2025-11-20T18:43:30.123Z");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(durations_are_parsed),
	    cmocka_unit_test(sizes_are_parsed),
	    cmocka_unit_test(figures_read_well),
	};
	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
