/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P(|T| > t) = I_x(freedom / 2, 1/2) with x = freedom / (freedom + t^2), I the regularised incomplete beta function, by its continued fraction
 * (Lentz's method), which converges within some dozen terms on the side of the mean; on the other side 1 - I_(1-x)(1/2, freedom / 2) is used.
 */
#include "student.h"

#include <math.h>

#define TERMS_MAX 400
#define TINY 1e-300

static double kept_off_zero(double value) {
	return fabs(value) < TINY ? TINY : value;
}

static double beta_fraction(double a, double b, double x) {
	double c = 1;
	double d = 1 / kept_off_zero(1 - (a + b) * x / (a + 1));
	double fraction = d;
	for (int m = 1; m <= TERMS_MAX; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		d = 1 / kept_off_zero(1 + even * d);
		c = kept_off_zero(1 + even / c);
		fraction *= c * d;
		d = 1 / kept_off_zero(1 + odd * d);
		c = kept_off_zero(1 + odd / c);
		fraction *= c * d;
		if (fabs(c * d - 1) < 1e-14)
			break;
	}
	return fraction;
}

static double beta_share(double a, double b, double x) {
	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_two_sided(double t, double freedom) {
	if (isnan(t) || !(freedom > 0))
		return 1;
	if (isinf(t))
		return 0;
	/* beyond a million degrees the two differ by less than the fraction resolves */
	if (freedom >= 1e6)
		return erfc(fabs(t) / sqrt(2));
	return beta_share(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double student_beyond(double probability, double freedom) {
	double low = 0;
	double high = 1;
	while (student_two_sided(high, freedom) > probability && high < 1e300)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
		double middle = (low + high) / 2;
		if (student_two_sided(middle, freedom) > probability)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}
