/* SPDX-License-Identifier: Apache-2.0 */
#include "baseline.h"

#include "analyze/kernels/student.h"

#include "base/errs.h"
#include "base/json.h"
#include "baseline_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const change_metric_words[CHANGE_METRICS + 1] = {"p50",  "p95",    "p99",  "mean",
                                                             "self", "errors", "heap", NULL};
const char *const change_metric_keys[CHANGE_METRICS] = {"p50_ns",  "p95_ns",      "p99_ns",    "mean_ns",
                                                        "self_ns", "error_share", "heap_bytes"};
const char *const baseline_text_keys[BASELINE_TEXTS] = {"spanring", "commit", "build", "host", "cpu", "kernel"};
const char *const baseline_kind_words[] = {"none", "quantile", "mean", "share"};

void baseline_done(struct baseline *baseline) {
	for (unsigned i = 0; i < BASELINE_TEXTS; i++)
		free(baseline->texts[i]);
	for (size_t i = 0; i < baseline->name_count; i++) {
		free(baseline->names[i].text);
		grid_clear(&baseline->names[i].weights);
	}
	free(baseline->names);
	memset(baseline, 0, sizeof(*baseline));
}

const struct baseline_name *baseline_find(const struct baseline *baseline, const char *text) {
	size_t low = 0;
	size_t high = baseline->name_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(baseline->names[middle].text, text);
		if (order == 0)
			return &baseline->names[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void put_text(FILE *out, const char *text) {
	char escaped[6 * BASELINE_TEXT_BYTES_MAX + 1];
	(void)json_escape(text, strlen(text), escaped, sizeof(escaped));
	(void)fprintf(out, "\"%s\"", escaped);
}

/* Whole numbers as such, else as many digits as tell doubles apart. */
static void put_number(FILE *out, const char *key, double value) {
	if (isfinite(value))
		(void)fprintf(out, ", \"%s\": %.15g", key, value);
	else
		(void)fprintf(out, ", \"%s\": null", key);
}

static void write_figure(const struct measured *measured, unsigned metric, bool *comma, FILE *out) {
	if (!(measured->records > 0))
		return;
	(void)fprintf(out, "%s\n      \"%s\": {\"direction\": \"lower\", \"known\": \"%s\"", *comma ? "," : "",
	              change_metric_keys[metric], baseline_kind_words[measured->kind]);
	put_number(out, "value", measured->value);
	put_number(out, "records", measured->records);
	if (measured->kind == MEASURED_QUANTILE || measured->kind == MEASURED_SHARE)
		put_number(out, "effective", measured->effective);
	if (measured->kind == MEASURED_MEAN)
		put_number(out, "error", measured->error);
	if (measured->kind != MEASURED_NOTHING)
		put_number(out, "freedom", measured->freedom);
	(void)fputc('}', out);
	*comma = true;
}

/* A line for each octave: its number, then place in it and weight. */
static void write_sketch(const struct grid *grid, const struct grid_weights *weights, FILE *out) {
	bool comma = false;
	(void)fputs(",\n      \"sketch\": {", out);
	for (uint32_t group = 0; group < GRID_GROUPS; group++) {
		double before = weights->before[group];
		bool inner = false;
		if (!weights->groups[group] || !(weights->before[group + 1] > before))
			continue;
		(void)fprintf(out, "%s\n        \"%u\": [", comma ? "," : "", group);
		for (uint32_t place = 0; place < 1u << grid->bits; place++) {
			double up_to = weights->groups[group][place];
			if (up_to > before) {
				(void)fprintf(out, "%s[%u, %.10g]", inner ? ", " : "", place, up_to - before);
				inner = true;
			}
			before = up_to;
		}
		(void)fputc(']', out);
		comma = true;
	}
	(void)fputs("\n      }", out);
}

static void write_name(const struct baseline *baseline, const struct baseline_name *name, FILE *out) {
	bool comma = true;
	(void)fputs("    {\n      \"name\": ", out);
	put_text(out, name->text);
	(void)fprintf(out, ",\n      \"count\": %llu,\n      \"drift\": %.6g", (unsigned long long)name->count,
	              name->drift);
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++)
		write_figure(&name->figures[metric], metric, &comma, out);
	write_sketch(&baseline->grid, &name->weights, out);
	(void)fputs("\n    }", out);
}

void baseline_write(const struct baseline *baseline, FILE *out) {
	(void)fprintf(out, "{\n  \"schema\": \"%s\"", BASELINE_SCHEMA);
	for (unsigned i = 0; i < BASELINE_TEXTS; i++) {
		(void)fprintf(out, ",\n  \"%s\": ", baseline_text_keys[i]);
		put_text(out, baseline->texts[i] ? baseline->texts[i] : "");
	}
	(void)fprintf(out, ",\n  \"cores\": %llu,\n  \"created_wall_ns\": %llu,\n  \"method\": \"%s\"",
	              (unsigned long long)baseline->cores, (unsigned long long)baseline->created_wall_ns,
	              baseline->is_sketch ? "sketch" : "exact");
	(void)fprintf(out, ",\n  \"bins_per_octave\": %u,\n  \"ns_per_tick\": %.17g,\n  \"names\": [",
	              1u << baseline->grid.bits, baseline->grid.ns_per_tick);
	for (size_t i = 0; i < baseline->name_count; i++) {
		(void)fputs(i ? ",\n" : "\n", out);
		write_name(baseline, &baseline->names[i], out);
	}
	(void)fputs(baseline->name_count ? "\n  ]\n}\n" : "]\n}\n", out);
}
