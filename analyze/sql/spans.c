/* SPDX-License-Identifier: Apache-2.0 */
/* The table `spans`. A span that never ended has no end and no duration, so that no statistic counts it; how long it was open is age_ns. */
#include "table.h"
#include "value.h"

#include "analyze/kernels/trace_id.h"

#include "base/checked.h"

#define HEAP_UNIT_BYTES 16

enum {
	TRACE_ID,
	SPAN_ID,
	PARENT_ID,
	NAME,
	SERVICE,
	KIND,
	STATUS,
	START_NS,
	END_NS,
	DURATION_NS,
	STATE,
	AGE_NS,
	HEAP_ALLOCATED_BYTES,
	HEAP_NET_BYTES,
	WEIGHT,
	PROCESS,
	PID,
	TID,
	THREAD,
	FILE_NAME,
	LINE,
	SCOPE,
	SCOPE_VERSION,
	REMOTE_PARENT,
	SEGMENT,
	BATCH,
	TRACE_ID_LOW
};

static const struct sql_column columns[] = {
    [TRACE_ID] = {"trace_id TEXT", STORE_COLUMN_TRACE, FILTER_TRACE},
    [SPAN_ID] = {"span_id TEXT", STORE_COLUMN_SPAN_ID, FILTER_NONE},
    [PARENT_ID] = {"parent_id TEXT", STORE_COLUMN_PARENT_ID, FILTER_NONE},
    [NAME] = {"name TEXT", STORE_COLUMN_SITE, FILTER_NAME},
    [SERVICE] = {"service TEXT", STORE_COLUMN_THREAD, FILTER_SERVICE},
    [KIND] = {"kind TEXT", STORE_COLUMN_KIND, FILTER_NONE},
    [STATUS] = {"status TEXT", STORE_COLUMN_STATUS, FILTER_NONE},
    [START_NS] = {"start_ns INTEGER", STORE_COLUMN_START, FILTER_START},
    [END_NS] = {"end_ns INTEGER", STORE_COLUMN_START | STORE_COLUMN_DURATION | STORE_COLUMN_FLAGS, FILTER_END},
    [DURATION_NS] = {"duration_ns INTEGER", STORE_COLUMN_DURATION | STORE_COLUMN_FLAGS, FILTER_DURATION},
    [STATE] = {"state TEXT", STORE_COLUMN_FLAGS, FILTER_NONE},
    [AGE_NS] = {"age_ns INTEGER", STORE_COLUMN_DURATION | STORE_COLUMN_FLAGS, FILTER_NONE},
    [HEAP_ALLOCATED_BYTES] = {"heap_allocated_bytes INTEGER", STORE_COLUMN_HEAP | STORE_COLUMN_FLAGS, FILTER_NONE},
    [HEAP_NET_BYTES] = {"heap_net_bytes INTEGER", STORE_COLUMN_HEAP | STORE_COLUMN_FLAGS, FILTER_NONE},
    [WEIGHT] = {"weight REAL", STORE_COLUMN_WEIGHT, FILTER_NONE},
    [PROCESS] = {"process INTEGER", STORE_COLUMN_THREAD, FILTER_PROCESS},
    [PID] = {"pid INTEGER", STORE_COLUMN_THREAD, FILTER_NONE},
    [TID] = {"tid INTEGER", STORE_COLUMN_THREAD, FILTER_NONE},
    [THREAD] = {"thread TEXT", STORE_COLUMN_THREAD, FILTER_NONE},
    [FILE_NAME] = {"file TEXT", STORE_COLUMN_SITE, FILTER_NONE},
    [LINE] = {"line INTEGER", STORE_COLUMN_SITE, FILTER_NONE},
    [SCOPE] = {"scope TEXT", STORE_COLUMN_SITE, FILTER_NONE},
    [SCOPE_VERSION] = {"scope_version TEXT", STORE_COLUMN_SITE, FILTER_NONE},
    [REMOTE_PARENT] = {"remote_parent INTEGER", STORE_COLUMN_FLAGS, FILTER_NONE},
    [SEGMENT] = {"segment INTEGER", 0, FILTER_NONE},
    [BATCH] = {"batch INTEGER", 0, FILTER_NONE},
    [TRACE_ID_LOW] = {"trace_id_low TEXT HIDDEN", STORE_COLUMN_TRACE, FILTER_TRACE_LOW},
};

static const char *text_of(const struct sql_cursor *cursor, uint32_t name) {
	const struct store_overview *overview = cursor->source->overview;
	return overview->names[name <= overview->name_count ? name : 0];
}

