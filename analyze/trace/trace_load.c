/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_load.h"

#include "base/checked.h"

#include <spanring/record.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct loading {
	struct query *query;
	struct trace *trace;
	const struct store_segment_view *first; /* its clock counts */
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

static uint64_t to_wall(const struct loading *loading, const struct store_segment_view *segment, uint64_t time_ns) {
	bool one_boot = memcmp(segment->boot_id, loading->first->boot_id, sizeof(segment->boot_id)) == 0;
	return saturating_add(time_ns, one_boot ? loading->first->wall_offset_ns : segment->wall_offset_ns);
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
	span->tree.start_ns = to_wall(loading, segment, columns->start_ns[row]);
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

static int take_attribute(struct loading *loading, const struct store_columns *columns,
                          const struct store_attribute *from) {
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
	    .arrival = trace->attribute_count,
	    .type = from->type,
	};
	trace->attributes[trace->attribute_count++] = attribute;
	return string ? copy_text(loading, columns->text + from->value, from->text_bytes) : 0;
}

static int take_event(struct loading *loading, const struct store_columns *columns, const struct store_event *from) {
	struct trace *trace = loading->trace;
	if (trace->event_count == TRACE_LOAD_ROWS_MAX) {
		trace->complete = false;
		return 0;
	}
	if (grow((void **)&trace->events, trace->event_count, &loading->event_room, sizeof(trace->events[0])) != 0)
		return -ENOMEM;
	struct trace_event event = {.span_id = from->span_id,
	                            .time_wall_ns = to_wall(loading, columns->segment, from->time_ns),
	                            .name = from->name,
	                            .event_index = from->event_index};
	trace->events[trace->event_count++] = event;
	return 0;
}

static int take_link(struct loading *loading, const struct store_link *from) {
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
	                          .arrival = trace->link_count};
	trace->links[trace->link_count++] = link;
	return 0;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct loading *loading = context;
	const struct trace *trace = loading->trace;
	int rc = 0;
	if (!loading->first)
		loading->first = columns->segment;
	for (uint32_t i = 0; i < columns->span_count && rc == 0; i++)
		if (columns->trace_lo[i] == trace->lo && columns->trace_hi[i] == trace->hi)
			rc = take_span(loading, columns, i);
	for (uint32_t i = 0; i < columns->attribute_count && rc == 0; i++)
		if (columns->attributes[i].trace_lo == trace->lo)
			rc = take_attribute(loading, columns, &columns->attributes[i]);
	for (uint32_t i = 0; i < columns->event_count && rc == 0; i++)
		if (columns->events[i].trace_lo == trace->lo)
			rc = take_event(loading, columns, &columns->events[i]);
	for (uint32_t i = 0; i < columns->link_count && rc == 0; i++)
		if (columns->links[i].trace_lo == trace->lo)
			rc = take_link(loading, &columns->links[i]);
	return rc;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static int by_u64(uint64_t a, uint64_t b) {
	return a < b ? -1 : a > b;
}

static int by_place(const void *a, const void *b) {
	const struct trace_attribute *left = a;
	const struct trace_attribute *right = b;
	int order = by_u64(left->span_id, right->span_id);
	if (order == 0)
		order = by_u64(left->event_index, right->event_index);
	return order ? order : by_u64(left->arrival, right->arrival);
}

static int by_key(const void *a, const void *b) {
	const struct trace_attribute *left = a;
	const struct trace_attribute *right = b;
	int order = by_u64(left->span_id, right->span_id);
	if (order == 0)
		order = by_u64(left->event_index, right->event_index);
	if (order == 0)
		order = by_u64(left->key, right->key);
	return order ? order : by_u64(left->arrival, right->arrival);
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
	return order ? order : by_u64(left->arrival, right->arrival);
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

int trace_load(struct query *query, uint64_t hi, uint64_t lo, struct trace *ret_trace) {
	struct trace trace = {.hi = hi, .lo = lo, .complete = true};
	struct loading loading = {.query = query, .trace = &trace};
	struct query_scan scan = {.columns = STORE_COLUMNS_ALL,
	                          .without_where = true,
	                          .has_trace = true,
	                          .trace_lo = lo,
	                          .on_batch = take_batch,
	                          .context = &loading};
	int rc = query_scan(query, &scan);
	if (rc != 0) {
		trace_done(&trace);
		return rc;
	}
	keep_last_values(&trace);
	if (trace.event_count > 0)
		qsort(trace.events, trace.event_count, sizeof(trace.events[0]), by_event);
	if (trace.link_count > 0)
		qsort(trace.links, trace.link_count, sizeof(trace.links[0]), by_link);
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
