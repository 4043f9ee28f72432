/* SPDX-License-Identifier: Apache-2.0 */
/* How fast spans end in a ring or program, and how old the oldest is that is not stored yet. */
#ifndef SPANRING_AGENT_PACE_H
#define SPANRING_AGENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct feed;
struct producer;

#define PACE_INTERVAL_NS_MIN UINT64_C(1000000000) /* between two looks that count */
#define PACE_ROUND_NS UINT64_C(2000000000)        /* and how often the agent looks when nobody asks */

/* Spans that ended, at two moments. */
struct pace {
	uint64_t first_ns; /* when counting began; 0: not yet */
	uint64_t first_count;
	uint64_t at_ns; /* the last look */
	uint64_t count;
	double per_second; /* between the last two looks */
};

/* A look; nothing happens when the last one was just now. */
void pace_look(struct pace *pace, uint64_t now_ns, uint64_t count);

/* Mean since the first look. */
double pace_mean(const struct pace *pace, uint64_t now_ns, uint64_t count);

/* A program comes. */
void pace_begin(struct producer *producer);

/* All rings and programs. */
void pace_round(struct agent *agent, uint64_t now_ns);

/* Age of the end of the oldest span that lies in the ring and is not stored: reads it. 0: there is none. */
uint64_t pace_lag_ns(const struct agent *agent, const struct feed *feed, uint64_t now_ns);

/* The same of all that the agent has taken, without reading. */
uint64_t pace_agent_lag_ns(const struct agent *agent, uint64_t now_ns);

#endif
