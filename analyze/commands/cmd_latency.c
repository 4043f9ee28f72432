/* SPDX-License-Identifier: Apache-2.0 */
/* latency: how often, how long, how spread, per span name. */
#include "analyze/command.h"
#include "analyze/kernels/sketch.h"
#include "analyze/latency/latency.h"
#include "analyze/latency/latency_groups.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze latency STORE\n"
                           "  spanring-analyze latency STORE --exact\n"
                           "  spanring-analyze latency STORE --name 'http.*' --since 10m --sort p99\n"
                           "  spanring-analyze latency STORE --group-by name,attr.http.route --top 20\n"
                           "  spanring-analyze latency STORE --name checkout --interval 10s --csv\n"
                           "  spanring-analyze latency STORE --json | jq '.names[] | [.name, .p99_ns]'\n"
                           "\n"
                           "For each span name: how many spans, how many with status error, total time,\n"
                           "mean, standard deviation (of the population), smallest, percentiles, largest.\n"
                           "\n"
                           "Where the programs kept statistics, the answer covers all spans that ended,\n"
                           "also those that were sampled out or found no room. Percentiles are then within\n"
                           "0.79 %, the standard deviation is that of a histogram, all else is exact.\n"
                           "Otherwise, and with --exact, --where, --since or --until, the records are read:\n"
                           "every figure is exact and covers the spans that are stored. The last lines say\n"
                           "which it was.\n"
                           "\n"
                           "Records that the agent's tail keep left are read with their weights: figures are\n"
                           "then estimates of all spans it saw, with the spread that chance gives them.\n"
                           "\n"
                           "Self time is the part of a span in which none of its direct children ran; it is\n"
                           "read from the records, with --sort self, and with --json where they are read.\n"
                           "\n"
                           "A percentile is the value of rank ceil(q * n) among the n durations in order\n"
                           "(nearest rank). Memory does not grow with the number of spans. A narrow terminal\n"
                           "shows fewer columns; --json has them all.\n"
                           "\n"
                           "Options\n"
                           "  --group-by LIST  groups instead of names: name, service, status, kind, pid,\n"
                           "                   attr.KEY, bucket(attr.KEY,100), with commas between; the\n"
                           "                   first 1000 groups have a row, all later ones are (other)\n"
                           "  --interval D     a row per step of time, like 10s, in which spans started;\n"
                           "                   with --group-by per step and group\n"
                           "  --csv            as comma-separated values\n"
                           "  --exact          read the records\n"
                           "  --sort KEY       total (default), count, errors, mean, stddev, min, p50, p90,\n"
                           "                   p95, p99, p999, max, self or name; figures fall, names\n"
                           "                   rise\n"
                           "  -n, --limit N    only the first N (default: all); --top N is the same\n"
                           "  --threads N      read records with N threads (default: one for each core)\n"
                           "  --where EXPR     only spans of which it is true, like 'status = error and\n"
                           "                   attr.http.route = \"/x\"': see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

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
	SORT_SELF,
	SORT_QUANTILE
};

static const char *const sort_words[] = {"total", "count", "errors", "mean", "stddev", "min", "max",
                                         "name",  "self",  "p50",    "p90",  "p95",    "p99", "p999"};

/* A line with what it is sorted by, so that qsort needs no context. */
struct place {
	double figure;
	const char *name;
	struct latency_line line;
};

static int by_place(const void *a, const void *b) {
	const struct place *left = a;
	const struct place *right = b;
	if (left->figure != right->figure)
		return left->figure > right->figure ? -1 : 1;
	return strcmp(left->name, right->name);
}

static double figure_of(const struct latency_line *line, size_t key) {
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
	case SORT_NAME:
		return 0;
	case SORT_SELF:
		return (double)line->self_ns;
	default:
		return (double)line->quantiles[key - SORT_QUANTILE];
	}
}

