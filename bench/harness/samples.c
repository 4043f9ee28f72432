/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RANK_WIDTH 0.98 /* half of 1.96: the rank of the median has a spread of sqrt(n) / 2 */
#define FAR_OUT 3.0
#define FAR_ENOUGH 0.05 /* of the median: a very steady figure is not far out by a nanosecond */
#define TESTED_MIN 5u

static int compare(const void *a, const void *b) {
	double left, right;
	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

void samples_add(struct samples *samples, double value) {
	assert(samples->count < SAMPLES_MAX);
	samples->values[samples->count++] = value;
}

/* Of sorted values; rank from 1, held within the list. */
static double at_rank(const double *sorted, uint32_t count, double rank) {
	if (rank < 1)
		rank = 1;
	return rank > count ? sorted[count - 1] : sorted[(uint32_t)rank - 1];
}

static double quantile(const double *sorted, uint32_t count, double q) {
	return at_rank(sorted, count, ceil(q * count));
}

static void moments(const struct samples *samples, struct samples_summary *summary) {
	double mean = 0;
	double squares = 0;
	for (uint32_t i = 0; i < samples->count; i++) {
		double step = samples->values[i] - mean;
		mean += step / (i + 1);
		squares += step * (samples->values[i] - mean);
	}
	summary->mean = mean;
	summary->stddev = samples->count > 1 ? sqrt(squares / (samples->count - 1)) : 0;
}

static uint32_t count_outliers(const double *sorted, uint32_t count) {
	double first = quantile(sorted, count, 0.25);
	double third = quantile(sorted, count, 0.75);
	double width = fmax(FAR_OUT * (third - first), FAR_ENOUGH * fabs(quantile(sorted, count, 0.5)));
	uint32_t outliers = 0;
	for (uint32_t i = 0; i < count; i++)
		outliers += sorted[i] < first - width || sorted[i] > third + width;
	return outliers;
}

void samples_summarise(const struct samples *samples, struct samples_summary *ret_summary) {
	uint32_t count = samples->count;
	double *sorted = count ? malloc(count * sizeof(*sorted)) : NULL;
	*ret_summary = (struct samples_summary){0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	if (!sorted)
		return;
	memcpy(sorted, samples->values, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	double half = RANK_WIDTH * sqrt(count);
	*ret_summary = (struct samples_summary){
	    .count = count,
	    .outliers = count_outliers(sorted, count),
	    .median = count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2,
	    .min = sorted[0],
	    .max = sorted[count - 1],
	    .p95 = quantile(sorted, count, 0.95),
	    .p99 = quantile(sorted, count, 0.99),
	    .median_low = at_rank(sorted, count, floor(count / 2.0 - half)),
	    .median_high = at_rank(sorted, count, ceil(count / 2.0 + half) + 1),
	};
	moments(samples, ret_summary);
	free(sorted);
}

void samples_ratios(const struct samples *before, const struct samples *after, struct samples *ret_ratios) {
	uint32_t count = before->count < after->count ? before->count : after->count;
	ret_ratios->count = 0;
	for (uint32_t i = 0; i < count; i++)
		if (before->values[i] > 0)
			samples_add(ret_ratios, after->values[i] / before->values[i]);
}

struct ranked {
	double value;
	uint32_t list;
};

static int compare_ranked(const void *a, const void *b) {
	return compare(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

/* The sum of the ranks of the first list, ties sharing theirs; what ties take from the variance is added up. */
static double rank_sum(struct ranked *all, uint32_t count, double *ret_ties) {
	double sum = 0;
	*ret_ties = 0;
	qsort(all, count, sizeof(*all), compare_ranked);
	for (uint32_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count && !(all[end].value > all[first].value);)
			end++;
		double same = end - first;
		double rank = (first + 1 + end) / 2.0;
		*ret_ties += same * same * same - same;
		for (uint32_t i = first; i < end; i++)
			sum += all[i].list == 0 ? rank : 0;
	}
	return sum;
}

double samples_p_value(const struct samples *a, const struct samples *b) {
	uint32_t count = a->count + b->count;
	double ties;
	if (a->count < TESTED_MIN || b->count < TESTED_MIN)
		return NAN;
	struct ranked *all = malloc(count * sizeof(*all));
	if (!all)
		return NAN;
	for (uint32_t i = 0; i < count; i++)
		all[i] = i < a->count ? (struct ranked){a->values[i], 0} : (struct ranked){b->values[i - a->count], 1};
	double sum = rank_sum(all, count, &ties);
	free(all);
	double n = count;
	double product = (double)a->count * b->count;
	double statistic = sum - a->count * (a->count + 1.0) / 2;
	double variance = product / 12 * (n + 1 - ties / (n * (n - 1)));
	if (!(variance > 0))
		return 1;
	double distance = fabs(statistic - product / 2) - 0.5; /* a step is one rank wide */
	return distance <= 0 ? 1 : erfc(distance / sqrt(variance) / sqrt(2));
}
