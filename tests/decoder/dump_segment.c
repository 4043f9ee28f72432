/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader gives is printed as it is given, names in the place of ids; tables that it only adds up, or gives to the writer alone, are
 * printed row by row. A text has one spelling: bytes that are not printable ASCII as \u00xx, numbers in decimal, no spaces.
 */
#include "dump_segment.h"

#include "support/cmocka.h"

#include "libstore/reader.h"
#include "libstore/rollup_rows.h"
#include "libstore/segment.h"
#include "spanring/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 4096u

static void begin_row(FILE *to, const char *row) {
	(void)fprintf(to, "{\"row\":\"%s\"", row);
}

static void end_row(FILE *to) {
	(void)fputs("}\n", to);
}

static void put_number(FILE *to, const char *name, uint64_t value) {
	(void)fprintf(to, ",\"%s\":%" PRIu64, name, value);
}

/* Of a table that old segments may lack: nothing where it is 0, so that a later table changes no text of an earlier segment. */
static void put_count(FILE *to, const char *name, uint64_t value) {
	if (value)
		put_number(to, name, value);
}

static void put_signed(FILE *to, const char *name, int64_t value) {
	(void)fprintf(to, ",\"%s\":%" PRId64, name, value);
}

static void put_bytes(FILE *to, const char *name, const char *text, size_t bytes) {
	(void)fprintf(to, ",\"%s\":\"", name);
	for (size_t i = 0; i < bytes; i++) {
		unsigned char byte = (unsigned char)text[i];
		bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
		(void)fprintf(to, plain ? "%c" : "\\u%04x", byte);
	}
	(void)fputc('"', to);
}

static void put_text(FILE *to, const char *name, const char *text) {
	put_bytes(to, name, text, strlen(text));
}

static void put_hex(FILE *to, const char *name, const uint8_t *bytes) {
	(void)fprintf(to, ",\"%s\":\"", name);
	for (size_t i = 0; i < STORE_INSTANCE_BYTES; i++)
		(void)fprintf(to, "%02x", bytes[i]);
	(void)fputc('"', to);
}

/* Of a process by its number in the overview; 0: none. */
static void put_process(FILE *to, const struct store_overview *overview, uint32_t process) {
	if (process)
		put_hex(to, "process", overview->processes[process - 1].instance);
	else
		put_text(to, "process", "");
}

static void dump_sites(FILE *to, const struct store_overview *overview) {
	const struct store_segment_view *view = overview->segments;
	for (uint32_t i = 1; i <= view->site_count; i++) {
		begin_row(to, "site");
		put_number(to, "id", i);
		put_text(to, "name", overview->names[view->sites[i].name]);
		put_text(to, "file", overview->names[view->sites[i].file]);
		put_number(to, "line", view->sites[i].line);
		put_number(to, "kind", view->sites[i].kind);
		put_text(to, "scope_name", overview->names[view->sites[i].scope_name]);
		put_text(to, "scope_version", overview->names[view->sites[i].scope_version]);
		end_row(to);
	}
}

static void dump_threads(FILE *to, const struct store_overview *overview) {
	const struct store_segment_view *view = overview->segments;
	for (uint32_t i = 1; i <= view->thread_count; i++) {
		begin_row(to, "thread");
		put_number(to, "id", i);
		put_process(to, overview, view->threads[i].process);
		put_number(to, "ring", view->threads[i].ring_index);
		put_number(to, "tid", view->threads[i].tid);
		put_text(to, "name", overview->names[view->threads[i].name]);
		put_number(to, "start_ns", view->threads[i].start_ns);
		end_row(to);
	}
}

