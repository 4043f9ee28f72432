/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     web 4711, worker 4712
 *     ░░▒▒▓▓█▒░  ░░                 (spans that have no bar are in here)
 *     ├GET /users──────────────┤├checkout───┤
 *      ├authenticate┤ ├query──┤  │
 *
 * A bar that goes on beside the window is open on that side.
 */
#include "timeline.h"

#include "analyze/kernels/fit.h"
#include "analyze/kernels/heat_map.h"
#include "analyze/kernels/lane_levels.h"
#include "analyze/kernels/trace_id.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <spanring/spanring.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LANES_SHOWN_MAX 64u
#define LEVELS_SHOWN_MAX 8u

struct drawing {
	const struct timeline *timeline;
	const struct terminal *terminal;
	FILE *out;
	size_t width;
	bool failed;
};

static size_t column_of(const struct drawing *drawing, uint64_t time_ns, bool end) {
	const struct timeline *timeline = drawing->timeline;
	double range = (double)(timeline->end_ns - timeline->start_ns);
	if (time_ns <= timeline->start_ns)
		return 0;
	if (time_ns >= timeline->end_ns)
		return drawing->width;
	double at = (double)(time_ns - timeline->start_ns) / range * (double)drawing->width;
	size_t column = (size_t)at;
	return end && (double)column < at ? column + 1 : column;
}

static enum terminal_style style_of(const struct drawing *drawing, const struct timeline_bar *bar) {
	if (bar->status == SPANRING_STATUS_ERROR)
		return STYLE_RED;
	return drawing->timeline->has_trace && !bar->is_of_trace ? STYLE_DIM : STYLE_CYAN;
}

static void put_repeated(const struct drawing *drawing, const char *text, size_t times) {
	while (times-- > 0)
		(void)fputs(text, drawing->out);
}

static void put_bar(struct drawing *drawing, const struct timeline_bar *bar, size_t columns) {
	bool utf8 = drawing->terminal->utf8;
	const char *line = utf8 ? "─" : "-";
	bool begins = bar->start_ns >= drawing->timeline->start_ns;
	bool ends = bar->end_ns <= drawing->timeline->end_ns && !bar->is_open;
	(void)fputs(terminal_style(drawing->terminal, style_of(drawing, bar)), drawing->out);
	if (columns == 1) {
		(void)fputs(utf8 ? "│" : "|", drawing->out);
	} else {
		const char *name = query_name_text(drawing->timeline->query, bar->name);
		CLEANUP_FREE char *printable = fit_printable(name, strlen(name));
		CLEANUP_FREE char *cut = printable && columns > 2 ? fit_end(printable, columns - 2, utf8) : strdup("");
		if (!cut)
			drawing->failed = true;
		size_t used = cut ? text_columns(cut) : 0;
		(void)fputs(begins ? utf8 ? "├" : "[" : line, drawing->out);
		(void)fputs(cut ? cut : "", drawing->out);
		put_repeated(drawing, line, columns - 2 > used ? columns - 2 - used : 0);
		(void)fputs(ends ? utf8 ? "┤" : "]" : bar->is_open ? ">" : line, drawing->out);
	}
	(void)fputs(terminal_style(drawing->terminal, STYLE_PLAIN), drawing->out);
}

/* Bars of a level do not overlap, but two may be in one column: the first has it. */
static void put_level(struct drawing *drawing, const struct timeline_lane *lane, uint32_t level) {
	size_t at = 0;
	for (uint32_t i = lane->first_bar; i < lane->end_bar; i++) {
		const struct timeline_bar *bar = &drawing->timeline->bars[i];
		if (bar->level != level)
			continue;
		size_t from = column_of(drawing, bar->start_ns, false);
		size_t to = column_of(drawing, bar->end_ns, true);
		if (from >= drawing->width)
			from = drawing->width - 1;
		if (to <= from)
			to = from + 1;
		if (from < at)
			from = at;
		if (to <= from)
			continue;
		(void)fprintf(drawing->out, "%*s", (int)(from - at), "");
		put_bar(drawing, bar, to - from);
		at = to;
	}
	(void)fputc('\n', drawing->out);
}

