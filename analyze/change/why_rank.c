/* SPDX-License-Identifier: Apache-2.0 */
#include "why.h"

#include "analyze/kernels/student.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Fewer spans with a value, or without it, say nothing of what it does. */
#define LEFT_MIN 20.0

static double sum_of(const double *slices) {
	double sum = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		sum += slices[i];
	return sum;
}

static int by_part(const void *a, const void *b) {
	const struct why_cause *left = a;
	const struct why_cause *right = b;
	if (left->part_ns != right->part_ns)
		return left->part_ns > right->part_ns ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

/* What explains most of a shift downwards is what sank most. */
static void sort_causes(struct why_cause *causes, size_t count, double shift_ns) {
	double sign = shift_ns < 0 ? -1 : 1;
	for (size_t i = 0; i < count; i++)
		causes[i].part_ns *= sign;
	if (count > 0)
		qsort(causes, count, sizeof(*causes), by_part);
	for (size_t i = 0; i < count; i++)
		causes[i].part_ns *= sign;
}

static void set_interval(struct why_cause *cause, const double *variances, const double *freedoms) {
	double sum = variances[0] + variances[1];
	double arm = INFINITY;
	if (freedoms[0] > 0 && freedoms[1] > 0 && sum > 0) {
		double freedom =
		    sum * sum / (variances[0] * variances[0] / freedoms[0] + variances[1] * variances[1] / freedoms[1]);
		arm = student_beyond(1 - WHY_LEVEL, freedom) * sqrt(sum);
	}
	cause->low_ns = cause->part_ns - arm;
	cause->high_ns = cause->part_ns + arm;
}

static void rank_spans(struct why *why) {
	double told = 0;
	for (uint32_t node = 0; node < why->node_count; node++) {
		struct why_cause *cause = &why->spans[why->span_count++];
		double variances[2];
		double freedoms[2];
		double means[2];
		for (unsigned side = 0; side < 2; side++) {
			struct measured own = sliced_ratio(why->nodes[node].self_ns[side], why->weight[side]);
			means[side] = own.value;
			variances[side] = own.error * own.error;
			freedoms[side] = own.freedom;
		}
		*cause = (struct why_cause){
		    .place = node, .part_ns = means[1] - means[0], .before = means[0], .after = means[1]};
		set_interval(cause, variances, freedoms);
		told += cause->part_ns;
	}
	why->rest_ns = why->mean_ns[1] - why->mean_ns[0] - told;
	sort_causes(why->spans, why->span_count, why->mean_ns[1] - why->mean_ns[0]);
}

/* Mean of all less the mean without the value; slice `left_out` does not count (SLICED_SLICES: all do). */
static double without(const struct why *why, const struct why_value *value, unsigned side, uint32_t left_out) {
	double weight = 0;
	double total = 0;
	double weight_of = 0;
	double total_of = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		if (i == left_out)
			continue;
		weight += why->weight[side][i];
		total += why->total_ns[side][i];
		weight_of += value->weight[side][i];
		total_of += value->total_ns[side][i];
	}
	if (!(weight - weight_of > 0) || !(weight > 0))
		return 0;
	return total / weight - (total - total_of) / (weight - weight_of);
}

/* Leaving out a slice at a time (the jackknife). */
static double variance_without(const struct why *why, const struct why_value *value, unsigned side,
                               double *ret_freedom) {
	double estimates[SLICED_SLICES];
	double mean = 0;
	double squares = 0;
	uint32_t count = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		if (!(why->weight[side][i] > 0))
			continue;
		estimates[count] = without(why, value, side, i);
		mean += estimates[count++];
	}
	*ret_freedom = count >= SLICED_SLICES_MIN ? count - 1 : 0;
	for (uint32_t i = 0; i < count; i++)
		squares += (estimates[i] - mean / count) * (estimates[i] - mean / count);
	return count > 1 ? squares * (count - 1) / count : 0;
}

static void rank_attributes(struct why *why) {
	for (uint32_t at = 0; at < why->value_count; at++) {
		const struct why_value *value = &why->values[at];
		struct why_cause cause = {.place = at};
		double variances[2];
		double freedoms[2];
		double parts[2];
		double means[2];
		double most = 0;
		bool enough = true;
		for (unsigned side = 0; side < 2; side++) {
			double weight = sum_of(value->weight[side]);
			enough = enough && why->count[side] - weight >= LEFT_MIN;
			most = fmax(most, weight);
			cause.share[side] = why->count[side] > 0 ? weight / why->count[side] : 0;
			means[side] = weight > 0 ? sum_of(value->total_ns[side]) / weight : 0;
			parts[side] = without(why, value, side, SLICED_SLICES);
			variances[side] = variance_without(why, value, side, &freedoms[side]);
		}
		if (!enough || most < LEFT_MIN)
			continue;
		cause.before = means[0];
		cause.after = means[1];
		cause.part_ns = parts[1] - parts[0];
		set_interval(&cause, variances, freedoms);
		why->attributes[why->attribute_count++] = cause;
	}
	sort_causes(why->attributes, why->attribute_count, why->mean_ns[1] - why->mean_ns[0]);
}

int why_rank(struct why *why) {
	why->spans = calloc(why->node_count + 1, sizeof(why->spans[0]));
	why->attributes = calloc(why->value_count + 1, sizeof(why->attributes[0]));
	if (!why->spans || !why->attributes)
		return -ENOMEM;
	struct measured means[2];
	for (unsigned side = 0; side < 2; side++) {
		why->count[side] = sum_of(why->weight[side]);
		means[side] = sliced_ratio(why->total_ns[side], why->weight[side]);
		why->mean_ns[side] = means[side].value;
	}
	why->difference = difference_of(&means[0], &means[1], WHY_LEVEL, 0);
	rank_spans(why);
	rank_attributes(why);
	return 0;
}
