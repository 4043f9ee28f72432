/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include "agent/commit/handover.h"
#include "agent/report/status.h"
#include "agent/tail/tail.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"

#include <string.h>

#define LIFE_CHECK_NS NS_PER_S
/*
 * Look at all heads at least that often: soon after something came, seldom when all is quiet. The bell tells of the
 * rest.
 */
#define BACKSTOP_BUSY_NS (100 * NS_PER_MS)
#define BACKSTOP_QUIET_NS NS_PER_S
#define BELL_UNSURE_NS NS_PER_MS
#define IDLE_RINGS_MAX 16u /* a bell that rings more often than that for nothing is heard once in a millisecond */
#define FLUSH_WANTED_NS (10 * NS_PER_MS) /* between two commits made because a program waits for one */
/* Turns in one step before other duties have their turn, too. */
#define TURNS_MAX 16u
#define RESCAN_PAUSE_NS NS_PER_S        /* whoever floods inotify makes the agent look through everything that often */
#define DRAIN_GIVE_UP_NS (5 * NS_PER_S) /* how long a stop waits for a store that fails */
#define DRAIN_STEP_NS (100 * NS_PER_MS)

static uint64_t earliest(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

static void renew_clock(struct agent *agent) {
	struct clock_model_pair now;
	agent->clock_at_ns = agent->now_ns + AGENT_CLOCK_RENEW_NS;
	if (clock_model_pair_read(clock_model_counter_kind(), &now) == 0)
		clock_model_renew(&agent->clock, now);
}

static void check_memory(struct agent *agent) {
	char has[UNITS_TEXT_BYTES];
	char may[UNITS_TEXT_BYTES];
	if (memory_cap_look(&agent->memory) && agent->memory.times_over == 1)
		log_event(
		    agent->log, LOG_LEVEL_WARNING, "memory_over_cap",
		    LOG_FIELDS(LOG_NUMBER("memory_bytes", agent->memory.own_bytes),
		               LOG_NUMBER("memory_cap_bytes", agent->memory.cap_bytes)),
		    "has %s of memory, more than the cap of %s: batches shrink until it fits; raise --memory-cap if "
		    "status shows this often",
		    units_format_bytes((double)agent->memory.own_bytes, has),
		    units_format_bytes((double)agent->memory.cap_bytes, may));
	agent->intake.room_records =
	    agent->memory.rows < INTAKE_BUFFER_RECORDS ? agent->memory.rows : INTAKE_BUFFER_RECORDS;
}

/* Both batches are here when the store thread has none. */
static void rest(struct agent *agent) {
	struct batch *const batches[] = {agent->open_job->batch, agent->spare_job ? agent->spare_job->batch : NULL};
	if (!memory_cap_may_rest(&agent->memory, agent->now_ns) || !batches[1] || !batch_empty(batches[0]) ||
	    !batch_empty(batches[1]))
		return;
	flush_rest(agent->flush);
	memory_cap_rest(&agent->memory, batches, 2);
}

/* Programs that came, and those that could not be told before. */
static void give_ratio(struct agent *agent) {
	if (!agent->roster.has_new && agent->now_ns < agent->life_at_ns)
		return;
	preset_ratio_apply(agent->config->ratio, &agent->roster, agent->log, &agent->ratio);
	if (agent->config->memory_interval_ns == 0)
		agent->roster.has_new = false;
}

static void check_life(struct agent *agent) {
	agent->life_at_ns = agent->now_ns + LIFE_CHECK_NS;
	check_memory(agent);
	rest(agent);
	merger_tell(flush_merger(agent->flush), agent->log);
	log_say_left_out(agent->log);
	metrics_server_expire(agent->metrics, agent->now_ns);
	agent->discovery.hint_closed = false;
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		struct producer *producer = agent->roster.producers[i];
		if (producer->phase != PRODUCER_LIVE || !producer_is_gone(producer) ||
		    !ending_find(producer, &agent->command))
			continue;
		/* Rings that nobody told of; nothing can come after them. */
		discovery_rescan_producer(&agent->discovery, producer);
		producer->phase = PRODUCER_ENDING;
		producer->gone_ns = clock_monotonic_ns();
		producer->dry = false;
		statistics_last_round(producer);
	}
	if (agent->now_ns >= agent->pace_at_ns) {
		agent->pace_at_ns = agent->now_ns + PACE_ROUND_NS;
		pace_round(agent, agent->now_ns);
	}
}