static void put_account(FILE *to, const struct store_process_account *account) {
	put_count(to, "account_state", account->state);
	put_count(to, "account_rings_made", account->rings_made);
	put_count(to, "account_time_ns", account->time_ns);
	put_count(to, "account_threads_untraced", account->threads_untraced);
	put_count(to, "account_dropped_no_ring", account->dropped_no_ring);
	put_count(to, "account_names_cut", account->names_cut);
	put_count(to, "account_sites_overflowed", account->sites_overflowed);
	put_count(to, "account_strings_overflowed", account->strings_overflowed);
	put_count(to, "account_misuse", account->misuse);
	put_count(to, "limits_attributes_over_limit", account->limits.attributes_over_limit);
	put_count(to, "limits_events_over_limit", account->limits.events_over_limit);
	put_count(to, "limits_links_over_limit", account->limits.links_over_limit);
	put_count(to, "limits_values_cut", account->limits.values_cut);
	put_count(to, "limits_dropped_links", account->limits.dropped_links);
	put_count(to, "limits_contexts_malformed", account->limits.contexts_malformed);
	put_count(to, "statistics_coverage", account->statistics);
	put_count(to, "statistics_overflowed", account->statistics_overflowed);
	put_count(to, "drops_dropped_async", account->dropped_async);
	put_count(to, "drops_dropped_contexts", account->dropped_contexts);
	put_count(to, "drops_dropped_reentry", account->dropped_reentry);
	put_count(to, "ending_ending", account->ending);
	put_count(to, "ending_value", account->ending_value);
	put_count(to, "claim_uid", account->claimed_uid);
	put_count(to, "claim_flags", account->claim);
}

static int by_instance(const void *a, const void *b) {
	const struct store_process_view *const *first = a;
	const struct store_process_view *const *second = b;
	return memcmp((*first)->instance, (*second)->instance, STORE_INSTANCE_BYTES);
}

static void dump_processes(FILE *to, const struct store_overview *overview) {
	const struct store_process_view **sorted = calloc(overview->process_count + 1, sizeof(const void *));
	assert_non_null(sorted);
	for (size_t i = 0; i < overview->process_count; i++)
		sorted[i] = &overview->processes[i];
	qsort(sorted, overview->process_count, sizeof(const void *), by_instance);
	for (size_t i = 0; i < overview->process_count; i++) {
		begin_row(to, "process");
		put_hex(to, "instance", sorted[i]->instance);
		put_number(to, "pid", sorted[i]->pid);
		put_number(to, "ppid", sorted[i]->ppid);
		put_number(to, "uid", sorted[i]->uid);
		put_number(to, "attach_wall_ns", sorted[i]->attach_wall_ns);
		put_text(to, "executable", sorted[i]->executable);
		put_text(to, "command", sorted[i]->command);
		put_text(to, "service", sorted[i]->service);
		put_text(to, "resource", sorted[i]->resource);
		put_number(to, "resource_left_out", sorted[i]->resource_left_out);
		put_account(to, &sorted[i]->account);
		end_row(to);
	}
	free(sorted);
}

static void dump_ring(FILE *to, const struct store_cursor *cursor) {
	begin_row(to, "ring");
	put_hex(to, "instance", cursor->instance);
	put_number(to, "ring", cursor->ring_index);
	put_number(to, "state", cursor->state);
	put_number(to, "position", cursor->position);
	put_number(to, "begun", cursor->begun);
	put_number(to, "open", cursor->open);
	put_number(to, "dropped_full", cursor->dropped_full);
	put_number(to, "dropped_depth", cursor->dropped_depth);
	put_number(to, "dropped_attributes", cursor->dropped_attributes);
	put_number(to, "dropped_events", cursor->dropped_events);
	put_number(to, "stored_spans", cursor->stored_spans);
	put_number(to, "stored_attributes", cursor->stored_attributes);
	put_number(to, "stored_events", cursor->stored_events);
	put_number(to, "rejected_spans", cursor->rejected_spans);
	put_number(to, "rejected_other", cursor->rejected_other);
	put_number(to, "lost_records", cursor->lost_records);
	put_number(to, "reason", cursor->reason);
	put_count(to, "sampling_sampled_out", cursor->sampled_out);
	put_count(to, "sampling_sampled_out_short", cursor->sampled_out_short);
	put_count(to, "thinned_spans", cursor->thinned_spans);
	put_count(to, "thinned_attributes", cursor->thinned_attributes);
	put_count(to, "thinned_events", cursor->thinned_events);
	put_count(to, "thinned_weighted_spans", cursor->weighted_spans);
	put_count(to, "thinned_traces_in_part", cursor->traces_in_part);
	end_row(to);
}

/* In the order in which the table has them: one segment, so nothing was put together. */
static void dump_rings(FILE *to, const struct store_overview *overview) {
	for (size_t i = 0; i < overview->ring_count; i++)
		dump_ring(to, &overview->rings[i].cursor);
}

