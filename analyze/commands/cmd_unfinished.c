/* SPDX-License-Identifier: Apache-2.0 */
/* unfinished: the spans that were open when their process ended, and why it did. */
#include "analyze/command.h"
#include "analyze/kernels/ending_text.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"
#include "analyze/trace/attribute_print.h"
#include "analyze/trace/trace_load.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100u
#define ROWS_MAX (1u << 20) /* more than that are counted, not listed */
#define INDENT_LEVELS_MAX 12u

static const char help[] = "  spanring-analyze unfinished STORE\n"
                           "  spanring-analyze unfinished STORE --attributes\n"
                           "  spanring-analyze unfinished STORE --json | jq -r '.spans[] | [.name, .age_ns]'\n"
                           "\n"
                           "The spans that were open when their process died (killed, crashed, out of\n"
                           "memory), with the attributes set until then: what it was doing. Outer spans\n"
                           "come before the inner ones, which are indented. They never ended, so they are\n"
                           "in no latency; audit counts them as open.\n"
                           "\n"
                           "age is the time from the start of the span until the agent found its process\n"
                           "dead: about a second too long at most, or more when no agent ran at the time.\n"
                           "A process that exits in good order leaves none but async spans that nobody\n"
                           "ended.\n"
                           "\n"
                           "reason is how the process ended, where it is known: of the command of\n"
                           "spanring-agent record its signal or exit status; exec if it went on as another\n"
                           "program; exited if it said goodbye; else died.\n"
                           "\n"
                           "Options\n"
                           "  --attributes     with the attributes of each; not with --csv\n"
                           "  -n, --limit N    at most N spans (default 100, 0: all; with --json and --csv\n"
                           "                   all unless given)\n"
                           "  --csv            comma-separated values, with a line of titles\n"
                           "  --where EXPR     only spans of which it is true, like 'status = error and\n"
                           "                   attr.http.route = \"/x\"': see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

struct row {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id;
	uint64_t start_wall_ns;
	uint64_t age_ns;
	const struct store_site *site;     /* NULL: not known */
	const struct store_thread *thread; /* the same */
	uint32_t name;
	uint32_t process; /* index + 1; 0: not known */
	uint32_t depth;   /* open spans above it, of any process */
	uint8_t kind;
	uint8_t status;
};

struct unfinished {
	struct query query;
	struct row *rows;
	size_t count;
	size_t room;
	uint64_t total;
	struct trace trace; /* loaded last */
	bool has_trace;
};

