/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of calls for the tests of the commands that add up call paths: the test says which spans there are and in which batch each is stored, and
 * computes from the same spans what the commands must say.
 */
#ifndef SPANRING_TESTS_CALL_STORE_H
#define SPANRING_TESTS_CALL_STORE_H

#include "support/seed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_NAMES 6u
#define CALL_BATCHES 40u
#define CALL_WALL_OFFSET_NS (UINT64_C(1795200000) * 1000000000u)

/* The last one is hostile. As stored; in JSON; in CSV. */
extern const char *const call_names[CALL_NAMES];
extern const char *const call_names_json[CALL_NAMES];
extern const char *const call_names_csv[CALL_NAMES];

struct call_span {
	uint64_t trace;
	uint64_t start_ns;
	uint64_t duration_ns;
	int32_t parent; /* index; -1: a root; -2: not stored */
	uint32_t name;
	uint32_t batch;
	uint32_t heap_units;
	uint32_t weight; /* for how many it stands, in units of 1/STORE_WEIGHT_ONE; 0: one */
	bool error;
	bool open; /* never ended */
};

/* Spans in random traces and batches. Parents have smaller indices. */
void call_forest_make(struct seed *seed, struct call_span *ret_spans, size_t count);

/* Two segments: batches of even numbers are in the first, of odd ones in the second. Fails the test if it cannot be made. */
void call_store_make(const char *directory, const struct call_span *spans, size_t count);

/* The time in which none of its children ran, tried ns by ns of their ends. */
uint64_t call_self_ns(const struct call_span *spans, size_t count, size_t span);
/* Has a span above it the same name? */
bool call_is_nested(const struct call_span *spans, size_t span);

#endif