/* Tables of numbers alone, but for the key. */
static void dump_table(FILE *to, struct db *db, enum schema_table table, const char *const *names) {
	struct db_statement *select = NULL;
	int row = segment_has_table(db, table);
	if (row == 0)
		return;
	assert_int_equal(db_prepare(db, schema_tables[table].select, &select), 0);
	while ((row = db_next(select)) == 1) {
		begin_row(to, schema_tables[table].name);
		for (size_t i = 0; names[i]; i++) {
			size_t bytes = 0;
			if (strcmp(names[i], "instance") == 0)
				put_hex(to, names[i], db_get_blob(select, &bytes));
			else
				put_number(to, names[i], db_get_u64(select));
		}
		assert_int_equal(db_row_end(select), 0);
		end_row(to);
	}
	assert_int_equal(row, 0);
	db_finalize(select);
}

static void dump_evictions(FILE *to, struct db *db) {
	static const char *const eviction[] = {"reason", "through", "segments", "spans", "bytes", NULL};
	static const char *const rings[] = {"instance", "ring", "spans", NULL};
	static const char *const processes[] = {
	    "instance", "processes", "statistics_spans", "dropped_no_ring", "dropped_reentry", "dropped_async", NULL};
	static const char *const departed[] = {"state",
	                                       "rings",
	                                       "begun",
	                                       "open",
	                                       "dropped_full",
	                                       "dropped_depth",
	                                       "dropped_attributes",
	                                       "dropped_events",
	                                       "stored_spans",
	                                       "stored_attributes",
	                                       "stored_events",
	                                       "rejected_spans",
	                                       "rejected_other",
	                                       "lost_records",
	                                       "sampled_out",
	                                       "sampled_out_short",
	                                       NULL};
	dump_table(to, db, SCHEMA_EVICTION, eviction);
	dump_table(to, db, SCHEMA_EVICTED_RING, rings);
	dump_table(to, db, SCHEMA_EVICTED_PROCESS, processes);
	dump_table(to, db, SCHEMA_DEPARTED, departed);
}

static void put_bins(FILE *to, const struct store_rollup_bin *bins, uint32_t count) {
	(void)fputs(",\"bins\":[", to);
	for (uint32_t i = 0; i < count; i++)
		(void)fprintf(to, "%s[%" PRIu32 ",%" PRIu64 "]", i ? "," : "", bins[i].bin, bins[i].count);
	(void)fputc(']', to);
}

static void dump_rollup(FILE *to, const char *table, uint64_t id, const struct store_rollup *rollup) {
	begin_row(to, table);
	put_number(to, "id", id);
	put_number(to, "process", rollup->process);
	put_number(to, "site", rollup->site);
	put_number(to, "since_ns", rollup->since_ns);
	put_number(to, "until_ns", rollup->until_ns);
	put_number(to, "ns_per_tick_q32", rollup->ns_per_tick_q32);
	put_number(to, "count", rollup->count);
	put_number(to, "errors", rollup->errors);
	put_number(to, "sum_ns", rollup->sum_ns);
	put_number(to, "min_ns", rollup->min_ns);
	put_number(to, "max_ns", rollup->max_ns);
	put_number(to, "heap_allocated_units", rollup->heap_allocated_units);
	put_signed(to, "heap_net_units", rollup->heap_net_units);
	put_number(to, "heap_spans", rollup->heap_spans);
	put_bins(to, rollup->bins, rollup->bin_count);
	end_row(to);
}

static void dump_total(FILE *to, const struct store_rollup_total *total) {
	begin_row(to, "rollup_total");
	put_hex(to, "instance", total->instance);
	put_number(to, "site", total->site);
	put_number(to, "time_ns", total->time_ns);
	put_number(to, "count", total->count);
	put_number(to, "errors", total->errors);
	put_number(to, "sum_ticks", total->sum_ticks);
	put_number(to, "min_ticks", total->min_ticks);
	put_number(to, "max_ticks", total->max_ticks);
	put_number(to, "heap_allocated_units", total->heap_allocated_units);
	put_signed(to, "heap_net_units", total->heap_net_units);
	put_number(to, "heap_spans", total->heap_spans);
	put_bins(to, total->bins, total->bin_count);
	end_row(to);
}

