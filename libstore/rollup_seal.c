/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the whole segment: when it is sealed, all steps of a site of a process become one row, so that a question without a time range reads
 * some hundred rows instead of some hundred per site. Not where that would save less than half of the rows. The same again over all processes
 * (rollup_sites.h).
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "rollup_gather.h"
#include "rollup_sites.h"
#include "segment.h"

#include <string.h>

#define ROWS_SAVED_MIN 2u

static int make_wholes(struct db *db) {
	struct rollup_gather *gather = NULL;
	int error = rollup_gather_open(db, 0, &gather);
	if (error || !gather)
		return error;
	if (rollup_gather_groups(gather) <= rollup_gather_steps(gather) / ROWS_SAVED_MIN)
		error = rollup_gather_rows(gather, db, SCHEMA_ROLLUP_SEGMENT, SIZE_MAX);
	rollup_gather_close(gather);
	return error;
}

int rollup_write_sums(struct db *db, const struct rollup_sums *sums) {
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
		error = rollup_write_sums(db, &sums);
	if (!error && sums.steps)
		error = rollup_sites_seal(db, sums.wholes ? sums.wholes : sums.steps);
	return error;
}
