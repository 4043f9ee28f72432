/* SPDX-License-Identifier: Apache-2.0 */
#include "span_values.h"

#include "libstore/batch.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <stdlib.h>
#include <string.h>

#define SLOT_EVENT UINT32_MAX
#define IS_STRAY (UINT32_C(1) << 31) /* in placed: the rest is a number of a stray, else of an attribute, both + 1 */
#define TABLE_FIRST 1024u

struct stray {
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t value; /* string: offset in texts */
	uint32_t text_bytes;
	uint32_t slot;
	uint32_t name; /* of an event */
	uint8_t type;
};

struct span_values {
	const struct span_values *strays_of; /* itself, or the one that it shares those with */
	uint32_t keys[SPAN_VALUES_KEYS_MAX];
	uint32_t *placed[SPAN_VALUES_KEYS_MAX]; /* by row of the batch */
	uint32_t key_count;
	bool wants_events;
	struct stray *strays;
	uint32_t stray_count;
	uint32_t stray_room;
	uint32_t *table; /* of strays, number + 1, by trace and span; those of one span follow each other on the way */
	uint32_t table_mask;
	char *texts;
	uint32_t text_bytes;
	uint32_t text_room;
	struct span_event *events;
	uint32_t event_count;
	uint32_t event_room;
};

int span_values_new(struct span_values **ret_values) {
	struct span_values *values = calloc(1, sizeof(*values));
	if (!values)
		return -ENOMEM;
	values->strays_of = values;
	*ret_values = values;
	return 0;
}

int span_values_share(const struct span_values *values, struct span_values **ret_values) {
	struct span_values *shared = NULL;
	int error = span_values_new(&shared);
	if (error)
		return error;
	shared->strays_of = values;
	shared->wants_events = values->wants_events;
	for (uint32_t i = 0; i < values->key_count && !error; i++) {
		shared->placed[i] = calloc(BATCH_SPANS_MAX, sizeof(*shared->placed[i]));
		shared->keys[i] = values->keys[i];
		shared->key_count += shared->placed[i] != NULL;
		error = shared->placed[i] ? 0 : -ENOMEM;
	}
	if (error) {
		span_values_free(shared);
		return error;
	}
	*ret_values = shared;
	return 0;
}

void span_values_free(struct span_values *values) {
	if (!values)
		return;
	for (uint32_t i = 0; i < values->key_count; i++)
		free(values->placed[i]);
	free(values->strays);
	free(values->table);
	free(values->texts);
	free(values->events);
	free(values);
}

int span_values_want(struct span_values *values, uint32_t key, uint32_t *ret_slot) {
	for (uint32_t i = 0; i < values->key_count; i++) {
		if (values->keys[i] != key)
			continue;
		*ret_slot = i;
		return 0;
	}
	if (values->key_count == SPAN_VALUES_KEYS_MAX)
		return ERR_LIMIT;
	uint32_t *placed = calloc(BATCH_SPANS_MAX, sizeof(*placed));
	if (!placed)
		return -ENOMEM;
	*ret_slot = values->key_count;
	values->keys[values->key_count] = key;
	values->placed[values->key_count++] = placed;
	return 0;
}

int span_values_want_events(struct span_values *values) {
	values->wants_events = true;
	return 0;
}

uint32_t span_values_columns(const struct span_values *values) {
	uint32_t columns = values->key_count ? STORE_COLUMN_ATTRIBUTES : 0;
	if (values->wants_events)
		columns |= STORE_COLUMN_EVENTS;
	return columns ? columns | STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID : 0;
}

static uint32_t slot_of(const struct span_values *values, uint32_t key) {
	for (uint32_t i = 0; i < values->key_count; i++)
		if (key != 0 && values->keys[i] == key)
			return i;
	return SLOT_EVENT;
}

/* --- strays ------------------------------------------------------------------------------------------------------ */

