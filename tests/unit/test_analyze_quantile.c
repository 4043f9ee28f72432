/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Percentiles must be those of the sorted values, whatever the distribution and however small the budget; moments those of a naive computation.
 * The series of a case are shown to the kernel in a shuffled order that differs from pass to pass.
 */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/histogram.h"
#include "analyze/kernels/moments.h"
#include "analyze/kernels/quantile.h"
#include "base/errs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_BUDGET (QUANTILE_REFINE_BINS * sizeof(uint64_t))
#define PASSES_MAX 64

struct sample {
	size_t series;
	uint64_t value;
};

static int by_sample(const void *a, const void *b) {
	const struct sample *left = a;
	const struct sample *right = b;
	if (left->series != right->series)
		return left->series < right->series ? -1 : 1;
	return left->value < right->value ? -1 : left->value > right->value;
}

static void shuffle(struct seed *seed, struct sample *samples, size_t count) {
	for (size_t i = count; i > 1; i--) {
		size_t other = seed_below(seed, i);
		struct sample kept = samples[i - 1];
		samples[i - 1] = samples[other];
		samples[other] = kept;
	}
}

/* By definition, without the kernel: the smallest value that at least q * n values do not exceed. */
static uint64_t expected(const struct sample *sorted, size_t count, unsigned per_mille) {
	size_t rank = 1;
	while ((unsigned long long)rank * 1000u < (unsigned long long)count * per_mille)
		rank++;
	return sorted[rank - 1].value;
}

static void check_series(const struct quantiles *quantiles, const struct sample *sorted, size_t count) {
	static const unsigned per_mille[QUANTILE_COUNT] = {500, 900, 950, 990, 999};
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		assert_true(quantiles_value(quantiles, sorted[0].series, (enum quantile)q) ==
		            expected(sorted, count, per_mille[q]));
}

static int run_passes(struct seed *seed, struct quantiles *quantiles, struct sample *samples, size_t count) {
	int passes = 1;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(quantiles_observe(quantiles, samples[i].series, samples[i].value), 0);
	int rc;
	while ((rc = quantiles_next_pass(quantiles)) > 0) {
		assert_true(++passes < PASSES_MAX);
		shuffle(seed, samples, count);
		for (size_t i = 0; i < count; i++)
			quantiles_refine(quantiles, samples[i].series, samples[i].value);
	}
	assert_int_equal(rc, 0);
	return passes;
}

static int check_case(struct seed *seed, struct sample *samples, size_t count, size_t series_count, size_t budget) {
	struct quantiles *quantiles = NULL;
	assert_int_equal(quantiles_new(series_count, budget, &quantiles), 0);
	int passes = run_passes(seed, quantiles, samples, count);
	qsort(samples, count, sizeof(samples[0]), by_sample);
	for (size_t first = 0; first < count;) {
		size_t end = first;
		while (end < count && samples[end].series == samples[first].series)
			end++;
		check_series(quantiles, &samples[first], end - first);
		first = end;
	}
	quantiles_free(quantiles);
	return passes;
}

static uint64_t random_value(struct seed *seed, unsigned shape) {
	uint64_t bits = seed_next(seed);
	switch (shape) {
	case 0:
		return bits >> seed_below(seed, 64); /* every size */
	case 1:
		return seed_below(seed, 10); /* ties */
	case 2:
		return UINT64_C(1000000) + seed_below(seed, 1000); /* one bin */
	case 3:
		return seed_below(seed, 100) ? UINT64_C(123456789012) : bits; /* nearly all equal, and large */
	default:
		return (uint64_t)exp(8 + 3 * ((double)(bits >> 11) / 9007199254740992.0)); /* like latencies */
	}
}

static void equal_to_sorted(void **state) {
	(void)state;
	struct seed seed = seed_start("quantile");
	static const size_t counts[] = {1, 2, 3, 10, 99, 100, 101, 999, 1000, 1001, 20000};
	static const size_t budgets[] = {SMALLEST_BUDGET, 65536, QUANTILE_BUDGET_BYTES};
	struct sample *samples = calloc(20000, sizeof(*samples));
	assert_non_null(samples);
	for (unsigned shape = 0; shape < 5; shape++)
		for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
			for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++) {
				size_t series_count = 1 + seed_below(&seed, 7);
				for (size_t i = 0; i < counts[c]; i++) {
					samples[i].series = seed_below(&seed, series_count);
					samples[i].value = random_value(&seed, shape);
				}
				(void)check_case(&seed, samples, counts[c], series_count, budgets[b]);
			}
	free(samples);
}

