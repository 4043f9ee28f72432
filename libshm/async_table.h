/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots of the async spans of this process: who may touch one, and when it may be used again. Private to the writer library.
 *
 * A slot of the shared file has a place in private memory, and that alone decides: nothing here is read back from shared memory. The
 * place holds one word,
 *
 *     generation << 32 | users << 8 | ENDING | OPEN
 *
 * and only compare-and-swap moves it:
 *
 *     claimed from the free list ──(begin)──> OPEN ──(end; one thread wins)──> ENDING ──(record written)──> 0 and no users: free
 *
 * Who sets attributes counts as a user meanwhile, so a slot is not used again under its hands: the one who leaves a closed slot last frees
 * it. Nobody ever waits. A freed slot gets the next generation, which makes all its handles stale.
 *
 * The free list is a stack of places; its head carries a tag that changes with each move, so a head that was taken away and
 * brought back meanwhile is not mistaken for the same.
 *
 * The state hangs off the process page, which a forked child sees as zeros: there is no table there, and all handles are stale.
 */
#ifndef SPANRING_LIBSHM_ASYNC_TABLE_H
#define SPANRING_LIBSHM_ASYNC_TABLE_H

#include <spanring/async.h>
#include <spanring/async_abi.h>
#include <stdbool.h>
#include <stdint.h>

struct spanring__process;

struct spanring__async_place {
	uint64_t word;
	uint32_t next_free; /* place + 1; 0: none */
	uint32_t reserved;
};

struct spanring__async_table {
	struct spanring_async_header *header;
	struct spanring_async_slot
	    *slots; /* addresses of SPANRING_ASYNC_SLOTS_MAX; only slot_count of them have memory */
	struct spanring__async_place *places; /* NULL: there is no table; released when all is ready */
	uint32_t slot_count;                  /* these three under the lock of the process */
	bool is_final;                        /* it will not grow any more */
	uint64_t free_head __attribute__((aligned(SPANRING_LINE_BYTES))); /* tag << 32 | place + 1 */
	uint8_t pad[SPANRING_LINE_BYTES - sizeof(uint64_t)];
};

/*
 * Take up to `count` slots; makes or grows the file when there are too few. Returns how many were taken. What is taken is not open
 * yet: fill the slot, publish its state, then spanring__async_table_open.
 */
uint32_t spanring__async_table_take(struct spanring__process *process, uint32_t count, uint32_t *ret_slots);

/* The span in a slot that was taken is complete. Returns its generation. */
uint32_t spanring__async_table_open(struct spanring__async_table *table, uint32_t slot);
uint32_t spanring__async_table_generation(const struct spanring__async_table *table, uint32_t slot);

/* Use the slot of an open span, or be the one who ends it. NULL if the handle is stale; else to be given back. */
struct spanring_async_slot *spanring__async_table_use(struct spanring__async_table *table, struct spanring_async span);
struct spanring_async_slot *spanring__async_table_close(struct spanring__async_table *table,
                                                        struct spanring_async span);
void spanring__async_table_unuse(struct spanring__async_table *table, uint32_t slot);
void spanring__async_table_closed(struct spanring__async_table *table, uint32_t slot);

/* Spans that are open or about to end. Locked. */
uint64_t spanring__async_table_count(const struct spanring__async_table *table);

#endif
