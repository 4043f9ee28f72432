/* SPDX-License-Identifier: Apache-2.0 */
#include "self_time.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/interval.h"
#include "libstore/reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define NONE UINT32_MAX
#define FEW_ROWS 64u
#define TRACE_BITS (1u << 23) /* of the filter of traces that have strays */
#define MARKS (1u << 21)
#define MARK_ANYWHERE UINT16_MAX
#define STATE_BITS 2u
#define NOT_SAID 3u /* the batch has no child sums */
#define FEW_STRAYS 64u

/* A child without its parent. */
struct stray {
	uint64_t hash; /* of trace and parent */
	uint64_t parent_id;
	struct interval interval;
	uint32_t segment;
	uint32_t batch_state; /* number of the batch, and enum store_away or NOT_SAID */
};

struct child {
	uint32_t parent; /* row */
	struct interval interval;
};

_Static_assert(SELF_TIME_TWINS_MAX <= UINT8_MAX, "looks are counted in a byte");
_Static_assert(sizeof(struct stray) == SELF_TIME_BUDGET_BYTES / SELF_TIME_CHILDREN_MAX, "as many as are promised");

struct self_time {
	enum self_time_pass pass;
	bool is_first;
	uint64_t seed; /* of the hashes: ids may come from strangers */
	uint64_t low;  /* hashes of the strays of this round: low to high */
	uint64_t high;
	struct stray *strays;
	size_t count;
	size_t room;
	size_t room_max;
	uint32_t *stray_slots; /* first stray of its span + 1, by hash; while they are resolved */
	uint64_t stray_mask;
	uint8_t *looks; /* by first stray: rows that looked at more than FEW_STRAYS, up to SELF_TIME_TWINS_MAX */
	uint64_t unresolved;
	uint64_t *trace_filter;
	uint16_t *
	    marks; /* by hash of traces: 0 none, the segment of its strays + 1, or MARK_ANYWHERE; NULL: all are wanted */
	uint64_t *wanted; /* bits, likewise */
	/* Of one batch. */
	uint32_t *slots;   /* row + 1, by hash of its own id */
	uint32_t *parents; /* row, or NONE */
	uint64_t *until;
	uint64_t *last_start;
	uint32_t *order;
	uint32_t row_room;
	struct child *children;
	size_t child_count;
	size_t child_room;
	struct interval *intervals;
	size_t interval_room;
};

int self_time_new(size_t budget_bytes, struct self_time **ret_self) {
	struct self_time *self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	if (getrandom(&self->seed, sizeof(self->seed), 0) != (ssize_t)sizeof(self->seed))
		self->seed = (uint64_t)(uintptr_t)self;
	self->pass = SELF_TIME_COLLECT;
	self->is_first = true;
	self->high = UINT64_MAX;
	self->trace_filter = calloc(TRACE_BITS / 64, sizeof(*self->trace_filter));
	if (!self->trace_filter) {
		free(self);
		return -ENOMEM;
	}
	self->room_max = budget_bytes / sizeof(struct stray);
	if (self->room_max > UINT32_MAX / 4)
		self->room_max = UINT32_MAX / 4;
	*ret_self = self;
	return 0;
}

void self_time_free(struct self_time *self) {
	if (!self)
		return;
	free(self->strays);
	free(self->stray_slots);
	free(self->looks);
	free(self->trace_filter);
	free(self->marks);
	free(self->wanted);
	free(self->slots);
	free(self->parents);
	free(self->until);
	free(self->last_start);
	free(self->order);
	free(self->children);
	free(self->intervals);
	free(self);
}

int self_time_settled(struct self_time *self) {
	self->marks = calloc(MARKS, sizeof(*self->marks));
	self->wanted = calloc(MARKS / 64, sizeof(*self->wanted));
	self->pass = SELF_TIME_MARK;
	return self->marks && self->wanted ? 0 : -ENOMEM;
}

enum self_time_pass self_time_pass(const struct self_time *self) {
	return self->pass;
}