static void two_passes_are_the_rule(void **state) {
	(void)state;
	struct seed seed = seed_start("quantile passes");
	struct sample *samples = calloc(20000, sizeof(*samples));
	assert_non_null(samples);
	for (size_t i = 0; i < 20000; i++)
		samples[i].value = random_value(&seed, 4);
	assert_int_equal(check_case(&seed, samples, 20000, 1, QUANTILE_BUDGET_BYTES), 2);
	for (size_t i = 0; i < 20000; i++)
		samples[i].value = UINT64_C(1) << 62;
	/* too many equal values for the budget: the window narrows by ten bits a pass */
	assert_in_range(check_case(&seed, samples, 20000, 1, SMALLEST_BUDGET), 3, 8);
	free(samples);
}

static void edges(void **state) {
	(void)state;
	struct seed seed = seed_start("quantile edges");
	struct sample extremes[] = {{0, 0}, {0, UINT64_MAX}, {0, INT64_MAX}, {0, 0}};
	(void)check_case(&seed, extremes, 4, 1, QUANTILE_BUDGET_BYTES);
	struct sample one[] = {{2, INT64_MAX}};
	(void)check_case(&seed, one, 1, 4, QUANTILE_BUDGET_BYTES);
	struct quantiles *none = NULL;
	assert_int_equal(quantiles_new(0, QUANTILE_BUDGET_BYTES, &none), 0);
	assert_int_equal(quantiles_next_pass(none), 0);
	quantiles_free(none);
	assert_int_equal(quantiles_new(3, QUANTILE_BUDGET_BYTES, &none), 0);
	assert_int_equal(quantiles_next_pass(none), 0);
	assert_true(quantiles_value(none, 1, QUANTILE_P50) == 0);
	quantiles_free(none);
}

static void a_changed_store_is_noticed(void **state) {
	(void)state;
	struct quantiles *quantiles = NULL;
	assert_int_equal(quantiles_new(1, QUANTILE_BUDGET_BYTES, &quantiles), 0);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(quantiles_observe(quantiles, 0, 1000000 + i), 0);
	assert_int_equal(quantiles_next_pass(quantiles), 1);
	for (uint64_t i = 0; i < 2000; i++) /* more than were there before: must not write past the end either */
		quantiles_refine(quantiles, 0, 1000000 + i / 2);
	assert_int_equal(quantiles_next_pass(quantiles), ERR_GONE);
	quantiles_free(quantiles);
}

static void bins_tile_the_range(void **state) {
	(void)state;
	assert_true(histogram_bin_low(0) == 0);
	for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
		uint64_t low = histogram_bin_low(bin);
		uint64_t high = histogram_bin_high(bin);
		assert_true(low <= high);
		assert_int_equal(histogram_bin(low), bin);
		assert_int_equal(histogram_bin(high), bin);
		assert_true((double)(high - low) <= (double)low / 64.0);
		if (bin + 1 < HISTOGRAM_BINS)
			assert_true(histogram_bin_low(bin + 1) == high + 1);
		else
			assert_true(high == UINT64_MAX);
	}
}

static void ranks_are_nearest(void **state) {
	(void)state;
	assert_true(quantile_rank(1, QUANTILE_P50) == 1);
	assert_true(quantile_rank(1, QUANTILE_P999) == 1);
	assert_true(quantile_rank(2, QUANTILE_P50) == 1);
	assert_true(quantile_rank(3, QUANTILE_P50) == 2);
	assert_true(quantile_rank(100, QUANTILE_P99) == 99);
	assert_true(quantile_rank(101, QUANTILE_P99) == 100);
	assert_true(quantile_rank(1000, QUANTILE_P999) == 999);
	assert_true(quantile_rank(1001, QUANTILE_P999) == 1000);
	assert_true(quantile_rank(UINT64_MAX, QUANTILE_P50) == UINT64_C(1) << 63);
}

static void naive_moments(const uint64_t *values, size_t count, long double *ret_mean, long double *ret_stddev) {
	long double sum = 0;
	long double square = 0;
	for (size_t i = 0; i < count; i++)
		sum += (long double)values[i];
	*ret_mean = sum / (long double)count;
	for (size_t i = 0; i < count; i++)
		square += ((long double)values[i] - *ret_mean) * ((long double)values[i] - *ret_mean);
	*ret_stddev = sqrtl(square / (long double)count);
}

