/* SPDX-License-Identifier: Apache-2.0 */
/* timeline: what each thread did in a window of time. */
#include "analyze/command.h"
#include "analyze/kernels/lane_levels.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/query.h"
#include "analyze/terminal/output.h"
#include "analyze/timeline/timeline.h"
#include "analyze/trace/trace_load.h"

#include "base/checked.h"
#include "base/errs.h"

#include <string.h>

#define BARS_TERMINAL 400u
#define BARS_PICTURE 5000u
#define LEVELS_PICTURE 48u
#define MARGIN_PART 20u /* of the length of a trace, before and behind it */

static const char help[] = "  spanring-analyze timeline STORE --since 10s\n"
                           "  spanring-analyze timeline STORE --trace 4bf92f\n"
                           "  spanring-analyze timeline STORE --trace 4bf92f -o trace.svg\n"
                           "  spanring-analyze timeline STORE --service web --html web.html\n"
                           "\n"
                           "What each thread did in a window of time: a lane for each, with its spans as\n"
                           "bars, children below their parents. With --trace the window is that of the\n"
                           "trace, whose spans stand out of what else went on. The longest spans have bars;\n"
                           "all are in the shade above them: darker where more spans were under way.\n"
                           "\n"
                           "A span is in the window if any part of it is. Without --since, --until and\n"
                           "--trace it is the time of all spans that match.\n"
                           "\n"
                           "Options\n"
                           "  --since T, --until T\n"
                           "                   the window, like 2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  --trace ID       around this trace: 32 hexadecimal digits or the first of them\n"
                           "  -o, --output FILE  an SVG for a browser: wheel and drag zoom and move, type to\n"
                           "                     search; - is standard output\n"
                           "  --html FILE      the same as a page\n"
                           "  -n, --limit N    at most N bars (default 400, 5000 for a browser)\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB, --service GLOB\n"
                           "                   only names, and processes of a service, that match\n";

enum { OWN_OUTPUT, OWN_HTML, OWN_TRACE, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_OUTPUT] = {"--output", 'o', OPTION_VALUE_TEXT},
                                                 [OWN_HTML] = {"--html", 0, OPTION_VALUE_TEXT},
                                                 [OWN_TRACE] = {"--trace", 0, OPTION_VALUE_TEXT}};

/* --- around a trace ---------------------------------------------------------------------------------------------- */

static int find_id(struct query *query, const struct trace_id_pattern *pattern, struct trace_match *ret_match) {
	const struct context *context = query->context;
	struct trace_match matches[TRACE_LOAD_MATCHES_MAX];
	const char *typed = context->options->own[OWN_TRACE].text;
	size_t count = 0;
	if (pattern->whole) {
		*ret_match = (struct trace_match){pattern->hi, pattern->lo};
		return EXIT_CODE_OK;
	}
	int rc = trace_load_matches(query, pattern, matches, &count);
	if (rc != 0)
		return command_failed(context, rc, "looking for the trace");
	if (count == 1) {
		*ret_match = matches[0];
		return EXIT_CODE_OK;
	}
	if (count == 0)
		log_error(&context->log, "no stored trace has an id that begins with '%.64s'", typed);
	else
		log_error(&context->log, "'%.64s' is the beginning of several traces: give more digits", typed);
	return count == 0 ? EXIT_CODE_FAILED : EXIT_CODE_USAGE;
}

static void put_window(const struct trace *trace, struct timeline_question *question) {
	uint64_t start_ns = UINT64_MAX;
	uint64_t end_ns = 0;
	for (uint32_t i = 0; i < trace->span_count; i++) {
		const struct trace_tree_span *span = &trace->spans[i].tree;
		uint64_t span_end_ns = saturating_add(span->start_ns, span->duration_ns);
		start_ns = span->start_ns < start_ns ? span->start_ns : start_ns;
		end_ns = span_end_ns > end_ns ? span_end_ns : end_ns;
	}
	uint64_t margin_ns = (end_ns - start_ns) / MARGIN_PART + 1;
	question->since_ns = start_ns > margin_ns ? start_ns - margin_ns : 1;
	question->until_ns = saturating_add(end_ns, margin_ns);
}

