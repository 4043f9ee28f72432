/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_rows.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "segment.h"

#include <string.h>

static uint64_t row_checksum(uint64_t id, const struct store_rollup *rollup, const uint8_t *bytes, size_t byte_count) {
	uint64_t head[14] = {id,
	                     rollup->process,
	                     rollup->site,
	                     rollup->since_ns,
	                     rollup->until_ns,
	                     rollup->ns_per_tick_q32,
	                     rollup->count,
	                     rollup->errors,
	                     rollup->sum_ns,
	                     rollup->min_ns,
	                     rollup->max_ns,
	                     rollup->heap_allocated_units,
	                     (uint64_t)rollup->heap_net_units,
	                     rollup->heap_spans};
	return checksum64(bytes, byte_count, checksum64(head, sizeof(head), 0));
}

static uint64_t total_checksum(const struct store_rollup_total *total, const uint8_t *bytes, size_t byte_count) {
	uint64_t head[10] = {total->site,
	                     total->time_ns,
	                     total->count,
	                     total->errors,
	                     total->sum_ticks,
	                     total->min_ticks,
	                     total->max_ticks,
	                     total->heap_allocated_units,
	                     (uint64_t)total->heap_net_units,
	                     total->heap_spans};
	uint64_t sum = checksum64(total->instance, STORE_INSTANCE_BYTES, 0);
	return checksum64(bytes, byte_count, checksum64(head, sizeof(head), sum));
}

int rollup_put(struct db_statement *insert, uint64_t id, const struct store_rollup *rollup,
               struct rollup_coder *coder) {
	uint32_t bytes = rollup_encode_bins(rollup->bins, rollup->bin_count, coder->bytes);
	db_put_u64(insert, id);
	db_put_u64(insert, rollup->process);
	db_put_u64(insert, rollup->site);
	db_put_u64(insert, rollup->since_ns);
	db_put_u64(insert, rollup->until_ns);
	db_put_u64(insert, rollup->ns_per_tick_q32);
	db_put_u64(insert, rollup->count);
	db_put_u64(insert, rollup->errors);
	db_put_u64(insert, rollup->sum_ns);
	db_put_u64(insert, rollup->min_ns);
	db_put_u64(insert, rollup->max_ns);
	db_put_u64(insert, rollup->heap_allocated_units);
	db_put_u64(insert, (uint64_t)rollup->heap_net_units);
	db_put_u64(insert, rollup->heap_spans);
	db_put_u64(insert, row_checksum(id, rollup, coder->bytes, bytes));
	db_put_blob(insert, coder->bytes, bytes);
	return db_run(insert);
}

int rollup_put_total(struct db_statement *insert, const struct store_rollup_total *total, struct rollup_coder *coder) {
	uint32_t bytes = rollup_encode_bins(total->bins, total->bin_count, coder->bytes);
	db_put_blob(insert, total->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, total->site);
	db_put_u64(insert, total->time_ns);
	db_put_u64(insert, total->count);
	db_put_u64(insert, total->errors);
	db_put_u64(insert, total->sum_ticks);
	db_put_u64(insert, total->min_ticks);
	db_put_u64(insert, total->max_ticks);
	db_put_u64(insert, total->heap_allocated_units);
	db_put_u64(insert, (uint64_t)total->heap_net_units);
	db_put_u64(insert, total->heap_spans);
	db_put_u64(insert, total_checksum(total, coder->bytes, bytes));
	db_put_blob(insert, coder->bytes, bytes);
	return db_run(insert);
}

int rollup_get(struct db_statement *select, struct rollup_coder *coder, uint64_t *ret_id,
               struct store_rollup *ret_rollup, uint64_t *ret_checksum) {
	size_t byte_count = 0;
	uint64_t sum = 0;
	uint64_t id = db_get_u64(select);
	struct store_rollup rollup = {.process = db_get_u32(select), .bins = coder->bins};
	rollup.site = db_get_u32(select);
	rollup.since_ns = db_get_u64(select);
	rollup.until_ns = db_get_u64(select);
	rollup.ns_per_tick_q32 = db_get_u64(select);
	rollup.count = db_get_u64(select);
	rollup.errors = db_get_u64(select);
	rollup.sum_ns = db_get_u64(select);
	rollup.min_ns = db_get_u64(select);
	rollup.max_ns = db_get_u64(select);
	rollup.heap_allocated_units = db_get_u64(select);
	rollup.heap_net_units = (int64_t)db_get_u64(select);
	rollup.heap_spans = db_get_u64(select);
	uint64_t checksum = db_get_u64(select);
	const uint8_t *bytes = db_get_blob(select, &byte_count);
	if (db_row_end(select) || byte_count > ROLLUP_BINS_BYTES_MAX ||
	    checksum != row_checksum(id, &rollup, bytes, byte_count))
		return ERR_DAMAGED;
	if (rollup_decode_bins(bytes, byte_count, coder->bins, &rollup.bin_count, &sum) || sum != rollup.count ||
	    rollup_check_figures(&rollup))
		return ERR_DAMAGED;
	*ret_id = id;
	*ret_rollup = rollup;
	*ret_checksum = checksum;
	return 0;
}

