/* SPDX-License-Identifier: Apache-2.0 */
/* Each cell of a heat map has the spans that started in its time and took its duration, however times came and however it is shown. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/heat_map.h"

#include <stdlib.h>
#include <string.h>

#define SPANS 2000u

struct span {
	uint64_t start_ns;
	uint64_t duration_ns;
};

static struct heat_map map;
static struct span spans[SPANS];

static void check_view(uint32_t count, uint32_t columns_max, uint32_t rows_max) {
	struct heat_map_view view = heat_map_show(&map, columns_max, rows_max);
	uint64_t sum = 0;
	uint64_t most = 0;
	assert_true(view.columns >= 1 && view.columns <= columns_max);
	assert_true(view.rows >= 1 && view.rows <= rows_max);
	for (uint32_t row = 0; row < view.rows; row++) {
		for (uint32_t column = 0; column < view.columns; column++) {
			uint64_t wanted = 0;
			uint64_t from_ns = view.start_ns + column * view.column_ns;
			for (uint32_t i = 0; i < count; i++)
				wanted += spans[i].start_ns - from_ns < view.column_ns &&
				          spans[i].duration_ns >= heat_map_row_low_ns(&view, row) &&
				          spans[i].duration_ns <= heat_map_row_high_ns(&view, row);
			assert_int_equal(heat_map_cell(&view, row, column), wanted);
			sum += wanted;
			most = wanted > most ? wanted : most;
		}
	}
	assert_int_equal(sum, count);
	assert_int_equal(view.most, most);
}

static void cells_have_their_spans(void **state) {
	struct seed seed = seed_start("heat map");
	(void)state;
	for (unsigned round = 0; round < seed_rounds(20); round++) {
		uint32_t count = 1 + (uint32_t)seed_below(&seed, round % 2 ? 20 : SPANS);
		unsigned spread = (unsigned)seed_below(&seed, 60);
		memset(&map, 0, sizeof(map));
		for (uint32_t i = 0; i < count; i++) {
			uint64_t base = UINT64_C(1) << 62;
			spans[i].start_ns = base + (seed_next(&seed) >> (63 - spread));
			spans[i].duration_ns = seed_next(&seed) >> seed_below(&seed, 64);
			heat_map_add(&map, spans[i].start_ns, spans[i].duration_ns);
		}
		check_view(count, 1 + (uint32_t)seed_below(&seed, 70), 1 + (uint32_t)seed_below(&seed, 30));
		check_view(count, 240, HEAT_MAP_STEPS);
	}
}

/* The times that there were take more than half of the slots. */
static void slots_are_as_fine_as_they_can_be(void **state) {
	(void)state;
	memset(&map, 0, sizeof(map));
	heat_map_add(&map, 1000, 5);
	assert_int_equal(map.width_bits, 0);
	heat_map_add(&map, 1000 + HEAT_MAP_SLOTS - 1, 5);
	assert_int_equal(map.width_bits, 0);
	heat_map_add(&map, 0, 5);
	assert_int_equal(map.width_bits, 1);
	heat_map_add(&map, UINT64_MAX, 5);
	assert_int_equal(map.width_bits, 54);
	assert_int_equal(map.last_slot - map.first_slot, HEAT_MAP_SLOTS - 1);
	assert_int_equal(map.count, 4);
}

static void shades_rise(void **state) {
	(void)state;
	for (uint64_t most = 1; most < 1000; most++)
		for (unsigned level = 1; level < HEAT_MAP_LEVELS; level++)
			assert_true(heat_map_level_low(level, most) > heat_map_level_low(level - 1, most));
	assert_int_equal(heat_map_level_low(1, 320), 1);
	assert_int_equal(heat_map_level_low(2, 320), 10);
	assert_int_equal(heat_map_level_low(3, 320), 40);
	assert_int_equal(heat_map_level_low(4, 320), 160);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cells_have_their_spans),
	    cmocka_unit_test(slots_are_as_fine_as_they_can_be),
	    cmocka_unit_test(shades_rise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
