/* SPDX-License-Identifier: Apache-2.0 */
#include "base/errs.h"
#include "libshm/clock_model.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <spanring/ring_abi.h>

#define TICKS_PER_SECOND UINT64_C(2700000000)
#define SECOND_NS UINT64_C(1000000000)

static struct clock_model_pair at(uint64_t ticks, uint64_t ns) {
	return (struct clock_model_pair){.ticks = ticks, .ns = ns};
}

static void two_pairs_give_a_line(void **state) {
	(void)state;
	struct clock_model model;
	clock_model_init(&model, at(1000, 5000), at(1000 + TICKS_PER_SECOND, 5000 + SECOND_NS));
	assert_int_equal(clock_model_ns(&model, 1000), 5000);
	for (uint64_t seconds = 1; seconds < 100; seconds++) {
		uint64_t ns = clock_model_ns(&model, 1000 + seconds * TICKS_PER_SECOND);
		assert_in_range(ns, 5000 + seconds * SECOND_NS - seconds, 5000 + seconds * SECOND_NS);
	}
}

static void equal_rates_are_exact(void **state) {
	(void)state;
	struct clock_model model;
	clock_model_init(&model, at(UINT64_C(1) << 40, 777), at((UINT64_C(1) << 40) + 1000, 1777));
	for (uint64_t i = 0; i < 1000000; i += 997)
		assert_int_equal(clock_model_ns(&model, (UINT64_C(1) << 40) + i), 777 + i);
}

/*
 * A kernel that changes the clock's rate every second by up to 500 parts in a million, and pairs read with up to 50 ns
 * of error.
 */
static void steered_clock_is_followed_without_going_back(void **state) {
	(void)state;
	struct seed seed = seed_start("clock_model");
	struct clock_model model;
	uint64_t ticks = UINT64_C(123456789012);
	uint64_t ns = UINT64_C(99000000000);
	clock_model_init(&model, at(ticks, ns), at(ticks + TICKS_PER_SECOND / 200, ns + SECOND_NS / 200));
	uint64_t last = 0;
	for (uint32_t second = 0; second < 300; second++) {
		int64_t rate_ppm = (int64_t)seed_below(&seed, 1001) - 500;
		uint64_t step_ns = (uint64_t)((int64_t)SECOND_NS + rate_ppm * 1000);
		for (uint64_t part = 0; part < 50; part++) {
			uint64_t read =
			    clock_model_ns(&model, ticks + TICKS_PER_SECOND / 50 * part + seed_below(&seed, 1000));
			assert_true(read >= last);
			last = read;
		}
		ticks += TICKS_PER_SECOND;
		ns += step_ns;
		/* What it says at a pair is what it foretold a second ago, wrong by the change of rate at most. */
		uint64_t told = clock_model_ns(&model, ticks);
		uint64_t error = told > ns ? told - ns : ns - told;
		assert_true(error < 1100 * 1000 + 2 * 1000 * 1000);
		clock_model_renew(&model, at(ticks, ns + seed_below(&seed, 50)));
	}
}

static void steady_clock_is_met_within_a_microsecond(void **state) {
	(void)state;
	struct seed seed = seed_start("clock_steady");
	struct clock_model model;
	uint64_t ticks = 5000;
	uint64_t ns = 1000;
	/* The first rate is off by 20 parts in a million. */
	clock_model_init(&model, at(ticks, ns), at(ticks + 13500000, ns + 5000100));
	for (uint32_t second = 1; second < 60; second++) {
		ticks += TICKS_PER_SECOND;
		ns += SECOND_NS;
		clock_model_renew(&model, at(ticks, ns + seed_below(&seed, 30)));
		if (second < 3)
			continue;
		uint64_t later = clock_model_ns(&model, ticks + TICKS_PER_SECOND / 2);
		uint64_t exact = ns + SECOND_NS / 2;
		assert_in_range(later, exact - 1000, exact + 1000);
	}
}

