/* SPDX-License-Identifier: Apache-2.0 */
#include "estimate.h"

#include "libstore/span.h"

#include <math.h>

void estimate_add(struct estimate *estimate, uint64_t value, uint32_t weight, uint64_t trace_lo) {
	if (estimate->records == 0) {
		estimate->pivot = value;
		estimate->min = value;
		estimate->max = value;
	}
	long double distance = (long double)value - (long double)estimate->pivot;
	estimate->in_trace = estimate->records > 0 && estimate->trace_lo == trace_lo ? estimate->in_trace + 1 : 1;
	estimate->trace_lo = trace_lo;
	estimate->records++;
	estimate->units += weight;
	estimate->sum += distance * weight;
	estimate->square += distance * distance * weight;
	/* m^2 - (m - 1)^2 for the m-th of its trace */
	estimate->variance +=
	    (long double)weight * (weight - STORE_WEIGHT_ONE) * (2.0L * (long double)estimate->in_trace - 1.0L);
	if (value < estimate->min)
		estimate->min = value;
	if (value > estimate->max)
		estimate->max = value;
	if (weight > estimate->weight_max)
		estimate->weight_max = weight;
}

uint64_t estimate_count(uint64_t units) {
	return units / STORE_WEIGHT_ONE + (units % STORE_WEIGHT_ONE >= STORE_WEIGHT_ONE / 2);
}

uint64_t estimate_total(const struct estimate *estimate) {
	long double total = ((long double)estimate->pivot * (long double)estimate->units + estimate->sum) /
	                    (long double)STORE_WEIGHT_ONE;
	return total < (long double)UINT64_MAX ? (uint64_t)(total + 0.5L) : UINT64_MAX;
}

double estimate_mean(const struct estimate *estimate) {
	if (estimate->units == 0)
		return 0;
	return (double)((long double)estimate->pivot + estimate->sum / (long double)estimate->units);
}

double estimate_stddev(const struct estimate *estimate) {
	if (estimate->units == 0)
		return 0;
	long double mean = estimate->sum / (long double)estimate->units;
	long double variance = estimate->square / (long double)estimate->units - mean * mean;
	return variance > 0 ? (double)sqrtl(variance) : 0;
}

double estimate_error(const struct estimate *estimate) {
	if (estimate->units == 0)
		return 0;
	double error = (double)(ESTIMATE_SIGMAS * sqrtl(estimate->variance) / (long double)estimate->units);
	return error < 1 ? error : 1;
}
