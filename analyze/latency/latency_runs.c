/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies out of the records, the fast way: durations are stored site by site, so a batch is some hundred runs of one name each, and kernels go
 * over a run without looking at its rows one by one (lanes.h). Batches are shared out among threads.
 *
 * The first pass needs no lock: each thread has figures of its own, put together at the end, which gives the same numbers whoever counted what.
 * Where rollups tell about where the percentiles are, it keeps the values around them, and mostly that was all (quantile.h, "guesses"). In
 * later passes a thread picks the few values that are of interest, and hands those of a batch in together.
 */
#include "latency.h"

#include "analyze/kernels/lanes.h"
#include "analyze/kernels/sketch.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "libstore/batch.h"

#include <spanring/spanring.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* With more names the figures of several threads would take more memory than they save time. */
#define SHARED_NAMES_MAX 4096u
/* Rollups of a segment with fewer spans take longer to read than the second pass that they save. */
#define GUESS_SPANS_MIN (UINT64_C(1) << 18)

struct share {
	struct moments *moments;     /* by name id; those of the first are the caller's */
	struct quantiles *quantiles; /* likewise */
	uint64_t *errors;
	uint64_t open;
	uint32_t *narrow; /* BATCH_SPANS_MAX each: of a run, without the open ones, and picked */
	uint64_t *wide;
	uint64_t *values; /* BATCH_SPANS_MAX: picked in a batch */
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
	const struct lanes *lanes;
	struct share each[STORE_SCAN_THREADS_MAX];
	uint32_t count;
	pthread_mutex_t lock; /* of the windows of the quantiles */
};

/* Durations of a run; narrow is NULL where one does not fit 32 bits. */
struct durations {
	const uint32_t *narrow;
	const uint64_t *wide;
	uint32_t count;
};

bool latency_reads_runs(const struct latency *latency) {
	return !latency->filtered && !latency->query.where && !latency->estimated;
}

static uint32_t name_of(const struct shares *shares, const struct store_columns *columns, uint32_t run) {
	uint32_t site = columns->runs[run].site;
	uint32_t name = site <= columns->segment->site_count ? columns->segment->sites[site].name : 0;
	return name <= shares->latency->query.overview->name_count ? name : 0;
}

static bool has_ended(const struct store_columns *columns, uint32_t row) {
	return !columns->flags || !(columns->flags[row] & STORE_SPAN_OPEN);
}

/* The durations of rows [first, end) whose spans ended: in place, or copied where some may not have or are long. */
static struct durations ended_of(const struct share *share, const struct store_columns *columns, uint32_t first,
                                 uint32_t end) {
	const uint32_t *low = columns->duration_low;
	const uint32_t *high = columns->duration_high;
	uint32_t count = 0;
	if (high && lanes_any(high + first, end - first)) {
		for (uint32_t row = first; row < end; row++) {
			share->wide[count] = low[row] | (uint64_t)high[row] << 32;
			count += has_ended(columns, row);
		}
		return (struct durations){NULL, share->wide, count};
	}
	if (!columns->flags)
		return (struct durations){low + first, NULL, end - first};
	for (uint32_t row = first; row < end; row++) {
		share->narrow[count] = low[row];
		count += has_ended(columns, row);
	}
	return (struct durations){share->narrow, NULL, count};
}

static uint64_t count_errors(const struct shares *shares, const struct store_columns *columns, uint32_t first,
                             uint32_t end) {
	uint64_t errors = 0;
	if (!columns->flags)
		return shares->lanes->count(columns->status + first, end - first, SPANRING_STATUS_ERROR);
	for (uint32_t row = first; row < end; row++)
		errors += columns->status[row] == SPANRING_STATUS_ERROR && has_ended(columns, row);
	return errors;
}

