/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reverse of encode.c, column by column, each only if it or one that needs it is asked for:
 *
 *     parent id -> span id -> thread -> parent codes          kind, status, flags, duration, heap -> site, or in order of sites its runs
 *                          -> start  -> trace runs            attributes, events, links -> span id, trace (events: start)
 *
 * A thread needs the codes of the parents, not their ids, so there is no circle. Each function checks every count,
 * index and length against the counts of the batch, which the caller checked against the limits of batch.h.
 */
#include "decode.h"

#include "base/errs.h"
#include "decoder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define WIDE_COLUMNS 8
#define BIT(column) (1u << FORMAT_COLUMN_##column)

int decoder_new(struct decoder **ret_decoder) {
	size_t bytes = (sizeof(struct decoder) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
	struct decoder *decoder = aligned_alloc(HUGE_PAGE_BYTES, bytes);
	if (!decoder)
		return -ENOMEM;
	decoder->is_wide = false;
	int error = plane_reader_new(&decoder->planes);
	if (error) {
		free(decoder);
		return error;
	}
	*ret_decoder = decoder;
	return 0;
}

void decoder_free(struct decoder *decoder) {
	if (!decoder)
		return;
	plane_reader_free(decoder->planes);
	free(decoder);
}

/* In order of sites the runs of a batch that has them say enough; in order of rows they are checked against the sites. */
static uint32_t needs_sites(uint32_t wanted, bool has_site_runs) {
	if (!has_site_runs)
		return BIT(SITE);
	bool runs_only = wanted & STORE_IN_SITE_ORDER && !(wanted & (STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START));
	return runs_only ? BIT(SITE_RUNS) : BIT(SITE) | BIT(SITE_RUNS);
}

uint32_t decode_needs(uint32_t wanted, bool has_site_runs) {
	uint32_t thread = BIT(THREAD) | BIT(PARENT);
	uint32_t start = BIT(START) | BIT(TRACE);
	uint32_t span_id = BIT(SPAN_ID) | thread | start;
	static const struct {
		uint32_t wanted;
		uint32_t column;
	} by_site[] = {{STORE_COLUMN_SITE | STORE_IN_SITE_ORDER, 0},
	               {STORE_COLUMN_DURATION | STORE_COLUMN_DURATION_HALVES, BIT(DURATION)},
	               {STORE_COLUMN_KIND, BIT(KIND)},
	               {STORE_COLUMN_STATUS, BIT(STATUS)},
	               {STORE_COLUMN_FLAGS, BIT(FLAGS)},
	               {STORE_COLUMN_HEAP, BIT(HEAP_ALLOC) | BIT(HEAP_NET)}};
	uint32_t needs = 0;
	for (size_t i = 0; i < sizeof(by_site) / sizeof(by_site[0]); i++)
		if (wanted & by_site[i].wanted)
			needs |= by_site[i].column | needs_sites(wanted, has_site_runs);
	if (wanted & STORE_COLUMN_PARENT_ROW)
		needs |= BIT(PARENT);
	if (wanted & STORE_COLUMN_TRACE)
		needs |= BIT(TRACE);
	if (wanted & STORE_COLUMN_START)
		needs |= start;
	if (wanted & STORE_COLUMN_THREAD)
		needs |= thread;
	if (wanted & (STORE_COLUMN_SPAN_ID | STORE_COLUMN_PARENT_ID | STORE_COLUMN_ATTRIBUTES | STORE_COLUMN_EVENTS |
	              STORE_COLUMN_LINKS))
		needs |= span_id;
	if (wanted & STORE_COLUMN_ATTRIBUTES)
		needs |= BIT(ATTRIBUTES) | BIT(TEXT);
	if (wanted & STORE_COLUMN_EVENTS)
		needs |= BIT(EVENTS);
	if (wanted & STORE_COLUMN_LINKS)
		needs |= BIT(LINKS);
	if (wanted & STORE_COLUMN_WEIGHT)
		needs |= BIT(WEIGHT);
	if (wanted & STORE_COLUMN_CHILD_SUMS)
		needs |= BIT(CHILD_SUMS);
	return needs;
}

int decode_start(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                 uint8_t transform) {
	plane_reader_start(decoder->planes, encoded->columns[column].data, encoded->columns[column].bytes);
	uint8_t found = 0;
	int error = plane_get_byte(decoder->planes, &found);
	if (!error && found != transform)
		error = ERR_NEWER;
	return error;
}

static int get_runs(struct decoder *decoder, uint32_t high_count) {
	uint32_t count = decoder->trace_count;
	int error = plane_get_u64(decoder->planes, decoder->values, high_count);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->words, count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->more_values, count);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->run, count);
	return error ? error : plane_reader_finish(decoder->planes);
}

