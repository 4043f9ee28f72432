/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance: a life of one process, from its directory to its last row.
 *
 *     LIVE ──(process gone)──> ENDING ──(all taken, last books handed over)──> ENDED ──(committed)──> removed
 *
 * A process counts as gone only when no ring's lock is held by a living thread and the process itself is known to be
 * gone: by pid and start time in the same pid namespace, else by nobody having the process file mapped for writing. A
 * doubt leaves everything in place.
 */
#ifndef SPANRING_AGENT_PRODUCER_H
#define SPANRING_AGENT_PRODUCER_H

#include "agent/footprint/footprint_mark.h"
#include "agent/footprint/sampler.h"
#include "agent/users/users.h"
#include "feed.h"
#include "libshm/clock_model.h"
#include "libshm/process_reader.h"
#include "libstore/batch.h"
#include "libstore/catalog.h"
#include "statistics.h"

#include <stdbool.h>
#include <stdint.h>

#define PRODUCER_NAME_BYTES (2 * SPANRING_INSTANCE_BYTES + 1)

struct async_spans;
struct tail;

enum producer_phase { PRODUCER_LIVE, PRODUCER_ENDING, PRODUCER_ENDED };

/* Where rows go, and what turns ids and ticks into theirs. */
struct producer_sink {
	struct batch *batch;
	struct catalog *catalog;
	uint32_t generation; /* of the catalog, from 1: ids of another one are worth nothing */
	bool catalog_full;   /* a table that has no overflow entry is full: time for a new segment */
	const struct clock_model *clock;
	uint64_t clamped;          /* times that no clock could have given */
	struct tail *tail;         /* what leaves out ordinary traces; NULL: all are kept */
	const struct users *users; /* with their quota of names; NULL: none has one */
};

struct producer {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	char name[PRODUCER_NAME_BYTES]; /* of the directory */
	struct user *user;              /* whose it is, set by the roster at the latest */
	int directory_fd;
	int watch; /* inotify descriptor of the directory, or -1 */
	enum producer_phase phase;
	uint64_t gone_ns;     /* ENDING: when it was found to be gone */
	uint64_t last_end_ns; /* latest end of a span taken from it */
	bool dry;             /* ENDING: nothing is left to take */
	uint64_t last_job;    /* ENDED: the job that holds its last rows */
	bool exited;          /* said goodbye */
	uint32_t ending;      /* enum store_ending, of one that did not (ending.h) */
	uint32_t ending_value;
	uint32_t claim; /* STORE_CLAIM_* (claim.h) */
	bool claim_checked;
	bool stuck;         /* ENDED, and its files could not be removed: it stays, so that it is not found again */
	bool ratio_settled; /* it has its share of traces, or keeps its own (preset_ratio.h) */
	bool newer;         /* holds a ring of a later format: its files are not ours to remove */
	struct process_reader reader;
	struct process_reader_identity *identity;
	struct process_reader_counters counters; /* newest */
	struct sampler_target target;
	uint64_t sample_at_ns;      /* 0: not sampled yet */
	struct footprint_mark mark; /* of its newest sample */
	bool same_namespace;        /* its pid means something here */
	struct async_spans *async;  /* NULL: it began none yet */
	bool async_refused;         /* its file is none */
	struct feed **feeds;        /* of this producer */
	uint32_t feed_count;
	uint32_t refused_count; /* rings that are none */
	uint8_t refused[SPANRING_RINGS_MAX / 8];
	struct store_process_account handed; /* last row given to the store */
	uint32_t service_row;                /* of roster.totals */
	uint64_t known_no_ring;              /* drops that an earlier agent knew */
	uint64_t known_reentry;
	struct pace pace;
	struct statistics statistics; /* given back with statistics_free */
	uint32_t generation;          /* of the ids below */
	uint32_t process_id;
	uint32_t *site_ids;   /* by the program's id, grown as needed; 0 not asked for yet */
	uint32_t *string_ids; /* the same */
	uint32_t site_room;
	uint32_t string_room;
};

/* Open the instance directory `name` below rings_fd. uid: whose directory it has to be, besides root's. */
int producer_open(int rings_fd, const char *name, uint64_t our_namespace, struct producer **ret_producer);
void producer_free(struct producer *producer);

/*
 * Its number in the catalog of the sink; likewise for a site, string and thread of it. 0, ERR_DAMAGED (no such thing),
 * or another error.
 */
int producer_process_id(struct producer *producer, struct producer_sink *sink, uint32_t *ret_id);
int producer_intern_site(struct producer *producer, struct producer_sink *sink, uint32_t site, uint32_t *ret_id);
int producer_string_id(struct producer *producer, struct producer_sink *sink, uint32_t string, uint32_t *ret_id);
int producer_thread_id(struct producer *producer, struct producer_sink *sink, struct feed *feed, uint32_t *ret_id);

/* Asked for every span: mostly it is known. */
static inline int producer_site_id(struct producer *producer, struct producer_sink *sink, uint32_t site,
                                   uint32_t *ret_id) {
	if (producer->generation != sink->generation || site >= producer->site_room || producer->site_ids[site] == 0)
		return producer_intern_site(producer, sink, site, ret_id);
	*ret_id = producer->site_ids[site];
	return 0;
}

/* A THREAD record: the ring is another thread's from here on. Its start is in ticks until producer_thread_id needs it.
 */
void producer_thread_begins(struct producer *producer, struct feed *feed, const struct spanring_thread_record *record);

/* Ticks of its clock in nanoseconds of CLOCK_MONOTONIC. */
uint64_t producer_ns(const struct producer *producer, const struct producer_sink *sink, uint64_t ticks);

/* Nanoseconds per 2^32 ticks of its clock, as of now; never 0. */
uint64_t producer_scale(const struct producer *producer, const struct producer_sink *sink);

/* ENDING, and nothing is left to take or to read: its last books can be given. */
bool producer_is_settled(const struct producer *producer);

/* Is the process gone for sure? Looks at all its rings. */
bool producer_is_gone(struct producer *producer);

/* The row of its own books, now. */
void producer_account(struct producer *producer, bool ended, struct store_process_account *ret_account);

#endif