static int take_rows(void *context, const struct store_columns *columns) {
	struct unfinished *unfinished = context;
	const struct store_segment_view *segment = columns->segment;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (!query_is_open(columns, i) || !query_accepts(&unfinished->query, columns, i))
			continue;
		if (unfinished->total++ >= ROWS_MAX)
			continue;
		if (unfinished->count == unfinished->room) {
			size_t room = unfinished->room ? 2 * unfinished->room : 256;
			struct row *grown = reallocarray(unfinished->rows, room, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			unfinished->rows = grown;
			unfinished->room = room;
		}
		struct row row = {
		    .trace_hi = columns->trace_hi[i],
		    .trace_lo = columns->trace_lo[i],
		    .span_id = columns->span_id[i],
		    .parent_id = columns->parent_id[i],
		    .start_wall_ns = saturating_add(columns->start_ns[i], segment->wall_offset_ns),
		    .age_ns = columns->duration_ns[i],
		    .name = query_name(columns, i),
		    .process = query_process(columns, i),
		    .kind = columns->kind[i],
		    .status = columns->status[i],
		};
		if (columns->site[i] > 0 && columns->site[i] <= segment->site_count)
			row.site = &segment->sites[columns->site[i]];
		if (columns->thread[i] > 0 && columns->thread[i] <= segment->thread_count)
			row.thread = &segment->threads[columns->thread[i]];
		if (row.name > unfinished->query.overview->name_count)
			row.name = 0;
		if (row.process > unfinished->query.overview->process_count)
			row.process = 0;
		unfinished->rows[unfinished->count++] = row;
	}
	return 0;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static int by_u64(uint64_t a, uint64_t b) {
	return a < b ? -1 : a > b;
}

static int by_id(const void *a, const void *b) {
	const struct row *left = a;
	const struct row *right = b;
	int order = by_u64(left->trace_lo, right->trace_lo);
	return order ? order : by_u64(left->span_id, right->span_id);
}

/* Process by process, thread by thread, outer spans first. */
static int by_place(const void *a, const void *b) {
	const struct row *left = a;
	const struct row *right = b;
	int order = by_u64(left->process, right->process);
	if (order == 0)
		order =
		    by_u64(left->thread ? left->thread->ring_index : 0, right->thread ? right->thread->ring_index : 0);
	if (order == 0)
		order = by_u64(left->start_wall_ns, right->start_wall_ns);
	if (order == 0)
		order = by_u64(left->depth, right->depth);
	return order ? order : by_u64(left->span_id, right->span_id);
}

/* Ids come from programs: a chain that bites its tail ends after as many steps as there are rows, and some. */
static void find_depths(struct unfinished *unfinished) {
	struct row *rows = unfinished->rows;
	qsort(rows, unfinished->count, sizeof(rows[0]), by_id);
	for (size_t i = 0; i < unfinished->count; i++) {
		struct row wanted = rows[i];
		while (wanted.parent_id != 0 && rows[i].depth < unfinished->count && rows[i].depth < UINT16_MAX) {
			wanted.span_id = wanted.parent_id;
			const struct row *parent = bsearch(&wanted, rows, unfinished->count, sizeof(rows[0]), by_id);
			if (!parent)
				break;
			rows[i].depth++;
			wanted.parent_id = parent->parent_id;
		}
	}
	qsort(rows, unfinished->count, sizeof(rows[0]), by_place);
}

static int collect(struct unfinished *unfinished) {
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID | STORE_COLUMN_PARENT_ID |
	                                     STORE_COLUMN_START | STORE_COLUMN_DURATION | STORE_COLUMN_SITE |
	                                     STORE_COLUMN_THREAD | STORE_COLUMN_KIND | STORE_COLUMN_STATUS |
	                                     STORE_COLUMN_FLAGS,
	                          .on_batch = take_rows,
	                          .context = unfinished};
	if (!query_holds_open(&unfinished->query))
		return 0;
	int rc = query_scan(&unfinished->query, &scan);
	if (rc == 0 && unfinished->count > 0)
		find_depths(unfinished);
	return rc;
}

/* Attributes were stored when they were set, maybe long before: the trace of the row, with all that belongs to it. */
static int load_trace(struct unfinished *unfinished, const struct row *row) {
	const struct trace *trace = &unfinished->trace;
	if (unfinished->has_trace && trace->hi == row->trace_hi && trace->lo == row->trace_lo)
		return 0;
	if (unfinished->has_trace)
		trace_done(&unfinished->trace);
	unfinished->query.scanned = false;
	int rc = trace_load(&unfinished->query, row->trace_hi, row->trace_lo, &unfinished->trace);
	unfinished->has_trace = rc == 0;
	return rc;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static const struct store_process_view *process_of(const struct unfinished *unfinished, const struct row *row) {
	return row->process ? &unfinished->query.overview->processes[row->process - 1] : NULL;
}

static const char *reason_of(const struct unfinished *unfinished, const struct row *row,
                             char ret_text[ENDING_TEXT_BYTES]) {
	const struct store_process_view *process = process_of(unfinished, row);
	return process ? ending_text_reason(&process->account, ret_text) : "";
}

static const char *name_text(const struct unfinished *unfinished, uint32_t id) {
	return unfinished->query.overview->names[id <= unfinished->query.overview->name_count ? id : 0];
}

static void print_place_json(struct json *json, const struct unfinished *unfinished, const struct row *row) {
	const struct store_process_view *process = process_of(unfinished, row);
	char instance[2 * STORE_INSTANCE_BYTES + 1] = "";
	if (process)
		text_hex_encode(process->instance, STORE_INSTANCE_BYTES, instance);
	json_text(json, "service", process ? process->service : "");
	json_u64(json, "pid", process ? process->pid : 0);
	json_text(json, "instance", instance);
	json_u64(json, "tid", row->thread ? row->thread->tid : 0);
	json_text(json, "thread", row->thread ? name_text(unfinished, row->thread->name) : "");
	json_text(json, "file", row->site ? name_text(unfinished, row->site->file) : "");
	json_u64(json, "line", row->site ? row->site->line : 0);
}

static int print_row_json(struct json *json, struct unfinished *unfinished, const struct row *row) {
	char id[TRACE_ID_TEXT_BYTES];
	char reason[ENDING_TEXT_BYTES];
	int rc = 0;
	json_open(json, NULL, '{');
	json_text(json, "name", name_text(unfinished, row->name));
	print_place_json(json, unfinished, row);
	json_text(json, "trace_id", trace_id_text(row->trace_hi, row->trace_lo, id));
	json_text(json, "span_id", span_id_text(row->span_id, id));
	if (row->parent_id)
		json_text(json, "parent_id", span_id_text(row->parent_id, id));
	else
		json_null(json, "parent_id");
	json_u64(json, "depth", row->depth);
	json_text(json, "kind", trace_kind_text(row->kind));
	json_text(json, "status", trace_status_text(row->status));
	json_u64(json, "start_wall_ns", row->start_wall_ns);
	json_u64(json, "age_ns", row->age_ns);
	json_text(json, "reason", reason_of(unfinished, row, reason));
	if (unfinished->query.context->options->attributes) {
		rc = load_trace(unfinished, row);
		if (rc == 0)
			attribute_print_json(json, &unfinished->query, &unfinished->trace, row->span_id, 0);
	}
	json_close(json);
	return rc;
}

static int print_json(struct unfinished *unfinished, size_t shown) {
	struct json json = json_begin(stdout);
	int rc = 0;
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "unfinished/1");
	json_u64(&json, "span_count", unfinished->total);
	json_open(&json, "spans", '[');
	for (size_t i = 0; i < shown && rc == 0; i++)
		rc = print_row_json(&json, unfinished, &unfinished->rows[i]);
	json_close(&json);
	json_close(&json);
	return rc;
}

