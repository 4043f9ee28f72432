/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heap per span name. The records give every figure exactly, for the spans that are stored; rollups give number and sums of all spans that ended,
 * where they cover every process that is asked for. Rollups that say that no span counted its heap spare us the records.
 *
 * What a span left behind may be negative, and percentiles are of unsigned values: such values are shifted by NET_SHIFT on the way in and out.
 */
#include "analyze/latency/latency.h"
#include "memory.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <stdlib.h>

#define NET_SHIFT (INT64_C(1) << 31)

enum series { ALLOCATED, NET, SERIES_COUNT };

struct reading {
	struct memory *memory;
	struct quantiles *quantiles[SERIES_COUNT]; /* series are name ids */
	bool known[SERIES_COUNT];
	uint8_t *has_rows; /* by index into processes + 1 */
	uint64_t heap_spans;
};

/* --- rollups ----------------------------------------------------------------------------------------------------- */

static int take_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct reading *reading = context;
	const struct query *query = &reading->memory->query;
	uint32_t name = segment->sites[rollup->site].name;
	reading->has_rows[rollup->process] = 1;
	if (rollup->heap_spans == 0 || (query->process_wanted && !query->process_wanted[rollup->process]) ||
	    (query->name_wanted && !query->name_wanted[name]))
		return 0;
	struct memory_name *line = &reading->memory->names[name];
	line->all_count = saturating_add(line->all_count, rollup->heap_spans);
	line->all_allocated = saturating_add(line->all_allocated, rollup->heap_allocated_units);
	line->all_net += rollup->heap_net_units;
	reading->heap_spans = saturating_add(reading->heap_spans, rollup->heap_spans);
	return 0;
}

/* Does every process that ended spans have rollups of all of them? */
static int read_rollups(struct reading *reading) {
	struct memory *memory = reading->memory;
	const struct store_overview *overview = memory->query.overview;
	const struct latency asked = {.query = memory->query};
	if (memory->query.where || !latency_has_rollups(&asked))
		return 0;
	reading->has_rows = calloc(overview->process_count + 1, 1);
	if (!reading->has_rows)
		return -ENOMEM;
	int rc = store_reader_rollups(memory->query.reader, take_rollup, reading);
	memory->covers_all = rc == 0;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		bool wanted = !memory->query.process_wanted || memory->query.process_wanted[ring->process + 1];
		if (wanted && ring->cursor.begun > ring->cursor.open && !reading->has_rows[ring->process + 1])
			memory->covers_all = false;
	}
	return rc;
}

/* --- records ----------------------------------------------------------------------------------------------------- */

static void add_value(struct memory_spread *spread, int64_t value, bool is_first) {
	spread->total += value;
	if (is_first || value > spread->max)
		spread->max = value;
}

static uint32_t name_of(const struct memory *memory, const struct store_columns *columns, uint32_t row) {
	uint32_t name = query_name(columns, row);
	return name <= memory->query.overview->name_count ? name : 0;
}

static bool counts(const struct memory *memory, const struct store_columns *columns, uint32_t row) {
	return (columns->flags[row] & STORE_SPAN_HEAP) && query_accepts(&memory->query, columns, row);
}

static uint64_t value_of(const struct store_columns *columns, uint32_t row, enum series series) {
	return series == NET ? (uint64_t)(columns->heap_net_units[row] + NET_SHIFT) : columns->heap_alloc_units[row];
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct memory *memory = reading->memory;
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		if (!counts(memory, columns, row))
			continue;
		uint32_t name = name_of(memory, columns, row);
		struct memory_name *line = &memory->names[name];
		bool is_first = line->count++ == 0;
		add_value(&line->allocated, columns->heap_alloc_units[row], is_first);
		add_value(&line->net, columns->heap_net_units[row], is_first);
		rc = quantiles_observe(reading->quantiles[ALLOCATED], name, value_of(columns, row, ALLOCATED));
		if (rc == 0)
			rc = quantiles_observe(reading->quantiles[NET], name, value_of(columns, row, NET));
	}
	return rc;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (!counts(reading->memory, columns, row))
			continue;
		uint32_t name = name_of(reading->memory, columns, row);
		for (unsigned series = 0; series < SERIES_COUNT; series++)
			if (!reading->known[series])
				quantiles_refine(reading->quantiles[series], name,
				                 value_of(columns, row, (enum series)series));
	}
	return 0;
}

