/* SPDX-License-Identifier: Apache-2.0 */
/* top: where time goes, by name, by site or by file, like the tables of a profiler: calls, own time, time with what was called. */
#include "analyze/calls/calls.h"
#include "analyze/command.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 20u

static const char help[] = "  spanring-analyze top STORE\n"
                           "  spanring-analyze top STORE --sort cumulative -n 10\n"
                           "  spanring-analyze top STORE --by site --strip-dirs\n"
                           "  spanring-analyze top STORE --name 'db.*' --since 10m --csv\n"
                           "  spanring-analyze top STORE --json | jq '.names[] | [.name, .self_ns]'\n"
                           "\n"
                           "Where time goes: for each span name the calls, those with status error, the\n"
                           "time with all that was called (cumulative), the time in which none of its\n"
                           "children ran (self), the mean duration of a call, and the share of all self\n"
                           "time. Where a name calls itself, cumulative counts the outermost span of each\n"
                           "stack alone; --json and --csv have the sum over all of them, too (total).\n"
                           "\n"
                           "Read from the records: the spans that are stored, that ended and that match.\n"
                           "Children count for self time whatever the filters say of them.\n"
                           "\n"
                           "Options\n"
                           "  --sort KEY       self (default), cumulative, total, calls, errors, per-call,\n"
                           "                   name\n"
                           "  -n, --limit N    how many rows (default 20, 0: all; JSON and CSV: all)\n"
                           "  --by WHAT        name (default), site (name, file and line), file\n"
                           "  --strip-dirs     files without their directories\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  --threads N      read with N threads (default: one for each core)\n"
                           "  --csv            comma-separated values instead of a table\n";

enum { OWN_BY, OWN_STRIP_DIRS, OWN_COUNT };

static const struct option_own own[OWN_COUNT] = {
    [OWN_BY] = {"--by", 0, OPTION_VALUE_TEXT}, [OWN_STRIP_DIRS] = {"--strip-dirs", 0, OPTION_VALUE_NONE}};

struct line {
	uint32_t key;
	struct call_figures figures;
};

struct top {
	struct query query;
	struct calls calls;
	struct line *lines;
	size_t line_count;
	uint64_t self_ns; /* of all lines */
	enum call_by by;
	bool strip;
};

enum sort_key { SORT_SELF, SORT_CUMULATIVE, SORT_TOTAL, SORT_CALLS, SORT_ERRORS, SORT_PER_CALL, SORT_NAME, SORT_COUNT };

static const char *const sort_words[SORT_COUNT] = {"self",   "cumulative", "total", "calls",
                                                   "errors", "per-call",   "name"};

static double per_call_ns(const struct call_figures *figures) {
	double calls = (double)figures->calls / STORE_WEIGHT_ONE;
	return calls > 0 ? (double)figures->total_ns / calls : 0;
}

static double sort_value(const struct call_figures *figures, enum sort_key key) {
	switch (key) {
	case SORT_SELF:
		return (double)figures->self_ns;
	case SORT_CUMULATIVE:
		return (double)figures->outer_ns;
	case SORT_TOTAL:
		return (double)figures->total_ns;
	case SORT_CALLS:
		return (double)figures->calls;
	case SORT_ERRORS:
		return (double)figures->errors;
	case SORT_PER_CALL:
		return per_call_ns(figures);
	case SORT_NAME:
	case SORT_COUNT:
		break;
	}
	return 0;
}

struct sorting {
	const struct calls *calls;
	enum sort_key key;
};

static int by_value(const void *a, const void *b, void *context) {
	const struct sorting *sorting = context;
	const struct line *left = a;
	const struct line *right = b;
	char left_text[CALL_KEY_TEXT_BYTES];
	char right_text[CALL_KEY_TEXT_BYTES];
	double left_value = sort_value(&left->figures, sorting->key);
	double right_value = sort_value(&right->figures, sorting->key);
	if (left_value != right_value)
		return left_value > right_value ? -1 : 1;
	int order = strcmp(call_key_text(&sorting->calls->keys, left->key, false, left_text),
	                   call_key_text(&sorting->calls->keys, right->key, false, right_text));
	return order ? order : (left->key > right->key) - (left->key < right->key);
}

