/* SPDX-License-Identifier: Apache-2.0 */
#include "export_batch.h"

#include "base/checked.h"

#include <spanring/record.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(BATCH_ATTRIBUTES_MAX == BATCH_EVENTS_MAX && BATCH_EVENTS_MAX == BATCH_LINKS_MAX, "one size of lists");

int export_batch_new(struct export_batch **ret_batch) {
	struct export_batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		return -ENOMEM;
	*ret_batch = batch;
	return 0;
}

static void free_strays(struct export_batch *batch) {
	for (uint32_t i = 0; i < batch->stray_count; i++)
		free(batch->strays[i].text);
	batch->stray_count = 0;
}

void export_batch_free(struct export_batch *batch) {
	if (!batch)
		return;
	free_strays(batch);
	free(batch->values);
	free(batch->event_rows);
	free(batch->link_rows);
	free(batch->strays);
	free(batch);
}

/* --- which rows belong to which span ----------------------------------------------------------------------------- */

/* Counting sort; rows of spans that are elsewhere (span_count) come behind all others. */
static void make_lists(struct export_lists *lists, const uint32_t *row_of, uint32_t count, uint32_t span_count) {
	memset(lists->first, 0, ((size_t)span_count + 2) * sizeof(lists->first[0]));
	if (count == 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		if (row_of[i] < span_count)
			lists->first[row_of[i] + 2]++;
	for (uint32_t row = 2; row < span_count + 2; row++)
		lists->first[row] += lists->first[row - 1];
	for (uint32_t i = 0; i < count; i++)
		if (row_of[i] < span_count)
			lists->list[lists->first[row_of[i] + 1]++] = i;
}

static uint32_t slot_of(uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = (trace_lo ^ span_id * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(hash >> 32) & (EXPORT_TABLE_SLOTS - 1);
}

static void make_table(struct export_batch *batch, const struct store_columns *columns) {
	memset(batch->table, 0, sizeof(batch->table));
	for (uint32_t row = 0; row < columns->span_count; row++) {
		uint32_t at = slot_of(columns->trace_lo[row], columns->span_id[row]);
		while (batch->table[at])
			at = (at + 1) & (EXPORT_TABLE_SLOTS - 1);
		batch->table[at] = row + 1;
	}
	batch->table_made = true;
}

uint32_t export_batch_find(const struct export_batch *batch, const struct store_columns *columns, uint64_t trace_lo,
                           uint64_t span_id) {
	uint32_t at = slot_of(trace_lo, span_id);
	for (; batch->table[at]; at = (at + 1) & (EXPORT_TABLE_SLOTS - 1)) {
		uint32_t row = batch->table[at] - 1;
		if (columns->span_id[row] == span_id && columns->trace_lo[row] == trace_lo)
			return row;
	}
	return UINT32_MAX;
}

void export_batch_begin(struct export_batch *batch, const struct store_columns *columns, bool needs_table) {
	make_lists(&batch->attributes, columns->attribute_row, columns->attribute_count, columns->span_count);
	make_lists(&batch->events, columns->event_row, columns->event_count, columns->span_count);
	batch->table_made = false;
	if (needs_table || columns->link_count > 0)
		make_table(batch, columns);
	for (uint32_t i = 0; i < columns->link_count; i++)
		batch->row_of[i] =
		    export_batch_find(batch, columns, columns->links[i].trace_lo, columns->links[i].span_id);
	make_lists(&batch->links, batch->row_of, columns->link_count, columns->span_count);
	for (uint32_t row = 0; row < columns->span_count; row++)
		batch->order[row] = row;
}

/* --- order by process and scope ---------------------------------------------------------------------------------- */

static int by_group(const void *a, const void *b, void *context) {
	const uint64_t *keys = context;
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;
	if (keys[left] != keys[right])
		return keys[left] < keys[right] ? -1 : 1;
	return left < right ? -1 : left > right;
}

/* Processes and scopes as numbers of this store, then by the first row that each has: the same order whatever the numbers are. */
void export_batch_group(struct export_batch *batch, const struct store_columns *columns) {
	uint64_t *keys = batch->sort_keys;
	uint32_t count = columns->span_count;
	bool mixed = false;
	for (uint32_t row = 0; row < count; row++) {
		uint32_t site = columns->site[row] <= columns->segment->site_count ? columns->site[row] : 0;
		const struct store_site *from = site ? &columns->segment->sites[site] : NULL;
		uint64_t scope = from ? from->scope_name * UINT64_C(0x10001) + from->scope_version : 0;
		keys[row] = (uint64_t)query_process(columns, row) << 38 | (scope & ((UINT64_C(1) << 38) - 1));
		mixed = mixed || keys[row] != keys[0];
	}
	if (!mixed)
		return;
	qsort_r(batch->order, count, sizeof(batch->order[0]), by_group, keys);
	uint64_t group = 0;
	uint64_t first = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t row = batch->order[i];
		if (i == 0 || keys[row] != group) {
			group = keys[row];
			first = row;
		}
		keys[row] = first;
	}
	qsort_r(batch->order, count, sizeof(batch->order[0]), by_group, keys);
}

/* --- one span ---------------------------------------------------------------------------------------------------- */

static int grow(void **array, uint32_t count, uint32_t *room, size_t row_bytes) {
	if (count < *room)
		return 0;
	uint32_t wanted = *room ? 2 * *room : 64;
	void *grown = reallocarray(*array, wanted, row_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

static const char *name_of(const struct export_gather *gather, uint32_t id) {
	return gather->overview->names[id <= gather->overview->name_count ? id : 0];
}

static int add_value(struct export_batch *batch, const struct export_value *value) {
	if (grow((void **)&batch->values, batch->value_count, &batch->value_room, sizeof(*value)) != 0)
		return -ENOMEM;
	batch->values[batch->value_count++] = *value;
	return 0;
}

static int add_event(struct export_batch *batch, const struct export_event *event) {
	if (grow((void **)&batch->event_rows, batch->event_count, &batch->event_room, sizeof(*event)) != 0)
		return -ENOMEM;
	batch->event_rows[batch->event_count++] = *event;
	return 0;
}

static int add_link(struct export_batch *batch, const struct export_link *link) {
	if (grow((void **)&batch->link_rows, batch->link_count, &batch->link_room, sizeof(*link)) != 0)
		return -ENOMEM;
	batch->link_rows[batch->link_count++] = *link;
	return 0;
}

static int take_attribute(struct export_batch *batch, const struct export_gather *gather, uint32_t i) {
	const struct store_attribute *from = &gather->columns->attributes[i];
	bool string = from->type == SPANRING_VALUE_STRING;
	if (string && !checked_range(from->value, from->text_bytes, gather->columns->text_bytes))
		return 0;
	const struct export_value value = {.key = name_of(gather, from->key),
	                                   .text = string ? gather->columns->text + from->value : "",
	                                   .value = from->value,
	                                   .batch = gather->number,
	                                   .arrival = i,
	                                   .text_bytes = string ? from->text_bytes : 0,
	                                   .event_index = from->event_index,
	                                   .type = from->type};
	return add_value(batch, &value);
}

static int take_event(struct export_batch *batch, const struct export_gather *gather, uint32_t i) {
	const struct store_event *from = &gather->columns->events[i];
	const struct export_event event = {.name = name_of(gather, from->name),
	                                   .time_wall_ns =
	                                       export_wall_ns(gather->run, gather->columns->segment, from->time_ns),
	                                   .batch = gather->number,
	                                   .index = from->event_index,
	                                   .arrival = i};
	return add_event(batch, &event);
}

static int take_link(struct export_batch *batch, const struct export_gather *gather, uint32_t i) {
	const struct store_link *from = &gather->columns->links[i];
	const struct export_link link = {.trace_hi = from->linked_trace_hi,
	                                 .trace_lo = from->linked_trace_lo,
	                                 .span_id = from->linked_span_id,
	                                 .batch = gather->number,
	                                 .arrival = i};
	return add_link(batch, &link);
}

static int take_stray(struct export_batch *batch, const struct export_gather *gather, const struct export_stray *stray,
                      uint32_t arrival) {
	const struct export_value value = {.key = name_of(gather, stray->name),
	                                   .text = stray->text ? stray->text : "",
	                                   .value = stray->value,
	                                   .batch = stray->batch,
	                                   .arrival = (uint32_t)stray->second,
	                                   .text_bytes = stray->text_bytes,
	                                   .event_index = stray->event_index,
	                                   .type = stray->type};
	const struct export_event event = {.name = name_of(gather, stray->name),
	                                   .time_wall_ns = stray->value,
	                                   .batch = stray->batch,
	                                   .index = stray->event_index,
	                                   .arrival = arrival};
	const struct export_link link = {.trace_hi = stray->value,
	                                 .trace_lo = stray->second,
	                                 .span_id = stray->third,
	                                 .batch = stray->batch,
	                                 .arrival = stray->event_index};
	switch ((enum export_stray_kind)stray->kind) {
	case EXPORT_STRAY_ATTRIBUTE:
		return add_value(batch, &value);
	case EXPORT_STRAY_EVENT:
		return add_event(batch, &event);
	case EXPORT_STRAY_LINK:
		return add_link(batch, &link);
	case EXPORT_STRAY_CHILD:
		break;
	}
	return 0;
}

static int take_strays(struct export_batch *batch, const struct export_gather *gather, uint32_t row) {
	struct export_stray stray;
	int rc = 0;
	while (rc == 0 && export_strays_take(gather->strays, gather->columns->trace_lo[row],
	                                     gather->columns->span_id[row], &stray)) {
		if (grow((void **)&batch->strays, batch->stray_count, &batch->stray_room, sizeof(stray)) != 0) {
			free(stray.text);
			return -ENOMEM;
		}
		batch->strays[batch->stray_count++] = stray;
		rc = take_stray(batch, gather, &stray, batch->stray_count);
	}
	return rc;
}

static int compare(uint64_t a, uint64_t b) {
	return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b) {
	const struct export_value *left = a;
	const struct export_value *right = b;
	int order = compare(left->event_index, right->event_index);
	if (order == 0)
		order = strcmp(left->key, right->key);
	if (order == 0)
		order = compare(left->batch, right->batch);
	return order ? order : compare(left->arrival, right->arrival);
}

static int by_index(const void *a, const void *b) {
	const struct export_event *left = a;
	const struct export_event *right = b;
	int order = compare(left->index, right->index);
	if (order == 0)
		order = compare(left->batch, right->batch);
	return order ? order : compare(left->arrival, right->arrival);
}

static int by_age(const void *a, const void *b) {
	const struct export_link *left = a;
	const struct export_link *right = b;
	int order = compare(left->batch, right->batch);
	return order ? order : compare(left->arrival, right->arrival);
}

static void put_in_order(struct export_batch *batch) {
	uint32_t kept = 0;
	if (batch->value_count > 1)
		qsort(batch->values, batch->value_count, sizeof(batch->values[0]), by_key);
	for (uint32_t i = 0; i < batch->value_count; i++) {
		const struct export_value *value = &batch->values[i];
		const struct export_value *next = i + 1 < batch->value_count ? value + 1 : NULL;
		if (!next || next->event_index != value->event_index || strcmp(next->key, value->key) != 0)
			batch->values[kept++] = *value;
	}
	batch->value_count = kept;
	if (batch->event_count > 1)
		qsort(batch->event_rows, batch->event_count, sizeof(batch->event_rows[0]), by_index);
	if (batch->link_count > 1)
		qsort(batch->link_rows, batch->link_count, sizeof(batch->link_rows[0]), by_age);
}

int export_batch_gather(struct export_batch *batch, const struct export_gather *gather, uint32_t row) {
	int rc = 0;
	free_strays(batch);
	batch->value_count = 0;
	batch->event_count = 0;
	batch->link_count = 0;
	for (uint32_t i = batch->attributes.first[row]; i < batch->attributes.first[row + 1] && rc == 0; i++)
		rc = take_attribute(batch, gather, batch->attributes.list[i]);
	for (uint32_t i = batch->events.first[row]; i < batch->events.first[row + 1] && rc == 0; i++)
		rc = take_event(batch, gather, batch->events.list[i]);
	for (uint32_t i = batch->links.first[row]; i < batch->links.first[row + 1] && rc == 0; i++)
		rc = take_link(batch, gather, batch->links.list[i]);
	if (rc == 0 && gather->strays)
		rc = take_strays(batch, gather, row);
	if (rc == 0)
		put_in_order(batch);
	return rc;
}
