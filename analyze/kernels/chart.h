/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line through points, drawn with characters: braille dots, two across and four down in each character, where the terminal has them, else '*'.
 *
 * Each column of dots shows all that lies between the smallest and the largest value of its part of x, so that no peak is lost, and is joined to
 * the column before it. Columns without a point are bridged by a straight line.
 */
#ifndef SPANRING_ANALYZE_CHART_H
#define SPANRING_ANALYZE_CHART_H

#include <stdbool.h>
#include <stddef.h>

#define CHART_COLUMNS_MAX 200u
#define CHART_ROWS_MAX 50u
#define CHART_LINE_BYTES (CHART_COLUMNS_MAX * 3u + 1u)

struct chart_point {
	double x;
	double y;
};

struct chart {
	unsigned columns; /* of characters */
	unsigned rows;
	bool utf8;
	double x_low, x_high;
	double y_low, y_high;
	bool dots[CHART_ROWS_MAX * 4u][CHART_COLUMNS_MAX * 2u]; /* [0] is the highest row */
};

/* points in order of x. Sets dots; all else is set by the caller, columns and rows at least 1. */
void chart_draw(struct chart *chart, const struct chart_point *points, size_t count);
/* One row of characters, from the top; blanks at its end are left out. Returns ret_line. */
const char *chart_line(const struct chart *chart, unsigned row, char ret_line[CHART_LINE_BYTES]);

#endif
