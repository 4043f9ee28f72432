/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two loops measured in turns: what slows the machine for a while slows both. A sample is a batch of rounds, chosen so that it lasts
 * far longer than a reading of the clock; who goes first changes each time.
 */
#ifndef SPANRING_BENCH_TURNS_H
#define SPANRING_BENCH_TURNS_H

#include "samples.h"

#include <stdint.h>

#define TURNS_ITERATIONS 100u
#define TURNS_WARMUP 10u
#define TURNS_SAMPLE_NS UINT64_C(200000) /* two thousand readings of a slow clock */

/* Does so many rounds and returns how many nanoseconds they took; what lies between samples is not counted. */
struct turns_loop {
	uint64_t (*run)(void *context, uint64_t rounds);
	void *context;
};

struct turns {
	uint32_t iterations;
	uint32_t warmup;
	uint64_t rounds_max;            /* of a sample; 0: as many as it takes */
	void (*between)(void *context); /* after each sample; may be NULL */
	void *context;
};

/*
 * Samples are nanoseconds of one round. The second loop may be NULL. 0, or -ECANCELED when a loop says that it took UINT64_MAX: it
 * failed. *ret_rounds: of one sample.
 */
int turns_run(const struct turns *turns, const struct turns_loop *first, const struct turns_loop *second,
              struct samples *ret_first, struct samples *ret_second, uint64_t *ret_rounds);

#endif
