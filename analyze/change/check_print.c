/* SPDX-License-Identifier: Apache-2.0 */
#include "check_print.h"

#include "alert.h"
#include "analyze/terminal/table.h"
#include "change_print.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_FIGURES_MAX 50u

void check_answer_done(struct check_answer *answer) {
	baseline_done(&answer->baseline);
	check_done(&answer->check);
	targets_done(&answer->targets);
	free(answer->results);
}

static const char *name_of(const struct check_answer *answer, const struct check_figure *figure) {
	return answer->run->names[figure->name].text;
}

static bool is_told(const struct check_figure *figure) {
	return figure->status != CHECK_PASS;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static enum terminal_style style_of(enum check_status status) {
	switch (status) {
	case CHECK_REGRESSION:
	case CHECK_MISSED:
		return STYLE_RED;
	case CHECK_IMPROVEMENT:
		return STYLE_GREEN;
	case CHECK_UNSURE:
	case CHECK_NO_BASELINE:
	case CHECK_GONE:
		return STYLE_YELLOW;
	case CHECK_PASS:
	case CHECK_RECORDED:
		break;
	}
	return STYLE_PLAIN;
}

static int print_figures(const struct check_answer *answer) {
	static const struct table_column columns[] = {{"status", false, 0},  {"name", false, 0}, {"figure", false, 0},
	                                              {"baseline", true, 2}, {"now", true, 1},   {"change", true, 0},
	                                              {"95 %", true, 3}};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 1, 16);
	size_t told = 0;
	for (size_t i = 0; i < answer->check.figure_count; i++) {
		const struct check_figure *figure = &answer->check.figures[i];
		char text[CHANGE_TEXT_BYTES];
		if (!is_told(figure))
			continue;
		told++;
		table_cell(&table, style_of(figure->status), check_status_words[figure->status]);
		table_cell(&table, STYLE_PLAIN, name_of(answer, figure));
		table_cell(&table, STYLE_PLAIN, change_metric_words[figure->metric]);
		table_cell(&table, STYLE_PLAIN, change_value(figure->metric, figure->before, text));
		table_cell(&table, STYLE_PLAIN, change_value(figure->metric, figure->after, text));
		table_cell(&table, style_of(figure->status), change_percent(figure->metric, figure->change, text));
		(void)snprintf(text, sizeof(text), "-");
		if (figure->difference.known)
			(void)snprintf(text, sizeof(text), "%+.3g..%+.3g %s", 100 * figure->difference.low,
			               100 * figure->difference.high, figure->metric == CHANGE_ERRORS ? "pp" : "%");
		table_cell(&table, STYLE_DIM, text);
	}
	int rc = told ? table_print(&table, &answer->context->terminal, stdout) : 0;
	if (rc == 0 && told)
		(void)putchar('\n');
	return rc;
}

static int print_targets(const struct check_answer *answer) {
	static const struct table_column columns[] = {{"level", false, 0}, {"name", false, 0}, {"figure", false, 0},
	                                              {"now", true, 0},    {"good", true, 1},  {"red above", true, 0}};
	static const enum terminal_style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED, STYLE_RED};
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 1, 16);
	for (size_t i = 0; i < answer->result_count; i++) {
		const struct target_result *result = &answer->results[i];
		const struct target *target = &answer->targets.items[result->target];
		char text[CHANGE_TEXT_BYTES];
		table_cell(&table, styles[result->level], target_level_words[result->level]);
		table_cell(&table, STYLE_PLAIN, result->name ? result->name : target->glob);
		table_cell(&table, STYLE_PLAIN, change_metric_words[target->metric]);
		table_cell(&table, STYLE_PLAIN, result->name ? change_value(target->metric, result->value, text) : "-");
		table_cell(&table, STYLE_PLAIN, change_value(target->metric, target->good, text));
		table_cell(&table, STYLE_PLAIN, change_value(target->metric, target->red, text));
	}
	int rc = answer->result_count ? table_print(&table, &answer->context->terminal, stdout) : 0;
	if (rc == 0 && answer->result_count)
		(void)putchar('\n');
	return rc;
}

