/* SPDX-License-Identifier: Apache-2.0 */
#include "lane_levels.h"

uint32_t lane_levels_place(struct lane_levels *levels, uint32_t limit, uint64_t start_ns, uint64_t end_ns) {
	uint32_t level = 0;
	while (level < levels->count && levels->end_ns[level] > start_ns)
		level++;
	if (level >= limit || level >= LANE_LEVELS_MAX)
		return LANE_LEVEL_NONE;
	if (level == levels->count)
		levels->count++;
	/* a bar without length takes its place, too */
	levels->end_ns[level] = end_ns > start_ns ? end_ns : start_ns + 1;
	return level;
}
