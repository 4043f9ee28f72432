/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of spanring-bench heap. */
#ifndef SPANRING_BENCH_HEAP_LOOP_H
#define SPANRING_BENCH_HEAP_LOOP_H

#include <stdint.h>

/* Nanoseconds that `count` pairs of malloc and free of one small block took. */
uint64_t heap_loop_pairs_ns(uint64_t count);

#endif
