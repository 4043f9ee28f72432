/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench quick: does tracing cost too much here? The same piece of work, plain and in a span with an attribute, warmed, in turns, in two
 * seconds; the ratio with its interval, and a gate.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "bench/harness/turns.h"
#include "bench/harness/words.h"
#include "bench/loops/operation_loops.h"
#include "paired.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RATIO_GOOD 1.5
#define RATIO_RED_FLAG 2.0
#define ROUNDS_MAX 4096u

static const char help[] =
    "spanring-bench quick [--max-ratio X] [--iterations N] [--warmup N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "The same piece of work of about a microsecond, plain and in a span with an attribute, an\n"
    "agent storing the spans: median, 95 % interval, and the ratio of the two. Exit status 1 when\n"
    "the ratio is not below --max-ratio (default 2).\n";

struct quick {
	const struct log *log;
	enum result_format format;
	uint64_t iterations;
	uint64_t warmup;
	double ratio_max;
	const char *agent;
	const char *keep;
};

static int report(const struct quick *quick, const struct paired_figures *figures, struct result *result) {
	struct result_row *plain = result_row(result, "plain", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *traced = result_row(result, "traced", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *ratio = result_row(result, "ratio", "x", RESULT_LOWER_IS_BETTER);
	int code = EXIT_CODE_FAILED;
	if (plain && traced && ratio) {
		struct samples_summary summary;
		plain->samples = figures->before;
		traced->samples = figures->after;
		samples_ratios(&figures->before, &figures->after, &ratio->samples);
		samples_summarise(&ratio->samples, &summary);
		result_fact(result, "rounds of a sample", "%llu", (unsigned long long)figures->rounds);
		result_fact(result, "dropped", "%llu", (unsigned long long)figures->dropped);
		double good = quick->ratio_max < RATIO_RED_FLAG ? quick->ratio_max : RATIO_GOOD;
		result_gate(result, &(struct result_gate){.name = "overhead ratio",
		                                          .unit = "x",
		                                          .value = summary.median,
		                                          .good = good,
		                                          .red_flag = quick->ratio_max});
		code = result_print(result, quick->format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
	}
	return code;
}

int quick_command(int argc, char **argv, const struct log *log) {
	struct quick quick = {
	    .log = log, .iterations = TURNS_ITERATIONS, .warmup = TURNS_WARMUP, .ratio_max = RATIO_RED_FLAG};
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &quick.iterations, 5, SAMPLES_MAX},
	    {"warmup", WORD_NUMBER, &quick.warmup, 0, SAMPLES_MAX},
	    {"max-ratio", WORD_RATIO, &quick.ratio_max, 0, 0},
	    {"agent", WORD_TEXT, &quick.agent, 0, 0},
	    {"keep", WORD_TEXT, &quick.keep, 0, 0},
	    WORDS_OF_FORMAT(&quick.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	struct bench_options options = {.log = *log, .agent = quick.agent, .keep = quick.keep};
	struct stage stage;
	struct paired_figures *figures CLEANUP_FREE = calloc(1, sizeof(*figures));
	code = figures ? stage_open(&options, true, &stage) : EXIT_CODE_FAILED;
	if (code != EXIT_CODE_OK)
		return code;
	const struct paired paired = {.before = operation_plain_ns,
	                              .after = operation_traced_ns,
	                              .rounds_max = ROUNDS_MAX,
	                              .iterations = (uint32_t)quick.iterations,
	                              .warmup = (uint32_t)quick.warmup,
	                              .records = true};
	struct result *result = result_new("quick");
	int rc = result ? paired_run(&stage, &paired, figures) : -ENOMEM;
	code = stage_close(&stage);
	if (rc < 0)
		log_error(log, "quick: the measurement failed: %s", strerror(-rc));
	if (code == EXIT_CODE_OK)
		code = rc < 0 ? EXIT_CODE_FAILED : report(&quick, figures, result);
	result_free(result);
	return code;
}
