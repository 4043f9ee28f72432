/* SPDX-License-Identifier: Apache-2.0 */
/* info: what is in this store. Reads the catalogs only, however large the store. */
#include "analyze/command.h"
#include "analyze/kernels/resource.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "libstore/catalog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze info STORE\n"
                           "  spanring-analyze info STORE --json | jq .spans\n"
                           "\n"
                           "What a store holds: segments and their size, time range, spans, bytes per\n"
                           "span, processes with their service and state, damage. Reads the catalogs only,\n"
                           "so it is quick however large the store is; verify reads everything.\n"
                           "\n"
                           "A segment is sealed when the agent is done with it; the last one is open while\n"
                           "an agent writes. A process is running (at the last commit), exited or died;\n"
                           "imported: its spans came from a file, and of its life nothing is known.\n"
                           "\n"
                           "Options\n"
                           "  --csv            the processes as comma-separated values, with a line of titles\n";

#define SCOPES_SHOWN_MAX 256u

/* As the options --retain-... of the agent. */
static const char *const reason_texts[STORE_EVICT_REASONS] = {
    [STORE_EVICT_BYTES] = "bytes", [STORE_EVICT_AGE] = "age", [STORE_EVICT_FREE] = "free"};

struct totals {
	uint64_t sealed;
	uint64_t file_bytes;
	uint64_t batches;
	uint64_t spans;
	uint64_t attributes;
	uint64_t events;
	uint64_t links;
	uint64_t start_wall_ns; /* 0: no span */
	uint64_t end_wall_ns;
	uint64_t span_names;
};

static int count_names(const struct store_overview *overview, uint64_t *ret_count) {
	CLEANUP_FREE uint8_t *seen = calloc((size_t)overview->name_count + 1, 1);
	uint64_t count = 0;
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		for (uint32_t site = 1; site <= segment->site_count; site++) {
			uint32_t name = segment->sites[site].name;
			/* every catalog has the site for names that found no room, used or not */
			if (name > overview->name_count || seen[name] ||
			    strcmp(overview->names[name], STORE_OVERFLOW_NAME) == 0)
				continue;
			seen[name] = 1;
			count++;
		}
	}
	*ret_count = count;
	return 0;
}

static int sum_up(const struct store_overview *overview, struct totals *ret_totals) {
	struct totals totals = {.start_wall_ns = 0};
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		totals.sealed += segment->sealed;
		totals.file_bytes = saturating_add(totals.file_bytes, segment->file_bytes);
		totals.batches = saturating_add(totals.batches, segment->batches);
		totals.spans = saturating_add(totals.spans, segment->spans);
		totals.attributes = saturating_add(totals.attributes, segment->attributes);
		totals.events = saturating_add(totals.events, segment->events);
		totals.links = saturating_add(totals.links, segment->links);
		if (segment->spans == 0)
			continue;
		uint64_t start_wall_ns = saturating_add(segment->start_ns_min, segment->wall_offset_ns);
		uint64_t end_wall_ns = saturating_add(segment->end_ns_max, segment->wall_offset_ns);
		if (totals.start_wall_ns == 0 || start_wall_ns < totals.start_wall_ns)
			totals.start_wall_ns = start_wall_ns;
		if (end_wall_ns > totals.end_wall_ns)
			totals.end_wall_ns = end_wall_ns;
	}
	*ret_totals = totals;
	return count_names(overview, &ret_totals->span_names);
}

static const char *state_text(const struct store_process_view *process) {
	if (process->is_imported)
		return "imported";
	switch (process->account.state) {
	case STORE_PROCESS_RUNNING:
		return "running";
	case STORE_PROCESS_EXITED:
		return "exited";
	case STORE_PROCESS_DIED:
		return "died";
	default:
		return "unknown";
	}
}

/* By the agent's own count, so that no batch must be read; audit compares it with the rows. NULL without memory. */
static uint64_t *spans_by_process(const struct store_overview *overview) {
	uint64_t *spans = calloc(overview->process_count + 1, sizeof(*spans));
	for (size_t i = 0; spans && i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (ring->process < overview->process_count)
			spans[ring->process] =
			    saturating_add(spans[ring->process], ring->cursor.stored_spans > ring->evicted_spans
			                                             ? ring->cursor.stored_spans - ring->evicted_spans
			                                             : 0);
	}
	return spans;
}

/* Spans that were open when their process died, by the books of its rings. */
static uint64_t open_at_death(const struct store_overview *overview) {
	uint64_t open = 0;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (ring->process < overview->process_count &&
		    overview->processes[ring->process].account.state == STORE_PROCESS_DIED &&
		    ring->cursor.state == STORE_RING_DIED)
			open = saturating_add(open, ring->cursor.open);
	}
	return open;
}

