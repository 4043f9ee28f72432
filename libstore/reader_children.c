/* SPDX-License-Identifier: Apache-2.0 */
/*
 * They are made anew and compared. A writer may have remembered more, or less, than this build does: where the two do not agree on which children
 * were found, neither is wrong, and the rest of that segment is not compared.
 */
#include "reader_children.h"

#include "base/errs.h"
#include "child_sums.h"
#include "merge_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader_children {
	struct store_reader *reader;
	const struct store_segment_view *segment;
	uint64_t before; /* batch */
	bool compares;
	struct child_sums *sums;
	struct merge_rows_view_room view;
};

int reader_children_new(struct store_reader *reader, struct reader_children **ret_children) {
	struct reader_children *children = malloc(sizeof(*children));
	if (!children)
		return -ENOMEM;
	children->reader = reader;
	children->segment = NULL;
	children->before = 0;
	children->compares = false;
	int error = child_sums_new(&children->sums);
	if (error) {
		free(children);
		return error;
	}
	*ret_children = children;
	return 0;
}

void reader_children_free(struct reader_children *children) {
	if (!children)
		return;
	child_sums_free(children->sums);
	free(children);
}

static bool same(const void *a, const void *b, uint32_t count, size_t bytes) {
	return count == 0 || memcmp(a, b, count * bytes) == 0;
}

static bool same_children(const struct store_child_sums *a, const struct store_child_sums *b) {
	return a->from == b->from && a->away_count == b->away_count && a->found_count == b->found_count &&
	       same(a->away_state, b->away_state, a->away_count, 1) &&
	       same(a->found_back, b->found_back, a->found_count, sizeof(*a->found_back)) &&
	       same(a->found_row, b->found_row, a->found_count, sizeof(*a->found_row));
}

static bool same_sums(const struct store_child_sums *a, const struct store_child_sums *b) {
	return a->correction_count == b->correction_count && a->late_count == b->late_count &&
	       same(a->correction_row, b->correction_row, a->correction_count, sizeof(*a->correction_row)) &&
	       same(a->correction_ns, b->correction_ns, a->correction_count, sizeof(*a->correction_ns)) &&
	       same(a->late_back, b->late_back, a->late_count, sizeof(*a->late_back)) &&
	       same(a->late_row, b->late_row, a->late_count, sizeof(*a->late_row)) &&
	       same(a->late_site, b->late_site, a->late_count, sizeof(*a->late_site)) &&
	       same(a->late_ns, b->late_ns, a->late_count, sizeof(*a->late_ns));
}

static void compare(struct reader_children *children, const struct store_columns *columns) {
	char text[SEGMENT_TEXT_BYTES];
	struct child_rows rows;
	merge_rows_view(columns, &children->view, &rows);
	const struct store_child_sums *expected = child_sums_put(children->sums, columns->batch, &rows);
	if (!expected || !same_children(expected, columns->child_sums)) {
		children->compares = false;
		return;
	}
	child_sums_keep(children->sums);
	if (same_sums(expected, columns->child_sums))
		return;
	(void)snprintf(text, sizeof(text),
	               "%.300s: child sums of batch %" PRIu64 " are not those of its spans: restore it from a copy",
	               columns->segment->file, columns->batch);
	reader_add_damage(children->reader, columns->segment->file, ERR_DAMAGED, text);
}

void reader_children_check(struct reader_children *children, const struct store_columns *columns) {
	if (columns->segment != children->segment) {
		child_sums_clear(children->sums);
		children->segment = columns->segment;
		children->before = 0;
		children->compares = true;
	}
	children->compares &= columns->batch == children->before + 1;
	children->before = columns->batch;
	if (children->compares && columns->child_sums)
		compare(children, columns);
}
