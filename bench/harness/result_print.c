/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include "base/json.h"
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NUMBER_BYTES UNITS_TEXT_BYTES
#define LINE_COLUMNS 80u

/* Four significant digits in the unit of the row, nanoseconds and bytes in a handy one. */
static const char *number(const char *unit, double value, char ret_text[NUMBER_BYTES]) {
	if (isnan(value))
		(void)snprintf(ret_text, NUMBER_BYTES, "-");
	else if (strcmp(unit, "ns") == 0 && value >= 0 && value < 999.5)
		(void)snprintf(ret_text, NUMBER_BYTES, "%.3g ns", value);
	else if (strcmp(unit, "ns") == 0 && value >= 0)
		return units_format_duration(value, ret_text);
	else if (strcmp(unit, "bytes") == 0 && value >= 0 && value < 999.5)
		(void)snprintf(ret_text, NUMBER_BYTES, "%.3g B", value);
	else if (strcmp(unit, "bytes") == 0 && value >= 0)
		return units_format_bytes(value, ret_text);
	else if (strcmp(unit, "1/s") == 0 && value >= 100 && value < 1e15)
		(void)snprintf(ret_text, NUMBER_BYTES, "%s/s",
		               units_format_count((uint64_t)value, (char[NUMBER_BYTES]){0}));
	else
		(void)snprintf(ret_text, NUMBER_BYTES, "%.4g%s%s", value, *unit ? " " : "", unit);
	return ret_text;
}

static const char *direction_word(enum result_direction direction) {
	static const char *const words[] = {
	    [RESULT_LOWER_IS_BETTER] = "lower", [RESULT_HIGHER_IS_BETTER] = "higher", [RESULT_NEITHER] = "neither"};
	return words[direction];
}

/* ---- text */

/* One after the other, as many as a line holds. */
static void text_facts(const struct result *result, FILE *file) {
	size_t used = 0;
	for (uint32_t i = 0; i < result->fact_count; i++) {
		const struct result_fact *fact = &result->facts[i];
		size_t bytes = strlen(fact->key) + 1 + strlen(fact->value);
		bool fits = used + 2 + bytes <= LINE_COLUMNS;
		(void)fprintf(file, "%s%s %s", i == 0 ? "" : fits ? ", " : ",\n", fact->key, fact->value);
		used = fits ? used + 2 + bytes : bytes;
	}
}

static void text_machine(const struct result *result, FILE *file) {
	const struct machine *machine = &result->machine;
	(void)fprintf(file, "%s, %" PRIu32 " core%s, kernel %s, clock %s", machine->processor, machine->cores,
	              machine->cores == 1 ? "" : "s", machine->kernel, machine->clock_source);
	(void)fprintf(file, "\nping-pong %.0f ns", machine->ping_pong_ns);
	if (!isnan(machine->frequency_mhz))
		(void)fprintf(file, ", %.0f MHz", machine->frequency_mhz);
	if (!isnan(machine->steal_percent))
		(void)fprintf(file, ", steal %.1f %%, load %.0f %%", machine->steal_percent, machine->load_percent);
	(void)fputc('\n', file);
	text_facts(result, file);
	(void)fputs(result->fact_count ? "\n\n" : "\n", file);
}

/* 80 columns, unless a name is long. */
static int name_width(const struct result *result) {
	size_t width = 22;
	for (uint32_t i = 0; i < result->row_count; i++)
		width = strlen(result->rows[i]->name) > width ? strlen(result->rows[i]->name) : width;
	return (int)width;
}

static void text_rows(const struct result *result, FILE *file) {
	uint32_t outliers = 0;
	if (result->row_count == 0)
		return;
	int width = name_width(result);
	(void)fprintf(file, "%-*s %11s  %-22s %9s %9s\n", width, "", "median", "95 % of it", "p95", "p99");
	for (uint32_t i = 0; i < result->row_count; i++) {
		const struct result_row *row = result->rows[i];
		struct samples_summary s;
		char text[5][NUMBER_BYTES];
		char range[2 * NUMBER_BYTES + 4];
		samples_summarise(&row->samples, &s);
		if (s.count > 1)
			(void)snprintf(range, sizeof(range), "%s to %s", number(row->unit, s.median_low, text[0]),
			               number(row->unit, s.median_high, text[1]));
		else
			(void)snprintf(range, sizeof(range), "(one sample)");
		(void)fprintf(file, "%-*s %11s  %-22s %9s %9s\n", width, row->name,
		              number(row->unit, s.median, text[2]), range, number(row->unit, s.p95, text[3]),
		              number(row->unit, s.p99, text[4]));
		outliers += s.outliers;
	}
	if (outliers > 0)
		(void)fprintf(file, "%" PRIu32 " sample%s far out: something else ran meanwhile\n", outliers,
		              outliers == 1 ? "" : "s");
}

static void text_gates(const struct result *result, FILE *file) {
	if (result->gate_count)
		(void)fprintf(file, "\n%-30s %12s %12s %12s\n", "gate", "", "good", "red flag");
	for (uint32_t i = 0; i < result->gate_count; i++) {
		const struct result_gate *gate = &result->gates[i];
		char value[NUMBER_BYTES], good[NUMBER_BYTES], red[NUMBER_BYTES];
		(void)fprintf(file, "%-30s %12s %12s %12s  %s\n", gate->name, number(gate->unit, gate->value, value),
		              number(gate->unit, gate->good, good), number(gate->unit, gate->red_flag, red),
		              result_state_text(result_gate_state(gate)));
	}
}