static void near(double got, long double wanted) {
	assert_true(fabsl((long double)got - wanted) <= 1e-9L * fabsl(wanted) + 1e-12L);
}

static void moments_are_the_naive_ones(void **state) {
	(void)state;
	struct seed seed = seed_start("moments");
	static uint64_t values[5000];
	for (unsigned shape = 0; shape < 5; shape++) {
		struct moments moments = {.count = 0};
		uint64_t min = UINT64_MAX;
		uint64_t max = 0;
		long double mean;
		long double stddev;
		for (size_t i = 0; i < 5000; i++) {
			values[i] = random_value(&seed, shape);
			min = values[i] < min ? values[i] : min;
			max = values[i] > max ? values[i] : max;
			moments_add(&moments, values[i]);
		}
		naive_moments(values, 5000, &mean, &stddev);
		near(moments_mean(&moments), mean);
		near(moments_stddev(&moments), stddev);
		assert_true(moments.min == min && moments.max == max && moments.count == 5000);
	}
}

static void moments_at_the_edges(void **state) {
	(void)state;
	struct moments none = {.count = 0};
	assert_true(moments_total(&none) == 0);
	assert_true(moments_mean(&none) == 0 && moments_stddev(&none) == 0);
	struct moments one = {.count = 0};
	moments_add(&one, INT64_MAX);
	assert_true(moments_total(&one) == INT64_MAX);
	assert_true(moments_stddev(&one) == 0);
	struct moments far = {.count = 0};
	for (int i = 0; i < 8; i++) /* squares overflow 128 bits */
		moments_add(&far, i % 2 ? UINT64_MAX : 0);
	assert_true(moments_total(&far) == UINT64_MAX);
	near(moments_stddev(&far), (long double)UINT64_MAX / 2);
	/* the first value far away from all others, which differ by one */
	struct moments outlier = {.count = 0};
	moments_add(&outlier, UINT64_C(1000000000000));
	for (int i = 0; i < 1000; i++)
		moments_add(&outlier, (uint64_t)(1000 + i % 2));
	long double mean = (1e12L + 1000 * 1000.5L) / 1001;
	long double square =
	    (1e12L - mean) * (1e12L - mean) + 500 * (1000 - mean) * (1000 - mean) + 500 * (1001 - mean) * (1001 - mean);
	near(moments_stddev(&outlier), sqrtl(square / 1001));
}

/* Runs, in sets that are put together, and what is picked out of runs: the numbers of one value after the other. */
static void check_runs(struct seed *seed, unsigned shape, size_t count, size_t budget) {
	struct quantiles *sets[3];
	struct moments moments[3];
	static struct sample samples[3000];
	static uint64_t values[3000];
	static uint64_t picked[3000];
	long double mean;
	long double stddev;
	memset(moments, 0, sizeof(moments));
	for (size_t i = 0; i < count; i++)
		samples[i] = (struct sample){0, values[i] = random_value(seed, shape)};
	size_t first = seed_below(seed, count + 1);
	size_t ends[3] = {first, first + seed_below(seed, count - first + 1), count};
	for (size_t i = 0, at = 0; i < 3; at = ends[i++]) {
		assert_int_equal(quantiles_new(1, budget, &sets[i]), 0);
		assert_int_equal(quantiles_observe_run(sets[i], 0, values + at, ends[i] - at), 0);
		moments_add_run(&moments[i], values + at, (uint32_t)(ends[i] - at));
	}
	moments_merge(&moments[1], &moments[2]); /* (0 + (1 + 2)); the other way is ((0 + 1) + 2) */
	moments_merge(&moments[0], &moments[1]);
	for (size_t i = 1; i < 3; i++)
		assert_int_equal(quantiles_merge(sets[0], sets[i]), 0);
	int rc = 0;
	while ((rc = quantiles_next_pass(sets[0])) > 0) {
		size_t kept = quantiles_pick(sets[0], 0, values, count, picked);
		for (size_t i = 0; i < kept; i++)
			quantiles_refine(sets[0], 0, picked[i]);
	}
	assert_int_equal(rc, 0);
	qsort(samples, count, sizeof(samples[0]), by_sample);
	if (count) {
		check_series(sets[0], samples, count);
		naive_moments(values, count, &mean, &stddev);
		near(moments_mean(&moments[0]), mean);
		near(moments_stddev(&moments[0]), stddev);
		assert_true(moments[0].min == samples[0].value && moments[0].max == samples[count - 1].value);
	}
	assert_true(moments[0].count == count);
	for (size_t i = 0; i < 3; i++)
		quantiles_free(sets[i]);
}

