/* SPDX-License-Identifier: Apache-2.0 */
#include "child_sums.h"

#include "base/errs.h"
#include "child_pending.h"
#include "child_window.h"
#include "order.h"
#include "plane.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Each list of the column has at most BATCH_SPANS_MAX items: 5 + 12 + 20 + 8 + 1 bytes for each, and headers. */
#define COLUMN_BYTES_MAX (46u * BATCH_SPANS_MAX + 1024u)

#define PREFETCH_TRACES 8u
#define PLACE_ROW_BITS 16u

_Static_assert(BATCH_SPANS_MAX <= 1u << PLACE_ROW_BITS, "a row number fits");

/* A child and its parent, in two batches, or in two traces of one. */
struct pair {
	struct child_run run; /* of the parent */
	uint64_t batch;       /* of the parent */
	uint32_t row;         /* of the parent */
	uint32_t waiting;     /* number of the child among those that wait; 0: it is in this batch */
	struct interval child;
};

struct child_sums {
	bool gave_up;
	uint64_t batch;
	struct child_window *window;
	struct child_pending *pending;
	struct plane_writer *planes;
	struct child_slot *own; /* the batch at hand */
	uint32_t away;          /* of its rows */
	struct child_intervals intervals;
	struct pair *pairs;
	uint32_t pair_count;
	uint32_t pair_room;
	struct store_child_sums said;
	uint64_t correction[BATCH_SPANS_MAX]; /* by row */
	uint64_t until[BATCH_SPANS_MAX];
	uint32_t correction_row[BATCH_SPANS_MAX];
	uint64_t correction_ns[BATCH_SPANS_MAX];
	uint64_t late_place[BATCH_SPANS_MAX]; /* back and row in one; as they are found, and then in order */
	uint32_t late_back[BATCH_SPANS_MAX];
	uint32_t late_row[BATCH_SPANS_MAX];
	uint32_t late_site[BATCH_SPANS_MAX];
	uint32_t late_site_sorted[BATCH_SPANS_MAX];
	uint64_t late_ns[BATCH_SPANS_MAX];
	uint64_t late_ns_sorted[BATCH_SPANS_MAX];
	uint64_t found_place[BATCH_SPANS_MAX];
	uint32_t found_back[BATCH_SPANS_MAX];
	uint32_t found_row[BATCH_SPANS_MAX];
	uint8_t away_state[BATCH_SPANS_MAX];
	uint32_t away_row[BATCH_SPANS_MAX];
	uint64_t away_parent_id[BATCH_SPANS_MAX];
	uint32_t sorted[BATCH_SPANS_MAX];
	struct order order;
	uint32_t words[BATCH_SPANS_MAX];
	uint8_t out[COLUMN_BYTES_MAX];
};

_Static_assert(COLUMN_BYTES_MAX <= FORMAT_COLUMN_BYTES_MAX, "it is a column");

int child_sums_new(struct child_sums **ret_sums) {
	uint64_t seed = 0;
	struct child_sums *sums = malloc(sizeof(*sums)); /* pages that are not needed are not touched */
	if (!sums)
		return -ENOMEM;
	memset(sums, 0, offsetof(struct child_sums, correction));
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint64_t)(uintptr_t)sums;
	int error = child_window_new(seed, &sums->window);
	if (!error)
		error = child_pending_new(seed, &sums->pending);
	if (!error)
		error = plane_writer_new(&sums->planes);
	if (error) {
		child_sums_free(sums);
		return error;
	}
	*ret_sums = sums;
	return 0;
}

void child_sums_free(struct child_sums *sums) {
	if (!sums)
		return;
	child_window_free(sums->window);
	child_pending_free(sums->pending);
	plane_writer_free(sums->planes);
	free(sums->intervals.items);
	free(sums->pairs);
	free(sums);
}

void child_sums_clear(struct child_sums *sums) {
	child_window_clear(sums->window);
	child_pending_clear(sums->pending);
	sums->gave_up = false;
	sums->own = NULL;
}

/* What is known may be wrong now: nothing is said before the next segment. */
static void give_up(struct child_sums *sums) {
	child_sums_clear(sums);
	sums->gave_up = true;
}

static struct interval interval_of(const struct child_rows *rows, uint32_t row) {
	return interval_from(rows->start_ns[row], rows->duration_ns[row]);
}

/* --- in the batch ------------------------------------------------------------------------------------------------- */

/*
 * Rows of a trace stand in order of start, so a union grows child by child. What a child adds to it, less its duration, is 0 where it runs after those before, and
 * inside of its parent.
 */
