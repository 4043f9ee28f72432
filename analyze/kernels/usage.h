/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the samples of one process say besides its memory: the newest value of each counter, and where it moves up and down also
 * the highest. A figure that no sample has is UINT64_MAX.
 */
#ifndef SPANRING_ANALYZE_USAGE_H
#define SPANRING_ANALYZE_USAGE_H

#include "base/json.h"
#include "libstore/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usage {
	uint64_t cpu_user_ns;
	uint64_t cpu_system_ns;
	bool has_cpu_cores; /* from the first sample to the last */
	double cpu_cores;
	uint64_t faults_minor;
	uint64_t faults_major;
	uint64_t switches_voluntary;
	uint64_t switches_involuntary;
	uint64_t threads_last;
	uint64_t threads_peak;
	uint64_t descriptors_last;
	uint64_t descriptors_peak;
	uint64_t heap_allocated_bytes;
	uint64_t heap_freed_bytes;
	size_t pss_read; /* samples */
	size_t pss_left_out;
	uint64_t pss_ns_max;
};

/* samples in order of time, at least one. */
void usage_compute(const struct store_memory_sample *samples, size_t count, struct usage *ret_usage);

/* What is allocated and not freed; UINT64_MAX where that is not counted, or the threads that are counted freed more. */
uint64_t usage_heap_bytes(const struct store_memory_sample *sample);

/* Of both kinds. */
uint64_t usage_switches(const struct usage *usage);

/* Into an object that is open. */
void usage_print(struct json *json, const struct usage *usage);

#endif
