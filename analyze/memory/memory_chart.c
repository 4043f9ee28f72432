/* SPDX-License-Identifier: Apache-2.0 */
/* Memory over time, a chart for each process and figure. The axis of bytes begins at 0 unless that would hide how the line moves. */
#include "analyze/kernels/chart.h"
#include "analyze/kernels/fit.h"
#include "analyze/terminal/csv.h"
#include "memory.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_COLUMNS 9u
#define ROWS 8u
#define WIDTH_DEFAULT 80u
#define PROCESSES_DEFAULT 8u
/* Where a line stays in the upper part of its chart, the axis begins below it. */
#define HIDING_SHARE 0.5
#define FLAT_HIGH_BYTES 1024.0 /* the upper end where all is 0 */

static const char *const titles[] = {[MEMORY_RSS] = "resident set (RSS)",
                                     [MEMORY_PSS] = "proportional set (PSS)",
                                     [MEMORY_ANONYMOUS] = "anonymous memory",
                                     [MEMORY_SWAP] = "swap",
                                     [MEMORY_HEAP] = "heap of the traced threads"};

static size_t points_of(const struct memory *memory, const struct memory_process *process, enum memory_figure figure,
                        struct chart_point *ret_points) {
	const struct store_memory_sample *samples = &memory->samples[process->first];
	size_t count = 0;
	for (size_t i = 0; i < process->sample_count; i++) {
		uint64_t bytes = memory_figure_of(&samples[i], figure);
		if (bytes == GROWTH_UNREAD)
			continue;
		ret_points[count++] =
		    (struct chart_point){(double)(samples[i].time_ns - samples[0].time_ns), (double)bytes};
	}
	return count;
}

static void set_axes(struct chart *chart, const struct growth *growth, const struct chart_point *points, size_t count) {
	double low = (double)growth->min_bytes;
	double high = (double)growth->peak_bytes;
	double margin = (high - low) / (4 * ROWS);
	chart->x_low = points[0].x;
	chart->x_high = points[count - 1].x;
	chart->y_low = low > HIDING_SHARE * high && high > low ? low - margin : 0;
	chart->y_high = high > 0 ? high + (chart->y_low > 0 ? margin : 0) : FLAT_HIGH_BYTES;
}

/* "18:43:30", and how much later the right end is. */
static void print_time_axis(const struct chart *chart, uint64_t start_wall_ns) {
	char wall[UNITS_TEXT_BYTES], passed[UNITS_TEXT_BYTES];
	(void)units_format_wall(start_wall_ns + (uint64_t)chart->x_low, wall);
	(void)units_format_duration(chart->x_high - chart->x_low, passed);
	const char *time = strlen(wall) > 19 ? wall + 11 : wall;
	int gap = (int)chart->columns - 8 - (int)strlen(passed) - 1;
	(void)printf("%*s %.8s%*s+%s\n", (int)LABEL_COLUMNS, "", time, gap > 1 ? gap : 1, "", passed);
}

static void print_axis(const struct chart *chart) {
	(void)printf("%*s %s", (int)LABEL_COLUMNS, "", chart->utf8 ? "└" : "+");
	for (unsigned i = 0; i < chart->columns; i++)
		(void)fputs(chart->utf8 ? "─" : "-", stdout);
	(void)putchar('\n');
}

static void print_chart(const struct terminal *terminal, const struct chart *chart) {
	char line[CHART_LINE_BYTES];
	char label[UNITS_TEXT_BYTES];
	for (unsigned row = 0; row < chart->rows; row++) {
		/* of the upper edge of the row; the lowest row shows the lower edge */
		bool is_lowest = row == chart->rows - 1;
		double share = is_lowest ? 0 : (double)(chart->rows - row) / chart->rows;
		bool is_labelled = row == 0 || is_lowest || row == chart->rows / 2;
		(void)printf(
		    "%*s %s%s%s%s\n", (int)LABEL_COLUMNS,
		    is_labelled ? units_format_bytes(chart->y_low + share * (chart->y_high - chart->y_low), label) : "",
		    chart->utf8 ? "│" : "|", terminal_style(terminal, STYLE_CYAN), chart_line(chart, row, line),
		    terminal_style(terminal, STYLE_PLAIN));
	}
	print_axis(chart);
}

static int print_title(const struct memory *memory, const struct memory_process *process, enum memory_figure figure) {
	const struct terminal *terminal = &memory->query.context->terminal;
	const struct store_process_view *view = memory_process_view(memory, process);
	const struct growth *growth = &process->figures[figure];
	const char *service = view ? view->service : "(agent)";
	char last[UNITS_TEXT_BYTES], peak[UNITS_TEXT_BYTES];
	CLEANUP_FREE char *printable = fit_printable(service, strlen(service));
	CLEANUP_FREE char *name = printable ? fit_middle(printable, 30, terminal->utf8) : NULL;
	if (!name)
		return -ENOMEM;
	terminal_note(terminal, stdout, STYLE_BOLD, "%s %" PRIu32 ": %s", name, view ? view->pid : process->agent_pid,
	              titles[figure]);
	terminal_note(
	    terminal, stdout, STYLE_DIM, "last %s, peak %s, %s", units_format_bytes((double)growth->last_bytes, last),
	    units_format_bytes((double)growth->peak_bytes, peak),
	    growth->verdict == TREND_SHORT ? "not enough data for a verdict" : growth_verdict_names[growth->verdict]);
	return 0;
}