static uint32_t hash_of(uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = (trace_lo ^ span_id * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(hash >> 32);
}

static bool is_of(const struct stray *stray, uint64_t trace_lo, uint64_t span_id) {
	return stray->trace_lo == trace_lo && stray->span_id == span_id;
}

static void enter(struct span_values *values, uint32_t number) {
	const struct stray *stray = &values->strays[number];
	uint32_t at = hash_of(stray->trace_lo, stray->span_id) & values->table_mask;
	while (values->table[at])
		at = (at + 1) & values->table_mask;
	values->table[at] = number + 1;
}

/* Room for one more in the table, which is never more than half full. */
static int grow_table(struct span_values *values) {
	uint32_t size = values->table ? values->table_mask + 1 : 0;
	if (2 * (values->stray_count + 1) <= size)
		return 0;
	uint32_t grown = size ? 2 * size : TABLE_FIRST;
	uint32_t *table = calloc(grown, sizeof(*table));
	if (!table)
		return -ENOMEM;
	free(values->table);
	values->table = table;
	values->table_mask = grown - 1;
	for (uint32_t i = 0; i < values->stray_count; i++)
		enter(values, i);
	return 0;
}

static int grow_strays(struct span_values *values) {
	if (values->stray_count == SPAN_VALUES_STRAYS_MAX)
		return ERR_LIMIT;
	if (values->stray_count == values->stray_room) {
		uint32_t room = values->stray_room ? 2 * values->stray_room : 256;
		struct stray *strays = reallocarray(values->strays, room, sizeof(*strays));
		if (!strays)
			return -ENOMEM;
		values->strays = strays;
		values->stray_room = room;
	}
	return grow_table(values);
}

static int keep_text(struct span_values *values, const char *text, uint32_t bytes, uint64_t *ret_offset) {
	if (bytes > SPAN_VALUES_TEXT_BYTES_MAX - values->text_bytes)
		return ERR_LIMIT;
	if (bytes > values->text_room - values->text_bytes) {
		uint32_t room = values->text_room ? values->text_room : 4096;
		while (room - values->text_bytes < bytes)
			room *= 2;
		char *texts = realloc(values->texts, room);
		if (!texts)
			return -ENOMEM;
		values->texts = texts;
		values->text_room = room;
	}
	if (bytes)
		memcpy(values->texts + values->text_bytes, text, bytes);
	*ret_offset = values->text_bytes;
	values->text_bytes += bytes;
	return 0;
}

/* The stray that this one replaces or repeats, or a new one. */
static int find_or_add(struct span_values *values, const struct stray *wanted, struct stray **ret_stray) {
	int error = grow_strays(values);
	if (error == -ENOMEM || !values->table)
		return error;
	uint32_t at = hash_of(wanted->trace_lo, wanted->span_id) & values->table_mask;
	for (; values->table[at]; at = (at + 1) & values->table_mask) {
		struct stray *stray = &values->strays[values->table[at] - 1];
		if (is_of(stray, wanted->trace_lo, wanted->span_id) && stray->slot == wanted->slot &&
		    stray->name == wanted->name) {
			*ret_stray = stray;
			return 0;
		}
	}
	if (error)
		return error;
	values->strays[values->stray_count] = *wanted;
	values->table[at] = values->stray_count + 1;
	*ret_stray = &values->strays[values->stray_count++];
	return 0;
}

static int observe_attribute(struct span_values *values, const struct store_columns *columns,
                             const struct store_attribute *attribute) {
	uint32_t slot = slot_of(values, attribute->key);
	if (slot == SLOT_EVENT || attribute->event_index != 0)
		return 0;
	struct stray wanted = {.trace_lo = attribute->trace_lo, .span_id = attribute->span_id, .slot = slot};
	struct stray *stray = NULL;
	int error = find_or_add(values, &wanted, &stray);
	if (error)
		return error;
	stray->type = attribute->type;
	stray->value = attribute->value;
	stray->text_bytes = 0;
	if (attribute->type != SPANRING_VALUE_STRING)
		return 0;
	stray->text_bytes = attribute->text_bytes;
	return keep_text(values, columns->text + attribute->value, attribute->text_bytes, &stray->value);
}

int span_values_observe(struct span_values *values, const struct store_columns *columns) {
	int error = 0;
	for (uint32_t i = 0; i < columns->attribute_count && values->key_count && !error; i++)
		if (columns->attribute_row[i] == columns->span_count)
			error = observe_attribute(values, columns, &columns->attributes[i]);
	for (uint32_t i = 0; i < columns->event_count && values->wants_events && !error; i++) {
		const struct store_event *event = &columns->events[i];
		struct stray wanted = {
		    .trace_lo = event->trace_lo, .span_id = event->span_id, .slot = SLOT_EVENT, .name = event->name};
		struct stray *stray = NULL;
		if (columns->event_row[i] == columns->span_count)
			error = find_or_add(values, &wanted, &stray);
	}
	return error;
}

/* --- a batch ----------------------------------------------------------------------------------------------------- */

static int add_event(struct span_values *values, uint32_t row, uint32_t name) {
	if (values->event_count == values->event_room) {
		uint32_t room = values->event_room ? 2 * values->event_room : 256;
		struct span_event *events = reallocarray(values->events, room, sizeof(*events));
		if (!events)
			return -ENOMEM;
		values->events = events;
		values->event_room = room;
	}
	values->events[values->event_count++] = (struct span_event){row, name};
	return 0;
}

static int place_strays(struct span_values *values, const struct store_columns *columns, uint32_t row) {
	const struct span_values *from = values->strays_of;
	uint64_t trace_lo = columns->trace_lo[row];
	uint64_t span_id = columns->span_id[row];
	uint32_t at = hash_of(trace_lo, span_id) & from->table_mask;
	for (; from->table[at]; at = (at + 1) & from->table_mask) {
		uint32_t number = from->table[at];
		const struct stray *stray = &from->strays[number - 1];
		if (!is_of(stray, trace_lo, span_id))
			continue;
		if (stray->slot != SLOT_EVENT)
			values->placed[stray->slot][row] = IS_STRAY | number;
		else if (add_event(values, row, stray->name) != 0)
			return -ENOMEM;
	}
	return 0;
}

int span_values_place(struct span_values *values, const struct store_columns *columns) {
	int error = 0;
	values->event_count = 0;
	for (uint32_t i = 0; i < values->key_count; i++)
		memset(values->placed[i], 0, columns->span_count * sizeof(*values->placed[i]));
	for (uint32_t row = 0; row < columns->span_count && values->strays_of->stray_count && !error; row++)
		error = place_strays(values, columns, row);
	for (uint32_t i = 0; i < columns->attribute_count && values->key_count; i++) {
		uint32_t slot = slot_of(values, columns->attributes[i].key);
		if (slot != SLOT_EVENT && columns->attributes[i].event_index == 0 &&
		    columns->attribute_row[i] < columns->span_count)
			values->placed[slot][columns->attribute_row[i]] = i + 1;
	}
	for (uint32_t i = 0; i < columns->event_count && values->wants_events && !error; i++)
		if (columns->event_row[i] < columns->span_count)
			error = add_event(values, columns->event_row[i], columns->events[i].name);
	return error;
}

struct span_value span_values_get(const struct span_values *values, const struct store_columns *columns, uint32_t slot,
                                  uint32_t row) {
	struct span_value value = {.type = 0};
	uint32_t number = values->placed[slot][row];
	if (number == 0)
		return value;
	if (number & IS_STRAY) {
		const struct span_values *from = values->strays_of;
		const struct stray *stray = &from->strays[(number & ~IS_STRAY) - 1];
		value.type = stray->type;
		value.value = stray->value;
		value.text = stray->type == SPANRING_VALUE_STRING ? from->texts + stray->value : NULL;
		value.text_bytes = stray->text_bytes;
		return value;
	}
	const struct store_attribute *attribute = &columns->attributes[number - 1];
	value.type = attribute->type;
	value.value = attribute->value;
	value.text = attribute->type == SPANRING_VALUE_STRING ? columns->text + attribute->value : NULL;
	value.text_bytes = attribute->type == SPANRING_VALUE_STRING ? attribute->text_bytes : 0;
	return value;
}

const struct span_event *span_values_events(const struct span_values *values, uint32_t *ret_count) {
	*ret_count = values->event_count;
	return values->events;
}
