/* SPDX-License-Identifier: Apache-2.0 */
#include "handover.h"

#include "agent/intake/async.h"
#include "agent/intake/unfinished.h"
#include "agent/tail/tail.h"
#include "agent/users/over_quota.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"

#include <inttypes.h>
#include <string.h>

bool handover_possible(const struct agent *agent) {
	return agent->spare_job && !agent->failed_job && flush_is_idle(agent->flush);
}

static bool account_changed(const struct store_process_account *row, const struct store_process_account *handed) {
	struct store_process_account same_time = *row;
	same_time.time_ns = handed->time_ns;
	return memcmp(&same_time, handed, sizeof(same_time)) != 0;
}

/* 0, ERR_FULL (the last rows of an ended ring wait for the next job; its cursor goes as that of a living one), -ENOMEM. */
static int add_feed(struct agent *agent, struct feed *feed, bool ended) {
	struct store_cursor row;
	int closed = 0;
	if (!feed->quarantine && !feed->closed)
		(void)feed_look(feed);
	if (ended)
		closed = unfinished_close(feed, &agent->sink, &agent->open_job->unfinished_spans);
	ended = ended && closed == 0;
	feed_cursor(feed, ended, &row);
	row.reason = over_quota_reason(feed->producer, &row);
	/* One that waits is given in any case: a job must go for the next to begin, with a new catalog if need be. */
	if (!agent->carry_all && !ended && closed == 0 && memcmp(&row, &feed->handed, sizeof(row)) == 0)
		return 0;
	int rc = flush_job_add_cursor(agent->open_job, &row, feed);
	return rc < 0 ? rc : closed;
}

static int add_producer(struct agent *agent, struct producer *producer) {
	bool ended = producer_is_settled(producer);
	struct flush_job *job = agent->open_job;
	size_t cursors = job->cursor_count;
	async_look(producer, agent->now_ns);
	if (ended)
		async_settle(producer);
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		int rc = add_feed(agent, producer->feeds[i], ended);
		if (rc == ERR_FULL)
			producer->dry = false;
		else if (rc < 0)
			return rc;
	}
	int rc = async_add(producer, &agent->sink, job, ended, agent->carry_all);
	if (rc == ERR_FULL)
		producer->dry = false;
	else if (rc < 0)
		return rc;
	rc = statistics_hand_over(&agent->statistics, producer, &agent->sink, job, agent->carry_all);
	if (rc == ERR_FULL)
		producer->dry = false;
	else if (rc < 0)
		return rc;
	ended = ended && producer->dry;
	rc = ended ? over_quota_close(producer, &agent->roster, job) : 0;
	if (rc < 0)
		return rc;
	struct store_process_account row;
	producer_account(producer, ended, &row);
	bool changed = ended || agent->carry_all || account_changed(&row, &producer->handed);
	if (changed) {
		row.time_ns = agent->now_ns;
		rc = flush_job_add_account(job, &row);
		if (rc < 0)
			return rc;
	}
	/*
	 * Books need their process in the same segment. A full catalog leaves it to the next one, which takes all books
	 * along.
	 */
	uint32_t id;
	if (changed || job->cursor_count > cursors)
		(void)producer_process_id(producer, &agent->sink, &id);
	return 0;
}

/* Remember what went, and who waits for it. */
static void note_sent(struct agent *agent, const struct flush_job *job) {
	for (size_t i = 0; i < job->cursor_count; i++) {
		if (!job->feeds[i])
			continue;
		job->feeds[i]->handed = job->cursors[i];
		job->feeds[i]->jobs++;
	}
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		struct producer *producer = agent->roster.producers[i];
		statistics_sent(&agent->statistics, producer);
		if (producer_is_settled(producer)) {
			producer->phase = PRODUCER_ENDED;
			producer->last_job = job->sequence;
		}
		for (size_t c = 0; producer->async && c < job->cursor_count; c++)
			if (!job->feeds[c] &&
			    memcmp(job->cursors[c].instance, producer->instance, SPANRING_INSTANCE_BYTES) == 0)
				async_note_sent(producer, &job->cursors[c]);
		for (size_t a = 0; a < job->account_count; a++)
			if (memcmp(job->accounts[a].instance, producer->instance, SPANRING_INSTANCE_BYTES) == 0)
				producer->handed = job->accounts[a];
	}
}

/* The next job's rows go into a segment of their own. */
static void begin_segment(struct agent *agent) {
	struct catalog *catalog;
	if (catalog_new(&catalog) < 0)
		return; /* the old one goes on; tried again with the next job */
	agent->sink.catalog = catalog;
	agent->sink.generation++;
	agent->sink.catalog_full = false;
	agent->new_segment = false;
	agent->carry_all = true;
}

void handover_send(struct agent *agent) {
	struct flush_job *job = agent->open_job;
	job->cursor_count = 0;
	job->account_count = 0;
	flush_job_clear_rollups(job);
	tail_decide(agent->sink.tail, &agent->sink, agent->now_ns, !agent->stopping);
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		struct producer *producer = agent->roster.producers[i];
		if (producer->phase != PRODUCER_ENDED && add_producer(agent, producer) < 0)
			return; /* no memory: rows without their cursors must not go; tried again */
	}
	job->retain = agent->now_ns >= agent->retention_at_ns && retention_wanted(&agent->config->retain);
	if (flush_job_empty(job) && !job->retain)
		return;
	if (job->retain)
		agent->retention_at_ns = agent->now_ns + RETENTION_INTERVAL_NS;
	job->sequence = agent->sequence++;
	job->catalog = agent->sink.catalog;
	job->wall_offset_ns = clock_wall_ns() - clock_monotonic_ns();
	note_sent(agent, job);
	tail_learn(agent->sink.tail, &agent->sink, job);
	agent->open_job = TAKE_PTR(agent->spare_job);
	agent->sink.batch = agent->open_job->batch;
	agent->carry_all = false;
	agent->full = false;
	flush_submit(agent->flush, job, false);
	if (agent->new_segment || agent->sink.catalog_full)
		begin_segment(agent);
}

