/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is one figure of two samples really different? A figure comes with what is known of its error: how many spans, taken as independent ones, would be
 * as uncertain (`effective`), and from how many degrees of freedom that was estimated.
 *
 * INTERVALS. Of a quantile: between the values of two ranks. The ranks are those of Wilson's interval for the share of spans below it; where one of
 * them is beyond the last span the interval has no end there, and nothing can be said. Of a share: Wilson's. Of a mean: symmetric on the
 * logarithm, from its standard error.
 *
 * DIFFERENCE. Intervals of the two are combined by the squares of their arms (Zou and Donner's MOVER; of two shares that is Newcombe's), on
 * logarithms where the figures are durations: so it may be skew, and needs no density. The test is the same interval, turned round: the t at which it
 * just touches "no difference" (or a margin around it), by Student's distribution with the degrees of freedom of Welch and Satterthwaite. Nothing is drawn at random.
 */
#ifndef SPANRING_ANALYZE_DIFFERENCE_H
#define SPANRING_ANALYZE_DIFFERENCE_H

#include "grid.h"

#include <stdbool.h>
#include <stddef.h>

enum measured_kind { MEASURED_NOTHING, MEASURED_QUANTILE, MEASURED_MEAN, MEASURED_SHARE };

struct measured {
	enum measured_kind kind; /* NOTHING: there is no such figure, or nothing is known of its error */
	double value;
	double effective;                   /* QUANTILE, SHARE: independent spans that say as much */
	double error;                       /* MEAN: standard error */
	double freedom;                     /* degrees; STUDENT_NORMAL: of a known variance */
	double records;                     /* spans that there were */
	double share;                       /* QUANTILE: which; with the sealed weights: */
	const struct grid *grid;            /* QUANTILE */
	const struct grid_weights *weights; /* QUANTILE */
};

/* Wilson's interval for a share of n trials, n not necessarily whole. */
void difference_wilson(double share, double n, double t, double *ret_low, double *ret_high);

/* Interval of the figure at t standard errors; ends may be 0 and INFINITY. */
void measured_interval(const struct measured *measured, double t, double *ret_low, double *ret_high);

struct difference {
	bool known;    /* false: nothing can be said, p is 1 */
	double change; /* durations: after / before - 1; shares: after - before */
	double low;    /* of the interval at the level that was asked for */
	double high;
	double p; /* two-sided */
};

/*
 * Of two figures of one kind. level, of the interval: 0.95. margin: a difference that is none, in logarithms of durations, else in shares; p is that
 * of a larger one.
 */
struct difference difference_of(const struct measured *before, const struct measured *after, double level,
                                double margin);

/*
 * Holm's adjustment of many p-values: with all those below alpha taken as real the probability that any one of them is by chance is at most alpha,
 * however they depend on each other. In place. 0 or -ENOMEM.
 */
int difference_holm(double *p, size_t count);

#endif
