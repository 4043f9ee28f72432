/* SPDX-License-Identifier: Apache-2.0 */
/* Are the child sums of a segment those of its spans? For store_reader_verify. */
#ifndef SPANRING_LIBSTORE_READER_CHILDREN_H
#define SPANRING_LIBSTORE_READER_CHILDREN_H

#include "reader_state.h"

struct reader_children;

int reader_children_new(struct store_reader *reader, struct reader_children **ret_children);
void reader_children_free(struct reader_children *children);

/* Batches come in order, with all columns, the rows of parents and child sums. Damage is named. */
void reader_children_check(struct reader_children *children, const struct store_columns *columns);

#endif
