/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of rollups in a segment. Each has a checksum over all of it, so that one can be believed while its segment is still open; a sealed
 * segment has the sums over these in meta.rollup_sums, which is under the seal's checksum of the catalog.
 */
#ifndef SPANRING_LIBSTORE_ROLLUP_ROWS_H
#define SPANRING_LIBSTORE_ROLLUP_ROWS_H

#include "db.h"
#include "rollup.h"
#include "schema.h"

#include <stdbool.h>

#define ROLLUP_SUMS_KEY "rollup_sums"
#define ROLLUP_ROWS_MAX (1u << 26)

/* Of SCHEMA_ROLLUP, SCHEMA_ROLLUP_SEGMENT, SCHEMA_ROLLUP_TOTAL: rows, and checksums of the rows chained. */
struct rollup_sums {
	uint64_t steps;
	uint64_t step_checksum;
	uint64_t wholes;
	uint64_t whole_checksum;
	uint64_t totals;
	uint64_t total_checksum;
};

/* What a row is encoded or decoded with; large. */
struct rollup_coder {
	struct store_rollup_bin bins[ROLLUP_BINS_MAX];
	uint8_t bytes[ROLLUP_BINS_BYTES_MAX];
};

/* Prepared INSERT of SCHEMA_ROLLUP or SCHEMA_ROLLUP_SEGMENT. */
int rollup_put(struct db_statement *insert, uint64_t id, const struct store_rollup *rollup, struct rollup_coder *coder);
int rollup_put_total(struct db_statement *insert, const struct store_rollup_total *total, struct rollup_coder *coder);

/*
 * Row of a prepared SELECT of these, checked; the bins are those of the coder, until its next use. ERR_DAMAGED also if store_rollup_check
 * refuses it.
 */
int rollup_get(struct db_statement *select, struct rollup_coder *coder, uint64_t *ret_id,
               struct store_rollup *ret_rollup, uint64_t *ret_checksum);
int rollup_get_total(struct db_statement *select, struct rollup_coder *coder, struct store_rollup_total *ret_total,
                     uint64_t *ret_checksum);

/* From the checksums that the rows have; all zero in a segment without these tables. */
int rollup_sum(struct db *db, struct rollup_sums *ret_sums);
/* Those that were sealed; all zero if there are none. */
int rollup_read_sums(struct db *db, struct rollup_sums *ret_sums);
int rollup_write_sums(struct db *db, const struct rollup_sums *sums);

/*
 * Seal: make the rows of SCHEMA_ROLLUP_SEGMENT if they are worth it, and write the sums. Inside a transaction, before the catalog is summed.
 */
int rollup_seal(struct db *db);

#endif