static bool any_ring_half_full(const struct agent *agent) {
	for (uint32_t i = 0; i < agent->roster.feed_count; i++) {
		const struct feed *feed = agent->roster.feeds[i];
		if (!feed->quarantine && feed->taken - feed->stored >= feed->reader.capacity / 2)
			return true;
	}
	return false;
}

static bool any_producer_ending(const struct agent *agent, bool and_settled) {
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		const struct producer *producer = agent->roster.producers[i];
		if (and_settled ? producer_is_settled(producer) : producer->phase == PRODUCER_ENDING)
			return true;
	}
	return false;
}

/* Programs that wait are served soon, but not each with a transaction of its own: those of one interval go together. */
static bool flush_is_wanted(const struct agent *agent) {
	for (uint32_t i = 0; i < agent->roster.feed_count; i++)
		if (feed_flush_wanted(agent->roster.feeds[i]))
			return true;
	return false;
}

/* Half of it may pass before a span is noticed (wake_at, take_turn), half until it is handed over. */
static uint64_t half_wait_ns(const struct agent *agent) {
	return agent->config->max_wait_ns / 2;
}

/* The reason not to let the open job wait, the first that holds; AGENT_HANDOVER_COUNT: there is none. */
static enum agent_handover handover_reason(const struct agent *agent) {
	if (agent->full || agent->sink.catalog_full)
		return AGENT_HANDOVER_FULL;
	if (agent->open_job->batch->span_count >= agent->config->batch_spans + tail_waiting_spans(agent->sink.tail))
		return AGENT_HANDOVER_BATCH_SIZE;
	if (agent->now_ns >= agent->handed_ns + FLUSH_WANTED_NS && flush_is_wanted(agent))
		return AGENT_HANDOVER_WANTED;
	if (agent->oldest_ns != 0 && agent->now_ns >= agent->oldest_ns + half_wait_ns(agent))
		return AGENT_HANDOVER_MAX_WAIT;
	if (agent->now_ns >= agent->flush_at_ns)
		return AGENT_HANDOVER_FLUSH_INTERVAL;
	if (any_producer_ending(agent, true) && !tail_waits_for_ended(agent->sink.tail))
		return AGENT_HANDOVER_ENDED;
	return any_ring_half_full(agent) ? AGENT_HANDOVER_HALF_RING : AGENT_HANDOVER_COUNT;
}

static void hand_over(struct agent *agent, enum agent_handover reason) {
	uint64_t sequence = agent->sequence;
	agent->open_job->oldest_ns = agent->oldest_ns;
	memory_cap_note(&agent->memory, agent->open_job->batch, agent->now_ns);
	handover_send(agent);
	agent->handed_ns = agent->now_ns;
	agent->flush_at_ns = agent->now_ns + agent->config->flush_interval_ns;
	if (agent->sequence == sequence)
		return; /* there was nothing to send, or no memory for it */
	agent->figures.handovers[reason]++;
	agent->sent_oldest_ns = agent->oldest_ns;
	agent->oldest_ns = 0;
	memory_cap_shape(&agent->memory, agent->open_job->batch);
}

static enum intake_end take_turn(struct agent *agent) {
	if (agent->full)
		return INTAKE_FULL;
	users_begin_turn(&agent->roster.users, agent->now_ns);
	enum intake_end end = intake_published(&agent->intake, &agent->sink);
	bool living = agent->now_ns >= agent->flush_at_ns || agent->now_ns >= agent->behind_at_ns;
	if (living)
		agent->behind_at_ns = agent->now_ns + half_wait_ns(agent);
	if (end == INTAKE_FULL || (!living && !any_producer_ending(agent, false)))
		return end;
	enum intake_end more = intake_behind(&agent->intake, &agent->sink, living);
	return more == INTAKE_IDLE ? end : more;
}

/* A turn's worth. What is due is noticed here: an idle agent without programs does not wake up for it. */
static void read_statistics(struct agent *agent) {
	if (agent->now_ns >= agent->statistics_at_ns) {
		statistics_round(&agent->roster);
		agent->round_ns = agent->now_ns;
		agent->statistics_at_ns = agent->now_ns + agent->config->statistics_interval_ns;
	}
	agent->reading = statistics_turn(&agent->statistics, &agent->roster, agent->now_ns);
}

