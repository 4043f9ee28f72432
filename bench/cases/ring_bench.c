/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench ring: how large a ring has to be. For each size, what a span costs in bursts that fit every size, and how
 * much of a burst of SUDDEN spans without a pause is dropped, with the agent asleep when it comes.
 */
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/loops/bursts.h"
#include "bench/loops/span_loops.h"
#include <errno.h>

#define PACED (1u * CHUNK_ROUNDS)
#define PACED_BURSTS 64u
#define SUDDEN (16u * CHUNK_ROUNDS)
#define SUDDEN_BURSTS 24u

enum { SPAN_NS, MEAN_NS, DROPPED_PERCENT };

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	const struct bursts paced = {
	    .loop = span_loop_spans_ns, .rounds = PACED, .count = stage_bursts(stage, PACED_BURSTS)};
	const struct bursts sudden = {.loop = span_loop_spans_ns,
	                              .rounds = SUDDEN,
	                              .warm_up_rounds = PACED,
	                              .count = stage_bursts(stage, SUDDEN_BURSTS)};
	struct bursts_result result;
	(void)task;
	int rc = bursts_run(&paced, &result);
	if (rc < 0)
		return rc;
	ret_values[SPAN_NS] = result.median_ns;
	ret_values[MEAN_NS] = result.mean_ns;
	rc = bursts_run(&sudden, &result);
	if (rc < 0)
		return rc;
	ret_values[DROPPED_PERCENT] = 100.0 * (double)result.dropped / (double)result.ended;
	return result.ended == result.rounds ? 0 : -EIO;
}

/* Each has four figures: ns, ratio, mean, share dropped. */
#define SIZE_FIGURES 4u
enum {
	KIB_256 = FLOORS_FIGURES,
	MIB_1 = KIB_256 + SIZE_FIGURES,
	MIB_4 = MIB_1 + SIZE_FIGURES,
	MIB_16 = MIB_4 + SIZE_FIGURES,
	FIGURES = MIB_16 + SIZE_FIGURES
};

#define SIZE_LINES(figure, key, label)                                                                                 \
	[figure] = {"ring_" key "_span_ns", "ring of " label ": span", "ns", NULL},                                    \
	[(figure) + 1] = {"ring_" key "_span_ratio", "  of the floor", "x", NULL},                                     \
	[(figure) + 2] = {"ring_" key "_span_mean_ns", "  mean", "ns", NULL},                                          \
	[(figure) + 3] = {"ring_" key "_dropped_percent", "  dropped of 65,536 at once", "%", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    SIZE_LINES(KIB_256, "256k", "256 KiB"),
    SIZE_LINES(MIB_1, "1m", "1 MiB"),
    SIZE_LINES(MIB_4, "4m", "4 MiB"),
    SIZE_LINES(MIB_16, "16m", "16 MiB"),
};

static const struct worker_setting kib_256[] = {{"SPANRING_RING_BYTES", "262144"}, {NULL, NULL}};
static const struct worker_setting mib_1[] = {{"SPANRING_RING_BYTES", "1048576"}, {NULL, NULL}};
static const struct worker_setting mib_4[] = {{"SPANRING_RING_BYTES", "4194304"}, {NULL, NULL}};
static const struct worker_setting mib_16[] = {{"SPANRING_RING_BYTES", "16777216"}, {NULL, NULL}};

static const struct floors_mode modes[] = {
    {KIB_256, 3, kib_256, NULL}, {MIB_1, 3, mib_1, NULL}, {MIB_4, 3, mib_4, NULL}, {MIB_16, 3, mib_16, NULL}};

static int run(const struct stage *stage, double *values) {
	return floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
}

int ring_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-ring/1",
	    .title = "How large a ring has to be",
	    .note = "Compare only runs with a like ping-pong; see docs/measuring.md.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
