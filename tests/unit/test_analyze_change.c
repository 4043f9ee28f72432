/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics of compare and check, without a store. Distributions and intervals against closed forms and printed examples, places against every pair
 * counted, and the two promises: of a thousand comparisons of equal runs, with latencies that drift from step to step, fewer than ten find a
 * difference; of 200 planted slow-downs of 10 % at 10,000 spans at least 190 are found.
 */
#include "analyze/kernels/sliced.h"
#include "analyze/kernels/student.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void near(double got, double wanted, double tolerance) {
	if (!(fabs(got - wanted) <= tolerance))
		fail_msg("%.12g is not %.12g", got, wanted);
}

/* --- distributions ----------------------------------------------------------------------------------------------- */

static void student_is_that_of_tables(void **state) {
	(void)state;
	for (double t = 0.1; t < 40; t *= 1.7) {
		near(student_two_sided(t, 1), 1 - 2 / M_PI * atan(t), 1e-12);
		near(student_two_sided(t, 2), 1 - t / sqrt(2 + t * t), 1e-12);
		near(student_two_sided(t, STUDENT_NORMAL), erfc(t / M_SQRT2), 1e-12);
		near(student_beyond(student_two_sided(t, 7.5), 7.5), t, 1e-7 * t);
	}
	near(student_beyond(0.05, 10), 2.228139, 1e-6);
	near(student_beyond(0.01, 30), 2.749996, 1e-6);
	near(student_beyond(0.001, 62), 3.454, 1e-3);
	near(student_beyond(0.05, STUDENT_NORMAL), 1.959964, 1e-6);
	near(student_two_sided(NAN, 5), 1, 0);
	near(student_two_sided(INFINITY, 5), 0, 0);
}

static void intervals_of_shares_are_those_in_print(void **state) {
	double low;
	double high;
	(void)state;
	difference_wilson(0, 10, 1.959964, &low, &high);
	near(low, 0, 1e-12);
	near(high, 3.841459 / (10 + 3.841459), 1e-6);
	/* Newcombe 1998, method 10: 56 of 70 and 48 of 80 */
	struct measured before = {
	    .kind = MEASURED_SHARE, .value = 48.0 / 80, .effective = 80, .freedom = STUDENT_NORMAL, .records = 80};
	struct measured after = {
	    .kind = MEASURED_SHARE, .value = 56.0 / 70, .effective = 70, .freedom = STUDENT_NORMAL, .records = 70};
	struct difference difference = difference_of(&before, &after, 0.95, 0);
	assert_true(difference.known);
	near(difference.change, 0.2, 1e-12);
	near(difference.low, 0.0524, 5e-5);
	near(difference.high, 0.3339, 5e-5);
	/* the interval at the level of p just touches 0 */
	struct difference touching = difference_of(&before, &after, 1 - difference.p, 0);
	near(touching.low, 0, 1e-9);
	near(difference_of(&before, &after, 0.95, 0.2001).p, 1, 0);
	assert_true(difference_of(&before, &after, 0.95, 0.05).p > difference.p);
}

static void means_differ_by_their_errors(void **state) {
	struct measured before = {.kind = MEASURED_MEAN, .value = 100, .error = 3, .freedom = 20, .records = 50};
	struct measured after = {.kind = MEASURED_MEAN, .value = 120, .error = 4.8, .freedom = 12, .records = 50};
	double squares[2] = {pow(3.0 / 100, 2), pow(4.8 / 120, 2)};
	double sum = squares[0] + squares[1];
	double freedom = sum * sum / (squares[0] * squares[0] / 20 + squares[1] * squares[1] / 12);
	struct difference difference = difference_of(&before, &after, 0.95, 0);
	(void)state;
	near(difference.change, 0.2, 1e-12);
	near(difference.p, student_two_sided(log(1.2) / sqrt(sum), freedom), 1e-6);
	double arm = student_beyond(0.05, freedom) * sqrt(sum);
	near(difference.low, 1.2 * exp(-arm) - 1, 1e-9);
	near(difference.high, 1.2 * exp(arm) - 1, 1e-9);
	before.kind = MEASURED_NOTHING;
	assert_false(difference_of(&before, &after, 0.95, 0).known);
}

