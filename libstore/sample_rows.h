/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples as rows: of a program one in `sample` and, under the same id, one in `sample_detail`; of the agent itself one in
 * `agent_sample`. Ids of either kind are 1, 2, 3, ...
 */
#ifndef SPANRING_LIBSTORE_SAMPLE_ROWS_H
#define SPANRING_LIBSTORE_SAMPLE_ROWS_H

#include "db.h"
#include "schema.h"
#include "span.h"

/* With the prepared inserts of a segment. 0 or the error of SQLite. */
int sample_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], uint64_t id,
                    const struct store_memory_sample *sample);

/*
 * The current row of a prepared SELECT of that table: 0, or ERR_DAMAGED where it is none. Of sample_detail only what it has goes
 * into *ret_sample; the others set the whole, with the details unread.
 */
int sample_rows_get(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample);
int sample_rows_get_detail(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample);
int sample_rows_get_agent(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample);

#endif
