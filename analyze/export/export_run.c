/* SPDX-License-Identifier: Apache-2.0 */
#include "export_batch.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <stdlib.h>
#include <string.h>

#define FLUSH_BYTES ((size_t)64 << 10)
#define STOP 1 /* the limit is reached */

struct running {
	struct export_run run; /* first: export_wall_ns and export_row_of find the rest */
	struct export_batch *batch;
	struct export_strays *strays; /* NULL: nothing lies apart from its span */
	uint64_t *offsets;            /* by segment: from its times to wall time */
	uint64_t number;              /* of batches that this pass has seen */
	bool any_apart;               /* the first pass met rows apart from their spans */
};

const char *export_state_text(uint8_t flags) {
	return flags & STORE_SPAN_OPEN ? "open" : flags & STORE_SPAN_UNFINISHED ? "unfinished" : "ended";
}

uint64_t export_wall_ns(const struct export_run *run, const struct store_segment_view *segment, uint64_t time_ns) {
	const struct running *running = (const struct running *)run;
	return saturating_add(time_ns, running->offsets[segment - run->query->overview->segments]);
}

uint32_t export_row_of(const struct export_run *run, const struct store_columns *columns, uint64_t trace_lo,
                       uint64_t span_id) {
	const struct running *running = (const struct running *)run;
	return export_batch_find(running->batch, columns, trace_lo, span_id);
}

/* The wall clock may have been set between two segments of one boot: the first counts, so that times of both compare. */
static int find_offsets(struct running *running) {
	const struct store_overview *overview = running->run.query->overview;
	running->offsets = calloc(overview->segment_count + 1, sizeof(running->offsets[0]));
	if (!running->offsets)
		return -ENOMEM;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		const struct store_segment_view *before = i > 0 ? segment - 1 : NULL;
		bool same = before && memcmp(before->boot_id, segment->boot_id, sizeof(segment->boot_id)) == 0;
		running->offsets[i] = same ? running->offsets[i - 1] : segment->wall_offset_ns;
	}
	return 0;
}

/* --- rows apart from their spans --------------------------------------------------------------------------------- */

static int wait_attributes(struct running *running, const struct store_columns *columns) {
	int rc = 0;
	for (uint32_t i = 0; i < columns->attribute_count && rc == 0; i++) {
		const struct store_attribute *row = &columns->attributes[i];
		bool string = row->type == SPANRING_VALUE_STRING;
		if (columns->attribute_row[i] < columns->span_count ||
		    (string && !checked_range(row->value, row->text_bytes, columns->text_bytes)))
			continue;
		const struct export_stray stray = {.trace_lo = row->trace_lo,
		                                   .span_id = row->span_id,
		                                   .batch = running->number,
		                                   .value = row->value,
		                                   .second = i,
		                                   .text_bytes = string ? row->text_bytes : 0,
		                                   .name = row->key,
		                                   .event_index = row->event_index,
		                                   .type = row->type,
		                                   .kind = EXPORT_STRAY_ATTRIBUTE};
		rc = export_strays_add(running->strays, &stray, string ? columns->text + row->value : NULL);
	}
	return rc;
}

static int wait_events(struct running *running, const struct store_columns *columns) {
	int rc = 0;
	for (uint32_t i = 0; i < columns->event_count && rc == 0; i++) {
		const struct store_event *row = &columns->events[i];
		if (columns->event_row[i] < columns->span_count)
			continue;
		const struct export_stray stray = {.trace_lo = row->trace_lo,
		                                   .span_id = row->span_id,
		                                   .batch = running->number,
		                                   .value =
		                                       export_wall_ns(&running->run, columns->segment, row->time_ns),
		                                   .name = row->name,
		                                   .event_index = row->event_index,
		                                   .kind = EXPORT_STRAY_EVENT};
		rc = export_strays_add(running->strays, &stray, NULL);
	}
	return rc;
}

