/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of rollups put together: those of the same process, site and window of time become one row.
 *
 * Scales differ a little from step to step, as the agent learns the clock better. Steps go together as long as their scale is within
 * SCALE_SLACK of the row's, which adds less than 1/16384 to the error of a bin: 1/128 + 1/16384 < 0.79 %. A clock that was measured anew
 * and differs more gets a row of its own.
 *
 * The steps of a window lie beside each other in the file, so they are read window by window. Where processes are put together, their steps come one
 * process after the other, so that clocks of different scales make a row each and not one at every change.
 */
#include "rollup_gather.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (1u << 20)
#define SCALE_SLACK 16384u

struct step {
	uint64_t window;
	uint64_t id;
	uint32_t process;
	uint32_t site;
};

struct rollup_gather {
	uint64_t window_ns;
	bool by_site; /* of all processes */
	struct step *steps;
	size_t count;
	size_t next;
	struct db_statement *one; /* a step by its id */
	struct db_statement *insert;
	struct rollup_coder coder;
	struct store_rollup row; /* being gathered */
	uint64_t window;
	bool gathering;
	uint64_t counts[ROLLUP_BINS_MAX];
	uint64_t rows;
};

static int by_place(const void *a, const void *b) {
	const struct step *first = a;
	const struct step *second = b;
	if (first->window != second->window)
		return first->window < second->window ? -1 : 1;
	if (first->process != second->process)
		return first->process < second->process ? -1 : 1;
	if (first->site != second->site)
		return first->site < second->site ? -1 : 1;
	return first->id < second->id ? -1 : first->id > second->id;
}

static int by_site(const void *a, const void *b) {
	const struct step *first = a;
	const struct step *second = b;
	if (first->site != second->site)
		return first->site < second->site ? -1 : 1;
	return by_place(a, b);
}

static int list_steps(struct rollup_gather *gather, struct db *db) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, "SELECT id,process,site,until_ns FROM rollup ORDER BY id", &select);
	for (size_t i = 0; !error && (row = db_next(select)) == 1; i++) {
		if (i == gather->count)
			return ERR_DAMAGED;
		struct step *step = &gather->steps[i];
		step->id = db_get_u64(select);
		step->process = db_get_u32(select);
		step->site = db_get_u32(select);
		uint64_t until_ns = db_get_u64(select);
		step->window = gather->window_ns && until_ns ? (until_ns - 1) / gather->window_ns : 0;
		error = db_row_end(select);
	}
	if (gather->count)
		qsort(gather->steps, gather->count, sizeof(*gather->steps), gather->by_site ? by_site : by_place);
	return error ? error : row;
}

static int write_row(struct rollup_gather *gather) {
	struct store_rollup *row = &gather->row;
	if (!gather->gathering)
		return 0;
	row->bins = gather->coder.bins;
	row->bin_count = 0;
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++) {
		if (gather->counts[bin])
			gather->coder.bins[row->bin_count++] =
			    (struct store_rollup_bin){.count = gather->counts[bin], .bin = bin};
	}
	gather->gathering = false;
	memset(gather->counts, 0, sizeof(gather->counts));
	return rollup_put(gather->insert, ++gather->rows, row, &gather->coder);
}

static bool belongs(const struct store_rollup *row, const struct store_rollup *step) {
	uint64_t distance = row->ns_per_tick_q32 > step->ns_per_tick_q32 ? row->ns_per_tick_q32 - step->ns_per_tick_q32
	                                                                 : step->ns_per_tick_q32 - row->ns_per_tick_q32;
	uint64_t count;
	return row->process == step->process && row->site == step->site &&
	       distance <= row->ns_per_tick_q32 / SCALE_SLACK &&
	       !__builtin_add_overflow(row->count, step->count, &count);
}

