/* SPDX-License-Identifier: Apache-2.0 */
/* audit: is every span accounted for? The rows are counted here, by ring; the rest is arithmetic (books.h). */
#include "analyze/command.h"
#include "analyze/kernels/books.h"
#include "analyze/query.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEMS_SHOWN_MAX 20u
#define PLACE_BYTES 32u

static const char help[] = "  spanring-analyze audit STORE\n"
                           "  spanring-analyze audit STORE --quiet >/dev/null || echo 'spans are missing'\n"
                           "  spanring-analyze audit STORE --json | jq .total.dropped\n"
                           "\n"
                           "Checks, to the unit and for each ring, each process and in total:\n"
                           "\n"
                           "  begun = ended + open\n"
                           "  ended = stored + dropped + sampled_out + rejected + lost_store + evicted\n"
                           "          (+ in ring)\n"
                           "\n"
                           "stored is counted from the rows in the segments and compared with the agent's\n"
                           "own count; rows of spans that were open when their process died are not stored\n"
                           "but open. dropped: the ring was full, the stack was too deep (or no place was\n"
                           "left for one more async span: dropped_async of them), the thread had no ring,\n"
                           "or a signal handler had interrupted the library (reentry). rejected: the\n"
                           "record broke the contract. lost_store: skipped, in a ring that was\n"
                           "quarantined, or in one over its user's quota. in ring: ended, and still in the\n"
                           "ring of a living thread at the last commit; it is stored with the next one.\n"
                           "evicted: stored, and removed with\n"
                           "its segment by the limits of the agent (--retain-...). sampled_out: the trace\n"
                           "is not kept, or the span was shorter than the minimum, or the agent thinned it\n"
                           "out (tail keep): thinned of them.\n"
                           "\n"
                           "Statistics count every span that ended, recorded or not: of a process that is\n"
                           "over and had them all its life they must agree, but for one span of each\n"
                           "thread that was killed.\n"
                           "\n"
                           "Losses that are counted balance; a span that nobody counted does not. Exit 0\n"
                           "when balanced, 1 when not, 3 when a part of the store cannot be read.\n";

struct process_audit {
	struct books books;
	uint64_t statistics_spans;
	uint64_t rings;
	uint64_t quarantined;
	uint64_t killed; /* rings whose thread did not leave them in good order */
	size_t problem_count;
	char problem[BOOKS_PROBLEM_BYTES + PLACE_BYTES]; /* the first one, with its ring */
};

struct audit {
	struct query query;
	struct process_audit *processes; /* by index */
	struct books total;
	uint64_t *rows;                           /* by ring of the overview */
	uint64_t *open_rows;                      /* the same, of spans that never ended */
	uint32_t *ring_of;                        /* threads of `segment` -> ring + 1; 0: none */
	const struct store_segment_view *segment; /* that ring_of is for */
	uint32_t *sorted;                         /* rings in order of (process, ring index) */
	uint64_t statistics_spans;                /* of all processes */
	uint64_t strangers;                       /* rows of threads whose ring has no books */
	char departed_problem[BOOKS_PROBLEM_BYTES];
	bool balanced;
};

/* --- counting rows ----------------------------------------------------------------------------------------------- */

/* For qsort without a context: key of a ring with its index. */
struct ring_key {
	uint32_t process;
	uint32_t ring_index;
	uint32_t index;
};

static int by_ring(const void *a, const void *b) {
	const struct ring_key *left = a;
	const struct ring_key *right = b;
	if (left->process != right->process)
		return left->process < right->process ? -1 : 1;
	return left->ring_index < right->ring_index ? -1 : left->ring_index > right->ring_index;
}

static int sort_rings(struct audit *audit) {
	const struct store_overview *overview = audit->query.overview;
	CLEANUP_FREE struct ring_key *keys = calloc(overview->ring_count + 1, sizeof(*keys));
	audit->sorted = calloc(overview->ring_count + 1, sizeof(audit->sorted[0]));
	if (!keys || !audit->sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < overview->ring_count; i++) {
		struct ring_key key = {overview->rings[i].process, overview->rings[i].cursor.ring_index, i};
		keys[i] = key;
	}
	qsort(keys, overview->ring_count, sizeof(*keys), by_ring);
	for (size_t i = 0; i < overview->ring_count; i++)
		audit->sorted[i] = keys[i].index;
	return 0;
}

