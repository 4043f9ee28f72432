/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table `site_stats`: the statistics that programs keep of all spans, recorded or not: a row a process, site and step of time, of a sealed
 * segment one for the whole segment.
 */
#include "table.h"
#include "value.h"

#include "analyze/kernels/trace_id.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>

#define HEAP_UNIT_BYTES 16u

enum {
	PROCESS,
	PID,
	SERVICE,
	NAME,
	FILE_NAME,
	LINE,
	KIND,
	SEGMENT,
	SINCE_NS,
	UNTIL_NS,
	COUNT,
	ERRORS,
	SUM_NS,
	MIN_NS,
	MAX_NS,
	HEAP_ALLOCATED_BYTES,
	HEAP_NET_BYTES,
	HEAP_SPANS
};

static const struct sql_column columns[] = {
    [PROCESS] = {"process INTEGER", 0, FILTER_NONE},
    [PID] = {"pid INTEGER", 0, FILTER_NONE},
    [SERVICE] = {"service TEXT", 0, FILTER_NONE},
    [NAME] = {"name TEXT", 0, FILTER_NONE},
    [FILE_NAME] = {"file TEXT", 0, FILTER_NONE},
    [LINE] = {"line INTEGER", 0, FILTER_NONE},
    [KIND] = {"kind TEXT", 0, FILTER_NONE},
    [SEGMENT] = {"segment INTEGER", 0, FILTER_NONE},
    [SINCE_NS] = {"since_ns INTEGER", 0, FILTER_NONE},
    [UNTIL_NS] = {"until_ns INTEGER", 0, FILTER_NONE},
    [COUNT] = {"count INTEGER", 0, FILTER_NONE},
    [ERRORS] = {"errors INTEGER", 0, FILTER_NONE},
    [SUM_NS] = {"sum_ns INTEGER", 0, FILTER_NONE},
    [MIN_NS] = {"min_ns INTEGER", 0, FILTER_NONE},
    [MAX_NS] = {"max_ns INTEGER", 0, FILTER_NONE},
    [HEAP_ALLOCATED_BYTES] = {"heap_allocated_bytes INTEGER", 0, FILTER_NONE},
    [HEAP_NET_BYTES] = {"heap_net_bytes INTEGER", 0, FILTER_NONE},
    [HEAP_SPANS] = {"heap_spans INTEGER", 0, FILTER_NONE},
};

struct site_rows {
	struct store_rollup *rows;
	size_t count;
	size_t room;
};

static int keep(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct site_rows *list = context;
	(void)segment;
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct store_rollup *grown = reallocarray(list->rows, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->rows = grown;
		list->room = room;
	}
	list->rows[list->count] = *rollup;
	list->rows[list->count].bins = NULL; /* valid in here only */
	list->count++;
	return 0;
}

static int load(struct sql_cursor *cursor, size_t part) {
	struct site_rows list = {0};
	if (part >= cursor->source->overview->segment_count)
		return 1;
	int error = store_reader_segment_rollups(cursor->source->reader, part, keep, &list);
	cursor->rows = list.rows;
	cursor->row_count = error ? 0 : list.count;
	return error;
}

static const char *text_of(const struct store_overview *overview, uint32_t name) {
	return overview->names[name <= overview->name_count ? name : 0];
}

static void give_site(const struct sql_cursor *cursor, sqlite3_context *context, int column,
                      const struct store_rollup *row) {
	const struct store_overview *overview = cursor->source->overview;
	const struct store_segment_view *segment = &overview->segments[cursor->part - 1];
	if (row->site == 0 || row->site > segment->site_count)
		return;
	const struct store_site *site = &segment->sites[row->site];
	if (column == NAME)
		value_text(context, text_of(overview, site->name));
	else if (column == FILE_NAME)
		value_text(context, text_of(overview, site->file));
	else if (column == KIND)
		value_word(context, trace_kind_text((uint8_t)(site->kind > UINT8_MAX ? UINT8_MAX : site->kind)));
	else if (site->line)
		value_u64(context, site->line);
}

static void give_process(const struct sql_cursor *cursor, sqlite3_context *context, int column,
                         const struct store_rollup *row) {
	const struct store_overview *overview = cursor->source->overview;
	if (row->process == 0 || row->process > overview->process_count)
		return;
	const struct store_process_view *process = &overview->processes[row->process - 1];
	if (column == PROCESS)
		value_u64(context, row->process);
	else if (column == PID)
		value_u64(context, process->pid);
	else
		value_text(context, process->service);
}

static void give_figure(sqlite3_context *context, int column, const struct store_rollup *row) {
	switch (column) {
	case COUNT:
		value_u64(context, row->count);
		break;
	case ERRORS:
		value_u64(context, row->errors);
		break;
	case SUM_NS:
		value_u64(context, row->sum_ns);
		break;
	case MIN_NS:
		value_u64(context, row->min_ns);
		break;
	case MAX_NS:
		value_u64(context, row->max_ns);
		break;
	case HEAP_ALLOCATED_BYTES:
		value_u64(context, row->heap_allocated_units > UINT64_MAX / HEAP_UNIT_BYTES
		                       ? UINT64_MAX
		                       : row->heap_allocated_units * HEAP_UNIT_BYTES);
		break;
	case HEAP_NET_BYTES: {
		sqlite3_int64 bytes = 0;
		if (__builtin_mul_overflow(row->heap_net_units, HEAP_UNIT_BYTES, &bytes))
			bytes = row->heap_net_units < 0 ? INT64_MIN : INT64_MAX;
		sqlite3_result_int64(context, bytes);
		break;
	}
	default:
		value_u64(context, row->heap_spans);
	}
}

static void give(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_rollup *row = (const struct store_rollup *)cursor->rows + cursor->row;
	const struct store_segment_view *segment = &cursor->source->overview->segments[cursor->part - 1];
	switch (column) {
	case PROCESS:
	case PID:
	case SERVICE:
		give_process(cursor, context, column, row);
		break;
	case NAME:
	case FILE_NAME:
	case LINE:
	case KIND:
		give_site(cursor, context, column, row);
		break;
	case SEGMENT:
		value_u64(context, segment->sequence);
		break;
	case SINCE_NS:
	case UNTIL_NS:
		value_u64(context,
		          saturating_add(column == SINCE_NS ? row->since_ns : row->until_ns, segment->wall_offset_ns));
		break;
	default:
		give_figure(context, column, row);
	}
}

static uint64_t size(const struct source_sizes *sizes) {
	return sizes->sites * 10;
}

const struct sql_table table_site_stats = {
    .name = "site_stats",
    .from = SQL_LOADED,
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .size = size,
    .load = load,
    .value = give,
};
