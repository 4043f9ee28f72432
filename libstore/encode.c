/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows are permuted first: traces in order of first appearance, inside a trace by start (ties: as they came). That
 * puts a child a few rows behind its parent, makes starts small ascending differences, and stores each trace id
 * once. Then every column is written by the transform that docs/store-format.md gives for it.
 *
 * Stored rows grouped by thread, by start inside a thread, are the (thread, start, row) order, in which the ids of a
 * thread count up by one.
 *
 * What works on all rows at once runs out of the processor's own cache; so nothing does that has not to. A parent is
 * looked for among the rows of its trace, and only a long trace, or an attribute, pays for the index of all rows. A
 * column that is the same in every row is not gathered by site.
 */
#include "encode.h"

#include "base/checked.h"
#include "base/errs.h"
#include "base/pages.h"
#include "bloom.h"
#include "encoder.h"
#include "reader.h"

#include <stdlib.h>
#include <sys/random.h>

#define PREFETCH_ROWS 16u
#define TRACE_SLOTS_FIRST 4096u /* of the traces: 16 KiB, which most batches do not outgrow */
#define SHORT_TRACE_ROWS 64u    /* searched one by one */

int encoder_new(struct encoder **ret_encoder) {
	struct encoder *encoder = malloc(sizeof(*encoder));
	if (!encoder)
		return -ENOMEM;
	int error = plane_writer_new(&encoder->planes);
	if (error) {
		free(encoder);
		return error;
	}
	if (getrandom(encoder->seed, sizeof(encoder->seed), 0) != (ssize_t)sizeof(encoder->seed)) {
		encoder->seed[0] = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)encoder;
		encoder->seed[1] = UINT64_C(0xbf58476d1ce4e5b9);
	}
	*ret_encoder = encoder;
	return 0;
}

void encoder_free(struct encoder *encoder) {
	if (!encoder)
		return;
	plane_writer_free(encoder->planes);
	free(encoder);
}

void encoder_rest(struct encoder *encoder) {
	pages_release(encoder, offsetof(struct encoder, order), sizeof(*encoder));
}

static void slots_put_traces(struct encoder *encoder, uint32_t size) {
	struct encoder_slots *slots = &encoder->slots;
	encoder_slots_clear(slots, size / 2);
	for (uint32_t i = 0; i < encoder->trace_count; i++) {
		uint32_t at = encoder_hash(encoder, encoder->trace_hi[i], encoder->trace_lo[i]) & slots->mask;
		while (slots->slots[at])
			at = (at + 1) & slots->mask;
		slots->slots[at] = i + 1;
	}
}

static uint32_t trace_index(struct encoder *encoder, uint64_t trace_hi, uint64_t trace_lo) {
	struct encoder_slots *slots = &encoder->slots;
	uint32_t hash = encoder_hash(encoder, trace_hi, trace_lo);
	uint32_t at = hash & slots->mask;
	for (; slots->slots[at]; at = (at + 1) & slots->mask) {
		uint32_t index = slots->slots[at] - 1;
		if (encoder->trace_lo[index] == trace_lo && encoder->trace_hi[index] == trace_hi)
			return index;
	}
	uint32_t index = encoder->trace_count++;
	slots->slots[at] = index + 1;
	encoder->trace_hi[index] = trace_hi;
	encoder->trace_lo[index] = trace_lo;
	encoder->run[index] = 0;
	if (encoder->trace_count > slots->mask / 2 && slots->mask < ENCODER_SLOTS - 1)
		slots_put_traces(encoder, 2 * (slots->mask + 1));
	return index;
}

static void find_traces(struct encoder *encoder, const struct batch *batch) {
	encoder->trace_count = 0;
	slots_put_traces(encoder, TRACE_SLOTS_FIRST);
	uint32_t index = 0;
	for (uint32_t i = 0; i < batch->span_count; i++) {
		const struct store_span *span = &batch->spans[i];
		/* Spans that end one after the other on a thread mostly are of one trace. */
		if (i == 0 || span->trace_lo != encoder->trace_lo[index] || span->trace_hi != encoder->trace_hi[index])
			index = trace_index(encoder, span->trace_hi, span->trace_lo);
		encoder->trace_of[i] = index;
		encoder->run[index]++;
		encoder->values[i] = span->start_ns;
	}
}

/* Stored rows in the order of (thread, start, row), and in that of (site, row). */
static void sort_stored_rows(struct encoder *encoder, uint32_t count) {
	order_by_group(&encoder->order, encoder->by_thread, encoder->spans.thread, encoder->spans.start_ns, count);
	order_identity(encoder->by_site, count);
	order_by_u32(&encoder->order, encoder->by_site, encoder->spans.site, count);
}

