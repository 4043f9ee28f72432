/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What spans cost in calls, counted: system calls by the kernel's tracer, allocations by libspanring_heap, in a process
 * of its own that has been through its first spans. The spans have an attribute, an event and a child.
 */
#ifndef SPANRING_BENCH_COUNT_WORKER_H
#define SPANRING_BENCH_COUNT_WORKER_H

#include "bench/stage.h"

/* Per span; NaN where it could not be counted. */
struct count_worker_result {
	double system_calls;
	double allocations;
	double
	    system_calls_overload; /* default ring, far too small: a writer wakes a sleeping agent once in half a ring */
};

/* 0 or negative errno. */
int count_worker_measure(const struct stage *stage, struct count_worker_result *ret_result);

#endif
