/* SPDX-License-Identifier: Apache-2.0 */
/* Which segments go: the policy alone, on lists that no disk has. */
#include "support/cmocka.h"

#include "agent/commit/retention.h"

#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define SEGMENTS 5u
#define NOW_NS UINT64_C(1700000000000000000)
#define HOUR_NS (UINT64_C(3600) * 1000000000)

/* One GiB each, an hour apart; the last is the open one. */
static void fill(struct store_evict_segment segments[SEGMENTS]) {
	memset(segments, 0, SEGMENTS * sizeof(segments[0]));
	for (uint64_t i = 0; i < SEGMENTS; i++) {
		segments[i].sequence = i + 1;
		segments[i].bytes = GIB;
		segments[i].written_wall_ns = NOW_NS - (SEGMENTS - 1 - i) * HOUR_NS;
	}
}

static size_t choose(struct retention_limits limits, uint64_t free_bytes, uint64_t size_bytes,
                     struct store_evict_segment segments[SEGMENTS]) {
	struct retention_place place = {.wall_ns = NOW_NS, .free_bytes = free_bytes, .size_bytes = size_bytes};
	fill(segments);
	return retention_choose(&limits, &place, segments, SEGMENTS, SEGMENTS - 1);
}

static void without_limits_all_stay(void **state) {
	(void)state;
	struct store_evict_segment segments[SEGMENTS];
	struct retention_limits none = {.bytes = 0};
	assert_false(retention_wanted(&none));
	assert_int_equal(choose(none, 0, 100 * GIB, segments), 0);
}

static void bytes_count_all_segments_and_take_the_oldest(void **state) {
	(void)state;
	struct store_evict_segment segments[SEGMENTS];
	assert_int_equal(choose((struct retention_limits){.bytes = 5 * GIB}, 0, 0, segments), 0);
	assert_int_equal(choose((struct retention_limits){.bytes = 5 * GIB - 1}, 0, 0, segments), 1);
	assert_int_equal(choose((struct retention_limits){.bytes = 2 * GIB}, 0, 0, segments), 3);
	assert_int_equal(segments[2].reason, STORE_EVICT_BYTES);
	/* the open one never goes */
	assert_int_equal(choose((struct retention_limits){.bytes = 1}, 0, 0, segments), SEGMENTS - 1);
}

static void age_is_that_of_the_last_write(void **state) {
	(void)state;
	struct store_evict_segment segments[SEGMENTS];
	assert_int_equal(choose((struct retention_limits){.age_ns = 4 * HOUR_NS}, 0, 0, segments), 0);
	assert_int_equal(choose((struct retention_limits){.age_ns = 4 * HOUR_NS - 1}, 0, 0, segments), 1);
	assert_int_equal(choose((struct retention_limits){.age_ns = HOUR_NS}, 0, 0, segments), 3);
	assert_int_equal(segments[0].reason, STORE_EVICT_AGE);
}

static void room_is_made_until_there_is_enough(void **state) {
	(void)state;
	struct store_evict_segment segments[SEGMENTS];
	struct retention_limits limits = {.free_bytes = 3 * GIB};
	assert_int_equal(choose(limits, 3 * GIB, 100 * GIB, segments), 0);
	assert_int_equal(choose(limits, 3 * GIB - 1, 100 * GIB, segments), 1);
	assert_int_equal(choose(limits, GIB, 100 * GIB, segments), 2);
	assert_int_equal(segments[1].reason, STORE_EVICT_FREE);
	/* of a small file system no more than a tenth */
	assert_int_equal(choose(limits, 2 * GIB, 20 * GIB, segments), 0);
	assert_int_equal(choose(limits, GIB, 20 * GIB, segments), 1);
}

static void each_segment_has_its_own_reason(void **state) {
	(void)state;
	struct store_evict_segment segments[SEGMENTS];
	struct retention_limits limits = {.bytes = 4 * GIB, .age_ns = 4 * HOUR_NS - 1, .free_bytes = 2 * GIB};
	assert_int_equal(choose(limits, 0, 100 * GIB, segments), 2);
	assert_int_equal(segments[0].reason, STORE_EVICT_AGE);
	assert_int_equal(segments[1].reason, STORE_EVICT_FREE);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_limits_all_stay),
	    cmocka_unit_test(bytes_count_all_segments_and_take_the_oldest),
	    cmocka_unit_test(age_is_that_of_the_last_write),
	    cmocka_unit_test(room_is_made_until_there_is_enough),
	    cmocka_unit_test(each_segment_has_its_own_reason),
	};
	return cmocka_run_group_tests_name("agent_retention", tests, NULL, NULL);
}
