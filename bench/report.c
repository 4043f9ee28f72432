/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "base/cleanup.h"
#include "bench/floors/topology.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define FACT_BYTES 256u

static void read_line(const char *path, const char *key, char ret_text[FACT_BYTES]) {
	CLEANUP_FILE FILE *file = fopen(path, "re");
	char line[FACT_BYTES];
	(void)snprintf(ret_text, FACT_BYTES, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		if (key && strncmp(line, key, strlen(key)) != 0)
			continue;
		char *value = key ? strchr(line, ':') : line;
		if (!value)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = 0;
		(void)snprintf(ret_text, FACT_BYTES, "%s", value);
		return;
	}
}

static void report_machine(struct report *report) {
	char text[FACT_BYTES];
	struct utsname name;
	read_line("/proc/cpuinfo", "model name", text);
	report_fact(report, "processor", "processor", text);
	(void)snprintf(text, sizeof(text), "%u", topology_core_count());
	report_fact(report, "cores", "cores", text);
	(void)snprintf(text, sizeof(text), "%s", uname(&name) == 0 ? name.release : "unknown");
	report_fact(report, "kernel", "kernel", text);
	read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL, text);
	report_fact(report, "clock_source", "clock source", text);
}

struct report report_begin(bool as_json, const char *schema, const char *title) {
	struct report report = {.as_json = as_json};
	if (as_json) {
		report.json = json_begin(stdout);
		json_open(&report.json, NULL, '{');
		json_text(&report.json, "schema", schema);
		json_open(&report.json, "environment", '{');
	} else {
		(void)printf("%s\n\n", title);
	}
	report_machine(&report);
	return report;
}

void report_fact(struct report *report, const char *key, const char *label, const char *value) {
	if (report->as_json)
		json_text(&report->json, key, value);
	else
		(void)printf("%-14s %s\n", label, value);
}

void report_figures_begin(struct report *report) {
	if (report->as_json) {
		json_close(&report->json);
		json_open(&report->json, "figures", '{');
	} else {
		(void)printf("\n%-48s %12s %12s %12s  %s\n", "figure", "median", "min", "max", "unit");
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

void report_figure(struct report *report, const struct report_line *line, const struct measure *measure) {
	struct measure_summary summary = measure_summarise(measure);
	char median[32], min[32], max[32];
	if (!report->as_json) {
		(void)printf("%-48s %12s %12s %12s  %s%s%s\n", line->label, number(summary.median, median),
		             number(summary.min, min), number(summary.max, max), line->unit, line->bar ? "  bar " : "",
		             line->bar ? line->bar : "");
		return;
	}
	json_open(&report->json, line->key, '{');
	json_f64(&report->json, "median", summary.median);
	json_f64(&report->json, "min", summary.min);
	json_f64(&report->json, "max", summary.max);
	json_f64(&report->json, "spread", summary.spread);
	json_u64(&report->json, "runs", measure->count);
	if (line->bar)
		json_f64(&report->json, "bar", strtod(line->bar, NULL));
	json_close(&report->json);
}

int report_end(struct report *report, const char *note) {
	if (report->as_json) {
		json_close(&report->json);
		json_close(&report->json);
	} else if (note) {
		(void)printf("\n%s\n", note);
	}
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}
