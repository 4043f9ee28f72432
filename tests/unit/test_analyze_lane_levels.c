/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of a level never cover each other, none stands lower than it has to, and what lies within another is below it. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/lane_levels.h"

#include <stdbool.h>
#include <stdlib.h>

#define BARS 200u

struct bar {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t level;
};

static int by_start(const void *a, const void *b) {
	const struct bar *left = a;
	const struct bar *right = b;
	if (left->start_ns != right->start_ns)
		return left->start_ns < right->start_ns ? -1 : 1;
	return left->end_ns > right->end_ns ? -1 : left->end_ns < right->end_ns;
}

static bool is_taken(const struct bar *bars, uint32_t count, uint32_t level, uint64_t start_ns) {
	for (uint32_t i = 0; i < count; i++)
		if (bars[i].level == level && (bars[i].end_ns > start_ns || bars[i].start_ns == start_ns))
			return true;
	return false;
}

static void check_random(struct seed *seed, uint32_t limit) {
	struct bar bars[BARS];
	struct lane_levels levels = {.count = 0};
	for (uint32_t i = 0; i < BARS; i++) {
		bars[i].start_ns = seed_below(seed, 500);
		bars[i].end_ns = bars[i].start_ns + seed_below(seed, 1 + seed_below(seed, 200));
	}
	qsort(bars, BARS, sizeof(bars[0]), by_start);
	for (uint32_t i = 0; i < BARS; i++) {
		bars[i].level = lane_levels_place(&levels, limit, bars[i].start_ns, bars[i].end_ns);
		uint32_t highest = bars[i].level == LANE_LEVEL_NONE ? limit : bars[i].level;
		for (uint32_t level = 0; level < highest; level++)
			assert_true(is_taken(bars, i, level, bars[i].start_ns));
		if (bars[i].level != LANE_LEVEL_NONE) {
			assert_true(bars[i].level < limit && bars[i].level < levels.count);
			assert_false(is_taken(bars, i, bars[i].level, bars[i].start_ns));
		}
	}
}

static void bars_have_their_place(void **state) {
	struct seed seed = seed_start("lane levels");
	(void)state;
	for (unsigned round = 0; round < seed_rounds(200); round++) {
		check_random(&seed, LANE_LEVELS_MAX);
		check_random(&seed, 1 + (uint32_t)seed_below(&seed, 8));
	}
}

static void children_are_below(void **state) {
	struct lane_levels levels = {.count = 0};
	(void)state;
	assert_int_equal(lane_levels_place(&levels, 8, 0, 100), 0);
	assert_int_equal(lane_levels_place(&levels, 8, 0, 50), 1);
	assert_int_equal(lane_levels_place(&levels, 8, 10, 20), 2);
	assert_int_equal(lane_levels_place(&levels, 8, 20, 30), 2);
	assert_int_equal(lane_levels_place(&levels, 8, 50, 60), 1);
	assert_int_equal(lane_levels_place(&levels, 8, 100, 110), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bars_have_their_place),
	    cmocka_unit_test(children_are_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