static void a_jump_forward_is_followed_at_once_and_back_never(void **state) {
	(void)state;
	struct clock_model model;
	clock_model_init(&model, at(0, SECOND_NS), at(1000000, SECOND_NS + 1000000));
	clock_model_renew(&model, at(SECOND_NS, 12 * SECOND_NS));
	assert_int_equal(clock_model_ns(&model, SECOND_NS), 12 * SECOND_NS);
	uint64_t before = clock_model_ns(&model, 2 * SECOND_NS);
	clock_model_renew(&model, at(2 * SECOND_NS, 12 * SECOND_NS + 1));
	assert_true(clock_model_ns(&model, 2 * SECOND_NS) >= before);
	uint64_t last = 0;
	for (uint64_t ticks = 0; ticks < 4 * SECOND_NS; ticks += SECOND_NS / 64) {
		uint64_t ns = clock_model_ns(&model, ticks);
		assert_true(ns >= last);
		last = ns;
	}
}

static void any_ticks_give_a_time(void **state) {
	(void)state;
	struct seed seed = seed_start("clock_any");
	struct clock_model model;
	clock_model_init(&model, at(UINT64_C(1) << 50, SECOND_NS), at((UINT64_C(1) << 50) + 1000, SECOND_NS + 1000));
	for (uint32_t i = 1; i <= 200; i++)
		clock_model_renew(&model, at((UINT64_C(1) << 50) + i * SECOND_NS, (i + 1) * SECOND_NS));
	uint64_t low = clock_model_ns(&model, 0);
	assert_int_equal(low, 0);
	assert_int_equal(clock_model_ns(&model, UINT64_MAX), INT64_MAX);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t a = seed_next(&seed);
		uint64_t b = seed_next(&seed);
		uint64_t first = clock_model_ns(&model, a < b ? a : b);
		uint64_t second = clock_model_ns(&model, a < b ? b : a);
		assert_true(first <= second && second <= INT64_MAX);
	}
}

static void time_before_the_agent_runs_along_the_programs_anchor(void **state) {
	(void)state;
	struct clock_model model;
	clock_model_init(&model, at(10000, 100000), at(20000, 200100));
	/* The program's pair is exact: ten to one. */
	struct clock_model_pair anchor = at(1000, 10000);
	assert_int_equal(clock_model_ns_before(&model, anchor, 5000), 50000);
	assert_int_equal(clock_model_ns_before(&model, anchor, 500), 5000);
	assert_int_equal(clock_model_ns_before(&model, anchor, 10000), 100000);
	/* One that makes no sense is as good as none. */
	assert_int_equal(clock_model_ns_before(&model, at(50000, 1), 12345), clock_model_ns(&model, 12345));
	assert_int_equal(clock_model_ns_before(&model, at(5, UINT64_MAX), 9000), clock_model_ns(&model, 9000));
	assert_int_equal(clock_model_ns_before(&model, at(0, 0), 0), 0);
}

static void the_machines_counter_is_read_in_pairs(void **state) {
	(void)state;
	struct clock_model_pair first;
	struct clock_model_pair second;
	uint32_t kind = clock_model_counter_kind();
	if (kind == 0)
		skip();
	assert_int_equal(clock_model_pair_read(kind, &first), 0);
	assert_int_equal(clock_model_pair_read(kind, &second), 0);
	assert_true(second.ticks > first.ticks && second.ns >= first.ns);
	assert_int_equal(clock_model_pair_read(SPANRING_CLOCK_MONOTONIC, &first), -ENOTSUP);
	assert_int_equal(clock_model_pair_read(0, &first), -ENOTSUP);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_pairs_give_a_line),
	    cmocka_unit_test(equal_rates_are_exact),
	    cmocka_unit_test(steered_clock_is_followed_without_going_back),
	    cmocka_unit_test(steady_clock_is_met_within_a_microsecond),
	    cmocka_unit_test(a_jump_forward_is_followed_at_once_and_back_never),
	    cmocka_unit_test(any_ticks_give_a_time),
	    cmocka_unit_test(time_before_the_agent_runs_along_the_programs_anchor),
	    cmocka_unit_test(the_machines_counter_is_read_in_pairs),
	};
	return cmocka_run_group_tests_name("agent_clock_model", tests, NULL, NULL);
}
