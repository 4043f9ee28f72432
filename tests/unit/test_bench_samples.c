/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles, intervals and the test of difference, against values computed by hand and against what chance must give. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "bench/harness/samples.h"

#include <math.h>
#include <stdlib.h>

#define CLOSE 1e-9

static struct samples *make(const double *values, uint32_t count) {
	struct samples *samples = calloc(1, sizeof(*samples));
	assert_non_null(samples);
	for (uint32_t i = 0; i < count; i++)
		samples_add(samples, values[i]);
	return samples;
}

static void check(double value, double expected) {
	if (!(fabs(value - expected) <= CLOSE * fmax(1, fabs(expected))))
		fail_msg("%.12g, expected %.12g", value, expected);
}

static void summary_of_ten(void **state) {
	(void)state;
	static const double values[] = {9, 1, 8, 2, 7, 3, 6, 4, 5, 10};
	struct samples *samples = make(values, 10);
	struct samples_summary summary;
	samples_summarise(samples, &summary);
	check(summary.median, 5.5);
	check(summary.mean, 5.5);
	check(summary.stddev, sqrt(55.0 / 6)); /* 82.5 / 9 */
	check(summary.min, 1);
	check(summary.max, 10);
	check(summary.p95, 10); /* rank ceil(9.5) */
	check(summary.p99, 10);
	/* ranks 5 -+ 0.98 sqrt(10): floor(1.9) = 1 and ceil(8.1) + 1 = 10 */
	check(summary.median_low, 1);
	check(summary.median_high, 10);
	assert_int_equal(summary.outliers, 0);
	free(samples);
}

static void one_and_none(void **state) {
	(void)state;
	static const double one[] = {42};
	struct samples_summary summary;
	struct samples *samples = make(one, 1);
	samples_summarise(samples, &summary);
	check(summary.median, 42);
	check(summary.median_low, 42);
	check(summary.stddev, 0);
	samples->count = 0;
	samples_summarise(samples, &summary);
	assert_true(isnan(summary.median) && isnan(summary.p99) && summary.count == 0);
	free(samples);
}

static void an_outlier_is_counted(void **state) {
	(void)state;
	double values[101];
	for (uint32_t i = 0; i < 100; i++)
		values[i] = 100 + (double)(i % 10);
	values[100] = 200;
	struct samples *samples = make(values, 101);
	struct samples_summary summary;
	samples_summarise(samples, &summary);
	assert_int_equal(summary.outliers, 1);
	free(samples);
}

static void ranks_as_in_the_book(void **state) {
	(void)state;
	static const double low[] = {1, 2, 3, 4, 5};
	static const double high[] = {6, 7, 8, 9, 10};
	static const double tied[] = {1, 1, 2, 2, 3};
	struct samples *a = make(low, 5);
	struct samples *b = make(high, 5);
	struct samples *c = make(tied, 5);
	/* U = 0, its mean 12.5, variance 275 / 12; a half off for the step */
	check(samples_p_value(a, b), erfc(12 / sqrt(275.0 / 12) / sqrt(2)));
	check(samples_p_value(b, a), samples_p_value(a, b));
	check(samples_p_value(a, a), 1);
	/* Ranks of 1 1 1 2 2 2 3 3 4 5: those of c are 2 2 5 5 7.5, U = 21.5 - 15 = 6.5; ties take 24 + 24 + 6 */
	double variance = 25.0 / 12 * (11 - 54.0 / 90);
	check(samples_p_value(c, a), erfc((12.5 - 6.5 - 0.5) / sqrt(variance) / sqrt(2)));
	b->count = 4;
	assert_true(isnan(samples_p_value(a, b)));
	free(a);
	free(b);
	free(c);
}

static double skewed(struct seed *seed) {
	double uniform = ((double)seed_below(seed, 1u << 30) + 0.5) / (double)(1u << 30);
	return 100 * pow(uniform, -0.3); /* a long tail */
}

/* Of lists from one source about one in twenty passes the level of 5 %; a shift by a fifth is found. */
static void false_alarms_and_misses(void **state) {
	(void)state;
	struct seed seed = seed_start("bench samples");
	struct samples *a = calloc(1, sizeof(*a));
	struct samples *b = calloc(1, sizeof(*b));
	unsigned alarms = 0;
	unsigned found = 0;
	assert_true(a && b);
	for (unsigned round = 0; round < 1000; round++) {
		double shift = round % 2 ? 1.2 : 1;
		a->count = b->count = 0;
		for (unsigned i = 0; i < 100; i++) {
			samples_add(a, skewed(&seed));
			samples_add(b, shift * skewed(&seed));
		}
		double p = samples_p_value(a, b);
		alarms += round % 2 == 0 && p < 0.05;
		found += round % 2 == 1 && p < 0.05;
	}
	/* 500 rounds each: 25 alarms expected, five sigma are 24 */
	if (alarms > 50 || found < 400)
		fail_msg("%u false alarms, %u of 500 shifts found", alarms, found);
	free(a);
	free(b);
}

static void ratios_pair_by_pair(void **state) {
	(void)state;
	static const double before[] = {10, 0, 20};
	static const double after[] = {15, 5, 10, 7};
	struct samples *a = make(before, 3);
	struct samples *b = make(after, 4);
	struct samples *ratios = make(NULL, 0);
	samples_ratios(a, b, ratios);
	assert_int_equal(ratios->count, 2);
	check(ratios->values[0], 1.5);
	check(ratios->values[1], 0.5);
	free(a);
	free(b);
	free(ratios);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(summary_of_ten),          cmocka_unit_test(one_and_none),
	    cmocka_unit_test(an_outlier_is_counted),   cmocka_unit_test(ranks_as_in_the_book),
	    cmocka_unit_test(false_alarms_and_misses), cmocka_unit_test(ratios_pair_by_pair),
	};
	return cmocka_run_group_tests_name("bench samples", tests, NULL, NULL);
}