static uint64_t hash_of(const struct self_time *self, uint64_t trace_lo, uint64_t span_id) {
	trace_lo += self->seed;
	uint64_t hash = (trace_lo ^ (trace_lo >> 29)) * UINT64_C(0x9e3779b97f4a7c15) + (span_id ^ self->seed);
	hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return hash ^ (hash >> 32);
}

static int grow(void *array_place, size_t *room, size_t wanted, size_t item_bytes) {
	void *array = NULL;
	if (wanted <= *room)
		return 0;
	size_t more = *room * 2 > wanted ? *room * 2 : wanted + 64;
	memcpy(&array, array_place, sizeof(array));
	void *grown = reallocarray(array, more, item_bytes);
	if (!grown)
		return -ENOMEM;
	memcpy(array_place, &grown, sizeof(grown));
	*room = more;
	return 0;
}

static int make_row_room(struct self_time *self, uint32_t count) {
	uint32_t slots = 64;
	if (count <= self->row_room)
		return 0;
	while (slots < count * 2)
		slots *= 2;
	free(self->slots);
	free(self->parents);
	free(self->until);
	free(self->last_start);
	free(self->order);
	self->row_room = 0;
	self->slots = malloc(slots * sizeof(*self->slots));
	self->parents = malloc(count * sizeof(*self->parents));
	self->until = malloc(count * sizeof(*self->until));
	self->last_start = malloc(count * sizeof(*self->last_start));
	self->order = malloc(count * sizeof(*self->order));
	if (!self->slots || !self->parents || !self->until || !self->last_start || !self->order)
		return -ENOMEM;
	self->row_room = count;
	return 0;
}

/* --- parents in the batch ---------------------------------------------------------------------------------------- */

/* A trace of few rows is looked through, from the row before backwards: parents begin before their children. */
static void find_in_few(struct self_time *self, const struct self_time_rows *rows, uint32_t first, uint32_t end) {
	for (uint32_t row = first; row < end; row++) {
		uint64_t parent = rows->parent_id[row];
		uint32_t at = row;
		self->parents[row] = NONE;
		if (parent == 0 || parent == rows->span_id[row])
			continue;
		while (at > first && rows->span_id[at - 1] != parent)
			at--;
		if (at > first) {
			self->parents[row] = at - 1;
			continue;
		}
		for (at = row + 1; at < end && rows->span_id[at] != parent; at++)
			;
		if (at < end)
			self->parents[row] = at;
	}
}

/* Of two rows with one id the first counts. */
static void find_in_many(struct self_time *self, const struct self_time_rows *rows, uint32_t first, uint32_t end) {
	uint32_t slots = 64;
	while (slots < (end - first) * 2)
		slots *= 2;
	uint32_t mask = slots - 1;
	memset(self->slots, 0, slots * sizeof(*self->slots));
	for (uint32_t row = first; row < end; row++) {
		uint32_t at = (uint32_t)hash_of(self, 0, rows->span_id[row]) & mask;
		while (self->slots[at] && rows->span_id[self->slots[at] - 1] != rows->span_id[row])
			at = (at + 1) & mask;
		if (!self->slots[at])
			self->slots[at] = row + 1;
	}
	for (uint32_t row = first; row < end; row++) {
		uint64_t parent = rows->parent_id[row];
		uint32_t at = (uint32_t)hash_of(self, 0, parent) & mask;
		bool none = parent == 0 || parent == rows->span_id[row];
		while (!none && self->slots[at] && rows->span_id[self->slots[at] - 1] != parent)
			at = (at + 1) & mask;
		self->parents[row] = none || !self->slots[at] ? NONE : self->slots[at] - 1;
	}
}

static uint32_t trace_bit(const struct self_time *self, uint64_t trace_lo) {
	return (uint32_t)hash_of(self, trace_lo, 0) % TRACE_BITS;
}

