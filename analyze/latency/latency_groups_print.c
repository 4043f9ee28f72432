/* SPDX-License-Identifier: Apache-2.0 */
#include "latency_groups_print.h"

#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS "(other)"
#define MISSING "-"

enum sort_key {
	SORT_TOTAL,
	SORT_COUNT,
	SORT_ERRORS,
	SORT_MEAN,
	SORT_STDDEV,
	SORT_MIN,
	SORT_MAX,
	SORT_KEY,
	SORT_QUANTILE
};

static const char *const sort_words[] = {"total", "count", "errors", "mean", "stddev", "min", "max",
                                         "key",   "p50",   "p90",    "p95",  "p99",    "p999"};
static const char *const quantile_keys[QUANTILE_COUNT] = {"p50_ns", "p90_ns", "p95_ns", "p99_ns", "p999_ns"};

/* --- order ------------------------------------------------------------------------------------------------------- */

bool latency_groups_sort_key(const char *word, struct latency_groups *groups) {
	if (!word) {
		groups->sort_key = groups->grouping.parts[0].type == GROUP_TIME ? SORT_KEY : SORT_TOTAL;
		return true;
	}
	for (size_t i = 0; i < sizeof(sort_words) / sizeof(sort_words[0]); i++) {
		groups->sort_key = i;
		if (strcmp(sort_words[i], word) == 0)
			return true;
	}
	return false;
}

static double figure_of(const struct latency_group_line *line, size_t key) {
	switch (key) {
	case SORT_TOTAL:
		return (double)line->total_ns;
	case SORT_COUNT:
		return (double)line->count;
	case SORT_ERRORS:
		return (double)line->errors;
	case SORT_MEAN:
		return line->mean_ns;
	case SORT_STDDEV:
		return line->stddev_ns;
	case SORT_MIN:
		return (double)line->min_ns;
	case SORT_MAX:
		return (double)line->max_ns;
	case SORT_KEY:
		return 0;
	default:
		return (double)line->quantiles[key - SORT_QUANTILE];
	}
}

/* Numbers by size, and before texts; texts by their bytes; what is missing comes last. */
static int by_value(const struct group_value *left, const struct group_value *right) {
	if (left->missing != right->missing)
		return left->missing ? 1 : -1;
	if (left->time_wall_ns != right->time_wall_ns)
		return left->time_wall_ns < right->time_wall_ns ? -1 : 1;
	if (left->is_number != right->is_number)
		return left->is_number ? -1 : 1;
	if (left->is_number) {
		double a = strtod(left->text, NULL);
		double b = strtod(right->text, NULL);
		if (a < b || a > b)
			return a < b ? -1 : 1;
	}
	size_t bytes = left->text_bytes < right->text_bytes ? left->text_bytes : right->text_bytes;
	int order = memcmp(left->text, right->text, bytes);
	return order ? order : (left->text_bytes > right->text_bytes) - (left->text_bytes < right->text_bytes);
}

static int by_place(const void *a, const void *b, void *context) {
	const struct latency_groups *groups = context;
	const struct latency_group_line *left = a;
	const struct latency_group_line *right = b;
	bool left_is_others = left->group == GROUPS_MAX;
	bool right_is_others = right->group == GROUPS_MAX;
	if (left_is_others || right_is_others)
		return (int)left_is_others - (int)right_is_others;
	double left_figure = figure_of(left, groups->sort_key);
	double right_figure = figure_of(right, groups->sort_key);
	if (left_figure < right_figure || left_figure > right_figure)
		return left_figure > right_figure ? -1 : 1;
	for (uint32_t part = 0; part < groups->grouping.part_count; part++) {
		struct group_value left_value;
		struct group_value right_value;
		group_value(&groups->grouping, left->group, part, &left_value);
		group_value(&groups->grouping, right->group, part, &right_value);
		int order = by_value(&left_value, &right_value);
		if (order)
			return order;
	}
	return 0;
}

