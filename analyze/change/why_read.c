/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What why needs of a store, batch by batch: rows have the place of their parent in the batch, so a path is found by going up, once for each row. A
 * child whose parent is in another batch is not followed (2 to 3 of 100 are): its time stays in the own time of its parent, in both stores alike.
 */
#include "why.h"

#include "analyze/kernels/span_values.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "libstore/batch.h"

#include <spanring/record.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_OUTSIDE UINT32_MAX
#define NODE_UNKNOWN (UINT32_MAX - 1u)

struct reading {
	struct why *why;
	unsigned side;
	struct span_values *values;
	uint32_t slots[WHY_KEYS_MAX];
	uint64_t *key_counts; /* by name id, while keys are looked for */
	uint64_t *root_ns;    /* by name id, while the root is looked for */
	struct grid_weights durations;
	uint32_t places[BATCH_SPANS_MAX];
	uint64_t covered_ns[BATCH_SPANS_MAX];
	uint64_t ends_ns[BATCH_SPANS_MAX]; /* up to where children were seen */
};

static const struct query *query_of(const struct reading *reading) {
	return &reading->why->stores[reading->side].latency.query;
}

static uint32_t name_at(const struct reading *reading, const struct store_columns *columns, uint32_t row) {
	uint32_t name = query_name(columns, row);
	return name <= query_of(reading)->overview->name_count ? name : 0;
}

static bool is_asked_about(const struct reading *reading, const struct store_columns *columns, uint32_t row) {
	return reading->why->wanted[reading->side][name_at(reading, columns, row)] && !query_is_open(columns, row) &&
	       (double)columns->duration_ns[row] >= reading->why->threshold_ns[reading->side] &&
	       query_accepts(query_of(reading), columns, row);
}

static double weight_at(const struct store_columns *columns, uint32_t row) {
	return (double)query_weight(columns, row) / STORE_WEIGHT_ONE;
}

static int scan(struct reading *reading, uint32_t columns,
                int (*on_batch)(void *context, const struct store_columns *columns)) {
	struct query *query = &reading->why->stores[reading->side].latency.query;
	struct query_scan scan = {.columns = columns | STORE_COLUMN_SITE | STORE_COLUMN_DURATION |
	                                     query_open_column(query) |
	                                     (query_is_weighted(query) ? STORE_COLUMN_WEIGHT : 0),
	                          .on_batch = on_batch,
	                          .context = reading};
	return query_scan(query, &scan);
}

/* --- the root ---------------------------------------------------------------------------------------------------- */

static int add_roots(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	for (uint32_t row = 0; row < columns->span_count; row++)
		if (columns->parent_row[row] == STORE_PARENT_NONE && !query_is_open(columns, row) &&
		    query_accepts(query_of(reading), columns, row))
			reading->root_ns[name_at(reading, columns, row)] += columns->duration_ns[row];
	return 0;
}

/* By the time in both stores: the largest of what both have. */
static int find_root(struct why *why, struct reading *readings) {
	CLEANUP_FREE double *totals = calloc((size_t)why->text_count + 1, 2 * sizeof(*totals));
	int rc = totals ? 0 : -ENOMEM;
	for (unsigned side = 0; side < 2 && rc == 0; side++) {
		size_t names = (size_t)query_of(&readings[side])->overview->name_count + 1;
		CLEANUP_FREE uint64_t *root_ns = calloc(names, sizeof(*root_ns));
		readings[side].root_ns = root_ns;
		rc = root_ns ? scan(&readings[side], STORE_COLUMN_PARENT_ROW, add_roots) : -ENOMEM;
		for (uint32_t name = 0; name < names && rc == 0; name++)
			totals[2 * why->text_of[side][name] + side] += (double)root_ns[name];
		readings[side].root_ns = NULL;
	}
	double most = 0;
	for (uint32_t text = 0; text < why->text_count && rc == 0; text++) {
		const double *both = &totals[2 * (size_t)text];
		if (both[0] > 0 && both[1] > 0 && both[0] + both[1] > most) {
			most = both[0] + both[1];
			why->name = why->texts[text];
		}
	}
	for (unsigned side = 0; side < 2 && rc == 0 && why->name; side++)
		for (uint32_t name = 0; name <= query_of(&readings[side])->overview->name_count; name++)
			why->wanted[side][name] = why->texts[why->text_of[side][name]] == why->name;
	return rc;
}

