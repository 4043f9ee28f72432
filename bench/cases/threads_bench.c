/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench threads: what a span costs each of several threads that begin and end spans at the same time, bound to
 * a core each. The floor of as many threads at once stands beside it: what two cores do to each other without the
 * library is not the library's.
 *
 * The agent would need a core. So it is halted during the bursts, which fit the rings (16 MiB each), and drains between
 * them.
 */
#include "base/cleanup.h"
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/floors/topology.h"
#include "bench/loops/bursts.h"
#include "bench/loops/span_loops.h"
#include <errno.h>
#include <spanring/spanring.h>

#include <math.h>
#include <pthread.h>
#include <sched.h>

#define THREADS_MAX 64u
#define RING_BYTES "16777216"
#define RING_RECORDS (16777216u / SPANRING_RECORD_BYTES)
#define BURST (48u * CHUNK_ROUNDS)
#define BURSTS 8u

_Static_assert(BURST < RING_RECORDS, "a burst fits the ring");

struct threads_task {
	uint64_t (*loop)(uint64_t rounds);
	bool is_recorded;
	uint32_t threads; /* 0: as many as there are cores */
};

struct crew {
	const struct stage *stage;
	const struct threads_task *task;
	pthread_barrier_t barrier;
};

struct member {
	pthread_t thread;
	struct crew *crew;
	struct chunks *chunks;
	int core;
	bool is_first;
	int rc;
};

/* All begin a burst together, the agent halted, and no one flushes before all are done. */
static void *member_run(void *argument) {
	struct member *member = argument;
	struct crew *crew = member->crew;
	const struct stage *stage = crew->stage;
	uint64_t rounds = stage_rounds(stage, BURST);
	(void)topology_pin(member->core);
	(void)crew->task->loop(CHUNK_ROUNDS);
	for (uint32_t i = stage_bursts(stage, BURSTS); i > 0; i--) {
		if (crew->task->is_recorded && member->rc == 0)
			member->rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
		(void)pthread_barrier_wait(&crew->barrier);
		if (member->is_first)
			stage_agent_halt(stage);
		(void)pthread_barrier_wait(&crew->barrier);
		chunks_run(member->chunks, crew->task->loop, rounds);
		(void)pthread_barrier_wait(&crew->barrier);
		if (member->is_first)
			stage_agent_resume(stage);
	}
	return NULL;
}

/* A core for each: the last ones first, so that one thread alone is where the loop of all other cases is. */
static uint32_t assign_cores(const cpu_set_t *cores, uint32_t wanted, int *ret_cores) {
	uint32_t count = 0;
	for (int core = CPU_SETSIZE - 1; core >= 0 && count < wanted; core--) {
		if (CPU_ISSET((size_t)core, cores))
			ret_cores[count++] = core;
	}
	return count;
}

/* A thread that cannot be started leaves others waiting at the barrier for ever: the worker ends instead. */
static int run_crew(struct member *members, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		int rc = -pthread_create(&members[i].thread, NULL, member_run, &members[i]);
		if (rc < 0)
			return rc;
	}
	int rc = 0;
	for (uint32_t i = 0; i < count; i++) {
		(void)pthread_join(members[i].thread, NULL);
		rc = members[i].rc < 0 ? members[i].rc : rc;
	}
	return rc;
}

