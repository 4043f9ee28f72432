/* SPDX-License-Identifier: Apache-2.0 */
/* How a soak is told: a line for each look while it runs, and the verdict; as a table, CSV and JSON. */
#ifndef SPANRING_BENCH_SOAK_REPORT_H
#define SPANRING_BENCH_SOAK_REPORT_H

#include "analyze/kernels/trend.h"
#include "bench/commands.h"
#include "soak_look.h"

#include <stdbool.h>

enum soak_watched { SOAK_WATCHED_RSS, SOAK_WATCHED_DESCRIPTORS, SOAK_WATCHED_WRITER, SOAK_WATCHED_COUNT };

/* What the audit of the store says, and the bounds that the ledger sets. */
struct soak_books {
	uint64_t begun;
	uint64_t begun_low;
	uint64_t begun_high;
	uint64_t ended;
	uint64_t ended_low;
	uint64_t ended_high;
	uint64_t open;
	uint64_t unfinished;
	uint64_t stored;
	uint64_t evicted;
	uint64_t dropped;
	uint64_t lost; /* rejected, skipped, quarantined */
	bool audit_balances;
	bool is_whole; /* and the books are within the bounds */
};

struct soak_result {
	struct trend trends[SOAK_WATCHED_COUNT];
	struct soak_books books;
	uint64_t seed;
	uint64_t programs_started;
	uint64_t programs_killed;
	uint32_t directories_left;
	double seconds;
	double latency_ns[3]; /* p50, p99, p99.9 of the whole run */
	bool is_fine;
};

/* Of which figure a trend is, and how much of it is nothing. */
extern const enum soak_figure soak_watched_figures[SOAK_WATCHED_COUNT];
extern const double soak_watched_tolerances[SOAK_WATCHED_COUNT];

/* While it runs, for people. */
void soak_report_head(const struct bench_options *options, uint64_t seed);
void soak_report_look(const struct soak_look *look);

/* While it runs, to a file. */
void soak_report_csv_head(FILE *file);
void soak_report_csv_look(FILE *file, const struct soak_look *look);

/* At the end. 0 or -EIO. */
int soak_report_result(const struct bench_options *options, const struct soak_look *looks, size_t count,
                       const struct soak_result *result);

#endif
