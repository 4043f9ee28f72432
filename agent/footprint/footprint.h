/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is sampled when: each program at its first sight and then every memory-interval, as far as the budget goes (sampler.h), and the
 * agent itself in the same way, at most once a second and only while there is a program: an idle agent stays idle. Where the budget
 * does not suffice the interval grows for all alike: the next round begins with the program that had to wait.
 *
 * A program in which nothing changed between two samples (footprint_mark.h) has the next one after FOOTPRINT_QUIET_INTERVALS, or as soon
 * as a span of it ended. Not where the interval is shorter than a second: who asks for that looks closely.
 */
#ifndef SPANRING_AGENT_FOOTPRINT_H
#define SPANRING_AGENT_FOOTPRINT_H

#include "sampler.h"

#define FOOTPRINT_QUIET_INTERVALS 12u

struct agent;

struct footprint {
	struct sampler sampler;
	struct sampler_target self;
	struct store_memory_sample own; /* newest; time_ns 0: none yet */
	uint64_t own_at_ns;
	uint64_t taken_ns; /* when footprint_take was last at work */
	uint32_t next;     /* of the roster, first in the next round */
	uint64_t put_off;  /* rounds that ended for want of budget */
};

void footprint_open(struct footprint *footprint);

/* All that are due, into the open job; moves agent->sample_at_ns. */
void footprint_take(struct agent *agent);

/* Records came: programs that were quiet may be due again. Moves agent->sample_at_ns. */
void footprint_note_work(struct agent *agent);

#endif
