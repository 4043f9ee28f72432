/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run out of its rollups, a row for each site and step of time; where there are very many, a row for each site and segment. Where there are too few steps to
 * see how a run moves within itself the records are read instead.
 */
#include "change.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_UNIT_BYTES 16.0

/* Clocks that differ by less are one: sketch.h does the same. */
#define SCALE_SLACK 40000.0

struct reading {
	struct change_store *store;
	struct grid *grid;
	uint32_t rows;
	uint32_t rows_max;
	uint64_t slices; /* that have some, a bit each */
	/* of the row at hand */
	struct sliced *sliced;
	const struct grid_weights *other;
	uint32_t slice;
	bool is_second;
};

static int take_part(void *context, uint32_t bin, double weight) {
	struct reading *reading = context;
	if (!reading->is_second) {
		reading->sliced->squares += weight;
		return grid_add(reading->grid, &reading->sliced->weights, bin, weight);
	}
	sliced_count(reading->store->grid, reading->sliced, reading->other, reading->slice, bin, weight);
	return 0;
}

static int take_bins(struct reading *reading, const struct store_rollup *rollup) {
	const struct grid *grid = reading->store->grid;
	double ns_per_tick = ldexp((double)rollup->ns_per_tick_q32, -32);
	bool same = fabs(ns_per_tick - grid->ns_per_tick) * SCALE_SLACK <= grid->ns_per_tick;
	const struct grid own = {.bits = grid->bits, .ns_per_tick = ns_per_tick};
	int rc = 0;
	for (uint32_t i = 0; i < rollup->bin_count && rc == 0; i++) {
		uint32_t bin = rollup->bins[i].bin;
		double weight = (double)rollup->bins[i].count;
		rc = same ? take_part(reading, bin, weight)
		          : grid_lay(grid, grid_low_ns(&own, bin), grid_low_ns(&own, bin + 1), weight, take_part,
		                     reading);
	}
	return rc;
}

static void take_sums(struct reading *reading, const struct store_rollup *rollup) {
	struct sliced_slice *slice = &reading->sliced->slices[reading->slice];
	slice->errors += (double)rollup->errors;
	slice->total_ns += (double)rollup->sum_ns;
	slice->heap_bytes += (double)rollup->heap_allocated_units * HEAP_UNIT_BYTES;
	slice->heap_weight += (double)rollup->heap_spans;
}

static int take_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct reading *reading = context;
	struct change_store *store = reading->store;
	const struct query *query = &store->latency.query;
	uint32_t name = segment->sites[rollup->site].name;
	if (++reading->rows > reading->rows_max)
		return 1;
	if (rollup->count == 0 || (query->process_wanted && !query->process_wanted[rollup->process]) ||
	    (query->name_wanted && !query->name_wanted[name]))
		return 0;
	if (!(reading->grid->ns_per_tick > 0))
		reading->grid->ns_per_tick = ldexp((double)rollup->ns_per_tick_q32, -32);
	reading->sliced = change_name(store, name);
	if (!reading->sliced)
		return -ENOMEM;
	reading->other = store->others[name];
	reading->slice = change_slice_at(store, rollup->until_ns + segment->wall_offset_ns);
	reading->slices |= UINT64_C(1) << reading->slice;
	if (reading->is_second)
		take_sums(reading, rollup);
	return take_bins(reading, rollup);
}

/* 0; 1: too many rows, or too few slices; or a negative errno. */
static int read_rows(struct reading *reading, bool by_segment, uint32_t rows_max) {
	struct store_reader *reader = reading->store->latency.query.reader;
	reading->rows = 0;
	reading->slices = 0;
	reading->rows_max = rows_max;
	change_drop_names(reading->store);
	reading->store->by_segment = by_segment;
	int rc = by_segment ? store_reader_rollups(reader, take_rollup, reading)
	                    : store_reader_rollup_steps(reader, take_rollup, reading);
	if (rc == 0 && (uint32_t)__builtin_popcountll(reading->slices) < CHANGE_SLICES_MIN)
		rc = 1;
	return rc;
}

int change_read_rollups(struct change_store *store, struct grid *grid) {
	struct reading reading = {.store = store, .grid = grid};
	store->start_wall_ns = store->latency.start_wall_ns;
	store->end_wall_ns = store->latency.end_wall_ns;
	int rc = read_rows(&reading, false, CHANGE_STEPS_MAX);
	if (rc != 1 || reading.rows <= CHANGE_STEPS_MAX)
		return rc;
	rc = read_rows(&reading, true, UINT32_MAX);
	return rc == 1 ? read_rows(&reading, false, CHANGE_STEPS_MOST) : rc;
}

int change_slice_rollups(struct change_store *store) {
	struct grid grid = *store->grid;
	struct reading reading = {.store = store, .grid = &grid, .is_second = true, .rows_max = UINT32_MAX};
	struct store_reader *reader = store->latency.query.reader;
	return store->by_segment ? store_reader_rollups(reader, take_rollup, &reading)
	                         : store_reader_rollup_steps(reader, take_rollup, &reading);
}
