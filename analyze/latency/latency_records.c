/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies out of the records: a first pass for all figures but percentiles, then as many as these need (quantile.h). */
#include "analyze/kernels/estimate.h"
#include "analyze/kernels/moments.h"
#include "latency.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <spanring/spanring.h>

#include <stdlib.h>

struct reading {
	struct latency *latency;
	struct moments *moments;     /* by name id */
	struct estimate *estimates;  /* the same, where spans have weights; else NULL */
	struct quantiles *quantiles; /* series are name ids */
};

static void widen_range(struct latency *latency, const struct store_columns *columns, uint32_t row) {
	uint64_t wall_ns = columns->start_ns[row] + columns->segment->wall_offset_ns;
	if (wall_ns < latency->start_wall_ns)
		latency->start_wall_ns = wall_ns;
	if (wall_ns + columns->duration_ns[row] > latency->end_wall_ns)
		latency->end_wall_ns = wall_ns + columns->duration_ns[row];
}

/* For as many spans as it stands for. */
static int add_span(struct reading *reading, const struct store_columns *columns, uint32_t row, uint32_t name) {
	uint64_t duration_ns = columns->duration_ns[row];
	uint32_t weight = query_weight(columns, row);
	estimate_add(&reading->estimates[name], duration_ns, weight, columns->trace_lo[row]);
	if (columns->status[row] == SPANRING_STATUS_ERROR)
		reading->estimates[name].error_units += weight;
	return quantiles_observe_weighted(reading->quantiles, name, duration_ns, weight);
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct latency *latency = reading->latency;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (latency->filtered && !query_accepts(&latency->query, columns, i))
			continue;
		if (query_is_open(columns, i)) {
			latency->open++;
			continue;
		}
		uint32_t name = query_name(columns, i);
		if (name > latency->query.overview->name_count)
			name = 0;
		if (add_span(reading, columns, i, name) != 0)
			return -ENOMEM;
		if (columns->start_ns)
			widen_range(latency, columns, i);
	}
	return 0;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	const struct latency *latency = reading->latency;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		if (query_is_open(columns, i) || (latency->filtered && !query_accepts(&latency->query, columns, i)))
			continue;
		uint32_t name = query_name(columns, i);
		if (name > latency->query.overview->name_count)
			name = 0;
		quantiles_refine_weighted(reading->quantiles, name, columns->duration_ns[i], query_weight(columns, i));
	}
	return 0;
}

/* The whole range comes from the overview for nothing; only a filter makes us look at each start. */
static void range_of_store(struct latency *latency) {
	const struct store_overview *overview = latency->query.overview;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		if (segment->spans == 0)
			continue;
		uint64_t start_wall_ns = segment->start_ns_min + segment->wall_offset_ns;
		uint64_t end_wall_ns = segment->end_ns_max + segment->wall_offset_ns;
		if (start_wall_ns < latency->start_wall_ns)
			latency->start_wall_ns = start_wall_ns;
		if (end_wall_ns > latency->end_wall_ns)
			latency->end_wall_ns = end_wall_ns;
	}
}

/* Weighted spans, one thread: estimates need whole traces together. */
static int collect_estimates(struct reading *reading) {
	struct latency *latency = reading->latency;
	uint32_t columns =
	    STORE_COLUMN_SITE | STORE_COLUMN_DURATION | STORE_COLUMN_WEIGHT | query_open_column(&latency->query);
	struct query_scan scan = {
	    .columns = columns | STORE_COLUMN_STATUS | STORE_COLUMN_TRACE, .on_batch = first_pass, .context = reading};
	if (latency->filtered)
		scan.columns |= STORE_COLUMN_START;
	int rc = query_scan(&latency->query, &scan);
	scan.on_batch = later_pass;
	scan.columns = columns;
	while (rc == 0 && (rc = quantiles_next_pass(reading->quantiles)) > 0)
		rc = query_scan(&latency->query, &scan);
	return rc;
}

static void fill_exact(const struct moments *moments, struct latency_line *line) {
	line->count = moments->count;
	line->total_ns = moments_total(moments);
	line->mean_ns = moments_mean(moments);
	line->stddev_ns = moments_stddev(moments);
	line->min_ns = moments->min;
	line->max_ns = moments->max;
}

static void fill_estimated(const struct estimate *estimate, struct latency_line *line) {
	line->count = estimate_count(estimate->units);
	line->errors = estimate_count(estimate->error_units);
	line->total_ns = estimate_total(estimate);
	line->mean_ns = estimate_mean(estimate);
	line->stddev_ns = estimate_stddev(estimate);
	line->min_ns = estimate->min;
	line->max_ns = estimate->max;
	line->records = estimate->records;
	line->error = estimate_error(estimate);
	line->weight_max = (double)estimate->weight_max / STORE_WEIGHT_ONE;
}

static void fill_lines(struct reading *reading) {
	struct latency *latency = reading->latency;
	for (uint32_t name = 0; name <= latency->query.overview->name_count; name++) {
		struct latency_line *line = &latency->lines[name];
		if (reading->estimates)
			fill_estimated(&reading->estimates[name], line);
		else
			fill_exact(&reading->moments[name], line);
		for (unsigned q = 0; q < QUANTILE_COUNT && line->count; q++)
			line->quantiles[q] = quantiles_value(reading->quantiles, name, (enum quantile)q);
	}
}

/* Is every span that ended, as far as the books know, a record of this store? */
static bool all_are_stored(const struct query *query) {
	const struct store_overview *overview = query->overview;
	uint64_t stored = 0;
	uint64_t records = 0;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_cursor *cursor = &overview->rings[i].cursor;
		uint64_t known = saturating_add(cursor->stored_spans, cursor->open);
		if (known < cursor->begun || cursor->sampled_out || cursor->sampled_out_short ||
		    cursor->state == STORE_RING_QUARANTINED)
			return false;
		stored = saturating_add(stored, cursor->stored_spans);
	}
	for (size_t i = 0; i < overview->segment_count; i++)
		records = saturating_add(records, overview->segments[i].spans);
	return query_lost_spans(query) == 0 && records >= stored;
}

int latency_from_records(struct latency *latency) {
	size_t names = (size_t)latency->query.overview->name_count + 1;
	struct reading reading = {.latency = latency};
	latency->estimated = query_is_weighted(&latency->query);
	if (latency->estimated)
		reading.estimates = calloc(names, sizeof(reading.estimates[0]));
	else
		reading.moments = calloc(names, sizeof(reading.moments[0]));
	int rc = reading.moments || reading.estimates ? quantiles_new(names, QUANTILE_BUDGET_BYTES, &reading.quantiles)
	                                              : -ENOMEM;
	if (rc == 0 && latency->wants_self)
		rc = latency_self_from_records(latency);
	latency->start_wall_ns = UINT64_MAX;
	latency->end_wall_ns = 0;
	if (!latency->filtered)
		range_of_store(latency);
	if (rc == 0 && latency_reads_runs(latency))
		rc = latency_collect_runs(latency, reading.moments, reading.quantiles);
	else if (rc == 0 && !latency->estimated)
		rc = latency_collect_filtered(latency, reading.moments, reading.quantiles);
	else if (rc == 0)
		rc = collect_estimates(&reading);
	if (rc == 0)
		fill_lines(&reading);
	latency->open_known = true;
	latency->covers_all = all_are_stored(&latency->query);
	free(reading.moments);
	free(reading.estimates);
	quantiles_free(reading.quantiles);
	return rc;
}
