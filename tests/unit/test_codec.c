/* SPDX-License-Identifier: Apache-2.0 */
/* Every batch comes back as the same set of rows, and nothing that is not a batch does harm. */
#include "support/cmocka.h"

#include "store_rows.h"

#include "base/errs.h"
#include "libstore/bloom.h"
#include "libstore/checksum.h"
#include "libstore/decode.h"
#include "libstore/encode.h"
#include "libstore/merge_rows.h"
#include "libstore/order.h"
#include "spanring/record.h"

#include <stdlib.h>
#include <string.h>

#define STORE_COLUMN_BITS 15u /* of STORE_COLUMN_* */
_Static_assert(STORE_COLUMNS_ALL == (1u << STORE_COLUMN_BITS) - 1, "every column is looked at");

struct codec {
	struct encoder *encoder;
	struct decoder *decoder;
	struct batch *batch;
};

static int make_codec(void **state) {
	struct codec *codec = calloc(1, sizeof(*codec));
	assert_non_null(codec);
	assert_int_equal(encoder_new(&codec->encoder), 0);
	assert_int_equal(decoder_new(&codec->decoder), 0);
	assert_int_equal(batch_new(&codec->batch), 0);
	*state = codec;
	return 0;
}

static int free_codec(void **state) {
	struct codec *codec = *state;
	encoder_free(codec->encoder);
	decoder_free(codec->decoder);
	batch_free(codec->batch);
	free(codec);
	return 0;
}

static void check_bloom(const struct format_batch *encoded, const struct batch *batch) {
	for (uint32_t i = 0; i < batch->span_count; i++)
		assert_true(bloom_may_hold(encoded->bloom, encoded->bloom_bytes, batch->spans[i].trace_lo));
	for (uint32_t i = 0; i < batch->attribute_count; i++)
		assert_true(bloom_may_hold(encoded->bloom, encoded->bloom_bytes, batch->attributes[i].trace_lo));
	for (uint32_t i = 0; i < batch->event_count; i++)
		assert_true(bloom_may_hold(encoded->bloom, encoded->bloom_bytes, batch->events[i].trace_lo));
	for (uint32_t i = 0; i < batch->link_count; i++)
		assert_true(bloom_may_hold(encoded->bloom, encoded->bloom_bytes, batch->links[i].trace_lo));
}

/* Rows that came out of an encoded batch go into the same bytes again. */
static void check_same_bytes(struct codec *codec, const struct format_batch *encoded,
                             const struct store_columns *columns) {
	struct format_batch again;
	uint64_t sums[FORMAT_COLUMNS];
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		sums[i] = checksum64(encoded->columns[i].data, encoded->columns[i].bytes, encoded->columns[i].bytes);
	batch_clear(codec->batch);
	assert_true(merge_rows_append(codec->batch, columns));
	encode(codec->encoder, codec->batch, &again);
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		if (sums[i] != checksum64(again.columns[i].data, again.columns[i].bytes, again.columns[i].bytes))
			fail_msg("column %d has other bytes the second time", i);
}

static void check_round_trip(struct codec *codec, enum store_shape shape, uint32_t spans) {
	struct format_batch encoded;
	struct store_columns columns;
	struct store_rows before = {0};
	struct store_rows after = {0};
	encode(codec->encoder, codec->batch, &encoded);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMNS_ALL, &columns), 0);
	store_rows_add_batch(&before, codec->batch);
	store_rows_add_columns(&after, &columns);
	if (!store_rows_equal(&before, &after))
		fail_msg("shape %d, %u spans: other rows came back", (int)shape, spans);
	check_bloom(&encoded, codec->batch);
	check_same_bytes(codec, &encoded, &columns);
	store_rows_free(&before);
	store_rows_free(&after);
}

static void every_shape_comes_back(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec");
	static const uint32_t sizes[] = {0, 1, 2, 3, 63, 300, 5000};
	for (unsigned round = 0; round < seed_rounds(3); round++)
		for (int shape = 0; shape < STORE_SHAPES; shape++)
			for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
				uint32_t spans = sizes[i] > 3 ? 1 + (uint32_t)seed_below(&seed, sizes[i]) : sizes[i];
				store_rows_fill(codec->batch, &seed, (enum store_shape)shape, spans, 0);
				check_round_trip(codec, (enum store_shape)shape, spans);
			}
}

