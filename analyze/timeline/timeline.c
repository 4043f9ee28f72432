/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline.h"

#include "analyze/kernels/lane_levels.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include "libstore/id_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct query *query;
	struct query accepting; /* the same without its times: a span is in the window if any part of it is */
	const struct timeline_question *question;
	struct timeline *timeline;
	struct id_table by_thread; /* of lanes */
	uint32_t bars_room;
};

/* --- window ------------------------------------------------------------------------------------------------------ */

static uint64_t start_of(const struct store_columns *columns, uint32_t row) {
	return saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns);
}

static uint64_t end_of(const struct store_columns *columns, uint32_t row) {
	return saturating_add(start_of(columns, row), columns->duration_ns[row]);
}

static int take_range(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct timeline *timeline = reading->timeline;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (!query_accepts(&reading->accepting, columns, row))
			continue;
		uint64_t start_ns = start_of(columns, row);
		uint64_t end_ns = end_of(columns, row);
		timeline->start_ns = start_ns < timeline->start_ns ? start_ns : timeline->start_ns;
		timeline->end_ns = end_ns > timeline->end_ns ? end_ns : timeline->end_ns;
	}
	return 0;
}

/* Where no end is given, it is that of the spans. */
static int find_window(struct reading *reading) {
	struct timeline *timeline = reading->timeline;
	const struct timeline_question *question = reading->question;
	struct query_scan scan = {
	    .columns = STORE_COLUMN_START | STORE_COLUMN_DURATION, .on_batch = take_range, .context = reading};
	int rc = 0;
	timeline->start_ns = UINT64_MAX;
	if (question->since_ns == 0 || question->until_ns == 0)
		rc = query_scan(reading->query, &scan);
	if (question->since_ns)
		timeline->start_ns = question->since_ns;
	if (question->until_ns)
		timeline->end_ns = question->until_ns;
	if (timeline->end_ns <= timeline->start_ns) {
		timeline->start_ns = timeline->start_ns == UINT64_MAX ? 0 : timeline->start_ns;
		timeline->end_ns = timeline->start_ns + 1;
	}
	return rc;
}

/* --- lanes ------------------------------------------------------------------------------------------------------- */

static bool is_lane(const void *context, uint32_t id, const void *key) {
	const struct timeline *timeline = context;
	const uint64_t *thread = key;
	const struct timeline_lane *lane = timeline->lanes[id - 1];
	return ((uint64_t)lane->process << 32 | lane->tid) == *thread;
}

static int add_lane(struct reading *reading, const struct timeline_lane *first, uint64_t hash) {
	struct timeline *timeline = reading->timeline;
	struct timeline_lane *lane = malloc(sizeof(*lane));
	if (!lane || id_table_reserve(&reading->by_thread) != 0) {
		free(lane);
		return -ENOMEM;
	}
	*lane = *first;
	timeline->lanes[timeline->lane_count++] = lane;
	id_table_add(&reading->by_thread, hash, timeline->lane_count);
	return 0;
}

static int find_lane(struct reading *reading, const struct store_columns *columns, uint32_t row, uint32_t *ret_lane) {
	struct timeline *timeline = reading->timeline;
	uint32_t number = columns->thread[row] <= columns->segment->thread_count ? columns->thread[row] : 0;
	const struct store_thread *thread = number ? &columns->segment->threads[number] : NULL;
	struct timeline_lane lane = {0};
	if (thread) {
		lane.process = thread->process <= timeline->query->overview->process_count ? thread->process : 0;
		lane.tid = thread->tid;
		lane.thread_name = thread->name;
	}
	uint64_t key = (uint64_t)lane.process << 32 | lane.tid;
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 29;
	uint32_t known = id_table_find(&reading->by_thread, hash, is_lane, timeline, &key);
	if (!known && timeline->lane_count == TIMELINE_LANES_MAX) {
		timeline->lanes_full = true;
		known = TIMELINE_LANES_MAX;
	} else if (!known) {
		int rc = add_lane(reading, &lane, hash);
		if (rc != 0)
			return rc;
		known = timeline->lane_count;
	}
	*ret_lane = known - 1;
	return 0;
}

/* --- bars: a heap of the longest, the shortest on top -------------------------------------------------------------- */

static bool is_less(const struct timeline_bar *a, const struct timeline_bar *b) {
	uint64_t left = a->end_ns - a->start_ns;
	uint64_t right = b->end_ns - b->start_ns;
	if (a->is_of_trace != b->is_of_trace)
		return b->is_of_trace;
	if (left != right)
		return left < right;
	return a->start_ns != b->start_ns ? a->start_ns > b->start_ns : a->span_id > b->span_id;
}