int rollup_get_total(struct db_statement *select, struct rollup_coder *coder, struct store_rollup_total *ret_total,
                     uint64_t *ret_checksum) {
	size_t instance_bytes = 0;
	size_t byte_count = 0;
	uint64_t sum = 0;
	struct store_rollup_total total = {.bins = coder->bins};
	const uint8_t *instance = db_get_blob(select, &instance_bytes);
	if (instance_bytes != STORE_INSTANCE_BYTES)
		return ERR_DAMAGED;
	memcpy(total.instance, instance, STORE_INSTANCE_BYTES);
	total.site = db_get_u32(select);
	total.time_ns = db_get_u64(select);
	total.count = db_get_u64(select);
	total.errors = db_get_u64(select);
	total.sum_ticks = db_get_u64(select);
	total.min_ticks = db_get_u64(select);
	total.max_ticks = db_get_u64(select);
	total.heap_allocated_units = db_get_u64(select);
	total.heap_net_units = (int64_t)db_get_u64(select);
	total.heap_spans = db_get_u64(select);
	uint64_t checksum = db_get_u64(select);
	const uint8_t *bytes = db_get_blob(select, &byte_count);
	if (db_row_end(select) || byte_count > ROLLUP_BINS_BYTES_MAX ||
	    checksum != total_checksum(&total, bytes, byte_count))
		return ERR_DAMAGED;
	if (rollup_decode_bins(bytes, byte_count, coder->bins, &total.bin_count, &sum) || sum != total.count)
		return ERR_DAMAGED;
	*ret_total = total;
	*ret_checksum = checksum;
	return 0;
}

static int sum_table(struct db *db, enum schema_table table, const char *sql, uint64_t *ret_rows,
                     uint64_t *ret_checksum) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int there = segment_has_table(db, table);
	if (there != 1)
		return there;
	int error = db_prepare(db, sql, &select);
	for (; !error; ++*ret_rows) {
		int row = db_next(select);
		if (row <= 0)
			return row;
		uint64_t checksum = db_get_u64(select);
		*ret_checksum = checksum64(&checksum, sizeof(checksum), *ret_checksum);
		if (db_row_end(select) || *ret_rows == ROLLUP_ROWS_MAX)
			error = ERR_DAMAGED;
	}
	return error;
}

int rollup_sum(struct db *db, struct rollup_sums *ret_sums) {
	struct rollup_sums sums = {0};
	int error =
	    sum_table(db, SCHEMA_ROLLUP, "SELECT checksum FROM rollup ORDER BY id", &sums.steps, &sums.step_checksum);
	if (!error)
		error = sum_table(db, SCHEMA_ROLLUP_SEGMENT, "SELECT checksum FROM rollup_segment ORDER BY id",
		                  &sums.wholes, &sums.whole_checksum);
	if (!error)
		error = sum_table(db, SCHEMA_ROLLUP_TOTAL, "SELECT checksum FROM rollup_total ORDER BY instance,site",
		                  &sums.totals, &sums.total_checksum);
	*ret_sums = sums;
	return error;
}

int rollup_read_sums(struct db *db, struct rollup_sums *ret_sums) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	memset(ret_sums, 0, sizeof(*ret_sums));
	int error = db_prepare(db, "SELECT value FROM meta WHERE key=?", &select);
	if (error)
		return error;
	db_put_text(select, ROLLUP_SUMS_KEY, strlen(ROLLUP_SUMS_KEY));
	int row = db_next(select);
	if (row != 1)
		return row;
	size_t bytes = 0;
	const uint8_t *value = db_get_blob(select, &bytes);
	if (db_row_end(select) || bytes != sizeof(*ret_sums))
		return ERR_DAMAGED;
	memcpy(ret_sums, value, sizeof(*ret_sums));
	return 0;
}