static void the_largest_batch_comes_back(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec largest");
	for (int shape = 0; shape < STORE_SHAPES; shape++) {
		store_rows_fill(codec->batch, &seed, (enum store_shape)shape, BATCH_SPANS_MAX, 0);
		check_round_trip(codec, (enum store_shape)shape, BATCH_SPANS_MAX);
	}
}

/* As many rows of each kind as a batch may have, and as much text: many short strings, or few long ones. */
static void fill_to_the_brim(struct batch *batch, struct seed *seed, uint32_t strings) {
	uint32_t text_bytes = BATCH_TEXT_BYTES_MAX / strings;
	char *text = malloc(text_bytes);
	assert_non_null(text);
	store_rows_fill(batch, seed, STORE_SHAPE_TREES, BATCH_SPANS_MAX, 0);
	batch->attribute_count = batch->event_count = batch->link_count = batch->text_bytes = 0;
	for (uint32_t i = 0; i < BATCH_ATTRIBUTES_MAX; i++) {
		const struct store_span *span = &batch->spans[seed_below(seed, BATCH_SPANS_MAX)];
		struct store_attribute attribute = {.trace_lo = span->trace_lo,
		                                    .span_id = span->span_id + seed_below(seed, 2),
		                                    .key = UINT32_MAX - (uint32_t)seed_below(seed, 3),
		                                    .event_index = UINT32_MAX,
		                                    .value = seed_next(seed),
		                                    .type = (uint8_t)(1 + i % 4)};
		if (i < strings) {
			memset(text, (int)(seed_next(seed) & 0xff), text_bytes);
			attribute.type = SPANRING_VALUE_STRING;
			attribute.text_bytes = text_bytes;
		}
		batch_add_attribute(batch, &attribute, text);
		struct store_event event = {span->trace_lo, span->span_id, seed_next(seed), UINT32_MAX, UINT32_MAX};
		batch_add_event(batch, &event);
		struct store_link link = {span->trace_lo, span->span_id, seed_next(seed), seed_next(seed), UINT64_MAX};
		batch_add_link(batch, &link);
	}
	free(text);
}

static void a_full_batch_comes_back(void **state) {
	static const uint32_t strings[] = {1, 7, BATCH_ATTRIBUTES_MAX};
	struct codec *codec = *state;
	struct seed seed = seed_start("codec full");
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		fill_to_the_brim(codec->batch, &seed, strings[i]);
		assert_int_equal(codec->batch->text_bytes, BATCH_TEXT_BYTES_MAX / strings[i] * strings[i]);
		check_round_trip(codec, STORE_SHAPE_TREES, BATCH_SPANS_MAX);
	}
}

static uint64_t sum(const void *values, uint32_t rows, size_t value_bytes) {
	return values ? checksum64(values, rows * value_bytes, 1) : 0;
}

/* What a reading gives, column by column. */
static void sum_columns(const struct store_columns *columns, uint64_t ret_sums[STORE_COLUMN_BITS]) {
	uint32_t rows = columns->span_count;
	uint64_t sums[STORE_COLUMN_BITS] = {
	    sum(columns->trace_lo, rows, 8) ^ sum(columns->trace_hi, rows, 8),
	    sum(columns->span_id, rows, 8),
	    sum(columns->parent_id, rows, 8),
	    sum(columns->start_ns, rows, 8),
	    sum(columns->duration_ns, rows, 8),
	    sum(columns->site, rows, 4),
	    sum(columns->thread, rows, 4),
	    sum(columns->kind, rows, 1),
	    sum(columns->status, rows, 1),
	    sum(columns->flags, rows, 1),
	    sum(columns->heap_alloc_units, rows, 4) ^ sum(columns->heap_net_units, rows, 4),
	    sum(columns->attributes, columns->attribute_count, sizeof(struct store_attribute)) ^
	        sum(columns->text, columns->text_bytes, 1),
	    sum(columns->events, columns->event_count, sizeof(struct store_event)),
	    sum(columns->links, columns->link_count, sizeof(struct store_link)),
	    sum(columns->weight, rows, 4)};
	memcpy(ret_sums, sums, sizeof(sums));
}

