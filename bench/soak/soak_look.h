/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a soak: what /proc, the agent's status, the ring directory and the ledger say at one moment. */
#ifndef SPANRING_BENCH_SOAK_LOOK_H
#define SPANRING_BENCH_SOAK_LOOK_H

#include "bench/proc_figures.h"
#include "soak_ledger.h"

#include <limits.h>
#include <stdio.h>

enum soak_figure {
	SOAK_SECONDS,
	SOAK_AGENT_RSS,
	SOAK_AGENT_PSS,
	SOAK_AGENT_DESCRIPTORS,
	SOAK_AGENT_THREADS,
	SOAK_AGENT_CPU,
	SOAK_WRITER_RSS,
	SOAK_RING_DIRECTORIES,
	SOAK_SPANS_RATE,
	SOAK_DROPPED_FULL,
	SOAK_DROPPED_DEPTH,
	SOAK_DROPPED_NO_RING,
	SOAK_DROPPED_REENTRY,
	SOAK_LATENCY_P50,
	SOAK_LATENCY_P99,
	SOAK_LATENCY_P999,
	SOAK_COMMIT_MEAN,
	SOAK_COMMIT_MAX,
	SOAK_STORE_BYTES,
	SOAK_STORE_SEGMENTS,
	SOAK_EVICTED_SEGMENTS,
	SOAK_FIGURES
};

struct soak_figure_line {
	const char *key;   /* in JSON and CSV */
	const char *label; /* over the column, for people; NULL: not shown */
	double unit;       /* for people */
	int digits;
	int width;
};

extern const struct soak_figure_line soak_figure_lines[SOAK_FIGURES];

struct soak_look {
	double values[SOAK_FIGURES];
};

/* What looks need, and what the one before saw. */
struct soak_observer {
	char program[PATH_MAX]; /* the agent's */
	const char *rings;
	const char *store;
	pid_t agent;
	pid_t writer;
	const struct soak_ledger *ledger;
	uint64_t start_ns;
	uint64_t before_ns;
	uint64_t before_ended;
	uint64_t before_cpu_ns;
	uint64_t before_commits;
	uint64_t before_commit_ns;
	uint64_t before_latency_ns[HISTOGRAM_BINS];
};

/* Instances in the ring directory. */
uint32_t soak_look_directories(const char *rings);

/* 0 or negative errno: the agent does not answer. */
int soak_look_take(struct soak_observer *observer, struct soak_look *ret_look);

/* One of the percentiles of a histogram of a ledger, less what another held before (NULL: nothing); 0 of none. */
double soak_look_percentile(const uint64_t *bins, const uint64_t *before, double share);

#endif
