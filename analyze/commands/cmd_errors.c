/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors: failed spans by name, with the traces of the newest ones. One pass: counts by name id, and for each name that failed the EXAMPLES_MAX
 * spans that started last.
 */
#include "analyze/command.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <spanring/spanring.h>

#include <stdlib.h>
#include <string.h>

#define EXAMPLES_MAX 3u

static const char help[] = "  spanring-analyze errors STORE\n"
                           "  spanring-analyze errors STORE --since 10m --where 'attr.http.route = \"/x\"'\n"
                           "  spanring-analyze errors STORE --json | jq -r '.names[].examples[0].trace_id'\n"
                           "\n"
                           "For each span name: how many spans ended with status error, of how many, when\n"
                           "the last of them started, and the trace of that one, to give to `trace`; --json\n"
                           "has the last three. From the records: the spans that are stored.\n"
                           "\n"
                           "Options\n"
                           "  -n, --limit N    only the first N names (default: all)\n"
                           "  --csv            comma-separated values, with a line of titles\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

struct example {
	uint64_t start_wall_ns;
	uint64_t duration_ns;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint32_t process; /* index + 1; 0: not known */
};

struct failures {
	uint64_t count; /* of all spans of the name */
	uint64_t errors;
	uint32_t name;
	uint32_t example_count;
	struct example examples[EXAMPLES_MAX]; /* newest first */
};

struct errors {
	struct query query;
	struct failures *lines; /* by name id while reading, then dense, by falling number */
	size_t line_count;
	uint64_t spans;
	uint64_t failed;
};

/* Newest first; of equal times the lower id, so that the answer is the same every time. */
static bool is_before(const struct example *left, const struct example *right) {
	if (left->start_wall_ns != right->start_wall_ns)
		return left->start_wall_ns > right->start_wall_ns;
	return left->span_id < right->span_id;
}

static void keep_example(struct failures *line, const struct example *example) {
	uint32_t at = line->example_count < EXAMPLES_MAX ? line->example_count++ : EXAMPLES_MAX;
	for (; at > 0 && is_before(example, &line->examples[at - 1]); at--)
		if (at < EXAMPLES_MAX)
			line->examples[at] = line->examples[at - 1];
	if (at < EXAMPLES_MAX)
		line->examples[at] = *example;
}

static int take_rows(void *context, const struct store_columns *columns) {
	struct errors *errors = context;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (query_is_open(columns, row) || !query_accepts(&errors->query, columns, row))
			continue;
		uint32_t name = query_name(columns, row);
		struct failures *line = &errors->lines[name <= errors->query.overview->name_count ? name : 0];
		line->count++;
		if (columns->status[row] != SPANRING_STATUS_ERROR)
			continue;
		line->errors++;
		struct example example = {.start_wall_ns =
		                              saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns),
		                          .duration_ns = columns->duration_ns[row],
		                          .trace_hi = columns->trace_hi[row],
		                          .trace_lo = columns->trace_lo[row],
		                          .span_id = columns->span_id[row],
		                          .process = query_process(columns, row)};
		if (example.process > errors->query.overview->process_count)
			example.process = 0;
		keep_example(line, &example);
	}
	return 0;
}

static int by_errors(const void *a, const void *b) {
	const struct failures *left = a;
	const struct failures *right = b;
	if (left->errors != right->errors)
		return left->errors > right->errors ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

static int collect(struct errors *errors) {
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID | STORE_COLUMN_START |
	                                     STORE_COLUMN_DURATION | STORE_COLUMN_SITE | STORE_COLUMN_THREAD |
	                                     STORE_COLUMN_STATUS | query_open_column(&errors->query),
	                          .on_batch = take_rows,
	                          .context = errors};
	size_t names = (size_t)errors->query.overview->name_count + 1;
	errors->lines = calloc(names, sizeof(errors->lines[0]));
	if (!errors->lines)
		return -ENOMEM;
	int rc = query_scan(&errors->query, &scan);
	for (uint32_t name = 0; name < names; name++) {
		errors->spans += errors->lines[name].count;
		errors->failed += errors->lines[name].errors;
		if (errors->lines[name].errors == 0)
			continue;
		errors->lines[errors->line_count] = errors->lines[name];
		errors->lines[errors->line_count++].name = name;
	}
	qsort(errors->lines, errors->line_count, sizeof(errors->lines[0]), by_errors);
	return rc;
}

static const struct store_process_view *process_of(const struct errors *errors, const struct example *example) {
	return example->process ? &errors->query.overview->processes[example->process - 1] : NULL;
}

