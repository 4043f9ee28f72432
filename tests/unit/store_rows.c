/* SPDX-License-Identifier: Apache-2.0 */
#include "store_rows.h"

#include "support/cmocka.h"

#include "spanring/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void store_rows_free(struct store_rows *rows) {
	free(rows->spans);
	free(rows->attributes);
	free(rows->events);
	free(rows->links);
	free(rows->text);
	memset(rows, 0, sizeof(*rows));
}

static void *grow(void *array, size_t count, size_t more, size_t item_bytes) {
	void *grown = realloc(array, (count + more + 1) * item_bytes);
	assert_non_null(grown);
	return grown;
}

static void add_extras(struct store_rows *rows, const struct store_attribute *attributes, size_t attribute_count,
                       const struct store_event *events, size_t event_count, const char *text, size_t text_bytes) {
	rows->attributes = grow(rows->attributes, rows->attribute_count, attribute_count, sizeof(*rows->attributes));
	rows->events = grow(rows->events, rows->event_count, event_count, sizeof(*rows->events));
	rows->text = grow(rows->text, rows->text_bytes, text_bytes, 1);
	for (size_t i = 0; i < attribute_count; i++) {
		struct store_attribute attribute = attributes[i];
		if (attribute.type == SPANRING_VALUE_STRING)
			attribute.value += rows->text_bytes;
		rows->attributes[rows->attribute_count++] = attribute;
	}
	if (event_count)
		memcpy(rows->events + rows->event_count, events, sizeof(*events) * event_count);
	rows->event_count += event_count;
	if (text_bytes)
		memcpy(rows->text + rows->text_bytes, text, text_bytes);
	rows->text_bytes += text_bytes;
}

static void add_links(struct store_rows *rows, const struct store_link *links, size_t count) {
	rows->links = grow(rows->links, rows->link_count, count, sizeof(*rows->links));
	if (count)
		memcpy(rows->links + rows->link_count, links, sizeof(*links) * count);
	rows->link_count += count;
}

void store_rows_add_batch(struct store_rows *rows, const struct batch *batch) {
	rows->spans = grow(rows->spans, rows->span_count, batch->span_count, sizeof(*rows->spans));
	memcpy(rows->spans + rows->span_count, batch->spans, sizeof(*rows->spans) * batch->span_count);
	rows->span_count += batch->span_count;
	add_extras(rows, batch->attributes, batch->attribute_count, batch->events, batch->event_count, batch->text,
	           batch->text_bytes);
	add_links(rows, batch->links, batch->link_count);
}

void store_rows_add_columns(struct store_rows *rows, const struct store_columns *columns) {
	rows->spans = grow(rows->spans, rows->span_count, columns->span_count, sizeof(*rows->spans));
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
		span.weight = span.weight == STORE_WEIGHT_ONE ? 0 : span.weight;
		rows->spans[rows->span_count++] = span;
	}
	add_extras(rows, columns->attributes, columns->attribute_count, columns->events, columns->event_count,
	           columns->text, columns->text_bytes);
	add_links(rows, columns->links, columns->link_count);
}

int store_rows_collect(void *context, const struct store_columns *columns) {
	store_rows_add_columns(context, columns);
	return 0;
}

static int compare_spans(const void *a, const void *b) {
	return memcmp(a, b, sizeof(struct store_span));
}

static int compare_events(const void *a, const void *b) {
	return memcmp(a, b, sizeof(struct store_event));
}

static int compare_links(const void *a, const void *b) {
	return memcmp(a, b, sizeof(struct store_link));
}

static int compare_attributes(const void *a, const void *b, void *context) {
	const struct store_attribute *first = a;
	const struct store_attribute *second = b;
	const char *text = context;
	struct store_attribute plain_first = *first;
	struct store_attribute plain_second = *second;
	if (first->type != second->type)
		return first->type < second->type ? -1 : 1;
	bool strings = first->type == SPANRING_VALUE_STRING;
	if (strings)
		plain_first.value = plain_second.value = 0;
	int difference = memcmp(&plain_first, &plain_second, sizeof(plain_first));
	return difference || !strings ? difference
	                              : memcmp(text + first->value, text + second->value, first->text_bytes);
}

static bool same_attributes(struct store_rows *a, struct store_rows *b) {
	/* One text, so that both sort by the same rule. */
	a->text = grow(a->text, a->text_bytes, b->text_bytes, 1);
	memcpy(a->text + a->text_bytes, b->text, b->text_bytes);
	for (size_t i = 0; i < b->attribute_count; i++)
		if (b->attributes[i].type == SPANRING_VALUE_STRING)
			b->attributes[i].value += a->text_bytes;
	qsort_r(a->attributes, a->attribute_count, sizeof(*a->attributes), compare_attributes, a->text);
	qsort_r(b->attributes, b->attribute_count, sizeof(*b->attributes), compare_attributes, a->text);
	bool same = a->attribute_count == b->attribute_count;
	for (size_t i = 0; same && i < a->attribute_count; i++)
		same = compare_attributes(&a->attributes[i], &b->attributes[i], a->text) == 0;
	for (size_t i = 0; i < b->attribute_count; i++)
		if (b->attributes[i].type == SPANRING_VALUE_STRING)
			b->attributes[i].value -= a->text_bytes;
	return same;
}