static void print_text(const struct result *result, FILE *file) {
	(void)fprintf(file, "spanring-bench %s\n", result->command);
	text_machine(result, file);
	text_rows(result, file);
	text_gates(result, file);
}

/* ---- JSON */

static void json_machine(struct json *json, const struct result *result) {
	const struct machine *machine = &result->machine;
	json_open(json, "machine", '{');
	json_text(json, "fingerprint", result->fingerprint);
	json_text(json, "processor", machine->processor);
	json_u64(json, "cores", machine->cores);
	json_text(json, "kernel", machine->kernel);
	json_text(json, "clock_source", machine->clock_source);
	json_text(json, "governor", machine->governor);
	json_f64(json, "frequency_mhz", machine->frequency_mhz);
	json_f64(json, "ping_pong_ns", machine->ping_pong_ns);
	json_f64(json, "steal_percent", machine->steal_percent);
	json_f64(json, "load_percent", machine->load_percent);
	json_close(json);
}

static void json_row(struct json *json, const struct result_row *row) {
	struct samples_summary s;
	samples_summarise(&row->samples, &s);
	json_open(json, NULL, '{');
	json_text(json, "name", row->name);
	json_text(json, "unit", row->unit);
	json_text(json, "better", direction_word(row->direction));
	json_f64(json, "median", s.median);
	json_f64(json, "median_low", s.median_low);
	json_f64(json, "median_high", s.median_high);
	json_f64(json, "mean", s.mean);
	json_f64(json, "stddev", s.stddev);
	json_f64(json, "min", s.min);
	json_f64(json, "max", s.max);
	json_f64(json, "p95", s.p95);
	json_f64(json, "p99", s.p99);
	json_u64(json, "outliers", s.outliers);
	json_open(json, "samples", '[');
	for (uint32_t i = 0; i < row->samples.count; i++)
		json_f64(json, NULL, row->samples.values[i]);
	json_close(json);
	json_close(json);
}

static void json_gate(struct json *json, const struct result_gate *gate) {
	json_open(json, NULL, '{');
	json_text(json, "name", gate->name);
	json_text(json, "unit", gate->unit);
	json_f64(json, "value", gate->value);
	json_f64(json, "good", gate->good);
	json_f64(json, "red_flag", gate->red_flag);
	json_text(json, "better", gate->higher_is_better ? "higher" : "lower");
	json_text(json, "state", result_state_text(result_gate_state(gate)));
	json_close(json);
}

static void print_json(const struct result *result, FILE *file) {
	struct json json = json_begin(file);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", RESULT_SCHEMA);
	json_text(&json, "command", result->command);
	json_text(&json, "version", result->version);
	json_u64(&json, "time_wall_ns", result->time_wall_ns);
	json_machine(&json, result);
	json_open(&json, "facts", '{');
	for (uint32_t i = 0; i < result->fact_count; i++)
		json_text(&json, result->facts[i].key, result->facts[i].value);
	json_close(&json);
	json_open(&json, "results", '[');
	for (uint32_t i = 0; i < result->row_count; i++)
		json_row(&json, result->rows[i]);
	json_close(&json);
	json_open(&json, "gates", '[');
	for (uint32_t i = 0; i < result->gate_count; i++)
		json_gate(&json, &result->gates[i]);
	json_close(&json);
	json_close(&json);
}

/* ---- CSV and Markdown: the same columns */

static void print_columns(const struct result *result, FILE *file, const char *before, const char *between,
                          const char *after) {
	for (uint32_t i = 0; i < result->row_count; i++) {
		const struct result_row *row = result->rows[i];
		struct samples_summary s;
		samples_summarise(&row->samples, &s);
		(void)fprintf(file, "%s%s%s%s", before, row->name, between, row->unit);
		const double values[] = {s.median, s.median_low, s.median_high, s.mean, s.stddev,
		                         s.min,    s.p95,        s.p99,         s.max};
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
			if (isnan(values[v]))
				(void)fputs(between, file);
			else
				(void)fprintf(file, "%s%.6g", between, values[v]);
		(void)fprintf(file, "%s%" PRIu32 "%s\n", between, s.count, after);
	}
}

static void print_csv(const struct result *result, FILE *file) {
	(void)fputs("name,unit,median,median_low,median_high,mean,stddev,min,p95,p99,max,samples\n", file);
	print_columns(result, file, "", ",", "");
}

static void print_markdown(const struct result *result, FILE *file) {
	(void)fprintf(file,
	              "`spanring-bench %s`, %s, %" PRIu32 " cores, kernel %s\n\n"
	              "| figure | unit | median | low | high | mean | std dev | min | p95 | p99 | max | samples |\n"
	              "|---|---|---|---|---|---|---|---|---|---|---|---|\n",
	              result->command, result->machine.processor, result->machine.cores, result->machine.kernel);
	print_columns(result, file, "| ", " | ", " |");
}

int result_print(struct result *result, enum result_format format, FILE *file) {
	machine_finish(&result->machine);
	switch (format) {
	case RESULT_TEXT:
		print_text(result, file);
		break;
	case RESULT_JSON:
		print_json(result, file);
		break;
	case RESULT_CSV:
		print_csv(result, file);
		break;
	case RESULT_MARKDOWN:
		print_markdown(result, file);
		break;
	}
	return fflush(file) != 0 || ferror(file) ? -EIO : 0;
}