static void print_example(struct json *json, const struct errors *errors, const struct example *example) {
	const struct store_process_view *process = process_of(errors, example);
	char text[TRACE_ID_TEXT_BYTES];
	json_open(json, NULL, '{');
	json_text(json, "trace_id", trace_id_text(example->trace_hi, example->trace_lo, text));
	json_text(json, "span_id", span_id_text(example->span_id, text));
	json_text(json, "service", process ? process->service : "");
	json_u64(json, "pid", process ? process->pid : 0);
	json_u64(json, "start_wall_ns", example->start_wall_ns);
	json_u64(json, "duration_ns", example->duration_ns);
	json_close(json);
}

static void print_json(const struct errors *errors, size_t shown) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "errors/1");
	json_u64(&json, "span_count", errors->spans);
	json_u64(&json, "error_count", errors->failed);
	json_open(&json, "names", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct failures *line = &errors->lines[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", errors->query.overview->names[line->name]);
		json_u64(&json, "count", line->count);
		json_u64(&json, "errors", line->errors);
		json_open(&json, "examples", '[');
		for (uint32_t e = 0; e < line->example_count; e++)
			print_example(&json, errors, &line->examples[e]);
		json_close(&json);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct errors *errors, size_t shown) {
	struct csv csv = {.out = stdout};
	char text[TRACE_ID_TEXT_BYTES];
	csv_head(&csv, "name,errors,count,service,pid,last_start_wall_ns,last_duration_ns,last_trace_id,last_span_id");
	for (size_t i = 0; i < shown; i++) {
		const struct failures *line = &errors->lines[i];
		const struct example *last = &line->examples[0];
		const struct store_process_view *process = process_of(errors, last);
		csv_string(&csv, errors->query.overview->names[line->name]);
		csv_u64(&csv, line->errors);
		csv_u64(&csv, line->count);
		csv_string(&csv, process ? process->service : "");
		csv_u64(&csv, process ? process->pid : 0);
		csv_u64(&csv, last->start_wall_ns);
		csv_u64(&csv, last->duration_ns);
		csv_number(&csv, trace_id_text(last->trace_hi, last->trace_lo, text));
		csv_number(&csv, span_id_text(last->span_id, text));
		csv_end(&csv);
	}
}

static int print_table(const struct errors *errors, size_t shown) {
	static const struct table_column columns[] = {
	    {"name", false, 0},    {"errors", true, 0},      {"of", true, 1},         {"share", true, 4},
	    {"service", false, 3}, {"last start", false, 5}, {"last trace", false, 0}};
	const struct terminal *terminal = &errors->query.context->terminal;
	char text[TRACE_ID_TEXT_BYTES];
	char count[2][UNITS_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < shown; i++) {
		const struct failures *line = &errors->lines[i];
		const struct example *last = &line->examples[0];
		const struct store_process_view *process = process_of(errors, last);
		table_cell(&table, STYLE_PLAIN, query_name_text(&errors->query, line->name));
		table_count(&table, STYLE_RED, line->errors);
		table_count(&table, STYLE_PLAIN, line->count);
		(void)snprintf(text, sizeof(text), "%.3g %%", 100.0 * (double)line->errors / (double)line->count);
		table_cell(&table, STYLE_PLAIN, text);
		table_cell(&table, STYLE_PLAIN, process ? process->service : "");
		table_cell(&table, STYLE_PLAIN, units_format_wall(last->start_wall_ns, text));
		table_cell(&table, STYLE_CYAN, trace_id_text(last->trace_hi, last->trace_lo, text));
	}
	int rc = table_print(&table, terminal, stdout);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	if (shown < errors->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu of %zu names are shown", shown,
		              errors->line_count);
	terminal_note(terminal, stdout, STYLE_DIM, "%s of %s stored spans failed",
	              units_format_count(errors->failed, count[0]), units_format_count(errors->spans, count[1]));
	return 0;
}

static int answer(struct errors *errors) {
	const struct context *context = errors->query.context;
	int rc = collect(errors);
	if (rc != 0)
		return command_failed(context, rc, "looking for errors");
	bool empty = query_store_is_empty(&errors->query);
	size_t shown = errors->line_count;
	if (context->options->limit > 0 && context->options->limit < shown)
		shown = (size_t)context->options->limit;
	if (context->options->json)
		print_json(errors, shown);
	else if (context->options->csv)
		print_csv(errors, shown);
	else if (errors->line_count > 0)
		rc = print_table(errors, shown);
	else if (!empty)
		query_say_no_match(&errors->query, "failed");
	return rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct errors errors = {.lines = NULL};
	int code = query_open(&errors.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&errors.query, answer(&errors));
	free(errors.lines);
	query_close(&errors.query);
	return code;
}

const struct command command_errors = {
    .name = "errors",
    .summary = "failed spans per name, with their newest traces",
    .help = help,
    .takes.allowed =
        OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT | OPTION_CSV,
    .run = run,
};
