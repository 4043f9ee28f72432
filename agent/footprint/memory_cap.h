/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `memory-cap`: how large the agent's buffers are, and what it does when it has more than it may.
 *
 *     cap = 24 MiB (program, SQLite, catalogs; 16 MiB of it for statistics) + what is shared out
 *
 * 40 MiB to share give two batches of the format's full size with what encodes them, the largest read buffer, and room for 65,536 memory
 * samples; less gives each its part. Once a second the memory that is the agent's own (resident, without what it shares with programs and
 * libraries) is looked at. While it is above the cap, batches are halved each time and what they leave is given back to the system, down to
 * MEMORY_CAP_ROWS_MIN; they grow again when three quarters of the cap are enough. Small batches cost commits and compression, never spans.
 *
 * What a burst leaves in the batches is given back, too, once none of them was large for MEMORY_CAP_REST_NS: an agent that is quiet is small.
 */
#ifndef SPANRING_AGENT_MEMORY_CAP_H
#define SPANRING_AGENT_MEMORY_CAP_H

#include "libstore/batch.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_CAP_ROWS_MIN 8192u
#define MEMORY_CAP_REST_NS UINT64_C(30000000000)

struct memory_cap {
	uint64_t cap_bytes;
	uint64_t reserved_bytes;
	uint64_t own_bytes; /* at the last look */
	uint32_t rows_full; /* that the cap allows */
	uint32_t rows;      /* now: of a batch, of the read buffer, and memory samples of one job */
	bool over;
	uint64_t times_over;
	uint64_t
	    large_ns; /* when a batch of more than MEMORY_CAP_ROWS_MIN rows was handed over; 0: not since the last rest */
};

/* reserved_bytes: of the cap, for what is no buffer. */
void memory_cap_init(struct memory_cap *memory, uint64_t cap_bytes, uint64_t reserved_bytes);

/* Another cap from now on; the next batches fit it. */
void memory_cap_change(struct memory_cap *memory, uint64_t cap_bytes);

/* Look, and choose the size of the next batches. True when the cap was passed just now. */
bool memory_cap_look(struct memory_cap *memory);

/* Give an empty batch the size. */
void memory_cap_shape(const struct memory_cap *memory, struct batch *batch);

/* A batch goes: is it one that leaves memory behind? */
void memory_cap_note(struct memory_cap *memory, const struct batch *batch, uint64_t now_ns);

/* May the batches rest now? If so, all of them are to be given to memory_cap_rest, which takes empty ones. */
bool memory_cap_may_rest(const struct memory_cap *memory, uint64_t now_ns);
void memory_cap_rest(struct memory_cap *memory, struct batch *const *batches, size_t count);

/* Resident bytes that are not shared; 0 if the kernel does not say. */
uint64_t memory_cap_own_bytes(void);

#endif
