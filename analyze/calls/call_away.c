/* SPDX-License-Identifier: Apache-2.0 */
#include "call_away.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

#define ROOM_FIRST 1024u
#define FILTER_BITS (1u << 23)
#define SPAN_FILTER_BITS (1u << 24)
#define ANCHOR_BUSY (UINT32_MAX - 1u)
_Static_assert(SPAN_FILTER_BITS == 1u << 24, "as many as the upper bits of a hash that are used");
#define ANCHORS_MAX 1024u /* of one path */

int call_away_new(struct call_away *away, uint32_t max) {
	*away = (struct call_away){.high = UINT64_MAX, .max = max};
	if (getrandom(&away->seed, sizeof(away->seed), 0) != (ssize_t)sizeof(away->seed))
		away->seed = (uint64_t)(uintptr_t)away;
	away->room = max < ROOM_FIRST ? max : ROOM_FIRST;
	away->slot_count = ROOM_FIRST * 2;
	away->spans = malloc(away->room * sizeof(*away->spans));
	away->slots = calloc(away->slot_count, sizeof(*away->slots));
	away->filter = calloc(FILTER_BITS / 64, sizeof(*away->filter));
	away->span_filter = calloc(SPAN_FILTER_BITS / 64, sizeof(*away->span_filter));
	if (away->spans && away->slots && away->filter && away->span_filter)
		return 0;
	call_away_free(away);
	return -ENOMEM;
}

void call_away_free(struct call_away *away) {
	free(away->spans);
	free(away->slots);
	free(away->filter);
	free(away->span_filter);
	memset(away, 0, sizeof(*away));
}

