/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of programs and of the agent. Of a segment all are given or none: those of a sealed one are held against its seal, and ids
 * must be 1, 2, 3, ..., so that a detail finds its sample.
 */
#include "reader_state.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "sample_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_ROOM_MIN 1024u

struct sample_list {
	struct store_memory_sample *samples;
	size_t count;
	size_t room;
};

struct sample_walk {
	const struct reader_segment *segment;
	uint64_t wall_offset_ns;
	struct db *db;
	struct sample_list *list;
	size_t first;      /* in the list, of this segment */
	uint64_t programs; /* rows of `sample` */
	uint64_t agents;
	uint64_t details; /* id of the last one */
	uint64_t checksum;
};

static int append(struct sample_list *list, const struct store_memory_sample *sample) {
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : LIST_ROOM_MIN;
		struct store_memory_sample *grown = reallocarray(list->samples, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->samples = grown;
		list->room = room;
	}
	list->samples[list->count++] = *sample;
	return 0;
}

static int take_program(struct sample_walk *walk, struct db_statement *select) {
	struct store_memory_sample sample;
	uint64_t id;
	int error = sample_rows_get(select, &id, &sample);
	if (error || id != walk->programs + 1 || id > SEGMENT_SAMPLES_MAX ||
	    sample.process > walk->segment->process_count)
		return ERR_DAMAGED;
	walk->programs = id;
	sample.process = walk->segment->processes[sample.process];
	sample.time_ns += walk->wall_offset_ns;
	return append(walk->list, &sample);
}

/* After all programs: each goes to the sample of its id. */
static int take_detail(struct sample_walk *walk, struct db_statement *select) {
	struct store_memory_sample detail = {0};
	uint64_t id;
	int error = sample_rows_get_detail(select, &id, &detail);
	if (error || id <= walk->details || id > walk->programs)
		return ERR_DAMAGED;
	walk->details = id;
	struct store_memory_sample *sample = &walk->list->samples[walk->first + id - 1];
	sample->switches_voluntary = detail.switches_voluntary;
	sample->switches_involuntary = detail.switches_involuntary;
	sample->descriptors = detail.descriptors;
	sample->heap_allocated_bytes = detail.heap_allocated_bytes;
	sample->heap_freed_bytes = detail.heap_freed_bytes;
	sample->pss_ns = detail.pss_ns;
	sample->pss_state = detail.pss_state;
	return 0;
}

static int take_agent(struct sample_walk *walk, struct db_statement *select) {
	struct store_memory_sample sample;
	uint64_t id;
	int error = sample_rows_get_agent(select, &id, &sample);
	if (error || id != walk->agents + 1 || id > SEGMENT_SAMPLES_MAX)
		return ERR_DAMAGED;
	walk->agents = id;
	sample.time_ns += walk->wall_offset_ns;
	return append(walk->list, &sample);
}

static int walk_table(struct sample_walk *walk, enum schema_table table,
                      int (*take)(struct sample_walk *walk, struct db_statement *select)) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int there = segment_has_table(walk->db, table);
	if (there != 1)
		return there;
	int error = db_prepare(walk->db, schema_tables[table].select, &select);
	while (!error && (row = db_next(select)) == 1) {
		walk->checksum = db_row_checksum(select, walk->checksum);
		error = take(walk, select);
	}
	return error ? error : row;
}

static int load_samples(struct sample_walk *walk) {
	const struct segment_totals *totals = &walk->segment->totals;
	int error = walk_table(walk, SCHEMA_SAMPLE, take_program);
	if (!error)
		error = walk_table(walk, SCHEMA_SAMPLE_DETAIL, take_detail);
	if (!error)
		error = walk_table(walk, SCHEMA_AGENT_SAMPLE, take_agent);
	if (!error && walk->segment->sealed &&
	    (walk->checksum != totals->sample_checksum || walk->programs != totals->samples))
		error = ERR_DAMAGED;
	if (error)
		walk->list->count = walk->first;
	return error;
}

/* Only a lack of memory ends the reading; damage is named. */
static int load_segment(struct store_reader *reader, struct reader_segment *segment,
                        const struct store_segment_view *view, struct sample_list *list) {
	struct db *opened = NULL;
	char text[SEGMENT_TEXT_BYTES];
	if (!segment->db && reader_reopen(reader, segment, &opened))
		return 0;
	struct sample_walk walk = {.segment = segment,
	                           .wall_offset_ns = view->wall_offset_ns,
	                           .db = opened ? opened : segment->db,
	                           .list = list,
	                           .first = list->count};
	int error = load_samples(&walk);
	db_close(opened);
	if (error == -ENOMEM)
		return error;
	if (error) {
		(void)snprintf(text, sizeof(text),
		               "%.300s: its memory samples are damaged and left out: restore it from a copy",
		               segment->path);
		reader_add_damage(reader, segment->path, error, text);
	}
	return 0;
}

static int by_time(const void *a, const void *b) {
	const struct store_memory_sample *first = a;
	const struct store_memory_sample *second = b;
	if (first->time_ns != second->time_ns)
		return first->time_ns < second->time_ns ? -1 : 1;
	return first->process < second->process ? -1 : first->process > second->process;
}

/* The list is the caller's, or freed. */
static int give(struct sample_list *list, int error, struct store_memory_sample **ret_samples, size_t *ret_count) {
	if (error) {
		free(list->samples);
		return error;
	}
	if (list->count)
		qsort(list->samples, list->count, sizeof(*list->samples), by_time);
	*ret_samples = list->samples;
	*ret_count = list->count;
	return 0;
}

int store_reader_segment_samples(struct store_reader *reader, size_t segment, struct store_memory_sample **ret_samples,
                                 size_t *ret_count) {
	struct reader_segment *segments = reader->segments.items;
	const struct store_segment_view *views = reader->views.items;
	struct sample_list list = {0};
	assert(segment < reader->segments.count);
	return give(&list, load_segment(reader, &segments[segment], &views[segment], &list), ret_samples, ret_count);
}

int store_reader_samples(struct store_reader *reader, struct store_memory_sample **ret_samples, size_t *ret_count) {
	struct reader_segment *segments = reader->segments.items;
	const struct store_segment_view *views = reader->views.items;
	struct sample_list list = {0};
	int error = 0;
	for (size_t i = 0; i < reader->segments.count && !error; i++)
		error = load_segment(reader, &segments[i], &views[i], &list);
	return give(&list, error, ret_samples, ret_count);
}
