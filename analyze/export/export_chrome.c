/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace events in JSON ("Trace Event Format"), for the Perfetto UI and chrome://tracing.
 *
 *     M   names of processes and threads, before their first event       X   a span: name, start, duration
 *     b e a span that overlaps others of its thread without lying within one of them, as async spans do: in a lane of its own
 *     i   an event of a span                                              C   memory samples
 *     s f an arrow from a parent to a child on another thread
 *
 * TIMES are microseconds with three decimals since otherData.start_wall_ns (nanoseconds since 1970): viewers that read numbers as doubles keep every
 * nanosecond of 104 days. PIDS are those of the processes; of several processes that had the same pid, and where it is not known, a number
 * from PID_MADE_UP on stands for it. What overlaps is looked for within one batch.
 */
#include "export_batch.h"
#include "export_value.h"

#include "analyze/kernels/trace_id.h"

#include "base/checked.h"
#include "base/clock.h"

#include <spanring/record.h>
#include <spanring/spanring.h>
#include <spanring/version.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PID_MADE_UP 5000000u /* beyond those of any kernel */
#define HEAP_UNIT_BYTES 16
#define STACK_MAX 4096u /* spans within one another; what is deeper counts as overlapping */
#define UNKNOWN UINT64_MAX

struct chrome {
	uint64_t start_wall_ns;
	uint32_t *pids; /* by index of the process + 1 */
	uint8_t *process_named;
	uint8_t *thread_named; /* by thread of the segment at hand */
	const struct store_columns *columns;
	const struct store_segment_view *segment;
	uint8_t overlaps[BATCH_SPANS_MAX]; /* by row */
	uint32_t order[BATCH_SPANS_MAX];
	uint64_t stack[STACK_MAX];
	bool any;
};

/* --- pieces ------------------------------------------------------------------------------------------------------ */

static void put_micros(struct export_text *text, uint64_t ns) {
	char decimals[8];
	export_put_u64(text, ns / 1000);
	(void)snprintf(decimals, sizeof(decimals), ".%03u", (unsigned)(ns % 1000));
	export_put_word(text, decimals);
}

static void put_time(struct export_run *run, uint64_t wall_ns) {
	const struct chrome *chrome = run->state;
	bool before = wall_ns < chrome->start_wall_ns;
	export_put_word(&run->text, before ? ",\"ts\":-" : ",\"ts\":");
	put_micros(&run->text, before ? chrome->start_wall_ns - wall_ns : wall_ns - chrome->start_wall_ns);
}

static void begin_event(struct export_run *run, const char *phase, const char *name) {
	struct chrome *chrome = run->state;
	export_put_word(&run->text, chrome->any ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
	export_put_word(&run->text, phase);
	export_put_word(&run->text, "\",\"name\":");
	export_put_json_word(&run->text, name[0] ? name : "(no name)");
	chrome->any = true;
}

static void put_place(struct export_run *run, uint32_t pid, uint32_t tid) {
	export_put_word(&run->text, ",\"pid\":");
	export_put_u64(&run->text, pid);
	export_put_word(&run->text, ",\"tid\":");
	export_put_u64(&run->text, tid ? tid : pid);
}

static void put_name_event(struct export_run *run, const char *what, uint32_t pid, uint32_t tid, const char *name) {
	begin_event(run, "M", what);
	put_place(run, pid, tid);
	export_put_word(&run->text, ",\"args\":{\"name\":");
	export_put_json_word(&run->text, name);
	export_put_word(&run->text, "}}");
}

/* --- processes and threads --------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* The first of several processes with one pid keeps it. */
static int choose_pids(struct chrome *chrome, const struct store_overview *overview) {
	uint64_t *sorted = calloc(overview->process_count + 1, sizeof(*sorted));
	chrome->pids = calloc(overview->process_count + 1, sizeof(chrome->pids[0]));
	chrome->process_named = calloc(overview->process_count + 1, 1);
	if (!sorted || !chrome->pids || !chrome->process_named) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < overview->process_count; i++)
		sorted[i] = (uint64_t)overview->processes[i].pid << 32 | i;
	qsort(sorted, overview->process_count, sizeof(*sorted), compare);
	chrome->pids[0] = PID_MADE_UP;
	for (size_t i = 0; i < overview->process_count; i++) {
		uint32_t pid = (uint32_t)(sorted[i] >> 32);
		uint32_t index = (uint32_t)sorted[i];
		bool taken = pid == 0 || (i > 0 && sorted[i - 1] >> 32 == pid);
		chrome->pids[index + 1] = taken ? PID_MADE_UP + 1 + index : pid;
	}
	free(sorted);
	return 0;
}

