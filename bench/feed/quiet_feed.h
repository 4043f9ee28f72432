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

/*
 * A busy system into the same kind of store: rings are drained every BUSY_FEED_DRAIN_NS of the workload's time, full batches are committed, and
 * a segment ends, with a row of rollups for each site, when it is full. Several workloads may follow each other.
 */
#define BUSY_FEED_DRAIN_NS (UINT64_C(10) * 1000000)

struct quiet_feed;

struct busy_feed {
	struct quiet_feed *feed;
	struct store_writer *writer;
	int (*on_batch)(void *context, const struct batch *batch);
	void *context;
	uint64_t now_ns;
	uint64_t segment_ns; /* when the open segment began */
	uint64_t segment_spans;
	uint64_t spans;
};

/* Batches go to the writer, or instead to on_batch where that is not NULL; what it returns but 0 ends the feed. */
int busy_feed_open(struct store_writer *writer, int (*on_batch)(void *context, const struct batch *batch),
                   void *context, struct busy_feed *ret_busy);
int busy_feed_take(struct busy_feed *busy, const struct workload *workload);
/* What is left in the batch, and the last rollups. */
int busy_feed_finish(struct busy_feed *busy);
/* Before the writer is closed or after; not open: fine. */
void busy_feed_close(struct busy_feed *busy);

#endif
