/* SPDX-License-Identifier: Apache-2.0 */
#include "seed.h"

#include "sanitizer.h"

#include "cmocka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct seed seed_start(const char *test_name) {
	struct seed seed = {0};
	const char *given = getenv("SPANRING_TEST_SEED");
	if (given && *given)
		seed.state = strtoull(given, NULL, 0);
	else
		assert_int_equal(getrandom(&seed.state, sizeof(seed.state), 0), sizeof(seed.state));
	(void)fprintf(stderr, "%s: seed: %" PRIu64 " (replay with SPANRING_TEST_SEED)\n", test_name, seed.state);
	return seed;
}

uint64_t seed_next(struct seed *seed) {
	uint64_t z = (seed->state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t seed_below(struct seed *seed, uint64_t bound) {
	return seed_next(seed) % bound;
}

unsigned seed_rounds(unsigned rounds) {
	const char *text = getenv("SPANRING_TEST_SCALE");
	unsigned long scale = text ? strtoul(text, NULL, 10) : 1;
	unsigned long scaled = rounds * (scale >= 1 && scale <= 1000 ? scale : 1) / SANITIZER_SLOWDOWN;
	return scaled > 0 ? (unsigned)scaled : 1;
}