/* A row lies on two cache lines somewhere in the batch: they are asked for before they are needed. */
static void prefetch_row(const struct encoder *encoder, const struct batch *batch, uint32_t i) {
	if (i >= batch->span_count)
		return;
	const char *span = (const char *)&batch->spans[encoder->rows[i]];
	__builtin_prefetch(span);
	__builtin_prefetch(span + sizeof(struct store_span) - 1);
}

static void gather(struct encoder *encoder, const struct batch *batch) {
	struct encoder_spans *to = &encoder->spans;
	uint32_t weights = 0;
	for (uint32_t i = 0; i < batch->span_count; i++) {
		prefetch_row(encoder, batch, i + PREFETCH_ROWS);
		const struct store_span *span = &batch->spans[encoder->rows[i]];
		to->span_id[i] = span->span_id;
		to->parent_id[i] = span->parent_id;
		to->start_ns[i] = span->start_ns;
		to->duration_ns[i] = span->duration_ns;
		to->trace[i] = encoder->trace_of[encoder->rows[i]];
		to->site[i] = span->site;
		to->thread[i] = span->thread;
		to->heap_alloc_units[i] = span->heap_alloc_units;
		to->heap_net[i] = (uint32_t)span->heap_net_units << 1 ^ (0u - ((uint32_t)span->heap_net_units >> 31));
		to->kind[i] = span->kind;
		to->status[i] = span->status;
		to->flags[i] = span->flags;
		to->weight[i] = span->weight > STORE_WEIGHT_ONE ? span->weight : STORE_WEIGHT_ONE;
		weights |= span->weight;
	}
	encoder->weighted = weights > STORE_WEIGHT_ONE;
}

void encoder_index_rows(struct encoder *encoder) {
	struct encoder_slots *slots = &encoder->slots;
	uint32_t count = encoder->span_count;
	encoder->has_index = true;
	encoder_slots_clear(slots, count);
	for (uint32_t row = 0; row < count; row++) {
		uint64_t span_id = encoder->spans.span_id[row];
		uint64_t trace_lo = encoder->trace_lo[encoder->spans.trace[row]];
		uint32_t at = encoder_hash(encoder, trace_lo, span_id) & slots->mask;
		while (slots->slots[at]) {
			uint32_t other = slots->slots[at] - 1;
			if (encoder->spans.span_id[other] == span_id &&
			    encoder->trace_lo[encoder->spans.trace[other]] == trace_lo)
				break;
			at = (at + 1) & slots->mask;
		}
		if (!slots->slots[at])
			slots->slots[at] = row + 1;
	}
}

static void put_trace(struct encoder *encoder) {
	uint32_t count = encoder->trace_count;
	uint32_t high_count = 0;
	struct encoder_slots *slots = &encoder->slots;
	encoder_slots_clear(slots, count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t high = encoder->trace_hi[i];
		uint32_t at = encoder_hash(encoder, high, 0) & slots->mask;
		while (slots->slots[at] && encoder->values[slots->slots[at] - 1] != high)
			at = (at + 1) & slots->mask;
		if (!slots->slots[at]) {
			encoder->values[high_count] = high;
			slots->slots[at] = ++high_count;
		}
		encoder->words[i] = slots->slots[at] - 1;
		encoder->more_words[i] = encoder->run[i] - 1;
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_RUNS);
	plane_put_count(encoder->planes, count);
	plane_put_count(encoder->planes, high_count);
	plane_put_u64(encoder->planes, encoder->values, high_count);
	plane_put_u32(encoder->planes, encoder->words, count);
	plane_put_u64(encoder->planes, encoder->trace_lo, count);
	plane_put_u32(encoder->planes, encoder->more_words, count);
}

static void put_span_id(struct encoder *encoder) {
	const struct encoder_spans *spans = &encoder->spans;
	uint32_t first_count = 0;
	uint32_t count = 0;
	uint64_t before = 0;
	for (uint32_t i = 0; i < encoder->span_count; i++) {
		uint32_t row = encoder->by_thread[i];
		uint64_t id = spans->span_id[row];
		if (i == 0 || spans->thread[row] != spans->thread[encoder->by_thread[i - 1]])
			encoder->more_values[first_count++] = id;
		else
			encoder->values[count++] = format_zigzag(id - before - 1);
		before = id;
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_THREAD_DELTA);
	plane_put_count(encoder->planes, first_count);
	plane_put_u64(encoder->planes, encoder->more_values, first_count);
	plane_put_u64(encoder->planes, encoder->values, count);
}

