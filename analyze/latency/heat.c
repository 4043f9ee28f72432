/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      256 us  ░░▒░      ░
 *      181 us  ▒▓█▓▒░  ░▒▓▒
 *      128 us  ░▒▒░░░░░░▒▒▒░
 *              ^ time ->
 *
 * Shades grow by a factor of four, so that a few slow spans are seen beside many fast ones.
 */
#include "heat.h"

#include "analyze/kernels/heat_map.h"
#include "analyze/terminal/csv.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 11u /* with the gap behind it */
#define MAP_COLUMNS_MIN 8u
#define MAP_ROWS_MAX 24u
#define DATA_COLUMNS_MAX 240u /* in JSON and CSV */

struct heat {
	struct query *query;
	struct heat_map *map;
	uint64_t open;
};

static int take_batch(void *context, const struct store_columns *columns) {
	struct heat *heat = context;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (!query_accepts(heat->query, columns, row))
			continue;
		if (query_is_open(columns, row))
			heat->open++;
		else
			heat_map_add(heat->map,
			             saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns),
			             columns->duration_ns[row]);
	}
	return 0;
}

static void print_json(const struct heat *heat, const struct heat_map_view *view) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "heatmap/1");
	json_u64(&json, "count", heat->map->count);
	json_u64(&json, "unfinished", heat->open);
	json_u64(&json, "start_wall_ns", view->start_ns);
	json_u64(&json, "column_ns", view->column_ns);
	json_u64(&json, "columns", view->columns);
	json_open(&json, "rows", '[');
	for (uint32_t row = 0; row < view->rows; row++) {
		json_open(&json, NULL, '{');
		json_u64(&json, "from_ns", heat_map_row_low_ns(view, row));
		json_u64(&json, "to_ns", heat_map_row_high_ns(view, row));
		json_open(&json, "counts", '[');
		for (uint32_t column = 0; column < view->columns; column++)
			json_u64(&json, NULL, heat_map_cell(view, row, column));
		json_close(&json);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct heat_map_view *view) {
	struct csv csv = {.out = stdout};
	csv_head(&csv, "start_wall_ns,from_ns,to_ns,count");
	for (uint32_t column = 0; column < view->columns; column++) {
		for (uint32_t row = 0; row < view->rows; row++) {
			uint64_t count = heat_map_cell(view, row, column);
			if (count == 0)
				continue;
			csv_u64(&csv, view->start_ns + column * view->column_ns);
			csv_u64(&csv, heat_map_row_low_ns(view, row));
			csv_u64(&csv, heat_map_row_high_ns(view, row));
			csv_u64(&csv, count);
			csv_end(&csv);
		}
	}
}

static const char *shade(const struct terminal *terminal, unsigned level) {
	static const char *const blocks[HEAT_MAP_LEVELS] = {" ", "░", "▒", "▓", "█"};
	static const char *const letters[HEAT_MAP_LEVELS] = {" ", ".", "+", "*", "#"};
	return terminal->utf8 ? blocks[level] : letters[level];
}

static void print_row(const struct heat *heat, const struct heat_map_view *view, uint32_t row,
                      const uint64_t lows[HEAT_MAP_LEVELS]) {
	const struct terminal *terminal = &heat->query->context->terminal;
	char text[UNITS_TEXT_BYTES];
	uint32_t blanks = 0;
	printf("%9s  %s", units_format_duration((double)heat_map_row_low_ns(view, row), text),
	       terminal_style(terminal, STYLE_CYAN));
	for (uint32_t column = 0; column < view->columns; column++) {
		uint64_t count = heat_map_cell(view, row, column);
		unsigned level = HEAT_MAP_LEVELS - 1;
		while (level > 0 && count < lows[level])
			level--;
		if (level == 0) {
			blanks++;
			continue;
		}
		printf("%*s%s", (int)blanks, "", shade(terminal, level));
		blanks = 0;
	}
	printf("%s\n", terminal_style(terminal, STYLE_PLAIN));
}

/* " ░ 1  ▒ 4  ▓ 16  █ 64 spans and more" */
static void print_legend(const struct heat *heat, const struct heat_map_view *view,
                         const uint64_t lows[HEAT_MAP_LEVELS]) {
	const struct terminal *terminal = &heat->query->context->terminal;
	char text[4][UNITS_TEXT_BYTES];
	printf("%*s", (int)LABEL_COLUMNS, "");
	for (unsigned level = 1; level < HEAT_MAP_LEVELS; level++)
		if (lows[level] <= view->most)
			printf("%s%s %s", level > 1 ? "  " : "", shade(terminal, level),
			       units_format_count(lows[level], text[0]));
	printf(view->most > 1 ? " and more\n\n" : "\n\n");
	terminal_note(terminal, stdout, STYLE_DIM, "from %s to %s, a column is %s; each row begins at its duration",
	              units_format_wall(view->start_ns, text[0]),
	              units_format_wall(view->start_ns + view->columns * view->column_ns, text[1]),
	              units_format_duration((double)view->column_ns, text[2]));
	terminal_note(terminal, stdout, STYLE_DIM, "%s %s that ended and %s, by start, exact",
	              units_format_count(heat->map->count, text[0]), heat->map->count == 1 ? "span" : "spans",
	              heat->map->count == 1 ? "matches" : "match");
	if (heat->open > 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "without %s that never ended: see spanring-analyze unfinished",
		              units_format_count(heat->open, text[0]));
}

static void print_map(const struct heat *heat) {
	const struct terminal *terminal = &heat->query->context->terminal;
	unsigned width = terminal->width == TERMINAL_WIDTH_UNLIMITED ? TERMINAL_WIDTH_DEFAULT : terminal->width;
	unsigned columns = width > LABEL_COLUMNS + MAP_COLUMNS_MIN ? width - LABEL_COLUMNS : MAP_COLUMNS_MIN;
	struct heat_map_view view = heat_map_show(heat->map, columns, MAP_ROWS_MAX);
	uint64_t lows[HEAT_MAP_LEVELS] = {0};
	for (unsigned level = 1; level < HEAT_MAP_LEVELS; level++)
		lows[level] = heat_map_level_low(level, view.most);
	for (uint32_t row = view.rows; row-- > 0;)
		print_row(heat, &view, row, lows);
	(void)putchar('\n');
	print_legend(heat, &view, lows);
}

static void print(struct heat *heat) {
	const struct options *options = heat->query->context->options;
	bool empty = query_store_is_empty(heat->query);
	struct heat_map_view view = {.map = heat->map};
	if (heat->map->count > 0)
		view = heat_map_show(heat->map, DATA_COLUMNS_MAX, HEAT_MAP_STEPS);
	if (options->json)
		print_json(heat, &view);
	else if (options->csv)
		print_csv(&view);
	else if (heat->map->count > 0)
		print_map(heat);
	else if (!empty)
		query_say_no_match(heat->query, "matches");
}

int heat_answer(struct query *query) {
	CLEANUP_FREE struct heat_map *map = calloc(1, sizeof(*map));
	struct heat heat = {.query = query, .map = map};
	struct query_scan scan = {.columns = STORE_COLUMN_DURATION | STORE_COLUMN_START | query_open_column(query),
	                          .on_batch = take_batch,
	                          .context = &heat};
	int rc = map ? query_scan(query, &scan) : -ENOMEM;
	if (rc != 0)
		return command_failed(query->context, rc, "reading durations");
	print(&heat);
	return EXIT_CODE_OK;
}