static int list_lines(struct top *top, enum sort_key key) {
	struct sorting sorting = {&top->calls, key};
	top->lines = calloc((size_t)top->calls.figure_count + 1, sizeof(*top->lines));
	if (!top->lines)
		return -ENOMEM;
	for (uint32_t at = 0; at < top->calls.figure_count; at++) {
		const struct call_figures *figures = &top->calls.figures[at];
		if (figures->calls == 0)
			continue;
		top->lines[top->line_count++] = (struct line){at, *figures};
		top->self_ns = saturating_add(top->self_ns, figures->self_ns);
	}
	qsort_r(top->lines, top->line_count, sizeof(*top->lines), by_value, &sorting);
	return 0;
}

static double share_of(const struct top *top, const struct call_figures *figures) {
	return top->self_ns > 0 ? (double)figures->self_ns / (double)top->self_ns : 0;
}

static void print_json_line(const struct top *top, const struct line *line, struct json *json) {
	const struct call_figures *figures = &line->figures;
	const struct call_keys *keys = &top->calls.keys;
	json_open(json, NULL, '{');
	if (top->by != CALL_BY_FILE)
		json_text(json, "name", call_key_name(keys, line->key));
	if (top->by != CALL_BY_NAME)
		json_text(json, "file", call_key_file(keys, line->key, top->strip));
	if (top->by == CALL_BY_SITE)
		json_u64(json, "line", call_key_line(keys, line->key));
	json_u64(json, "count", calls_count(figures->calls));
	json_u64(json, "errors", calls_count(figures->errors));
	json_u64(json, "total_ns", figures->total_ns);
	json_u64(json, "cumulative_ns", figures->outer_ns);
	if (top->calls.self_known) {
		json_u64(json, "self_ns", figures->self_ns);
		json_f64(json, "self_share", share_of(top, figures));
	} else {
		json_null(json, "self_ns");
		json_null(json, "self_share");
	}
	json_f64(json, "mean_ns", per_call_ns(figures));
	json_u64(json, "min_ns", figures->min_ns);
	json_u64(json, "max_ns", figures->max_ns);
	json_close(json);
}

static void print_json(const struct top *top, size_t shown) {
	static const char *const lists[] = {
	    [CALL_BY_NAME] = "names", [CALL_BY_SITE] = "sites", [CALL_BY_FILE] = "files"};
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "top/1");
	json_text(&json, "coverage", "stored");
	json_text(&json, "method", top->calls.estimated ? "estimate" : "exact");
	json_u64(&json, "records", top->calls.spans);
	json_u64(&json, "unfinished", top->calls.open);
	json_u64(&json, "parent_not_stored", top->calls.absent);
	json_u64(&json, "nesting_unknown", top->calls.others);
	json_open(&json, lists[top->by], '[');
	for (size_t i = 0; i < shown; i++)
		print_json_line(top, &top->lines[i], &json);
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct top *top, size_t shown) {
	struct csv csv = {.out = stdout};
	static const char *const titles[] = {
	    [CALL_BY_NAME] = "name,count,errors,total_ns,cumulative_ns,self_ns,self_share,mean_ns,min_ns,max_ns",
	    [CALL_BY_SITE] =
	        "name,file,line,count,errors,total_ns,cumulative_ns,self_ns,self_share,mean_ns,min_ns,max_ns",
	    [CALL_BY_FILE] = "file,count,errors,total_ns,cumulative_ns,self_ns,self_share,mean_ns,min_ns,max_ns"};
	csv_head(&csv, titles[top->by]);
	for (size_t i = 0; i < shown; i++) {
		const struct line *line = &top->lines[i];
		if (top->by != CALL_BY_FILE)
			csv_string(&csv, call_key_name(&top->calls.keys, line->key));
		if (top->by != CALL_BY_NAME)
			csv_string(&csv, call_key_file(&top->calls.keys, line->key, top->strip));
		if (top->by == CALL_BY_SITE)
			csv_u64(&csv, call_key_line(&top->calls.keys, line->key));
		csv_u64(&csv, calls_count(line->figures.calls));
		csv_u64(&csv, calls_count(line->figures.errors));
		csv_u64(&csv, line->figures.total_ns);
		csv_u64(&csv, line->figures.outer_ns);
		if (top->calls.self_known) {
			csv_u64(&csv, line->figures.self_ns);
			csv_f64(&csv, share_of(top, &line->figures));
		} else {
			csv_none(&csv);
			csv_none(&csv);
		}
		csv_f64(&csv, per_call_ns(&line->figures));
		csv_u64(&csv, line->figures.min_ns);
		csv_u64(&csv, line->figures.max_ns);
		csv_end(&csv);
	}
}