static int decode_trace(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t high_count = 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_TRACE, FORMAT_TRANSFORM_RUNS);
	if (!error)
		error = plane_get_count(decoder->planes, &decoder->trace_count);
	if (!error)
		error = plane_get_count(decoder->planes, &high_count);
	if (error)
		return error;
	if (decoder->trace_count > decoder->span_count || high_count > decoder->trace_count)
		return ERR_DAMAGED;
	error = get_runs(decoder, high_count);
	if (error)
		return error;
	uint32_t row = 0;
	for (uint32_t i = 0; i < decoder->trace_count; i++) {
		if (decoder->words[i] >= high_count || decoder->run[i] >= decoder->span_count - row)
			return ERR_DAMAGED;
		uint32_t end = row + ++decoder->run[i];
		for (; row < end; row++) {
			decoder->trace_hi[row] = decoder->values[decoder->words[i]];
			decoder->trace_lo[row] = decoder->more_values[i];
		}
	}
	return row == decoder->span_count ? 0 : ERR_DAMAGED;
}

/* The row that a zigzag distance leads back to; one outside of the batch is at least BATCH_SPANS_MAX. */
static inline uint32_t row_at(uint32_t row, uint32_t zigzag) {
	return row - (zigzag >> 1 ^ (0u - (zigzag & 1)));
}

static int decode_parent_codes(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t count = decoder->span_count;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_PARENT, FORMAT_TRANSFORM_ROW_DISTANCE);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->parent_code, count);
	if (!error)
		error = plane_get_count(decoder->planes, &decoder->exception_count);
	if (error)
		return error;
	if (decoder->exception_count > count)
		return ERR_DAMAGED;
	error = plane_get_u64(decoder->planes, decoder->exceptions, decoder->exception_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	if (error)
		return error;
	uint32_t exceptions = 0;
	uint32_t outside = 0;
	for (uint32_t row = 0; row < count; row++) {
		uint32_t code = decoder->parent_code[row];
		uint32_t none = code ? STORE_PARENT_AWAY : STORE_PARENT_NONE;
		uint32_t parent = row_at(row, code - 2);
		exceptions += code == 1;
		outside |= (code >= 2) & (parent >= count);
		decoder->parent_row[row] = code >= 2 ? parent : none;
	}
	return outside || exceptions != decoder->exception_count ? ERR_DAMAGED : 0;
}

static int decode_start_ns(struct decoder *decoder, const struct format_batch *encoded) {
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_START, FORMAT_TRANSFORM_TRACE_DELTA);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->more_values, decoder->trace_count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, decoder->span_count - decoder->trace_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	if (error)
		return error;
	const uint64_t *delta = decoder->values;
	uint32_t row = 0;
	uint64_t first = 0;
	for (uint32_t trace = 0; trace < decoder->trace_count; trace++) {
		first += format_unzigzag(decoder->more_values[trace]);
		decoder->start_ns[row] = first;
		uint32_t end = row + decoder->run[trace];
		for (row++; row < end; row++)
			decoder->start_ns[row] = decoder->start_ns[row - 1] + *delta++;
	}
	return 0;
}

#define COUNTED_AT_ONCE 4u

/*
 * How many rows each site has, as runs in order of sites. Four tables, so that neighbours of one site do not wait for each other. False: the
 * numbers are too high to be counted like this.
 */