/* --- the tail ---------------------------------------------------------------------------------------------------- */

static const struct grid tail_grid = {.bits = GRID_BITS_MAX, .ns_per_tick = 1};

static int add_duration(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	for (uint32_t row = 0; row < columns->span_count; row++)
		if (is_asked_about(reading, columns, row) &&
		    grid_add(&tail_grid, &reading->durations, grid_bin(&tail_grid, columns->duration_ns[row]),
		             weight_at(columns, row)) != 0)
			return -ENOMEM;
	return 0;
}

static int find_threshold(struct reading *reading) {
	int rc = scan(reading, 0, add_duration);
	grid_seal(&tail_grid, &reading->durations);
	reading->why->threshold_ns[reading->side] = grid_quantile(&tail_grid, &reading->durations, WHY_TAIL_SHARE);
	grid_clear(&reading->durations);
	return rc;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static int count_keys(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	uint32_t names = query_of(reading)->overview->name_count;
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		const struct store_attribute *attribute = &columns->attributes[i];
		uint32_t row = columns->attribute_row[i];
		if (attribute->event_index == 0 && attribute->key <= names && row < columns->span_count &&
		    reading->why->wanted[reading->side][name_at(reading, columns, row)])
			reading->key_counts[attribute->key]++;
	}
	return 0;
}

/* The keys that most spans have, of either store. */
static int find_keys(struct why *why, struct reading *readings) {
	CLEANUP_FREE uint64_t *counts = calloc((size_t)why->text_count + 1, sizeof(*counts));
	int rc = counts ? 0 : -ENOMEM;
	for (unsigned side = 0; side < 2 && rc == 0; side++) {
		size_t names = (size_t)query_of(&readings[side])->overview->name_count + 1;
		CLEANUP_FREE uint64_t *key_counts = calloc(names, sizeof(*key_counts));
		readings[side].key_counts = key_counts;
		rc = key_counts ? scan(&readings[side], STORE_COLUMN_ATTRIBUTES, count_keys) : -ENOMEM;
		for (uint32_t name = 0; name < names && rc == 0; name++)
			counts[why->text_of[side][name]] += key_counts[name];
		readings[side].key_counts = NULL;
	}
	while (rc == 0 && why->key_count < WHY_KEYS_MAX) {
		uint32_t most = 0;
		for (uint32_t text = 0; text < why->text_count; text++)
			if (counts[text] > counts[most])
				most = text;
		if (why->text_count == 0 || counts[most] == 0)
			break;
		counts[most] = 0;
		why->keys[why->key_count++] = why->texts[most];
	}
	return rc;
}

static int observe(void *context, const struct store_columns *columns) {
	return span_values_observe(((struct reading *)context)->values, columns);
}

static int want_keys(struct reading *reading) {
	const struct why *why = reading->why;
	const struct store_overview *overview = query_of(reading)->overview;
	int rc = span_values_new(&reading->values);
	for (uint32_t key = 0; key < why->key_count && rc == 0; key++) {
		uint32_t id = 0;
		for (uint32_t name = 1; name <= overview->name_count && id == 0; name++)
			if (why->texts[why->text_of[reading->side][name]] == why->keys[key])
				id = name;
		rc = span_values_want(reading->values, id, &reading->slots[key]);
	}
	uint32_t columns = rc == 0 ? span_values_columns(reading->values) : 0;
	return rc == 0 && columns ? scan(reading, columns, observe) : rc;
}

