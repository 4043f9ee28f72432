/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many spans of which duration started when: a matrix of time (in slots of equal width) and duration (in steps of equal ratio, four to an octave:
 * bins of histogram.h). Nothing needs to be known before: slots are a power of two of nanoseconds wide, and as the spread of times grows beyond
 * HEAT_MAP_SLOTS of them, they are put together in pairs. So after any number of spans the times that there were take more than half of the slots
 * (or the slots are 1 ns wide).
 *
 * For show, slots and steps are put together once more, to as many columns and rows as there is room for.
 */
#ifndef SPANRING_ANALYZE_HEAT_MAP_H
#define SPANRING_ANALYZE_HEAT_MAP_H

#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>

#define HEAT_MAP_SLOTS 1024u
#define HEAT_MAP_STEP_BINS 16u
#define HEAT_MAP_STEPS (HISTOGRAM_BINS / HEAT_MAP_STEP_BINS)
#define HEAT_MAP_LEVELS 5u

struct heat_map {
	uint64_t counts[HEAT_MAP_STEPS][HEAT_MAP_SLOTS];
	uint64_t first_slot; /* number of slot 0, counted in widths since time 0 */
	uint64_t last_slot;  /* of the latest span */
	unsigned width_bits; /* a slot is 2^width_bits ns wide */
	uint64_t count;
	uint32_t step_low;
	uint32_t step_high;
};

/* A map that is all zero is empty. */
void heat_map_add(struct heat_map *map, uint64_t start_ns, uint64_t duration_ns);

/* What is shown. */
struct heat_map_view {
	const struct heat_map *map;
	uint64_t start_ns;  /* of column 0 */
	uint64_t column_ns; /* width */
	uint32_t slots;     /* of each column */
	uint32_t columns;
	uint32_t steps; /* of each row */
	uint32_t rows;  /* row 0 has the shortest spans */
	uint32_t first_step;
	uint64_t most; /* of any cell */
};

/* At most so many; both at least 1. The map is not empty. */
struct heat_map_view heat_map_show(const struct heat_map *map, uint32_t columns_max, uint32_t rows_max);
uint64_t heat_map_cell(const struct heat_map_view *view, uint32_t row, uint32_t column);
uint64_t heat_map_row_low_ns(const struct heat_map_view *view, uint32_t row);
uint64_t heat_map_row_high_ns(const struct heat_map_view *view, uint32_t row);

/* The lowest count of a shade: 0 is nothing, then come 1, a 32nd, an 8th and half of the most; every shade begins higher than the one before. */
uint64_t heat_map_level_low(unsigned level, uint64_t most);

#endif
