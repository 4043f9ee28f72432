/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which batches of a store have children that no child sums count, and when these ran: what a first pass over all batches finds out, so that later ones can leave
 * out nearly all of them.
 */
#ifndef SPANRING_ANALYZE_CHILD_BOOKS_H
#define SPANRING_ANALYZE_CHILD_BOOKS_H

#include "libstore/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child_batch {
	uint32_t open;  /* children that wait, less those found later, and unsure ones */
	bool is_silent; /* it has no child sums */
};

struct child_segment {
	uint64_t batch_count;
	struct child_batch *batches; /* by number */
	bool is_whole;               /* whoever waits has its parent in another segment, if anywhere */
};

struct child_time {
	uint64_t start_ns; /* monotonic, as intervals of children are compared */
	uint64_t end_ns;
};

struct child_books {
	const struct store_overview *overview;
	struct child_segment *segments;
	bool is_lost; /* a batch that was not there when the store was opened */
	struct child_time *times;
	size_t time_count;
	size_t time_room;
};

int child_books_open(struct child_books *books, const struct store_overview *overview);
void child_books_close(struct child_books *books);

/* One batch with child sums, or without. May be called by several threads. */
void child_books_take(struct child_books *books, const struct store_columns *columns);

/* After all batches: is there a child that is not counted, and may have its parent in this store? */
bool child_books_open_children(const struct child_books *books);

size_t child_books_segment(const struct child_books *books, const struct store_segment_view *segment);
/* NULL: no such batch. */
const struct child_batch *child_books_batch(const struct child_books *books, const struct store_segment_view *segment,
                                            uint64_t batch);

/* When the children of this batch ran that are not counted: start, duration and parent_row are there. 0 or -ENOMEM. */
int child_books_note_times(struct child_books *books, const struct store_columns *columns);
/* After the last: in order, and none touches another. */
void child_books_sort_times(struct child_books *books);
/* Did one run between these? */
bool child_books_ran(const struct child_books *books, uint64_t start_ns, uint64_t end_ns);

#endif