/* As the store has them; a row that is its own parent has none. */
static void take_parents(struct self_time *self, const struct self_time_rows *rows) {
	for (uint32_t row = 0; row < rows->count; row++) {
		uint32_t parent = rows->parent_row[row];
		self->parents[row] = parent < rows->count && parent != row ? parent : NONE;
	}
}

/* Rows of a trace stand together; where they do not, the children of the other rows are strays. */
static void find_parents(struct self_time *self, const struct self_time_rows *rows) {
	for (uint32_t first = 0, end = 0; first < rows->count; first = end) {
		for (end = first + 1; end < rows->count && rows->trace_lo[end] == rows->trace_lo[first]; end++)
			;
		if (end - first <= FEW_ROWS)
			find_in_few(self, rows, first, end);
		else
			find_in_many(self, rows, first, end);
	}
}

/* --- unions ------------------------------------------------------------------------------------------------------ */

static struct interval interval_of(const struct self_time_rows *rows, uint32_t row) {
	return interval_from(rows->start_ns[row], rows->duration_ns[row]);
}

struct place {
	uint64_t start;
	uint32_t row;
};

static int by_place(const void *a, const void *b) {
	const struct place *first = a;
	const struct place *second = b;
	if (first->start != second->start)
		return first->start < second->start ? -1 : 1;
	return first->row < second->row ? -1 : first->row > second->row;
}

