/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_rows.h"

#include "spanring/record.h"

#include <string.h>

uint32_t tail_rows_of_kind(const struct batch *batch, enum tail_kind kind) {
	const uint32_t counts[TAIL_KINDS] = {[TAIL_SPAN] = batch->span_count,
	                                     [TAIL_ATTRIBUTE] = batch->attribute_count,
	                                     [TAIL_EVENT] = batch->event_count,
	                                     [TAIL_LINK] = batch->link_count};
	return counts[kind];
}

struct tail_chunk tail_rows_chunk(struct feed *feed, const struct batch *batch) {
	struct tail_chunk chunk = {.feed = feed,
	                           .position = feed->taken,
	                           .rejected_spans = feed->books.rejected_spans,
	                           .rejected_other = feed->books.rejected_other,
	                           .thread = feed->thread,
	                           .text_bytes = batch->text_bytes};
	for (enum tail_kind kind = TAIL_SPAN; kind < TAIL_KINDS; kind++)
		chunk.first[kind] = tail_rows_of_kind(batch, kind);
	return chunk;
}

void tail_rows_put_back(const struct tail_chunk *chunk) {
	struct feed *feed = chunk->feed;
	feed->taken = chunk->position;
	feed->books.rejected_spans = chunk->rejected_spans;
	feed->books.rejected_other = chunk->rejected_other;
	feed->thread = chunk->thread;
}

static uint32_t end_of(const struct batch *batch, const struct tail_chunk *chunks, uint32_t count, uint32_t at,
                       enum tail_kind kind) {
	return at + 1 < count ? chunks[at + 1].first[kind] : tail_rows_of_kind(batch, kind);
}

uint32_t tail_rows_of_chunk(const struct batch *batch, const struct tail_chunk *chunks, uint32_t count, uint32_t at) {
	uint32_t rows = 0;
	for (enum tail_kind kind = TAIL_SPAN; kind < TAIL_KINDS; kind++)
		rows += end_of(batch, chunks, count, at, kind) - chunks[at].first[kind];
	return rows;
}

struct tail_rows_walk tail_rows_begin(const struct batch *batch, const struct tail_chunk *chunks, uint32_t count) {
	return (struct tail_rows_walk){
	    .batch = batch, .chunks = chunks, .chunk_count = count, .index = count ? chunks[0].first[TAIL_SPAN] : 0};
}

static void give(const struct tail_rows_walk *walk, struct tail_row *ret_row) {
	const struct batch *batch = walk->batch;
	*ret_row = (struct tail_row){.kind = walk->kind, .index = walk->index, .chunk = walk->chunk};
	switch (walk->kind) {
	case TAIL_SPAN:
		ret_row->span = &batch->spans[walk->index];
		ret_row->trace_lo = ret_row->span->trace_lo;
		break;
	case TAIL_ATTRIBUTE:
		ret_row->trace_lo = batch->attributes[walk->index].trace_lo;
		break;
	case TAIL_EVENT:
		ret_row->trace_lo = batch->events[walk->index].trace_lo;
		break;
	case TAIL_LINK:
		ret_row->trace_lo = batch->links[walk->index].trace_lo;
		break;
	case TAIL_KINDS:
		break;
	}
}

bool tail_rows_next(struct tail_rows_walk *walk, struct tail_row *ret_row) {
	while (walk->chunk_count > 0 && walk->kind < TAIL_KINDS) {
		uint32_t end = end_of(walk->batch, walk->chunks, walk->chunk_count, walk->chunk, walk->kind);
		if (walk->index < end) {
			give(walk, ret_row);
			walk->index++;
			return true;
		}
		if (++walk->chunk < walk->chunk_count)
			continue;
		walk->chunk = 0;
		if (++walk->kind < TAIL_KINDS)
			walk->index = walk->chunks[0].first[walk->kind];
	}
	return false;
}

struct tail_rows_sieve tail_rows_sift(struct batch *batch, const struct tail_chunk *chunks, uint32_t count) {
	struct tail_rows_sieve sieve = {.batch = batch, .text_bytes = batch->text_bytes};
	for (enum tail_kind kind = TAIL_SPAN; kind < TAIL_KINDS; kind++)
		sieve.counts[kind] = count ? chunks[0].first[kind] : tail_rows_of_kind(batch, kind);
	if (count)
		sieve.text_bytes = chunks[0].text_bytes;
	return sieve;
}

static void keep_attribute(struct tail_rows_sieve *sieve, uint32_t from, uint32_t to) {
	struct batch *batch = sieve->batch;
	struct store_attribute row = batch->attributes[from];
	if (row.type == SPANRING_VALUE_STRING) {
		memmove(batch->text + sieve->text_bytes, batch->text + row.value, row.text_bytes);
		row.value = sieve->text_bytes;
		sieve->text_bytes += row.text_bytes;
	}
	batch->attributes[to] = row;
}

void tail_rows_keep(struct tail_rows_sieve *sieve, const struct tail_row *row, uint32_t weight) {
	struct batch *batch = sieve->batch;
	uint32_t to = sieve->counts[row->kind]++;
	switch (row->kind) {
	case TAIL_SPAN:
		batch->spans[to] = batch->spans[row->index];
		batch->spans[to].weight = weight;
		break;
	case TAIL_ATTRIBUTE:
		keep_attribute(sieve, row->index, to);
		break;
	case TAIL_EVENT:
		batch->events[to] = batch->events[row->index];
		break;
	case TAIL_LINK:
		batch->links[to] = batch->links[row->index];
		break;
	case TAIL_KINDS:
		break;
	}
}

void tail_rows_end(const struct tail_rows_sieve *sieve) {
	struct batch *batch = sieve->batch;
	batch->span_count = sieve->counts[TAIL_SPAN];
	batch->attribute_count = sieve->counts[TAIL_ATTRIBUTE];
	batch->event_count = sieve->counts[TAIL_EVENT];
	batch->link_count = sieve->counts[TAIL_LINK];
	batch->text_bytes = sieve->text_bytes;
}