/* Ring + 1 of a thread, 0 if nobody kept books for it. */
static uint32_t ring_of_thread(const struct audit *audit, const struct store_thread *thread) {
	const struct store_overview *overview = audit->query.overview;
	struct ring_key wanted = {.process = thread->process - 1, .ring_index = thread->ring_index};
	size_t low = 0;
	size_t high = overview->ring_count;
	if (thread->process == 0)
		return 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct store_ring_view *ring = &overview->rings[audit->sorted[middle]];
		struct ring_key key = {.process = ring->process, .ring_index = ring->cursor.ring_index};
		int order = by_ring(&key, &wanted);
		if (order == 0)
			return audit->sorted[middle] + 1;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static int enter_segment(struct audit *audit, const struct store_segment_view *segment) {
	uint32_t *ring_of = realloc(audit->ring_of, ((size_t)segment->thread_count + 1) * sizeof(*ring_of));
	if (!ring_of)
		return -ENOMEM;
	ring_of[0] = 0;
	for (uint32_t i = 1; i <= segment->thread_count; i++)
		ring_of[i] = ring_of_thread(audit, &segment->threads[i]);
	audit->ring_of = ring_of;
	audit->segment = segment;
	return 0;
}

static int count_rows(void *context, const struct store_columns *columns) {
	struct audit *audit = context;
	if (columns->segment != audit->segment && enter_segment(audit, columns->segment) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		uint32_t thread = columns->thread[i];
		uint32_t ring = thread <= columns->segment->thread_count ? audit->ring_of[thread] : 0;
		if (ring == 0)
			audit->strangers++;
		else if (query_is_open(columns, i))
			audit->open_rows[ring - 1]++;
		else
			audit->rows[ring - 1]++;
	}
	return 0;
}

static int count_rollup(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct audit *audit = context;
	(void)segment;
	if (rollup->process == 0 || rollup->process > audit->query.overview->process_count)
		return 0;
	struct process_audit *process = &audit->processes[rollup->process - 1];
	process->statistics_spans = saturating_add(process->statistics_spans, rollup->count);
	audit->statistics_spans = saturating_add(audit->statistics_spans, rollup->count);
	return 0;
}

/* --- books ------------------------------------------------------------------------------------------------------- */

static void note_problem(struct process_audit *process, const char *where, const char *problem) {
	if (process->problem_count++ == 0)
		(void)snprintf(process->problem, sizeof(process->problem), "%.*s: %s", (int)PLACE_BYTES - 3, where,
		               problem);
}

/*
 * Statistics can be held to what ended when they covered the whole life of a process that is over, of which every ring has
 * books that it kept itself.
 */
static void settle_statistics(const struct store_process_view *view, struct process_audit *process) {
	char problem[BOOKS_PROBLEM_BYTES];
	const struct store_process_account *account = &view->account;
	if (account->statistics != STORE_STATISTICS_WHOLE || account->state == STORE_PROCESS_RUNNING ||
	    process->quarantined > 0 || process->rings != account->rings_made)
		return;
	if (!books_of_statistics(&process->books, process->statistics_spans, process->killed, problem))
		note_problem(process, "statistics", problem);
}

static void count_ring(struct process_audit *process, const struct store_cursor *cursor) {
	process->rings += cursor->ring_index < STORE_RING_ASYNC;
	process->quarantined += cursor->state == STORE_RING_QUARANTINED;
	process->killed += cursor->state == STORE_RING_DIED;
}

static void settle(struct audit *audit) {
	const struct store_overview *overview = audit->query.overview;
	audit->balanced = audit->strangers == 0;
	for (size_t i = 0; i < overview->ring_count; i++) {
		char where[PLACE_BYTES];
		const struct store_ring_view *ring = &overview->rings[i];
		char problem[BOOKS_PROBLEM_BYTES];
		struct books books;
		if (ring->process >= overview->process_count)
			continue;
		struct process_audit *process = &audit->processes[ring->process];
		bool balanced = books_of_ring(&ring->cursor, audit->rows[i], ring->evicted_spans, &books, problem);
		books.unfinished = audit->open_rows[i];
		books_add(&process->books, &books);
		count_ring(process, &ring->cursor);
		if (balanced && books_of_open(&ring->cursor, audit->open_rows[i], problem))
			continue;
		(void)snprintf(where, sizeof(where), "ring %" PRIu32, ring->cursor.ring_index);
		note_problem(process, where, problem);
	}
	for (size_t i = 0; i < overview->process_count; i++) {
		struct process_audit *process = &audit->processes[i];
		process->statistics_spans =
		    saturating_add(process->statistics_spans, overview->processes[i].evicted_statistics_spans);
		audit->statistics_spans =
		    saturating_add(audit->statistics_spans, overview->processes[i].evicted_statistics_spans);
		struct books books = books_of_process(&overview->processes[i].account);
		books_add(&process->books, &books);
		settle_statistics(&overview->processes[i], process);
		books_add(&audit->total, &process->books);
		audit->balanced = audit->balanced && process->problem_count == 0 && books_balanced(&process->books);
	}
	struct books departed;
	bool balanced = books_of_departed(&overview->evictions, &departed, audit->departed_problem);
	audit->balanced = audit->balanced && balanced && books_balanced(&departed);
	books_add(&audit->total, &departed);
	audit->statistics_spans =
	    saturating_add(audit->statistics_spans, overview->evictions.departed_statistics_spans);
	audit->total.stored += audit->strangers;
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void print_books(struct json *json, const struct books *books) {
	json_u64(json, "begun", books->begun);
	json_u64(json, "ended", books->ended);
	json_u64(json, "open", books->open);
	json_u64(json, "unfinished", books->unfinished);
	json_u64(json, "stored", books->stored);
	json_open(json, "dropped", '{');
	json_u64(json, "full", books->dropped_full);
	json_u64(json, "depth", books->dropped_depth);
	json_u64(json, "no_ring", books->dropped_no_ring);
	json_u64(json, "reentry", books->dropped_reentry);
	json_close(json);
	json_u64(json, "dropped_async", books->dropped_async);
	json_u64(json, "dropped_quota", books->dropped_quota);
	json_u64(json, "sampled_out", books->sampled_out);
	json_u64(json, "sampled_out_short", books->sampled_out_short);
	json_u64(json, "thinned", books->thinned);
	json_open(json, "rejected", '{');
	json_u64(json, "contract", books->rejected_contract);
	json_close(json);
	json_open(json, "lost_store", '{');
	json_u64(json, "skipped", books->lost_skipped);
	json_u64(json, "quarantined", books->lost_quarantined);
	json_u64(json, "quota", books->lost_quota);
	json_close(json);
	json_u64(json, "evicted", books->evicted);
	json_u64(json, "in_ring", books->in_ring);
}

static const char *statistics_text(uint32_t statistics) {
	static const char *const texts[] = {[STORE_STATISTICS_NONE] = "none",
	                                    [STORE_STATISTICS_WHOLE] = "whole",
	                                    [STORE_STATISTICS_PART] = "part",
	                                    [STORE_STATISTICS_BROKEN] = "broken"};
	return statistics <= STORE_STATISTICS_BROKEN ? texts[statistics] : "broken";
}

static void print_process_json(struct json *json, const struct audit *audit, size_t index) {
	const struct store_process_view *view = &audit->query.overview->processes[index];
	const struct process_audit *process = &audit->processes[index];
	char instance[2 * STORE_INSTANCE_BYTES + 1];
	text_hex_encode(view->instance, STORE_INSTANCE_BYTES, instance);
	json_open(json, NULL, '{');
	json_text(json, "service", view->service);
	json_u64(json, "pid", view->pid);
	json_text(json, "instance", instance);
	json_bool(json, "balanced", process->problem_count == 0);
	print_books(json, &process->books);
	json_u64(json, "dropped_attributes", process->books.dropped_attributes);
	json_u64(json, "dropped_events", process->books.dropped_events);
	json_text(json, "statistics", statistics_text(view->account.statistics));
	json_u64(json, "statistics_spans", process->statistics_spans);
	if (process->problem_count > 0)
		json_text(json, "problem", process->problem);
	else
		json_null(json, "problem");
	json_close(json);
}

static void print_json(const struct audit *audit) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "audit/1");
	json_bool(&json, "balanced", audit->balanced);
	json_open(&json, "total", '{');
	print_books(&json, &audit->total);
	json_u64(&json, "statistics_spans", audit->statistics_spans);
	json_close(&json);
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < audit->query.overview->process_count; i++)
		print_process_json(&json, audit, i);
	json_close(&json);
	json_close(&json);
}

