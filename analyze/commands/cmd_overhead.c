/* SPDX-License-Identifier: Apache-2.0 */
/* overhead: what tracing cost, beside what it may cost. */
#include "analyze/command.h"
#include "analyze/overhead/overhead.h"

#include "base/errs.h"

static const char help[] = "  spanring-analyze overhead STORE\n"
                           "  spanring-analyze overhead STORE --check && echo 'tracing is cheap enough'\n"
                           "  spanring-analyze overhead STORE --json | jq '.processes[].cpu_share_high'\n"
                           "\n"
                           "What a span, an attribute and an event cost on this machine, measured by the\n"
                           "agent when it started; from that, and from how many there were, the share of\n"
                           "the programs' processor time; memory of rings and agent; spans lost; each\n"
                           "beside two levels: good, and red flag. Then each program, the agent and the\n"
                           "store.\n"
                           "\n"
                           "costs: with the writer's data in the cache. cold: after other work took the\n"
                           "caches; the verdict is about this one. A share of CPU needs 100 ms of it.\n"
                           "\n"
                           "Options\n"
                           "  --check          exit code 1 when there is a red flag\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  -n, --limit N    only the first N processes (default: all)\n"
                           "  --csv            the first table as comma-separated values\n";

enum { OWN_CHECK, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_CHECK] = {"--check", 0, OPTION_VALUE_NONE}};

static int answer(struct overhead *overhead) {
	const struct context *context = overhead->query.context;
	int rc = overhead_read(overhead);
	if (rc != 0)
		return command_failed(context, rc, "reading books and samples");
	(void)query_store_is_empty(&overhead->query);
	if (context->options->json)
		overhead_print_json(overhead);
	else if (context->options->csv)
		overhead_print_csv(overhead);
	else
		rc = overhead_print_tables(overhead);
	if (rc != 0)
		return command_failed(context, rc, "printing");
	bool fails = context->options->own[OWN_CHECK].is_given && overhead_has_red_flag(overhead);
	return fails ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct overhead overhead = {.processes = NULL};
	int code = query_open(&overhead.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&overhead.query, answer(&overhead));
	overhead_done(&overhead);
	query_close(&overhead.query);
	return code;
}

const struct command command_overhead = {
    .name = "overhead",
    .summary = "what tracing cost, beside what it may cost",
    .help = help,
    .takes = {.allowed = OPTIONS_COMMON | OPTION_SERVICE | OPTION_LIMIT | OPTION_CSV,
              .own = own,
              .own_count = OWN_COUNT},
    .run = run,
};
