/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baseline and targets files against any bytes. What is taken is sound: names in order, quantiles between the values of their histogram, intervals around
 * figures; what is written of it reads back as the same.
 */
#include "analyze/change/check.h"
#include "analyze/change/targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
	if (!condition)
		abort();
}

static void check_names(const struct baseline *baseline) {
	for (size_t i = 0; i < baseline->name_count; i++) {
		const struct baseline_name *name = &baseline->names[i];
		require(baseline_find(baseline, name->text) == name);
		require(i == 0 || strcmp(name[-1].text, name->text) < 0);
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			double low = 0;
			double high = 0;
			measured_interval(&name->figures[metric], 2, &low, &high);
			require(low <= high);
		}
	}
}

static void check_self(const struct baseline *baseline) {
	struct check_settings settings;
	struct check check;
	check_defaults(&settings);
	require(check_run(baseline, baseline, &settings, &check) == 0);
	require(check.counts[CHECK_REGRESSION] == 0 && check.counts[CHECK_IMPROVEMENT] == 0);
	require(check.gone_names == 0 && check.unknown_names == 0);
	check_done(&check);
}

static void write_and_read(const struct baseline *baseline) {
	char why[BASELINE_WHY_BYTES];
	struct byte_source source;
	struct baseline again;
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	require(file != NULL);
	baseline_write(baseline, file);
	require(fclose(file) == 0);
	byte_source_memory(text, bytes, &source);
	int rc = baseline_read(&source, &again, why);
	/* texts that are no UTF-8, or that order differently once escaped, cannot be in a file that was read */
	require(rc == 0);
	require(again.name_count == baseline->name_count && again.cores == baseline->cores);
	baseline_done(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char why[BASELINE_WHY_BYTES];
	struct byte_source source;
	struct baseline baseline;
	struct targets targets;
	byte_source_memory(data, size, &source);
	if (baseline_read(&source, &baseline, why) == 0) {
		struct target_result *results = NULL;
		size_t count = 0;
		check_names(&baseline);
		check_self(&baseline);
		write_and_read(&baseline);
		targets = (struct targets){.items = NULL};
		require(targets_judge(&targets, &baseline, &results, &count) == 0 && count == 0);
		free(results);
	} else {
		require(why[0] && baseline.name_count == 0);
	}
	baseline_done(&baseline);
	byte_source_memory(data, size, &source);
	if (targets_read(&source, &targets, why) == 0) {
		for (size_t i = 0; i < targets.count; i++)
			require(targets.items[i].glob && targets.items[i].good <= targets.items[i].red);
	} else {
		require(why[0]);
	}
	targets_done(&targets);
	return 0;
}
