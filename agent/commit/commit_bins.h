/* SPDX-License-Identifier: Apache-2.0 */
/* How long commits take and how many spans they hold, in a few fixed bins: what a Prometheus histogram wants. */
#ifndef SPANRING_AGENT_COMMIT_BINS_H
#define SPANRING_AGENT_COMMIT_BINS_H

#include <stdint.h>

#define COMMIT_BINS_COUNT 10u

struct commit_bins {
	uint64_t durations[COMMIT_BINS_COUNT + 1]; /* not cumulative; the last one: above all bounds */
	uint64_t batches[COMMIT_BINS_COUNT + 1];
	uint64_t spans; /* sum over the batches */
};

/* Upper bounds, rising, and the same as they are written. */
extern const uint64_t commit_bins_ns[COMMIT_BINS_COUNT];
extern const char *const commit_bins_seconds[COMMIT_BINS_COUNT];
extern const uint64_t commit_bins_spans[COMMIT_BINS_COUNT];

void commit_bins_count(struct commit_bins *bins, uint64_t commit_ns, uint64_t spans);

#endif
