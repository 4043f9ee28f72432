/* SPDX-License-Identifier: Apache-2.0 */
#include "leaks.h"

#include "analyze/kernels/trend.h"

#include "base/checked.h"

#include <spanring/record.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024u
#define UNIT ((double)SPANRING_HEAP_UNIT_BYTES)

/* The children of one span that are in other batches than it. */
struct stray {
	uint64_t parent_id; /* 0: the slot is free */
	uint32_t process;   /* of the children: a parent on another thread did not count them */
	uint32_t tid;
	int64_t net;
};

struct leak_strays {
	struct stray *slots;
	size_t slot_count; /* a power of two, at least twice as many as are taken */
	size_t taken;
};

static size_t slot_of(const struct leak_strays *strays, uint64_t parent_id, uint32_t process, uint32_t tid) {
	size_t mask = strays->slot_count - 1;
	size_t at = (size_t)(parent_id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
	for (; strays->slots[at].parent_id; at = (at + 1) & mask) {
		const struct stray *slot = &strays->slots[at];
		if (slot->parent_id == parent_id && slot->process == process && slot->tid == tid)
			break;
	}
	return at;
}

static int grow(struct leak_strays *strays) {
	struct leak_strays larger = {.slot_count = strays->slot_count ? 2 * strays->slot_count : SLOTS_MIN,
	                             .taken = strays->taken};
	larger.slots = calloc(larger.slot_count, sizeof(larger.slots[0]));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < strays->slot_count; i++) {
		const struct stray *slot = &strays->slots[i];
		if (slot->parent_id)
			larger.slots[slot_of(&larger, slot->parent_id, slot->process, slot->tid)] = *slot;
	}
	free(strays->slots);
	*strays = larger;
	return 0;
}

static const struct store_thread *thread_of(const struct store_columns *columns, uint32_t row) {
	uint32_t thread = columns->thread[row];
	return thread <= columns->segment->thread_count ? &columns->segment->threads[thread] : NULL;
}

static bool is_counted(const struct store_columns *columns, uint32_t row) {
	return (columns->flags[row] & STORE_SPAN_HEAP) != 0;
}

static int keep_stray(struct leaks *leaks, const struct store_columns *columns, uint32_t row, uint64_t parent_id) {
	struct leak_strays *strays = leaks->strays;
	const struct store_thread *thread = thread_of(columns, row);
	if (!thread || parent_id == 0)
		return 0;
	if (2 * (strays->taken + 1) > strays->slot_count && grow(strays) < 0)
		return -ENOMEM;
	struct stray *slot = &strays->slots[slot_of(strays, parent_id, thread->process, thread->tid)];
	if (slot->parent_id == 0) {
		if (strays->taken == LEAKS_STRAYS_MAX) {
			leaks->own_known = false;
			return 0;
		}
		strays->taken++;
		*slot = (struct stray){.parent_id = parent_id, .process = thread->process, .tid = thread->tid};
	}
	slot->net += columns->heap_net_units[row];
	return 0;
}

static int collect_strays(void *context, const struct store_columns *columns) {
	struct leaks *leaks = context;
	uint32_t away = 0;
	int rc = 0;
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		if (columns->parent_row[row] != STORE_PARENT_AWAY)
			continue;
		uint64_t parent_id = away < columns->away_count ? columns->away_parent_id[away] : 0;
		away++;
		if (is_counted(columns, row))
			rc = keep_stray(leaks, columns, row, parent_id);
	}
	return rc;
}

static int64_t strays_of(const struct leaks *leaks, const struct store_columns *columns, uint32_t row) {
	const struct leak_strays *strays = leaks->strays;
	const struct store_thread *thread = thread_of(columns, row);
	if (!leaks->own_known || !strays->taken || !thread || columns->span_id[row] == 0)
		return 0;
	const struct stray *slot = &strays->slots[slot_of(strays, columns->span_id[row], thread->process, thread->tid)];
	return slot->parent_id ? slot->net : 0;
}

static bool is_of_thread(const struct store_columns *columns, uint32_t child, uint32_t parent) {
	const struct store_thread *left = thread_of(columns, child);
	const struct store_thread *right = thread_of(columns, parent);
	return left && right && left->process == right->process && left->tid == right->tid;
}

/* Own of all rows of a batch. */
static int take_off_children(struct leaks *leaks, const struct store_columns *columns) {
	if (columns->span_count > leaks->own_room) {
		int64_t *own = realloc(leaks->own, columns->span_count * sizeof(*own));
		if (!own)
			return -ENOMEM;
		leaks->own = own;
		leaks->own_room = columns->span_count;
	}
	for (uint32_t row = 0; row < columns->span_count; row++)
		leaks->own[row] =
		    is_counted(columns, row) ? columns->heap_net_units[row] - strays_of(leaks, columns, row) : 0;
	for (uint32_t row = 0; row < columns->span_count && leaks->own_known; row++) {
		uint32_t parent = columns->parent_row[row];
		if (parent < columns->span_count && is_counted(columns, row) && is_of_thread(columns, row, parent))
			leaks->own[parent] -= columns->heap_net_units[row];
	}
	return 0;
}

static unsigned part_of(const struct leaks *leaks, const struct store_columns *columns, uint32_t row) {
	uint64_t end_ns = columns->start_ns[row] + columns->duration_ns[row] + columns->segment->wall_offset_ns;
	uint64_t range_ns = leaks->end_wall_ns - leaks->start_wall_ns;
	if (end_ns <= leaks->start_wall_ns || range_ns == 0)
		return 0;
	double share = (double)(end_ns - leaks->start_wall_ns) / (double)range_ns;
	return share < 1 ? (unsigned)(share * LEAKS_PARTS) : LEAKS_PARTS - 1;
}