static bool count_sites(struct decoder *decoder) {
	const uint32_t *site = decoder->site;
	uint32_t highest = 0;
	for (uint32_t i = 0; i < decoder->span_count; i++)
		highest = site[i] > highest ? site[i] : highest;
	if (highest >= DECODER_SITES_COUNTED)
		return false;
	uint32_t(*counts)[DECODER_SITES_COUNTED] = decoder->site_counts;
	for (uint32_t t = 0; t < COUNTED_AT_ONCE; t++)
		memset(counts[t], 0, sizeof(counts[0][0]) * (highest + 1));
	uint32_t i = 0;
	for (; i + COUNTED_AT_ONCE <= decoder->span_count; i += COUNTED_AT_ONCE) {
		counts[0][site[i]]++;
		counts[1][site[i + 1]]++;
		counts[2][site[i + 2]]++;
		counts[3][site[i + 3]]++;
	}
	for (; i < decoder->span_count; i++)
		counts[0][site[i]]++;
	uint32_t end = 0;
	decoder->run_count = 0;
	for (uint32_t s = 0; s <= highest; s++) {
		uint32_t rows = counts[0][s] + counts[1][s] + counts[2][s] + counts[3][s];
		counts[0][s] = end; /* where it begins */
		end += rows;
		if (rows)
			decoder->runs[decoder->run_count++] = (struct store_run){.site = s, .end = end};
	}
	return true;
}

/* After count_sites: the rows in order of sites. */
static void deal_out(struct decoder *decoder) {
	uint32_t *next = decoder->site_counts[0];
	for (uint32_t row = 0; row < decoder->span_count; row++)
		decoder->by_site[next[decoder->site[row]]++] = row;
}

static void list_runs(struct decoder *decoder) {
	decoder->run_count = 0;
	for (uint32_t i = 0; i < decoder->span_count; i++) {
		uint32_t site = decoder->site[decoder->by_site[i]];
		if (i == 0 || site != decoder->runs[decoder->run_count - 1].site)
			decoder->runs[decoder->run_count++].site = site;
		decoder->runs[decoder->run_count - 1].end = i + 1;
	}
}

/* In order of sites, columns that stand in that order need no row numbers. */
static bool needs_rows(const struct decoder *decoder, const struct format_batch *encoded) {
	static const enum format_column columns[] = {FORMAT_COLUMN_DURATION,   FORMAT_COLUMN_KIND,
	                                             FORMAT_COLUMN_STATUS,     FORMAT_COLUMN_FLAGS,
	                                             FORMAT_COLUMN_HEAP_ALLOC, FORMAT_COLUMN_HEAP_NET};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		const struct format_column_bytes *column = &encoded->columns[columns[i]];
		bool stands_by_site = column->bytes && column->data[0] == FORMAT_TRANSFORM_BY_SITE;
		if (decoder->needs >> columns[i] & 1 && stands_by_site != decoder->in_site_order)
			return true;
	}
	return false;
}

static int decode_site(struct decoder *decoder, const struct format_batch *encoded) {
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_SITE, FORMAT_TRANSFORM_PLAIN);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->site, decoder->span_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	if (error)
		return error;
	if (!count_sites(decoder)) {
		order_identity(decoder->by_site, decoder->span_count);
		order_by_u32(&decoder->order, decoder->by_site, decoder->site, decoder->span_count);
		list_runs(decoder);
	} else if (needs_rows(decoder, encoded)) {
		deal_out(decoder);
	}
	return 0;
}

static int get_site_runs(struct decoder *decoder, const struct format_batch *encoded, uint32_t *ret_count) {
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_SITE_RUNS, FORMAT_TRANSFORM_SITE_RUNS);
	if (!error)
		error = plane_get_count(decoder->planes, ret_count);
	if (error)
		return error;
	if (*ret_count > decoder->span_count)
		return ERR_DAMAGED;
	error = plane_get_u32(decoder->planes, decoder->words, *ret_count);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->rows, *ret_count);
	return error ? error : plane_reader_finish(decoder->planes);
}

