/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench off: what spans cost that are compiled in and switched off, by the environment from the start, or
 * later by `spanring-agent ctl` in a program that was traced before. The loop is in the figure; beside it stands the
 * figure less an empty loop.
 */
#include "bench/agent_process.h"
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/loops/bursts.h"
#include "bench/loops/loop.h"
#include "bench/loops/span_loops.h"
#include <errno.h>
#include <spanring/spanring.h>

#include <unistd.h>

#define ROUNDS (4096u * CHUNK_ROUNDS)

/* An attribute of a span that is not recorded: the value is not even looked at. */
static uint64_t empty_attributes_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		struct spanring_span empty = {loop_hide(0)};
		SPANRING_SET_U64(empty, "bench.number", i);
	}
	return clock_monotonic_ns() - start_ns;
}

struct off_task {
	uint64_t (*loop)(uint64_t rounds);
	bool at_run_time;
};

static const struct worker_setting by_environment[] = {{"SPANRING_DISABLED", "1"}, {NULL, NULL}};

static int switch_off(const struct stage *stage) {
	(void)span_loop_spans_ns(CHUNK_ROUNDS);
	int rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	if (rc == 0)
		rc = agent_process_ctl(stage->options->agent, stage->folders.rings, getpid(), "disable");
	return rc;
}

static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct off_task *task = task_pointer;
	const struct bursts bursts = {
	    .loop = task->loop, .rounds = stage_rounds(stage, ROUNDS), .count = 1, .is_off = true};
	struct bursts_result result;
	int rc = task->at_run_time ? switch_off(stage) : 0;
	if (rc == 0)
		rc = bursts_run_whole(&bursts, &result);
	if (rc < 0)
		return rc;
	ret_values[0] = result.median_ns;
	return result.ended == 0 ? 0 : -EIO;
}

enum {
	ENVIRONMENT = FLOORS_FIGURES,
	ENVIRONMENT_RATIO,
	ENVIRONMENT_NET,
	RUN_TIME,
	RUN_TIME_RATIO,
	RUN_TIME_NET,
	ATTRIBUTE,
	ATTRIBUTE_RATIO,
	ATTRIBUTE_NET,
	FIGURES
};

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    [ENVIRONMENT] = {"off_environment_ns", "span, off from the start (with its loop)", "ns", NULL},
    [ENVIRONMENT_RATIO] = {"off_environment_ratio", "  of the floor", "x", NULL},
    [ENVIRONMENT_NET] = {"off_environment_net_ns", "  without the loop", "ns", "1"},
    [RUN_TIME] = {"off_run_time_ns", "span, switched off at run time (with its loop)", "ns", NULL},
    [RUN_TIME_RATIO] = {"off_run_time_ratio", "  of the floor", "x", NULL},
    [RUN_TIME_NET] = {"off_run_time_net_ns", "  without the loop", "ns", "1"},
    [ATTRIBUTE] = {"off_attribute_ns", "attribute of such a span (with its loop)", "ns", NULL},
    [ATTRIBUTE_RATIO] = {"off_attribute_ratio", "  of the floor", "x", NULL},
    [ATTRIBUTE_NET] = {"off_attribute_net_ns", "  without the loop", "ns", NULL},
};

static const struct off_task off_from_start = {span_loop_spans_ns, false};
static const struct off_task off_at_run_time = {span_loop_spans_ns, true};
static const struct off_task off_attribute = {empty_attributes_ns, false};

static const struct floors_mode modes[] = {
    {ENVIRONMENT, 1, by_environment, &off_from_start},
    {RUN_TIME, 1, NULL, &off_at_run_time},
    {ATTRIBUTE, 1, by_environment, &off_attribute},
};

static int run(const struct stage *stage, double *values) {
	int rc = floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
	values[ENVIRONMENT_NET] = values[ENVIRONMENT] - values[FLOORS_EMPTY];
	values[RUN_TIME_NET] = values[RUN_TIME] - values[FLOORS_EMPTY];
	values[ATTRIBUTE_NET] = values[ATTRIBUTE] - values[FLOORS_EMPTY];
	return rc;
}

int off_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-off/1",
	    .title = "Spans compiled in and switched off",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
