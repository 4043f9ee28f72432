/* SPDX-License-Identifier: Apache-2.0 */
/* One figure, measured several times: never a single number, always the median with the smallest and the largest. */
#ifndef SPANRING_BENCH_MEASURE_H
#define SPANRING_BENCH_MEASURE_H

#include <stdint.h>

#define MEASURE_RUNS_MIN 5u
#define MEASURE_RUNS_MAX 101u

struct measure {
	double values[MEASURE_RUNS_MAX];
	uint32_t count;
};

struct measure_summary {
	double median;
	double min;
	double max;
	double spread; /* (max - min) / median */
};

/* Values beyond MEASURE_RUNS_MAX are a programming error. */
void measure_add(struct measure *measure, double value);

/* Sorts the values. Of none: NaN. */
double measure_median(double *values, uint32_t count);

/* Of no values: all NaN. */
struct measure_summary measure_summarise(const struct measure *measure);

#endif
