/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#include "agent/agent.h"
#include "base/clock.h"

#define SEARCH_RECORDS 64u /* for a SPAN record; attributes and events of a span lie before it */

void pace_look(struct pace *pace, uint64_t now_ns, uint64_t count) {
	if (pace->first_ns == 0) {
		*pace = (struct pace){.first_ns = now_ns, .first_count = count, .at_ns = now_ns, .count = count};
		return;
	}
	if (now_ns < pace->at_ns + PACE_INTERVAL_NS_MIN)
		return;
	uint64_t ended = count > pace->count ? count - pace->count : 0;
	pace->per_second = (double)ended * (double)NS_PER_S / (double)(now_ns - pace->at_ns);
	pace->at_ns = now_ns;
	pace->count = count;
}

double pace_mean(const struct pace *pace, uint64_t now_ns, uint64_t count) {
	if (pace->first_ns == 0 || now_ns <= pace->first_ns || count <= pace->first_count)
		return 0;
	return (double)(count - pace->first_count) * (double)NS_PER_S / (double)(now_ns - pace->first_ns);
}

static uint64_t ended(const struct tally *tally) {
	return tally->begun > tally->open ? tally->begun - tally->open : 0;
}

static void look_at_producer(struct producer *producer, uint64_t now_ns) {
	struct tally all = {0};
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		struct feed *feed = producer->feeds[i];
		(void)feed_look(feed);
		pace_look(&feed->pace, now_ns, feed->look.begun - feed->look.open);
	}
	tally_add_producer(producer, &all);
	pace_look(&producer->pace, now_ns, ended(&all));
}

void pace_begin(struct producer *producer) {
	look_at_producer(producer, clock_monotonic_ns());
}

void pace_round(struct agent *agent, uint64_t now_ns) {
	for (uint32_t i = 0; i < agent->roster.producer_count; i++)
		look_at_producer(agent->roster.producers[i], now_ns);
}

uint64_t pace_lag_ns(const struct agent *agent, const struct feed *feed, uint64_t now_ns) {
	union spanring_record records[SEARCH_RECORDS];
	uint64_t from = feed->stored;
	if (feed->quarantine || feed->look.head <= from)
		return 0;
	uint64_t there = feed->look.head - from;
	uint32_t count = there < SEARCH_RECORDS ? (uint32_t)there : SEARCH_RECORDS;
	if (ring_reader_read(&feed->reader, from, count, records) < 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct spanring_span_record *span = &records[i].span;
		uint64_t lap = (from + i) / feed->reader.capacity;
		if (span->tail.type != SPANRING_RECORD_SPAN || span->tail.lap != spanring_lap_tag(lap))
			continue;
		uint64_t ticks = span->start_ticks + span->duration_ticks;
		uint64_t end_ns = ticks < span->start_ticks ? now_ns : producer_ns(feed->producer, &agent->sink, ticks);
		return end_ns < now_ns ? now_ns - end_ns : 0;
	}
	return 0;
}

uint64_t pace_agent_lag_ns(const struct agent *agent, uint64_t now_ns) {
	uint64_t oldest_ns = agent->oldest_ns;
	if (agent->failed_job || !flush_is_idle(agent->flush))
		oldest_ns = agent->sent_oldest_ns ? agent->sent_oldest_ns : oldest_ns;
	return oldest_ns != 0 && oldest_ns < now_ns ? now_ns - oldest_ns : 0;
}
