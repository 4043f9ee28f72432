/* SPDX-License-Identifier: Apache-2.0 */
#include "change_print.h"

#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LONELY_SHOWN 6u
#define NAME_TEXT_BYTES 200u

const char *change_word(unsigned metric, enum change_verdict verdict) {
	bool is_amount = metric == CHANGE_ERRORS || metric == CHANGE_HEAP;
	switch (verdict) {
	case CHANGE_WORSE:
		return is_amount ? "more" : "slower";
	case CHANGE_BETTER:
		return is_amount ? "less" : "faster";
	case CHANGE_MIXED:
		return "mixed";
	case CHANGE_SAME:
		break;
	}
	return "~";
}

const char *change_percent(unsigned metric, double change, char ret_text[CHANGE_TEXT_BYTES]) {
	double percent = 100 * change;
	const char *unit = metric == CHANGE_ERRORS ? "pp" : "%";
	if (!isfinite(change))
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "?");
	else if (metric != CHANGE_ERRORS && change >= 9)
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "x%.3g", 1 + change);
	else if (fabs(percent) < 0.05)
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "0 %s", unit);
	else
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, fabs(percent) < 9.95 ? "%+.1f %s" : "%+.0f %s", percent,
		               unit);
	return ret_text;
}

const char *change_value(unsigned metric, double value, char ret_text[CHANGE_TEXT_BYTES]) {
	if (metric == CHANGE_ERRORS)
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "%.3g %%", 100 * value);
	else if (metric == CHANGE_HEAP)
		(void)units_format_bytes(value, ret_text);
	else
		(void)units_format_duration(value, ret_text);
	return ret_text;
}

static enum terminal_style style_of(enum change_verdict verdict) {
	switch (verdict) {
	case CHANGE_WORSE:
		return STYLE_RED;
	case CHANGE_BETTER:
		return STYLE_GREEN;
	case CHANGE_MIXED:
		return STYLE_YELLOW;
	case CHANGE_SAME:
		break;
	}
	return STYLE_DIM;
}

static void interval_text(const struct change_figure *figure, unsigned metric, char ret_text[CHANGE_TEXT_BYTES]) {
	double low = 100 * figure->difference.low;
	double high = 100 * figure->difference.high;
	const char *unit = metric == CHANGE_ERRORS ? "pp" : "%";
	if (!figure->there || !figure->difference.known)
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "-");
	else if (fabs(low) < 9.95 && fabs(high) < 9.95)
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "%+.1f..%+.1f %s", low, high, unit);
	else
		(void)snprintf(ret_text, CHANGE_TEXT_BYTES, "%+.0f..%+.0f %s", low, high, unit);
}

/* Before, after, change and interval: four cells. */
static void add_figure(struct table *table, const struct change_figure *figure, unsigned metric) {
	char text[CHANGE_TEXT_BYTES];
	double change = metric == CHANGE_ERRORS ? figure->after - figure->before : figure->after / figure->before - 1;
	table_cell(table, STYLE_PLAIN, figure->there ? change_value(metric, figure->before, text) : "-");
	table_cell(table, STYLE_PLAIN, figure->there ? change_value(metric, figure->after, text) : "-");
	table_cell(table, style_of(figure->verdict), figure->there ? change_percent(metric, change, text) : "-");
	interval_text(figure, metric, text);
	table_cell(table, STYLE_DIM, text);
}

/* The change alone, where there is one. */
static void add_short(struct table *table, const struct change_figure *figure, unsigned metric) {
	char text[CHANGE_TEXT_BYTES];
	table_cell(table, style_of(figure->verdict),
	           figure->verdict ? change_percent(metric, figure->difference.change, text) : "~");
}

static int print_lines(const struct change_comparison *comparison, const struct change_print *print) {
	static const unsigned shorts[] = {CHANGE_P50, CHANGE_P95, CHANGE_P99, CHANGE_MEAN, CHANGE_ERRORS};
	char titles[2][CHANGE_TEXT_BYTES];
	(void)snprintf(titles[0], sizeof(titles[0]), "%s before", change_metric_words[print->metric]);
	(void)snprintf(titles[1], sizeof(titles[1]), "%s after", change_metric_words[print->metric]);
	struct table_column columns[12] = {
	    {"name", false, 0}, {titles[0], true, 1}, {titles[1], true, 0}, {"change", true, 0}, {"95 %", true, 5}};
	unsigned count = 5;
	for (unsigned i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++)
		if (shorts[i] != print->metric)
			columns[count++] = (struct table_column){change_metric_words[shorts[i]], true, 6 + i};
	columns[count++] = (struct table_column){"slower in", true, 3};
	columns[count++] = (struct table_column){"verdict", false, 0};
	struct table table CLEANUP(table_done) = table_begin(columns, count, 0, 16);
	for (size_t i = 0; i < print->limit; i++) {
		const struct change_line *line = &comparison->lines[i];
		char text[CHANGE_TEXT_BYTES];
		table_cell(&table, STYLE_PLAIN, line->text);
		add_figure(&table, &line->figures[print->metric], print->metric);
		for (unsigned s = 0; s < sizeof(shorts) / sizeof(shorts[0]); s++)
			if (shorts[s] != print->metric)
				add_short(&table, &line->figures[shorts[s]], shorts[s]);
		(void)snprintf(text, sizeof(text), "%.1f %%", 100 * line->superiority.value);
		table_cell(&table, style_of(line->superiority_verdict), line->superiority.known ? text : "-");
		table_cell(&table, style_of(line->verdict), change_word(CHANGE_P50, line->verdict));
	}
	return table_print(&table, &comparison->stores[0].context.terminal, stdout);
}

