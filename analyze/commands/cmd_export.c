/* SPDX-License-Identifier: Apache-2.0 */
/* export: the spans of a store in a format that other tools read. */
#include "analyze/command.h"
#include "analyze/export/export.h"
#include "analyze/query.h"
#include "analyze/terminal/output.h"

#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"

#include <string.h>

static const char help[] = "  spanring-analyze export jsonl STORE -o spans.jsonl\n"
                           "  spanring-analyze export csv STORE --where 'status = error' > errors.csv\n"
                           "  spanring-analyze export chrome STORE --since 10m -o trace.json\n"
                           "  spanring-analyze export otlp STORE -o spans.otlp.json\n"
                           "\n"
                           "The spans of a store, with attributes, events and links, as a stream. FORMAT is\n"
                           "  jsonl   JSON Lines, a span in each; import reads it back\n"
                           "  csv     a record for each span, a column for each attribute key; without\n"
                           "          events and links; import reads it back\n"
                           "  otlp    OTLP in JSON, a request in each line, to post to /v1/traces of a\n"
                           "          collector; import reads it back\n"
                           "  chrome  trace events in JSON: open the file in https://ui.perfetto.dev or\n"
                           "          chrome://tracing\n"
                           "For flame graphs, folded stacks and speedscope: spanring-analyze flame.\n"
                           "\n"
                           "Spans come in the order of the store: as they were committed, and within each\n"
                           "batch of up to 65,536 the spans of a trace together, by start. What a format\n"
                           "cannot carry is in docs/export.md.\n"
                           "\n"
                           "Options\n"
                           "  -o, --output FILE  write there instead of standard output; the file appears\n"
                           "                     when it is whole, or not at all\n"
                           "  -n, --limit N      the first N spans of those asked for (default: all)\n"
                           "  --no-attributes    without attributes, events and links\n"
                           "  --where EXPR       only spans of which it is true: see help where\n"
                           "  --name GLOB, --service GLOB\n"
                           "                     only names, and processes of a service, that match\n"
                           "  --since T, --until T\n"
                           "                     only spans that started in this time, like\n"
                           "                     2026-11-20T18:43:30Z, or 10m (ago)\n";

static const struct export_format *const formats[] = {&export_jsonl, &export_csv, &export_otlp, &export_chrome};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

enum { OWN_OUTPUT };
static const struct option_own own[] = {[OWN_OUTPUT] = {"--output", 'o', OPTION_VALUE_TEXT}};
static const char *const leading[] = {"format", NULL};

static const struct export_format *find_format(const struct context *context) {
	const char *typed = context->options->leading[0];
	const char *names[FORMATS];
	for (size_t i = 0; i < FORMATS; i++) {
		names[i] = formats[i]->name;
		if (strcmp(typed, names[i]) == 0)
			return formats[i];
	}
	const char *nearest = suggest_nearest(typed, names, FORMATS);
	if (strcmp(typed, "folded") == 0 || strcmp(typed, "speedscope") == 0)
		log_error(&context->log, "stacks are written by flame: spanring-analyze flame STORE --format %s",
		          typed);
	else if (nearest)
		log_error(&context->log, "unknown format '%.40s': did you mean '%s'?", typed, nearest);
	else
		log_error(&context->log, "unknown format '%.40s': give jsonl, csv, otlp or chrome, and a store", typed);
	return NULL;
}

static int output_failed(const struct context *context, const char *path, int error) {
	const char *reason = error == -EINVAL ? "not a regular file" : strerror(-error);
	log_error(&context->log, "%.300s: cannot be written: %s", path, reason);
	return EXIT_CODE_OUTPUT;
}

static int failed(const struct export_run *run, int error) {
	const struct context *context = run->query->context;
	if (error == ERR_LIMIT) {
		log_error(&context->log,
		          "more than %u attributes, events and links lie in other batches than their spans: export one "
		          "segment file at a time, or with --no-attributes",
		          EXPORT_STRAYS_MAX);
		return EXIT_CODE_FAILED;
	}
	if (error == ERR_FULL) /* the format said why */
		return EXIT_CODE_FAILED;
	return command_failed(context, error, "exporting");
}

/* Written and whole, or nothing is left of it. */
static int finish(struct export_run *run, struct output *output, int rc) {
	const struct context *context = run->query->context;
	const char *path = context->options->own[OWN_OUTPUT].text;
	char count[UNITS_TEXT_BYTES];
	bool to_file = output->path != NULL;
	if (rc != 0 && ferror(run->out)) {
		int code = to_file ? output_failed(context, path, rc) : EXIT_CODE_OUTPUT;
		output_discard(output);
		return code;
	}
	if (rc != 0) {
		output_discard(output);
		return failed(run, rc);
	}
	rc = output_commit(output);
	if (rc != 0)
		return output_failed(context, path, rc);
	if (run->span_count == 0 && !query_store_is_empty(run->query))
		log_info(&context->log, "no stored span matches");
	else if (to_file)
		log_info(&context->log, "%s spans in %s", units_format_count(run->span_count, count), path);
	return EXIT_CODE_OK;
}

static int write_all(struct query *query, const struct export_format *format) {
	const struct options *options = query->context->options;
	const char *path = options->own[OWN_OUTPUT].text;
	struct output output;
	int rc = output_open(path, &output);
	if (rc != 0)
		return output_failed(query->context, path, rc);
	struct export_run run = {.query = query,
	                         .format = format,
	                         .out = output.file,
	                         .details = !options->no_attributes,
	                         .limit = options->has_limit ? options->limit : 0};
	return finish(&run, &output, export_run(&run));
}

static int run(const struct context *context) {
	struct query query;
	const struct export_format *format = find_format(context);
	if (!format)
		return EXIT_CODE_USAGE;
	int code = query_open(&query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&query, write_all(&query, format));
	query_close(&query);
	return code;
}

const struct command command_export = {
    .name = "export",
    .summary = "spans as JSON Lines, CSV, OTLP or for the Perfetto UI",
    .help = help,
    .takes.allowed = OPTION_COLOR | OPTION_QUIET | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE |
                     OPTION_LIMIT | OPTION_ATTRIBUTES,
    .takes.own = own,
    .takes.own_count = sizeof(own) / sizeof(own[0]),
    .takes.leading = leading,
    .run = run,
};
