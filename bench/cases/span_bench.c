/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench span: what one span costs the program.
 *
 * The loop runs in a child process of its own per measurement, bound to the last core; the agent is a real one, bound
 * to the first core, with rings and store of its own. Floor and spans are interleaved, so that a machine that changes
 * its mind changes it for both.
 *
 *     drained    64 MiB ring, bursts that fit it, the agent drains beside the loop: nothing dropped
 *     burst      default ring, bursts of half of it, the ring empty before each
 *     overload   default ring, no pause: more than any agent takes; what does not fit is dropped and counted
 *     tail       as drained, each span timed by itself
 *
 * Drained and burst are measured with the statistics of sites (as by default) and without, and for the children of one
 * open span. Times are those of the median chunk (chunks.h), but for overload, where chunks that drop and chunks that
 * do not are different things: there it is the mean.
 */
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/loops/bursts.h"
#include "bench/loops/count_worker.h"
#include "bench/loops/span_loops.h"
#include "bench/loops/tail.h"
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

#include <errno.h>

#define OVERLOAD_SPANS (512u * CHUNK_ROUNDS)
#define LARGE_RING_BYTES "67108864" /* SPANRING_RING_BYTES_MAX */
#define DRAINED_BURST (SPANRING_RING_BYTES_MAX / SPANRING_RECORD_BYTES * 3u / 4u)
#define DRAINED_BURSTS 2u
#define PACED_BURST (SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES / 2u)
#define PACED_BURSTS 50u

enum { SPAN_NS, MEAN_NS, DROPPED, OVERLOAD_PERCENT = MEAN_NS };

struct span_task {
	uint64_t burst_spans;
	uint64_t warm_up_spans;
	uint32_t bursts;
	bool under_parent;
	bool is_overload;
};

static const struct span_task drained = {DRAINED_BURST, 0, DRAINED_BURSTS, false, false};
static const struct span_task drained_child = {DRAINED_BURST, 0, DRAINED_BURSTS, true, false};
static const struct span_task burst = {PACED_BURST, 0, PACED_BURSTS, false, false};
static const struct span_task burst_child = {PACED_BURST, 0, PACED_BURSTS, true, false};
static const struct span_task overload = {OVERLOAD_SPANS, PACED_BURST, 1, false, true};

static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct span_task *task = task_pointer;
	const struct bursts bursts = {.loop = span_loop_spans_ns,
	                              .rounds = stage_rounds(stage, task->burst_spans),
	                              .warm_up_rounds = task->warm_up_spans,
	                              .count = stage_bursts(stage, task->bursts)};
	struct bursts_result result;
	struct spanring_span parent = {0};
	if (task->under_parent) {
		SPANRING_BEGIN(begun, "bench.parent");
		parent = begun;
	}
	int rc = bursts_run(&bursts, &result);
	spanring_end(parent);
	if (rc < 0)
		return rc;
	if (task->is_overload) {
		ret_values[SPAN_NS] = result.mean_ns;
		ret_values[OVERLOAD_PERCENT] = 100.0 * (double)result.dropped / (double)result.rounds;
	} else {
		ret_values[SPAN_NS] = result.median_ns;
		ret_values[MEAN_NS] = result.mean_ns;
		ret_values[DROPPED] = (double)result.dropped;
	}
	return result.ended == result.rounds ? 0 : -EIO;
}

enum { TAIL_P50, TAIL_P99, TAIL_P99_9, TAIL_P99_99, TAIL_MAX, TAIL_READINGS_P99_99, TAIL_VALUES };

static int measure_tail(const struct stage *stage, const void *task, double *ret_values) {
	struct tail spans, readings;
	(void)task;
	int rc =
	    tail_measure(stage_rounds(stage, DRAINED_BURST), stage_bursts(stage, DRAINED_BURSTS), &spans, &readings);
	ret_values[TAIL_P50] = spans.p50_ns;
	ret_values[TAIL_P99] = spans.p99_ns;
	ret_values[TAIL_P99_9] = spans.p99_9_ns;
	ret_values[TAIL_P99_99] = spans.p99_99_ns;
	ret_values[TAIL_MAX] = spans.max_ns;
	ret_values[TAIL_READINGS_P99_99] = readings.p99_99_ns;
	return rc;
}

/* Most have four figures: ns, ratio, mean, dropped; of children and without statistics the first two. */
enum {
	BURST = FLOORS_FIGURES,
	BURST_BARE = BURST + 4,
	BURST_CHILD = BURST_BARE + 2,
	WIDE = BURST_CHILD + 2,
	WIDE_BARE = WIDE + 4,
	WIDE_CHILD = WIDE_BARE + 2,
	OVERLOAD = WIDE_CHILD + 2,
	OVERLOAD_RATIO,
	OVERLOAD_DROPPED,
	TAIL,
	SYSTEM_CALLS = TAIL + TAIL_VALUES,
	ALLOCATIONS,
	SYSTEM_CALLS_OVERLOAD,
	FIGURES
};

