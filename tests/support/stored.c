/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include "cmocka.h"

#include "libstore/reader.h"

#include <spanring/spanring.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct id_to_seq {
	uint64_t span_id;
	uint64_t seq;
};

struct loading {
	const struct store_overview *overview;
	struct stored *stored;
	size_t span_room;
	struct id_to_seq *attributes;
	size_t attribute_count;
	size_t attribute_room;
};

static void *grow(void *array, size_t needed, size_t *room, size_t element_bytes) {
	if (needed <= *room)
		return array;
	*room = needed * 2;
	array = realloc(array, *room * element_bytes);
	assert_non_null(array);
	return array;
}

static void take_spans(struct loading *loading, const struct store_columns *columns) {
	struct stored *stored = loading->stored;
	stored->spans =
	    grow(stored->spans, stored->count + columns->span_count, &loading->span_room, sizeof(stored->spans[0]));
	for (uint32_t i = 0; i < columns->span_count; i++) {
		assert_in_range(columns->site[i], 1, columns->segment->site_count);
		const char *name = loading->overview->names[columns->segment->sites[columns->site[i]].name];
		int outer = strcmp(name, "outer") == 0;
		int open = (columns->flags[i] & STORE_SPAN_OPEN) != 0;
		if (!outer && strcmp(name, "hung") != 0)
			assert_string_equal(name, "inner");
		struct stored_span span = {
		    .seq = UINT64_MAX,
		    .span_id = columns->span_id[i],
		    .parent_id = columns->parent_id[i],
		    .trace_hi = columns->trace_hi[i],
		    .trace_lo = columns->trace_lo[i],
		    .start_ns = columns->start_ns[i],
		    .duration_ns = columns->duration_ns[i],
		    .outer = (uint32_t)outer,
		    .kind = columns->kind[i],
		    .open = (uint32_t)open,
		};
		stored->spans[stored->count++] = span;
	}
}

static void take_attributes(struct loading *loading, const struct store_columns *columns) {
	loading->attributes = grow(loading->attributes, loading->attribute_count + columns->attribute_count,
	                           &loading->attribute_room, sizeof(loading->attributes[0]));
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		const struct store_attribute *attribute = &columns->attributes[i];
		assert_string_equal(loading->overview->names[attribute->key], "seq");
		assert_int_equal(attribute->type, SPANRING_VALUE_U64);
		struct id_to_seq pair = {attribute->span_id, attribute->value};
		loading->attributes[loading->attribute_count++] = pair;
	}
}

static int take_batch(void *context, const struct store_columns *columns) {
	take_spans(context, columns);
	take_attributes(context, columns);
	return 0;
}

static int by_u64(uint64_t a, uint64_t b) {
	return a < b ? -1 : a > b;
}

static int by_id(const void *a, const void *b) {
	return by_u64(((const struct id_to_seq *)a)->span_id, ((const struct id_to_seq *)b)->span_id);
}

static int by_span_id(const void *a, const void *b) {
	return by_u64(((const struct stored_span *)a)->span_id, ((const struct stored_span *)b)->span_id);
}

/* Finished ones before those that are open. */
static int by_seq(const void *a, const void *b) {
	const struct stored_span *left = a;
	const struct stored_span *right = b;
	if (left->open != right->open)
		return left->open < right->open ? -1 : 1;
	return by_u64(left->seq, right->seq);
}

/* Both lists in order of span id: give each span its number, fail on a second one. */
static void join(struct loading *loading) {
	struct stored *stored = loading->stored;
	if (loading->attribute_count > 0)
		qsort(loading->attributes, loading->attribute_count, sizeof(loading->attributes[0]), by_id);
	qsort(stored->spans, stored->count, sizeof(stored->spans[0]), by_span_id);
	size_t at = 0;
	for (size_t i = 0; i < stored->count; i++) {
		if (i > 0 && stored->spans[i].span_id == stored->spans[i - 1].span_id)
			fail_msg("span %016llx is stored twice", (unsigned long long)stored->spans[i].span_id);
		while (at < loading->attribute_count && loading->attributes[at].span_id < stored->spans[i].span_id)
			at++;
		if (at == loading->attribute_count || loading->attributes[at].span_id != stored->spans[i].span_id)
			continue;
		stored->spans[i].seq = loading->attributes[at].seq;
		if (at + 1 < loading->attribute_count &&
		    loading->attributes[at + 1].span_id == stored->spans[i].span_id)
			fail_msg("an attribute of span %016llx is stored twice",
			         (unsigned long long)stored->spans[i].span_id);
	}
	qsort(stored->spans, stored->count, sizeof(stored->spans[0]), by_seq);
}

