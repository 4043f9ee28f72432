/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include "agent/report/status_ask.h"
#include "base/clock.h"
#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 4096u

const char *const view_sorts[] = {[VIEW_SORT_RATE] = "rate", [VIEW_SORT_LAG] = "lag", [VIEW_SORT_DROPS] = "drops",
                                  [VIEW_SORT_OPEN] = "open", [VIEW_SORT_PID] = "pid", NULL};

static struct view_row *add_row(struct view *view) {
	if (view->row_count == ROWS_MAX)
		return NULL;
	if (view->row_count % 64 == 0) {
		struct view_row *grown = realloc(view->rows, (view->row_count + 64) * sizeof(*grown));
		if (!grown)
			return NULL;
		view->rows = grown;
	}
	struct view_row *row = &view->rows[view->row_count++];
	memset(row, 0, sizeof(*row));
	return row;
}

static void read_common(const struct document *document, uint32_t value, struct view_row *row) {
	row->value = value;
	row->ended = document_u64(document, value, "ended");
	row->lag_ns = document_u64(document, value, "lag_ns");
	row->open = document_u64(document, value, "open");
	row->stored = document_u64(document, value, "stored");
	row->dropped = document_u64(document, value, "dropped");
	row->rejected = document_u64(document, value, "rejected");
	row->rate_per_s = document_f64(document, value, "rate_per_s");
	row->mean_per_s = document_f64(document, value, "rate_mean_per_s");
	(void)document_text(document, value, "state", row->state, sizeof(row->state));
}

static int add_ring(struct view *view, uint32_t value, const char *instance) {
	const struct document *document = &view->document;
	struct view_row *row = add_row(view);
	if (!row)
		return -ENOMEM;
	read_common(document, value, row);
	memcpy(row->instance, instance, sizeof(row->instance));
	row->is_ring = true;
	row->number = document_u64(document, value, "ring");
	row->tid = document_u64(document, value, "tid");
	row->fill_ratio = document_f64(document, value, "fill_ratio");
	(void)document_text(document, value, "thread", row->service, sizeof(row->service));
	if (strcmp(row->state, "quarantined") == 0) {
		row->quarantined = 1;
		(void)document_text(document, value, "quarantine_reason", row->state, sizeof(row->state));
	}
	return 0;
}

static int add_process(struct view *view, uint32_t value) {
	const struct document *document = &view->document;
	struct view_row *row = add_row(view);
	char instance[VIEW_WORD_BYTES];
	if (!row)
		return -ENOMEM;
	read_common(document, value, row);
	row->number = document_u64(document, value, "pid");
	row->rings = document_u64(document, value, "rings");
	row->quarantined = document_u64(document, value, "rings_quarantined");
	row->fill_ratio = document_f64(document, value, "fill_ratio_max");
	(void)document_text(document, value, "service", row->service, sizeof(row->service));
	(void)document_text(document, value, "instance", row->instance, sizeof(row->instance));
	memcpy(instance, row->instance, sizeof(instance));
	uint32_t ring = document_first(document, document_find(document, value, "ring_list"));
	int rc = 0;
	for (; ring != DOCUMENT_NONE && rc == 0; ring = document_next(document, ring))
		rc = add_ring(view, ring, instance);
	return rc;
}

static int read_rows(struct view *view) {
	const struct document *document = &view->document;
	uint32_t list = document_find(document, DOCUMENT_ROOT, "process_list");
	int rc = 0;
	view->total = document_find(document, DOCUMENT_ROOT, "total");
	view->rate_per_s = document_f64(document, view->total, "rate_per_s");
	double up_ns = document_f64(document, DOCUMENT_ROOT, "uptime_ns");
	view->cores = up_ns > 0 ? document_f64(document, DOCUMENT_ROOT, "agent_cpu_ns") / up_ns : 0;
	for (uint32_t at = document_first(document, list); at != DOCUMENT_NONE && rc == 0;
	     at = document_next(document, at))
		rc = add_process(view, at);
	return rc;
}

