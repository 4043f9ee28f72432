/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attributes and event names of spans, row by row of a batch.
 *
 * A program sets an attribute or adds an event while the span is open, and the agent stores what it finds: the row may lie batches before that of its
 * span. So the store is read once beforehand, these columns alone, and what lies apart from its span (the strays) is kept by span id,
 * in bounded memory: only keys that were asked for, at most SPAN_VALUES_STRAYS_MAX values.
 *
 *     span_values_want(...) for each key, span_values_want_events(...)
 *     span_values_observe(...) for each batch
 *     span_values_place(...), then span_values_get(...) for rows of that batch
 *
 * Of a key set twice the last value counts.
 */
#ifndef SPANRING_ANALYZE_SPAN_VALUES_H
#define SPANRING_ANALYZE_SPAN_VALUES_H

#include "libstore/reader.h"

#include <stdbool.h>
#include <stdint.h>

#define SPAN_VALUES_KEYS_MAX 16u
#define SPAN_VALUES_STRAYS_MAX (1u << 20)
#define SPAN_VALUES_TEXT_BYTES_MAX (32u << 20)

struct span_value {
	uint8_t type; /* SPANRING_VALUE_*; 0: the span has no such attribute */
	uint64_t value;
	const char *text; /* of strings; any bytes */
	uint32_t text_bytes;
};

/* An event of a row of the batch that was placed; those of one row need not stand together. */
struct span_event {
	uint32_t row;
	uint32_t name; /* id of overview.names */
};

struct span_values;

int span_values_new(struct span_values **ret_values);
/* For another thread: the same keys, and what was observed, which must not change any more; a batch of its own. Outlived by `values`. */
int span_values_share(const struct span_values *values, struct span_values **ret_values);
void span_values_free(struct span_values *values);

/* The slot of a key, the same for the same key; key: id of overview.names, 0: no span has it. -ENOMEM, or ERR_LIMIT: too many keys. */
int span_values_want(struct span_values *values, uint32_t key, uint32_t *ret_slot);
int span_values_want_events(struct span_values *values);

/* Columns that observe and place need; 0: nothing was asked for. */
uint32_t span_values_columns(const struct span_values *values);

/* 0, -ENOMEM, or ERR_LIMIT: more strays than there is room for. */
int span_values_observe(struct span_values *values, const struct store_columns *columns);
/* 0 or -ENOMEM. */
int span_values_place(struct span_values *values, const struct store_columns *columns);

/* Of the batch that was placed last. */
struct span_value span_values_get(const struct span_values *values, const struct store_columns *columns, uint32_t slot,
                                  uint32_t row);
const struct span_event *span_values_events(const struct span_values *values, uint32_t *ret_count);

#endif
