/* SPDX-License-Identifier: Apache-2.0 */
/* What every figure is held against: measured in the same run, on the core of the loop. */
#ifndef SPANRING_BENCH_FLOORS_H
#define SPANRING_BENCH_FLOORS_H

#include "bench/case.h"
#include "bench/worker.h"

/* The first figures of a case. */
enum floors_figure {
	FLOORS_PING_PONG_BEFORE,
	FLOORS_PING_PONG_AFTER,
	FLOORS_EMPTY,
	FLOORS_TWO_TICKS,
	FLOORS_TWO_CLOCKS,
	FLOORS_FIGURES
};

#define FLOORS_FIGURE_LINES                                                                                            \
	[FLOORS_PING_PONG_BEFORE] = {"ping_pong_before_ns", "core-to-core ping-pong, before", "ns", NULL},             \
	[FLOORS_PING_PONG_AFTER] = {"ping_pong_after_ns", "core-to-core ping-pong, after", "ns", NULL},                \
	[FLOORS_EMPTY] = {"empty_loop_ns", "empty loop", "ns", NULL},                                                  \
	[FLOORS_TWO_TICKS] = {"two_ticks_ns", "floor: two readings of the counter", "ns", NULL},                       \
	[FLOORS_TWO_CLOCKS] = {"two_clocks_ns", "two clock_gettime", "ns", NULL}

/*
 * One worker of such a case. The first value that it gives is in nanoseconds and becomes `figure`; the next figure
 * tells how many times the floor that is; those behind it are the worker's other values as they are.
 */
struct floors_mode {
	uint32_t figure;
	uint32_t value_count;
	const struct worker_setting *settings;
	const void *task;
};

/* One run: those five figures, and one worker per mode, in their order. 0 or negative errno. */
int floors_run(const struct stage *stage, worker_body *body, const struct floors_mode *modes, size_t mode_count,
               double *values);

#endif
