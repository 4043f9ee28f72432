/* SPDX-License-Identifier: Apache-2.0 */
#include "change.h"

#include "base/checked.h"
#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

#define GRID_BITS_ROLLUPS 6u
#define GRID_BITS_RECORDS 8u

int change_open(struct change_store *store, const struct context *context, const char *path) {
	memset(store, 0, sizeof(*store));
	store->options = *context->options;
	store->options.store = path;
	store->context = *context;
	store->context.options = &store->options;
	int code = query_open(&store->latency.query, &store->context);
	if (code != EXIT_CODE_OK)
		return code;
	size_t names = (size_t)store->latency.query.overview->name_count + 1;
	store->latency.filtered = query_columns(&store->latency.query) != 0;
	store->latency.lines = calloc(names, sizeof(store->latency.lines[0]));
	store->names = calloc(names, sizeof(store->names[0]));
	store->others = calloc(names, sizeof(store->others[0]));
	if (store->latency.lines && store->names && store->others)
		return EXIT_CODE_OK;
	change_close(store);
	return command_failed(context, -ENOMEM, "opening the store");
}

void change_drop_names(struct change_store *store) {
	for (uint32_t name = 0; store->names && name <= store->latency.query.overview->name_count; name++) {
		if (store->names[name])
			grid_clear(&store->names[name]->weights);
		free(store->names[name]);
		store->names[name] = NULL;
	}
}

void change_close(struct change_store *store) {
	if (!store->latency.query.reader)
		return;
	change_drop_names(store);
	free(store->latency.lines);
	free(store->names);
	free(store->others);
	query_close(&store->latency.query);
	memset(store, 0, sizeof(*store));
}

struct sliced *change_name(struct change_store *store, uint32_t name) {
	struct sliced **sliced = &store->names[name <= store->latency.query.overview->name_count ? name : 0];
	if (!*sliced)
		*sliced = calloc(1, sizeof(**sliced));
	return *sliced;
}

uint32_t change_slice_at(const struct change_store *store, uint64_t wall_ns) {
	uint64_t start = store->start_wall_ns;
	if (wall_ns <= start || store->end_wall_ns <= start)
		return 0;
	double part = (double)(wall_ns - start) / ((double)(store->end_wall_ns - start) + 1);
	return part < 1 ? (uint32_t)(part * SLICED_SLICES) : SLICED_SLICES - 1;
}

static bool wants_records(const struct change_store *store) {
	return store->options.exact || store->options.where || !latency_has_rollups(&store->latency);
}

static int read_by_rollups(struct change_store *const *stores, size_t count, struct grid *grid) {
	int rc = 0;
	*grid = (struct grid){.bits = GRID_BITS_ROLLUPS};
	for (size_t i = 0; i < count; i++)
		if (wants_records(stores[i]))
			return 1;
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = latency_from_rollups(&stores[i]->latency);
		if (rc == 0)
			rc = change_read_rollups(stores[i], grid);
	}
	return rc;
}

static int read_by_records(struct change_store *const *stores, size_t count, bool wants_self, struct grid *grid) {
	int rc = 0;
	*grid = (struct grid){.bits = stores[0]->coarse ? GRID_BITS_ROLLUPS : GRID_BITS_RECORDS, .ns_per_tick = 1};
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct latency *latency = &stores[i]->latency;
		size_t names = (size_t)latency->query.overview->name_count + 1;
		change_drop_names(stores[i]);
		memset(latency->lines, 0, names * sizeof(latency->lines[0]));
		latency->sketched = latency->covers_all = false;
		latency->open = 0;
		latency->wants_self = wants_self;
		rc = latency_from_records(latency);
		stores[i]->has_self = latency->self_known;
		if (rc == 0)
			rc = change_read_records(stores[i]);
	}
	return rc;
}

static void settle(struct change_store *store) {
	for (uint32_t name = 0; name <= store->latency.query.overview->name_count; name++) {
		store->spans = saturating_add(store->spans, store->latency.lines[name].count);
		if (store->names[name])
			sliced_settle(store->grid, store->names[name]);
	}
}

int change_read(struct change_store *const *stores, size_t count, bool wants_self, struct grid *ret_grid,
                enum change_method *ret_method) {
	for (size_t i = 0; i < count; i++)
		stores[i]->grid = ret_grid;
	int rc = wants_self ? 1 : read_by_rollups(stores, count, ret_grid);
	*ret_method = rc == 0 ? CHANGE_ROLLUPS : CHANGE_RECORDS;
	if (rc == 1)
		rc = read_by_records(stores, count, wants_self, ret_grid);
	for (size_t i = 0; i < count && rc == 0; i++)
		settle(stores[i]);
	return rc;
}

int change_slice(struct change_store *store, enum change_method method) {
	return method == CHANGE_ROLLUPS ? change_slice_rollups(store) : change_slice_records(store);
}

struct measured change_measure(const struct change_store *store, uint32_t name, enum change_metric metric) {
	static const enum quantile quantiles[] = {QUANTILE_P50, QUANTILE_P95, QUANTILE_P99};
	const struct sliced *sliced = store->names[name];
	const struct latency_line *line = &store->latency.lines[name];
	struct measured measured = {.kind = MEASURED_NOTHING};
	if (!sliced)
		return measured;
	switch (metric) {
	case CHANGE_P50:
	case CHANGE_P95:
	case CHANGE_P99:
		measured = sliced_quantile(store->grid, sliced, (unsigned)metric);
		/* the records say it exactly; the weights only how sure it is */
		if (!store->latency.sketched)
			measured.value = (double)line->quantiles[quantiles[metric]];
		return measured;
	case CHANGE_MEAN:
		measured = sliced_mean(store->grid, sliced);
		measured.value = line->mean_ns;
		return measured;
	case CHANGE_SELF:
		if (!store->has_self || line->count == 0)
			return measured;
		/* exact; its error from what a batch knows of children */
		measured = sliced_self(sliced);
		measured.value = (double)line->self_ns / (double)line->count;
		return measured;
	case CHANGE_ERRORS:
		return sliced_errors(sliced);
	case CHANGE_HEAP:
		return sliced_heap(sliced);
	case CHANGE_METRICS:
		break;
	}
	return measured;
}
