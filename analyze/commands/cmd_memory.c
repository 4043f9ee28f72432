/* SPDX-License-Identifier: Apache-2.0 */
/* memory: what each process held over time, and what each span name allocated where that was counted. */
#include "analyze/command.h"
#include "analyze/kernels/growth.h"
#include "analyze/kernels/usage.h"
#include "analyze/query.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <spanring/record.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze memory STORE\n"
                           "  spanring-analyze memory STORE --service indexer --since 1h\n"
                           "  spanring-analyze memory STORE --json | jq '.processes[].rss.peak_bytes'\n"
                           "\n"
                           "Per process, from the samples that the agent took of /proc (once a second\n"
                           "unless told otherwise): baseline (first sample), peak, last, growth per hour,\n"
                           "mean, smallest and number of samples of the resident set (RSS); where there is\n"
                           "room also processor time, threads, open descriptors, context switches, PSS and\n"
                           "heap at the last sample. With --json all of them, and page faults, swap and\n"
                           "anonymous memory. The agent's own figures come last.\n"
                           "\n"
                           "Growth is the slope of the least-squares line through the samples, followed by\n"
                           "its standard error. It is absent with fewer than 3 samples or less than 2 s.\n"
                           "\n"
                           "Per span name: heap bytes allocated inside the spans, and what was left at\n"
                           "their end (net), for spans whose program counted its heap. Absent where none\n"
                           "did.\n"
                           "\n"
                           "Options\n"
                           "  --where EXPR     only spans of which it is true, like 'status = error and\n"
                           "                   attr.http.route = \"/x\"': see help where\n"
                           "  --name GLOB      only span names that match\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only samples and span starts in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  -n, --limit N    only the first N processes and N names (default: all)\n";

enum figure { FIGURE_RSS, FIGURE_PSS, FIGURE_ANONYMOUS, FIGURE_SWAP, FIGURE_HEAP, FIGURE_COUNT };

#define PROCESS_AGENT UINT32_MAX

struct process_memory {
	uint32_t process; /* index; of the agent PROCESS_AGENT */
	uint32_t agent_pid;
	struct growth figures[FIGURE_COUNT];
	struct usage usage;
};

struct heap_line {
	uint64_t count;
	uint64_t units;
	uint64_t units_max;
	int64_t net_units;
	uint32_t name;
};

struct memory {
	struct query query;
	struct process_memory *processes; /* those with samples, by falling peak of RSS; then agents */
	size_t process_count;
	size_t agent_count;
	struct heap_line *heap; /* by name id while reading, then dense, by falling bytes */
	size_t heap_count;
};

/* --- processes --------------------------------------------------------------------------------------------------- */

static uint64_t figure_of(const struct store_memory_sample *sample, enum figure figure) {
	switch (figure) {
	case FIGURE_RSS:
		return sample->rss_bytes;
	case FIGURE_PSS:
		return sample->pss_bytes;
	case FIGURE_SWAP:
		return sample->swap_bytes;
	case FIGURE_HEAP:
		return usage_heap_bytes(sample);
	default:
		return sample->anonymous_bytes;
	}
}

static bool wants_sample(const struct memory *memory, const struct store_memory_sample *sample) {
	const struct query *query = &memory->query;
	if (sample->process > query->overview->process_count)
		return false;
	/* The agent, with index 0, is of no service. */
	if (query->process_wanted && (sample->process == 0 || !query->process_wanted[sample->process]))
		return false;
	return sample->time_ns >= query->since_wall_ns && sample->time_ns < query->until_wall_ns;
}

static int compare(uint64_t left, uint64_t right) {
	return left < right ? -1 : left > right;
}

static int by_owner(const struct store_memory_sample *left, const struct store_memory_sample *right) {
	int order = compare(left->process, right->process);
	if (order == 0)
		order = compare(left->agent_pid, right->agent_pid);
	return order ? order : compare(left->agent_start, right->agent_start);
}

/* By process, then time: stable order for samples of one moment is not needed. */
static int by_owner_and_time(const void *a, const void *b) {
	const struct store_memory_sample *left = a;
	const struct store_memory_sample *right = b;
	int order = by_owner(left, right);
	return order ? order : compare(left->time_ns, right->time_ns);
}

