/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Async spans in shared memory: spans that no thread's stack holds, because one thread begins them and any thread ends them.
 *
 * ASYNC FILE ("async" in the instance directory; none until the process begins its first async span)
 *
 *     0                   struct spanring_async_header
 *     4096 + n * 128      struct spanring_async_slot, n < slot_count
 *
 * The file grows in steps of SPANRING_ASYNC_STEP_SLOTS: the blocks are reserved (posix_fallocate), then slot_count is
 * released (pair TABLE). It never shrinks. Any thread of the process writes any slot, but a slot belongs to one thread at a time;
 * how the program arranges that is not part of the contract.
 *
 * ONE SLOT, one open span:
 *
 *     begin     the slot's words, then state = OPEN (release)
 *     end       end_ring and end_count, then state = one of the ENDING ones (release),
 *               then the record (or the count of its drop), then begun_open of that ring,
 *               then state = FREE (release)
 *
 * All with the generation of the slot in the upper half of the word; it differs in any two spans that follow each other there.
 *
 * ACCOUNTING. A ring knows nothing of the async spans that are open. The ring of the thread that ends one counts it as begun and
 * ended in one step (begun_open += 1 << SPANRING_BEGUN_SHIFT), so its identity stays exact by itself, and
 *     spans begun by the process = sum over its rings + dropped_no_ring + slots that are not FREE
 * A span that finds no slot is begun and ended in one, too, as one more of dropped_depth; dropped_async of the process file says
 * how many of those there were.
 *
 * AFTER A DEATH an OPEN slot is a span that never ended. A slot in one of the ENDING states was cut off in the middle, and its ring tells
 * whether the span had ended:
 *     ENDING_RECORD     if position end_count of ring end_ring holds the SPAN record of this span id, with the right lap tag
 *     ENDING_FULL       if dropped_full of that ring has come to end_count
 *     ENDING_SAMPLED    if sampled_out has
 *     ENDING_SHORT      if sampled_out_short has
 * A thread that was killed there may have died before it counted the span in begun_open. That ring then shows ended one short, and
 * it is begun that is one short, not open that is one too high.
 *
 * TRUST, FORK: as for the other files (ring_abi.h).
 */
#ifndef SPANRING_ASYNC_ABI_H
#define SPANRING_ASYNC_ABI_H

#include <spanring/ring_abi.h>

#define SPANRING_ASYNC_MAGIC 0x314e595341525053ull /* "SPRASYN1" */
#define SPANRING_ASYNC_NAME "async"

#define SPANRING_ASYNC_SLOTS_MAX 65536u /* async spans open in one process; more are dropped, counted */
#define SPANRING_ASYNC_STEP_SLOTS 1024u
#define SPANRING_ASYNC_SLOTS_OFFSET 4096u

/* Lower half of a slot's state. */
#define SPANRING_ASYNC_FREE 0u
#define SPANRING_ASYNC_OPEN 1u
#define SPANRING_ASYNC_ENDING_RECORD 2u
#define SPANRING_ASYNC_ENDING_FULL 3u
#define SPANRING_ASYNC_ENDING_SAMPLED 4u
#define SPANRING_ASYNC_ENDING_SHORT 5u

#define SPANRING_ASYNC_GENERATION_SHIFT 32u

struct spanring_async_header {
	/* Written once, before the file is published. */
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint32_t features_incompat;
	uint32_t features_compat;
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t slot_bytes;
	uint32_t slots_max;
	uint64_t slots_offset;
	uint8_t reserved0[72];

	/* Written by the program under its lock. */
	uint32_t slot_count;
	uint8_t reserved1[3964];
};

struct spanring_async_slot {
	struct spanring_open_span span; /* as on a thread's stack */
	uint64_t state;
	uint64_t end_count;
	uint32_t end_ring;
	uint32_t begin_tid; /* of the thread that began it */
	uint8_t reserved0[40];
};

SPANRING_STATIC_ASSERT(sizeof(struct spanring_async_header) == SPANRING_ASYNC_SLOTS_OFFSET, "async header is one page");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_async_slot) == SPANRING_LINE_BYTES, "async slots share no line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_async_header, instance) == 24, "async: instance");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_async_header, slot_count) == 128, "async: count");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_async_slot, state) == 64, "async slot: state");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_async_slot, end_ring) == 80, "async slot: ring");
SPANRING_STATIC_ASSERT(SPANRING_ASYNC_SLOTS_MAX % SPANRING_ASYNC_STEP_SLOTS == 0, "async slots are whole steps");

#endif
