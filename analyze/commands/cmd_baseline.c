/* SPDX-License-Identifier: Apache-2.0 */
/* baseline: keep what a run was like, as a file that goes into the repository beside the program. */
#include "analyze/change/change.h"
#include "analyze/change/change_print.h"
#include "analyze/command.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze baseline save perf/baseline.json STORE\n"
                           "  spanring-analyze baseline save perf/baseline.json STORE --name 'GET *'\n"
                           "  spanring-analyze baseline show perf/baseline.json\n"
                           "  spanring-analyze check --baseline perf/baseline.json STORE\n"
                           "\n"
                           "save writes what the spans of a store are like into a file: per name p50, p95,\n"
                           "p99, mean, error rate and heap, how sure each is, and the histogram of its\n"
                           "durations; with commit, host, processor, kernel and build. It is JSON that git\n"
                           "shows well, written whole or not at all. show prints it as a table.\n"
                           "\n"
                           "Options\n"
                           "  --commit TEXT    of the program that ran (default: what GITHUB_SHA,\n"
                           "                   CI_COMMIT_SHA or GIT_COMMIT say, else what git has here)\n"
                           "  --build TEXT     of the program (default: its service.version)\n"
                           "  --self           self times too (from the records)\n"
                           "  --exact          read the records\n"
                           "  --name GLOB, --service GLOB, --where EXPR, --since T, --until T\n"
                           "                   only such spans\n";

enum own { OWN_COMMIT, OWN_BUILD, OWN_SELF, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_COMMIT] = {"--commit", 0, OPTION_VALUE_TEXT},
                                                 [OWN_BUILD] = {"--build", 0, OPTION_VALUE_TEXT},
                                                 [OWN_SELF] = {"--self", 0, OPTION_VALUE_NONE}};
static const char *const subcommands[] = {"save", "show", NULL};
static const char *const leading[] = {"FILE", NULL};

static int replace(char **text, const struct option_given *given) {
	if (!given->is_given)
		return 0;
	free(*text);
	*text = strndup(given->text, BASELINE_TEXT_BYTES_MAX);
	return *text ? 0 : -ENOMEM;
}

static int save(const struct context *context) {
	const struct options *options = context->options;
	struct change_store store;
	struct baseline baseline;
	char count[UNITS_TEXT_BYTES];
	int code = change_open(&store, context, options->store);
	if (code != EXIT_CODE_OK)
		return code;
	int rc = change_run(&store, options->own[OWN_SELF].is_given, &baseline);
	if (rc == 0)
		rc = replace(&baseline.texts[BASELINE_COMMIT], &options->own[OWN_COMMIT]);
	if (rc == 0)
		rc = replace(&baseline.texts[BASELINE_BUILD], &options->own[OWN_BUILD]);
	code = query_finish(&store.latency.query, rc ? command_failed(context, rc, "reading the store") : EXIT_CODE_OK);
	if (code == EXIT_CODE_OK && baseline.name_count == 0) {
		log_error(&context->log, "baseline: %s has no span that matches: nothing was written", options->store);
		code = EXIT_CODE_FAILED;
	} else if (code == EXIT_CODE_OK) {
		rc = baseline_save(&baseline, options->leading[0]);
		if (rc != 0) {
			log_error(&context->log, "%s cannot be written: %s", options->leading[0], strerror(-rc));
			code = EXIT_CODE_OUTPUT;
		} else {
			log_info(&context->log, "%s: %zu %s of %s spans", options->leading[0], baseline.name_count,
			         baseline.name_count == 1 ? "name" : "names", units_format_count(store.spans, count));
		}
	}
	baseline_done(&baseline);
	change_close(&store);
	return code;
}

static void print_head(const struct baseline *baseline, const struct terminal *terminal) {
	char when[UNITS_TEXT_BYTES];
	static const char *const titles[BASELINE_TEXTS] = {"spanring", "commit", "build", "host", "cpu", "kernel"};
	(void)putchar('\n');
	for (unsigned i = BASELINE_COMMIT; i < BASELINE_TEXTS; i++) {
		char text[512];
		(void)text_printable(baseline->texts[i], strlen(baseline->texts[i]), text, sizeof(text));
		if (text[0])
			terminal_note(terminal, stdout, STYLE_DIM, "%-7s %s", titles[i], text);
	}
	terminal_note(terminal, stdout, STYLE_DIM, "saved   %s, %s", units_format_wall(baseline->created_wall_ns, when),
	              baseline->is_sketch ? "from the statistics of all spans" : "from the records");
}

static int print_table(const struct baseline *baseline, const struct terminal *terminal) {
	static const struct table_column columns[] = {{"name", false, 0},  {"count", true, 3}, {"p50", true, 0},
	                                              {"p95", true, 2},    {"p99", true, 0},   {"mean", true, 1},
	                                              {"errors", true, 4}, {"heap", true, 5}};
	static const unsigned shown[] = {CHANGE_P50, CHANGE_P95, CHANGE_P99, CHANGE_MEAN, CHANGE_ERRORS, CHANGE_HEAP};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < baseline->name_count; i++) {
		const struct baseline_name *name = &baseline->names[i];
		table_cell(&table, STYLE_PLAIN, name->text);
		table_count(&table, STYLE_PLAIN, name->count);
		for (size_t s = 0; s < sizeof(shown) / sizeof(shown[0]); s++) {
			char text[CHANGE_TEXT_BYTES];
			const struct measured *measured = &name->figures[shown[s]];
			table_cell(&table, STYLE_PLAIN,
			           measured->records > 0 ? change_value(shown[s], measured->value, text) : "-");
		}
	}
	int rc = table_print(&table, terminal, stdout);
	if (rc == 0)
		print_head(baseline, terminal);
	return rc;
}

static int show(const struct context *context) {
	const char *path = context->options->leading[0];
	struct baseline baseline;
	char why[BASELINE_WHY_BYTES];
	int rc = baseline_load(path, &baseline, why);
	if (rc == -ENOENT) {
		log_error(&context->log, "%s: there is no such file: baseline save makes one", path);
		return EXIT_CODE_NO_BASELINE;
	}
	if (rc != 0) {
		log_error(&context->log, "%s is no baseline that can be read: %s", path, why[0] ? why : strerror(-rc));
		return EXIT_CODE_INPUT;
	}
	if (context->options->json)
		baseline_write(&baseline, stdout);
	else
		rc = print_table(&baseline, &context->terminal);
	baseline_done(&baseline);
	return rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	const struct options *options = context->options;
	if (!options->subcommand) {
		log_error(&context->log, "baseline: save or show? --help tells");
		return EXIT_CODE_USAGE;
	}
	if (strcmp(options->subcommand, "show") == 0)
		return show(context);
	if (!options->store) {
		log_error(&context->log, "baseline save: which store? Give a store directory or a segment file, or set "
		                         "SPANRING_STORE");
		return EXIT_CODE_USAGE;
	}
	return save(context);
}

const struct command command_baseline = {
    .name = "baseline",
    .summary = "keep what a run was like in a file (save), or show one",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_EXACT |
                     OPTION_THREADS | OPTION_STORE_OPTIONAL,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .takes.subcommands = subcommands,
    .takes.leading = leading,
    .run = run,
};
