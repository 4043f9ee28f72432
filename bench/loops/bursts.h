/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bursts of a timed loop in a traced process. Each burst fits the ring; between two of them the loop waits, untimed,
 * until the agent has stored all. The first burst is not timed: it attaches process and thread, and fills caches and
 * pages.
 */
#ifndef SPANRING_BENCH_BURSTS_H
#define SPANRING_BENCH_BURSTS_H

#include "chunks.h"

#include <stdbool.h>

#define BURSTS_FLUSH_PATIENCE_NS UINT64_C(30000000000)

struct bursts {
	uint64_t (*loop)(uint64_t rounds); /* as of chunks_run */
	uint64_t rounds;                   /* of one burst: whole chunks */
	uint64_t warm_up_rounds;           /* 0: as many as the others */
	uint32_t count;
	bool is_off; /* nothing is recorded: no waiting */
};

struct bursts_result {
	double median_ns; /* per round, of the median chunk */
	double mean_ns;
	uint64_t rounds;
	uint64_t ended; /* spans, of the timed bursts */
	uint64_t sampled_out;
	uint64_t dropped; /* spans that found no room */
	uint64_t lost; /* all else that found no room or was over a limit: attributes, events, links, contexts, depth */
};

/* 0 or negative errno. */
int bursts_run(const struct bursts *bursts, struct bursts_result *ret_result);

/* The same, where nothing may be dropped or lost: else -EOVERFLOW. */
int bursts_run_whole(const struct bursts *bursts, struct bursts_result *ret_result);

#endif
