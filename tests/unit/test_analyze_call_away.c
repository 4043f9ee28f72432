/* SPDX-License-Identifier: Apache-2.0 */
/* Paths over many batches, with room for few of them at a time: each span gets its path in exactly one round. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/calls/call_away.h"

#include <stdlib.h>

#define TRACES 60u
#define TRACE_SPANS 20u
#define ROOM 64u
#define KEYS 5u

static uint32_t key_of(uint32_t span) {
	return span * 7 % KEYS;
}

/* Span i of a trace is below span i / 2 in another batch; the first one's parent is nowhere in traces that are multiples of 3. */
static uint64_t id_of(uint32_t span) {
	return 100 + span;
}

static void settle_all(struct call_away *away, struct call_tree *tree, struct call_tree *parts, bool by_path) {
	for (uint32_t trace = 0; trace < TRACES; trace++)
		for (uint32_t span = 0; span < TRACE_SPANS; span++) {
			uint32_t wanted = call_away_find(away, trace, id_of(span));
			uint32_t node = CALL_ROOT;
			uint32_t anchor = CALL_AWAY_NONE;
			if (wanted == CALL_AWAY_NONE)
				continue;
			if (span > 0)
				anchor = call_away_find(away, trace, id_of(span / 2));
			else if (trace % 3 == 0)
				anchor = call_away_find(away, trace, 1);
			assert_true(anchor != CALL_AWAY_NONE || span == 0);
			assert_int_equal(call_tree_child(anchor == CALL_AWAY_NONE && by_path ? tree : parts, node,
			                                 key_of(span), &node),
			                 0);
			call_away_settle(away, wanted, anchor, node);
		}
}

static void want_all(struct call_away *away) {
	for (uint32_t trace = 0; trace < TRACES; trace++) {
		for (uint32_t span = 0; span < TRACE_SPANS; span++)
			assert_int_equal(call_away_want(away, trace, id_of(span)), 0);
		if (trace % 3 == 0)
			assert_int_equal(call_away_want(away, trace, 1), 0);
	}
}

static void check_path(const struct call_away *away, const struct call_tree *tree, uint32_t trace, uint32_t span) {
	uint32_t found = call_away_find(away, trace, id_of(span));
	assert_true(found != CALL_AWAY_NONE);
	uint32_t node = CALL_NODE(away->spans[found].node);
	bool nested = false;
	for (uint32_t at = span;; at /= 2) {
		assert_int_equal(tree->nodes[node].key, key_of(at));
		nested |= at != span && key_of(at) == key_of(span);
		node = tree->nodes[node].parent;
		if (at == 0)
			break;
	}
	assert_int_equal(tree->nodes[CALL_NODE(away->spans[found].node)].nested, nested);
	assert_int_equal(node, trace % 3 == 0 ? CALL_ABSENT : CALL_ROOT);
}

static void each_path_is_found_once(void **state) {
	struct call_away away;
	struct call_tree tree;
	uint32_t seen = 0;
	uint32_t rounds = 0;
	(void)state;
	assert_int_equal(call_away_new(&away, ROOM), 0);
	assert_int_equal(call_tree_new(&tree, CALL_NODES_MAX), 0);
	do {
		struct call_tree parts;
		assert_int_equal(call_tree_new(&parts, CALL_PARTS_MAX), 0);
		want_all(&away);
		assert_true(away.count <= ROOM);
		settle_all(&away, &tree, &parts, true);
		assert_int_equal(call_away_resolve(&away, &tree, &parts), 0);
		for (uint32_t trace = 0; trace < TRACES; trace++)
			for (uint32_t span = 0; span < TRACE_SPANS && call_away_in_round(&away, trace); span++, seen++)
				check_path(&away, &tree, trace, span);
		call_tree_free(&parts);
		rounds++;
	} while (call_away_next_round(&away));
	assert_int_equal(seen, TRACES * TRACE_SPANS);
	assert_true(rounds >= TRACES * TRACE_SPANS / ROOM);
	call_tree_free(&tree);
	call_away_free(&away);
}

