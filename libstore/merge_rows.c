/* SPDX-License-Identifier: Apache-2.0 */
#include "merge_rows.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

int merge_rows_unknown_tables(struct db *db, int64_t *ret_count) {
	int64_t known = 0;
	int error = db_integer(db, "SELECT count(*) FROM sqlite_master WHERE type='table'", ret_count);
	for (int table = 0; table < SCHEMA_TABLES && !error; table++) {
		int there = segment_has_table(db, (enum schema_table)table);
		error = there < 0 ? there : 0;
		known += there == 1;
	}
	*ret_count -= known;
	return error;
}

static void append_spans(struct batch *batch, const struct store_columns *columns) {
	for (uint32_t i = 0; i < columns->span_count; i++) {
		struct store_span span = {.trace_hi = columns->trace_hi[i],
		                          .trace_lo = columns->trace_lo[i],
		                          .span_id = columns->span_id[i],
		                          .parent_id = columns->parent_id[i],
		                          .start_ns = columns->start_ns[i],
		                          .duration_ns = columns->duration_ns[i],
		                          .heap_alloc_units = columns->heap_alloc_units[i],
		                          .heap_net_units = columns->heap_net_units[i],
		                          .site = columns->site[i],
		                          .thread = columns->thread[i],
		                          .kind = columns->kind[i],
		                          .status = columns->status[i],
		                          .flags = columns->flags[i],
		                          .weight = columns->weight ? columns->weight[i] : 0};
		batch_add_span(batch, &span);
	}
}

bool merge_rows_append(struct batch *batch, const struct store_columns *columns) {
	if (!batch_has_room(batch, columns->span_count, columns->attribute_count, columns->event_count,
	                    columns->text_bytes) ||
	    columns->link_count > batch->room_rows - batch->link_count)
		return false;
	append_spans(batch, columns);
	/* The offset of a text means something for strings only, which batch_add_attribute looks at first. */
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		const struct store_attribute *attribute = &columns->attributes[i];
		const char *text = attribute->text_bytes ? columns->text + attribute->value : NULL;
		batch_add_attribute(batch, attribute, text);
	}
	for (uint32_t i = 0; i < columns->event_count; i++)
		batch_add_event(batch, &columns->events[i]);
	for (uint32_t i = 0; i < columns->link_count; i++)
		batch_add_link(batch, &columns->links[i]);
	return true;
}

void merge_rows_view(const struct store_columns *columns, struct merge_rows_view_room *room,
                     struct child_rows *ret_rows) {
	uint32_t count = 0;
	uint32_t away = 0;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (columns->parent_row[row] == STORE_PARENT_AWAY)
			room->away_row[away++] = row;
		if (row == 0 || columns->trace_lo[row] != columns->trace_lo[row - 1] ||
		    columns->trace_hi[row] != columns->trace_hi[row - 1]) {
			room->trace_lo[count] = columns->trace_lo[row];
			room->run[count++] = 0;
		}
		room->run[count - 1]++;
	}
	*ret_rows = (struct child_rows){.count = columns->span_count,
	                                .trace_count = count,
	                                .trace_lo = room->trace_lo,
	                                .run = room->run,
	                                .span_id = columns->span_id,
	                                .start_ns = columns->start_ns,
	                                .duration_ns = columns->duration_ns,
	                                .parent_row = columns->parent_row,
	                                .site = columns->site,
	                                .flags = columns->flags,
	                                .away_count = away,
	                                .away_row = room->away_row,
	                                .away_parent_id = columns->away_parent_id};
}

struct fill {
	uint64_t spans;
	uint64_t attributes;
	uint64_t events;
	uint64_t text_bytes;
};

uint32_t merge_rows_text_bytes(uint32_t rows) {
	return rows * (BATCH_TEXT_BYTES_MAX / BATCH_SPANS_MAX);
}

static bool fits(const struct fill *fill, uint32_t rows) {
	return fill->spans <= rows && fill->attributes <= rows && fill->events <= rows &&
	       fill->text_bytes <= merge_rows_text_bytes(rows);
}

static int plan_row(struct db_statement *select, uint64_t expected, uint32_t rows, struct fill *group,
                    bool *ret_begins) {
	uint64_t id = db_get_u64(select);
	struct fill row = {.spans = db_get_u32(select)};
	row.attributes = db_get_u32(select);
	row.events = db_get_u32(select);
	row.text_bytes = db_get_u32(select);
	if (db_row_end(select) || id != expected || !fits(&row, BATCH_SPANS_MAX))
		return ERR_DAMAGED;
	struct fill both = {group->spans + row.spans, group->attributes + row.attributes, group->events + row.events,
	                    group->text_bytes + row.text_bytes};
	*ret_begins = expected == 1 || !fits(&both, rows);
	*group = *ret_begins ? row : both;
	return 0;
}

int merge_rows_plan(struct db *db, uint64_t batch_count, uint32_t rows, uint8_t **ret_begins, uint64_t *ret_groups) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	struct fill group = {0};
	uint64_t groups = 0;
	int row = 0;
	if (batch_count > SEGMENT_BATCHES_MAX)
		return ERR_DAMAGED;
	uint8_t *begins CLEANUP_FREE = calloc(1, (size_t)batch_count / 8 + 1);
	if (!begins)
		return -ENOMEM;
	int error = db_prepare(db, "SELECT id,spans,attributes,events,text_bytes FROM batch ORDER BY id", &select);
	for (uint64_t i = 0; !error && (row = db_next(select)) == 1; i++) {
		bool begin = false;
		error = i < batch_count ? plan_row(select, i + 1, rows, &group, &begin) : ERR_DAMAGED;
		groups += begin;
		if (begin)
			begins[i / 8] = (uint8_t)(begins[i / 8] | 1u << i % 8);
	}
	if (error || row < 0)
		return error ? error : row;
	*ret_begins = TAKE_PTR(begins);
	*ret_groups = groups;
	return 0;
}
