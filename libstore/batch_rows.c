/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_rows.h"

#include "base/errs.h"
#include "checksum.h"

#include <string.h>

static void lay_out(struct batch_rows *rows, const struct format_batch *encoded) {
	rows->directory_bytes = 0;
	rows->small_bytes = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS; i++) {
		const struct format_column_bytes *column = &encoded->columns[i];
		if (!column->bytes)
			continue;
		bool own_row = column->bytes >= FORMAT_SMALL_BYTES;
		uint64_t checksum = checksum64(column->data, column->bytes, 0);
		uint8_t *entry = rows->directory + rows->directory_bytes;
		memset(entry, 0, SEGMENT_DIRECTORY_ENTRY_BYTES);
		entry[0] = (uint8_t)i;
		entry[1] = own_row;
		memcpy(entry + 4, &column->bytes, sizeof(column->bytes));
		memcpy(entry + 8, &checksum, sizeof(checksum));
		rows->directory_bytes += SEGMENT_DIRECTORY_ENTRY_BYTES;
		if (own_row)
			continue;
		memcpy(rows->small + rows->small_bytes, column->data, column->bytes);
		rows->small_bytes += column->bytes;
	}
}

static int put_columns(struct db_statement *insert, uint64_t id, const struct format_batch *encoded) {
	int error = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++) {
		if (encoded->columns[i].bytes < FORMAT_SMALL_BYTES)
			continue;
		db_put_u64(insert, id * FORMAT_COLUMN_STRIDE + i);
		db_put_blob(insert, encoded->columns[i].data, encoded->columns[i].bytes);
		error = db_run(insert);
	}
	return error;
}

int batch_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], uint64_t id, const struct format_batch *encoded,
                   struct batch_rows *scratch) {
	struct db_statement *insert = inserts[SCHEMA_BATCH];
	lay_out(scratch, encoded);
	db_put_u64(insert, id);
	db_put_u64(insert, encoded->span_count);
	db_put_u64(insert, encoded->attribute_count);
	db_put_u64(insert, encoded->event_count);
	db_put_u64(insert, encoded->text_bytes);
	db_put_u64(insert, encoded->start_ns_min);
	db_put_u64(insert, encoded->end_ns_max);
	db_put_u64(insert, encoded->duration_ns_max);
	db_put_u64(insert, segment_batch_checksum(id, encoded, scratch->directory, scratch->directory_bytes));
	db_put_blob(insert, encoded->bloom, encoded->bloom_bytes);
	db_put_blob(insert, scratch->directory, scratch->directory_bytes);
	db_put_blob(insert, scratch->small, scratch->small_bytes);
	int error = db_run(insert);
	return error ? error : put_columns(inserts[SCHEMA_COLUMN_BLOB], id, encoded);
}

int batch_rows_fetch_column(struct db_statement *select, struct segment_batch *batch, uint32_t column) {
	const struct segment_column *place = &batch->columns[column];
	struct format_column_bytes *encoded = &batch->encoded.columns[column];
	if (!place->bytes)
		return 0;
	encoded->bytes = place->bytes;
	if (place->own_row) {
		size_t bytes = 0;
		db_reset(select);
		db_put_u64(select, batch->id * FORMAT_COLUMN_STRIDE + column);
		int row = db_next(select);
		if (row != 1)
			return row < 0 ? row : ERR_DAMAGED;
		encoded->data = db_get_blob(select, &bytes);
		if (db_row_end(select) || bytes != place->bytes)
			return ERR_DAMAGED;
	} else {
		encoded->data = batch->small + place->small_offset;
	}
	return 0;
}

int batch_rows_check_column(const struct segment_batch *batch, uint32_t column) {
	const struct format_column_bytes *encoded = &batch->encoded.columns[column];
	if (!encoded->bytes)
		return 0;
	return checksum64(encoded->data, encoded->bytes, 0) == batch->columns[column].checksum ? 0 : ERR_DAMAGED;
}

int batch_rows_get_column(struct db_statement *select, struct segment_batch *batch, uint32_t column) {
	int error = batch_rows_fetch_column(select, batch, column);
	return error ? error : batch_rows_check_column(batch, column);
}