static void holm_is_that_of_the_book(void **state) {
	double p[] = {0.01, 0.04, 0.03, 0.005};
	const double wanted[] = {0.03, 0.06, 0.06, 0.02};
	(void)state;
	assert_int_equal(difference_holm(p, 4), 0);
	for (size_t i = 0; i < 4; i++)
		near(p[i], wanted[i], 1e-12);
	assert_int_equal(difference_holm(p, 0), 0);
}

/* --- the grid ---------------------------------------------------------------------------------------------------- */

static int add_part(void *context, uint32_t bin, double weight) {
	static const struct grid grid = {.bits = 6, .ns_per_tick = 0.37};
	return grid_add(&grid, context, bin, weight);
}

static void bins_hold_their_values(void **state) {
	struct seed seed = seed_start("bins_hold_their_values");
	(void)state;
	for (unsigned bits = 4; bits <= GRID_BITS_MAX; bits++) {
		struct grid grid = {.bits = bits, .ns_per_tick = 1};
		for (uint32_t i = 0; i < 2000; i++) {
			uint64_t value = seed_next(&seed) >> (14 + seed_below(&seed, 50));
			uint32_t bin = grid_bin(&grid, value);
			assert_true(grid_low_ns(&grid, bin) <= (double)value);
			assert_true(grid_low_ns(&grid, bin + 1) > (double)value);
			assert_true(grid_low_ns(&grid, bin + 1) - grid_low_ns(&grid, bin) <=
			            fmax(1, (double)value / (1u << bits)));
		}
	}
}

/* Another clock's bins laid over the grid: the sum stays, quantiles move by less than a bin. */
static void other_clocks_are_laid_over(void **state) {
	static const struct grid grid = {.bits = 6, .ns_per_tick = 0.37};
	static const struct grid own = {.bits = 6, .ns_per_tick = 1.9};
	struct seed seed = seed_start("other_clocks_are_laid_over");
	struct grid_weights weights = {.groups = {NULL}};
	double values[500];
	(void)state;
	for (size_t i = 0; i < 500; i++) {
		values[i] = 1000 * exp(0.01 * (double)i);
		uint32_t bin = grid_bin(&own, (uint64_t)(values[i] / own.ns_per_tick));
		assert_int_equal(grid_lay(&grid, grid_low_ns(&own, bin), grid_low_ns(&own, bin + 1),
		                          1 + (double)seed_below(&seed, 1), add_part, &weights),
		                 0);
	}
	grid_seal(&grid, &weights);
	near(grid_total(&weights), 500, 1e-9);
	for (size_t i = 25; i < 500; i += 50)
		near(grid_quantile(&grid, &weights, ((double)i + 0.5) / 500) / values[i], 1, 0.035);
	near(grid_quantile(&grid, &weights, 1) / values[499], 1, 0.035);
	near(grid_quantile(&grid, &weights, 0) / values[0], 1, 0.035);
	grid_clear(&weights);
	grid_seal(&grid, &weights);
	near(grid_quantile(&grid, &weights, 0.5), 0, 0);
}

/* --- runs -------------------------------------------------------------------------------------------------------- */

#define NAMES 10u
#define LARGE 10000u
#define SMALL 1000u
#define STEPS 120u

static const struct grid grid = {.bits = 8, .ns_per_tick = 1};

enum motion { STILL, STEPPED, JITTERED, WAVING, MOTIONS };

struct run {
	struct sliced names[NAMES];
	uint32_t values[NAMES][LARGE];
	double factors[STEPS];
};

static double uniform(struct seed *seed) {
	return ((double)(seed_next(seed) >> 11) + 0.5) * 0x1p-53;
}

static double normal(struct seed *seed) {
	return sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
}

static uint32_t spans_of(uint32_t name) {
	return name == 0 ? LARGE : SMALL;
}

