/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

#include "analyze/terminal/interrupt.h"
#include "analyze/where/query_where.h"

#include "base/checked.h"
#include "base/errs.h"

#include <assert.h>
#include <fnmatch.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILTER_BYTES_MAX 200
#define FILTERS_BYTES 768u

int command_failed(const struct context *context, int error, const char *doing) {
	if (error == -ENOMEM) {
		log_error(&context->log, "out of memory while %s: narrow the question with --since, --until or --name",
		          doing);
		return EXIT_CODE_FAILED;
	}
	if (error == -ECANCELED)
		return EXIT_CODE_INTERRUPTED;
	if (error == ERR_GONE) {
		log_error(&context->log, "the store changed while %s: run the command again", doing);
		return EXIT_CODE_FAILED;
	}
	log_error(&context->log, "%s: %s", doing, strerror(-error));
	return EXIT_CODE_INPUT;
}

static bool matches(const char *glob, const char *text) {
	return fnmatch(glob, text, 0) == 0;
}

static int resolve_names(struct query *query, const char *glob) {
	const struct store_overview *overview = query->overview;
	query->name_wanted = calloc((size_t)overview->name_count + 1, 1);
	if (!query->name_wanted)
		return -ENOMEM;
	for (uint32_t id = 1; id <= overview->name_count; id++)
		query->name_wanted[id] = matches(glob, overview->names[id]);
	return 0;
}

static int resolve_services(struct query *query, const char *glob) {
	const struct store_overview *overview = query->overview;
	query->process_wanted = calloc(overview->process_count + 1, 1);
	if (!query->process_wanted)
		return -ENOMEM;
	for (size_t i = 0; i < overview->process_count; i++)
		query->process_wanted[i + 1] = matches(glob, overview->processes[i].service);
	return 0;
}

static int resolve(struct query *query, const struct options *options) {
	int rc = 0;
	query->since_wall_ns = options->since_wall_ns;
	query->until_wall_ns = options->until_wall_ns ? options->until_wall_ns : UINT64_MAX;
	query->batch_end = calloc(query->overview->segment_count + 1, sizeof(query->batch_end[0]));
	if (!query->batch_end)
		return -ENOMEM;
	if (options->name)
		rc = resolve_names(query, options->name);
	if (rc == 0 && options->service)
		rc = resolve_services(query, options->service);
	return rc;
}

int query_open(struct query *query, const struct context *context) {
	char text[1024] = "";
	struct query opened = {.context = context};
	int code = query_where_parse(&opened);
	if (code != EXIT_CODE_OK) {
		query_close(&opened);
		return code;
	}
	int rc = store_reader_open(context->options->store, &opened.reader, text, sizeof(text));
	if (rc != 0) {
		log_error(&context->log, "%s", text[0] ? text : strerror(-rc));
		query_close(&opened);
		return EXIT_CODE_INPUT;
	}
	opened.overview = store_reader_overview(opened.reader);
	rc = resolve(&opened, context->options);
	if (rc == 0)
		rc = query_where_bind(&opened);
	if (rc != 0) {
		/* a limit was named where it was met */
		code = rc == ERR_LIMIT ? EXIT_CODE_FAILED : command_failed(context, rc, "opening the store");
		code = query_finish(&opened, code);
		query_close(&opened);
		return code;
	}
	*query = opened;
	return EXIT_CODE_OK;
}

void query_close(struct query *query) {
	free(query->name_wanted);
	free(query->process_wanted);
	free(query->batch_end);
	for (uint32_t i = STORE_SCAN_THREADS_MAX; i-- > 0;) { /* the first is what the others share */
		where_filter_free(query->where_filters[i]);
		free(query->where_kept[i]);
	}
	free(query->where);
	if (query->reader)
		store_reader_close(query->reader);
	memset(query, 0, sizeof(*query));
}

uint32_t query_columns(const struct query *query) {
	uint32_t columns = 0;
	if (query->name_wanted)
		columns |= STORE_COLUMN_SITE;
	if (query->process_wanted)
		columns |= STORE_COLUMN_THREAD;
	if (query->since_wall_ns > 0 || query->until_wall_ns < UINT64_MAX)
		columns |= STORE_COLUMN_START;
	if (query->where_filters[0])
		columns |= where_columns(query->where_filters[0]);
	return columns;
}