/* The row with that id in a trace of rows [first, end), or span_count. Most parents began a few rows before. */
static uint32_t find_parent(struct encoder *encoder, uint64_t parent_id, uint32_t row, uint32_t first, uint32_t end) {
	const uint64_t *span_id = encoder->spans.span_id;
	if (end - first > SHORT_TRACE_ROWS)
		return encoder_find_row(encoder, encoder->trace_lo[encoder->spans.trace[row]], parent_id);
	for (uint32_t at = row; at > first; at--)
		if (span_id[at - 1] == parent_id)
			return at - 1;
	for (uint32_t at = row; at < end; at++)
		if (span_id[at] == parent_id)
			return at;
	return encoder->span_count;
}

/*
 * 0: root; 1: see the list; 2 + zigzag(row - row of the parent). A sibling of the row before, or its child, needs
 * no search.
 */
static uint32_t parent_code(struct encoder *encoder, uint32_t row, uint32_t first, uint32_t end, uint32_t *parent_row) {
	const uint64_t *span_id = encoder->spans.span_id;
	uint64_t parent_id = encoder->spans.parent_id[row];
	if (parent_id == 0)
		return 0;
	uint32_t candidate = *parent_row;
	if (row > first && span_id[row - 1] == parent_id)
		candidate = row - 1;
	if (candidate < first || candidate >= row || span_id[candidate] != parent_id)
		candidate = find_parent(encoder, parent_id, row, first, end);
	if (candidate == encoder->span_count)
		return 1;
	*parent_row = candidate;
	int64_t distance = (int64_t)row - (int64_t)candidate;
	return 2 + (uint32_t)format_zigzag((uint64_t)distance);
}

static void put_parent(struct encoder *encoder) {
	uint32_t exceptions = 0;
	uint32_t parent_row = UINT32_MAX;
	uint32_t row = 0;
	for (uint32_t trace = 0; trace < encoder->trace_count; trace++) {
		uint32_t first = row;
		uint32_t end = first + encoder->run[trace];
		for (; row < end; row++) {
			encoder->parent_code[row] = parent_code(encoder, row, first, end, &parent_row);
			if (encoder->parent_code[row] == 1)
				encoder->values[exceptions++] = encoder->spans.parent_id[row];
		}
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_ROW_DISTANCE);
	plane_put_u32(encoder->planes, encoder->parent_code, encoder->span_count);
	plane_put_count(encoder->planes, exceptions);
	plane_put_u64(encoder->planes, encoder->values, exceptions);
}

static void put_start(struct encoder *encoder) {
	const uint64_t *start_ns = encoder->spans.start_ns;
	uint32_t count = 0;
	uint32_t row = 0;
	uint64_t before = 0;
	for (uint32_t trace = 0; trace < encoder->trace_count; trace++) {
		encoder->more_values[trace] = format_zigzag(start_ns[row] - before);
		before = start_ns[row];
		uint32_t end = row + encoder->run[trace];
		for (row++; row < end; row++)
			encoder->values[count++] = start_ns[row] - start_ns[row - 1];
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_TRACE_DELTA);
	plane_put_u64(encoder->planes, encoder->more_values, encoder->trace_count);
	plane_put_u64(encoder->planes, encoder->values, count);
}

/* 0: the thread of the parent if that is an earlier row, else of the row before; otherwise the thread's id + 1. */
static void put_thread(struct encoder *encoder) {
	const uint32_t *thread = encoder->spans.thread;
	for (uint32_t row = 0; row < encoder->span_count; row++) {
		uint32_t code = encoder->parent_code[row];
		uint64_t distance = code >= 2 ? format_unzigzag(code - 2) : 0;
		if (distance == 0 || distance > row)
			distance = 1;
		bool same = row > 0 && thread[row] == thread[row - distance];
		encoder->values[row] = same ? 0 : (uint64_t)thread[row] + 1;
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_AS_PARENT);
	plane_put_u64(encoder->planes, encoder->values, encoder->span_count);
}

/* All rows alike are in every order. */
static bool all_alike(const void *column, uint32_t count, size_t bytes) {
	return memcmp(column, (const char *)column + bytes, (count - 1) * bytes) == 0;
}

static void put_u32_by_site(struct encoder *encoder, const uint32_t *column) {
	bool alike = all_alike(column, encoder->span_count, sizeof(*column));
	for (uint32_t i = 0; i < encoder->span_count && !alike; i++)
		encoder->words[i] = column[encoder->by_site[i]];
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_BY_SITE);
	plane_put_u32(encoder->planes, alike ? column : encoder->words, encoder->span_count);
}