static int sum_up(void *context, const struct store_columns *columns) {
	struct leaks *leaks = context;
	int rc = take_off_children(leaks, columns);
	for (uint32_t row = 0; row < columns->span_count && rc == 0; row++) {
		if (!is_counted(columns, row) || !query_accepts(leaks->query, columns, row))
			continue;
		uint32_t name = query_name(columns, row);
		struct leak *line = &leaks->lines[name <= leaks->query->overview->name_count ? name : 0];
		unsigned part = part_of(leaks, columns, row);
		line->count++;
		line->net += columns->heap_net_units[row];
		line->own += leaks->own[row];
		line->own_square += (double)leaks->own[row] * (double)leaks->own[row];
		line->parts[part] += leaks->own[row];
		line->part_spans[part]++;
	}
	return rc;
}

static void set_range(struct leaks *leaks) {
	const struct store_overview *overview = leaks->query->overview;
	uint64_t start_ns = UINT64_MAX, end_ns = 0;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		if (segment->spans == 0)
			continue;
		uint64_t from_ns = segment->start_ns_min + segment->wall_offset_ns;
		uint64_t to_ns = segment->end_ns_max + segment->wall_offset_ns;
		start_ns = from_ns < start_ns ? from_ns : start_ns;
		end_ns = to_ns > end_ns ? to_ns : end_ns;
	}
	if (leaks->query->since_wall_ns > start_ns)
		start_ns = leaks->query->since_wall_ns;
	if (leaks->query->until_wall_ns < end_ns)
		end_ns = leaks->query->until_wall_ns;
	leaks->start_wall_ns = start_ns < end_ns ? start_ns : end_ns;
	leaks->end_wall_ns = end_ns;
}

/* Most of the parts in which spans ended, and enough of them. */
static bool is_spread(const struct leak *line) {
	unsigned with = 0, positive = 0;
	for (unsigned part = 0; part < LEAKS_PARTS; part++) {
		with += line->part_spans[part] > 0;
		positive += line->parts[part] > 0;
	}
	return with >= LEAKS_PARTS_MIN && 4 * positive >= 3 * with;
}

static unsigned parts_with_spans(const struct leak *line) {
	unsigned with = 0;
	for (unsigned part = 0; part < LEAKS_PARTS; part++)
		with += line->part_spans[part] > 0;
	return with;
}

static void judge(struct leak *line) {
	double n = (double)line->count;
	double mean = (double)line->own / n;
	double variance = n > 1 ? fmax(line->own_square - n * mean * mean, 0) / (n - 1) : 0;
	double half = n > 2 ? trend_student_95(n - 1) * sqrt(variance / n) : INFINITY;
	line->mean = mean * UNIT;
	line->mean_low = (mean - half) * UNIT;
	line->mean_high = (mean + half) * UNIT;
	if (line->count < LEAKS_SPANS_MIN || parts_with_spans(line) < LEAKS_PARTS_MIN)
		line->verdict = LEAK_SHORT;
	else if (!(line->mean_low > 0))
		line->verdict = LEAK_STABLE;
	else
		line->verdict = is_spread(line) ? LEAK_GROWING : LEAK_ONCE;
}

static int by_own(const void *a, const void *b) {
	const struct leak *left = a;
	const struct leak *right = b;
	if (left->own != right->own)
		return left->own > right->own ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

static void settle(struct leaks *leaks) {
	for (uint32_t name = 0; name <= leaks->query->overview->name_count; name++) {
		if (leaks->lines[name].count == 0)
			continue;
		leaks->lines[leaks->line_count] = leaks->lines[name];
		leaks->lines[leaks->line_count].name = name;
		judge(&leaks->lines[leaks->line_count++]);
	}
	qsort(leaks->lines, leaks->line_count, sizeof(leaks->lines[0]), by_own);
}

int leaks_read(struct query *query, bool has_none, struct leaks *ret_leaks) {
	struct leaks *leaks = ret_leaks;
	struct query_scan scan = {.columns = STORE_COLUMN_PARENT_ROW | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP |
	                                     STORE_COLUMN_THREAD,
	                          .whole_time = true, /* children count wherever they are */
	                          .without_where = true,
	                          .on_batch = collect_strays,
	                          .context = leaks};
	*leaks = (struct leaks){.query = query, .own_known = true};
	set_range(leaks);
	if (has_none)
		return 0;
	leaks->lines = calloc((size_t)query->overview->name_count + 1, sizeof(leaks->lines[0]));
	leaks->strays = calloc(1, sizeof(*leaks->strays));
	if (!leaks->lines || !leaks->strays)
		return -ENOMEM;
	int rc = query_scan(query, &scan);
	scan.columns |= STORE_COLUMN_SITE | STORE_COLUMN_START | STORE_COLUMN_DURATION | STORE_COLUMN_SPAN_ID;
	scan.whole_time = false;
	scan.without_where = false;
	scan.on_batch = sum_up;
	if (rc == 0)
		rc = query_scan(query, &scan);
	if (rc == 0)
		settle(leaks);
	return rc;
}

void leaks_done(struct leaks *leaks) {
	if (leaks->strays)
		free(leaks->strays->slots);
	free(leaks->strays);
	free(leaks->lines);
	free(leaks->own);
}