static void each_column_alone_is_that_of_all(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec alone");
	struct format_batch encoded;
	struct store_columns columns;
	uint64_t all[STORE_COLUMN_BITS];
	uint64_t alone[STORE_COLUMN_BITS];
	for (int shape = 0; shape < STORE_SHAPES; shape++) {
		store_rows_fill(codec->batch, &seed, (enum store_shape)shape, 700, 0);
		encode(codec->encoder, codec->batch, &encoded);
		assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMNS_ALL, &columns), 0);
		sum_columns(&columns, all);
		for (uint32_t bit = 0; bit < STORE_COLUMN_BITS; bit++) {
			assert_int_equal(decode(codec->decoder, &encoded, 1u << bit, &columns), 0);
			sum_columns(&columns, alone);
			assert_true(alone[bit] == all[bit]);
		}
	}
}

static void columns_decode_alone(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec columns");
	struct format_batch encoded;
	struct store_columns all;
	struct store_columns some;
	store_rows_fill(codec->batch, &seed, STORE_SHAPE_TREES, 1000, 0);
	encode(codec->encoder, codec->batch, &encoded);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMNS_ALL, &all), 0);
	uint64_t sum_all = checksum64(all.duration_ns, 8000, checksum64(all.parent_id, 8000, 0));
	for (uint32_t bit = 0; bit < STORE_COLUMN_BITS; bit++) {
		struct format_batch needed = encoded;
		uint32_t needs = decode_needs(1u << bit, true);
		for (uint32_t i = 0; i < FORMAT_COLUMNS; i++)
			if (!(needs >> i & 1))
				memset(&needed.columns[i], 0, sizeof(needed.columns[i]));
		assert_int_equal(decode(codec->decoder, &needed, 1u << bit, &some), 0);
		assert_int_equal(some.duration_ns != NULL, bit == 4);
		assert_int_equal(some.parent_id != NULL, bit == 2);
	}
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_DURATION | STORE_COLUMN_PARENT_ID, &some), 0);
	assert_true(sum_all == checksum64(some.duration_ns, 8000, checksum64(some.parent_id, 8000, 0)));
}

struct site_row {
	uint32_t site;
	uint32_t row;
};

static int by_site_and_row(const void *a, const void *b) {
	const struct site_row *left = a;
	const struct site_row *right = b;
	if (left->site != right->site)
		return left->site < right->site ? -1 : 1;
	return left->row < right->row ? -1 : left->row > right->row;
}

/* What is asked for site by site is what stands in the rows, sorted by site; some of it, and all. */
static void check_site_order(struct codec *codec, const struct format_batch *encoded,
                             const struct format_batch *by_site, struct decoder *other, uint32_t some) {
	struct store_columns rows;
	struct store_columns sites;
	uint32_t run = 0;
	assert_int_equal(decode(codec->decoder, encoded, STORE_COLUMNS_ALL, &rows), 0);
	assert_int_equal(decode(other, by_site, STORE_IN_SITE_ORDER | some, &sites), 0);
	struct site_row *order = calloc(rows.span_count + 1, sizeof(*order));
	assert_non_null(order);
	for (uint32_t i = 0; i < rows.span_count; i++)
		order[i] = (struct site_row){rows.site[i], i};
	qsort(order, rows.span_count, sizeof(*order), by_site_and_row);
	for (uint32_t i = 0; i < rows.span_count; i++) {
		uint32_t row = order[i].row;
		run += i == sites.runs[run].end;
		assert_int_equal(sites.runs[run].site, order[i].site);
		uint64_t high = sites.duration_high ? sites.duration_high[i] : 0;
		if (some & STORE_COLUMN_DURATION)
			assert_true(sites.duration_ns[i] == rows.duration_ns[row]);
		if (some & STORE_COLUMN_DURATION_HALVES)
			assert_true((sites.duration_low[i] | high << 32) == rows.duration_ns[row]);
		if (some & STORE_COLUMN_STATUS)
			assert_int_equal(sites.status[i], rows.status[row]);
		if (some & STORE_COLUMN_START) /* these two stay in order of rows */
			assert_true(sites.start_ns[i] == rows.start_ns[i] && sites.site[i] == rows.site[i]);
		if (some & STORE_COLUMN_FLAGS)
			assert_int_equal(sites.flags[i], rows.flags[row]);
		if (some & STORE_COLUMN_HEAP)
			assert_true(sites.heap_alloc_units[i] == rows.heap_alloc_units[row] &&
			            sites.heap_net_units[i] == rows.heap_net_units[row]);
	}
	assert_int_equal(sites.run_count, rows.span_count ? run + 1 : 0);
	free(order);
}

