/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow ones: each span timed by itself, with a reading of the counter before and one behind, less what two such
 * readings cost with nothing between them. That pair of readings alone, as often, shows the tail that the machine has
 * anyway: interrupts, other programs, the host.
 */
#ifndef SPANRING_BENCH_TAIL_H
#define SPANRING_BENCH_TAIL_H

#include <stdint.h>

struct tail {
	double p50_ns;
	double p99_ns;
	double p99_9_ns;
	double p99_99_ns;
	double max_ns;
};

/* Bursts of spans with an agent beside, as in bursts.h. All NaN on a machine without a counter. 0 or negative errno. */
int tail_measure(uint64_t burst_spans, uint32_t bursts, struct tail *ret_spans, struct tail *ret_readings);

#endif
