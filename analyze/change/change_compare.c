/* SPDX-License-Identifier: Apache-2.0 */
#include "change_compare.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- which names ------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) {
	return strcmp(((const struct change_line *)a)->text, ((const struct change_line *)b)->text);
}

/* The names of one store that have spans, sorted; NULL: no memory. */
static struct change_line *list_names(const struct change_store *store, unsigned side, size_t *ret_count) {
	const struct query *query = &store->latency.query;
	size_t room = (size_t)query->overview->name_count + 1;
	struct change_line *lines = calloc(room, sizeof(*lines));
	size_t count = 0;
	for (uint32_t name = 0; lines && name < room; name++) {
		const struct latency_line *line = &store->latency.lines[name];
		if (!store->names[name] || line->count == 0)
			continue;
		lines[count].text = query_name_text(query, name);
		lines[count].names[side] = name;
		lines[count].count[side] = line->count;
		lines[count].total_ns[side] = (double)line->total_ns;
		lines[count++].margin = 0;
	}
	if (count > 0)
		qsort(lines, count, sizeof(*lines), by_text);
	*ret_count = count;
	return lines;
}

static void take_after(struct change_line *line, const struct change_line *after) {
	line->names[1] = after->names[1];
	line->count[1] = after->count[1];
	line->total_ns[1] = after->total_ns[1];
}

/* Those of both to `lines`, the others stay where they are, put together. */
static int match_names(struct change_comparison *comparison) {
	struct change_line **lonely = comparison->lonely;
	size_t counts[2];
	size_t at[2] = {0, 0};
	for (unsigned side = 0; side < 2; side++) {
		lonely[side] = list_names(&comparison->stores[side], side, &counts[side]);
		if (!lonely[side])
			return -ENOMEM;
	}
	comparison->lines = calloc(counts[0] ? counts[0] : 1, sizeof(comparison->lines[0]));
	if (!comparison->lines)
		return -ENOMEM;
	while (at[0] < counts[0] || at[1] < counts[1]) {
		int order = at[0] == counts[0]   ? 1
		            : at[1] == counts[1] ? -1
		                                 : by_text(&lonely[0][at[0]], &lonely[1][at[1]]);
		if (order == 0) {
			struct change_line *line = &comparison->lines[comparison->line_count++];
			*line = lonely[0][at[0]++];
			take_after(line, &lonely[1][at[1]++]);
			continue;
		}
		unsigned side = order < 0 ? 0 : 1;
		lonely[side][comparison->lonely_count[side]++] = lonely[side][at[side]++];
	}
	return 0;
}

static void tell_others(struct change_comparison *comparison) {
	for (size_t i = 0; i < comparison->line_count; i++) {
		const struct change_line *line = &comparison->lines[i];
		for (unsigned side = 0; side < 2; side++) {
			const struct change_store *other = &comparison->stores[1 - side];
			comparison->stores[side].others[line->names[side]] =
			    &other->names[line->names[1 - side]]->weights;
		}
	}
}

/* --- differences ------------------------------------------------------------------------------------------------- */

static void find_drift(struct change_comparison *comparison) {
	for (unsigned side = 0; side < 2; side++) {
		const struct change_store *store = &comparison->stores[side];
		struct drift drift = {.weights = {0}};
		for (uint32_t name = 0; name <= store->latency.query.overview->name_count; name++)
			if (store->names[name])
				drift_add(&drift, store->names[name]);
		comparison->drift[side] = drift_range(&drift);
	}
	for (size_t i = 0; i < comparison->line_count; i++) {
		struct change_line *line = &comparison->lines[i];
		for (unsigned side = 0; side < 2; side++) {
			struct drift own = {.weights = {0}};
			drift_add(&own, comparison->stores[side].names[line->names[side]]);
			line->margin += fmax(comparison->drift[side], drift_range(&own));
		}
	}
}

static void measure_line(struct change_comparison *comparison, struct change_line *line) {
	const struct change_store *stores = comparison->stores;
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
		struct change_figure *figure = &line->figures[metric];
		struct measured before = change_measure(&stores[0], line->names[0], (enum change_metric)metric);
		struct measured after = change_measure(&stores[1], line->names[1], (enum change_metric)metric);
		bool is_duration = metric != CHANGE_ERRORS && metric != CHANGE_HEAP;
		figure->there = before.records > 0 && after.records > 0;
		figure->before = before.value;
		figure->after = after.value;
		figure->difference = difference_of(&before, &after, CHANGE_LEVEL, is_duration ? line->margin : 0);
	}
	line->superiority = sliced_superiority(&comparison->grid, stores[0].names[line->names[0]],
	                                       stores[1].names[line->names[1]], CHANGE_LEVEL, line->margin);
}

/* All tests of the comparison are one family; figures of which nothing is known are not in it. */
static int adjust(struct change_comparison *comparison) {
	size_t room = comparison->line_count * (CHANGE_METRICS + 1);
	CLEANUP_FREE double *p = calloc(room ? room : 1, sizeof(*p));
	CLEANUP_FREE double **places = calloc(room ? room : 1, sizeof(*places));
	size_t count = 0;
	if (!p || !places)
		return -ENOMEM;
	for (size_t i = 0; i < comparison->line_count; i++) {
		struct change_line *line = &comparison->lines[i];
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			struct change_figure *figure = &line->figures[metric];
			figure->p_adjusted = 1;
			if (!figure->difference.known)
				continue;
			places[count] = &figure->p_adjusted;
			p[count++] = figure->difference.p;
		}
		line->superiority_p_adjusted = 1;
		if (!line->superiority.known)
			continue;
		places[count] = &line->superiority_p_adjusted;
		p[count++] = line->superiority.p;
	}
	int rc = difference_holm(p, count);
	for (size_t i = 0; i < count && rc == 0; i++)
		*places[i] = p[i];
	return rc;
}

