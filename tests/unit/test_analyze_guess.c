/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast ways to percentiles give the numbers of the slow ones. Each set of instructions that this processor has does what a plain loop does;
 * a guess, right or wrong, gives the percentiles of the sorted values, and only the number of passes tells them apart.
 */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/histogram.h"
#include "analyze/kernels/lanes.h"
#include "analyze/kernels/quantile.h"
#include "analyze/kernels/select.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 20000u
#define PASSES_MAX 64u
#define SMALLEST_BUDGET (QUANTILE_REFINE_BINS * sizeof(uint64_t))

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* --- lanes ------------------------------------------------------------------------------------------------------- */

static void fill32(struct seed *seed, uint32_t *values, size_t count) {
	static const uint32_t edges[] = {0, 1, 63, 64, 65, 127, 128, UINT32_MAX, UINT32_MAX - 1, 1u << 31};
	unsigned shift = (unsigned)seed_below(seed, 32);
	for (size_t i = 0; i < count; i++)
		values[i] = seed_below(seed, 8) ? (uint32_t)seed_next(seed) >> shift
		                                : edges[seed_below(seed, sizeof(edges) / sizeof(edges[0]))];
}

static uint32_t choose_ranges(struct seed *seed, struct lanes_range *ranges) {
	uint32_t count = (uint32_t)seed_below(seed, LANES_RANGES_MAX + 1);
	for (uint32_t r = 0; r < count; r++) {
		ranges[r].first = (uint16_t)seed_below(seed, HISTOGRAM_BINS);
		ranges[r].last = (uint16_t)(ranges[r].first + seed_below(seed, HISTOGRAM_BINS - ranges[r].first));
	}
	return count;
}

static bool is_in(uint32_t bin, const struct lanes_range *range) {
	return bin >= range->first && bin <= range->last;
}

/* By plain loops: what is picked, and the counts. */
static size_t sieve_plainly(const uint32_t *values, size_t count, const struct lanes_range *ranges,
                            uint32_t range_count, struct lanes_counts *counts, uint32_t *picked) {
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		bool wanted = false;
		for (uint32_t r = 0; r < range_count; r++) {
			bool inside = is_in(histogram_bin(values[i]), &ranges[r]);
			counts->below[r] += histogram_bin(values[i]) < ranges[r].first;
			counts->inside[r] += inside;
			wanted |= inside;
		}
		if (wanted)
			picked[kept++] = values[i];
	}
	return kept;
}

static void check_sieve(struct seed *seed, const struct lanes *lanes, uint32_t *values, size_t count,
                        const uint16_t *bins) {
	static uint32_t found[LANES_AT_ONCE];
	static uint32_t expected[LANES_AT_ONCE];
	struct lanes_range ranges[LANES_RANGES_MAX];
	struct lanes_counts counts = {.below = {7}};
	struct lanes_counts plain_counts = {.below = {7}};
	uint32_t range_count = choose_ranges(seed, ranges);
	size_t kept = sieve_plainly(values, count, ranges, range_count, &plain_counts, expected);
	assert_int_equal(lanes->sieve(values, bins, count, ranges, range_count, &counts, found), kept);
	assert_memory_equal(&counts, &plain_counts, sizeof(counts));
	assert_memory_equal(found, expected, kept * sizeof(found[0]));
	assert_int_equal(lanes->pick(values, bins, count, ranges, range_count, values), kept); /* in place */
	assert_memory_equal(values, expected, kept * sizeof(found[0]));
}

