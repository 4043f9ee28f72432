/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict of a soak: what grows is called growing, what only moves is not. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/trend.h"

#include <math.h>

#define POINTS 120u
#define INTERVAL_S 10.0

static double noise(struct seed *seed) {
	return (double)seed_below(seed, 2001) / 1000.0 - 1.0;
}

/* A line with noise of size 1. */
static struct trend line(struct seed *seed, double per_second, double tolerance) {
	struct regression_point points[POINTS];
	for (uint32_t i = 0; i < POINTS; i++)
		points[i] = (struct regression_point){i * INTERVAL_S, 100 + per_second * i * INTERVAL_S + noise(seed)};
	return trend_of(points, POINTS, tolerance);
}

static void a_slope_is_found(void **state) {
	struct seed seed = seed_start("trend");
	(void)state;
	struct trend trend = line(&seed, 0.01, 2);
	assert_int_equal(trend.verdict, TREND_GROWING);
	/* The interval misses one time in twenty; four times as far off is no chance (the_interval_keeps_its_promise counts). */
	assert_true(fabs(trend.slope - 0.01) <= 2 * (trend.slope_high - trend.slope_low));
	assert_true(trend.slope_low < trend.slope && trend.slope < trend.slope_high);
	assert_true(trend.last > trend.first + 5);
	/* the same growth, where so much is nothing */
	assert_int_equal(line(&seed, 0.01, 20).verdict, TREND_FLAT);
	assert_int_equal(line(&seed, -0.01, 2).verdict, TREND_FLAT);
}

/* Pages that are taken and given back for a while: a random walk with a floor and a ceiling. */
static void a_walk_is_flat(void **state) {
	struct seed seed = seed_start("walk");
	struct regression_point points[POINTS];
	(void)state;
	unsigned growing = 0;
	unsigned rounds = 200;
	for (unsigned round = 0; round < rounds; round++) {
		double y = 50;
		for (uint32_t i = 0; i < POINTS; i++) {
			y = fmin(fmax(y + 3 * noise(&seed), 40), 60);
			points[i] = (struct regression_point){i * INTERVAL_S, y};
		}
		growing += trend_of(points, POINTS, 1).verdict == TREND_GROWING;
	}
	/* one side of 95 %, and the correction is not exact */
	if (growing > rounds / 10)
		fail_msg("%u of %u walks are called growing", growing, rounds);
}

static void the_interval_keeps_its_promise(void **state) {
	struct seed seed = seed_start("interval");
	(void)state;
	unsigned outside = 0;
	unsigned rounds = 1000;
	for (unsigned round = 0; round < rounds; round++) {
		struct trend trend = line(&seed, 0.001, 1e9);
		outside += trend.slope_low > 0.001 || trend.slope_high < 0.001;
	}
	/* 5 % and five standard deviations more */
	if (outside > rounds * 9 / 100)
		fail_msg("%u of %u intervals do not hold the slope", outside, rounds);
}

static void few_points_say_nothing(void **state) {
	struct regression_point points[TREND_POINTS_MIN] = {{0, 0}};
	(void)state;
	for (uint32_t i = 0; i < TREND_POINTS_MIN; i++)
		points[i] = (struct regression_point){i, i};
	assert_int_equal(trend_of(points, TREND_POINTS_MIN - 1, 1).verdict, TREND_SHORT);
	assert_int_equal(trend_of(points, TREND_POINTS_MIN, 1).verdict, TREND_GROWING);
	for (uint32_t i = 0; i < TREND_POINTS_MIN; i++)
		points[i].y = 7;
	struct trend trend = trend_of(points, TREND_POINTS_MIN, 0);
	assert_int_equal(trend.verdict, TREND_FLAT);
	assert_true(fabs(trend.slope_high - trend.slope_low) < 1e-12);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_slope_is_found),
	    cmocka_unit_test(a_walk_is_flat),
	    cmocka_unit_test(the_interval_keeps_its_promise),
	    cmocka_unit_test(few_points_say_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