static void name_process(struct export_run *run, uint32_t process) {
	struct chrome *chrome = run->state;
	const struct store_overview *overview = run->query->overview;
	if (chrome->process_named[process])
		return;
	chrome->process_named[process] = 1;
	const struct store_process_view *view = process ? &overview->processes[process - 1] : NULL;
	const char *name = !view ? "(not known)" : view->service[0] ? view->service : view->executable;
	put_name_event(run, "process_name", chrome->pids[process], 0, name);
	if (!view || !view->command[0])
		return;
	begin_event(run, "M", "process_labels");
	put_place(run, chrome->pids[process], 0);
	export_put_word(&run->text, ",\"args\":{\"labels\":");
	export_put_json_word(&run->text, view->command);
	export_put_word(&run->text, "}}");
}

static void name_thread(struct export_run *run, const struct export_span *span) {
	struct chrome *chrome = run->state;
	uint32_t thread = chrome->columns->thread[span->row];
	if (thread > chrome->segment->thread_count || chrome->thread_named[thread])
		return;
	chrome->thread_named[thread] = 1;
	if (span->thread[0])
		put_name_event(run, "thread_name", chrome->pids[span->process], span->tid, span->thread);
}

/* --- what overlaps ----------------------------------------------------------------------------------------------- */

static uint64_t end_of(const struct store_columns *columns, uint32_t row) {
	return saturating_add(columns->start_ns[row], columns->duration_ns[row]);
}

static int by_thread(const void *a, const void *b, void *context) {
	const struct store_columns *columns = context;
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;
	if (columns->thread[left] != columns->thread[right])
		return columns->thread[left] < columns->thread[right] ? -1 : 1;
	if (columns->start_ns[left] != columns->start_ns[right])
		return columns->start_ns[left] < columns->start_ns[right] ? -1 : 1;
	uint64_t left_end = end_of(columns, left);
	uint64_t right_end = end_of(columns, right);
	if (left_end != right_end)
		return left_end > right_end ? -1 : 1;
	return left < right ? -1 : left > right;
}

static void find_overlaps(struct chrome *chrome, const struct store_columns *columns) {
	uint32_t depth = 0;
	for (uint32_t row = 0; row < columns->span_count; row++)
		chrome->order[row] = row;
	qsort_r(chrome->order, columns->span_count, sizeof(chrome->order[0]), by_thread, (void *)(uintptr_t)columns);
	memset(chrome->overlaps, 0, columns->span_count);
	for (uint32_t i = 0; i < columns->span_count; i++) {
		uint32_t row = chrome->order[i];
		uint64_t end = end_of(columns, row);
		if (i > 0 && columns->thread[row] != columns->thread[chrome->order[i - 1]])
			depth = 0;
		while (depth > 0 && chrome->stack[depth - 1] <= columns->start_ns[row])
			depth--;
		if (depth == STACK_MAX || (depth > 0 && end > chrome->stack[depth - 1]))
			chrome->overlaps[row] = 1;
		else
			chrome->stack[depth++] = end;
	}
}

