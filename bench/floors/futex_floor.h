/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it takes to wake somebody here, without anything of ours: a process waits for a futex on its core, sleeping as the agent
 * does; this one wakes it and looks until it sees that it runs. On a virtual machine most of it is the host, which has to bring
 * back a virtual processor that had nothing to do.
 */
#ifndef SPANRING_BENCH_FUTEX_FLOOR_H
#define SPANRING_BENCH_FUTEX_FLOOR_H

#include <stdint.h>

/* Median of `rounds` (at most 400) wakes, microseconds, of a process on that core; the caller runs on another. NaN if it cannot be had. */
double futex_floor_us(int core, uint32_t rounds);

#endif
