/* SPDX-License-Identifier: Apache-2.0 */
#include "child_window.h"

#include "base/errs.h"
#include "reader.h"

#include <string.h>

#define ROWS_FIRST 1024u
#define SHORT_TRACE_ROWS 64u /* searched one by one */
#define ADOPTED_HEADS 4096u
#define TRACE_HEADS 65536u
#define PREFETCH_TRACES 8u
#define PREFETCH_ROWS 32u
#define PREFETCH_STEP 8u     /* a cache line of numbers */
#define GONE_BITS (1u << 23) /* of a full segment of traces of 18 spans one of a hundred thousand is taken for gone */
#define GONE_HASHES 6u
#define SLOTS (CHILD_WINDOW_BATCHES + 1u)

struct adopted {
	struct interval interval;
	uint32_t row;
	uint32_t next; /* of those with the same head, + 1 */
};

/* A trace of a batch. Positions count up from 1; one that is not above that of the oldest batch is gone. */
struct trace_entry {
	uint64_t trace_lo;
	uint32_t next;  /* position of the one before with the same head */
	uint32_t older; /* position of the one before with the same low half; 0: none */
	uint32_t slot;
	uint32_t first; /* row */
	uint32_t end;
};

/* One batch. Its rows lie at `first` of the arrays of the window. */
struct child_slot {
	struct child_window *window;
	uint64_t batch;
	uint32_t first;
	uint32_t position; /* of its first trace */
	bool has_twins;
	struct child_rows rows;
	uint32_t *by_id; /* row + 1; NULL: not made */
	uint32_t id_mask;
	uint32_t *child_end; /* of each row: the end of its children in `children`; NULL: not made */
	uint32_t *children;
	struct adopted *adopted;
	uint32_t *adopted_heads; /* + 1 */
	uint32_t adopted_count;
	uint32_t adopted_room;
};

struct child_window {
	uint64_t seed;
	struct child_slot slots[SLOTS];
	uint32_t oldest;
	uint32_t count; /* kept; the one behind them is a candidate */
	bool has_candidate;
	uint32_t next; /* row of the arrays */
	uint32_t room;
	uint64_t *trace_lo;
	uint64_t *span_id;
	uint64_t *start_ns;
	uint64_t *duration_ns;
	uint32_t *parent_row;
	uint32_t *site;
	uint8_t *flags;
	uint32_t *run;
	struct trace_entry *traces; /* of position p: p % room */
	uint32_t *trace_heads;      /* positions */
	uint32_t position;          /* of the next trace */
	uint64_t *gone;             /* filter of traces */
	bool any_gone;
	bool all_gone; /* no memory for the filter */
};

static uint64_t mix(uint64_t value) {
	value = (value ^ value >> 29) * UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return value ^ value >> 32;
}

