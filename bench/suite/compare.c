/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench compare: two results that were written with --json, figure by figure. A difference counts when Mann and Whitney's test finds
 * it unlikely (Holm's correction for the number of figures) and it is larger than --min-effect; its direction is the figure's own, so that
 * a higher rate is no regression.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "bench/harness/words.h"
#include "suite.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGNIFICANCE 0.05
#define EFFECT_MIN 0.02

static const char help[] =
    "spanring-bench compare BEFORE.json AFTER.json [--min-effect X] [--max-ratio X] [--force] [--json | --csv | --markdown]\n"
    "\n"
    "Each figure of two results: medians, change, and a verdict: better, worse, or ~ (nothing can be\n"
    "said: 95 % with Holm's correction, and at least --min-effect, default 0.02 = 2 %). Exit status 1 when\n"
    "some figure is worse, with --max-ratio only when it is so many times as bad. Results of different\n"
    "machines are refused without --force.\n";

enum verdict { SAME, BETTER, WORSE, GONE, NEW };
static const char *const verdict_words[] = {
    [SAME] = "~", [BETTER] = "better", [WORSE] = "worse", [GONE] = "only before", [NEW] = "only after"};

struct line {
	const struct result_row *before;
	const struct result_row *after;
	double median_before;
	double median_after;
	double ratio;
	double p;
	enum verdict verdict;
};

struct compare {
	const struct log *log;
	enum result_format format;
	double effect_min;
	double ratio_max; /* 0: not asked for */
	bool force;
	struct result *before;
	struct result *after;
	struct line lines[2 * RESULT_ROWS_MAX];
	uint32_t line_count;
};

static void collect(struct compare *compare) {
	for (uint32_t i = 0; i < compare->before->row_count; i++) {
		const struct result_row *row = compare->before->rows[i];
		compare->lines[compare->line_count++] =
		    (struct line){row, result_find(compare->after, row->name), 0, 0, 0, 0, GONE};
	}
	for (uint32_t i = 0; i < compare->after->row_count; i++)
		if (!result_find(compare->before, compare->after->rows[i]->name))
			compare->lines[compare->line_count++] =
			    (struct line){NULL, compare->after->rows[i], 0, 0, 0, 0, NEW};
}

static double median_of(const struct result_row *row) {
	struct samples_summary summary;
	samples_summarise(&row->samples, &summary);
	return summary.median;
}

static void measure(struct line *line) {
	line->median_before = line->before ? median_of(line->before) : NAN;
	line->median_after = line->after ? median_of(line->after) : NAN;
	line->ratio = line->median_after / line->median_before;
	line->p = line->before && line->after ? samples_p_value(&line->before->samples, &line->after->samples) : NAN;
}

/* Holm: of m tests the smallest p has to pass 1/m of the level, the next 1/(m-1), and the first that fails ends it. */
static void judge_all(struct compare *compare) {
	bool judged[2 * RESULT_ROWS_MAX] = {false};
	uint32_t tests = 0;
	for (uint32_t i = 0; i < compare->line_count; i++) {
		measure(&compare->lines[i]);
		tests += isnan(compare->lines[i].p) ? 0 : 1;
		if (compare->lines[i].before && compare->lines[i].after)
			compare->lines[i].verdict = SAME;
	}
	for (uint32_t left = tests; left > 0; left--) {
		uint32_t least = UINT32_MAX;
		for (uint32_t i = 0; i < compare->line_count; i++)
			if (!judged[i] && !isnan(compare->lines[i].p) &&
			    (least == UINT32_MAX || compare->lines[i].p < compare->lines[least].p))
				least = i;
		struct line *line = &compare->lines[least];
		if (line->p > SIGNIFICANCE / left)
			return;
		judged[least] = true;
		if (!(fabs(line->ratio - 1) >= compare->effect_min) || line->before->direction == RESULT_NEITHER)
			continue;
		bool lower = line->before->direction == RESULT_LOWER_IS_BETTER;
		line->verdict = (line->ratio < 1) == lower ? BETTER : WORSE;
	}
}

/* How many times as bad it got. */
static double badness(const struct line *line) {
	return line->before->direction == RESULT_HIGHER_IS_BETTER ? 1 / line->ratio : line->ratio;
}

static int exit_code(const struct compare *compare) {
	for (uint32_t i = 0; i < compare->line_count; i++)
		if (compare->lines[i].verdict == WORSE && badness(&compare->lines[i]) > compare->ratio_max)
			return EXIT_CODE_FAILED;
	return EXIT_CODE_OK;
}

static const struct result_row *any(const struct line *line) {
	return line->after ? line->after : line->before;
}

static void print_lines(const struct compare *compare, const char *before, const char *between, const char *after) {
	for (uint32_t i = 0; i < compare->line_count; i++) {
		const struct line *line = &compare->lines[i];
		(void)printf("%s%s%s%s%s%.6g%s%.6g%s%.4g%s%.3g%s%s%s\n", before, any(line)->name, between,
		             any(line)->unit, between, line->median_before, between, line->median_after, between,
		             line->ratio, between, line->p, between, verdict_words[line->verdict], after);
	}
}

static void print_text(const struct compare *compare) {
	(void)printf("%-26s %-6s %10s %10s %9s %8s  %s\n", "", "unit", "before", "after", "change", "p", "");
	for (uint32_t i = 0; i < compare->line_count; i++) {
		const struct line *line = &compare->lines[i];
		(void)printf("%-26s %-6s %10.5g %10.5g %+8.1f%% %8.2g  %s\n", any(line)->name, any(line)->unit,
		             line->median_before, line->median_after, 100 * (line->ratio - 1), line->p,
		             verdict_words[line->verdict]);
	}
}

static void print_json(const struct compare *compare) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "bench-compare/1");
	json_bool(&json, "same_machine", strcmp(compare->before->fingerprint, compare->after->fingerprint) == 0);
	json_open(&json, "results", '[');
	for (uint32_t i = 0; i < compare->line_count; i++) {
		const struct line *line = &compare->lines[i];
		json_open(&json, NULL, '{');
		json_text(&json, "name", any(line)->name);
		json_text(&json, "unit", any(line)->unit);
		json_f64(&json, "before", line->median_before);
		json_f64(&json, "after", line->median_after);
		json_f64(&json, "ratio", line->ratio);
		json_f64(&json, "p", line->p);
		json_text(&json, "verdict", verdict_words[line->verdict]);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static int print(const struct compare *compare) {
	switch (compare->format) {
	case RESULT_TEXT:
		print_text(compare);
		break;
	case RESULT_JSON:
		print_json(compare);
		break;
	case RESULT_CSV:
		(void)puts("name,unit,before,after,ratio,p,verdict");
		print_lines(compare, "", ",", "");
		break;
	case RESULT_MARKDOWN:
		(void)puts("| figure | unit | before | after | ratio | p | verdict |\n|---|---|---|---|---|---|---|");
		print_lines(compare, "| ", " | ", " |");
		break;
	}
	return fflush(stdout) != 0 || ferror(stdout) ? EXIT_CODE_OUTPUT : exit_code(compare);
}

static int compare_results(struct compare *compare, const char *const *files) {
	char text[RESULT_TEXT_BYTES];
	int rc = result_read(files[0], &compare->before, text);
	if (rc == 0)
		rc = result_read(files[1], &compare->after, text);
	if (rc < 0) {
		log_error(compare->log, "compare: %s", text);
		return EXIT_CODE_INPUT;
	}
	if (!compare->force && strcmp(compare->before->fingerprint, compare->after->fingerprint) != 0) {
		log_error(compare->log,
		          "compare: the results are of different machines (processor, cores, kernel or clock): "
		          "measure both on one, or give --force");
		return EXIT_CODE_INPUT;
	}
	collect(compare);
	judge_all(compare);
	return print(compare);
}

int compare_command(int argc, char **argv, const struct log *log) {
	struct compare *compare CLEANUP_FREE = calloc(1, sizeof(*compare));
	if (!compare)
		return EXIT_CODE_FAILED;
	compare->log = log;
	compare->effect_min = EFFECT_MIN;
	const struct word table[] = {
	    {"min-effect", WORD_RATIO, &compare->effect_min, 0, 0},
	    {"max-ratio", WORD_RATIO, &compare->ratio_max, 0, 0},
	    {"force", WORD_SWITCH, &compare->force, 0, 0},
	    WORDS_OF_FORMAT(&compare->format),
	};
	const char *plain[3] = {NULL};
	struct words words = {.log = log,
	                      .help = help,
	                      .table = table,
	                      .count = sizeof(table) / sizeof(table[0]),
	                      .plain = plain,
	                      .plain_max = 2};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	if (words.plain_count < 2) {
		log_error(log, "compare: which results? Give two files that were written with --json");
		return EXIT_CODE_USAGE;
	}
	code = compare_results(compare, plain);
	result_free(compare->before);
	result_free(compare->after);
	return code;
}