bool store_rows_equal(struct store_rows *a, struct store_rows *b) {
	if (a->span_count != b->span_count || a->event_count != b->event_count || a->text_bytes != b->text_bytes ||
	    a->link_count != b->link_count)
		return false;
	if (a->link_count) {
		qsort(a->links, a->link_count, sizeof(*a->links), compare_links);
		qsort(b->links, b->link_count, sizeof(*b->links), compare_links);
		if (memcmp(a->links, b->links, sizeof(*a->links) * a->link_count) != 0)
			return false;
	}
	if (a->span_count) {
		qsort(a->spans, a->span_count, sizeof(*a->spans), compare_spans);
		qsort(b->spans, b->span_count, sizeof(*b->spans), compare_spans);
		if (memcmp(a->spans, b->spans, sizeof(*a->spans) * a->span_count) != 0)
			return false;
	}
	if (a->event_count) {
		qsort(a->events, a->event_count, sizeof(*a->events), compare_events);
		qsort(b->events, b->event_count, sizeof(*b->events), compare_events);
		if (memcmp(a->events, b->events, sizeof(*a->events) * a->event_count) != 0)
			return false;
	}
	return a->attribute_count == b->attribute_count && (!a->attribute_count || same_attributes(a, b));
}

int store_rows_read(const char *path, struct store_rows *ret_rows) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	memset(ret_rows, 0, sizeof(*ret_rows));
	if (store_reader_open(path, &reader, text, sizeof(text))) {
		assert_true(strlen(text) > 0);
		return -1;
	}
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL | STORE_COLUMN_CHILD_SUMS,
	                          .on_batch = store_rows_collect,
	                          .context = ret_rows};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	size_t damage = 0;
	(void)store_reader_damage(reader, &damage);
	store_reader_close(reader);
	return (int)damage;
}

/* A value for a field of so many bits, after the shape. */
static uint64_t value(struct seed *seed, enum store_shape shape, unsigned bits) {
	uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	uint64_t random = seed_next(seed);
	switch (shape) {
	case STORE_SHAPE_EQUAL:
		return UINT64_C(0x0123456789abcdef) & mask;
	case STORE_SHAPE_EXTREME:
		return random & 1 ? mask : 0;
	case STORE_SHAPE_FEW:
		return random % 3;
	case STORE_SHAPE_TREES:
	case STORE_SHAPE_RANDOM:
	case STORE_SHAPE_ALONE:
	case STORE_SHAPES:
		break;
	}
	return random & mask;
}

static uint32_t id(struct seed *seed, enum store_shape shape, uint32_t ids_max) {
	uint32_t any = (uint32_t)value(seed, shape, 32);
	return ids_max ? 1 + any % ids_max : any;
}

/* Mostly one; as a row of a batch has it, 0. */
static uint32_t weight(struct seed *seed) {
	uint64_t choice = seed_below(seed, 16);
	return choice > 1 ? 0 : choice == 1 ? UINT32_MAX : (uint32_t)seed_next(seed) | (STORE_WEIGHT_ONE + 1);
}

static void add_random(struct batch *batch, struct seed *seed, enum store_shape shape, uint32_t ids_max) {
	struct store_span span = {.trace_hi = value(seed, shape, 64),
	                          .trace_lo = value(seed, shape, 64),
	                          .span_id = value(seed, shape, 64),
	                          .parent_id = value(seed, shape, 64),
	                          .start_ns = value(seed, shape, 64),
	                          .duration_ns = value(seed, shape, 64),
	                          .heap_alloc_units = (uint32_t)value(seed, shape, 32),
	                          .heap_net_units = (int32_t)(uint32_t)value(seed, shape, 32),
	                          .site = id(seed, shape, ids_max),
	                          .thread = id(seed, shape, ids_max),
	                          .kind = (uint8_t)value(seed, shape, 8),
	                          .status = (uint8_t)value(seed, shape, 8),
	                          .flags = (uint8_t)value(seed, shape, 8),
	                          .weight = weight(seed)};
	batch_add_span(batch, &span);
}

