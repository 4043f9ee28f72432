/* SPDX-License-Identifier: Apache-2.0 */
/* check: a gate. Is a run as good as its baseline, and does it keep its targets? */
#include "analyze/change/change.h"
#include "analyze/change/check.h"
#include "analyze/change/check_print.h"
#include "analyze/command.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze check --baseline perf/baseline.json STORE\n"
                           "  spanring-analyze check --baseline perf/baseline.json STORE --threshold 10% \\\n"
                           "      --threshold p99=15% --min-effect 100us\n"
                           "  spanring-analyze check --targets perf/targets.json STORE\n"
                           "  spanring-analyze check --baseline perf/baseline.json STORE \\\n"
                           "      --alert-exec 'curl -sf -m 4 -d @- https://example.com/hooks/perf'\n"
                           "\n"
                           "Holds the spans of a store against a baseline. A figure is a regression when it\n"
                           "is worse by its threshold or more and that is sure: more than both runs drift,\n"
                           "and more than chance does in 1 % of all checks. One that is worse by its\n"
                           "threshold but not surely is 'unsure', and passes.\n"
                           "\n"
                           "Exit code: 0 pass or improvement, 1 regression (or a red target, or a goal that\n"
                           "was missed), 2 wrong words, 3 a file or store that cannot be read, 4 no baseline,\n"
                           "or one of another machine.\n"
                           "\n"
                           "Options\n"
                           "  --baseline FILE  written by baseline save\n"
                           "  --threshold S    20% (default), or p99=15% for one figure, or errors=0.5% (of\n"
                           "                   all spans; default 1%); may be given again\n"
                           "  --metric M       judge only p50, p95, p99, mean, self, errors or heap; again\n"
                           "  --improvement S  better by so much is an improvement (default: 5%)\n"
                           "  --min-effect D   durations that changed by less pass, like 100us\n"
                           "  --significance S chance of a false regression in the whole check (1%)\n"
                           "  --expect M=-30%  a goal: each name's figure must be lower by so much\n"
                           "  --record-missing without a baseline write one from this store, exit 0\n"
                           "  --force          also on another machine\n"
                           "  --targets FILE   levels that figures must keep by themselves\n"
                           "  --alert-url URL  on a regression POST a JSON document (http only); 5 s\n"
                           "  --alert-exec CMD run CMD with that document on its standard input; 5 s\n"
                           "  --exact, --name GLOB, --service GLOB, --where EXPR, --since T, --until T\n"
                           "                   as for baseline save: give the same ones\n";

enum own {
	OWN_BASELINE,
	OWN_THRESHOLD,
	OWN_METRIC,
	OWN_IMPROVEMENT,
	OWN_MIN_EFFECT,
	OWN_SIGNIFICANCE,
	OWN_EXPECT,
	OWN_RECORD,
	OWN_FORCE,
	OWN_TARGETS,
	OWN_URL,
	OWN_EXEC,
	OWN_COUNT
};
static const struct option_own own[OWN_COUNT] = {
    [OWN_BASELINE] = {"--baseline", 0, OPTION_VALUE_TEXT},
    [OWN_THRESHOLD] = {"--threshold", 0, OPTION_VALUE_LIST},
    [OWN_METRIC] = {"--metric", 0, OPTION_VALUE_LIST},
    [OWN_IMPROVEMENT] = {"--improvement", 0, OPTION_VALUE_SHARE},
    [OWN_MIN_EFFECT] = {"--min-effect", 0, OPTION_VALUE_DURATION},
    [OWN_SIGNIFICANCE] = {"--significance", 0, OPTION_VALUE_SHARE},
    [OWN_EXPECT] = {"--expect", 0, OPTION_VALUE_LIST},
    [OWN_RECORD] = {"--record-missing", 0, OPTION_VALUE_NONE},
    [OWN_FORCE] = {"--force", 0, OPTION_VALUE_NONE},
    [OWN_TARGETS] = {"--targets", 0, OPTION_VALUE_TEXT},
    [OWN_URL] = {"--alert-url", 0, OPTION_VALUE_TEXT},
    [OWN_EXEC] = {"--alert-exec", 0, OPTION_VALUE_TEXT},
};

