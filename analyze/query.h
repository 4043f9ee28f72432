/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to a store: the open reader, the filters of the command line as lookups by id, and scans that show progress.
 *
 * Filters: a span belongs to the time range when it started in it (since <= start < until, wall time); to --name and --service when the glob
 * matches the whole text; to --where when the expression is true of it (where_eval.h), which is found out batch by batch, before on_batch sees it.
 *
 * REPEATED SCANS see the same batches: a scan remembers the last batch of each segment that the first one saw and skips what an agent added
 * since.
 */
#ifndef SPANRING_ANALYZE_QUERY_H
#define SPANRING_ANALYZE_QUERY_H

#include "analyze/terminal/progress.h"
#include "analyze/where/where_eval.h"
#include "command.h"

#include "libstore/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct query {
	const struct context *context;
	struct store_reader *reader;
	const struct store_overview *overview;
	uint8_t *name_wanted;    /* by id of overview.names; NULL: all */
	uint8_t *process_wanted; /* by index into processes + 1; NULL: all */
	uint64_t since_wall_ns;
	uint64_t until_wall_ns; /* UINT64_MAX: no end */
	struct where *where;    /* --where, NULL: none */
	struct where_filter
	    *where_filters[STORE_SCAN_THREADS_MAX]; /* by worker; those but the first when they are needed */
	struct where_bounds where_bounds;
	uint8_t *where_kept[STORE_SCAN_THREADS_MAX]; /* likewise: by row of the batch at hand */
	uint64_t *batch_end;                         /* by segment: last batch of the first scan + 1 */
	bool scanned;
};

/* Open the store; an exit code, 0 when it is open. On failure the message is written and nothing is held. */
int query_open(struct query *query, const struct context *context);
void query_close(struct query *query);

/* Columns that query_accepts needs. */
uint32_t query_columns(const struct query *query);

/* Name of row i of a batch that has STORE_COLUMN_SITE; 0 when the store does not say. */
static inline uint32_t query_name(const struct store_columns *columns, uint32_t row) {
	uint32_t site = columns->site[row];
	return site <= columns->segment->site_count ? columns->segment->sites[site].name : 0;
}

/* Index into processes + 1 of row i of a batch that has STORE_COLUMN_THREAD; 0 when the store does not say. */
static inline uint32_t query_process(const struct store_columns *columns, uint32_t row) {
	uint32_t thread = columns->thread[row];
	return thread <= columns->segment->thread_count ? columns->segment->threads[thread].process : 0;
}

/*
 * May the store hold spans that never ended? Their rows come in one transaction with a cursor that says so; where there
 * is none, the flags need not be read.
 */
bool query_holds_open(const struct query *query);

/* STORE_COLUMN_FLAGS if they are needed to tell such rows, else 0. */
uint32_t query_open_column(const struct query *query);

/* Is row i of a batch a span that never ended? False when the flags were not asked for. */
static inline bool query_is_open(const struct store_columns *columns, uint32_t row) {
	return columns->flags && (columns->flags[row] & STORE_SPAN_OPEN) != 0;
}

/* May the store hold spans that stand for more than one (tail keep of the agent)? If not, the weights need not be read. */
bool query_is_weighted(const struct query *query);

/* For how many spans row i stands, in units of 1/STORE_WEIGHT_ONE; one when weights were not asked for. */
static inline uint32_t query_weight(const struct store_columns *columns, uint32_t row) {
	return columns->weight ? columns->weight[row] : STORE_WEIGHT_ONE;
}

/* Spans that ended and were left out by tail keep, as far as the store still tells of their rings. */
uint64_t query_thinned_spans(const struct query *query);

/* Does row i pass the filters? */
bool query_accepts(const struct query *query, const struct store_columns *columns, uint32_t row);

/* Name by id, for people: "(no name)" when there is none. */
const char *query_name_text(const struct query *query, uint32_t name);

struct query_scan {
	uint32_t columns;         /* beyond query_columns() */
	uint64_t duration_ns_min; /* batches without such a span may be skipped */
	bool whole_time;          /* also batches outside of the time range: before any scan without them */
	bool without_where;       /* query_accepts is not asked, or not about --where */
	bool has_trace;
	uint64_t trace_lo;
	uint32_t columns_inside; /* instead, of batches whose spans all start in the time range; 0: the same */
	uint32_t threads;        /* more than 1: on_batch is called by up to so many at the same time */
	/* As in struct store_scan; NULL: all. */
	bool (*wants_batch)(void *context, const struct store_segment_view *segment, uint64_t batch,
	                    uint64_t start_ns_min, uint64_t end_ns_max);
	int (*on_batch)(void *context, const struct store_columns *columns);
	void *context;
};

/* Of --threads: at least 1, at most STORE_SCAN_THREADS_MAX; one for each core when it was not given. */
uint32_t query_threads(const struct query *query);

/* 0, what on_batch returned, or a negative errno. */
int query_scan(struct query *query, const struct query_scan *scan);

/* Name the damage on standard error, once, at the end of a command: EXIT_CODE_INPUT if there is any, else `code`. */
int query_finish(const struct query *query, int code);

/* True (and a line on standard error) when the store holds no span at all. */
bool query_store_is_empty(const struct query *query);

/* One line on standard error: no span passed the filters, which it names. `verb` is "matches", or what else none of them did. */
void query_say_no_match(const struct query *query, const char *verb);

/* Spans that the books of all processes say were dropped, rejected or lost before they could be stored. */
uint64_t query_lost_spans(const struct query *query);

#endif