int latency_groups_sort(struct latency_groups *groups) {
	qsort_r(groups->lines, groups->line_count, sizeof(groups->lines[0]), by_place, groups);
	return 0;
}

/* --- printing ---------------------------------------------------------------------------------------------------- */

static void print_json_key(struct json *json, const struct latency_groups *groups, uint32_t group) {
	const struct grouping *grouping = &groups->grouping;
	for (uint32_t part = 0; part < grouping->part_count; part++) {
		const char *key =
		    grouping->parts[part].type == GROUP_TIME ? "start_wall_ns" : grouping->parts[part].word;
		struct group_value value;
		group_value(grouping, group, part, &value);
		if (value.missing)
			json_null(json, key);
		else if (grouping->parts[part].type == GROUP_TIME)
			json_u64(json, key, value.time_wall_ns);
		else if (value.is_number && strpbrk(value.text, ".e"))
			json_f64(json, key, strtod(value.text, NULL));
		else if (value.is_number && value.text[0] == '-')
			json_i64(json, key, strtoll(value.text, NULL, 10));
		else if (value.is_number)
			json_u64(json, key, strtoull(value.text, NULL, 10));
		else
			json_text_n(json, key, value.text, value.text_bytes);
	}
}

static void print_json_line(struct json *json, const struct latency_groups *groups,
                            const struct latency_group_line *line) {
	json_open(json, NULL, '{');
	if (line->group == GROUPS_MAX) {
		json_null(json, "key");
	} else {
		json_open(json, "key", '{');
		print_json_key(json, groups, line->group);
		json_close(json);
	}
	json_u64(json, "count", line->count);
	json_u64(json, "errors", line->errors);
	json_u64(json, "total_ns", line->total_ns);
	json_f64(json, "mean_ns", line->mean_ns);
	json_f64(json, "stddev_ns", line->stddev_ns);
	json_u64(json, "min_ns", line->min_ns);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		json_u64(json, quantile_keys[q], line->quantiles[q]);
	json_u64(json, "max_ns", line->max_ns);
	json_close(json);
}

static void print_json(const struct latency_groups *groups, size_t shown) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "latency-groups/1");
	json_text(&json, "coverage", "stored");
	json_text(&json, "method", groups->estimated ? "estimate" : "exact");
	json_u64(&json, "unfinished", groups->open);
	json_bool(&json, "others", groups->grouping.has_others);
	json_open(&json, "groups", '[');
	for (size_t i = 0; i < shown; i++)
		print_json_line(&json, groups, &groups->lines[i]);
	json_close(&json);
	json_close(&json);
}

static void print_csv_titles(struct csv *csv, const struct grouping *grouping) {
	static const char *const titles[] = {"count", "errors", "total_ns", "mean_ns", "stddev_ns", "min_ns"};
	for (uint32_t part = 0; part < grouping->part_count; part++) {
		const char *title =
		    grouping->parts[part].type == GROUP_TIME ? "start_wall_ns" : grouping->parts[part].word;
		csv_text(csv, title, strlen(title));
	}
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		csv_text(csv, titles[i], strlen(titles[i]));
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		csv_text(csv, quantile_keys[q], strlen(quantile_keys[q]));
	csv_text(csv, "max_ns", strlen("max_ns"));
	csv_end(csv);
}

static void print_csv(const struct latency_groups *groups, size_t shown) {
	const struct grouping *grouping = &groups->grouping;
	struct csv csv = {.out = stdout};
	print_csv_titles(&csv, grouping);
	for (size_t i = 0; i < shown; i++) {
		const struct latency_group_line *line = &groups->lines[i];
		for (uint32_t part = 0; part < grouping->part_count; part++) {
			struct group_value value = {.text = OTHERS, .text_bytes = part == 0 ? strlen(OTHERS) : 0};
			if (line->group != GROUPS_MAX)
				group_value(grouping, line->group, part, &value);
			if (value.is_number)
				csv_number(&csv, value.text);
			else
				csv_text(&csv, value.text, value.text_bytes);
		}
		csv_u64(&csv, line->count);
		csv_u64(&csv, line->errors);
		csv_u64(&csv, line->total_ns);
		csv_f64(&csv, line->mean_ns);
		csv_f64(&csv, line->stddev_ns);
		csv_u64(&csv, line->min_ns);
		for (unsigned q = 0; q < QUANTILE_COUNT; q++)
			csv_u64(&csv, line->quantiles[q]);
		csv_u64(&csv, line->max_ns);
		csv_end(&csv);
	}
}

