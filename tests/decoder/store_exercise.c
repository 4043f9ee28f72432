/* SPDX-License-Identifier: Apache-2.0 */
#include "store_exercise.h"

#include "libstore/reader.h"
#include "libstore/rollup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void require(bool condition) {
	if (!condition)
		abort();
}

static int check_batch(void *context, const struct store_columns *columns) {
	const struct store_overview *overview = context;
	for (uint32_t i = 0; i < columns->span_count; i++)
		if (columns->site[i] > columns->segment->site_count ||
		    columns->thread[i] > columns->segment->thread_count)
			abort();
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		if (columns->attributes[i].key > overview->name_count)
			abort();
	for (uint32_t i = 0; i < columns->event_count; i++)
		if (columns->events[i].name > overview->name_count)
			abort();
	return 0;
}

static int check_runs(void *context, const struct store_columns *columns) {
	uint32_t end = 0;
	(void)context;
	for (uint32_t i = 0; i < columns->run_count; i++) {
		require(columns->runs[i].site <= columns->segment->site_count && columns->runs[i].end > end);
		end = columns->runs[i].end;
	}
	require(end == columns->span_count);
	return 0;
}

static int check_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	const struct store_overview *overview = context;
	if (store_rollup_check(rollup) || rollup->process > overview->process_count ||
	    rollup->site > segment->site_count)
		abort();
	return 0;
}

static void check_overview(const struct store_overview *overview) {
	for (size_t i = 0; i < overview->ring_count; i++)
		if (overview->rings[i].process >= overview->process_count)
			abort();
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *view = &overview->segments[i];
		for (uint32_t n = 1; n <= view->site_count; n++)
			if (view->sites[n].name > overview->name_count || view->sites[n].file > overview->name_count ||
			    view->sites[n].scope_name > overview->name_count ||
			    view->sites[n].scope_version > overview->name_count)
				abort();
		for (uint32_t n = 1; n <= view->thread_count; n++)
			if (view->threads[n].process > overview->process_count ||
			    view->threads[n].name > overview->name_count)
				abort();
	}
}

/* Rows in both orders, those of one trace, and those that a range of time and a duration leave. */
static void check_scans(struct store_reader *reader, const struct store_overview *overview) {
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_CHILD_SUMS,
	                          .on_batch = check_batch,
	                          .context = (void *)(uintptr_t)overview};
	require(store_reader_scan(reader, &scan) == 0);
	scan.has_trace = true;
	require(store_reader_scan(reader, &scan) == 0);
	scan.has_trace = false;
	scan.since_wall_ns = 1;
	scan.duration_ns_min = 1;
	require(store_reader_scan(reader, &scan) == 0);
	scan = (struct store_scan){.columns = STORE_IN_SITE_ORDER_COLUMNS & ~STORE_COLUMN_DURATION_HALVES,
	                           .on_batch = check_runs,
	                           .context = (void *)(uintptr_t)overview};
	require(store_reader_scan(reader, &scan) == 0);
}

void store_exercise(const char *path) {
	struct store_reader *reader = NULL;
	struct store_memory_sample *samples = NULL;
	size_t count = 0;
	char text[512] = "";
	if (store_reader_open(path, &reader, text, sizeof(text)) != 0) {
		require(strstr(text, path) != NULL);
		return;
	}
	const struct store_overview *overview = store_reader_overview(reader);
	check_overview(overview);
	check_scans(reader, overview);
	require(store_reader_rollups(reader, check_rollup, (void *)(uintptr_t)overview) == 0);
	require(store_reader_samples(reader, &samples, &count) == 0);
	for (size_t i = 0; i < count; i++)
		require(samples[i].process <= overview->process_count);
	require(store_reader_verify(reader, NULL, NULL) == 0);
	const struct store_damage *damage = store_reader_damage(reader, &count);
	for (size_t i = 0; i < count; i++)
		require(strstr(damage[i].text, path) != NULL);
	free(samples);
	store_reader_close(reader);
}