static void sink(struct timeline *timeline, const struct timeline_bar *bar) {
	struct timeline_bar *heap = timeline->bars;
	uint32_t at = 0;
	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= timeline->bar_count)
			break;
		if (child + 1 < timeline->bar_count && is_less(&heap[child + 1], &heap[child]))
			child++;
		if (!is_less(&heap[child], bar))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = *bar;
}

static void keep_bar(struct reading *reading, const struct timeline_bar *bar) {
	struct timeline *timeline = reading->timeline;
	struct timeline_bar *heap = timeline->bars;
	if (timeline->bar_count < reading->bars_room) {
		uint32_t at = timeline->bar_count++;
		for (; at > 0 && is_less(bar, &heap[(at - 1) / 2]); at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
		heap[at] = *bar;
	} else if (reading->bars_room > 0 && is_less(&heap[0], bar)) {
		sink(timeline, bar);
	}
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

static uint32_t slot_of(const struct timeline *timeline, uint64_t time_ns) {
	uint64_t range = timeline->end_ns - timeline->start_ns;
	uint64_t at = time_ns > timeline->start_ns ? time_ns - timeline->start_ns : 0;
	if (at >= range)
		return TIMELINE_SLOTS - 1;
	return (uint32_t)((unsigned __int128)at * TIMELINE_SLOTS / range);
}

/* Differences; added up at the end. A span that ends where a slot begins does not touch it. */
static void add_shade(const struct timeline *timeline, struct timeline_lane *lane, uint64_t start_ns, uint64_t end_ns) {
	lane->shade[slot_of(timeline, start_ns)]++;
	lane->shade[slot_of(timeline, end_ns > start_ns ? end_ns - 1 : end_ns) + 1]--;
}

static int take_span(struct reading *reading, const struct store_columns *columns, uint32_t row) {
	struct timeline *timeline = reading->timeline;
	const struct timeline_question *question = reading->question;
	struct timeline_bar bar = {.start_ns = start_of(columns, row),
	                           .end_ns = end_of(columns, row),
	                           .trace_hi = columns->trace_hi[row],
	                           .trace_lo = columns->trace_lo[row],
	                           .span_id = columns->span_id[row],
	                           .name = query_name(columns, row),
	                           .status = columns->status[row],
	                           .is_open = (columns->flags[row] & STORE_SPAN_OPEN) != 0};
	bool inside =
	    bar.start_ns < timeline->end_ns && (bar.end_ns > timeline->start_ns || bar.start_ns == timeline->start_ns);
	/* the end of a window that is that of the spans belongs to it: one without length may stand there */
	if (!inside && !(bar.start_ns == timeline->end_ns && question->until_ns == 0))
		return 0;
	int rc = find_lane(reading, columns, row, &bar.lane);
	if (rc != 0)
		return rc;
	bar.is_of_trace =
	    question->has_trace && bar.trace_hi == question->trace_hi && bar.trace_lo == question->trace_lo;
	timeline->span_count++;
	timeline->lanes[bar.lane]->span_count++;
	timeline->lanes[bar.lane]->is_of_trace |= bar.is_of_trace;
	add_shade(timeline, timeline->lanes[bar.lane], bar.start_ns, bar.end_ns);
	keep_bar(reading, &bar);
	return 0;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++)
		if (query_accepts(&reading->accepting, columns, row))
			rc = take_span(reading, columns, row);
	return rc;
}

/* --- order ------------------------------------------------------------------------------------------------------- */

static int compare(uint64_t a, uint64_t b) {
	return (a > b) - (a < b);
}

static int by_lane(const void *a, const void *b) {
	const struct timeline_bar *left = a;
	const struct timeline_bar *right = b;
	int order = compare(left->lane, right->lane);
	if (order == 0)
		order = compare(left->start_ns, right->start_ns);
	if (order == 0)
		order = compare(right->end_ns, left->end_ns);
	return order ? order : compare(left->span_id, right->span_id);
}

static const char *service_of(const struct timeline *timeline, const struct timeline_lane *lane) {
	return lane->process ? timeline->query->overview->processes[lane->process - 1].service : "";
}

/* Those of the trace first; processes of one service together. */
static int by_thread(const void *a, const void *b, void *context) {
	const struct timeline *timeline = context;
	const struct timeline_lane *left = timeline->lanes[*(const uint32_t *)a];
	const struct timeline_lane *right = timeline->lanes[*(const uint32_t *)b];
	int order = compare(right->is_of_trace, left->is_of_trace);
	if (order == 0)
		order = strcmp(service_of(timeline, left), service_of(timeline, right));
	if (order == 0)
		order = compare(left->process, right->process);
	return order ? order : compare(left->tid, right->tid);
}

static int sort_lanes(struct timeline *timeline) {
	uint32_t count = timeline->lane_count;
	CLEANUP_FREE uint32_t *order = calloc((size_t)count + 1, sizeof(*order));
	CLEANUP_FREE uint32_t *place = calloc((size_t)count + 1, sizeof(*place));
	struct timeline_lane **sorted = calloc((size_t)count + 1, sizeof(struct timeline_lane *));
	if (!order || !place || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), by_thread, timeline);
	for (uint32_t i = 0; i < count; i++) {
		sorted[i] = timeline->lanes[order[i]];
		place[order[i]] = i;
	}
	for (uint32_t i = 0; i < timeline->bar_count; i++)
		timeline->bars[i].lane = place[timeline->bars[i].lane];
	free(timeline->lanes);
	timeline->lanes = sorted;
	return 0;
}

