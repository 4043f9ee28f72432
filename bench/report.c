/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "bench/floors/topology.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static void report_machine(struct report *report) {
	char text[MACHINE_TEXT_BYTES];
	struct utsname name;
	machine_read_line("/proc/cpuinfo", "model name", text);
	report_fact(report, "processor", "processor", text);
	(void)snprintf(text, sizeof(text), "%u", topology_core_count());
	report_fact(report, "cores", "cores", text);
	(void)snprintf(text, sizeof(text), "%s", uname(&name) == 0 ? name.release : "unknown");
	report_fact(report, "kernel", "kernel", text);
	machine_read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL, text);
	report_fact(report, "clock_source", "clock source", text);
}

struct report report_begin(enum result_format format, const char *schema, const char *title) {
	struct report report = {.format = format};
	if (format == RESULT_JSON) {
		report.json = json_begin(stdout);
		json_open(&report.json, NULL, '{');
		json_text(&report.json, "schema", schema);
		json_open(&report.json, "environment", '{');
	} else if (format != RESULT_CSV) {
		(void)printf("%s\n\n", title);
	}
	report_machine(&report);
	return report;
}

void report_fact(struct report *report, const char *key, const char *label, const char *value) {
	if (report->format == RESULT_JSON)
		json_text(&report->json, key, value);
	else if (report->format == RESULT_TEXT)
		(void)printf("%-14s %s\n", label, value);
	else if (report->format == RESULT_MARKDOWN)
		(void)printf("- %s: %s\n", label, value);
}

void report_figures_begin(struct report *report) {
	switch (report->format) {
	case RESULT_JSON:
		json_close(&report->json);
		json_open(&report->json, "figures", '{');
		break;
	case RESULT_TEXT:
		(void)printf("\n%-48s %12s %12s %12s  %s\n", "figure", "median", "min", "max", "unit");
		break;
	case RESULT_CSV:
		(void)puts("figure,unit,median,min,max,runs,bar");
		break;
	case RESULT_MARKDOWN:
		(void)puts("\n| figure | median | min | max | unit | bar |\n|---|---|---|---|---|---|");
		break;
	}
}

/* Four significant digits, and no exponent for anything that is measured here. */
static const char *number(double value, char ret_text[32]) {
	if (isnan(value))
		(void)snprintf(ret_text, 32, "-");
	else
		(void)snprintf(ret_text, 32, "%.*f", value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3, value);
	return ret_text;
}

static void json_figure(struct json *json, const struct report_line *line, const struct measure *measure,
                        const struct measure_summary *summary) {
	json_open(json, line->key, '{');
	json_f64(json, "median", summary->median);
	json_f64(json, "min", summary->min);
	json_f64(json, "max", summary->max);
	json_f64(json, "spread", summary->spread);
	json_u64(json, "runs", measure->count);
	if (line->bar)
		json_f64(json, "bar", strtod(line->bar, NULL));
	json_close(json);
}

/* Nothing where nothing was measured. */
static const char *csv_number(double value, char ret_text[32]) {
	(void)snprintf(ret_text, 32, "%.9g", value);
	return isnan(value) ? "" : ret_text;
}

void report_figure(struct report *report, const struct report_line *line, const struct measure *measure) {
	struct measure_summary summary = measure_summarise(measure);
	const char *bar = line->bar ? line->bar : "";
	char median[32], min[32], max[32];
	switch (report->format) {
	case RESULT_JSON:
		json_figure(&report->json, line, measure, &summary);
		break;
	case RESULT_TEXT:
		(void)printf("%-48s %12s %12s %12s  %s%s%s\n", line->label, number(summary.median, median),
		             number(summary.min, min), number(summary.max, max), line->unit, *bar ? "  bar " : "", bar);
		break;
	case RESULT_CSV:
		(void)printf("%s,%s,%s,%s,%s,%u,%s\n", line->key, line->unit, csv_number(summary.median, median),
		             csv_number(summary.min, min), csv_number(summary.max, max), measure->count, bar);
		break;
	case RESULT_MARKDOWN:
		(void)printf("| %s | %s | %s | %s | %s | %s |\n", line->label + strspn(line->label, " "),
		             number(summary.median, median), number(summary.min, min), number(summary.max, max),
		             line->unit, bar);
		break;
	}
}

int report_end(struct report *report, const char *note) {
	if (report->format == RESULT_JSON) {
		json_close(&report->json);
		json_close(&report->json);
	} else if (note && report->format != RESULT_CSV) {
		(void)printf("\n%s\n", note);
	}
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}
