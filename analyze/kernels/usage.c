/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"

#include "base/checked.h"

static void keep(uint64_t *last, uint64_t value) {
	if (value != UINT64_MAX)
		*last = value;
}

static void keep_highest(uint64_t *highest, uint64_t value) {
	if (value != UINT64_MAX && (*highest == UINT64_MAX || value > *highest))
		*highest = value;
}

static void take(struct usage *usage, const struct store_memory_sample *sample) {
	keep(&usage->cpu_user_ns, sample->cpu_user_ns);
	keep(&usage->cpu_system_ns, sample->cpu_system_ns);
	keep(&usage->faults_minor, sample->faults_minor);
	keep(&usage->faults_major, sample->faults_major);
	keep(&usage->switches_voluntary, sample->switches_voluntary);
	keep(&usage->switches_involuntary, sample->switches_involuntary);
	keep(&usage->threads_last, sample->threads);
	keep_highest(&usage->threads_peak, sample->threads);
	keep(&usage->descriptors_last, sample->descriptors);
	keep_highest(&usage->descriptors_peak, sample->descriptors);
	keep(&usage->heap_allocated_bytes, sample->heap_allocated_bytes);
	keep(&usage->heap_freed_bytes, sample->heap_freed_bytes);
	usage->pss_read += sample->pss_state == STORE_PSS_READ;
	usage->pss_left_out += sample->pss_state == STORE_PSS_LEFT_OUT;
	keep_highest(&usage->pss_ns_max, sample->pss_ns);
}

static bool has_cpu(const struct store_memory_sample *sample) {
	return sample->cpu_user_ns != UINT64_MAX && sample->cpu_system_ns != UINT64_MAX;
}

void usage_compute(const struct store_memory_sample *samples, size_t count, struct usage *ret_usage) {
	struct usage usage = {.cpu_user_ns = UINT64_MAX,
	                      .cpu_system_ns = UINT64_MAX,
	                      .faults_minor = UINT64_MAX,
	                      .faults_major = UINT64_MAX,
	                      .switches_voluntary = UINT64_MAX,
	                      .switches_involuntary = UINT64_MAX,
	                      .threads_last = UINT64_MAX,
	                      .threads_peak = UINT64_MAX,
	                      .descriptors_last = UINT64_MAX,
	                      .descriptors_peak = UINT64_MAX,
	                      .heap_allocated_bytes = UINT64_MAX,
	                      .heap_freed_bytes = UINT64_MAX,
	                      .pss_ns_max = UINT64_MAX};
	for (size_t i = 0; i < count; i++)
		take(&usage, &samples[i]);
	const struct store_memory_sample *first = &samples[0];
	const struct store_memory_sample *last = &samples[count - 1];
	if (has_cpu(first) && has_cpu(last) && last->time_ns > first->time_ns) {
		double used_ns = (double)last->cpu_user_ns - (double)first->cpu_user_ns + (double)last->cpu_system_ns -
		                 (double)first->cpu_system_ns;
		usage.has_cpu_cores = used_ns >= 0;
		usage.cpu_cores = used_ns / (double)(last->time_ns - first->time_ns);
	}
	*ret_usage = usage;
}

uint64_t usage_heap_bytes(const struct store_memory_sample *sample) {
	if (sample->heap_allocated_bytes == UINT64_MAX || sample->heap_freed_bytes > sample->heap_allocated_bytes)
		return UINT64_MAX;
	return sample->heap_allocated_bytes - sample->heap_freed_bytes;
}

uint64_t usage_switches(const struct usage *usage) {
	return saturating_add(usage->switches_voluntary, usage->switches_involuntary);
}

static void print_count(struct json *json, const char *key, uint64_t count) {
	if (count == UINT64_MAX)
		json_null(json, key);
	else
		json_u64(json, key, count);
}

void usage_print(struct json *json, const struct usage *usage) {
	print_count(json, "cpu_user_ns", usage->cpu_user_ns);
	print_count(json, "cpu_system_ns", usage->cpu_system_ns);
	if (usage->has_cpu_cores)
		json_f64(json, "cpu_cores", usage->cpu_cores);
	else
		json_null(json, "cpu_cores");
	print_count(json, "faults_minor", usage->faults_minor);
	print_count(json, "faults_major", usage->faults_major);
	print_count(json, "switches_voluntary", usage->switches_voluntary);
	print_count(json, "switches_involuntary", usage->switches_involuntary);
	print_count(json, "threads", usage->threads_last);
	print_count(json, "threads_peak", usage->threads_peak);
	print_count(json, "descriptors", usage->descriptors_last);
	print_count(json, "descriptors_peak", usage->descriptors_peak);
	print_count(json, "heap_allocated_bytes", usage->heap_allocated_bytes);
	print_count(json, "heap_freed_bytes", usage->heap_freed_bytes);
	json_u64(json, "pss_samples", usage->pss_read);
	json_u64(json, "pss_samples_left_out", usage->pss_left_out);
	print_count(json, "pss_ns_max", usage->pss_ns_max);
}
