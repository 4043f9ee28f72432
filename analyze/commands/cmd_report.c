/* SPDX-License-Identifier: Apache-2.0 */
/* report: one HTML file that shows what the commands say of a store. */
#include "analyze/command.h"
#include "analyze/page/page.h"
#include "analyze/query.h"
#include "analyze/terminal/output.h"

#include "base/errs.h"

#include <string.h>

#define DEFAULT_NAME "report.html"

static const char help[] = "  spanring-analyze report STORE\n"
                           "  spanring-analyze report STORE -o friday.html --since 1h\n"
                           "  spanring-analyze report STORE --service shop --name 'GET *' -o shop.html\n"
                           "\n"
                           "One file that any browser shows, with nothing beside it and nothing loaded from\n"
                           "anywhere: summary, latency by name with its course over time, spread and heat map,\n"
                           "where time goes as a flame graph and a circle (click zooms, type to search), memory\n"
                           "over time, slow, failed and unfinished spans, losses, what tracing cost.\n"
                           "\n"
                           "It holds what the commands answer with --json, so it says what they say.\n"
                           "\n"
                           "Options\n"
                           "  -o, --output FILE  where to (default: report.html); - is standard output\n"
                           "  --html FILE        the same\n"
                           "  --where EXPR, --name GLOB, --service GLOB, --since T, --until T\n"
                           "                     only such spans, as far as each part takes them\n";

enum own { OWN_OUTPUT, OWN_HTML, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {
    [OWN_OUTPUT] = {"--output", 'o', OPTION_VALUE_TEXT}, [OWN_HTML] = {"--html", 0, OPTION_VALUE_TEXT}};

static int write_page(const struct context *context, const struct page *page, const char *path) {
	struct output output;
	int rc = output_open(path, &output);
	if (rc == 0) {
		rc = page_write(context, page, output.file);
		if (rc == 0)
			rc = output_commit(&output);
		output_discard(&output);
	}
	if (rc == 0)
		return EXIT_CODE_OK;
	log_error(&context->log, "report: %s: %s: name another file with -o", path, strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

/* Parts that could not be read whole: their command has said why. */
static int code_of(const struct page *page) {
	for (size_t i = 0; i < page->count; i++)
		if (page->answers[i].exit_code == EXIT_CODE_INPUT)
			return EXIT_CODE_INPUT;
	return EXIT_CODE_OK;
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	const char *path = given[OWN_OUTPUT].is_given ? given[OWN_OUTPUT].text : given[OWN_HTML].text;
	struct page page;
	if (!path)
		path = DEFAULT_NAME;
	int code = page_ask(context, &page);
	if (code == EXIT_CODE_OK)
		code = write_page(context, &page, path);
	if (code == EXIT_CODE_OK)
		code = code_of(&page);
	if (code == EXIT_CODE_OK && strcmp(path, "-") != 0)
		log_info(&context->log, "%s is written: open it in a browser", path);
	page_free(&page);
	return code;
}

const struct command command_report = {
    .name = "report",
    .summary = "one HTML file: tables, charts, flame graph, heat map, memory",
    .help = help,
    .takes = {.allowed = OPTION_COLOR | OPTION_QUIET | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE,
              .own = own,
              .own_count = OWN_COUNT},
    .run = run,
};