/* One turn through the rings, and another each time a full job could be handed over. */
static bool take_records(struct agent *agent) {
	bool took = false;
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		enum intake_end end = take_turn(agent);
		took = took || end != INTAKE_IDLE;
		agent->full = end == INTAKE_FULL;
		bool again = agent->full;
		if (agent->oldest_ns == 0 && agent->open_job->batch->span_count > 0)
			agent->oldest_ns = agent->now_ns;
		enum agent_handover reason = handover_possible(agent) ? handover_reason(agent) : AGENT_HANDOVER_COUNT;
		if (reason != AGENT_HANDOVER_COUNT)
			hand_over(agent, reason);
		if (!again || agent->full)
			break;
	}
	if (took) {
		agent->busy_ns = agent->now_ns;
		footprint_note_work(agent);
	}
	return took;
}

/*
 * The second look of the pair BELL. A writer rings when its head passes a half of its ring; one that passed it since
 * we took records, and saw us awake, will not ring again soon. A head that has not moved since the look before is one
 * that waits for the rest of a group.
 */
static bool heads_moved(struct agent *agent) {
	bool moved = false;
	for (uint32_t i = 0; i < agent->roster.feed_count; i++) {
		struct feed *feed = agent->roster.feeds[i];
		if (feed->quarantine)
			continue;
		uint64_t half = feed->reader.capacity / 2;
		uint32_t ready = feed_ready(feed);
		uint64_t head = feed->look.head;
		moved = moved || (ready > 0 && head != feed->bell_head && head / half != feed->taken / half);
		feed->bell_head = head;
	}
	return moved;
}

static uint64_t wake_at(const struct agent *agent) {
	uint64_t now = agent->now_ns;
	uint64_t at = earliest(agent->clock_at_ns, agent->rescan_at_ns);
	bool busy = agent->busy_ns + NS_PER_S > now;
	at = earliest(at, now + earliest(busy ? BACKSTOP_BUSY_NS : BACKSTOP_QUIET_NS, half_wait_ns(agent)));
	/* With both jobs away, time alone changes nothing. */
	if (handover_possible(agent))
		at = earliest(at, flush_is_wanted(agent) ? agent->handed_ns + FLUSH_WANTED_NS : agent->flush_at_ns);
	if (handover_possible(agent) && agent->oldest_ns != 0)
		at = earliest(at, agent->oldest_ns + half_wait_ns(agent));
	if (agent->failed_job)
		at = earliest(at, breaker_at_ns(&agent->store.breaker));
	at = earliest(at, store_state_look_at_ns(&agent->store, agent->flush));
	if (agent->reading)
		return now;
	if (agent->roster.producer_count)
		at = earliest(at, agent->statistics_at_ns);
	if (agent->config->memory_interval_ns && agent->roster.producer_count)
		at = earliest(at, agent->sample_at_ns);
	return at;
}

/* Say that we sleep, so that the bell is rung. Returns until when to wait. */
static uint64_t prepare_sleep(struct agent *agent, uint64_t until_ns) {
	if (agent->idle_rings >= IDLE_RINGS_MAX) {
		agent->idle_rings--; /* one more idle ring and we are here again: once in a millisecond */
		return earliest(until_ns, agent->now_ns + BELL_UNSURE_NS);
	}
	if (!doorbell_sleep(agent->bell))
		until_ns = earliest(until_ns, agent->now_ns + BELL_UNSURE_NS);
	return heads_moved(agent) ? 0 : until_ns;
}

static int wait_for_work(struct agent *agent, uint64_t until_ns, uint32_t *ret_ready) {
	uint64_t at = earliest(wake_at(agent), until_ns);
	/* With a full job and the store at work only the store can wake us to any purpose. */
	if (!agent->full)
		at = agent->intake.cut ? 0 : prepare_sleep(agent, at);
	uint64_t now = clock_monotonic_ns();
	int rc = loop_wait(agent->loop, at > now ? at - now : 0, ret_ready);
	doorbell_awake(agent->bell);
	return rc;
}

static void serve_events(struct agent *agent, uint32_t ready) {
	if (ready & (1u << LOOP_BELL))
		doorbell_clear(agent->bell);
	if (ready & (1u << LOOP_STORE))
		handover_receive(agent);
	if (ready & (1u << LOOP_INOTIFY))
		discovery_events(&agent->discovery);
	if (agent->discovery.rescan_wanted)
		agent->rescan_at_ns = earliest(agent->rescan_at_ns, agent->rescanned_ns + RESCAN_PAUSE_NS);
	if (ready & (1u << LOOP_STATUS))
		status_serve(agent);
	if (ready & (1u << LOOP_METRICS))
		metrics_server_serve(agent->metrics, agent);
}