static int begin_batch(struct export_run *run, const struct store_columns *columns) {
	struct chrome *chrome = run->state;
	chrome->columns = columns;
	if (chrome->segment != columns->segment) {
		free(chrome->thread_named);
		chrome->segment = columns->segment;
		chrome->thread_named = calloc((size_t)columns->segment->thread_count + 1, 1);
		if (!chrome->thread_named)
			return -ENOMEM;
	}
	find_overlaps(chrome, columns);
	return 0;
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static void put_word(struct export_text *text, const char *key, const char *word) {
	export_put_word(text, key);
	export_put_json_word(text, word);
}

static void put_links(struct export_text *text, const struct export_span *span) {
	for (uint32_t i = 0; i < span->link_count; i++) {
		export_put_word(text, i ? ",\"" : ",\"links\":[\"");
		export_put_id(text, span->links[i].trace_hi);
		export_put_id(text, span->links[i].trace_lo);
		export_put(text, "-", 1);
		export_put_id(text, span->links[i].span_id);
		export_put(text, "\"", 1);
	}
	export_put_word(text, span->link_count ? "]" : "");
}

static void put_arguments(struct export_text *text, const struct export_span *span) {
	export_put_word(text, ",\"args\":{\"trace_id\":\"");
	export_put_id(text, span->trace_hi);
	export_put_id(text, span->trace_lo);
	export_put_word(text, "\",\"span_id\":\"");
	export_put_id(text, span->span_id);
	if (span->parent_id) {
		export_put_word(text, "\",\"parent_id\":\"");
		export_put_id(text, span->parent_id);
	}
	export_put(text, "\"", 1);
	if (span->status)
		put_word(text, ",\"status\":", trace_status_text(span->status));
	if (span->flags & (STORE_SPAN_OPEN | STORE_SPAN_UNFINISHED))
		put_word(text, ",\"state\":", export_state_text(span->flags));
	if (span->scope[0])
		put_word(text, ",\"scope\":", span->scope);
	if (span->file[0]) {
		put_word(text, ",\"file\":", span->file);
		export_put_word(text, ",\"line\":");
		export_put_u64(text, span->line);
	}
	if (span->flags & STORE_SPAN_HEAP) {
		export_put_word(text, ",\"heap_allocated_bytes\":");
		export_put_u64(text, (uint64_t)span->heap_alloc_units * HEAP_UNIT_BYTES);
		export_put_word(text, ",\"heap_net_bytes\":");
		export_put_i64(text, (int64_t)span->heap_net_units * HEAP_UNIT_BYTES);
	}
	export_put_values(text, span, 0, ",\"attributes\":{");
	put_links(text, span);
	export_put(text, "}", 1);
}

/* --- arrows ------------------------------------------------------------------------------------------------------ */

static void put_end_of_arrow(struct export_run *run, const char *phase, uint64_t child_id, uint32_t process,
                             uint32_t tid, uint64_t wall_ns) {
	const struct chrome *chrome = run->state;
	begin_event(run, phase, "child");
	export_put_word(&run->text, ",\"cat\":\"parent\",\"id\":\"0x");
	export_put_id(&run->text, child_id);
	export_put(&run->text, "\"", 1);
	put_place(run, chrome->pids[process], tid);
	put_time(run, wall_ns);
	export_put_word(&run->text, phase[0] == 'f' ? ",\"bp\":\"e\"}" : "}");
}

struct place {
	uint32_t process;
	uint32_t tid;
	uint64_t start_wall_ns;
	uint64_t end_wall_ns;
};

/* It leaves the parent where the child begins, or at the parent's end. */
static void put_arrow(struct export_run *run, const struct place *parent, const struct place *child,
                      uint64_t child_id) {
	uint64_t from_ns = child->start_wall_ns;
	if (parent->process == child->process && parent->tid == child->tid)
		return;
	if (from_ns > parent->end_wall_ns)
		from_ns = parent->end_wall_ns;
	if (from_ns < parent->start_wall_ns)
		from_ns = parent->start_wall_ns;
	put_end_of_arrow(run, "s", child_id, parent->process, parent->tid, from_ns);
	put_end_of_arrow(run, "f", child_id, child->process, child->tid, child->start_wall_ns);
}

static struct place place_of(const struct export_span *span) {
	return (struct place){span->process, span->tid, span->start_wall_ns,
	                      saturating_add(span->start_wall_ns, span->duration_ns)};
}

static struct place place_of_row(const struct export_run *run, const struct store_columns *columns, uint32_t row) {
	uint32_t process = query_process(columns, row);
	uint32_t thread = columns->thread[row];
	uint64_t start_ns = export_wall_ns(run, columns->segment, columns->start_ns[row]);
	return (struct place){process <= run->query->overview->process_count ? process : 0,
	                      thread <= columns->segment->thread_count ? columns->segment->threads[thread].tid : 0,
	                      start_ns, saturating_add(start_ns, columns->duration_ns[row])};
}

static void put_arrow_from_parent(struct export_run *run, const struct export_span *span) {
	const struct chrome *chrome = run->state;
	uint32_t row =
	    span->parent_id ? export_row_of(run, chrome->columns, span->trace_lo, span->parent_id) : UINT32_MAX;
	if (row == UINT32_MAX || !query_accepts(run->query, chrome->columns, row))
		return;
	struct place parent = place_of_row(run, chrome->columns, row);
	struct place child = place_of(span);
	put_arrow(run, &parent, &child, span->span_id);
}

static int put_child(struct export_run *run, const struct export_span *span, const struct export_stray *stray) {
	struct place parent = place_of(span);
	uint32_t process = (uint32_t)(stray->third >> 32);
	struct place child = {process <= run->query->overview->process_count ? process : 0, (uint32_t)stray->third,
	                      stray->value, stray->value};
	put_arrow(run, &parent, &child, stray->second);
	return 0;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

static void put_async(struct export_run *run, const struct export_span *span) {
	const struct chrome *chrome = run->state;
	for (unsigned end = 0; end < 2; end++) {
		begin_event(run, end ? "e" : "b", span->name);
		export_put_word(&run->text, ",\"cat\":\"async\",\"id2\":{\"local\":\"0x");
		export_put_id(&run->text, span->span_id);
		export_put_word(&run->text, "\"}");
		put_place(run, chrome->pids[span->process], span->tid);
		put_time(run, end ? saturating_add(span->start_wall_ns, span->duration_ns) : span->start_wall_ns);
		if (!end)
			put_arguments(&run->text, span);
		export_put(&run->text, "}", 1);
	}
}

static void put_complete(struct export_run *run, const struct export_span *span) {
	const struct chrome *chrome = run->state;
	begin_event(run, "X", span->name);
	put_word(&run->text, ",\"cat\":", trace_kind_text(span->kind));
	put_place(run, chrome->pids[span->process], span->tid);
	put_time(run, span->start_wall_ns);
	export_put_word(&run->text, ",\"dur\":");
	put_micros(&run->text, span->duration_ns);
	put_arguments(&run->text, span);
	export_put(&run->text, "}", 1);
}

static int put_span(struct export_run *run, const struct export_span *span) {
	const struct chrome *chrome = run->state;
	name_process(run, span->process);
	name_thread(run, span);
	if (chrome->overlaps[span->row])
		put_async(run, span);
	else
		put_complete(run, span);
	for (uint32_t i = 0; i < span->event_count; i++) {
		begin_event(run, "i", span->events[i].name);
		export_put_word(&run->text, ",\"s\":\"t\"");
		put_place(run, chrome->pids[span->process], span->tid);
		put_time(run, span->events[i].time_wall_ns);
		export_put_values(&run->text, span, span->events[i].index, ",\"args\":{");
		export_put(&run->text, "}", 1);
	}
	put_arrow_from_parent(run, span);
	return 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void put_counter(struct export_run *run, const char *name, uint32_t pid, uint64_t wall_ns, uint64_t bytes) {
	if (bytes == UNKNOWN)
		return;
	begin_event(run, "C", name);
	put_place(run, pid, 0);
	put_time(run, wall_ns);
	export_put_word(&run->text, ",\"args\":{\"bytes\":");
	export_put_u64(&run->text, bytes);
	export_put_word(&run->text, "}}");
}

static void put_sample(struct export_run *run, const struct store_memory_sample *sample) {
	const struct chrome *chrome = run->state;
	const struct query *query = run->query;
	uint32_t process = sample->process <= query->overview->process_count ? sample->process : 0;
	bool agent = sample->process == 0;
	bool wanted = sample->time_ns >= query->since_wall_ns && sample->time_ns < query->until_wall_ns;
	if (!wanted || (query->process_wanted && !query->process_wanted[process]))
		return;
	uint32_t pid = agent ? sample->agent_pid : chrome->pids[process];
	if (agent && !chrome->process_named[0]) {
		put_name_event(run, "process_name", pid, 0, "spanring-agent");
		((struct chrome *)run->state)->process_named[0] = 1;
	} else if (!agent) {
		name_process(run, process);
	}
	put_counter(run, "resident set", pid, sample->time_ns, sample->rss_bytes);
	put_counter(run, "proportional set", pid, sample->time_ns, sample->pss_bytes);
	if (sample->heap_allocated_bytes != UNKNOWN && sample->heap_freed_bytes != UNKNOWN &&
	    sample->heap_allocated_bytes >= sample->heap_freed_bytes)
		put_counter(run, "heap", pid, sample->time_ns, sample->heap_allocated_bytes - sample->heap_freed_bytes);
}

static int put_samples(struct export_run *run) {
	const struct store_overview *overview = run->query->overview;
	int rc = 0;
	for (size_t segment = 0; segment < overview->segment_count && rc == 0; segment++) {
		struct store_memory_sample *samples = NULL;
		size_t count = 0;
		rc = store_reader_segment_samples(run->query->reader, segment, &samples, &count);
		for (size_t i = 0; i < count && rc == 0; i++)
			put_sample(run, &samples[i]);
		free(samples);
		if (rc == 0)
			rc = export_text_flush(&run->text, run->out);
	}
	return rc;
}

/* --- frame ------------------------------------------------------------------------------------------------------- */

static int open_chrome(struct export_run *run) {
	struct chrome *chrome = calloc(1, sizeof(*chrome));
	const struct store_overview *overview = run->query->overview;
	run->state = chrome;
	if (!chrome)
		return -ENOMEM;
	chrome->start_wall_ns = UINT64_MAX;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		uint64_t start_ns = export_wall_ns(run, segment, segment->start_ns_min);
		if (segment->spans > 0 && start_ns < chrome->start_wall_ns)
			chrome->start_wall_ns = start_ns;
	}
	if (chrome->start_wall_ns == UINT64_MAX)
		chrome->start_wall_ns = 0;
	if (run->query->since_wall_ns > chrome->start_wall_ns)
		chrome->start_wall_ns = run->query->since_wall_ns;
	return choose_pids(chrome, overview);
}

static int begin_chrome(struct export_run *run) {
	const struct chrome *chrome = run->state;
	export_put_word(
	    &run->text,
	    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"exporter\":\"spanring-analyze " SPANRING_VERSION_STRING
	    "\",\"start_wall_ns\":\"");
	export_put_u64(&run->text, chrome->start_wall_ns);
	export_put_word(&run->text, "\"},\"traceEvents\":[");
	return put_samples(run);
}

static int end_chrome(struct export_run *run) {
	export_put_word(&run->text, "\n]}\n");
	return 0;
}

static void close_chrome(struct export_run *run) {
	struct chrome *chrome = run->state;
	if (!chrome)
		return;
	free(chrome->pids);
	free(chrome->process_named);
	free(chrome->thread_named);
	free(chrome);
}

const struct export_format export_chrome = {
    .name = "chrome",
    .summary = "trace events for the Perfetto UI and chrome://tracing",
    .wants_children = true,
    .open = open_chrome,
    .begin = begin_chrome,
    .batch = begin_batch,
    .span = put_span,
    .child = put_child,
    .end = end_chrome,
    .close = close_chrome,
};