static int draw(const struct memory *memory, const struct memory_process *process, enum memory_figure figure,
                bool is_one_of_all, bool *drawn) {
	const struct terminal *terminal = &memory->query.context->terminal;
	unsigned width = terminal->width == TERMINAL_WIDTH_UNLIMITED ? WIDTH_DEFAULT : terminal->width;
	if (process->figures[figure].samples == 0 || (is_one_of_all && process->figures[figure].peak_bytes == 0))
		return 0;
	CLEANUP_FREE struct chart_point *points = calloc(process->sample_count, sizeof(*points));
	CLEANUP_FREE struct chart *chart = calloc(1, sizeof(*chart));
	if (!points || !chart)
		return -ENOMEM;
	size_t count = points_of(memory, process, figure, points);
	chart->columns = width > LABEL_COLUMNS + 12 ? width - LABEL_COLUMNS - 2 : 10;
	if (chart->columns > CHART_COLUMNS_MAX)
		chart->columns = CHART_COLUMNS_MAX;
	chart->rows = ROWS;
	chart->utf8 = terminal->utf8;
	set_axes(chart, &process->figures[figure], points, count);
	chart_draw(chart, points, count);
	if (*drawn)
		(void)putchar('\n');
	*drawn = true;
	int rc = print_title(memory, process, figure);
	if (rc == 0) {
		print_chart(terminal, chart);
		print_time_axis(chart, memory->samples[process->first].time_ns);
	}
	return rc;
}

/* --limit counts processes; agents come behind them. */
static bool is_shown(const struct memory *memory, size_t process, size_t limit) {
	return process < limit || process >= memory->process_count;
}

static int print_charts(const struct memory *memory, enum memory_figure figure, size_t limit) {
	bool drawn = false;
	int rc = 0;
	for (size_t i = 0; i < memory->process_count + memory->agent_count && rc == 0; i++)
		for (unsigned which = 0; which < MEMORY_FIGURE_COUNT && rc == 0; which++)
			if (is_shown(memory, i, limit) && (figure == MEMORY_FIGURE_COUNT || which == figure))
				rc = draw(memory, &memory->processes[i], (enum memory_figure)which,
				          figure == MEMORY_FIGURE_COUNT, &drawn);
	if (!drawn && rc == 0)
		log_info(&memory->query.context->log, "no sample has that figure");
	if (drawn && limit < memory->process_count)
		terminal_note(&memory->query.context->terminal, stdout, STYLE_DIM,
		              "the first %zu of %zu processes are shown; -n N shows more", limit,
		              memory->process_count);
	return rc;
}

static void print_json(const struct memory *memory, size_t limit) {
	static const char *const keys[] = {"rss_bytes", "pss_bytes", "anonymous_bytes", "swap_bytes", "heap_bytes"};
	struct json json = json_begin(stdout);
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "memory-chart/1");
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < memory->process_count + memory->agent_count; i++) {
		const struct memory_process *process = &memory->processes[i];
		const struct store_process_view *view = memory_process_view(memory, process);
		if (!is_shown(memory, i, limit))
			continue;
		json_open(&json, NULL, '{');
		json_bool(&json, "is_agent", view == NULL);
		json_text(&json, "service", view ? view->service : "");
		json_u64(&json, "pid", view ? view->pid : process->agent_pid);
		if (view) {
			text_hex_encode(view->instance, STORE_INSTANCE_BYTES, instance);
			json_text(&json, "instance", instance);
		} else {
			json_null(&json, "instance");
		}
		json_open(&json, "samples", '[');
		for (size_t s = process->first; s < process->first + process->sample_count; s++) {
			json_open(&json, NULL, '{');
			json_u64(&json, "time_wall_ns", memory->samples[s].time_ns);
			for (unsigned which = 0; which < MEMORY_FIGURE_COUNT; which++) {
				uint64_t bytes = memory_figure_of(&memory->samples[s], (enum memory_figure)which);
				if (bytes == GROWTH_UNREAD)
					json_null(&json, keys[which]);
				else
					json_u64(&json, keys[which], bytes);
			}
			json_close(&json);
		}
		json_close(&json);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct memory *memory, size_t limit) {
	static const char *const columns[] = {"time_wall_ns", "service",         "pid",        "rss_bytes",
	                                      "pss_bytes",    "anonymous_bytes", "swap_bytes", "heap_bytes"};
	struct csv csv = {.out = stdout};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		csv_text(&csv, columns[i], strlen(columns[i]));
	csv_end(&csv);
	for (size_t i = 0; i < memory->process_count + memory->agent_count; i++) {
		const struct memory_process *process = &memory->processes[i];
		const struct store_process_view *view = memory_process_view(memory, process);
		const char *service = view ? view->service : "(agent)";
		for (size_t s = 0; is_shown(memory, i, limit) && s < process->sample_count; s++) {
			const struct store_memory_sample *sample = &memory->samples[process->first + s];
			csv_u64(&csv, sample->time_ns);
			csv_text(&csv, service, strlen(service));
			csv_u64(&csv, view ? view->pid : process->agent_pid);
			for (unsigned which = 0; which < MEMORY_FIGURE_COUNT; which++) {
				uint64_t bytes = memory_figure_of(sample, (enum memory_figure)which);
				if (bytes == GROWTH_UNREAD)
					csv_text(&csv, "", 0);
				else
					csv_u64(&csv, bytes);
			}
			csv_end(&csv);
		}
	}
}

int memory_chart(const struct memory *memory, enum memory_figure figure) {
	const struct options *options = memory->query.context->options;
	bool is_picture = !options->json && !options->csv;
	size_t limit = memory_limited(memory, memory->process_count);
	if (is_picture && !options->has_limit && limit > PROCESSES_DEFAULT)
		limit = PROCESSES_DEFAULT;
	if (options->json)
		print_json(memory, limit);
	else if (options->csv)
		print_csv(memory, limit);
	return is_picture ? print_charts(memory, figure, limit) : 0;
}
