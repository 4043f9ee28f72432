/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies out of rollups: some hundred rows per segment instead of its spans, and of all spans that ended, recorded or not.
 *
 * They answer only where they cover everything: each process that ended spans has had statistics all its life and has rows here. Where
 * no process runs any more they also hold at least as many spans as there are records; a store whose last reading was lost, or a part of
 * a store, is read record by record.
 */
#include "analyze/kernels/sketch.h"
#include "latency.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

struct gathering {
	struct latency *latency;
	struct sketches *sketches;
	uint8_t *has_rows; /* by index into processes + 1 */
	uint64_t counted;  /* of all processes and names, whatever is asked for */
};

static bool is_wanted(const struct query *query, size_t process) {
	return !query->process_wanted || query->process_wanted[process];
}

static uint64_t ended_in(const struct store_cursor *cursor) {
	return cursor->begun - (cursor->open < cursor->begun ? cursor->open : cursor->begun);
}

bool latency_has_rollups(const struct latency *latency) {
	const struct query *query = &latency->query;
	const struct store_overview *overview = query->overview;
	size_t with = 0;
	if (query->since_wall_ns > 0 || query->until_wall_ns < UINT64_MAX)
		return false;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (!is_wanted(query, ring->process + 1) || ended_in(&ring->cursor) == 0)
			continue;
		if (overview->processes[ring->process].account.statistics != STORE_STATISTICS_WHOLE)
			return false;
		with++;
	}
	return with > 0;
}

static int add_bins(struct gathering *gathering, uint32_t name, const struct store_rollup *rollup) {
	int scale = sketches_scale(gathering->sketches, rollup->ns_per_tick_q32);
	return scale < 0 ? scale : sketches_add(gathering->sketches, name, scale, rollup->bins, rollup->bin_count);
}

static void add_figures(struct latency_line *line, const struct store_rollup *rollup) {
	if (line->count == 0 || rollup->min_ns < line->min_ns)
		line->min_ns = rollup->min_ns;
	if (line->count == 0 || rollup->max_ns > line->max_ns)
		line->max_ns = rollup->max_ns;
	line->count = saturating_add(line->count, rollup->count);
	line->errors = saturating_add(line->errors, rollup->errors);
	line->total_ns = saturating_add(line->total_ns, rollup->sum_ns);
}

static void widen_range(struct latency *latency, const struct store_segment_view *segment,
                        const struct store_rollup *rollup) {
	uint64_t since_wall_ns = rollup->since_ns + segment->wall_offset_ns;
	uint64_t until_wall_ns = rollup->until_ns + segment->wall_offset_ns;
	if (since_wall_ns < latency->start_wall_ns)
		latency->start_wall_ns = since_wall_ns;
	if (until_wall_ns > latency->end_wall_ns)
		latency->end_wall_ns = until_wall_ns;
}

static int take_process(void *context, uint32_t process) {
	struct gathering *gathering = context;
	gathering->has_rows[process] = 1;
	return 0;
}

/* One of all processes comes only where none is asked for. */
static int take_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct gathering *gathering = context;
	struct latency *latency = gathering->latency;
	const struct query *query = &latency->query;
	uint32_t name = segment->sites[rollup->site].name;
	gathering->has_rows[rollup->process] = 1;
	gathering->counted = saturating_add(gathering->counted, rollup->count);
	if (rollup->count == 0 || (rollup->process && !is_wanted(query, rollup->process)) ||
	    (query->name_wanted && !query->name_wanted[name]))
		return 0;
	add_figures(&latency->lines[name], rollup);
	widen_range(latency, segment, rollup);
	return add_bins(gathering, name, rollup);
}

/* Has each process rows, and do they hold as many spans as there are records, once no more can come? */
static bool covers_all(const struct gathering *gathering) {
	const struct query *query = &gathering->latency->query;
	const struct store_overview *overview = query->overview;
	uint64_t records = 0;
	uint64_t open = 0;
	bool running = false;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (is_wanted(query, ring->process + 1) && ended_in(&ring->cursor) > 0 &&
		    !gathering->has_rows[ring->process + 1])
			return false;
		open = saturating_add(open, ring->cursor.state == STORE_RING_DIED ? ring->cursor.open : 0);
	}
	for (size_t i = 0; i < overview->process_count; i++) {
		uint32_t statistics = overview->processes[i].account.statistics;
		/* one without whole statistics has records beyond the rollups, and is not asked for */
		running |= overview->processes[i].account.state == STORE_PROCESS_RUNNING ||
		           statistics != STORE_STATISTICS_WHOLE;
	}
	for (size_t i = 0; i < overview->segment_count; i++)
		records = saturating_add(records, overview->segments[i].spans);
	return running || saturating_add(gathering->counted, open) >= records;
}

/* Spans that never ended have no rollup: the books of dead rings count them, but not by name. */
static void count_open(struct latency *latency) {
	const struct store_overview *overview = latency->query.overview;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (ring->cursor.state == STORE_RING_DIED && is_wanted(&latency->query, ring->process + 1))
			latency->open = saturating_add(latency->open, ring->cursor.open);
	}
	latency->open_known = !latency->query.name_wanted;
}

static int finish(struct latency *latency, const struct sketches *sketches) {
	for (uint32_t name = 0; name <= latency->query.overview->name_count; name++) {
		struct latency_line *line = &latency->lines[name];
		struct sketch_figures figures;
		if (line->count == 0)
			continue;
		int error = sketches_figures(sketches, name, line->min_ns, line->max_ns, &figures);
		if (error)
			return error;
		memcpy(line->quantiles, figures.quantiles, sizeof(line->quantiles));
		line->stddev_ns = figures.stddev;
		line->mean_ns = (double)((long double)line->total_ns / (long double)line->count);
	}
	count_open(latency);
	latency->sketched = true;
	latency->covers_all = true;
	return 0;
}

int latency_from_rollups(struct latency *latency) {
	const struct store_overview *overview = latency->query.overview;
	size_t names = (size_t)overview->name_count + 1;
	struct gathering gathering = {.latency = latency};
	gathering.has_rows = calloc(overview->process_count + 1, 1);
	int error = gathering.has_rows ? sketches_new(names, SKETCH_BUDGET_BYTES, &gathering.sketches) : -ENOMEM;
	latency->start_wall_ns = UINT64_MAX;
	latency->end_wall_ns = 0;
	if (!error && latency->query.process_wanted)
		error = store_reader_rollups(latency->query.reader, take_rollup, &gathering);
	else if (!error)
		error = store_reader_site_rollups(latency->query.reader, take_process, take_rollup, &gathering);
	if (!error)
		error = covers_all(&gathering) ? finish(latency, gathering.sketches) : 1;
	if (error == ERR_LIMIT)
		error = 1;
	if (error)
		memset(latency->lines, 0, names * sizeof(latency->lines[0]));
	sketches_free(gathering.sketches);
	free(gathering.has_rows);
	return error;
}
