/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_sites.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "rollup_gather.h"
#include "segment.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX (1u << 17) /* more would make sealing long */
#define ROWS_SAVED_MIN 2u
#define HEAD_BYTES (2 * sizeof(uint64_t))

/* What the steps count, process by process. ERR_LIMIT: of too many processes. */
static int count_processes(struct db *db, struct rollup_sites *sites, size_t *ret_count) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, "SELECT process,count FROM rollup ORDER BY process", &select);
	*ret_count = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t process = db_get_u32(select);
		uint64_t spans = db_get_u64(select);
		if (db_row_end(select))
			return ERR_DAMAGED;
		if (*ret_count == 0 || sites->processes[*ret_count - 1].process != process) {
			if (*ret_count == ROLLUP_SITES_PROCESSES_MAX)
				return ERR_LIMIT;
			sites->processes[(*ret_count)++] = (struct rollup_sites_process){.process = process};
		}
		uint64_t *count = &sites->processes[*ret_count - 1].count;
		*count = saturating_add(*count, spans);
	}
	return error ? error : row;
}

static int sum_rows(struct db *db, uint64_t *ret_rows, uint64_t *ret_checksum, uint64_t *ret_spans) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, "SELECT checksum,count FROM rollup_site ORDER BY id", &select);
	*ret_rows = 0;
	*ret_checksum = 0;
	*ret_spans = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t checksum = db_get_u64(select);
		*ret_spans = saturating_add(*ret_spans, db_get_u64(select));
		*ret_checksum = checksum64(&checksum, sizeof(checksum), *ret_checksum);
		++*ret_rows;
		error = db_row_end(select);
	}
	return error ? error : row;
}

static int write_promise(struct db *db, struct rollup_sites *sites) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	size_t count = 0;
	uint64_t spans = 0;
	int error = count_processes(db, sites, &count);
	if (!error)
		error = sum_rows(db, &sites->rows, &sites->checksum, &spans);
	if (!error)
		error = db_prepare(db, schema_tables[SCHEMA_META].insert, &insert);
	if (error)
		return error;
	db_put_text(insert, ROLLUP_SITES_KEY, strlen(ROLLUP_SITES_KEY));
	db_put_blob(insert, sites, HEAD_BYTES + count * sizeof(sites->processes[0]));
	return db_run(insert);
}

static int make_rows(struct db *db, uint64_t rows, bool *ret_made) {
	struct rollup_gather *gather = NULL;
	int error = rollup_gather_open_sites(db, &gather);
	if (error || !gather)
		return error;
	*ret_made = rollup_gather_steps(gather) <= STEPS_MAX && rollup_gather_groups(gather) <= rows / ROWS_SAVED_MIN;
	if (*ret_made)
		error = rollup_gather_rows(gather, db, SCHEMA_ROLLUP_SITE, SIZE_MAX);
	rollup_gather_close(gather);
	return error;
}

int rollup_sites_seal(struct db *db, uint64_t rows) {
	struct rollup_sites *sites CLEANUP_FREE = NULL;
	bool made = false;
	size_t count = 0;
	int there = segment_has_table(db, SCHEMA_ROLLUP_SITE);
	if (there != 1)
		return there;
	sites = malloc(sizeof(*sites));
	int error = sites ? count_processes(db, sites, &count) : -ENOMEM;
	if (!error)
		error = make_rows(db, rows, &made);
	if (!error && made)
		error = write_promise(db, sites);
	return error == ERR_LIMIT ? 0 : error;
}

static bool are_in_order(const struct rollup_sites *sites, size_t count, uint64_t process_max) {
	for (size_t i = 0; i < count; i++)
		if (sites->processes[i].process > process_max ||
		    sites->processes[i].process <= (i ? sites->processes[i - 1].process : 0))
			return false;
	return true;
}

int rollup_sites_read(struct db *db, uint64_t process_max, struct rollup_sites *ret_sites, size_t *ret_process_count) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	ret_sites->rows = 0;
	ret_sites->checksum = 0;
	*ret_process_count = 0;
	int there = segment_has_table(db, SCHEMA_ROLLUP_SITE);
	int error = there == 1 ? db_prepare(db, "SELECT value FROM meta WHERE key=?", &select) : there;
	if (there != 1 || error)
		return error;
	db_put_text(select, ROLLUP_SITES_KEY, strlen(ROLLUP_SITES_KEY));
	int row = db_next(select);
	if (row != 1)
		return row;
	size_t bytes = 0;
	const uint8_t *value = db_get_blob(select, &bytes);
	if (db_row_end(select) || bytes < HEAD_BYTES || bytes > sizeof(*ret_sites) ||
	    (bytes - HEAD_BYTES) % sizeof(ret_sites->processes[0]) != 0)
		return ERR_DAMAGED;
	memcpy(ret_sites, value, bytes);
	*ret_process_count = (bytes - HEAD_BYTES) / sizeof(ret_sites->processes[0]);
	return ret_sites->rows && are_in_order(ret_sites, *ret_process_count, process_max) ? 0 : ERR_DAMAGED;
}

/* `found` is what the steps count. */
static int compare(struct db *db, const struct rollup_sites *promised, const struct rollup_sites *found, size_t count) {
	uint64_t rows = 0;
	uint64_t checksum = 0;
	uint64_t spans = 0;
	uint64_t steps = 0;
	int error = sum_rows(db, &rows, &checksum, &spans);
	for (size_t i = 0; i < count; i++)
		steps = saturating_add(steps, found->processes[i].count);
	bool same = promised->rows == rows && promised->checksum == checksum && spans == steps &&
	            memcmp(promised->processes, found->processes, count * sizeof(found->processes[0])) == 0;
	return error || same ? error : ERR_DAMAGED;
}

int rollup_sites_check(struct db *db) {
	struct rollup_sites *sites CLEANUP_FREE = calloc(2, sizeof(*sites));
	size_t promised = 0;
	size_t found = 0;
	uint64_t rows = 0;
	uint64_t checksum = 0;
	uint64_t spans = 0;
	int there = segment_has_table(db, SCHEMA_ROLLUP_SITE);
	if (there != 1 || !sites)
		return there == 1 ? -ENOMEM : there;
	int error = rollup_sites_read(db, UINT32_MAX, &sites[0], &promised);
	if (error)
		return error;
	if (sites[0].rows == 0) {
		error = sum_rows(db, &rows, &checksum, &spans);
		return error || rows == 0 ? error : ERR_DAMAGED;
	}
	error = count_processes(db, &sites[1], &found);
	if (error)
		return error == ERR_LIMIT ? ERR_DAMAGED : error;
	return found == promised ? compare(db, &sites[0], &sites[1], found) : ERR_DAMAGED;
}
