/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store looked at again and again while an agent writes it: the last steps of the statistics by span name, and the books between two looks.
 *
 * Each look opens the store anew, reads the catalogs, and of the last SEGMENTS segments the rollups: whatever the store's size, a look costs a few
 * milliseconds; one that took long is followed by a pause of PAUSE times as much. Where no program has statistics, the records of the last
 * window are read instead.
 *
 * A process whose last step ended more than the window (and STALE_NS) before the newest of all is not shown: it has ended.
 */
#ifndef SPANRING_ANALYZE_WATCH_H
#define SPANRING_ANALYZE_WATCH_H

#include "analyze/query.h"

#include "base/live.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WATCH_INTERVAL_NS_MIN UINT64_C(100000000)
#define WATCH_PROBLEM_BYTES 512u

enum watch_sort { WATCH_RATE, WATCH_BUSY, WATCH_P50, WATCH_P99, WATCH_MAX, WATCH_ERRORS, WATCH_NAME, WATCH_SORTS };
extern const char *const watch_sort_words[]; /* ends with NULL */

struct watch_line {
	uint32_t name;
	uint64_t count; /* in the window */
	uint64_t errors;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t p50_ns;
	uint64_t p99_ns;
	double rate_per_s;
	double busy_ns_per_s; /* time that its spans took together */
	uint64_t total_ns;
};

struct watch_books {
	uint64_t begun;
	uint64_t lost;
	uint64_t time_ns; /* CLOCK_MONOTONIC, of the look */
};

struct watch {
	const struct context *context;
	struct live live;
	enum watch_sort sort;
	uint64_t interval_ns;
	uint64_t window_ns;
	uint64_t limit; /* 0: as many as there is room for */

	/* Of the last look that found the store readable. */
	struct query query;
	bool has_query;
	struct watch_line *lines; /* dense */
	size_t line_count;
	bool from_records;
	uint64_t as_of_wall_ns; /* end of the newest step; 0: there is none */
	struct watch_books first;
	struct watch_books before;
	struct watch_books books;
	uint64_t lost_since_start; /* of this watch */
	uint64_t lost_since_look;
	double rate_per_s; /* spans begun between the last two looks; below 0: not known */
	size_t running;

	char problem[WATCH_PROBLEM_BYTES]; /* of the last look; "": none */
	bool is_readable;                  /* the store was, in the last look */
};

/* For struct live. */
void watch_look(void *watch);
void watch_draw(void *watch, FILE *file);
bool watch_key(void *watch, char key);
void watch_done(struct watch *watch);

/* Lines by name id, from rollups: 1 when there are any, 0 when there are none, or a negative errno. */
int watch_read_rollups(struct watch *watch);
/* From the records. 0 or a negative errno. */
int watch_read_records(struct watch *watch);

#endif