static void check_parent_rows(struct codec *codec, const struct format_batch *encoded, struct decoder *other) {
	struct store_columns ids;
	struct store_columns rows;
	uint32_t away = 0;
	assert_int_equal(decode(codec->decoder, encoded, STORE_COLUMNS_ALL, &ids), 0);
	assert_int_equal(decode(other, encoded, STORE_COLUMN_PARENT_ROW, &rows), 0);
	for (uint32_t i = 0; i < ids.span_count; i++) {
		uint32_t parent = rows.parent_row[i];
		if (parent == STORE_PARENT_NONE)
			assert_true(ids.parent_id[i] == 0);
		else if (parent == STORE_PARENT_AWAY)
			assert_true(rows.away_parent_id[away++] == ids.parent_id[i]);
		else
			assert_true(parent < ids.span_count && ids.span_id[parent] == ids.parent_id[i] &&
			            ids.trace_lo[parent] == ids.trace_lo[i]);
	}
	assert_int_equal(away, rows.away_count);
}

static void other_orders_hold_the_same(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec orders");
	struct decoder *other = NULL;
	assert_int_equal(decoder_new(&other), 0);
	for (unsigned round = 0; round < 2 * STORE_SHAPES; round++) {
		struct format_batch encoded;
		uint32_t spans = (uint32_t)seed_below(&seed, round < STORE_SHAPES ? 40 : 3000);
		store_rows_fill(codec->batch, &seed, (enum store_shape)(round % STORE_SHAPES), spans,
		                round % 3 ? 200 : 0);
		encode(codec->encoder, codec->batch, &encoded);
		const uint32_t with_halves = STORE_IN_SITE_ORDER_COLUMNS & ~STORE_COLUMN_DURATION;
		struct format_batch older = encoded;
		struct format_batch alone = encoded;
		older.columns[FORMAT_COLUMN_SITE_RUNS] = (struct format_column_bytes){NULL, 0};
		alone.columns[FORMAT_COLUMN_SITE] = (struct format_column_bytes){NULL, 0};
		check_site_order(codec, &encoded, &encoded, other, STORE_COLUMN_DURATION);
		check_site_order(codec, &encoded, &alone, other,
		                 with_halves & ~(STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START));
		check_site_order(codec, &encoded, &older, other, with_halves);
		check_site_order(codec, &older, &older, other, with_halves ^ STORE_COLUMN_DURATION_HALVES);
		check_parent_rows(codec, &encoded, other);
	}
	decoder_free(other);
}

/* The checksums are no help here: they are checked by the reader, the decoder must stand alone. */
static void damaged_bytes_do_no_harm(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec damage");
	struct store_columns columns;
	struct format_batch encoded;
	unsigned refused = 0;
	unsigned rounds = seed_rounds(4000);
	store_rows_fill(codec->batch, &seed, STORE_SHAPE_TREES, 200, 0);
	encode(codec->encoder, codec->batch, &encoded);
	for (unsigned round = 0; round < rounds; round++) {
		struct format_batch broken = encoded;
		uint32_t index = (uint32_t)seed_below(&seed, FORMAT_COLUMNS);
		struct format_column_bytes *column = &broken.columns[index];
		uint32_t bytes =
		    (uint32_t)seed_below(&seed, 4) ? column->bytes : (uint32_t)seed_below(&seed, column->bytes + 1);
		uint8_t *copy = malloc(bytes + 1);
		assert_non_null(copy);
		memcpy(copy, column->data, bytes);
		for (uint64_t flips = seed_below(&seed, 4); flips > 0 && bytes; flips--)
			copy[seed_below(&seed, bytes)] ^= (uint8_t)(1u << seed_below(&seed, 8));
		column->data = copy;
		column->bytes = bytes;
		int error = decode(codec->decoder, &broken, STORE_COLUMNS_ALL, &columns);
		assert_true(error == 0 || error == ERR_DAMAGED || error == ERR_NEWER);
		refused += error != 0;
		free(copy);
	}
	assert_true(refused > rounds / 40);
}