int view_read(char *text, size_t bytes, struct view *ret_view) {
	memset(ret_view, 0, sizeof(*ret_view));
	ret_view->text = text;
	int rc = document_read(text, bytes, &ret_view->document);
	if (rc == 0)
		rc = read_rows(ret_view);
	if (rc == 0)
		view_advise(ret_view);
	else
		view_done(ret_view);
	return rc;
}

int view_ask(const char *rings, uint64_t timeout_ns, struct view *view) {
	char *text;
	size_t bytes;
	view_done(view);
	int rc = status_ask(rings, timeout_ns, &text, &bytes);
	return rc < 0 ? rc : view_read(text, bytes, view);
}

void view_done(struct view *view) {
	free(view->text);
	free(view->rows);
	document_done(&view->document);
	memset(view, 0, sizeof(*view));
}

static const struct view_row *find_row(const struct view *view, const struct view_row *like) {
	for (uint32_t i = 0; i < view->row_count; i++) {
		const struct view_row *row = &view->rows[i];
		if (row->is_ring == like->is_ring && (!row->is_ring || row->number == like->number) &&
		    strcmp(row->instance, like->instance) == 0)
			return row;
	}
	return NULL;
}

void view_compare(struct view *now, const struct view *before) {
	uint64_t up_ns = document_u64(&now->document, DOCUMENT_ROOT, "uptime_ns");
	uint64_t up_before_ns = document_u64(&before->document, DOCUMENT_ROOT, "uptime_ns");
	if (up_ns <= up_before_ns || up_before_ns == 0 ||
	    document_u64(&now->document, DOCUMENT_ROOT, "agent_pid") !=
	        document_u64(&before->document, DOCUMENT_ROOT, "agent_pid"))
		return;
	now->cores = (double)(document_u64(&now->document, DOCUMENT_ROOT, "agent_cpu_ns") -
	                      document_u64(&before->document, DOCUMENT_ROOT, "agent_cpu_ns")) /
	             (double)(up_ns - up_before_ns);
	double seconds = (double)(up_ns - up_before_ns) / (double)NS_PER_S;
	now->rate_per_s = 0;
	for (uint32_t i = 0; i < now->row_count; i++) {
		struct view_row *row = &now->rows[i];
		const struct view_row *old = find_row(before, row);
		if (old)
			row->rate_per_s = row->ended > old->ended ? (double)(row->ended - old->ended) / seconds : 0;
		if (!row->is_ring)
			now->rate_per_s += row->rate_per_s;
	}
}

/* A program with its rings. */
struct group {
	uint32_t first;
	uint32_t count;
	double by; /* falling */
};

static double value_of(const struct view_row *row, enum view_sort sort) {
	switch (sort) {
	case VIEW_SORT_LAG:
		return (double)row->lag_ns;
	case VIEW_SORT_DROPS:
		return (double)row->dropped;
	case VIEW_SORT_OPEN:
		return (double)row->open;
	case VIEW_SORT_PID:
		return -(double)row->number;
	default:
		return row->rate_per_s;
	}
}

static int compare_groups(const void *left, const void *right) {
	const struct group *a = left;
	const struct group *b = right;
	if (a->by != b->by)
		return a->by > b->by ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

void view_order(struct view *view, enum view_sort sort) {
	struct group *groups = calloc(view->row_count + 1, sizeof(*groups));
	struct view_row *rows = calloc(view->row_count + 1, sizeof(*rows));
	uint32_t count = 0;
	uint32_t to = 0;
	for (uint32_t i = 0; groups && rows && i < view->row_count; i++) {
		if (!view->rows[i].is_ring)
			groups[count++] = (struct group){.first = i, .by = value_of(&view->rows[i], sort)};
		groups[count - 1].count++;
	}
	if (groups && rows && count > 0) {
		qsort(groups, count, sizeof(*groups), compare_groups);
		for (uint32_t i = 0; i < count; i++) {
			memcpy(&rows[to], &view->rows[groups[i].first], groups[i].count * sizeof(*rows));
			to += groups[i].count;
		}
		free(view->rows);
		view->rows = rows;
		rows = NULL;
	}
	free(groups);
	free(rows);
}
