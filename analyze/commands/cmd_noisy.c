/* SPDX-License-Identifier: Apache-2.0 */
/*
 * noisy: places in the source that begin many short spans, and what these cost. What a span costs in its program the agent measured when it started (writer_cost.h); of
 * agents that did not, and for their own part, there are the two constants below, from docs/measuring.md. --span-cost and --agent-cost go before both.
 */
#include "analyze/calls/call_keys.h"
#include "analyze/command.h"
#include "analyze/kernels/quantile.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/table.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define SPAN_COST_NS 23u   /* in the program, from begin to end */
#define AGENT_COST_NS 226u /* in the agent, from the ring to the store */
#define LIMIT_DEFAULT 10u
#define NOISY_SHARE 0.01 /* of all spans; and */
#define NOISY_COST 0.01  /* of the median duration */
#define COMMAND_BYTES 4096u

static const char help[] = "  spanring-analyze noisy STORE\n"
                           "  spanring-analyze noisy STORE --service checkout -n 20\n"
                           "  spanring-analyze noisy STORE --span-cost 40ns\n"
                           "  spanring-analyze noisy STORE --json | jq -r '.sites[] | select(.noisy).mute'\n"
                           "\n"
                           "Places in the source that begin many short spans: how many a second, which\n"
                           "share of all, their median duration, what tracing them costs in the program and\n"
                           "how much of the median that is. A place is noisy when it has at least 1 % of all\n"
                           "spans and tracing takes at least 1 % of its median; below the table stand the\n"
                           "commands that mute such places in running programs, and what that would save.\n"
                           "\n"
                           "Costs are estimates: spans times what one costs in the program, as the agent\n"
                           "measured it when it started (else 23 ns), and 226 ns in the agent, as\n"
                           "docs/measuring.md has it.\n"
                           "\n"
                           "Options\n"
                           "  -n, --limit N    how many places, noisy ones first, by spans (default 10,\n"
                           "                   0: all; JSON and CSV: all)\n"
                           "  --span-cost D    what a span costs its program (default: see above)\n"
                           "  --agent-cost D   what a span costs the agent (default 226ns)\n"
                           "  --strip-dirs     files without their directories\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  --csv            comma-separated values instead of a table\n";

enum { OWN_SPAN_COST, OWN_AGENT_COST, OWN_STRIP_DIRS, OWN_COUNT };

static const struct option_own own[OWN_COUNT] = {[OWN_SPAN_COST] = {"--span-cost", 0, OPTION_VALUE_DURATION},
                                                 [OWN_AGENT_COST] = {"--agent-cost", 0, OPTION_VALUE_DURATION},
                                                 [OWN_STRIP_DIRS] = {"--strip-dirs", 0, OPTION_VALUE_NONE}};

struct place {
	uint32_t key;
	uint64_t count; /* in units of 1/STORE_WEIGHT_ONE */
	uint64_t median_ns;
};

struct noisy {
	struct query query;
	struct call_keys keys;
	struct quantiles *quantiles; /* by key */
	struct place *places;        /* by key, then dense and sorted */
	size_t place_count;
	uint64_t records;
	uint64_t count; /* of all, in units */
	uint64_t open;
	uint64_t start_ns; /* of the wall; first start and last end of what counts */
	uint64_t end_ns;
	double span_cost_ns;
	const char *span_cost_from; /* "option", "store", "constant" */
	double agent_cost_ns;
	double stored_bytes; /* of a span, everything included */
	bool weighted;
	bool is_first_pass;
	bool strip;
};

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int observe(struct noisy *noisy, uint32_t key, uint64_t duration_ns, uint32_t weight) {
	if (!noisy->is_first_pass) {
		if (noisy->weighted)
			quantiles_refine_weighted(noisy->quantiles, key, duration_ns, weight);
		else
			quantiles_refine(noisy->quantiles, key, duration_ns);
		return 0;
	}
	noisy->records++;
	noisy->count += weight;
	noisy->places[key].count += weight;
	return noisy->weighted ? quantiles_observe_weighted(noisy->quantiles, key, duration_ns, weight)
	                       : quantiles_observe(noisy->quantiles, key, duration_ns);
}

