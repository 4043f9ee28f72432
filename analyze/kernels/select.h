/* SPDX-License-Identifier: Apache-2.0 */
/* The value of a rank among values in no order, without sorting all of them. */
#ifndef SPANRING_ANALYZE_SELECT_H
#define SPANRING_ANALYZE_SELECT_H

#include <stddef.h>
#include <stdint.h>

/* rank: 1 (the smallest) to count. The values are put into another order. */
uint64_t select_rank(uint64_t *values, size_t count, size_t rank);

#endif
