/* SPDX-License-Identifier: Apache-2.0 */
/* A line in characters: every peak is seen, the line has no gaps, nothing is drawn outside. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/chart.h"
#include "base/text.h"

#include <string.h>

static struct chart chart; /* large */

static void begin(unsigned columns, unsigned rows, bool utf8, double x_high, double y_high) {
	memset(&chart, 0xff, sizeof(chart));
	chart.columns = columns;
	chart.rows = rows;
	chart.utf8 = utf8;
	chart.x_low = chart.y_low = 0;
	chart.x_high = x_high;
	chart.y_high = y_high;
}

static void expect(const char *const *lines) {
	char line[CHART_LINE_BYTES];
	for (unsigned row = 0; row < chart.rows; row++)
		assert_string_equal(chart_line(&chart, row, line), lines[row]);
}

static void a_step_in_plain_characters(void **state) {
	static const struct chart_point points[] = {{0, 0}, {1, 0}, {2, 3}, {3, 3}};
	(void)state;
	begin(4, 4, false, 3, 3);
	chart_draw(&chart, points, 4);
	expect((const char *[]){"  **", "  *", "  *", "**"});
}

static void a_line_in_dots(void **state) {
	static const struct chart_point points[] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}};
	(void)state;
	begin(2, 1, true, 3, 3);
	chart_draw(&chart, points, 4);
	expect((const char *[]){"\xe2\xa1\xa0\xe2\xa0\x8a"}); /* dots 7 6, 2 4 */
}

static void one_point_and_none(void **state) {
	static const struct chart_point point = {5, 5};
	(void)state;
	begin(3, 3, false, 0, 10);
	chart_draw(&chart, &point, 1);
	expect((const char *[]){"", " *", ""});
	chart_draw(&chart, NULL, 0);
	expect((const char *[]){"", "", ""});
}

/* Random walks, more points than columns and fewer, also beyond the axes. */
static void every_column_is_reached(void **state) {
	struct seed seed = seed_start("chart");
	struct chart_point points[300];
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		size_t count = 2 + seed_below(&seed, 298);
		bool utf8 = seed_below(&seed, 2);
		begin(1 + (unsigned)seed_below(&seed, CHART_COLUMNS_MAX),
		      1 + (unsigned)seed_below(&seed, CHART_ROWS_MAX), utf8, (double)(count - 1), 1000);
		for (size_t i = 0; i < count; i++)
			points[i] = (struct chart_point){(double)i, (double)seed_below(&seed, 1200) - 100};
		chart_draw(&chart, points, count);
		unsigned down = (utf8 ? 4 : 1) * chart.rows, across = (utf8 ? 2 : 1) * chart.columns;
		unsigned last_high = 0, last_low = down - 1;
		for (unsigned column = 0; column < across; column++) {
			unsigned high = down, low = 0, dots = 0;
			for (unsigned row = 0; row < down; row++) {
				high = chart.dots[row][column] && row < high ? row : high;
				low = chart.dots[row][column] ? row : low;
				dots += chart.dots[row][column];
			}
			/* without a hole, and touching the column before */
			assert_true(dots > 0 && dots == low - high + 1);
			assert_true(high <= last_low + 1 && low + 1 >= last_high);
			last_high = high;
			last_low = low;
		}
		char line[CHART_LINE_BYTES];
		for (unsigned row = 0; row < chart.rows; row++)
			assert_true(text_columns(chart_line(&chart, row, line)) <= chart.columns);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_step_in_plain_characters),
	    cmocka_unit_test(a_line_in_dots),
	    cmocka_unit_test(one_point_and_none),
	    cmocka_unit_test(every_column_is_reached),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
