/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made-up system of microservices, the same for the same seed, so that sizes and speeds of two builds can be
 * compared:
 *
 *     streams      4 processes x 4 threads; each stream is what one thread's ring receives, in order of span ends
 *     traces       5 to 50 spans (5 + exponential, mean about 18); they begin with exponential gaps, by default 10^6 spans/s
 *     names        200, Zipf with exponent 1.1; each has its own typical duration between 2 us and 500 us
 *     durations    self time lognormal (sigma 0.8), 1 % from a Pareto tail (shape 1.5, at most 1000 x);
 *                  a parent's duration is its own time and its children's, one after the other
 *     hops         25 % of the children run on another stream, with a network delay before and after
 *     errors       1 %
 *
 * Ids are made as the library makes them: span ids count up per thread from a random start, a trace id is a random half
 * per thread and a mixed counter. No attributes, no events, and no heap counts.
 */
#ifndef SPANRING_BENCH_WORKLOAD_H
#define SPANRING_BENCH_WORKLOAD_H

#include <spanring/record.h>

#define WORKLOAD_PROCESSES 4u
#define WORKLOAD_THREADS 4u
#define WORKLOAD_STREAMS (WORKLOAD_PROCESSES * WORKLOAD_THREADS)
#define WORKLOAD_NAMES 200u
#define WORKLOAD_RATE 1e6 /* spans per second of a busy system */
#define WORKLOAD_SPANS_MIN 1000u
#define WORKLOAD_SPANS_MAX 50000000u

/*
 * Records are complete but for lap and site: start_ticks is ns after the beginning of the workload, tail.ref the number
 * of the name (0 to WORKLOAD_NAMES - 1).
 */
struct workload_stream {
	struct spanring_span_record *records;
	uint32_t count;
};

struct workload {
	struct workload_stream streams[WORKLOAD_STREAMS];
	uint64_t span_count;
	uint64_t duration_ns; /* until the last span ends */
};

/* At least span_count spans: the last trace is complete. 0 or -ENOMEM. */
int workload_generate(uint64_t span_count, double spans_per_second, uint64_t seed, struct workload *ret_workload);
void workload_done(struct workload *workload);

#endif
