/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment file, as both sides see it: opening with all checks, its identity, its seal, its batch rows. What is
 * read here is checked before it is given.
 */
#ifndef SPANRING_LIBSTORE_SEGMENT_H
#define SPANRING_LIBSTORE_SEGMENT_H

#include "db.h"
#include "format.h"
#include "schema.h"
#include "span.h"
#include "writer_cost.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_TEXT_BYTES 512u
#define SEGMENT_VERSION_BYTES_MAX 64u
#define SEGMENT_CURSORS_MAX (1u << 20)
#define SEGMENT_BATCHES_MAX (1u << 24)
#define SEGMENT_SAMPLES_MAX (1u << 26)
#define SEGMENT_META_LINKS "links"     /* of all batches */
#define SEGMENT_META_COMMITS "commits" /* transactions of the writer */
#define SEGMENT_META_SEALED "sealed"   /* 1: there must be a seal */
#define SEGMENT_META_TABLES "tables"   /* names of those it was made with, with spaces between */
#define SEGMENT_META_WRITER_COST "writer_cost"

struct segment_identity {
	uint64_t sequence;
	uint8_t segment_id[16];
	uint8_t boot_id[16];
	uint64_t wall_offset_ns;
	uint64_t created_wall_ns;
};

/* As it is in meta; what follows in a longer value is of a later version. */
struct segment_writer_cost {
	struct store_writer_cost cost;
	uint64_t checksum; /* of `cost` */
};

struct segment_totals {
	uint64_t batches;
	uint64_t spans;
	uint64_t attributes;
	uint64_t events;
	uint64_t start_ns_min; /* of spans; both 0 if there are none */
	uint64_t end_ns_max;
	uint64_t batch_checksum;
	uint64_t catalog_checksum;
	uint64_t samples;
	uint64_t sample_checksum;
};

/* Where a column of a batch lies. */
struct segment_column {
	uint32_t bytes; /* 0: not there */
	bool own_row;
	uint32_t small_offset;
	uint64_t checksum;
};

/* A batch row; encoded.columns is empty until segment_read_columns, encoded.bloom and small point into SQLite's row. */
struct segment_batch {
	uint64_t id;
	uint64_t checksum;
	struct format_batch encoded;
	struct segment_column columns[FORMAT_COLUMNS];
	bool has_unknown; /* columns that this build does not know */
	const uint8_t *small;
	uint32_t small_bytes;
};

/*
 * Open and check: regular file, SQLite, application id, version, tables. On failure one line in ret_text, at most
 * SEGMENT_TEXT_BYTES: file, what, remedy.
 */
int segment_open(const char *path, enum db_mode mode, struct db **ret_db, char *ret_text);

/* 1, or 0 for a table that was added to the format later than this segment. */
int segment_has_table(struct db *db, enum schema_table table);

int segment_read_identity(struct db *db, struct segment_identity *ret_identity);
/* A number of meta that only some segments have; 0 in one without. */
int segment_read_number(struct db *db, const char *key, uint64_t *ret_number);
/* All zero in a segment without, and where the numbers make no sense. */
int segment_read_writer_cost(struct db *db, struct store_writer_cost *ret_cost);
/* 1: sealed, and ret_totals filled; 0: not sealed. */
int segment_read_seal(struct db *db, struct segment_totals *ret_totals);
int segment_write_seal(struct db *db, const struct segment_totals *totals);

/* From the rows themselves. */
int segment_sum_batches(struct db *db, struct segment_totals *totals);
int segment_sum_catalog(struct db *db, struct segment_totals *totals);
int segment_sum_samples(struct db *db, struct segment_totals *totals);
/* Of all rows of a prepared SELECT, which then stands at its beginning again; more than rows_max are damage. */
int segment_sum_rows(struct db_statement *select, uint64_t rows_max, uint64_t *checksum, uint64_t *ret_rows);
/* Chain one batch into the totals. */
void segment_add_batch(struct segment_totals *totals, const struct segment_batch *batch);

/*
 * Row of a prepared SELECT of SCHEMA_BATCH, checked against its checksum and the limits. On ERR_DAMAGED
 * ret_batch->id is set nevertheless; that ids ascend by one is for the caller to check.
 */
int segment_get_batch(struct db_statement *select, struct segment_batch *ret_batch);
uint64_t segment_batch_checksum(uint64_t id, const struct format_batch *encoded, const uint8_t *directory,
                                size_t directory_bytes);

/* Entry of batch.directory: column:u8 place:u8 (0 small, 1 own row) 0:u16 bytes:u32 checksum:u64 */
#define SEGMENT_DIRECTORY_ENTRY_BYTES 16u

/* Row of a prepared SELECT of SCHEMA_CURSOR. */
int segment_get_cursor(struct db_statement *select, struct store_cursor *ret_cursor);

/* Row of a prepared SELECT of SCHEMA_SAMPLING: only instance, ring_index and what was sampled out. */
int segment_get_sampling(struct db_statement *select, struct store_cursor *ret_cursor);
/* Row of a prepared SELECT of SCHEMA_THINNED, likewise. */
int segment_get_thinned(struct db_statement *select, struct store_cursor *ret_cursor);
/* The counts of either row into those of its ring: they only grow, so the higher one is the newer. */
void segment_merge_sampling(struct store_cursor *cursor, const struct store_cursor *sampling);

/* "directory/segment-...": is this the name of a segment file? */
bool segment_is_name(const char *name);

#endif