static int add_run(const struct shares *shares, struct share *share, uint32_t name, const struct durations *run) {
	if (run->count == 0)
		return 0;
	if (!run->narrow) {
		moments_add_run(&share->moments[name], run->wide, run->count);
		return quantiles_observe_run(share->quantiles, name, run->wide, run->count);
	}
	struct moments_sums sums = shares->lanes->sums(run->narrow, run->count);
	moments_add_sums(&share->moments[name], &sums);
	return quantiles_observe_run32(share->quantiles, name, run->narrow, run->count);
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct shares *shares = context;
	struct share *share = &shares->each[columns->worker];
	uint32_t first = 0;
	int error = 0;
	for (uint32_t run = 0; run < columns->run_count && !error; run++) {
		uint32_t end = columns->runs[run].end;
		uint32_t name = name_of(shares, columns, run);
		struct durations durations = ended_of(share, columns, first, end);
		share->open += end - first - durations.count;
		share->errors[name] += count_errors(shares, columns, first, end);
		error = add_run(shares, share, name, &durations);
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

/* Of one run into the values picked in this batch; how many. */
static uint32_t pick_run(const struct shares *shares, const struct share *share, uint32_t name,
                         const struct durations *run, uint32_t picked) {
	const struct quantiles *quantiles = shares->each[0].quantiles;
	uint64_t *to = share->values + picked;
	if (!run->narrow)
		return (uint32_t)quantiles_pick(quantiles, name, run->wide, run->count, to);
	uint32_t count = (uint32_t)quantiles_pick_run32(quantiles, name, run->narrow, run->count, share->narrow);
	for (uint32_t i = 0; i < count; i++)
		to[i] = share->narrow[i];
	return count;
}

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
		struct durations durations = ended_of(share, columns, first, end);
		picked += pick_run(shares, share, name, &durations, picked);
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
		share->narrow = malloc(BATCH_SPANS_MAX * sizeof(*share->narrow));
		share->wide = malloc(BATCH_SPANS_MAX * sizeof(*share->wide));
		share->values = malloc(BATCH_SPANS_MAX * sizeof(*share->values));
		share->errors = calloc(names, sizeof(*share->errors));
		share->moments = i == 0 ? moments : calloc(names, sizeof(*moments));
		if (!share->narrow || !share->wide || !share->values || !share->errors || !share->moments)
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
		free(share->narrow);
		free(share->wide);
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

static bool is_worth_guessing(const struct latency *latency) {
	const struct store_overview *overview = latency->query.overview;
	uint64_t spans = 0;
	for (size_t i = 0; i < overview->segment_count; i++)
		spans += overview->segments[i].spans;
	return spans >= GUESS_SPANS_MIN * overview->segment_count && latency_has_rollups(latency);
}

/* A percentile out of rollups is at most SKETCH_ERROR away from that of the same spans. */
static int guess_from(struct shares *shares, const struct latency_line *lines) {
	size_t names = (size_t)shares->latency->query.overview->name_count + 1;
	int error = 0;
	for (size_t name = 0; name < names; name++) {
		for (uint32_t i = 0; i < shares->count * QUANTILE_COUNT && lines[name].count && !error; i++) {
			uint64_t value = lines[name].quantiles[i % QUANTILE_COUNT];
			uint64_t slack = (uint64_t)((double)value * SKETCH_ERROR) + 1;
			error = quantiles_guess(shares->each[i / QUANTILE_COUNT].quantiles, name,
			                        value > slack ? value - slack : 0, saturating_add(value, slack));
		}
	}
	return error;
}

/* Rollups that cannot answer are no guess; then there is a second pass. */
static int guess(struct shares *shares) {
	struct latency rough = {.query = shares->latency->query};
	if (!is_worth_guessing(shares->latency))
		return 0;
	rough.lines = calloc((size_t)rough.query.overview->name_count + 1, sizeof(*rough.lines));
	int rc = rough.lines ? latency_from_rollups(&rough) : -ENOMEM;
	if (rc == 0)
		rc = guess_from(shares, rough.lines);
	free(rough.lines);
	return rc > 0 ? 0 : rc;
}

static int read_all(struct shares *shares, struct latency *latency) {
	struct query *query = &latency->query;
	struct query_scan scan = {.columns = STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION_HALVES | STORE_COLUMN_STATUS |
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
	shares->lanes = lanes_choose(LANES_AVX512);
	shares->count = latency->query.overview->name_count < SHARED_NAMES_MAX ? query_threads(&latency->query) : 1;
	int rc = -pthread_mutex_init(&shares->lock, NULL);
	if (rc)
		return rc;
	rc = open_shares(shares, moments, quantiles);
	if (rc == 0)
		rc = guess(shares);
	if (rc == 0)
		rc = read_all(shares, latency);
	close_shares(shares);
	return rc;
}
