/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of a window of time, a lane for each thread. The longest of them, as many as there is room for, are bars on levels; all of them are in the
 * shade of their lane: for each slot of the window how many spans touch it. So memory does not grow with the number of spans.
 *
 * A span is in the window if any part of it is: also one that began before it or ends behind it.
 */
#ifndef SPANRING_ANALYZE_TIMELINE_H
#define SPANRING_ANALYZE_TIMELINE_H

#include "analyze/query.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TIMELINE_SLOTS 512u
#define TIMELINE_LANES_MAX 4096u
#define TIMELINE_BARS_MAX 100000u

struct timeline_bar {
	uint64_t start_ns; /* wall time */
	uint64_t end_ns;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint32_t name;
	uint32_t lane;
	uint32_t level; /* LANE_LEVEL_NONE: there was no level left */
	uint8_t status;
	bool is_open;     /* it never ended */
	bool is_of_trace; /* that was asked for */
};

struct timeline_lane {
	uint32_t process; /* index + 1; 0: not known */
	uint32_t tid;
	uint32_t thread_name;
	uint64_t span_count;
	uint64_t bar_count; /* that have a level */
	bool is_of_trace;   /* it has spans of the trace that was asked for */
	uint32_t first_bar;
	uint32_t end_bar;
	uint32_t level_count;
	uint32_t shade[TIMELINE_SLOTS + 1]; /* spans that touch the slot */
};

struct timeline_question {
	uint64_t since_ns; /* wall time; both 0: all that matches */
	uint64_t until_ns;
	bool has_trace; /* whose spans are marked */
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint32_t bars_max;
	uint32_t levels_max;
};

struct timeline {
	const struct query *query;
	uint64_t start_ns; /* the window */
	uint64_t end_ns;
	struct timeline_lane **lanes; /* those of the trace first, then by service, process, tid */
	uint32_t lane_count;
	bool lanes_full;           /* spans of further threads are in the last lane */
	struct timeline_bar *bars; /* by lane, start */
	uint32_t bar_count;
	uint64_t span_count;
	uint64_t shade_max;
	bool has_trace;
};

/* 0 or negative errno. */
int timeline_read(struct query *query, const struct timeline_question *question, struct timeline *ret_timeline);
void timeline_free(struct timeline *timeline);

/* "web 4711, worker 4712" */
#define TIMELINE_LABEL_BYTES 512u
const char *timeline_label(const struct timeline *timeline, const struct timeline_lane *lane,
                           char ret_text[TIMELINE_LABEL_BYTES]);

/* 0 or -ENOMEM. */
int timeline_print(const struct timeline *timeline, FILE *out);
void timeline_print_json(const struct timeline *timeline, FILE *out);
/* A picture for a browser; as an HTML page if wanted. */
void timeline_print_svg(const struct timeline *timeline, bool page, FILE *out);

/* Neither has "]]>" or "</". */
extern const char timeline_style[];
extern const char timeline_script[];

#endif
