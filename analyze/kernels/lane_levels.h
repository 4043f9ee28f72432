/* SPDX-License-Identifier: Apache-2.0 */
/* Bars of one lane on levels, so that none covers another: each on the highest level on which the bar before it has ended. What lies within another stands below it. */
#ifndef SPANRING_ANALYZE_LANE_LEVELS_H
#define SPANRING_ANALYZE_LANE_LEVELS_H

#include <stdint.h>

#define LANE_LEVELS_MAX 64u
#define LANE_LEVEL_NONE UINT32_MAX

struct lane_levels {
	uint64_t end_ns[LANE_LEVELS_MAX];
	uint32_t count; /* levels in use */
};

/* The level of a bar, from 0; bars come in order of start, of equal ones the longest first. LANE_LEVEL_NONE: all `limit` levels (at most LANE_LEVELS_MAX) are taken. */
uint32_t lane_levels_place(struct lane_levels *levels, uint32_t limit, uint64_t start_ns, uint64_t end_ns);

#endif
