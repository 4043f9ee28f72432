/* SPDX-License-Identifier: Apache-2.0 */
#include "soak_report.h"

#include "base/units.h"
#include "bench/report.h"

#include <inttypes.h>
#include <string.h>

#define SCHEMA "bench-soak/1"
#define TITLE "Programs that come and go, the agent beside them, the store kept small"
#define PER_HOUR 3600.0

const enum soak_figure soak_watched_figures[SOAK_WATCHED_COUNT] = {[SOAK_WATCHED_RSS] = SOAK_AGENT_RSS,
                                                                   [SOAK_WATCHED_DESCRIPTORS] = SOAK_AGENT_DESCRIPTORS,
                                                                   [SOAK_WATCHED_WRITER] = SOAK_WRITER_RSS};
const double soak_watched_tolerances[SOAK_WATCHED_COUNT] = {
    [SOAK_WATCHED_RSS] = 512 << 10, [SOAK_WATCHED_DESCRIPTORS] = 2, [SOAK_WATCHED_WRITER] = 256 << 10};

static const char *const watched_labels[SOAK_WATCHED_COUNT] = {[SOAK_WATCHED_RSS] = "agent RSS",
                                                               [SOAK_WATCHED_DESCRIPTORS] = "agent descriptors",
                                                               [SOAK_WATCHED_WRITER] = "long-lived writer RSS"};

