/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of `rollup` put together to fewer ones, of longer steps (rollup_gather.c). */
#ifndef SPANRING_LIBSTORE_ROLLUP_GATHER_H
#define SPANRING_LIBSTORE_ROLLUP_GATHER_H

#include "rollup_rows.h"
#include "schema.h"

#include <stddef.h>

struct rollup_gather;

/*
 * List the steps in `from`; those whose until_ns is in one multiple of window_ns (0: all) go together. *ret_gather is NULL where there are none,
 * or so many that their order would take much memory.
 */
int rollup_gather_open(struct db *from, uint64_t window_ns, struct rollup_gather **ret_gather);
/* All steps of a site, of whatever process. */
int rollup_gather_open_sites(struct db *from, struct rollup_gather **ret_gather);
void rollup_gather_close(struct rollup_gather *gather);

/* Steps, and how many rows they would become if all clocks agreed. */
size_t rollup_gather_steps(const struct rollup_gather *gather);
size_t rollup_gather_groups(const struct rollup_gather *gather);

/* The next so many steps, within a transaction on `to`, into that table. 1: there are more; 0: all done; or an error. */
int rollup_gather_rows(struct rollup_gather *gather, struct db *to, enum schema_table table, size_t steps);

#endif
