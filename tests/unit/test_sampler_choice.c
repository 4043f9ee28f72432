/* SPDX-License-Identifier: Apache-2.0 */
/* What the environment asks for, and which traces that keeps. Thresholds were computed with exact fractions elsewhere. */
#include "support/cmocka.h"

#include "libshm/sampling.h"

#include <stdlib.h>

#define ALL (UINT64_C(1) << 63)
#define PARENT SPANRING_CONTROL_PARENT_BASED

static void set(const char *name, const char *value) {
	assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static struct spanring__sampling chosen(const char *sampler, const char *argument) {
	struct spanring__sampling sampling;
	set("OTEL_TRACES_SAMPLER", sampler);
	set("OTEL_TRACES_SAMPLER_ARG", argument);
	spanring__sampling_choose(&sampling);
	return sampling;
}

struct choice {
	const char *sampler;
	const char *argument;
	uint32_t kind;
	uint32_t flags;
	uint64_t threshold;
};

static void the_environment_chooses_the_sampler(void **state) {
	(void)state;
	static const struct choice choices[] = {
	    {NULL, NULL, SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	    {"", "", SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	    {NULL, "0.5", SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	    {"always_on", "0.5", SPANRING_SAMPLER_ALWAYS_ON, 0, ALL},
	    {"always_off", NULL, SPANRING_SAMPLER_ALWAYS_OFF, 0, 0},
	    {"always_off", "1", SPANRING_SAMPLER_ALWAYS_OFF, 0, 0},
	    {"parentbased_always_on", NULL, SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	    {"parentbased_always_off", "x", SPANRING_SAMPLER_ALWAYS_OFF, PARENT, 0},
	    {"traceidratio", "0.25", SPANRING_SAMPLER_TRACEIDRATIO, 0, UINT64_C(0x2000000000000000)},
	    {"parentbased_traceidratio", "0.01", SPANRING_SAMPLER_TRACEIDRATIO, PARENT, UINT64_C(92233720368547760)},
	    {"traceidratio", NULL, SPANRING_SAMPLER_TRACEIDRATIO, 0, ALL},
	    {"traceidratio", "nonsense", SPANRING_SAMPLER_TRACEIDRATIO, 0, ALL},
	    {"traceidratio", "-0.5", SPANRING_SAMPLER_TRACEIDRATIO, 0, ALL},
	    {"traceidratio", "2", SPANRING_SAMPLER_TRACEIDRATIO, 0, ALL},
	    {"traceidratio", "0", SPANRING_SAMPLER_TRACEIDRATIO, 0, 0},
	    {"TraceIdRatio", "0.5", SPANRING_SAMPLER_TRACEIDRATIO, 0, ALL / 2},
	    {"jaeger_remote", "x", SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	    {"always_on ", NULL, SPANRING_SAMPLER_ALWAYS_ON, PARENT, ALL},
	};
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *choice = &choices[i];
		struct spanring__sampling sampling = chosen(choice->sampler, choice->argument);
		if (sampling.sampler != choice->kind ||
		    sampling.flags != (choice->flags | SPANRING_CONTROL_STATISTICS) ||
		    sampling.threshold != choice->threshold || sampling.duration_min_ns != 0)
			fail_msg("case %zu: sampler %u flags %u threshold %llu", i, sampling.sampler, sampling.flags,
			         (unsigned long long)sampling.threshold);
	}
}

static void the_environment_chooses_statistics_and_duration(void **state) {
	(void)state;
	static const char *const on[] = {NULL, "", "true", "TRUE", "1", "yes", "2", "off"};
	static const char *const off[] = {"false", "False", "0"};
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
		set("SPANRING_STATISTICS", on[i]);
		assert_true(chosen(NULL, NULL).flags == (PARENT | SPANRING_CONTROL_STATISTICS));
	}
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		set("SPANRING_STATISTICS", off[i]);
		assert_true(chosen(NULL, NULL).flags == PARENT);
	}
	set("SPANRING_STATISTICS", NULL);
	static const struct {
		const char *text;
		uint64_t ns;
	} durations[] = {{"5us", 5000},
	                 {"1.5ms", 1500000},
	                 {"2 s", 2000000000},
	                 {"3m", UINT64_C(180000000000)},
	                 {"3min", UINT64_C(180000000000)},
	                 {"1h", UINT64_C(3600000000000)},
	                 {"1d", UINT64_C(86400000000000)},
	                 {"0.25us", 250},
	                 {"1e3ns", 1000},
	                 {"0", 0},
	                 {"0s", 0},
	                 {"", 0},
	                 {"5", 0},
	                 {"us", 0},
	                 {"-5us", 0},
	                 {"5 us ", 0},
	                 {"5xs", 0},
	                 {"1e300s", 0},
	                 {"1e999999999999s", 0},
	                 {"nan", 0},
	                 {"0x10us", 0},
	                 {"99999999999999999999999999999999d", 0}};
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		set("SPANRING_DURATION_MIN", durations[i].text);
		if (chosen(NULL, NULL).duration_min_ns != durations[i].ns)
			fail_msg("\"%s\"", durations[i].text);
	}
	set("SPANRING_DURATION_MIN", NULL);
}

static void ratios_become_exact_thresholds(void **state) {
	(void)state;
	static const struct {
		const char *text;
		uint64_t threshold;
	} ratios[] = {{"0.01", UINT64_C(92233720368547760)},
	              {"0.1", UINT64_C(0xccccccccccccd00)},
	              {"1e-3", UINT64_C(9223372036854776)},
	              {"2.5e-1", UINT64_C(0x2000000000000000)},
	              {".5", UINT64_C(0x4000000000000000)},
	              {"1E-18", 9},
	              {"1e-19", 0},
	              {"0", 0},
	              {"0.000", 0},
	              {"1", ALL},
	              {"1.0", ALL},
	              {"1.", ALL},
	              {"10e-1", ALL},
	              {"0.999999999", UINT64_C(9223372027631404032)}};
	static const char *const refused[] = {"",    " ",   "x",    "-1",    "+1",    "1.0000001",
	                                      "2",   "1e1", "0.5x", "0,5",   "0.5 ",  " 0.5",
	                                      "1e",  "1e+", "..5",  "0.5.5", ".",     "nan",
	                                      "inf", "0x1", "1%",   "1/2",   "1e999", "1e99999999999999999999"};
	for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
		uint64_t threshold = 1;
		if (!spanring__sampling_ratio(ratios[i].text, &threshold) || threshold != ratios[i].threshold)
			fail_msg("%s: %llu", ratios[i].text, (unsigned long long)threshold);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		uint64_t threshold = 77;
		if (spanring__sampling_ratio(refused[i], &threshold) || threshold != 77)
			fail_msg("accepted: \"%s\"", refused[i]);
	}
	assert_false(spanring__sampling_ratio(NULL, NULL));
}

static void a_ratio_keeps_the_same_traces_as_other_libraries(void **state) {
	(void)state;
	struct spanring__sampling hundredth = chosen("traceidratio", "0.01");
	struct spanring__sampling tenth = chosen("traceidratio", "0.1");
	struct spanring__sampling on = chosen("always_on", NULL);
	struct spanring__sampling off = chosen("always_off", NULL);
	/* The last id that is kept, and the next one. */
	assert_true(sampling_keeps(&hundredth, UINT64_C(0x028f5c28f5c28f5f)));
	assert_false(sampling_keeps(&hundredth, UINT64_C(0x028f5c28f5c28f60)));
	assert_true(sampling_keeps(&tenth, UINT64_C(0x19999999999999ff)));
	assert_false(sampling_keeps(&tenth, UINT64_C(0x1999999999999a00)));
	/* The lowest bit does not matter. */
	assert_true(sampling_keeps(&tenth, 0) && sampling_keeps(&tenth, 1));
	static const uint64_t ids[] = {0, 1, 2, ALL - 1, ALL, ALL + 1, UINT64_MAX - 1, UINT64_MAX};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_true(sampling_keeps(&on, ids[i]) && !sampling_keeps(&off, ids[i]));
}

static void names_go_both_ways(void **state) {
	(void)state;
	static const char *const names[] = {"always_on",
	                                    "always_off",
	                                    "traceidratio",
	                                    "parentbased_always_on",
	                                    "parentbased_always_off",
	                                    "parentbased_traceidratio"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct spanring__sampling sampling = {.flags = PARENT | SPANRING_CONTROL_SITES, .duration_min_ns = 5};
		assert_true(spanring__sampling_set(&sampling, names[i], NULL));
		assert_string_equal(spanring__sampling_name(&sampling), names[i]);
		assert_true((sampling.flags & SPANRING_CONTROL_SITES) && sampling.duration_min_ns == 5);
		assert_int_equal(spanring__sampling_has_ratio(names[i]), i % 3 == 2);
	}
	struct spanring__sampling before = {.sampler = 1, .flags = 7, .threshold = 3, .duration_min_ns = 4};
	struct spanring__sampling after = before;
	assert_false(spanring__sampling_set(&after, "sometimes", NULL));
	assert_false(spanring__sampling_set(&after, "traceidratio", "1.5"));
	assert_false(spanring__sampling_set(&after, NULL, NULL));
	assert_memory_equal(&after, &before, sizeof(after));
	before.sampler = 3;
	assert_string_equal(spanring__sampling_name(&before), "unknown");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_environment_chooses_the_sampler),
	    cmocka_unit_test(the_environment_chooses_statistics_and_duration),
	    cmocka_unit_test(ratios_become_exact_thresholds),
	    cmocka_unit_test(a_ratio_keeps_the_same_traces_as_other_libraries),
	    cmocka_unit_test(names_go_both_ways),
	};
	return cmocka_run_group_tests_name("sampler_choice", tests, NULL, NULL);
}
