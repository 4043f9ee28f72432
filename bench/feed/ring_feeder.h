/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second, independent writer of the shared-memory contract (spanring/ring_abi.h): one process with WORKLOAD_THREADS
 * threads that put ready-made records into rings. The library stamps spans with the present time, so a workload with
 * given durations needs a writer of its own. It differs from the library in one point: when its ring is full it waits
 * for the agent, so nothing is dropped and the rate is the agent's.
 */
#ifndef SPANRING_BENCH_RING_FEEDER_H
#define SPANRING_BENCH_RING_FEEDER_H

#include "workload.h"

#define RING_FEEDER_RECORDS (SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES)

/*
 * In a process of its own: feed the streams of process number `process`, whose time 0 is base_ns of CLOCK_MONOTONIC,
 * and return when the agent has stored all of it. start_fd: end of file there is the start. 0 or negative errno
 * (-ETIMEDOUT: the agent took nothing for RING_FEEDER_PATIENCE_NS).
 */
#define RING_FEEDER_PATIENCE_NS UINT64_C(30000000000)
int ring_feeder_run(const char *rings, const struct workload *workload, unsigned process, uint64_t base_ns,
                    int start_fd);

#endif
