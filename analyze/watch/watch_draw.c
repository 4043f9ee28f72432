/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/terminal/table.h"
#include "watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_PLAIN 20u
#define OTHER_ROWS 8u /* of a screen: head, titles, keys, and what a narrow one breaks */

/* --- order -------------------------------------------------------------------------------------------------------- */

static int falling(double left, double right) {
	return left > right ? -1 : left < right;
}

static int compare(const struct watch *watch, const struct watch_line *left, const struct watch_line *right) {
	switch (watch->sort) {
	case WATCH_BUSY:
		return falling(left->busy_ns_per_s, right->busy_ns_per_s);
	case WATCH_P50:
		return falling((double)left->p50_ns, (double)right->p50_ns);
	case WATCH_P99:
		return falling((double)left->p99_ns, (double)right->p99_ns);
	case WATCH_MAX:
		return falling((double)left->max_ns, (double)right->max_ns);
	case WATCH_ERRORS:
		return falling((double)left->errors, (double)right->errors);
	case WATCH_NAME:
		return strcmp(query_name_text(&watch->query, left->name), query_name_text(&watch->query, right->name));
	default:
		return falling(left->rate_per_s, right->rate_per_s);
	}
}

static int by_sort(const void *a, const void *b, void *context) {
	const struct watch_line *left = a;
	const struct watch_line *right = b;
	int order = compare(context, left, right);
	return order ? order : left->name < right->name ? -1 : left->name > right->name;
}

