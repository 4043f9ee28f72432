/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"
#include "memory.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <spanring/record.h>

#include <inttypes.h>
#include <string.h>

#define UNIT ((double)SPANRING_HEAP_UNIT_BYTES)
#define PER 1000.0

static int64_t bytes_of(int64_t units) {
	return units * (int64_t)SPANRING_HEAP_UNIT_BYTES;
}

static double mean_of(const struct memory_name *line, const struct memory_spread *spread) {
	return (double)spread->total * UNIT / (double)line->count;
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void f64_or_null(struct json *json, const char *key, bool there, double value) {
	if (there)
		json_f64(json, key, value);
	else
		json_null(json, key);
}

static void print_figure(struct json *json, const char *key, const struct growth *growth) {
	if (growth->samples == 0) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_u64(json, "samples", growth->samples);
	json_u64(json, "baseline_bytes", growth->baseline_bytes);
	json_u64(json, "peak_bytes", growth->peak_bytes);
	json_u64(json, "last_bytes", growth->last_bytes);
	f64_or_null(json, "growth_bytes_per_hour", growth->has_slope, growth->slope_bytes_per_hour);
	f64_or_null(json, "growth_error_bytes_per_hour", growth->has_slope, growth->slope_error_bytes_per_hour);
	f64_or_null(json, "growth_low_bytes_per_hour", growth->has_interval, growth->slope_low_bytes_per_hour);
	f64_or_null(json, "growth_high_bytes_per_hour", growth->has_interval, growth->slope_high_bytes_per_hour);
	json_text(json, "verdict", growth_verdict_names[growth->verdict]);
	json_f64(json, "mean_bytes", growth->mean_bytes);
	json_f64(json, "stddev_bytes", growth->stddev_bytes);
	json_u64(json, "min_bytes", growth->min_bytes);
	json_u64(json, "max_bytes", growth->peak_bytes);
	json_close(json);
}

static void print_figures(struct json *json, const struct memory_process *process) {
	for (unsigned figure = 0; figure < MEMORY_FIGURE_COUNT; figure++)
		print_figure(json, memory_figure_words[figure], &process->figures[figure]);
	usage_print(json, &process->usage);
}

static void print_processes_json(struct json *json, const struct memory *memory) {
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	json_open(json, "processes", '[');
	for (size_t i = 0; i < memory_limited(memory, memory->process_count); i++) {
		const struct store_process_view *view = memory_process_view(memory, &memory->processes[i]);
		text_hex_encode(view->instance, STORE_INSTANCE_BYTES, instance);
		json_open(json, NULL, '{');
		json_text(json, "service", view->service);
		json_u64(json, "pid", view->pid);
		json_text(json, "instance", instance);
		print_figures(json, &memory->processes[i]);
		json_close(json);
	}
	json_close(json);
	json_open(json, "agents", '[');
	for (size_t i = 0; i < memory->agent_count; i++) {
		const struct memory_process *process = &memory->processes[memory->process_count + i];
		json_open(json, NULL, '{');
		json_u64(json, "pid", process->agent_pid);
		print_figures(json, process);
		json_close(json);
	}
	json_close(json);
}

static void print_spread(struct json *json, const char *key, const struct memory_spread *spread) {
	json_open(json, key, '{');
	json_i64(json, "p50_bytes", bytes_of(spread->quantiles[QUANTILE_P50]));
	json_i64(json, "p95_bytes", bytes_of(spread->quantiles[QUANTILE_P95]));
	json_i64(json, "p99_bytes", bytes_of(spread->quantiles[QUANTILE_P99]));
	json_i64(json, "max_bytes", bytes_of(spread->max));
	json_close(json);
}

static void print_name(struct json *json, const struct memory *memory, const struct memory_name *line) {
	double mean = mean_of(line, &line->allocated);
	double net_mean = mean_of(line, &line->net);
	json_open(json, NULL, '{');
	json_text(json, "name", memory->query.overview->names[line->name]);
	json_u64(json, "count", line->count);
	json_u64(json, "heap_bytes", (uint64_t)bytes_of(line->allocated.total));
	json_f64(json, "heap_mean_bytes", mean);
	json_f64(json, "heap_per_1000_spans_bytes", PER * mean);
	json_u64(json, "heap_max_bytes", (uint64_t)bytes_of(line->allocated.max));
	print_spread(json, "heap", &line->allocated);
	json_i64(json, "heap_net_bytes", bytes_of(line->net.total));
	json_f64(json, "heap_net_mean_bytes", net_mean);
	json_f64(json, "heap_net_per_1000_spans_bytes", PER * net_mean);
	print_spread(json, "heap_net", &line->net);
	if (memory->covers_all) {
		json_open(json, "all", '{');
		json_u64(json, "count", line->all_count);
		json_u64(json, "heap_bytes", line->all_allocated * SPANRING_HEAP_UNIT_BYTES);
		json_i64(json, "heap_net_bytes", bytes_of(line->all_net));
		json_close(json);
	} else {
		json_null(json, "all");
	}
	json_close(json);
}

static void print_names_list(struct json *json, const struct memory *memory) {
	json_bool(json, "heap_recorded", memory->name_count > 0);
	json_open(json, "names", '[');
	for (size_t i = 0; i < memory_limited(memory, memory->name_count); i++)
		print_name(json, memory, &memory->names[i]);
	json_close(json);
}

void memory_print_json(const struct memory *memory) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "memory/1");
	print_processes_json(&json, memory);
	print_names_list(&json, memory);
	json_close(&json);
}