static void print_wall(struct json *json, const char *key, uint64_t wall_ns) {
	if (wall_ns == 0)
		json_null(json, key);
	else
		json_u64(json, key, wall_ns);
}

static void print_evicted_json(struct json *json, const struct store_evictions *evictions) {
	json_open(json, "evicted", '{');
	for (size_t i = 0; i < STORE_EVICT_REASONS; i++) {
		json_open(json, reason_texts[i], '{');
		json_u64(json, "segments", evictions->reasons[i].segments);
		json_u64(json, "spans", evictions->reasons[i].spans);
		json_u64(json, "bytes", evictions->reasons[i].bytes);
		json_close(json);
	}
	json_close(json);
}

static void print_evicted(const struct store_evictions *evictions) {
	char text[2][UNITS_TEXT_BYTES];
	for (size_t i = 0; i < STORE_EVICT_REASONS; i++) {
		const struct store_evict_sum *sum = &evictions->reasons[i];
		if (sum->segments > 0)
			printf("  evicted     %" PRIu64 " segments for %s: %s spans, %s\n", sum->segments,
			       reason_texts[i], units_format_count(sum->spans, text[0]),
			       units_format_bytes((double)sum->bytes, text[1]));
	}
}

/* What tail keep of the agent did, of the rings that the store still tells of. */
static struct store_cursor tail_sums(const struct store_overview *overview) {
	struct store_cursor sum = {0};
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_cursor *cursor = &overview->rings[i].cursor;
		sum.thinned_spans = saturating_add(sum.thinned_spans, cursor->thinned_spans);
		sum.thinned_attributes = saturating_add(sum.thinned_attributes, cursor->thinned_attributes);
		sum.thinned_events = saturating_add(sum.thinned_events, cursor->thinned_events);
		sum.weighted_spans = saturating_add(sum.weighted_spans, cursor->weighted_spans);
		sum.traces_in_part = saturating_add(sum.traces_in_part, cursor->traces_in_part);
	}
	return sum;
}

static void print_tail_json(struct json *json, const struct store_overview *overview) {
	struct store_cursor sum = tail_sums(overview);
	json_open(json, "tail", '{');
	json_u64(json, "thinned_spans", sum.thinned_spans);
	json_u64(json, "thinned_attributes", sum.thinned_attributes);
	json_u64(json, "thinned_events", sum.thinned_events);
	json_u64(json, "weighted_spans", sum.weighted_spans);
	json_u64(json, "traces_in_part", sum.traces_in_part);
	json_close(json);
}

static void print_tail(const struct store_overview *overview) {
	struct store_cursor sum = tail_sums(overview);
	char text[3][UNITS_TEXT_BYTES];
	if (sum.thinned_spans == 0 && sum.weighted_spans == 0)
		return;
	printf("  tail keep   %s spans thinned out, %s kept stand for more than one",
	       units_format_count(sum.thinned_spans, text[0]), units_format_count(sum.weighted_spans, text[1]));
	if (sum.traces_in_part > 0)
		printf(", %s traces kept in part", units_format_count(sum.traces_in_part, text[2]));
	(void)putchar('\n');
}

static void print_segments_json(struct json *json, const struct store_overview *overview) {
	json_open(json, "segments", '[');
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		json_open(json, NULL, '{');
		json_text(json, "file", segment->file);
		json_u64(json, "sequence", segment->sequence);
		json_bool(json, "sealed", segment->sealed);
		json_u64(json, "file_bytes", segment->file_bytes);
		json_u64(json, "batches", segment->batches);
		json_u64(json, "spans", segment->spans);
		json_u64(json, "attributes", segment->attributes);
		json_u64(json, "events", segment->events);
		json_u64(json, "links", segment->links);
		json_close(json);
	}
	json_close(json);
}

static void print_resource_json(struct json *json, const struct store_process_view *process) {
	CLEANUP_FREE char *copy = strdup(process->resource);
	char *rest = copy;
	json_open(json, "resource", '{');
	for (struct resource_pair pair; resource_next(&rest, &pair);)
		json_text_n(json, pair.key, pair.value, pair.value_bytes);
	json_close(json);
	json_u64(json, "resource_left_out", process->resource_left_out);
}

static void print_limits_json(struct json *json, const struct store_limits *limits) {
	json_open(json, "limits", '{');
	json_u64(json, "attributes_over_limit", limits->attributes_over_limit);
	json_u64(json, "events_over_limit", limits->events_over_limit);
	json_u64(json, "links_over_limit", limits->links_over_limit);
	json_u64(json, "values_cut", limits->values_cut);
	json_u64(json, "dropped_links", limits->dropped_links);
	json_u64(json, "contexts_malformed", limits->contexts_malformed);
	json_close(json);
}