static int print_processes(const struct audit *audit) {
	static const struct table_column columns[] = {{"service", false, 0}, {"pid", true, 1},    {"begun", true, 0},
	                                              {"open", true, 2},     {"stored", true, 0}, {"dropped", true, 0},
	                                              {"rejected", true, 3}, {"lost", true, 1},   {"in ring", true, 2},
	                                              {"books", false, 0}};
	const struct store_overview *overview = audit->query.overview;
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 10);
	char pid[16];
	for (size_t i = 0; i < overview->process_count; i++) {
		const struct process_audit *process = &audit->processes[i];
		const struct books *books = &process->books;
		bool lossy = books_dropped(books) > 0;
		(void)snprintf(pid, sizeof(pid), "%" PRIu32, overview->processes[i].pid);
		table_cell(&table, STYLE_PLAIN, overview->processes[i].service);
		table_cell(&table, STYLE_PLAIN, pid);
		table_count(&table, STYLE_PLAIN, books->begun);
		table_count(&table, STYLE_PLAIN, books->open);
		table_count(&table, STYLE_PLAIN, books->stored);
		table_count(&table, lossy ? STYLE_YELLOW : STYLE_PLAIN, books_dropped(books));
		table_count(&table, STYLE_PLAIN, books->rejected_contract);
		table_count(&table, STYLE_PLAIN, books_lost(books));
		table_count(&table, STYLE_PLAIN, books->in_ring);
		table_cell(&table, process->problem_count ? STYLE_RED : STYLE_GREEN,
		           process->problem_count ? "GAP" : "balanced");
	}
	return table.cell_count ? table_print(&table, &audit->query.context->terminal, stdout) : 0;
}