static int print_table(const struct top *top, size_t shown) {
	const struct table_column columns[] = {{top->by == CALL_BY_FILE   ? "file"
	                                        : top->by == CALL_BY_SITE ? "site"
	                                                                  : "name",
	                                        false, 0},
	                                       {"calls", true, 1},
	                                       {"errors", true, 3},
	                                       {"cumulative", true, 0},
	                                       {"per call", true, 2},
	                                       {"self", true, 0},
	                                       {"share", true, 0}};
	unsigned column_count = (unsigned)(sizeof(columns) / sizeof(columns[0])) - (top->calls.self_known ? 0 : 2);
	struct table table CLEANUP(table_done) = table_begin(columns, column_count, 0, 18);
	char text[CALL_KEY_TEXT_BYTES];
	for (size_t i = 0; i < shown; i++) {
		const struct call_figures *figures = &top->lines[i].figures;
		char share[UNITS_TEXT_BYTES];
		(void)snprintf(share, sizeof(share), "%.1f %%", 100 * share_of(top, figures));
		table_cell(&table, STYLE_PLAIN, call_key_text(&top->calls.keys, top->lines[i].key, top->strip, text));
		table_count(&table, STYLE_PLAIN, calls_count(figures->calls));
		table_count(&table, figures->errors ? STYLE_RED : STYLE_PLAIN, calls_count(figures->errors));
		table_duration(&table, (double)figures->outer_ns);
		table_duration(&table, per_call_ns(figures));
		if (!top->calls.self_known)
			continue;
		table_duration(&table, (double)figures->self_ns);
		table_cell(&table, STYLE_PLAIN, share);
	}
	const struct terminal *terminal = &top->query.context->terminal;
	int rc = table_print(&table, terminal, stdout);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	if (shown < top->line_count)
		terminal_note(terminal, stdout, STYLE_DIM, "the first %zu of %zu; -n 0 shows all", shown,
		              top->line_count);
	calls_print_notes(&top->calls);
	return 0;
}

static int print(const struct top *top) {
	const struct options *options = top->query.context->options;
	size_t shown = top->line_count;
	uint64_t limit = options->has_limit ? options->limit : options->json || options->csv ? 0 : LIMIT_DEFAULT;
	bool empty = top->line_count == 0 && query_store_is_empty(&top->query);
	if (limit > 0 && limit < shown)
		shown = (size_t)limit;
	if (options->json)
		print_json(top, shown);
	else if (options->csv)
		print_csv(top, shown);
	else if (top->line_count > 0)
		return print_table(top, shown);
	else if (!empty)
		log_info(&top->query.context->log, "no stored span matches");
	return 0;
}

static int answer(struct top *top, enum sort_key key) {
	const struct context *context = top->query.context;
	struct calls_question question = {.by = top->by, .wants_self = true};
	int rc = calls_read(&top->query, &question, &top->calls);
	if (rc == 0) {
		rc = list_lines(top, key);
		if (rc == 0)
			rc = print(top);
		free(top->lines);
		calls_free(&top->calls);
	}
	return query_finish(&top->query, rc ? command_failed(context, rc, "adding up calls") : EXIT_CODE_OK);
}

static bool parse_sort(const struct context *context, enum sort_key *ret_key) {
	const char *word = context->options->sort ? context->options->sort : sort_words[SORT_SELF];
	for (unsigned key = 0; key < SORT_COUNT; key++) {
		if (strcmp(sort_words[key], word) != 0)
			continue;
		*ret_key = (enum sort_key)key;
		return true;
	}
	const char *nearest = suggest_nearest(word, sort_words, SORT_COUNT);
	if (nearest)
		log_error(&context->log, "top: --sort '%s': did you mean '%s'?", word, nearest);
	else
		log_error(&context->log,
		          "top: --sort '%s': give self, cumulative, total, calls, errors, per-call or name", word);
	return false;
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	struct top top = {.by = CALL_BY_NAME, .strip = given[OWN_STRIP_DIRS].is_given};
	enum sort_key key = SORT_SELF;
	if (!parse_sort(context, &key))
		return EXIT_CODE_USAGE;
	if (given[OWN_BY].is_given && !call_by_parse(given[OWN_BY].text, &top.by)) {
		log_error(&context->log, "top: --by '%s': give name, site or file", given[OWN_BY].text);
		return EXIT_CODE_USAGE;
	}
	int code = query_open(&top.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = answer(&top, key);
	query_close(&top.query);
	return code;
}

const struct command command_top = {
    .name = "top",
    .summary = "calls, self and cumulative time per span name",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                     OPTION_SORT | OPTION_THREADS | OPTION_CSV,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