/* Spans that all stand for themselves take no byte for it; one that stands for more is read back, and none stands for less. */
static void weights_cost_nothing_where_all_are_one(void **state) {
	struct codec *codec = *state;
	struct store_columns columns;
	struct format_batch encoded;
	struct store_span span = {.trace_lo = 1, .span_id = 1, .site = 1, .thread = 1};
	batch_clear(codec->batch);
	batch_add_span(codec->batch, &span);
	span.weight = STORE_WEIGHT_ONE;
	batch_add_span(codec->batch, &span);
	encode(codec->encoder, codec->batch, &encoded);
	assert_int_equal(encoded.columns[FORMAT_COLUMN_WEIGHT].bytes, 0);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_WEIGHT, &columns), 0);
	assert_null(columns.weight);
	span.weight = 10 * STORE_WEIGHT_ONE;
	batch_add_span(codec->batch, &span);
	encode(codec->encoder, codec->batch, &encoded);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_WEIGHT, &columns), 0);
	assert_int_equal(columns.weight[0], STORE_WEIGHT_ONE);
	assert_int_equal(columns.weight[2], 10 * STORE_WEIGHT_ONE);
	static const uint8_t too_light[] = {FORMAT_TRANSFORM_PLAIN, 1, 0, 200};
	encoded.columns[FORMAT_COLUMN_WEIGHT] = (struct format_column_bytes){too_light, sizeof(too_light)};
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_WEIGHT, &columns), ERR_DAMAGED);
}

/* Each of these is refused, with the sites at hand or alone; the runs of other sites where both are there. */
static void runs_of_sites_are_checked(void **state) {
	struct codec *codec = *state;
	struct store_columns columns;
	struct format_batch encoded;
	const struct store_span spans[] = {{.trace_lo = 1, .span_id = 1, .site = 3, .thread = 1},
	                                   {.trace_lo = 1, .span_id = 2, .site = 5, .thread = 1},
	                                   {.trace_lo = 1, .span_id = 3, .site = 3, .thread = 1}};
	static const uint8_t right[] = {12, 2, 0, 0, 0, 1, 1, 3, 2, 1, 1, 1, 0};
	static const uint8_t other_site[] = {12, 2, 0, 0, 0, 1, 1, 3, 3, 1, 1, 1, 0};
	static const uint8_t wrong[][13] = {
	    {12, 4, 0, 0, 0, 1, 1, 3, 2, 1, 1, 1, 0}, /* more runs than spans */
	    {12, 2, 0, 0, 0, 1, 1, 3, 0, 1, 1, 1, 0}, /* one site twice */
	    {12, 2, 0, 0, 0, 1, 1, 3, 2, 1, 1, 1, 1}, /* four rows */
	    {12, 2, 0, 0, 0, 1, 1, 3, 2, 1, 1, 0, 0}, /* two */
	    {1, 2, 0, 0, 0, 1, 1, 3, 2, 1, 1, 1, 0},  /* of another transform */
	};
	batch_clear(codec->batch);
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		batch_add_span(codec->batch, &spans[i]);
	encode(codec->encoder, codec->batch, &encoded);
	struct format_column_bytes *runs = &encoded.columns[FORMAT_COLUMN_SITE_RUNS];
	assert_int_equal(runs->bytes, sizeof(right));
	assert_memory_equal(runs->data, right, sizeof(right));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		runs->data = wrong[i];
		assert_true(decode(codec->decoder, &encoded, STORE_COLUMN_SITE, &columns) != 0);
		assert_true(decode(codec->decoder, &encoded, STORE_IN_SITE_ORDER, &columns) != 0);
	}
	runs->data = other_site;
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_SITE, &columns), ERR_DAMAGED);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_IN_SITE_ORDER, &columns), 0);
	static const uint8_t plain[] = {FORMAT_TRANSFORM_PLAIN, 0};
	runs->data = right;
	encoded.columns[FORMAT_COLUMN_STATUS] = (struct format_column_bytes){plain, sizeof(plain)};
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_STATUS, &columns), ERR_DAMAGED);
	runs->bytes = 0;
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_STATUS, &columns), 0);
}

static void an_unknown_transform_is_newer(void **state) {
	struct codec *codec = *state;
	struct seed seed = seed_start("codec newer");
	struct store_columns columns;
	struct format_batch encoded;
	uint8_t site[1] = {200};
	store_rows_fill(codec->batch, &seed, STORE_SHAPE_TREES, 10, 0);
	encode(codec->encoder, codec->batch, &encoded);
	encoded.columns[FORMAT_COLUMN_SITE].data = site;
	encoded.columns[FORMAT_COLUMN_SITE].bytes = 1;
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_SITE, &columns), ERR_NEWER);
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_TRACE, &columns), 0);
	encoded.span_count = BATCH_SPANS_MAX + 1;
	assert_int_equal(decode(codec->decoder, &encoded, STORE_COLUMN_TRACE, &columns), ERR_DAMAGED);
}

