/* SPDX-License-Identifier: Apache-2.0 */
/* A batch as rows of a segment: one of `batch`, one of `column_blob` for each large column. */
#ifndef SPANRING_LIBSTORE_BATCH_ROWS_H
#define SPANRING_LIBSTORE_BATCH_ROWS_H

#include "segment.h"

/* Scratch of one batch row. */
struct batch_rows {
	uint8_t directory[FORMAT_COLUMNS * SEGMENT_DIRECTORY_ENTRY_BYTES];
	uint32_t directory_bytes;
	uint8_t small[FORMAT_COLUMNS * FORMAT_SMALL_BYTES];
	uint32_t small_bytes;
};

/* The rows of batch `id`, within a transaction. */
int batch_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], uint64_t id, const struct format_batch *encoded,
                   struct batch_rows *scratch);

/* Takes the id of a column's row. Each column wants a statement of its own: its blob stays valid while others are read. */
#define BATCH_ROWS_SELECT_COLUMN "SELECT data FROM column_blob WHERE id=?"

/* One column into batch->encoded, checked against the directory; it is valid until the statement is used again. */
int batch_rows_get_column(struct db_statement *select, struct segment_batch *batch, uint32_t column);
/* The same in two steps: what was fetched is not checked yet, and may be copied before it is. */
int batch_rows_fetch_column(struct db_statement *select, struct segment_batch *batch, uint32_t column);
int batch_rows_check_column(const struct segment_batch *batch, uint32_t column);

#endif