static void give_of_site(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_segment_view *segment = cursor->batch.segment;
	uint32_t id = cursor->batch.site[cursor->row];
	if (id == 0 || id > segment->site_count)
		return;
	const struct store_site *site = &segment->sites[id];
	switch (column) {
	case NAME:
		value_text(context, text_of(cursor, site->name));
		break;
	case FILE_NAME:
		value_text(context, text_of(cursor, site->file));
		break;
	case LINE:
		if (site->line)
			value_u64(context, site->line);
		break;
	case SCOPE:
		value_text(context, text_of(cursor, site->scope_name));
		break;
	default:
		value_text(context, text_of(cursor, site->scope_version));
	}
}

static void give_of_thread(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_overview *overview = cursor->source->overview;
	const struct store_segment_view *segment = cursor->batch.segment;
	uint32_t id = cursor->batch.thread[cursor->row];
	if (id == 0 || id > segment->thread_count)
		return;
	const struct store_thread *thread = &segment->threads[id];
	if (column == TID) {
		value_u64(context, thread->tid);
		return;
	}
	if (column == THREAD) {
		value_text(context, text_of(cursor, thread->name));
		return;
	}
	if (thread->process == 0 || thread->process > overview->process_count)
		return;
	if (column == SERVICE)
		value_text(context, overview->processes[thread->process - 1].service);
	else
		value_u64(context, column == PID ? overview->processes[thread->process - 1].pid : thread->process);
}

static void give_time(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_columns *batch = &cursor->batch;
	size_t row = cursor->row;
	if (column == START_NS) {
		value_u64(context, saturating_add(batch->start_ns[row], batch->segment->wall_offset_ns));
		return;
	}
	bool open = batch->flags[row] & STORE_SPAN_OPEN;
	if (open != (column == AGE_NS))
		return;
	uint64_t begin_ns = column == END_NS ? saturating_add(batch->start_ns[row], batch->segment->wall_offset_ns) : 0;
	value_u64(context, saturating_add(begin_ns, batch->duration_ns[row]));
}

static void give_heap(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_columns *batch = &cursor->batch;
	if (!(batch->flags[cursor->row] & STORE_SPAN_HEAP))
		return;
	sqlite3_result_int64(context, HEAP_UNIT_BYTES * (column == HEAP_NET_BYTES
	                                                     ? (sqlite3_int64)batch->heap_net_units[cursor->row]
	                                                     : (sqlite3_int64)batch->heap_alloc_units[cursor->row]));
}

static const char *state_text(uint8_t flags) {
	return flags & STORE_SPAN_OPEN ? "open" : flags & STORE_SPAN_UNFINISHED ? "unfinished" : "ended";
}

static void give_id(const struct store_columns *batch, size_t row, sqlite3_context *context, int column) {
	switch (column) {
	case TRACE_ID:
		value_trace(context, batch->trace_hi[row], batch->trace_lo[row]);
		break;
	case TRACE_ID_LOW:
		value_id(context, batch->trace_lo[row]);
		break;
	case SPAN_ID:
		value_id(context, batch->span_id[row]);
		break;
	default:
		if (batch->parent_id[row])
			value_id(context, batch->parent_id[row]);
	}
}

static void give(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_columns *batch = &cursor->batch;
	size_t row = cursor->row;
	switch (column) {
	case TRACE_ID:
	case TRACE_ID_LOW:
	case SPAN_ID:
	case PARENT_ID:
		give_id(batch, row, context, column);
		break;
	case KIND:
		value_word(context, trace_kind_text(batch->kind[row]));
		break;
	case STATUS:
		value_word(context, trace_status_text(batch->status[row]));
		break;
	case START_NS:
	case END_NS:
	case DURATION_NS:
	case AGE_NS:
		give_time(cursor, context, column);
		break;
	case STATE:
		value_word(context, state_text(batch->flags[row]));
		break;
	case HEAP_ALLOCATED_BYTES:
	case HEAP_NET_BYTES:
		give_heap(cursor, context, column);
		break;
	case WEIGHT:
		sqlite3_result_double(
		    context, batch->weight && batch->weight[row] ? (double)batch->weight[row] / STORE_WEIGHT_ONE : 1.0);
		break;
	case SERVICE:
	case PROCESS:
	case PID:
	case TID:
	case THREAD:
		give_of_thread(cursor, context, column);
		break;
	case REMOTE_PARENT:
		sqlite3_result_int(context, (batch->flags[row] & STORE_SPAN_REMOTE_PARENT) != 0);
		break;
	case SEGMENT:
		value_u64(context, batch->segment->sequence);
		break;
	case BATCH:
		value_u64(context, batch->batch);
		break;
	default:
		give_of_site(cursor, context, column);
	}
}

static uint64_t size(const struct source_sizes *sizes) {
	return sizes->spans;
}

const struct sql_table table_spans = {
    .name = "spans",
    .from = SQL_SPANS,
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .size = size,
    .value = give,
};