static void check_lanes(struct seed *seed, const struct lanes *lanes, size_t count) {
	static uint32_t values[LANES_AT_ONCE];
	static uint8_t bytes[LANES_AT_ONCE];
	static uint16_t bins[LANES_AT_ONCE];
	struct moments_sums expected = {.count = (uint32_t)count, .min = UINT32_MAX};
	uint32_t low = UINT32_MAX;
	uint32_t high = 0;
	size_t ones = 0;
	fill32(seed, values, count);
	struct lanes_range bounds = lanes->bins(values, count, bins);
	for (size_t i = 0; i < count; i++) {
		uint32_t bin = histogram_bin(values[i]);
		assert_int_equal(bins[i], bin);
		low = bin < low ? bin : low;
		high = bin > high ? bin : high;
		expected.sum += values[i];
		expected.square += (moments_u128)values[i] * values[i];
		expected.min = values[i] < expected.min ? values[i] : expected.min;
		expected.max = values[i] > expected.max ? values[i] : expected.max;
		bytes[i] = (uint8_t)seed_below(seed, 3);
		ones += bytes[i] == 1;
	}
	struct moments_sums sums = lanes->sums(values, (uint32_t)count);
	assert_true(bounds.first == low && bounds.last == high);
	assert_true(sums.sum == expected.sum && sums.square == expected.square);
	assert_true(sums.min == expected.min && sums.max == expected.max && sums.count == count);
	assert_int_equal(lanes->count(bytes, count, 1), ones);
	check_sieve(seed, lanes, values, count, bins);
}

static void every_set_is_the_plain_loop(void **state) {
	(void)state;
	struct seed seed = seed_start("lanes");
	static uint32_t most[MOMENTS_RUN_MAX];
	for (enum lanes_set set = LANES_PORTABLE; set <= LANES_AVX512; set++) {
		const struct lanes *lanes = lanes_choose(set);
		if (set != LANES_PORTABLE && lanes == lanes_choose(set - 1))
			print_message("this processor lacks the instructions of set %d\n", (int)set);
		for (size_t count = 1; count <= 200; count++)
			check_lanes(&seed, lanes, count);
		for (unsigned round = 0; round < seed_rounds(200); round++)
			check_lanes(&seed, lanes, 1 + seed_below(&seed, LANES_AT_ONCE));
		memset(most, 0xff, sizeof(most));
		struct moments_sums sums = lanes->sums(most, MOMENTS_RUN_MAX);
		assert_true(sums.square == (moments_u128)MOMENTS_RUN_MAX * ((uint64_t)UINT32_MAX * UINT32_MAX));
	}
}

/* --- sums to moments --------------------------------------------------------------------------------------------- */

static void sums_are_their_values(void **state) {
	(void)state;
	struct seed seed = seed_start("sums");
	static uint32_t values[LANES_AT_ONCE];
	for (unsigned round = 0; round < seed_rounds(100); round++) {
		struct moments one_by_one = {.count = 0};
		struct moments by_sums = {.count = 0};
		if (round % 3 == 0) {
			moments_add(&one_by_one, UINT64_C(5) << seed_below(&seed, 50));
			by_sums = one_by_one;
		}
		for (unsigned run = 0; run < 4; run++) {
			uint32_t count = 1 + (uint32_t)seed_below(&seed, LANES_AT_ONCE);
			fill32(&seed, values, count);
			struct moments_sums sums = lanes_choose(LANES_AVX512)->sums(values, count);
			moments_add_sums(&by_sums, &sums);
			for (uint32_t i = 0; i < count; i++)
				moments_add(&one_by_one, values[i]);
		}
		assert_true(by_sums.count == one_by_one.count && by_sums.min == one_by_one.min);
		assert_true(by_sums.max == one_by_one.max && by_sums.sum == one_by_one.sum);
		assert_true(by_sums.square == one_by_one.square && by_sums.square_high == one_by_one.square_high);
	}
}

/* --- select ------------------------------------------------------------------------------------------------------ */

static void fill_pattern(struct seed *seed, unsigned pattern, uint64_t *values, size_t count) {
	for (size_t i = 0; i < count; i++) {
		uint64_t random = seed_next(seed);
		const uint64_t patterns[] = {
		    random, random % 3, i, count - i, i < count / 2 ? i : count - i, 7, i % 2 ? i : UINT64_MAX - i};
		values[i] = patterns[pattern];
	}
}

