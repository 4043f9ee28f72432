/* SPDX-License-Identifier: Apache-2.0 */
/* latency: how often, how long, how spread, per span name. */
#include "command.h"
#include "moments.h"
#include "quantile.h"
#include "query.h"
#include "table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <spanring/spanring.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze latency STORE\n"
                           "  spanring-analyze latency STORE --name 'http.*' --since 10m --sort p99\n"
                           "  spanring-analyze latency STORE --json | jq '.names[] | [.name, .p99_ns]'\n"
                           "\n"
                           "For each span name: how many spans, how many with status error, total time,\n"
                           "mean, standard deviation (of the population), smallest, percentiles, largest.\n"
                           "\n"
                           "Every figure is exact and covers the spans that are stored. A percentile is\n"
                           "the value of rank ceil(q * n) among the n durations in order (nearest rank),\n"
                           "so it is always a duration that occurred. Memory does not grow with the number\n"
                           "of spans. A narrow terminal shows fewer columns; --json has them all.\n"
                           "\n"
                           "Options\n"
                           "  --sort KEY       total (default), count, errors, mean, stddev, min, p50, p90,\n"
                           "                   p95, p99, p999, max or name; figures fall, names rise\n"
                           "  -n, --limit N    only the first N names (default: all)\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

/* One name; figures are kept here, values in the quantiles. */
struct line {
	struct moments moments;
	uint64_t errors;
	uint32_t name;
};

struct latency {
	struct query query;
	struct line *lines; /* by name id while reading, then dense and sorted */
	size_t line_count;
	struct quantiles *quantiles; /* series are name ids */
	uint64_t start_wall_ns;      /* first start and last end of what was counted */
	uint64_t end_wall_ns;
	uint64_t open; /* spans left out: they never ended */
	bool filtered;
};

static void widen_range(struct latency *latency, const struct store_columns *columns, uint32_t row) {
	uint64_t wall_ns = columns->start_ns[row] + columns->segment->wall_offset_ns;
	if (wall_ns < latency->start_wall_ns)
		latency->start_wall_ns = wall_ns;
	if (wall_ns + columns->duration_ns[row] > latency->end_wall_ns)
		latency->end_wall_ns = wall_ns + columns->duration_ns[row];
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct latency *latency = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (latency->filtered && !query_accepts(&latency->query, columns, i))
			continue;
		if (query_is_open(columns, i)) {
			latency->open++;
			continue;
		}
		uint32_t name = query_name(columns, i);
		if (name > latency->query.overview->name_count)
			name = 0;
		struct line *line = &latency->lines[name];
		moments_add(&line->moments, columns->duration_ns[i]);
		line->errors += columns->status[i] == SPANRING_STATUS_ERROR;
		if (quantiles_observe(latency->quantiles, name, columns->duration_ns[i]) != 0)
			return -ENOMEM;
		if (columns->start_ns)
			widen_range(latency, columns, i);
	}
	return 0;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct latency *latency = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (query_is_open(columns, i) || (latency->filtered && !query_accepts(&latency->query, columns, i)))
			continue;
		uint32_t name = query_name(columns, i);
		if (name > latency->query.overview->name_count)
			name = 0;
		quantiles_refine(latency->quantiles, name, columns->duration_ns[i]);
	}
	return 0;
}

/* The whole range comes from the overview for nothing; only a filter makes us look at each start. */
static void range_of_store(struct latency *latency) {
	const struct store_overview *overview = latency->query.overview;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		if (segment->spans == 0)
			continue;
		uint64_t start_wall_ns = segment->start_ns_min + segment->wall_offset_ns;
		uint64_t end_wall_ns = segment->end_ns_max + segment->wall_offset_ns;
		if (start_wall_ns < latency->start_wall_ns)
			latency->start_wall_ns = start_wall_ns;
		if (end_wall_ns > latency->end_wall_ns)
			latency->end_wall_ns = end_wall_ns;
	}
}

