/* SPDX-License-Identifier: Apache-2.0 */
#include "self_sums.h"

#include "libstore/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With durations below this a batch adds up in 64 bits. */
#define HIGH_BITS_MAX 15u

__extension__ typedef unsigned __int128 self_u128;

struct self_total {
	self_u128 duration;
	self_u128 covered;
};

struct self_sums {
	uint32_t name_count;
	struct self_total *totals; /* by name */
	uint32_t site_room;
	uint64_t *covered; /* by site: what the batch at hand adds */
	uint32_t *next;    /* by site: its next duration */
	struct by_row *by_row;
};

/* Where rows have to be looked at one by one. */
struct by_row {
	uint64_t duration[BATCH_SPANS_MAX];
	uint64_t covered[BATCH_SPANS_MAX];
	bool is_open[BATCH_SPANS_MAX];
};

int self_sums_new(uint32_t name_count, struct self_sums **ret_sums) {
	struct self_sums *sums = calloc(1, sizeof(*sums));
	if (!sums)
		return -ENOMEM;
	sums->name_count = name_count;
	sums->totals = calloc((size_t)name_count + 1, sizeof(*sums->totals));
	if (!sums->totals) {
		free(sums);
		return -ENOMEM;
	}
	*ret_sums = sums;
	return 0;
}

void self_sums_free(struct self_sums *sums) {
	if (!sums)
		return;
	free(sums->totals);
	free(sums->covered);
	free(sums->next);
	free(sums->by_row);
	free(sums);
}

static int make_site_room(struct self_sums *sums, uint32_t sites) {
	if (sites <= sums->site_room)
		return 0;
	free(sums->covered);
	free(sums->next);
	sums->site_room = 0;
	sums->covered = malloc(sites * sizeof(*sums->covered));
	sums->next = malloc(sites * sizeof(*sums->next));
	if (!sums->covered || !sums->next)
		return -ENOMEM;
	sums->site_room = sites;
	return 0;
}

static struct self_total *total_of(struct self_sums *sums, const struct store_columns *columns, uint32_t site) {
	uint32_t name = columns->segment->sites[site].name;
	return &sums->totals[name <= sums->name_count ? name : 0];
}

static void begin_sites(struct self_sums *sums, const struct store_columns *columns) {
	for (uint32_t run = 0, first = 0; run < columns->run_count; first = columns->runs[run++].end) {
		sums->covered[columns->runs[run].site] = 0;
		sums->next[columns->runs[run].site] = first;
	}
}

static uint64_t duration_at(const struct store_columns *columns, uint32_t at) {
	return columns->duration_low[at] | (columns->duration_high ? (uint64_t)columns->duration_high[at] << 32 : 0);
}

/* --- all rows alike ----------------------------------------------------------------------------------------------- */

static void cover_parents(struct self_sums *sums, const struct store_columns *columns) {
	const uint32_t *site = columns->site;
	const uint32_t *parents = columns->parent_row;
	const uint32_t *low = columns->duration_low;
	uint32_t count = columns->span_count;
	for (uint32_t row = 0; row < count; row++) {
		uint64_t duration = low[sums->next[site[row]]++];
		bool is_child = parents[row] < count && parents[row] != row;
		sums->covered[site[is_child ? parents[row] : row]] += is_child ? duration : 0;
	}
}

static void cover_parents_long(struct self_sums *sums, const struct store_columns *columns) {
	const uint32_t *site = columns->site;
	uint32_t count = columns->span_count;
	for (uint32_t row = 0; row < count; row++) {
		uint64_t duration = duration_at(columns, sums->next[site[row]]++);
		uint32_t parent = columns->parent_row[row];
		if (parent < count && parent != row)
			sums->covered[site[parent]] += duration;
	}
}