static int wait_links(struct running *running, const struct store_columns *columns) {
	int rc = 0;
	for (uint32_t i = 0; i < columns->link_count && rc == 0; i++) {
		const struct store_link *row = &columns->links[i];
		if (export_batch_find(running->batch, columns, row->trace_lo, row->span_id) != UINT32_MAX)
			continue;
		const struct export_stray stray = {.trace_lo = row->trace_lo,
		                                   .span_id = row->span_id,
		                                   .batch = running->number,
		                                   .value = row->linked_trace_hi,
		                                   .second = row->linked_trace_lo,
		                                   .third = row->linked_span_id,
		                                   .event_index = i,
		                                   .kind = EXPORT_STRAY_LINK};
		rc = export_strays_add(running->strays, &stray, NULL);
	}
	return rc;
}

static int wait_children(struct running *running, const struct store_columns *columns) {
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		uint64_t parent_id = columns->parent_id[row];
		if (parent_id == 0 || !query_accepts(running->run.query, columns, row) ||
		    export_batch_find(running->batch, columns, columns->trace_lo[row], parent_id) != UINT32_MAX)
			continue;
		uint32_t thread = columns->thread[row] <= columns->segment->thread_count ? columns->thread[row] : 0;
		uint32_t tid = thread ? columns->segment->threads[thread].tid : 0;
		const struct export_stray stray = {
		    .trace_lo = columns->trace_lo[row],
		    .span_id = parent_id,
		    .batch = running->number,
		    .value = export_wall_ns(&running->run, columns->segment, columns->start_ns[row]),
		    .second = columns->span_id[row],
		    .third = (uint64_t)query_process(columns, row) << 32 | tid,
		    .kind = EXPORT_STRAY_CHILD};
		rc = export_strays_add(running->strays, &stray, NULL);
	}
	return rc;
}

static int wait_all(struct running *running, const struct store_columns *columns) {
	int rc = wait_attributes(running, columns);
	if (rc == 0 && !running->run.format->no_details)
		rc = wait_events(running, columns);
	if (rc == 0 && !running->run.format->no_details)
		rc = wait_links(running, columns);
	if (rc == 0 && running->run.format->wants_children)
		rc = wait_children(running, columns);
	return rc;
}

static bool is_any(const struct store_columns *columns) {
	return columns->attribute_count + columns->event_count + columns->link_count > 0;
}

/* --- passes ------------------------------------------------------------------------------------------------------ */

/* What waits for a span that came. */
static void forget(struct running *running, const struct store_columns *columns, uint32_t row) {
	struct export_stray stray;
	while (export_strays_take(running->strays, columns->trace_lo[row], columns->span_id[row], &stray))
		free(stray.text);
}

static int first_batch(void *context, const struct store_columns *columns) {
	struct running *running = context;
	const struct export_format *format = running->run.format;
	bool needs_table = format->wants_children || columns->link_count > 0;
	int rc = 0;
	if (needs_table)
		export_batch_begin(running->batch, columns, true);
	if (needs_table || is_any(columns))
		rc = wait_all(running, columns);
	running->any_apart = running->any_apart || export_strays_count(running->strays) > 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++)
		forget(running, columns, row);
	if (rc == 0 && format->observe)
		rc = format->observe(&running->run, columns);
	running->number++;
	return rc;
}

static uint32_t detail_columns(const struct export_run *run) {
	if (!run->details)
		return 0;
	return STORE_COLUMN_ATTRIBUTES | (run->format->no_details ? 0 : STORE_COLUMN_EVENTS | STORE_COLUMN_LINKS);
}

/* Is there anything that may lie apart from its span? */
static bool holds_details(const struct export_run *run) {
	const struct store_overview *overview = run->query->overview;
	for (size_t i = 0; i < overview->segment_count && run->details; i++)
		if (overview->segments[i].attributes + overview->segments[i].events + overview->segments[i].links > 0)
			return true;
	return run->format->wants_children;
}

