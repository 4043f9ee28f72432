/* SPDX-License-Identifier: Apache-2.0 */
/* Percentiles out of bins against those of the sorted values: never further off than is said. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/sketch.h"
#include "base/errs.h"

#include <spanring/statistics_abi.h>

#include <math.h>
#include <stdlib.h>

#define VALUES 5000u
#define ONE_NS (UINT64_C(1) << 32)

static int by_value(const void *a, const void *b) {
	uint64_t first = *(const uint64_t *)a;
	uint64_t second = *(const uint64_t *)b;
	return first < second ? -1 : first > second;
}

static int add(struct sketches *sketches, size_t series, int scale, uint32_t bin, uint64_t count) {
	struct store_rollup_bin one = {.count = count, .bin = bin};
	return sketches_add(sketches, series, scale, &one, 1);
}

static uint64_t to_ns(uint64_t ticks, uint64_t scale) {
	return (uint64_t)llrint((double)ticks * (double)scale / (double)ONE_NS);
}

/* Durations over many octaves, the clocks of several processes. */
static void compare(struct seed *seed, unsigned scales, unsigned octaves) {
	uint64_t ns[VALUES];
	struct sketches *sketches = NULL;
	struct sketch_figures figures;
	unsigned count = 1 + (unsigned)seed_below(seed, VALUES);
	assert_int_equal(sketches_new(1, SKETCH_BUDGET_BYTES, &sketches), 0);
	for (unsigned i = 0; i < count; i++) {
		uint64_t scale = ONE_NS / 3 + (seed_below(seed, scales) << 24);
		uint64_t ticks = 1 + (seed_next(seed) >> (63 - seed_below(seed, octaves)));
		int number = sketches_scale(sketches, scale);
		assert_true(number >= 0);
		assert_int_equal(add(sketches, 0, number, spanring_statistics_bin(ticks), 1), 0);
		ns[i] = to_ns(ticks, scale);
	}
	qsort(ns, count, sizeof(ns[0]), by_value);
	assert_int_equal(sketches_figures(sketches, 0, ns[0], ns[count - 1], &figures), 0);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++) {
		double exact = (double)ns[quantile_rank(count, (enum quantile)q) - 1];
		double distance = fabs((double)figures.quantiles[q] - exact);
		/* both are rounded to whole ns */
		if (distance > exact * SKETCH_ERROR + 1)
			fail_msg("%u values, quantile %u: %g, not %g", count, q, (double)figures.quantiles[q], exact);
	}
	sketches_free(sketches);
}

static void percentiles_keep_their_bound(void **state) {
	struct seed seed = seed_start("sketch");
	(void)state;
	for (unsigned i = 0; i < 4 + seed_rounds(200); i++)
		compare(&seed, 1 + i % 4, 1 + (unsigned)seed_below(&seed, 43));
}

static void equal_values_are_exact(void **state) {
	struct sketches *sketches = NULL;
	struct sketch_figures figures;
	(void)state;
	assert_int_equal(sketches_new(3, SKETCH_BUDGET_BYTES, &sketches), 0);
	assert_int_equal(add(sketches, 1, sketches_scale(sketches, ONE_NS), spanring_statistics_bin(123456789), 7), 0);
	assert_int_equal(sketches_figures(sketches, 1, 123456789, 123456789, &figures), 0);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		assert_int_equal(figures.quantiles[q], 123456789);
	assert_true(figures.stddev == 0);
	assert_int_equal(sketches_figures(sketches, 2, 0, 0, &figures), 0);
	assert_int_equal(figures.quantiles[QUANTILE_P99], 0);
	sketches_free(sketches);
}

static void the_deviation_is_that_of_the_bins(void **state) {
	struct sketches *sketches = NULL;
	struct sketch_figures figures;
	(void)state;
	assert_int_equal(sketches_new(1, SKETCH_BUDGET_BYTES, &sketches), 0);
	int scale = sketches_scale(sketches, ONE_NS);
	assert_int_equal(add(sketches, 0, scale, spanring_statistics_bin(10), 1000), 0);
	assert_int_equal(add(sketches, 0, scale, spanring_statistics_bin(50), 1000), 0);
	assert_int_equal(sketches_figures(sketches, 0, 10, 50, &figures), 0);
	assert_true(fabs(figures.stddev - 20) < 1e-9);
	assert_int_equal(figures.quantiles[QUANTILE_P50], 10);
	assert_int_equal(figures.quantiles[QUANTILE_P90], 50);
	sketches_free(sketches);
}

/* Counts up to the largest number, the first and the last bin, the slowest and the fastest clock. */
static void extremes_do_not_wrap(void **state) {
	static const uint64_t scales[] = {1, ONE_NS, UINT64_MAX};
	struct sketch_figures figures;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sketches *sketches = NULL;
		assert_int_equal(sketches_new(1, SKETCH_BUDGET_BYTES, &sketches), 0);
		int scale = sketches_scale(sketches, scales[i]);
		assert_int_equal(add(sketches, 0, scale, 0, UINT64_MAX), 0);
		assert_int_equal(add(sketches, 0, scale, SPANRING_STATISTICS_BINS - 1, UINT64_MAX), 0);
		assert_int_equal(sketches_figures(sketches, 0, 0, UINT64_MAX, &figures), 0);
		assert_int_equal(figures.quantiles[QUANTILE_P50], 0);
		assert_true(isfinite(figures.stddev));
		sketches_free(sketches);
	}
}

static void limits_are_said(void **state) {
	struct sketches *sketches = NULL;
	(void)state;
	assert_int_equal(sketches_new(100, 1000, &sketches), 0);
	for (unsigned i = 0; i < SKETCH_SCALES_MAX; i++)
		assert_int_equal(sketches_scale(sketches, (uint64_t)ONE_NS * (i + 1)), (int)i);
	assert_int_equal(sketches_scale(sketches, ONE_NS + ONE_NS / SKETCH_SCALE_SLACK / 2), 0);
	assert_int_equal(sketches_scale(sketches, ONE_NS + ONE_NS / SKETCH_SCALE_SLACK * 2), ERR_LIMIT);
	assert_int_equal(add(sketches, 0, 0, 5, 1), 0);
	assert_int_equal(add(sketches, 1, 0, 5, 1), ERR_LIMIT);
	assert_int_equal(add(sketches, 0, 0, 6, 1), 0);
	sketches_free(sketches);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(percentiles_keep_their_bound),
	    cmocka_unit_test(equal_values_are_exact),
	    cmocka_unit_test(the_deviation_is_that_of_the_bins),
	    cmocka_unit_test(extremes_do_not_wrap),
	    cmocka_unit_test(limits_are_said),
	};
	return cmocka_run_group_tests_name("sketch", tests, NULL, NULL);
}
