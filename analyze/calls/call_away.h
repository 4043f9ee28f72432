/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parents that are in another batch than a child of theirs, and the call paths that lead to them.
 *
 * One pass over the store says which spans are wanted (call_away_want), the next finds them (call_away_settle): each either with its whole path, or, when
 * its own path leads to a parent in yet another batch, with the part of it that its batch knows and that parent, its anchor. call_away_resolve puts the
 * parts together; no more passes are needed however often a path crosses batches. What no batch has is CALL_ABSENT.
 *
 * MEMORY is bounded. When CALL_AWAY_MAX spans are wanted, traces of the upper half of the hashes are given up and get a round of their own later. Only what
 * one trace wants must fit: what goes over is not found, and counts as CALL_OTHER.
 */
#ifndef SPANRING_ANALYZE_CALL_AWAY_H
#define SPANRING_ANALYZE_CALL_AWAY_H

#include "call_tree.h"

#include <stdbool.h>
#include <stdint.h>

#define CALL_AWAY_MAX (1u << 20)
#define CALL_AWAY_NONE UINT32_MAX

struct call_away_span {
	uint64_t trace_lo;
	uint64_t span_id;
	uint32_t anchor; /* another one, or CALL_AWAY_NONE */
	uint32_t node;   /* CALL_AWAY_NONE: not found; below an anchor: of the tree of parts; resolved: of the whole */
	uint64_t above;  /* after call_away_gather_keys: bits of the keys of its path */
};

struct call_away {
	uint64_t seed; /* of the hashes: ids may come from strangers */
	uint64_t low;  /* hashes of the traces of this round: low to high */
	uint64_t high;
	uint32_t max; /* CALL_AWAY_MAX */
	struct call_away_span *spans;
	uint32_t count;
	uint32_t room;
	uint32_t *slots; /* span + 1 */
	uint32_t slot_count;
	uint64_t *filter;      /* of traces */
	uint64_t *span_filter; /* of trace and span */
};

/* 0 or -ENOMEM. `max`: CALL_AWAY_MAX, or less for a test. */
int call_away_new(struct call_away *away, uint32_t max);
void call_away_free(struct call_away *away);

bool call_away_in_round(const struct call_away *away, uint64_t trace_lo);
/* 0 or -ENOMEM. */
int call_away_want(struct call_away *away, uint64_t trace_lo, uint64_t span_id);

/* May spans of this trace be wanted? */
bool call_away_may_have(const struct call_away *away, uint64_t trace_lo);
/* CALL_AWAY_NONE: it is not wanted. */
uint32_t call_away_find(const struct call_away *away, uint64_t trace_lo, uint64_t span_id);
/* Of two spans with one id the first counts. */
void call_away_settle(struct call_away *away, uint32_t index, uint32_t anchor, uint32_t node);

/* Then node is one of `tree` for all of them. 0 or -ENOMEM. */
int call_away_resolve(struct call_away *away, struct call_tree *tree, const struct call_tree *parts);

/*
 * In place of call_away_resolve where only the keys on a stack are of interest: all nodes are of `parts` and stay so, and the bits of the keys
 * (call_tree_key_bit) are gathered over all anchors. 0 or -ENOMEM.
 */
int call_away_gather_keys(struct call_away *away, const struct call_tree *parts);
enum call_has { CALL_HAS_NOT, CALL_HAS, CALL_HAS_UNKNOWN };
/* Has the path of a wanted span, over all anchors, this key? */
enum call_has call_away_has_key(const struct call_away *away, const struct call_tree *parts, uint32_t index,
                                uint32_t key);

/* The next round, with none wanted; false: there is none. */
bool call_away_next_round(struct call_away *away);

#endif