static int mark_batch(void *context, const struct store_columns *columns) {
	struct running *running = context;
	for (uint32_t row = 0; row < columns->span_count; row++)
		export_strays_mark(running->strays, columns->trace_lo[row], columns->span_id[row]);
	return 0;
}

/* Too many rows wait: perhaps most of them for spans that are not stored. Begin again without those. */
static int leave_out_orphans(struct running *running) {
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID,
	                          .whole_time = true,
	                          .without_where = true,
	                          .on_batch = mark_batch,
	                          .context = running};
	export_strays_free(running->strays);
	running->strays = NULL;
	running->number = 0;
	running->run.query->scanned = false; /* the pass was left: it did not see all batches */
	int rc = export_strays_new(&running->strays);
	if (rc == 0)
		rc = export_strays_filter(running->strays);
	return rc ? rc : query_scan(running->run.query, &scan);
}

static int first_pass(struct running *running) {
	struct export_run *run = &running->run;
	if (!holds_details(run))
		return 0;
	int rc = export_strays_new(&running->strays);
	struct query_scan scan = {.columns = detail_columns(run) | STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID,
	                          .whole_time = true,
	                          .without_where = !run->format->observe && !run->format->wants_children,
	                          .on_batch = first_batch,
	                          .context = running};
	if (run->format->wants_children)
		scan.columns |= STORE_COLUMN_PARENT_ID | STORE_COLUMN_START | STORE_COLUMN_THREAD;
	if (rc == 0)
		rc = query_scan(run->query, &scan);
	if (rc == ERR_LIMIT) {
		rc = leave_out_orphans(running);
		running->number = 0;
		if (rc == 0)
			rc = query_scan(run->query, &scan);
	}
	running->number = 0;
	if (rc == 0 && running->any_apart)
		export_strays_second_pass(running->strays);
	if (running->any_apart)
		return rc;
	export_strays_free(running->strays);
	running->strays = NULL;
	return rc;
}

static void fill_place(const struct running *running, const struct store_columns *columns, uint32_t row,
                       struct export_span *span) {
	const struct store_overview *overview = running->run.query->overview;
	const struct store_segment_view *segment = columns->segment;
	const char *const *names = overview->names;
	span->name = span->file = span->scope = span->scope_version = span->thread = "";
	if (columns->site[row] > 0 && columns->site[row] <= segment->site_count) {
		const struct store_site *site = &segment->sites[columns->site[row]];
		span->name = names[site->name <= overview->name_count ? site->name : 0];
		span->file = names[site->file <= overview->name_count ? site->file : 0];
		span->line = site->line;
		span->scope = names[site->scope_name <= overview->name_count ? site->scope_name : 0];
		span->scope_version = names[site->scope_version <= overview->name_count ? site->scope_version : 0];
	}
	if (columns->thread[row] > 0 && columns->thread[row] <= segment->thread_count) {
		const struct store_thread *thread = &segment->threads[columns->thread[row]];
		span->process = thread->process <= overview->process_count ? thread->process : 0;
		span->tid = thread->tid;
		span->thread = names[thread->name <= overview->name_count ? thread->name : 0];
	}
	span->process_view = span->process ? &overview->processes[span->process - 1] : NULL;
}

static struct export_span make_span(const struct running *running, const struct store_columns *columns, uint32_t row) {
	const struct export_batch *batch = running->batch;
	struct export_span span = {
	    .trace_hi = columns->trace_hi[row],
	    .trace_lo = columns->trace_lo[row],
	    .span_id = columns->span_id[row],
	    .parent_id = columns->parent_id[row],
	    .start_wall_ns = export_wall_ns(&running->run, columns->segment, columns->start_ns[row]),
	    .duration_ns = columns->duration_ns[row],
	    .weight = query_weight(columns, row),
	    .heap_alloc_units = columns->heap_alloc_units[row],
	    .heap_net_units = columns->heap_net_units[row],
	    .kind = columns->kind[row],
	    .status = columns->status[row],
	    .flags = columns->flags[row],
	    .row = row,
	    .values = batch->values,
	    .value_count = batch->value_count,
	    .events = batch->event_rows,
	    .event_count = batch->event_count,
	    .links = batch->link_rows,
	    .link_count = batch->link_count,
	};
	fill_place(running, columns, row, &span);
	return span;
}

