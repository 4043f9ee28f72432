/* SPDX-License-Identifier: Apache-2.0 */
/* The loops that several cases time: the floors, and the empty span. */
#ifndef SPANRING_BENCH_SPAN_LOOPS_H
#define SPANRING_BENCH_SPAN_LOOPS_H

#include <stdint.h>

/* Each returns the nanoseconds that `count` rounds took. */
uint64_t span_loop_empty_ns(uint64_t count);
uint64_t span_loop_two_clocks_ns(uint64_t count); /* clock_gettime(CLOCK_MONOTONIC), twice */
uint64_t span_loop_two_ticks_ns(uint64_t count);  /* the counter that the library reads, twice */
uint64_t span_loop_spans_ns(uint64_t count);      /* begin and end of a span with nothing in it */

#endif
