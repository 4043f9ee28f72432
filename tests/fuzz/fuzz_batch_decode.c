/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of batches against any bytes: no checksum stands before it here. What it does accept must encode and
 * decode to itself, and show the same durations in order of sites.
 *
 *     input := spans attributes events text_bytes size[17] bytes of the columns     u32 each; what is missing is 0
 *
 * What is left after the first seventeen columns is the last one, the runs of sites.
 */
#include "libstore/decode.h"
#include "libstore/encode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct harness {
	struct decoder *decoder;
	struct encoder *encoder;
	struct batch *batch;
};

static uint32_t take_u32(const uint8_t **data, size_t *size) {
	uint32_t value = 0;
	if (*size < sizeof(value))
		return 0;
	memcpy(&value, *data, sizeof(value));
	*data += sizeof(value);
	*size -= sizeof(value);
	return value;
}

static struct format_batch parse(const uint8_t *data, size_t size) {
	struct format_batch encoded = {0};
	uint32_t sizes[FORMAT_COLUMNS];
	_Static_assert(FORMAT_COLUMN_CHILD_SUMS == FORMAT_COLUMNS - 1, "the last column takes the rest");
	encoded.span_count = take_u32(&data, &size);
	encoded.attribute_count = take_u32(&data, &size);
	encoded.event_count = take_u32(&data, &size);
	encoded.text_bytes = take_u32(&data, &size);
	for (int i = 0; i < FORMAT_COLUMN_CHILD_SUMS; i++)
		sizes[i] = take_u32(&data, &size);
	sizes[FORMAT_COLUMN_CHILD_SUMS] = UINT32_MAX;
	for (int i = 0; i < FORMAT_COLUMNS; i++) {
		uint32_t bytes = sizes[i] < size ? sizes[i] : (uint32_t)size;
		encoded.columns[i].data = data;
		encoded.columns[i].bytes = bytes;
		data += bytes;
		size -= bytes;
	}
	return encoded;
}

static void fill_batch(struct batch *batch, const struct store_columns *columns) {
	batch_clear(batch);
	for (uint32_t i = 0; i < columns->span_count; i++) {
		struct store_span span = {.trace_hi = columns->trace_hi[i],
		                          .trace_lo = columns->trace_lo[i],
		                          .span_id = columns->span_id[i],
		                          .parent_id = columns->parent_id[i],
		                          .start_ns = columns->start_ns[i],
		                          .duration_ns = columns->duration_ns[i],
		                          .heap_alloc_units = columns->heap_alloc_units[i],
		                          .heap_net_units = columns->heap_net_units[i],
		                          .site = columns->site[i],
		                          .thread = columns->thread[i],
		                          .kind = columns->kind[i],
		                          .status = columns->status[i],
		                          .flags = columns->flags[i],
		                          .weight = columns->weight ? columns->weight[i] : 0};
		batch_add_span(batch, &span);
	}
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		struct store_attribute attribute = columns->attributes[i];
		batch_add_attribute(batch, &attribute, columns->text + (attribute.text_bytes ? attribute.value : 0));
	}
	for (uint32_t i = 0; i < columns->event_count; i++)
		batch_add_event(batch, &columns->events[i]);
	for (uint32_t i = 0; i < columns->link_count; i++)
		batch_add_link(batch, &columns->links[i]);
}

/* Sums that do not depend on the order of rows. */
static uint64_t sum_of(const struct store_columns *columns) {
	uint64_t sum = columns->span_count + ((uint64_t)columns->text_bytes << 32);
	for (uint32_t i = 0; i < columns->span_count; i++)
		sum += (columns->trace_lo[i] ^ columns->span_id[i] * 3 ^ columns->parent_id[i] * 5 ^
		        columns->start_ns[i] * 7 ^ columns->duration_ns[i] * 11 ^ columns->site[i] * UINT64_C(13) ^
		        columns->thread[i] * UINT64_C(17) ^
		        (columns->weight ? columns->weight[i] : STORE_WEIGHT_ONE) * UINT64_C(19)) *
		       UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		sum += (columns->attributes[i].trace_lo ^ columns->attributes[i].span_id * 3 ^
		        columns->attributes[i].key * UINT64_C(5)) *
		       UINT64_C(0xbf58476d1ce4e5b9);
	for (uint32_t i = 0; i < columns->event_count; i++)
		sum += (columns->events[i].trace_lo ^ columns->events[i].time_ns * 3) * UINT64_C(0x94d049bb133111eb);
	for (uint32_t i = 0; i < columns->link_count; i++)
		sum += (columns->links[i].trace_lo ^ columns->links[i].span_id * 3 ^
		        columns->links[i].linked_trace_hi * 5 ^ columns->links[i].linked_trace_lo * 7 ^
		        columns->links[i].linked_span_id * 11) *
		       UINT64_C(0xd6e8feb86659fd93);
	return sum;
}

static uint64_t sum_of_sites(const struct store_columns *columns) {
	uint64_t sum = 0;
	for (uint32_t run = 0, i = 0; run < columns->run_count; run++) {
		for (; i < columns->runs[run].end; i++) {
			uint64_t high = columns->duration_high ? columns->duration_high[i] : 0;
			sum += (columns->duration_low[i] | high << 32) * (columns->runs[run].site + UINT64_C(1));
		}
	}
	return sum;
}

/* What was accepted as rows is accepted site by site, too. */
static void check_sites(struct harness *harness, const struct format_batch *encoded, const struct store_columns *rows) {
	struct store_columns sites;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < rows->span_count; i++)
		sum += rows->duration_ns[i] * (rows->site[i] + UINT64_C(1));
	if (decode(harness->decoder, encoded, STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION_HALVES, &sites) ||
	    sum_of_sites(&sites) != sum)
		abort();
}

static void check_child_sums(const struct store_columns *columns) {
	const struct store_child_sums *sums = columns->child_sums;
	for (uint32_t i = 0; sums && i < sums->correction_count; i++)
		if (sums->correction_row[i] >= columns->span_count)
			abort();
	for (uint32_t i = 0; sums && i < sums->late_count; i++)
		if (sums->late_back[i] == 0 || sums->late_row[i] >= BATCH_SPANS_MAX)
			abort();
	if (sums && sums->away_count != columns->away_count)
		abort();
}

static struct harness *make_harness(void) {
	struct harness *harness = calloc(1, sizeof(*harness));
	if (!harness || decoder_new(&harness->decoder) || encoder_new(&harness->encoder) || batch_new(&harness->batch))
		abort();
	return harness;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct harness *harness;
	struct store_columns columns;
	if (!harness)
		harness = make_harness();
	struct format_batch encoded = parse(data, size);
	/* also where it is not among the rows that were accepted: it may say anything, but must not reach beyond */
	if (decode(harness->decoder, &encoded, STORE_IN_SITE_ORDER_COLUMNS & ~STORE_COLUMN_DURATION_HALVES, &columns) ==
	        0 &&
	    columns.run_count && columns.runs[columns.run_count - 1].end != columns.span_count)
		abort();
	if (decode(harness->decoder, &encoded, STORE_COLUMNS_ALL | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_CHILD_SUMS,
	           &columns))
		return 0;
	check_child_sums(&columns);
	uint64_t sum = sum_of(&columns);
	fill_batch(harness->batch, &columns);
	check_sites(harness, &encoded, &columns);
	encode(harness->encoder, harness->batch, &encoded);
	if (decode(harness->decoder, &encoded, STORE_COLUMNS_ALL, &columns) || sum_of(&columns) != sum)
		abort();
	return 0;
}