static void print_line(const char *label, uint64_t count) {
	char text[UNITS_TEXT_BYTES];
	printf("  %-15s %15s\n", label, units_format_count(count, text));
}

static void print_dropped(const struct terminal *terminal, const struct books *total) {
	char async[64] = "";
	if (total->dropped_async > 0)
		(void)snprintf(async, sizeof(async), " (%" PRIu64 " of them async)", total->dropped_async);
	terminal_note(terminal, stdout, STYLE_PLAIN,
	              "dropped: ring full %" PRIu64 ", too deep %" PRIu64 "%s, thread without ring %" PRIu64
	              ", in a signal handler %" PRIu64,
	              total->dropped_full, total->dropped_depth, async, total->dropped_no_ring, total->dropped_reentry);
}

static void print_sampled_out(const struct terminal *terminal, const struct books *total) {
	uint64_t otherwise = saturating_add(total->sampled_out_short, total->thinned);
	uint64_t by_sampler = total->sampled_out > otherwise ? total->sampled_out - otherwise : 0;
	terminal_note(terminal, stdout, STYLE_PLAIN,
	              "sampled out: %" PRIu64 " of a trace that is not kept, %" PRIu64
	              " shorter than the minimum, %" PRIu64 " thinned out by tail keep",
	              by_sampler, total->sampled_out_short, total->thinned);
}

static void print_total(const struct audit *audit) {
	const struct terminal *terminal = &audit->query.context->terminal;
	const struct books *total = &audit->total;
	printf("%sspans in total\n", audit->query.overview->process_count ? "\n" : "");
	print_line("begun", total->begun);
	print_line("  open", total->open);
	print_line("  ended", total->ended);
	print_line("    stored", total->stored);
	print_line("    dropped", books_dropped(total));
	if (total->sampled_out > 0)
		print_line("    sampled out", total->sampled_out);
	print_line("    rejected", total->rejected_contract);
	print_line("    lost", books_lost(total));
	if (total->evicted > 0)
		print_line("    evicted", total->evicted);
	if (total->in_ring > 0)
		print_line("    in ring", total->in_ring);
	(void)putchar('\n');
	if (books_dropped(total) > 0)
		print_dropped(terminal, total);
	if (books_lost(total) > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN,
		              "lost: skipped %" PRIu64 ", in quarantined rings %" PRIu64
		              ", in rings over the quota of their user %" PRIu64,
		              total->lost_skipped, total->lost_quarantined, total->lost_quota);
	if (total->dropped_quota > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN,
		              "dropped: %" PRIu64 " in full rings of users that the agent held back",
		              total->dropped_quota);
	if (total->unfinished > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN,
		              "open: %" PRIu64 " are stored as they were when their process died; see "
		              "spanring-analyze unfinished",
		              total->unfinished);
	if (total->sampled_out_short > 0 || total->thinned > 0)
		print_sampled_out(terminal, total);
	if (audit->statistics_spans > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN, "statistics: %" PRIu64 " spans counted, recorded or not",
		              audit->statistics_spans);
	if (total->in_ring > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN, "in ring: ended, but not yet stored at the last commit");
	if (total->dropped_attributes > 0 || total->dropped_events > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN,
		              "%" PRIu64 " attributes and %" PRIu64
		              " events found no room; their spans are counted above",
		              total->dropped_attributes, total->dropped_events);
}

