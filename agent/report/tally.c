/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include "agent/intake/async.h"
#include "agent/intake/producer.h"
#include "base/clock.h"

void tally_look(struct producer *producer) {
	for (uint32_t i = 0; i < producer->feed_count; i++)
		(void)feed_look(producer->feeds[i]);
	async_look(producer, clock_monotonic_ns());
	(void)process_reader_counters(&producer->reader, &producer->counters);
}

static uint64_t beyond(uint64_t value, uint64_t base) {
	return value > base ? value - base : 0;
}

/* A program that is over has its last books in the row that the store was given (feed_cursor settles them). */
static void add_books(const struct feed *feed, struct tally *tally) {
	const struct ring_reader_look *look = &feed->look;
	bool over = feed->producer->phase == PRODUCER_ENDED;
	tally->begun += over ? feed->handed.begun : look->begun;
	tally->open += over ? feed->handed.open : look->open;
	tally->dropped_full += look->dropped_full;
	tally->dropped_depth += look->dropped_depth;
	tally->dropped_attributes += look->dropped_attributes;
	tally->dropped_events += look->dropped_events;
	tally->sampled_out += look->sampled_out;
	tally->sampled_out_short += look->sampled_out_short;
	tally->thinned += feed->handed.thinned_spans;
	tally->stored += feed->handed.stored_spans;
	tally->rejected += feed->books.rejected_spans;
	tally->rejected_other += feed->books.rejected_other;
	tally->lost += feed->books.lost_records;
}

void tally_add_feed(const struct feed *feed, struct tally *tally) {
	uint64_t waiting = beyond(feed->look.head, feed->stored);
	double fill_ratio = (double)waiting / (double)(feed->reader.capacity ? feed->reader.capacity : 1);
	add_books(feed, tally);
	tally->rings++;
	tally->quarantined += feed->quarantine != 0;
	if (feed->quarantine)
		return; /* what lies there is never stored */
	tally->waiting += waiting;
	if (fill_ratio > tally->fill_ratio_max)
		tally->fill_ratio_max = fill_ratio;
}

/* Begun, ended and dropped at once, in no ring; async spans that are open, in no ring either. */
static void add_outside_rings(const struct producer *producer, struct tally *tally) {
	uint64_t open = producer->async ? producer->async->open : 0;
	const struct process_reader_counters *counters = &producer->counters;
	tally->begun += open + counters->dropped_no_ring + counters->dropped_reentry;
	tally->open += open;
	tally->async_open += open;
	tally->dropped_no_ring += counters->dropped_no_ring;
	tally->dropped_reentry += counters->dropped_reentry;
}

void tally_add_producer(const struct producer *producer, struct tally *tally) {
	for (uint32_t i = 0; i < producer->feed_count; i++)
		tally_add_feed(producer->feeds[i], tally);
	add_outside_rings(producer, tally);
}

static void take_known_out(const struct store_cursor *known, struct tally *ring) {
	uint64_t ended = beyond(ring->begun, ring->open);
	ring->begun = beyond(ended, beyond(known->begun, known->open));
	ring->open = 0;
	ring->dropped_full = beyond(ring->dropped_full, known->dropped_full);
	ring->dropped_depth = beyond(ring->dropped_depth, known->dropped_depth);
	ring->dropped_attributes = beyond(ring->dropped_attributes, known->dropped_attributes);
	ring->dropped_events = beyond(ring->dropped_events, known->dropped_events);
	ring->sampled_out = beyond(ring->sampled_out, beyond(known->sampled_out, known->thinned_spans));
	ring->thinned = beyond(ring->thinned, known->thinned_spans);
	ring->sampled_out_short = beyond(ring->sampled_out_short, known->sampled_out_short);
	ring->stored = beyond(ring->stored, known->stored_spans);
	ring->rejected = beyond(ring->rejected, known->rejected_spans);
	ring->rejected_other = beyond(ring->rejected_other, known->rejected_other);
	ring->lost = beyond(ring->lost, known->lost_records);
}

void tally_add_new(const struct producer *producer, struct tally *tally) {
	static const struct store_cursor nothing;
	const struct process_reader_counters *counters = &producer->counters;
	uint64_t no_ring = beyond(counters->dropped_no_ring, producer->known_no_ring);
	uint64_t reentry = beyond(counters->dropped_reentry, producer->known_reentry);
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		const struct feed *feed = producer->feeds[i];
		struct tally ring = {0};
		add_books(feed, &ring);
		take_known_out(feed->known ? feed->known : &nothing, &ring);
		tally_add(&ring, tally);
	}
	tally->begun += no_ring + reentry;
	tally->dropped_no_ring += no_ring;
	tally->dropped_reentry += reentry;
}

void tally_add(const struct tally *other, struct tally *tally) {
	tally->begun += other->begun;
	tally->open += other->open;
	tally->async_open += other->async_open;
	tally->dropped_full += other->dropped_full;
	tally->dropped_depth += other->dropped_depth;
	tally->dropped_no_ring += other->dropped_no_ring;
	tally->dropped_reentry += other->dropped_reentry;
	tally->dropped_attributes += other->dropped_attributes;
	tally->dropped_events += other->dropped_events;
	tally->sampled_out += other->sampled_out;
	tally->sampled_out_short += other->sampled_out_short;
	tally->thinned += other->thinned;
	tally->stored += other->stored;
	tally->rejected += other->rejected;
	tally->rejected_other += other->rejected_other;
	tally->lost += other->lost;
	tally->waiting += other->waiting;
	tally->rings += other->rings;
	tally->quarantined += other->quarantined;
	if (other->fill_ratio_max > tally->fill_ratio_max)
		tally->fill_ratio_max = other->fill_ratio_max;
}
