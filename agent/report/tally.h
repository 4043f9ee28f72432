/* SPDX-License-Identifier: Apache-2.0 */
/* The books of rings and programs, added up: what status and metrics tell. */
#ifndef SPANRING_AGENT_TALLY_H
#define SPANRING_AGENT_TALLY_H

#include <stdint.h>

struct feed;
struct producer;

/* Of spans, unless it says otherwise. */
struct tally {
	uint64_t begun;
	uint64_t open; /* with async_open */
	uint64_t async_open;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_no_ring;
	uint64_t dropped_reentry;
	uint64_t dropped_attributes; /* these two: attributes, events */
	uint64_t dropped_events;
	uint64_t sampled_out; /* by the sampler */
	uint64_t sampled_out_short;
	uint64_t thinned; /* by tail keep */
	uint64_t stored;  /* given to the store */
	uint64_t rejected;
	uint64_t rejected_other; /* these two: records */
	uint64_t lost;
	uint64_t waiting; /* records in rings that are not stored */
	uint64_t rings;
	uint64_t quarantined;  /* rings */
	double fill_ratio_max; /* of the fullest ring: the part of it that waits */
};

static inline uint64_t tally_dropped(const struct tally *tally) {
	return tally->dropped_full + tally->dropped_depth + tally->dropped_no_ring + tally->dropped_reentry;
}

static inline uint64_t tally_sampled_out(const struct tally *tally) {
	return tally->sampled_out + tally->sampled_out_short + tally->thinned;
}

/* Renew what the program's files say. */
void tally_look(struct producer *producer);

/* As last looked at. */
void tally_add_feed(const struct feed *feed, struct tally *tally);
void tally_add_producer(const struct producer *producer, struct tally *tally);

/*
 * The same, of counters only: what was counted since an agent first had the rings, without what an earlier agent's store
 * already knew.
 */
void tally_add_new(const struct producer *producer, struct tally *tally);

void tally_add(const struct tally *other, struct tally *tally);

#endif