static void ranks_are_those_of_the_sorted(void **state) {
	(void)state;
	struct seed seed = seed_start("select");
	uint64_t *values = calloc(VALUES_MAX, sizeof(*values));
	uint64_t *sorted = calloc(VALUES_MAX, sizeof(*sorted));
	assert_true(values && sorted);
	for (unsigned round = 0; round < seed_rounds(140); round++) {
		size_t count = 1 + seed_below(&seed, round % 2 ? 40 : VALUES_MAX);
		fill_pattern(&seed, round % 7, values, count);
		memcpy(sorted, values, count * sizeof(*values));
		qsort(sorted, count, sizeof(*sorted), by_value);
		size_t rank = 1 + seed_below(&seed, count);
		assert_true(select_rank(values, count, rank) == sorted[rank - 1]);
		assert_true(select_rank(values, count, count + 1 - rank) ==
		            sorted[count - rank]); /* of the same, again */
	}
	free(values);
	free(sorted);
}

/* --- guesses ----------------------------------------------------------------------------------------------------- */

enum guess { GUESS_RIGHT, GUESS_LOW, GUESS_HIGH, GUESS_NARROW, GUESS_EVERYTHING, GUESS_ANY, GUESSES };

static void guess_one(struct seed *seed, enum guess guess, uint64_t exact, uint64_t *ret_low, uint64_t *ret_high) {
	uint64_t slack = exact / 100 + 1;
	uint64_t any = seed_next(seed) >> seed_below(seed, 64);
	*ret_low = exact > slack ? exact - slack : 0;
	*ret_high = exact + slack < exact ? UINT64_MAX : exact + slack;
	switch (guess) {
	case GUESS_LOW:
		*ret_high = *ret_low /= 3;
		break;
	case GUESS_HIGH:
		*ret_high = *ret_low = exact > UINT64_MAX / 3 ? UINT64_MAX : exact * 3;
		break;
	case GUESS_NARROW:
		*ret_low = *ret_high;
		break;
	case GUESS_EVERYTHING:
		*ret_low = 0;
		*ret_high = UINT64_MAX;
		break;
	case GUESS_ANY:
		*ret_low = any;
		*ret_high = any > UINT64_MAX - any / 64 ? UINT64_MAX : any + any / 64;
		break;
	case GUESS_RIGHT:
	case GUESSES:
		break;
	}
}

static int by_low(const void *a, const void *b) {
	return by_value(a, b);
}

static void guess_all(struct seed *seed, struct quantiles *const *sets, size_t set_count, enum guess guess,
                      const uint64_t *exact) {
	uint64_t ranges[QUANTILE_COUNT][2];
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		guess_one(seed, guess, exact[q], &ranges[q][0], &ranges[q][1]);
	qsort(ranges, QUANTILE_COUNT, sizeof(ranges[0]), by_low);
	for (size_t set = 0; set < set_count; set++)
		for (unsigned q = 0; q < QUANTILE_COUNT; q++)
			assert_int_equal(quantiles_guess(sets[set], 1, ranges[q][0], ranges[q][1]), 0);
}

static uint64_t make_value(struct seed *seed, unsigned shape) {
	switch (shape) {
	case 0:
		return seed_next(seed) >> seed_below(seed, 64);
	case 1:
		return seed_below(seed, 10);
	case 2:
		return UINT64_C(1000000) + seed_below(seed, 1000);
	case 3:
		return seed_below(seed, 100) ? UINT64_C(123456789012) : seed_next(seed);
	default:
		return UINT64_C(1000) + seed_below(seed, UINT64_C(1) << (6 + seed_below(seed, 20)));
	}
}

/* In one of three ways. */
static void observe(struct seed *seed, struct quantiles *quantiles, const uint64_t *values, size_t count) {
	uint32_t narrow[VALUES_MAX];
	uint64_t all = 0;
	for (size_t i = 0; i < count; i++) {
		all |= values[i];
		narrow[i] = (uint32_t)values[i];
	}
	uint64_t way = seed_below(seed, 3);
	if (way == 0 && all <= UINT32_MAX)
		assert_int_equal(quantiles_observe_run32(quantiles, 1, narrow, count), 0);
	else if (way <= 1)
		assert_int_equal(quantiles_observe_run(quantiles, 1, values, count), 0);
	else
		for (size_t i = 0; i < count; i++)
			assert_int_equal(quantiles_observe(quantiles, 1, values[i]), 0);
}

