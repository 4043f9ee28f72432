/* SPDX-License-Identifier: Apache-2.0 */
#include "sliced.h"

#include "student.h"

#include <math.h>
#include <stdbool.h>

#define CORRELATION_MAX 0.98
#define PARTS (SLICED_SLICES / SLICED_PART_SLICES)
#define PARTS_RANGE_95 3.63 /* of the standard error of one; of 4 of them by chance, 19 times in 20 */

const double sliced_shares[SLICED_QUANTILES] = {0.5, 0.95, 0.99};

void sliced_settle(const struct grid *grid, struct sliced *sliced) {
	grid_seal(grid, &sliced->weights);
	for (unsigned i = 0; i < SLICED_QUANTILES; i++) {
		double threshold_ns = grid_quantile(grid, &sliced->weights, sliced_shares[i]);
		uint32_t bin = grid_bin(grid, (uint64_t)fmin(threshold_ns / grid->ns_per_tick, 0x1p63));
		sliced->thresholds_ns[i] = threshold_ns;
		sliced->threshold_bins[i] = bin;
		sliced->threshold_parts[i] = grid_part_below(grid, bin, threshold_ns);
	}
}

void sliced_count(const struct grid *grid, struct sliced *sliced, const struct grid_weights *other, uint32_t slice,
                  uint32_t bin, double weight) {
	struct sliced_slice *at = &sliced->slices[slice < SLICED_SLICES ? slice : SLICED_SLICES - 1];
	double log_ns = (double)logf(fmaxf((float)(grid_low_ns(grid, bin) + grid_low_ns(grid, bin + 1)) / 2, 0.5f));
	at->weight += weight;
	at->logs += weight * log_ns;
	sliced->log_squares += weight * log_ns * log_ns;
	for (unsigned i = 0; i < SLICED_QUANTILES; i++)
		at->below[i] += bin > sliced->threshold_bins[i]   ? 0
		                : bin < sliced->threshold_bins[i] ? weight
		                                                  : weight * sliced->threshold_parts[i];
	if (!other || !(grid_total(other) > 0))
		return;
	double place = (grid_below(grid, other, bin) + grid_up_to(grid, other, bin)) / 2 / grid_total(other);
	at->places += weight * place;
	sliced->place_squares += weight * place * place;
}

double sliced_variance(const double *deviations, const double *weights, uint32_t count, double *ret_freedom) {
	double kept[SLICED_SLICES];
	double weight = 0;
	double squares = 0;
	double products = 0;
	uint32_t n = 0;
	for (uint32_t i = 0; i < count && i < SLICED_SLICES; i++) {
		if (!(weights[i] > 0))
			continue;
		weight += weights[i];
		kept[n++] = deviations[i];
	}
	*ret_freedom = 0;
	if (n < SLICED_SLICES_MIN)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		squares += kept[i] * kept[i];
		products += i ? kept[i] * kept[i - 1] : 0;
	}
	double correlation = squares > 0 ? products / squares : 0;
	/* Kendall: the expectation is less by (1 + 3 r) / n */
	correlation = (correlation + 1.0 / n) / (1 - 3.0 / n);
	correlation = fmin(fmax(correlation, 0), CORRELATION_MAX);
	double r2 = correlation * correlation;
	*ret_freedom = fmax((n - 1) * (1 - r2) / (1 + r2), 1);
	return n / (n - 1.0) * squares / (weight * weight) * (1 + correlation) / (1 - correlation);
}

/* Places of the members of a slice, summed up over what is asked for. */
typedef double (*deviation_function)(const struct sliced_slice *slice, double value, unsigned which);

/* The larger of the two variances, with its degrees of freedom; *ret_freedom 0: nothing is known. */
static double variance_of(const struct sliced *sliced, deviation_function deviation, double value, unsigned which,
                          double independent, double *ret_freedom) {
	double deviations[SLICED_SLICES];
	double weights[SLICED_SLICES];
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		deviations[i] = deviation(&sliced->slices[i], value, which);
		weights[i] = sliced->slices[i].weight;
	}
	double variance = sliced_variance(deviations, weights, SLICED_SLICES, ret_freedom);
	return fmax(variance, independent);
}

static double weight_of(const struct sliced *sliced) {
	double weight = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		weight += sliced->slices[i].weight;
	return weight;
}

/* How many spans of equal weight would say as much. */
static double independent_spans(const struct sliced *sliced) {
	double total = grid_total(&sliced->weights);
	return sliced->squares > 0 ? total * total / sliced->squares : 0;
}