void memory_print_names_json(const struct memory *memory) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "memory-names/1");
	print_names_list(&json, memory);
	json_close(&json);
}

/* --- CSV --------------------------------------------------------------------------------------------------------- */

static void csv_titles(struct csv *csv, const char *const *titles) {
	for (; *titles; titles++)
		csv_text(csv, *titles, strlen(*titles));
	csv_end(csv);
}

static void f64_or_nothing(struct csv *csv, bool there, double value) {
	if (there)
		csv_f64(csv, value);
	else
		csv_text(csv, "", 0);
}

static void csv_process(struct csv *csv, const struct memory *memory, const struct memory_process *process) {
	const struct store_process_view *view = memory_process_view(memory, process);
	const struct growth *rss = &process->figures[MEMORY_RSS];
	const char *service = view ? view->service : "(agent)";
	const char *verdict = growth_verdict_names[rss->verdict];
	bool there = rss->samples > 0;
	csv_text(csv, service, strlen(service));
	csv_u64(csv, view ? view->pid : process->agent_pid);
	csv_u64(csv, rss->samples);
	f64_or_nothing(csv, there, (double)rss->baseline_bytes);
	f64_or_nothing(csv, there, (double)rss->peak_bytes);
	f64_or_nothing(csv, there, (double)rss->last_bytes);
	f64_or_nothing(csv, there, rss->mean_bytes);
	f64_or_nothing(csv, there, rss->stddev_bytes);
	f64_or_nothing(csv, there, (double)rss->min_bytes);
	f64_or_nothing(csv, rss->has_slope, rss->slope_bytes_per_hour);
	f64_or_nothing(csv, rss->has_interval, rss->slope_low_bytes_per_hour);
	f64_or_nothing(csv, rss->has_interval, rss->slope_high_bytes_per_hour);
	csv_text(csv, verdict, strlen(verdict));
	csv_end(csv);
}

void memory_print_processes_csv(const struct memory *memory) {
	static const char *const titles[] = {"service",    "pid",
	                                     "samples",    "baseline_bytes",
	                                     "peak_bytes", "last_bytes",
	                                     "mean_bytes", "stddev_bytes",
	                                     "min_bytes",  "growth_bytes_per_hour",
	                                     "growth_low", "growth_high",
	                                     "verdict",    NULL};
	struct csv csv = {.out = stdout};
	csv_titles(&csv, titles);
	for (size_t i = 0; i < memory_limited(memory, memory->process_count); i++)
		csv_process(&csv, memory, &memory->processes[i]);
	for (size_t i = 0; i < memory->agent_count; i++)
		csv_process(&csv, memory, &memory->processes[memory->process_count + i]);
}

static void csv_spread(struct csv *csv, const struct memory_name *line, const struct memory_spread *spread) {
	csv_f64(csv, (double)bytes_of(spread->total));
	csv_f64(csv, mean_of(line, spread));
	csv_f64(csv, PER * mean_of(line, spread));
	csv_f64(csv, (double)bytes_of(spread->quantiles[QUANTILE_P50]));
	csv_f64(csv, (double)bytes_of(spread->quantiles[QUANTILE_P95]));
	csv_f64(csv, (double)bytes_of(spread->quantiles[QUANTILE_P99]));
	csv_f64(csv, (double)bytes_of(spread->max));
}

