/* SPDX-License-Identifier: Apache-2.0 */
#include "commit_bins.h"

#include "base/clock.h"

const uint64_t commit_bins_ns[COMMIT_BINS_COUNT] = {
    NS_PER_MS,      5 * NS_PER_MS / 2, 5 * NS_PER_MS,   10 * NS_PER_MS,   25 * NS_PER_MS,
    50 * NS_PER_MS, 100 * NS_PER_MS,   500 * NS_PER_MS, 5 * NS_PER_S / 2, 10 * NS_PER_S};
const char *const commit_bins_seconds[COMMIT_BINS_COUNT] = {"0.001", "0.0025", "0.005", "0.01", "0.025",
                                                            "0.05",  "0.1",    "0.5",   "2.5",  "10.0"};
const uint64_t commit_bins_spans[COMMIT_BINS_COUNT] = {1, 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536};

static uint32_t bin_of(const uint64_t *bounds, uint64_t value) {
	uint32_t bin = 0;
	while (bin < COMMIT_BINS_COUNT && value > bounds[bin])
		bin++;
	return bin;
}

void commit_bins_count(struct commit_bins *bins, uint64_t commit_ns, uint64_t spans) {
	bins->durations[bin_of(commit_bins_ns, commit_ns)]++;
	bins->batches[bin_of(commit_bins_spans, spans)]++;
	bins->spans += spans;
}
