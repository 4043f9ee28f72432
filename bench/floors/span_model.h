/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a span can do which is timed, counted and not recorded: a bound for `sampled`, measured in the same run. It asks
 * whether tracing is on, takes an entry of a stack, says how many spans began and are open, reads the counter; at the end it
 * finds its entry by the handle, reads the counter, adds to one bin, one sum and one count, and says again how many are open. No signal
 * handler may come, no sampler is asked, no trace has an id, nobody can change anything while it runs.
 */
#ifndef SPANRING_BENCH_SPAN_MODEL_H
#define SPANRING_BENCH_SPAN_MODEL_H

#include <stdint.h>

/* Nanoseconds that `count` rounds took; with begin and end as functions, as a library has them, and as part of the loop. */
uint64_t span_model_called_ns(uint64_t count);
uint64_t span_model_inlined_ns(uint64_t count);

#endif