/* Every scope once per name and version, in order of sites. */
static void print_scopes_json(struct json *json, const struct store_overview *overview) {
	const struct store_site *shown[SCOPES_SHOWN_MAX];
	size_t count = 0;
	json_open(json, "scopes", '[');
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		for (uint32_t id = 1; id <= segment->site_count && count < SCOPES_SHOWN_MAX; id++) {
			const struct store_site *site = &segment->sites[id];
			bool known = site->scope_name == 0;
			for (size_t k = 0; k < count && !known; k++)
				known = shown[k]->scope_name == site->scope_name &&
				        shown[k]->scope_version == site->scope_version;
			if (known)
				continue;
			shown[count++] = site;
			json_open(json, NULL, '{');
			json_text(json, "name", overview->names[site->scope_name]);
			json_text(json, "version", overview->names[site->scope_version]);
			json_close(json);
		}
	}
	json_close(json);
}

static void print_processes_json(struct json *json, const struct store_overview *overview, const uint64_t *spans) {
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	json_open(json, "processes", '[');
	for (size_t i = 0; i < overview->process_count; i++) {
		const struct store_process_view *process = &overview->processes[i];
		text_hex_encode(process->instance, STORE_INSTANCE_BYTES, instance);
		json_open(json, NULL, '{');
		json_text(json, "instance", instance);
		json_text(json, "service", process->service);
		json_u64(json, "pid", process->pid);
		json_u64(json, "ppid", process->ppid);
		json_u64(json, "uid", process->uid);
		json_bool(json, "claims_other_uid", (process->account.claim & STORE_CLAIM_UID) != 0);
		if (process->account.claim & STORE_CLAIM_UID)
			json_u64(json, "claimed_uid", process->account.claimed_uid);
		else
			json_null(json, "claimed_uid");
		json_bool(json, "claims_other_pid", (process->account.claim & STORE_CLAIM_PID) != 0);
		json_text(json, "executable", process->executable);
		json_text(json, "command", process->command);
		json_text(json, "state", state_text(process));
		json_bool(json, "imported", process->is_imported);
		print_wall(json, "attached_wall_ns", process->attach_wall_ns);
		json_u64(json, "spans", spans[i]);
		print_resource_json(json, process);
		print_limits_json(json, &process->account.limits);
		json_close(json);
	}
	json_close(json);
}

static void print_json(const struct query *query, const struct totals *totals, const uint64_t *spans) {
	struct json json = json_begin(stdout);
	size_t damage_count = 0;
	const struct store_damage *damage = store_reader_damage(query->reader, &damage_count);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "info/1");
	json_text(&json, "store", query->context->options->store);
	json_u64(&json, "spans", totals->spans);
	json_u64(&json, "unfinished", open_at_death(query->overview));
	json_u64(&json, "attributes", totals->attributes);
	json_u64(&json, "events", totals->events);
	json_u64(&json, "links", totals->links);
	json_u64(&json, "span_names", totals->span_names);
	json_u64(&json, "batches", totals->batches);
	json_u64(&json, "file_bytes", totals->file_bytes);
	if (totals->spans > 0)
		json_f64(&json, "bytes_per_span", (double)totals->file_bytes / (double)totals->spans);
	else
		json_null(&json, "bytes_per_span");
	print_wall(&json, "start_wall_ns", totals->start_wall_ns);
	print_wall(&json, "end_wall_ns", totals->end_wall_ns);
	print_evicted_json(&json, &query->overview->evictions);
	print_tail_json(&json, query->overview);
	print_segments_json(&json, query->overview);
	print_processes_json(&json, query->overview, spans);
	print_scopes_json(&json, query->overview);
	json_open(&json, "damage", '[');
	for (size_t i = 0; i < damage_count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "file", damage[i].file);
		json_text(&json, "text", damage[i].text);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_summary(const struct query *query, const struct totals *totals) {
	const struct terminal *terminal = &query->context->terminal;
	char text[4][UNITS_TEXT_BYTES];
	CLEANUP_FREE char *store = calloc(1, 4 * strlen(query->context->options->store) + 1);
	if (store)
		(void)text_printable(query->context->options->store, strlen(query->context->options->store), store,
		                     4 * strlen(query->context->options->store) + 1);
	printf("%s%s%s\n", terminal_style(terminal, STYLE_BOLD), store ? store : "",
	       terminal_style(terminal, STYLE_PLAIN));
	printf("  spans       %s in %" PRIu64 " names, %s attributes, %s events, %s links\n",
	       units_format_count(totals->spans, text[0]), totals->span_names,
	       units_format_count(totals->attributes, text[1]), units_format_count(totals->events, text[2]),
	       units_format_count(totals->links, text[3]));
	uint64_t open = open_at_death(query->overview);
	if (open > 0)
		printf("  unfinished  %s, open when their process died: see spanring-analyze unfinished\n",
		       units_format_count(open, text[0]));
	if (totals->spans > 0) {
		double range_ns = (double)(totals->end_wall_ns - totals->start_wall_ns);
		printf("  from        %s\n", units_format_wall(totals->start_wall_ns, text[0]));
		printf("  to          %s (%s)\n", units_format_wall(totals->end_wall_ns, text[1]),
		       units_format_duration(range_ns, text[2]));
	}
	printf("  on disk     %s", units_format_bytes((double)totals->file_bytes, text[0]));
	if (totals->spans > 0)
		printf(", %.2f bytes per span", (double)totals->file_bytes / (double)totals->spans);
	printf("\n  segments    %zu, %" PRIu64 " sealed, %s batches\n", query->overview->segment_count, totals->sealed,
	       units_format_count(totals->batches, text[0]));
	print_evicted(&query->overview->evictions);
	print_tail(query->overview);
}