static void add_step(struct rollup_gather *gather, const struct store_rollup *step) {
	struct store_rollup *row = &gather->row;
	for (uint32_t i = 0; i < step->bin_count; i++)
		gather->counts[step->bins[i].bin] += step->bins[i].count;
	if (!gather->gathering) {
		*row = *step;
		gather->gathering = true;
		return;
	}
	/* A step without spans has no smallest and largest. */
	if (step->count && (!row->count || step->min_ns < row->min_ns))
		row->min_ns = step->min_ns;
	if (step->count && (!row->count || step->max_ns > row->max_ns))
		row->max_ns = step->max_ns;
	if (step->since_ns < row->since_ns)
		row->since_ns = step->since_ns;
	if (step->until_ns > row->until_ns)
		row->until_ns = step->until_ns;
	row->count += step->count;
	row->errors = saturating_add(row->errors, step->errors);
	row->sum_ns = saturating_add(row->sum_ns, step->sum_ns);
	row->heap_allocated_units = saturating_add(row->heap_allocated_units, step->heap_allocated_units);
	row->heap_net_units = (int64_t)((uint64_t)row->heap_net_units + (uint64_t)step->heap_net_units);
	row->heap_spans = saturating_add(row->heap_spans, step->heap_spans);
}

static int take(struct rollup_gather *gather, const struct step *step) {
	struct store_rollup rollup;
	uint64_t id = 0;
	uint64_t checksum = 0;
	db_reset(gather->one);
	db_put_u64(gather->one, step->id);
	int row = db_next(gather->one);
	if (row != 1)
		return row < 0 ? row : ERR_DAMAGED;
	int error = rollup_get(gather->one, &gather->coder, &id, &rollup, &checksum);
	if (error)
		return error;
	if (gather->by_site)
		rollup.process = 0;
	if (gather->gathering && (step->window != gather->window || !belongs(&gather->row, &rollup))) {
		/* The bins of both are in the coder: take the step again once the row is written. */
		error = write_row(gather);
		return error ? error : take(gather, step);
	}
	gather->window = step->window;
	add_step(gather, &rollup);
	return 0;
}

static int open_gather(struct db *from, uint64_t window_ns, bool by_site, struct rollup_gather **ret_gather) {
	int64_t count = 0;
	*ret_gather = NULL;
	int error = db_integer(from, "SELECT count(*) FROM rollup", &count);
	if (error || count == 0 || count > STEPS_MAX)
		return error;
	struct rollup_gather *gather = calloc(1, sizeof(*gather));
	if (!gather)
		return -ENOMEM;
	gather->window_ns = window_ns;
	gather->by_site = by_site;
	gather->count = (size_t)count;
	gather->steps = calloc(gather->count, sizeof(*gather->steps));
	error = gather->steps ? list_steps(gather, from) : -ENOMEM;
	if (!error)
		error = db_prepare(from, "SELECT * FROM rollup WHERE id=?", &gather->one);
	if (error) {
		rollup_gather_close(gather);
		return error;
	}
	*ret_gather = gather;
	return 0;
}

int rollup_gather_open(struct db *from, uint64_t window_ns, struct rollup_gather **ret_gather) {
	return open_gather(from, window_ns, false, ret_gather);
}

int rollup_gather_open_sites(struct db *from, struct rollup_gather **ret_gather) {
	return open_gather(from, 0, true, ret_gather);
}

void rollup_gather_close(struct rollup_gather *gather) {
	if (!gather)
		return;
	db_finalize(gather->one);
	db_finalize(gather->insert);
	free(gather->steps);
	free(gather);
}

size_t rollup_gather_steps(const struct rollup_gather *gather) {
	return gather->count;
}

size_t rollup_gather_groups(const struct rollup_gather *gather) {
	size_t groups = 1;
	for (size_t i = 1; i < gather->count; i++) {
		const struct step *step = &gather->steps[i];
		groups += step->window != step[-1].window || step->site != step[-1].site ||
		          (!gather->by_site && step->process != step[-1].process);
	}
	return groups;
}

int rollup_gather_rows(struct rollup_gather *gather, struct db *to, enum schema_table table, size_t steps) {
	int error = gather->insert ? 0 : db_prepare(to, schema_tables[table].insert, &gather->insert);
	for (; steps > 0 && gather->next < gather->count && !error; steps--)
		error = take(gather, &gather->steps[gather->next++]);
	if (error || gather->next < gather->count)
		return error ? error : 1;
	return write_row(gather);
}