static void correct_near(struct child_sums *sums, const struct child_rows *rows, uint32_t first, uint32_t end) {
	memset(sums->correction + first, 0, (end - first) * sizeof(*sums->correction));
	memcpy(sums->until + first, rows->start_ns + first, (end - first) * sizeof(*sums->until));
	for (uint32_t row = first; row < end; row++) {
		uint32_t parent = rows->parent_row[row];
		if (parent < first || parent >= end || parent == row)
			continue;
		uint64_t added = interval_add(interval_of(rows, parent), interval_of(rows, row), &sums->until[parent]);
		sums->correction[parent] += added - rows->duration_ns[row];
	}
}

static uint64_t place_of(const struct child_sums *sums, uint64_t batch, uint32_t row) {
	return (sums->batch - batch) << PLACE_ROW_BITS | row;
}

/* --- pairs -------------------------------------------------------------------------------------------------------- */

static int add_pair(struct child_sums *sums, const struct pair *pair) {
	if (sums->pair_count == sums->pair_room) {
		uint32_t room = sums->pair_room ? sums->pair_room * 2 : 1024;
		struct pair *grown = reallocarray(sums->pairs, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		sums->pairs = grown;
		sums->pair_room = room;
	}
	sums->pairs[sums->pair_count++] = *pair;
	return 0;
}

/* Children in batches before that waited for a span of this trace. */
static int find_children(struct child_sums *sums, const struct child_run *run, uint64_t trace_lo) {
	uint32_t number = child_pending_next(sums->pending, trace_lo, 0);
	for (; number; number = child_pending_next(sums->pending, trace_lo, number)) {
		const struct child_waiting *waiting = child_pending_at(sums->pending, number);
		struct pair pair = {*run, sums->batch, 0, number, waiting->interval};
		int found = child_run_find(run, waiting->parent_id, &pair.row);
		if (found < 0)
			return found;
		if (found == 0)
			continue;
		/* More than a column can tell: this batch was not looked at, and they go on waiting. */
		if (sums->said.found_count == BATCH_SPANS_MAX)
			return ERR_LIMIT;
		sums->found_place[sums->said.found_count++] = place_of(sums, waiting->batch, waiting->row);
		found = add_pair(sums, &pair);
		if (found)
			return found;
	}
	return 0;
}

/* Parents, in batches before, of rows of this trace, from number `away` of those that have none in theirs. */
static int find_parents(struct child_sums *sums, const struct child_rows *rows, const struct child_run *run,
                        uint64_t trace_lo) {
	int found = 0;
	for (; sums->away < rows->away_count && rows->away_row[sums->away] < run->end && found >= 0; sums->away++) {
		uint32_t row = rows->away_row[sums->away];
		uint64_t parent_id = rows->away_parent_id[sums->away];
		struct pair pair = {.run = *run, .child = interval_of(rows, row)};
		for (found = 0; !found && child_window_older(sums->window, &pair.run, &pair.run);)
			found = child_run_find(&pair.run, parent_id, &pair.row);
		bool unsure = !found && child_window_forgot(sums->window, trace_lo);
		if (found > 0 && !child_slot_may_adopt(pair.run.slot, sums->pair_count + 1)) {
			found = 0;
			unsure = true;
		}
		pair.batch = found > 0 ? child_slot_batch(pair.run.slot) : 0;
		sums->away_state[sums->away] = found > 0 ? STORE_AWAY_FOUND
		                               : unsure  ? STORE_AWAY_UNSURE
		                                         : STORE_AWAY_WAITS;
		sums->away_row[sums->away] = row;
		sums->away_parent_id[sums->away] = parent_id;
		if (found > 0)
			found = add_pair(sums, &pair);
	}
	return found < 0 ? found : 0;
}

static int by_parent(const void *a, const void *b) {
	const struct pair *first = a;
	const struct pair *second = b;
	if (first->batch != second->batch)
		return first->batch < second->batch ? -1 : 1;
	return first->row < second->row ? -1 : first->row > second->row;
}

static void say_late(struct child_sums *sums, const struct pair *pair, uint64_t ns) {
	const struct child_rows *rows = child_slot_rows(pair->run.slot);
	uint32_t i = sums->said.late_count;
	if (ns == 0 || rows->flags[pair->row] & STORE_SPAN_OPEN)
		return;
	sums->late_place[i] = place_of(sums, pair->batch, pair->row);
	sums->late_site[i] = rows->site[pair->row];
	sums->late_ns[i] = ns;
	sums->said.late_count++;
}

/* Pairs [first, end) have one parent. */
static int cover_parent(struct child_sums *sums, uint32_t first, uint32_t end) {
	const struct pair *pair = &sums->pairs[first];
	struct interval whole = interval_of(child_slot_rows(pair->run.slot), pair->row);
	sums->intervals.count = 0;
	int error = child_run_list_near(&pair->run, pair->row, &sums->intervals);
	if (!error)
		error = child_slot_list_adopted(pair->run.slot, pair->row, &sums->intervals);
	uint64_t before = error ? 0 : interval_union(whole, sums->intervals.items, sums->intervals.count);
	for (uint32_t i = first; i < end && !error; i++)
		error = child_intervals_add(&sums->intervals, sums->pairs[i].child);
	if (error)
		return error;
	uint64_t after = interval_union(whole, sums->intervals.items, sums->intervals.count);
	if (pair->run.slot == sums->own)
		sums->correction[pair->row] += after - before;
	else
		say_late(sums, pair, after - before);
	return 0;
}

/* Of one trace. */
static int cover_pairs(struct child_sums *sums, uint32_t first) {
	int error = 0;
	if (sums->pair_count - first > 1)
		qsort(sums->pairs + first, sums->pair_count - first, sizeof(*sums->pairs), by_parent);
	for (uint32_t end = 0; first < sums->pair_count && !error; first = end) {
		for (end = first + 1; end < sums->pair_count && by_parent(&sums->pairs[first], &sums->pairs[end]) == 0;
		     end++)
			;
		error = cover_parent(sums, first, end);
	}
	return error;
}

/* What is known of traces lies all over the memory. */
static void prefetch_trace(const struct child_sums *sums, const struct child_rows *rows, uint32_t trace) {
	if (trace + PREFETCH_TRACES < rows->trace_count)
		child_pending_prefetch(sums->pending, rows->trace_lo[trace + PREFETCH_TRACES], false);
	if (trace + PREFETCH_TRACES / 2 < rows->trace_count) {
		struct child_run run = child_slot_run(sums->own, trace + PREFETCH_TRACES / 2);
		child_pending_prefetch(sums->pending, rows->trace_lo[trace + PREFETCH_TRACES / 2], true);
		child_run_prefetch(&run);
	}
}

static int cover_all(struct child_sums *sums, const struct child_rows *rows) {
	int error = 0;
	sums->said.from = child_pending_from(sums->pending);
	for (uint32_t trace = 0; trace < rows->trace_count && !error; trace++) {
		struct child_run run = child_slot_run(sums->own, trace);
		uint32_t pairs = sums->pair_count;
		prefetch_trace(sums, rows, trace);
		correct_near(sums, rows, run.first, run.end);
		error = find_children(sums, &run, rows->trace_lo[trace]);
		if (!error)
			error = find_parents(sums, rows, &run, rows->trace_lo[trace]);
		if (!error)
			error = cover_pairs(sums, pairs);
	}
	return error;
}

/* --- what is said ------------------------------------------------------------------------------------------------- */

static void say_places(struct child_sums *sums, const uint64_t *places, uint32_t count, uint32_t *back, uint32_t *row) {
	order_identity(sums->sorted, count);
	order_by_u64(&sums->order, sums->sorted, places, count);
	for (uint32_t i = 0; i < count; i++) {
		back[i] = (uint32_t)(places[sums->sorted[i]] >> PLACE_ROW_BITS);
		row[i] = (uint32_t)places[sums->sorted[i]] & (BATCH_SPANS_MAX - 1);
	}
}

static void say_all(struct child_sums *sums, uint32_t count) {
	struct store_child_sums *said = &sums->said;
	for (uint32_t row = 0; row < count; row++) {
		sums->correction_row[said->correction_count] = row;
		sums->correction_ns[said->correction_count] = sums->correction[row];
		said->correction_count += sums->correction[row] != 0;
	}
	say_places(sums, sums->found_place, said->found_count, sums->found_back, sums->found_row);
	say_places(sums, sums->late_place, said->late_count, sums->late_back, sums->late_row);
	for (uint32_t i = 0; i < said->late_count; i++) {
		sums->late_site_sorted[i] = sums->late_site[sums->sorted[i]];
		sums->late_ns_sorted[i] = sums->late_ns[sums->sorted[i]];
	}
	said->away_count = sums->away;
	said->correction_row = sums->correction_row;
	said->correction_ns = sums->correction_ns;
	said->late_back = sums->late_back;
	said->late_row = sums->late_row;
	said->late_site = sums->late_site_sorted;
	said->late_ns = sums->late_ns_sorted;
	said->found_back = sums->found_back;
	said->found_row = sums->found_row;
	said->away_state = sums->away_state;
}

const struct store_child_sums *child_sums_put(struct child_sums *sums, uint64_t batch, const struct child_rows *rows) {
	sums->own = NULL;
	if (sums->gave_up || rows->count == 0 || rows->away_count > CHILD_SUMS_AWAY_MAX)
		return NULL;
	sums->batch = batch;
	sums->pair_count = 0;
	sums->said = (struct store_child_sums){0};
	sums->away = 0;
	int error = child_window_put(sums->window, batch, rows, &sums->own);
	if (!error)
		error = child_slot_has_twins(sums->own) ? ERR_LIMIT : cover_all(sums, rows);
	if (error) {
		if (error != ERR_LIMIT)
			give_up(sums);
		sums->own = NULL;
		return NULL;
	}
	say_all(sums, rows->count);
	return &sums->said;
}

/* Of the rows that wait from now on. */
static int begin_waiting(struct child_sums *sums) {
	const struct child_rows *rows = child_slot_rows(sums->own);
	uint32_t away = 0;
	int error = 0;
	for (uint32_t trace = 0; trace < rows->trace_count && away < sums->away && !error; trace++) {
		uint32_t end = child_slot_run(sums->own, trace).end;
		for (; away < sums->away && sums->away_row[away] < end && !error; away++) {
			uint32_t row = sums->away_row[away];
			struct child_waiting waiting = {.trace_lo = rows->trace_lo[trace],
			                                .parent_id = sums->away_parent_id[away],
			                                .interval = interval_of(rows, row),
			                                .batch = (uint32_t)sums->batch,
			                                .row = row};
			if (sums->away_state[away] == STORE_AWAY_WAITS)
				error = child_pending_add(sums->pending, &waiting);
		}
	}
	return error;
}

void child_sums_keep(struct child_sums *sums) {
	int error = 0;
	if (!sums->own)
		return;
	for (uint32_t i = 0; i < sums->pair_count && !error; i++) {
		const struct pair *pair = &sums->pairs[i];
		if (pair->waiting)
			child_pending_remove(sums->pending, pair->waiting);
		error = child_slot_adopt(pair->run.slot, pair->row, pair->child);
	}
	if (!error)
		error = begin_waiting(sums);
	child_window_keep(sums->window);
	sums->own = NULL;
	if (error)
		give_up(sums);
}

/* Differences to the place before; where `back` changes, to 0. */
static void put_places(struct child_sums *sums, const uint32_t *back, const uint32_t *row, uint32_t count) {
	plane_put_count(sums->planes, count);
	plane_put_u32(sums->planes, back, count);
	for (uint32_t i = 0; i < count; i++)
		sums->words[i] = row[i] - (i && back[i] == back[i - 1] ? row[i - 1] : 0);
	plane_put_u32(sums->planes, sums->words, count);
}

static struct format_column_bytes put_column(struct child_sums *sums, const struct store_child_sums *said) {
	uint64_t *values = sums->until;
	plane_writer_start(sums->planes, sums->out, sums->out + sizeof(sums->out));
	plane_put_byte(sums->planes, FORMAT_TRANSFORM_CHILD_SUMS);
	plane_put_count(sums->planes, (uint32_t)said->from);
	plane_put_count(sums->planes, said->correction_count);
	for (uint32_t i = 0; i < said->correction_count; i++)
		sums->words[i] = said->correction_row[i] - (i ? said->correction_row[i - 1] : 0);
	plane_put_u32(sums->planes, sums->words, said->correction_count);
	for (uint32_t i = 0; i < said->correction_count; i++)
		values[i] = format_zigzag(said->correction_ns[i]);
	plane_put_u64(sums->planes, values, said->correction_count);
	put_places(sums, said->late_back, said->late_row, said->late_count);
	plane_put_u32(sums->planes, said->late_site, said->late_count);
	plane_put_u64(sums->planes, said->late_ns, said->late_count);
	put_places(sums, said->found_back, said->found_row, said->found_count);
	plane_put_count(sums->planes, said->away_count);
	plane_put_u8(sums->planes, said->away_state, said->away_count);
	return (struct format_column_bytes){sums->out, (uint32_t)(plane_writer_at(sums->planes) - sums->out)};
}

void child_sums_add(struct child_sums *sums, uint64_t batch, const struct child_rows *rows,
                    struct format_batch *encoded) {
	const struct store_child_sums *said = child_sums_put(sums, batch, rows);
	encoded->columns[FORMAT_COLUMN_CHILD_SUMS] =
	    said ? put_column(sums, said) : (struct format_column_bytes){NULL, 0};
}
