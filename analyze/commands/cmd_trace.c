/* SPDX-License-Identifier: Apache-2.0 */
/* trace: one trace, as a waterfall for people and a list in tree order for programs. */
#include "analyze/command.h"
#include "analyze/kernels/ending_text.h"
#include "analyze/query.h"
#include "analyze/trace/attribute_print.h"
#include "analyze/trace/trace_load.h"
#include "analyze/trace/trace_view.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"

#include <spanring/spanring.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 60u

enum { OWN_PATH };
static const struct option_own own[] = {[OWN_PATH] = {"--critical-path", 0, OPTION_VALUE_NONE}};

static const char help[] = "  spanring-analyze trace 4bf92f3577b34da6a3ce929d0e0e4736 STORE\n"
                           "  spanring-analyze trace 4bf92f STORE --no-attributes\n"
                           "  spanring-analyze trace \"$TRACEPARENT\" STORE --json\n"
                           "\n"
                           "One trace as a tree: each span with its start (from the start of the trace),\n"
                           "its duration, a bar to scale, attributes (key = value), events (@ time name)\n"
                           "and links (->) below. '!' marks a span with status error. A span whose parent\n"
                           "is not stored stands at the top level and says so. A span that was open when\n"
                           "its process ended stands in its place, marked, with the reason where it is\n"
                           "known; its duration is its age then. Bars are solid where the critical path\n"
                           "is in the span: what the end of the trace waited for.\n"
                           "\n"
                           "The id is 32 hexadecimal digits, or the first of them (4 or more) if only one\n"
                           "trace begins so, or the 16 digits of the low half, or a W3C traceparent. Id\n"
                           "and store may stand in either order. `slowest` prints ids.\n"
                           "\n"
                           "Options\n"
                           "  -n, --limit N     at most N spans, the longest and those above them (default\n"
                           "                    60, 0: all; with --json all unless given)\n"
                           "  --no-attributes   without attributes, events and links\n"
                           "  --critical-path   the critical path alone, piece by piece with its share\n";

struct shown_trace {
	struct query query;
	struct trace trace;
	struct trace_tree tree;
	struct critical_path path;
};

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void print_events(struct json *json, const struct shown_trace *shown, uint64_t span_id) {
	size_t count = 0;
	const struct trace_event *events = trace_events_of(&shown->trace, span_id, &count);
	json_open(json, "events", '[');
	for (size_t i = 0; i < count; i++) {
		uint32_t name = events[i].name <= shown->query.overview->name_count ? events[i].name : 0;
		json_open(json, NULL, '{');
		json_text(json, "name", shown->query.overview->names[name]);
		json_u64(json, "time_wall_ns", events[i].time_wall_ns);
		attribute_print_json(json, &shown->query, &shown->trace, span_id, events[i].event_index);
		json_close(json);
	}
	json_close(json);
}

static void print_links(struct json *json, const struct shown_trace *shown, uint64_t span_id) {
	size_t count = 0;
	const struct trace_link *links = trace_links_of(&shown->trace, span_id, &count);
	json_open(json, "links", '[');
	for (size_t i = 0; i < count; i++) {
		char id[TRACE_ID_TEXT_BYTES];
		json_open(json, NULL, '{');
		json_text(json, "trace_id", trace_id_text(links[i].linked_hi, links[i].linked_lo, id));
		json_text(json, "span_id", span_id_text(links[i].linked_span_id, id));
		json_close(json);
	}
	json_close(json);
}

static const char *name_text(const struct shown_trace *shown, uint32_t id) {
	return shown->query.overview->names[id <= shown->query.overview->name_count ? id : 0];
}

static void print_place(struct json *json, const struct shown_trace *shown, const struct trace_span *span) {
	const struct store_process_view *process =
	    span->process ? &shown->query.overview->processes[span->process - 1] : NULL;
	json_text(json, "service", process ? process->service : "");
	json_u64(json, "pid", process ? process->pid : 0);
	json_u64(json, "tid", span->tid);
	json_text(json, "thread", name_text(shown, span->thread_name));
	json_text(json, "file", name_text(shown, span->file));
	json_u64(json, "line", span->line);
	if (span->scope_name) {
		json_open(json, "scope", '{');
		json_text(json, "name", name_text(shown, span->scope_name));
		json_text(json, "version", name_text(shown, span->scope_version));
		json_close(json);
	}
}

