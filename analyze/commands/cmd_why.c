/* SPDX-License-Identifier: Apache-2.0 */
/* why: what explains that a name takes another time than before. */
#include "analyze/change/change_print.h"
#include "analyze/change/why.h"
#include "analyze/command.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_DEFAULT 8u
#define PATH_TEXT_BYTES 4096u
#define VALUE_LINE_BYTES (WHY_VALUE_TEXT_BYTES + 256u)

static const char help[] = "  spanring-analyze why BEFORE AFTER\n"
                           "  spanring-analyze why BEFORE AFTER 'GET /cart'\n"
                           "  spanring-analyze why BEFORE AFTER checkout --metric p95 --json\n"
                           "\n"
                           "Splits the shift of a name's mean duration between two stores, in two ways:\n"
                           "\n"
                           "  spans       the own time of the span and of all spans below it, by call path\n"
                           "  attributes  leave out the spans with a value: how much less is the shift?\n"
                           "\n"
                           "What explains most comes first, with its 95 % interval. A value that all spans\n"
                           "share evenly explains nothing; one that became slow, or a slow one that became\n"
                           "frequent, explains up to all of it. Values of one key may explain more than\n"
                           "100 % together, and less than 0 where the others did more.\n"
                           "\n"
                           "NAME is a glob; without it the root that takes most time in both is meant. It is\n"
                           "read from the records. A child stored in another batch than its parent (2 to 3\n"
                           "of 100) counts as own time of its parent. The 15 most frequent keys are looked\n"
                           "at.\n"
                           "\n"
                           "Options\n"
                           "  --metric M       mean (default), or p95: the mean of the slowest 5 % of each\n"
                           "  -n, --limit N    lines of each kind (default: 8; 0: all)\n"
                           "  --csv            as comma-separated values\n"
                           "  --where EXPR, --service GLOB, --since T, --until T\n"
                           "                   only such spans of the name\n";

enum own { OWN_METRIC, OWN_COUNT };
static const struct option_own own[OWN_COUNT] = {[OWN_METRIC] = {"--metric", 0, OPTION_VALUE_TEXT}};

static double shift_of(const struct why *why) {
	return why->mean_ns[1] - why->mean_ns[0];
}

