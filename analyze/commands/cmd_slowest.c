/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slowest: the longest spans. Two passes: the first reads durations alone and keeps the N largest, so it knows the duration of the N-th; the
 * second reads whole rows, and only of batches whose longest span reaches that duration.
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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 10u
#define LIMIT_MAX 100000u

static const char help[] = "  spanring-analyze slowest STORE\n"
                           "  spanring-analyze slowest STORE --name 'db.*' --limit 3\n"
                           "  spanring-analyze slowest STORE --json | jq -r '.spans[0].trace_id'\n"
                           "\n"
                           "The longest spans, longest first, with the trace id to give to `trace`.\n"
                           "\n"
                           "Options\n"
                           "  -n, --limit N    how many (default 10, at most 100000)\n"
                           "  --csv            comma-separated values, with a line of titles\n"
                           "  --where EXPR     only spans of which it is true, like 'status = error and\n"
                           "                   attr.http.route = \"/x\"': see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

struct candidate {
	uint64_t duration_ns;
	uint64_t start_wall_ns;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id;
	uint32_t name;
	uint32_t process; /* index + 1; 0: not known */
	uint8_t status;
};

struct slowest {
	struct query query;
	uint64_t *durations; /* heap, the smallest on top */
	size_t duration_count;
	struct candidate *candidates; /* heap, the last in order on top */
	size_t candidate_count;
	size_t limit;
	uint64_t open; /* spans left out: they never ended */
};

/* Longest first; of equal ones the earliest, so that the answer is the same every time. */
static int by_rank(const void *a, const void *b) {
	const struct candidate *left = a;
	const struct candidate *right = b;
	if (left->duration_ns != right->duration_ns)
		return left->duration_ns > right->duration_ns ? -1 : 1;
	if (left->start_wall_ns != right->start_wall_ns)
		return left->start_wall_ns < right->start_wall_ns ? -1 : 1;
	return left->span_id < right->span_id ? -1 : left->span_id > right->span_id;
}