/* Where the sites are at hand, too, both must say the same. */
static int decode_site_runs(struct decoder *decoder, const struct format_batch *encoded) {
	bool known = decoder->needs & BIT(SITE);
	uint32_t count = 0;
	uint32_t site = 0;
	uint32_t end = 0;
	int error = get_site_runs(decoder, encoded, &count);
	if (error)
		return error;
	if (known && count != decoder->run_count)
		return ERR_DAMAGED;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t step = decoder->words[i];
		if ((i > 0 && step == 0) || step > UINT32_MAX - site || decoder->rows[i] >= decoder->span_count - end)
			return ERR_DAMAGED;
		site += step;
		end += decoder->rows[i] + 1;
		if (known && (decoder->runs[i].site != site || decoder->runs[i].end != end))
			return ERR_DAMAGED;
		decoder->runs[i] = (struct store_run){.site = site, .end = end};
	}
	decoder->run_count = count;
	return end == decoder->span_count ? 0 : ERR_DAMAGED;
}

static int decode_thread(struct decoder *decoder, const struct format_batch *encoded) {
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_THREAD, FORMAT_TRANSFORM_AS_PARENT);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, decoder->span_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t row = 0; row < decoder->span_count && !error; row++) {
		uint32_t code = decoder->parent_code[row];
		uint64_t distance = code >= 2 ? format_unzigzag(code - 2) : 0;
		if (distance == 0 || distance > row)
			distance = 1;
		if (decoder->values[row] > (uint64_t)UINT32_MAX + 1 || (row == 0 && decoder->values[row] == 0))
			error = ERR_DAMAGED;
		else
			decoder->thread[row] = decoder->values[row] ? (uint32_t)(decoder->values[row] - 1)
			                                            : decoder->thread[row - distance];
	}
	return error;
}

static int get_span_ids(struct decoder *decoder, uint32_t first_count) {
	uint32_t count = decoder->span_count;
	uint32_t first = 0;
	uint32_t next = 0;
	uint64_t id = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t row = decoder->rows[i];
		if (i == 0 || decoder->thread[row] != decoder->thread[decoder->rows[i - 1]]) {
			if (first == first_count)
				return ERR_DAMAGED;
			id = decoder->more_values[first++];
		} else {
			if (next == count - first_count)
				return ERR_DAMAGED;
			id += format_unzigzag(decoder->values[next++]) + 1;
		}
		decoder->span_id[row] = id;
	}
	return 0;
}

static int decode_span_id(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t count = decoder->span_count;
	uint32_t first_count = 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_SPAN_ID, FORMAT_TRANSFORM_THREAD_DELTA);
	if (!error)
		error = plane_get_count(decoder->planes, &first_count);
	if (error)
		return error;
	if (first_count > count)
		return ERR_DAMAGED;
	error = plane_get_u64(decoder->planes, decoder->more_values, first_count);
	if (!error)
		error = plane_get_u64(decoder->planes, decoder->values, count - first_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	if (error)
		return error;
	order_by_group(&decoder->order, decoder->rows, decoder->thread, decoder->start_ns, count);
	return get_span_ids(decoder, first_count);
}

static void resolve_parents(struct decoder *decoder) {
	const uint64_t *exception = decoder->exceptions;
	for (uint32_t row = 0; row < decoder->span_count; row++) {
		uint32_t code = decoder->parent_code[row];
		if (code == 0)
			decoder->parent_id[row] = 0;
		else if (code == 1)
			decoder->parent_id[row] = *exception++;
		else
			decoder->parent_id[row] = decoder->span_id[row - format_unzigzag(code - 2)];
	}
}

/* Columns that come in order of rows or of sites; all in order of sites where their runs are stored. */
static int start_by_site(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                         bool *ret_by_site) {
	*ret_by_site = true;
	int error = decode_start(decoder, encoded, column, FORMAT_TRANSFORM_BY_SITE);
	if (error != ERR_NEWER)
		return error;
	*ret_by_site = false;
	error = decode_start(decoder, encoded, column, FORMAT_TRANSFORM_PLAIN);
	return !error && decoder->needs & BIT(SITE_RUNS) ? ERR_DAMAGED : error;
}