void memory_print_names_csv(const struct memory *memory) {
	static const char *const titles[] = {"name",
	                                     "count",
	                                     "heap_bytes",
	                                     "heap_mean_bytes",
	                                     "heap_per_1000_spans_bytes",
	                                     "heap_p50_bytes",
	                                     "heap_p95_bytes",
	                                     "heap_p99_bytes",
	                                     "heap_max_bytes",
	                                     "net_bytes",
	                                     "net_mean_bytes",
	                                     "net_per_1000_spans_bytes",
	                                     "net_p50_bytes",
	                                     "net_p95_bytes",
	                                     "net_p99_bytes",
	                                     "net_max_bytes",
	                                     NULL};
	struct csv csv = {.out = stdout};
	csv_titles(&csv, titles);
	for (size_t i = 0; i < memory_limited(memory, memory->name_count); i++) {
		const struct memory_name *line = &memory->names[i];
		const char *name = memory->query.overview->names[line->name];
		csv_text(&csv, name, strlen(name));
		csv_u64(&csv, line->count);
		csv_spread(&csv, line, &line->allocated);
		csv_spread(&csv, line, &line->net);
		csv_end(&csv);
	}
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static void bytes_or_none(struct table *table, bool there, double bytes) {
	if (there)
		table_bytes(table, bytes);
	else
		table_cell(table, STYLE_DIM, "-");
}

static void count_or_none(struct table *table, uint64_t count) {
	if (count != UINT64_MAX)
		table_count(table, STYLE_PLAIN, count);
	else
		table_cell(table, STYLE_DIM, "-");
}

static void print_verdict(struct table *table, enum trend_verdict verdict) {
	static const enum terminal_style styles[] = {
	    [TREND_SHORT] = STYLE_DIM, [TREND_FLAT] = STYLE_GREEN, [TREND_GROWING] = STYLE_RED};
	table_cell(table, styles[verdict], verdict == TREND_SHORT ? "too few" : growth_verdict_names[verdict]);
}

static void print_process(struct table *table, const struct memory *memory, const struct memory_process *process) {
	char text[UNITS_TEXT_BYTES];
	const struct growth *rss = &process->figures[MEMORY_RSS];
	const struct growth *pss = &process->figures[MEMORY_PSS];
	const struct growth *heap = &process->figures[MEMORY_HEAP];
	const struct usage *usage = &process->usage;
	bool there = rss->samples > 0;
	const struct store_process_view *view = memory_process_view(memory, process);
	(void)snprintf(text, sizeof(text), "%" PRIu32, view ? view->pid : process->agent_pid);
	table_cell(table, view ? STYLE_PLAIN : STYLE_DIM, view ? view->service : "(agent)");
	table_cell(table, STYLE_PLAIN, text);
	bytes_or_none(table, there, (double)rss->baseline_bytes);
	bytes_or_none(table, there, (double)rss->peak_bytes);
	bytes_or_none(table, there, (double)rss->last_bytes);
	bytes_or_none(table, rss->has_slope, rss->slope_bytes_per_hour);
	bytes_or_none(table, rss->has_interval, (rss->slope_high_bytes_per_hour - rss->slope_low_bytes_per_hour) / 2);
	print_verdict(table, rss->verdict);
	bytes_or_none(table, there, rss->mean_bytes);
	bytes_or_none(table, there, rss->stddev_bytes);
	bytes_or_none(table, there, (double)rss->min_bytes);
	table_count(table, STYLE_PLAIN, rss->samples);
	table_duration(table, (double)usage->cpu_user_ns + (double)usage->cpu_system_ns);
	table_count(table, STYLE_PLAIN, usage->threads_last);
	count_or_none(table, usage->descriptors_last);
	count_or_none(table, usage_switches(usage));
	bytes_or_none(table, pss->samples > 0, (double)pss->last_bytes);
	bytes_or_none(table, heap->samples > 0, (double)heap->last_bytes);
}

static int print_processes(const struct memory *memory) {
	static const struct table_column columns[] = {
	    {"service", false, 0}, {"pid", true, 0},      {"baseline", true, 1}, {"peak", true, 0},
	    {"last", true, 1},     {"growth/h", true, 2}, {"+/-", true, 3},      {"verdict", false, 2},
	    {"mean", true, 4},     {"sd", true, 5},       {"min", true, 6},      {"samples", true, 4},
	    {"cpu", true, 7},      {"threads", true, 8},  {"files", true, 9},    {"switches", true, 10},
	    {"pss", true, 11},     {"heap", true, 12}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 10);
	for (size_t i = 0; i < memory_limited(memory, memory->process_count); i++)
		print_process(&table, memory, &memory->processes[i]);
	for (size_t i = 0; i < memory->agent_count; i++)
		print_process(&table, memory, &memory->processes[memory->process_count + i]);
	return table_print(&table, &memory->query.context->terminal, stdout);
}

static int print_heap(const struct memory *memory) {
	static const struct table_column columns[] = {
	    {"name", false, 0},   {"spans", true, 1},   {"allocated", true, 0}, {"per 1000", true, 1},
	    {"mean", true, 4},    {"p50", true, 5},     {"p95", true, 3},       {"p99", true, 6},
	    {"max", true, 2},     {"net", true, 0},     {"net/1000", true, 4},  {"net p50", true, 8},
	    {"net p95", true, 7}, {"net p99", true, 9}, {"net max", true, 7}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 18);
	for (size_t i = 0; i < memory_limited(memory, memory->name_count); i++) {
		const struct memory_name *line = &memory->names[i];
		table_cell(&table, STYLE_PLAIN, query_name_text(&memory->query, line->name));
		table_count(&table, STYLE_PLAIN, line->count);
		table_bytes(&table, (double)bytes_of(line->allocated.total));
		table_bytes(&table, PER * mean_of(line, &line->allocated));
		table_bytes(&table, mean_of(line, &line->allocated));
		table_bytes(&table, UNIT * (double)line->allocated.quantiles[QUANTILE_P50]);
		table_bytes(&table, UNIT * (double)line->allocated.quantiles[QUANTILE_P95]);
		table_bytes(&table, UNIT * (double)line->allocated.quantiles[QUANTILE_P99]);
		table_bytes(&table, UNIT * (double)line->allocated.max);
		table_bytes(&table, (double)bytes_of(line->net.total));
		table_bytes(&table, PER * mean_of(line, &line->net));
		table_bytes(&table, UNIT * (double)line->net.quantiles[QUANTILE_P50]);
		table_bytes(&table, UNIT * (double)line->net.quantiles[QUANTILE_P95]);
		table_bytes(&table, UNIT * (double)line->net.quantiles[QUANTILE_P99]);
		table_bytes(&table, UNIT * (double)line->net.max);
	}
	return table_print(&table, &memory->query.context->terminal, stdout);
}

/* What the records do not show. */
static void note_all(const struct memory *memory) {
	const struct terminal *terminal = &memory->query.context->terminal;
	char count[UNITS_TEXT_BYTES], bytes[UNITS_TEXT_BYTES];
	uint64_t stored = 0, all = 0, allocated = 0;
	for (size_t i = 0; i < memory->name_count; i++) {
		stored += memory->names[i].count;
		all += memory->names[i].all_count;
		allocated += memory->names[i].all_allocated;
	}
	if (memory->covers_all && all > stored)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "exact, of the spans that are stored; with those that are not, %s spans allocated %s",
		              units_format_count(all, count), units_format_bytes((double)allocated * UNIT, bytes));
}

