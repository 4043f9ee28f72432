/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self time out of the records. Children count whatever their name, service and time, so these passes read all batches and not only those that the filters
 * leave; the filters choose the spans whose self time is summed.
 *
 * Where every stored span counts once, one pass by several threads adds up what the store says of children (self_sums.h). What is left are children that it
 * does not count: those that lie in another segment than their parent, and batches of before there were child sums. They are looked for by their ids
 * (self_time.h), in the batches that ran when they did (child_books.h). Where rows are told apart, all is looked for by ids.
 */
#include "analyze/kernels/self_sums.h"
#include "analyze/kernels/self_time.h"
#include "child_books.h"
#include "latency.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

struct self_reading {
	struct latency *latency;
	struct self_time *self;
	uint64_t *covered; /* by row */
	uint32_t room;
	bool is_first;
	bool has_sums; /* of batches with child sums all is known but their open children */
	struct child_books books;
	struct self_sums *sums[STORE_SCAN_THREADS_MAX];
	pthread_mutex_t lock; /* of all above but books and sums, in passes of several threads */
};

/* --- by ids ------------------------------------------------------------------------------------------------------- */

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

static void add(struct self_reading *reading, const struct store_columns *columns, uint32_t row, bool is_first) {
	struct latency *latency = reading->latency;
	uint64_t covered = weighted(columns, row, reading->covered[row]);
	if (query_is_open(columns, row) || (latency->filtered && !query_accepts(&latency->query, columns, row)))
		return;
	uint32_t name = query_name(columns, row);
	uint64_t *self_ns = &latency->lines[name <= latency->query.overview->name_count ? name : 0].self_ns;
	if (is_first)
		*self_ns = saturating_add(*self_ns, weighted(columns, row, columns->duration_ns[row]) - covered);
	else
		*self_ns -= covered < *self_ns ? covered : *self_ns;
}

/* Batches are decoded beside each other, and looked at one by one. */
static int take_rows(struct self_reading *reading, const struct store_columns *columns, struct self_time_rows *rows) {
	if (rows->count > reading->room) {
		free(reading->covered);
		reading->covered = malloc(rows->count * sizeof(*reading->covered));
		reading->room = reading->covered ? rows->count : 0;
		if (!reading->covered)
			return -ENOMEM;
	}
	enum self_time_pass pass = self_time_pass(reading->self);
	int error = self_time_take(reading->self, rows, reading->covered);
	if (error || pass == SELF_TIME_SPREAD)
		return error;
	if (pass == SELF_TIME_MARK)
		return child_books_note_times(&reading->books, columns);
	bool is_first = reading->is_first && !rows->child_sums;
	for (uint32_t row = 0; row < rows->count; row++)
		if (is_first || reading->covered[row])
			add(reading, columns, row, is_first);
	return 0;
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
	if (reading->has_sums) {
		size_t segment = child_books_segment(&reading->books, columns->segment);
		rows.segment = (uint32_t)segment;
		rows.batch = columns->batch;
		rows.child_sums = columns->child_sums;
		rows.waits_elsewhere = reading->books.segments[segment].is_whole;
	}
	(void)pthread_mutex_lock(&reading->lock);
	int error = take_rows(reading, columns, &rows);
	(void)pthread_mutex_unlock(&reading->lock);
	return error;
}

/* May this batch say something in the pass at hand? */
static bool wants_batch(void *context, const struct store_segment_view *segment, uint64_t batch, uint64_t start_ns_min,
                        uint64_t end_ns_max) {
	const struct self_reading *reading = context;
	const struct child_batch *known = child_books_batch(&reading->books, segment, batch);
	switch (self_time_pass(reading->self)) {
	case SELF_TIME_MARK:
		return !known || known->open || known->is_silent;
	case SELF_TIME_COLLECT:
		if (!known || (reading->is_first && known->is_silent))
			return true;
		break;
	case SELF_TIME_SPREAD:
	case SELF_TIME_RESOLVE:
		break;
	}
	return child_books_ran(&reading->books, start_ns_min, end_ns_max);
}

static uint32_t columns_of(const struct self_reading *reading) {
	const struct latency *latency = reading->latency;
	uint32_t columns = STORE_COLUMN_TRACE;
	enum self_time_pass pass = self_time_pass(reading->self);
	if (pass == SELF_TIME_SPREAD)
		return columns;
	columns |= STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START | STORE_COLUMN_DURATION;
	columns |= reading->has_sums ? STORE_COLUMN_CHILD_SUMS : 0;
	if (pass == SELF_TIME_MARK)
		return columns;
	return columns | STORE_COLUMN_SITE | query_open_column(&latency->query) |
	       (latency->estimated ? STORE_COLUMN_WEIGHT : 0) | (pass == SELF_TIME_RESOLVE ? STORE_COLUMN_SPAN_ID : 0);
}

