/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the whole segment: when it is sealed, all steps of a site of a process become one row, so that a question without a time range reads
 * some hundred rows instead of some hundred per site.
 *
 * Scales differ a little from step to step, as the agent learns the clock better. Steps go together as long as their scale is within
 * SCALE_SLACK of the row's, which adds less than 1/16384 to the error of a bin: 1/128 + 1/16384 < 0.79 %. A clock that was measured anew
 * and differs more gets a row of its own.
 *
 * Not worth it, and not done: fewer than two steps per row on average, or so many steps that their order would take much memory.
 */
#include "rollup_rows.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "segment.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (1u << 20)
#define STEPS_PER_ROW_MIN 2u
#define SCALE_SLACK 16384u

struct step {
	uint64_t id;
	uint32_t process;
	uint32_t site;
};

struct sealing {
	struct db_statement *one;    /* a step by its id */
	struct db_statement *insert; /* a row of the whole segment */
	struct rollup_coder coder;
	struct store_rollup row; /* being gathered; count 0 and no bins: none */
	bool gathering;
	uint64_t counts[ROLLUP_BINS_MAX];
	uint64_t rows;
};

static int by_site(const void *a, const void *b) {
	const struct step *first = a;
	const struct step *second = b;
	if (first->process != second->process)
		return first->process < second->process ? -1 : 1;
	if (first->site != second->site)
		return first->site < second->site ? -1 : 1;
	return first->id < second->id ? -1 : first->id > second->id;
}

static int list_steps(struct db *db, struct step *steps, size_t count) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, "SELECT id,process,site FROM rollup ORDER BY id", &select);
	for (size_t i = 0; !error && (row = db_next(select)) == 1; i++) {
		if (i == count)
			return ERR_DAMAGED;
		steps[i].id = db_get_u64(select);
		steps[i].process = db_get_u32(select);
		steps[i].site = db_get_u32(select);
		error = db_row_end(select);
	}
	if (count)
		qsort(steps, count, sizeof(*steps), by_site);
	return error ? error : row;
}

static bool is_worth_it(const struct step *steps, size_t count) {
	size_t sites = count > 0;
	for (size_t i = 1; i < count; i++)
		sites += steps[i].process != steps[i - 1].process || steps[i].site != steps[i - 1].site;
	return count >= sites * STEPS_PER_ROW_MIN && count > 1;
}

static int write_row(struct sealing *sealing) {
	struct store_rollup *row = &sealing->row;
	if (!sealing->gathering)
		return 0;
	row->bins = sealing->coder.bins;
	row->bin_count = 0;
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++) {
		if (sealing->counts[bin])
			sealing->coder.bins[row->bin_count++] =
			    (struct store_rollup_bin){.count = sealing->counts[bin], .bin = bin};
	}
	sealing->gathering = false;
	memset(sealing->counts, 0, sizeof(sealing->counts));
	return rollup_put(sealing->insert, ++sealing->rows, row, &sealing->coder);
}

static bool belongs(const struct store_rollup *row, const struct store_rollup *step) {
	uint64_t distance = row->ns_per_tick_q32 > step->ns_per_tick_q32 ? row->ns_per_tick_q32 - step->ns_per_tick_q32
	                                                                 : step->ns_per_tick_q32 - row->ns_per_tick_q32;
	uint64_t count;
	return row->process == step->process && row->site == step->site &&
	       distance <= row->ns_per_tick_q32 / SCALE_SLACK &&
	       !__builtin_add_overflow(row->count, step->count, &count);
}

static void add_step(struct sealing *sealing, const struct store_rollup *step) {
	struct store_rollup *row = &sealing->row;
	for (uint32_t i = 0; i < step->bin_count; i++)
		sealing->counts[step->bins[i].bin] += step->bins[i].count;
	if (!sealing->gathering) {
		*row = *step;
		sealing->gathering = true;
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

static int gather(struct sealing *sealing, const struct step *step) {
	struct store_rollup rollup;
	uint64_t id = 0;
	uint64_t checksum = 0;
	db_reset(sealing->one);
	db_put_u64(sealing->one, step->id);
	int row = db_next(sealing->one);
	if (row != 1)
		return row < 0 ? row : ERR_DAMAGED;
	int error = rollup_get(sealing->one, &sealing->coder, &id, &rollup, &checksum);
	if (error)
		return error;
	if (sealing->gathering && !belongs(&sealing->row, &rollup)) {
		/* The bins of both are in the coder: take the step again once the row is written. */
		error = write_row(sealing);
		return error ? error : gather(sealing, step);
	}
	add_step(sealing, &rollup);
	return 0;
}

static int make_rows(struct db *db, const struct step *steps, size_t count) {
	struct sealing *sealing CLEANUP_FREE = calloc(1, sizeof(*sealing));
	if (!sealing)
		return -ENOMEM;
	int error = db_prepare(db, "SELECT * FROM rollup WHERE id=?", &sealing->one);
	if (!error)
		error = db_prepare(db, schema_tables[SCHEMA_ROLLUP_SEGMENT].insert, &sealing->insert);
	for (size_t i = 0; i < count && !error; i++)
		error = gather(sealing, &steps[i]);
	if (!error)
		error = write_row(sealing);
	db_finalize(sealing->one);
	db_finalize(sealing->insert);
	return error;
}

static int make_wholes(struct db *db) {
	int64_t count = 0;
	int error = db_integer(db, "SELECT count(*) FROM rollup", &count);
	if (error || count == 0 || count > STEPS_MAX)
		return error;
	struct step *steps CLEANUP_FREE = calloc((size_t)count, sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	error = list_steps(db, steps, (size_t)count);
	if (!error && is_worth_it(steps, (size_t)count))
		error = make_rows(db, steps, (size_t)count);
	return error;
}

static int write_sums(struct db *db, const struct rollup_sums *sums) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_META].insert, &insert);
	if (error)
		return error;
	db_put_text(insert, ROLLUP_SUMS_KEY, strlen(ROLLUP_SUMS_KEY));
	db_put_blob(insert, sums, sizeof(*sums));
	return db_run(insert);
}

int rollup_seal(struct db *db) {
	struct rollup_sums sums;
	int there = segment_has_table(db, SCHEMA_ROLLUP);
	if (there == 1)
		there = segment_has_table(db, SCHEMA_ROLLUP_SEGMENT);
	if (there != 1)
		return there;
	int error = make_wholes(db);
	if (!error)
		error = rollup_sum(db, &sums);
	if (!error && (sums.steps || sums.totals))
		error = write_sums(db, &sums);
	return error;
}
