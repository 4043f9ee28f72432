/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self time out of the records (self_time.h). Children count whatever their name, service and time, so these passes read all batches
 * and not only those that the filters leave; the filters choose the spans whose self time is summed.
 */
#include "analyze/kernels/self_time.h"
#include "latency.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <stdlib.h>

struct self_reading {
	struct latency *latency;
	struct self_time *self;
	uint64_t *covered; /* by row */
	uint32_t room;
	bool is_first;
};

/* For all the spans that the row stands for. */
static uint64_t weighted(const struct store_columns *columns, uint32_t row, uint64_t ns) {
	uint32_t weight = query_weight(columns, row);
	uint64_t product;
	if (weight == STORE_WEIGHT_ONE)
		return ns;
	if (__builtin_mul_overflow(ns, (uint64_t)weight, &product))
		return ns / STORE_WEIGHT_ONE > UINT64_MAX / weight ? UINT64_MAX : ns / STORE_WEIGHT_ONE * weight;
	return product / STORE_WEIGHT_ONE;
}

static void add(struct self_reading *reading, const struct store_columns *columns, uint32_t row) {
	struct latency *latency = reading->latency;
	uint64_t covered = weighted(columns, row, reading->covered[row]);
	if (query_is_open(columns, row) || (latency->filtered && !query_accepts(&latency->query, columns, row)))
		return;
	uint32_t name = query_name(columns, row);
	uint64_t *self_ns = &latency->lines[name <= latency->query.overview->name_count ? name : 0].self_ns;
	if (reading->is_first)
		*self_ns = saturating_add(*self_ns, weighted(columns, row, columns->duration_ns[row]) - covered);
	else
		*self_ns -= covered < *self_ns ? covered : *self_ns;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct self_reading *reading = context;
	struct self_time_rows rows = {.count = columns->span_count,
	                              .trace_lo = columns->trace_lo,
	                              .span_id = columns->span_id,
	                              .start_ns = columns->start_ns,
	                              .duration_ns = columns->duration_ns,
	                              .parent_row = columns->parent_row,
	                              .away_count = columns->away_count,
	                              .away_parent_id = columns->away_parent_id};
	if (rows.count > reading->room) {
		free(reading->covered);
		reading->covered = malloc(rows.count * sizeof(*reading->covered));
		reading->room = reading->covered ? rows.count : 0;
		if (!reading->covered)
			return -ENOMEM;
	}
	int error = self_time_take(reading->self, &rows, reading->covered);
	for (uint32_t row = 0; row < rows.count && !error; row++)
		if (reading->is_first || reading->covered[row])
			add(reading, columns, row);
	return error;
}

static int read_all(struct self_reading *reading) {
	struct query *query = &reading->latency->query;
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START |
	                                     STORE_COLUMN_DURATION | STORE_COLUMN_SITE | query_open_column(query) |
	                                     (reading->latency->estimated ? STORE_COLUMN_WEIGHT : 0),
	                          .whole_time = true,
	                          .on_batch = take_batch,
	                          .context = reading};
	uint32_t columns = scan.columns;
	int rc = 0;
	do {
		scan.columns = columns | (self_time_wants_ids(reading->self) ? STORE_COLUMN_SPAN_ID : 0);
		rc = query_scan(query, &scan);
		reading->is_first = false;
	} while (rc == 0 && (rc = self_time_next_pass(reading->self)) > 0);
	return rc;
}

int latency_self_from_records(struct latency *latency) {
	struct self_reading reading = {.latency = latency, .is_first = true};
	int rc = self_time_new(SELF_TIME_BUDGET_BYTES, &reading.self);
	if (rc == 0)
		rc = read_all(&reading);
	self_time_free(reading.self);
	free(reading.covered);
	latency->self_known = rc == 0;
	if (rc != ERR_LIMIT)
		return rc;
	log_warning(&latency->query.context->log,
	            "no self times: a span has more than %zu children that were stored apart from it",
	            SELF_TIME_CHILDREN_MAX);
	return 0;
}
