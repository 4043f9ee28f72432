/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of one ring. The file belongs to a program that may be broken or hostile, so
 *   - the header is copied once, checked, and only the copy's geometry is used from then on;
 *   - of the file only the header page is mapped, and touched under the fault guard; records are read into private
 * memory;
 *   - every word read later (head, books, state) is loaded once into a local and checked there; the tail is never read
 * back. A function that finds a promise of ring_abi.h broken returns ERR_DAMAGED, one that finds the file gone
 * ERR_GONE; the ring is then of no more use and the caller puts it aside. One thread per ring.
 */
#ifndef SPANRING_LIBSHM_RING_READER_H
#define SPANRING_LIBSHM_RING_READER_H

#include <spanring/ring_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the place where a file was found says about it. */
struct ring_reader_expect {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t ring_index;
	uid_t uid;
	bool read_only; /* never ring_reader_tail_store: the file is opened and mapped without the right to write */
};

struct ring_reader {
	int fd;
	struct spanring_ring_header *header; /* mapped, hostile */
	uint32_t capacity;                   /* records */
	uint32_t owner_word_offset;
	uint64_t head; /* as last seen */
	uint64_t tail; /* as in the file at open; then what we stored there */
};

/*
 * The words of the header that move, read once, in the order that makes ended >= records + drops + sampled out. begun and open
 * count the attached contexts on the stack, too; ring_stack_contexts tells how many.
 */
struct ring_reader_look {
	uint64_t head;
	uint64_t begun;
	uint64_t open;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_attributes;
	uint64_t dropped_events;
	uint64_t sampled_out;
	uint64_t sampled_out_short;
	uint64_t heap_allocated_bytes; /* any number: nothing is checked against it */
	uint64_t heap_freed_bytes;
	uint32_t state;
	uint32_t tid;
	uint32_t owner_word;
	uint64_t flush_wanted; /* a request of the program, any number: compare, never index with it */
};

enum ring_reader_life {
	RING_READER_LIVE,
	RING_READER_RETIRED,  /* left in good order; may be taken over by another thread of the process */
	RING_READER_DIED,     /* the kernel found the lock held by a dead thread */
	RING_READER_UNSETTLED /* active, but not locked: between the two, or dishonest; only the end of the process
	                         decides */
};

/* A stretch of the file that holds records. */
struct ring_reader_extent {
	uint64_t offset;
	uint32_t records;
};

/* "ring-0007" -> 7; false for any other name. */
bool ring_reader_index(const char *name, uint32_t *ret_index);

/* 0, ERR_FOREIGN (not a ring file, or not this one), ERR_NEWER, ERR_DAMAGED, or a system error. */
int ring_reader_open(int directory_fd, const char *name, const struct ring_reader_expect *expect,
                     struct ring_reader *ret_reader);
void ring_reader_close(struct ring_reader *reader);

/* A1: the published head, and up to where the program waits to see its records stored. */
int ring_reader_head(struct ring_reader *reader, uint64_t *ret_head, uint64_t *ret_flush_wanted);

/* Everything; includes ring_reader_head. */
int ring_reader_look(struct ring_reader *reader, struct ring_reader_look *ret_look);
enum ring_reader_life ring_reader_life(const struct ring_reader_look *look);

/* Where records [position, position + count) lie: 1 or 2 stretches. count <= capacity. */
uint32_t ring_reader_extents(const struct ring_reader *reader, uint64_t position, uint32_t count,
                             struct ring_reader_extent ret_extents[2]);

/* A2: copy records [position, position + count). */
int ring_reader_read(const struct ring_reader *reader, uint64_t position, uint32_t count,
                     union spanring_record *ret_records);

/* How many of these copies, from the first on, carry the lap tag of their position. */
uint32_t ring_reader_valid(const struct ring_reader *reader, uint64_t position, uint32_t count,
                           const union spanring_record *records);

/*
 * Records behind the head: copies at most count records from position on and says how many are whole. With `living`,
 * the writer may still run: they are looked at, then copied again behind a barrier on all processors (A1' to A3').
 */
int ring_reader_behind(const struct ring_reader *reader, uint64_t position, uint32_t count, bool living,
                       union spanring_record *ret_records, uint32_t *ret_count);

/* The word of the accounting, for who reads what it counts (ring_stack.h). */
int ring_reader_begun_open(const struct ring_reader *reader, uint64_t *ret_begun_open);

/* A4: everything before position is stored for good. */
int ring_reader_tail_store(struct ring_reader *reader, uint64_t position);

#endif