static uint64_t mix(uint64_t value) {
	value = (value ^ (value >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	value = (value ^ (value >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return value ^ (value >> 32);
}

static uint64_t hash_of_trace(const struct call_away *away, uint64_t trace_lo) {
	return mix(trace_lo + away->seed);
}

static uint64_t hash_of_span(const struct call_away *away, uint64_t trace_lo, uint64_t span_id) {
	return mix(hash_of_trace(away, trace_lo) ^ (span_id * UINT64_C(0x9e3779b97f4a7c15)));
}

static void put_slot(struct call_away *away, uint32_t index) {
	uint64_t hash = hash_of_span(away, away->spans[index].trace_lo, away->spans[index].span_id);
	uint32_t at = (uint32_t)hash & (away->slot_count - 1);
	uint64_t bit = hash >> 40;
	while (away->slots[at])
		at = (at + 1) & (away->slot_count - 1);
	away->slots[at] = index + 1;
	away->span_filter[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void put_all_slots(struct call_away *away) {
	memset(away->slots, 0, away->slot_count * sizeof(*away->slots));
	for (uint32_t index = 0; index < away->count; index++)
		put_slot(away, index);
}

static int grow(struct call_away *away) {
	uint32_t room = away->room * 2 < away->max ? away->room * 2 : away->max;
	struct call_away_span *spans = reallocarray(away->spans, room, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	away->spans = spans;
	if (room * 2 > away->slot_count) {
		uint32_t *slots = calloc((size_t)away->slot_count * 2, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		free(away->slots);
		away->slots = slots;
		away->slot_count *= 2;
		put_all_slots(away);
	}
	away->room = room;
	return 0;
}

/* False: all are of one hash. */
static bool give_up_half(struct call_away *away) {
	uint32_t kept = away->count;
	while (kept == away->count) {
		if (away->high == away->low)
			return false;
		away->high = away->low + (away->high - away->low) / 2;
		kept = 0;
		for (uint32_t index = 0; index < away->count; index++)
			if (call_away_in_round(away, away->spans[index].trace_lo))
				away->spans[kept++] = away->spans[index];
	}
	away->count = kept;
	put_all_slots(away);
	return true;
}

bool call_away_in_round(const struct call_away *away, uint64_t trace_lo) {
	uint64_t hash = hash_of_trace(away, trace_lo);
	return hash >= away->low && hash <= away->high;
}

int call_away_want(struct call_away *away, uint64_t trace_lo, uint64_t span_id) {
	if (!call_away_in_round(away, trace_lo) || call_away_find(away, trace_lo, span_id) != CALL_AWAY_NONE)
		return 0;
	while (away->count == away->max && call_away_in_round(away, trace_lo))
		if (!give_up_half(away))
			return 0;
	if (!call_away_in_round(away, trace_lo))
		return 0;
	int error = away->count == away->room ? grow(away) : 0;
	if (error)
		return error;
	uint64_t bit = hash_of_trace(away, trace_lo) % FILTER_BITS;
	away->filter[bit / 64] |= UINT64_C(1) << (bit % 64);
	away->spans[away->count] = (struct call_away_span){trace_lo, span_id, CALL_AWAY_NONE, CALL_AWAY_NONE, 0};
	put_slot(away, away->count++);
	return 0;
}

bool call_away_may_have(const struct call_away *away, uint64_t trace_lo) {
	uint64_t bit = hash_of_trace(away, trace_lo) % FILTER_BITS;
	return away->filter[bit / 64] >> (bit % 64) & 1;
}

uint32_t call_away_find(const struct call_away *away, uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = hash_of_span(away, trace_lo, span_id);
	uint32_t at = (uint32_t)hash & (away->slot_count - 1);
	uint64_t bit = hash >> 40;
	if (!(away->span_filter[bit / 64] >> (bit % 64) & 1))
		return CALL_AWAY_NONE;
	for (; away->slots[at]; at = (at + 1) & (away->slot_count - 1)) {
		const struct call_away_span *span = &away->spans[away->slots[at] - 1];
		if (span->trace_lo == trace_lo && span->span_id == span_id)
			return away->slots[at] - 1;
	}
	return CALL_AWAY_NONE;
}

void call_away_settle(struct call_away *away, uint32_t index, uint32_t anchor, uint32_t node) {
	struct call_away_span *span = &away->spans[index];
	if (span->node != CALL_AWAY_NONE)
		return;
	span->anchor = anchor;
	span->node = node;
}

/* The path of a part, below a node of the whole. */
static int graft(struct call_tree *tree, uint32_t below, const struct call_tree *parts, uint32_t part,
                 uint32_t *ret_node) {
	uint32_t keys[CALL_DEPTH_MAX + 2];
	uint32_t count = 0;
	int error = 0;
	part = CALL_NODE(part);
	if (call_tree_is_other(parts, part))
		below = CALL_OTHER;
	for (; part > CALL_ABSENT; part = parts->nodes[part].parent)
		keys[count++] = parts->nodes[part].key;
	*ret_node = below;
	while (count > 0 && !error)
		error = call_tree_child(tree, *ret_node, keys[--count], ret_node);
	return error;
}

struct step {
	uint32_t span;
	uint32_t anchor;
};

int call_away_resolve(struct call_away *away, struct call_tree *tree, const struct call_tree *parts) {
	struct step *steps CLEANUP_FREE = malloc(((size_t)away->count + 1) * sizeof(*steps));
	int error = steps ? 0 : -ENOMEM;
	for (uint32_t first = 0; first < away->count && !error; first++) {
		uint32_t count = 0;
		uint32_t at = first;
		for (; away->spans[at].anchor < ANCHOR_BUSY; at = steps[count++].anchor) {
			steps[count] = (struct step){at, away->spans[at].anchor};
			away->spans[at].anchor = ANCHOR_BUSY;
		}
		/* a span that is above itself: no path leads there */
		uint32_t node = away->spans[at].anchor == ANCHOR_BUSY ? CALL_OTHER : away->spans[at].node;
		if (node == CALL_AWAY_NONE)
			node = CALL_ABSENT;
		if (count == 0)
			away->spans[at].node = node;
		while (count > 0 && !error) {
			struct call_away_span *span = &away->spans[steps[--count].span];
			error = graft(tree, node, parts, span->node, &node);
			span->node = node;
			span->anchor = CALL_AWAY_NONE;
		}
	}
	return error;
}

static uint64_t bits_of_part(const struct call_tree *parts, uint32_t node) {
	uint64_t bits = 0;
	if (node == CALL_AWAY_NONE)
		return 0;
	if (call_tree_is_other(parts, CALL_NODE(node)))
		return UINT64_MAX;
	for (node = CALL_NODE(node); node > CALL_ABSENT; node = parts->nodes[node].parent)
		bits |= call_tree_key_bit(parts->nodes[node].key);
	return bits;
}

int call_away_gather_keys(struct call_away *away, const struct call_tree *parts) {
	uint32_t *steps CLEANUP_FREE = malloc(((size_t)away->count + 1) * sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	for (uint32_t first = 0; first < away->count; first++) {
		uint32_t count = 0;
		uint32_t at = first;
		/* no path is without a bit: 0 is not yet known, and a span that is above itself has all */
		while (at != CALL_AWAY_NONE && away->spans[at].above == 0) {
			away->spans[at].above = UINT64_MAX;
			steps[count++] = at;
			at = away->spans[at].anchor;
		}
		uint64_t above = at == CALL_AWAY_NONE ? 0 : away->spans[at].above;
		while (count > 0) {
			struct call_away_span *span = &away->spans[steps[--count]];
			above |= bits_of_part(parts, span->node);
			span->above = above;
		}
	}
	return 0;
}

enum call_has call_away_has_key(const struct call_away *away, const struct call_tree *parts, uint32_t index,
                                uint32_t key) {
	if (!(away->spans[index].above & call_tree_key_bit(key)))
		return CALL_HAS_NOT;
	for (uint32_t steps = 0; steps < ANCHORS_MAX; steps++) {
		const struct call_away_span *span = &away->spans[index];
		if (span->node == CALL_AWAY_NONE)
			return CALL_HAS_NOT;
		if (call_tree_is_other(parts, CALL_NODE(span->node)))
			return CALL_HAS_UNKNOWN;
		if (call_tree_has_key(parts, span->node, key))
			return CALL_HAS;
		if (span->anchor == CALL_AWAY_NONE)
			return CALL_HAS_NOT;
		index = span->anchor;
	}
	return CALL_HAS_UNKNOWN;
}

bool call_away_next_round(struct call_away *away) {
	if (away->high == UINT64_MAX)
		return false;
	away->low = away->high + 1;
	away->high = UINT64_MAX;
	away->count = 0;
	memset(away->slots, 0, away->slot_count * sizeof(*away->slots));
	memset(away->filter, 0, FILTER_BITS / 64 * sizeof(*away->filter));
	memset(away->span_filter, 0, SPAN_FILTER_BITS / 64 * sizeof(*away->span_filter));
	return true;
}