static void add_durations(struct self_sums *sums, const struct store_columns *columns) {
	uint32_t at = 0;
	for (uint32_t run = 0; run < columns->run_count; run++) {
		uint64_t duration = 0;
		if (columns->duration_high)
			for (; at < columns->runs[run].end; at++)
				duration += duration_at(columns, at);
		else
			for (; at < columns->runs[run].end; at++)
				duration += columns->duration_low[at];
		struct self_total *total = total_of(sums, columns, columns->runs[run].site);
		total->duration += duration;
		total->covered += sums->covered[columns->runs[run].site];
	}
}

static void take_alike(struct self_sums *sums, const struct store_columns *columns) {
	const struct store_child_sums *said = columns->child_sums;
	if (columns->duration_high)
		cover_parents_long(sums, columns);
	else
		cover_parents(sums, columns);
	for (uint32_t i = 0; i < said->correction_count; i++)
		sums->covered[columns->site[said->correction_row[i]]] += said->correction_ns[i];
	add_durations(sums, columns);
}

/* --- row by row --------------------------------------------------------------------------------------------------- */

static int take_by_row(struct self_sums *sums, const struct store_columns *columns) {
	const struct store_child_sums *said = columns->child_sums;
	struct by_row *by_row = sums->by_row ? sums->by_row : malloc(sizeof(*by_row));
	sums->by_row = by_row;
	if (!by_row)
		return -ENOMEM;
	uint32_t count = columns->span_count;
	memset(by_row->covered, 0, count * sizeof(*by_row->covered));
	for (uint32_t row = 0; row < count; row++) {
		uint32_t at = sums->next[columns->site[row]]++;
		uint32_t parent = columns->parent_row[row];
		by_row->duration[row] = duration_at(columns, at);
		by_row->is_open[row] = columns->flags && columns->flags[at] & STORE_SPAN_OPEN;
		if (parent < count && parent != row)
			by_row->covered[parent] += by_row->duration[row];
	}
	for (uint32_t i = 0; i < said->correction_count; i++)
		by_row->covered[said->correction_row[i]] += said->correction_ns[i];
	for (uint32_t row = 0; row < count; row++) {
		struct self_total *total = total_of(sums, columns, columns->site[row]);
		if (by_row->is_open[row])
			continue;
		total->duration += by_row->duration[row];
		total->covered += by_row->covered[row];
	}
	return 0;
}

static bool may_overflow(const struct store_columns *columns) {
	uint32_t high = 0;
	for (uint32_t i = 0; columns->duration_high && i < columns->span_count; i++)
		high |= columns->duration_high[i];
	return high >> HIGH_BITS_MAX;
}

static bool has_open(const struct store_columns *columns) {
	uint8_t flags = 0;
	for (uint32_t i = 0; columns->flags && i < columns->span_count; i++)
		flags |= columns->flags[i];
	return flags & STORE_SPAN_OPEN;
}

int self_sums_take(struct self_sums *sums, const struct store_columns *columns) {
	const struct store_child_sums *said = columns->child_sums;
	int error = make_site_room(sums, columns->segment->site_count + 1);
	if (error)
		return error;
	begin_sites(sums, columns);
	if (may_overflow(columns) || has_open(columns))
		error = take_by_row(sums, columns);
	else
		take_alike(sums, columns);
	/* Spans that never ended have none. */
	for (uint32_t i = 0; i < said->late_count && !error; i++)
		total_of(sums, columns, said->late_site[i])->covered += said->late_ns[i];
	return error;
}

void self_sums_merge(struct self_sums *sums, const struct self_sums *other) {
	for (uint32_t name = 0; name <= sums->name_count; name++) {
		sums->totals[name].duration += other->totals[name].duration;
		sums->totals[name].covered += other->totals[name].covered;
	}
}

uint64_t self_sums_value(const struct self_sums *sums, uint32_t name) {
	const struct self_total *total = &sums->totals[name];
	if (total->covered >= total->duration)
		return 0;
	self_u128 self = total->duration - total->covered;
	return self > UINT64_MAX ? UINT64_MAX : (uint64_t)self;
}