static void push_duration(struct slowest *slowest, uint64_t duration_ns) {
	uint64_t *heap = slowest->durations;
	size_t at;
	if (slowest->duration_count < slowest->limit) {
		for (at = slowest->duration_count++; at > 0 && heap[(at - 1) / 2] > duration_ns; at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
		heap[at] = duration_ns;
		return;
	}
	if (duration_ns <= heap[0])
		return;
	for (at = 0;;) {
		size_t child = 2 * at + 1;
		if (child >= slowest->limit)
			break;
		if (child + 1 < slowest->limit && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= duration_ns)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = duration_ns;
}

static void push_candidate(struct slowest *slowest, const struct candidate *candidate) {
	struct candidate *heap = slowest->candidates;
	size_t at;
	if (slowest->candidate_count < slowest->limit) {
		for (at = slowest->candidate_count++; at > 0 && by_rank(&heap[(at - 1) / 2], candidate) < 0;
		     at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
		heap[at] = *candidate;
		return;
	}
	if (by_rank(candidate, &heap[0]) >= 0)
		return;
	for (at = 0;;) {
		size_t child = 2 * at + 1;
		if (child >= slowest->limit)
			break;
		if (child + 1 < slowest->limit && by_rank(&heap[child + 1], &heap[child]) > 0)
			child++;
		if (by_rank(&heap[child], candidate) <= 0)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = *candidate;
}

static int take_durations(void *context, const struct store_columns *columns) {
	struct slowest *slowest = context;
	for (uint32_t i = 0; i < columns->span_count; i++)
		if (query_is_open(columns, i))
			slowest->open += query_accepts(&slowest->query, columns, i);
		else if ((slowest->duration_count < slowest->limit ||
		          columns->duration_ns[i] > slowest->durations[0]) &&
		         query_accepts(&slowest->query, columns, i))
			push_duration(slowest, columns->duration_ns[i]);
	return 0;
}

static int take_rows(void *context, const struct store_columns *columns) {
	struct slowest *slowest = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (columns->duration_ns[i] < slowest->durations[0] || query_is_open(columns, i) ||
		    !query_accepts(&slowest->query, columns, i))
			continue;
		struct candidate candidate = {
		    .duration_ns = columns->duration_ns[i],
		    .start_wall_ns = saturating_add(columns->start_ns[i], columns->segment->wall_offset_ns),
		    .trace_hi = columns->trace_hi[i],
		    .trace_lo = columns->trace_lo[i],
		    .span_id = columns->span_id[i],
		    .parent_id = columns->parent_id[i],
		    .name = query_name(columns, i),
		    .process = query_process(columns, i),
		    .status = columns->status[i],
		};
		if (candidate.name > slowest->query.overview->name_count)
			candidate.name = 0;
		if (candidate.process > slowest->query.overview->process_count)
			candidate.process = 0;
		push_candidate(slowest, &candidate);
	}
	return 0;
}

static int collect(struct slowest *slowest) {
	uint32_t open_column = query_open_column(&slowest->query);
	struct query_scan scan = {
	    .columns = STORE_COLUMN_DURATION | open_column, .on_batch = take_durations, .context = slowest};
	int rc = query_scan(&slowest->query, &scan);
	if (rc != 0 || slowest->duration_count == 0)
		return rc;
	scan.on_batch = take_rows;
	scan.duration_ns_min = slowest->durations[0];
	scan.columns = open_column | STORE_COLUMN_DURATION | STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID |
	               STORE_COLUMN_PARENT_ID | STORE_COLUMN_START | STORE_COLUMN_SITE | STORE_COLUMN_THREAD |
	               STORE_COLUMN_STATUS;
	rc = query_scan(&slowest->query, &scan);
	qsort(slowest->candidates, slowest->candidate_count, sizeof(slowest->candidates[0]), by_rank);
	return rc;
}

static const char *service_of(const struct slowest *slowest, const struct candidate *candidate) {
	return candidate->process ? slowest->query.overview->processes[candidate->process - 1].service : "";
}

static void print_json(const struct slowest *slowest) {
	struct json json = json_begin(stdout);
	char text[TRACE_ID_TEXT_BYTES];
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "slowest/1");
	json_u64(&json, "thinned", query_thinned_spans(&slowest->query));
	json_open(&json, "spans", '[');
	for (size_t i = 0; i < slowest->candidate_count; i++) {
		const struct candidate *span = &slowest->candidates[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", slowest->query.overview->names[span->name]);
		json_text(&json, "service", service_of(slowest, span));
		json_u64(&json, "pid", span->process ? slowest->query.overview->processes[span->process - 1].pid : 0);
		json_text(&json, "trace_id", trace_id_text(span->trace_hi, span->trace_lo, text));
		json_text(&json, "span_id", span_id_text(span->span_id, text));
		if (span->parent_id)
			json_text(&json, "parent_id", span_id_text(span->parent_id, text));
		else
			json_null(&json, "parent_id");
		json_u64(&json, "start_wall_ns", span->start_wall_ns);
		json_u64(&json, "duration_ns", span->duration_ns);
		json_text(&json, "status", trace_status_text(span->status));
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct slowest *slowest) {
	struct csv csv = {.out = stdout};
	char text[TRACE_ID_TEXT_BYTES];
	csv_head(&csv, "duration_ns,name,service,pid,start_wall_ns,status,trace_id,span_id,parent_id");
	for (size_t i = 0; i < slowest->candidate_count; i++) {
		const struct candidate *span = &slowest->candidates[i];
		csv_u64(&csv, span->duration_ns);
		csv_string(&csv, slowest->query.overview->names[span->name]);
		csv_string(&csv, service_of(slowest, span));
		csv_u64(&csv, span->process ? slowest->query.overview->processes[span->process - 1].pid : 0);
		csv_u64(&csv, span->start_wall_ns);
		csv_string(&csv, trace_status_text(span->status));
		csv_number(&csv, trace_id_text(span->trace_hi, span->trace_lo, text));
		csv_number(&csv, span_id_text(span->span_id, text));
		csv_number(&csv, span->parent_id ? span_id_text(span->parent_id, text) : "");
		csv_end(&csv);
	}
}

static int print_table(const struct slowest *slowest) {
	static const struct table_column columns[] = {{"duration", true, 0}, {"name", false, 0},
	                                              {"service", false, 3}, {"start", false, 4},
	                                              {"status", false, 1},  {"trace", false, 0}};
	char text[TRACE_ID_TEXT_BYTES];
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 1, 16);
	for (size_t i = 0; i < slowest->candidate_count; i++) {
		const struct candidate *span = &slowest->candidates[i];
		table_duration(&table, (double)span->duration_ns);
		table_cell(&table, STYLE_PLAIN, query_name_text(&slowest->query, span->name));
		table_cell(&table, STYLE_PLAIN, service_of(slowest, span));
		table_cell(&table, STYLE_PLAIN, units_format_wall(span->start_wall_ns, text));
		table_cell(&table, span->status == SPANRING_STATUS_ERROR ? STYLE_RED : STYLE_PLAIN,
		           span->status == SPANRING_STATUS_UNSET ? "" : trace_status_text(span->status));
		table_cell(&table, STYLE_CYAN, trace_id_text(span->trace_hi, span->trace_lo, text));
	}
	int rc = table_print(&table, &slowest->query.context->terminal, stdout);
	if (rc == 0) {
		uint64_t thinned = query_thinned_spans(&slowest->query);
		char left_out[UNITS_TEXT_BYTES];
		(void)putchar('\n');
		if (thinned > 0)
			terminal_note(
			    &slowest->query.context->terminal, stdout, STYLE_DIM,
			    "of those that are stored: %s were thinned out, of traces with nothing to tell when "
			    "that was decided",
			    units_format_count(thinned, left_out));
		if (slowest->open > 0) {
			char count[UNITS_TEXT_BYTES];
			terminal_note(&slowest->query.context->terminal, stdout, STYLE_DIM,
			              "without %s %s that never ended: see spanring-analyze unfinished",
			              units_format_count(slowest->open, count), slowest->open == 1 ? "span" : "spans");
		}
		terminal_note(&slowest->query.context->terminal, stdout, STYLE_DIM,
		              "to see one in full: spanring-analyze trace ID STORE");
	}
	return rc;
}

static int answer(struct slowest *slowest) {
	const struct context *context = slowest->query.context;
	int rc = collect(slowest);
	if (rc == 0) {
		bool empty = query_store_is_empty(&slowest->query);
		if (context->options->json)
			print_json(slowest);
		else if (context->options->csv)
			print_csv(slowest);
		else if (slowest->candidate_count > 0)
			rc = print_table(slowest);
		else if (!empty)
			query_say_no_match(&slowest->query, "matches");
	}
	return query_finish(&slowest->query,
	                    rc ? command_failed(context, rc, "looking for the slowest") : EXIT_CODE_OK);
}

static int run(const struct context *context) {
	struct slowest slowest = {.limit = LIMIT_DEFAULT};
	if (context->options->has_limit)
		slowest.limit = (size_t)context->options->limit;
	if (slowest.limit == 0 || slowest.limit > LIMIT_MAX) {
		log_error(&context->log, "slowest: --limit: give 1 to %u", LIMIT_MAX);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&slowest.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	slowest.durations = calloc(slowest.limit, sizeof(slowest.durations[0]));
	slowest.candidates = calloc(slowest.limit, sizeof(slowest.candidates[0]));
	if (!slowest.durations || !slowest.candidates)
		code = command_failed(context, -ENOMEM, "looking for the slowest");
	else
		code = answer(&slowest);
	free(slowest.durations);
	free(slowest.candidates);
	query_close(&slowest.query);
	return code;
}

const struct command command_slowest = {
    .name = "slowest",
    .summary = "the longest spans, with their trace ids",
    .help = help,
    .takes.allowed =
        OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT | OPTION_CSV,
    .run = run,
};
