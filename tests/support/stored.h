/* SPDX-License-Identifier: Apache-2.0 */
/* What a store holds of the spans of tests/integration/producer.c, read back through libstore and checked span by span. */
#ifndef SPANRING_TESTS_SUPPORT_STORED_H
#define SPANRING_TESTS_SUPPORT_STORED_H

#include <stddef.h>
#include <stdint.h>

#define STORED_SPANS_PER_TREE 5u

struct stored_span {
	uint64_t seq; /* UINT64_MAX: its attribute is not stored */
	uint64_t span_id;
	uint64_t parent_id;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t start_ns;
	uint64_t duration_ns;
	uint32_t outer; /* 1: named "outer", 0: named "inner" */
	uint32_t kind;
	uint32_t open; /* never ended: stored when its process died */
};

struct stored {
	struct stored_span *spans; /* in order of seq */
	size_t count;
	struct stored_span *open; /* never ended, in order of seq; part of the same array */
	size_t open_count;
	size_t attribute_count;
};

/* Fails the test if the store cannot be read whole. */
void stored_load(const char *store, struct stored *ret_stored);
void stored_free(struct stored *stored);

/*
 * Checks that no seq is there twice, and that each span has the right name, kind, parent and trace for its seq. A parent that is not stored
 * (its thread was killed before it ended) is allowed if it would have ended after the child.
 */
void stored_check_tree(const struct stored *stored);

/* How many spans of this process and thread are stored. */
uint64_t stored_count_of(const struct stored *stored, uint64_t process, uint64_t thread);

/* Position, from 0, of a seq in the order in which the spans of its thread end. */
uint64_t stored_end_order(uint64_t seq);

#endif
