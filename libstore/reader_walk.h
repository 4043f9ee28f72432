/* SPDX-License-Identifier: Apache-2.0 */
/* The batches of one segment, for the scans of one thread (reader_scan.c) and of several (reader_parallel.c). */
#ifndef SPANRING_LIBSTORE_READER_WALK_H
#define SPANRING_LIBSTORE_READER_WALK_H

#include "reader_state.h"

/* The statements of one segment's scan. Each column has its own: its blob stays valid while the others are read. */
struct segment_walk {
	struct store_reader *reader;
	struct decoder *decoder;
	struct reader_segment *segment;
	const struct store_segment_view *view;
	struct db *db;
	struct db *opened; /* by us: the segment is sealed */
	struct db_statement *batches;
	struct db_statement *columns[FORMAT_COLUMNS];
};

/* 0, or an error that is named already. */
int segment_walk_open(struct segment_walk *walk);
void segment_walk_close(struct segment_walk *walk);

/* May the segment hold what the scan is about? */
bool segment_walk_wants(const struct store_scan *scan, const struct store_segment_view *view);
/* Batches of all segments, as they were counted when the store was opened. */
uint64_t segment_walk_total(const struct store_reader *reader);
/*
 * The batch of the row at hand: 1 when it is wanted, 0 when not. *before: the one before, moved on. *ret_lost: the list of batches cannot be
 * followed any further.
 */
int segment_walk_take(const struct store_scan *scan, const struct segment_walk *walk, uint64_t *before,
                      struct segment_batch *batch, bool *ret_lost);
/* After the last batch row, which db_next said with `row`: were these all? */
void segment_walk_end(const struct segment_walk *walk, int row, uint64_t before);
/*
 * What is left to find out about a wanted batch, and which columns it is to be given with. A look is a column or two, decoded before the others are even
 * read: mostly it says that they need not be.
 */
struct batch_plan {
	uint32_t look; /* STORE_COLUMN_*; 0: it is wanted for sure */
	uint32_t columns;
};
struct batch_plan segment_walk_plan(const struct store_scan *scan, const struct segment_walk *walk,
                                    const struct segment_batch *batch);
/* Is it, seen what the look asked for? */
bool segment_walk_holds(const struct store_scan *scan, const struct segment_walk *walk,
                        const struct segment_batch *batch, const struct store_columns *look);
/* Columns that are fetched already stay. */
void segment_walk_fill(const struct segment_walk *walk, const struct segment_batch *batch,
                       struct store_columns *columns);
/* A batch is damaged or newer, and left out. */
void segment_walk_name(const struct segment_walk *walk, uint64_t batch, int error);
/* Check what refers to the catalog, and turn string ids into those of the overview. */
int segment_walk_resolve(const struct segment_walk *walk, struct store_columns *columns);

/* store_reader_scan with scan->threads above 1. */
int reader_scan_together(struct store_reader *reader, const struct store_scan *scan);

#endif
