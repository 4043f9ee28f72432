/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two runs name by name. A verdict wants four things: that the difference is larger than both runs move within themselves (drift), that chance does
 * as much in less than alpha of all comparisons of two equal runs (Holm over all figures of all names), that it is at least `least` of the figure,
 * and that the bins it was read from could show it.
 */
#ifndef SPANRING_ANALYZE_CHANGE_COMPARE_H
#define SPANRING_ANALYZE_CHANGE_COMPARE_H

#include "change.h"

#define CHANGE_ALPHA 0.01
#define CHANGE_LEVEL 0.95 /* of intervals that are shown */
#define CHANGE_LEAST 0.01

enum change_verdict { CHANGE_SAME, CHANGE_WORSE, CHANGE_BETTER, CHANGE_MIXED };

struct change_figure {
	bool there; /* both runs have it */
	double before;
	double after;
	struct difference difference;
	double p_adjusted;
	enum change_verdict verdict;
};

struct change_line {
	const char *text;
	uint32_t names[2]; /* ids in the stores; 0 count: not there */
	uint64_t count[2];
	double total_ns[2];
	double share[2]; /* of the total time of its run */
	double margin;   /* drift of both, in logarithms */
	struct change_figure figures[CHANGE_METRICS];
	struct superiority superiority;
	double superiority_p_adjusted;
	enum change_verdict superiority_verdict;
	enum change_verdict verdict; /* of its durations */
};

struct change_settings {
	double alpha;
	double least;
	bool wants_self;
};

struct change_comparison {
	struct change_store stores[2];
	struct change_settings settings;
	struct grid grid;
	enum change_method method;
	struct change_line *lines; /* names of both, in order of their texts */
	size_t line_count;
	struct change_line *lonely[2]; /* those of one run only */
	size_t lonely_count[2];
	double drift[2];
};

/* Of a figure whose difference and adjusted p are known: which way, if any. */
enum change_verdict change_judge(const struct change_figure *figure, double alpha, double least);

/* Both stores; an exit code, on failure it was said and nothing is held. */
int change_compare(const struct context *context, const struct change_settings *settings,
                   struct change_comparison *ret_comparison);
void change_compare_done(struct change_comparison *comparison);

#endif
