/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which traces are kept, as pure functions: no state, no clock, no chance.
 *
 * A trace with something to tell is kept for certain. Any other is kept if a hash of its id is at most a limit, so whoever meets a part of it,
 * in another batch, process or agent, decides the same without having seen the rest. Every span kept for the hash carries the reciprocal
 * of the probability of that as its weight; one kept for what its trace tells has weight 1. As each span is kept with a known probability and
 * weighted with its reciprocal, sums of weights have the true sums as their expectation (Horvitz and Thompson).
 *
 * The hash uses the low half of the trace id, which is all that attributes, events and links carry; it has nothing to do with the share that
 * the samplers of programs keep, so both can be in use.
 */
#ifndef SPANRING_AGENT_TAIL_CHOICE_H
#define SPANRING_AGENT_TAIL_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#define TAIL_RATIO_MIN "0.000001" /* smaller ones have weights that find no room */
#define TAIL_PER_MILLION 1000000u

enum tail_slow {
	TAIL_SLOW_NEVER,
	TAIL_SLOW_FIXED,     /* a span of the trace that takes longer than slow_ns */
	TAIL_SLOW_PERCENTILE /* a span that enters a process and takes longer than this one of its name */
};

struct tail_rules {
	uint64_t limit;  /* highest hash that is kept */
	uint32_t weight; /* of a span kept for its hash, in units of 1/STORE_WEIGHT_ONE; 0: none is */
	enum tail_slow slow;
	uint64_t slow_ns;
	uint32_t slow_per_million; /* the percentile */
	uint64_t rare;             /* a name that comes less often in a window makes its traces rare; 0: none is */
	uint64_t first;            /* so many spans of each name are kept with their traces */
	uint64_t wait_ns;
};

/* Why a trace is kept for certain. */
enum {
	TAIL_FAILED = 1u << 0, /* a span has status error */
	TAIL_SLOW = 1u << 1,
	TAIL_RARE = 1u << 2,
	TAIL_FIRST = 1u << 3,
	TAIL_CUT = 1u << 4, /* its process died in the middle of it */
	TAIL_REASONS = TAIL_FAILED | TAIL_SLOW | TAIL_RARE | TAIL_FIRST | TAIL_CUT
};

/* "0", "0.01", "1"; false, and nothing changed, for what is no share, or smaller than TAIL_RATIO_MIN and not 0. */
bool tail_choice_set_ratio(struct tail_rules *rules, const char *text);
/* "p99", "p99.9", "250ms", "never"; false, and nothing changed, for anything else. */
bool tail_choice_set_slow(struct tail_rules *rules, const char *text);

/* Is a trace kept for the hash of its id? */
bool tail_choice_by_hash(const struct tail_rules *rules, uint64_t trace_lo);

/* The weight of a span of a trace with these reasons (TAIL_*); 0: it is left out. */
uint32_t tail_choice_weight(const struct tail_rules *rules, uint64_t trace_lo, uint32_t reasons);

#endif
