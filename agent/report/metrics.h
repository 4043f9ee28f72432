/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent says to Prometheus: one table of families, which makes the page and is compared with the one in
 * docs/operating.md by a test.
 *
 * Every family is there from the first page on, with 0 where nothing happened, so that an alert on a rate sees the first event.
 * The number of lines is bounded: by reasons, by TOTALS_SERVICES_MAX and by COMMIT_BINS_COUNT, never by what programs do.
 * Names come from this table only; what programs choose stands in label values, escaped.
 */
#ifndef SPANRING_AGENT_METRICS_H
#define SPANRING_AGENT_METRICS_H

#include <stddef.h>
#include <stdio.h>

struct agent;
struct metrics_figures;

enum metrics_form {
	METRICS_TEXT,           /* Prometheus text format 0.0.4 */
	METRICS_OPENMETRICS,    /* OpenMetrics 1.0.0 */
	METRICS_OPENMETRICS_OLD /* 0.0.1, which is the same here */
};

enum metrics_unit { METRICS_COUNT, METRICS_SECONDS, METRICS_RATIO };

struct metrics_family {
	const char *name; /* with the suffix of its unit; of a counter: and _total */
	const char *type; /* "counter", "gauge" or "histogram" */
	const char *help; /* one line without a backslash */
	/* Lines of its own; NULL: one line, the value at `place`. */
	void (*write)(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures);
	enum metrics_unit unit; /* METRICS_SECONDS: of nanoseconds; METRICS_RATIO: a double */
	size_t place;           /* in struct metrics_figures, or in struct agent */
	int is_of_agent;        /* then the latter */
};

extern const struct metrics_family metrics_families[];
extern const size_t metrics_family_count;

/* The whole page, the caller's to free. 0 or -ENOMEM. */
int metrics_page(struct agent *agent, enum metrics_form form, char **ret_page, size_t *ret_bytes);
const char *metrics_content_type(enum metrics_form form);

/* The value of a label, without its quotes. */
void metrics_write_label(FILE *file, const char *value);

#endif
