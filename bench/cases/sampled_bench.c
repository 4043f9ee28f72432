/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench sampled: what spans cost that the sampler does not keep, with the statistics of sites (which count and
 * time them all the same) and without. Of the ratio sampler one trace in a hundred is kept, and its cost is in the mean
 * only. The bursts fit the ring with what is kept. Beside them the least that a timed and counted span can cost (span_model.h).
 */
#include "base/cleanup.h"
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/floors/span_model.h"
#include "bench/loops/bursts.h"
#include "bench/loops/chunks.h"
#include "bench/loops/span_loops.h"
#include <errno.h>
#include <spanring/spanring.h>

#define BURST (32u * CHUNK_ROUNDS)
#define BURSTS 16u

enum { SPAN_NS, MEAN_NS, KEPT_PERCENT };

struct sampled_task {
	bool under_parent;           /* spans of an open one that is not kept */
	uint64_t (*model)(uint64_t); /* not the library's at all */
};

static const struct sampled_task roots = {false, NULL};
static const struct sampled_task children = {true, NULL};
static const struct sampled_task model_called = {false, span_model_called_ns};
static const struct sampled_task model_inlined = {false, span_model_inlined_ns};

static int measure_model(const struct stage *stage, const struct sampled_task *task, double *ret_values) {
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	chunks_run(chunks, task->model, stage_rounds(stage, BURST * BURSTS));
	ret_values[SPAN_NS] = chunks_median_ns(chunks);
	return 0;
}

static int measure_spans(const struct stage *stage, const struct sampled_task *task, double *ret_values) {
	const struct bursts bursts = {
	    .loop = span_loop_spans_ns, .rounds = stage_rounds(stage, BURST), .count = stage_bursts(stage, BURSTS)};
	struct bursts_result result;
	struct spanring_span parent = {0};
	if (task->under_parent) {
		SPANRING_BEGIN(begun, "bench.parent");
		parent = begun;
	}
	int rc = bursts_run_whole(&bursts, &result);
	spanring_end(parent);
	if (rc < 0)
		return rc;
	ret_values[SPAN_NS] = result.median_ns;
	ret_values[MEAN_NS] = result.mean_ns;
	ret_values[KEPT_PERCENT] = 100.0 * (double)(result.ended - result.sampled_out) / (double)result.ended;
	return result.ended == result.rounds ? 0 : -EIO;
}

static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct sampled_task *task = task_pointer;
	return task->model ? measure_model(stage, task, ret_values) : measure_spans(stage, task, ret_values);
}

/* Each has four figures: ns, ratio, mean, share that was kept. */
#define MODE_FIGURES 4u
enum {
	NONE = FLOORS_FIGURES,
	NONE_BARE = NONE + MODE_FIGURES,
	RATIO = NONE_BARE + MODE_FIGURES,
	RATIO_BARE = RATIO + MODE_FIGURES,
	CHILD = RATIO_BARE + MODE_FIGURES,
	CHILD_BARE = CHILD + MODE_FIGURES,
	MODEL_CALLED = CHILD_BARE + MODE_FIGURES, /* these have two: ns and ratio */
	MODEL_INLINED = MODEL_CALLED + 2,
	FIGURES = MODEL_INLINED + 2
};

#define MODE_LINES(figure, key, label, bar_ns, bar_ratio)                                                              \
	[figure] = {"span_" key "_ns", label, "ns", bar_ns},                                                           \
	[(figure) + 1] = {"span_" key "_ratio", "  of the floor", "x", bar_ratio},                                     \
	[(figure) + 2] = {"span_" key "_mean_ns", "  mean", "ns", NULL},                                               \
	[(figure) + 3] = {"span_" key "_kept_percent", "  kept", "%", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    MODE_LINES(NONE, "always_off", "always_off", NULL, "1.3"),
    MODE_LINES(NONE_BARE, "always_off_bare", "always_off, no statistics", "3", NULL),
    MODE_LINES(RATIO, "ratio", "traceidratio 0.01", NULL, "1.3"),
    MODE_LINES(RATIO_BARE, "ratio_bare", "traceidratio 0.01, no statistics", "3", NULL),
    MODE_LINES(CHILD, "child", "always_off, child of an open span", NULL, "1.3"),
    MODE_LINES(CHILD_BARE, "child_bare", "always_off, child of an open span, no statistics", "3", NULL),
    [MODEL_CALLED] = {"model_called_ns", "the least: timed and counted, in two calls", "ns", NULL},
    [MODEL_CALLED + 1] = {"model_called_ratio", "  of the floor", "x", NULL},
    [MODEL_INLINED] = {"model_inlined_ns", "the least, without calls", "ns", NULL},
    [MODEL_INLINED + 1] = {"model_inlined_ratio", "  of the floor", "x", NULL},
};

#define SAMPLER_OFF                                                                                                    \
	{ "OTEL_TRACES_SAMPLER", "always_off" }
#define SAMPLER_RATIO                                                                                                  \
	{"OTEL_TRACES_SAMPLER", "traceidratio"}, {                                                                     \
		"OTEL_TRACES_SAMPLER_ARG", "0.01"                                                                      \
	}
#define NO_STATISTICS                                                                                                  \
	{ "SPANRING_STATISTICS", "false" }

static const struct worker_setting none[] = {SAMPLER_OFF, {NULL, NULL}};
static const struct worker_setting none_bare[] = {SAMPLER_OFF, NO_STATISTICS, {NULL, NULL}};
static const struct worker_setting ratio[] = {SAMPLER_RATIO, {NULL, NULL}};
static const struct worker_setting ratio_bare[] = {SAMPLER_RATIO, NO_STATISTICS, {NULL, NULL}};

static const struct floors_mode modes[] = {
    {NONE, 3, none, &roots},
    {NONE_BARE, 3, none_bare, &roots},
    {RATIO, 3, ratio, &roots},
    {RATIO_BARE, 3, ratio_bare, &roots},
    {CHILD, 3, none, &children},
    {CHILD_BARE, 3, none_bare, &children},
    {MODEL_CALLED, 1, NULL, &model_called},
    {MODEL_INLINED, 1, NULL, &model_inlined},
};

static int run(const struct stage *stage, double *values) {
	return floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
}

int sampled_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-sampled/1",
	    .title = "Spans that the sampler does not keep",
	    .note = "Compare only runs with a like ping-pong; see docs/measuring.md.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