static const char *metric_word(const struct why *why) {
	return why->is_tail ? "p95" : "mean";
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void add_explained(struct table *table, const struct why *why, const struct why_cause *cause) {
	char text[CHANGE_TEXT_BYTES];
	double shift = shift_of(why);
	double ends[2] = {cause->low_ns / shift, cause->high_ns / shift};
	double low = fmin(ends[0], ends[1]);
	double high = fmax(ends[0], ends[1]);
	(void)snprintf(text, sizeof(text), "-");
	if (isfinite(cause->part_ns / shift))
		(void)snprintf(text, sizeof(text), "%.0f %%", 100 * cause->part_ns / shift);
	table_cell(table, low > 0 ? STYLE_BOLD : STYLE_DIM, text);
	(void)snprintf(text, sizeof(text), "-");
	if (isfinite(low) && isfinite(high))
		(void)snprintf(text, sizeof(text), "%.0f..%.0f %%", 100 * low, 100 * high);
	table_cell(table, STYLE_DIM, text);
}

static int print_spans(const struct why *why, size_t shown) {
	static const struct table_column columns[] = {{"own time in", false, 0},
	                                              {"explains", true, 0},
	                                              {"95 %", true, 2},
	                                              {"before", true, 3},
	                                              {"after", true, 1}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < shown; i++) {
		const struct why_cause *cause = &why->spans[i];
		char path[PATH_TEXT_BYTES];
		(void)why_path(why, cause->place, path, sizeof(path));
		table_cell(&table, STYLE_PLAIN, path);
		add_explained(&table, why, cause);
		table_duration(&table, cause->before);
		table_duration(&table, cause->after);
	}
	return table_print(&table, &why->stores[0].context.terminal, stdout);
}

static void value_line(const struct why *why, uint32_t value, char ret_text[VALUE_LINE_BYTES]) {
	(void)snprintf(ret_text, VALUE_LINE_BYTES, "%.200s = %s", why->keys[why->values[value].key],
	               why->values[value].text);
}

static int print_attributes(const struct why *why, size_t shown) {
	static const struct table_column columns[] = {
	    {"spans with", false, 0}, {"explains", true, 0},    {"95 %", true, 2}, {"share before", true, 4},
	    {"after", true, 3},       {"mean before", true, 5}, {"after", true, 1}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 16);
	for (size_t i = 0; i < shown; i++) {
		const struct why_cause *cause = &why->attributes[i];
		char text[VALUE_LINE_BYTES];
		value_line(why, cause->place, text);
		table_cell(&table, STYLE_PLAIN, text);
		add_explained(&table, why, cause);
		for (unsigned side = 0; side < 2; side++) {
			(void)snprintf(text, sizeof(text), "%.3g %%", 100 * cause->share[side]);
			table_cell(&table, STYLE_PLAIN, text);
		}
		table_duration(&table, cause->before);
		table_duration(&table, cause->after);
	}
	return table_print(&table, &why->stores[0].context.terminal, stdout);
}

static void print_head(const struct why *why) {
	const struct terminal *terminal = &why->stores[0].context.terminal;
	char name[512];
	char before[UNITS_TEXT_BYTES];
	char after[UNITS_TEXT_BYTES];
	char change[CHANGE_TEXT_BYTES];
	(void)text_printable(why->name, strlen(why->name), name, sizeof(name));
	terminal_note(terminal, stdout, STYLE_BOLD, "%s: %s %s -> %s (%s)", name,
	              why->is_tail ? "mean of the slowest 5 %" : "mean", units_format_duration(why->mean_ns[0], before),
	              units_format_duration(why->mean_ns[1], after),
	              change_percent(CHANGE_MEAN, why->difference.change, change));
	if (!why->difference.known || (why->difference.low <= 0 && why->difference.high >= 0))
		terminal_note(terminal, stdout, STYLE_YELLOW,
		              "that may be chance: what seems to explain it may be, too");
	(void)putchar('\n');
}

static int print_text(const struct why *why, const size_t *shown) {
	const struct terminal *terminal = &why->stores[0].context.terminal;
	char counts[2][UNITS_TEXT_BYTES];
	print_head(why);
	int rc = print_spans(why, shown[0]);
	if (rc == 0 && shown[1] > 0) {
		(void)putchar('\n');
		rc = print_attributes(why, shown[1]);
	}
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM, "%s spans before, %s after; own times are per span of the name",
	              units_format_count((uint64_t)why->count[0], counts[0]),
	              units_format_count((uint64_t)why->count[1], counts[1]));
	if (shift_of(why) != 0 && fabs(why->rest_ns) > 0.01 * fabs(shift_of(why)))
		terminal_note(terminal, stdout, STYLE_DIM,
		              "children that overlap, or end after their parent, make a difference of %.0f %%",
		              100 * why->rest_ns / shift_of(why));
	if (why->is_full)
		terminal_note(terminal, stdout, STYLE_YELLOW, "more than %u paths or %u values: some were left out",
		              WHY_NODES_MAX, WHY_VALUES_MAX);
	return 0;
}

/* --- JSON and CSV ------------------------------------------------------------------------------------------------ */

static void json_share(struct json *json, const char *key, double part, double shift) {
	/* json_f64 makes null of what is not finite */
	json_f64(json, key, part / shift);
}

static void json_cause(struct json *json, const struct why *why, const struct why_cause *cause, bool is_span) {
	double shift = shift_of(why);
	char text[PATH_TEXT_BYTES];
	json_open(json, NULL, '{');
	if (is_span) {
		(void)why_path(why, cause->place, text, sizeof(text));
		json_text(json, "path", text);
	} else {
		json_text(json, "key", why->keys[why->values[cause->place].key]);
		json_text(json, "value", why->values[cause->place].text);
	}
	json_share(json, "explained", cause->part_ns, shift);
	json_share(json, "low", shift > 0 ? cause->low_ns : cause->high_ns, shift);
	json_share(json, "high", shift > 0 ? cause->high_ns : cause->low_ns, shift);
	json_f64(json, "shift_ns", cause->part_ns);
	json_f64(json, is_span ? "own_before_ns" : "mean_before_ns", cause->before);
	json_f64(json, is_span ? "own_after_ns" : "mean_after_ns", cause->after);
	if (!is_span) {
		json_f64(json, "share_before", cause->share[0]);
		json_f64(json, "share_after", cause->share[1]);
	}
	json_close(json);
}

