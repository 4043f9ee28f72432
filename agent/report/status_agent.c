/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the status that is about the agent itself. */
#include "agent/agent.h"
#include "agent/tail/tail.h"
#include "base/clock.h"
#include "base/json.h"
#include "metrics_server.h"
#include "status_parts.h"

#include <spanring/version.h>
#include <unistd.h>

const char *const status_handover_names[] = {[AGENT_HANDOVER_FULL] = "full",
                                             [AGENT_HANDOVER_BATCH_SIZE] = "batch_size",
                                             [AGENT_HANDOVER_WANTED] = "program_waits",
                                             [AGENT_HANDOVER_MAX_WAIT] = "max_wait",
                                             [AGENT_HANDOVER_FLUSH_INTERVAL] = "flush_interval",
                                             [AGENT_HANDOVER_ENDED] = "process_ended",
                                             [AGENT_HANDOVER_HALF_RING] = "ring_half_full"};

/* What was asked for, and what it leads to. */
static void write_policy(struct json *json, const struct agent *agent) {
	const struct config *config = agent->config;
	json_text(json, "preset", preset_names[config->preset]);
	json_u64(json, "batch_size", config->batch_spans);
	json_u64(json, "flush_interval_ns", config->flush_interval_ns);
	json_u64(json, "max_wait_ns", config->max_wait_ns);
	json_open(json, "handovers", '{');
	for (uint32_t i = 0; i < AGENT_HANDOVER_COUNT; i++)
		json_u64(json, status_handover_names[i], agent->figures.handovers[i]);
	json_close(json);
	json_u64(json, "commits_late", agent->figures.commits_late);
	json_u64(json, "memory_cap_bytes", agent->memory.cap_bytes);
	json_u64(json, "memory_bytes", memory_cap_own_bytes());
	json_text(json, "memory_state", agent->memory.over ? "over" : "ok");
	json_u64(json, "memory_times_over", agent->memory.times_over);
	json_u64(json, "batch_room_spans", agent->memory.rows);
	json_text(json, "ratio", config->ratio);
	json_u64(json, "ratio_given", agent->ratio.given);
	json_u64(json, "ratio_refused", agent->ratio.refused);
	tail_write(agent->sink.tail, json);
}

/* What samples cost, and what the newest one of the agent itself said; null before there is one. */
static void write_footprint(struct json *json, const struct footprint *footprint) {
	const struct store_memory_sample *own = &footprint->own;
	const struct sampler_figures *figures = &footprint->sampler.figures;
	json_u64(json, "sampling_cpu_ns", figures->cpu_ns);
	json_u64(json, "samples_without_pss", figures->pss_left_out);
	json_u64(json, "samples_put_off", footprint->put_off);
	if (own->time_ns == 0) {
		json_null(json, "agent_footprint");
		return;
	}
	json_open(json, "agent_footprint", '{');
	json_u64(json, "rss_bytes", own->rss_bytes);
	if (own->pss_state == STORE_PSS_READ)
		json_u64(json, "pss_bytes", own->pss_bytes);
	else
		json_null(json, "pss_bytes");
	json_u64(json, "threads", own->threads);
	if (own->descriptors != UINT64_MAX)
		json_u64(json, "descriptors", own->descriptors);
	else
		json_null(json, "descriptors");
	json_close(json);
}

void status_agent_write(const struct agent *agent, struct json *json) {
	const struct agent_figures *figures = &agent->figures;
	json_text(json, "schema", "status/1");
	json_text(json, "version", SPANRING_VERSION_STRING);
	json_u64(json, "agent_pid", (uint64_t)getpid());
	json_text(json, "ring_directory", agent->config->rings);
	json_text(json, "served", agent->config->system ? "all users" : "one user");
	json_text(json, "store", agent->config->store);
	json_text(json, "io", loop_io_names[loop_in_use(agent->loop)]);
	json_text(json, "io_wanted", loop_io_names[agent->config->io]);
	json_text(json, "io_reason", loop_why(agent->loop));
	json_text(json, "sandbox", sandbox_in_use(&agent->sandbox));
	json_text(json, "sandbox_wanted", sandbox_mode_names[agent->config->sandbox]);
	json_text(json, "sandbox_reason", agent->sandbox.why);
	json_u64(json, "reloads", agent->reload.done);
	json_u64(json, "reloads_refused", agent->reload.refused);
	json_text(json, "reload_text", agent->reload.text);
	json_u64(json, "uptime_ns", clock_monotonic_ns() - figures->started_ns);
	store_state_write(&agent->store, clock_monotonic_ns(), agent->flush, json);
	write_policy(json, agent);
	json_u64(json, "store_bytes", agent->retention.store_bytes);
	json_u64(json, "store_segments", agent->retention.store_segments);
	json_u64(json, "store_free_bytes", agent->retention.free_bytes);
	json_u64(json, "evicted_segments", figures->evicted.segments);
	json_u64(json, "evicted_spans", figures->evicted.spans);
	json_u64(json, "evicted_bytes", figures->evicted.bytes);
	json_text(json, "retention_error", agent->retention.error ? agent->retention.text : "");
	merger_write(flush_merger(agent->flush), json);
	json_u64(json, "commits", figures->commits);
	json_u64(json, "commits_failed", figures->commits_failed);
	json_u64(json, "committed_spans", figures->spans);
	json_u64(json, "committed_unfinished_spans", figures->spans_unfinished);
	json_u64(json, "committed_attributes", figures->attributes);
	json_u64(json, "committed_events", figures->events);
	json_u64(json, "memory_samples", figures->samples);
	write_footprint(json, &agent->footprint);
	json_u64(json, "column_bytes", figures->column_bytes);
	json_u64(json, "encode_cpu_ns", figures->encode_ns);
	json_u64(json, "commit_ns", figures->commit_ns);
	json_u64(json, "commit_ns_max", figures->commit_ns_max);
	json_u64(json, "agent_cpu_ns", clock_process_cpu_ns());
	json_text(json, "metrics", metrics_server_address(agent->metrics));
	json_u64(json, "metrics_answers", metrics_server_answers(agent->metrics));
	json_u64(json, "times_clamped", agent->sink.clamped);
	json_u64(json, "records_read", agent->intake.records_read);
	json_u64(json, "bulk_reads", agent->intake.bulk_reads);
	json_u64(json, "rollup_rows", agent->statistics.figures.rows);
	json_u64(json, "statistics_blocks_read", agent->statistics.figures.blocks_read);
	json_u64(json, "statistics_threads_broken", agent->statistics.figures.broken_rings);
	json_u64(json, "statistics_processes_given_up", agent->statistics.figures.given_up);
	json_u64(json, "statistics_bytes", agent->statistics.bytes);
	json_u64(json, "processes_ended", figures->producers_ended);
	json_u64(json, "names_refused", agent->roster.refused);
	json_u64(json, "rings_over_limit", agent->roster.rings_over_limit);
	json_u64(json, "processes_over_limit", agent->roster.producers_over_limit);
	json_u64(json, "processes", agent->roster.producer_count);
}
