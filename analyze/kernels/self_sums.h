/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self times by name from what a store says of children (store_child_sums), which is sums and needs neither ids nor starts: of each name the durations of
 * its spans, less what children cover of them. The durations of children in the batch count for the names of their parents, and corrections and late sums
 * make that exact: for batches whose children are settled, and spans that ended.
 *
 * Durations stand in order of sites, parents in order of rows: a cursor for each site follows its durations while the rows go by.
 */
#ifndef SPANRING_ANALYZE_SELF_SUMS_H
#define SPANRING_ANALYZE_SELF_SUMS_H

#include "libstore/reader.h"

/* What self_sums_take needs. */
#define SELF_SUMS_COLUMNS                                                                                              \
	(STORE_IN_SITE_ORDER | STORE_COLUMN_SITE | STORE_COLUMN_DURATION_HALVES | STORE_COLUMN_PARENT_ROW |            \
	 STORE_COLUMN_CHILD_SUMS)

struct self_sums;

/* Names are 0 .. name_count. 0 or -ENOMEM. */
int self_sums_new(uint32_t name_count, struct self_sums **ret_sums);
void self_sums_free(struct self_sums *sums);

/* A batch with child sums and SELF_SUMS_COLUMNS; with STORE_COLUMN_FLAGS where spans may never have ended. 0 or -ENOMEM. */
int self_sums_take(struct self_sums *sums, const struct store_columns *columns);

/* Those of another thread. */
void self_sums_merge(struct self_sums *sums, const struct self_sums *other);

/* Of one name; at most UINT64_MAX. */
uint64_t self_sums_value(const struct self_sums *sums, uint32_t name);

#endif
