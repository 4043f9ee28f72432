/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on numbers that come from a file or another process: true when it fits, never wraps. */
#ifndef SPANRING_BASE_CHECKED_H
#define SPANRING_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* [offset, offset + bytes) lies inside [0, limit). */
static inline bool checked_range(uint64_t offset, uint64_t bytes, uint64_t limit) {
	return offset <= limit && bytes <= limit - offset;
}

/* a + b, or the largest value there is. */
static inline uint64_t saturating_add(uint64_t a, uint64_t b) {
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

#endif