/* What the machine does to all spans of a step. */
static void move(struct run *run, struct seed *seed, enum motion motion) {
	double at = 0.02 * normal(seed);
	double phase = 2 * M_PI * uniform(seed);
	double period = STEPS * (0.3 + 1.7 * uniform(seed));
	for (uint32_t step = 0; step < STEPS; step++) {
		at = 0.7 * at + 0.02 * sqrt(1 - 0.49) * normal(seed);
		run->factors[step] = motion == STEPPED    ? exp(at)
		                     : motion == JITTERED ? exp(0.05 * normal(seed))
		                     : motion == WAVING   ? 1 + 0.03 * sin(phase + 2 * M_PI * step / period)
		                                          : 1;
	}
}

/* Lognormal with a tail of 2 % that take up to 13 times as long. */
static void record(struct run *run, struct seed *seed, enum motion motion, double slower) {
	move(run, seed, motion);
	memset(run->names, 0, sizeof(run->names));
	for (uint32_t name = 0; name < NAMES; name++) {
		uint32_t count = spans_of(name);
		for (uint32_t i = 0; i < count; i++) {
			double value = 100000 * exp(0.5 * normal(seed)) * run->factors[(uint64_t)i * STEPS / count];
			if (seed_below(seed, 50) == 0)
				value *= 3 + 10 * uniform(seed);
			value *= name == 0 ? slower : 1;
			run->values[name][i] = (uint32_t)fmin(value, 4e9);
			assert_int_equal(
			    grid_add(&grid, &run->names[name].weights, grid_bin(&grid, run->values[name][i]), 1), 0);
		}
		run->names[name].squares = count;
		sliced_settle(&grid, &run->names[name]);
	}
}

static void slice(struct run *run, const struct run *other, struct seed *seed) {
	for (uint32_t name = 0; name < NAMES; name++) {
		struct sliced *sliced = &run->names[name];
		for (uint32_t i = 0; i < spans_of(name); i++) {
			uint32_t at = (uint32_t)((uint64_t)i * SLICED_SLICES / spans_of(name));
			uint32_t value = run->values[name][i];
			sliced_count(&grid, sliced, &other->names[name].weights, at, grid_bin(&grid, value), 1);
			sliced->slices[at].total_ns += value;
			sliced->slices[at].errors += seed_below(seed, 100) == 0;
		}
	}
}

static void forget(struct run *run) {
	for (uint32_t name = 0; name < NAMES; name++)
		grid_clear(&run->names[name].weights);
}

#define TESTS 6u

/* p-values and changes of all figures of a name. */
static void test_name(const struct sliced *before, const struct sliced *after, double margin, double *p,
                      double *changes) {
	for (unsigned which = 0; which < SLICED_QUANTILES; which++) {
		struct measured one = sliced_quantile(&grid, before, which);
		struct measured other = sliced_quantile(&grid, after, which);
		struct difference difference = difference_of(&one, &other, 0.95, margin);
		p[which] = difference.p;
		changes[which] = difference.change;
	}
	struct measured one = sliced_mean(&grid, before);
	struct measured other = sliced_mean(&grid, after);
	struct difference difference = difference_of(&one, &other, 0.95, margin);
	p[3] = difference.p;
	changes[3] = difference.change;
	one = sliced_errors(before);
	other = sliced_errors(after);
	p[4] = difference_of(&one, &other, 0.95, 0).p;
	changes[4] = 1;
	p[5] = sliced_superiority(&grid, before, after, 0.95, margin).p;
	changes[5] = changes[0];
}

static double drift_of_all(const struct run *run) {
	struct drift drift = {.weights = {0}};
	for (uint32_t name = 0; name < NAMES; name++)
		drift_add(&drift, &run->names[name]);
	return drift_range(&drift);
}

static double drift_of(const struct sliced *sliced, double all) {
	struct drift drift = {.weights = {0}};
	drift_add(&drift, sliced);
	return fmax(drift_range(&drift), all);
}

