/* SPDX-License-Identifier: Apache-2.0 */
#include "footprint.h"

#include "agent/agent.h"
#include "base/clock.h"

#include <unistd.h>

#define OWN_INTERVAL_NS_MIN NS_PER_S
#define QUIET_INTERVAL_NS_MIN NS_PER_S

void footprint_open(struct footprint *footprint) {
	*footprint = (struct footprint){
	    .self = {.pid = (uint32_t)getpid(), .start_time = sampler_start_time(getpid()), .uid = geteuid()}};
	sampler_init(&footprint->sampler, "/proc");
}

/* As the threads with a ring say, at their last publication. Where none counts, the figures stay unread. */
static void take_heap(const struct producer *producer, struct store_memory_sample *sample) {
	uint64_t allocated_bytes = 0;
	uint64_t freed_bytes = 0;
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		struct feed *feed = producer->feeds[i];
		if (!feed->quarantine && !feed->closed)
			(void)feed_look(feed);
		allocated_bytes += feed->look.heap_allocated_bytes;
		freed_bytes += feed->look.heap_freed_bytes;
	}
	if ((allocated_bytes | freed_bytes) == 0)
		return;
	sample->heap_allocated_bytes = allocated_bytes;
	sample->heap_freed_bytes = freed_bytes;
}

/* Half of the rows of a job at most: a sample is larger than a span. Without memory: one sample less. */
static void add(struct agent *agent, const struct store_memory_sample *sample) {
	if (agent->open_job->sample_count < agent->memory.rows / 2)
		(void)flush_job_add_sample(agent->open_job, sample);
}

static void take_program(struct agent *agent, struct producer *producer) {
	struct store_memory_sample sample;
	struct sampler *sampler = &agent->footprint.sampler;
	uint32_t id;
	producer->sample_at_ns = agent->now_ns + agent->config->memory_interval_ns;
	if (!producer->same_namespace || sampler_take(sampler, &producer->target, &sample) < 0 ||
	    producer_process_id(producer, &agent->sink, &id) < 0)
		return;
	uint64_t cpu_ns = clock_thread_cpu_ns();
	take_heap(producer, &sample);
	sampler_pay(sampler, clock_thread_cpu_ns() - cpu_ns);
	sample.process = id;
	add(agent, &sample);
	footprint_mark_take(&producer->mark, &sample, producer->last_end_ns);
	if (producer->mark.quiet && agent->config->memory_interval_ns >= QUIET_INTERVAL_NS_MIN)
		producer->sample_at_ns = agent->now_ns + FOOTPRINT_QUIET_INTERVALS * agent->config->memory_interval_ns;
}

static void take_own(struct agent *agent) {
	struct footprint *footprint = &agent->footprint;
	struct store_memory_sample sample;
	uint64_t interval_ns = agent->config->memory_interval_ns;
	footprint->own_at_ns = agent->now_ns + (interval_ns > OWN_INTERVAL_NS_MIN ? interval_ns : OWN_INTERVAL_NS_MIN);
	if (sampler_take(&footprint->sampler, &footprint->self, &sample) < 0)
		return;
	sample.agent_pid = footprint->self.pid;
	sample.agent_start = footprint->self.start_time;
	footprint->own = sample;
	add(agent, &sample);
}

static uint64_t earliest(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

/* One that was quiet and is not any more is due as it would have been. */
static void look_at_work(const struct agent *agent, struct producer *producer) {
	if (producer->mark.quiet && producer->last_end_ns != producer->mark.last_end_ns)
		producer->sample_at_ns =
		    earliest(producer->sample_at_ns, producer->mark.taken_ns + agent->config->memory_interval_ns);
}

static bool has_budget(struct agent *agent, bool first) {
	return sampler_may(&agent->footprint.sampler, first, agent->now_ns);
}

static void take_programs(struct agent *agent) {
	struct footprint *footprint = &agent->footprint;
	uint32_t count = agent->roster.producer_count;
	uint32_t first = footprint->next < count ? footprint->next : 0;
	bool stopped = false;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = (first + i) % count;
		struct producer *producer = agent->roster.producers[index];
		if (producer->phase != PRODUCER_LIVE)
			continue;
		look_at_work(agent, producer);
		bool due = agent->now_ns >= producer->sample_at_ns;
		if (due && has_budget(agent, producer->sample_at_ns == 0)) {
			take_program(agent, producer);
		} else if (due) {
			footprint->next = stopped ? footprint->next : index;
			footprint->put_off += !stopped;
			stopped = true;
			continue;
		}
		agent->sample_at_ns = earliest(agent->sample_at_ns, producer->sample_at_ns);
	}
	if (stopped)
		agent->sample_at_ns =
		    earliest(agent->sample_at_ns, sampler_budget_ready_ns(&footprint->sampler.plain, agent->now_ns));
}

void footprint_take(struct agent *agent) {
	agent->roster.has_new = false;
	agent->sample_at_ns = UINT64_MAX;
	agent->footprint.taken_ns = agent->now_ns;
	if (agent->roster.producer_count == 0)
		return;
	take_programs(agent);
	if (agent->now_ns >= agent->footprint.own_at_ns && has_budget(agent, false))
		take_own(agent);
}

void footprint_note_work(struct agent *agent) {
	uint64_t interval_ns = agent->config->memory_interval_ns;
	if (interval_ns >= QUIET_INTERVAL_NS_MIN)
		agent->sample_at_ns = earliest(agent->sample_at_ns, agent->footprint.taken_ns + interval_ns);
}
