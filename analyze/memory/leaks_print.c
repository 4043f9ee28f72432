/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"
#include "leaks.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"

#include <spanring/record.h>

#include <math.h>
#include <string.h>

#define UNIT ((double)SPANRING_HEAP_UNIT_BYTES)
#define NS_PER_HOUR 3600e9
#define LEVELS 8u
#define SPARK_BYTES (LEAKS_PARTS * 3u + 1u)

static const char *const verdicts[] = {
    [LEAK_SHORT] = "not enough data", [LEAK_STABLE] = "stable", [LEAK_ONCE] = "once", [LEAK_GROWING] = "growing"};

static size_t shown_of(const struct leaks *leaks) {
	uint64_t limit = leaks->query->context->options->limit;
	return limit > 0 && limit < leaks->line_count ? (size_t)limit : leaks->line_count;
}

/* NAN: the time is too short to tell. */
static double per_hour(const struct leaks *leaks, const struct leak *line) {
	uint64_t range_ns = leaks->end_wall_ns - leaks->start_wall_ns;
	return range_ns >= LEAKS_RANGE_NS_MIN ? (double)line->own * UNIT * NS_PER_HOUR / (double)range_ns : NAN;
}

static void print_line_json(struct json *json, const struct leaks *leaks, const struct leak *line) {
	json_open(json, NULL, '{');
	json_text(json, "name", leaks->query->overview->names[line->name]);
	json_u64(json, "count", line->count);
	json_i64(json, "own_net_bytes", line->own * (int64_t)SPANRING_HEAP_UNIT_BYTES);
	json_i64(json, "net_bytes", line->net * (int64_t)SPANRING_HEAP_UNIT_BYTES);
	json_f64(json, "own_net_mean_bytes", line->mean);
	json_f64(json, "own_net_mean_low_bytes", line->mean_low);
	json_f64(json, "own_net_mean_high_bytes", line->mean_high);
	json_f64(json, "own_net_bytes_per_hour", per_hour(leaks, line));
	json_text(json, "verdict", verdicts[line->verdict]);
	json_open(json, "parts_own_net_bytes", '[');
	for (unsigned part = 0; part < LEAKS_PARTS; part++)
		json_i64(json, NULL, line->parts[part] * (int64_t)SPANRING_HEAP_UNIT_BYTES);
	json_close(json);
	json_close(json);
}

static void print_json(const struct leaks *leaks) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "memory-leaks/1");
	json_bool(&json, "heap_recorded", leaks->line_count > 0);
	json_bool(&json, "own_known", leaks->own_known);
	json_u64(&json, "start_wall_ns", leaks->start_wall_ns);
	json_u64(&json, "end_wall_ns", leaks->end_wall_ns);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < shown_of(leaks); i++)
		print_line_json(&json, leaks, &leaks->lines[i]);
	json_close(&json);
	json_close(&json);
}

static void csv_f64_or_nothing(struct csv *csv, double value) {
	if (isfinite(value))
		csv_f64(csv, value);
	else
		csv_text(csv, "", 0);
}

static void print_csv(const struct leaks *leaks) {
	static const char *const titles[] = {"name",
	                                     "count",
	                                     "own_net_bytes",
	                                     "net_bytes",
	                                     "own_net_mean_bytes",
	                                     "own_net_mean_low_bytes",
	                                     "own_net_mean_high_bytes",
	                                     "own_net_bytes_per_hour",
	                                     "verdict"};
	struct csv csv = {.out = stdout};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		csv_text(&csv, titles[i], strlen(titles[i]));
	csv_end(&csv);
	for (size_t i = 0; i < shown_of(leaks); i++) {
		const struct leak *line = &leaks->lines[i];
		const char *name = leaks->query->overview->names[line->name];
		csv_text(&csv, name, strlen(name));
		csv_u64(&csv, line->count);
		csv_f64(&csv, (double)line->own * UNIT);
		csv_f64(&csv, (double)line->net * UNIT);
		csv_f64(&csv, line->mean);
		csv_f64_or_nothing(&csv, line->mean_low);
		csv_f64_or_nothing(&csv, line->mean_high);
		csv_f64_or_nothing(&csv, per_hour(leaks, line));
		csv_text(&csv, verdicts[line->verdict], strlen(verdicts[line->verdict]));
		csv_end(&csv);
	}
}