static void print_row_csv(struct csv *csv, const struct unfinished *unfinished, const struct row *row) {
	const struct store_process_view *process = process_of(unfinished, row);
	char id[TRACE_ID_TEXT_BYTES];
	char reason[ENDING_TEXT_BYTES];
	csv_u64(csv, row->age_ns);
	csv_string(csv, name_text(unfinished, row->name));
	csv_string(csv, process ? process->service : "");
	csv_u64(csv, process ? process->pid : 0);
	csv_u64(csv, row->thread ? row->thread->tid : 0);
	csv_string(csv, row->thread ? name_text(unfinished, row->thread->name) : "");
	csv_string(csv, row->site ? name_text(unfinished, row->site->file) : "");
	csv_u64(csv, row->site ? row->site->line : 0);
	csv_string(csv, reason_of(unfinished, row, reason));
	csv_u64(csv, row->start_wall_ns);
	csv_string(csv, trace_status_text(row->status));
	csv_u64(csv, row->depth);
	csv_number(csv, trace_id_text(row->trace_hi, row->trace_lo, id));
	csv_number(csv, span_id_text(row->span_id, id));
	csv_number(csv, row->parent_id ? span_id_text(row->parent_id, id) : "");
	csv_end(csv);
}

static void print_csv(const struct unfinished *unfinished, size_t shown) {
	struct csv csv = {.out = stdout};
	csv_head(&csv, "age_ns,name,service,pid,tid,thread,file,line,reason,start_wall_ns,status,depth,trace_id,"
	               "span_id,parent_id");
	for (size_t i = 0; i < shown; i++)
		print_row_csv(&csv, unfinished, &unfinished->rows[i]);
}