static int decode_u8(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                     uint8_t *values) {
	bool by_site = false;
	uint32_t count = decoder->span_count;
	int error = start_by_site(decoder, encoded, column, &by_site);
	bool moves = by_site != decoder->in_site_order;
	if (!error)
		error = plane_get_u8(decoder->planes, moves ? decoder->bytes : values, count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t i = 0; moves && by_site && !error && i < count; i++)
		values[decoder->by_site[i]] = decoder->bytes[i];
	for (uint32_t i = 0; moves && !by_site && !error && i < count; i++)
		values[i] = decoder->bytes[decoder->by_site[i]];
	return error;
}

static int decode_u32(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                      uint32_t *values) {
	bool by_site = false;
	uint32_t count = decoder->span_count;
	int error = start_by_site(decoder, encoded, column, &by_site);
	bool moves = by_site != decoder->in_site_order;
	if (!error)
		error = plane_get_u32(decoder->planes, moves ? decoder->words : values, count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t i = 0; moves && by_site && !error && i < count; i++)
		values[decoder->by_site[i]] = decoder->words[i];
	for (uint32_t i = 0; moves && !by_site && !error && i < count; i++)
		values[i] = decoder->words[decoder->by_site[i]];
	return error;
}

static int decode_u64(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                      uint64_t *values) {
	bool by_site = false;
	uint32_t count = decoder->span_count;
	int error = start_by_site(decoder, encoded, column, &by_site);
	bool moves = by_site != decoder->in_site_order;
	if (!error)
		error = plane_get_u64(decoder->planes, moves ? decoder->values : values, count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t i = 0; moves && by_site && !error && i < count; i++)
		values[decoder->by_site[i]] = decoder->values[i];
	for (uint32_t i = 0; moves && !by_site && !error && i < count; i++)
		values[i] = decoder->values[decoder->by_site[i]];
	return error;
}

static int decode_halves(struct decoder *decoder, const struct format_batch *encoded) {
	bool by_site = false;
	uint32_t count = decoder->span_count;
	int error = start_by_site(decoder, encoded, FORMAT_COLUMN_DURATION, &by_site);
	if (!error && by_site) {
		error = plane_get_halves(decoder->planes, decoder->duration_low, decoder->duration_high,
		                         &decoder->duration_is_wide, count);
		return error ? error : plane_reader_finish(decoder->planes);
	}
	if (!error)
		error = decode_u64(decoder, encoded, FORMAT_COLUMN_DURATION, decoder->duration_ns);
	decoder->duration_is_wide = true;
	for (uint32_t i = 0; !error && i < count; i++) {
		decoder->duration_low[i] = (uint32_t)decoder->duration_ns[i];
		decoder->duration_high[i] = (uint32_t)(decoder->duration_ns[i] >> 32);
	}
	return error;
}

static int decode_heap_net(struct decoder *decoder, const struct format_batch *encoded) {
	uint32_t *zigzag = decoder->rows;
	int error = decode_u32(decoder, encoded, FORMAT_COLUMN_HEAP_NET, zigzag);
	for (uint32_t i = 0; i < decoder->span_count && !error; i++)
		decoder->heap_net_units[i] = (int32_t)(zigzag[i] >> 1 ^ (0u - (zigzag[i] & 1)));
	return error;
}

/* Not there where every span stands for itself alone. */
static int decode_weight(struct decoder *decoder, const struct format_batch *encoded) {
	if (encoded->columns[FORMAT_COLUMN_WEIGHT].bytes == 0)
		return 0;
	int error = decode_start(decoder, encoded, FORMAT_COLUMN_WEIGHT, FORMAT_TRANSFORM_PLAIN);
	if (!error)
		error = plane_get_u32(decoder->planes, decoder->weight, decoder->span_count);
	if (!error)
		error = plane_reader_finish(decoder->planes);
	for (uint32_t i = 0; i < decoder->span_count && !error; i++)
		if (decoder->weight[i] < STORE_WEIGHT_ONE)
			error = ERR_DAMAGED;
	return error;
}

