/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench rate: what the agent costs beside a program that traces a little, all the time: 10,000 spans a second, ten in each
 * millisecond, through the library, for ten seconds. The agent is as it is by default: it commits once a second, samples the
 * memory of the program and reads its statistics.
 */
#include "base/clock.h"
#include "bench/agent_process.h"
#include "bench/case.h"
#include "bench/floors/topology.h"
#include "bench/loops/bursts.h"
#include "bench/loops/span_loops.h"
#include "bench/proc_figures.h"
#include "bench/worker.h"
#include <spanring/spanring.h>

#include <errno.h>
#include <string.h>
#include <time.h>

#define SPANS_PER_TICK 10u
#define TICK_NS (UINT64_C(1) * NS_PER_MS)
#define SETTLE_TICKS 1500u /* the first commits make the segment and the catalog */
#define WINDOW_TICKS 10000u
#define QUICK_TICKS 200u

/* In step with the clock, so that a late millisecond is made good. */
static void trace_for(uint64_t *at_ns, uint32_t ticks) {
	for (uint32_t i = 0; i < ticks; i++) {
		*at_ns += TICK_NS;
		struct timespec at = {.tv_sec = (time_t)(*at_ns / NS_PER_S), .tv_nsec = (long)(*at_ns % NS_PER_S)};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
		(void)span_loop_spans_ns(SPANS_PER_TICK);
	}
}

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	const pid_t *agent = task;
	bool is_quick = stage->options->is_quick;
	uint32_t window = is_quick ? QUICK_TICKS : WINDOW_TICKS;
	struct spanring_counters before_counters, counters;
	uint64_t at_ns = clock_monotonic_ns();
	trace_for(&at_ns, is_quick ? QUICK_TICKS : SETTLE_TICKS);
	spanring_counters_read(&before_counters);
	struct proc_figures before = proc_figures(*agent);
	trace_for(&at_ns, window);
	struct proc_figures after = proc_figures(*agent);
	spanring_counters_read(&counters);
	if (counters.ended - before_counters.ended != (uint64_t)window * SPANS_PER_TICK)
		return -EIO;
	double seconds = (double)(after.time_ns - before.time_ns) / 1e9;
	ret_values[0] = (double)(counters.ended - before_counters.ended) / seconds;
	ret_values[1] = proc_figures_cpu_percent(&before, &after);
	ret_values[2] = (double)(after.switches - before.switches) / seconds;
	ret_values[3] = (double)after.resident_bytes / 1048576.0;
	int rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	return counters.dropped_full + counters.dropped_no_ring > 0 ? -EOVERFLOW : rc;
}

enum { RATE, CPU, WAKES, RESIDENT, FIGURES };

static const struct report_line lines[FIGURES] = {
    [RATE] = {"spans_per_s", "spans, none dropped", "/s", NULL},
    [CPU] = {"agent_cpu_percent", "agent, of one core", "%", "1"},
    [WAKES] = {"agent_wakes_per_s", "  its threads woken", "/s", NULL},
    [RESIDENT] = {"agent_resident_mib", "  resident", "MiB", "64"},
};

static int run(const struct stage *stage, double *values) {
	struct agent_process_options options = {.program = stage->options->agent,
	                                        .rings = stage->folders.rings,
	                                        .store = stage->folders.store,
	                                        .core = stage->loop_core == TOPOLOGY_NO_CORE ? TOPOLOGY_NO_CORE
	                                                                                     : stage->agent_core};
	struct agent_process_usage usage;
	double measured[WORKER_VALUES_MAX];
	pid_t agent;
	int rc = agent_process_start(&options, &agent);
	if (rc < 0)
		return rc;
	rc = worker_run(stage, NULL, measure, &agent, measured);
	int stopped = agent_process_stop(agent, &usage);
	memcpy(values, measured, FIGURES * sizeof(*values));
	return rc < 0 ? rc : stopped;
}

int rate_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-rate/1",
	    .title = "The agent beside a program that records 10,000 spans a second",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}