static int compute_process(struct memory *memory, const struct store_memory_sample *samples, size_t count,
                           struct growth_sample *scratch) {
	bool is_agent = samples[0].process == 0;
	struct process_memory *process = &memory->processes[memory->process_count + memory->agent_count];
	memory->agent_count += is_agent;
	memory->process_count += !is_agent;
	process->process = is_agent ? PROCESS_AGENT : samples[0].process - 1;
	process->agent_pid = samples[0].agent_pid;
	usage_compute(samples, count, &process->usage);
	for (unsigned figure = 0; figure < FIGURE_COUNT; figure++) {
		for (size_t i = 0; i < count; i++) {
			struct growth_sample sample = {samples[i].time_ns, figure_of(&samples[i], (enum figure)figure)};
			scratch[i] = sample;
		}
		int rc = growth_compute(scratch, count, &process->figures[figure]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int by_peak(const void *a, const void *b) {
	const struct process_memory *left = a;
	const struct process_memory *right = b;
	bool left_is_agent = left->process == PROCESS_AGENT;
	bool right_is_agent = right->process == PROCESS_AGENT;
	if (left_is_agent != right_is_agent)
		return left_is_agent ? 1 : -1;
	uint64_t left_bytes = left->figures[FIGURE_RSS].peak_bytes;
	uint64_t right_bytes = right->figures[FIGURE_RSS].peak_bytes;
	if (left_bytes != right_bytes)
		return left_bytes > right_bytes ? -1 : 1;
	return left->process < right->process ? -1 : left->process > right->process;
}

static int collect_processes(struct memory *memory) {
	CLEANUP_FREE struct store_memory_sample *samples = NULL;
	size_t count = 0;
	size_t kept = 0;
	int rc = store_reader_samples(memory->query.reader, &samples, &count);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		if (wants_sample(memory, &samples[i]))
			samples[kept++] = samples[i];
	if (kept == 0)
		return 0;
	qsort(samples, kept, sizeof(*samples), by_owner_and_time);
	size_t owners = 1;
	for (size_t i = 1; i < kept; i++)
		owners += by_owner(&samples[i - 1], &samples[i]) != 0;
	CLEANUP_FREE struct growth_sample *scratch = calloc(kept, sizeof(*scratch));
	memory->processes = calloc(owners, sizeof(memory->processes[0]));
	if (!scratch || !memory->processes)
		return -ENOMEM;
	for (size_t first = 0; first < kept && rc == 0;) {
		size_t end = first + 1;
		while (end < kept && by_owner(&samples[end], &samples[first]) == 0)
			end++;
		rc = compute_process(memory, &samples[first], end - first, scratch);
		first = end;
	}
	qsort(memory->processes, memory->process_count + memory->agent_count, sizeof(memory->processes[0]), by_peak);
	return rc;
}

/* --- heap per name ----------------------------------------------------------------------------------------------- */

static int take_heap(void *context, const struct store_columns *columns) {
	struct memory *memory = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (!(columns->flags[i] & STORE_SPAN_HEAP) || !query_accepts(&memory->query, columns, i))
			continue;
		uint32_t name = query_name(columns, i);
		struct heap_line *line = &memory->heap[name <= memory->query.overview->name_count ? name : 0];
		line->count++;
		line->units = saturating_add(line->units, columns->heap_alloc_units[i]);
		line->net_units += columns->heap_net_units[i];
		if (columns->heap_alloc_units[i] > line->units_max)
			line->units_max = columns->heap_alloc_units[i];
	}
	return 0;
}

static int by_units(const void *a, const void *b) {
	const struct heap_line *left = a;
	const struct heap_line *right = b;
	if (left->units != right->units)
		return left->units > right->units ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

static int collect_heap(struct memory *memory) {
	struct query_scan scan = {.columns = STORE_COLUMN_SITE | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP,
	                          .on_batch = take_heap,
	                          .context = memory};
	memory->heap = calloc((size_t)memory->query.overview->name_count + 1, sizeof(memory->heap[0]));
	if (!memory->heap)
		return -ENOMEM;
	int rc = query_scan(&memory->query, &scan);
	for (uint32_t name = 0; name <= memory->query.overview->name_count; name++) {
		if (memory->heap[name].count == 0)
			continue;
		memory->heap[memory->heap_count] = memory->heap[name];
		memory->heap[memory->heap_count++].name = name;
	}
	qsort(memory->heap, memory->heap_count, sizeof(memory->heap[0]), by_units);
	return rc;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static size_t limited(const struct memory *memory, size_t count) {
	uint64_t limit = memory->query.context->options->limit;
	return limit > 0 && limit < count ? (size_t)limit : count;
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
	if (growth->has_slope) {
		json_f64(json, "growth_bytes_per_hour", growth->slope_bytes_per_hour);
		json_f64(json, "growth_error_bytes_per_hour", growth->slope_error_bytes_per_hour);
	} else {
		json_null(json, "growth_bytes_per_hour");
		json_null(json, "growth_error_bytes_per_hour");
	}
	json_f64(json, "mean_bytes", growth->mean_bytes);
	json_u64(json, "min_bytes", growth->min_bytes);
	json_u64(json, "max_bytes", growth->peak_bytes);
	json_close(json);
}

static void print_figures(struct json *json, const struct process_memory *process) {
	print_figure(json, "rss", &process->figures[FIGURE_RSS]);
	print_figure(json, "pss", &process->figures[FIGURE_PSS]);
	print_figure(json, "anonymous", &process->figures[FIGURE_ANONYMOUS]);
	print_figure(json, "swap", &process->figures[FIGURE_SWAP]);
	print_figure(json, "heap", &process->figures[FIGURE_HEAP]);
	usage_print(json, &process->usage);
}

static void print_processes_json(struct json *json, const struct memory *memory) {
	const struct store_overview *overview = memory->query.overview;
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	json_open(json, "processes", '[');
	for (size_t i = 0; i < limited(memory, memory->process_count); i++) {
		const struct process_memory *process = &memory->processes[i];
		const struct store_process_view *view = &overview->processes[process->process];
		text_hex_encode(view->instance, STORE_INSTANCE_BYTES, instance);
		json_open(json, NULL, '{');
		json_text(json, "service", view->service);
		json_u64(json, "pid", view->pid);
		json_text(json, "instance", instance);
		print_figures(json, process);
		json_close(json);
	}
	json_close(json);
	json_open(json, "agents", '[');
	for (size_t i = 0; i < memory->agent_count; i++) {
		const struct process_memory *process = &memory->processes[memory->process_count + i];
		json_open(json, NULL, '{');
		json_u64(json, "pid", process->agent_pid);
		print_figures(json, process);
		json_close(json);
	}
	json_close(json);
}

static void print_json(const struct memory *memory) {
	struct json json = json_begin(stdout);
	const struct store_overview *overview = memory->query.overview;
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "memory/1");
	print_processes_json(&json, memory);
	json_bool(&json, "heap_recorded", memory->heap_count > 0);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < limited(memory, memory->heap_count); i++) {
		const struct heap_line *line = &memory->heap[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", overview->names[line->name]);
		json_u64(&json, "count", line->count);
		json_u64(&json, "heap_bytes", line->units * SPANRING_HEAP_UNIT_BYTES);
		json_f64(&json, "heap_mean_bytes",
		         (double)line->units * SPANRING_HEAP_UNIT_BYTES / (double)line->count);
		json_u64(&json, "heap_max_bytes", line->units_max * SPANRING_HEAP_UNIT_BYTES);
		json_i64(&json, "heap_net_bytes", line->net_units * (int64_t)SPANRING_HEAP_UNIT_BYTES);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

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

static void print_process(struct table *table, const struct memory *memory, const struct process_memory *process) {
	char text[UNITS_TEXT_BYTES];
	const struct growth *rss = &process->figures[FIGURE_RSS];
	const struct growth *pss = &process->figures[FIGURE_PSS];
	const struct growth *heap = &process->figures[FIGURE_HEAP];
	const struct usage *usage = &process->usage;
	bool is_agent = process->process == PROCESS_AGENT;
	bool there = rss->samples > 0;
	const struct store_process_view *view = is_agent ? NULL : &memory->query.overview->processes[process->process];
	(void)snprintf(text, sizeof(text), "%" PRIu32, view ? view->pid : process->agent_pid);
	table_cell(table, is_agent ? STYLE_DIM : STYLE_PLAIN, view ? view->service : "(agent)");
	table_cell(table, STYLE_PLAIN, text);
	bytes_or_none(table, there, (double)rss->baseline_bytes);
	bytes_or_none(table, there, (double)rss->peak_bytes);
	bytes_or_none(table, there, (double)rss->last_bytes);
	bytes_or_none(table, rss->has_slope, rss->slope_bytes_per_hour);
	bytes_or_none(table, rss->has_slope, rss->slope_error_bytes_per_hour);
	bytes_or_none(table, there, rss->mean_bytes);
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
	    {"last", true, 1},     {"growth/h", true, 2}, {"+/-", true, 4},      {"mean", true, 3},
	    {"min", true, 5},      {"samples", true, 3},  {"cpu", true, 6},      {"threads", true, 7},
	    {"files", true, 8},    {"switches", true, 9}, {"pss", true, 10},     {"heap", true, 11}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 10);
	for (size_t i = 0; i < limited(memory, memory->process_count); i++)
		print_process(&table, memory, &memory->processes[i]);
	for (size_t i = 0; i < memory->agent_count; i++)
		print_process(&table, memory, &memory->processes[memory->process_count + i]);
	return table_print(&table, &memory->query.context->terminal, stdout);
}

static int print_heap(const struct memory *memory) {
	static const struct table_column columns[] = {{"name", false, 0},     {"spans", true, 1},
	                                              {"allocated", true, 0}, {"per span", true, 1},
	                                              {"largest", true, 2},   {"net", true, 0}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 18);
	for (size_t i = 0; i < limited(memory, memory->heap_count); i++) {
		const struct heap_line *line = &memory->heap[i];
		double unit = SPANRING_HEAP_UNIT_BYTES;
		table_cell(&table, STYLE_PLAIN, query_name_text(&memory->query, line->name));
		table_count(&table, STYLE_PLAIN, line->count);
		table_bytes(&table, (double)line->units * unit);
		table_bytes(&table, (double)line->units * unit / (double)line->count);
		table_bytes(&table, (double)line->units_max * unit);
		table_bytes(&table, (double)line->net_units * unit);
	}
	return table_print(&table, &memory->query.context->terminal, stdout);
}

static int print_tables(const struct memory *memory) {
	const struct terminal *terminal = &memory->query.context->terminal;
	int rc = 0;
	bool slope = false;
	for (size_t i = 0; i < memory->process_count; i++)
		slope = slope || memory->processes[i].figures[FIGURE_RSS].has_slope;
	if (memory->process_count > 0) {
		rc = print_processes(memory);
		(void)putchar('\n');
		terminal_note(terminal, stdout, STYLE_DIM,
		              "resident set (RSS) in the samples of the agent; baseline is the first; %s",
		              slope ? "growth is the slope of the least-squares line"
		                    : "growth needs 3 samples over 2 s");
	}
	if (rc == 0 && memory->heap_count > 0) {
		if (memory->process_count > 0)
			(void)putchar('\n');
		rc = print_heap(memory);
		(void)putchar('\n');
		terminal_note(terminal, stdout, STYLE_DIM,
		              "heap bytes allocated inside spans, children included; net is what was left at the end");
	} else if (rc == 0 && memory->process_count > 0) {
		terminal_note(terminal, stdout, STYLE_DIM, "heap bytes per span name were not recorded");
	}
	return rc;
}

static int run(const struct context *context) {
	struct memory memory = {.query = {0}};
	int code = query_open(&memory.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	int rc = collect_processes(&memory);
	if (rc == 0)
		rc = collect_heap(&memory);
	if (rc == 0) {
		bool empty = query_store_is_empty(&memory.query);
		if (context->options->json)
			print_json(&memory);
		else if (memory.process_count > 0 || memory.heap_count > 0)
			rc = print_tables(&memory);
		else if (!empty)
			log_info(&context->log, "no memory sample matches");
	}
	code = query_finish(&memory.query, rc ? command_failed(context, rc, "reading memory samples") : EXIT_CODE_OK);
	free(memory.processes);
	free(memory.heap);
	query_close(&memory.query);
	return code;
}

const struct command command_memory = {
    .name = "memory",
    .summary = "baseline, peak, growth of each process; heap per span name",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT,
    .run = run,
};
