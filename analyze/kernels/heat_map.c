/* SPDX-License-Identifier: Apache-2.0 */
#include "heat_map.h"

#include <string.h>

/* Put slots together in pairs: even numbers and the odd ones behind them. */
static void widen(struct heat_map *map) {
	uint64_t first = map->first_slot / 2;
	for (uint32_t step = map->step_low; step <= map->step_high; step++) {
		uint64_t *row = map->counts[step];
		uint64_t wide[HEAT_MAP_SLOTS] = {0};
		for (uint32_t slot = 0; slot < HEAT_MAP_SLOTS; slot++)
			if (row[slot])
				wide[(map->first_slot + slot) / 2 - first] += row[slot];
		memcpy(row, wide, sizeof(wide));
	}
	map->first_slot = first;
	map->last_slot /= 2;
	map->width_bits++;
}

/* Move all counts to later slots, so that the number of slot 0 becomes `first`. */
static void move(struct heat_map *map, uint64_t first) {
	uint64_t by = map->first_slot - first;
	for (uint32_t step = map->step_low; step <= map->step_high; step++) {
		uint64_t *row = map->counts[step];
		memmove(row + by, row, (HEAT_MAP_SLOTS - by) * sizeof(row[0]));
		memset(row, 0, by * sizeof(row[0]));
	}
	map->first_slot = first;
}

/* The slot of a time; everything moves so that there is one. */
static uint32_t make_slot(struct heat_map *map, uint64_t start_ns) {
	for (;;) {
		uint64_t slot = start_ns >> map->width_bits;
		uint64_t first = slot < map->first_slot ? slot : map->first_slot;
		uint64_t last = slot > map->last_slot ? slot : map->last_slot;
		if (last - first >= HEAT_MAP_SLOTS) {
			widen(map);
			continue;
		}
		if (first < map->first_slot)
			move(map, first);
		map->last_slot = last;
		return (uint32_t)(slot - first);
	}
}

void heat_map_add(struct heat_map *map, uint64_t start_ns, uint64_t duration_ns) {
	uint32_t step = histogram_bin(duration_ns) / HEAT_MAP_STEP_BINS;
	if (map->count++ == 0) {
		map->first_slot = map->last_slot = start_ns;
		map->step_low = map->step_high = step;
	}
	if (step < map->step_low)
		map->step_low = step;
	if (step > map->step_high)
		map->step_high = step;
	map->counts[step][make_slot(map, start_ns)]++;
}

struct heat_map_view heat_map_show(const struct heat_map *map, uint32_t columns_max, uint32_t rows_max) {
	uint32_t slots = (uint32_t)(map->last_slot - map->first_slot) + 1;
	uint32_t steps = map->step_high - map->step_low + 1;
	struct heat_map_view view = {.map = map, .slots = (slots + columns_max - 1) / columns_max, .steps = 1};
	while ((steps + view.steps - 1) / view.steps > rows_max)
		view.steps++;
	view.columns = (slots + view.slots - 1) / view.slots;
	view.rows = (steps + view.steps - 1) / view.steps;
	view.first_step = map->step_low;
	view.start_ns = map->first_slot << map->width_bits;
	view.column_ns = (uint64_t)view.slots << map->width_bits;
	for (uint32_t row = 0; row < view.rows; row++) {
		for (uint32_t column = 0; column < view.columns; column++) {
			uint64_t count = heat_map_cell(&view, row, column);
			view.most = count > view.most ? count : view.most;
		}
	}
	return view;
}

static uint32_t last_step(const struct heat_map_view *view, uint32_t row) {
	uint32_t last = view->first_step + (row + 1) * view->steps - 1;
	return last < HEAT_MAP_STEPS ? last : HEAT_MAP_STEPS - 1;
}

uint64_t heat_map_cell(const struct heat_map_view *view, uint32_t row, uint32_t column) {
	uint32_t first = column * view->slots;
	uint32_t end = first + view->slots < HEAT_MAP_SLOTS ? first + view->slots : HEAT_MAP_SLOTS;
	uint64_t count = 0;
	for (uint32_t step = view->first_step + row * view->steps; step <= last_step(view, row); step++)
		for (uint32_t slot = first; slot < end; slot++)
			count += view->map->counts[step][slot];
	return count;
}

uint64_t heat_map_row_low_ns(const struct heat_map_view *view, uint32_t row) {
	return histogram_bin_low((view->first_step + row * view->steps) * HEAT_MAP_STEP_BINS);
}

uint64_t heat_map_row_high_ns(const struct heat_map_view *view, uint32_t row) {
	return histogram_bin_high(last_step(view, row) * HEAT_MAP_STEP_BINS + HEAT_MAP_STEP_BINS - 1);
}

uint64_t heat_map_level_low(unsigned level, uint64_t most) {
	static const uint64_t parts[HEAT_MAP_LEVELS] = {0, 0, 32, 8, 2};
	uint64_t low = level > 1 ? most / parts[level] + (most % parts[level] != 0) : level;
	return low > level ? low : level;
}