static void widen(struct noisy *noisy, const struct store_columns *columns, uint32_t row) {
	uint64_t start_ns = saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns);
	uint64_t end_ns = saturating_add(start_ns, columns->duration_ns[row]);
	if (noisy->records == 1 || start_ns < noisy->start_ns)
		noisy->start_ns = start_ns;
	if (end_ns > noisy->end_ns)
		noisy->end_ns = end_ns;
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct noisy *noisy = context;
	const uint32_t *keys = call_keys_of(&noisy->keys, columns);
	int error = 0;
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		uint32_t site = columns->site[row];
		if (!query_accepts(&noisy->query, columns, row))
			continue;
		if (query_is_open(columns, row)) {
			noisy->open += noisy->is_first_pass;
			continue;
		}
		error = observe(noisy, site <= columns->segment->site_count ? keys[site] : 0, columns->duration_ns[row],
		                query_weight(columns, row));
		if (noisy->is_first_pass)
			widen(noisy, columns, row);
	}
	return error;
}

static int collect(struct noisy *noisy) {
	struct query *query = &noisy->query;
	struct query_scan scan = {.columns = STORE_COLUMN_SITE | STORE_COLUMN_DURATION | STORE_COLUMN_START |
	                                     query_open_column(query) | (noisy->weighted ? STORE_COLUMN_WEIGHT : 0),
	                          .on_batch = take_batch,
	                          .context = noisy};
	int rc = quantiles_new(noisy->keys.key_count, QUANTILE_BUDGET_BYTES, &noisy->quantiles);
	noisy->is_first_pass = true;
	if (rc == 0)
		rc = query_scan(query, &scan);
	noisy->is_first_pass = false;
	scan.columns &= ~STORE_COLUMN_START;
	while (rc == 0 && (rc = quantiles_next_pass(noisy->quantiles)) > 0)
		rc = query_scan(query, &scan);
	return rc;
}

static void size_spans(struct noisy *noisy) {
	const struct store_overview *overview = noisy->query.overview;
	uint64_t bytes = 0;
	uint64_t spans = 0;
	for (size_t i = 0; i < overview->segment_count; i++) {
		bytes = saturating_add(bytes, overview->segments[i].file_bytes);
		spans = saturating_add(spans, overview->segments[i].spans);
	}
	noisy->stored_bytes = spans > 0 ? (double)bytes / (double)spans : 0;
}

/* --- figures ----------------------------------------------------------------------------------------------------- */

static double spans_of(const struct place *place) {
	return (double)place->count / STORE_WEIGHT_ONE;
}

static double per_second(const struct noisy *noisy, double amount) {
	double seconds = (double)(noisy->end_ns - noisy->start_ns) / 1e9;
	return seconds > 0 ? amount / seconds : 0;
}

static double share_of(const struct noisy *noisy, const struct place *place) {
	return noisy->count > 0 ? (double)place->count / (double)noisy->count : 0;
}

/* Of the median; a span of no duration is all cost. */
static double cost_share(const struct noisy *noisy, const struct place *place) {
	double cost = noisy->span_cost_ns;
	return place->median_ns > 0 ? cost / (double)place->median_ns : cost > 0 ? 1 : 0;
}

static bool is_noisy(const struct noisy *noisy, const struct place *place) {
	return share_of(noisy, place) >= NOISY_SHARE && cost_share(noisy, place) >= NOISY_COST;
}

/* Noisy ones first, by their number. */
static int by_noise(const void *a, const void *b, void *context) {
	const struct noisy *noisy = context;
	const struct place *left = a;
	const struct place *right = b;
	if (is_noisy(noisy, left) != is_noisy(noisy, right))
		return is_noisy(noisy, left) ? -1 : 1;
	if (left->count != right->count)
		return left->count > right->count ? -1 : 1;
	return (left->key > right->key) - (left->key < right->key);
}