/* A trace after `from`: parents anywhere in it, now and then an orphan. Threads have ids that count up. */
static void add_tree_span(struct batch *batch, struct seed *seed, uint32_t from, uint32_t ids_max) {
	uint32_t at = batch->span_count;
	const struct store_span *first = &batch->spans[from];
	struct store_span span = {
	    .trace_hi = at > from ? first->trace_hi : 1 + seed_below(seed, 4),
	    .trace_lo = at > from ? first->trace_lo : seed_next(seed),
	    .start_ns = (at > from ? first->start_ns : UINT64_C(5000000000000) + at * 1000) + seed_below(seed, 100000),
	    .duration_ns = seed_below(seed, 1u << (4 + seed_below(seed, 24))),
	    .heap_alloc_units = (uint32_t)seed_below(seed, 1000),
	    .heap_net_units = (int32_t)seed_below(seed, 1000) - 500,
	    .site = id(seed, STORE_SHAPE_RANDOM, ids_max ? ids_max : 50),
	    .thread = id(seed, STORE_SHAPE_RANDOM, ids_max && ids_max < 8 ? ids_max : 8),
	    .kind = (uint8_t)seed_below(seed, 5),
	    .status = seed_below(seed, 100) ? 0 : 2,
	    .flags = 4,
	    .weight = (uint32_t)(at > from ? first->weight : (at / 7 % 3) * 2 * STORE_WEIGHT_ONE)};
	span.span_id = ((uint64_t)span.thread << 32) + at + 1;
	if (at > from)
		span.parent_id =
		    seed_below(seed, 20) ? batch->spans[from + seed_below(seed, at - from)].span_id : seed_next(seed);
	batch_add_span(batch, &span);
}

static uint32_t event_index(struct seed *seed, enum store_shape shape, uint32_t few) {
	bool wide = shape == STORE_SHAPE_RANDOM || shape == STORE_SHAPE_EXTREME;
	return wide ? (uint32_t)value(seed, shape, 32) : (uint32_t)seed_below(seed, few);
}

static void add_extra(struct batch *batch, struct seed *seed, enum store_shape shape, uint32_t ids_max) {
	char text[64];
	bool known = batch->span_count && shape != STORE_SHAPE_ALONE && seed_below(seed, 10);
	const struct store_span *span = known ? &batch->spans[seed_below(seed, batch->span_count)] : NULL;
	uint64_t trace_lo = span ? span->trace_lo : value(seed, shape, 64);
	uint64_t span_id = span ? span->span_id : value(seed, shape, 64);
	struct store_attribute attribute = {.trace_lo = trace_lo,
	                                    .span_id = span_id,
	                                    .value = value(seed, shape, 64),
	                                    .key = id(seed, shape, ids_max),
	                                    .event_index = event_index(seed, shape, 3),
	                                    .type = (uint8_t)seed_below(seed, 8)};
	if (attribute.type == SPANRING_VALUE_STRING)
		attribute.text_bytes = (uint32_t)snprintf(text, 1 + seed_below(seed, sizeof(text)), "/path/to/file-%lu",
		                                          (unsigned long)seed_below(seed, 100));
	if (attribute.text_bytes > sizeof(text) - 1)
		attribute.text_bytes = 0;
	if (attribute.type == SPANRING_VALUE_STRING)
		attribute.text_bytes = (uint32_t)strnlen(text, attribute.text_bytes);
	batch_add_attribute(batch, &attribute, text);
	struct store_event event = {.trace_lo = trace_lo,
	                            .span_id = span_id,
	                            .time_ns = value(seed, shape, 64),
	                            .name = id(seed, shape, ids_max),
	                            .event_index = event_index(seed, shape, 5)};
	if (seed_below(seed, 2))
		batch_add_event(batch, &event);
	struct store_link link = {.trace_lo = trace_lo,
	                          .span_id = span_id,
	                          .linked_trace_hi = value(seed, shape, 64),
	                          .linked_trace_lo = value(seed, shape, 64),
	                          .linked_span_id = value(seed, shape, 64)};
	if (seed_below(seed, 2))
		batch_add_link(batch, &link);
}

void store_rows_fill(struct batch *batch, struct seed *seed, enum store_shape shape, uint32_t spans, uint32_t ids_max) {
	uint32_t from = 0;
	batch_clear(batch);
	for (uint32_t i = 0; i < spans && shape != STORE_SHAPE_ALONE; i++) {
		if (seed_below(seed, 12) == 0)
			from = i;
		if (shape == STORE_SHAPE_TREES)
			add_tree_span(batch, seed, from, ids_max);
		else
			add_random(batch, seed, shape, ids_max);
	}
	uint32_t extras = spans ? (uint32_t)seed_below(seed, spans + 1) : (uint32_t)seed_below(seed, 3);
	for (uint32_t i = 0; i < extras; i++)
		add_extra(batch, seed, shape, ids_max);
}
