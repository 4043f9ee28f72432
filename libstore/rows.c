/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t chunks_of(uint32_t rows) {
	return ((size_t)rows + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
}

int rows_init(struct rows *rows, size_t row_bytes, uint32_t max) {
	rows->row_bytes = row_bytes;
	rows->count = 0;
	rows->max = max;
	rows->chunks = calloc(chunks_of(max), sizeof(*rows->chunks));
	return rows->chunks ? 0 : -ENOMEM;
}

void rows_done(struct rows *rows) {
	for (size_t i = 0; rows->chunks && i < chunks_of(rows->count); i++)
		free(rows->chunks[i]);
	free(rows->chunks);
	rows->chunks = NULL;
}

void *rows_append(struct rows *rows, const void *row) {
	char **chunk = &rows->chunks[rows->count / ROWS_PER_CHUNK];
	if (!*chunk)
		*chunk = malloc(rows->row_bytes * ROWS_PER_CHUNK);
	if (!*chunk)
		return NULL;
	void *place = rows_at(rows, rows->count);
	memcpy(place, row, rows->row_bytes);
	rows->count++;
	return place;
}