static void print_summary(const struct check_answer *answer) {
	const struct terminal *terminal = &answer->context->terminal;
	const struct check *check = &answer->check;
	enum terminal_style style = style_of(check->status);
	if (check->status == CHECK_RECORDED) {
		terminal_note(terminal, stdout, style, "baseline_recorded: %zu names", answer->run->name_count);
		return;
	}
	terminal_note(terminal, stdout, style, "%s: %zu figures: %zu worse, %zu better, %zu unsure%s",
	              check_status_words[check->status], check->figure_count, check->counts[CHECK_REGRESSION],
	              check->counts[CHECK_IMPROVEMENT], check->counts[CHECK_UNSURE],
	              check->counts[CHECK_MISSED] ? "; goals were missed" : "");
	if (check->unknown_names > 0)
		terminal_note(terminal, stdout, STYLE_DIM, "%zu names are not in the baseline, and were not judged",
		              check->unknown_names);
	if (check->gone_names > 0)
		terminal_note(terminal, stdout, STYLE_YELLOW, "%zu names of the baseline have no span here",
		              check->gone_names);
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void json_finite(struct json *json, const char *key, bool known, double value) {
	if (known)
		json_f64(json, key, value);
	else
		json_null(json, key);
}

static void json_figure(struct json *json, const struct check_answer *answer, const struct check_figure *figure) {
	bool known = figure->difference.known;
	json_open(json, NULL, '{');
	json_text(json, "status", check_status_words[figure->status]);
	json_text(json, "name", name_of(answer, figure));
	json_text(json, "metric", change_metric_keys[figure->metric]);
	json_f64(json, "baseline", figure->before);
	json_f64(json, "current", figure->after);
	json_f64(json, "change_percent", 100 * figure->change);
	json_finite(json, "low_percent", known, 100 * figure->difference.low);
	json_finite(json, "high_percent", known, 100 * figure->difference.high);
	json_finite(json, "p", known, figure->p_adjusted);
	json_close(json);
}

static void json_target(struct json *json, const struct check_answer *answer, const struct target_result *result) {
	const struct target *target = &answer->targets.items[result->target];
	json_open(json, NULL, '{');
	json_text(json, "level", target_level_words[result->level]);
	json_text(json, "name", result->name ? result->name : target->glob);
	json_text(json, "metric", change_metric_keys[target->metric]);
	json_finite(json, "current", result->name != NULL, result->value);
	json_f64(json, "good", target->good);
	json_f64(json, "red", target->red);
	json_close(json);
}

static void json_identity(struct json *json, const char *key, const struct baseline *baseline) {
	json_open(json, key, '{');
	json_text(json, "commit", baseline->texts[BASELINE_COMMIT]);
	json_text(json, "build", baseline->texts[BASELINE_BUILD]);
	json_text(json, "host", baseline->texts[BASELINE_HOST]);
	json_text(json, "cpu", baseline->texts[BASELINE_CPU]);
	json_u64(json, "cores", baseline->cores);
	json_text(json, "kernel", baseline->texts[BASELINE_KERNEL]);
	json_u64(json, "created_wall_ns", baseline->created_wall_ns);
	json_close(json);
}

/* The word for the whole: targets alone pass or fail, too. */
static const char *status_word(const struct check_answer *answer) {
	for (size_t i = 0; i < answer->result_count; i++)
		if (answer->results[i].level >= TARGET_RED)
			return check_status_words[CHECK_REGRESSION];
	return check_status_words[answer->check.status];
}

static void print_json(const struct check_answer *answer) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "check/1");
	json_text(&json, "status", status_word(answer));
	if (answer->baseline.texts[BASELINE_COMMIT])
		json_identity(&json, "baseline", &answer->baseline);
	else
		json_null(&json, "baseline");
	json_identity(&json, "current", answer->run);
	json_u64(&json, "names_without_baseline", answer->check.unknown_names);
	json_u64(&json, "names_gone", answer->check.gone_names);
	json_open(&json, "figures", '[');
	for (size_t i = 0; i < answer->check.figure_count; i++)
		json_figure(&json, answer, &answer->check.figures[i]);
	json_close(&json);
	json_open(&json, "targets", '[');
	for (size_t i = 0; i < answer->result_count; i++)
		json_target(&json, answer, &answer->results[i]);
	json_close(&json);
	json_close(&json);
}