static void print_json(const struct why *why, const size_t *shown) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "why/1");
	json_text(&json, "name", why->name);
	json_text(&json, "metric", metric_word(why));
	json_u64(&json, "count_before", (uint64_t)why->count[0]);
	json_u64(&json, "count_after", (uint64_t)why->count[1]);
	json_f64(&json, "before_ns", why->mean_ns[0]);
	json_f64(&json, "after_ns", why->mean_ns[1]);
	json_f64(&json, "change", why->difference.change);
	json_f64(&json, "low", why->difference.low);
	json_f64(&json, "high", why->difference.high);
	json_share(&json, "unexplained", why->rest_ns, shift_of(why));
	json_bool(&json, "complete", !why->is_full);
	json_open(&json, "spans", '[');
	for (size_t i = 0; i < shown[0]; i++)
		json_cause(&json, why, &why->spans[i], true);
	json_close(&json);
	json_open(&json, "attributes", '[');
	for (size_t i = 0; i < shown[1]; i++)
		json_cause(&json, why, &why->attributes[i], false);
	json_close(&json);
	json_close(&json);
}

static void csv_or_none(struct csv *csv, double value) {
	if (isfinite(value))
		csv_f64(csv, value);
	else
		csv_text(csv, "", 0);
}

static void print_csv(const struct why *why, const size_t *shown) {
	static const char *const titles[] = {"kind",   "cause",   "explained", "shift_ns",
	                                     "low_ns", "high_ns", "before_ns", "after_ns"};
	struct csv csv = {.out = stdout};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		csv_text(&csv, titles[i], strlen(titles[i]));
	csv_end(&csv);
	for (unsigned kind = 0; kind < 2; kind++) {
		for (size_t i = 0; i < shown[kind]; i++) {
			const struct why_cause *cause = kind ? &why->attributes[i] : &why->spans[i];
			char text[PATH_TEXT_BYTES];
			if (kind)
				value_line(why, cause->place, text);
			else
				(void)why_path(why, cause->place, text, sizeof(text));
			csv_text(&csv, kind ? "attribute" : "span", kind ? 9 : 4);
			csv_text(&csv, text, strlen(text));
			csv_or_none(&csv, cause->part_ns / shift_of(why));
			csv_or_none(&csv, cause->part_ns);
			csv_or_none(&csv, cause->low_ns);
			csv_or_none(&csv, cause->high_ns);
			csv_or_none(&csv, cause->before);
			csv_or_none(&csv, cause->after);
			csv_end(&csv);
		}
	}
}

static int answer(const struct context *context, struct why *why) {
	size_t limit = context->options->has_limit ? (size_t)context->options->limit : SHOWN_DEFAULT;
	size_t shown[2] = {why->span_count, why->attribute_count};
	int rc = 0;
	for (unsigned i = 0; i < 2; i++)
		if (limit > 0 && shown[i] > limit)
			shown[i] = limit;
	bool there = why->count[0] > 0 && why->count[1] > 0;
	if (!there)
		log_error(&context->log, "why: %s%s: not both stores have a span that matches",
		          why->name ? "name " : "no root", why->name ? why->name : "");
	else if (context->options->json)
		print_json(why, shown);
	else if (context->options->csv)
		print_csv(why, shown);
	else
		rc = print_text(why, shown);
	int code = rc ? command_failed(context, rc, "printing") : there ? EXIT_CODE_OK : EXIT_CODE_FAILED;
	for (unsigned side = 0; side < 2; side++)
		code = query_finish(&why->stores[side].latency.query, code);
	return code;
}

static int run(const struct context *context) {
	const struct option_given *metric = &context->options->own[OWN_METRIC];
	bool is_tail = metric->is_given && strcmp(metric->text, "p95") == 0;
	struct why why;
	if (metric->is_given && !is_tail && strcmp(metric->text, "mean") != 0) {
		log_error(&context->log, "why: --metric '%s': give mean or p95", metric->text);
		return EXIT_CODE_USAGE;
	}
	int code = why_find(context, context->options->name, is_tail, &why);
	if (code != EXIT_CODE_OK)
		return code;
	code = answer(context, &why);
	why_done(&why);
	return code;
}

const struct command command_why = {
    .name = "why",
    .summary = "which child spans and attribute values explain a shift",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_WHERE | OPTION_LIMIT | OPTION_CSV |
                     OPTION_TWO_STORES | OPTION_NAME_LAST,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
