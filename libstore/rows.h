/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An append-only array in chunks that never move: a thread that knows the count (through a lock) may read the rows
 * below it without one while another appends.
 */
#ifndef SPANRING_LIBSTORE_ROWS_H
#define SPANRING_LIBSTORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#define ROWS_PER_CHUNK 1024u

struct rows {
	char **chunks;
	size_t row_bytes;
	uint32_t count;
	uint32_t max;
};

int rows_init(struct rows *rows, size_t row_bytes, uint32_t max);
void rows_done(struct rows *rows);
/* The copied row's place; NULL if memory is short. The caller checked count < max. */
void *rows_append(struct rows *rows, const void *row);

/* index from 0. */
static inline void *rows_at(const struct rows *rows, uint32_t index) {
	return rows->chunks[index / ROWS_PER_CHUNK] + (size_t)(index % ROWS_PER_CHUNK) * rows->row_bytes;
}

#endif
