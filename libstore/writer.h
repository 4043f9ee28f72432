/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write side of a store: a directory of segment files. One writer at a time holds the directory (lock file). Not thread-safe: one
 * thread commits; the catalog may be filled by another at the same time, and a third may merge sealed segments (merge.h).
 *
 * Everything in one commit (records, catalog rows, cursors, accounts, samples) becomes durable together or not at all, in one SQLite
 * transaction. A commit that failed is to be given again, the same one, before any other. Where an I/O error leaves open whether it is
 * stored, the writer finds out first (writer.c), gives that segment up, and stores it in a new one if it is not.
 */
#ifndef SPANRING_LIBSTORE_WRITER_H
#define SPANRING_LIBSTORE_WRITER_H

#include "batch.h"
#include "catalog.h"
#include "evict.h"
#include "rollup.h"
#include "span.h"
#include "writer_cost.h"

#include <stdbool.h>
#include <stddef.h>

enum store_durability {
	STORE_DURABILITY_NORMAL, /* survives the death of any process; the last commits may be lost when power fails */
	STORE_DURABILITY_FULL    /* survives loss of power after commit returns */
};

struct store_writer_options {
	enum store_durability durability;
	uint8_t boot_id[16];
	uint64_t wall_offset_ns; /* wall - monotonic, now; may be renewed with store_writer_set_wall_offset */
	const char *agent_version;
	struct store_writer_cost writer_cost; /* rounds 0: none */
	bool
	    whole_segments; /* one appears in the store when it is sealed, and not before; of a writer that is killed nothing does */
};

struct store_commit {
	struct catalog *catalog;   /* another one than in the commit before: seal that segment, open a new one */
	const struct batch *batch; /* NULL or empty: no records */
	const struct store_cursor *cursors;
	size_t cursor_count;
	const struct store_process_account *accounts;
	size_t account_count;
	const struct store_memory_sample *samples;
	size_t sample_count;
	const struct store_rollup *rollups; /* in the same transaction as the totals they lead to */
	size_t rollup_count;
	const struct store_rollup_total *rollup_totals;
	size_t rollup_total_count;
};

/* What a commit did, for the agent's own figures. */
struct store_receipt {
	uint64_t bytes;         /* of encoded columns */
	uint64_t encode_ns;     /* thread CPU time */
	uint64_t commit_ns;     /* wall time inside SQLite */
	uint64_t segment_spans; /* in the open segment after this commit */
	uint64_t segment_age_ns;
};

/* When to give the next batch a new catalog and thus a new segment. */
#define STORE_SEGMENT_SPANS_LIMIT (UINT64_C(4) << 20)
#ifndef STORE_SEGMENT_SPANS_MAX /* a test agent has smaller ones */
#define STORE_SEGMENT_SPANS_MAX STORE_SEGMENT_SPANS_LIMIT
#endif
#define STORE_SEGMENT_AGE_NS_MAX (UINT64_C(3600) * 1000000000)

struct store_writer;

/*
 * Open the store in directory (created if missing, mode 0700, last component only). ERR_HELD: another writer holds it (*ret_holder_pid).
 * A segment left unsealed by a killed writer is recovered by SQLite and sealed now; one that cannot be is left alone and reported
 * through ret_text (a line for the log, at most text_bytes; may be empty). A segment that cannot be read for a reason that may pass
 * (I/O error, no memory, no descriptors) stops the opening: its cursors are not known.
 */
int store_writer_open(const char *directory, const struct store_writer_options *options,
                      struct store_writer **ret_writer, int *ret_holder_pid, char *ret_text, size_t text_bytes);

/* Cursors of earlier writers, the highest position per ring, in no order. The array belongs to the writer, until the first commit. */
int store_writer_cursors(struct store_writer *writer, const struct store_cursor **ret_cursors, size_t *ret_count);

/* Cursors that every new segment must carry because their rings still exist: the agent gives the whole list at each new catalog. */
int store_writer_commit(struct store_writer *writer, const struct store_commit *commit,
                        struct store_receipt *ret_receipt);

/*
 * Totals that earlier writers stored for this instance, the latest per site, each valid inside the callback; not 0 from it stops with that
 * value. ERR_LIMIT: there were more than are kept (STORE_ROLLUP_TOTALS_BYTES_MAX) and this instance has none among them, so its statistics
 * cannot be continued.
 */
#define STORE_ROLLUP_TOTALS_BYTES_MAX (32u << 20)
int store_writer_rollup_totals(struct store_writer *writer, const uint8_t *instance,
                               int (*on_total)(void *context, const struct store_rollup_total *total), void *context);

/* Of the open segment; 0: none is open. */
uint64_t store_writer_open_sequence(const struct store_writer *writer);

/* Segments below this sequence are not written any more; 0: not known now. */
uint64_t store_writer_closed_below(const struct store_writer *writer);

/*
 * Count out and unlink the first victim_count segments of the whole list of the store, which are its oldest; the open one and those not sealed
 * never go. Without an open segment one is made for this catalog. *ret_sum: what went, also when an error ended it.
 */
int store_writer_evict(struct store_writer *writer, const struct catalog *catalog,
                       const struct store_evict_segment *segments, size_t segment_count, size_t victim_count,
                       struct store_evict_sum *ret_sum);

/*
 * Put a file that holds the same rows in the place of a sealed segment (merge.h). Not above the sequence of the open segment; may be called by
 * another thread than the one that commits. -ENOENT: the segment is not there any more. The new name is on the disk when this returns 0.
 */
int store_writer_replace(struct store_writer *writer, const char *path, const char *with);

void store_writer_set_wall_offset(struct store_writer *writer, uint64_t wall_offset_ns);

/* Nothing large is expected soon: give memory back that the next large batch will take again. */
void store_writer_rest(struct store_writer *writer);

/* Text of the last failure: file, what, SQLite's or zstd's words. Valid until the next call. */
const char *store_writer_error(const struct store_writer *writer);

/* Seal the open segment before the end, so that it can be merged; the next commit begins another. 0 or an error. */
int store_writer_seal(struct store_writer *writer);

/* With whole_segments: the open segment with all its commits is gone, as if it had never been. */
void store_writer_discard(struct store_writer *writer);

/* Seal the open segment (checkpoint, journal mode DELETE, seal row) and close. NULL is fine. 0 or the error of sealing. */
int store_writer_close(struct store_writer *writer);

#endif
