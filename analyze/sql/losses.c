/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table `losses`: what was not stored, or is no longer, by ring or process and reason; only counts that are not 0. Reasons that are a part
 * of another one say so: leave them out of sums.
 */
#include "table.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESS, PID, SERVICE, RING, REASON, UNIT, PART_OF, COUNT };

static const struct sql_column columns[] = {
    [PROCESS] = {"process INTEGER", 0, FILTER_PROCESS}, [PID] = {"pid INTEGER", 0, FILTER_NONE},
    [SERVICE] = {"service TEXT", 0, FILTER_SERVICE},    [RING] = {"ring INTEGER", 0, FILTER_NONE},
    [REASON] = {"reason TEXT", 0, FILTER_NONE},         [UNIT] = {"unit TEXT", 0, FILTER_NONE},
    [PART_OF] = {"part_of TEXT", 0, FILTER_NONE},       [COUNT] = {"count INTEGER", 0, FILTER_NONE},
};

struct loss_reason {
	const char *reason;
	const char *unit;
	const char *part_of;
	size_t offset;
};

#define OF_RING(field) offsetof(struct store_ring_view, field)
#define OF_PROCESS(field) offsetof(struct store_process_view, account.field)

static const struct loss_reason ring_reasons[] = {
    {"dropped_full", "spans", NULL, OF_RING(cursor.dropped_full)},
    {"dropped_depth", "spans", NULL, OF_RING(cursor.dropped_depth)},
    {"dropped_attributes", "attributes", NULL, OF_RING(cursor.dropped_attributes)},
    {"dropped_events", "events", NULL, OF_RING(cursor.dropped_events)},
    {"rejected_spans", "spans", NULL, OF_RING(cursor.rejected_spans)},
    {"rejected_other", "records", NULL, OF_RING(cursor.rejected_other)},
    {"lost_records", "records", NULL, OF_RING(cursor.lost_records)},
    {"sampled_out", "spans", NULL, OF_RING(cursor.sampled_out)},
    {"sampled_out_short", "spans", NULL, OF_RING(cursor.sampled_out_short)},
    {"thinned_spans", "spans", "sampled_out", OF_RING(cursor.thinned_spans)},
    {"thinned_attributes", "attributes", NULL, OF_RING(cursor.thinned_attributes)},
    {"thinned_events", "events", NULL, OF_RING(cursor.thinned_events)},
    {"evicted", "spans", NULL, OF_RING(evicted_spans)},
};
#define RING_REASONS (sizeof(ring_reasons) / sizeof(ring_reasons[0]))

static const struct loss_reason process_reasons[] = {
    {"dropped_no_ring", "spans", NULL, OF_PROCESS(dropped_no_ring)},
    {"dropped_reentry", "spans", NULL, OF_PROCESS(dropped_reentry)},
    {"dropped_async", "spans", "dropped_depth", OF_PROCESS(dropped_async)},
    {"dropped_contexts", "contexts", NULL, OF_PROCESS(dropped_contexts)},
    {"contexts_malformed", "contexts", NULL, OF_PROCESS(limits.contexts_malformed)},
    {"attributes_over_limit", "attributes", NULL, OF_PROCESS(limits.attributes_over_limit)},
    {"events_over_limit", "events", NULL, OF_PROCESS(limits.events_over_limit)},
    {"links_over_limit", "links", NULL, OF_PROCESS(limits.links_over_limit)},
    {"dropped_links", "links", NULL, OF_PROCESS(limits.dropped_links)},
    {"values_cut", "values", NULL, OF_PROCESS(limits.values_cut)},
    {"names_cut", "names", NULL, OF_PROCESS(names_cut)},
    {"sites_overflowed", "sites", NULL, OF_PROCESS(sites_overflowed)},
    {"strings_overflowed", "strings", NULL, OF_PROCESS(strings_overflowed)},
    {"statistics_overflowed", "sites", NULL, OF_PROCESS(statistics_overflowed)},
    {"threads_untraced", "threads", NULL, OF_PROCESS(threads_untraced)},
    {"misuse", "calls", NULL, OF_PROCESS(misuse)},
};
#define PROCESS_REASONS (sizeof(process_reasons) / sizeof(process_reasons[0]))

struct loss_row {
	size_t process;
	const struct loss_reason *reason;
	uint64_t count;
	uint32_t ring;
	bool has_ring;
};

static bool is_wanted(const struct sql_cursor *cursor, size_t process) {
	return !cursor->filter.processes || cursor->filter.processes[process + 1];
}

static size_t add_rows(struct loss_row *rows, size_t count, const struct loss_reason *reasons, size_t reason_count,
                       const void *figures, struct loss_row row) {
	for (size_t i = 0; i < reason_count; i++) {
		memcpy(&row.count, (const char *)figures + reasons[i].offset, sizeof(row.count));
		row.reason = &reasons[i];
		if (row.count > 0)
			rows[count++] = row;
	}
	return count;
}

/* Part n: process n. */
static int load_process(struct sql_cursor *cursor, size_t process) {
	const struct store_overview *overview = cursor->source->overview;
	struct loss_row row = {.process = process};
	struct loss_row *rows = calloc(PROCESS_REASONS, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	cursor->rows = rows;
	cursor->row_count = add_rows(rows, 0, process_reasons, PROCESS_REASONS, &overview->processes[process], row);
	return 0;
}

static int load_ring(struct sql_cursor *cursor, const struct store_ring_view *ring) {
	struct loss_row row = {.process = ring->process, .ring = ring->cursor.ring_index, .has_ring = true};
	struct loss_row *rows = calloc(RING_REASONS, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	cursor->rows = rows;
	cursor->row_count = add_rows(rows, 0, ring_reasons, RING_REASONS, ring, row);
	return 0;
}

/* First the processes, then the rings. */
static int load(struct sql_cursor *cursor, size_t part) {
	const struct store_overview *overview = cursor->source->overview;
	if (part < overview->process_count)
		return is_wanted(cursor, part) ? load_process(cursor, part) : 0;
	part -= overview->process_count;
	if (part >= overview->ring_count)
		return 1;
	const struct store_ring_view *ring = &overview->rings[part];
	return is_wanted(cursor, ring->process) ? load_ring(cursor, ring) : 0;
}

static void give(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct loss_row *row = (const struct loss_row *)cursor->rows + cursor->row;
	const struct store_process_view *process = &cursor->source->overview->processes[row->process];
	switch (column) {
	case PROCESS:
		value_u64(context, row->process + 1);
		break;
	case PID:
		value_u64(context, process->pid);
		break;
	case SERVICE:
		value_text(context, process->service);
		break;
	case RING:
		if (row->has_ring)
			value_u64(context, row->ring);
		break;
	case REASON:
		value_word(context, row->reason->reason);
		break;
	case UNIT:
		value_word(context, row->reason->unit);
		break;
	case PART_OF:
		if (row->reason->part_of)
			value_word(context, row->reason->part_of);
		break;
	default:
		value_u64(context, row->count);
	}
}

static uint64_t size(const struct source_sizes *sizes) {
	return sizes->processes + sizes->rings;
}

const struct sql_table table_losses = {
    .name = "losses",
    .from = SQL_LOADED,
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .size = size,
    .load = load,
    .value = give,
};
