/* SPDX-License-Identifier: Apache-2.0 */
/* The same keys everywhere and for ever: points computed by another program, uniform, monotone, independent by name. */
#include "support/cmocka.h"

#include <spanring/rollout.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEYS 20000u

struct vector {
	const char *name;
	const char *key;
	uint64_t point;
};

static void points_are_those_of_the_published_algorithm(void **state) {
	(void)state;
	static const struct vector vectors[] = {
	    {"", "", UINT64_C(0xa258d6ec1fb5d95c)},
	    {"", "abc", UINT64_C(0x52d58cdd5301992e)},
	    {"verbose-orders", "tenant-1", UINT64_C(0xb8ce56444f28402c)},
	    {"verbose-orders", "tenant-2", UINT64_C(0x1ca28c8df87f7c05)},
	    {"other", "tenant-1", UINT64_C(0x837b66c7f01d023c)},
	    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1234567890123456789012345678901",
	     UINT64_C(0x3c18942aca4bd6c0)},
	};
	uint8_t bytes[101];
	for (uint8_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *vector = &vectors[i];
		uint64_t point = spanring_rollout_point(vector->name, vector->key, strlen(vector->key));
		if (point != vector->point)
			fail_msg("\"%s\" \"%s\": %016llx", vector->name, vector->key, (unsigned long long)point);
	}
	assert_true(spanring_rollout_point("verbose-orders", bytes, sizeof(bytes)) == UINT64_C(0xf3bac1b729a19a7f));
	assert_true(spanring_rollout_point(NULL, NULL, 0) == vectors[0].point);
}

static void the_ends_are_exact(void **state) {
	(void)state;
	/* 0xb8ce56444f28402c / 2^64 is 0.72189845245080246... */
	assert_true(spanring_rollout_text("verbose-orders", "tenant-1", 0.7219));
	assert_false(spanring_rollout_text("verbose-orders", "tenant-1", 0.7218));
	const double bound = ldexp((double)(UINT64_C(0xb8ce56444f28402c) >> 11), -53);
	assert_false(spanring_rollout_text("verbose-orders", "tenant-1", bound));
	assert_true(spanring_rollout_text("verbose-orders", "tenant-1", bound + ldexp(1, -53)));
	static const double all[] = {1, 1.5, 1e300, INFINITY};
	static const double none[] = {0, -0.0, -1, -INFINITY, NAN};
	char key[16];
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		for (size_t share = 0; share < sizeof(all) / sizeof(all[0]); share++)
			assert_true(spanring_rollout_text("r", key, all[share]));
		for (size_t share = 0; share < sizeof(none) / sizeof(none[0]); share++)
			assert_false(spanring_rollout_text("r", key, none[share]));
	}
	assert_true(spanring_rollout_text(NULL, NULL, 1));
}

static void a_greater_share_only_adds_keys(void **state) {
	(void)state;
	char key[16];
	for (unsigned i = 0; i < 2000; i++) {
		int length = snprintf(key, sizeof(key), "key-%u", i);
		bool before = false;
		for (unsigned step = 0; step <= 100; step++) {
			bool now = spanring_rollout("monotone", key, (size_t)length, step / 100.0);
			if (before && !now)
				fail_msg("%s leaves at %u %%", key, step);
			before = now;
		}
	}
}

/* Chi-square over 64 buckets; 63 degrees of freedom stay below 130 but for once in a million. The keys are fixed. */
static void points_are_uniform(void **state) {
	(void)state;
	unsigned buckets[64] = {0};
	char key[16];
	double chi = 0;
	for (unsigned i = 0; i < KEYS; i++) {
		int length = snprintf(key, sizeof(key), "user-%u", i);
		buckets[spanring_rollout_point("uniform", key, (size_t)length) >> 58]++;
	}
	for (unsigned i = 0; i < 64; i++)
		chi += pow(buckets[i] - KEYS / 64.0, 2) / (KEYS / 64.0);
	if (chi > 130)
		fail_msg("chi-square %f", chi);
}

static void names_choose_independently(void **state) {
	(void)state;
	unsigned both = 0;
	unsigned one = 0;
	char key[16];
	for (unsigned i = 0; i < KEYS; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		bool first = spanring_rollout_text("first", key, 0.1);
		one += first;
		both += first && spanring_rollout_text("second", key, 0.1);
	}
	/* 2000 and 200 wanted; six standard deviations. */
	assert_in_range(one, 2000 - 255, 2000 + 255);
	assert_in_range(both, 200 - 85, 200 + 85);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(points_are_those_of_the_published_algorithm),
	    cmocka_unit_test(the_ends_are_exact),
	    cmocka_unit_test(a_greater_share_only_adds_keys),
	    cmocka_unit_test(points_are_uniform),
	    cmocka_unit_test(names_choose_independently),
	};
	return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