/* What was left behind up to each part of the time, between its smallest and its largest value. */
static const char *spark(const struct leak *line, bool utf8, char ret_text[SPARK_BYTES]) {
	static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[LEVELS] = {"_", ".", ",", "-", "=", "+", "*", "#"};
	int64_t sum = 0, low = 0, high = 0;
	size_t used = 0;
	for (unsigned part = 0; part < LEAKS_PARTS; part++) {
		sum += line->parts[part];
		low = sum < low ? sum : low;
		high = sum > high ? sum : high;
	}
	sum = 0;
	for (unsigned part = 0; part < LEAKS_PARTS; part++) {
		sum += line->parts[part];
		double share = high > low ? (double)(sum - low) / (double)(high - low) : 0;
		unsigned level = (unsigned)lround(share * (LEVELS - 1));
		const char *mark = utf8 ? blocks[level] : plain[level];
		memcpy(ret_text + used, mark, strlen(mark));
		used += strlen(mark);
	}
	ret_text[used] = 0;
	return ret_text;
}

static void bytes_or_none(struct table *table, double bytes) {
	if (isfinite(bytes))
		table_bytes(table, bytes);
	else
		table_cell(table, STYLE_DIM, "-");
}

static int print_table(const struct leaks *leaks) {
	static const enum terminal_style styles[] = {[LEAK_SHORT] = STYLE_DIM,
	                                             [LEAK_STABLE] = STYLE_GREEN,
	                                             [LEAK_ONCE] = STYLE_YELLOW,
	                                             [LEAK_GROWING] = STYLE_RED};
	static const struct table_column columns[] = {
	    {"name", false, 0},         {"spans", true, 3},      {"stays", true, 0},
	    {"per span", true, 2},      {"+/-", true, 4},        {"per hour", true, 5},
	    {"with children", true, 6}, {"over time", false, 1}, {"verdict", false, 0}};
	const struct terminal *terminal = &leaks->query->context->terminal;
	char text[SPARK_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < shown_of(leaks); i++) {
		const struct leak *line = &leaks->lines[i];
		table_cell(&table, STYLE_PLAIN, query_name_text(leaks->query, line->name));
		table_count(&table, STYLE_PLAIN, line->count);
		table_bytes(&table, (double)line->own * UNIT);
		table_bytes(&table, fabs(line->mean) < 0.5 ? 0 : line->mean);
		bytes_or_none(&table, (line->mean_high - line->mean_low) / 2);
		bytes_or_none(&table, per_hour(leaks, line));
		table_bytes(&table, (double)line->net * UNIT);
		table_cell(&table, STYLE_CYAN, spark(line, terminal->utf8, text));
		table_cell(&table, styles[line->verdict],
		           line->verdict == LEAK_SHORT ? "too few" : verdicts[line->verdict]);
	}
	return table_print(&table, terminal, stdout);
}

int leaks_print(const struct leaks *leaks) {
	const struct options *options = leaks->query->context->options;
	const struct terminal *terminal = &leaks->query->context->terminal;
	if (options->json) {
		print_json(leaks);
		return 0;
	}
	if (options->csv) {
		print_csv(leaks);
		return 0;
	}
	int rc = print_table(leaks);
	(void)putchar('\n');
	if (shown_of(leaks) < leaks->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu of %zu names are shown", shown_of(leaks),
		              leaks->line_count);
	terminal_note(terminal, stdout, STYLE_DIM,
	              "stays is what the threads of these spans allocated and did not free in them, %s; freed later by "
	              "another thread, it is no leak",
	              leaks->own_known ? "without their children" : "children included (there are too many to tell)");
	return rc;
}