static double below_deviation(const struct sliced_slice *slice, double share, unsigned which) {
	return slice->below[which] - share * slice->weight;
}

struct measured sliced_quantile(const struct grid *grid, const struct sliced *sliced, unsigned which) {
	double share = sliced_shares[which];
	double spans = independent_spans(sliced);
	struct measured measured = {.value = sliced->thresholds_ns[which],
	                            .records = spans,
	                            .share = share,
	                            .grid = grid,
	                            .weights = &sliced->weights};
	if (!(spans > 0))
		return measured;
	double variance =
	    variance_of(sliced, below_deviation, share, which, share * (1 - share) / spans, &measured.freedom);
	measured.effective = share * (1 - share) / variance;
	measured.kind = measured.freedom > 0 ? MEASURED_QUANTILE : MEASURED_NOTHING;
	return measured;
}

static double total_deviation(const struct sliced_slice *slice, double mean, unsigned which) {
	(void)which;
	return slice->total_ns - mean * slice->weight;
}

struct measured sliced_mean(const struct grid *grid, const struct sliced *sliced) {
	double spans = independent_spans(sliced);
	double weight = weight_of(sliced);
	double total = 0;
	struct measured measured = {.records = spans};
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		total += sliced->slices[i].total_ns;
	if (!(spans > 0) || !(weight > 0))
		return measured;
	measured.value = total / weight;
	double square = grid_square(grid, &sliced->weights, measured.value);
	double variance = variance_of(sliced, total_deviation, measured.value, 0, square / spans, &measured.freedom);
	measured.error = sqrt(variance);
	measured.kind = measured.freedom > 0 ? MEASURED_MEAN : MEASURED_NOTHING;
	return measured;
}

static double errors_deviation(const struct sliced_slice *slice, double share, unsigned which) {
	(void)which;
	return slice->errors - share * slice->weight;
}

struct measured sliced_errors(const struct sliced *sliced) {
	double spans = independent_spans(sliced);
	double weight = weight_of(sliced);
	double errors = 0;
	struct measured measured = {.records = spans};
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		errors += sliced->slices[i].errors;
	if (!(spans > 0) || !(weight > 0))
		return measured;
	measured.value = fmin(errors / weight, 1);
	double independent = measured.value * (1 - measured.value) / spans;
	double variance = variance_of(sliced, errors_deviation, measured.value, 0, independent, &measured.freedom);
	measured.effective = independent > 0 ? spans * independent / variance : spans;
	measured.kind = measured.freedom > 0 ? MEASURED_SHARE : MEASURED_NOTHING;
	return measured;
}

struct measured sliced_ratio(const double *sums, const double *weights) {
	double deviations[SLICED_SLICES];
	double weight = 0;
	double total = 0;
	struct measured measured = {.kind = MEASURED_NOTHING};
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		total += sums[i];
		weight += weights[i];
	}
	if (!(weight > 0))
		return measured;
	measured.value = total / weight;
	measured.records = weight;
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		deviations[i] = sums[i] - measured.value * weights[i];
	measured.error = sqrt(sliced_variance(deviations, weights, SLICED_SLICES, &measured.freedom));
	if (measured.freedom > 0 && measured.value > 0)
		measured.kind = MEASURED_MEAN;
	return measured;
}

struct measured sliced_heap(const struct sliced *sliced) {
	double sums[SLICED_SLICES];
	double weights[SLICED_SLICES];
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		sums[i] = sliced->slices[i].heap_bytes;
		weights[i] = sliced->slices[i].heap_weight;
	}
	return sliced_ratio(sums, weights);
}

struct measured sliced_self(const struct sliced *sliced) {
	double sums[SLICED_SLICES];
	double weights[SLICED_SLICES];
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		sums[i] = sliced->slices[i].self_ns;
		weights[i] = sliced->slices[i].weight;
	}
	return sliced_ratio(sums, weights);
}

static double places_deviation(const struct sliced_slice *slice, double mean, unsigned which) {
	(void)which;
	return slice->places - mean * slice->weight;
}

/* Mean of the places of one run among the other; its variance; 0 spans: none. */
static double mean_place(const struct sliced *sliced, double *ret_variance, double *ret_freedom) {
	double spans = independent_spans(sliced);
	double weight = weight_of(sliced);
	double places = 0;
	*ret_freedom = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		places += sliced->slices[i].places;
	if (!(spans > 0) || !(weight > 0))
		return 0.5;
	double mean = places / weight;
	double independent = fmax(sliced->place_squares / weight - mean * mean, 0) / spans;
	*ret_variance = variance_of(sliced, places_deviation, mean, 0, independent, ret_freedom);
	return mean;
}