/* Which names are different? One bit each. */
static uint32_t compare(struct run *before, struct run *after, struct seed *seed) {
	double p[NAMES * TESTS];
	double changes[NAMES * TESTS];
	uint32_t different = 0;
	slice(before, after, seed);
	slice(after, before, seed);
	double all[2] = {drift_of_all(before), drift_of_all(after)};
	for (uint32_t name = 0; name < NAMES; name++) {
		double margin = drift_of(&before->names[name], all[0]) + drift_of(&after->names[name], all[1]);
		test_name(&before->names[name], &after->names[name], margin, &p[(size_t)name * TESTS],
		          &changes[(size_t)name * TESTS]);
	}
	assert_int_equal(difference_holm(p, (size_t)NAMES * TESTS), 0);
	for (uint32_t i = 0; i < NAMES * TESTS; i++)
		if (p[i] <= 0.01 && fabs(changes[i]) >= 0.01)
			different |= 1u << i / TESTS;
	forget(before);
	forget(after);
	return different;
}

static void equal_runs_are_equal(void **state) {
	struct seed seed = seed_start("equal_runs_are_equal");
	unsigned rounds = seed_rounds(1000);
	struct run *runs = calloc(2, sizeof(*runs));
	unsigned alarms = 0;
	(void)state;
	assert_non_null(runs);
	for (unsigned round = 0; round < rounds; round++) {
		record(&runs[0], &seed, (enum motion)(round % MOTIONS), 1);
		record(&runs[1], &seed, (enum motion)(round % MOTIONS), 1);
		alarms += compare(&runs[0], &runs[1], &seed) != 0;
	}
	print_message("%u of %u comparisons of equal runs find a difference\n", alarms, rounds);
	/* less than 1 %, and what a campaign of few rounds may have by chance */
	assert_true(alarms < 0.01 * rounds || (rounds < 500 && alarms < 4));
	free(runs);
}

static void slower_runs_are_found(void **state) {
	static const enum motion motions[] = {STILL, STEPPED, STILL, JITTERED};
	struct seed seed = seed_start("slower_runs_are_found");
	unsigned rounds = seed_rounds(200);
	struct run *runs = calloc(2, sizeof(*runs));
	unsigned found = 0;
	unsigned wrong = 0;
	(void)state;
	assert_non_null(runs);
	for (unsigned round = 0; round < rounds; round++) {
		enum motion motion = motions[round % 4];
		record(&runs[0], &seed, motion, 1);
		record(&runs[1], &seed, motion, 1.1);
		uint32_t different = compare(&runs[0], &runs[1], &seed);
		found += different & 1;
		wrong += (different & ~1u) != 0;
	}
	print_message("%u of %u planted slow-downs found, %u others\n", found, rounds, wrong);
	assert_true(found >= 0.95 * rounds || (rounds < 100 && found + 3 >= rounds));
	assert_true(wrong < 0.03 * rounds || wrong < 3);
	free(runs);
}

/* Of runs without drift: 95 % intervals hold the truth. */
static void intervals_cover(void **state) {
	struct seed seed = seed_start("intervals_cover");
	unsigned rounds = seed_rounds(400);
	struct run *runs = calloc(2, sizeof(*runs));
	unsigned covered[SLICED_QUANTILES + 1] = {0};
	(void)state;
	assert_non_null(runs);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < 2; i++)
			record(&runs[i], &seed, STILL, i ? 1.05 : 1);
		slice(&runs[0], &runs[1], &seed);
		slice(&runs[1], &runs[0], &seed);
		for (unsigned which = 0; which <= SLICED_QUANTILES; which++) {
			struct measured measured[2];
			for (unsigned i = 0; i < 2; i++)
				measured[i] = which < SLICED_QUANTILES
				                  ? sliced_quantile(&grid, &runs[i].names[0], which)
				                  : sliced_mean(&grid, &runs[i].names[0]);
			struct difference difference = difference_of(&measured[0], &measured[1], 0.95, 0);
			covered[which] += difference.low <= 0.05 && difference.high >= 0.05;
		}
		forget(&runs[0]);
		forget(&runs[1]);
	}
	for (unsigned which = 0; which <= SLICED_QUANTILES; which++)
		if (covered[which] < 0.92 * rounds && covered[which] + 4 < rounds)
			fail_msg("figure %u: %u of %u intervals hold the truth", which, covered[which], rounds);
	free(runs);
}

/* --- places ------------------------------------------------------------------------------------------------------ */