void stored_load(const char *store, struct stored *ret_stored) {
	char text[512] = "";
	struct store_reader *reader = NULL;
	struct loading loading = {.stored = ret_stored};
	memset(ret_stored, 0, sizeof(*ret_stored));
	if (store_reader_open(store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	loading.overview = store_reader_overview(reader);
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = &loading};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	size_t damage_count = 0;
	const struct store_damage *damage = store_reader_damage(reader, &damage_count);
	if (damage_count > 0)
		fail_msg("%s: %s", damage[0].file, damage[0].text);
	ret_stored->attribute_count = loading.attribute_count;
	size_t found = ret_stored->count;
	if (ret_stored->count > 0)
		join(&loading);
	while (ret_stored->count > 0 && ret_stored->spans[ret_stored->count - 1].open)
		ret_stored->count--;
	ret_stored->open_count = found - ret_stored->count;
	ret_stored->open = ret_stored->spans + ret_stored->count;
	free(loading.attributes);
	store_reader_close(reader);
}

void stored_free(struct stored *stored) {
	free(stored->spans);
	stored->spans = NULL;
	stored->count = 0;
}

static const struct stored_span *find(const struct stored *stored, uint64_t seq) {
	struct stored_span key = {.seq = seq};
	if (stored->count == 0)
		return NULL;
	return bsearch(&key, stored->spans, stored->count, sizeof(stored->spans[0]), by_seq);
}

uint64_t stored_end_order(uint64_t seq) {
	uint64_t n = seq & ((UINT64_C(1) << 48) - 1);
	uint64_t in_tree = n % STORED_SPANS_PER_TREE;
	uint64_t first = n - in_tree;
	return in_tree == 0 ? first + STORED_SPANS_PER_TREE - 1 : first + in_tree - 1;
}

static void check_parent(const struct stored *stored, const struct stored_span *span) {
	uint64_t in_tree = (span->seq & ((UINT64_C(1) << 48) - 1)) % STORED_SPANS_PER_TREE;
	assert_int_equal(span->outer, in_tree == 0);
	assert_int_equal(span->kind, in_tree == 0 ? SPANRING_KIND_SERVER : SPANRING_KIND_INTERNAL);
	if (in_tree == 0) {
		assert_true(span->parent_id == 0);
		return;
	}
	assert_true(span->parent_id != 0);
	const struct stored_span *parent = find(stored, span->seq - in_tree);
	if (!parent)
		return; /* ends after this one: was still open */
	assert_true(span->parent_id == parent->span_id);
	assert_true(span->trace_hi == parent->trace_hi && span->trace_lo == parent->trace_lo);
	assert_true(span->start_ns >= parent->start_ns);
}

void stored_check_tree(const struct stored *stored) {
	for (size_t i = 0; i < stored->count; i++) {
		assert_true(stored->spans[i].seq != UINT64_MAX);
		if (i > 0 && stored->spans[i].seq == stored->spans[i - 1].seq)
			fail_msg("span number %llx is stored twice", (unsigned long long)stored->spans[i].seq);
		check_parent(stored, &stored->spans[i]);
	}
}

uint64_t stored_count_of(const struct stored *stored, uint64_t process, uint64_t thread) {
	uint64_t count = 0;
	for (size_t i = 0; i < stored->count; i++)
		count += stored->spans[i].seq >> 48 == (process << 8 | thread);
	return count;
}