static void put_shade(const struct drawing *drawing, const struct timeline_lane *lane) {
	static const char *const blocks[HEAT_MAP_LEVELS] = {" ", "░", "▒", "▓", "█"};
	static const char *const letters[HEAT_MAP_LEVELS] = {" ", ".", "+", "*", "#"};
	size_t blanks = 0;
	(void)fputs(terminal_style(drawing->terminal, STYLE_YELLOW), drawing->out);
	for (size_t column = 0; column < drawing->width; column++) {
		size_t first = column * TIMELINE_SLOTS / drawing->width;
		size_t end = (column + 1) * TIMELINE_SLOTS / drawing->width;
		uint32_t most = lane->shade[first];
		for (size_t slot = first; slot < end; slot++)
			most = lane->shade[slot] > most ? lane->shade[slot] : most;
		unsigned level = HEAT_MAP_LEVELS - 1;
		while (level > 0 && most < heat_map_level_low(level, drawing->timeline->shade_max))
			level--;
		if (level == 0) {
			blanks++;
			continue;
		}
		(void)fprintf(drawing->out, "%*s%s", (int)blanks, "",
		              drawing->terminal->utf8 ? blocks[level] : letters[level]);
		blanks = 0;
	}
	(void)fprintf(drawing->out, "%s\n", terminal_style(drawing->terminal, STYLE_PLAIN));
}

static void put_lane(struct drawing *drawing, const struct timeline_lane *lane) {
	char label[TIMELINE_LABEL_BYTES];
	(void)timeline_label(drawing->timeline, lane, label);
	CLEANUP_FREE char *printable = fit_printable(label, strlen(label));
	CLEANUP_FREE char *cut = printable ? fit_middle(printable, drawing->width, drawing->terminal->utf8) : NULL;
	if (!cut)
		drawing->failed = true;
	(void)fprintf(drawing->out, "%s%s%s\n", terminal_style(drawing->terminal, STYLE_BOLD), cut ? cut : "",
	              terminal_style(drawing->terminal, STYLE_PLAIN));
	if (lane->span_count > lane->bar_count || lane->level_count > LEVELS_SHOWN_MAX)
		put_shade(drawing, lane);
	for (uint32_t level = 0; level < lane->level_count && level < LEVELS_SHOWN_MAX; level++)
		put_level(drawing, lane, level);
}

static void put_head(const struct drawing *drawing) {
	const struct timeline *timeline = drawing->timeline;
	char text[4][UNITS_TEXT_BYTES];
	uint64_t range_ns = timeline->end_ns - timeline->start_ns;
	terminal_note(drawing->terminal, drawing->out, STYLE_PLAIN, "from %s, %s, %s %s in %s %s",
	              units_format_wall(timeline->start_ns, text[0]), units_format_duration((double)range_ns, text[1]),
	              units_format_count(timeline->span_count, text[2]), timeline->span_count == 1 ? "span" : "spans",
	              units_format_count(timeline->lane_count, text[3]),
	              timeline->lane_count == 1 ? "thread" : "threads");
	(void)units_format_duration((double)range_ns, text[0]);
	(void)units_format_duration((double)range_ns / 2, text[1]);
	size_t middle = drawing->width / 2;
	size_t end = drawing->width - strlen(text[0]);
	(void)fprintf(drawing->out, "%s0%*s%*s%s\n\n", terminal_style(drawing->terminal, STYLE_DIM),
	              (int)(middle + strlen(text[1]) / 2 - 1), text[1],
	              (int)(end + strlen(text[0]) - middle - strlen(text[1]) / 2), text[0],
	              terminal_style(drawing->terminal, STYLE_PLAIN));
}