static void value_text(const struct span_value *value, char ret_text[WHY_VALUE_TEXT_BYTES]) {
	double real;
	switch (value->type) {
	case SPANRING_VALUE_BOOL:
		(void)snprintf(ret_text, WHY_VALUE_TEXT_BYTES, "%s", value->value ? "true" : "false");
		return;
	case SPANRING_VALUE_I64:
		(void)snprintf(ret_text, WHY_VALUE_TEXT_BYTES, "%lld", (long long)value->value);
		return;
	case SPANRING_VALUE_U64:
		(void)snprintf(ret_text, WHY_VALUE_TEXT_BYTES, "%llu", (unsigned long long)value->value);
		return;
	case SPANRING_VALUE_F64:
		memcpy(&real, &value->value, sizeof(real));
		(void)snprintf(ret_text, WHY_VALUE_TEXT_BYTES, "%.6g", real);
		return;
	default:
		(void)snprintf(
		    ret_text, WHY_VALUE_TEXT_BYTES, "%.*s",
		    (int)(value->text_bytes < WHY_VALUE_TEXT_BYTES ? value->text_bytes : WHY_VALUE_TEXT_BYTES - 1),
		    value->text);
	}
}

static uint32_t hash_of(uint32_t key, const char *text) {
	uint32_t hash = (key + 1) * UINT32_C(2654435769);
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT32_C(16777619);
	return hash;
}

/* NULL: there is no room for one more. */
static struct why_value *value_of(struct why *why, uint32_t key, const char *text) {
	uint32_t mask = 4 * WHY_VALUES_MAX - 1;
	uint32_t at = hash_of(key, text) & mask;
	for (; why->value_slots[at]; at = (at + 1) & mask) {
		struct why_value *value = &why->values[why->value_slots[at] - 1];
		if (value->key == key && strcmp(value->text, text) == 0)
			return value;
	}
	if (why->value_count == WHY_VALUES_MAX) {
		why->is_full = true;
		return NULL;
	}
	struct why_value *value = &why->values[why->value_count];
	value->key = key;
	(void)snprintf(value->text, sizeof(value->text), "%s", text);
	why->value_slots[at] = ++why->value_count;
	return value;
}

/* --- paths ------------------------------------------------------------------------------------------------------- */

/* The node below another; NODE_OUTSIDE: there is no room for one more, and the own time of what is there is in the rest. */
static uint32_t node_below(struct why *why, uint32_t parent, uint32_t text) {
	uint32_t mask = 4 * WHY_NODES_MAX - 1;
	uint32_t at = (parent * UINT32_C(2654435769) ^ (text + 1) * UINT32_C(2246822519)) & mask;
	for (; why->node_slots[at]; at = (at + 1) & mask) {
		const struct why_node *node = &why->nodes[why->node_slots[at]];
		if (node->parent == parent && node->text == text)
			return why->node_slots[at];
	}
	if (why->node_count == WHY_NODES_MAX) {
		why->is_full = true;
		return NODE_OUTSIDE;
	}
	uint32_t made = why->node_count++;
	why->nodes[made].parent = parent;
	why->nodes[made].text = text;
	why->node_slots[at] = made;
	return made;
}

static uint32_t place_below(struct reading *reading, const struct store_columns *columns, uint32_t row,
                            uint32_t above) {
	struct why *why = reading->why;
	if (above == NODE_OUTSIDE)
		return is_asked_about(reading, columns, row) ? 0 : NODE_OUTSIDE;
	return node_below(why, above, why->text_of[reading->side][name_at(reading, columns, row)]);
}

/* Up to a row whose place is known, then down again. Where the way is too long, or goes in a circle, it begins there. */
static void find_place(struct reading *reading, const struct store_columns *columns, uint32_t row) {
	uint32_t chain[WHY_DEPTH_MAX];
	uint32_t depth = 0;
	uint32_t above = NODE_OUTSIDE;
	for (uint32_t at = row; at < columns->span_count && depth < WHY_DEPTH_MAX; at = columns->parent_row[at]) {
		if (reading->places[at] != NODE_UNKNOWN) {
			above = reading->places[at];
			break;
		}
		chain[depth++] = at;
	}
	while (depth > 0) {
		uint32_t at = chain[--depth];
		if (reading->places[at] == NODE_UNKNOWN)
			reading->places[at] = place_below(reading, columns, at, above);
		above = reading->places[at];
	}
}

