/* SPDX-License-Identifier: Apache-2.0 */
#include "import_rollup.h"

#include <spanring/spanring.h>

#include <errno.h>
#include <stdlib.h>

struct place {
	uint32_t process;
	uint32_t site;
	uint32_t bin;
	uint32_t row; /* of the batch */
};

/* One element each for every span of a batch: no batch needs more. */
struct import_rollups {
	struct place *places;
	struct store_rollup *rows;
	struct store_rollup_bin *bins;
};

int import_rollups_new(struct import_rollups **ret_rollups) {
	struct import_rollups *rollups = calloc(1, sizeof(*rollups));
	if (!rollups)
		return -ENOMEM;
	rollups->places = malloc(BATCH_SPANS_MAX * sizeof(*rollups->places));
	rollups->rows = malloc(BATCH_SPANS_MAX * sizeof(*rollups->rows));
	rollups->bins = malloc(BATCH_SPANS_MAX * sizeof(*rollups->bins));
	if (!rollups->places || !rollups->rows || !rollups->bins) {
		import_rollups_free(rollups);
		return -ENOMEM;
	}
	*ret_rollups = rollups;
	return 0;
}

void import_rollups_free(struct import_rollups *rollups) {
	if (!rollups)
		return;
	free(rollups->places);
	free(rollups->rows);
	free(rollups->bins);
	free(rollups);
}

static int compare_numbers(uint32_t a, uint32_t b) {
	return (a > b) - (a < b);
}

static int compare(const void *first, const void *second) {
	const struct place *a = first;
	const struct place *b = second;
	int order = compare_numbers(a->process, b->process);
	if (order == 0)
		order = compare_numbers(a->site, b->site);
	return order ? order : compare_numbers(a->bin, b->bin);
}

static struct store_rollup begin_row(const struct place *place, const struct store_rollup_bin *bins) {
	return (struct store_rollup){.process = place->process,
	                             .site = place->site,
	                             .since_ns = UINT64_MAX,
	                             .ns_per_tick_q32 = UINT64_C(1) << ROLLUP_SCALE_BITS,
	                             .min_ns = UINT64_MAX,
	                             .bins = bins};
}

static void add_span(struct store_rollup *row, const struct store_span *span) {
	uint64_t end_ns = span->start_ns + span->duration_ns;
	row->count++;
	row->errors += span->status == SPANRING_STATUS_ERROR;
	row->sum_ns += span->duration_ns;
	row->min_ns = span->duration_ns < row->min_ns ? span->duration_ns : row->min_ns;
	row->max_ns = span->duration_ns > row->max_ns ? span->duration_ns : row->max_ns;
	row->since_ns = span->start_ns < row->since_ns ? span->start_ns : row->since_ns;
	row->until_ns = end_ns > row->until_ns ? end_ns : row->until_ns;
	if (span->flags & STORE_SPAN_HEAP) {
		row->heap_spans++;
		row->heap_allocated_units += span->heap_alloc_units;
		row->heap_net_units += span->heap_net_units;
	}
}

const struct store_rollup *import_rollups_make(struct import_rollups *rollups, const struct batch *batch,
                                               const uint32_t *processes, size_t *ret_count) {
	size_t rows = 0;
	size_t bins = 0;
	uint32_t count = 0;
	for (uint32_t i = 0; i < batch->span_count; i++)
		if (!(batch->spans[i].flags & STORE_SPAN_OPEN)) /* it never ended */
			rollups->places[count++] =
			    (struct place){.process = processes[i],
			                   .site = batch->spans[i].site,
			                   .bin = spanring_statistics_bin(batch->spans[i].duration_ns),
			                   .row = i};
	qsort(rollups->places, count, sizeof(*rollups->places), compare);
	for (uint32_t i = 0; i < count; i++) {
		const struct place *place = &rollups->places[i];
		struct store_rollup *row = rows ? &rollups->rows[rows - 1] : NULL;
		if (!row || row->process != place->process || row->site != place->site) {
			row = &rollups->rows[rows++];
			*row = begin_row(place, &rollups->bins[bins]);
		}
		if (row->bin_count == 0 || rollups->bins[bins - 1].bin != place->bin) {
			rollups->bins[bins++] = (struct store_rollup_bin){.bin = place->bin};
			row->bin_count++;
		}
		rollups->bins[bins - 1].count++;
		add_span(row, &batch->spans[place->row]);
	}
	*ret_count = rows;
	return rollups->rows;
}
