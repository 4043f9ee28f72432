/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench sampling and matrix: the same piece of traced work with settings crossed. In turns with the plain piece, so each row is a
 * ratio of its own moment. sampling is the matrix with ratios alone.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "bench/harness/turns.h"
#include "bench/harness/words.h"
#include "bench/loops/operation_loops.h"
#include "bench/loops/span_loops.h"
#include "measured.h"
#include "paired.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 8u
#define LEVEL_BYTES 24u
#define ROUNDS_MAX 4096u
#define ITERATIONS 50u

static const char help[] =
    "spanring-bench sampling [--ratios 1,0.1,0.01] [--iterations N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "spanring-bench matrix   [--ratios 1,0.1] [--statistics on,off] [--attributes on,off] [...]\n"
    "\n"
    "An empty span (with --attributes on: work in a span with an attribute) for each combination of settings,\n"
    "in turns with the same without tracing (the floor of two clock readings for an empty span): cost of one and ratio.\n";

struct levels {
	char texts[LEVELS_MAX][LEVEL_BYTES];
	uint32_t count;
};

struct matrix {
	enum result_format format;
	uint64_t iterations;
	uint64_t warmup;
	const char *agent;
	const char *keep;
	struct levels ratios;
	struct levels statistics;
	struct levels attributes;
};

static int split(const char *text, bool is_switch, struct levels *ret_levels) {
	ret_levels->count = 0;
	while (*text) {
		size_t bytes = strcspn(text, ",");
		char *end;
		if (bytes == 0 || bytes >= LEVEL_BYTES || ret_levels->count == LEVELS_MAX)
			return -EINVAL;
		char *level = ret_levels->texts[ret_levels->count++];
		memcpy(level, text, bytes);
		level[bytes] = 0;
		double number = strtod(level, &end);
		bool right = is_switch ? strcmp(level, "on") == 0 || strcmp(level, "off") == 0
		                       : *end == 0 && number >= 0 && number <= 1 && level[0] != '-';
		text += bytes;
		if (!right || (*text == ',' && !*++text))
			return -EINVAL;
	}
	return ret_levels->count > 0 ? 0 : -EINVAL;
}

static int measure_one(const struct stage *stage, const struct matrix *matrix, const char *ratio,
                       const char *statistics, const char *attributes, struct result *result,
                       struct paired_figures *figures) {
	const struct worker_setting settings[] = {
	    {"SPANRING_RING_BYTES", "4194304"},
	    {"OTEL_TRACES_SAMPLER", "traceidratio"},
	    {"OTEL_TRACES_SAMPLER_ARG", ratio},
	    {"SPANRING_STATISTICS", strcmp(statistics, "on") == 0 ? "true" : "false"},
	    {NULL, NULL}};
	bool works = strcmp(attributes, "on") == 0;
	const struct paired paired = {.before = works ? operation_plain_ns : span_loop_two_ticks_ns,
	                              .after = works ? operation_traced_ns : operation_span_ns,
	                              .rounds_max = ROUNDS_MAX,
	                              .iterations = (uint32_t)matrix->iterations,
	                              .warmup = (uint32_t)matrix->warmup,
	                              .settings = settings,
	                              .records = true};
	char name[RESULT_NAME_BYTES];
	int rc = paired_run(stage, &paired, figures);
	int used = snprintf(name, sizeof(name), "%s%s", matrix->statistics.count > 1 ? "" : "ratio ", ratio);
	if (matrix->statistics.count > 1)
		used += snprintf(name + used, sizeof(name) - (size_t)used, " stat %s", statistics);
	if (matrix->attributes.count > 1)
		used += snprintf(name + used, sizeof(name) - (size_t)used, " attr %s", attributes);
	struct result_row *row = rc == 0 ? result_row(result, name, "ns", RESULT_LOWER_IS_BETTER) : NULL;
	(void)snprintf(name + used, sizeof(name) - (size_t)used, " /");
	struct result_row *ratios = row ? result_row(result, name, "x", RESULT_LOWER_IS_BETTER) : NULL;
	if (rc < 0 || !ratios)
		return rc < 0 ? rc : -ENOMEM;
	row->samples = figures->after;
	samples_ratios(&figures->before, &figures->after, &ratios->samples);
	return figures->dropped ? -EOVERFLOW : 0;
}

static int body(const struct stage *stage, const void *task, struct result *result) {
	const struct matrix *matrix = task;
	struct paired_figures *figures CLEANUP_FREE = calloc(1, sizeof(*figures));
	int rc = figures ? 0 : -ENOMEM;
	for (uint32_t a = 0; a < matrix->attributes.count; a++)
		for (uint32_t s = 0; s < matrix->statistics.count; s++)
			for (uint32_t r = 0; rc == 0 && r < matrix->ratios.count; r++)
				rc = measure_one(stage, matrix, matrix->ratios.texts[r], matrix->statistics.texts[s],
				                 matrix->attributes.texts[a], result, figures);
	return rc;
}

static int refuse(const struct log *log, const char *command, const char *word, const char *value, const char *like) {
	log_error(log, "%s: --%s '%s': give a list like %s", command, word, value, like);
	return EXIT_CODE_USAGE;
}

static int command(int argc, char **argv, const struct log *log, const char *ratios, const char *switches) {
	struct matrix matrix = {.iterations = ITERATIONS, .warmup = TURNS_WARMUP};
	const char *statistics = switches;
	const char *attributes = *switches == 'o' && strcmp(switches, "on") == 0 ? "off" : switches;
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &matrix.iterations, 5, SAMPLES_MAX},
	    {"warmup", WORD_NUMBER, &matrix.warmup, 0, SAMPLES_MAX},
	    {"ratios", WORD_TEXT, &ratios, 0, 0},
	    {"statistics", WORD_TEXT, &statistics, 0, 0},
	    {"attributes", WORD_TEXT, &attributes, 0, 0},
	    {"agent", WORD_TEXT, &matrix.agent, 0, 0},
	    {"keep", WORD_TEXT, &matrix.keep, 0, 0},
	    WORDS_OF_FORMAT(&matrix.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	if (split(ratios, false, &matrix.ratios) < 0)
		return refuse(log, argv[0], "ratios", ratios, "1,0.1,0.01");
	if (split(statistics, true, &matrix.statistics) < 0)
		return refuse(log, argv[0], "statistics", statistics, "on,off");
	if (split(attributes, true, &matrix.attributes) < 0)
		return refuse(log, argv[0], "attributes", attributes, "on,off");
	if (2 * matrix.ratios.count * matrix.statistics.count * matrix.attributes.count > RESULT_ROWS_MAX)
		return refuse(log, argv[0], "ratios", ratios, "1,0.1 (at most 32 combinations)");
	const struct bench_options options = {.log = *log, .agent = matrix.agent, .keep = matrix.keep};
	return measured_run(argv[0], &options, matrix.format, body, &matrix);
}

int sampling_command(int argc, char **argv, const struct log *log) {
	return command(argc, argv, log, "1,0.1,0.01", "on");
}

int matrix_command(int argc, char **argv, const struct log *log) {
	return command(argc, argv, log, "1,0.1", "on,off");
}
