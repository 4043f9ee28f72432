/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a batch by where they came from. A chunk is a stretch of records of one ring, drained in one piece, with what is needed to undo
 * that: rows of all kinds lie in the batch in the order of chunks. A walk visits the rows of all chunks, kind by kind; a sieve moves those
 * that stay to the front, with their texts.
 */
#ifndef SPANRING_AGENT_TAIL_ROWS_H
#define SPANRING_AGENT_TAIL_ROWS_H

#include "agent/intake/feed.h"
#include "libstore/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum tail_kind { TAIL_SPAN, TAIL_ATTRIBUTE, TAIL_EVENT, TAIL_LINK, TAIL_KINDS };

struct tail_chunk {
	struct feed *feed;
	uint64_t position; /* of its first record */
	uint64_t rejected_spans;
	uint64_t rejected_other;
	struct feed_thread thread;
	uint32_t first[TAIL_KINDS]; /* rows of the batch before it */
	uint32_t text_bytes;
};

struct tail_row {
	enum tail_kind kind;
	uint32_t index;
	uint32_t chunk;
	uint64_t trace_lo;
	const struct store_span *span; /* NULL: another kind */
};

struct tail_rows_walk {
	const struct batch *batch;
	const struct tail_chunk *chunks;
	uint32_t chunk_count;
	enum tail_kind kind;
	uint32_t chunk;
	uint32_t index;
};

struct tail_rows_sieve {
	struct batch *batch;
	uint32_t counts[TAIL_KINDS];
	uint32_t text_bytes;
};

uint32_t tail_rows_of_kind(const struct batch *batch, enum tail_kind kind);
/* The chunk that begins with the next record of this feed. */
struct tail_chunk tail_rows_chunk(struct feed *feed, const struct batch *batch);
/* The feed as it was before this chunk, but for what it counts as stored, which follows from the rows. */
void tail_rows_put_back(const struct tail_chunk *chunk);
uint32_t tail_rows_of_chunk(const struct batch *batch, const struct tail_chunk *chunks, uint32_t count, uint32_t at);

struct tail_rows_walk tail_rows_begin(const struct batch *batch, const struct tail_chunk *chunks, uint32_t count);
bool tail_rows_next(struct tail_rows_walk *walk, struct tail_row *ret_row);

/* Rows before the first chunk stay. */
struct tail_rows_sieve tail_rows_sift(struct batch *batch, const struct tail_chunk *chunks, uint32_t count);
/* In the order of a walk; it may go on while rows are moved. The weight is for spans. */
void tail_rows_keep(struct tail_rows_sieve *sieve, const struct tail_row *row, uint32_t weight);
/* What was not kept is gone. */
void tail_rows_end(const struct tail_rows_sieve *sieve);

#endif
