/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_LEVEL 0.95

const char *const check_status_words[] = {"pass",        "improvement",       "unsure", "regression",
                                          "no_baseline", "baseline_recorded", "gone",   "goal_missed"};

void check_defaults(struct check_settings *ret_settings) {
	*ret_settings = (struct check_settings){.improvement = 0.05, .significance = 0.01};
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
		ret_settings->thresholds[metric] = metric == CHANGE_ERRORS ? 0.01 : 0.2;
		ret_settings->judged[metric] = metric != CHANGE_SELF;
	}
}

/* "20%" or "0.2", of either sign. */
static bool parse_share(const char *text, double *ret_share) {
	char *end = NULL;
	double share = strtod(text, &end);
	bool starts = (*text >= '0' && *text <= '9') || *text == '.' || *text == '-' || *text == '+';
	bool percent = end != text && strcmp(end, "%") == 0;
	*ret_share = percent ? share / 100 : share;
	return starts && end != text && isfinite(share) && (percent || *end == 0);
}

/* The figure before "=", CHANGE_METRICS without one; -EINVAL: not known. *ret_value: what is behind. */
static int split(const char *text, const char **ret_value) {
	const char *equals = strchr(text, '=');
	*ret_value = equals ? equals + 1 : text;
	if (!equals)
		return CHANGE_METRICS;
	for (int metric = 0; metric < CHANGE_METRICS; metric++)
		if (strlen(change_metric_words[metric]) == (size_t)(equals - text) &&
		    strncmp(change_metric_words[metric], text, (size_t)(equals - text)) == 0)
			return metric;
	return -EINVAL;
}

int check_set_threshold(struct check_settings *settings, const char *text) {
	const char *value = NULL;
	double share = 0;
	int metric = split(text, &value);
	if (metric < 0 || !parse_share(value, &share) || share < 0)
		return -EINVAL;
	for (int i = 0; i < CHANGE_METRICS; i++)
		if (metric == i || (metric == CHANGE_METRICS && i != CHANGE_ERRORS))
			settings->thresholds[i] = share;
	return 0;
}

int check_set_expected(struct check_settings *settings, const char *text) {
	const char *value = NULL;
	double share = 0;
	int metric = split(text, &value);
	if (metric < 0 || metric == CHANGE_METRICS || !parse_share(value, &share) || share >= 0 || share < -1)
		return -EINVAL;
	settings->expected[metric] = share;
	return 0;
}

static void measure(const struct baseline_name *before, const struct baseline_name *after, unsigned metric,
                    struct check_figure *figure) {
	const struct measured *measured[2] = {&before->figures[metric], &after->figures[metric]};
	bool is_duration = metric != CHANGE_ERRORS && metric != CHANGE_HEAP;
	figure->metric = metric;
	figure->before = measured[0]->value;
	figure->after = measured[1]->value;
	figure->change = figure->after - figure->before;
	if (metric != CHANGE_ERRORS)
		figure->change = figure->before > 0  ? figure->change / figure->before
		                 : figure->after > 0 ? INFINITY
		                                     : 0;
	figure->difference =
	    difference_of(measured[0], measured[1], CHECK_LEVEL, is_duration ? before->drift + after->drift : 0);
}

static int adjust(struct check *check) {
	CLEANUP_FREE double *p = calloc(check->figure_count ? check->figure_count : 1, sizeof(*p));
	size_t known = 0;
	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < check->figure_count; i++)
		if (check->figures[i].difference.known)
			p[known++] = check->figures[i].difference.p;
	int rc = difference_holm(p, known);
	known = 0;
	for (size_t i = 0; i < check->figure_count; i++)
		check->figures[i].p_adjusted = check->figures[i].difference.known ? p[known++] : 1;
	return rc;
}

static enum check_status judge(const struct check_settings *settings, const struct check_figure *figure) {
	bool is_duration = figure->metric != CHANGE_ERRORS && figure->metric != CHANGE_HEAP;
	bool is_sure = figure->difference.known && figure->p_adjusted <= settings->significance;
	double expected = settings->expected[figure->metric];
	if (expected < 0 && !(is_sure && figure->change <= expected))
		return CHECK_MISSED;
	if (is_duration && fabs(figure->after - figure->before) < settings->effect_min_ns)
		return CHECK_PASS;
	if (figure->change > 0 && figure->change >= settings->thresholds[figure->metric])
		return is_sure ? CHECK_REGRESSION : CHECK_UNSURE;
	double improvement = figure->metric == CHANGE_ERRORS ? 0 : settings->improvement;
	if (is_sure && figure->change < 0 && figure->change <= -improvement)
		return CHECK_IMPROVEMENT;
	return CHECK_PASS;
}

static void judge_all(struct check *check, const struct check_settings *settings) {
	for (size_t i = 0; i < check->figure_count; i++) {
		check->figures[i].status = judge(settings, &check->figures[i]);
		check->counts[check->figures[i].status]++;
	}
	check->status = CHECK_PASS;
	if (check->counts[CHECK_REGRESSION] + check->counts[CHECK_MISSED] > 0)
		check->status = CHECK_REGRESSION;
	else if (check->figure_count == 0)
		check->status = CHECK_NO_BASELINE;
	else if (check->counts[CHECK_IMPROVEMENT] > 0)
		check->status = CHECK_IMPROVEMENT;
}

int check_run(const struct baseline *before, const struct baseline *after, const struct check_settings *settings,
              struct check *ret_check) {
	size_t both = 0;
	memset(ret_check, 0, sizeof(*ret_check));
	ret_check->figures = calloc(after->name_count * CHANGE_METRICS + 1, sizeof(ret_check->figures[0]));
	if (!ret_check->figures)
		return -ENOMEM;
	for (size_t i = 0; i < after->name_count; i++) {
		const struct baseline_name *known = baseline_find(before, after->names[i].text);
		if (!known) {
			ret_check->unknown_names++;
			continue;
		}
		both++;
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			struct check_figure *figure = &ret_check->figures[ret_check->figure_count];
			bool wanted = settings->judged[metric] || settings->expected[metric] < 0;
			if (!wanted || !(known->figures[metric].records > 0) ||
			    !(after->names[i].figures[metric].records > 0))
				continue;
			measure(known, &after->names[i], metric, figure);
			figure->name = i;
			ret_check->figure_count++;
		}
	}
	ret_check->gone_names = before->name_count - both;
	int rc = adjust(ret_check);
	if (rc == 0)
		judge_all(ret_check, settings);
	else
		check_done(ret_check);
	return rc;
}

void check_done(struct check *check) {
	free(check->figures);
	memset(check, 0, sizeof(*check));
}
