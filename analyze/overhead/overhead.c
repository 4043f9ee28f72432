/* SPDX-License-Identifier: Apache-2.0 */
#include "overhead.h"

#include "base/checked.h"
#include "base/clock.h"

#include <spanring/record.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define MIB 1048576.0
#define KIB 1024.0
#define PS_PER_NS 1000.0
#define PER 1000.0

const char *const overhead_verdict_names[] = {[OVERHEAD_UNMEASURED] = "not measured",
                                              [OVERHEAD_GOOD] = "good",
                                              [OVERHEAD_ABOVE] = "above target",
                                              [OVERHEAD_RED_FLAG] = "red flag"};

const char *const overhead_unit_names[] = {[OVERHEAD_NS] = "ns",
                                           [OVERHEAD_BYTES] = "bytes",
                                           [OVERHEAD_BYTES_PER_S] = "bytes_per_s",
                                           [OVERHEAD_SHARE] = "share"};

const struct overhead_level overhead_levels[OVERHEAD_TARGET_COUNT] = {
    [OVERHEAD_SPAN] = {"span", "span, begin and end", OVERHEAD_NS, 1e5, 1e6},
    [OVERHEAD_ATTRIBUTE] = {"attribute", "attribute, a number", OVERHEAD_NS, 1e4, 1e5},
    [OVERHEAD_EVENT] = {"event", "event", OVERHEAD_NS, 5e4, 5e5},
    [OVERHEAD_REQUEST] = {"request", "request of 100 spans", OVERHEAD_NS, 1e6, 1e7},
    [OVERHEAD_CPU] = {"cpu", "CPU of the programs", OVERHEAD_SHARE, 0.02, 0.05},
    [OVERHEAD_RING] = {"ring_per_1000_spans", "ring for 1000 spans", OVERHEAD_BYTES, 10 * MIB, 50 * MIB},
    [OVERHEAD_AGENT_RSS] = {"agent_rss", "memory of the agent", OVERHEAD_BYTES, 50 * MIB, 64 * MIB},
    [OVERHEAD_NETWORK] = {"network", "network", OVERHEAD_BYTES_PER_S, 1 * KIB, 10 * KIB},
    [OVERHEAD_LOST] = {"lost", "spans lost", OVERHEAD_SHARE, 0.001, 0.01},
};