static void tell_facts(struct report *report, const struct bench_options *options, uint64_t seed) {
	const struct soak_plan *plan = &options->soak;
	char text[64], low[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
	(void)snprintf(text, sizeof(text), "%" PRIu64, seed);
	report_fact(report, "seed", "seed", text);
	(void)snprintf(text, sizeof(text), "%" PRIu64, plan->rate);
	report_fact(report, "spans_per_s_wanted", "spans/s wanted", text);
	(void)snprintf(text, sizeof(text), "%" PRIu64, plan->programs);
	report_fact(report, "programs", "programs", text);
	(void)snprintf(text, sizeof(text), "%s to %s", units_format_duration((double)plan->life_min_ns, low),
	               units_format_duration((double)plan->life_max_ns, high));
	report_fact(report, "lives", "lives", text);
	report_fact(report, "duration", "duration", units_format_duration((double)plan->duration_ns, text));
}

void soak_report_head(const struct bench_options *options, uint64_t seed) {
	struct report report = report_begin(RESULT_TEXT, SCHEMA, TITLE);
	tell_facts(&report, options, seed);
	(void)putchar('\n');
	for (uint32_t i = 0; i < SOAK_FIGURES; i++)
		if (soak_figure_lines[i].label)
			(void)printf("%*s", soak_figure_lines[i].width, soak_figure_lines[i].label);
	(void)putchar('\n');
	(void)fflush(stdout);
}

void soak_report_look(const struct soak_look *look) {
	for (uint32_t i = 0; i < SOAK_FIGURES; i++) {
		const struct soak_figure_line *line = &soak_figure_lines[i];
		if (line->label)
			(void)printf("%*.*f", line->width, line->digits, look->values[i] / line->unit);
	}
	(void)putchar('\n');
	(void)fflush(stdout);
}

void soak_report_csv_head(FILE *file) {
	for (uint32_t i = 0; i < SOAK_FIGURES; i++)
		(void)fprintf(file, "%s%s", i ? "," : "", soak_figure_lines[i].key);
	(void)fputc('\n', file);
	(void)fflush(file);
}

void soak_report_csv_look(FILE *file, const struct soak_look *look) {
	for (uint32_t i = 0; i < SOAK_FIGURES; i++)
		(void)fprintf(file, "%s%.*f", i ? "," : "", i == SOAK_SECONDS || i == SOAK_AGENT_CPU ? 3 : 0,
		              look->values[i]);
	(void)fputc('\n', file);
	(void)fflush(file);
}

static void write_trend(struct json *json, uint32_t which, const struct trend *trend) {
	bool has_line = trend->verdict != TREND_SHORT;
	json_open(json, soak_figure_lines[soak_watched_figures[which]].key, '{');
	json_u64(json, "points", trend->points);
	json_f64(json, "first", trend->first);
	json_f64(json, "last", trend->last);
	if (has_line) {
		json_f64(json, "slope_per_hour", trend->slope * PER_HOUR);
		json_f64(json, "slope_per_hour_low", trend->slope_low * PER_HOUR);
		json_f64(json, "slope_per_hour_high", trend->slope_high * PER_HOUR);
	} else {
		json_null(json, "slope_per_hour");
		json_null(json, "slope_per_hour_low");
		json_null(json, "slope_per_hour_high");
	}
	json_text(json, "verdict", trend_verdict_names[trend->verdict]);
	json_close(json);
}

static void write_books(struct json *json, const struct soak_books *books) {
	json_open(json, "books", '{');
	json_u64(json, "begun", books->begun);
	json_u64(json, "begun_low", books->begun_low);
	json_u64(json, "begun_high", books->begun_high);
	json_u64(json, "ended", books->ended);
	json_u64(json, "ended_low", books->ended_low);
	json_u64(json, "ended_high", books->ended_high);
	json_u64(json, "open", books->open);
	json_u64(json, "unfinished", books->unfinished);
	json_u64(json, "stored", books->stored);
	json_u64(json, "evicted", books->evicted);
	json_u64(json, "dropped", books->dropped);
	json_u64(json, "lost", books->lost);
	json_bool(json, "balanced", books->audit_balances);
	json_bool(json, "accounted", books->is_whole);
	json_close(json);
}

static int write_json(const struct bench_options *options, const struct soak_look *looks, size_t count,
                      const struct soak_result *result) {
	struct report report = report_begin(RESULT_JSON, SCHEMA, TITLE);
	struct json *json = &report.json;
	tell_facts(&report, options, result->seed);
	json_close(json);
	json_open(json, "samples", '[');
	for (size_t i = 0; i < count; i++) {
		json_open(json, NULL, '{');
		for (uint32_t figure = 0; figure < SOAK_FIGURES; figure++)
			json_f64(json, soak_figure_lines[figure].key, looks[i].values[figure]);
		json_close(json);
	}
	json_close(json);
	json_open(json, "trends", '{');
	for (uint32_t i = 0; i < SOAK_WATCHED_COUNT; i++)
		write_trend(json, i, &result->trends[i]);
	json_close(json);
	write_books(json, &result->books);
	json_f64(json, "seconds", result->seconds);
	json_u64(json, "programs_started", result->programs_started);
	json_u64(json, "programs_killed", result->programs_killed);
	json_u64(json, "ring_directories_left", result->directories_left);
	json_f64(json, "span_p50_ns", result->latency_ns[0]);
	json_f64(json, "span_p99_ns", result->latency_ns[1]);
	json_f64(json, "span_p999_ns", result->latency_ns[2]);
	json_bool(json, "passed", result->is_fine);
	json_close(json);
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

static void print_trend(uint32_t which, const struct trend *trend) {
	const struct soak_figure_line *line = &soak_figure_lines[soak_watched_figures[which]];
	const char *unit = line->unit > 1 ? " MiB" : "";
	if (trend->verdict == TREND_SHORT) {
		(void)printf("%-22s %s\n", watched_labels[which], trend_verdict_names[trend->verdict]);
		return;
	}
	(void)printf("%-22s %.2f to %.2f%s, %+.3f%s an hour (95 %%: %+.3f to %+.3f), %s\n", watched_labels[which],
	             trend->first / line->unit, trend->last / line->unit, unit, trend->slope * PER_HOUR / line->unit,
	             unit, trend->slope_low * PER_HOUR / line->unit, trend->slope_high * PER_HOUR / line->unit,
	             trend_verdict_names[trend->verdict]);
}

static int print_result(const struct soak_result *result) {
	const struct soak_books *books = &result->books;
	(void)putchar('\n');
	for (uint32_t i = 0; i < SOAK_WATCHED_COUNT; i++)
		print_trend(i, &result->trends[i]);
	(void)printf("%-22s p50 %.0f, p99 %.0f, p99.9 %.0f ns (with two readings of the counter)\n", "begin and end",
	             result->latency_ns[0], result->latency_ns[1], result->latency_ns[2]);
	(void)printf("%-22s %" PRIu64 " started, %" PRIu64 " of them killed; %u directories left behind\n", "programs",
	             result->programs_started, result->programs_killed, result->directories_left);
	(void)printf("%-22s %" PRIu64 " (the programs say %" PRIu64 " to %" PRIu64 ")\n", "begun", books->begun,
	             books->begun_low, books->begun_high);
	(void)printf("%-22s %" PRIu64 " (the programs say %" PRIu64 " to %" PRIu64 "); open %" PRIu64 "\n", "ended",
	             books->ended, books->ended_low, books->ended_high, books->open);
	(void)printf("%-22s stored %" PRIu64 ", evicted %" PRIu64 ", dropped %" PRIu64 ", lost %" PRIu64 "; audit %s\n",
	             "of these", books->stored, books->evicted, books->dropped, books->lost,
	             books->audit_balances ? "balanced" : "NOT balanced");
	(void)printf("%-22s %s\n", "verdict", result->is_fine ? "passed" : "FAILED");
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

int soak_report_result(const struct bench_options *options, const struct soak_look *looks, size_t count,
                       const struct soak_result *result) {
	return options->format == RESULT_JSON ? write_json(options, looks, count, result) : print_result(result);
}
