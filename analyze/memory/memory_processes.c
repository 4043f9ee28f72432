/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of the agent, sorted by whom they are of, to one line each. */
#include "memory.h"

#include "base/cleanup.h"

#include <stdlib.h>

const char *const memory_figure_words[] = {"rss", "pss", "anonymous", "swap", "heap", NULL};

uint64_t memory_figure_of(const struct store_memory_sample *sample, enum memory_figure figure) {
	switch (figure) {
	case MEMORY_RSS:
		return sample->rss_bytes;
	case MEMORY_PSS:
		return sample->pss_bytes;
	case MEMORY_SWAP:
		return sample->swap_bytes;
	case MEMORY_HEAP:
		return usage_heap_bytes(sample);
	default:
		return sample->anonymous_bytes;
	}
}

const struct store_process_view *memory_process_view(const struct memory *memory,
                                                     const struct memory_process *process) {
	return process->process == MEMORY_AGENT ? NULL : &memory->query.overview->processes[process->process];
}

static bool wants_sample(const struct memory *memory, const struct store_memory_sample *sample) {
	const struct query *query = &memory->query;
	if (sample->process > query->overview->process_count)
		return false;
	/* The agent, with index 0, is of no service. */
	if (query->process_wanted && (sample->process == 0 || !query->process_wanted[sample->process]))
		return false;
	return sample->time_ns >= query->since_wall_ns && sample->time_ns < query->until_wall_ns;
}

static int compare(uint64_t left, uint64_t right) {
	return left < right ? -1 : left > right;
}

static int by_owner(const struct store_memory_sample *left, const struct store_memory_sample *right) {
	int order = compare(left->process, right->process);
	if (order == 0)
		order = compare(left->agent_pid, right->agent_pid);
	return order ? order : compare(left->agent_start, right->agent_start);
}

/* By process, then time: stable order for samples of one moment is not needed. */
static int by_owner_and_time(const void *a, const void *b) {
	const struct store_memory_sample *left = a;
	const struct store_memory_sample *right = b;
	int order = by_owner(left, right);
	return order ? order : compare(left->time_ns, right->time_ns);
}

static int compute_process(struct memory *memory, size_t first, size_t count, struct growth_sample *scratch) {
	const struct store_memory_sample *samples = &memory->samples[first];
	bool is_agent = samples[0].process == 0;
	struct memory_process *process = &memory->processes[memory->process_count + memory->agent_count];
	memory->agent_count += is_agent;
	memory->process_count += !is_agent;
	process->process = is_agent ? MEMORY_AGENT : samples[0].process - 1;
	process->agent_pid = samples[0].agent_pid;
	process->first = first;
	process->sample_count = count;
	usage_compute(samples, count, &process->usage);
	for (unsigned figure = 0; figure < MEMORY_FIGURE_COUNT; figure++) {
		for (size_t i = 0; i < count; i++) {
			struct growth_sample sample = {samples[i].time_ns,
			                               memory_figure_of(&samples[i], (enum memory_figure)figure)};
			scratch[i] = sample;
		}
		int rc = growth_compute(scratch, count, &process->figures[figure]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int by_peak(const void *a, const void *b) {
	const struct memory_process *left = a;
	const struct memory_process *right = b;
	bool left_is_agent = left->process == MEMORY_AGENT;
	bool right_is_agent = right->process == MEMORY_AGENT;
	if (left_is_agent != right_is_agent)
		return left_is_agent ? 1 : -1;
	uint64_t left_bytes = left->figures[MEMORY_RSS].peak_bytes;
	uint64_t right_bytes = right->figures[MEMORY_RSS].peak_bytes;
	if (left_bytes != right_bytes)
		return left_bytes > right_bytes ? -1 : 1;
	return left->process < right->process ? -1 : left->process > right->process;
}

int memory_read_processes(struct memory *memory) {
	size_t count = 0;
	size_t kept = 0;
	int rc = store_reader_samples(memory->query.reader, &memory->samples, &count);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		if (wants_sample(memory, &memory->samples[i]))
			memory->samples[kept++] = memory->samples[i];
	if (kept == 0)
		return 0;
	qsort(memory->samples, kept, sizeof(memory->samples[0]), by_owner_and_time);
	size_t owners = 1;
	for (size_t i = 1; i < kept; i++)
		owners += by_owner(&memory->samples[i - 1], &memory->samples[i]) != 0;
	CLEANUP_FREE struct growth_sample *scratch = calloc(kept, sizeof(*scratch));
	memory->processes = calloc(owners, sizeof(memory->processes[0]));
	if (!scratch || !memory->processes)
		return -ENOMEM;
	for (size_t first = 0; first < kept && rc == 0;) {
		size_t end = first + 1;
		while (end < kept && by_owner(&memory->samples[end], &memory->samples[first]) == 0)
			end++;
		rc = compute_process(memory, first, end - first, scratch);
		first = end;
	}
	qsort(memory->processes, memory->process_count + memory->agent_count, sizeof(memory->processes[0]), by_peak);
	return rc;
}

void memory_done(struct memory *memory) {
	free(memory->samples);
	free(memory->processes);
	free(memory->names);
}

size_t memory_limited(const struct memory *memory, size_t count) {
	uint64_t limit = memory->query.context->options->limit;
	return limit > 0 && limit < count ? (size_t)limit : count;
}