static int print_all(const struct change_comparison *comparison, const struct change_print *print) {
	static const struct table_column columns[] = {{"name", false, 0}, {"figure", false, 0}, {"before", true, 2},
	                                              {"after", true, 0}, {"change", true, 0},  {"95 %", true, 3},
	                                              {"p", true, 4},     {"verdict", false, 0}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < print->limit; i++) {
		const struct change_line *line = &comparison->lines[i];
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			const struct change_figure *figure = &line->figures[metric];
			char text[CHANGE_TEXT_BYTES];
			if (!figure->there)
				continue;
			table_cell(&table, STYLE_PLAIN, line->text);
			table_cell(&table, STYLE_PLAIN, change_metric_words[metric]);
			add_figure(&table, figure, metric);
			(void)snprintf(text, sizeof(text), figure->p_adjusted < 0.001 ? "<0.001" : "%.3f",
			               figure->p_adjusted);
			table_cell(&table, STYLE_DIM, figure->difference.known ? text : "-");
			table_cell(&table, style_of(figure->verdict), change_word(metric, figure->verdict));
		}
	}
	return table_print(&table, &comparison->stores[0].context.terminal, stdout);
}

static void print_lonely(const struct change_comparison *comparison, unsigned side) {
	const struct terminal *terminal = &comparison->stores[0].context.terminal;
	size_t count = comparison->lonely_count[side];
	char list[TERMINAL_NOTE_BYTES_MAX / 2] = "";
	size_t bytes = 0;
	for (size_t i = 0; i < count && i < LONELY_SHOWN; i++) {
		char name[NAME_TEXT_BYTES / 3];
		(void)text_printable(comparison->lonely[side][i].text, strlen(comparison->lonely[side][i].text), name,
		                     sizeof(name));
		bytes += (size_t)snprintf(list + bytes, sizeof(list) - bytes, "%s%s", i ? ", " : "", name);
	}
	if (count > 0)
		terminal_note(terminal, stdout, STYLE_DIM, "only %s: %s%s", side ? "after" : "before", list,
		              count > LONELY_SHOWN ? ", ... (--json has all)" : "");
}

static void print_notes(const struct change_comparison *comparison, const struct change_print *print) {
	const struct terminal *terminal = &comparison->stores[0].context.terminal;
	char spans[2][UNITS_TEXT_BYTES];
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM, "%s spans before, %s after; %zu %s in both, %s",
	              units_format_count(comparison->stores[0].spans, spans[0]),
	              units_format_count(comparison->stores[1].spans, spans[1]), comparison->line_count,
	              comparison->line_count == 1 ? "name" : "names",
	              comparison->method == CHANGE_ROLLUPS ? "from the statistics of all spans" : "from the records");
	if (print->limit < comparison->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu names are shown", print->limit);
	print_lonely(comparison, 0);
	print_lonely(comparison, 1);
	terminal_note(
	    terminal, stdout, STYLE_DIM,
	    "~: less than drift within the runs (%.2g %% before, %.2g %% after, or the name's own), than chance "
	    "(%.3g %% for all names together), or than %.3g %%",
	    100 * expm1(comparison->drift[0]), 100 * expm1(comparison->drift[1]), 100 * comparison->settings.alpha,
	    100 * comparison->settings.least);
}

