/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a decoder, shared by decode.c (spans), decode_extras.c (attributes, events, links) and decode_child_sums.c. */
#ifndef SPANRING_LIBSTORE_DECODER_H
#define SPANRING_LIBSTORE_DECODER_H

#include "decode.h"
#include "order.h"
#include "plane.h"

/* Numbers of sites below this are counted, others sorted. */
#define DECODER_SITES_COUNTED 16384u

struct decoder {
	struct plane_reader *planes;
	uint32_t needs;     /* columns of the batch at hand: bit per enum format_column */
	bool in_site_order; /* wanted: STORE_IN_SITE_ORDER */
	bool is_wide;       /* many columns were wanted once */
	bool wants_halves;  /* wanted: STORE_COLUMN_DURATION_HALVES */
	bool duration_is_wide;
	struct order order;
	uint32_t span_count;
	uint32_t trace_count;
	uint32_t run[BATCH_SPANS_MAX]; /* rows of each trace */
	uint64_t trace_hi[BATCH_SPANS_MAX];
	uint64_t trace_lo[BATCH_SPANS_MAX];
	uint64_t span_id[BATCH_SPANS_MAX];
	uint64_t parent_id[BATCH_SPANS_MAX];
	uint64_t start_ns[BATCH_SPANS_MAX];
	uint64_t duration_ns[BATCH_SPANS_MAX];
	uint32_t duration_low[BATCH_SPANS_MAX];
	uint32_t duration_high[BATCH_SPANS_MAX];
	uint32_t site[BATCH_SPANS_MAX];
	uint32_t thread[BATCH_SPANS_MAX];
	uint32_t heap_alloc_units[BATCH_SPANS_MAX];
	int32_t heap_net_units[BATCH_SPANS_MAX];
	uint8_t kind[BATCH_SPANS_MAX];
	uint8_t status[BATCH_SPANS_MAX];
	uint8_t flags[BATCH_SPANS_MAX];
	uint32_t weight[BATCH_SPANS_MAX];
	uint32_t parent_code[BATCH_SPANS_MAX];
	uint64_t exceptions[BATCH_SPANS_MAX]; /* parents that are not rows */
	uint32_t exception_count;
	uint32_t parent_row[BATCH_SPANS_MAX];
	uint32_t site_counts[4][DECODER_SITES_COUNTED];
	uint32_t run_count;
	struct store_run runs[BATCH_SPANS_MAX];
	uint32_t by_site[BATCH_SPANS_MAX];
	uint32_t rows[BATCH_SPANS_MAX];
	uint64_t values[BATCH_SPANS_MAX];
	uint64_t more_values[BATCH_SPANS_MAX];
	uint32_t words[BATCH_SPANS_MAX];
	uint8_t bytes[BATCH_SPANS_MAX];
	struct store_attribute attributes[BATCH_ATTRIBUTES_MAX];
	uint32_t attribute_row[BATCH_ATTRIBUTES_MAX];
	struct store_event events[BATCH_EVENTS_MAX];
	uint32_t event_row[BATCH_EVENTS_MAX];
	struct store_link links[BATCH_LINKS_MAX];
	uint32_t link_count;
	uint8_t text[BATCH_TEXT_BYTES_MAX];
	struct store_child_sums child_sums;
	uint32_t correction_row[BATCH_SPANS_MAX];
	uint64_t correction_ns[BATCH_SPANS_MAX];
	uint32_t late_back[BATCH_SPANS_MAX];
	uint32_t late_row[BATCH_SPANS_MAX];
	uint32_t late_site[BATCH_SPANS_MAX];
	uint64_t late_ns[BATCH_SPANS_MAX];
	uint32_t found_back[BATCH_SPANS_MAX];
	uint32_t found_row[BATCH_SPANS_MAX];
	uint8_t away_state[BATCH_SPANS_MAX];
};

/* Start at a column and check its transform. */
int decode_start(struct decoder *decoder, const struct format_batch *encoded, enum format_column column,
                 uint8_t transform);
int decode_attributes(struct decoder *decoder, const struct format_batch *encoded);
int decode_events(struct decoder *decoder, const struct format_batch *encoded);
int decode_links(struct decoder *decoder, const struct format_batch *encoded);
/* After the codes of the parents, if these are asked for. */
int decode_child_sums(struct decoder *decoder, const struct format_batch *encoded);

#endif
