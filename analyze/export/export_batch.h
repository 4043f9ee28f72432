/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder: the batch at hand, with what belongs to each of its rows. */
#ifndef SPANRING_ANALYZE_EXPORT_BATCH_H
#define SPANRING_ANALYZE_EXPORT_BATCH_H

#include "export.h"

#include "libstore/batch.h"

/* Numbers of rows of attributes, events or links by the row of their span: those of row i are list[first[i]] up to list[first[i + 1]]. */
struct export_lists {
	uint32_t first[BATCH_SPANS_MAX + 2];
	uint32_t list[BATCH_ATTRIBUTES_MAX];
};

#define EXPORT_TABLE_SLOTS (2 * BATCH_SPANS_MAX)

struct export_batch {
	struct export_lists attributes;
	struct export_lists events;
	struct export_lists links;
	uint32_t row_of[BATCH_SPANS_MAX]; /* of each link */
	uint32_t order[BATCH_SPANS_MAX];
	uint64_t sort_keys[BATCH_SPANS_MAX];
	uint32_t table[EXPORT_TABLE_SLOTS]; /* row + 1 by trace and span */
	bool table_made;
	/* of the span at hand */
	struct export_value *values;
	uint32_t value_count;
	uint32_t value_room;
	struct export_event *event_rows;
	uint32_t event_count;
	uint32_t event_room;
	struct export_link *link_rows;
	uint32_t link_count;
	uint32_t link_room;
	struct export_stray *strays; /* taken for the span at hand */
	uint32_t stray_count;
	uint32_t stray_room;
};

int export_batch_new(struct export_batch **ret_batch);
void export_batch_free(struct export_batch *batch);

/* Begin with a batch: lists and order. */
void export_batch_begin(struct export_batch *batch, const struct store_columns *columns, bool needs_table);
void export_batch_group(struct export_batch *batch, const struct store_columns *columns);
uint32_t export_batch_find(const struct export_batch *batch, const struct store_columns *columns, uint64_t trace_lo,
                           uint64_t span_id);

/* Gather what belongs to a row, with the strays that wait for it, into the arrays above; ordered, keys once. 0 or -ENOMEM. */
struct export_gather {
	const struct export_run *run;
	const struct store_columns *columns;
	const struct store_overview *overview;
	struct export_strays *strays; /* NULL: there are none */
	uint64_t number;              /* of the batch */
};
int export_batch_gather(struct export_batch *batch, const struct export_gather *gather, uint32_t row);

#endif
