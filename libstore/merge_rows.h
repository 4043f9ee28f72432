/* SPDX-License-Identifier: Apache-2.0 */
/* What a merge asks of the rows of a segment, and how decoded batches become one. */
#ifndef SPANRING_LIBSTORE_MERGE_ROWS_H
#define SPANRING_LIBSTORE_MERGE_ROWS_H

#include "batch.h"
#include "child_rows.h"
#include "reader.h"
#include "segment.h"

/* Tables in the file that this build does not know, and would lose. */
int merge_rows_unknown_tables(struct db *db, int64_t *ret_count);

/* All rows of a decoded batch behind those of `batch`; false, and nothing is changed, if they do not fit. */
bool merge_rows_append(struct batch *batch, const struct store_columns *columns);

struct merge_rows_view_room {
	uint64_t trace_lo[BATCH_SPANS_MAX];
	uint32_t run[BATCH_SPANS_MAX];
	uint32_t away_row[BATCH_SPANS_MAX];
};

/* What child sums are made of, from a decoded batch with all columns and the rows of parents; valid as long as both. */
void merge_rows_view(const struct store_columns *columns, struct merge_rows_view_room *traces,
                     struct child_rows *ret_rows);

/* Room for text in a batch of so many rows. */
uint32_t merge_rows_text_bytes(uint32_t rows);

/*
 * Which batches go together: one bit per batch, from 0, that is set where a batch begins a new group. Batches join in their order as long as
 * they have room in one of so many rows; one that is larger is alone. *ret_groups: how many there will be. The bits are the caller's to free.
 */
int merge_rows_plan(struct db *db, uint64_t batch_count, uint32_t rows, uint8_t **ret_begins, uint64_t *ret_groups);

#endif