static int refuse(const struct context *context, const char *word, const char *text, const char *wanted) {
	log_error(&context->log, "check: %s '%s': %s", word, text, wanted);
	return EXIT_CODE_USAGE;
}

static int take_metrics(const struct context *context, struct check_settings *settings) {
	const struct option_given *given = &context->options->own[OWN_METRIC];
	if (given->list_count > 0)
		memset(settings->judged, 0, sizeof(settings->judged));
	for (size_t i = 0; i < given->list_count; i++) {
		unsigned metric = 0;
		while (metric < CHANGE_METRICS && strcmp(change_metric_words[metric], given->list[i]) != 0)
			metric++;
		if (metric == CHANGE_METRICS)
			return refuse(context, "--metric", given->list[i],
			              "give p50, p95, p99, mean, self, errors or heap");
		settings->judged[metric] = true;
	}
	return EXIT_CODE_OK;
}

static int take_settings(const struct context *context, struct check_settings *ret_settings) {
	const struct option_given *given = context->options->own;
	check_defaults(ret_settings);
	for (size_t i = 0; i < given[OWN_THRESHOLD].list_count; i++)
		if (check_set_threshold(ret_settings, given[OWN_THRESHOLD].list[i]) != 0)
			return refuse(context, "--threshold", given[OWN_THRESHOLD].list[i],
			              "give a share like 20%, or one of a figure like p99=15%");
	for (size_t i = 0; i < given[OWN_EXPECT].list_count; i++)
		if (check_set_expected(ret_settings, given[OWN_EXPECT].list[i]) != 0)
			return refuse(context, "--expect", given[OWN_EXPECT].list[i],
			              "give a figure and by how much it must be lower, like heap=-30%");
	if (given[OWN_IMPROVEMENT].is_given)
		ret_settings->improvement = given[OWN_IMPROVEMENT].share;
	if (given[OWN_SIGNIFICANCE].is_given)
		ret_settings->significance = given[OWN_SIGNIFICANCE].share;
	if (!(ret_settings->significance > 0) || ret_settings->significance >= 1)
		return refuse(context, "--significance", given[OWN_SIGNIFICANCE].text, "above 0 and below 100%");
	ret_settings->effect_min_ns = (double)given[OWN_MIN_EFFECT].number;
	return take_metrics(context, ret_settings);
}

/* The baseline, or why there is none; an exit code. *ret_found: it was read. */
static int load_baseline(const struct context *context, const struct baseline *run, struct baseline *ret_baseline,
                         bool *ret_found) {
	const struct option_given *given = context->options->own;
	const char *path = given[OWN_BASELINE].text;
	char why[BASELINE_WHY_BYTES];
	int rc = baseline_load(path, ret_baseline, why);
	*ret_found = rc == 0;
	if (rc == -ENOENT && given[OWN_RECORD].is_given) {
		rc = baseline_save(run, path);
		if (rc == 0)
			return EXIT_CODE_OK;
		log_error(&context->log, "%s cannot be written: %s", path, strerror(-rc));
		return EXIT_CODE_OUTPUT;
	}
	if (rc == -ENOENT) {
		log_error(&context->log, "%s: there is no baseline: baseline save makes one, or --record-missing here",
		          path);
		return EXIT_CODE_NO_BASELINE;
	}
	if (rc != 0) {
		log_error(&context->log, "%s is no baseline that can be read: %s", path, why[0] ? why : strerror(-rc));
		return EXIT_CODE_INPUT;
	}
	const char *other = baseline_other_machine(ret_baseline, run);
	if (other && !given[OWN_FORCE].is_given) {
		log_error(&context->log,
		          "%s is of another machine: %s differs: make a baseline on this one, or compare all the same "
		          "with --force",
		          path, other);
		return EXIT_CODE_NO_BASELINE;
	}
	return EXIT_CODE_OK;
}

