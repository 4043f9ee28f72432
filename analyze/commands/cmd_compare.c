/* SPDX-License-Identifier: Apache-2.0 */
/* compare: what is different between two runs, name by name, and what only seems to be. */
#include "analyze/change/change_compare.h"
#include "analyze/change/change_print.h"
#include "analyze/command.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze compare BEFORE AFTER\n"
                           "  spanring-analyze compare BEFORE AFTER --metric p99 -n 20\n"
                           "  spanring-analyze compare BEFORE AFTER --metric all --name 'GET *'\n"
                           "  spanring-analyze compare BEFORE AFTER --exact --self --json\n"
                           "\n"
                           "For each span name that both stores have: median, p95, p99, mean, error rate and\n"
                           "heap, before and after, each difference with its 95 % interval, and a word:\n"
                           "slower, faster, or ~ where nothing can be said. 'slower in' is the share of\n"
                           "pairs of spans in which the one after took longer (50 %: no effect).\n"
                           "\n"
                           "A difference counts when it is larger than both runs move within themselves\n"
                           "(drift), when two equal runs would show one in less than 1 % of all\n"
                           "comparisons, whatever the number of names, and when it is at least 1 %.\n"
                           "\n"
                           "Where both stores have statistics of all spans over at least 8 steps of time\n"
                           "they are read, quickly; else, and with --exact, --self, --where, --since or\n"
                           "--until, the records. compare always exits with 0: check judges.\n"
                           "\n"
                           "Options\n"
                           "  --metric M       of which before, after and interval are shown: p50 (default),\n"
                           "                   p95, p99, mean, self, errors, heap, or all: a row for each\n"
                           "  --self           self times too (from the records)\n"
                           "  --exact          read the records\n"
                           "  --least S        smallest change that counts (default: 1%)\n"
                           "  --significance S chance of a false word in the whole answer (default: 1%)\n"
                           "  --sort KEY       total (default: share of all time), change, count or name\n"
                           "  -n, --limit N    only the first N (default: all)\n"
                           "  --csv            as comma-separated values, a line for each name and metric\n"
                           "  --name GLOB, --service GLOB, --where EXPR, --since T, --until T\n"
                           "                   only such spans of both stores\n";

enum own { OWN_METRIC, OWN_SELF, OWN_LEAST, OWN_SIGNIFICANCE, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_METRIC] = {"--metric", 0, OPTION_VALUE_TEXT},
                                                 [OWN_SELF] = {"--self", 0, OPTION_VALUE_NONE},
                                                 [OWN_LEAST] = {"--least", 0, OPTION_VALUE_SHARE},
                                                 [OWN_SIGNIFICANCE] = {"--significance", 0, OPTION_VALUE_SHARE}};

enum sort_key { SORT_TOTAL, SORT_CHANGE, SORT_COUNT, SORT_NAME, SORT_KEYS };
static const char *const sort_words[SORT_KEYS + 1] = {"total", "change", "count", "name", NULL};

struct place {
	double figure;
	struct change_line line;
};

static int by_place(const void *a, const void *b) {
	const struct place *left = a;
	const struct place *right = b;
	if (left->figure != right->figure)
		return left->figure > right->figure ? -1 : 1;
	return strcmp(left->line.text, right->line.text);
}

static double figure_of(const struct change_line *line, size_t key, unsigned metric) {
	switch (key) {
	case SORT_TOTAL:
		return fmax(line->share[0], line->share[1]);
	case SORT_CHANGE:
		/* what is sure comes first */
		return fabs(line->figures[metric].difference.change) + (line->figures[metric].verdict ? 1e9 : 0);
	case SORT_COUNT:
		return (double)line->count[0] + (double)line->count[1];
	default:
		return 0;
	}
}

static int sort_lines(struct change_comparison *comparison, size_t key, unsigned metric) {
	size_t count = comparison->line_count;
	CLEANUP_FREE struct place *places = calloc(count ? count : 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){figure_of(&comparison->lines[i], key, metric), comparison->lines[i]};
	qsort(places, count, sizeof(*places), by_place);
	for (size_t i = 0; i < count; i++)
		comparison->lines[i] = places[i].line;
	return 0;
}

/* The place of a word in its list; -1 after the mistake was said. */
static int place_of(const struct context *context, const char *option, const char *typed, const char *const *words,
                    size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], typed) == 0)
			return (int)i;
	const char *nearest = suggest_nearest(typed, words, count);
	log_error(&context->log, "compare: %s '%s'%s%s%s: --help lists what there is", option, typed,
	          nearest ? ": did you mean '" : " is not known", nearest ? nearest : "", nearest ? "'?" : "");
	return -1;
}

static int answer(struct change_comparison *comparison, size_t key, const struct change_print *print) {
	const struct context *context = &comparison->stores[0].context;
	struct change_print shown = *print;
	int rc = sort_lines(comparison, key, print->metric < CHANGE_METRICS ? print->metric : CHANGE_P50);
	shown.limit = comparison->line_count;
	if (context->options->limit > 0 && context->options->limit < shown.limit)
		shown.limit = (size_t)context->options->limit;
	bool empty = query_store_is_empty(&comparison->stores[0].latency.query);
	empty |= query_store_is_empty(&comparison->stores[1].latency.query);
	if (rc == 0 && context->options->json)
		change_print_json(comparison, &shown);
	else if (rc == 0 && context->options->csv)
		change_print_csv(comparison, &shown);
	else if (rc == 0 && comparison->line_count + comparison->lonely_count[0] + comparison->lonely_count[1] > 0)
		rc = change_print_text(comparison, &shown);
	else if (rc == 0 && !empty)
		log_info(&context->log, "no stored span matches, in neither store");
	int code = rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK;
	for (unsigned side = 0; side < 2; side++)
		code = query_finish(&comparison->stores[side].latency.query, code);
	return code;
}

static int run(const struct context *context) {
	static const char *const all[] = {"p50", "p95", "p99", "mean", "self", "errors", "heap", "all"};
	const struct options *options = context->options;
	struct change_settings settings = {.alpha = CHANGE_ALPHA, .least = CHANGE_LEAST};
	struct change_comparison comparison;
	if (options->own[OWN_LEAST].is_given)
		settings.least = options->own[OWN_LEAST].share;
	if (options->own[OWN_SIGNIFICANCE].is_given)
		settings.alpha = options->own[OWN_SIGNIFICANCE].share;
	if (!(settings.alpha > 0) || settings.alpha >= 1) {
		log_error(&context->log, "compare: --significance is above 0 and below 100%%");
		return EXIT_CODE_USAGE;
	}
	const char *metric = options->own[OWN_METRIC].is_given ? options->own[OWN_METRIC].text : "p50";
	int metric_at = place_of(context, "--metric", metric, all, CHANGE_METRICS + 1);
	int key = place_of(context, "--sort", options->sort ? options->sort : "total", sort_words, SORT_KEYS);
	if (metric_at < 0 || key < 0)
		return EXIT_CODE_USAGE;
	settings.wants_self = options->own[OWN_SELF].is_given || metric_at == CHANGE_SELF;
	int code = change_compare(context, &settings, &comparison);
	if (code != EXIT_CODE_OK)
		return code;
	struct change_print print = {.metric = (unsigned)metric_at};
	code = answer(&comparison, (size_t)key, &print);
	change_compare_done(&comparison);
	return code;
}

const struct command command_compare = {
    .name = "compare",
    .summary = "what is slower, faster or otherwise different in a second store",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                     OPTION_SORT | OPTION_EXACT | OPTION_THREADS | OPTION_CSV | OPTION_TWO_STORES,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
