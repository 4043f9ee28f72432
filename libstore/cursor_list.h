/* SPDX-License-Identifier: Apache-2.0 */
/* The newest cursor of each ring, out of several segments: where an agent goes on. */
#ifndef SPANRING_LIBSTORE_CURSOR_LIST_H
#define SPANRING_LIBSTORE_CURSOR_LIST_H

#include "id_table.h"
#include "segment.h"

struct cursor_list {
	struct store_cursor *cursors;
	size_t count;
	size_t room;
	struct id_table by_ring;
};

/* Add those of a segment; of two of one ring the further one stays. 0, ERR_LIMIT, -ENOMEM, ERR_DAMAGED or another error of the file. */
int cursor_list_read(struct db *db, struct cursor_list *list);

/* What belongs to cursors and has a table of its own. */
int cursor_list_read_beside(struct db *db, struct cursor_list *list, enum schema_table table,
                            int (*get)(struct db_statement *select, struct store_cursor *ret_cursor));

#endif