bool query_holds_open(const struct query *query) {
	for (size_t i = 0; i < query->overview->ring_count; i++) {
		const struct store_cursor *cursor = &query->overview->rings[i].cursor;
		if (cursor->state == STORE_RING_DIED && cursor->open > 0)
			return true;
	}
	return false;
}

uint32_t query_open_column(const struct query *query) {
	return query_holds_open(query) ? STORE_COLUMN_FLAGS : 0;
}

bool query_is_weighted(const struct query *query) {
	for (size_t i = 0; i < query->overview->ring_count; i++)
		if (query->overview->rings[i].cursor.weighted_spans > 0)
			return true;
	return false;
}

uint64_t query_thinned_spans(const struct query *query) {
	uint64_t spans = 0;
	for (size_t i = 0; i < query->overview->ring_count; i++)
		spans = saturating_add(spans, query->overview->rings[i].cursor.thinned_spans);
	return spans;
}

bool query_accepts(const struct query *query, const struct store_columns *columns, uint32_t row) {
	if (query->where && !query->where_kept[columns->worker][row])
		return false;
	if (query->name_wanted) {
		uint32_t name = query_name(columns, row);
		if (name > query->overview->name_count || !query->name_wanted[name])
			return false;
	}
	if (query->process_wanted) {
		uint32_t process = query_process(columns, row);
		if (process > query->overview->process_count || !query->process_wanted[process])
			return false;
	}
	if (query->since_wall_ns > 0 || query->until_wall_ns < UINT64_MAX) {
		uint64_t wall_ns = saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns);
		return wall_ns >= query->since_wall_ns && wall_ns < query->until_wall_ns;
	}
	return true;
}

const char *query_name_text(const struct query *query, uint32_t name) {
	const char *text = name <= query->overview->name_count ? query->overview->names[name] : "";
	return text[0] ? text : "(no name)";
}

struct scan_state {
	struct query *query;
	const struct query_scan *scan;
	struct progress progress;
};

static void show_progress(void *context, uint64_t done, uint64_t total) {
	struct scan_state *state = context;
	progress_update(&state->progress, done, total);
}