static void sort(struct noisy *noisy) {
	for (uint32_t key = 0; key < noisy->keys.key_count; key++) {
		if (noisy->places[key].count == 0)
			continue;
		noisy->places[noisy->place_count++] =
		    (struct place){key, noisy->places[key].count, quantiles_value(noisy->quantiles, key, QUANTILE_P50)};
	}
	qsort_r(noisy->places, noisy->place_count, sizeof(*noisy->places), by_noise, noisy);
}

/*
 * For a shell, to be pasted as it is shown: a pattern that matches the name, in quotes. What no terminal shows as it is stands for any letters, and what
 * patterns are made of for itself.
 */
static const char *mute_command(const struct noisy *noisy, const struct place *place, char ret_text[COMMAND_BYTES]) {
	const char *name = call_key_name(&noisy->keys, place->key);
	size_t bytes = strlen(name);
	size_t used = (size_t)snprintf(ret_text, COMMAND_BYTES, "spanring-agent ctl all site '");
	for (size_t at = 0; at < bytes && used < COMMAND_BYTES - 32;) {
		uint32_t code = 0;
		size_t length = text_utf8_sequence(name + at, bytes - at, &code);
		if (length == 0 || text_is_dangerous(code)) {
			ret_text[used] = '*';
			used += ret_text[used - 1] != '*';
			length = length ? length : 1;
		} else if (code == '\'') {
			memcpy(ret_text + used, "'\\''", 4);
			used += 4;
		} else {
			if (code < 0x80 && strchr("*?[\\", (int)code))
				ret_text[used++] = '\\';
			memcpy(ret_text + used, name + at, length);
			used += length;
		}
		at += length;
	}
	(void)snprintf(ret_text + used, COMMAND_BYTES - used, "' disable");
	return ret_text;
}

/* --- printing ---------------------------------------------------------------------------------------------------- */