static int order_rows(struct self_time *self, const struct self_time_rows *rows) {
	struct place *places CLEANUP_FREE = malloc(rows->count * sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (uint32_t row = 0; row < rows->count; row++)
		places[row] = (struct place){rows->start_ns[row], row};
	qsort(places, rows->count, sizeof(*places), by_place);
	for (uint32_t i = 0; i < rows->count; i++)
		self->order[i] = places[i].row;
	return 0;
}

/* False, and nothing was done: the children of some row do not stand in order of start. */
static bool cover_ordered(struct self_time *self, const struct self_time_rows *rows, uint64_t *covered) {
	bool ordered = true;
	memcpy(self->until, rows->start_ns, rows->count * sizeof(*self->until));
	memset(self->last_start, 0, rows->count * sizeof(*self->last_start));
	for (uint32_t row = 0; row < rows->count; row++) {
		uint32_t parent = self->parents[row];
		if (parent == NONE)
			continue;
		ordered &= rows->start_ns[row] >= self->last_start[parent];
		self->last_start[parent] = rows->start_ns[row];
		covered[parent] +=
		    interval_add(interval_of(rows, parent), interval_of(rows, row), &self->until[parent]);
	}
	if (!ordered)
		memset(covered, 0, rows->count * sizeof(*covered));
	return ordered;
}

static int cover_in_batch(struct self_time *self, const struct self_time_rows *rows, uint64_t *covered) {
	if (cover_ordered(self, rows, covered))
		return 0;
	int error = order_rows(self, rows);
	if (error)
		return error;
	memcpy(self->until, rows->start_ns, rows->count * sizeof(*self->until));
	for (uint32_t i = 0; i < rows->count; i++) {
		uint32_t row = self->order[i];
		uint32_t parent = self->parents[row];
		if (parent != NONE)
			covered[parent] +=
			    interval_add(interval_of(rows, parent), interval_of(rows, row), &self->until[parent]);
	}
	return 0;
}

/* --- settled batches -------------------------------------------------------------------------------------------- */

static uint32_t mark_of(const struct self_time *self, uint64_t trace_lo) {
	return (uint32_t)hash_of(self, trace_lo, 0) % MARKS;
}

static uint32_t state_of(const struct self_time_rows *rows, uint32_t away) {
	const struct store_child_sums *sums = rows->child_sums;
	return sums && away < sums->away_count ? sums->away_state[away] : NOT_SAID;
}

static void mark_traces(struct self_time *self, const struct self_time_rows *rows) {
	uint32_t away = 0;
	for (uint32_t row = 0; row < rows->count; row++) {
		if (rows->parent_row[row] != STORE_PARENT_AWAY)
			continue;
		uint32_t state = state_of(rows, away++);
		if (state == STORE_AWAY_FOUND)
			continue;
		bool known = state == STORE_AWAY_WAITS && rows->waits_elsewhere && rows->segment + 1 < MARK_ANYWHERE;
		uint16_t home = known ? (uint16_t)(rows->segment + 1) : MARK_ANYWHERE;
		uint16_t *mark = &self->marks[mark_of(self, rows->trace_lo[row])];
		*mark = *mark == 0 || *mark == home ? home : MARK_ANYWHERE;
	}
}

/* Traces that are where the parents of their strays may be. */
static void spread_marks(struct self_time *self, const struct self_time_rows *rows) {
	for (uint32_t row = 0; row < rows->count; row++) {
		if (row && rows->trace_lo[row] == rows->trace_lo[row - 1])
			continue;
		uint32_t at = mark_of(self, rows->trace_lo[row]);
		if (self->marks[at] && self->marks[at] != rows->segment + 1)
			self->wanted[at / 64] |= UINT64_C(1) << at % 64;
	}
}

static bool is_wanted(const struct self_time *self, uint64_t trace_lo) {
	uint32_t at = self->marks ? mark_of(self, trace_lo) : 0;
	return !self->marks || self->wanted[at / 64] >> at % 64 & 1;
}

/* Have the sums of the rows at hand counted this child of one of them? */
static bool is_settled(const struct stray *stray, const struct self_time_rows *rows) {
	uint64_t batch = stray->batch_state >> STATE_BITS;
	uint32_t state = stray->batch_state & ((1u << STATE_BITS) - 1);
	if (!rows->child_sums || stray->segment != rows->segment || batch == rows->batch)
		return false;
	return batch > rows->batch ? state == STORE_AWAY_FOUND
	                           : state == STORE_AWAY_WAITS && rows->child_sums->from <= batch;
}

/* --- strays ------------------------------------------------------------------------------------------------------ */

/* The budget is spent: the upper half of the hashes has its turn later. */
static int give_up_half(struct self_time *self) {
	size_t kept = self->count;
	while (kept == self->count) {
		if (self->high == self->low)
			return ERR_LIMIT;
		self->high = self->low + (self->high - self->low) / 2;
		kept = 0;
		for (size_t i = 0; i < self->count; i++)
			kept += self->strays[i].hash <= self->high;
	}
	kept = 0;
	for (size_t i = 0; i < self->count; i++)
		if (self->strays[i].hash <= self->high)
			self->strays[kept++] = self->strays[i];
	self->count = kept;
	return 0;
}

static int keep_stray(struct self_time *self, const struct stray *stray) {
	while (self->count >= self->room_max && stray->hash <= self->high) {
		int error = give_up_half(self);
		if (error)
			return error;
	}
	if (stray->hash > self->high)
		return 0;
	int error = grow(&self->strays, &self->room, self->count + 1, sizeof(*self->strays));
	if (!error)
		self->strays[self->count++] = *stray;
	return error;
}

/* The id of the parent of a row that has none in the batch; 0: it has none at all. */
static uint64_t parent_away(const struct self_time *self, const struct self_time_rows *rows, uint32_t row,
                            uint32_t *away) {
	if (rows->parent_row) {
		bool is_away = rows->parent_row[row] == STORE_PARENT_AWAY && *away < rows->away_count;
		return is_away ? rows->away_parent_id[(*away)++] : 0;
	}
	uint64_t parent = rows->parent_id[row];
	return self->parents[row] != NONE || parent == rows->span_id[row] ? 0 : parent;
}

static int collect_strays(struct self_time *self, const struct self_time_rows *rows) {
	uint32_t away = 0;
	int error = 0;
	if (rows->parent_row && rows->away_count == 0)
		return 0;
	for (uint32_t row = 0; row < rows->count && !error; row++) {
		uint64_t parent = parent_away(self, rows, row, &away);
		if (parent == 0 || !is_wanted(self, rows->trace_lo[row]))
			continue;
		uint32_t state = rows->parent_row ? state_of(rows, away - 1) : NOT_SAID;
		struct stray stray = {hash_of(self, rows->trace_lo[row], parent), parent, interval_of(rows, row),
		                      rows->segment, (uint32_t)rows->batch << STATE_BITS | state};
		uint32_t bit = trace_bit(self, rows->trace_lo[row]);
		self->trace_filter[bit / 64] |= UINT64_C(1) << (bit % 64);
		if (stray.hash >= self->low && stray.hash <= self->high)
			error = keep_stray(self, &stray);
	}
	return error;
}

static int by_hash(const void *a, const void *b) {
	const struct stray *first = a;
	const struct stray *second = b;
	if (first->hash != second->hash)
		return first->hash < second->hash ? -1 : 1;
	return first->parent_id < second->parent_id ? -1 : first->parent_id > second->parent_id;
}

static int index_strays(struct self_time *self) {
	size_t slots = 64;
	while (slots < self->count * 2)
		slots *= 2;
	qsort(self->strays, self->count, sizeof(*self->strays), by_hash);
	free(self->stray_slots);
	free(self->looks);
	self->stray_slots = calloc(slots, sizeof(*self->stray_slots));
	self->looks = calloc(self->count, sizeof(*self->looks));
	if (!self->stray_slots || !self->looks)
		return -ENOMEM;
	self->stray_mask = slots - 1;
	for (size_t i = 0; i < self->count; i++) {
		if (i && by_hash(&self->strays[i - 1], &self->strays[i]) == 0)
			continue;
		uint64_t at = self->strays[i].hash & self->stray_mask;
		while (self->stray_slots[at])
			at = (at + 1) & self->stray_mask;
		self->stray_slots[at] = (uint32_t)i + 1;
	}
	return 0;
}

/* The first stray whose parent is this span; self->count: there is none. */
static size_t strays_of(const struct self_time *self, uint64_t trace_lo, uint64_t span_id) {
	struct stray key = {.hash = hash_of(self, trace_lo, span_id), .parent_id = span_id};
	uint64_t at = key.hash & self->stray_mask;
	while (self->stray_slots[at]) {
		size_t first = self->stray_slots[at] - 1;
		if (by_hash(&self->strays[first], &key) == 0)
			return first;
		at = (at + 1) & self->stray_mask;
	}
	return self->count;
}

/* Each row looks at all strays of its id: many rows with one id, and many strays of it, would multiply. */
static bool may_look(struct self_time *self, size_t first) {
	const struct stray *strays = self->strays;
	if (self->count - first <= FEW_STRAYS || by_hash(&strays[first], &strays[first + FEW_STRAYS]) != 0)
		return true;
	if (self->looks[first] < SELF_TIME_TWINS_MAX) {
		self->looks[first]++;
		return true;
	}
	self->unresolved++;
	return false;
}

static int by_parent(const void *a, const void *b) {
	const struct child *first = a;
	const struct child *second = b;
	return first->parent < second->parent ? -1 : first->parent > second->parent;
}

/* The children in the batch of those of its spans that have strays too, by parent; until: the first stray + 1, or 0. */
static int gather_children(struct self_time *self, const struct self_time_rows *rows) {
	int error = 0;
	self->child_count = 0;
	bool may_have = false;
	for (uint32_t row = 0; row < rows->count; row++) {
		if (row == 0 || rows->trace_lo[row] != rows->trace_lo[row - 1]) {
			uint32_t bit = trace_bit(self, rows->trace_lo[row]);
			may_have = self->trace_filter[bit / 64] >> (bit % 64) & 1;
		}
		size_t first = may_have ? strays_of(self, rows->trace_lo[row], rows->span_id[row]) : self->count;
		self->until[row] = first < self->count && may_look(self, first) ? first + 1 : 0;
	}
	for (uint32_t row = 0; row < rows->count && !error; row++) {
		uint32_t parent = self->parents[row];
		if (parent == NONE || !self->until[parent])
			continue;
		error = grow(&self->children, &self->child_room, self->child_count + 1, sizeof(*self->children));
		if (!error)
			self->children[self->child_count++] = (struct child){parent, interval_of(rows, row)};
	}
	if (!error && self->child_count)
		qsort(self->children, self->child_count, sizeof(*self->children), by_parent);
	return error;
}

/* The children of one row, from *next on, then its strays. The first *ret_near of *ret_count are counted already. */
static int list_intervals(struct self_time *self, const struct self_time_rows *rows, uint32_t row, size_t *next,
                          size_t *ret_near, size_t *ret_count) {
	size_t count = 0;
	int error = 0;
	for (; *next < self->child_count && self->children[*next].parent == row && !error; ++*next) {
		error = grow(&self->intervals, &self->interval_room, count + 1, sizeof(*self->intervals));
		if (!error)
			self->intervals[count++] = self->children[*next].interval;
	}
	size_t first = self->until[row] - 1;
	for (int settled = 1; settled >= 0; settled--) {
		for (size_t i = first;
		     i < self->count && by_hash(&self->strays[first], &self->strays[i]) == 0 && !error; i++) {
			if (is_settled(&self->strays[i], rows) != settled)
				continue;
			error = grow(&self->intervals, &self->interval_room, count + 1, sizeof(*self->intervals));
			if (!error)
				self->intervals[count++] = self->strays[i].interval;
		}
		if (settled)
			*ret_near = count;
	}
	*ret_count = count;
	return error;
}

static int resolve_strays(struct self_time *self, const struct self_time_rows *rows, uint64_t *covered) {
	size_t next = 0;
	int error = gather_children(self, rows);
	for (uint32_t row = 0; row < rows->count && !error; row++) {
		size_t near = 0;
		size_t count = 0;
		if (!self->until[row])
			continue;
		error = list_intervals(self, rows, row, &next, &near, &count);
		if (error)
			break;
		struct interval whole = interval_of(rows, row);
		uint64_t before = interval_union(whole, self->intervals, near);
		covered[row] = interval_union(whole, self->intervals, count) - before;
	}
	return error;
}

/* --- passes ------------------------------------------------------------------------------------------------------ */

int self_time_take(struct self_time *self, const struct self_time_rows *rows, uint64_t *ret_covered) {
	int error = make_row_room(self, rows->count);
	if (error || rows->count == 0)
		return error;
	memset(ret_covered, 0, rows->count * sizeof(*ret_covered));
	if (self->pass == SELF_TIME_MARK || self->pass == SELF_TIME_SPREAD) {
		if (self->pass == SELF_TIME_MARK)
			mark_traces(self, rows);
		else
			spread_marks(self, rows);
		return 0;
	}
	if (rows->parent_row)
		take_parents(self, rows);
	else
		find_parents(self, rows);
	if (self->pass == SELF_TIME_RESOLVE)
		return resolve_strays(self, rows, ret_covered);
	if (self->is_first && !rows->child_sums)
		error = cover_in_batch(self, rows, ret_covered);
	return error ? error : collect_strays(self, rows);
}

bool self_time_wants_ids(const struct self_time *self) {
	return self->pass == SELF_TIME_RESOLVE;
}

uint64_t self_time_unresolved(const struct self_time *self) {
	return self->unresolved;
}

int self_time_next_pass(struct self_time *self) {
	if (self->pass == SELF_TIME_MARK || self->pass == SELF_TIME_SPREAD) {
		self->pass = self->pass == SELF_TIME_MARK ? SELF_TIME_SPREAD : SELF_TIME_COLLECT;
		return 1;
	}
	self->is_first = false;
	if (self->pass == SELF_TIME_COLLECT && self->count > 0) {
		self->pass = SELF_TIME_RESOLVE;
		int error = index_strays(self);
		return error ? error : 1;
	}
	self->pass = SELF_TIME_COLLECT;
	self->count = 0;
	if (self->high == UINT64_MAX)
		return 0;
	self->low = self->high + 1;
	self->high = UINT64_MAX;
	return 1;
}
