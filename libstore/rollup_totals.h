/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Totals of rollups that earlier writers left, the latest per instance and site, in their encoded form: some hundred bytes each. Segments are
 * taken newest first, since each carries all totals of the processes that lived when it began; when the room is spent, what was left out
 * is known to be of the oldest.
 */
#ifndef SPANRING_LIBSTORE_ROLLUP_TOTALS_H
#define SPANRING_LIBSTORE_ROLLUP_TOTALS_H

#include "db.h"
#include "id_table.h"
#include "rollup.h"

#include <stdbool.h>

/* Older segments than these have no total of a process that still lives. */
#define ROLLUP_TOTALS_SEGMENTS 16u

struct rollup_totals_row;

/* All zero is empty. */
struct rollup_totals {
	struct rollup_totals_row *rows;
	size_t count;
	size_t room;
	size_t bytes;
	bool left_out; /* some found no room */
	bool sorted;   /* asked for: no more are taken */
	struct id_table by_site;
};

void rollup_totals_done(struct rollup_totals *totals);
/* Those of one segment. 0 or an error; what was read before it stays. */
int rollup_totals_load(struct rollup_totals *totals, struct db *db);
/* As store_writer_rollup_totals. */
int rollup_totals_each(struct rollup_totals *totals, const uint8_t *instance,
                       int (*on_total)(void *context, const struct store_rollup_total *total), void *context);

#endif
