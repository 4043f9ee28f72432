/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram: how the durations of the spans that match are spread. Bars are steps of equal ratio, four to an octave (a factor of 2), so
 * that microseconds and seconds fit into one picture. The bins of histogram.h, of which 16 make a step, are added up: the counts are exact.
 */
#include "analyze/command.h"
#include "analyze/kernels/histogram.h"
#include "analyze/kernels/quantile.h"
#include "analyze/latency/heat.h"
#include "analyze/query.h"
#include "analyze/terminal/csv.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BINS 16u
#define STEPS (HISTOGRAM_BINS / STEP_BINS)
#define BAR_COLUMNS_MAX 50u
#define BARS_MAX 40u /* rows of a screen; a wider spread has wider bars */

static const char help[] = "  spanring-analyze histogram 'GET /users' STORE\n"
                           "  spanring-analyze histogram 'db.*' STORE --where 'status = error'\n"
                           "  spanring-analyze histogram checkout STORE --json\n"
                           "  spanring-analyze histogram checkout STORE --heatmap --since 1h\n"
                           "\n"
                           "How the durations of the spans with a name are spread: a bar for each step of\n"
                           "duration, four steps to a factor of 2 (fewer where they would be more than 40),\n"
                           "and beside it the percentiles that lie in it. NAME is a glob: '*' takes all.\n"
                           "Counts and percentiles (nearest rank) are exact, over the stored spans that\n"
                           "ended; spans count once each, whatever tail keep left out.\n"
                           "With --heatmap, when they were: time to the right, duration upwards.\n"
                           "\n"
                           "Options\n"
                           "  --heatmap        durations over time, shaded by how many spans started then\n"
                           "  --csv            a line of titles, then each step that has spans: from_ns,\n"
                           "                   to_ns, count\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n";

enum { OWN_HEAT_MAP };
static const struct option_own own[] = {[OWN_HEAT_MAP] = {"--heatmap", 0, OPTION_VALUE_NONE}};

struct spread {
	struct query query;
	struct histogram bins;
	struct quantiles *quantiles;
	uint64_t steps[STEPS];
	uint64_t count;
	uint64_t open;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t values[QUANTILE_COUNT];
};

static const char *const quantile_words[QUANTILE_COUNT] = {"p50", "p90", "p95", "p99", "p99.9"};
static const char *const quantile_keys[QUANTILE_COUNT] = {"p50_ns", "p90_ns", "p95_ns", "p99_ns", "p999_ns"};

static int first_pass(void *context, const struct store_columns *columns) {
	struct spread *spread = context;
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		uint64_t duration_ns = columns->duration_ns[row];
		if (!query_accepts(&spread->query, columns, row))
			continue;
		if (query_is_open(columns, row)) {
			spread->open++;
			continue;
		}
		if (spread->count++ == 0 || duration_ns < spread->min_ns)
			spread->min_ns = duration_ns;
		if (duration_ns > spread->max_ns)
			spread->max_ns = duration_ns;
		spread->steps[histogram_bin(duration_ns) / STEP_BINS]++;
		rc = quantiles_observe(spread->quantiles, 0, duration_ns);
	}
	return rc;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct spread *spread = context;
	for (uint32_t row = 0; row < columns->span_count; row++)
		if (!query_is_open(columns, row) && query_accepts(&spread->query, columns, row))
			quantiles_refine(spread->quantiles, 0, columns->duration_ns[row]);
	return 0;
}

static int collect(struct spread *spread) {
	struct query_scan scan = {.columns = STORE_COLUMN_DURATION | query_open_column(&spread->query),
	                          .on_batch = first_pass,
	                          .context = spread};
	int rc = quantiles_new(1, QUANTILE_BUDGET_BYTES, &spread->quantiles);
	if (rc == 0)
		rc = query_scan(&spread->query, &scan);
	scan.on_batch = later_pass;
	while (rc == 0 && (rc = quantiles_next_pass(spread->quantiles)) > 0)
		rc = query_scan(&spread->query, &scan);
	for (unsigned q = 0; q < QUANTILE_COUNT && rc == 0 && spread->count; q++)
		spread->values[q] = quantiles_value(spread->quantiles, 0, (enum quantile)q);
	return rc;
}

static uint64_t low_of(uint32_t step) {
	return histogram_bin_low(step * STEP_BINS);
}

static uint64_t high_of(uint32_t step) {
	return histogram_bin_high(step * STEP_BINS + STEP_BINS - 1);
}

