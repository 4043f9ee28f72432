/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent gives to its store in an hour of a quiet system, without the hour: 1,000 spans/s of the generated workload, one commit for
 * each second of it, with the cursors of all rings that had something, a memory sample of each process and of the agent, and every ten
 * seconds the rollups of all sites that had spans, with their totals. All of it goes through the store's writer, as from the agent.
 */
#ifndef SPANRING_BENCH_QUIET_FEED_H
#define SPANRING_BENCH_QUIET_FEED_H

#include "libstore/writer.h"
#include "workload.h"

#define QUIET_FEED_RATE 1000.0 /* spans per second */

struct quiet_feed_result {
	uint64_t spans;
	uint64_t commits;
	uint64_t cpu_ns; /* of encoding and committing */
};

/* 0, or the error of a commit. The segment stays open. */
int quiet_feed_run(struct store_writer *writer, const struct workload *workload, struct catalog *catalog,
                   struct quiet_feed_result *ret_result);

#endif