static void put_u8_by_site(struct encoder *encoder, const uint8_t *column) {
	bool alike = all_alike(column, encoder->span_count, sizeof(*column));
	for (uint32_t i = 0; i < encoder->span_count && !alike; i++)
		encoder->bytes[i] = column[encoder->by_site[i]];
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_BY_SITE);
	plane_put_u8(encoder->planes, alike ? column : encoder->bytes, encoder->span_count);
}

static void put_duration(struct encoder *encoder) {
	for (uint32_t i = 0; i < encoder->span_count; i++)
		encoder->values[i] = encoder->spans.duration_ns[encoder->by_site[i]];
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_BY_SITE);
	plane_put_u64(encoder->planes, encoder->values, encoder->span_count);
}

/* Twice the same as the column of sites says; but it is short, and all that a question about durations needs of it. */
static void put_site_runs(struct encoder *encoder) {
	const uint32_t *site = encoder->spans.site;
	uint32_t count = 0;
	uint32_t first = 0;
	uint32_t before = 0;
	for (uint32_t end = 1; end <= encoder->span_count; end++) {
		uint32_t of_run = site[encoder->by_site[first]];
		if (end < encoder->span_count && site[encoder->by_site[end]] == of_run)
			continue;
		encoder->words[count] = of_run - before;
		encoder->more_words[count++] = end - first - 1;
		before = of_run;
		first = end;
	}
	plane_put_byte(encoder->planes, FORMAT_TRANSFORM_SITE_RUNS);
	plane_put_count(encoder->planes, count);
	plane_put_u32(encoder->planes, encoder->words, count);
	plane_put_u32(encoder->planes, encoder->more_words, count);
}

static void put_column(struct encoder *encoder, const struct batch *batch, enum format_column column) {
	const struct encoder_spans *spans = &encoder->spans;
	switch (column) {
	case FORMAT_COLUMN_TRACE:
		put_trace(encoder);
		return;
	case FORMAT_COLUMN_SPAN_ID:
		put_span_id(encoder);
		return;
	case FORMAT_COLUMN_PARENT:
		put_parent(encoder);
		return;
	case FORMAT_COLUMN_START:
		put_start(encoder);
		return;
	case FORMAT_COLUMN_DURATION:
		put_duration(encoder);
		return;
	case FORMAT_COLUMN_SITE:
		plane_put_byte(encoder->planes, FORMAT_TRANSFORM_PLAIN);
		plane_put_u32(encoder->planes, spans->site, encoder->span_count);
		return;
	case FORMAT_COLUMN_THREAD:
		put_thread(encoder);
		return;
	case FORMAT_COLUMN_KIND:
		put_u8_by_site(encoder, spans->kind);
		return;
	case FORMAT_COLUMN_STATUS:
		put_u8_by_site(encoder, spans->status);
		return;
	case FORMAT_COLUMN_FLAGS:
		put_u8_by_site(encoder, spans->flags);
		return;
	case FORMAT_COLUMN_HEAP_ALLOC:
		put_u32_by_site(encoder, spans->heap_alloc_units);
		return;
	case FORMAT_COLUMN_HEAP_NET:
		put_u32_by_site(encoder, spans->heap_net);
		return;
	case FORMAT_COLUMN_ATTRIBUTES:
		encode_attributes(encoder, batch);
		return;
	case FORMAT_COLUMN_TEXT:
		encode_text(encoder, batch);
		return;
	case FORMAT_COLUMN_EVENTS:
		encode_events(encoder, batch);
		return;
	case FORMAT_COLUMN_LINKS:
		encode_links(encoder, batch);
		return;
	case FORMAT_COLUMN_WEIGHT:
		plane_put_byte(encoder->planes, FORMAT_TRANSFORM_PLAIN);
		plane_put_u32(encoder->planes, spans->weight, encoder->span_count);
		return;
	case FORMAT_COLUMN_SITE_RUNS:
		put_site_runs(encoder);
		return;
	case FORMAT_COLUMN_CHILD_SUMS: /* by who knows the other batches */
	case FORMAT_COLUMNS:
		return;
	}
}