static void print_span(struct json *json, const struct shown_trace *shown, uint32_t index) {
	const struct trace_span *span = &shown->trace.spans[index];
	const struct trace_tree_node *node = &shown->tree.nodes[index];
	char id[TRACE_ID_TEXT_BYTES];
	char reason[ENDING_TEXT_BYTES];
	json_open(json, NULL, '{');
	json_text(json, "span_id", span_id_text(span->tree.span_id, id));
	if (span->tree.parent_id)
		json_text(json, "parent_id", span_id_text(span->tree.parent_id, id));
	else
		json_null(json, "parent_id");
	json_bool(json, "parent_stored", span->tree.parent_id != 0 && !node->orphan);
	json_u64(json, "depth", node->depth);
	json_text(json, "name", name_text(shown, span->name));
	json_text(json, "kind", trace_kind_text(span->kind));
	json_text(json, "status", trace_status_text(span->status));
	json_u64(json, "start_wall_ns", span->tree.start_ns);
	json_u64(json, "duration_ns", span->tree.duration_ns);
	json_bool(json, "critical", shown->path.on_path[index]);
	json_u64(json, "critical_ns", shown->path.span_ns[index]);
	json_bool(json, "unfinished", (span->flags & STORE_SPAN_UNFINISHED) != 0);
	json_bool(json, "open", (span->flags & STORE_SPAN_OPEN) != 0);
	if ((span->flags & STORE_SPAN_OPEN) && span->process)
		json_text(json, "reason",
		          ending_text_reason(&shown->query.overview->processes[span->process - 1].account, reason));
	if (span->flags & STORE_SPAN_HEAP) {
		json_u64(json, "heap_bytes", (uint64_t)span->heap_alloc_units * SPANRING_HEAP_UNIT_BYTES);
		json_i64(json, "heap_net_bytes", (int64_t)span->heap_net_units * (int64_t)SPANRING_HEAP_UNIT_BYTES);
	}
	print_place(json, shown, span);
	if (!shown->query.context->options->no_attributes) {
		attribute_print_json(json, &shown->query, &shown->trace, span->tree.span_id, 0);
		print_events(json, shown, span->tree.span_id);
		print_links(json, shown, span->tree.span_id);
	}
	json_close(json);
}

static void print_path(struct json *json, const struct shown_trace *shown) {
	const struct critical_path *path = &shown->path;
	char id[TRACE_ID_TEXT_BYTES];
	json_open(json, "critical_path", '{');
	json_u64(json, "path_ns", path->path_ns);
	json_u64(json, "trace_ns", path->trace_ns);
	json_open(json, "pieces", '[');
	for (uint32_t i = 0; i < path->piece_count; i++) {
		const struct critical_piece *piece = &path->pieces[i];
		json_open(json, NULL, '{');
		json_text(json, "span_id", span_id_text(shown->trace.spans[piece->span].tree.span_id, id));
		json_u64(json, "start_wall_ns", piece->start_ns);
		json_u64(json, "duration_ns", piece->end_ns - piece->start_ns);
		json_close(json);
	}
	json_close(json);
	json_close(json);
}

static void print_json(const struct shown_trace *shown) {
	struct json json = json_begin(stdout);
	char id[TRACE_ID_TEXT_BYTES];
	bool path_alone = shown->query.context->options->own[OWN_PATH].is_given;
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "trace/1");
	json_text(&json, "trace_id", trace_id_text(shown->trace.hi, shown->trace.lo, id));
	json_u64(&json, "span_count", shown->trace.span_count);
	json_bool(&json, "complete", shown->trace.complete);
	json_open(&json, "spans", '[');
	for (uint32_t i = 0; i < shown->tree.count; i++) {
		uint32_t index = shown->tree.order[i];
		if (shown->tree.nodes[index].shown && (!path_alone || shown->path.on_path[index]))
			print_span(&json, shown, index);
	}
	json_close(&json);
	print_path(&json, shown);
	json_close(&json);
}

/* --- command ----------------------------------------------------------------------------------------------------- */