static void print_json(const struct noisy *noisy, size_t shown) {
	char command[COMMAND_BYTES];
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "noisy/1");
	json_text(&json, "method", noisy->weighted ? "estimate" : "exact");
	json_u64(&json, "records", noisy->records);
	json_u64(&json, "unfinished", noisy->open);
	json_u64(&json, "range_ns", noisy->end_ns - noisy->start_ns);
	json_f64(&json, "span_cost_ns", noisy->span_cost_ns);
	json_text(&json, "span_cost_from", noisy->span_cost_from);
	json_f64(&json, "agent_cost_ns", noisy->agent_cost_ns);
	json_f64(&json, "stored_bytes_per_span", noisy->stored_bytes);
	json_open(&json, "sites", '[');
	for (size_t i = 0; i < shown; i++) {
		const struct place *place = &noisy->places[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", call_key_name(&noisy->keys, place->key));
		json_text(&json, "file", call_key_file(&noisy->keys, place->key, noisy->strip));
		json_u64(&json, "line", call_key_line(&noisy->keys, place->key));
		json_f64(&json, "count", spans_of(place));
		json_f64(&json, "spans_per_second", per_second(noisy, spans_of(place)));
		json_f64(&json, "share", share_of(noisy, place));
		json_u64(&json, "p50_ns", place->median_ns);
		json_f64(&json, "cost_ns", spans_of(place) * noisy->span_cost_ns);
		json_f64(&json, "agent_cost_ns", spans_of(place) * noisy->agent_cost_ns);
		json_f64(&json, "cost_share", cost_share(noisy, place));
		json_f64(&json, "stored_bytes", spans_of(place) * noisy->stored_bytes);
		json_bool(&json, "noisy", is_noisy(noisy, place));
		json_text(&json, "mute", mute_command(noisy, place, command));
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct noisy *noisy, size_t shown) {
	struct csv csv = {.out = stdout};
	csv_head(
	    &csv,
	    "name,file,line,count,spans_per_second,share,p50_ns,cost_ns,agent_cost_ns,cost_share,stored_bytes,noisy");
	for (size_t i = 0; i < shown; i++) {
		const struct place *place = &noisy->places[i];
		csv_string(&csv, call_key_name(&noisy->keys, place->key));
		csv_string(&csv, call_key_file(&noisy->keys, place->key, noisy->strip));
		csv_u64(&csv, call_key_line(&noisy->keys, place->key));
		csv_f64(&csv, spans_of(place));
		csv_f64(&csv, per_second(noisy, spans_of(place)));
		csv_f64(&csv, share_of(noisy, place));
		csv_u64(&csv, place->median_ns);
		csv_f64(&csv, spans_of(place) * noisy->span_cost_ns);
		csv_f64(&csv, spans_of(place) * noisy->agent_cost_ns);
		csv_f64(&csv, cost_share(noisy, place));
		csv_f64(&csv, spans_of(place) * noisy->stored_bytes);
		csv_u64(&csv, is_noisy(noisy, place));
		csv_end(&csv);
	}
}

static void add_row(const struct noisy *noisy, const struct place *place, struct table *table) {
	char text[CALL_KEY_TEXT_BYTES];
	char number[UNITS_TEXT_BYTES];
	bool loud = is_noisy(noisy, place);
	table_cell(table, loud ? STYLE_YELLOW : STYLE_PLAIN,
	           call_key_text(&noisy->keys, place->key, noisy->strip, text));
	table_count(table, STYLE_PLAIN, (unsigned long long)(spans_of(place) + 0.5));
	(void)snprintf(number, sizeof(number), "%.*f", per_second(noisy, spans_of(place)) < 10 ? 1 : 0,
	               per_second(noisy, spans_of(place)));
	table_cell(table, STYLE_PLAIN, number);
	(void)snprintf(number, sizeof(number), "%.1f %%", 100 * share_of(noisy, place));
	table_cell(table, STYLE_PLAIN, number);
	table_duration(table, (double)place->median_ns);
	table_duration(table, spans_of(place) * noisy->span_cost_ns);
	(void)snprintf(number, sizeof(number), "%.2f %%", 100 * cost_share(noisy, place));
	table_cell(table, loud ? STYLE_YELLOW : STYLE_PLAIN, number);
}

static void print_commands(const struct noisy *noisy, size_t shown) {
	const struct terminal *terminal = &noisy->query.context->terminal;
	char text[COMMAND_BYTES];
	char program[UNITS_TEXT_BYTES];
	char agent[UNITS_TEXT_BYTES];
	char bytes[UNITS_TEXT_BYTES];
	double spans = 0;
	for (size_t i = 0; i < shown; i++)
		spans += is_noisy(noisy, &noisy->places[i]) ? spans_of(&noisy->places[i]) : 0;
	if (spans == 0) {
		terminal_note(terminal, stdout, STYLE_DIM,
		              "no place is noisy: at least 1 %% of all spans, and tracing at least 1 %% of its median");
		return;
	}
	for (size_t i = 0; i < shown; i++)
		if (is_noisy(noisy, &noisy->places[i]))
			printf("  %s\n", mute_command(noisy, &noisy->places[i], text));
	terminal_note(
	    terminal, stdout, STYLE_PLAIN,
	    "muting these would save %.1f %% of all spans: about %s a second in the programs, %s in the agent, %s in the store",
	    100 * spans * STORE_WEIGHT_ONE / (double)noisy->count,
	    units_format_duration(per_second(noisy, spans * noisy->span_cost_ns), program),
	    units_format_duration(per_second(noisy, spans * noisy->agent_cost_ns), agent),
	    units_format_bytes(per_second(noisy, spans * noisy->stored_bytes), bytes));
	(void)putchar('\n');
}

static int print_table(const struct noisy *noisy, size_t shown) {
	static const struct table_column columns[] = {{"site", false, 0},    {"spans", true, 2},  {"spans/s", true, 0},
	                                              {"share", true, 1},    {"median", true, 0}, {"cost", true, 3},
	                                              {"of median", true, 0}};
	const struct terminal *terminal = &noisy->query.context->terminal;
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 20);
	char text[UNITS_TEXT_BYTES];
	char range[UNITS_TEXT_BYTES];
	for (size_t i = 0; i < shown; i++)
		add_row(noisy, &noisy->places[i], &table);
	int rc = table_print(&table, terminal, stdout);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	print_commands(noisy, shown);
	terminal_note(
	    terminal, stdout, STYLE_DIM,
	    "%s stored spans of %zu places in %s; a span takes %.3g ns in its program%s and is taken for %.3g ns "
	    "in the agent",
	    units_format_count(noisy->records, text), noisy->place_count,
	    units_format_duration((double)(noisy->end_ns - noisy->start_ns), range), noisy->span_cost_ns,
	    strcmp(noisy->span_cost_from, "store") == 0      ? " as the agent measured it there"
	    : strcmp(noisy->span_cost_from, "constant") == 0 ? ", an estimate,"
	                                                     : "",
	    noisy->agent_cost_ns);
	if (noisy->weighted)
		terminal_note(terminal, stdout, STYLE_DIM, "estimated by weight: tail keep left some out");
	if (noisy->open > 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "without %s that never ended: see spanring-analyze unfinished",
		              units_format_count(noisy->open, text));
	return 0;
}