static void print_json(const struct spread *spread) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "histogram/1");
	json_u64(&json, "count", spread->count);
	json_u64(&json, "unfinished", spread->open);
	json_u64(&json, "min_ns", spread->min_ns);
	for (unsigned q = 0; q < QUANTILE_COUNT; q++)
		json_u64(&json, quantile_keys[q], spread->values[q]);
	json_u64(&json, "max_ns", spread->max_ns);
	json_open(&json, "steps", '[');
	for (uint32_t step = 0; step < STEPS; step++) {
		if (spread->steps[step] == 0)
			continue;
		json_open(&json, NULL, '{');
		json_u64(&json, "from_ns", low_of(step));
		json_u64(&json, "to_ns", high_of(step));
		json_u64(&json, "count", spread->steps[step]);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_csv(const struct spread *spread) {
	struct csv csv = {.out = stdout};
	csv_head(&csv, "from_ns,to_ns,count");
	for (uint32_t step = 0; step < STEPS; step++) {
		if (spread->steps[step] == 0)
			continue;
		csv_u64(&csv, low_of(step));
		csv_u64(&csv, high_of(step));
		csv_u64(&csv, spread->steps[step]);
		csv_end(&csv);
	}
}

/* Eighths of a column where the terminal has them; what is there at all is seen. */
static void print_bar(const struct terminal *terminal, uint64_t count, uint64_t most, unsigned columns) {
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	uint64_t parts = (uint64_t)((long double)count / (long double)most * (columns * 8u) + 0.5L);
	if (count > 0 && parts == 0)
		parts = 1;
	(void)fputs(terminal_style(terminal, STYLE_CYAN), stdout);
	for (uint64_t i = 0; i < parts / 8; i++)
		(void)fputs(terminal->utf8 ? "█" : "#", stdout);
	if (terminal->utf8)
		(void)fputs(eighths[parts % 8], stdout);
	else if (parts > 0 && parts < 8)
		(void)fputs(".", stdout);
	(void)fputs(terminal_style(terminal, STYLE_PLAIN), stdout);
}

static void print_marks(const struct spread *spread, uint64_t low_ns, uint64_t high_ns) {
	for (unsigned q = 0; q < QUANTILE_COUNT; q++) {
		char text[UNITS_TEXT_BYTES];
		if (spread->values[q] >= low_ns && spread->values[q] <= high_ns)
			printf("  %s %s", quantile_words[q], units_format_duration((double)spread->values[q], text));
	}
}

/* Bars of `width` steps each, so that they are not more than fit on a screen. */
struct bars {
	uint32_t first;
	uint32_t count;
	uint32_t width;
	uint64_t most;
};

static uint64_t count_of(const struct spread *spread, const struct bars *bars, uint32_t bar) {
	uint64_t count = 0;
	for (uint32_t i = 0; i < bars->width; i++) {
		uint32_t step = bars->first + bar * bars->width + i;
		count += step < STEPS ? spread->steps[step] : 0;
	}
	return count;
}

static struct bars choose_bars(const struct spread *spread) {
	uint32_t last = histogram_bin(spread->max_ns) / STEP_BINS;
	struct bars bars = {.first = histogram_bin(spread->min_ns) / STEP_BINS, .width = 1};
	while ((last - bars.first) / bars.width >= BARS_MAX)
		bars.width *= 2;
	bars.first -= bars.first % bars.width;
	bars.count = (last - bars.first) / bars.width + 1;
	for (uint32_t bar = 0; bar < bars.count; bar++) {
		uint64_t count = count_of(spread, &bars, bar);
		bars.most = count > bars.most ? count : bars.most;
	}
	return bars;
}

static void print_bars(const struct spread *spread) {
	const struct terminal *terminal = &spread->query.context->terminal;
	struct bars bars = choose_bars(spread);
	char text[UNITS_TEXT_BYTES];
	char other[UNITS_TEXT_BYTES];
	unsigned columns = terminal->width == TERMINAL_WIDTH_UNLIMITED ? BAR_COLUMNS_MAX : terminal->width / 2;
	if (columns > BAR_COLUMNS_MAX)
		columns = BAR_COLUMNS_MAX;
	for (uint32_t bar = 0; bar < bars.count; bar++) {
		uint32_t step = bars.first + bar * bars.width;
		uint32_t end = step + bars.width - 1 < STEPS ? step + bars.width - 1 : STEPS - 1;
		uint64_t count = count_of(spread, &bars, bar);
		printf("%9s  %12s", units_format_duration((double)low_of(step), text),
		       units_format_count(count, other));
		if (count > 0) {
			(void)fputs("  ", stdout);
			print_bar(terminal, count, bars.most, columns);
			print_marks(spread, low_of(step), high_of(end));
		}
		(void)putchar('\n');
	}
	(void)putchar('\n');
	terminal_note(terminal, stdout, STYLE_DIM,
	              "%s %s that ended and %s, exact; each bar begins at the duration before it",
	              units_format_count(spread->count, text), spread->count == 1 ? "span" : "spans",
	              spread->count == 1 ? "matches" : "match");
	if (spread->open > 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "without %s that never ended: see spanring-analyze unfinished",
		              units_format_count(spread->open, text));
}

static int answer(struct spread *spread) {
	const struct context *context = spread->query.context;
	int rc = collect(spread);
	if (rc != 0)
		return command_failed(context, rc, "reading durations");
	bool empty = query_store_is_empty(&spread->query);
	if (context->options->json)
		print_json(spread);
	else if (context->options->csv)
		print_csv(spread);
	else if (spread->count > 0)
		print_bars(spread);
	else if (!empty)
		query_say_no_match(&spread->query, "matches");
	return EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct spread *spread = calloc(1, sizeof(*spread));
	if (!spread)
		return command_failed(context, -ENOMEM, "reading durations");
	int code = query_open(&spread->query, context);
	if (code == EXIT_CODE_OK) {
		bool heat = context->options->own[OWN_HEAT_MAP].is_given;
		code = query_finish(&spread->query, heat ? heat_answer(&spread->query) : answer(spread));
		query_close(&spread->query);
	}
	quantiles_free(spread->quantiles);
	free(spread);
	return code;
}

const struct command command_histogram = {
    .name = "histogram",
    .summary = "how the durations of a name are spread, as bars",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_WHERE | OPTION_NAME_WORD | OPTION_CSV,
    .takes.own = own,
    .takes.own_count = sizeof(own) / sizeof(own[0]),
    .run = run,
};
