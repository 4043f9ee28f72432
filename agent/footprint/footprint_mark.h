/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sample leaves behind to tell whether a program has done anything since: time on a processor, page faults, threads and
 * descriptors from the kernel, and the end of its latest span. The resident set is compared roughly: a plain sample and a full one count
 * it in different ways.
 */
#ifndef SPANRING_AGENT_FOOTPRINT_MARK_H
#define SPANRING_AGENT_FOOTPRINT_MARK_H

#include "libstore/span.h"

#include <stdbool.h>

struct footprint_mark {
	uint64_t taken_ns; /* 0: there is none */
	uint64_t last_end_ns;
	uint64_t cpu_ns;
	uint64_t faults;
	uint64_t descriptors;
	uint64_t rss_bytes;
	uint32_t threads;
	bool quiet; /* it was as the one before */
};

/* The mark of this sample, taken when the latest span had ended at last_end_ns. */
void footprint_mark_take(struct footprint_mark *mark, const struct store_memory_sample *sample, uint64_t last_end_ns);

#endif
