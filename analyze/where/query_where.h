/* SPDX-License-Identifier: Apache-2.0 */
/* --where as part of a question: read before the store is opened, bound to what it holds, asked batch by batch. */
#ifndef SPANRING_ANALYZE_QUERY_WHERE_H
#define SPANRING_ANALYZE_QUERY_WHERE_H

#include "analyze/query.h"

/* What is wrong goes to standard error, with the place under the expression. An exit code. */
int query_where_parse(struct query *query);
/* With the overview at hand; a first pass over the store where values lie apart from their spans. 0 or a negative errno. */
int query_where_bind(struct query *query);
/* Leave out batches that cannot hold a span that passes. */
void query_where_narrow(const struct query *query, struct store_scan *scan);
/* Before a scan by so many threads. 0 or -ENOMEM. */
int query_where_share(struct query *query, uint32_t threads);
/* query_accepts is about this batch from now on. 0 or a negative errno. */
int query_where_take(struct query *query, const struct store_columns *columns);

#endif