static bool has_rows(const struct encoder *encoder, const struct batch *batch, enum format_column column) {
	if (column == FORMAT_COLUMN_ATTRIBUTES)
		return batch->attribute_count > 0;
	if (column == FORMAT_COLUMN_TEXT)
		return batch->text_bytes > 0;
	if (column == FORMAT_COLUMN_EVENTS)
		return batch->event_count > 0;
	if (column == FORMAT_COLUMN_LINKS)
		return batch->link_count > 0;
	if (column == FORMAT_COLUMN_WEIGHT)
		return encoder->weighted;
	if (column == FORMAT_COLUMN_CHILD_SUMS)
		return false;
	return batch->span_count > 0;
}

static void summarise(const struct encoder *encoder, struct format_batch *encoded) {
	const struct encoder_spans *spans = &encoder->spans;
	uint64_t start_ns_min = encoder->span_count ? UINT64_MAX : 0;
	for (uint32_t i = 0; i < encoder->span_count; i++) {
		uint64_t end_ns = saturating_add(spans->start_ns[i], spans->duration_ns[i]);
		start_ns_min = spans->start_ns[i] < start_ns_min ? spans->start_ns[i] : start_ns_min;
		encoded->end_ns_max = end_ns > encoded->end_ns_max ? end_ns : encoded->end_ns_max;
		encoded->duration_ns_max =
		    spans->duration_ns[i] > encoded->duration_ns_max ? spans->duration_ns[i] : encoded->duration_ns_max;
	}
	encoded->start_ns_min = start_ns_min;
}

static void make_bloom(struct encoder *encoder, struct format_batch *encoded) {
	encoded->bloom = encoder->bloom;
	encoded->bloom_bytes = bloom_bytes(encoder->trace_count + encoder->foreign_count);
	memset(encoder->bloom, 0, encoded->bloom_bytes);
	for (uint32_t i = 0; i < encoder->trace_count; i++)
		bloom_add(encoder->bloom, encoded->bloom_bytes, encoder->trace_lo[i]);
	for (uint32_t i = 0; i < encoder->foreign_count; i++)
		bloom_add(encoder->bloom, encoded->bloom_bytes, encoder->foreign_traces[i]);
}

void encode(struct encoder *encoder, const struct batch *batch, struct format_batch *ret_encoded) {
	struct format_batch encoded = {.span_count = batch->span_count,
	                               .attribute_count = batch->attribute_count,
	                               .event_count = batch->event_count,
	                               .link_count = batch->link_count,
	                               .text_bytes = batch->text_bytes};
	encoder->span_count = batch->span_count;
	encoder->foreign_count = 0;
	encoder->has_index = false;
	find_traces(encoder, batch);
	order_by_group(&encoder->order, encoder->rows, encoder->trace_of, encoder->values, batch->span_count);
	gather(encoder, batch);
	sort_stored_rows(encoder, batch->span_count);
	plane_writer_start(encoder->planes, encoder->out, encoder->out + sizeof(encoder->out));
	for (enum format_column column = 0; column < FORMAT_COLUMNS; column++) {
		uint8_t *from = plane_writer_at(encoder->planes);
		if (has_rows(encoder, batch, column))
			put_column(encoder, batch, column);
		encoded.columns[column].data = from;
		encoded.columns[column].bytes = (uint32_t)(plane_writer_at(encoder->planes) - from);
	}
	summarise(encoder, &encoded);
	make_bloom(encoder, &encoded);
	*ret_encoded = encoded;
}

/* The rows of parents, which the codes of the column say, and the ids of those away. */
static uint32_t list_parents(struct encoder *encoder) {
	uint32_t away = 0;
	for (uint32_t row = 0; row < encoder->span_count; row++) {
		uint32_t code = encoder->parent_code[row];
		uint32_t none = code ? STORE_PARENT_AWAY : STORE_PARENT_NONE;
		encoder->words[row] = code >= 2 ? row - (uint32_t)format_unzigzag(code - 2) : none;
		encoder->values[away] = encoder->spans.parent_id[row];
		encoder->more_words[away] = row;
		away += code == 1;
	}
	return away;
}

void encoder_child_rows(struct encoder *encoder, struct child_rows *ret_rows) {
	*ret_rows = (struct child_rows){.count = encoder->span_count,
	                                .trace_count = encoder->trace_count,
	                                .trace_lo = encoder->trace_lo,
	                                .run = encoder->run,
	                                .span_id = encoder->spans.span_id,
	                                .start_ns = encoder->spans.start_ns,
	                                .duration_ns = encoder->spans.duration_ns,
	                                .parent_row = encoder->words,
	                                .site = encoder->spans.site,
	                                .flags = encoder->spans.flags,
	                                .away_count = list_parents(encoder),
	                                .away_row = encoder->more_words,
	                                .away_parent_id = encoder->values};
}
