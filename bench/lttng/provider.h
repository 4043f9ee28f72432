/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What spanring-bench peers looks for in libspanring_bench_lttng.so (dlsym), which is built where LTTng's headers are, so that
 * the program itself needs nothing of LTTng.
 */
#ifndef SPANRING_BENCH_LTTNG_PROVIDER_H
#define SPANRING_BENCH_LTTNG_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#define PROVIDER_LIBRARY "libspanring_bench_lttng.so"

uint64_t spanring_bench_lttng_spans_ns(uint64_t count); /* begin and end, so many times */
bool spanring_bench_lttng_is_on(void);                  /* a session records both events */
const char *spanring_bench_lttng_version(void);         /* that it was built with */

#endif
