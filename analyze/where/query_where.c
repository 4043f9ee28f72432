/* SPDX-License-Identifier: Apache-2.0 */
#include "query_where.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"

#include "libstore/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The expression, and a caret below the place; what is before it must not be wider than it looks. */
static void point_at(const char *expression, uint32_t column) {
	char shown[4 * WHERE_TEXT_BYTES_MAX + 1];
	char before[4 * WHERE_TEXT_BYTES_MAX + 1];
	size_t bytes = strnlen(expression, WHERE_TEXT_BYTES_MAX);
	(void)text_printable(expression, bytes, shown, sizeof(shown));
	(void)text_printable(expression, column < bytes ? column : bytes, before, sizeof(before));
	(void)fprintf(stderr, "  %s\n  %*s^\n", shown, (int)text_columns(before), "");
}

/* As people count: characters, from 1. */
static unsigned column_of(const char *expression, uint32_t bytes) {
	unsigned column = 1;
	for (uint32_t i = 0; i < bytes && expression[i]; i++)
		column += ((unsigned char)expression[i] & 0xc0) != 0x80;
	return column;
}

int query_where_parse(struct query *query) {
	const struct context *context = query->context;
	const char *expression = context->options->where;
	struct where_error error;
	if (!expression)
		return EXIT_CODE_OK;
	query->where = malloc(sizeof(*query->where));
	query->where_kept[0] = malloc(BATCH_SPANS_MAX);
	if (!query->where || !query->where_kept[0])
		return command_failed(context, -ENOMEM, "reading --where");
	int rc = where_parse(expression, query->where, &error);
	if (rc == 0)
		rc = where_check(query->where, clock_wall_ns(), &error);
	if (rc == 0) {
		query->where_bounds = where_get_bounds(query->where);
		return EXIT_CODE_OK;
	}
	log_error(&context->log, "--where, column %u: %s", column_of(expression, error.column), error.text);
	point_at(expression, error.column);
	return EXIT_CODE_USAGE;
}

static int observe(void *context, const struct store_columns *columns) {
	struct query *query = context;
	return where_observe(query->where_filters[0], columns);
}

int query_where_bind(struct query *query) {
	if (!query->where)
		return 0;
	int rc = where_bind(query->where, query->overview, &query->where_filters[0]);
	if (rc == ERR_LIMIT)
		log_error(&query->context->log, "--where: more than %u different attributes in one expression",
		          SPAN_VALUES_KEYS_MAX);
	if (rc != 0 || !where_observes(query->where_filters[0]))
		return rc;
	struct query_scan scan = {.columns = where_observes(query->where_filters[0]),
	                          .whole_time = true,
	                          .without_where = true,
	                          .has_trace = query->where_bounds.has_trace,
	                          .trace_lo = query->where_bounds.trace_lo,
	                          .on_batch = observe,
	                          .context = query};
	rc = query_scan(query, &scan);
	if (rc == ERR_LIMIT)
		log_error(
		    &query->context->log,
		    "--where: more than %u values of its attributes and events lie apart from their spans: ask one "
		    "segment file at a time",
		    SPAN_VALUES_STRAYS_MAX);
	return rc;
}

void query_where_narrow(const struct query *query, struct store_scan *scan) {
	const struct where_bounds *bounds = &query->where_bounds;
	if (bounds->since_wall_ns > scan->since_wall_ns)
		scan->since_wall_ns = bounds->since_wall_ns;
	if (bounds->until_wall_ns != UINT64_MAX &&
	    (scan->until_wall_ns == 0 || bounds->until_wall_ns < scan->until_wall_ns))
		scan->until_wall_ns = bounds->until_wall_ns;
	if (bounds->duration_ns_min > scan->duration_ns_min)
		scan->duration_ns_min = bounds->duration_ns_min;
	if (bounds->has_trace && !scan->has_trace) {
		scan->has_trace = true;
		scan->trace_lo = bounds->trace_lo;
	}
}

int query_where_share(struct query *query, uint32_t threads) {
	int rc = 0;
	for (uint32_t i = 1; i < threads && i < STORE_SCAN_THREADS_MAX && rc == 0; i++) {
		if (!query->where_kept[i])
			query->where_kept[i] = malloc(BATCH_SPANS_MAX);
		if (!query->where_kept[i])
			rc = -ENOMEM;
		else if (!query->where_filters[i])
			rc = where_filter_share(query->where_filters[0], &query->where_filters[i]);
	}
	return rc;
}

int query_where_take(struct query *query, const struct store_columns *columns) {
	uint32_t worker = columns->worker;
	return where_rows(query->where_filters[worker], columns, query->where_kept[worker]);
}