int memory_print_names(const struct memory *memory) {
	const struct terminal *terminal = &memory->query.context->terminal;
	int rc = print_heap(memory);
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM,
	              "heap bytes allocated inside spans, children included; net is what was left at the end");
	note_all(memory);
	return rc;
}

static void note_processes(const struct memory *memory) {
	bool slope = false, verdict = false;
	for (size_t i = 0; i < memory->process_count; i++) {
		slope = slope || memory->processes[i].figures[MEMORY_RSS].has_slope;
		verdict = verdict || memory->processes[i].figures[MEMORY_RSS].verdict != TREND_SHORT;
	}
	terminal_note(&memory->query.context->terminal, stdout, STYLE_DIM,
	              "resident set (RSS) in the samples of the agent; baseline is the first; %s%s",
	              slope ? "growth is the slope of the least-squares line, +/- its 95 % interval"
	                    : "growth needs 3 samples over 2 s",
	              verdict ? "" : "; a verdict needs 24 samples");
}

int memory_print_tables(const struct memory *memory) {
	int rc = 0;
	if (memory->process_count > 0) {
		rc = print_processes(memory);
		(void)putchar('\n');
		note_processes(memory);
	}
	if (rc == 0 && memory->name_count > 0) {
		if (memory->process_count > 0)
			(void)putchar('\n');
		rc = memory_print_names(memory);
	} else if (rc == 0 && memory->process_count > 0) {
		terminal_note(&memory->query.context->terminal, stdout, STYLE_DIM,
		              "heap bytes per span name were not recorded");
	}
	return rc;
}