static void look_again(struct quantiles *quantiles, const uint64_t *values, size_t count) {
	static uint64_t picked[VALUES_MAX];
	size_t kept = quantiles_pick(quantiles, 1, values, count, picked);
	for (size_t i = 0; i < kept; i++)
		quantiles_refine(quantiles, 1, picked[i]);
}

/* How many passes it took. */
static unsigned check_guess(struct seed *seed, enum guess guess, const uint64_t *values, size_t count, size_t budget) {
	struct quantiles *sets[3];
	uint64_t exact[QUANTILE_COUNT];
	static uint64_t sorted[VALUES_MAX];
	unsigned passes = 1;
	int rc = 0;
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), by_value);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		exact[q] = sorted[quantile_rank(count, (enum quantile)q) - 1];
	for (size_t set = 0; set < 3; set++)
		assert_int_equal(quantiles_new(3, budget, &sets[set]), 0);
	guess_all(seed, sets, 3, guess, exact);
	size_t first = seed_below(seed, count + 1);
	size_t second = first + seed_below(seed, count - first + 1);
	observe(seed, sets[0], values, first);
	observe(seed, sets[1], values + first, second - first);
	observe(seed, sets[2], values + second, count - second);
	for (size_t set = 1; set < 3; set++)
		assert_int_equal(quantiles_merge(sets[0], sets[set]), 0);
	while ((rc = quantiles_next_pass(sets[0])) > 0) {
		assert_true(++passes < PASSES_MAX);
		look_again(sets[0], values, count);
	}
	assert_int_equal(rc, 0);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		assert_true(quantiles_value(sets[0], 1, (enum quantile)q) == exact[q]);
	for (size_t set = 0; set < 3; set++)
		quantiles_free(sets[set]);
	return passes;
}

static void a_guess_changes_no_figure(void **state) {
	(void)state;
	struct seed seed = seed_start("guesses");
	static const size_t counts[] = {1, 2, 10, 999, 1000, 20000};
	static const size_t budgets[] = {SMALLEST_BUDGET, 65536, QUANTILE_BUDGET_BYTES};
	uint64_t *values = calloc(VALUES_MAX, sizeof(*values));
	assert_non_null(values);
	for (unsigned round = 0; round < seed_rounds(2); round++)
		for (unsigned shape = 0; shape < 5; shape++)
			for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
				for (enum guess guess = 0; guess < GUESSES; guess++) {
					for (size_t i = 0; i < counts[c]; i++)
						values[i] = make_value(&seed, shape);
					(void)check_guess(&seed, guess, values, counts[c], budgets[(round + c) % 3]);
				}
	free(values);
}

/* A right guess saves the second pass, a wrong one and one of too many values do not. */
static void only_right_guesses_save_a_pass(void **state) {
	(void)state;
	struct seed seed = seed_start("guess passes");
	uint64_t *values = calloc(VALUES_MAX, sizeof(*values));
	assert_non_null(values);
	for (size_t i = 0; i < VALUES_MAX; i++)
		values[i] = UINT64_C(100000) + seed_below(&seed, 10000000);
	assert_int_equal(check_guess(&seed, GUESS_RIGHT, values, VALUES_MAX, QUANTILE_BUDGET_BYTES), 1);
	assert_true(check_guess(&seed, GUESS_LOW, values, VALUES_MAX, QUANTILE_BUDGET_BYTES) > 1);
	assert_true(check_guess(&seed, GUESS_HIGH, values, VALUES_MAX, QUANTILE_BUDGET_BYTES) > 1);
	assert_true(check_guess(&seed, GUESS_RIGHT, values, VALUES_MAX, SMALLEST_BUDGET) > 1);
	free(values);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_set_is_the_plain_loop),    cmocka_unit_test(sums_are_their_values),
	    cmocka_unit_test(ranks_are_those_of_the_sorted),  cmocka_unit_test(a_guess_changes_no_figure),
	    cmocka_unit_test(only_right_guesses_save_a_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
