/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which traces tail keep keeps: what may be asked for, and that the weights estimate without bias whatever the trace ids are. Every round
 * computes how far a sum of weights is off in standard deviations; one round may be five of them off, the mean of all rounds only four times
 * what a mean of so many may be.
 */
#include "agent/tail/tail_choice.h"
#include "agent/tail/tail_known.h"
#include "agent/tail/tail_names.h"
#include "libstore/span.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TRACES 20000u
#define ROUNDS 40u
#define NS UINT64_C(1000000000)

static void a_ratio_is_a_share(void **state) {
	static const char *const wrong[] = {"", "x", "-1", "1.1", "0.0000001", "1e-7", "own", "nan"};
	struct tail_rules rules = {.weight = 7};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(tail_choice_set_ratio(&rules, wrong[i]));
	assert_int_equal(rules.weight, 7);
	assert_true(tail_choice_set_ratio(&rules, "0"));
	assert_int_equal(tail_choice_weight(&rules, 5, 0), 0);
	assert_int_equal(tail_choice_weight(&rules, 5, TAIL_RARE), STORE_WEIGHT_ONE);
	assert_true(tail_choice_set_ratio(&rules, "1"));
	assert_true(rules.weight == STORE_WEIGHT_ONE && rules.limit == UINT64_MAX);
	assert_true(tail_choice_set_ratio(&rules, TAIL_RATIO_MIN));
	assert_true(rules.weight > 4095000000u);
	assert_true(tail_choice_set_ratio(&rules, "0.25"));
	assert_true(rules.weight == 4 * STORE_WEIGHT_ONE && rules.limit == UINT64_MAX / 4);
}

/* limit + 1 hashes of 2^64 are kept: that times the weight is one, to the last bit that the limit has. */
static void the_weight_is_the_reciprocal(void **state) {
	struct seed seed = seed_start("tail_choice weight");
	(void)state;
	for (unsigned round = 0; round < 1000; round++) {
		struct tail_rules rules = {0};
		char text[32];
		(void)snprintf(text, sizeof(text), "%.9f", 1e-6 + (double)seed_below(&seed, 999999000) / 1e9);
		assert_true(tail_choice_set_ratio(&rules, text));
		long double kept = (long double)rules.limit + 1.0L;
		long double one = kept / 18446744073709551616.0L * rules.weight / STORE_WEIGHT_ONE;
		if (fabsl(one - 1) > 1e-9L)
			fail_msg("%s: probability times weight is %Lf", text, one);
	}
}

static void slow_is_a_percentile_or_a_time(void **state) {
	static const char *const wrong[] = {"",          "p",  "p0",   "p100", "p.9", "p99.",
	                                    "p99.99999", "99", "fast", "p-1",  "p9x"};
	struct tail_rules rules = {.slow = TAIL_SLOW_FIXED, .slow_ns = 3};
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(tail_choice_set_slow(&rules, wrong[i]));
	assert_true(rules.slow == TAIL_SLOW_FIXED && rules.slow_ns == 3);
	assert_true(tail_choice_set_slow(&rules, "p99"));
	assert_true(rules.slow == TAIL_SLOW_PERCENTILE && rules.slow_per_million == 990000);
	assert_true(tail_choice_set_slow(&rules, "p99.95"));
	assert_int_equal(rules.slow_per_million, 999500);
	assert_true(tail_choice_set_slow(&rules, "p5"));
	assert_int_equal(rules.slow_per_million, 50000);
	assert_true(tail_choice_set_slow(&rules, "250ms"));
	assert_true(rules.slow == TAIL_SLOW_FIXED && rules.slow_ns == 250000000);
	assert_true(tail_choice_set_slow(&rules, "never"));
	assert_int_equal(rules.slow, TAIL_SLOW_NEVER);
}

/* Ids as programs make them, and as a program would make them that wants to be counted wrongly. */
static uint64_t trace_id(struct seed *seed, unsigned shape, uint64_t base, uint32_t i) {
	switch (shape) {
	case 0:
		return seed_next(seed);
	case 1:
		return base + i;
	case 2:
		return base ^ (uint64_t)i << 40;
	case 3:
		return base - i * UINT64_C(0x9e3779b97f4a7c15);
	default:
		return (base | 1) << 32 | __builtin_bswap32(i);
	}
}