static void places_are_those_of_all_pairs(void **state) {
	struct seed seed = seed_start("places_are_those_of_all_pairs");
	struct sliced before = {.squares = 200};
	struct sliced after = {.squares = 300};
	uint32_t values[2][300];
	double wins = 0;
	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		unsigned side = i >= 200;
		uint32_t at = side ? i - 200 : i;
		/* below 2^9 each value has a bin of its own */
		values[side][at] = 100 + (uint32_t)seed_below(&seed, 60) + 20 * side;
		assert_int_equal(
		    grid_add(&grid, side ? &after.weights : &before.weights, grid_bin(&grid, values[side][at]), 1), 0);
	}
	sliced_settle(&grid, &before);
	sliced_settle(&grid, &after);
	for (uint32_t i = 0; i < 200; i++)
		sliced_count(&grid, &before, &after.weights, i % SLICED_SLICES, grid_bin(&grid, values[0][i]), 1);
	for (uint32_t i = 0; i < 300; i++)
		sliced_count(&grid, &after, &before.weights, i % SLICED_SLICES, grid_bin(&grid, values[1][i]), 1);
	for (uint32_t i = 0; i < 200; i++)
		for (uint32_t k = 0; k < 300; k++)
			wins += values[1][k] > values[0][i] ? 1 : values[1][k] == values[0][i] ? 0.5 : 0;
	struct superiority superiority = sliced_superiority(&grid, &before, &after, 0.95, 0);
	assert_true(superiority.known);
	near(superiority.value, wins / 200 / 300, 1e-12);
	assert_true(superiority.low < superiority.value && superiority.value < superiority.high);
	assert_true(superiority.p < 1e-6);
	near(sliced_superiority(&grid, &before, &after, 0.95, 3).p, 1, 0);
	grid_clear(&before.weights);
	grid_clear(&after.weights);
}

static void few_slices_say_nothing(void **state) {
	struct sliced few = {.squares = 30};
	double freedom;
	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(grid_add(&grid, &few.weights, grid_bin(&grid, 1000 + i), 1), 0);
	sliced_settle(&grid, &few);
	for (uint32_t i = 0; i < 30; i++)
		sliced_count(&grid, &few, NULL, i % 3, grid_bin(&grid, 1000 + i), 1);
	assert_int_equal(sliced_quantile(&grid, &few, 0).kind, MEASURED_NOTHING);
	assert_int_equal(sliced_mean(&grid, &few).kind, MEASURED_NOTHING);
	assert_int_equal(sliced_errors(&few).kind, MEASURED_NOTHING);
	assert_int_equal(sliced_heap(&few).kind, MEASURED_NOTHING);
	/* neighbours alike: fewer degrees and a larger error than where they alternate */
	double weights[SLICED_SLICES];
	double alike[SLICED_SLICES];
	double other[SLICED_SLICES];
	double freedoms[2];
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		weights[i] = 10;
		alike[i] = i < SLICED_SLICES / 2 ? 1 : -1;
		other[i] = i % 2 ? 1 : -1;
	}
	double plain = SLICED_SLICES / (SLICED_SLICES - 1.0) * SLICED_SLICES / (320.0 * 320);
	near(sliced_variance(other, weights, SLICED_SLICES, &freedoms[0]), plain, 1e-15);
	near(freedoms[0], SLICED_SLICES - 1, 1e-12);
	assert_true(sliced_variance(alike, weights, SLICED_SLICES, &freedoms[1]) > 10 * plain);
	assert_true(freedoms[1] < 3);
	assert_true(sliced_variance(alike, weights, 3, &freedom) >= 0 && freedom == 0);
	grid_clear(&few.weights);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(student_is_that_of_tables),
	    cmocka_unit_test(intervals_of_shares_are_those_in_print),
	    cmocka_unit_test(means_differ_by_their_errors),
	    cmocka_unit_test(holm_is_that_of_the_book),
	    cmocka_unit_test(bins_hold_their_values),
	    cmocka_unit_test(other_clocks_are_laid_over),
	    cmocka_unit_test(places_are_those_of_all_pairs),
	    cmocka_unit_test(few_slices_say_nothing),
	    cmocka_unit_test(intervals_cover),
	    cmocka_unit_test(slower_runs_are_found),
	    cmocka_unit_test(equal_runs_are_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
