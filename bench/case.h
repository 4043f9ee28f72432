/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One case of spanring-bench: a list of figures, and a function that measures each of them once. The function is called
 * for every run, so all that a figure is compared with was measured a moment before; the report holds medians over the
 * runs.
 */
#ifndef SPANRING_BENCH_CASE_H
#define SPANRING_BENCH_CASE_H

#include "report.h"
#include "stage.h"

#define CASE_FIGURES_MAX 48u

struct bench_case {
	const char *schema; /* "bench-span/1" */
	const char *title;
	const char *note; /* for people, at the end; may be NULL */
	const struct report_line *lines;
	uint32_t figure_count; /* at most CASE_FIGURES_MAX */
	bool has_agent;

	/* One run. values are all NaN before, and as many as figures; NaN: not measured. 0 or negative errno. */
	int (*run)(const struct stage *stage, double *values);
};

/* All runs, and the report. An exit code. */
int case_run(const struct bench_case *bench, const struct bench_options *options);

#endif