static void dump_rollup_table(FILE *to, struct db *db, enum schema_table table, struct rollup_coder *coder) {
	struct db_statement *select = NULL;
	int row = segment_has_table(db, table);
	if (row == 0)
		return;
	assert_int_equal(db_prepare(db, schema_tables[table].select, &select), 0);
	while ((row = db_next(select)) == 1) {
		struct store_rollup rollup;
		struct store_rollup_total total;
		uint64_t id = 0;
		uint64_t checksum = 0;
		if (table == SCHEMA_ROLLUP_TOTAL) {
			assert_int_equal(rollup_get_total(select, coder, &total, &checksum), 0);
			dump_total(to, &total);
		} else {
			assert_int_equal(rollup_get(select, coder, &id, &rollup, &checksum), 0);
			dump_rollup(to, schema_tables[table].name, id, &rollup);
		}
	}
	assert_int_equal(row, 0);
	db_finalize(select);
}

static void dump_rollups(FILE *to, struct db *db) {
	struct rollup_coder *coder = malloc(sizeof(*coder));
	assert_non_null(coder);
	dump_rollup_table(to, db, SCHEMA_ROLLUP, coder);
	dump_rollup_table(to, db, SCHEMA_ROLLUP_SEGMENT, coder);
	dump_rollup_table(to, db, SCHEMA_ROLLUP_SITE, coder);
	dump_rollup_table(to, db, SCHEMA_ROLLUP_TOTAL, coder);
	free(coder);
}

/* Fields in order of their names, so that the order of the tables' columns does not matter. */
static void put_sample(FILE *to, const struct store_overview *overview, const struct store_memory_sample *sample,
                       uint64_t wall_offset_ns) {
	begin_row(to, "sample");
	put_number(to, "anonymous_bytes", sample->anonymous_bytes);
	put_number(to, "cpu_system_ns", sample->cpu_system_ns);
	put_number(to, "cpu_user_ns", sample->cpu_user_ns);
	put_number(to, "descriptors", sample->descriptors);
	put_number(to, "faults_major", sample->faults_major);
	put_number(to, "faults_minor", sample->faults_minor);
	put_number(to, "heap_allocated_bytes", sample->heap_allocated_bytes);
	put_number(to, "heap_freed_bytes", sample->heap_freed_bytes);
	put_number(to, "pid", sample->agent_pid);
	put_process(to, overview, sample->process);
	put_number(to, "pss_bytes", sample->pss_bytes);
	put_number(to, "pss_ns", sample->pss_ns);
	put_number(to, "pss_state", sample->pss_state);
	put_number(to, "rss_bytes", sample->rss_bytes);
	put_number(to, "start_time", sample->agent_start);
	put_number(to, "swap_bytes", sample->swap_bytes);
	put_number(to, "switches_involuntary", sample->switches_involuntary);
	put_number(to, "switches_voluntary", sample->switches_voluntary);
	put_number(to, "threads", sample->threads);
	put_number(to, "time_ns", sample->time_ns - wall_offset_ns);
	end_row(to);
}

static int by_text(const void *a, const void *b) {
	return strcmp(a, b);
}

/* The reader gives them in order of time, which does not tell those of one moment apart: the lines are sorted. */
void dump_samples(FILE *to, struct store_reader *reader) {
	const struct store_overview *overview = store_reader_overview(reader);
	struct store_memory_sample *samples = NULL;
	size_t count = 0;
	assert_int_equal(store_reader_samples(reader, &samples, &count), 0);
	char(*lines)[LINE_BYTES_MAX] = calloc(count + 1, sizeof(*lines));
	assert_non_null(lines);
	for (size_t i = 0; i < count; i++) {
		FILE *line = fmemopen(lines[i], LINE_BYTES_MAX, "w");
		assert_non_null(line);
		put_sample(line, overview, &samples[i], overview->segments->wall_offset_ns);
		assert_int_equal(fclose(line), 0);
	}
	qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++)
		(void)fputs(lines[i], to);
	free(lines);
	free(samples);
}

