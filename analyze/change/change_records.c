/* SPDX-License-Identifier: Apache-2.0 */
/* A run out of its records; where tail keep left some out, each with its weight. Slices are by the start of spans. */
#include "change.h"

#include <spanring/spanring.h>

#include "base/cleanup.h"
#include "base/errs.h"
#include "libstore/batch.h"

#include <stdlib.h>
#include <string.h>

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

void change_cover(const struct store_columns *columns, uint64_t *ret_covered_ns, uint64_t *ends_ns) {
	memset(ret_covered_ns, 0, columns->span_count * sizeof(ret_covered_ns[0]));
	memset(ends_ns, 0, columns->span_count * sizeof(ends_ns[0]));
	for (uint32_t row = 0; row < columns->span_count; row++) {
		uint32_t parent = columns->parent_row[row];
		if (parent >= columns->span_count || parent == row)
			continue;
		uint64_t begin = columns->start_ns[row];
		uint64_t end = begin + columns->duration_ns[row];
		uint64_t parent_end = columns->start_ns[parent] + columns->duration_ns[parent];
		begin = begin > columns->start_ns[parent] ? begin : columns->start_ns[parent];
		begin = begin > ends_ns[parent] ? begin : ends_ns[parent];
		end = end < parent_end ? end : parent_end;
		if (end <= begin)
			continue;
		ret_covered_ns[parent] += end - begin;
		ends_ns[parent] = end;
	}
}

struct slicing {
	struct change_store *store;
	uint64_t *covered_ns; /* NULL: self times are not asked for */
	uint64_t *ends_ns;
};

static int second_batch(void *context, const struct store_columns *columns) {
	const struct slicing *slicing = context;
	struct change_store *store = slicing->store;
	if (slicing->covered_ns)
		change_cover(columns, slicing->covered_ns, slicing->ends_ns);
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
		if (slicing->covered_ns)
			slice->self_ns += weight * (double)(columns->duration_ns[row] - slicing->covered_ns[row]);
		slice->errors += columns->status[row] == SPANRING_STATUS_ERROR ? weight : 0;
		if (columns->flags[row] & STORE_SPAN_HEAP) {
			slice->heap_bytes += weight * columns->heap_alloc_units[row] * HEAP_UNIT_BYTES;
			slice->heap_weight += weight;
		}
	}
	return 0;
}

static int scan(struct change_store *store, uint32_t columns,
                int (*on_batch)(void *context, const struct store_columns *columns), void *context) {
	struct query *query = &store->latency.query;
	struct query_scan scan = {.columns = columns | STORE_COLUMN_SITE | STORE_COLUMN_DURATION |
	                                     query_open_column(query) |
	                                     (query_is_weighted(query) ? STORE_COLUMN_WEIGHT : 0),
	                          .on_batch = on_batch,
	                          .context = context};
	return query_scan(query, &scan);
}

int change_read_records(struct change_store *store) {
	store->start_wall_ns = store->latency.start_wall_ns;
	store->end_wall_ns = store->latency.end_wall_ns;
	return scan(store, 0, first_batch, store);
}

int change_slice_records(struct change_store *store) {
	uint32_t columns = STORE_COLUMN_START | STORE_COLUMN_STATUS | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP;
	CLEANUP_FREE uint64_t *room = NULL;
	struct slicing slicing = {.store = store};
	if (store->has_self) {
		columns |= STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW;
		room = calloc((size_t)2 * BATCH_SPANS_MAX, sizeof(*room));
		if (!room)
			return -ENOMEM;
		slicing.covered_ns = room;
		slicing.ends_ns = room + BATCH_SPANS_MAX;
	}
	return scan(store, columns, second_batch, &slicing);
}
