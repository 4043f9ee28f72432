/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench async: what spans cost that no thread's stack holds. Ended by the thread that began them; begun and
 * ended sixteen at a time; and ended by another thread, which takes the handles from a ring of its own.
 *
 * Two threads need both cores, so for them the agent is halted, and all they write fits the ring (64 MiB). The figure
 * is then the time that passes per span while both threads work: the slower of the two sets it, and so does the
 * distance of the cores.
 */
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/floors/topology.h"
#include "bench/loops/bursts.h"
#include "bench/loops/loop.h"
#include <spanring/async.h>
#include <spanring/ring_abi.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#define BURST (SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES / 2u)
#define BURSTS 32u
#define MANY 16u
#define HANDOVER_SPANS (128u * CHUNK_ROUNDS)
#define HANDOVER_RING_BYTES "67108864"
#define HANDOVER_SLOTS 1024u /* a power of two */
#define SPINS_BEFORE_YIELD 10000u

_Static_assert(HANDOVER_SPANS + CHUNK_ROUNDS < SPANRING_RING_BYTES_MAX / SPANRING_RECORD_BYTES,
               "all of it fits the ring");

static struct spanring_site site = SPANRING_SITE_INIT("bench.async", SPANRING_KIND_INTERNAL);

static uint64_t one_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		spanring_async_end(spanring_async_begin(&site));
	return clock_monotonic_ns() - start_ns;
}

/* A round is one span, not sixteen. */
static uint64_t many_ns(uint64_t count) {
	struct spanring_async spans[MANY];
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i += MANY) {
		uint32_t begun = spanring_async_begin_many(&site, NULL, MANY, spans);
		spanring_async_end_many(spans, begun);
	}
	return clock_monotonic_ns() - start_ns;
}

/* One thread puts handles in, one takes them out; in a worker there is one of it, which the timed loop must find. */
static struct handover {
	struct spanring_async handles[HANDOVER_SLOTS];
	_Alignas(128) uint64_t put;   /* release by the thread that begins, acquire by the other */
	_Alignas(128) uint64_t taken; /* and the other way round */
	uint64_t last;                /* as many are there to be taken */
	int core;
} handover;

static void wait_past(const uint64_t *word, uint64_t value) {
	for (uint32_t spins = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) <= value; spins++) {
		if (spins % SPINS_BEFORE_YIELD == 0)
			(void)sched_yield();
	}
}

static void *take_all(void *argument) {
	(void)argument;
	(void)topology_pin(handover.core);
	for (uint64_t taken = 0; taken < handover.last; taken++) {
		wait_past(&handover.put, taken);
		spanring_async_end(handover.handles[taken % HANDOVER_SLOTS]);
		__atomic_store_n(&handover.taken, taken + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static uint64_t handover_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t put = handover.put, last = put + count;
	for (; put < last; put++) {
		if (put >= HANDOVER_SLOTS)
			wait_past(&handover.taken, put - HANDOVER_SLOTS);
		handover.handles[put % HANDOVER_SLOTS] = spanring_async_begin(&site);
		__atomic_store_n(&handover.put, put + 1, __ATOMIC_RELEASE);
	}
	wait_past(&handover.taken, last - 1);
	return clock_monotonic_ns() - start_ns;
}

enum async_kind { ONE, SIXTEEN, TWO_THREADS };
static const enum async_kind kind_one = ONE;
static const enum async_kind kind_sixteen = SIXTEEN;
static const enum async_kind kind_two_threads = TWO_THREADS;

static int measure_two_threads(const struct stage *stage, struct bursts_result *ret_result) {
	const struct bursts bursts = {.loop = handover_ns,
	                              .rounds = stage_rounds(stage, HANDOVER_SPANS),
	                              .warm_up_rounds = CHUNK_ROUNDS,
	                              .count = 1,
	                              .is_off = true};
	pthread_t thread;
	handover.last = bursts.rounds + bursts.warm_up_rounds;
	handover.core = stage->agent_core;
	int rc = -pthread_create(&thread, NULL, take_all, NULL);
	if (rc < 0)
		return rc;
	stage_agent_halt(stage);
	rc = bursts_run_whole(&bursts, ret_result);
	stage_agent_resume(stage);
	if (rc == 0)
		(void)pthread_join(thread, NULL);
	return rc;
}

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	const enum async_kind kind = *(const enum async_kind *)task;
	const struct bursts bursts = {.loop = kind == ONE ? one_ns : many_ns,
	                              .rounds = stage_rounds(stage, BURST),
	                              .count = stage_bursts(stage, BURSTS)};
	struct bursts_result result;
	int rc;
	if (kind == TWO_THREADS) {
		if (stage->loop_core == TOPOLOGY_NO_CORE)
			return 0;
		rc = measure_two_threads(stage, &result);
	} else {
		/* Children of one span: of sixteen roots each would be a trace of its own. */
		SPANRING_SPAN(parent, "bench.parent");
		rc = bursts_run_whole(&bursts, &result);
	}
	if (rc < 0)
		return rc;
	ret_values[0] = result.median_ns;
	ret_values[1] = result.mean_ns;
	return result.ended == result.rounds ? 0 : -EIO;
}

#define MODE_FIGURES 3u
enum {
	SAME_THREAD = FLOORS_FIGURES,
	MANY_AT_ONCE = SAME_THREAD + MODE_FIGURES,
	OTHER_THREAD = MANY_AT_ONCE + MODE_FIGURES,
	FIGURES = OTHER_THREAD + MODE_FIGURES
};

#define LINES(figure, key, label)                                                                                      \
	[figure] = {key "_ns", label, "ns", NULL}, [(figure) + 1] = {key "_ratio", "  of the floor", "x", NULL},       \
	[(figure) + 2] = {key "_mean_ns", "  mean", "ns", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    LINES(SAME_THREAD, "async_one", "begin and end on one thread"),
    LINES(MANY_AT_ONCE, "async_many", "sixteen at once on one thread, each"),
    LINES(OTHER_THREAD, "async_two_threads", "begin on one thread, end on another"),
};

static const struct worker_setting large_ring[] = {{"SPANRING_RING_BYTES", HANDOVER_RING_BYTES}, {NULL, NULL}};

static const struct floors_mode modes[] = {
    {SAME_THREAD, 2, NULL, &kind_one},
    {MANY_AT_ONCE, 2, NULL, &kind_sixteen},
    {OTHER_THREAD, 2, large_ring, &kind_two_threads},
};

static int run(const struct stage *stage, double *values) {
	return floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
}

int async_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-async/1",
	    .title = "Async spans",
	    .note = "With two threads the agent is halted: they need its core, and all they write fits the ring.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
