/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the latency command share: a line per span name, however its figures were found.
 *
 *     latency_rollup.c    from rollups: all spans that ended, percentiles within SKETCH_ERROR
 *     latency_records.c   from the records: exact, the spans that are stored; or, where tail keep left some out, estimated with
 *                         the weights of those that are stored
 *     latency_runs.c      the same, where every stored span counts and none has to be looked at alone
 *     latency_filtered.c  the same, where some of the stored spans do not count
 *     latency_self.c      self times, from the records too
 */
#ifndef SPANRING_ANALYZE_LATENCY_H
#define SPANRING_ANALYZE_LATENCY_H

#include "analyze/kernels/moments.h"
#include "analyze/kernels/quantile.h"
#include "analyze/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct latency_line {
	uint32_t name;
	uint64_t count;
	uint64_t errors;
	uint64_t total_ns;
	double mean_ns;
	double stddev_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t quantiles[QUANTILE_COUNT];
	uint64_t self_ns;
	uint64_t records;  /* estimated: from so many */
	double error;      /* estimated: see estimate.h */
	double weight_max; /* estimated: of its records */
};

struct latency {
	struct query query;
	struct latency_line *lines; /* by name id while reading, then dense and sorted */
	size_t line_count;
	uint64_t start_wall_ns; /* first start and last end of what was counted */
	uint64_t end_wall_ns;
	uint64_t open;   /* spans left out: they never ended */
	bool open_known; /* false: rollups of some names only */
	bool filtered;
	bool wants_self;
	bool self_known; /* the self times of the lines are set */
	bool sketched;   /* from rollups */
	bool estimated;  /* from records that stand for more than themselves */
	bool covers_all; /* every span that ended, up to end_wall_ns */
};

/* Can rollups answer? They must cover all that ended in each process that the question is about. */
bool latency_has_rollups(const struct latency *latency);
/* 0; 1: they do not cover everything, or need too much memory, and nothing was kept; or a negative errno. */
int latency_from_rollups(struct latency *latency);
/* 0 or a negative errno. */
int latency_from_records(struct latency *latency);
/* Can the records be read in order of sites? Not where rows are told apart, or stand for more than themselves. */
bool latency_reads_runs(const struct latency *latency);
/* All passes over the records: what they say goes into moments and quantiles, by name id, and into the errors of the lines. */
int latency_collect_runs(struct latency *latency, struct moments *moments, struct quantiles *quantiles);
/* The same, asking for each row whether it counts; start and end of what does, too. */
int latency_collect_filtered(struct latency *latency, struct moments *moments, struct quantiles *quantiles);
/* The self times alone, before any other scan of the query. 0 or a negative errno. */
int latency_self_from_records(struct latency *latency);
/* Warns where self_time_unresolved is not 0. */
void latency_self_tell(const struct query *query, uint64_t unresolved);

#endif