static void add_key_cell(struct table *table, const struct grouping *grouping, const struct latency_group_line *line,
                         uint32_t part) {
	char text[UNITS_TEXT_BYTES];
	struct group_value value;
	if (line->group == GROUPS_MAX) {
		table_cell(table, STYLE_DIM, part == 0 ? OTHERS : "");
		return;
	}
	group_value(grouping, line->group, part, &value);
	if (value.missing)
		table_cell(table, STYLE_DIM, MISSING);
	else if (grouping->parts[part].type == GROUP_TIME)
		table_cell(table, STYLE_PLAIN, units_format_wall(value.time_wall_ns, text));
	else
		table_cell(table, STYLE_PLAIN, value.text);
}

static int print_table(const struct latency_groups *groups, size_t shown) {
	static const struct table_column figures[] = {{"count", true, 0}, {"errors", true, 2}, {"total", true, 3},
	                                              {"mean", true, 4},  {"p50", true, 0},    {"p90", true, 5},
	                                              {"p99", true, 0},   {"max", true, 1}};
	const struct grouping *grouping = &groups->grouping;
	const struct terminal *terminal = &groups->query.context->terminal;
	struct table_column columns[TABLE_COLUMNS_MAX];
	uint32_t parts = grouping->part_count;
	for (uint32_t part = 0; part < parts; part++)
		columns[part] = (struct table_column){grouping->parts[part].word, false, 0};
	memcpy(&columns[parts], figures, sizeof(figures));
	struct table table CLEANUP(table_done) =
	    table_begin(columns, parts + (unsigned)(sizeof(figures) / sizeof(figures[0])), parts - 1, 12);
	for (size_t i = 0; i < shown; i++) {
		const struct latency_group_line *line = &groups->lines[i];
		for (uint32_t part = 0; part < parts; part++)
			add_key_cell(&table, grouping, line, part);
		table_count(&table, STYLE_PLAIN, line->count);
		table_count(&table, line->errors ? STYLE_RED : STYLE_PLAIN, line->errors);
		table_duration(&table, (double)line->total_ns);
		table_duration(&table, line->mean_ns);
		table_duration(&table, (double)line->quantiles[QUANTILE_P50]);
		table_duration(&table, (double)line->quantiles[QUANTILE_P90]);
		table_duration(&table, (double)line->quantiles[QUANTILE_P99]);
		table_duration(&table, (double)line->max_ns);
	}
	int rc = table_print(&table, terminal, stdout);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	if (shown < groups->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu of %zu groups are shown", shown,
		              groups->line_count);
	if (grouping->has_others)
		terminal_note(terminal, stdout, STYLE_YELLOW,
		              "more than %u groups: spans of those that came later are in %s", GROUPS_MAX, OTHERS);
	terminal_note(terminal, stdout, STYLE_DIM, "%s, over the stored spans that match; percentiles by nearest rank",
	              groups->estimated ? "estimated by the weights of tail keep" : "exact");
	return 0;
}

int latency_groups_print(const struct latency_groups *groups) {
	const struct options *options = groups->query.context->options;
	size_t shown = groups->line_count;
	if (options->limit > 0 && options->limit < shown)
		shown = (size_t)options->limit;
	if (options->json)
		print_json(groups, shown);
	else if (options->csv)
		print_csv(groups, shown);
	else
		return print_table(groups, shown);
	return 0;
}
