/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"
#include "overhead.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <spanring/ring_abi.h>

#include <inttypes.h>
#include <string.h>

#define PS_PER_NS 1000.0
#define VALUE_BYTES (2u * UNITS_TEXT_BYTES + 16u)

static const char *const cost_keys[] = {[STORE_COST_SPAN] = "span",
                                        [STORE_COST_SPAN_COLD] = "span_cold",
                                        [STORE_COST_ATTRIBUTE] = "attribute",
                                        [STORE_COST_EVENT] = "event"};

static double per_second(const struct overhead_process *process) {
	return process->seconds > 0 ? (double)process->begun / process->seconds : 0;
}

static bool has_share(const struct overhead *overhead, const struct overhead_process *process) {
	return overhead->cost.rounds > 0 && process->cpu_ns != UINT64_MAX && process->cpu_ns >= OVERHEAD_CPU_NS_MIN;
}

static size_t shown_of(const struct overhead *overhead) {
	uint64_t limit = overhead->query.context->options->limit;
	return limit > 0 && limit < overhead->process_count ? (size_t)limit : overhead->process_count;
}

/* Cores in use between the first sample of an agent and its last; below 0: not known. */
static double cores_of(const struct overhead_agent *agent) {
	if (agent->last_ns <= agent->first_ns || agent->cpu_ns < agent->first_cpu_ns)
		return -1;
	return (double)(agent->cpu_ns - agent->first_cpu_ns) / (double)(agent->last_ns - agent->first_ns);
}

/* --- JSON and CSV ------------------------------------------------------------------------------------------------- */

static void f64_or_null(struct json *json, const char *key, bool there, double value) {
	if (there)
		json_f64(json, key, value);
	else
		json_null(json, key);
}

static void print_cost(struct json *json, const struct store_writer_cost *cost) {
	if (cost->rounds == 0) {
		json_null(json, "writer_cost");
		return;
	}
	json_open(json, "writer_cost", '{');
	json_u64(json, "rounds", cost->rounds);
	json_u64(json, "time_wall_ns", cost->time_wall_ns);
	for (unsigned i = 0; i < STORE_COST_COUNT; i++) {
		const struct store_cost_figure *figure = &cost->figures[i];
		json_open(json, cost_keys[i], '{');
		json_f64(json, "median_ns", (double)figure->median_ps / PS_PER_NS);
		json_f64(json, "median_low_ns", (double)figure->low_ps / PS_PER_NS);
		json_f64(json, "median_high_ns", (double)figure->high_ps / PS_PER_NS);
		json_f64(json, "rounds_low_ns", (double)figure->spread_low_ps / PS_PER_NS);
		json_f64(json, "rounds_high_ns", (double)figure->spread_high_ps / PS_PER_NS);
		json_close(json);
	}
	json_close(json);
}

static void print_targets(struct json *json, const struct overhead *overhead) {
	json_open(json, "targets", '[');
	for (unsigned i = 0; i < OVERHEAD_TARGET_COUNT; i++) {
		const struct overhead_level *level = &overhead_levels[i];
		const struct overhead_figure *figure = &overhead->figures[i];
		json_open(json, NULL, '{');
		json_text(json, "target", level->key);
		json_text(json, "unit", overhead_unit_names[level->unit]);
		f64_or_null(json, "value", figure->has_value, figure->value);
		f64_or_null(json, "high", figure->has_value, figure->high);
		json_f64(json, "good_below", level->good);
		json_f64(json, "red_flag_above", level->red_flag);
		json_text(json, "verdict", overhead_verdict_names[figure->verdict]);
		json_close(json);
	}
	json_close(json);
}