static int measure_crew(struct crew *crew, const int *cores, uint32_t count, double *ret_slowest_ns) {
	CLEANUP_FREE struct member *members = calloc(count, sizeof(*members));
	CLEANUP_FREE struct chunks *chunks = calloc(count, sizeof(*chunks));
	if (!members || !chunks || pthread_barrier_init(&crew->barrier, NULL, count) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		members[i] = (struct member){.crew = crew, .chunks = &chunks[i], .core = cores[i], .is_first = i == 0};
	int rc = run_crew(members, count);
	if (rc < 0)
		return rc;
	*ret_slowest_ns = 0;
	for (uint32_t i = 0; i < count; i++)
		*ret_slowest_ns = fmax(*ret_slowest_ns, chunks_median_ns(&chunks[i]));
	return 0;
}

/* The cores that this process may use: those of the stage's process, before this one was bound to one. */
static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct threads_task *task = task_pointer;
	struct crew crew = {.stage = stage, .task = task};
	struct spanring_counters counters;
	int cores[THREADS_MAX];
	cpu_set_t allowed;
	if (sched_getaffinity(getppid(), sizeof(allowed), &allowed) < 0)
		return -errno;
	uint32_t wanted = task->threads;
	if (wanted == 0)
		wanted = CPU_COUNT(&allowed) > 2 ? (uint32_t)CPU_COUNT(&allowed) : THREADS_MAX + 1;
	if (wanted > THREADS_MAX || assign_cores(&allowed, wanted, cores) < wanted)
		return 0;
	int rc = measure_crew(&crew, cores, wanted, &ret_values[0]);
	if (rc < 0 || !task->is_recorded)
		return rc;
	spanring_counters_read(&counters);
	return counters.dropped_full + counters.dropped_no_ring > 0 ? -EOVERFLOW : 0;
}

enum {
	ONE = FLOORS_FIGURES,
	ONE_RATIO,
	TWO,
	TWO_RATIO,
	ALL,
	ALL_RATIO,
	TWO_FLOOR,
	TWO_FLOOR_RATIO,
	ALL_FLOOR,
	ALL_FLOOR_RATIO,
	TWO_OF_ONE,
	ALL_OF_ONE,
	FIGURES
};

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    [ONE] = {"span_1_thread_ns", "span, one thread", "ns", NULL},
    [ONE_RATIO] = {"span_1_thread_ratio", "  of the floor", "x", NULL},
    [TWO] = {"span_2_threads_ns", "span, two threads, the slower one", "ns", NULL},
    [TWO_RATIO] = {"span_2_threads_ratio", "  of the floor of one thread", "x", NULL},
    [ALL] = {"span_all_threads_ns", "span, a thread on every core, the slowest one", "ns", NULL},
    [ALL_RATIO] = {"span_all_threads_ratio", "  of the floor of one thread", "x", NULL},
    [TWO_FLOOR] = {"two_ticks_2_threads_ns", "floor, two threads", "ns", NULL},
    [TWO_FLOOR_RATIO] = {"two_ticks_2_threads_ratio", "  of that of one thread", "x", NULL},
    [ALL_FLOOR] = {"two_ticks_all_threads_ns", "floor, a thread on every core", "ns", NULL},
    [ALL_FLOOR_RATIO] = {"two_ticks_all_threads_ratio", "  of that of one thread", "x", NULL},
    [TWO_OF_ONE] = {"span_2_of_1_ratio", "span, two threads of one", "x", "1.1"},
    [ALL_OF_ONE] = {"span_all_of_1_ratio", "span, a thread on every core of one", "x", "1.1"},
};

static const struct threads_task tasks[] = {
    {span_loop_spans_ns, true, 1},      {span_loop_spans_ns, true, 2},      {span_loop_spans_ns, true, 0},
    {span_loop_two_ticks_ns, false, 2}, {span_loop_two_ticks_ns, false, 0},
};

static const struct worker_setting settings[] = {{"SPANRING_RING_BYTES", RING_BYTES}, {NULL, NULL}};

static const struct floors_mode modes[] = {
    {ONE, 1, settings, &tasks[0]}, {TWO, 1, settings, &tasks[1]},   {TWO_FLOOR, 1, NULL, &tasks[3]},
    {ALL, 1, settings, &tasks[2]}, {ALL_FLOOR, 1, NULL, &tasks[4]},
};

static int run(const struct stage *stage, double *values) {
	int rc = floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
	values[TWO_OF_ONE] = values[TWO] / values[ONE];
	values[ALL_OF_ONE] = values[ALL] / values[ONE];
	return rc;
}

int threads_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-threads/1",
	    .title = "Spans on several threads at once",
	    .note = "The agent is halted during the bursts, which fit the rings: it would need a core of its own.\n"
	            "A thread on every core is measured where there are more than two.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