int check_print(const struct check_answer *answer, int exit_code) {
	int rc = 0;
	if (answer->context->options->json) {
		print_json(answer);
		return 0;
	}
	if (answer->has_baseline)
		rc = print_figures(answer);
	if (rc == 0 && answer->has_targets)
		rc = print_targets(answer);
	if (rc == 0 && answer->has_baseline)
		print_summary(answer);
	else if (rc == 0)
		terminal_note(&answer->context->terminal, stdout, exit_code ? STYLE_RED : STYLE_PLAIN, "%s",
		              exit_code ? "targets were missed" : "pass: all targets are kept");
	return rc;
}

/* --- alerts ------------------------------------------------------------------------------------------------------ */

static void write_body(const struct check_answer *answer, FILE *out) {
	struct json json = json_begin(out);
	const char *name = "";
	bool is_red = false;
	size_t told = 0;
	char when[UNITS_TEXT_BYTES];
	for (size_t i = 0; i < answer->check.figure_count && !*name; i++)
		if (answer->check.figures[i].status == CHECK_REGRESSION ||
		    answer->check.figures[i].status == CHECK_MISSED)
			name = name_of(answer, &answer->check.figures[i]);
	for (size_t i = 0; i < answer->result_count; i++) {
		if (answer->results[i].level < TARGET_RED)
			continue;
		is_red = true;
		if (!*name && answer->results[i].name)
			name = answer->results[i].name;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "type", "performance_regression");
	json_text(&json, "name", name);
	json_text(&json, "severity", is_red ? "critical" : "warning");
	json_open(&json, "details", '{');
	json_text(&json, "commit", answer->run->texts[BASELINE_COMMIT]);
	json_text(&json, "host", answer->run->texts[BASELINE_HOST]);
	json_open(&json, "figures", '[');
	for (size_t i = 0; i < answer->check.figure_count && told < ALERT_FIGURES_MAX; i++) {
		enum check_status status = answer->check.figures[i].status;
		if (status != CHECK_REGRESSION && status != CHECK_MISSED)
			continue;
		json_figure(&json, answer, &answer->check.figures[i]);
		told++;
	}
	json_close(&json);
	json_open(&json, "targets", '[');
	for (size_t i = 0; i < answer->result_count && told < 2 * ALERT_FIGURES_MAX; i++) {
		if (answer->results[i].level < TARGET_RED)
			continue;
		json_target(&json, answer, &answer->results[i]);
		told++;
	}
	json_close(&json);
	json_close(&json);
	json_text(&json, "timestamp", units_format_wall(clock_wall_ns(), when));
	json_close(&json);
}

void check_alert(const struct check_answer *answer, const char *url, const char *command) {
	const struct log *log = &answer->context->log;
	char *body CLEANUP_FREE = NULL;
	char why[ALERT_WHY_BYTES] = "";
	size_t bytes = 0;
	if (!url && !command)
		return;
	/* the command's output and ours in the order of what happened */
	(void)fflush(stdout);
	FILE *out = open_memstream(&body, &bytes);
	if (out) {
		write_body(answer, out);
		(void)fclose(out);
	}
	if (!body) {
		log_warning(log, "check: no alert was sent: out of memory");
		return;
	}
	if (url && alert_post(url, body, bytes, why) != 0)
		log_warning(log, "check: the alert did not reach %s: %s", url, why);
	if (command && alert_run(command, body, bytes, why) != 0)
		log_warning(log, "check: the alert command failed: %s", why);
}