static void dump_span(FILE *to, const struct store_columns *columns, uint32_t row) {
	begin_row(to, "span");
	put_number(to, "trace_hi", columns->trace_hi[row]);
	put_number(to, "trace_lo", columns->trace_lo[row]);
	put_number(to, "span_id", columns->span_id[row]);
	put_number(to, "parent_id", columns->parent_id[row]);
	put_number(to, "start", columns->start_ns[row]);
	put_number(to, "duration", columns->duration_ns[row]);
	put_number(to, "site", columns->site[row]);
	put_number(to, "thread", columns->thread[row]);
	put_number(to, "kind", columns->kind[row]);
	put_number(to, "status", columns->status[row]);
	put_number(to, "flags", columns->flags[row]);
	put_number(to, "heap_allocated", columns->heap_alloc_units[row]);
	put_signed(to, "heap_net", columns->heap_net_units[row]);
	put_number(to, "weight", columns->weight ? columns->weight[row] : STORE_WEIGHT_ONE);
	end_row(to);
}

static void dump_attribute(FILE *to, const struct store_columns *columns, const struct store_attribute *attribute,
                           const char *const *names) {
	begin_row(to, "attribute");
	put_number(to, "trace_lo", attribute->trace_lo);
	put_number(to, "span_id", attribute->span_id);
	put_number(to, "event", attribute->event_index);
	put_text(to, "key", names[attribute->key]);
	put_number(to, "type", attribute->type);
	if (attribute->type == SPANRING_VALUE_STRING)
		put_bytes(to, "value", columns->text + attribute->value, attribute->text_bytes);
	else
		put_number(to, "value", attribute->value);
	end_row(to);
}

static void dump_event(FILE *to, const struct store_event *event, const char *const *names) {
	begin_row(to, "event");
	put_number(to, "trace_lo", event->trace_lo);
	put_number(to, "span_id", event->span_id);
	put_number(to, "event", event->event_index);
	put_text(to, "name", names[event->name]);
	put_number(to, "time", event->time_ns);
	end_row(to);
}

static void dump_link(FILE *to, const struct store_link *link) {
	begin_row(to, "link");
	put_number(to, "trace_lo", link->trace_lo);
	put_number(to, "span_id", link->span_id);
	put_number(to, "linked_trace_hi", link->linked_trace_hi);
	put_number(to, "linked_trace_lo", link->linked_trace_lo);
	put_number(to, "linked_span_id", link->linked_span_id);
	end_row(to);
}

struct dump {
	FILE *to;
	const struct store_overview *overview;
};

static const char *comma(uint32_t i) {
	return i ? "," : "";
}

/* Lists of numbers that belong together, one list each. */
static void dump_child_sums(FILE *to, const struct store_child_sums *sums) {
	begin_row(to, "child_sums");
	put_number(to, "from", sums->from);
	(void)fputs(",\"corrections\":[", to);
	for (uint32_t i = 0; i < sums->correction_count; i++)
		(void)fprintf(to, "%s[%" PRIu32 ",%" PRId64 "]", comma(i), sums->correction_row[i],
		              (int64_t)sums->correction_ns[i]);
	(void)fputs("],\"late\":[", to);
	for (uint32_t i = 0; i < sums->late_count; i++)
		(void)fprintf(to, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 "]", comma(i), sums->late_back[i],
		              sums->late_row[i], sums->late_site[i], sums->late_ns[i]);
	(void)fputs("],\"found\":[", to);
	for (uint32_t i = 0; i < sums->found_count; i++)
		(void)fprintf(to, "%s[%" PRIu32 ",%" PRIu32 "]", comma(i), sums->found_back[i], sums->found_row[i]);
	(void)fputs("],\"away\":[", to);
	for (uint32_t i = 0; i < sums->away_count; i++)
		(void)fprintf(to, "%s%u", comma(i), (unsigned)sums->away_state[i]);
	(void)fputc(']', to);
	end_row(to);
}

