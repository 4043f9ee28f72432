/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness that can be replayed: every test that uses it prints its seed; SPANRING_TEST_SEED sets it. */
#ifndef SPANRING_TESTS_SUPPORT_SEED_H
#define SPANRING_TESTS_SUPPORT_SEED_H

#include <stdint.h>

struct seed {
	uint64_t state;
};

/* From SPANRING_TEST_SEED, else from the system; prints "seed: N" on standard error. */
struct seed seed_start(const char *test_name);
/* Next number of the sequence (splitmix64). */
uint64_t seed_next(struct seed *seed);
/* Uniform enough in [0, bound); bound > 0. */
uint64_t seed_below(struct seed *seed, uint64_t bound);

/* Rounds of a campaign: this many, times SPANRING_TEST_SCALE, by SANITIZER_SLOWDOWN; at least one. */
unsigned seed_rounds(unsigned rounds);

#endif
