/* SPDX-License-Identifier: Apache-2.0 */
/* memory: what each process held over time, what each span name allocated where that was counted, and what of it stays. */
#include "analyze/command.h"
#include "analyze/memory/leaks.h"
#include "analyze/memory/memory.h"

#include "base/errs.h"
#include "base/suggest.h"

#include <string.h>

static const char help[] = "  spanring-analyze memory STORE\n"
                           "  spanring-analyze memory leaks STORE\n"
                           "  spanring-analyze memory chart STORE --service indexer --figure all\n"
                           "  spanring-analyze memory STORE --json | jq '.processes[].rss.verdict'\n"
                           "\n"
                           "Per process, from the samples that the agent took of /proc (once a second\n"
                           "unless told otherwise): baseline (first sample), peak, last, growth per hour,\n"
                           "mean, standard deviation, smallest and number of samples of the resident set\n"
                           "(RSS); where there is room also processor time, threads, open descriptors,\n"
                           "context switches, PSS and heap at the last sample. With --json all of them, and\n"
                           "page faults, swap and anonymous memory. The agent's own figures come last.\n"
                           "\n"
                           "Growth is the slope of the least-squares line through the samples, with its 95 %\n"
                           "interval; samples depend on each other, and the interval knows. The verdict:\n"
                           "growing (all samples and their later half grow, by more than 64 KiB and 0.5 %),\n"
                           "stable, or not enough data (fewer than 24 samples).\n"
                           "\n"
                           "Per span name: heap bytes allocated inside the spans, and what was left at\n"
                           "their end (net): total, per 1000 spans, mean, p50, p95, p99, largest. Exact, of\n"
                           "stored spans whose program counted its heap. Absent where none did.\n"
                           "\n"
                           "  memory names   the table of span names alone\n"
                           "  memory leaks   names by the bytes that stay: allocated by the thread of the\n"
                           "                 span and not freed in it, without those of its children, with\n"
                           "                 the 95 % interval per span and the course over time. growing:\n"
                           "                 above 0 for sure, and all the time; once: not all the time.\n"
                           "                 What another thread frees later counts as staying.\n"
                           "  memory chart   the samples over time, a chart for each process\n"
                           "\n"
                           "Options\n"
                           "  --figure WORD    of chart: rss (default), pss, anonymous, swap, heap, all\n"
                           "  --where EXPR     only spans of which it is true, like 'status = error and\n"
                           "                   attr.http.route = \"/x\"': see help where\n"
                           "  --name GLOB      only span names that match\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only samples and span starts in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  -n, --limit N    only the first N processes and N names (default: all)\n"
                           "  --csv            the table as comma-separated values: of processes, or of what\n"
                           "                   the second word says\n";

static const char *const subcommands[] = {"names", "leaks", "chart", NULL};
enum { OWN_FIGURE, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_FIGURE] = {"--figure", 0, OPTION_VALUE_TEXT}};

static bool is(const struct context *context, const char *subcommand) {
	const char *given = context->options->subcommand;
	return given && strcmp(given, subcommand) == 0;
}

static int finish(const struct query *query, int rc) {
	return rc ? command_failed(query->context, rc, "reading memory") : EXIT_CODE_OK;
}

static int answer_processes(struct memory *memory) {
	const struct options *options = memory->query.context->options;
	int rc = memory_read_processes(memory);
	if (rc == 0 && !options->csv)
		rc = memory_read_names(memory);
	if (rc != 0)
		return finish(&memory->query, rc);
	bool empty = query_store_is_empty(&memory->query);
	if (options->json)
		memory_print_json(memory);
	else if (options->csv)
		memory_print_processes_csv(memory);
	else if (memory->process_count > 0 || memory->name_count > 0)
		rc = memory_print_tables(memory);
	else if (!empty)
		log_info(&memory->query.context->log, "no memory sample matches");
	return finish(&memory->query, rc);
}

static void say_no_heap(const struct query *query) {
	if (!query_store_is_empty(query))
		log_info(&query->context->log,
		         "no stored span that matches counted its heap: run the program with the heap library");
}

static int answer_names(struct memory *memory) {
	const struct options *options = memory->query.context->options;
	int rc = memory_read_names(memory);
	if (rc != 0)
		return finish(&memory->query, rc);
	if (options->json)
		memory_print_names_json(memory);
	else if (options->csv)
		memory_print_names_csv(memory);
	else if (memory->name_count > 0)
		rc = memory_print_names(memory);
	else
		say_no_heap(&memory->query);
	return finish(&memory->query, rc);
}

static int answer_leaks(struct memory *memory) {
	const struct options *options = memory->query.context->options;
	struct leaks leaks = {.query = &memory->query};
	bool has_none = false;
	int rc = memory_look_for_heap(memory, &has_none);
	if (rc == 0)
		rc = leaks_read(&memory->query, has_none, &leaks);
	if (rc == 0 && (leaks.line_count > 0 || options->json || options->csv))
		rc = leaks_print(&leaks);
	else if (rc == 0)
		say_no_heap(&memory->query);
	leaks_done(&leaks);
	return finish(&memory->query, rc);
}

static int answer_chart(struct memory *memory, enum memory_figure figure) {
	const struct options *options = memory->query.context->options;
	int rc = memory_read_processes(memory);
	if (rc == 0 && (memory->process_count + memory->agent_count > 0 || options->json || options->csv))
		rc = memory_chart(memory, figure);
	else if (rc == 0)
		log_info(&memory->query.context->log, "no memory sample matches");
	return finish(&memory->query, rc);
}

/* MEMORY_FIGURE_COUNT: all. False, and a line, for a word that is none. */
static bool figure_of(const struct context *context, enum memory_figure *ret_figure) {
	static const char *const words[] = {"rss", "pss", "anonymous", "swap", "heap", "all"};
	const struct option_given *given = &context->options->own[OWN_FIGURE];
	*ret_figure = MEMORY_RSS;
	if (!given->is_given)
		return true;
	if (!is(context, "chart")) {
		log_error(&context->log, "--figure is of 'memory chart'");
		return false;
	}
	for (unsigned i = 0; i <= MEMORY_FIGURE_COUNT; i++) {
		*ret_figure = (enum memory_figure)i;
		if (strcmp(words[i], given->text) == 0)
			return true;
	}
	const char *nearest = suggest_nearest(given->text, words, MEMORY_FIGURE_COUNT + 1);
	if (nearest)
		log_error(&context->log, "unknown figure '%s': did you mean '%s'?", given->text, nearest);
	else
		log_error(&context->log, "unknown figure '%s': rss, pss, anonymous, swap, heap or all", given->text);
	return false;
}

static int run(const struct context *context) {
	struct memory memory = {.query = {0}};
	enum memory_figure figure;
	if (!figure_of(context, &figure))
		return EXIT_CODE_USAGE;
	int code = query_open(&memory.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	if (is(context, "names"))
		code = answer_names(&memory);
	else if (is(context, "leaks"))
		code = answer_leaks(&memory);
	else if (is(context, "chart"))
		code = answer_chart(&memory, figure);
	else
		code = answer_processes(&memory);
	code = query_finish(&memory.query, code);
	memory_done(&memory);
	query_close(&memory.query);
	return code;
}

const struct command command_memory = {
    .name = "memory",
    .summary = "baseline, peak, growth of each process; heap per span name",
    .help = help,
    .takes = {.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                         OPTION_CSV,
              .own = own,
              .own_count = OWN_COUNT,
              .subcommands = subcommands},
    .run = run,
};