static void runs_are_their_values(void **state) {
	(void)state;
	struct seed seed = seed_start("runs");
	static const size_t sizes[] = {0, 1, 2, 15, 16, 17, 500, 3000};
	for (unsigned round = 0; round < seed_rounds(5); round++)
		for (unsigned shape = 0; shape < 5; shape++)
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
				check_runs(&seed, shape, sizes[i], round % 2 ? SMALLEST_BUDGET : QUANTILE_BUDGET_BYTES);
}

static void assert_same_bits(double one, double other) {
	assert_memory_equal(&one, &other, sizeof(one));
}

/* Nobody sees who counted what, also at both ends of the range. */
static void assert_same_moments(const struct moments *one, const struct moments *other) {
	assert_true(one->count == other->count && one->min == other->min && one->max == other->max);
	assert_true(moments_total(one) == moments_total(other));
	assert_same_bits(moments_mean(one), moments_mean(other));
	assert_same_bits(moments_stddev(one), moments_stddev(other));
}

static void merged_moments_are_exact(void **state) {
	(void)state;
	static const uint64_t edges[] = {0, 1, INT64_MAX, UINT64_MAX, UINT64_C(1) << 55, 77};
	for (unsigned mask = 0; mask < 64; mask++) {
		struct moments alone = {.count = 0};
		struct moments parts[2] = {{.count = 0}, {.count = 0}};
		for (unsigned i = 0; i < 6; i++) {
			moments_add(&alone, edges[i]);
			moments_add_run(&parts[mask >> i & 1], &edges[i], 1);
		}
		moments_merge(&parts[0], &parts[1]);
		assert_same_moments(&parts[0], &alone);
	}
}

#define SPLIT_PARTS 7u

/* In another order, in runs of any length, by any of several threads that are put together in any order. */
static void split(struct seed *seed, uint64_t *values, size_t count, struct moments *ret_moments) {
	struct moments parts[SPLIT_PARTS];
	memset(parts, 0, sizeof(parts));
	for (size_t i = count; i > 1; i--) {
		size_t other = seed_below(seed, i);
		uint64_t value = values[i - 1];
		values[i - 1] = values[other];
		values[other] = value;
	}
	for (size_t at = 0, run = 0; at < count; at += run) {
		run = 1 + seed_below(seed, count - at);
		moments_add_run(&parts[seed_below(seed, SPLIT_PARTS)], values + at, (uint32_t)run);
	}
	size_t first = seed_below(seed, SPLIT_PARTS);
	memset(ret_moments, 0, sizeof(*ret_moments));
	for (size_t i = 0; i < SPLIT_PARTS; i++)
		moments_merge(ret_moments, &parts[(first + i) % SPLIT_PARTS]);
}

static void any_split_has_the_same_bits(void **state) {
	(void)state;
	struct seed seed = seed_start("splits");
	static uint64_t values[2000];
	for (unsigned round = 0; round < seed_rounds(500); round++) {
		struct moments alone = {.count = 0};
		size_t count = 1 + seed_below(&seed, 2000);
		for (size_t i = 0; i < count; i++) {
			values[i] = round % 6 == 5 ? seed_next(&seed) : random_value(&seed, round % 6);
			moments_add(&alone, values[i]);
		}
		struct moments parted;
		split(&seed, values, count, &parted);
		assert_same_moments(&parted, &alone);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_to_sorted),
	    cmocka_unit_test(two_passes_are_the_rule),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(a_changed_store_is_noticed),
	    cmocka_unit_test(bins_tile_the_range),
	    cmocka_unit_test(ranks_are_nearest),
	    cmocka_unit_test(moments_are_the_naive_ones),
	    cmocka_unit_test(moments_at_the_edges),
	    cmocka_unit_test(runs_are_their_values),
	    cmocka_unit_test(merged_moments_are_exact),
	    cmocka_unit_test(any_split_has_the_same_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
