/* SPDX-License-Identifier: Apache-2.0 */
/* Where nobody has statistics: the records that ended in the window before the newest end that is stored. Exact, of what is stored. */
#include "analyze/kernels/quantile.h"
#include "watch.h"

#include "base/checked.h"

#include <spanring/spanring.h>

#include <stdlib.h>

struct reading {
	struct watch *watch;
	struct quantiles *quantiles; /* series are name ids */
	uint64_t since_wall_ns;
	uint64_t until_wall_ns;
};

static bool is_wanted(const struct reading *reading, const struct store_columns *columns, uint32_t row) {
	uint64_t end_ns = saturating_add(columns->start_ns[row], columns->duration_ns[row]);
	uint64_t wall_ns = saturating_add(end_ns, columns->segment->wall_offset_ns);
	return wall_ns > reading->since_wall_ns && wall_ns <= reading->until_wall_ns &&
	       !(columns->flags[row] & STORE_SPAN_OPEN) && query_accepts(&reading->watch->query, columns, row);
}

static uint32_t name_of(const struct reading *reading, const struct store_columns *columns, uint32_t row) {
	uint32_t name = query_name(columns, row);
	return name <= reading->watch->query.overview->name_count ? name : 0;
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		if (!is_wanted(reading, columns, row))
			continue;
		uint32_t name = name_of(reading, columns, row);
		struct watch_line *line = &reading->watch->lines[name];
		uint64_t duration_ns = columns->duration_ns[row];
		if (line->count++ == 0 || duration_ns < line->min_ns)
			line->min_ns = duration_ns;
		if (duration_ns > line->max_ns)
			line->max_ns = duration_ns;
		line->errors += columns->status[row] == SPANRING_STATUS_ERROR;
		line->total_ns = saturating_add(line->total_ns, duration_ns);
		rc = quantiles_observe(reading->quantiles, name, duration_ns);
	}
	return rc;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	for (uint32_t row = 0; row < columns->span_count; row++)
		if (is_wanted(reading, columns, row))
			quantiles_refine(reading->quantiles, name_of(reading, columns, row), columns->duration_ns[row]);
	return 0;
}

static uint64_t newest_end(const struct store_overview *overview) {
	uint64_t newest_ns = 0;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		uint64_t end_ns = saturating_add(segment->end_ns_max, segment->wall_offset_ns);
		if (segment->spans > 0 && end_ns > newest_ns)
			newest_ns = end_ns;
	}
	return newest_ns;
}

static void fill(struct reading *reading) {
	struct watch *watch = reading->watch;
	double seconds = (double)watch->window_ns / 1e9;
	for (uint32_t name = 0; name <= watch->query.overview->name_count; name++) {
		struct watch_line *line = &watch->lines[name];
		line->rate_per_s = (double)line->count / seconds;
		line->busy_ns_per_s = (double)line->total_ns / seconds;
		if (line->count > 0) {
			line->p50_ns = quantiles_value(reading->quantiles, name, QUANTILE_P50);
			line->p99_ns = quantiles_value(reading->quantiles, name, QUANTILE_P99);
		}
	}
}

int watch_read_records(struct watch *watch) {
	struct query *query = &watch->query;
	struct reading reading = {.watch = watch, .until_wall_ns = newest_end(query->overview)};
	uint64_t window_ns = watch->window_ns;
	reading.since_wall_ns = reading.until_wall_ns > window_ns ? reading.until_wall_ns - window_ns : 0;
	struct store_scan scan = {.columns = query_columns(query) | STORE_COLUMN_START | STORE_COLUMN_DURATION |
	                                     STORE_COLUMN_SITE | STORE_COLUMN_STATUS | STORE_COLUMN_FLAGS,
	                          .since_wall_ns = reading.since_wall_ns,
	                          .on_batch = first_pass,
	                          .context = &reading};
	if (reading.until_wall_ns == 0)
		return 0;
	int rc = quantiles_new((size_t)query->overview->name_count + 1, QUANTILE_BUDGET_BYTES, &reading.quantiles);
	if (rc == 0)
		rc = store_reader_scan(query->reader, &scan);
	scan.on_batch = later_pass;
	while (rc == 0 && (rc = quantiles_next_pass(reading.quantiles)) > 0)
		rc = store_reader_scan(query->reader, &scan);
	if (rc == 0)
		fill(&reading);
	quantiles_free(reading.quantiles);
	watch->as_of_wall_ns = reading.until_wall_ns;
	watch->from_records = true;
	return rc;
}