/* --- books -------------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct query *query, size_t process) {
	return !query->process_wanted || query->process_wanted[process + 1];
}

static void add_ring(struct overhead_process *process, const struct store_cursor *cursor) {
	process->begun = saturating_add(process->begun, cursor->begun);
	process->attributes = saturating_add(process->attributes, cursor->stored_attributes);
	process->attributes = saturating_add(process->attributes, cursor->dropped_attributes);
	process->attributes = saturating_add(process->attributes, cursor->thinned_attributes);
	process->events = saturating_add(process->events, cursor->stored_events);
	process->events = saturating_add(process->events, cursor->dropped_events);
	process->events = saturating_add(process->events, cursor->thinned_events);
	process->lost = saturating_add(process->lost, cursor->dropped_full);
	process->lost = saturating_add(process->lost, cursor->dropped_depth);
	process->lost = saturating_add(process->lost, cursor->rejected_spans);
	process->lost = saturating_add(process->lost, cursor->lost_records);
}

static int read_books(struct overhead *overhead) {
	const struct store_overview *overview = overhead->query.overview;
	overhead->processes =
	    calloc(overview->process_count ? overview->process_count : 1, sizeof(overhead->processes[0]));
	if (!overhead->processes)
		return -ENOMEM;
	overhead->process_count = overview->process_count;
	for (size_t i = 0; i < overview->process_count; i++) {
		overhead->processes[i].process = (uint32_t)i;
		overhead->processes[i].cpu_ns = UINT64_MAX;
		overhead->processes[i].rings = overview->processes[i].account.rings_made;
		overhead->processes[i].lost = overview->processes[i].account.dropped_no_ring;
	}
	for (size_t i = 0; i < overview->ring_count; i++)
		add_ring(&overhead->processes[overview->rings[i].process], &overview->rings[i].cursor);
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		overhead->file_bytes = saturating_add(overhead->file_bytes, segment->file_bytes);
		overhead->stored = saturating_add(overhead->stored, segment->spans);
		if (segment->writer_cost.rounds > 0)
			overhead->cost = segment->writer_cost;
	}
	return 0;
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

static struct overhead_agent *agent_of(struct overhead *overhead, const struct store_memory_sample *sample) {
	for (size_t i = overhead->agent_count; i > 0; i--) {
		struct overhead_agent *agent = &overhead->agents[i - 1];
		if (agent->pid == sample->agent_pid && agent->start == sample->agent_start)
			return agent;
	}
	if (overhead->agent_count == OVERHEAD_AGENTS_MAX)
		return NULL;
	struct overhead_agent *agent = &overhead->agents[overhead->agent_count++];
	agent->pid = sample->agent_pid;
	agent->start = sample->agent_start;
	agent->first_ns = sample->time_ns;
	agent->first_cpu_ns = saturating_add(sample->cpu_user_ns, sample->cpu_system_ns);
	return agent;
}

static void take_sample(struct overhead *overhead, const struct store_memory_sample *sample) {
	const struct store_overview *overview = overhead->query.overview;
	bool has_cpu = sample->cpu_user_ns != UINT64_MAX && sample->cpu_system_ns != UINT64_MAX;
	uint64_t cpu_ns = has_cpu ? saturating_add(sample->cpu_user_ns, sample->cpu_system_ns) : UINT64_MAX;
	if (sample->process == 0) {
		struct overhead_agent *agent = agent_of(overhead, sample);
		if (!agent)
			return;
		agent->last_ns = sample->time_ns;
		agent->cpu_ns = has_cpu ? cpu_ns : agent->cpu_ns;
		if (sample->rss_bytes != UINT64_MAX && sample->rss_bytes > agent->rss_peak_bytes)
			agent->rss_peak_bytes = sample->rss_bytes;
	} else if (sample->process <= overhead->process_count && has_cpu) {
		struct overhead_process *process = &overhead->processes[sample->process - 1];
		uint64_t attach_ns = overview->processes[sample->process - 1].attach_wall_ns;
		process->cpu_ns = cpu_ns;
		process->seconds = sample->time_ns > attach_ns ? (double)(sample->time_ns - attach_ns) / 1e9 : 0;
	}
}

static int read_samples(struct overhead *overhead) {
	struct store_memory_sample *samples = NULL;
	size_t count = 0;
	overhead->agents = calloc(OVERHEAD_AGENTS_MAX, sizeof(overhead->agents[0]));
	if (!overhead->agents)
		return -ENOMEM;
	int rc = store_reader_samples(overhead->query.reader, &samples, &count);
	for (size_t i = 0; i < count && rc == 0; i++)
		take_sample(overhead, &samples[i]);
	free(samples);
	for (size_t i = 0; i < overhead->agent_count; i++)
		overhead->agent_cpu_ns = saturating_add(overhead->agent_cpu_ns, overhead->agents[i].cpu_ns);
	return rc;
}

/* --- figures ------------------------------------------------------------------------------------------------------ */

static double ns_of(const struct overhead *overhead, enum store_cost cost) {
	return (double)overhead->cost.figures[cost].median_ps / PS_PER_NS;
}

static void set(struct overhead *overhead, enum overhead_target target, double value, double high) {
	const struct overhead_level *level = &overhead_levels[target];
	struct overhead_figure *figure = &overhead->figures[target];
	*figure = (struct overhead_figure){.has_value = true, .value = value, .high = fmax(value, high)};
	figure->verdict = figure->high > level->red_flag ? OVERHEAD_RED_FLAG
	                  : figure->high < level->good   ? OVERHEAD_GOOD
	                                                 : OVERHEAD_ABOVE;
}

static void price(const struct overhead *overhead, struct overhead_process *process) {
	double other = (double)process->attributes * ns_of(overhead, STORE_COST_ATTRIBUTE) +
	               (double)process->events * ns_of(overhead, STORE_COST_EVENT);
	double cold_ns = fmax(ns_of(overhead, STORE_COST_SPAN_COLD), ns_of(overhead, STORE_COST_SPAN));
	process->cost_ns = (double)process->begun * ns_of(overhead, STORE_COST_SPAN) + other;
	process->cost_high_ns = (double)process->begun * cold_ns + other;
}

