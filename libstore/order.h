/* SPDX-License-Identifier: Apache-2.0 */
/* Stable sorts of row numbers by integer keys, for at most BATCH_SPANS_MAX rows, in memory taken once. */
#ifndef SPANRING_LIBSTORE_ORDER_H
#define SPANRING_LIBSTORE_ORDER_H

#include "batch.h"

struct order {
	uint64_t pairs[BATCH_SPANS_MAX];
	uint64_t pairs_next[BATCH_SPANS_MAX];
	uint32_t group_ends[BATCH_SPANS_MAX];
};

/* rows := 0 .. count - 1 */
void order_identity(uint32_t *rows, uint32_t count);
/* Sort rows by keys[row]; rows with equal keys keep their order. */
void order_by_u64(struct order *order, uint32_t *rows, const uint64_t *keys, uint32_t count);
void order_by_u32(struct order *order, uint32_t *rows, const uint32_t *keys, uint32_t count);
/* rows := 0 .. count - 1 by groups[row], then by keys[row]; rows that agree in both ascend. */
void order_by_group(struct order *order, uint32_t *rows, const uint32_t *groups, const uint64_t *keys, uint32_t count);

#endif
