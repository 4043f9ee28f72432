/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench run: what one thing that a program does with the library costs, each beside the floor (two readings of the counter),
 * measured in turns with it.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "bench/harness/turns.h"
#include "bench/harness/words.h"
#include "bench/loops/operation_loops.h"
#include "bench/loops/span_loops.h"
#include "paired.h"
#include "suite.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8192u /* of at most two records each: a quarter of the ring below */

static const char help[] =
    "spanring-bench run [CASE ...] [--iterations N] [--warmup N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "  noop            a call that does nothing\n"
    "  span            begin and end, recorded\n"
    "  child           the same inside of another span\n"
    "  counter         a span that is counted and timed, but not recorded (always_off)\n"
    "  sampled         a span of which one trace in a hundred is recorded\n"
    "  off             a span while tracing is switched off\n"
    "  attr            a number as attribute\n"
    "  string          a string of 16 bytes as attribute\n"
    "  event           an event\n"
    "  link            a link\n"
    "  context-switch  another context made the current one, and back\n"
    "\n"
    "Without a CASE all of them. Each in a process of its own, an agent storing what is recorded; ns of\n"
    "one round, and how often that is the floor of the same moment.\n";

/* The same for all: a ring that holds a sample, limits of a span out of the way. */
#define SETTINGS                                                                                                       \
	{"SPANRING_RING_BYTES", "4194304"}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "65535"},                              \
	    {"OTEL_SPAN_EVENT_COUNT_LIMIT", "65535"}, {                                                                \
		"OTEL_SPAN_LINK_COUNT_LIMIT", "65535"                                                                  \
	}

static const struct worker_setting recorded[] = {SETTINGS, {NULL, NULL}};
static const struct worker_setting counted[] = {SETTINGS, {"OTEL_TRACES_SAMPLER", "always_off"}, {NULL, NULL}};
static const struct worker_setting sampled[] = {
    SETTINGS, {"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.01"}, {NULL, NULL}};
static const struct worker_setting off[] = {SETTINGS, {"SPANRING_DISABLED", "1"}, {NULL, NULL}};

static const struct run_case {
	const char *name;
	uint64_t (*loop)(uint64_t rounds);
	const struct worker_setting *settings;
	bool records;
	double good_ns; /* 0: no gate */
	double red_flag_ns;
} cases[] = {
    {"noop", operation_noop_ns, off, false, 0, 0},
    {"span", operation_span_ns, recorded, true, 100e3, 1e6},
    {"child", operation_child_ns, recorded, true, 100e3, 1e6},
    {"counter", operation_span_ns, counted, false, 10e3, 100e3},
    {"sampled", operation_span_ns, sampled, true, 100e3, 1e6},
    {"off", operation_span_ns, off, false, 0, 0},
    {"attr", operation_attribute_ns, recorded, true, 10e3, 100e3},
    {"string", operation_string_ns, recorded, true, 10e3, 100e3},
    {"event", operation_event_ns, recorded, true, 50e3, 500e3},
    {"link", operation_link_ns, recorded, true, 50e3, 500e3},
    {"context-switch", operation_context_ns, recorded, false, 0, 0},
};
#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

struct run {
	const struct log *log;
	enum result_format format;
	uint64_t iterations;
	uint64_t warmup;
	const char *agent;
	const char *keep;
	bool wanted[CASE_COUNT];
};

static int refuse_case(const struct log *log, const char *word) {
	const char *names[CASE_COUNT];
	for (size_t i = 0; i < CASE_COUNT; i++)
		names[i] = cases[i].name;
	const char *nearest = suggest_nearest(word, names, CASE_COUNT);
	log_error(log, "run: unknown case '%s'%s%s%s", word, nearest ? ": did you mean '" : ": see --help",
	          nearest ? nearest : "", nearest ? "'?" : "");
	return EXIT_CODE_USAGE;
}

static int choose(struct run *run, const char *const *words) {
	bool all = !*words;
	for (; *words; words++) {
		size_t i = 0;
		while (i < CASE_COUNT && strcmp(cases[i].name, *words) != 0)
			i++;
		if (i == CASE_COUNT)
			return refuse_case(run->log, *words);
		run->wanted[i] = true;
	}
	for (size_t i = 0; all && i < CASE_COUNT; i++)
		run->wanted[i] = true;
	return EXIT_CODE_OK;
}