static int dump_batch(void *context, const struct store_columns *columns) {
	const struct dump *dump = context;
	const char *const *names = dump->overview->names;
	begin_row(dump->to, "batch");
	put_number(dump->to, "id", columns->batch);
	end_row(dump->to);
	if (columns->child_sums)
		dump_child_sums(dump->to, columns->child_sums);
	for (uint32_t row = 0; row < columns->span_count; row++)
		dump_span(dump->to, columns, row);
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		dump_attribute(dump->to, columns, &columns->attributes[i], names);
	for (uint32_t i = 0; i < columns->event_count; i++)
		dump_event(dump->to, &columns->events[i], names);
	for (uint32_t i = 0; i < columns->link_count; i++)
		dump_link(dump->to, &columns->links[i]);
	return 0;
}

/* Only what comes in that order. */
static int dump_runs(void *context, const struct store_columns *columns) {
	const struct dump *dump = context;
	uint32_t row = 0;
	begin_row(dump->to, "runs");
	put_number(dump->to, "id", columns->batch);
	for (uint32_t run = 0; run < columns->run_count; run++) {
		put_number(dump->to, "site", columns->runs[run].site);
		for (; row < columns->runs[run].end; row++)
			put_number(dump->to, "duration", columns->duration_ns[row]);
	}
	end_row(dump->to);
	return 0;
}

static void dump_totals(FILE *to, const struct store_segment_view *view) {
	begin_row(to, "segment");
	(void)fprintf(to, ",\"sealed\":%s", view->sealed ? "true" : "false");
	put_number(to, "sequence", view->sequence);
	put_hex(to, "boot_id", view->boot_id);
	put_number(to, "wall_offset_ns", view->wall_offset_ns);
	put_number(to, "created_wall_ns", view->created_wall_ns);
	put_number(to, "batches", view->batches);
	put_number(to, "spans", view->spans);
	put_number(to, "attributes", view->attributes);
	put_number(to, "events", view->events);
	put_number(to, "start_ns_min", view->start_ns_min);
	put_number(to, "end_ns_max", view->end_ns_max);
	put_number(to, "links", view->links);
	end_row(to);
}

static void dump_catalog(FILE *to, const struct store_overview *overview) {
	dump_sites(to, overview);
	dump_threads(to, overview);
	dump_processes(to, overview);
	dump_rings(to, overview);
}

void dump_overview(FILE *to, const struct store_overview *overview) {
	dump_catalog(to, overview);
	dump_totals(to, overview->segments);
	begin_row(to, "evictions");
	put_number(to, "through", overview->evictions.through);
	for (size_t i = 0; i < STORE_EVICT_REASONS; i++) {
		put_number(to, "segments", overview->evictions.reasons[i].segments);
		put_number(to, "spans", overview->evictions.reasons[i].spans);
		put_number(to, "bytes", overview->evictions.reasons[i].bytes);
	}
	end_row(to);
}

static int dump_given_rollup(void *context, const struct store_segment_view *segment,
                             const struct store_rollup *rollup) {
	(void)segment;
	dump_rollup(context, "rollup", 0, rollup);
	return 0;
}

void dump_reader_rollups(FILE *to, struct store_reader *reader) {
	assert_int_equal(store_reader_rollups(reader, dump_given_rollup, to), 0);
}

void dump_scan(FILE *to, struct store_reader *reader, struct store_scan scan) {
	struct dump dump = {to, store_reader_overview(reader)};
	scan.on_batch = scan.columns & STORE_IN_SITE_ORDER ? dump_runs : dump_batch;
	scan.context = &dump;
	assert_int_equal(store_reader_scan(reader, &scan), 0);
}

void dump_segment(const char *path, FILE *to) {
	struct store_reader *reader = NULL;
	struct db *db = NULL;
	size_t damaged = 0;
	char text[SEGMENT_TEXT_BYTES];
	if (store_reader_open(path, &reader, text, sizeof(text)) || segment_open(path, DB_READ_ONLY, &db, text))
		fail_msg("%s", text);
	const struct store_overview *overview = store_reader_overview(reader);
	dump_catalog(to, overview);
	dump_evictions(to, db);
	dump_rollups(to, db);
	dump_samples(to, reader);
	dump_scan(to, reader, (struct store_scan){.columns = STORE_COLUMNS_ALL | STORE_COLUMN_CHILD_SUMS});
	dump_totals(to, overview->segments);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	const struct store_damage *damage = store_reader_damage(reader, &damaged);
	if (damaged)
		fail_msg("%s", damage[0].text);
	db_close(db);
	store_reader_close(reader);
}
