/* SPDX-License-Identifier: Apache-2.0 */
/* A run out of its records; where tail keep left some out, each with its weight. Slices are by the start of spans. */
#include "change.h"

#include <spanring/spanring.h>

#include "base/errs.h"

#include <stdlib.h>

#define HEAP_UNIT_BYTES 16.0

static double weight_at(const struct store_columns *columns, uint32_t row) {
	return (double)query_weight(columns, row) / STORE_WEIGHT_ONE;
}

static bool is_wanted(const struct change_store *store, const struct store_columns *columns, uint32_t row) {
	return !query_is_open(columns, row) &&
	       (!store->latency.filtered || query_accepts(&store->latency.query, columns, row));
}

static int first_batch(void *context, const struct store_columns *columns) {
	struct change_store *store = context;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (!is_wanted(store, columns, row))
			continue;
		struct sliced *sliced = change_name(store, query_name(columns, row));
		double weight = weight_at(columns, row);
		if (!sliced || grid_add(store->grid, &sliced->weights, grid_bin(store->grid, columns->duration_ns[row]),
		                        weight) != 0)
			return -ENOMEM;
		sliced->squares += weight * weight;
	}
	return 0;
}

static int second_batch(void *context, const struct store_columns *columns) {
	struct change_store *store = context;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (!is_wanted(store, columns, row))
			continue;
		uint32_t name = query_name(columns, row);
		name = name <= store->latency.query.overview->name_count ? name : 0;
		struct sliced *sliced = change_name(store, name);
		if (!sliced)
			return -ENOMEM;
		double weight = weight_at(columns, row);
		uint32_t at = change_slice_at(store, columns->start_ns[row] + columns->segment->wall_offset_ns);
		struct sliced_slice *slice = &sliced->slices[at];
		sliced_count(store->grid, sliced, store->others[name], at,
		             grid_bin(store->grid, columns->duration_ns[row]), weight);
		slice->total_ns += weight * (double)columns->duration_ns[row];
		slice->errors += columns->status[row] == SPANRING_STATUS_ERROR ? weight : 0;
		if (columns->flags[row] & STORE_SPAN_HEAP) {
			slice->heap_bytes += weight * columns->heap_alloc_units[row] * HEAP_UNIT_BYTES;
			slice->heap_weight += weight;
		}
	}
	return 0;
}

static int scan(struct change_store *store, uint32_t columns,
                int (*on_batch)(void *context, const struct store_columns *columns)) {
	struct query *query = &store->latency.query;
	struct query_scan scan = {.columns = columns | STORE_COLUMN_SITE | STORE_COLUMN_DURATION |
	                                     query_open_column(query) |
	                                     (query_is_weighted(query) ? STORE_COLUMN_WEIGHT : 0),
	                          .on_batch = on_batch,
	                          .context = store};
	return query_scan(query, &scan);
}

int change_read_records(struct change_store *store) {
	store->start_wall_ns = store->latency.start_wall_ns;
	store->end_wall_ns = store->latency.end_wall_ns;
	return scan(store, 0, first_batch);
}

int change_slice_records(struct change_store *store) {
	return scan(store, STORE_COLUMN_START | STORE_COLUMN_STATUS | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP,
	            second_batch);
}