static int add_rows(struct result *result, const struct run_case *one, const struct paired_figures *figures) {
	char name[RESULT_NAME_BYTES];
	struct samples_summary summary;
	struct result_row *row = result_row(result, one->name, "ns", RESULT_LOWER_IS_BETTER);
	(void)snprintf(name, sizeof(name), "%s / floor", one->name);
	struct result_row *ratio = result_row(result, name, "x", RESULT_LOWER_IS_BETTER);
	if (!row || !ratio)
		return -ENOMEM;
	row->samples = figures->after;
	samples_ratios(&figures->before, &figures->after, &ratio->samples);
	samples_summarise(&row->samples, &summary);
	if (one->red_flag_ns > 0)
		result_gate(result, &(struct result_gate){.name = "",
		                                          .unit = "ns",
		                                          .value = summary.p99,
		                                          .good = one->good_ns,
		                                          .red_flag = one->red_flag_ns});
	if (one->red_flag_ns > 0)
		(void)snprintf(result->gates[result->gate_count - 1].name, RESULT_NAME_BYTES, "%s, p99 of samples",
		               one->name);
	return figures->dropped == 0 ? 0 : -EOVERFLOW;
}

static int measure_all(const struct run *run, const struct stage *stage, struct result *result,
                       struct paired_figures *figures) {
	struct result_row *floor = NULL;
	for (size_t i = 0; i < CASE_COUNT; i++) {
		if (!run->wanted[i])
			continue;
		const struct paired paired = {.before = span_loop_two_ticks_ns,
		                              .after = cases[i].loop,
		                              .rounds_max = ROUNDS_MAX,
		                              .iterations = (uint32_t)run->iterations,
		                              .warmup = (uint32_t)run->warmup,
		                              .settings = cases[i].settings,
		                              .records = cases[i].records};
		int rc = paired_run(stage, &paired, figures);
		if (rc == 0 && !floor && (floor = result_row(result, "floor", "ns", RESULT_NEITHER)))
			floor->samples = figures->before;
		if (rc == 0)
			rc = add_rows(result, &cases[i], figures);
		if (rc < 0) {
			log_error(run->log, "run: %s failed: %s", cases[i].name,
			          rc == -EOVERFLOW ? "something was dropped where all had room" : strerror(-rc));
			return rc;
		}
	}
	return 0;
}

int run_command(int argc, char **argv, const struct log *log) {
	struct run run = {.log = log, .iterations = TURNS_ITERATIONS, .warmup = TURNS_WARMUP};
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &run.iterations, 5, SAMPLES_MAX},
	    {"warmup", WORD_NUMBER, &run.warmup, 0, SAMPLES_MAX},
	    {"agent", WORD_TEXT, &run.agent, 0, 0},
	    {"keep", WORD_TEXT, &run.keep, 0, 0},
	    WORDS_OF_FORMAT(&run.format),
	};
	const char *plain[CASE_COUNT + 1] = {NULL};
	struct words words = {.log = log,
	                      .help = help,
	                      .table = table,
	                      .count = sizeof(table) / sizeof(table[0]),
	                      .plain = plain,
	                      .plain_max = CASE_COUNT};
	int code = words_read(&words, argc, argv);
	if (code < 0)
		code = choose(&run, plain) ? EXIT_CODE_USAGE : -1;
	if (code >= 0)
		return code;
	struct bench_options options = {.log = *log, .agent = run.agent, .keep = run.keep};
	struct stage stage;
	struct paired_figures *figures CLEANUP_FREE = calloc(1, sizeof(*figures));
	code = figures ? stage_open(&options, true, &stage) : EXIT_CODE_FAILED;
	if (code != EXIT_CODE_OK)
		return code;
	struct result *result = result_new("run");
	int rc = result ? measure_all(&run, &stage, result, figures) : -ENOMEM;
	code = stage_close(&stage);
	if (rc < 0)
		code = EXIT_CODE_FAILED;
	if (code == EXIT_CODE_OK)
		code = result_print(result, run.format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
	result_free(result);
	return code;
}
