/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The async spans of one process that are open (spanring/async_abi.h): counted while it lives, stored as unfinished when it
 * has ended.
 *
 * BOOKS. The slots are parted into groups, and each has the books of a ring of its own, with an index behind the real ones
 * (STORE_RING_ASYNC + group) and nothing but begun = open = the number of its spans: whoever ends one counts it in a real ring. So
 * the identity of each ring stays exact, and begun and open of a process include them, wherever they are added up.
 *
 * EXACTLY ONCE, as in unfinished.h: the rows of a group join the job that takes its last cursor, the only one with state
 * DIED. They are stored after a clean exit, too: nobody ended them there. A group is small enough to find room in any fresh batch.
 *
 * A span that was cut off while it ended has a record (or the count of its drop), or has not; only its ring can tell. All that the
 * process wrote has to be taken before it is asked.
 */
#ifndef SPANRING_AGENT_ASYNC_H
#define SPANRING_AGENT_ASYNC_H

#include "agent/commit/flush.h"
#include "libshm/async_reader.h"
#include "producer.h"
#include "roster.h"

#include <stdbool.h>
#include <stdint.h>

#define ASYNC_GROUP_SLOTS 4096u
#define ASYNC_GROUPS (SPANRING_ASYNC_SLOTS_MAX / ASYNC_GROUP_SLOTS)
#define ASYNC_LOOK_NS UINT64_C(1000000000) /* a living process is counted that often */

struct async_group {
	struct store_cursor books;
	struct store_cursor handed; /* last row given to the store */
	bool closed;                /* its spans are in the store or in a job, with `books` for good */
};

struct async_spans {
	struct async_reader reader;
	int quarantine; /* why it is no longer read: negative errno; 0 it is */
	uint64_t look_at_ns;
	uint32_t group_count;
	uint64_t open; /* as last counted */
	struct async_group groups[ASYNC_GROUPS];
};

/* Take the file in, if it is there and not known yet; the books go on where the store has them. 0, or why it is refused. */
int async_open(struct producer *producer, const struct roster *roster);
void async_free(struct async_spans *async);

/* Count again, if it is time. */
void async_look(struct producer *producer, uint64_t now_ns);

/*
 * Of a process that is gone, with all its rings taken and none closed yet: find the rings whose thread was killed while it ended an async
 * span, which changes how their books are settled (feed.h).
 */
void async_settle(struct producer *producer);

/*
 * Give the books to the job: as they are, or with `ended` for good and with the rows of what never ended. 0; ERR_FULL: the batch or the
 * catalog has no room, the rest goes with the next job; -ENOMEM. carry_all: also those that have not changed.
 */
int async_add(struct producer *producer, struct producer_sink *sink, struct flush_job *job, bool ended, bool carry_all);

/* What flush_job_add_cursor was given is on its way. */
void async_note_sent(struct producer *producer, const struct store_cursor *cursor);

#endif