static int check_baseline(const struct context *context, struct check_answer *answer) {
	struct check_settings settings;
	bool found = false;
	int code = take_settings(context, &settings);
	if (code != EXIT_CODE_OK)
		return code;
	answer->has_baseline = true;
	code = load_baseline(context, answer->run, &answer->baseline, &found);
	if (code == EXIT_CODE_OK && !found)
		answer->check.status = CHECK_RECORDED;
	else if (code == EXIT_CODE_NO_BASELINE)
		answer->check.status = CHECK_NO_BASELINE;
	if (code != EXIT_CODE_OK || !found)
		return code;
	int rc = check_run(&answer->baseline, answer->run, &settings, &answer->check);
	if (rc != 0)
		return command_failed(context, rc, "checking");
	return answer->check.status == CHECK_REGRESSION    ? EXIT_CODE_FAILED
	       : answer->check.status == CHECK_NO_BASELINE ? EXIT_CODE_NO_BASELINE
	                                                   : EXIT_CODE_OK;
}

static int check_targets(const struct context *context, struct check_answer *answer) {
	const char *path = context->options->own[OWN_TARGETS].text;
	char why[BASELINE_WHY_BYTES];
	int rc = targets_load(path, &answer->targets, why);
	if (rc != 0) {
		log_error(&context->log, "%s: no targets that can be read: %s", path, why[0] ? why : strerror(-rc));
		return EXIT_CODE_INPUT;
	}
	answer->has_targets = true;
	rc = targets_judge(&answer->targets, answer->run, &answer->results, &answer->result_count);
	if (rc != 0)
		return command_failed(context, rc, "checking");
	for (size_t i = 0; i < answer->result_count; i++)
		if (answer->results[i].level == TARGET_RED || answer->results[i].level == TARGET_NO_DATA)
			return EXIT_CODE_FAILED;
	return EXIT_CODE_OK;
}

/* A gate that several things can close: the worst of them. */
static int worse(int one, int other) {
	static const int order[] = {EXIT_CODE_INPUT, EXIT_CODE_OUTPUT, EXIT_CODE_FAILED, EXIT_CODE_NO_BASELINE};
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (one == order[i] || other == order[i])
			return order[i];
	return one ? one : other;
}

static int check(const struct context *context, struct change_store *store, struct baseline *now) {
	const struct option_given *given = context->options->own;
	struct check_answer answer = {.context = context, .run = now};
	int code = EXIT_CODE_OK;
	if (given[OWN_BASELINE].is_given)
		code = check_baseline(context, &answer);
	if (given[OWN_TARGETS].is_given && code != EXIT_CODE_USAGE)
		code = worse(code, check_targets(context, &answer));
	/* what could not be read was named: there is no answer, least of all "pass" */
	bool has_answer = code != EXIT_CODE_USAGE && code != EXIT_CODE_INPUT && code != EXIT_CODE_OUTPUT;
	code = query_finish(&store->latency.query, code);
	if (has_answer) {
		int rc = check_print(&answer, code);
		if (rc != 0)
			code = command_failed(context, rc, "printing");
	}
	if (code == EXIT_CODE_FAILED)
		check_alert(&answer, given[OWN_URL].text, given[OWN_EXEC].text);
	check_answer_done(&answer);
	return code;
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	struct check_settings settings;
	struct change_store store;
	struct baseline now;
	if (!given[OWN_BASELINE].is_given && !given[OWN_TARGETS].is_given) {
		log_error(&context->log, "check: against what? Give --baseline FILE, --targets FILE, or both");
		return EXIT_CODE_USAGE;
	}
	int code = take_settings(context, &settings);
	if (code == EXIT_CODE_OK)
		code = change_open(&store, context, context->options->store);
	if (code != EXIT_CODE_OK)
		return code;
	bool wants_self = settings.judged[CHANGE_SELF] || settings.expected[CHANGE_SELF] < 0;
	int rc = change_run(&store, wants_self, &now);
	if (rc != 0)
		code = query_finish(&store.latency.query, command_failed(context, rc, "reading the store"));
	else if (now.name_count == 0) {
		log_error(&context->log, "check: %s has no span that matches: there is nothing to judge",
		          store.options.store);
		code = query_finish(&store.latency.query, EXIT_CODE_FAILED);
	} else {
		code = check(context, &store, &now);
	}
	baseline_done(&now);
	change_close(&store);
	return code;
}

const struct command command_check = {
    .name = "check",
    .summary = "a gate for CI: is a run as good as its baseline and its targets?",
    .help = help,
    .takes.allowed =
        OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_EXACT | OPTION_THREADS,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