static void add_row(struct table *table, const struct unfinished *unfinished, const struct row *row) {
	const struct store_process_view *process = process_of(unfinished, row);
	char text[TRACE_ID_TEXT_BYTES];
	char reason[ENDING_TEXT_BYTES];
	unsigned levels = row->depth < INDENT_LEVELS_MAX ? row->depth : INDENT_LEVELS_MAX;
	const char *name = query_name_text(&unfinished->query, row->name);
	CLEANUP_FREE char *indented = NULL;
	if (asprintf(&indented, "%*s%s", (int)(2 * levels), "", name) < 0)
		indented = NULL;
	table_duration(table, (double)row->age_ns);
	table_cell(table, STYLE_PLAIN, indented ? indented : name);
	table_cell(table, STYLE_PLAIN, process ? process->service : "");
	(void)snprintf(text, sizeof(text), "%" PRIu32, process ? process->pid : 0);
	table_cell(table, STYLE_PLAIN, text);
	(void)snprintf(text, sizeof(text), "%" PRIu32, row->thread ? row->thread->tid : 0);
	table_cell(table, STYLE_PLAIN, text);
	table_cell(table, STYLE_PLAIN, reason_of(unfinished, row, reason));
	table_cell(table, STYLE_PLAIN, units_format_wall(row->start_wall_ns, text));
	table_cell(table, STYLE_CYAN, trace_id_text(row->trace_hi, row->trace_lo, text));
}

static int print_attributes(struct unfinished *unfinished, size_t shown) {
	char id[TRACE_ID_TEXT_BYTES];
	for (size_t i = 0; i < shown; i++) {
		const struct row *row = &unfinished->rows[i];
		size_t count = 0;
		int rc = load_trace(unfinished, row);
		if (rc != 0)
			return rc;
		(void)trace_attributes_of(&unfinished->trace, row->span_id, 0, &count);
		if (count == 0)
			continue;
		const char *name = query_name_text(&unfinished->query, row->name);
		size_t bytes = 4 * strlen(name) + 1;
		CLEANUP_FREE char *printable = malloc(bytes);
		if (!printable)
			return -ENOMEM;
		(void)text_printable(name, strlen(name), printable, bytes);
		printf("\n%s (span %s)\n", printable, span_id_text(row->span_id, id));
		rc = attribute_print_lines(stdout, &unfinished->query, &unfinished->trace, row->span_id, 2);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int print_table(struct unfinished *unfinished, size_t shown) {
	static const struct table_column columns[] = {{"age", true, 0},    {"name", false, 0}, {"service", false, 2},
	                                              {"pid", true, 1},    {"tid", true, 5},   {"reason", false, 3},
	                                              {"start", false, 6}, {"trace", false, 4}};
	const struct terminal *terminal = &unfinished->query.context->terminal;
	char text[UNITS_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 1, 16);
	for (size_t i = 0; i < shown; i++)
		add_row(&table, unfinished, &unfinished->rows[i]);
	int rc = table_print(&table, terminal, stdout);
	if (rc == 0 && unfinished->query.context->options->attributes)
		rc = print_attributes(unfinished, shown);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM, "%s %s open when %s process ended",
	              units_format_count(unfinished->total, text), unfinished->total == 1 ? "span was" : "spans were",
	              unfinished->total == 1 ? "its" : "their");
	if (shown < unfinished->total)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu are shown; --limit 0 shows all", shown);
	return 0;
}

static int answer(struct unfinished *unfinished) {
	const struct context *context = unfinished->query.context;
	const struct options *options = context->options;
	int rc = collect(unfinished);
	if (rc != 0)
		return command_failed(context, rc, "looking for unfinished spans");
	bool empty = query_store_is_empty(&unfinished->query);
	uint64_t limit = options->has_limit ? options->limit : options->json || options->csv ? 0 : LIMIT_DEFAULT;
	size_t shown = limit > 0 && limit < unfinished->count ? (size_t)limit : unfinished->count;
	if (options->json)
		rc = print_json(unfinished, shown);
	else if (options->csv)
		print_csv(unfinished, shown);
	else if (unfinished->count > 0)
		rc = print_table(unfinished, shown);
	else if (!empty)
		query_say_no_match(&unfinished->query, "was open when its process ended");
	return rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct unfinished unfinished = {.count = 0};
	if (context->options->csv && context->options->attributes) {
		log_error(&context->log, "unfinished: --attributes are not in --csv: use --json");
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&unfinished.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&unfinished.query, answer(&unfinished));
	if (unfinished.has_trace)
		trace_done(&unfinished.trace);
	free(unfinished.rows);
	query_close(&unfinished.query);
	return code;
}

const struct command command_unfinished = {
    .name = "unfinished",
    .summary = "spans that were open when their process ended",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                     OPTION_WITH_ATTRIBUTES | OPTION_CSV,
    .run = run,
};