enum change_verdict change_judge(const struct change_figure *figure, double alpha, double least) {
	if (!figure->difference.known || !(figure->p_adjusted <= alpha))
		return CHANGE_SAME;
	double base = fabs(figure->before);
	if (base > 0 && fabs(figure->after - figure->before) < least * base)
		return CHANGE_SAME;
	return figure->after > figure->before ? CHANGE_WORSE : CHANGE_BETTER;
}

static enum change_verdict together(enum change_verdict one, enum change_verdict other) {
	if (one == CHANGE_SAME || one == other)
		return other;
	return other == CHANGE_SAME ? one : CHANGE_MIXED;
}

/* Quantiles of bins cannot tell less than the width of one. */
static double least_of(const struct change_comparison *comparison, unsigned metric) {
	double least = comparison->settings.least;
	bool is_binned = comparison->method == CHANGE_ROLLUPS && metric <= CHANGE_P99;
	return is_binned ? fmax(least, ldexp(1, -(int)comparison->grid.bits)) : least;
}

static void judge_line(const struct change_comparison *comparison, struct change_line *line) {
	double alpha = comparison->settings.alpha;
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
		struct change_figure *figure = &line->figures[metric];
		figure->verdict = change_judge(figure, alpha, least_of(comparison, metric));
		if (metric <= CHANGE_MEAN)
			line->verdict = together(line->verdict, figure->verdict);
	}
	/* places alone, of durations that moved by less than a bin, would be a matter of where its edge lies */
	struct change_figure median = line->figures[CHANGE_P50];
	median.difference.known = median.there;
	median.p_adjusted = line->superiority_p_adjusted;
	enum change_verdict moved = change_judge(&median, alpha, least_of(comparison, CHANGE_P50));
	bool slower = line->superiority.value > 0.5;
	if (moved == (slower ? CHANGE_WORSE : CHANGE_BETTER))
		line->superiority_verdict = moved;
	line->verdict = together(line->verdict, line->superiority_verdict);
}

static void find_shares(struct change_comparison *comparison) {
	double totals[2] = {0, 0};
	for (unsigned side = 0; side < 2; side++) {
		const struct latency *latency = &comparison->stores[side].latency;
		for (uint32_t name = 0; name <= latency->query.overview->name_count; name++)
			totals[side] += (double)latency->lines[name].total_ns;
		for (size_t i = 0; i < comparison->line_count; i++)
			comparison->lines[i].share[side] =
			    totals[side] > 0 ? comparison->lines[i].total_ns[side] / totals[side] : 0;
		for (size_t i = 0; i < comparison->lonely_count[side]; i++)
			comparison->lonely[side][i].share[side] =
			    totals[side] > 0 ? comparison->lonely[side][i].total_ns[side] / totals[side] : 0;
	}
}

static int work_out(struct change_comparison *comparison) {
	struct change_store *stores[2] = {&comparison->stores[0], &comparison->stores[1]};
	int rc = change_read(stores, 2, comparison->settings.wants_self, &comparison->grid, &comparison->method);
	if (rc == 0)
		rc = match_names(comparison);
	if (rc != 0)
		return rc;
	tell_others(comparison);
	for (unsigned side = 0; side < 2 && rc == 0; side++)
		rc = change_slice(stores[side], comparison->method);
	if (rc != 0)
		return rc;
	find_shares(comparison);
	find_drift(comparison);
	for (size_t i = 0; i < comparison->line_count; i++)
		measure_line(comparison, &comparison->lines[i]);
	rc = adjust(comparison);
	for (size_t i = 0; i < comparison->line_count && rc == 0; i++)
		judge_line(comparison, &comparison->lines[i]);
	return rc;
}

void change_compare_done(struct change_comparison *comparison) {
	free(comparison->lines);
	free(comparison->lonely[0]);
	free(comparison->lonely[1]);
	change_close(&comparison->stores[0]);
	change_close(&comparison->stores[1]);
	memset(comparison, 0, sizeof(*comparison));
}

int change_compare(const struct context *context, const struct change_settings *settings,
                   struct change_comparison *ret_comparison) {
	const char *const paths[2] = {context->options->store, context->options->store_after};
	memset(ret_comparison, 0, sizeof(*ret_comparison));
	ret_comparison->settings = *settings;
	for (unsigned side = 0; side < 2; side++) {
		int code = change_open(&ret_comparison->stores[side], context, paths[side]);
		if (code == EXIT_CODE_OK)
			continue;
		change_compare_done(ret_comparison);
		return code;
	}
	int rc = work_out(ret_comparison);
	if (rc == 0)
		return EXIT_CODE_OK;
	int code = command_failed(context, rc, "comparing");
	for (unsigned side = 0; side < 2; side++)
		code = query_finish(&ret_comparison->stores[side].latency.query, code);
	change_compare_done(ret_comparison);
	return code;
}