static int give_span(struct running *running, const struct store_columns *columns, uint32_t row) {
	struct export_run *run = &running->run;
	const struct export_format *format = run->format;
	bool accepted = query_accepts(run->query, columns, row);
	bool waits = running->strays && export_strays_count(running->strays) > 0;
	const struct export_gather gather = {.run = run,
	                                     .columns = columns,
	                                     .overview = run->query->overview,
	                                     .strays = waits ? running->strays : NULL,
	                                     .number = running->number};
	if (!accepted && !waits)
		return 0;
	int rc = export_batch_gather(running->batch, &gather, row);
	if (rc != 0 || !accepted)
		return rc;
	struct export_span span = make_span(running, columns, row);
	rc = format->span(run, &span);
	for (uint32_t i = 0; i < running->batch->stray_count && rc == 0 && format->child; i++)
		if (running->batch->strays[i].kind == EXPORT_STRAY_CHILD)
			rc = format->child(run, &span, &running->batch->strays[i]);
	if (rc == 0 && run->text.count >= FLUSH_BYTES)
		rc = export_text_flush(&run->text, run->out);
	return rc == 0 && ++run->span_count == run->limit ? STOP : rc;
}

static int second_batch(void *context, const struct store_columns *columns) {
	struct running *running = context;
	struct export_run *run = &running->run;
	const struct export_format *format = run->format;
	int rc = 0;
	export_batch_begin(running->batch, columns, format->wants_children);
	if (running->strays)
		rc = wait_all(running, columns);
	if (rc == 0 && format->grouped)
		export_batch_group(running->batch, columns);
	if (rc == 0 && format->batch)
		rc = format->batch(run, columns);
	for (uint32_t i = 0; i < columns->span_count && rc == 0; i++)
		rc = give_span(running, columns, running->batch->order[i]);
	running->number++;
	return rc ? rc : ferror(run->out) ? -EIO : 0;
}

/* Where rows wait for spans, batches out of the time asked for may hold some: all are read. */
static int second_pass(struct running *running) {
	struct export_run *run = &running->run;
	struct query_scan scan = {
	    .columns = (STORE_COLUMNS_ALL & ~(STORE_COLUMN_ATTRIBUTES | STORE_COLUMN_EVENTS | STORE_COLUMN_LINKS)) |
	               detail_columns(run),
	    .whole_time = running->any_apart,
	    .on_batch = second_batch,
	    .context = running};
	int rc = run->format->begin ? run->format->begin(run) : 0;
	if (rc == 0)
		rc = query_scan(run->query, &scan);
	if ((rc == 0 || rc == STOP) && run->format->end)
		rc = run->format->end(run);
	if (rc == 0 || rc == STOP)
		rc = export_text_flush(&run->text, run->out);
	return rc;
}

int export_run(struct export_run *given) {
	struct running running = {.run = *given};
	int rc = find_offsets(&running);
	if (rc == 0)
		rc = export_batch_new(&running.batch);
	if (rc == 0 && running.run.format->open)
		rc = running.run.format->open(&running.run);
	if (rc == 0)
		rc = first_pass(&running);
	if (rc == 0)
		rc = second_pass(&running);
	if (running.run.format->close)
		running.run.format->close(&running.run);
	export_strays_free(running.strays);
	export_batch_free(running.batch);
	export_text_done(&running.run.text);
	free(running.offsets);
	given->span_count = running.run.span_count;
	return rc;
}
