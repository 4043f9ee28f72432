/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the memory command share: a line per process from the agent's samples, a line per span name from the heap figures of spans.
 *
 *     memory_processes.c   samples to lines
 *     memory_names.c       heap per span name, exact from the records; of all spans where rollups cover them
 *     memory_print.c       tables, JSON, CSV of both
 *     leaks.h              what stays allocated
 *     memory_chart.c       samples over time
 */
#ifndef SPANRING_ANALYZE_MEMORY_H
#define SPANRING_ANALYZE_MEMORY_H

#include "analyze/kernels/growth.h"
#include "analyze/kernels/quantile.h"
#include "analyze/kernels/usage.h"
#include "analyze/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_figure { MEMORY_RSS, MEMORY_PSS, MEMORY_ANONYMOUS, MEMORY_SWAP, MEMORY_HEAP, MEMORY_FIGURE_COUNT };

extern const char *const memory_figure_words[]; /* "rss" */

#define MEMORY_AGENT UINT32_MAX

struct memory_process {
	uint32_t process; /* index; of the agent MEMORY_AGENT */
	uint32_t agent_pid;
	size_t first; /* of its samples, in memory.samples */
	size_t sample_count;
	struct growth figures[MEMORY_FIGURE_COUNT];
	struct usage usage;
};

/* Bytes in units of SPANRING_HEAP_UNIT_BYTES. */
struct memory_spread {
	int64_t total;
	int64_t max;
	int64_t quantiles[QUANTILE_COUNT];
};

struct memory_name {
	uint32_t name;
	uint64_t count; /* stored spans whose heap was counted */
	struct memory_spread allocated;
	struct memory_spread net;
	/* Of all spans that ended, recorded or not; memory.covers_all. */
	uint64_t all_count;
	uint64_t all_allocated;
	int64_t all_net;
};

struct memory {
	struct query query;
	struct store_memory_sample *samples; /* by process, then time */
	struct memory_process *processes;    /* those with samples, by falling peak of RSS; then agents */
	size_t process_count;
	size_t agent_count;
	struct memory_name *names; /* by name id while reading, then dense, by falling bytes */
	size_t name_count;
	bool covers_all; /* rollups hold every span that ended */
};

/* GROWTH_UNREAD: not there. */
uint64_t memory_figure_of(const struct store_memory_sample *sample, enum memory_figure figure);
/* NULL: the agent. */
const struct store_process_view *memory_process_view(const struct memory *memory, const struct memory_process *process);

/* 0 or a negative errno. */
int memory_read_processes(struct memory *memory);
int memory_read_names(struct memory *memory);
/* Whether the records need not be read, because no span counted its heap. */
int memory_look_for_heap(struct memory *memory, bool *ret_none);
void memory_done(struct memory *memory);

/* How many of so many lines --limit lets through. */
size_t memory_limited(const struct memory *memory, size_t count);

void memory_print_json(const struct memory *memory);
/* 0 or -ENOMEM. */
int memory_print_tables(const struct memory *memory);
void memory_print_processes_csv(const struct memory *memory);
void memory_print_names_csv(const struct memory *memory);
int memory_print_names(const struct memory *memory);
void memory_print_names_json(const struct memory *memory);

/* Charts over time of processes and agents: text, JSON, CSV. figure: MEMORY_FIGURE_COUNT for each that was recorded. */
int memory_chart(const struct memory *memory, enum memory_figure figure);

#endif