static void print_problems(const struct audit *audit) {
	const struct terminal *terminal = &audit->query.context->terminal;
	const struct store_overview *overview = audit->query.overview;
	size_t shown = 0;
	for (size_t i = 0; i < overview->process_count && shown < PROBLEMS_SHOWN_MAX; i++) {
		const struct process_audit *process = &audit->processes[i];
		char more[64] = "";
		if (process->problem_count == 0)
			continue;
		shown++;
		if (process->problem_count > 1)
			(void)snprintf(more, sizeof(more), " (and %zu more rings)", process->problem_count - 1);
		terminal_note(terminal, stdout, STYLE_PLAIN, "process %" PRIu32 ", %s%s", overview->processes[i].pid,
		              process->problem, more);
	}
	if (audit->departed_problem[0])
		terminal_note(terminal, stdout, STYLE_PLAIN, "processes whose segments are evicted: %s",
		              audit->departed_problem);
	if (audit->strangers > 0)
		terminal_note(terminal, stdout, STYLE_PLAIN,
		              "%" PRIu64 " rows belong to rings that no books were stored for", audit->strangers);
}

static void print_verdict(const struct audit *audit) {
	const struct terminal *terminal = &audit->query.context->terminal;
	print_problems(audit);
	if (audit->balanced)
		terminal_note(terminal, stdout, STYLE_GREEN, "balanced: every span is accounted for");
	else
		terminal_note(terminal, stdout, STYLE_RED, "NOT balanced");
}

static int compute(struct audit *audit) {
	const struct store_overview *overview = audit->query.overview;
	struct query_scan scan = {.columns = STORE_COLUMN_THREAD | query_open_column(&audit->query),
	                          .on_batch = count_rows,
	                          .context = audit};
	audit->processes = calloc(overview->process_count + 1, sizeof(audit->processes[0]));
	audit->rows = calloc(overview->ring_count + 1, sizeof(audit->rows[0]));
	audit->open_rows = calloc(overview->ring_count + 1, sizeof(audit->open_rows[0]));
	if (!audit->processes || !audit->rows || !audit->open_rows)
		return -ENOMEM;
	int rc = sort_rings(audit);
	if (rc == 0)
		rc = query_scan(&audit->query, &scan);
	if (rc == 0)
		rc = store_reader_rollups(audit->query.reader, count_rollup, audit);
	if (rc == 0)
		settle(audit);
	return rc;
}

static int answer(struct audit *audit) {
	const struct context *context = audit->query.context;
	int rc = compute(audit);
	if (rc != 0)
		return command_failed(context, rc, "auditing");
	(void)query_store_is_empty(&audit->query);
	if (context->options->json) {
		print_json(audit);
	} else {
		if (print_processes(audit) != 0)
			return command_failed(context, -ENOMEM, "printing");
		print_total(audit);
		print_verdict(audit);
	}
	return audit->balanced ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int run(const struct context *context) {
	struct audit audit = {.query = {0}};
	int code = query_open(&audit.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = query_finish(&audit.query, answer(&audit));
	free(audit.processes);
	free(audit.rows);
	free(audit.open_rows);
	free(audit.ring_of);
	free(audit.sorted);
	query_close(&audit.query);
	return code;
}

const struct command command_audit = {
    .name = "audit",
    .summary = "is every span accounted for? exit 1 on a gap",
    .help = help,
    .takes.allowed = OPTIONS_COMMON,
    .run = run,
};
