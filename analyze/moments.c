/* SPDX-License-Identifier: Apache-2.0 */
#include "moments.h"

#include <math.h>

uint64_t moments_total(const struct moments *moments) {
	moments_i128 total = (moments_i128)moments->pivot * (moments_i128)moments->count + moments->sum;
	return total > (moments_i128)UINT64_MAX ? UINT64_MAX : (uint64_t)total;
}

double moments_mean(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	return (double)((long double)moments->pivot + (long double)moments->sum / (long double)moments->count);
}

double moments_stddev(const struct moments *moments) {
	if (moments->count == 0)
		return 0;
	long double n = (long double)moments->count;
	long double sum = (long double)moments->sum;
	long double variance = (moments->spilled + (long double)moments->square - sum * sum / n) / n;
	return variance > 0 ? (double)sqrtl(variance) : 0;
}
