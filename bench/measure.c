/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void measure_add(struct measure *measure, double value) {
	assert(measure->count < MEASURE_RUNS_MAX);
	measure->values[measure->count++] = value;
}

static int compare(const void *a, const void *b) {
	double left, right;
	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

double measure_median(double *values, uint32_t count) {
	if (count == 0)
		return NAN;
	qsort(values, count, sizeof(values[0]), compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct measure_summary measure_summarise(const struct measure *measure) {
	struct measure_summary summary = {NAN, NAN, NAN, NAN};
	double sorted[MEASURE_RUNS_MAX];
	uint32_t count = measure->count;
	if (count == 0)
		return summary;
	memcpy(sorted, measure->values, count * sizeof(sorted[0]));
	summary.median = measure_median(sorted, count);
	summary.min = sorted[0];
	summary.max = sorted[count - 1];
	summary.spread = summary.median > 0 ? (summary.max - summary.min) / summary.median : 0;
	return summary;
}
