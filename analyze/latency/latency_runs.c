/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies out of the records, the fast way: durations are stored site by site, so a batch is some hundred runs of one name each, and kernels go
 * over a run without looking at its rows one by one. Batches are shared out among threads.
 *
 * The first pass needs no lock: each thread has figures of its own, put together at the end, which gives the same numbers whoever counted what.
 * In later passes a thread picks the few values that are of interest, and hands those of a batch in together.
 */
#include "latency.h"

#include "base/cleanup.h"
#include "libstore/batch.h"

#include <spanring/spanring.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* With more names the figures of several threads would take more memory than they save time. */
#define SHARED_NAMES_MAX 4096u

struct share {
	struct moments *moments;     /* by name id; those of the first are the caller's */
	struct quantiles *quantiles; /* likewise */
	uint64_t *errors;
	uint64_t open;
	uint64_t *values; /* BATCH_SPANS_MAX: picked, or those of a run without the open ones */
	struct run *picked;
	size_t picked_room;
};

/* Of the values picked in one batch: those of one name end at `end`. */
struct run {
	uint32_t name;
	uint32_t end;
};

struct shares {
	const struct latency *latency;
	struct share each[STORE_SCAN_THREADS_MAX];
	uint32_t count;
	pthread_mutex_t lock; /* of the windows of the quantiles */
};

bool latency_reads_runs(const struct latency *latency) {
	return !latency->filtered && !latency->query.where_filter && !latency->estimated;
}

static uint32_t name_of(const struct shares *shares, const struct store_columns *columns, uint32_t run) {
	uint32_t site = columns->runs[run].site;
	uint32_t name = site <= columns->segment->site_count ? columns->segment->sites[site].name : 0;
	return name <= shares->latency->query.overview->name_count ? name : 0;
}

/* The durations of rows [first, end) whose spans ended: in place, or copied to `room` where some may not have. */
static const uint64_t *ended_of(const struct store_columns *columns, uint32_t first, uint32_t end, uint64_t *room,
                                uint32_t *ret_count) {
	uint32_t count = 0;
	*ret_count = end - first;
	if (!columns->flags)
		return columns->duration_ns + first;
	for (uint32_t row = first; row < end; row++) {
		room[count] = columns->duration_ns[row];
		count += !(columns->flags[row] & STORE_SPAN_OPEN);
	}
	*ret_count = count;
	return room;
}

static uint64_t count_errors(const struct store_columns *columns, uint32_t first, uint32_t end) {
	uint64_t errors = 0;
	for (uint32_t row = first; row < end; row++)
		errors += columns->status[row] == SPANRING_STATUS_ERROR && !query_is_open(columns, row);
	return errors;
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct shares *shares = context;
	struct share *share = &shares->each[columns->worker];
	uint32_t first = 0;
	int error = 0;
	for (uint32_t run = 0; run < columns->run_count && !error; run++) {
		uint32_t end = columns->runs[run].end;
		uint32_t name = name_of(shares, columns, run);
		uint32_t count = 0;
		const uint64_t *values = ended_of(columns, first, end, share->values, &count);
		share->open += end - first - count;
		share->errors[name] += count_errors(columns, first, end);
		moments_add_run(&share->moments[name], values, count);
		error = quantiles_observe_run(share->quantiles, name, values, count);
		first = end;
	}
	return error;
}

static void hand_in(struct shares *shares, const struct share *share, uint32_t runs) {
	uint32_t at = 0;
	(void)pthread_mutex_lock(&shares->lock);
	for (uint32_t run = 0; run < runs; run++)
		for (; at < share->picked[run].end; at++)
			quantiles_refine(shares->each[0].quantiles, share->picked[run].name, share->values[at]);
	(void)pthread_mutex_unlock(&shares->lock);
}