static void weights_estimate_without_bias(void **state) {
	static const char *const ratios[] = {"0.5", "0.3", "0.1", "0.01"};
	struct seed seed = seed_start("tail_choice bias");
	(void)state;
	for (size_t r = 0; r < sizeof(ratios) / sizeof(ratios[0]); r++)
		for (unsigned shape = 0; shape < 5; shape++) {
			struct tail_rules rules = {0};
			double mean = 0;
			unsigned rounds = seed_rounds(ROUNDS);
			assert_true(tail_choice_set_ratio(&rules, ratios[r]));
			double p = (double)STORE_WEIGHT_ONE / rules.weight;
			for (unsigned round = 0; round < rounds; round++) {
				uint64_t base = seed_next(&seed);
				double sum = 0;
				for (uint32_t i = 0; i < TRACES; i++)
					sum += tail_choice_weight(&rules, trace_id(&seed, shape, base, i), 0);
				double off = (sum / STORE_WEIGHT_ONE - TRACES) / sqrt(TRACES * (1 - p) / p);
				if (fabs(off) > 5)
					fail_msg("ratio %s, shape %u: %f standard deviations off", ratios[r], shape,
					         off);
				mean += off / rounds;
			}
			if (fabs(mean) >
			    5 / sqrt(rounds)) /* twenty of them a run: at 4 one run in eight hundred would be wrong */
				fail_msg("ratio %s, shape %u: biased by %f standard deviations", ratios[r], shape,
				         mean);
		}
}

static void who_waits_is_not_forgotten(void **state) {
	struct tail_known known;
	struct seed seed = seed_start("tail_known");
	uint64_t since = 0;
	unsigned refused = 0;
	(void)state;
	assert_int_equal(tail_known_init(&known, 4096), 0);
	assert_true(tail_known_put(&known, 77, TAIL_WAITING, 1000, NS));
	for (unsigned i = 0; i < 10000; i++)
		refused += !tail_known_put(&known, seed_next(&seed), i % 2 ? TAIL_WAITING : TAIL_KEPT, 2000, NS);
	assert_true(refused > 0);
	assert_int_equal(tail_known_find(&known, 77, &since), TAIL_WAITING);
	assert_int_equal(since, 1000);
	assert_true(tail_known_put(&known, 77, TAIL_WAITING, 5000, NS));
	assert_int_equal(tail_known_find(&known, 77, &since), TAIL_WAITING);
	assert_int_equal(since, 1000);
	assert_true(tail_known_put(&known, 77, TAIL_KEPT, 6000, NS));
	assert_int_equal(tail_known_find(&known, 77, &since), TAIL_KEPT);
	/* Ordinary ones make room before kept ones; those that waited too long make room for all. */
	for (unsigned i = 0; i < 10000; i++)
		assert_true(tail_known_put(&known, seed_next(&seed), TAIL_ORDINARY, 3 * NS, NS));
	assert_int_equal(tail_known_find(&known, 78, &since), TAIL_UNKNOWN);
	tail_known_done(&known);
}

static uint32_t site_of(struct catalog *catalog, const char *name) {
	struct store_site site = {.line = 1};
	uint32_t id = 0;
	assert_int_equal(catalog_string(catalog, name, strlen(name), &site.name), 0);
	assert_int_equal(catalog_site(catalog, &site, &id), 0);
	return id;
}