static void add_values(struct reading *reading, const struct store_columns *columns, uint32_t row, uint32_t slice,
                       double weight) {
	struct why *why = reading->why;
	for (uint32_t key = 0; key < why->key_count; key++) {
		struct span_value found = span_values_get(reading->values, columns, reading->slots[key], row);
		char text[WHY_VALUE_TEXT_BYTES];
		if (found.type == 0)
			continue;
		value_text(&found, text);
		struct why_value *value = value_of(why, key, text);
		if (!value)
			continue;
		value->weight[reading->side][slice] += weight;
		value->total_ns[reading->side][slice] += weight * (double)columns->duration_ns[row];
	}
}

static int add_batch(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	struct why *why = reading->why;
	const struct change_store *store = &why->stores[reading->side];
	int rc = why->key_count > 0 ? span_values_place(reading->values, columns) : 0;
	if (rc != 0)
		return rc;
	for (uint32_t row = 0; row < columns->span_count; row++)
		reading->places[row] = NODE_UNKNOWN;
	change_cover(columns, reading->covered_ns, reading->ends_ns);
	for (uint32_t row = 0; row < columns->span_count; row++) {
		double weight = weight_at(columns, row);
		find_place(reading, columns, row);
		uint32_t place = reading->places[row];
		if (place == NODE_OUTSIDE || query_is_open(columns, row))
			continue;
		uint32_t slice = change_slice_at(store, columns->start_ns[row] + columns->segment->wall_offset_ns);
		why->nodes[place].self_ns[reading->side][slice] +=
		    weight * (double)(columns->duration_ns[row] - reading->covered_ns[row]);
		why->nodes[place].count[reading->side] += weight;
		if (place != 0)
			continue;
		why->weight[reading->side][slice] += weight;
		why->total_ns[reading->side][slice] += weight * (double)columns->duration_ns[row];
		add_values(reading, columns, row, slice, weight);
	}
	return 0;
}

static int read_side(struct reading *reading) {
	struct why *why = reading->why;
	int rc = want_keys(reading);
	uint32_t columns = STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START;
	if (rc == 0 && why->key_count > 0)
		columns |= span_values_columns(reading->values);
	if (rc == 0)
		rc = scan(reading, columns, add_batch);
	span_values_free(reading->values);
	reading->values = NULL;
	return rc;
}

static void find_range(struct change_store *store) {
	const struct store_overview *overview = store->latency.query.overview;
	store->start_wall_ns = UINT64_MAX;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		if (segment->spans == 0)
			continue;
		uint64_t start_ns = segment->start_ns_min + segment->wall_offset_ns;
		uint64_t end_ns = segment->end_ns_max + segment->wall_offset_ns;
		store->start_wall_ns = start_ns < store->start_wall_ns ? start_ns : store->start_wall_ns;
		store->end_wall_ns = end_ns > store->end_wall_ns ? end_ns : store->end_wall_ns;
	}
	/* a question about a part of the time has its slices there */
	const struct query *query = &store->latency.query;
	if (query->since_wall_ns > store->start_wall_ns)
		store->start_wall_ns = query->since_wall_ns;
	if (query->until_wall_ns < store->end_wall_ns)
		store->end_wall_ns = query->until_wall_ns;
}

int why_read(struct why *why) {
	CLEANUP_FREE struct reading *readings = calloc(2, sizeof(*readings));
	int rc = readings ? 0 : -ENOMEM;
	for (unsigned side = 0; side < 2 && rc == 0; side++) {
		readings[side].why = why;
		readings[side].side = side;
		find_range(&why->stores[side]);
	}
	if (rc == 0 && !why->name)
		rc = find_root(why, readings);
	if (rc != 0 || !why->name)
		return rc;
	if (why->is_tail)
		for (unsigned side = 0; side < 2 && rc == 0; side++)
			rc = find_threshold(&readings[side]);
	if (rc == 0)
		rc = find_keys(why, readings);
	for (unsigned side = 0; side < 2 && rc == 0; side++)
		rc = read_side(&readings[side]);
	return rc;
}