static int build_tree(struct shown_trace *shown, uint32_t limit) {
	size_t count = shown->trace.span_count;
	CLEANUP_FREE struct trace_tree_span *spans = calloc(count ? count : 1, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		spans[i] = shown->trace.spans[i].tree;
	int rc = trace_tree_build(spans, (uint32_t)count, &shown->tree);
	if (rc == 0)
		rc = critical_path_find(&shown->tree, spans, &shown->path);
	return rc ? rc : trace_tree_select(&shown->tree, spans, limit);
}

static int answer(struct shown_trace *shown) {
	const struct context *context = shown->query.context;
	const struct options *options = context->options;
	uint32_t limit = options->has_limit ? (uint32_t)options->limit : options->json ? 0 : LIMIT_DEFAULT;
	int rc = build_tree(shown, limit);
	if (rc != 0)
		return command_failed(context, rc, "building the tree");
	struct trace_view view = {&shown->query, &shown->trace, &shown->tree, &shown->path, !options->no_attributes};
	if (options->json)
		print_json(shown);
	else if (options->own[OWN_PATH].is_given)
		rc = trace_view_print_path(&view, stdout);
	else
		rc = trace_view_print(&view, stdout);
	if (rc != 0)
		return command_failed(context, rc, "printing the trace");
	if (shown->trace.complete)
		return EXIT_CODE_OK;
	log_error(&context->log, "the trace is larger than %u spans, attributes or events: the rest is left out",
	          TRACE_LOAD_ROWS_MAX);
	return EXIT_CODE_FAILED;
}

/* The one trace that the pattern means. */
static int find_trace(struct shown_trace *shown, const struct trace_id_pattern *pattern,
                      struct trace_match *ret_match) {
	const struct context *context = shown->query.context;
	struct trace_match matches[TRACE_LOAD_MATCHES_MAX];
	char id[TRACE_ID_TEXT_BYTES];
	size_t count = 0;
	if (pattern->whole) {
		struct trace_match match = {pattern->hi, pattern->lo};
		*ret_match = match;
		return EXIT_CODE_OK;
	}
	int rc = trace_load_matches(&shown->query, pattern, matches, &count);
	if (rc != 0)
		return command_failed(context, rc, "looking for the trace");
	if (count == 1) {
		*ret_match = matches[0];
		return EXIT_CODE_OK;
	}
	if (count == 0) {
		if (!query_store_is_empty(&shown->query))
			log_error(&context->log, "%s: no stored trace has an id that begins with '%s'",
			          context->options->store, context->options->trace);
		return EXIT_CODE_FAILED;
	}
	log_error(&context->log, "'%s' is the beginning of %s%zu traces: give more digits", context->options->trace,
	          count == TRACE_LOAD_MATCHES_MAX ? "at least " : "", count);
	for (size_t i = 0; i < count; i++)
		log_error(&context->log, "  %s", trace_id_text(matches[i].hi, matches[i].lo, id));
	return EXIT_CODE_USAGE;
}

static int run_opened(struct shown_trace *shown, const struct trace_id_pattern *pattern) {
	const struct context *context = shown->query.context;
	struct trace_match match = {0, 0};
	int code = find_trace(shown, pattern, &match);
	if (code != EXIT_CODE_OK)
		return code;
	shown->query.scanned = false;
	int rc = trace_load(&shown->query, match.hi, match.lo, &shown->trace);
	if (rc != 0)
		return command_failed(context, rc, "reading the trace");
	if (shown->trace.span_count > 0)
		return answer(shown);
	if (!query_store_is_empty(&shown->query))
		log_error(&context->log,
		          "trace %s is not stored: none of its spans ended, or they were dropped (see audit)",
		          context->options->trace);
	return EXIT_CODE_FAILED;
}

static int run(const struct context *context) {
	struct shown_trace shown = {.query = {0}};
	struct trace_id_pattern pattern;
	if (trace_id_parse(context->options->trace, &pattern) != 0) {
		log_error(&context->log, "'%s' is not a trace id: give 4 to 32 hexadecimal digits or a traceparent",
		          context->options->trace);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&shown.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&shown.query, run_opened(&shown, &pattern));
	trace_done(&shown.trace);
	trace_tree_done(&shown.tree);
	critical_path_done(&shown.path);
	query_close(&shown.query);
	return code;
}

const struct command command_trace = {
    .name = "trace",
    .summary = "one trace as a tree of spans with attributes and events",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_LIMIT | OPTION_ATTRIBUTES,
    .takes.takes_trace = true,
    .takes.own = own,
    .takes.own_count = sizeof(own) / sizeof(own[0]),
    .run = run,
};