static int by_cost(const void *a, const void *b) {
	const struct overhead_process *left = a;
	const struct overhead_process *right = b;
	if (left->begun != right->begun)
		return left->begun > right->begun ? -1 : 1;
	return left->process < right->process ? -1 : left->process > right->process;
}

static void keep_wanted(struct overhead *overhead) {
	size_t kept = 0;
	for (size_t i = 0; i < overhead->process_count; i++) {
		struct overhead_process *process = &overhead->processes[i];
		if (process->begun == 0 || !is_wanted(&overhead->query, process->process))
			continue;
		price(overhead, process);
		overhead->begun = saturating_add(overhead->begun, process->begun);
		overhead->lost = saturating_add(overhead->lost, process->lost);
		overhead->processes[kept++] = *process;
	}
	overhead->process_count = kept;
	qsort(overhead->processes, kept, sizeof(overhead->processes[0]), by_cost);
}

static void set_costs(struct overhead *overhead) {
	double span_ns = ns_of(overhead, STORE_COST_SPAN);
	double cold_ns = ns_of(overhead, STORE_COST_SPAN_COLD);
	set(overhead, OVERHEAD_SPAN, span_ns, cold_ns);
	set(overhead, OVERHEAD_ATTRIBUTE, ns_of(overhead, STORE_COST_ATTRIBUTE), 0);
	set(overhead, OVERHEAD_EVENT, ns_of(overhead, STORE_COST_EVENT), 0);
	set(overhead, OVERHEAD_REQUEST, OVERHEAD_REQUEST_SPANS * span_ns, OVERHEAD_REQUEST_SPANS * cold_ns);
	double cost = 0, cost_high = 0, cpu = 0;
	for (size_t i = 0; i < overhead->process_count; i++) {
		const struct overhead_process *process = &overhead->processes[i];
		if (process->cpu_ns == UINT64_MAX)
			continue;
		cost += process->cost_ns;
		cost_high += process->cost_high_ns;
		cpu += (double)process->cpu_ns;
	}
	if (cpu >= (double)OVERHEAD_CPU_NS_MIN)
		set(overhead, OVERHEAD_CPU, cost / cpu, cost_high / cpu);
}

static void set_figures(struct overhead *overhead) {
	double records = 0, begun = 0;
	uint64_t rss_bytes = 0;
	if (overhead->cost.rounds > 0)
		set_costs(overhead);
	for (size_t i = 0; i < overhead->process_count; i++) {
		const struct overhead_process *process = &overhead->processes[i];
		begun += (double)process->begun;
		records += (double)process->begun + (double)process->attributes + (double)process->events;
	}
	if (begun > 0) {
		set(overhead, OVERHEAD_RING, records / begun * PER * SPANRING_RECORD_BYTES, 0);
		set(overhead, OVERHEAD_LOST, (double)overhead->lost / begun, 0);
	}
	for (size_t i = 0; i < overhead->agent_count; i++)
		if (overhead->agents[i].rss_peak_bytes > rss_bytes)
			rss_bytes = overhead->agents[i].rss_peak_bytes;
	if (rss_bytes > 0)
		set(overhead, OVERHEAD_AGENT_RSS, (double)rss_bytes, 0);
	set(overhead, OVERHEAD_NETWORK, 0, 0); /* rings are memory, the store is a file: nothing is sent */
}

int overhead_read(struct overhead *overhead) {
	int rc = read_books(overhead);
	if (rc == 0)
		rc = read_samples(overhead);
	if (rc != 0)
		return rc;
	keep_wanted(overhead);
	set_figures(overhead);
	return 0;
}

void overhead_done(struct overhead *overhead) {
	free(overhead->processes);
	free(overhead->agents);
}

bool overhead_has_red_flag(const struct overhead *overhead) {
	for (unsigned i = 0; i < OVERHEAD_TARGET_COUNT; i++)
		if (overhead->figures[i].verdict == OVERHEAD_RED_FLAG)
			return true;
	return false;
}