static int decode_column(struct decoder *decoder, const struct format_batch *encoded, enum format_column column) {
	switch (column) {
	case FORMAT_COLUMN_TRACE:
		return decode_trace(decoder, encoded);
	case FORMAT_COLUMN_PARENT:
		return decode_parent_codes(decoder, encoded);
	case FORMAT_COLUMN_START:
		return decode_start_ns(decoder, encoded);
	case FORMAT_COLUMN_SITE:
		return decode_site(decoder, encoded);
	case FORMAT_COLUMN_THREAD:
		return decode_thread(decoder, encoded);
	case FORMAT_COLUMN_SPAN_ID:
		return decode_span_id(decoder, encoded);
	case FORMAT_COLUMN_SITE_RUNS:
		return decode_site_runs(decoder, encoded);
	case FORMAT_COLUMN_DURATION:
		return decoder->wants_halves ? decode_halves(decoder, encoded)
		                             : decode_u64(decoder, encoded, column, decoder->duration_ns);
	case FORMAT_COLUMN_KIND:
		return decode_u8(decoder, encoded, column, decoder->kind);
	case FORMAT_COLUMN_STATUS:
		return decode_u8(decoder, encoded, column, decoder->status);
	case FORMAT_COLUMN_FLAGS:
		return decode_u8(decoder, encoded, column, decoder->flags);
	case FORMAT_COLUMN_HEAP_ALLOC:
		return decode_u32(decoder, encoded, column, decoder->heap_alloc_units);
	case FORMAT_COLUMN_HEAP_NET:
		return decode_heap_net(decoder, encoded);
	case FORMAT_COLUMN_WEIGHT:
		return decode_weight(decoder, encoded);
	case FORMAT_COLUMN_ATTRIBUTES:
	case FORMAT_COLUMN_TEXT:
	case FORMAT_COLUMN_EVENTS:
	case FORMAT_COLUMN_LINKS:
	case FORMAT_COLUMN_CHILD_SUMS:
	case FORMAT_COLUMNS:
		break;
	}
	return 0;
}

static int decode_spans(struct decoder *decoder, const struct format_batch *encoded, uint32_t needs) {
	static const enum format_column order[] = {
	    FORMAT_COLUMN_TRACE,    FORMAT_COLUMN_PARENT, FORMAT_COLUMN_START,     FORMAT_COLUMN_THREAD,
	    FORMAT_COLUMN_SPAN_ID,  FORMAT_COLUMN_SITE,   FORMAT_COLUMN_SITE_RUNS, FORMAT_COLUMN_DURATION,
	    FORMAT_COLUMN_KIND,     FORMAT_COLUMN_STATUS, FORMAT_COLUMN_FLAGS,     FORMAT_COLUMN_HEAP_ALLOC,
	    FORMAT_COLUMN_HEAP_NET, FORMAT_COLUMN_WEIGHT};
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && decoder->span_count; i++) {
		int error = needs >> order[i] & 1 ? decode_column(decoder, encoded, order[i]) : 0;
		if (error)
			return error;
	}
	return 0;
}

