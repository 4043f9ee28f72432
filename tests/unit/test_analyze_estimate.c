/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Estimates against the truth they stand for. A population of traces is thinned many times, each time with other ids: counts and totals must
 * have the truth as their mean, 19 of 20 must be as near as they say, and percentiles must lie between the true values of the ranks
 * that their error allows. Some traces are kept for certain, the slow ones among them; in some populations the spans of a trace stand together.
 */
#include "agent/tail/tail_choice.h"
#include "analyze/kernels/estimate.h"
#include "analyze/kernels/quantile.h"
#include "libstore/span.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <math.h>
#include <stdlib.h>

#define TRACES 3000u
#define CLUSTER_MAX 8u
#define ROUNDS 200u
#define SLOW UINT64_C(100000)

struct population {
	uint64_t values[TRACES * CLUSTER_MAX];
	uint64_t sorted[TRACES * CLUSTER_MAX];
	uint32_t cluster; /* spans of a trace */
	uint32_t count;
	double total;
};

struct outcome {
	double count_off; /* sums of relative differences */
	double total_off;
	unsigned inside; /* rounds whose count is within their own error */
	unsigned rank_outside;
};

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static void make(struct population *population, struct seed *seed, uint32_t cluster) {
	*population = (struct population){.cluster = cluster, .count = TRACES * cluster};
	for (uint32_t i = 0; i < population->count; i++) {
		bool slow = i / cluster % 50 == 0;
		population->values[i] = slow ? SLOW + 1 + seed_below(seed, SLOW) : 1 + seed_below(seed, SLOW);
		population->total += (double)population->values[i];
		population->sorted[i] = population->values[i];
	}
	qsort(population->sorted, population->count, sizeof(uint64_t), by_value);
}

static uint32_t weight_in(const struct tail_rules *rules, const struct population *population, uint64_t base,
                          uint32_t trace) {
	bool slow = trace % 50 == 0;
	(void)population;
	return tail_choice_weight(rules, base + trace, slow ? TAIL_SLOW : 0);
}

/* The true value of a share of the ranks, from 0 to 1. */
static uint64_t true_value(const struct population *population, double share) {
	double rank = ceil(share * population->count);
	rank = rank < 1 ? 1 : rank > population->count ? population->count : rank;
	return population->sorted[(uint32_t)rank - 1];
}

/* Four times the standard deviation that error_95 is made of. */
static unsigned ranks_outside(const struct population *population, const struct quantiles *quantiles, double error) {
	static const double shares[QUANTILE_COUNT] = {0.5, 0.9, 0.95, 0.99, 0.999};
	double wide = error / ESTIMATE_SIGMAS * 4;
	unsigned outside = 0;
	for (unsigned q = 0; q < QUANTILE_COUNT; q++) {
		uint64_t value = quantiles_value(quantiles, 0, (enum quantile)q);
		outside += value < true_value(population, shares[q] - wide) ||
		           value > true_value(population, shares[q] + wide);
	}
	return outside;
}

static void one_round(const struct population *population, const struct tail_rules *rules, uint64_t base,
                      struct outcome *outcome) {
	struct estimate estimate = {0};
	struct quantiles *quantiles = NULL;
	int more = 1;
	assert_int_equal(quantiles_new(1, QUANTILE_REFINE_BINS * sizeof(uint64_t), &quantiles), 0);
	for (bool first = true; more > 0; first = false) {
		for (uint32_t i = 0; i < population->count; i++) {
			uint32_t weight = weight_in(rules, population, base, i / population->cluster);
			if (weight == 0)
				continue;
			if (!first) {
				quantiles_refine_weighted(quantiles, 0, population->values[i], weight);
				continue;
			}
			estimate_add(&estimate, population->values[i], weight, base + i / population->cluster);
			assert_int_equal(quantiles_observe_weighted(quantiles, 0, population->values[i], weight), 0);
		}
		more = quantiles_next_pass(quantiles);
	}
	assert_int_equal(more, 0);
	double count_off = (double)estimate_count(estimate.units) / population->count - 1;
	outcome->count_off += count_off;
	outcome->total_off += (double)estimate_total(&estimate) / population->total - 1;
	outcome->inside += fabs(count_off) <= estimate_error(&estimate);
	outcome->rank_outside += ranks_outside(population, quantiles, estimate_error(&estimate));
	/* Slow ones are all there. */
	assert_true(estimate.max == population->sorted[population->count - 1]);
	quantiles_free(quantiles);
}

static void estimates_tell_how_far_they_are_off(void **state) {
	static const char *const ratios[] = {"0.5", "0.2", "0.05"};
	static const uint32_t clusters[] = {1, 3, CLUSTER_MAX};
	static struct population population;
	struct seed seed = seed_start("analyze_estimate");
	unsigned rounds = seed_rounds(ROUNDS);
	(void)state;
	for (size_t c = 0; c < sizeof(clusters) / sizeof(clusters[0]); c++)
		for (size_t r = 0; r < sizeof(ratios) / sizeof(ratios[0]); r++) {
			struct tail_rules rules = {0};
			struct outcome outcome = {0};
			make(&population, &seed, clusters[c]);
			assert_true(tail_choice_set_ratio(&rules, ratios[r]));
			for (unsigned round = 0; round < rounds; round++)
				one_round(&population, &rules, seed_next(&seed), &outcome);
			double p = (double)STORE_WEIGHT_ONE / rules.weight;
			double spread = sqrt((1 - p) / p / TRACES / rounds); /* of the mean of all rounds */
			if (fabs(outcome.count_off / rounds) > 5 * spread)
				fail_msg("count is biased by %f, spread %f", outcome.count_off / rounds, spread);
			if (fabs(outcome.total_off / rounds) > 6 * spread)
				fail_msg("total is biased by %f, spread %f", outcome.total_off / rounds, spread);
			/* 0.95 of the rounds, less five standard deviations of that */
			if (outcome.inside < rounds * (0.95 - 5 * sqrt(0.05 / rounds)))
				fail_msg("only %u of %u rounds are as near as they say", outcome.inside, rounds);
			assert_true(outcome.rank_outside <= rounds / 50);
		}
}

static void without_weights_an_estimate_is_exact(void **state) {
	struct estimate estimate = {0};
	(void)state;
	assert_true(estimate_mean(&estimate) == 0 && estimate_stddev(&estimate) == 0 && estimate_error(&estimate) == 0);
	for (uint64_t i = 1; i <= 5; i++)
		estimate_add(&estimate, i * 10, STORE_WEIGHT_ONE, i);
	assert_int_equal(estimate_count(estimate.units), 5);
	assert_int_equal(estimate_total(&estimate), 150);
	assert_true(fabs(estimate_mean(&estimate) - 30) < 1e-9);
	assert_true(fabs(estimate_stddev(&estimate) - sqrt(200)) < 1e-9);
	assert_true(estimate_error(&estimate) == 0);
	assert_true(estimate.min == 10 && estimate.max == 50);
}

static void large_values_stay_finite(void **state) {
	struct estimate estimate = {0};
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		estimate_add(&estimate, UINT64_MAX, UINT32_MAX, i);
	assert_true(estimate_total(&estimate) == UINT64_MAX);
	assert_true(estimate_mean(&estimate) > 1e19);
	assert_true(estimate_error(&estimate) > 0 && estimate_error(&estimate) <= 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(estimates_tell_how_far_they_are_off),
	    cmocka_unit_test(without_weights_an_estimate_is_exact),
	    cmocka_unit_test(large_values_stay_finite),
	};
	return cmocka_run_group_tests_name("analyze_estimate", tests, NULL, NULL);
}
