/* SPDX-License-Identifier: Apache-2.0 */
#include "latency_groups.h"

#include "analyze/kernels/estimate.h"
#include "analyze/kernels/moments.h"
#include "group.h"
#include "latency_groups_print.h"

#include "base/checked.h"
#include "base/errs.h"

#include <spanring/spanring.h>

#include <stdlib.h>
#include <string.h>

#define SERIES (GROUPS_MAX + 1u)

struct reading {
	struct latency_groups groups;
	struct moments *moments;
	struct estimate *estimates; /* instead, where spans have weights */
	struct quantiles *quantiles;
};

static int add_span(struct reading *reading, const struct store_columns *columns, uint32_t row, uint32_t group) {
	uint64_t duration_ns = columns->duration_ns[row];
	bool failed = columns->status[row] == SPANRING_STATUS_ERROR;
	if (!reading->estimates) {
		moments_add(&reading->moments[group], duration_ns);
		reading->groups.lines[group].errors += failed;
		return quantiles_observe(reading->quantiles, group, duration_ns);
	}
	uint32_t weight = query_weight(columns, row);
	estimate_add(&reading->estimates[group], duration_ns, weight, columns->trace_lo[row]);
	reading->estimates[group].error_units += failed ? weight : 0;
	return quantiles_observe_weighted(reading->quantiles, group, duration_ns, weight);
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct latency_groups *groups = &reading->groups;
	int rc = group_take(&groups->grouping, columns);
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		uint32_t group = 0;
		if (!query_accepts(&groups->query, columns, row))
			continue;
		if (query_is_open(columns, row)) {
			groups->open++;
			continue;
		}
		rc = group_of(&groups->grouping, &groups->query, columns, row, &group);
		if (rc == 0)
			rc = add_span(reading, columns, row, group);
	}
	return rc;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct latency_groups *groups = &reading->groups;
	int rc = group_take(&groups->grouping, columns);
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		uint32_t group = 0;
		if (query_is_open(columns, row) || !query_accepts(&groups->query, columns, row))
			continue;
		rc = group_of(&groups->grouping, &groups->query, columns, row, &group);
		if (rc == 0 && reading->estimates)
			quantiles_refine_weighted(reading->quantiles, group, columns->duration_ns[row],
			                          query_weight(columns, row));
		else if (rc == 0)
			quantiles_refine(reading->quantiles, group, columns->duration_ns[row]);
	}
	return rc;
}

static int collect(struct reading *reading) {
	struct latency_groups *groups = &reading->groups;
	struct query_scan scan = {.columns = STORE_COLUMN_DURATION | STORE_COLUMN_STATUS |
	                                     query_open_column(&groups->query) | group_columns(&groups->grouping),
	                          .on_batch = first_pass,
	                          .context = reading};
	if (groups->estimated)
		scan.columns |= STORE_COLUMN_WEIGHT | STORE_COLUMN_TRACE;
	int rc = query_scan(&groups->query, &scan);
	scan.on_batch = later_pass;
	while (rc == 0 && (rc = quantiles_next_pass(reading->quantiles)) > 0)
		rc = query_scan(&groups->query, &scan);
	return rc;
}

static void fill_line(const struct reading *reading, uint32_t group, struct latency_group_line *line) {
	line->group = group;
	if (reading->estimates) {
		const struct estimate *estimate = &reading->estimates[group];
		line->count = estimate_count(estimate->units);
		line->errors = estimate_count(estimate->error_units);
		line->total_ns = estimate_total(estimate);
		line->mean_ns = estimate_mean(estimate);
		line->stddev_ns = estimate_stddev(estimate);
		line->min_ns = estimate->min;
		line->max_ns = estimate->max;
	} else {
		const struct moments *moments = &reading->moments[group];
		line->count = moments->count;
		line->total_ns = moments_total(moments);
		line->mean_ns = moments_mean(moments);
		line->stddev_ns = moments_stddev(moments);
		line->min_ns = moments->min;
		line->max_ns = moments->max;
	}
	for (unsigned q = 0; q < QUANTILE_COUNT && line->count; q++)
		line->quantiles[q] = quantiles_value(reading->quantiles, group, (enum quantile)q);
}

/* Keep the groups that have spans, in order. */
static int finish(struct reading *reading) {
	struct latency_groups *groups = &reading->groups;
	for (uint32_t group = 0; group < SERIES; group++)
		fill_line(reading, group, &groups->lines[group]);
	for (uint32_t group = 0; group < SERIES; group++)
		if (groups->lines[group].count > 0)
			groups->lines[groups->line_count++] = groups->lines[group];
	return latency_groups_sort(groups);
}

static int read_all(struct reading *reading) {
	struct latency_groups *groups = &reading->groups;
	int rc = group_bind(&groups->grouping, &groups->query);
	groups->estimated = query_is_weighted(&groups->query);
	groups->lines = calloc(SERIES, sizeof(groups->lines[0]));
	if (groups->estimated)
		reading->estimates = calloc(SERIES, sizeof(reading->estimates[0]));
	else
		reading->moments = calloc(SERIES, sizeof(reading->moments[0]));
	if (rc == 0 && (!groups->lines || (!reading->estimates && !reading->moments)))
		rc = -ENOMEM;
	if (rc == 0)
		rc = quantiles_new(SERIES, QUANTILE_BUDGET_BYTES, &reading->quantiles);
	if (rc == 0)
		rc = collect(reading);
	return rc ? rc : finish(reading);
}

static int answer(struct reading *reading) {
	const struct context *context = reading->groups.query.context;
	int rc = read_all(reading);
	if (rc == ERR_LIMIT)
		return EXIT_CODE_FAILED;
	if (rc != 0)
		return command_failed(context, rc, "computing latencies");
	bool empty = query_store_is_empty(&reading->groups.query);
	if (reading->groups.line_count == 0 && !context->options->json && !context->options->csv) {
		if (!empty)
			query_say_no_match(&reading->groups.query, "matches");
		return EXIT_CODE_OK;
	}
	rc = latency_groups_print(&reading->groups);
	return rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK;
}

int latency_groups_run(const struct context *context) {
	struct reading reading = {.moments = NULL};
	struct latency_groups *groups = &reading.groups;
	const char *spec = context->options->group_by;
	char text[OPTIONS_TEXT_BYTES];
	if (!spec && !context->options->interval_ns)
		spec = "name"; /* --csv alone */
	if (group_parse(spec, context->options->interval_ns, &groups->grouping, text, sizeof(text)) != 0) {
		log_error(&context->log, "%s", text);
		return EXIT_CODE_USAGE;
	}
	if (!latency_groups_sort_key(context->options->sort, groups)) {
		log_error(
		    &context->log,
		    "latency: --sort '%s': of groups give total, count, errors, mean, stddev, min, p50, p90, p95, p99, p999, "
		    "max or key",
		    context->options->sort);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&groups->query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&groups->query, answer(&reading));
	quantiles_free(reading.quantiles);
	free(reading.moments);
	free(reading.estimates);
	free(groups->lines);
	group_done(&groups->grouping);
	query_close(&groups->query);
	return code;
}
