/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static int run_once(const struct bench_case *bench, const struct stage *stage, struct measure *measures) {
	double values[CASE_FIGURES_MAX];
	for (uint32_t i = 0; i < CASE_FIGURES_MAX; i++)
		values[i] = NAN;
	int rc = bench->run(stage, values);
	for (uint32_t i = 0; i < bench->figure_count && rc == 0; i++) {
		if (!isnan(values[i]))
			measure_add(&measures[i], values[i]);
	}
	return rc;
}

static int print(const struct bench_case *bench, const struct stage *stage, const struct measure *measures) {
	const struct bench_options *options = stage->options;
	struct report report = report_begin(options->format, bench->schema, bench->title);
	char where[STAGE_PLACEMENT_BYTES];
	report_fact(&report, "placement", "placement", stage_placement(stage, where));
	if (options->is_quick)
		report_fact(&report, "quick", "quick", "few rounds: the figures mean little");
	report_figures_begin(&report);
	for (uint32_t i = 0; i < bench->figure_count; i++)
		report_figure(&report, &bench->lines[i], &measures[i]);
	return report_end(&report, bench->note);
}

static const char *failure_text(int rc) {
	return rc == -EOVERFLOW ? "something was dropped where all had room" : strerror(-rc);
}

int case_run(const struct bench_case *bench, const struct bench_options *options) {
	assert(bench->figure_count <= CASE_FIGURES_MAX);
	CLEANUP_FREE struct measure *measures = calloc(bench->figure_count, sizeof(*measures));
	struct stage stage;
	int rc = 0;
	int code = measures ? stage_open(options, bench->has_agent, &stage) : EXIT_CODE_FAILED;
	if (code != EXIT_CODE_OK)
		return code;
	for (uint32_t i = 0; i < options->runs && rc == 0; i++)
		rc = run_once(bench, &stage, measures);
	if (rc < 0)
		log_error(&options->log, "a measurement failed: %s", failure_text(rc));
	code = stage_close(&stage);
	if (rc < 0 || code != EXIT_CODE_OK)
		return EXIT_CODE_FAILED;
	return print(bench, &stage, measures) < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