static int print(const struct noisy *noisy) {
	const struct options *options = noisy->query.context->options;
	uint64_t limit = options->has_limit ? options->limit : options->json || options->csv ? 0 : LIMIT_DEFAULT;
	size_t shown = limit > 0 && limit < noisy->place_count ? (size_t)limit : noisy->place_count;
	bool empty = noisy->place_count == 0 && query_store_is_empty(&noisy->query);
	if (options->json)
		print_json(noisy, shown);
	else if (options->csv)
		print_csv(noisy, shown);
	else if (noisy->place_count > 0)
		return print_table(noisy, shown);
	else if (!empty)
		log_info(&noisy->query.context->log, "no stored span matches");
	return 0;
}

static int answer(struct noisy *noisy) {
	const struct context *context = noisy->query.context;
	int rc = call_keys_new(&noisy->query, CALL_BY_SITE, &noisy->keys);
	if (rc == 0) {
		noisy->places = calloc((size_t)noisy->keys.key_count, sizeof(*noisy->places));
		rc = noisy->places ? collect(noisy) : -ENOMEM;
		if (rc == 0) {
			sort(noisy);
			size_spans(noisy);
			rc = print(noisy);
		}
		quantiles_free(noisy->quantiles);
		free(noisy->places);
		call_keys_free(&noisy->keys);
	}
	return query_finish(&noisy->query, rc ? command_failed(context, rc, "counting spans") : EXIT_CODE_OK);
}

/* The newest that was measured. */
static void choose_costs(struct noisy *noisy, const struct option_given *given) {
	const struct store_overview *overview = noisy->query.overview;
	noisy->span_cost_ns = SPAN_COST_NS;
	noisy->span_cost_from = "constant";
	noisy->agent_cost_ns = AGENT_COST_NS;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_writer_cost *cost = &overview->segments[i].writer_cost;
		if (cost->rounds == 0)
			continue;
		noisy->span_cost_ns = (double)cost->figures[STORE_COST_SPAN].median_ps / 1000;
		noisy->span_cost_from = "store";
	}
	if (given[OWN_SPAN_COST].is_given) {
		noisy->span_cost_ns = (double)given[OWN_SPAN_COST].number;
		noisy->span_cost_from = "option";
	}
	if (given[OWN_AGENT_COST].is_given)
		noisy->agent_cost_ns = (double)given[OWN_AGENT_COST].number;
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	struct noisy noisy = {.strip = given[OWN_STRIP_DIRS].is_given};
	int code = query_open(&noisy.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	noisy.weighted = query_is_weighted(&noisy.query);
	choose_costs(&noisy, given);
	code = answer(&noisy);
	query_close(&noisy.query);
	return code;
}

const struct command command_noisy = {
    .name = "noisy",
    .summary = "places with many short spans, and what they cost",
    .help = help,
    .takes.allowed =
        OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT | OPTION_CSV,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};
