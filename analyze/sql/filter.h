/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a WHERE clause leaves of a scan. xBestIndex writes the conditions that help into the plan, one word each ("start_ns>= name= "), which
 * EXPLAIN QUERY PLAN shows; xFilter reads the words again, with the values.
 *
 * A filter only ever leaves out what cannot match: SQLite checks every row that is given once more, by its own rules for types, collations and
 * NULL. So a value of an unexpected type simply does not filter.
 */
#ifndef SPANRING_ANALYZE_SQL_FILTER_H
#define SPANRING_ANALYZE_SQL_FILTER_H

#include "sql_api.h"

#include "libstore/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a condition is about; columns of tables that can filter say which. */
enum filter_field {
	FILTER_NONE,
	FILTER_START,
	FILTER_END,
	FILTER_DURATION,
	FILTER_TRACE,
	FILTER_TRACE_LOW,
	FILTER_NAME,
	FILTER_SERVICE,
	FILTER_PROCESS,
	FILTER_KEY
};

struct filter {
	bool nothing; /* no row can match */
	/* All bounds are inclusive; times are wall time. */
	uint64_t start_ns_min;
	uint64_t start_ns_max;
	uint64_t end_ns_min;
	uint64_t end_ns_max;
	uint64_t duration_ns_min;
	uint64_t duration_ns_max;
	bool has_trace;
	bool has_trace_hi;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint8_t *names;     /* by id of overview.names; NULL: all */
	uint8_t *processes; /* by index into processes + 1; NULL: all */
	uint8_t *keys;      /* by id of overview.names; NULL: all */
};

/* The word for a condition, NULL if it is of no use. */
const char *filter_word(enum filter_field field, unsigned char op);

/* From the words of a plan and their values, in order; 0 or -ENOMEM. A filter that failed is to be cleared, too. */
int filter_make(struct filter *filter, const struct store_overview *overview, const char *words,
                sqlite3_value *const *values, int value_count);
void filter_clear(struct filter *filter);

/* The part of it that skips segments and batches. */
void filter_scan(const struct filter *filter, struct store_scan *scan);

/* What a filter needs to know of a row, as STORE_COLUMN_*: of a span, by the words of the plan. */
uint32_t filter_columns(const char *words);
bool filter_accepts_span(const struct filter *filter, const struct store_columns *columns, uint32_t row);

/* May a segment have rows? By its names and processes. */
bool filter_accepts_segment(const struct filter *filter, const struct store_segment_view *segment);

/* Of one bound, known to the planner: the lowest and highest value that pass, as of `start_ns_min` and `start_ns_max`. */
void filter_bounds(unsigned char op, sqlite3_value *value, uint64_t *min, uint64_t *max);

#endif