#define LINES(figure, key, label, bar)                                                                                 \
	[figure] = {key "_ns", label, "ns", NULL}, [(figure) + 1] = {key "_ratio", "  of the floor", "x", bar}
#define LINES_MEAN(figure, key)                                                                                        \
	[(figure) + 2] = {key "_mean_ns", "  mean, all that happened on the core included", "ns", NULL},               \
	            [(figure) + 3] = {key "_dropped", "  dropped", "spans", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    LINES(BURST, "span_burst", "span, bursts of half a ring (1 MiB ring)", "1.6"),
    LINES_MEAN(BURST, "span_burst"),
    LINES(BURST_BARE, "span_burst_bare", "  without statistics", "1.6"),
    LINES(BURST_CHILD, "span_burst_child", "  child of an open span", "1.6"),
    LINES(WIDE, "span_drained", "span, drained beside (64 MiB ring)", "1.6"),
    LINES_MEAN(WIDE, "span_drained"),
    LINES(WIDE_BARE, "span_drained_bare", "  without statistics", "1.6"),
    LINES(WIDE_CHILD, "span_drained_child", "  child of an open span", "1.6"),
    [OVERLOAD] = {"span_overload_ns", "span, without a pause (1 MiB ring), mean", "ns", NULL},
    [OVERLOAD_RATIO] = {"span_overload_ratio", "  of the floor", "x", NULL},
    [OVERLOAD_DROPPED] = {"span_overload_dropped_percent", "  dropped, counted", "%", NULL},
    [TAIL + TAIL_P50] = {"span_p50_ns", "one span by itself (64 MiB ring), median", "ns", NULL},
    [TAIL + TAIL_P99] = {"span_p99_ns", "  p99", "ns", NULL},
    [TAIL + TAIL_P99_9] = {"span_p99_9_ns", "  p99.9", "ns", NULL},
    [TAIL + TAIL_P99_99] = {"span_p99_99_ns", "  p99.99", "ns", "1000"},
    [TAIL + TAIL_MAX] = {"span_max_ns", "  largest", "ns", NULL},
    [TAIL + TAIL_READINGS_P99_99] = {"two_ticks_p99_99_ns", "  p99.99 of two readings of the counter", "ns", NULL},
    [SYSTEM_CALLS] = {"system_calls_per_span", "system calls per span, counted", "", "0"},
    [ALLOCATIONS] = {"allocations_per_span", "allocations per span, counted", "", "0"},
    [SYSTEM_CALLS_OVERLOAD] = {"system_calls_per_span_overload", "system calls per span, ring too small", "", NULL},
};

static const struct worker_setting large[] = {{"SPANRING_RING_BYTES", LARGE_RING_BYTES}, {NULL, NULL}};
static const struct worker_setting large_bare[] = {
    {"SPANRING_RING_BYTES", LARGE_RING_BYTES}, {"SPANRING_STATISTICS", "false"}, {NULL, NULL}};
static const struct worker_setting bare[] = {{"SPANRING_STATISTICS", "false"}, {NULL, NULL}};

static const struct floors_mode modes[] = {
    {BURST, 3, NULL, &burst},       {BURST_BARE, 1, bare, &burst},        {BURST_CHILD, 1, NULL, &burst_child},
    {WIDE, 3, large, &drained},     {WIDE_BARE, 1, large_bare, &drained}, {WIDE_CHILD, 1, large, &drained_child},
    {OVERLOAD, 2, NULL, &overload},
};

static int run(const struct stage *stage, double *values) {
	double tail[WORKER_VALUES_MAX];
	struct count_worker_result counted;
	int rc = floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
	if (rc == 0)
		rc = worker_run(stage, large, measure_tail, NULL, tail);
	for (uint32_t i = 0; i < TAIL_VALUES && rc == 0; i++)
		values[TAIL + i] = tail[i];
	if (rc == 0)
		rc = count_worker_measure(stage, &counted);
	if (rc < 0)
		return rc;
	values[SYSTEM_CALLS] = counted.system_calls;
	values[ALLOCATIONS] = counted.allocations;
	values[SYSTEM_CALLS_OVERLOAD] = counted.system_calls_overload;
	return 0;
}

int span_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-span/1",
	    .title = "One span: begin and end, nothing in it, the agent draining",
	    .note = "Compare only runs with a like ping-pong; see docs/measuring.md.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