static void a_name_outlives_its_catalog(void **state) {
	struct tail_names names;
	struct catalog *first = NULL;
	struct catalog *second = NULL;
	(void)state;
	assert_int_equal(tail_names_init(&names, 1 << 20), 0);
	assert_int_equal(catalog_new(&first), 0);
	assert_int_equal(catalog_new(&second), 0);
	struct tail_name *a = tail_names_of(&names, first, 1, site_of(first, "a"));
	struct tail_name *b = tail_names_of(&names, first, 1, site_of(first, "b"));
	assert_true(a != b && a != names.names);
	assert_ptr_equal(tail_names_of(&names, second, 2, site_of(second, "b")), b);
	assert_ptr_equal(tail_names_of(&names, second, 2, site_of(second, "a")), a);
	char text[16];
	for (unsigned i = 0; i < 2 * TAIL_NAMES_MAX; i++) {
		(void)snprintf(text, sizeof(text), "n%u", i);
		(void)tail_names_of(&names, second, 2, site_of(second, text));
	}
	assert_int_equal(names.count, TAIL_NAMES_MAX);
	assert_ptr_equal(tail_names_of(&names, second, 2, site_of(second, text)), names.names);
	tail_names_begin(&names, NS);
	a->window = 5;
	tail_names_begin(&names, NS + TAIL_NAMES_WINDOW_NS);
	assert_true(a->window == 0 && a->window_before == 5);
	tail_names_begin(&names, NS + 5 * TAIL_NAMES_WINDOW_NS);
	assert_int_equal(a->window_before, 0);
	tail_names_done(&names);
	catalog_free(first);
	catalog_free(second);
}

/* Ticks that are nanoseconds: so many spans in each of some bins. */
static void learn(struct tail_names *names, struct catalog *catalog, uint32_t site, const struct store_rollup_bin *bins,
                  uint32_t count, uint32_t per_million) {
	struct store_rollup rollup = {
	    .site = site, .ns_per_tick_q32 = UINT64_C(1) << ROLLUP_SCALE_BITS, .bins = bins, .bin_count = count};
	tail_names_learn(names, catalog, 1, &rollup, per_million);
}

static void the_limit_is_the_edge_of_a_bin(void **state) {
	struct tail_names names;
	struct catalog *catalog = NULL;
	(void)state;
	assert_int_equal(tail_names_init(&names, 1 << 20), 0);
	assert_int_equal(catalog_new(&catalog), 0);
	uint32_t site = site_of(catalog, "work");
	struct tail_name *name = tail_names_of(&names, catalog, 1, site);
	struct store_rollup_bin few = {.bin = spanring_statistics_bin(1000), .count = TAIL_NAMES_SPANS_MIN - 1};
	learn(&names, catalog, site, &few, 1, 990000);
	assert_null(name->bins); /* it enters nothing */
	name->enters = true;
	learn(&names, catalog, site, &few, 1, 990000);
	assert_true(name->slow_ns == UINT64_MAX);
	/* All equal: none is slow, nor is one within a bin of them. */
	learn(&names, catalog, site, &few, 1, 990000);
	assert_true(name->slow_ns >= 1000 && name->slow_ns < 1000 * 17 / 16 + 32);
	/* One in fifty is a hundred times as slow: the 99th percentile is among them. */
	struct store_rollup_bin mixed[] = {{.bin = spanring_statistics_bin(1000), .count = 98000},
	                                   {.bin = spanring_statistics_bin(100000), .count = 2000}};
	learn(&names, catalog, site, mixed, 2, 990000);
	assert_true(name->slow_ns >= 100000 && name->slow_ns < 100000 * 18 / 16);
	learn(&names, catalog, site, mixed, 2, 950000);
	assert_true(name->slow_ns < 1100);
	for (unsigned i = 0; i < 20; i++)
		learn(&names, catalog, site, mixed, 2, 950000);
	assert_true(name->spans < TAIL_NAMES_SPANS_HALVE);
	struct store_rollup_bin last = {.bin = ROLLUP_BINS_MAX - 1, .count = UINT64_MAX};
	learn(&names, catalog, site, &last, 1, 950000);
	assert_true(name->slow_ns > UINT64_C(1) << 43);
	tail_names_done(&names);
	catalog_free(catalog);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ratio_is_a_share),
	    cmocka_unit_test(the_weight_is_the_reciprocal),
	    cmocka_unit_test(slow_is_a_percentile_or_a_time),
	    cmocka_unit_test(weights_estimate_without_bias),
	    cmocka_unit_test(who_waits_is_not_forgotten),
	    cmocka_unit_test(a_name_outlives_its_catalog),
	    cmocka_unit_test(the_limit_is_the_edge_of_a_bin),
	};
	return cmocka_run_group_tests_name("agent_tail_choice", tests, NULL, NULL);
}
