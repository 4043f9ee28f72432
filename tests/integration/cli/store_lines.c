/* SPDX-License-Identifier: Apache-2.0 */
#include "store_lines.h"

#include "support/cmocka.h"

#include "libstore/reader.h"

#include <spanring/record.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const struct store_overview *overview;
	struct store_lines *lines;
};

__attribute__((format(printf, 2, 3))) static void line(struct store_lines *lines, const char *format, ...) {
	char *text = NULL;
	va_list arguments;
	va_start(arguments, format);
	assert_true(vasprintf(&text, format, arguments) >= 0);
	va_end(arguments);
	assert_true(lines->count < STORE_LINES_MAX);
	lines->lines[lines->count++] = text;
}

static void take_span(const struct reading *reading, const struct store_columns *columns, uint32_t i) {
	const char *const *names = reading->overview->names;
	const struct store_thread *thread = &columns->segment->threads[columns->thread[i]];
	const struct store_site *site = &columns->segment->sites[columns->site[i]];
	const struct store_process_view *process = &reading->overview->processes[thread->process - 1];
	line(
	    reading->lines,
	    "S %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %" PRIu64 " %" PRIu64
	    " '%s' kind %u status %u flags %u weight %u heap %u %d at '%s':%u scope '%s' '%s' in '%s' %u %u '%s' '%s' '%s' "
	    "thread %u '%s'",
	    columns->trace_hi[i], columns->trace_lo[i], columns->span_id[i], columns->parent_id[i],
	    columns->start_ns[i] + columns->segment->wall_offset_ns, columns->duration_ns[i], names[site->name],
	    columns->kind[i], columns->status[i], columns->flags[i],
	    columns->weight && columns->weight[i] ? columns->weight[i] : STORE_WEIGHT_ONE, columns->heap_alloc_units[i],
	    columns->heap_net_units[i], names[site->file], site->line, names[site->scope_name],
	    names[site->scope_version], process->service, process->pid, process->ppid, process->executable,
	    process->command, process->resource, thread->tid, names[thread->name]);
}

static void take_attribute(const struct reading *reading, const struct store_columns *columns, uint32_t i) {
	const struct store_attribute *row = &columns->attributes[i];
	const char *key = reading->overview->names[row->key];
	if (row->type == SPANRING_VALUE_STRING)
		line(reading->lines, "A %016" PRIx64 "%016" PRIx64 " %u %s = '%.*s'", row->trace_lo, row->span_id,
		     row->event_index, key, (int)row->text_bytes, columns->text + row->value);
	else
		line(reading->lines, "A %016" PRIx64 "%016" PRIx64 " %u %s = %u:%016" PRIx64, row->trace_lo,
		     row->span_id, row->event_index, key, row->type, row->value);
}

static int take_batch(void *context, const struct store_columns *columns) {
	const struct reading *reading = context;
	for (uint32_t i = 0; i < columns->span_count; i++)
		take_span(reading, columns, i);
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		take_attribute(reading, columns, i);
	for (uint32_t i = 0; i < columns->event_count; i++)
		line(reading->lines, "E %016" PRIx64 "%016" PRIx64 " %u '%s' %" PRIu64, columns->events[i].trace_lo,
		     columns->events[i].span_id, columns->events[i].event_index,
		     reading->overview->names[columns->events[i].name],
		     columns->events[i].time_ns + columns->segment->wall_offset_ns);
	for (uint32_t i = 0; i < columns->link_count; i++)
		line(reading->lines, "L %016" PRIx64 "%016" PRIx64 " %016" PRIx64 "%016" PRIx64 " %016" PRIx64,
		     columns->links[i].trace_lo, columns->links[i].span_id, columns->links[i].linked_trace_hi,
		     columns->links[i].linked_trace_lo, columns->links[i].linked_span_id);
	return 0;
}

static int compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void store_lines_read(const char *store, struct store_lines *ret_lines) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	size_t damage = 0;
	ret_lines->count = 0;
	if (store_reader_open(store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	struct reading reading = {.overview = store_reader_overview(reader), .lines = ret_lines};
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = &reading};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
	qsort(ret_lines->lines, ret_lines->count, sizeof(char *), compare);
}

void store_lines_check_equal(const struct store_lines *found, const struct store_lines *expected) {
	for (size_t i = 0; i < expected->count && i < found->count; i++)
		assert_string_equal(found->lines[i], expected->lines[i]);
	assert_int_equal(found->count, expected->count);
}

void store_lines_free(struct store_lines *lines) {
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	lines->count = 0;
}
