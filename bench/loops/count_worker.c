/* SPDX-License-Identifier: Apache-2.0 */
#include "count_worker.h"

#include "base/sibling.h"
#include "bench/commands.h"
#include "bench/worker.h"
#include "syscall_count.h"
#include <errno.h>
#include <spanring/heap.h>
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

#include <math.h>

#pragma weak spanring_heap_counters

#ifdef SPANRING_BENCH_HEAP
#define HAS_HEAP true
#else
#define HAS_HEAP false
#endif

#define ROUNDS 100000u
#define RECORDS_PER_ROUND 4u
#define RING_BYTES "67108864"

_Static_assert(ROUNDS *RECORDS_PER_ROUND < SPANRING_RING_BYTES_MAX / SPANRING_RECORD_BYTES, "all of it fits the ring");

enum { SPANS, ALLOCATIONS, DROPPED };

/* What a span may do while it is open: none of it may cost a call. */
static void one_round(uint32_t round) {
	SPANRING_SPAN(span, "bench.counted");
	SPANRING_SET_U64(span, "bench.number", round);
	SPANRING_EVENT(span, "bench.event");
	{ SPANRING_SPAN(child, "bench.counted_child"); }
}

static uint64_t allocations(void) {
	const struct spanring_heap_totals *counters = spanring_heap_counters ? spanring_heap_counters() : NULL;
	return counters ? counters->allocations : UINT64_MAX;
}

int count_worker_run(const struct bench_options *options) {
	double values[WORKER_VALUES_MAX] = {0};
	struct spanring_counters counters;
	(void)options;
	one_round(0);
	uint64_t before = allocations();
	syscall_count_mark();
	for (uint32_t i = 0; i < ROUNDS; i++)
		one_round(i);
	syscall_count_mark();
	uint64_t after = allocations();
	spanring_counters_read(&counters);
	spanring_shutdown();
	values[SPANS] = 2.0 * ROUNDS;
	values[ALLOCATIONS] = before == UINT64_MAX ? NAN : (double)(after - before);
	values[DROPPED] = (double)(counters.dropped_full + counters.dropped_attributes + counters.dropped_events);
	worker_answer(counters.ended == 2u * (ROUNDS + 1) ? 0 : -EIO, values);
}

static int measure(const struct stage *stage, const char *ring_bytes, double *ret_system_calls, double *ret_values) {
	char library[PATH_MAX];
	const bool has_library = HAS_HEAP && sibling_library(SIBLING_HEAP_LIBRARY, library) == 0;
	const struct worker_setting settings[] = {
	    {"SPANRING_RING_BYTES", ring_bytes}, {has_library ? "LD_PRELOAD" : NULL, library}, {NULL, NULL}};
	int rc = worker_exec(stage, settings, "count-worker", ret_values, ret_system_calls);
	*ret_system_calls /= ret_values[SPANS];
	return rc;
}

int count_worker_measure(const struct stage *stage, struct count_worker_result *ret_result) {
	double values[WORKER_VALUES_MAX];
	int rc = measure(stage, RING_BYTES, &ret_result->system_calls, values);
	if (rc == 0 && values[DROPPED] > 0)
		rc = -EOVERFLOW;
	ret_result->allocations = values[ALLOCATIONS] / values[SPANS];
	if (rc == 0)
		rc = measure(stage, NULL, &ret_result->system_calls_overload, values);
	return rc;
}