/* Values of the public specification of XXH64. */
static void checksum_is_xxh64(void **state) {
	(void)state;
	assert_true(checksum64("", 0, 0) == UINT64_C(0xef46db3751d8e999));
	assert_true(checksum64("a", 1, 0) == UINT64_C(0xd24ec4f1a98c6e5b));
	assert_true(checksum64("abc", 3, 0) == UINT64_C(0x44bc2cf5ad770999));
	assert_true(checksum64("Nobody inspects the spammish repetition", 39, 0) == UINT64_C(0xfbcea83c8a378bf1));
}

static void sorting_is_stable(void **state) {
	(void)state;
	struct seed seed = seed_start("order");
	struct order *order = malloc(sizeof(*order));
	uint64_t *keys = malloc(sizeof(*keys) * BATCH_SPANS_MAX);
	uint32_t *rows = malloc(sizeof(*rows) * BATCH_SPANS_MAX);
	assert_true(order && keys && rows);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t count = (uint32_t)seed_below(&seed, round < 90 ? 3000 : BATCH_SPANS_MAX + 1);
		unsigned shift = (unsigned)seed_below(&seed, 64);
		uint64_t base = seed_next(&seed) >> seed_below(&seed, 64);
		for (uint32_t i = 0; i < count; i++)
			keys[i] = base + (seed_next(&seed) >> shift);
		order_identity(rows, count);
		order_by_u64(order, rows, keys, count);
		for (uint32_t i = 1; i < count; i++)
			assert_true(keys[rows[i - 1]] < keys[rows[i]] ||
			            (keys[rows[i - 1]] == keys[rows[i]] && rows[i - 1] < rows[i]));
	}
	free(order);
	free(keys);
	free(rows);
}

/* Few groups and many, sparse ones and wide keys, which are sorted in other ways. */
static void groups_are_sorted_inside(void **state) {
	(void)state;
	struct seed seed = seed_start("groups");
	struct order *order = malloc(sizeof(*order));
	uint64_t *keys = malloc(sizeof(*keys) * BATCH_SPANS_MAX);
	uint32_t *groups = malloc(sizeof(*groups) * BATCH_SPANS_MAX);
	uint32_t *rows = malloc(sizeof(*rows) * BATCH_SPANS_MAX);
	assert_true(order && keys && groups && rows);
	for (unsigned round = 0; round < 200; round++) {
		uint32_t count = (uint32_t)seed_below(&seed, round < 190 ? 3000 : BATCH_SPANS_MAX + 1);
		unsigned shift = (unsigned)seed_below(&seed, 64);
		bool all_equal = seed_below(&seed, 8) == 0;
		uint32_t group_max = (uint32_t)1 << seed_below(&seed, 32);
		uint32_t group_base = (uint32_t)seed_below(&seed, UINT32_MAX - group_max);
		for (uint32_t i = 0; i < count; i++) {
			keys[i] = all_equal ? 7 : seed_next(&seed) >> shift;
			groups[i] = group_base + (uint32_t)seed_below(&seed, group_max);
		}
		order_by_group(order, rows, groups, keys, count);
		for (uint32_t i = 1; i < count; i++) {
			uint32_t a = rows[i - 1];
			uint32_t b = rows[i];
			if (groups[a] != groups[b])
				assert_true(groups[a] < groups[b]);
			else
				assert_true(keys[a] < keys[b] || (keys[a] == keys[b] && a < b));
		}
	}
	free(order);
	free(keys);
	free(groups);
	free(rows);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_shape_comes_back),    cmocka_unit_test(the_largest_batch_comes_back),
	    cmocka_unit_test(a_full_batch_comes_back),   cmocka_unit_test(each_column_alone_is_that_of_all),
	    cmocka_unit_test(columns_decode_alone),      cmocka_unit_test(other_orders_hold_the_same),
	    cmocka_unit_test(damaged_bytes_do_no_harm),  cmocka_unit_test(weights_cost_nothing_where_all_are_one),
	    cmocka_unit_test(runs_of_sites_are_checked), cmocka_unit_test(an_unknown_transform_is_newer),
	    cmocka_unit_test(checksum_is_xxh64),         cmocka_unit_test(sorting_is_stable),
	    cmocka_unit_test(groups_are_sorted_inside),
	};
	return cmocka_run_group_tests_name("codec", tests, make_codec, free_codec);
}