/* 1: once more; 0: all is known; or a negative errno. */
static int next_pass(struct reading *reading) {
	int wanted = 0;
	for (unsigned series = 0; series < SERIES_COUNT; series++) {
		int rc = reading->known[series] ? 0 : quantiles_next_pass(reading->quantiles[series]);
		if (rc < 0)
			return rc;
		reading->known[series] = rc == 0;
		wanted |= rc;
	}
	return wanted;
}

static int read_records(struct reading *reading) {
	struct query_scan scan = {.columns = STORE_COLUMN_SITE | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP,
	                          .on_batch = first_pass,
	                          .context = reading};
	size_t names = (size_t)reading->memory->query.overview->name_count + 1;
	int rc = 0;
	for (unsigned series = 0; series < SERIES_COUNT && rc == 0; series++)
		rc = quantiles_new(names, QUANTILE_BUDGET_BYTES / SERIES_COUNT, &reading->quantiles[series]);
	if (rc == 0)
		rc = query_scan(&reading->memory->query, &scan);
	scan.on_batch = later_pass;
	while (rc == 0 && (rc = next_pass(reading)) > 0)
		rc = query_scan(&reading->memory->query, &scan);
	return rc;
}

static void fill(struct reading *reading, uint32_t name) {
	struct memory_name *line = &reading->memory->names[name];
	for (unsigned q = 0; q < QUANTILE_COUNT && line->count; q++) {
		line->allocated.quantiles[q] =
		    (int64_t)quantiles_value(reading->quantiles[ALLOCATED], name, (enum quantile)q);
		line->net.quantiles[q] =
		    (int64_t)quantiles_value(reading->quantiles[NET], name, (enum quantile)q) - NET_SHIFT;
	}
}

static int by_bytes(const void *a, const void *b) {
	const struct memory_name *left = a;
	const struct memory_name *right = b;
	if (left->allocated.total != right->allocated.total)
		return left->allocated.total > right->allocated.total ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

static void settle(struct reading *reading) {
	struct memory *memory = reading->memory;
	for (uint32_t name = 0; name <= memory->query.overview->name_count; name++) {
		if (memory->names[name].count == 0)
			continue;
		fill(reading, name);
		memory->names[memory->name_count] = memory->names[name];
		memory->names[memory->name_count++].name = name;
	}
	qsort(memory->names, memory->name_count, sizeof(memory->names[0]), by_bytes);
}

/* ret_none: rollups of everything say that no span counted its heap. */
static int begin(struct reading *reading, bool *ret_none) {
	struct memory *memory = reading->memory;
	memory->names = calloc((size_t)memory->query.overview->name_count + 1, sizeof(memory->names[0]));
	if (!memory->names)
		return -ENOMEM;
	int rc = read_rollups(reading);
	*ret_none = rc == 0 && memory->covers_all && reading->heap_spans == 0;
	return rc;
}

int memory_look_for_heap(struct memory *memory, bool *ret_none) {
	struct reading reading = {.memory = memory};
	int rc = begin(&reading, ret_none);
	free(memory->names);
	memory->names = NULL;
	free(reading.has_rows);
	return rc;
}

int memory_read_names(struct memory *memory) {
	struct reading reading = {.memory = memory};
	bool has_none = false;
	int rc = begin(&reading, &has_none);
	if (rc == 0 && !has_none)
		rc = read_records(&reading);
	if (rc == 0 && !has_none)
		settle(&reading);
	for (unsigned series = 0; series < SERIES_COUNT; series++)
		quantiles_free(reading.quantiles[series]);
	free(reading.has_rows);
	return rc;
}