static void keys_are_found_over_anchors(void **state) {
	struct call_away away;
	struct call_tree parts;
	(void)state;
	assert_int_equal(call_away_new(&away, CALL_AWAY_MAX), 0);
	assert_int_equal(call_tree_new(&parts, CALL_PARTS_MAX), 0);
	want_all(&away);
	settle_all(&away, &parts, &parts, false);
	assert_int_equal(call_away_gather_keys(&away, &parts), 0);
	for (uint32_t trace = 0; trace < TRACES; trace++)
		for (uint32_t span = 0; span < TRACE_SPANS; span++)
			for (uint32_t key = 0; key < KEYS + 60; key++) {
				bool has = false;
				for (uint32_t at = span;; at /= 2) {
					has |= key_of(at) == key;
					if (at == 0)
						break;
				}
				assert_int_equal(
				    call_away_has_key(&away, &parts, call_away_find(&away, trace, id_of(span)), key),
				    has ? CALL_HAS : CALL_HAS_NOT);
			}
	call_tree_free(&parts);
	call_away_free(&away);
}

/* Only a hostile store says so: nobody walks for ever, and nothing has a path. */
static void a_circle_has_no_path(void **state) {
	struct call_away away;
	struct call_tree tree;
	struct call_tree parts;
	uint32_t node = CALL_ROOT;
	(void)state;
	assert_int_equal(call_away_new(&away, ROOM), 0);
	assert_int_equal(call_tree_new(&tree, CALL_NODES_MAX), 0);
	assert_int_equal(call_tree_new(&parts, CALL_PARTS_MAX), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(call_away_want(&away, 1, 10 + i), 0);
	for (uint32_t i = 0; i < 3; i++) {
		node = CALL_ROOT;
		assert_int_equal(call_tree_child(&parts, node, i, &node), 0);
		call_away_settle(&away, i, (i + 1) % 3, node);
	}
	assert_int_equal(call_away_gather_keys(&away, &parts), 0);
	assert_int_equal(call_away_has_key(&away, &parts, 0, 9), CALL_HAS_UNKNOWN);
	assert_int_equal(call_away_resolve(&away, &tree, &parts), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(call_tree_is_other(&tree, CALL_NODE(away.spans[i].node)));
	call_tree_free(&tree);
	call_tree_free(&parts);
	call_away_free(&away);
}

/* Too deep, too many: by key below (other), and never nested twice. */
static void what_finds_no_room_is_other(void **state) {
	struct call_tree tree;
	uint32_t node = CALL_ROOT;
	(void)state;
	assert_int_equal(call_tree_new(&tree, CALL_NODES_MAX), 0);
	for (uint32_t depth = 1; depth <= CALL_DEPTH_MAX; depth++)
		assert_int_equal(call_tree_child(&tree, node, depth, &node), 0);
	assert_false(call_tree_is_other(&tree, CALL_NODE(node)));
	uint32_t deep;
	assert_int_equal(call_tree_child(&tree, node, 1000, &deep), 0);
	assert_true(call_tree_is_other(&tree, CALL_NODE(deep)) && !(deep & CALL_NESTED));
	assert_int_equal(call_tree_child(&tree, node, 5, &deep), 0);
	assert_true(call_tree_is_other(&tree, CALL_NODE(deep)) && deep & CALL_NESTED);
	assert_int_equal(call_tree_child(&tree, deep, 6, &deep), 0);
	assert_true(call_tree_is_other(&tree, CALL_NODE(deep)) && deep & CALL_NESTED);
	for (uint32_t key = 0; key < CALL_NODES_MAX + CALL_OTHER_KEYS_MAX + 10; key++)
		assert_int_equal(call_tree_child(&tree, CALL_ROOT, key, &node), 0);
	assert_int_equal(node, CALL_OTHER);
	assert_true(tree.node_count <= CALL_NODES_MAX + CALL_OTHER_KEYS_MAX);
	call_tree_free(&tree);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_path_is_found_once),
	    cmocka_unit_test(keys_are_found_over_anchors),
	    cmocka_unit_test(a_circle_has_no_path),
	    cmocka_unit_test(what_finds_no_room_is_other),
	};
	return cmocka_run_group_tests_name("analyze_call_away", tests, NULL, NULL);
}