/* What is picked moves down in the room that it was copied to, over values that were looked at before. */
static int later_pass(void *context, const struct store_columns *columns) {
	struct shares *shares = context;
	struct share *share = &shares->each[columns->worker];
	uint32_t first = 0;
	uint32_t picked = 0;
	if (columns->run_count > share->picked_room) {
		free(share->picked);
		share->picked = malloc(columns->run_count * sizeof(*share->picked));
		share->picked_room = share->picked ? columns->run_count : 0;
		if (!share->picked)
			return -ENOMEM;
	}
	for (uint32_t run = 0; run < columns->run_count; run++) {
		uint32_t end = columns->runs[run].end;
		uint32_t name = name_of(shares, columns, run);
		uint32_t count = 0;
		uint64_t *to = share->values + picked;
		const uint64_t *values = ended_of(columns, first, end, to, &count);
		picked += (uint32_t)quantiles_pick(shares->each[0].quantiles, name, values, count, to);
		share->picked[run] = (struct run){name, picked};
		first = end;
	}
	hand_in(shares, share, columns->run_count);
	return 0;
}

static int open_shares(struct shares *shares, struct moments *moments, struct quantiles *quantiles) {
	size_t names = (size_t)shares->latency->query.overview->name_count + 1;
	int error = 0;
	for (uint32_t i = 0; i < shares->count && !error; i++) {
		struct share *share = &shares->each[i];
		share->values = malloc(BATCH_SPANS_MAX * sizeof(*share->values));
		share->errors = calloc(names, sizeof(*share->errors));
		share->moments = i == 0 ? moments : calloc(names, sizeof(*moments));
		if (!share->values || !share->errors || !share->moments)
			error = -ENOMEM;
		else if (i == 0)
			share->quantiles = quantiles;
		else
			error = quantiles_new(names, QUANTILE_BUDGET_BYTES, &share->quantiles);
	}
	return error;
}

/* Put together what each has counted; only the first goes on. */
static int merge_shares(struct shares *shares, struct latency *latency) {
	uint32_t names = latency->query.overview->name_count;
	int error = 0;
	for (uint32_t i = 0; i < shares->count && !error; i++) {
		struct share *share = &shares->each[i];
		latency->open += share->open;
		for (uint32_t name = 0; name <= names; name++) {
			latency->lines[name].errors += share->errors[name];
			if (i > 0)
				moments_merge(&shares->each[0].moments[name], &share->moments[name]);
		}
		if (i == 0)
			continue;
		error = quantiles_merge(shares->each[0].quantiles, share->quantiles);
		quantiles_free(share->quantiles);
		share->quantiles = NULL;
	}
	return error;
}

static void close_shares(struct shares *shares) {
	for (uint32_t i = 0; i < shares->count; i++) {
		struct share *share = &shares->each[i];
		free(share->values);
		free(share->errors);
		free(share->picked);
		if (i > 0) {
			free(share->moments);
			quantiles_free(share->quantiles);
		}
	}
	(void)pthread_mutex_destroy(&shares->lock);
}

static int read_all(struct shares *shares, struct latency *latency) {
	struct query *query = &latency->query;
	struct query_scan scan = {.columns = STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION | STORE_COLUMN_STATUS |
	                                     query_open_column(query),
	                          .threads = shares->count,
	                          .on_batch = first_pass,
	                          .context = shares};
	int rc = query_scan(query, &scan);
	if (rc == 0)
		rc = merge_shares(shares, latency);
	scan.on_batch = later_pass;
	scan.columns &= ~STORE_COLUMN_STATUS;
	while (rc == 0 && (rc = quantiles_next_pass(shares->each[0].quantiles)) > 0)
		rc = query_scan(query, &scan);
	return rc;
}

int latency_collect_runs(struct latency *latency, struct moments *moments, struct quantiles *quantiles) {
	struct shares *shares CLEANUP_FREE = calloc(1, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	shares->latency = latency;
	shares->count = latency->query.overview->name_count < SHARED_NAMES_MAX ? query_threads(&latency->query) : 1;
	int rc = -pthread_mutex_init(&shares->lock, NULL);
	if (rc)
		return rc;
	rc = open_shares(shares, moments, quantiles);
	if (rc == 0)
		rc = read_all(shares, latency);
	close_shares(shares);
	return rc;
}