static size_t shown_of(const struct watch *watch) {
	uint64_t limit = watch->limit;
	uint32_t rows = watch->live.is_screen ? screen_rows(STDOUT_FILENO) : 0;
	if (watch->live.is_screen && rows > OTHER_ROWS && (limit == 0 || limit > rows - OTHER_ROWS))
		limit = rows - OTHER_ROWS;
	else if (limit == 0)
		limit = watch->context->options->json ? UINT64_MAX : LIMIT_PLAIN;
	return limit < watch->line_count ? (size_t)limit : watch->line_count;
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void print_json(const struct watch *watch, FILE *file) {
	struct json json = json_begin_line(file);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "watch/1");
	json_u64(&json, "time_wall_ns", clock_wall_ns());
	json_bool(&json, "readable", watch->is_readable);
	if (watch->as_of_wall_ns > 0)
		json_u64(&json, "as_of_wall_ns", watch->as_of_wall_ns);
	else
		json_null(&json, "as_of_wall_ns");
	json_text(&json, "source", watch->from_records ? "records" : "statistics");
	json_u64(&json, "window_ns", watch->window_ns);
	json_u64(&json, "running_processes", watch->running);
	json_u64(&json, "spans_begun", watch->books.begun);
	if (watch->rate_per_s >= 0)
		json_f64(&json, "spans_per_s", watch->rate_per_s);
	else
		json_null(&json, "spans_per_s");
	json_u64(&json, "spans_lost", watch->books.lost);
	json_u64(&json, "spans_lost_since_start", watch->lost_since_start);
	json_u64(&json, "spans_lost_since_look", watch->lost_since_look);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < shown_of(watch); i++) {
		const struct watch_line *line = &watch->lines[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", watch->query.overview->names[line->name]);
		json_u64(&json, "count", line->count);
		json_f64(&json, "rate_per_s", line->rate_per_s);
		json_f64(&json, "busy_ns_per_s", line->busy_ns_per_s);
		json_u64(&json, "p50_ns", line->p50_ns);
		json_u64(&json, "p99_ns", line->p99_ns);
		json_u64(&json, "max_ns", line->max_ns);
		json_u64(&json, "errors", line->errors);
		json_close(&json);
	}
	json_close(&json);
	if (watch->problem[0])
		json_text(&json, "problem", watch->problem);
	else
		json_null(&json, "problem");
	json_close(&json);
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static const char *rate_text(double rate_per_s, char ret_text[UNITS_TEXT_BYTES]) {
	if (rate_per_s > 0 && rate_per_s < 10)
		(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.2f", rate_per_s);
	else
		(void)units_format_count((uint64_t)(rate_per_s + 0.5), ret_text);
	return ret_text;
}

static void print_head(const struct watch *watch, const struct terminal *terminal, FILE *file) {
	char texts[4][UNITS_TEXT_BYTES];
	uint64_t now_ns = clock_wall_ns();
	bool is_known = watch->rate_per_s >= 0;
	if (watch->problem[0])
		terminal_note(terminal, file, STYLE_RED, "%s", watch->problem);
	terminal_note(
	    terminal, file, STYLE_PLAIN, "%s%s%s spans begun; %zu running; %s lost, %s of them since the last look",
	    is_known ? rate_text(watch->rate_per_s, texts[0]) : "", is_known ? " a second; " : "",
	    units_format_count(watch->books.begun, texts[1]), watch->running,
	    units_format_count(watch->books.lost, texts[2]), units_format_count(watch->lost_since_look, texts[3]));
	if (watch->as_of_wall_ns == 0)
		terminal_note(terminal, file, STYLE_DIM, "no spans stored yet");
	else
		terminal_note(
		    terminal, file, STYLE_DIM, "the last %s, as of %s ago%s",
		    units_format_duration((double)watch->window_ns, texts[0]),
		    units_format_duration(now_ns > watch->as_of_wall_ns ? (double)(now_ns - watch->as_of_wall_ns) : 0,
		                          texts[1]),
		    watch->from_records ? ", from the records" : "");
}

static int print_table(const struct watch *watch, const struct terminal *terminal, FILE *file) {
	static const struct table_column columns[] = {{"name", false, 0}, {"spans/s", true, 0}, {"p50", true, 1},
	                                              {"p99", true, 0},   {"max", true, 3},     {"errors", true, 1},
	                                              {"busy", true, 2}};
	char text[UNITS_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 14);
	for (size_t i = 0; i < shown_of(watch); i++) {
		const struct watch_line *line = &watch->lines[i];
		table_cell(&table, STYLE_PLAIN, query_name_text(&watch->query, line->name));
		table_cell(&table, STYLE_PLAIN, rate_text(line->rate_per_s, text));
		table_duration(&table, (double)line->p50_ns);
		table_duration(&table, (double)line->p99_ns);
		table_duration(&table, (double)line->max_ns);
		table_count(&table, line->errors ? STYLE_RED : STYLE_PLAIN, line->errors);
		(void)snprintf(text, sizeof(text), line->busy_ns_per_s < 1e9 ? "%.2f %%" : "%.0f %%",
		               line->busy_ns_per_s / 1e7);
		table_cell(&table, STYLE_PLAIN, text);
	}
	return watch->line_count > 0 ? table_print(&table, terminal, file) : 0;
}

static void print_text(const struct watch *watch, FILE *file) {
	struct terminal terminal = terminal_detect(STDOUT_FILENO, watch->context->options->color);
	print_head(watch, &terminal, file);
	(void)fputc('\n', file);
	(void)print_table(watch, &terminal, file);
	if (watch->live.is_screen)
		terminal_note(&terminal, file, STYLE_BOLD, "q quits, s sorts (%s), space looks now",
		              watch_sort_words[watch->sort]);
	else
		(void)fputc('\n', file);
}

/* A frame overwrites the one before: what is behind each line is cleared, and the last line does not scroll. */
static void put_lines(FILE *file, const char *text, const char *line_end) {
	for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
		(void)fwrite(text, 1, (size_t)(end - text), file);
		(void)fputs(end[1] ? line_end : "\033[K", file);
	}
	(void)fputs(text, file);
}

void watch_draw(void *of_watch, FILE *file) {
	struct watch *watch = of_watch;
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	if (watch->line_count > 0)
		qsort_r(watch->lines, watch->line_count, sizeof(watch->lines[0]), by_sort, watch);
	if (watch->context->options->json) {
		print_json(watch, file);
		return;
	}
	if (!watch->live.is_screen) {
		print_text(watch, file);
		return;
	}
	FILE *frame = open_memstream(&text, &bytes);
	if (!frame)
		return;
	print_text(watch, frame);
	if (fclose(frame) == 0)
		put_lines(file, text, live_line_end(&watch->live));
}
