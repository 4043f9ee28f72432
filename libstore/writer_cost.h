/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tracing costs a program on this machine, as an agent measured it when it started (agent/footprint/writer_cost.h). Each segment that it
 * makes has it in meta.writer_cost, as this struct lies in memory, and its checksum; segments of agents that did not measure have none.
 */
#ifndef SPANRING_LIBSTORE_WRITER_COST_H
#define SPANRING_LIBSTORE_WRITER_COST_H

#include <stdint.h>

enum store_cost {
	STORE_COST_SPAN,      /* begin and end, one after the other in a loop */
	STORE_COST_SPAN_COLD, /* the same, once, after other work took the caches */
	STORE_COST_ATTRIBUTE, /* a number set on an open span */
	STORE_COST_EVENT,
	STORE_COST_COUNT
};

#define STORE_COST_PS_MAX (UINT64_C(1) << 50)

/* Picoseconds, of one operation; each round is one measurement. */
struct store_cost_figure {
	uint64_t median_ps;
	uint64_t low_ps; /* 95 % interval of the median */
	uint64_t high_ps;
	uint64_t spread_low_ps; /* 95 % of the rounds are between these */
	uint64_t spread_high_ps;
};

struct store_writer_cost {
	uint64_t rounds; /* of each figure; 0: not measured */
	uint64_t time_wall_ns;
	struct store_cost_figure figures[STORE_COST_COUNT];
};

#define STORE_WRITER_COST_BYTES 176u
_Static_assert(sizeof(struct store_writer_cost) == STORE_WRITER_COST_BYTES, "no padding");

#endif