static int print_processes(const struct query *query, const uint64_t *spans) {
	static const struct table_column columns[] = {
	    {"service", false, 1}, {"pid", true, 0},       {"state", false, 0},
	    {"spans", true, 0},    {"attached", false, 2}, {"command", false, 0},
	};
	char text[UNITS_TEXT_BYTES];
	const struct store_overview *overview = query->overview;
	if (overview->process_count == 0)
		return 0;
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 5, 16);
	for (size_t i = 0; i < overview->process_count; i++) {
		const struct store_process_view *process = &overview->processes[i];
		table_cell(&table, STYLE_PLAIN, process->service);
		(void)snprintf(text, sizeof(text), "%" PRIu32, process->pid);
		table_cell(&table, STYLE_PLAIN, text);
		table_cell(&table, process->account.state == STORE_PROCESS_DIED ? STYLE_YELLOW : STYLE_PLAIN,
		           state_text(process));
		table_count(&table, STYLE_PLAIN, spans[i]);
		table_cell(&table, STYLE_PLAIN,
		           process->attach_wall_ns ? units_format_wall(process->attach_wall_ns, text) : "-");
		table_cell(&table, STYLE_PLAIN, process->command);
	}
	(void)putchar('\n');
	return table_print(&table, &query->context->terminal, stdout);
}

static void print_csv(const struct query *query, const uint64_t *spans) {
	struct csv csv = {.out = stdout};
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	csv_head(&csv, "service,pid,state,spans,attached_wall_ns,uid,ppid,executable,command,instance");
	for (size_t i = 0; i < query->overview->process_count; i++) {
		const struct store_process_view *process = &query->overview->processes[i];
		text_hex_encode(process->instance, STORE_INSTANCE_BYTES, instance);
		csv_string(&csv, process->service);
		csv_u64(&csv, process->pid);
		csv_string(&csv, state_text(process));
		csv_u64(&csv, spans[i]);
		if (process->attach_wall_ns)
			csv_u64(&csv, process->attach_wall_ns);
		else
			csv_none(&csv);
		csv_u64(&csv, process->uid);
		csv_u64(&csv, process->ppid);
		csv_string(&csv, process->executable);
		csv_string(&csv, process->command);
		csv_number(&csv, instance);
		csv_end(&csv);
	}
}

static int run(const struct context *context) {
	struct query query;
	struct totals totals;
	int code = query_open(&query, context);
	if (code != EXIT_CODE_OK)
		return code;
	CLEANUP_FREE uint64_t *spans = spans_by_process(query.overview);
	int rc = spans ? sum_up(query.overview, &totals) : -ENOMEM;
	if (rc == 0)
		(void)query_store_is_empty(&query);
	if (rc == 0 && context->options->json) {
		print_json(&query, &totals, spans);
	} else if (rc == 0 && context->options->csv) {
		print_csv(&query, spans);
	} else if (rc == 0) {
		print_summary(&query, &totals);
		rc = print_processes(&query, spans);
	}
	code = query_finish(&query, rc ? command_failed(context, rc, "printing") : EXIT_CODE_OK);
	query_close(&query);
	return code;
}

const struct command command_info = {
    .name = "info",
    .summary = "what a store holds: segments, time range, processes",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_CSV,
    .run = run,
};
