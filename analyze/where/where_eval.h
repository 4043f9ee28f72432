/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked expression over a store: texts looked up once in its dictionaries, then batches of rows, column by column.
 *
 * A comparison of something that the span does not have (an attribute, heap bytes that were not counted, a thread or process that is
 * not known) is false; `not` of it is therefore true.
 *
 *     where_bind(...)
 *     where_observe(...) for each batch, if where_observes(...)
 *     where_rows(...) for each batch
 */
#ifndef SPANRING_ANALYZE_WHERE_EVAL_H
#define SPANRING_ANALYZE_WHERE_EVAL_H

#include "analyze/kernels/span_values.h"
#include "where.h"

#include "libstore/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct where_filter;

/* The expression and the overview must outlive the filter. 0, -ENOMEM, or ERR_LIMIT: more than SPAN_VALUES_KEYS_MAX attributes. */
int where_bind(const struct where *where, const struct store_overview *overview, struct where_filter **ret_filter);
/* The same for another thread, after all batches were observed; outlived by `filter`. 0 or -ENOMEM. */
int where_filter_share(const struct where_filter *filter, struct where_filter **ret_filter);
void where_filter_free(struct where_filter *filter);

/* Columns that where_rows needs. */
uint32_t where_columns(const struct where_filter *filter);

/* Columns of a first pass over all batches; 0: none is needed. 0, -ENOMEM or ERR_LIMIT. */
uint32_t where_observes(const struct where_filter *filter);
int where_observe(struct where_filter *filter, const struct store_columns *columns);

/* ret_keep[row] := 1 or 0. 0 or -ENOMEM. One batch at a time. */
int where_rows(struct where_filter *filter, const struct store_columns *columns, uint8_t *ret_keep);

#endif
