/* SPDX-License-Identifier: Apache-2.0 */
/* The table `processes`: one row a process, with the books of its rings. `process` is its number in this store, as in the other tables. */
#include "table.h"
#include "value.h"

#include "analyze/kernels/ending_text.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROCESS,
	INSTANCE,
	PID,
	PPID,
	UID,
	EXECUTABLE,
	COMMAND,
	SERVICE,
	RESOURCE,
	ATTACH_NS,
	STATE,
	ENDING,
	RINGS,
	SPANS_BEGUN,
	SPANS_OPEN,
	SPANS_STORED,
	SPANS_EVICTED
};

static const struct sql_column columns[] = {
    [PROCESS] = {"process INTEGER", 0, FILTER_PROCESS},
    [INSTANCE] = {"instance TEXT", 0, FILTER_NONE},
    [PID] = {"pid INTEGER", 0, FILTER_NONE},
    [PPID] = {"ppid INTEGER", 0, FILTER_NONE},
    [UID] = {"uid INTEGER", 0, FILTER_NONE},
    [EXECUTABLE] = {"executable TEXT", 0, FILTER_NONE},
    [COMMAND] = {"command TEXT", 0, FILTER_NONE},
    [SERVICE] = {"service TEXT", 0, FILTER_SERVICE},
    [RESOURCE] = {"resource TEXT", 0, FILTER_NONE},
    [ATTACH_NS] = {"attach_ns INTEGER", 0, FILTER_NONE},
    [STATE] = {"state TEXT", 0, FILTER_NONE},
    [ENDING] = {"ending TEXT", 0, FILTER_NONE},
    [RINGS] = {"rings INTEGER", 0, FILTER_NONE},
    [SPANS_BEGUN] = {"spans_begun INTEGER", 0, FILTER_NONE},
    [SPANS_OPEN] = {"spans_open INTEGER", 0, FILTER_NONE},
    [SPANS_STORED] = {"spans_stored INTEGER", 0, FILTER_NONE},
    [SPANS_EVICTED] = {"spans_evicted INTEGER", 0, FILTER_NONE},
};

struct process_row {
	size_t index;
	uint64_t rings;
	uint64_t begun;
	uint64_t open;
	uint64_t stored;
	uint64_t evicted;
};

static void add_books(const struct store_overview *overview, struct process_row *sums) {
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		struct process_row *sum = &sums[ring->process];
		sum->rings++;
		sum->begun = saturating_add(sum->begun, ring->cursor.begun);
		sum->open = saturating_add(sum->open, ring->cursor.open);
		sum->stored = saturating_add(sum->stored, ring->cursor.stored_spans);
		sum->evicted = saturating_add(sum->evicted, ring->evicted_spans);
	}
}

static int load(struct sql_cursor *cursor, size_t part) {
	const struct store_overview *overview = cursor->source->overview;
	const struct filter *filter = &cursor->filter;
	if (part > 0)
		return 1;
	struct process_row *rows = calloc(overview->process_count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	add_books(overview, rows);
	size_t count = 0;
	for (size_t i = 0; i < overview->process_count; i++) {
		if (filter->processes && !filter->processes[i + 1])
			continue;
		rows[count] = rows[i];
		rows[count++].index = i;
	}
	cursor->rows = rows;
	cursor->row_count = count;
	return 0;
}

static const char *state_text(uint32_t state) {
	static const char *const words[] = {
	    [STORE_PROCESS_RUNNING] = "running", [STORE_PROCESS_EXITED] = "exited", [STORE_PROCESS_DIED] = "died"};
	return state < sizeof(words) / sizeof(words[0]) ? words[state] : NULL;
}

static void give_state(const struct store_process_view *process, sqlite3_context *context, int column) {
	char text[ENDING_TEXT_BYTES];
	const char *state = state_text(process->account.state);
	if (column == STATE && state)
		value_word(context, state);
	else if (column == ENDING && process->account.state > STORE_PROCESS_RUNNING)
		value_text(context, ending_text_reason(&process->account, text));
}

static void give_identity(const struct store_process_view *process, sqlite3_context *context, int column) {
	switch (column) {
	case INSTANCE:
		value_hex(context, process->instance, sizeof(process->instance));
		break;
	case PID:
		value_u64(context, process->pid);
		break;
	case PPID:
		value_u64(context, process->ppid);
		break;
	case UID:
		value_u64(context, process->uid);
		break;
	case EXECUTABLE:
		value_text(context, process->executable);
		break;
	case COMMAND:
		value_text(context, process->command);
		break;
	case SERVICE:
		value_text(context, process->service);
		break;
	case RESOURCE:
		value_text(context, process->resource);
		break;
	case ATTACH_NS:
		value_u64(context, process->attach_wall_ns);
		break;
	default:
		give_state(process, context, column);
	}
}

static void give(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct process_row *row = (const struct process_row *)cursor->rows + cursor->row;
	switch (column) {
	case PROCESS:
		value_u64(context, row->index + 1);
		break;
	case RINGS:
		value_u64(context, row->rings);
		break;
	case SPANS_BEGUN:
		value_u64(context, row->begun);
		break;
	case SPANS_OPEN:
		value_u64(context, row->open);
		break;
	case SPANS_STORED:
		value_u64(context, row->stored);
		break;
	case SPANS_EVICTED:
		value_u64(context, row->evicted);
		break;
	default:
		give_identity(&cursor->source->overview->processes[row->index], context, column);
	}
}

static uint64_t size(const struct source_sizes *sizes) {
	return sizes->processes;
}

const struct sql_table table_processes = {
    .name = "processes",
    .from = SQL_LOADED,
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .size = size,
    .load = load,
    .value = give,
};