int child_intervals_add(struct child_intervals *intervals, struct interval interval) {
	if (intervals->count == intervals->room) {
		size_t room = intervals->room ? intervals->room * 2 : 64;
		struct interval *grown = reallocarray(intervals->items, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		intervals->items = grown;
		intervals->room = room;
	}
	intervals->items[intervals->count++] = interval;
	return 0;
}

int child_window_new(uint64_t seed, struct child_window **ret_window) {
	struct child_window *window = calloc(1, sizeof(*window));
	if (!window)
		return -ENOMEM;
	window->seed = seed;
	window->position = 1;
	*ret_window = window;
	return 0;
}

static void free_slot(struct child_slot *slot) {
	free(slot->by_id);
	free(slot->child_end);
	free(slot->children);
	free(slot->adopted);
	free(slot->adopted_heads);
	memset(slot, 0, sizeof(*slot));
}

static struct child_slot *slot_at(struct child_window *window, uint32_t i) {
	return &window->slots[(window->oldest + i) % SLOTS];
}

static uint32_t gone_bit(uint64_t hash, uint32_t i) {
	return ((uint32_t)hash + i * ((uint32_t)(hash >> 32) | 1u)) % GONE_BITS;
}

/* Without a seed: a false one costs a reader a second look, which no input makes dear. */
static void remember_gone(struct child_window *window, const struct child_slot *slot) {
	if (!window->gone)
		window->gone = calloc(GONE_BITS / 64, sizeof(*window->gone));
	window->all_gone = !window->gone;
	window->any_gone = true;
	for (uint32_t trace = 0; trace < slot->rows.trace_count && window->gone; trace++) {
		uint64_t hash = mix(slot->rows.trace_lo[trace]);
		for (uint32_t i = 0; i < GONE_HASHES; i++)
			window->gone[gone_bit(hash, i) / 64] |= UINT64_C(1) << gone_bit(hash, i) % 64;
	}
}

bool child_window_forgot(const struct child_window *window, uint64_t trace_lo) {
	uint64_t hash = mix(trace_lo);
	if (!window->any_gone || window->all_gone)
		return window->all_gone;
	for (uint32_t i = 0; i < GONE_HASHES; i++)
		if (!(window->gone[gone_bit(hash, i) / 64] >> gone_bit(hash, i) % 64 & 1))
			return false;
	return true;
}

static void drop_oldest(struct child_window *window) {
	struct child_slot *slot = slot_at(window, 0);
	remember_gone(window, slot);
	free_slot(slot);
	window->oldest = (window->oldest + 1) % SLOTS;
	window->count--;
}

static struct trace_entry *trace_at(const struct child_window *window, uint32_t position) {
	return &window->traces[position % window->room];
}

static uint32_t *trace_head(const struct child_window *window, uint64_t trace_lo) {
	return &window->trace_heads[mix(trace_lo ^ window->seed) % TRACE_HEADS];
}

/* The last one put is the first of its list. */
static void drop_candidate(struct child_window *window) {
	struct child_slot *slot = slot_at(window, window->count);
	if (!window->has_candidate)
		return;
	while (window->position > slot->position) {
		const struct trace_entry *entry = trace_at(window, --window->position);
		*trace_head(window, entry->trace_lo) = entry->next;
	}
	window->next = slot->first;
	free_slot(slot);
	window->has_candidate = false;
}

static void free_arrays(struct child_window *window) {
	free(window->trace_lo);
	free(window->span_id);
	free(window->start_ns);
	free(window->duration_ns);
	free(window->parent_row);
	free(window->site);
	free(window->flags);
	free(window->run);
	free(window->traces);
	free(window->trace_heads);
	window->room = 0;
}

void child_window_clear(struct child_window *window) {
	drop_candidate(window);
	for (uint32_t i = 0; i < window->count; i++)
		free_slot(slot_at(window, i));
	window->count = 0;
	window->oldest = 0;
	window->next = 0;
	if (window->position > 1)
		memset(window->trace_heads, 0, TRACE_HEADS * sizeof(*window->trace_heads));
	window->position = 1;
	if (window->any_gone && window->gone)
		memset(window->gone, 0, GONE_BITS / 8);
	window->any_gone = false;
	window->all_gone = false;
}

void child_window_free(struct child_window *window) {
	if (!window)
		return;
	child_window_clear(window);
	free_arrays(window);
	free(window->gone);
	free(window);
}

/* --- a batch comes ------------------------------------------------------------------------------------------------ */

static int make_room(struct child_window *window, uint32_t count) {
	uint32_t rows = ROWS_FIRST;
	while (rows < count)
		rows *= 2;
	if (window->room >= rows * CHILD_WINDOW_ROOM)
		return 0;
	while (window->count)
		drop_oldest(window);
	free_arrays(window);
	uint32_t room = rows * CHILD_WINDOW_ROOM;
	window->next = 0;
	window->trace_lo = malloc(room * sizeof(*window->trace_lo));
	window->span_id = malloc(room * sizeof(*window->span_id));
	window->start_ns = malloc(room * sizeof(*window->start_ns));
	window->duration_ns = malloc(room * sizeof(*window->duration_ns));
	window->parent_row = malloc(room * sizeof(*window->parent_row));
	window->site = malloc(room * sizeof(*window->site));
	window->flags = malloc(room * sizeof(*window->flags));
	window->run = malloc(room * sizeof(*window->run));
	window->traces = malloc(room * sizeof(*window->traces));
	window->trace_heads = calloc(TRACE_HEADS, sizeof(*window->trace_heads));
	window->position = 1;
	if (!window->trace_lo || !window->span_id || !window->start_ns || !window->duration_ns || !window->parent_row ||
	    !window->site || !window->flags || !window->run || !window->traces || !window->trace_heads)
		return -ENOMEM;
	window->room = room;
	return 0;
}

static bool overlaps(const struct child_window *window, uint32_t first, uint32_t count) {
	for (uint32_t i = 0; i < window->count; i++) {
		const struct child_slot *slot = &window->slots[(window->oldest + i) % SLOTS];
		if (slot->first < first + count && first < slot->first + slot->rows.count)
			return true;
	}
	return false;
}

static void copy_rows(struct child_window *window, struct child_slot *slot, const struct child_rows *rows) {
	uint32_t at = slot->first;
	memcpy(window->trace_lo + at, rows->trace_lo, rows->trace_count * sizeof(*rows->trace_lo));
	memcpy(window->run + at, rows->run, rows->trace_count * sizeof(*rows->run));
	memcpy(window->span_id + at, rows->span_id, rows->count * sizeof(*rows->span_id));
	memcpy(window->start_ns + at, rows->start_ns, rows->count * sizeof(*rows->start_ns));
	memcpy(window->duration_ns + at, rows->duration_ns, rows->count * sizeof(*rows->duration_ns));
	memcpy(window->parent_row + at, rows->parent_row, rows->count * sizeof(*rows->parent_row));
	memcpy(window->site + at, rows->site, rows->count * sizeof(*rows->site));
	memcpy(window->flags + at, rows->flags, rows->count);
	slot->rows = (struct child_rows){.count = rows->count,
	                                 .trace_count = rows->trace_count,
	                                 .trace_lo = window->trace_lo + at,
	                                 .run = window->run + at,
	                                 .span_id = window->span_id + at,
	                                 .start_ns = window->start_ns + at,
	                                 .duration_ns = window->duration_ns + at,
	                                 .parent_row = window->parent_row + at,
	                                 .site = window->site + at,
	                                 .flags = window->flags + at};
}

/* Positions below are of batches that are gone. */
static uint32_t oldest_position(const struct child_window *window) {
	return window->slots[window->oldest].position;
}

static void put_traces(struct child_window *window, struct child_slot *slot) {
	const struct child_rows *rows = &slot->rows;
	uint32_t limit = window->count ? oldest_position(window) : window->position;
	uint32_t row = 0;
	for (uint32_t i = 0; i < rows->trace_count; i++) {
		if (i + PREFETCH_TRACES < rows->trace_count)
			__builtin_prefetch(trace_head(window, rows->trace_lo[i + PREFETCH_TRACES]));
		uint32_t *head = trace_head(window, rows->trace_lo[i]);
		uint32_t older = *head;
		while (older >= limit && trace_at(window, older)->trace_lo != rows->trace_lo[i])
			older = trace_at(window, older)->next;
		older = older >= limit ? older : 0;
		slot->has_twins |= older >= slot->position;
		*trace_at(window, window->position) = (struct trace_entry){.trace_lo = rows->trace_lo[i],
		                                                           .next = *head,
		                                                           .older = older,
		                                                           .slot = (uint32_t)(slot - window->slots),
		                                                           .first = row,
		                                                           .end = row + rows->run[i]};
		row += rows->run[i];
		*head = window->position++;
	}
}

int child_window_put(struct child_window *window, uint64_t batch, const struct child_rows *rows,
                     struct child_slot **ret_slot) {
	drop_candidate(window);
	int error = make_room(window, rows->count);
	if (error)
		return error;
	if (window->next + rows->count > window->room)
		window->next = 0;
	if (window->position > UINT32_MAX - rows->trace_count)
		return ERR_LIMIT;
	while (window->count == CHILD_WINDOW_BATCHES || overlaps(window, window->next, rows->count))
		drop_oldest(window);
	struct child_slot *slot = slot_at(window, window->count);
	*slot =
	    (struct child_slot){.window = window, .batch = batch, .first = window->next, .position = window->position};
	copy_rows(window, slot, rows);
	put_traces(window, slot);
	window->next += rows->count;
	window->has_candidate = true;
	*ret_slot = slot;
	return 0;
}

void child_window_keep(struct child_window *window) {
	window->count += window->has_candidate;
	window->has_candidate = false;
}

const struct child_rows *child_slot_rows(const struct child_slot *slot) {
	return &slot->rows;
}

uint64_t child_slot_batch(const struct child_slot *slot) {
	return slot->batch;
}

bool child_slot_has_twins(const struct child_slot *slot) {
	return slot->has_twins;
}

static struct child_run run_at(struct child_window *window, uint32_t position) {
	const struct trace_entry *entry = trace_at(window, position);
	return (struct child_run){&window->slots[entry->slot], entry->first, entry->end, position};
}

struct child_run child_slot_run(struct child_slot *slot, uint32_t trace) {
	return run_at(slot->window, slot->position + trace);
}

bool child_window_older(struct child_window *window, const struct child_run *run, struct child_run *ret_older) {
	uint32_t older = trace_at(window, run->position)->older;
	if (older == 0 || older < oldest_position(window))
		return false;
	*ret_older = run_at(window, older);
	return true;
}

/* --- a parent is looked for --------------------------------------------------------------------------------------- */

/* The first row with each id of a trace comes first. */
static int index_ids(struct child_slot *slot) {
	uint32_t size = 2;
	while (size < 2 * slot->rows.count)
		size *= 2;
	slot->by_id = calloc(size, sizeof(*slot->by_id));
	if (!slot->by_id)
		return -ENOMEM;
	slot->id_mask = size - 1;
	for (uint32_t row = 0; row < slot->rows.count; row++) {
		uint32_t at = (uint32_t)mix(slot->rows.span_id[row] ^ slot->window->seed) & slot->id_mask;
		while (slot->by_id[at])
			at = (at + 1) & slot->id_mask;
		slot->by_id[at] = row + 1;
	}
	return 0;
}

void child_run_prefetch(const struct child_run *run) {
	const struct child_window *window = run->slot->window;
	uint32_t position = trace_at(window, run->position)->older;
	if (position == 0 || position < oldest_position(window))
		return;
	const struct trace_entry *older = trace_at(window, position);
	const struct child_rows *rows = &window->slots[older->slot].rows;
	__builtin_prefetch(&rows->parent_row[older->first]);
	for (uint32_t row = older->first; row < older->end && row < older->first + PREFETCH_ROWS;
	     row += PREFETCH_STEP) {
		__builtin_prefetch(&rows->span_id[row]);
		__builtin_prefetch(&rows->start_ns[row]);
		__builtin_prefetch(&rows->duration_ns[row]);
	}
}

int child_run_find(const struct child_run *run, uint64_t span_id, uint32_t *ret_row) {
	struct child_slot *slot = run->slot;
	if (run->end - run->first <= SHORT_TRACE_ROWS) {
		uint32_t row = run->first;
		while (row < run->end && slot->rows.span_id[row] != span_id)
			row++;
		*ret_row = row;
		return row < run->end;
	}
	int error = slot->by_id ? 0 : index_ids(slot);
	if (error)
		return error;
	uint32_t at = (uint32_t)mix(span_id ^ slot->window->seed) & slot->id_mask;
	for (; slot->by_id[at]; at = (at + 1) & slot->id_mask) {
		uint32_t row = slot->by_id[at] - 1;
		*ret_row = row;
		if (row >= run->first && row < run->end && slot->rows.span_id[row] == span_id)
			return 1;
	}
	return 0;
}

/* --- its children ------------------------------------------------------------------------------------------------- */

/* Rows by parent: the order of the rows is kept. */
static int index_children(struct child_slot *slot) {
	const struct child_rows *rows = &slot->rows;
	slot->child_end = calloc((size_t)rows->count + 1, sizeof(*slot->child_end));
	slot->children = malloc(rows->count * sizeof(*slot->children));
	if (!slot->child_end || !slot->children)
		return -ENOMEM;
	for (uint32_t row = 0; row < rows->count; row++)
		if (rows->parent_row[row] < rows->count)
			slot->child_end[rows->parent_row[row] + 1]++;
	for (uint32_t row = 0; row < rows->count; row++)
		slot->child_end[row + 1] += slot->child_end[row];
	for (uint32_t row = 0; row < rows->count; row++)
		if (rows->parent_row[row] < rows->count)
			slot->children[slot->child_end[rows->parent_row[row]]++] = row;
	return 0;
}

static int add_child(const struct child_rows *rows, uint32_t row, uint32_t child, struct child_intervals *intervals) {
	if (rows->parent_row[child] != row || child == row)
		return 0;
	return child_intervals_add(intervals, interval_from(rows->start_ns[child], rows->duration_ns[child]));
}

int child_run_list_near(const struct child_run *run, uint32_t row, struct child_intervals *intervals) {
	struct child_slot *slot = run->slot;
	const struct child_rows *rows = &slot->rows;
	int error = 0;
	if (run->end - run->first <= SHORT_TRACE_ROWS) {
		for (uint32_t child = run->first; child < run->end && !error; child++)
			error = add_child(rows, row, child, intervals);
		return error;
	}
	if (!slot->child_end)
		error = index_children(slot);
	for (uint32_t i = row ? slot->child_end[row - 1] : 0; !error && i < slot->child_end[row]; i++)
		error = add_child(rows, row, slot->children[i], intervals);
	return error;
}

int child_slot_list_adopted(const struct child_slot *slot, uint32_t row, struct child_intervals *intervals) {
	int error = 0;
	uint32_t at = slot->adopted_heads ? slot->adopted_heads[row % ADOPTED_HEADS] : 0;
	for (; at && !error; at = slot->adopted[at - 1].next)
		if (slot->adopted[at - 1].row == row)
			error = child_intervals_add(intervals, slot->adopted[at - 1].interval);
	return error;
}

bool child_slot_may_adopt(const struct child_slot *slot, uint32_t count) {
	return slot->adopted_count + count <= CHILD_WINDOW_ADOPTED_MAX;
}

int child_slot_adopt(struct child_slot *slot, uint32_t row, struct interval child) {
	if (!slot->adopted_heads)
		slot->adopted_heads = calloc(ADOPTED_HEADS, sizeof(*slot->adopted_heads));
	if (!slot->adopted_heads)
		return -ENOMEM;
	if (slot->adopted_count == slot->adopted_room) {
		uint32_t room = slot->adopted_room ? slot->adopted_room * 2 : 64;
		struct adopted *grown = reallocarray(slot->adopted, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		slot->adopted = grown;
		slot->adopted_room = room;
	}
	uint32_t *head = &slot->adopted_heads[row % ADOPTED_HEADS];
	slot->adopted[slot->adopted_count++] = (struct adopted){child, row, *head};
	*head = slot->adopted_count;
	return 0;
}
