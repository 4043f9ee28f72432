/* SPDX-License-Identifier: Apache-2.0 */
/* Child sums of one batch. What says something of other batches is checked by who has those. */
#include "base/errs.h"
#include "decoder.h"

/* A list has at most as many items as the batch can have spans, whatever this one has. */
static int get_count(struct decoder *decoder, uint32_t max, uint32_t *ret_count) {
	int error = plane_get_count(decoder->planes, ret_count);
	return !error && *ret_count > max ? ERR_DAMAGED : error;
}

/* Rows that ascend, each below `end`: they come as differences. */
static int get_rows(struct decoder *decoder, uint32_t *rows, const uint32_t *back, uint32_t count, uint32_t end) {
	int error = plane_get_u32(decoder->planes, rows, count);
	for (uint32_t i = 0; i < count && !error; i++) {
		bool first = i == 0 || (back && back[i] != back[i - 1]);
		uint64_t row = (uint64_t)rows[i] + (first ? 0 : rows[i - 1]);
		if (row >= end)
			error = ERR_DAMAGED;
		rows[i] = (uint32_t)row;
	}
	return error;
}

static int get_corrections(struct decoder *decoder, struct store_child_sums *sums) {
	uint32_t count = 0;
	int error = get_count(decoder, decoder->span_count, &count);
	if (!error)
		error = get_rows(decoder, decoder->correction_row, NULL, count, decoder->span_count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->correction_ns, count);
	for (uint32_t i = 0; i < count && !error; i++)
		decoder->correction_ns[i] = format_unzigzag(decoder->correction_ns[i]);
	sums->correction_count = count;
	sums->correction_row = decoder->correction_row;
	sums->correction_ns = decoder->correction_ns;
	return error;
}

static int get_places(struct decoder *decoder, uint32_t *back, uint32_t *row, uint32_t *ret_count) {
	int error = get_count(decoder, BATCH_SPANS_MAX, ret_count);
	if (!error)
		error = plane_get_u32(decoder->planes, back, *ret_count);
	for (uint32_t i = 0; i < *ret_count && !error; i++)
		if (back[i] == 0 || (i && back[i] < back[i - 1]))
			error = ERR_DAMAGED;
	return error ? error : get_rows(decoder, row, back, *ret_count, BATCH_SPANS_MAX);
}

static int get_late(struct decoder *decoder, struct store_child_sums *sums) {
	int error = get_places(decoder, decoder->late_back, decoder->late_row, &sums->late_count);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->late_site, sums->late_count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->late_ns, sums->late_count);
	sums->late_back = decoder->late_back;
	sums->late_row = decoder->late_row;
	sums->late_site = decoder->late_site;
	sums->late_ns = decoder->late_ns;
	return error;
}

static int get_away(struct decoder *decoder, struct store_child_sums *sums) {
	int error = get_count(decoder, decoder->span_count, &sums->away_count);
	if (!error)
		error = plane_get_u8(decoder->planes, decoder->away_state, sums->away_count);
	for (uint32_t i = 0; i < sums->away_count && !error; i++)
		if (decoder->away_state[i] >= STORE_AWAY_STATES)
			error = ERR_DAMAGED;
	sums->away_state = decoder->away_state;
	return error;
}

int decode_child_sums(struct decoder *decoder, const struct format_batch *encoded) {
	struct store_child_sums *sums = &decoder->child_sums;
	uint32_t from = 0;
	*sums = (struct store_child_sums){0};
	if (encoded->columns[FORMAT_COLUMN_CHILD_SUMS].bytes == 0)
		return 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_CHILD_SUMS, FORMAT_TRANSFORM_CHILD_SUMS);
	if (!error)
		error = plane_get_count(decoder->planes, &from);
	sums->from = from;
	if (!error)
		error = get_corrections(decoder, sums);
	if (!error)
		error = get_late(decoder, sums);
	if (!error)
		error = get_places(decoder, decoder->found_back, decoder->found_row, &sums->found_count);
	if (!error)
		error = get_away(decoder, sums);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	sums->found_back = decoder->found_back;
	sums->found_row = decoder->found_row;
	/* Where the parents are at hand, too, there are as many away. */
	bool knows = decoder->needs >> FORMAT_COLUMN_PARENT & 1;
	return !error && knows && sums->away_count != decoder->exception_count ? ERR_DAMAGED : error;
}
