/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long loop, timed in chunks of about 100 us. The median chunk is what a round costs while the loop runs; the mean
 * also holds what the machine did meanwhile on this core (other programs, the host). Both are told, and never one for
 * the other.
 */
#ifndef SPANRING_BENCH_CHUNKS_H
#define SPANRING_BENCH_CHUNKS_H

#include <stdint.h>

#define CHUNK_ROUNDS 4096u
#define CHUNKS_MAX 4096u

struct chunks {
	double round_ns[CHUNKS_MAX];
	uint32_t count;
};

/* loop takes a number of rounds and returns the nanoseconds they took; rounds is a multiple of CHUNK_ROUNDS. */
void chunks_run(struct chunks *chunks, uint64_t (*loop)(uint64_t rounds), uint64_t rounds);

/* Per round; changes the order of the chunks. */
double chunks_median_ns(struct chunks *chunks);
double chunks_mean_ns(const struct chunks *chunks);

#endif
