/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run against a baseline, figure by figure. A regression is a figure that is worse by its threshold or more, and surely worse: more than both runs drift, and
 * more than chance does anywhere in the whole check (Holm) with probability `significance`. What is worse by the threshold and not surely so is
 * `unsure`, and passes.
 */
#ifndef SPANRING_ANALYZE_CHECK_H
#define SPANRING_ANALYZE_CHECK_H

#include "baseline.h"

enum check_status {
	CHECK_PASS,
	CHECK_IMPROVEMENT,
	CHECK_UNSURE, /* a figure only */
	CHECK_REGRESSION,
	CHECK_NO_BASELINE, /* the baseline has none, or there is no baseline */
	CHECK_RECORDED,
	CHECK_GONE,  /* a name only: no span of it */
	CHECK_MISSED /* a figure: an expected change did not come */
};
/* "pass", "improvement", ... */
extern const char *const check_status_words[];

struct check_settings {
	double thresholds[CHANGE_METRICS]; /* relative; of errors in shares */
	bool judged[CHANGE_METRICS];
	double expected[CHANGE_METRICS]; /* -0.3: less by 30 %; 0: nothing is expected */
	double improvement;
	double significance;
	double effect_min_ns; /* of durations */
};

struct check_figure {
	size_t name; /* in the run */
	unsigned metric;
	double before;
	double after;
	double change; /* relative; of errors the difference */
	struct difference difference;
	double p_adjusted;
	enum check_status status;
};

struct check {
	struct check_figure *figures; /* of names that both have, in order of name and metric */
	size_t figure_count;
	size_t counts[CHECK_MISSED + 1]; /* of figures, by status */
	size_t unknown_names;            /* of the run, not in the baseline */
	size_t gone_names;
	enum check_status status; /* of all */
};

/* 20 %, of errors one in a hundred; improvement 5 %; significance 1 %; all figures but self. */
void check_defaults(struct check_settings *ret_settings);
/* "20%", or "p99=15%", for one figure. -EINVAL: it is neither. */
int check_set_threshold(struct check_settings *settings, const char *text);
/* "heap=-30%" */
int check_set_expected(struct check_settings *settings, const char *text);

/* 0 or -ENOMEM. */
int check_run(const struct baseline *before, const struct baseline *after, const struct check_settings *settings,
              struct check *ret_check);
void check_done(struct check *check);

#endif