int change_print_text(const struct change_comparison *comparison, const struct change_print *print) {
	int rc = 0;
	if (comparison->line_count > 0)
		rc = print->metric < CHANGE_METRICS ? print_lines(comparison, print) : print_all(comparison, print);
	if (rc == 0)
		print_notes(comparison, print);
	return rc;
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void json_known(struct json *json, const char *key, bool known, double value) {
	if (known)
		json_f64(json, key, value);
	else
		json_null(json, key);
}

static void json_figure(struct json *json, unsigned metric, const struct change_figure *figure) {
	bool known = figure->there && figure->difference.known;
	json_open(json, change_metric_keys[metric], '{');
	json_known(json, "before", figure->there, figure->before);
	json_known(json, "after", figure->there, figure->after);
	if (metric == CHANGE_ERRORS)
		json_known(json, "change", figure->there, figure->after - figure->before);
	else
		json_known(json, "change", figure->there && figure->before > 0, figure->after / figure->before - 1);
	json_known(json, "low", known, figure->difference.low);
	json_known(json, "high", known, figure->difference.high);
	json_known(json, "p", known, figure->p_adjusted);
	json_text(json, "verdict", change_word(metric, figure->verdict));
	json_close(json);
}

static void json_line(struct json *json, const struct change_line *line) {
	json_open(json, NULL, '{');
	json_text(json, "name", line->text);
	json_text(json, "verdict", change_word(CHANGE_P50, line->verdict));
	json_u64(json, "count_before", line->count[0]);
	json_u64(json, "count_after", line->count[1]);
	json_f64(json, "time_share_before", line->share[0]);
	json_f64(json, "time_share_after", line->share[1]);
	json_f64(json, "drift", expm1(line->margin));
	json_open(json, "slower_in", '{');
	json_known(json, "share", line->superiority.known, line->superiority.value);
	json_known(json, "low", line->superiority.known, line->superiority.low);
	json_known(json, "high", line->superiority.known, line->superiority.high);
	json_known(json, "p", line->superiority.known, line->superiority_p_adjusted);
	json_text(json, "verdict", change_word(CHANGE_P50, line->superiority_verdict));
	json_close(json);
	json_open(json, "figures", '{');
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++)
		json_figure(json, metric, &line->figures[metric]);
	json_close(json);
	json_close(json);
}

static void json_store(struct json *json, const char *key, const struct change_comparison *comparison, unsigned side) {
	const struct change_store *store = &comparison->stores[side];
	json_open(json, key, '{');
	json_text(json, "store", store->options.store);
	json_u64(json, "spans", store->spans);
	json_u64(json, "start_wall_ns", store->spans ? store->start_wall_ns : 0);
	json_u64(json, "end_wall_ns", store->spans ? store->end_wall_ns : 0);
	json_f64(json, "drift", expm1(comparison->drift[side]));
	json_open(json, "only_here", '[');
	for (size_t i = 0; i < comparison->lonely_count[side]; i++) {
		const struct change_line *line = &comparison->lonely[side][i];
		json_open(json, NULL, '{');
		json_text(json, "name", line->text);
		json_u64(json, "count", line->count[side]);
		json_f64(json, "time_share", line->share[side]);
		json_close(json);
	}
	json_close(json);
	json_close(json);
}

void change_print_json(const struct change_comparison *comparison, const struct change_print *print) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "compare/1");
	json_text(&json, "method", comparison->method == CHANGE_ROLLUPS ? "sketch" : "exact");
	json_f64(&json, "significance", comparison->settings.alpha);
	json_f64(&json, "least_change", comparison->settings.least);
	json_f64(&json, "interval_level", CHANGE_LEVEL);
	json_store(&json, "before", comparison, 0);
	json_store(&json, "after", comparison, 1);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < print->limit; i++)
		json_line(&json, &comparison->lines[i]);
	json_close(&json);
	json_close(&json);
}

/* --- CSV --------------------------------------------------------------------------------------------------------- */

static void csv_known(struct csv *csv, bool known, double value) {
	if (known && isfinite(value))
		csv_f64(csv, value);
	else
		csv_text(csv, "", 0);
}

void change_print_csv(const struct change_comparison *comparison, const struct change_print *print) {
	static const char *const titles[] = {"name",   "figure", "count_before", "count_after", "before", "after",
	                                     "change", "low",    "high",         "p",           "verdict"};
	struct csv csv = {.out = stdout};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		csv_text(&csv, titles[i], strlen(titles[i]));
	csv_end(&csv);
	for (size_t i = 0; i < print->limit; i++) {
		const struct change_line *line = &comparison->lines[i];
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			const struct change_figure *figure = &line->figures[metric];
			const char *word = change_word(metric, figure->verdict);
			bool known = figure->difference.known;
			if (!figure->there)
				continue;
			csv_text(&csv, line->text, strlen(line->text));
			csv_text(&csv, change_metric_keys[metric], strlen(change_metric_keys[metric]));
			csv_u64(&csv, line->count[0]);
			csv_u64(&csv, line->count[1]);
			csv_f64(&csv, figure->before);
			csv_f64(&csv, figure->after);
			csv_known(&csv, true,
			          metric == CHANGE_ERRORS ? figure->after - figure->before
			                                  : figure->after / figure->before - 1);
			csv_known(&csv, known, figure->difference.low);
			csv_known(&csv, known, figure->difference.high);
			csv_known(&csv, known, figure->p_adjusted);
			csv_text(&csv, word, strlen(word));
			csv_end(&csv);
		}
	}
}