static void print_process_json(struct json *json, const struct overhead *overhead,
                               const struct overhead_process *process) {
	const struct store_process_view *view = &overhead->query.overview->processes[process->process];
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	bool share = has_share(overhead, process);
	text_hex_encode(view->instance, STORE_INSTANCE_BYTES, instance);
	json_open(json, NULL, '{');
	json_text(json, "service", view->service);
	json_u64(json, "pid", view->pid);
	json_text(json, "instance", instance);
	json_u64(json, "spans_begun", process->begun);
	f64_or_null(json, "spans_per_s", process->seconds > 0, per_second(process));
	json_u64(json, "attributes", process->attributes);
	json_u64(json, "events", process->events);
	json_u64(json, "spans_lost", process->lost);
	json_u64(json, "rings", process->rings);
	f64_or_null(json, "tracing_cpu_ns", overhead->cost.rounds > 0, process->cost_ns);
	f64_or_null(json, "tracing_cpu_high_ns", overhead->cost.rounds > 0, process->cost_high_ns);
	if (process->cpu_ns == UINT64_MAX)
		json_null(json, "cpu_ns");
	else
		json_u64(json, "cpu_ns", process->cpu_ns);
	f64_or_null(json, "cpu_share", share, process->cost_ns / (double)process->cpu_ns);
	f64_or_null(json, "cpu_share_high", share, process->cost_high_ns / (double)process->cpu_ns);
	json_close(json);
}

void overhead_print_json(const struct overhead *overhead) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "overhead/1");
	json_bool(&json, "red_flag", overhead_has_red_flag(overhead));
	print_cost(&json, &overhead->cost);
	print_targets(&json, overhead);
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < shown_of(overhead); i++)
		print_process_json(&json, overhead, &overhead->processes[i]);
	json_close(&json);
	json_open(&json, "agents", '[');
	for (size_t i = 0; i < overhead->agent_count; i++) {
		const struct overhead_agent *agent = &overhead->agents[i];
		json_open(&json, NULL, '{');
		json_u64(&json, "pid", agent->pid);
		json_u64(&json, "cpu_ns", agent->cpu_ns);
		f64_or_null(&json, "cpu_cores", cores_of(agent) >= 0, cores_of(agent));
		json_u64(&json, "rss_peak_bytes", agent->rss_peak_bytes);
		json_close(&json);
	}
	json_close(&json);
	json_u64(&json, "spans_begun", overhead->begun);
	json_u64(&json, "spans_lost", overhead->lost);
	json_u64(&json, "spans_stored", overhead->stored);
	json_u64(&json, "file_bytes", overhead->file_bytes);
	f64_or_null(&json, "bytes_per_span", overhead->stored > 0,
	            (double)overhead->file_bytes / (double)overhead->stored);
	f64_or_null(&json, "agent_cpu_per_span_ns", overhead->stored > 0 && overhead->agent_cpu_ns > 0,
	            (double)overhead->agent_cpu_ns / (double)overhead->stored);
	json_close(&json);
}