/* With n slices against m none of which is like the other, chance alone does as much in 2 of all orders of them. */
static double least_p(double n, double m) {
	return fmin(2 * exp(lgamma(n + 1) + lgamma(m + 1) - lgamma(n + m + 1)), 1);
}

struct superiority sliced_superiority(const struct grid *grid, const struct sliced *before, const struct sliced *after,
                                      double level, double margin) {
	struct superiority superiority = {.value = 0.5, .low = 0, .high = 1, .p = 1};
	double variance[2] = {0, 0};
	double freedom[2];
	(void)mean_place(before, &variance[0], &freedom[0]);
	double value = mean_place(after, &variance[1], &freedom[1]);
	if (!(freedom[0] > 0) || !(freedom[1] > 0))
		return superiority;
	double sum = variance[0] + variance[1];
	superiority.known = true;
	superiority.value = value;
	double least = least_p(freedom[0] + 1, freedom[1] + 1);
	if (!(sum > 0)) {
		/* apart altogether, or all alike */
		superiority.low = superiority.high = value;
		superiority.p = value == 0.5 ? 1 : least;
		return superiority;
	}
	double degrees = sum * sum / (variance[0] * variance[0] / freedom[0] + variance[1] * variance[1] / freedom[1]);
	double arm = student_beyond(1 - level, degrees) * sqrt(sum);
	superiority.low = fmax(value - arm, 0);
	superiority.high = fmin(value + arm, 1);
	double beyond = fabs(value - 0.5) - margin * grid_overlap(grid, &before->weights, &after->weights);
	superiority.p = beyond > 0 ? fmax(student_two_sided(beyond / sqrt(sum), degrees), least) : 1;
	return superiority;
}

void drift_add(struct drift *drift, const struct sliced *sliced) {
	double weight = weight_of(sliced);
	double spans = independent_spans(sliced);
	double logs = 0;
	for (uint32_t i = 0; i < SLICED_SLICES; i++)
		logs += sliced->slices[i].logs;
	if (!(weight > 0) || !(spans > 0))
		return;
	double mean = logs / weight;
	double variance = fmax(sliced->log_squares / weight - mean * mean, 0);
	for (uint32_t i = 0; i < SLICED_SLICES; i++) {
		const struct sliced_slice *slice = &sliced->slices[i];
		drift->weights[i] += slice->weight;
		drift->deviations[i] += slice->logs - mean * slice->weight;
		drift->noise[i] += variance * slice->weight * weight / spans;
	}
}

/* Part by part: its mean, and the variance of that by chance, as single spans and as slices have it. */
static bool part_of(const struct drift *drift, uint32_t part, double *ret_mean, double *ret_variance) {
	uint32_t begin = part * SLICED_PART_SLICES;
	uint32_t end = begin + SLICED_PART_SLICES;
	double weight = 0;
	double deviation = 0;
	double noise = 0;
	double squares = 0;
	uint32_t slices = 0;
	for (uint32_t i = begin; i < end; i++) {
		weight += drift->weights[i];
		deviation += drift->deviations[i];
		noise += drift->noise[i];
	}
	if (!(weight > 0))
		return false;
	for (uint32_t i = begin; i < end; i++) {
		double distance = drift->deviations[i] - deviation / weight * drift->weights[i];
		squares += distance * distance;
		slices += drift->weights[i] > 0;
	}
	*ret_mean = deviation / weight;
	*ret_variance = fmax(noise, slices > 1 ? squares * slices / (slices - 1) : 0) / (weight * weight);
	return true;
}

double drift_range(const struct drift *drift) {
	double low = INFINITY;
	double high = -INFINITY;
	double variance = 0;
	uint32_t parts = 0;
	for (uint32_t part = 0; part < PARTS; part++) {
		double mean;
		double chance;
		if (!part_of(drift, part, &mean, &chance))
			continue;
		parts++;
		low = fmin(low, mean);
		high = fmax(high, mean);
		variance += chance;
	}
	if (parts < 2)
		return 0;
	double chance = PARTS_RANGE_95 * sqrt(variance / parts);
	double range = high - low;
	return range > chance ? sqrt(range * range - chance * chance) : 0;
}
