/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_load.h"

#include "base/checked.h"
#include "libstore/batch.h"

#include <spanring/record.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Of fewer segments a second thread takes longer to begin than it saves. */
#define SHARED_SEGMENTS_MIN 32u

/* Batches come from several threads, in no order; rows remember where they were. */
struct loading {
	struct query *query;
	struct trace *trace;
	pthread_mutex_t lock; /* of all that follows, and of the trace */
	uint32_t span_room;
	uint32_t attribute_room;
	uint32_t event_room;
	uint32_t link_room;
	size_t text_bytes;
	size_t text_room;
};

static int grow(void **array, uint32_t count, uint32_t *room, size_t row_bytes) {
	if (count < *room)
		return 0;
	uint32_t wanted = *room ? 2 * *room : 256;
	void *grown = realloc(*array, wanted * row_bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

/* Where in the store: the order of places is that in which things were stored. */
static uint64_t place_of(const struct loading *loading, const struct store_columns *columns, uint32_t row) {
	_Static_assert(BATCH_SPANS_MAX <= 1u << 16 && BATCH_ATTRIBUTES_MAX <= 1u << 16 &&
	                   BATCH_EVENTS_MAX <= 1u << 16 && BATCH_LINKS_MAX <= 1u << 16,
	               "a row has 16 bits of a place");
	uint64_t segment = (uint64_t)(columns->segment - loading->query->overview->segments);
	return segment << 40 | columns->batch << 16 | row;
}

static const struct store_segment_view *segment_at(const struct loading *loading, uint64_t place) {
	return &loading->query->overview->segments[place >> 40];
}

static int take_span(struct loading *loading, const struct store_columns *columns, uint32_t row) {
	struct trace *trace = loading->trace;
	const struct store_segment_view *segment = columns->segment;
	if (trace->span_count == TRACE_LOAD_ROWS_MAX) {
		trace->complete = false;
		return 0;
	}
	if (grow((void **)&trace->spans, trace->span_count, &loading->span_room, sizeof(trace->spans[0])) != 0)
		return -ENOMEM;
	struct trace_span *span = &trace->spans[trace->span_count++];
	memset(span, 0, sizeof(*span));
	span->tree.span_id = columns->span_id[row];
	span->tree.parent_id = columns->parent_id[row];
	span->place = place_of(loading, columns, row);
	span->tree.start_ns = columns->start_ns[row]; /* to_wall_times */
	span->tree.duration_ns = columns->duration_ns[row];
	span->kind = columns->kind[row];
	span->status = columns->status[row];
	span->flags = columns->flags[row];
	span->heap_alloc_units = columns->heap_alloc_units[row];
	span->heap_net_units = columns->heap_net_units[row];
	if (columns->site[row] <= segment->site_count) {
		const struct store_site *site = &segment->sites[columns->site[row]];
		span->name = site->name;
		span->file = site->file;
		span->line = site->line;
		span->scope_name = site->scope_name;
		span->scope_version = site->scope_version;
	}
	if (columns->thread[row] <= segment->thread_count) {
		const struct store_thread *thread = &segment->threads[columns->thread[row]];
		span->process = thread->process <= loading->query->overview->process_count ? thread->process : 0;
		span->tid = thread->tid;
		span->thread_name = thread->name;
	}
	return 0;
}

static int copy_text(struct loading *loading, const char *text, uint32_t bytes) {
	if (loading->text_bytes + bytes > loading->text_room) {
		size_t wanted = 2 * loading->text_room + bytes + 4096;
		char *grown = realloc(loading->trace->text, wanted);
		if (!grown)
			return -ENOMEM;
		loading->trace->text = grown;
		loading->text_room = wanted;
	}
	memcpy(loading->trace->text + loading->text_bytes, text, bytes);
	loading->text_bytes += bytes;
	return 0;
}

static int take_attribute(struct loading *loading, const struct store_columns *columns, uint32_t row) {
	const struct store_attribute *from = &columns->attributes[row];
	struct trace *trace = loading->trace;
	bool string = from->type == SPANRING_VALUE_STRING;
	if (string && !checked_range(from->value, from->text_bytes, columns->text_bytes))
		return 0;
	if (trace->attribute_count == TRACE_LOAD_ROWS_MAX ||
	    (string && loading->text_bytes + from->text_bytes > TRACE_LOAD_TEXT_BYTES_MAX)) {
		trace->complete = false;
		return 0;
	}
	if (grow((void **)&trace->attributes, trace->attribute_count, &loading->attribute_room,
	         sizeof(trace->attributes[0])) != 0)
		return -ENOMEM;
	struct trace_attribute attribute = {
	    .span_id = from->span_id,
	    .value = from->value,
	    .text_offset = loading->text_bytes,
	    .text_bytes = string ? from->text_bytes : 0,
	    .key = from->key,
	    .event_index = from->event_index,
	    .place = place_of(loading, columns, row),
	    .type = from->type,
	};
	trace->attributes[trace->attribute_count++] = attribute;
	return string ? copy_text(loading, columns->text + from->value, from->text_bytes) : 0;
}

static int take_event(struct loading *loading, const struct store_columns *columns, uint32_t row) {
	const struct store_event *from = &columns->events[row];
	struct trace *trace = loading->trace;
	if (trace->event_count == TRACE_LOAD_ROWS_MAX) {
		trace->complete = false;
		return 0;
	}
	if (grow((void **)&trace->events, trace->event_count, &loading->event_room, sizeof(trace->events[0])) != 0)
		return -ENOMEM;
	struct trace_event event = {.span_id = from->span_id,
	                            .time_wall_ns = from->time_ns, /* to_wall_times */
	                            .place = place_of(loading, columns, row),
	                            .name = from->name,
	                            .event_index = from->event_index};
	trace->events[trace->event_count++] = event;
	return 0;
}

static int take_link(struct loading *loading, const struct store_columns *columns, uint32_t row) {
	const struct store_link *from = &columns->links[row];
	struct trace *trace = loading->trace;
	if (trace->link_count == TRACE_LOAD_ROWS_MAX) {
		trace->complete = false;
		return 0;
	}
	if (grow((void **)&trace->links, trace->link_count, &loading->link_room, sizeof(trace->links[0])) != 0)
		return -ENOMEM;
	struct trace_link link = {.span_id = from->span_id,
	                          .linked_hi = from->linked_trace_hi,
	                          .linked_lo = from->linked_trace_lo,
	                          .linked_span_id = from->linked_span_id,
	                          .place = place_of(loading, columns, row)};
	trace->links[trace->link_count++] = link;
	return 0;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct loading *loading = context;
	const struct trace *trace = loading->trace;
	int rc = 0;
	(void)pthread_mutex_lock(&loading->lock);
	for (uint32_t i = 0; i < columns->span_count && rc == 0; i++)
		if (columns->trace_lo[i] == trace->lo && columns->trace_hi[i] == trace->hi)
			rc = take_span(loading, columns, i);
	for (uint32_t i = 0; i < columns->attribute_count && rc == 0; i++)
		if (columns->attributes[i].trace_lo == trace->lo)
			rc = take_attribute(loading, columns, i);
	for (uint32_t i = 0; i < columns->event_count && rc == 0; i++)
		if (columns->events[i].trace_lo == trace->lo)
			rc = take_event(loading, columns, i);
	for (uint32_t i = 0; i < columns->link_count && rc == 0; i++)
		if (columns->links[i].trace_lo == trace->lo)
			rc = take_link(loading, columns, i);
	(void)pthread_mutex_unlock(&loading->lock);
	return rc;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static int by_u64(uint64_t a, uint64_t b) {
	return a < b ? -1 : a > b;
}

static int by_span_place(const void *a, const void *b) {
	return by_u64(((const struct trace_span *)a)->place, ((const struct trace_span *)b)->place);
}

static int by_place(const void *a, const void *b) {
	const struct trace_attribute *left = a;
	const struct trace_attribute *right = b;
	int order = by_u64(left->span_id, right->span_id);
	if (order == 0)
		order = by_u64(left->event_index, right->event_index);
	return order ? order : by_u64(left->place, right->place);
}

static int by_key(const void *a, const void *b) {
	const struct trace_attribute *left = a;
	const struct trace_attribute *right = b;
	int order = by_u64(left->span_id, right->span_id);
	if (order == 0)
		order = by_u64(left->event_index, right->event_index);
	if (order == 0)
		order = by_u64(left->key, right->key);
	return order ? order : by_u64(left->place, right->place);
}

static int by_event(const void *a, const void *b) {
	const struct trace_event *left = a;
	const struct trace_event *right = b;
	int order = by_u64(left->span_id, right->span_id);
	return order ? order : by_u64(left->event_index, right->event_index);
}

static int by_link(const void *a, const void *b) {
	const struct trace_link *left = a;
	const struct trace_link *right = b;
	int order = by_u64(left->span_id, right->span_id);
	return order ? order : by_u64(left->place, right->place);
}

/* A key set twice keeps its last value. */
static void keep_last_values(struct trace *trace) {
	struct trace_attribute *rows = trace->attributes;
	uint32_t kept = 0;
	if (trace->attribute_count == 0)
		return;
	qsort(rows, trace->attribute_count, sizeof(rows[0]), by_key);
	for (uint32_t i = 0; i < trace->attribute_count; i++) {
		bool last = i + 1 == trace->attribute_count || rows[i + 1].span_id != rows[i].span_id ||
		            rows[i + 1].event_index != rows[i].event_index || rows[i + 1].key != rows[i].key;
		if (last)
			rows[kept++] = rows[i];
	}
	trace->attribute_count = kept;
	qsort(rows, kept, sizeof(rows[0]), by_place);
}

static uint64_t wall_of(const struct loading *loading, const struct store_segment_view *first, uint64_t place,
                        uint64_t time_ns) {
	const struct store_segment_view *segment = segment_at(loading, place);
	bool one_boot = memcmp(segment->boot_id, first->boot_id, sizeof(segment->boot_id)) == 0;
	return saturating_add(time_ns, one_boot ? first->wall_offset_ns : segment->wall_offset_ns);
}

/* The clock of the first segment that has anything of it counts for all of its boot. */
static void to_wall_times(const struct loading *loading) {
	struct trace *trace = loading->trace;
	uint64_t place = UINT64_MAX;
	for (uint32_t i = 0; i < trace->span_count; i++)
		place = trace->spans[i].place < place ? trace->spans[i].place : place;
	for (uint32_t i = 0; i < trace->event_count; i++)
		place = trace->events[i].place < place ? trace->events[i].place : place;
	if (place == UINT64_MAX)
		return;
	const struct store_segment_view *first = segment_at(loading, place);
	for (uint32_t i = 0; i < trace->span_count; i++)
		trace->spans[i].tree.start_ns =
		    wall_of(loading, first, trace->spans[i].place, trace->spans[i].tree.start_ns);
	for (uint32_t i = 0; i < trace->event_count; i++)
		trace->events[i].time_wall_ns =
		    wall_of(loading, first, trace->events[i].place, trace->events[i].time_wall_ns);
}

static void put_in_order(struct trace *trace) {
	if (trace->span_count > 0)
		qsort(trace->spans, trace->span_count, sizeof(trace->spans[0]), by_span_place);
	keep_last_values(trace);
	if (trace->event_count > 0)
		qsort(trace->events, trace->event_count, sizeof(trace->events[0]), by_event);
	if (trace->link_count > 0)
		qsort(trace->links, trace->link_count, sizeof(trace->links[0]), by_link);
}

int trace_load(struct query *query, uint64_t hi, uint64_t lo, struct trace *ret_trace) {
	struct trace trace = {.hi = hi, .lo = lo, .complete = true};
	struct loading loading = {.query = query, .trace = &trace};
	struct query_scan scan = {.columns = STORE_COLUMNS_ALL,
	                          .without_where = true,
	                          .has_trace = true,
	                          .trace_lo = lo,
	                          .threads =
	                              query->overview->segment_count < SHARED_SEGMENTS_MIN ? 1 : query_threads(query),
	                          .on_batch = take_batch,
	                          .context = &loading};
	int rc = -pthread_mutex_init(&loading.lock, NULL);
	if (rc != 0)
		return rc;
	rc = query_scan(query, &scan);
	(void)pthread_mutex_destroy(&loading.lock);
	if (rc != 0) {
		trace_done(&trace);
		return rc;
	}
	to_wall_times(&loading);
	put_in_order(&trace);
	*ret_trace = trace;
	return 0;
}

void trace_done(struct trace *trace) {
	free(trace->spans);
	free(trace->attributes);
	free(trace->events);
	free(trace->links);
	free(trace->text);
	memset(trace, 0, sizeof(*trace));
}

/* First row whose (span, second) is not below the wanted one. */
const struct trace_attribute *trace_attributes_of(const struct trace *trace, uint64_t span_id, uint32_t event_index,
                                                  size_t *ret_count) {
	struct trace_attribute wanted = {.span_id = span_id, .event_index = event_index};
	uint32_t low = 0;
	uint32_t high = trace->attribute_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (by_place(&trace->attributes[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t end = low;
	while (end < trace->attribute_count && trace->attributes[end].span_id == span_id &&
	       trace->attributes[end].event_index == event_index)
		end++;
	*ret_count = end - low;
	return trace->attributes ? &trace->attributes[low] : NULL;
}

const struct trace_event *trace_events_of(const struct trace *trace, uint64_t span_id, size_t *ret_count) {
	struct trace_event wanted = {.span_id = span_id};
	uint32_t low = 0;
	uint32_t high = trace->event_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (by_event(&trace->events[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t end = low;
	while (end < trace->event_count && trace->events[end].span_id == span_id)
		end++;
	*ret_count = end - low;
	return trace->events ? &trace->events[low] : NULL;
}

const struct trace_link *trace_links_of(const struct trace *trace, uint64_t span_id, size_t *ret_count) {
	struct trace_link wanted = {.span_id = span_id};
	uint32_t low = 0;
	uint32_t high = trace->link_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (by_link(&trace->links[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	uint32_t end = low;
	while (end < trace->link_count && trace->links[end].span_id == span_id)
		end++;
	*ret_count = end - low;
	return trace->links ? &trace->links[low] : NULL;
}

/* --- ids that begin with something ------------------------------------------------------------------------------- */

struct matching {
	const struct trace_id_pattern *pattern;
	struct trace_match *matches;
	size_t count;
};

static int take_ids(void *context, const struct store_columns *columns) {
	struct matching *matching = context;
	for (uint32_t i = 0; i < columns->span_count && matching->count < TRACE_LOAD_MATCHES_MAX; i++) {
		if (!trace_id_matches(matching->pattern, columns->trace_hi[i], columns->trace_lo[i]))
			continue;
		bool known = false;
		for (size_t m = 0; m < matching->count; m++)
			known = known || (matching->matches[m].hi == columns->trace_hi[i] &&
			                  matching->matches[m].lo == columns->trace_lo[i]);
		if (known)
			continue;
		struct trace_match match = {columns->trace_hi[i], columns->trace_lo[i]};
		matching->matches[matching->count++] = match;
	}
	return 0;
}

int trace_load_matches(struct query *query, const struct trace_id_pattern *pattern,
                       struct trace_match ret_matches[TRACE_LOAD_MATCHES_MAX], size_t *ret_count) {
	struct matching matching = {.pattern = pattern, .matches = ret_matches};
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE, .on_batch = take_ids, .context = &matching};
	int rc = query_scan(query, &scan);
	*ret_count = matching.count;
	return rc;
}