static int read_ids(struct self_reading *reading) {
	struct query_scan scan = {.whole_time = true, .on_batch = take_batch, .context = reading};
	int rc = 0;
	/* Filters look at one batch at a time. */
	scan.threads = reading->has_sums ? query_threads(&reading->latency->query) : 1;
	do {
		enum self_time_pass pass = self_time_pass(reading->self);
		scan.columns = columns_of(reading);
		scan.without_where = pass == SELF_TIME_MARK || pass == SELF_TIME_SPREAD;
		scan.wants_batch = reading->has_sums ? wants_batch : NULL;
		rc = query_scan(&reading->latency->query, &scan);
		reading->is_first &= pass != SELF_TIME_COLLECT;
		if (pass == SELF_TIME_MARK)
			child_books_sort_times(&reading->books);
	} while (rc == 0 && (rc = self_time_next_pass(reading->self)) > 0);
	return rc;
}

void latency_self_tell(const struct query *query, uint64_t unresolved) {
	if (unresolved)
		log_warning(&query->context->log,
		            "self times are too long: of %" PRIu64
		            " spans, which share their ids with more than %u others, not all children were looked at",
		            unresolved, SELF_TIME_TWINS_MAX - 1);
}

static int look_for_ids(struct self_reading *reading) {
	reading->is_first = true;
	int rc = self_time_new(SELF_TIME_BUDGET_BYTES, &reading->self);
	if (rc == 0 && reading->has_sums)
		rc = self_time_settled(reading->self);
	if (rc == 0)
		rc = read_ids(reading);
	if (rc == 0)
		latency_self_tell(&reading->latency->query, self_time_unresolved(reading->self));
	self_time_free(TAKE_PTR(reading->self));
	return rc;
}

/* --- by sums ------------------------------------------------------------------------------------------------------ */

static int take_sums(void *context, const struct store_columns *columns) {
	struct self_reading *reading = context;
	child_books_take(&reading->books, columns);
	return columns->child_sums ? self_sums_take(reading->sums[columns->worker], columns) : 0;
}

static size_t count_damage(const struct self_reading *reading) {
	size_t count = 0;
	(void)store_reader_damage(reading->latency->query.reader, &count);
	return count;
}

/* What damaged batches said of others is lost: then nothing is taken from any, and all is looked for by ids. */
static int read_sums(struct self_reading *reading, uint32_t threads) {
	struct query *query = &reading->latency->query;
	size_t damage = count_damage(reading);
	struct query_scan scan = {.columns = SELF_SUMS_COLUMNS | query_open_column(query),
	                          .whole_time = true,
	                          .threads = threads,
	                          .on_batch = take_sums,
	                          .context = reading};
	int rc = query_scan(query, &scan);
	reading->has_sums = rc == 0 && !reading->books.is_lost && count_damage(reading) == damage;
	if (!reading->has_sums)
		return rc;
	for (uint32_t i = 1; i < threads; i++)
		self_sums_merge(reading->sums[0], reading->sums[i]);
	for (uint32_t name = 0; name <= query->overview->name_count; name++)
		reading->latency->lines[name].self_ns = self_sums_value(reading->sums[0], name);
	return 0;
}

static int add_sums(struct self_reading *reading) {
	const struct query *query = &reading->latency->query;
	uint32_t threads = query_threads(query);
	int rc = child_books_open(&reading->books, query->overview);
	for (uint32_t i = 0; i < threads && rc == 0; i++)
		rc = self_sums_new(query->overview->name_count, &reading->sums[i]);
	if (rc == 0)
		rc = read_sums(reading, threads);
	for (uint32_t i = 0; i < threads; i++)
		self_sums_free(reading->sums[i]);
	return rc;
}

int latency_self_from_records(struct latency *latency) {
	struct self_reading reading = {.latency = latency};
	int rc = -pthread_mutex_init(&reading.lock, NULL);
	if (rc)
		return rc;
	rc = latency_reads_runs(latency) ? add_sums(&reading) : 0;
	if (rc == 0 && (!reading.has_sums || child_books_open_children(&reading.books)))
		rc = look_for_ids(&reading);
	if (reading.books.segments)
		child_books_close(&reading.books);
	free(reading.covered);
	(void)pthread_mutex_destroy(&reading.lock);
	latency->self_known = rc == 0;
	if (rc != ERR_LIMIT)
		return rc;
	log_warning(&latency->query.context->log,
	            "no self times: a span has more than %zu children that were stored apart from it",
	            SELF_TIME_CHILDREN_MAX);
	return 0;
}
