/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tail keep: the batch is looked through when it is handed over. Traces with something to tell stay whole, of the others as many as a
 * hash of their id lets through (tail_choice.h), and what is left out is counted in the books of its ring.
 *
 *     records ─> chunks of rows in the batch ─(hand-over)─> decided: kept with a weight, or counted as thinned
 *                                              └──────────> undecided: back into the ring
 *
 * UNDECIDED is an ordinary trace whose root has not ended, for as long as tail-wait since it was first met. Its rows are taken out of the batch
 * again, and with them all that follows in the same ring: `taken` goes back to the beginning of the chunk, the books with it, and the records
 * are read once more. So the cursor never passes a record that was not decided, and there is nothing in the memory of the agent that a
 * kill could lose: decision, books and cursor are one transaction. (What it knows of earlier decisions goes with it. The next agent decides ordinary
 * traces as this one did, by their hash; one that was kept for what it told may continue as an ordinary one.)
 *
 * NOT WAITED FOR: in a ring that is a quarter full of what waits, or whose program waits for its spans itself; when half of the batch would
 * wait; at the end of the agent; or where there is no place to remember since when.
 *
 * A trace whose later spans make it interesting after others of it were thinned out is kept from there on, and counted as kept in part.
 *
 * EVERY KIND OF ORDINARY TRACE WAITS ALIKE, also those whose hash keeps them: if only the others did, and some of these then
 * turned out interesting, spans would be kept with another probability than their weight says.
 */
#ifndef SPANRING_AGENT_TAIL_H
#define SPANRING_AGENT_TAIL_H

#include "agent/intake/drain.h"
#include "base/json.h"
#include "tail_choice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct flush_job;

struct tail_figures {
	uint64_t spans_kept;     /* of traces with something to tell */
	uint64_t spans_weighted; /* kept for the hash */
	uint64_t spans_thinned;
	uint64_t spans_put_back; /* each time */
	uint64_t traces_in_part;
	uint64_t decided_early; /* traces that were not waited for to the end, for want of room */
};

/* The rules of a configuration that was checked. */
struct tail_rules tail_rules_of(const struct config *config);

/* memory_bytes: for everything but names, of which there are at most TAIL_NAMES_MAX. 0 or -ENOMEM. */
int tail_new(const struct tail_rules *rules, size_t memory_bytes, struct tail **ret_tail);
/* NULL is fine. */
void tail_free(struct tail *tail);

/* drain_records, remembering where each row came from. */
enum drain_end tail_take(struct tail *tail, struct feed *feed, struct producer_sink *sink,
                         const union spanring_record *records, uint32_t count, bool last);

/*
 * Decide what the batch of the sink holds, before its cursors are made. `may_wait`: undecided traces go back. Of a process that is ending and
 * has such ones `dry` is taken back, so that its books stay open. NULL is fine.
 */
void tail_decide(struct tail *tail, struct producer_sink *sink, uint64_t now_ns, bool may_wait);

/* Spans that went back at the last decision; they are taken again and do not make a batch fuller. NULL is fine. */
uint32_t tail_waiting_spans(const struct tail *tail);
/* Some of them are of a process that is ending: its end is no reason to hurry. NULL is fine. */
bool tail_waits_for_ended(const struct tail *tail);

/* What the statistics in a job say of durations. NULL is fine. */
void tail_learn(struct tail *tail, const struct producer_sink *sink, const struct flush_job *job);

/* For `status`: "tail_keep" and, if it is on, the figures. */
void tail_write(const struct tail *tail, struct json *json);

#endif
