/* SPDX-License-Identifier: Apache-2.0 */
/* What a new segment file is filled with. */
#ifndef SPANRING_LIBSTORE_SEGMENT_NEW_H
#define SPANRING_LIBSTORE_SEGMENT_NEW_H

#include "db.h"
#include "schema.h"

/* Page size, the format's numbers and all tables, in an empty file; leaves the transaction open. */
int segment_new_tables(struct db *db);

/* The names of the tables into meta, where a reader looks for those that there must be. */
int segment_new_put_names(struct db *db);

/* All rows of a table as they are, within a transaction on `to`. A table that an older file has not got has none. */
int segment_new_copy(struct db *from, struct db *to, enum schema_table table);

/* The names in a directory, so that they survive loss of power. */
int segment_new_sync(const char *directory);

#endif
