/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "agent.h"
#include "async.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/json.h"

#include <spanring/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BACKLOG 8
#define ANSWERS_MAX 8u /* in one step */
#define SEND_BUFFER_BYTES (512 * 1024)

/* Through the open directory: the path may be longer than a socket address holds. */
static void socket_address(int rings_fd, struct sockaddr_un *ret_address) {
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/" STATUS_SOCKET_NAME,
	               rings_fd);
}

int status_listen(int rings_fd, const struct log *log) {
	struct sockaddr_un address;
	socket_address(rings_fd, &address);
	(void)unlinkat(rings_fd, STATUS_SOCKET_NAME, 0); /* of an agent that was killed: we have its lock */
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0) {
		log_warning(log, "no status socket: %s; everything else works", strerror(errno));
		return -1;
	}
	return take_fd(&fd);
}

void status_close(int rings_fd, int status_fd) {
	if (status_fd < 0)
		return;
	(void)unlinkat(rings_fd, STATUS_SOCKET_NAME, 0);
	(void)close(status_fd);
}

struct sums {
	uint64_t begun, open, async_open, dropped, sampled_out, sampled_out_short, stored, rejected, waiting, lost;
	uint32_t rings, quarantined;
};

static void add_feed(const struct feed *feed, struct sums *sums) {
	const struct ring_reader_look *look = &feed->look;
	sums->rings++;
	sums->quarantined += feed->quarantine != 0;
	sums->begun += look->begun;
	sums->open += look->open;
	sums->dropped += look->dropped_full + look->dropped_depth;
	sums->sampled_out += look->sampled_out + look->sampled_out_short;
	sums->sampled_out_short += look->sampled_out_short;
	sums->stored += feed->handed.stored_spans;
	sums->rejected += feed->books.rejected_spans;
	sums->lost += feed->books.lost_records;
	sums->waiting += look->head > feed->stored ? look->head - feed->stored : 0;
}

static void add_async(struct producer *producer, struct sums *sums) {
	uint64_t open = producer->async ? producer->async->open : 0;
	sums->begun += open;
	sums->open += open;
	sums->async_open += open;
}

/* Begun, ended and dropped at once, in no ring. */
static void add_outside_rings(const struct producer *producer, struct sums *sums) {
	uint64_t dropped = producer->counters.dropped_no_ring + producer->counters.dropped_reentry;
	sums->begun += dropped;
	sums->dropped += dropped;
}

static void write_sums(struct json *json, const struct sums *sums) {
	json_u64(json, "rings", sums->rings);
	json_u64(json, "rings_quarantined", sums->quarantined);
	json_u64(json, "begun", sums->begun);
	json_u64(json, "open", sums->open);
	json_u64(json, "open_async", sums->async_open);
	json_u64(json, "dropped", sums->dropped);
	json_u64(json, "sampled_out", sums->sampled_out);
	json_u64(json, "sampled_out_short", sums->sampled_out_short);
	json_u64(json, "stored", sums->stored);
	json_u64(json, "rejected", sums->rejected);
	json_u64(json, "lost_records", sums->lost);
	json_u64(json, "records_in_rings", sums->waiting);
}

static void write_process(struct json *json, struct producer *producer, struct sums *total) {
	struct sums sums = {0};
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		(void)feed_look(producer->feeds[i]);
		add_feed(producer->feeds[i], &sums);
		add_feed(producer->feeds[i], total);
	}
	async_look(producer, clock_monotonic_ns());
	add_async(producer, &sums);
	add_async(producer, total);
	add_outside_rings(producer, &sums);
	add_outside_rings(producer, total);
	if (!json)
		return;
	const struct process_reader_identity *identity = producer->identity;
	const char *state = producer->phase != PRODUCER_LIVE ? "ending" : producer->exited ? "exited" : "running";
	json_open(json, NULL, '{');
	json_u64(json, "pid", identity->pid);
	json_text(json, "service", identity->service);
	json_text(json, "instance", producer->name);
	json_text(json, "state", state);
	json_u64(json, "rings_refused", producer->refused_count);
	write_sums(json, &sums);
	json_close(json);
}

/* What was asked for, and what it leads to. */
static void write_policy(struct json *json, const struct agent *agent) {
	static const char *const reasons[AGENT_HANDOVER_COUNT] = {[AGENT_HANDOVER_FULL] = "full",
	                                                          [AGENT_HANDOVER_BATCH_SIZE] = "batch_size",
	                                                          [AGENT_HANDOVER_WANTED] = "program_waits",
	                                                          [AGENT_HANDOVER_MAX_WAIT] = "max_wait",
	                                                          [AGENT_HANDOVER_FLUSH_INTERVAL] = "flush_interval",
	                                                          [AGENT_HANDOVER_ENDED] = "process_ended",
	                                                          [AGENT_HANDOVER_HALF_RING] = "ring_half_full"};
	const struct config *config = agent->config;
	json_text(json, "preset", preset_names[config->preset]);
	json_u64(json, "batch_size", config->batch_spans);
	json_u64(json, "flush_interval_ns", config->flush_interval_ns);
	json_u64(json, "max_wait_ns", config->max_wait_ns);
	json_open(json, "handovers", '{');
	for (uint32_t i = 0; i < AGENT_HANDOVER_COUNT; i++)
		json_u64(json, reasons[i], agent->figures.handovers[i]);
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

static void write_agent(struct json *json, const struct agent *agent) {
	const struct agent_figures *figures = &agent->figures;
	json_text(json, "schema", "status/1");
	json_text(json, "version", SPANRING_VERSION_STRING);
	json_u64(json, "agent_pid", (uint64_t)getpid());
	json_text(json, "ring_directory", agent->config->rings);
	json_text(json, "store", agent->config->store);
	json_text(json, "io", loop_io_names[loop_in_use(agent->loop)]);
	json_text(json, "io_wanted", loop_io_names[agent->config->io]);
	json_text(json, "io_reason", loop_why(agent->loop));
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
	json_u64(json, "times_clamped", agent->sink.clamped);
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

static int make_answer(struct agent *agent, char **ret_text, size_t *ret_bytes) {
	FILE *file = open_memstream(ret_text, ret_bytes);
	if (!file)
		return -errno;
	struct json json = json_begin(file);
	struct sums total = {0};
	json_open(&json, NULL, '{');
	write_agent(&json, agent);
	json_open(&json, "process_list", '[');
	for (uint32_t i = 0; i < agent->roster.producer_count; i++)
		write_process(i < STATUS_PROCESSES_MAX ? &json : NULL, agent->roster.producers[i], &total);
	json_close(&json);
	json_open(&json, "total", '{');
	write_sums(&json, &total);
	json_close(&json);
	json_close(&json);
	return fclose(file) == 0 ? 0 : -ENOMEM;
}

void status_serve(struct agent *agent) {
	for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
		CLEANUP_FD int fd = accept4(agent->status_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		CLEANUP_FREE char *text = NULL;
		size_t bytes = 0;
		int buffer_bytes = SEND_BUFFER_BYTES;
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
		if (make_answer(agent, &text, &bytes) == 0)
			(void)send(fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}
