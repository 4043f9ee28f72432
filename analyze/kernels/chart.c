/* SPDX-License-Identifier: Apache-2.0 */
#include "chart.h"

#include <math.h>
#include <string.h>

#define BRAILLE 0x2800u

static unsigned dots_across(const struct chart *chart) {
	return chart->utf8 ? 2 * chart->columns : chart->columns;
}

static unsigned dots_down(const struct chart *chart) {
	return chart->utf8 ? 4 * chart->rows : chart->rows;
}

/* 0 .. dots - 1 */
static unsigned place(double value, double low, double high, unsigned dots) {
	double share = high > low ? (value - low) / (high - low) : 0.5;
	double at = floor(fmin(fmax(share, 0), 1) * dots);
	return at >= dots ? dots - 1 : (unsigned)at;
}

static unsigned row_of(const struct chart *chart, double y) {
	return dots_down(chart) - 1 - place(y, chart->y_low, chart->y_high, dots_down(chart));
}

static void fill(struct chart *chart, unsigned column, unsigned from, unsigned to) {
	for (unsigned row = from < to ? from : to; row <= (from < to ? to : from); row++)
		chart->dots[row][column] = true;
}

/* From one dot to another, at least one column further. */
static void join(struct chart *chart, unsigned column, unsigned row, unsigned to_column, unsigned to_row) {
	unsigned before = row;
	for (unsigned at = column + 1; at <= to_column; at++) {
		double share = (double)(at - column) / (double)(to_column - column);
		unsigned next = (unsigned)lround((double)row + share * ((double)to_row - (double)row));
		/* a step of one dot is joined as it is */
		if (next > before + 1)
			fill(chart, at, before + 1, next);
		else if (next + 1 < before)
			fill(chart, at, before - 1, next);
		else
			chart->dots[next][at] = true;
		before = next;
	}
}

void chart_draw(struct chart *chart, const struct chart_point *points, size_t count) {
	memset(chart->dots, 0, sizeof(chart->dots));
	unsigned last_column = 0, last_row = 0;
	for (size_t i = 0; i < count;) {
		unsigned column = place(points[i].x, chart->x_low, chart->x_high, dots_across(chart));
		unsigned first = row_of(chart, points[i].y);
		unsigned highest = first, lowest = first, last = first;
		if (i > 0)
			join(chart, last_column, last_row, column, first);
		for (; i < count && place(points[i].x, chart->x_low, chart->x_high, dots_across(chart)) == column;
		     i++) {
			last = row_of(chart, points[i].y);
			highest = last < highest ? last : highest;
			lowest = last > lowest ? last : lowest;
		}
		fill(chart, column, highest, lowest);
		last_column = column;
		last_row = last;
	}
}

static size_t put_braille(const struct chart *chart, unsigned row, unsigned column, char *text) {
	static const unsigned bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	unsigned code = BRAILLE;
	for (unsigned down = 0; down < 4; down++)
		for (unsigned across = 0; across < 2; across++)
			code |= chart->dots[4 * row + down][2 * column + across] ? bits[down][across] : 0;
	if (code == BRAILLE) {
		*text = ' ';
		return 1;
	}
	text[0] = (char)(0xe0u | code >> 12);
	text[1] = (char)(0x80u | (code >> 6 & 0x3fu));
	text[2] = (char)(0x80u | (code & 0x3fu));
	return 3;
}

const char *chart_line(const struct chart *chart, unsigned row, char ret_line[CHART_LINE_BYTES]) {
	size_t used = 0;
	size_t shown = 0;
	for (unsigned column = 0; column < chart->columns; column++) {
		if (chart->utf8)
			used += put_braille(chart, row, column, ret_line + used);
		else
			ret_line[used++] = chart->dots[row][column] ? '*' : ' ';
		if (ret_line[used - 1] != ' ')
			shown = used;
	}
	ret_line[shown] = 0;
	return ret_line;
}