static void serve_timers(struct agent *agent) {
	if (agent->now_ns >= agent->clock_at_ns)
		renew_clock(agent);
	store_state_look(&agent->store, agent->now_ns, agent->flush);
	handover_retry(agent, false);
	if (config_has_ratio(agent->config))
		give_ratio(agent);
	if (agent->now_ns >= agent->rescan_at_ns) {
		agent->rescanned_ns = agent->now_ns;
		agent->rescan_at_ns = agent->now_ns + DISCOVERY_RESCAN_NS;
		discovery_rescan(&agent->discovery);
	}
	if (agent->now_ns >= agent->life_at_ns || agent->discovery.hint_closed)
		check_life(agent);
	if (agent->config->memory_interval_ns && (agent->roster.has_new || agent->now_ns >= agent->sample_at_ns))
		footprint_take(agent);
}

int agent_step(struct agent *agent, uint64_t until_ns, uint32_t *ret_ready) {
	agent->now_ns = clock_monotonic_ns();
	serve_timers(agent);
	read_statistics(agent);
	bool took = take_records(agent);
	uint32_t ready = 0;
	if (took)
		agent->idle_rings = 0;
	else if (agent->rang)
		agent->idle_rings++;
	int rc = wait_for_work(agent, until_ns, &ready);
	if (rc < 0) {
		log_error(agent->log, "waiting failed: %s", strerror(-rc));
		return rc;
	}
	agent->rang = (ready & (1u << LOOP_BELL)) != 0;
	serve_events(agent, ready);
	*ret_ready = ready;
	return 0;
}

/* What was published when the stop began is taken: a program that never pauses must not keep the agent from ending. */
static bool stop_is_reached(struct agent *agent) {
	for (uint32_t i = 0; i < agent->roster.feed_count; i++) {
		const struct feed *feed = agent->roster.feeds[i];
		if (!feed->quarantine && feed->taken < feed->bell_head)
			return false;
	}
	return true;
}

/* All that is due, or a round of its own. */
static void read_all_statistics(struct agent *agent, bool round) {
	if (round)
		statistics_round(&agent->roster);
	do
		read_statistics(agent);
	while (agent->reading);
}

int agent_drain(struct agent *agent) {
	agent->stopping = true;
	discovery_events(&agent->discovery);
	discovery_rescan(&agent->discovery);
	agent->now_ns = clock_monotonic_ns();
	check_life(agent);
	(void)heads_moved(agent);
	handover_retry(agent, true);
	uint64_t failing_since = 0;
	for (bool last = false;;) {
		agent->now_ns = clock_monotonic_ns();
		agent->flush_at_ns = agent->now_ns; /* everything is due */
		if (!last) {
			read_all_statistics(agent, false);
			bool took = take_records(agent);
			last = !agent->full && (!took || stop_is_reached(agent)) && handover_possible(agent);
			if (last) {
				read_all_statistics(agent, true);
				handover_send(agent); /* rows of the last turn, and the books as they are now */
			}
		}
		if (last && flush_is_idle(agent->flush) && !agent->failed_job)
			return EXIT_CODE_OK;
		store_state_look(&agent->store, agent->now_ns, agent->flush);
		if (agent->store.breaker.state == BREAKER_OK)
			failing_since = 0;
		else if (failing_since == 0)
			failing_since = agent->now_ns;
		else if (agent->now_ns - failing_since > DRAIN_GIVE_UP_NS) {
			log_event(
			    agent->log, LOG_LEVEL_ERROR, "stopped_without_store",
			    LOG_FIELDS(LOG_TEXT("store", agent->config->store)),
			    "store %s: %s; stopped without it: what is not stored stays in the rings for the next agent",
			    agent->config->store, agent->store.text);
			return EXIT_CODE_OUTPUT;
		}
		uint32_t ready = 0;
		if (flush_is_idle(agent->flush) && !agent->failed_job)
			continue;
		handover_retry(agent, false);
		if (loop_wait(agent->loop, DRAIN_STEP_NS, &ready) < 0)
			return EXIT_CODE_FAILED;
		serve_events(agent, ready);
	}
}