static void put_notes(const struct drawing *drawing, uint64_t bars) {
	const struct timeline *timeline = drawing->timeline;
	char text[UNITS_TEXT_BYTES];
	if (timeline->lane_count > LANES_SHOWN_MAX)
		terminal_note(drawing->terminal, drawing->out, STYLE_DIM,
		              "%s more threads: --service or --where select",
		              units_format_count(timeline->lane_count - LANES_SHOWN_MAX, text));
	if (timeline->lanes_full)
		terminal_note(drawing->terminal, drawing->out, STYLE_DIM,
		              "more than %u threads: the last of these has the spans of all others",
		              TIMELINE_LANES_MAX);
	if (timeline->span_count > bars)
		terminal_note(drawing->terminal, drawing->out, STYLE_DIM,
		              "%s shorter spans are in the shades only: narrow the window, or raise --limit",
		              units_format_count(timeline->span_count - bars, text));
}

int timeline_print(const struct timeline *timeline, FILE *out) {
	const struct terminal *terminal = &timeline->query->context->terminal;
	struct drawing drawing = {.timeline = timeline, .terminal = terminal, .out = out, .width = terminal->width};
	uint64_t bars = 0;
	if (drawing.width == TERMINAL_WIDTH_UNLIMITED)
		drawing.width = TERMINAL_WIDTH_DEFAULT;
	put_head(&drawing);
	for (uint32_t i = 0; i < timeline->lane_count && i < LANES_SHOWN_MAX; i++)
		put_lane(&drawing, timeline->lanes[i]);
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		bars += timeline->lanes[i]->bar_count;
	(void)fputc('\n', out);
	put_notes(&drawing, bars);
	return drawing.failed ? -ENOMEM : 0;
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void print_bar(struct json *json, const struct timeline *timeline, const struct timeline_bar *bar) {
	char id[TRACE_ID_TEXT_BYTES];
	const struct store_overview *overview = timeline->query->overview;
	json_open(json, NULL, '{');
	json_text(json, "name", overview->names[bar->name <= overview->name_count ? bar->name : 0]);
	json_text(json, "trace_id", trace_id_text(bar->trace_hi, bar->trace_lo, id));
	json_text(json, "span_id", span_id_text(bar->span_id, id));
	json_u64(json, "start_wall_ns", bar->start_ns);
	json_u64(json, "duration_ns", bar->end_ns - bar->start_ns);
	json_text(json, "status", trace_status_text(bar->status));
	json_bool(json, "open", bar->is_open);
	if (bar->level == LANE_LEVEL_NONE)
		json_null(json, "level");
	else
		json_u64(json, "level", bar->level);
	json_close(json);
}

static void print_lane(struct json *json, const struct timeline *timeline, const struct timeline_lane *lane) {
	const struct store_overview *overview = timeline->query->overview;
	const struct store_process_view *process = lane->process ? &overview->processes[lane->process - 1] : NULL;
	json_open(json, NULL, '{');
	json_text(json, "service", process ? process->service : "");
	json_u64(json, "pid", process ? process->pid : 0);
	json_u64(json, "tid", lane->tid);
	json_text(json, "thread", overview->names[lane->thread_name <= overview->name_count ? lane->thread_name : 0]);
	json_u64(json, "span_count", lane->span_count);
	json_open(json, "spans", '[');
	for (uint32_t i = lane->first_bar; i < lane->end_bar; i++)
		print_bar(json, timeline, &timeline->bars[i]);
	json_close(json);
	json_open(json, "shade", '[');
	for (uint32_t slot = 0; slot < TIMELINE_SLOTS; slot++)
		json_u64(json, NULL, lane->shade[slot]);
	json_close(json);
	json_close(json);
}

void timeline_print_json(const struct timeline *timeline, FILE *out) {
	struct json json = json_begin(out);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "timeline/1");
	json_u64(&json, "start_wall_ns", timeline->start_ns);
	json_u64(&json, "end_wall_ns", timeline->end_ns);
	json_u64(&json, "span_count", timeline->span_count);
	json_open(&json, "lanes", '[');
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		print_lane(&json, timeline, timeline->lanes[i]);
	json_close(&json);
	json_close(&json);
}
