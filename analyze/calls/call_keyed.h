/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by key alone. All figures but one are then sums that need no path. The one is the time of the outermost spans of each stack, for which it must be known
 * whether a key is on the stack above a row.
 *
 * Each row has the bits of the keys above it (call_tree_key_bit), and only where the bit of its own key is among them does somebody walk up and look.
 * Where the stack of the batch goes on in another batch, the row is a CALL_STRAY, and asked about once these parents are found: all that the
 * passes after the first are for.
 */
#ifndef SPANRING_ANALYZE_CALL_KEYED_H
#define SPANRING_ANALYZE_CALL_KEYED_H

#include "call_rows.h"

/* Of call_rows_find: places for the rows in chain, from the last to the first, which is above all others and below a row with this place. */
void call_keyed_descend(const struct call_reading *reading, struct call_worker *worker,
                        const struct store_columns *columns, uint32_t count, uint32_t above_place);

/* Of call_rows_find_all. 0 or -ENOMEM. */
int call_keyed_place_all(struct call_reading *reading, struct call_worker *worker, const struct store_columns *columns);

/* Of a stray that is not nested in its own batch: is it outermost, and is this its round? */
bool call_keyed_is_outer(const struct call_reading *reading, struct call_worker *worker,
                         const struct store_columns *columns, uint32_t row);

#endif