/* Keep the lines that have spans, in order. */
static int sort_lines(struct latency *latency, size_t key) {
	size_t count = 0;
	for (uint32_t name = 0; name <= latency->query.overview->name_count; name++) {
		if (latency->lines[name].count == 0)
			continue;
		latency->lines[count] = latency->lines[name];
		latency->lines[count++].name = name;
	}
	CLEANUP_FREE struct place *places = calloc(count ? count : 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct latency_line *line = &latency->lines[i];
		struct place place = {figure_of(line, key), query_name_text(&latency->query, line->name), *line};
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
	json_text(&json, "coverage", latency->covers_all ? "all" : "stored");
	json_text(&json, "method", latency->sketched ? "sketch" : latency->estimated ? "estimate" : "exact");
	if (latency->estimated)
		json_null(&json, "max_relative_error");
	else
		json_f64(&json, "max_relative_error", latency->sketched ? SKETCH_ERROR : 0);
	if (latency->open_known)
		json_u64(&json, "unfinished", latency->open);
	else
		json_null(&json, "unfinished");
	json_open(&json, "names", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct latency_line *line = &latency->lines[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", latency->query.overview->names[line->name]);
		json_u64(&json, "count", line->count);
		json_u64(&json, "errors", line->errors);
		json_u64(&json, "total_ns", line->total_ns);
		json_f64(&json, "mean_ns", line->mean_ns);
		json_f64(&json, "stddev_ns", line->stddev_ns);
		json_u64(&json, "min_ns", line->min_ns);
		for (unsigned q = 0; q < QUANTILE_COUNT; q++)
			json_u64(&json, keys[q], line->quantiles[q]);
		json_u64(&json, "max_ns", line->max_ns);
		if (latency->self_known)
			json_u64(&json, "self_ns", line->self_ns);
		else
			json_null(&json, "self_ns");
		if (latency->estimated) {
			json_u64(&json, "records", line->records);
			json_f64(&json, "weight_max", line->weight_max);
			json_f64(&json, "error_95", line->error);
		}
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void add_row(struct table *table, const struct latency *latency, const struct latency_line *line) {
	table_cell(table, STYLE_PLAIN, query_name_text(&latency->query, line->name));
	table_count(table, STYLE_PLAIN, line->count);
	table_count(table, line->errors ? STYLE_RED : STYLE_PLAIN, line->errors);
	table_duration(table, (double)line->total_ns);
	table_duration(table, line->mean_ns);
	table_duration(table, line->stddev_ns);
	table_duration(table, (double)line->min_ns);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		table_duration(table, (double)line->quantiles[q]);
	table_duration(table, (double)line->max_ns);
	if (latency->self_known)
		table_duration(table, (double)line->self_ns);
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

/* Sampled out, or lost on the way: spans that ended and are no records. */
static uint64_t count_without_record(const struct query *query) {
	uint64_t count = query_lost_spans(query);
	for (size_t i = 0; i < query->overview->ring_count; i++)
		count = saturating_add(count, query->overview->rings[i].cursor.sampled_out);
	return count;
}

static bool has_statistics(const struct query *query) {
	for (size_t i = 0; i < query->overview->process_count; i++)
		if (query->overview->processes[i].account.statistics != STORE_STATISTICS_NONE)
			return true;
	return false;
}

static void print_coverage_exact(const struct latency *latency, uint64_t spans) {
	const struct terminal *terminal = &latency->query.context->terminal;
	uint64_t without = count_without_record(&latency->query);
	char text[UNITS_TEXT_BYTES];
	if (latency->covers_all)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "exact, over all spans that ended%s; percentiles by nearest rank",
		              latency->filtered ? " and match" : "");
	else if (latency->filtered || without == 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "exact, over the stored spans only%s; percentiles by nearest rank",
		              latency->filtered ? ", those that match" : "");
	else
		terminal_note(terminal, stdout, STYLE_DIM,
		              "exact, over the stored spans only (%.1f %% of %s); percentiles by nearest rank",
		              100.0 * (double)spans / ((double)spans + (double)without),
		              units_format_count(saturating_add(spans, without), text));
	if (!latency->covers_all && has_statistics(&latency->query))
		terminal_note(terminal, stdout, STYLE_DIM,
		              latency->query.context->options->exact
		                  ? "without --exact: all spans that ended"
		                  : "all spans that ended are covered only where every process kept statistics all "
		                    "its life, and without --since and --until");
}

/* The spread of the worst name among those that are shown: a reader takes it for all. */
static void print_coverage_estimated(const struct latency *latency, uint64_t spans) {
	const struct terminal *terminal = &latency->query.context->terminal;
	uint64_t records = 0;
	double weight = 1;
	double error = 0;
	char from[UNITS_TEXT_BYTES];
	char of[UNITS_TEXT_BYTES];
	for (size_t i = 0; i < latency->line_count; i++) {
		const struct latency_line *line = &latency->lines[i];
		records += line->records;
		weight = line->weight_max > weight ? line->weight_max : weight;
		error = line->error > error ? line->error : error;
	}
	terminal_note(terminal, stdout, STYLE_DIM,
	              "estimated from %s of %s spans%s, weights up to %.6g: counts, and ranks of percentiles, within "
	              "%.2g %% (19 times in 20)",
	              units_format_count(records, from), units_format_count(spans, of),
	              latency->filtered ? " that match" : "", weight, 100 * error);
	if (has_statistics(&latency->query))
		terminal_note(terminal, stdout, STYLE_DIM,
		              latency->query.context->options->exact
		                  ? "without --exact: all spans that ended, as the programs counted them"
		                  : "exact numbers are in the statistics, where every process kept them all its life, "
		                    "and without --since and --until");
}

/* One line says what the figures cover and how sure they are; more only where something is left out. */
static void print_coverage(const struct latency *latency, uint64_t spans) {
	const struct terminal *terminal = &latency->query.context->terminal;
	uint64_t lost = query_lost_spans(&latency->query);
	char text[UNITS_TEXT_BYTES];
	if (latency->sketched)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "all %s %s that ended%s, percentiles within 0.8 %%; --exact reads the records",
		              units_format_count(spans, text), spans == 1 ? "span" : "spans",
		              latency->filtered ? " and match" : "");
	else if (latency->estimated)
		print_coverage_estimated(latency, spans);
	else
		print_coverage_exact(latency, spans);
	if (latency->open > 0 && latency->open_known)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "without %s %s that never ended: see spanring-analyze unfinished",
		              units_format_count(latency->open, text), latency->open == 1 ? "span" : "spans");
	if (lost > 0)
		terminal_note(terminal, stdout, STYLE_YELLOW,
		              latency->sketched ? "%s %s of all have no record: see spanring-analyze audit"
		                                : "%s %s never reached the store: see spanring-analyze audit",
		              units_format_count(lost, text), lost == 1 ? "span" : "spans");
}

static void print_footer(const struct latency *latency, size_t shown) {
	const struct terminal *terminal = &latency->query.context->terminal;
	char text[UNITS_TEXT_BYTES];
	char from[UNITS_TEXT_BYTES];
	char to[UNITS_TEXT_BYTES];
	uint64_t spans = 0;
	for (size_t i = 0; i < latency->line_count; i++)
		spans += latency->lines[i].count;
	size_t services = count_services(&latency->query);
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM, "%s %s, %zu %s, %zu %s", units_format_count(spans, text),
	              spans == 1 ? "span" : "spans", latency->line_count, latency->line_count == 1 ? "name" : "names",
	              services, services == 1 ? "service" : "services");
	if (shown < latency->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu names are shown", shown);
	terminal_note(terminal, stdout, STYLE_DIM, "%s to %s", units_format_wall(latency->start_wall_ns, from),
	              units_format_wall(latency->end_wall_ns, to));
	print_coverage(latency, spans);
}

static int print_table(const struct latency *latency, size_t shown) {
	static const struct table_column columns[] = {
	    {"name", false, 0},  {"count", true, 0}, {"errors", true, 2}, {"total", true, 3}, {"mean", true, 4},
	    {"stddev", true, 8}, {"min", true, 7},   {"p50", true, 0},    {"p90", true, 5},   {"p95", true, 6},
	    {"p99", true, 0},    {"p99.9", true, 6}, {"max", true, 1},    {"self", true, 0},
	};
	uint32_t column_count = (uint32_t)(sizeof(columns) / sizeof(columns[0])) - !latency->self_known;
	struct table table CLEANUP(table_done) = table_begin(columns, column_count, 0, 18);
	for (size_t i = 0; i < shown; i++)
		add_row(&table, latency, &latency->lines[i]);
	int rc = table_print(&table, &latency->query.context->terminal, stdout);
	if (rc == 0)
		print_footer(latency, shown);
	return rc;
}

static int answer(struct latency *latency, size_t key) {
	const struct context *context = latency->query.context;
	bool needs_records = context->options->exact || context->options->where || key == SORT_SELF;
	latency->wants_self = context->options->json || key == SORT_SELF;
	int rc = latency_has_rollups(latency) && !needs_records ? latency_from_rollups(latency) : 1;
	if (rc == 1)
		rc = latency_from_records(latency);
	if (rc == 0)
		rc = sort_lines(latency, key);
	if (rc != 0)
		return query_finish(&latency->query, command_failed(context, rc, "computing latencies"));
	bool empty = latency->line_count == 0 && query_store_is_empty(&latency->query);
	size_t shown = latency->line_count;
	if (context->options->limit > 0 && context->options->limit < shown)
		shown = (size_t)context->options->limit;
	if (context->options->json)
		print_json(latency, shown);
	else if (latency->line_count > 0)
		rc = print_table(latency, shown);
	else if (!empty)
		query_say_no_match(&latency->query, "matches");
	return query_finish(&latency->query, rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK);
}

static int run(const struct context *context) {
	struct latency latency = {.query = {0}};
	if (context->options->group_by || context->options->interval_ns || context->options->csv)
		return latency_groups_run(context);
	const char *word = context->options->sort ? context->options->sort : "total";
	size_t key = 0;
	while (key < sizeof(sort_words) / sizeof(sort_words[0]) && strcmp(sort_words[key], word) != 0)
		key++;
	if (key == sizeof(sort_words) / sizeof(sort_words[0])) {
		log_error(
		    &context->log,
		    "latency: --sort '%s': give total, count, errors, mean, stddev, min, p50, p90, p95, p99, p999, "
		    "max, self or name",
		    word);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&latency.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	latency.filtered = query_columns(&latency.query) != 0;
	latency.lines = calloc((size_t)latency.query.overview->name_count + 1, sizeof(latency.lines[0]));
	code = latency.lines ? answer(&latency, key) : command_failed(context, -ENOMEM, "computing latencies");
	free(latency.lines);
	query_close(&latency.query);
	return code;
}

const struct command command_latency = {
    .name = "latency",
    .summary = "count, errors, mean and percentiles per span name",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                     OPTION_SORT | OPTION_EXACT | OPTION_THREADS | OPTION_GROUPS,
    .run = run,
};
