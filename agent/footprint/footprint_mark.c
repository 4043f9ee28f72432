/* SPDX-License-Identifier: Apache-2.0 */
#include "footprint_mark.h"

#define RSS_PART 16u /* a change by less is none */

static bool rss_is_alike(uint64_t a, uint64_t b) {
	uint64_t apart = a > b ? a - b : b - a;
	return apart <= a / RSS_PART;
}

void footprint_mark_take(struct footprint_mark *mark, const struct store_memory_sample *sample, uint64_t last_end_ns) {
	struct footprint_mark before = *mark;
	*mark = (struct footprint_mark){.taken_ns = sample->time_ns,
	                                .last_end_ns = last_end_ns,
	                                .cpu_ns = sample->cpu_user_ns + sample->cpu_system_ns,
	                                .faults = sample->faults_minor + sample->faults_major,
	                                .descriptors = sample->descriptors,
	                                .rss_bytes = sample->rss_bytes,
	                                .threads = sample->threads};
	mark->quiet = before.taken_ns != 0 && mark->last_end_ns == before.last_end_ns &&
	              mark->cpu_ns == before.cpu_ns && mark->faults == before.faults &&
	              mark->descriptors == before.descriptors && mark->threads == before.threads &&
	              rss_is_alike(mark->rss_bytes, before.rss_bytes);
}