/* Several threads may have batches of one segment, in any order; what they raised is read after they ended. */
static void raise_end(uint64_t *end, uint64_t to) {
	uint64_t before = __atomic_load_n(end, __ATOMIC_RELAXED);
	while (before < to && !__atomic_compare_exchange_n(end, &before, to, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

uint32_t query_threads(const struct query *query) {
	uint64_t threads = query->context->options->threads;
	if (threads == 0) {
		cpu_set_t cores;
		threads = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (uint64_t)CPU_COUNT(&cores) : 1;
	}
	return threads < STORE_SCAN_THREADS_MAX ? (uint32_t)threads : STORE_SCAN_THREADS_MAX;
}

static int take_batch(void *context, const struct store_columns *columns) {
	const struct scan_state *state = context;
	struct query *query = state->query;
	size_t segment = (size_t)(columns->segment - query->overview->segments);
	assert(segment < query->overview->segment_count);
	if (!query->scanned)
		raise_end(&query->batch_end[segment], columns->batch + 1);
	else if (columns->batch >= query->batch_end[segment])
		return 0;
	if (interrupt_wanted())
		return -ECANCELED;
	int rc = query->where && !state->scan->without_where ? query_where_take(query, columns) : 0;
	return rc ? rc : state->scan->on_batch(state->scan->context, columns);
}

static void narrow(const struct query *query, const struct query_scan *scan, struct store_scan *request) {
	if (scan->whole_time)
		return;
	request->since_wall_ns = query->since_wall_ns;
	request->until_wall_ns = query->until_wall_ns == UINT64_MAX ? 0 : query->until_wall_ns;
	request->start_since_wall_ns = request->since_wall_ns;
	request->start_until_wall_ns = request->until_wall_ns;
	request->columns_inside = scan->columns_inside;
	if (query->where && !scan->without_where)
		query_where_narrow(query, request);
}

static bool wants_batch(void *context, const struct store_segment_view *segment, uint64_t batch, uint64_t start_ns_min,
                        uint64_t end_ns_max) {
	const struct scan_state *state = context;
	return state->scan->wants_batch(state->scan->context, segment, batch, start_ns_min, end_ns_max);
}

int query_scan(struct query *query, const struct query_scan *scan) {
	bool in_site_order = scan->columns & STORE_IN_SITE_ORDER; /* then there is no filter */
	bool where = query->where && !scan->without_where;
	struct scan_state state = {query, scan, progress_begin("reading", query->context->options->quiet)};
	struct store_scan request = {
	    .columns = scan->columns | (in_site_order || scan->without_where ? 0 : query_columns(query)),
	    .duration_ns_min = scan->duration_ns_min,
	    .has_trace = scan->has_trace,
	    .trace_lo = scan->trace_lo,
	    .threads = scan->threads,
	    .wants_batch = scan->wants_batch ? wants_batch : NULL,
	    .on_batch = take_batch,
	    .on_progress = show_progress,
	    .context = &state,
	};
	narrow(query, scan, &request);
	int rc = where && scan->threads > 1 ? query_where_share(query, scan->threads) : 0;
	if (rc == 0)
		rc = store_reader_scan(query->reader, &request);
	progress_end(&state.progress);
	query->scanned = true;
	return rc;
}

int query_finish(const struct query *query, int code) {
	size_t count = 0;
	const struct store_damage *damage = store_reader_damage(query->reader, &count);
	for (size_t i = 0; i < count; i++) {
		/* every pass over the store finds the same damage again */
		bool said = false;
		for (size_t before = 0; before < i && !said; before++)
			said = strcmp(damage[before].text, damage[i].text) == 0;
		if (!said)
			log_error(&query->context->log, "%s", damage[i].text);
	}
	return count > 0 ? EXIT_CODE_INPUT : code;
}

bool query_store_is_empty(const struct query *query) {
	uint64_t spans = 0;
	size_t damage = 0;
	for (size_t i = 0; i < query->overview->segment_count; i++)
		spans = saturating_add(spans, query->overview->segments[i].spans);
	(void)store_reader_damage(query->reader, &damage);
	if (spans > 0 || damage > 0)
		return false;
	log_info(&query->context->log, "%s: no spans stored yet", query->context->options->store);
	return true;
}

/* ", name 'db.*'", the first without the comma. */
static void add_filter(char text[FILTERS_BYTES], const char *what, const char *value) {
	size_t used = strlen(text);
	if (value)
		(void)snprintf(text + used, FILTERS_BYTES - used, "%s%s '%.*s'", used ? ", " : ": ", what,
		               FILTER_BYTES_MAX, value);
}

void query_say_no_match(const struct query *query, const char *verb) {
	const struct options *options = query->context->options;
	char filters[FILTERS_BYTES] = "";
	add_filter(filters, "name", options->name);
	add_filter(filters, "service", options->service);
	add_filter(filters, "where", options->where);
	if (options->since_wall_ns || options->until_wall_ns) {
		size_t used = strlen(filters);
		(void)snprintf(filters + used, sizeof(filters) - used, "%sthe given times", used ? ", " : ": ");
	}
	log_info(&query->context->log, "%s: no stored span %s%s", options->store, verb, filters);
}

uint64_t query_lost_spans(const struct query *query) {
	const struct store_overview *overview = query->overview;
	uint64_t lost = 0;
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_cursor *cursor = &overview->rings[i].cursor;
		lost = saturating_add(lost, cursor->dropped_full);
		lost = saturating_add(lost, cursor->dropped_depth);
		lost = saturating_add(lost, cursor->rejected_spans);
		lost = saturating_add(lost, cursor->lost_records);
	}
	for (size_t i = 0; i < overview->process_count; i++)
		lost = saturating_add(lost, overview->processes[i].account.dropped_no_ring);
	return lost;
}
