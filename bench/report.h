/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark prints: a table for people, one JSON document, CSV or Markdown, from the same calls. */
#ifndef SPANRING_BENCH_REPORT_H
#define SPANRING_BENCH_REPORT_H

#include "base/json.h"
#include "bench/harness/result.h"
#include "measure.h"

struct report {
	struct json json;
	enum result_format format;
};

/* schema: "bench-span/1"; title and the machine (processor, cores, kernel, clock source) come first. */
struct report report_begin(enum result_format format, const char *schema, const char *title);

/* A fact about the run, before the figures. */
void report_fact(struct report *report, const char *key, const char *label, const char *value);

/* What a figure is called. */
struct report_line {
	const char *key; /* carries its unit at the end */
	const char *label;
	const char *unit;
	const char *bar; /* a number: what it should not exceed. Shown, never judged. NULL: none */
};

/* A figure without values is "-" or null. */
void report_figures_begin(struct report *report);
void report_figure(struct report *report, const struct report_line *line, const struct measure *measure);

/* note: a line for people, may be NULL. Returns 0, or negative errno when stdout cannot be written. */
int report_end(struct report *report, const char *note);

#endif