void overhead_print_csv(const struct overhead *overhead) {
	static const char *const titles[] = {"target",     "unit",           "value",  "high",
	                                     "good_below", "red_flag_above", "verdict"};
	struct csv csv = {.out = stdout};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		csv_text(&csv, titles[i], strlen(titles[i]));
	csv_end(&csv);
	for (unsigned i = 0; i < OVERHEAD_TARGET_COUNT; i++) {
		const struct overhead_level *level = &overhead_levels[i];
		const struct overhead_figure *figure = &overhead->figures[i];
		const char *verdict = overhead_verdict_names[figure->verdict];
		csv_text(&csv, level->key, strlen(level->key));
		csv_text(&csv, overhead_unit_names[level->unit], strlen(overhead_unit_names[level->unit]));
		for (unsigned high = 0; high < 2; high++) {
			if (figure->has_value)
				csv_f64(&csv, high ? figure->high : figure->value);
			else
				csv_text(&csv, "", 0);
		}
		csv_f64(&csv, level->good);
		csv_f64(&csv, level->red_flag);
		csv_text(&csv, verdict, strlen(verdict));
		csv_end(&csv);
	}
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static const char *percent_text(double share, char ret_text[UNITS_TEXT_BYTES]) {
	(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.3g %%", 100 * share);
	return ret_text;
}

static const char *value_text(enum overhead_unit unit, double value, char ret_text[UNITS_TEXT_BYTES]) {
	char bytes[UNITS_TEXT_BYTES];
	switch (unit) {
	case OVERHEAD_NS:
		if (value < 1000 && value > 0) {
			(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.3g ns", value);
			return ret_text;
		}
		return units_format_duration(value, ret_text);
	case OVERHEAD_BYTES:
		return units_format_bytes(value, ret_text);
	case OVERHEAD_BYTES_PER_S:
		(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.20s/s", units_format_bytes(value, bytes));
		return ret_text;
	default:
		return percent_text(value, ret_text);
	}
}

static void print_value(struct table *table, const struct overhead_level *level, const struct overhead_figure *figure) {
	char text[VALUE_BYTES], value[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
	if (!figure->has_value)
		table_cell(table, STYLE_DIM, "-");
	else
		table_cell(table, STYLE_PLAIN, value_text(level->unit, figure->value, value));
	(void)snprintf(text, sizeof(text), "%s",
	               figure->has_value && figure->high > figure->value ? value_text(level->unit, figure->high, high)
	                                                                 : "");
	table_cell(table, STYLE_PLAIN, text);
}

static int print_levels(const struct overhead *overhead) {
	static const enum terminal_style styles[] = {[OVERHEAD_UNMEASURED] = STYLE_DIM,
	                                             [OVERHEAD_GOOD] = STYLE_GREEN,
	                                             [OVERHEAD_ABOVE] = STYLE_YELLOW,
	                                             [OVERHEAD_RED_FLAG] = STYLE_RED};
	static const struct table_column columns[] = {{"tracing", false, 0}, {"costs", true, 0},
	                                              {"cold", true, 1},     {"good below", true, 2},
	                                              {"red flag", true, 3}, {"verdict", false, 0}};
	char text[UNITS_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 14);
	for (unsigned i = 0; i < OVERHEAD_TARGET_COUNT; i++) {
		const struct overhead_level *level = &overhead_levels[i];
		const struct overhead_figure *figure = &overhead->figures[i];
		table_cell(&table, STYLE_PLAIN, level->label);
		print_value(&table, level, figure);
		table_cell(&table, STYLE_DIM, value_text(level->unit, level->good, text));
		table_cell(&table, STYLE_DIM, value_text(level->unit, level->red_flag, text));
		table_cell(&table, styles[figure->verdict], overhead_verdict_names[figure->verdict]);
	}
	return table_print(&table, &overhead->query.context->terminal, stdout);
}

static void cell_or_none(struct table *table, bool there, const char *text) {
	table_cell(table, there ? STYLE_PLAIN : STYLE_DIM, there ? text : "-");
}

static int print_processes(const struct overhead *overhead) {
	static const struct table_column columns[] = {
	    {"service", false, 0}, {"pid", true, 0},  {"spans", true, 0}, {"spans/s", true, 2}, {"tracing", true, 3},
	    {"of CPU", true, 0},   {"cold", true, 1}, {"cpu", true, 4},   {"lost", true, 1},    {"rings", true, 5}};
	char text[UNITS_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 10);
	for (size_t i = 0; i < shown_of(overhead); i++) {
		const struct overhead_process *process = &overhead->processes[i];
		const struct store_process_view *view = &overhead->query.overview->processes[process->process];
		bool share = has_share(overhead, process);
		table_cell(&table, STYLE_PLAIN, view->service);
		(void)snprintf(text, sizeof(text), "%" PRIu32, view->pid);
		table_cell(&table, STYLE_PLAIN, text);
		table_count(&table, STYLE_PLAIN, process->begun);
		cell_or_none(&table, process->seconds > 0,
		             units_format_count((uint64_t)(per_second(process) + 0.5), text));
		cell_or_none(&table, overhead->cost.rounds > 0, units_format_duration(process->cost_ns, text));
		cell_or_none(&table, share, percent_text(process->cost_ns / (double)process->cpu_ns, text));
		cell_or_none(&table, share, percent_text(process->cost_high_ns / (double)process->cpu_ns, text));
		cell_or_none(&table, process->cpu_ns != UINT64_MAX,
		             units_format_duration((double)process->cpu_ns, text));
		table_count(&table, process->lost ? STYLE_RED : STYLE_PLAIN, process->lost);
		table_count(&table, STYLE_PLAIN, process->rings);
	}
	return table_print(&table, &overhead->query.context->terminal, stdout);
}

static void note_cost(const struct overhead *overhead) {
	const struct terminal *terminal = &overhead->query.context->terminal;
	const struct store_cost_figure *span = &overhead->cost.figures[STORE_COST_SPAN];
	char texts[4][UNITS_TEXT_BYTES];
	if (overhead->cost.rounds == 0) {
		terminal_note(terminal, stdout, STYLE_DIM,
		              "the agent that made this store did not measure what a span costs here");
		return;
	}
	terminal_note(terminal, stdout, STYLE_DIM,
	              "a span: %s in a loop (95 %% interval of the median %s to %s, of %" PRIu64
	              " rounds; 95 %% of them up to %s), measured by the agent on this machine when it started; cold: "
	              "after other work took the caches",
	              value_text(OVERHEAD_NS, (double)span->median_ps / PS_PER_NS, texts[0]),
	              value_text(OVERHEAD_NS, (double)span->low_ps / PS_PER_NS, texts[1]),
	              value_text(OVERHEAD_NS, (double)span->high_ps / PS_PER_NS, texts[2]), overhead->cost.rounds,
	              value_text(OVERHEAD_NS, (double)span->spread_high_ps / PS_PER_NS, texts[3]));
}

static void note_agent(const struct overhead *overhead) {
	const struct terminal *terminal = &overhead->query.context->terminal;
	char texts[3][UNITS_TEXT_BYTES];
	uint64_t rings = 0;
	const struct overhead_agent *agent =
	    overhead->agent_count > 0 ? &overhead->agents[overhead->agent_count - 1] : NULL;
	if (agent && cores_of(agent) >= 0)
		terminal_note(terminal, stdout, STYLE_DIM, "agent %" PRIu32 ": %s of a core, %s resident at most",
		              agent->pid, percent_text(cores_of(agent), texts[0]),
		              units_format_bytes((double)agent->rss_peak_bytes, texts[1]));
	if (overhead->stored > 0)
		terminal_note(terminal, stdout, STYLE_DIM, "store: %s for %s spans, %.3g bytes each",
		              units_format_bytes((double)overhead->file_bytes, texts[0]),
		              units_format_count(overhead->stored, texts[1]),
		              (double)overhead->file_bytes / (double)overhead->stored);
	for (size_t i = 0; i < overhead->process_count; i++)
		rings += overhead->processes[i].rings;
	terminal_note(
	    terminal, stdout, STYLE_DIM,
	    "rings: %s in all, one for each thread that traces, of %s unless SPANRING_RING_BYTES says otherwise",
	    units_format_count(rings, texts[0]), units_format_bytes(SPANRING_RING_BYTES_DEFAULT, texts[1]));
}

int overhead_print_tables(const struct overhead *overhead) {
	int rc = print_levels(overhead);
	(void)putchar('\n');
	if (rc == 0 && overhead->process_count > 0) {
		rc = print_processes(overhead);
		(void)putchar('\n');
	}
	note_cost(overhead);
	note_agent(overhead);
	if (shown_of(overhead) < overhead->process_count)
		terminal_note(&overhead->query.context->terminal, stdout, STYLE_DIM,
		              "the first %zu of %zu processes are shown", shown_of(overhead), overhead->process_count);
	return rc;
}