static int find_trace(struct query *query, struct timeline_question *question) {
	const struct context *context = query->context;
	const char *typed = context->options->own[OWN_TRACE].text;
	struct trace_id_pattern pattern;
	struct trace_match match = {0, 0};
	struct trace trace;
	if (trace_id_parse(typed, &pattern) != 0) {
		log_error(&context->log, "'%.64s' is not a trace id: give 4 to 32 hexadecimal digits", typed);
		return EXIT_CODE_USAGE;
	}
	int code = find_id(query, &pattern, &match);
	if (code != EXIT_CODE_OK)
		return code;
	query->scanned = false;
	int rc = trace_load(query, match.hi, match.lo, &trace);
	if (rc != 0)
		return command_failed(context, rc, "reading the trace");
	if (trace.span_count == 0) {
		log_error(&context->log, "trace %.64s is not stored", typed);
		code = EXIT_CODE_FAILED;
	} else {
		put_window(&trace, question);
		question->has_trace = true;
		question->trace_hi = match.hi;
		question->trace_lo = match.lo;
	}
	trace_done(&trace);
	query->scanned = false;
	return code;
}

/* --- output ------------------------------------------------------------------------------------------------------ */

static int write_picture(const struct context *context, const struct timeline *timeline) {
	const struct option_given *given = context->options->own;
	bool page = given[OWN_HTML].is_given;
	const char *path = page ? given[OWN_HTML].text : given[OWN_OUTPUT].text;
	struct output output;
	int rc = output_open(path, &output);
	if (rc == 0) {
		timeline_print_svg(timeline, page, output.file);
		rc = output_commit(&output);
	}
	if (rc == 0)
		return EXIT_CODE_OK;
	log_error(&context->log, "%.300s: cannot be written: %s", path,
	          rc == -EINVAL ? "not a regular file" : strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

static int print(const struct context *context, const struct timeline *timeline) {
	const struct options *options = context->options;
	if (options->own[OWN_OUTPUT].is_given || options->own[OWN_HTML].is_given)
		return write_picture(context, timeline);
	if (options->json) {
		timeline_print_json(timeline, stdout);
		return EXIT_CODE_OK;
	}
	if (timeline->span_count == 0) {
		if (!query_store_is_empty(timeline->query))
			log_info(&context->log, "no stored span matches");
		return EXIT_CODE_OK;
	}
	int rc = timeline_print(timeline, stdout);
	return rc ? command_failed(context, rc, "printing the timeline") : EXIT_CODE_OK;
}

static int answer(struct query *query) {
	const struct context *context = query->context;
	const struct options *options = context->options;
	bool picture = options->own[OWN_OUTPUT].is_given || options->own[OWN_HTML].is_given || options->json;
	struct timeline_question question = {.since_ns = options->since_wall_ns,
	                                     .until_ns = options->until_wall_ns,
	                                     .bars_max = picture ? BARS_PICTURE : BARS_TERMINAL,
	                                     .levels_max = picture ? LEVELS_PICTURE : LANE_LEVELS_MAX};
	struct timeline timeline;
	if (options->has_limit)
		question.bars_max = options->limit < TIMELINE_BARS_MAX ? (uint32_t)options->limit : TIMELINE_BARS_MAX;
	int code = options->own[OWN_TRACE].is_given ? find_trace(query, &question) : EXIT_CODE_OK;
	if (code != EXIT_CODE_OK)
		return code;
	int rc = timeline_read(query, &question, &timeline);
	if (rc != 0)
		return command_failed(context, rc, "reading spans");
	code = print(context, &timeline);
	timeline_free(&timeline);
	return code;
}

static int run(const struct context *context) {
	const struct options *options = context->options;
	struct query query;
	bool times = options->since_wall_ns > 0 || options->until_wall_ns > 0;
	if (options->own[OWN_TRACE].is_given && times) {
		log_error(&context->log, "--trace says which time: leave out --since and --until");
		return EXIT_CODE_USAGE;
	}
	if (options->own[OWN_OUTPUT].is_given && options->own[OWN_HTML].is_given) {
		log_error(&context->log, "--output or --html, not both");
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&query, answer(&query));
	query_close(&query);
	return code;
}

const struct command command_timeline = {
    .name = "timeline",
    .summary = "what each thread did in a window of time",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
