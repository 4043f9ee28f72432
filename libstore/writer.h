/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write side of a store: a directory of segment files. One writer at a time holds the directory (lock file). Not thread-safe: one
 * thread commits; the catalog may be filled by another at the same time.
 *
 * Everything in one commit (records, catalog rows, cursors, accounts, samples) becomes durable together or not at all, in one SQLite
 * transaction. A commit that failed left nothing behind and may be tried again; after an I/O error the segment is given up (closed as it
 * is) and the next commit opens a new one.
 */
#ifndef SPANRING_LIBSTORE_WRITER_H
#define SPANRING_LIBSTORE_WRITER_H

#include "batch.h"
#include "catalog.h"
#include "rollup.h"
#include "span.h"

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
#define STORE_SEGMENT_SPANS_MAX (UINT64_C(4) << 20)
#define STORE_SEGMENT_AGE_NS_MAX (UINT64_C(3600) * 1000000000)

struct store_writer;

/*
 * Open the store in directory (created if missing, mode 0700, last component only). ERR_HELD: another writer holds it (*ret_holder_pid).
 * A segment left unsealed by a killed writer is recovered by SQLite and sealed now; one that cannot be is left alone and reported
 * through ret_text (a line for the log, at most text_bytes; may be empty).
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

void store_writer_set_wall_offset(struct store_writer *writer, uint64_t wall_offset_ns);

/* Text of the last failure: file, what, SQLite's or zstd's words. Valid until the next call. */
const char *store_writer_error(const struct store_writer *writer);

/* Seal the open segment (checkpoint, journal mode DELETE, seal row) and close. NULL is fine. 0 or the error of sealing. */
int store_writer_close(struct store_writer *writer);

#endif
