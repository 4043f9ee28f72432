/* SPDX-License-Identifier: Apache-2.0 */
#include "child_books.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>

int child_books_open(struct child_books *books, const struct store_overview *overview) {
	*books = (struct child_books){.overview = overview};
	books->segments = calloc(overview->segment_count + 1, sizeof(*books->segments));
	if (!books->segments)
		return -ENOMEM;
	for (size_t i = 0; i < overview->segment_count; i++) {
		struct child_segment *segment = &books->segments[i];
		segment->batch_count = overview->segments[i].batches;
		segment->batches = calloc(segment->batch_count + 1, sizeof(*segment->batches));
		segment->is_whole = true;
		if (!segment->batches)
			return -ENOMEM;
	}
	return 0;
}

void child_books_close(struct child_books *books) {
	for (size_t i = 0; books->segments && i < books->overview->segment_count; i++)
		free(books->segments[i].batches);
	free(books->segments);
	free(books->times);
	*books = (struct child_books){0};
}

size_t child_books_segment(const struct child_books *books, const struct store_segment_view *segment) {
	return (size_t)(segment - books->overview->segments);
}

const struct child_batch *child_books_batch(const struct child_books *books, const struct store_segment_view *segment,
                                            uint64_t batch) {
	const struct child_segment *known = &books->segments[child_books_segment(books, segment)];
	return batch <= known->batch_count ? &known->batches[batch] : NULL;
}

/* Threads set flags and count; what they did is read after they ended. */
static void set(bool *flag, bool value) {
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

static void count(uint32_t *number, uint32_t more) {
	(void)__atomic_add_fetch(number, more, __ATOMIC_RELAXED);
}

void child_books_take(struct child_books *books, const struct store_columns *columns) {
	struct child_segment *segment = &books->segments[child_books_segment(books, columns->segment)];
	const struct store_child_sums *sums = columns->child_sums;
	uint32_t open = 0;
	if (columns->batch > segment->batch_count) {
		set(&books->is_lost, true);
		return;
	}
	if (!sums) {
		set(&segment->batches[columns->batch].is_silent, columns->span_count > 0);
		if (columns->span_count)
			set(&segment->is_whole, false);
		return;
	}
	if (sums->from > 1)
		set(&segment->is_whole, false);
	for (uint32_t i = 0; i < sums->away_count; i++)
		open += sums->away_state[i] != STORE_AWAY_FOUND;
	count(&segment->batches[columns->batch].open, open);
	for (uint32_t i = 0; i < sums->found_count; i++)
		if (sums->found_back[i] < columns->batch)
			count(&segment->batches[columns->batch - sums->found_back[i]].open, UINT32_MAX);
	for (uint32_t i = 0; i < sums->away_count; i++)
		if (sums->away_state[i] == STORE_AWAY_UNSURE) {
			set(&segment->is_whole, false);
			return;
		}
}

bool child_books_open_children(const struct child_books *books) {
	size_t segments = 0;
	bool open = false;
	bool whole = true;
	for (size_t i = 0; i < books->overview->segment_count; i++) {
		const struct child_segment *segment = &books->segments[i];
		segments += books->overview->segments[i].spans > 0;
		whole &= segment->is_whole;
		for (uint64_t batch = 1; batch <= segment->batch_count; batch++)
			open |= segment->batches[batch].open || segment->batches[batch].is_silent;
	}
	return open && (segments > 1 || !whole);
}

/* --- times -------------------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b) {
	const struct child_time *first = a;
	const struct child_time *second = b;
	return first->start_ns < second->start_ns ? -1 : first->start_ns > second->start_ns;
}

/* All of the batch as one. */
int child_books_note_times(struct child_books *books, const struct store_columns *columns) {
	const struct store_child_sums *sums = columns->child_sums;
	struct child_time time = {UINT64_MAX, 0};
	uint32_t away = 0;
	for (uint32_t row = 0; row < columns->span_count; row++) {
		if (columns->parent_row[row] != STORE_PARENT_AWAY)
			continue;
		if (sums && sums->away_state[away++] == STORE_AWAY_FOUND)
			continue;
		uint64_t end = saturating_add(columns->start_ns[row], columns->duration_ns[row]);
		time.start_ns = columns->start_ns[row] < time.start_ns ? columns->start_ns[row] : time.start_ns;
		time.end_ns = end > time.end_ns ? end : time.end_ns;
	}
	if (time.start_ns > time.end_ns)
		return 0;
	if (books->time_count == books->time_room) {
		size_t room = books->time_room ? books->time_room * 2 : 64;
		struct child_time *grown = reallocarray(books->times, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		books->times = grown;
		books->time_room = room;
	}
	books->times[books->time_count++] = time;
	return 0;
}

void child_books_sort_times(struct child_books *books) {
	size_t kept = 0;
	if (books->time_count > 1)
		qsort(books->times, books->time_count, sizeof(*books->times), by_start);
	for (size_t i = 1; i < books->time_count; i++) {
		struct child_time *last = &books->times[kept];
		if (books->times[i].start_ns > last->end_ns)
			books->times[++kept] = books->times[i];
		else if (books->times[i].end_ns > last->end_ns)
			last->end_ns = books->times[i].end_ns;
	}
	if (books->time_count)
		books->time_count = kept + 1;
}

bool child_books_ran(const struct child_books *books, uint64_t start_ns, uint64_t end_ns) {
	size_t low = 0;
	size_t high = books->time_count;
	/* The first that ends at the start of the batch, or later. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (books->times[middle].end_ns < start_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low < books->time_count && books->times[low].start_ns <= end_ns;
}
