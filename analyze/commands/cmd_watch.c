/* SPDX-License-Identifier: Apache-2.0 */
/* watch: the store while an agent writes it. */
#include "analyze/command.h"
#include "analyze/watch/watch.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"

#include <string.h>
#include <unistd.h>

#define INTERVAL_NS (2 * NS_PER_S)
#define WINDOW_NS (10 * NS_PER_S)

static const char help[] = "  spanring-analyze watch STORE\n"
                           "  spanring-analyze watch STORE --once --sort p99\n"
                           "  spanring-analyze watch STORE --json --interval 10s | jq -c '.names[0]'\n"
                           "\n"
                           "Span names by spans per second, read anew every 2 s while an agent writes: p50,\n"
                           "p99, longest and errors in the last steps of the statistics (the agent's\n"
                           "statistics-interval, 10 s unless told otherwise), of all spans that ended,\n"
                           "recorded or not. busy is the time that its spans took together, per second:\n"
                           "200 % are two at a time. Above: spans begun between two looks, programs that\n"
                           "run, spans lost. Where no program keeps statistics, from the records. Keys: q\n"
                           "quits, s sorts, space looks at once.\n"
                           "\n"
                           "Into a file or pipe: frame after frame; with --json one document a line.\n"
                           "\n"
                           "Options\n"
                           "  --interval T     how often to look (default 2s, at least 100ms)\n"
                           "  --window T       how much time the figures are about (default 10s): all steps\n"
                           "                   that end in it, at least the last one\n"
                           "  --sort KEY       rate (default), busy, p50, p99, max, errors, name\n"
                           "  -n, --limit N    only the first N names (default: what fits, in a pipe 20)\n"
                           "  --once           one frame, and no screen\n"
                           "  --count N        N frames, and no screen\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n";

enum { OWN_INTERVAL, OWN_WINDOW, OWN_ONCE, OWN_FRAMES, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_INTERVAL] = {"--interval", 0, OPTION_VALUE_DURATION},
                                                 [OWN_WINDOW] = {"--window", 0, OPTION_VALUE_DURATION},
                                                 [OWN_ONCE] = {"--once", 0, OPTION_VALUE_NONE},
                                                 [OWN_FRAMES] = {"--count", 0, OPTION_VALUE_COUNT}};

static bool sort_of(const struct context *context, enum watch_sort *ret_sort) {
	const char *word = context->options->sort;
	*ret_sort = WATCH_RATE;
	if (!word)
		return true;
	for (unsigned i = 0; i < WATCH_SORTS; i++) {
		*ret_sort = (enum watch_sort)i;
		if (strcmp(watch_sort_words[i], word) == 0)
			return true;
	}
	const char *nearest = suggest_nearest(word, watch_sort_words, WATCH_SORTS);
	log_error(&context->log, "unknown sort key '%s': %s%s%s", word, nearest ? "did you mean '" : "",
	          nearest ? nearest : "rate, busy, p50, p99, max, errors or name", nearest ? "'?" : "");
	return false;
}

static bool times_of(const struct context *context, struct watch *watch) {
	const struct option_given *given = context->options->own;
	watch->interval_ns = given[OWN_INTERVAL].is_given ? given[OWN_INTERVAL].number : INTERVAL_NS;
	watch->window_ns = given[OWN_WINDOW].is_given ? given[OWN_WINDOW].number : WINDOW_NS;
	if (watch->interval_ns < WATCH_INTERVAL_NS_MIN || watch->window_ns < WATCH_INTERVAL_NS_MIN) {
		log_error(&context->log, "--interval and --window: at least 100ms");
		return false;
	}
	return true;
}

static int run_live(struct watch *watch) {
	const struct log *log = &watch->context->log;
	int rc = live_run(&watch->live);
	if (rc == -EPIPE)
		return EXIT_CODE_OUTPUT;
	if (rc < 0) {
		log_error(log, "signals cannot be set up: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	if (!watch->live.is_screen && watch->problem[0] && !watch->context->options->json)
		log_error(log, "%s", watch->problem);
	return watch->problem[0] ? EXIT_CODE_INPUT : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	struct watch watch = {.context = context, .limit = context->options->limit};
	struct query probe;
	if (!sort_of(context, &watch.sort) || !times_of(context, &watch))
		return EXIT_CODE_USAGE;
	/* what is wrong from the start is said as by any command */
	int code = query_open(&probe, context);
	if (code != EXIT_CODE_OK)
		return code;
	query_close(&probe);
	watch.live = (struct live){.context = &watch,
	                           .look = watch_look,
	                           .draw = watch_draw,
	                           .key = watch_key,
	                           .frames = given[OWN_ONCE].is_given ? 1 : given[OWN_FRAMES].number};
	watch.live.is_screen = watch.live.frames == 0 && !context->options->json && isatty(STDOUT_FILENO);
	code = run_live(&watch);
	watch_done(&watch);
	return code;
}

const struct command command_watch = {
    .name = "watch",
    .summary = "a refreshing top of the store while an agent writes it",
    .help = help,
    .takes = {.allowed = OPTIONS_COMMON | OPTION_SERVICE | OPTION_NAME | OPTION_LIMIT | OPTION_SORT,
              .own = own,
              .own_count = OWN_COUNT},
    .run = run,
};