static void give(const struct decoder *decoder, const struct format_batch *encoded, uint32_t wanted,
                 struct store_columns *columns) {
	memset(columns, 0, sizeof(*columns));
	columns->span_count = decoder->span_count;
	columns->trace_hi = wanted & STORE_COLUMN_TRACE ? decoder->trace_hi : NULL;
	columns->trace_lo = wanted & STORE_COLUMN_TRACE ? decoder->trace_lo : NULL;
	columns->span_id = wanted & STORE_COLUMN_SPAN_ID ? decoder->span_id : NULL;
	columns->parent_id = wanted & STORE_COLUMN_PARENT_ID ? decoder->parent_id : NULL;
	columns->start_ns = wanted & STORE_COLUMN_START ? decoder->start_ns : NULL;
	columns->duration_ns = wanted & STORE_COLUMN_DURATION ? decoder->duration_ns : NULL;
	bool gives_site = !decoder->in_site_order || wanted & (STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START);
	columns->site = wanted & STORE_COLUMN_SITE && gives_site ? decoder->site : NULL;
	columns->thread = wanted & STORE_COLUMN_THREAD ? decoder->thread : NULL;
	columns->kind = wanted & STORE_COLUMN_KIND ? decoder->kind : NULL;
	columns->status = wanted & STORE_COLUMN_STATUS ? decoder->status : NULL;
	columns->flags = wanted & STORE_COLUMN_FLAGS ? decoder->flags : NULL;
	columns->heap_alloc_units = wanted & STORE_COLUMN_HEAP ? decoder->heap_alloc_units : NULL;
	columns->heap_net_units = wanted & STORE_COLUMN_HEAP ? decoder->heap_net_units : NULL;
	if (wanted & STORE_COLUMN_WEIGHT && encoded->columns[FORMAT_COLUMN_WEIGHT].bytes > 0)
		columns->weight = decoder->weight;
	if (wanted & STORE_COLUMN_DURATION_HALVES) {
		columns->duration_low = decoder->duration_low;
		columns->duration_high = decoder->duration_is_wide ? decoder->duration_high : NULL;
	}
	if (decoder->in_site_order) {
		columns->run_count = decoder->run_count;
		columns->runs = decoder->runs;
	}
	if (wanted & STORE_COLUMN_PARENT_ROW) {
		columns->parent_row = decoder->parent_row;
		columns->away_count = decoder->exception_count;
		columns->away_parent_id = decoder->exceptions;
	}
	if (wanted & STORE_COLUMN_CHILD_SUMS && encoded->columns[FORMAT_COLUMN_CHILD_SUMS].bytes > 0)
		columns->child_sums = &decoder->child_sums;
	if (wanted & STORE_COLUMN_ATTRIBUTES) {
		columns->attribute_count = encoded->attribute_count;
		columns->attributes = decoder->attributes;
		columns->attribute_row = decoder->attribute_row;
		columns->text = (const char *)decoder->text;
		columns->text_bytes = encoded->text_bytes;
	}
	if (wanted & STORE_COLUMN_EVENTS) {
		columns->event_count = encoded->event_count;
		columns->events = decoder->events;
		columns->event_row = decoder->event_row;
	}
	if (wanted & STORE_COLUMN_LINKS) {
		columns->link_count = decoder->link_count;
		columns->links = decoder->links;
	}
}

int decode(struct decoder *decoder, const struct format_batch *encoded, uint32_t wanted,
           struct store_columns *ret_columns) {
	if (encoded->span_count > BATCH_SPANS_MAX || encoded->attribute_count > BATCH_ATTRIBUTES_MAX ||
	    encoded->event_count > BATCH_EVENTS_MAX || encoded->text_bytes > BATCH_TEXT_BYTES_MAX)
		return ERR_DAMAGED;
	decoder->span_count = encoded->span_count;
	decoder->trace_count = 0;
	decoder->run_count = 0;
	decoder->exception_count = 0;
	decoder->in_site_order = wanted & STORE_IN_SITE_ORDER;
	if (__builtin_popcount(wanted) >= WIDE_COLUMNS && !decoder->is_wide) {
		/* One batch of so many columns takes as long to fault in page by page as to decode. */
		decoder->is_wide = true;
		(void)madvise(decoder, sizeof(*decoder), MADV_HUGEPAGE);
	}
	decoder->wants_halves = wanted & STORE_COLUMN_DURATION_HALVES;
	decoder->duration_is_wide = false;
	decoder->needs = decode_needs(wanted, encoded->columns[FORMAT_COLUMN_SITE_RUNS].bytes > 0);
	assert(!decoder->in_site_order || !(wanted & ~STORE_IN_SITE_ORDER_COLUMNS));
	assert(!decoder->wants_halves || (decoder->in_site_order && !(wanted & STORE_COLUMN_DURATION)));
	int error = decode_spans(decoder, encoded, decoder->needs);
	if (!error && wanted & STORE_COLUMN_CHILD_SUMS)
		error = decode_child_sums(decoder, encoded);
	if (!error && wanted & STORE_COLUMN_PARENT_ID)
		resolve_parents(decoder);
	if (!error && wanted & STORE_COLUMN_ATTRIBUTES)
		error = decode_attributes(decoder, encoded);
	if (!error && wanted & STORE_COLUMN_EVENTS)
		error = decode_events(decoder, encoded);
	if (!error && wanted & STORE_COLUMN_LINKS)
		error = decode_links(decoder, encoded);
	if (!error)
		give(decoder, encoded, wanted, ret_columns);
	return error;
}