static void place_bars(struct timeline *timeline, uint32_t levels_max) {
	struct lane_levels levels = {.count = 0};
	for (uint32_t i = 0; i < timeline->bar_count; i++) {
		struct timeline_bar *bar = &timeline->bars[i];
		struct timeline_lane *lane = timeline->lanes[bar->lane];
		if (i == 0 || timeline->bars[i - 1].lane != bar->lane) {
			levels.count = 0;
			lane->first_bar = i;
		}
		lane->end_bar = i + 1;
		bar->level = lane_levels_place(&levels, levels_max, bar->start_ns, bar->end_ns);
		lane->bar_count += bar->level != LANE_LEVEL_NONE;
		lane->level_count = levels.count;
	}
}

static void add_up_shades(struct timeline *timeline) {
	for (uint32_t i = 0; i < timeline->lane_count; i++) {
		uint32_t *shade = timeline->lanes[i]->shade;
		for (uint32_t slot = 0; slot < TIMELINE_SLOTS; slot++) {
			shade[slot] += slot ? shade[slot - 1] : 0;
			if (shade[slot] > timeline->shade_max)
				timeline->shade_max = shade[slot];
		}
	}
}

static int read_spans(struct reading *reading) {
	struct timeline *timeline = reading->timeline;
	struct query_scan scan = {.columns = STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID | STORE_COLUMN_START |
	                                     STORE_COLUMN_DURATION | STORE_COLUMN_SITE | STORE_COLUMN_THREAD |
	                                     STORE_COLUMN_STATUS | STORE_COLUMN_FLAGS,
	                          .on_batch = take_batch,
	                          .context = reading};
	timeline->bars = calloc((size_t)reading->bars_room + 1, sizeof(timeline->bars[0]));
	timeline->lanes = calloc(TIMELINE_LANES_MAX, sizeof(struct timeline_lane *));
	if (!timeline->bars || !timeline->lanes)
		return -ENOMEM;
	int rc = query_scan(reading->query, &scan);
	if (rc == 0)
		rc = sort_lanes(timeline);
	if (rc != 0)
		return rc;
	if (timeline->bar_count > 0)
		qsort(timeline->bars, timeline->bar_count, sizeof(timeline->bars[0]), by_lane);
	place_bars(timeline, reading->question->levels_max);
	add_up_shades(timeline);
	return 0;
}

int timeline_read(struct query *query, const struct timeline_question *question, struct timeline *ret_timeline) {
	struct timeline timeline = {.query = query, .has_trace = question->has_trace};
	query->since_wall_ns = question->since_ns; /* leave batches out that lie beside the window */
	query->until_wall_ns = question->until_ns ? question->until_ns : UINT64_MAX;
	struct reading reading = {.query = query,
	                          .accepting = *query,
	                          .question = question,
	                          .timeline = &timeline,
	                          .bars_room = question->bars_max};
	reading.accepting.since_wall_ns = 0;
	reading.accepting.until_wall_ns = UINT64_MAX;
	int rc = find_window(&reading);
	if (rc == 0)
		rc = read_spans(&reading);
	id_table_done(&reading.by_thread);
	if (rc != 0)
		timeline_free(&timeline);
	*ret_timeline = timeline;
	return rc;
}

void timeline_free(struct timeline *timeline) {
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		free(timeline->lanes[i]);
	free(timeline->lanes);
	free(timeline->bars);
	*timeline = (struct timeline){0};
}

const char *timeline_label(const struct timeline *timeline, const struct timeline_lane *lane,
                           char ret_text[TIMELINE_LABEL_BYTES]) {
	const struct store_overview *overview = timeline->query->overview;
	const struct store_process_view *process = lane->process ? &overview->processes[lane->process - 1] : NULL;
	const char *thread = overview->names[lane->thread_name <= overview->name_count ? lane->thread_name : 0];
	(void)snprintf(ret_text, TIMELINE_LABEL_BYTES, "%.200s %u, %.200s%s%u",
	               process ? process->service : "(not known)", process ? process->pid : 0, thread,
	               *thread ? " " : "", lane->tid);
	return ret_text;
}
