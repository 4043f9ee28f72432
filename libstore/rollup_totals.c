/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup_totals.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "rollup_rows.h"
#include "segment.h"
#include "writer.h"

#include <stdlib.h>
#include <string.h>

/* bins of the total are NULL: they are encoded here. */
struct rollup_totals_row {
	struct store_rollup_total total;
	uint8_t *bytes;
	uint32_t byte_count;
};

void rollup_totals_done(struct rollup_totals *totals) {
	for (size_t i = 0; i < totals->count; i++)
		free(totals->rows[i].bytes);
	free(totals->rows);
	id_table_done(&totals->by_site);
	memset(totals, 0, sizeof(*totals));
}

static bool same_site(const void *context, uint32_t id, const void *key) {
	const struct store_rollup_total *total = &((const struct rollup_totals *)context)->rows[id - 1].total;
	const struct store_rollup_total *sought = key;
	return total->site == sought->site && memcmp(total->instance, sought->instance, STORE_INSTANCE_BYTES) == 0;
}

static struct rollup_totals_row *append(struct rollup_totals *totals) {
	if (totals->count == totals->room) {
		size_t room = totals->room ? totals->room * 2 : 64;
		struct rollup_totals_row *grown = reallocarray(totals->rows, room, sizeof(*grown));
		if (!grown)
			return NULL;
		totals->rows = grown;
		totals->room = room;
	}
	return &totals->rows[totals->count];
}

/* Into a row that is new or has an older reading. */
static int put(struct rollup_totals *totals, struct rollup_totals_row *row, const struct store_rollup_total *total,
               struct rollup_coder *coder) {
	uint32_t byte_count = rollup_encode_bins(total->bins, total->bin_count, coder->bytes);
	uint8_t *bytes = malloc(byte_count ? byte_count : 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, coder->bytes, byte_count);
	totals->bytes += byte_count;
	*row = (struct rollup_totals_row){.total = *total, .bytes = bytes, .byte_count = byte_count};
	row->total.bins = NULL;
	return 0;
}

static int keep(struct rollup_totals *totals, const struct store_rollup_total *total, struct rollup_coder *coder) {
	uint64_t hash =
	    checksum64(&total->site, sizeof(total->site), checksum64(total->instance, STORE_INSTANCE_BYTES, 0));
	uint32_t id = id_table_find(&totals->by_site, hash, same_site, totals, total);
	if (id) {
		struct rollup_totals_row *row = &totals->rows[id - 1];
		if (total->time_ns <= row->total.time_ns)
			return 0;
		uint8_t *before = row->bytes;
		row->bytes = NULL;
		totals->bytes -= row->byte_count;
		row->byte_count = 0;
		int error = put(totals, row, total, coder);
		free(before);
		return error;
	}
	if (totals->bytes + sizeof(struct rollup_totals_row) > STORE_ROLLUP_TOTALS_BYTES_MAX) {
		totals->left_out = true;
		return 0;
	}
	int error = id_table_reserve(&totals->by_site);
	struct rollup_totals_row *row = error ? NULL : append(totals);
	error = row ? put(totals, row, total, coder) : -ENOMEM;
	if (error)
		return error;
	totals->bytes += sizeof(*row);
	id_table_add(&totals->by_site, hash, (uint32_t)++totals->count);
	return 0;
}

int rollup_totals_load(struct rollup_totals *totals, struct db *db) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	struct rollup_coder *coder CLEANUP_FREE = NULL;
	int there = segment_has_table(db, SCHEMA_ROLLUP_TOTAL);
	if (there != 1 || totals->sorted)
		return there < 0 ? there : 0;
	coder = malloc(sizeof(*coder));
	int error = coder ? db_prepare(db, schema_tables[SCHEMA_ROLLUP_TOTAL].select, &select) : -ENOMEM;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		struct store_rollup_total total;
		uint64_t checksum = 0;
		error = count < ROLLUP_ROWS_MAX ? rollup_get_total(select, coder, &total, &checksum) : ERR_DAMAGED;
		if (!error)
			error = keep(totals, &total, coder);
	}
	return error ? error : row;
}

static int by_instance(const void *a, const void *b) {
	const struct store_rollup_total *first = &((const struct rollup_totals_row *)a)->total;
	const struct store_rollup_total *second = &((const struct rollup_totals_row *)b)->total;
	int order = memcmp(first->instance, second->instance, STORE_INSTANCE_BYTES);
	if (order)
		return order;
	return first->site < second->site ? -1 : first->site > second->site;
}

/* Index of the first row that is not before the instance. */
static size_t first_of(const struct rollup_totals *totals, const uint8_t *instance) {
	size_t low = 0;
	size_t high = totals->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(totals->rows[middle].total.instance, instance, STORE_INSTANCE_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int rollup_totals_each(struct rollup_totals *totals, const uint8_t *instance,
                       int (*on_total)(void *context, const struct store_rollup_total *total), void *context) {
	struct rollup_coder *coder CLEANUP_FREE = NULL;
	if (!totals->sorted && totals->count)
		qsort(totals->rows, totals->count, sizeof(*totals->rows), by_instance);
	totals->sorted = true; /* from now on the table of ids no longer fits */
	size_t first = first_of(totals, instance);
	size_t at = first;
	for (; at < totals->count; at++) {
		const struct rollup_totals_row *row = &totals->rows[at];
		if (memcmp(row->total.instance, instance, STORE_INSTANCE_BYTES) != 0)
			break;
		if (!coder && !(coder = malloc(sizeof(*coder))))
			return -ENOMEM;
		struct store_rollup_total total = row->total;
		uint64_t sum = 0;
		int result = rollup_decode_bins(row->bytes, row->byte_count, coder->bins, &total.bin_count, &sum);
		total.bins = coder->bins;
		if (!result)
			result = on_total(context, &total);
		if (result)
			return result;
	}
	return at == first && totals->left_out ? ERR_LIMIT : 0;
}
