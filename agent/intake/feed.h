/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ring as the agent sees it: how far it is taken, how far it is stored, and its books.
 *
 *     stored (= tail)  <=  taken  <=  head, or behind it what the lap tags prove
 *
 * taken moves when records have become rows of the open batch; stored and the shared tail move when the transaction
 * that holds those rows and this cursor is committed. After a restart both begin at the cursor of the store.
 */
#ifndef SPANRING_AGENT_FEED_H
#define SPANRING_AGENT_FEED_H

#include "agent/report/pace.h"
#include "libshm/ring_reader.h"
#include "libstore/span.h"

#include <stdbool.h>
#include <stdint.h>

struct producer;

/* The thread whose records come now; a THREAD record announces each. */
struct feed_thread {
	uint32_t tid;
	uint64_t start_ticks; /* 0: not known */
	char name[SPANRING_THREAD_NAME_BYTES + 1];
	uint32_t id;         /* in the catalog of this generation */
	uint32_t generation; /* 0: none */
};

struct feed {
	struct ring_reader reader;
	struct producer *producer;
	struct ring_reader_look look; /* newest; begun and open without the contexts */
	uint32_t contexts;            /* attached ones on the stack, as last counted */
	uint64_t contexts_begun;      /* begun and open in the ring when they were counted */
	uint64_t contexts_open;
	struct store_cursor books;  /* running; position, the program's books and state are filled in by feed_cursor */
	struct store_cursor handed; /* last row given to the store */
	uint64_t taken;
	uint64_t stored;
	uint64_t bell_head; /* head at the last look before sleeping */
	uint32_t jobs;      /* jobs under way that hold a cursor of this feed */
	bool ended_async;   /* its thread was killed while it ended an async span (async.h) */
	bool closed; /* its open spans are in the store or in a job with `last` (unfinished.h); not read any more */
	struct store_cursor last; /* closed: the cursor for good */
	int quarantine;           /* why it is no longer read: negative errno; 0 it is */
	struct feed_thread thread;
	const struct store_cursor
	    *known; /* what the store had of it when it was opened; NULL: nothing. Of the roster */
	struct pace pace;
	uint32_t held_from; /* chunk of the open batch from which on its records go back (tail.h) */
};

/*
 * Open ring `index` of a producer. stored is the cursor that the store has for it, or NULL. 0 (also for a ring that
 * goes to quarantine at once because its position cannot be), or why there is no such ring.
 */
int feed_open(struct producer *producer, const char *name, uint32_t index, const struct store_cursor *stored,
              struct feed **ret_feed);
void feed_free(struct feed *feed);

/* Of its records: what counts for a quota. */
static inline uint64_t feed_bytes(const struct feed *feed) {
	return (uint64_t)feed->reader.capacity * SPANRING_RECORD_BYTES;
}

/* Never read again. The first reason is kept. */
void feed_quarantine(struct feed *feed, int error);

/* Why, in one word: "none", "damaged", "gone", "newer", "foreign" or "unreadable". */
const char *feed_quarantine_word(int error);

/* Renew `look`; quarantines the feed if that fails. */
int feed_look(struct feed *feed);

/* Records published and not taken, after a fresh look at the head; quarantines the feed if that fails. */
uint32_t feed_ready(struct feed *feed);

/* The program waits for records that are taken and not stored. */
bool feed_flush_wanted(const struct feed *feed);

/* The program has ended more spans than were taken: some lie behind the head. */
bool feed_hides_records(const struct feed *feed);

/* Room behind the position taken, up to which a record can be valid. */
uint32_t feed_room_behind(const struct feed *feed);

/*
 * The row for the store. `ended`: the process is gone, these are its last books; then what SIGKILL left half counted is
 * set right. A closed feed has one row only.
 */
void feed_cursor(const struct feed *feed, bool ended, struct store_cursor *ret_cursor);

/* A commit holds everything before position: move the tail. */
void feed_stored(struct feed *feed, uint64_t position);

#endif
