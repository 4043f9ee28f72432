/* SPDX-License-Identifier: Apache-2.0 */
/* The table `memory_samples`: looks at processes, and of the agent at itself (process NULL), segment by segment. */
#include "table.h"
#include "value.h"

#include <stddef.h>
#include <string.h>

enum { PROCESS, PID, SERVICE, TIME_NS, THREADS, FIGURES };

static const struct sql_column columns[] = {
    [PROCESS] = {"process INTEGER", 0, FILTER_NONE},
    [PID] = {"pid INTEGER", 0, FILTER_NONE},
    [SERVICE] = {"service TEXT", 0, FILTER_NONE},
    [TIME_NS] = {"time_ns INTEGER", 0, FILTER_NONE},
    [THREADS] = {"threads INTEGER", 0, FILTER_NONE},
    {"rss_bytes INTEGER", 0, FILTER_NONE},
    {"pss_bytes INTEGER", 0, FILTER_NONE},
    {"anonymous_bytes INTEGER", 0, FILTER_NONE},
    {"swap_bytes INTEGER", 0, FILTER_NONE},
    {"cpu_user_ns INTEGER", 0, FILTER_NONE},
    {"cpu_system_ns INTEGER", 0, FILTER_NONE},
    {"faults_minor INTEGER", 0, FILTER_NONE},
    {"faults_major INTEGER", 0, FILTER_NONE},
    {"switches_voluntary INTEGER", 0, FILTER_NONE},
    {"switches_involuntary INTEGER", 0, FILTER_NONE},
    {"descriptors INTEGER", 0, FILTER_NONE},
    {"heap_allocated_bytes INTEGER", 0, FILTER_NONE},
    {"heap_freed_bytes INTEGER", 0, FILTER_NONE},
};

/* From FIGURES on. */
static const size_t offsets[] = {
    offsetof(struct store_memory_sample, rss_bytes),
    offsetof(struct store_memory_sample, pss_bytes),
    offsetof(struct store_memory_sample, anonymous_bytes),
    offsetof(struct store_memory_sample, swap_bytes),
    offsetof(struct store_memory_sample, cpu_user_ns),
    offsetof(struct store_memory_sample, cpu_system_ns),
    offsetof(struct store_memory_sample, faults_minor),
    offsetof(struct store_memory_sample, faults_major),
    offsetof(struct store_memory_sample, switches_voluntary),
    offsetof(struct store_memory_sample, switches_involuntary),
    offsetof(struct store_memory_sample, descriptors),
    offsetof(struct store_memory_sample, heap_allocated_bytes),
    offsetof(struct store_memory_sample, heap_freed_bytes),
};

_Static_assert(sizeof(columns) / sizeof(columns[0]) == FIGURES + sizeof(offsets) / sizeof(offsets[0]),
               "each figure has its column");

static int load(struct sql_cursor *cursor, size_t part) {
	struct store_memory_sample *samples = NULL;
	if (part >= cursor->source->overview->segment_count)
		return 1;
	int error = store_reader_segment_samples(cursor->source->reader, part, &samples, &cursor->row_count);
	cursor->rows = samples;
	return error;
}

static void give_process(const struct sql_cursor *cursor, sqlite3_context *context, int column,
                         const struct store_memory_sample *sample) {
	const struct store_overview *overview = cursor->source->overview;
	if (sample->process == 0) {
		if (column == PID)
			value_u64(context, sample->agent_pid);
		return;
	}
	if (column == PROCESS)
		value_u64(context, sample->process);
	if (sample->process > overview->process_count)
		return;
	if (column == PID)
		value_u64(context, overview->processes[sample->process - 1].pid);
	if (column == SERVICE)
		value_text(context, overview->processes[sample->process - 1].service);
}

static void give(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_memory_sample *sample = (const struct store_memory_sample *)cursor->rows + cursor->row;
	uint64_t figure;
	if (column >= FIGURES) {
		memcpy(&figure, (const char *)sample + offsets[column - FIGURES], sizeof(figure));
		value_figure(context, figure);
	} else if (column == TIME_NS) {
		value_u64(context, sample->time_ns);
	} else if (column == THREADS) {
		value_u64(context, sample->threads);
	} else {
		give_process(cursor, context, column, sample);
	}
}

/* Not known before they are read: about one a second and process. */
static uint64_t size(const struct source_sizes *sizes) {
	return 1000 * (1 + sizes->processes);
}

const struct sql_table table_memory_samples = {
    .name = "memory_samples",
    .from = SQL_LOADED,
    .columns = columns,
    .column_count = sizeof(columns) / sizeof(columns[0]),
    .size = size,
    .load = load,
    .value = give,
};
