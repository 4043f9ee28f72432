/* SPDX-License-Identifier: Apache-2.0 */
/* Student's t distribution, of any degrees of freedom above 0, whole or not; STUDENT_NORMAL stands for infinitely many. */
#ifndef SPANRING_ANALYZE_STUDENT_H
#define SPANRING_ANALYZE_STUDENT_H

#define STUDENT_NORMAL 1e9

/* The probability of a value farther from 0 than t, on either side. */
double student_two_sided(double t, double freedom);

/* The t beyond which, on either side, values have this probability; 0 < probability < 1. */
double student_beyond(double probability, double freedom);

#endif