static int collect(struct latency *latency) {
	struct query_scan scan = {.columns = STORE_COLUMN_SITE | STORE_COLUMN_DURATION | STORE_COLUMN_STATUS,
	                          .on_batch = first_pass,
	                          .context = latency};
	uint32_t open_column = query_open_column(&latency->query);
	scan.columns |= open_column;
	latency->filtered = query_columns(&latency->query) != 0;
	if (latency->filtered)
		scan.columns |= STORE_COLUMN_START;
	latency->start_wall_ns = UINT64_MAX;
	int rc = query_scan(&latency->query, &scan);
	if (!latency->filtered)
		range_of_store(latency);
	scan.on_batch = later_pass;
	scan.columns = STORE_COLUMN_SITE | STORE_COLUMN_DURATION | open_column;
	while (rc == 0 && (rc = quantiles_next_pass(latency->quantiles)) > 0)
		rc = query_scan(&latency->query, &scan);
	return rc;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

enum sort_key {
	SORT_TOTAL,
	SORT_COUNT,
	SORT_ERRORS,
	SORT_MEAN,
	SORT_STDDEV,
	SORT_MIN,
	SORT_MAX,
	SORT_NAME,
	SORT_QUANTILE
};

static const char *const sort_words[] = {"total", "count", "errors", "mean", "stddev", "min", "max",
                                         "name",  "p50",   "p90",    "p95",  "p99",    "p999"};

/* A line with what it is sorted by, so that qsort needs no context. */
struct place {
	double figure;
	const char *name;
	struct line line;
};

static int by_place(const void *a, const void *b) {
	const struct place *left = a;
	const struct place *right = b;
	if (left->figure != right->figure)
		return left->figure > right->figure ? -1 : 1;
	return strcmp(left->name, right->name);
}

static double figure_of(const struct latency *latency, const struct line *line, size_t key) {
	switch (key) {
	case SORT_TOTAL:
		return (double)moments_total(&line->moments);
	case SORT_COUNT:
		return (double)line->moments.count;
	case SORT_ERRORS:
		return (double)line->errors;
	case SORT_MEAN:
		return moments_mean(&line->moments);
	case SORT_STDDEV:
		return moments_stddev(&line->moments);
	case SORT_MIN:
		return (double)line->moments.min;
	case SORT_MAX:
		return (double)line->moments.max;
	case SORT_NAME:
		return 0;
	default:
		return (double)quantiles_value(latency->quantiles, line->name, (enum quantile)(key - SORT_QUANTILE));
	}
}

/* Keep the lines that have spans, in order. */
static int sort_lines(struct latency *latency, size_t key) {
	size_t count = 0;
	for (uint32_t name = 0; name <= latency->query.overview->name_count; name++) {
		if (latency->lines[name].moments.count == 0)
			continue;
		latency->lines[count] = latency->lines[name];
		latency->lines[count++].name = name;
	}
	CLEANUP_FREE struct place *places = calloc(count ? count : 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct line *line = &latency->lines[i];
		struct place place = {figure_of(latency, line, key), query_name_text(&latency->query, line->name),
		                      *line};
		places[i] = place;
	}
	qsort(places, count, sizeof(*places), by_place);
	for (size_t i = 0; i < count; i++)
		latency->lines[i] = places[i].line;
	latency->line_count = count;
	return 0;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void print_json(const struct latency *latency, size_t shown) {
	static const char *const keys[QUANTILE_COUNT] = {"p50_ns", "p90_ns", "p95_ns", "p99_ns", "p999_ns"};
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "latency/1");
	json_text(&json, "coverage", "stored");
	json_text(&json, "method", "exact");
	json_u64(&json, "max_relative_error", 0);
	json_u64(&json, "unfinished", latency->open);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct line *line = &latency->lines[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", latency->query.overview->names[line->name]);
		json_u64(&json, "count", line->moments.count);
		json_u64(&json, "errors", line->errors);
		json_u64(&json, "total_ns", moments_total(&line->moments));
		json_f64(&json, "mean_ns", moments_mean(&line->moments));
		json_f64(&json, "stddev_ns", moments_stddev(&line->moments));
		json_u64(&json, "min_ns", line->moments.min);
		for (unsigned q = 0; q < QUANTILE_COUNT; q++)
			json_u64(&json, keys[q], quantiles_value(latency->quantiles, line->name, (enum quantile)q));
		json_u64(&json, "max_ns", line->moments.max);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void add_row(struct table *table, const struct latency *latency, const struct line *line) {
	table_cell(table, STYLE_PLAIN, query_name_text(&latency->query, line->name));
	table_count(table, STYLE_PLAIN, line->moments.count);
	table_count(table, line->errors ? STYLE_RED : STYLE_PLAIN, line->errors);
	table_duration(table, (double)moments_total(&line->moments));
	table_duration(table, moments_mean(&line->moments));
	table_duration(table, moments_stddev(&line->moments));
	table_duration(table, (double)line->moments.min);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		table_duration(table, (double)quantiles_value(latency->quantiles, line->name, (enum quantile)q));
	table_duration(table, (double)line->moments.max);
}

static int by_text(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the processes that the filter lets through; 0 also without memory. */
static size_t count_services(const struct query *query) {
	const struct store_overview *overview = query->overview;
	CLEANUP_FREE const char **services = calloc(overview->process_count + 1, sizeof(*services));
	size_t count = 0;
	size_t distinct = 0;
	for (size_t i = 0; services && i < overview->process_count; i++)
		if (!query->process_wanted || query->process_wanted[i + 1])
			services[count++] = overview->processes[i].service;
	if (count > 0)
		qsort(services, count, sizeof(*services), by_text);
	for (size_t i = 0; i < count; i++)
		distinct += i == 0 || strcmp(services[i], services[i - 1]) != 0;
	return distinct;
}

static void print_footer(const struct latency *latency, size_t shown) {
	const struct terminal *terminal = &latency->query.context->terminal;
	char text[UNITS_TEXT_BYTES];
	char from[UNITS_TEXT_BYTES];
	char to[UNITS_TEXT_BYTES];
	uint64_t spans = 0;
	for (size_t i = 0; i < latency->line_count; i++)
		spans += latency->lines[i].moments.count;
	size_t services = count_services(&latency->query);
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM, "%s %s, %zu %s, %zu %s", units_format_count(spans, text),
	              spans == 1 ? "span" : "spans", latency->line_count, latency->line_count == 1 ? "name" : "names",
	              services, services == 1 ? "service" : "services");
	if (shown < latency->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu names are shown", shown);
	terminal_note(terminal, stdout, STYLE_DIM, "%s to %s", units_format_wall(latency->start_wall_ns, from),
	              units_format_wall(latency->end_wall_ns, to));
	terminal_note(terminal, stdout, STYLE_DIM, "exact, over all stored spans%s; percentiles by nearest rank",
	              latency->filtered ? " that match" : "");
	if (latency->open > 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "without %s %s that never ended: see spanring-analyze unfinished",
		              units_format_count(latency->open, text), latency->open == 1 ? "span" : "spans");
	uint64_t lost = query_lost_spans(&latency->query);
	if (lost > 0)
		terminal_note(terminal, stdout, STYLE_YELLOW,
		              "%s %s never reached the store: see spanring-analyze audit",
		              units_format_count(lost, text), lost == 1 ? "span" : "spans");
}

static int print_table(const struct latency *latency, size_t shown) {
	static const struct table_column columns[] = {
	    {"name", false, 0},  {"count", true, 0}, {"errors", true, 2}, {"total", true, 3}, {"mean", true, 4},
	    {"stddev", true, 8}, {"min", true, 7},   {"p50", true, 0},    {"p90", true, 5},   {"p95", true, 6},
	    {"p99", true, 0},    {"p99.9", true, 6}, {"max", true, 1},
	};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 18);
	for (size_t i = 0; i < shown; i++)
		add_row(&table, latency, &latency->lines[i]);
	int rc = table_print(&table, &latency->query.context->terminal, stdout);
	if (rc == 0)
		print_footer(latency, shown);
	return rc;
}

static int answer(struct latency *latency, size_t key) {
	const struct context *context = latency->query.context;
	int rc = collect(latency);
	if (rc == 0)
		rc = sort_lines(latency, key);
	if (rc != 0)
		return query_finish(&latency->query, command_failed(context, rc, "computing latencies"));
	bool empty = query_store_is_empty(&latency->query);
	size_t shown = latency->line_count;
	if (context->options->limit > 0 && context->options->limit < shown)
		shown = (size_t)context->options->limit;
	if (context->options->json)
		print_json(latency, shown);
	else if (latency->line_count > 0)
		rc = print_table(latency, shown);
	else if (!empty)
		log_info(&context->log, "no stored span matches");
	return query_finish(&latency->query, rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK);
}

static int run(const struct context *context) {
	struct latency latency = {.query = {0}};
	const char *word = context->options->sort ? context->options->sort : "total";
	size_t key = 0;
	while (key < sizeof(sort_words) / sizeof(sort_words[0]) && strcmp(sort_words[key], word) != 0)
		key++;
	if (key == sizeof(sort_words) / sizeof(sort_words[0])) {
		log_error(&context->log,
		          "--sort '%s': give total, count, errors, mean, stddev, min, p50, p90, p95, p99, p999, "
		          "max or name",
		          word);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&latency.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	size_t names = (size_t)latency.query.overview->name_count + 1;
	latency.lines = calloc(names, sizeof(latency.lines[0]));
	if (!latency.lines || quantiles_new(names, QUANTILE_BUDGET_BYTES, &latency.quantiles) != 0)
		code = command_failed(context, -ENOMEM, "computing latencies");
	else
		code = answer(&latency, key);
	free(latency.lines);
	quantiles_free(latency.quantiles);
	query_close(&latency.query);
	return code;
}

const struct command command_latency = {
    .name = "latency",
    .summary = "count, errors, mean and exact percentiles per span name",
    .help = help,
    .allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_LIMIT | OPTION_SORT,
    .run = run,
};