static void clear_ended(struct agent *agent, uint64_t sequence) {
	for (uint32_t i = agent->roster.producer_count; i > 0; i--) {
		struct producer *producer = agent->roster.producers[i - 1];
		if (producer->phase != PRODUCER_ENDED || producer->last_job > sequence)
			continue;
		bool removed = discovery_remove_files(&agent->discovery, producer);
		agent->figures.producers_ended += !producer->stuck;
		producer->stuck = !removed;
		if (producer->user->programs_waiting > 0 || producer->user->rings_waiting > 0)
			agent->discovery.rescan_wanted = true;
		if (removed)
			roster_remove_producer(&agent->roster, producer);
	}
}

static void count_commit(struct agent *agent, const struct flush_job *job, const struct store_receipt *receipt) {
	struct agent_figures *figures = &agent->figures;
	figures->commits++;
	figures->spans += job->batch->span_count - job->unfinished_spans;
	figures->spans_unfinished += job->unfinished_spans;
	figures->attributes += job->batch->attribute_count;
	figures->events += job->batch->event_count;
	figures->samples += job->sample_count;
	figures->column_bytes += receipt->bytes;
	figures->encode_ns += receipt->encode_ns;
	figures->commit_ns += receipt->commit_ns;
	commit_bins_count(&figures->bins, receipt->commit_ns, job->batch->span_count);
	if (receipt->commit_ns > figures->commit_ns_max)
		figures->commit_ns_max = receipt->commit_ns;
	if (job->oldest_ns != 0 && clock_monotonic_ns() > job->oldest_ns + agent->config->max_wait_ns)
		figures->commits_late++;
}

static void receive_failed(struct agent *agent, struct flush_job *job, const struct flush_result *result) {
	agent->figures.commits_failed += !result->is_probe;
	store_state_failed(&agent->store, clock_monotonic_ns(), result);
	agent->failed_job = job;
}

static void receive_retention(struct agent *agent, const struct retention_result *result) {
	struct store_evict_sum *evicted = &agent->figures.evicted;
	char bytes[UNITS_TEXT_BYTES];
	if (!result->ran)
		return;
	if (result->error != 0 && agent->retention.error == 0)
		log_event(agent->log, LOG_LEVEL_WARNING, "retention_failed",
		          LOG_FIELDS(LOG_TEXT("store", agent->config->store)), "%s; old segments stay until that works",
		          result->text);
	if (result->evicted.segments > 0)
		log_event(agent->log, LOG_LEVEL_INFO, "segments_evicted",
		          LOG_FIELDS(LOG_NUMBER("segments", result->evicted.segments),
		                     LOG_NUMBER("spans", result->evicted.spans),
		                     LOG_NUMBER("bytes", result->evicted.bytes)),
		          "evicted the %" PRIu64 " oldest segments: %" PRIu64 " spans, %s", result->evicted.segments,
		          result->evicted.spans, units_format_bytes((double)result->evicted.bytes, bytes));
	evicted->segments += result->evicted.segments;
	evicted->spans += result->evicted.spans;
	evicted->bytes += result->evicted.bytes;
	agent->retention = *result;
	if (result->more)
		agent->retention_at_ns = 0;
}

void handover_receive(struct agent *agent) {
	struct flush_result result;
	struct flush_job *job = flush_take(agent->flush, &result);
	if (!job)
		return;
	receive_retention(agent, &result.retention);
	store_state_look(&agent->store, clock_monotonic_ns(), agent->flush);
	if (result.error < 0) {
		receive_failed(agent, job, &result);
		return;
	}
	store_state_worked(&agent->store, clock_monotonic_ns());
	if (!flush_job_empty(job))
		count_commit(agent, job, &result.receipt);
	for (size_t i = 0; i < job->cursor_count; i++) {
		struct feed *feed = job->feeds[i];
		if (!feed)
			continue;
		feed->jobs--;
		if (job->cursors[i].position > feed->stored)
			feed_stored(feed, job->cursors[i].position);
	}
	clear_ended(agent, job->sequence);
	if (result.receipt.segment_spans >= agent->config->segment_spans ||
	    result.receipt.segment_spans >= STORE_SEGMENT_SPANS_MAX ||
	    result.receipt.segment_age_ns >= STORE_SEGMENT_AGE_NS_MAX) {
		agent->new_segment = job->catalog == agent->sink.catalog;
		/* What the spans of a segment were is told in it, too, as far as a second allows. */
		agent->statistics_at_ns = agent->round_ns + STATISTICS_PAUSE_NS_MIN;
	}
	if (job->catalog != agent->sink.catalog)
		catalog_free(job->catalog);
	flush_job_clear(job);
	agent->spare_job = job;
}

void handover_retry(struct agent *agent, bool at_once) {
	if (!agent->failed_job || !flush_is_idle(agent->flush))
		return;
	enum breaker_try due = at_once ? BREAKER_COMMIT : breaker_due(&agent->store.breaker, clock_monotonic_ns());
	if (due != BREAKER_WAIT)
		flush_submit(agent->flush, TAKE_PTR(agent->failed_job), due == BREAKER_PROBE);
}
