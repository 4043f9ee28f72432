/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of imported spans, as a program would have kept them: rollup rows of a batch, one for each process and site in it. */
#ifndef SPANRING_ANALYZE_IMPORT_ROLLUP_H
#define SPANRING_ANALYZE_IMPORT_ROLLUP_H

#include "libstore/batch.h"
#include "libstore/rollup.h"

#include <stddef.h>

struct import_rollups;

int import_rollups_new(struct import_rollups **ret_rollups);
void import_rollups_free(struct import_rollups *rollups);

/* processes: of each span of the batch, a catalog id. The rows are valid until the next call. */
const struct store_rollup *import_rollups_make(struct import_rollups *rollups, const struct batch *batch,
                                               const uint32_t *processes, size_t *ret_count);

#endif
