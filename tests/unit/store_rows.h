/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a store as a test sees them: random batches of many shapes, and sets of rows to compare whatever their
 * order.
 */
#ifndef SPANRING_TESTS_UNIT_STORE_ROWS_H
#define SPANRING_TESTS_UNIT_STORE_ROWS_H

#include "support/seed.h"

#include "libstore/batch.h"
#include "libstore/reader.h"

#include <stdbool.h>
#include <stddef.h>

/* Rows copied out of batches or scans; attributes carry their text as offset into `text`. */
struct store_rows {
	struct store_span *spans;
	struct store_attribute *attributes;
	struct store_event *events;
	struct store_link *links;
	char *text;
	size_t span_count;
	size_t attribute_count;
	size_t event_count;
	size_t link_count;
	size_t text_bytes;
};

void store_rows_free(struct store_rows *rows);
void store_rows_add_batch(struct store_rows *rows, const struct batch *batch);
/* All columns must have been asked for. */
void store_rows_add_columns(struct store_rows *rows, const struct store_columns *columns);
/* on_batch of a scan; context is a struct store_rows. */
int store_rows_collect(void *context, const struct store_columns *columns);
/* The same rows as often, in any order. Sorts both. */
bool store_rows_equal(struct store_rows *a, struct store_rows *b);
/* What a store (directory or file) holds, all of it; -1 if it does not open, else the number of damages. */
int store_rows_read(const char *path, struct store_rows *ret_rows);

enum store_shape {
	STORE_SHAPE_TREES,   /* traces of some spans, some threads, attributes and events */
	STORE_SHAPE_RANDOM,  /* every field random over its range */
	STORE_SHAPE_EQUAL,   /* all rows the same */
	STORE_SHAPE_EXTREME, /* fields 0 or the largest value */
	STORE_SHAPE_FEW,     /* fields from a few values: ties, duplicate ids, parents that are later rows */
	STORE_SHAPE_ALONE,   /* attributes and events whose spans are elsewhere */
	STORE_SHAPES
};

/* Clears and fills. Ids of sites and threads stay within ids_max, of strings (keys, names) too; 0: any. */
void store_rows_fill(struct batch *batch, struct seed *seed, enum store_shape shape, uint32_t spans, uint32_t ids_max);

#endif
