/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever spans claim of each other, each must stand in the tree once, below its parent or at the top. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/trace_tree.h"
#include "base/errs.h"

#include <stdlib.h>

static void every_span_once(const struct trace_tree *tree) {
	uint8_t *seen = calloc(tree->count + 1, 1);
	assert_non_null(seen);
	for (uint32_t i = 0; i < tree->count; i++) {
		uint32_t index = tree->order[i];
		assert_true(index < tree->count);
		assert_int_equal(seen[index], 0);
		seen[index] = 1;
		uint32_t parent = tree->nodes[index].parent;
		if (parent == TRACE_TREE_NONE) {
			assert_int_equal(tree->nodes[index].depth, 0);
			continue;
		}
		assert_int_equal(seen[parent], 1);
		assert_int_equal(tree->nodes[index].depth, tree->nodes[parent].depth + 1);
	}
	free(seen);
}

static void a_plain_tree(void **state) {
	(void)state;
	const struct trace_tree_span spans[] = {
	    {30, 10, 500, 10}, {10, 0, 100, 900}, {20, 10, 200, 100}, {21, 20, 210, 5}, {99, 77, 50, 5}};
	static const uint32_t order[] = {4, 1, 2, 3, 0};
	struct trace_tree tree;
	assert_int_equal(trace_tree_build(spans, 5, &tree), 0);
	every_span_once(&tree);
	assert_memory_equal(tree.order, order, sizeof(order));
	assert_true(tree.nodes[4].orphan);
	assert_false(tree.nodes[1].orphan);
	assert_int_equal(tree.nodes[3].depth, 2);
	trace_tree_done(&tree);
}

static void hostile_parents(void **state) {
	(void)state;
	const struct trace_tree_span self[] = {{1, 1, 10, 1}};
	const struct trace_tree_span circle[] = {{1, 3, 30, 1}, {2, 1, 20, 1}, {3, 2, 10, 1}, {4, 1, 40, 1}};
	const struct trace_tree_span twins[] = {{7, 0, 20, 1}, {7, 0, 10, 1}, {8, 7, 30, 1}};
	struct trace_tree tree;
	assert_int_equal(trace_tree_build(self, 1, &tree), 0);
	every_span_once(&tree);
	assert_true(tree.nodes[0].orphan);
	trace_tree_done(&tree);
	assert_int_equal(trace_tree_build(circle, 4, &tree), 0);
	every_span_once(&tree);
	assert_true(tree.nodes[2].orphan); /* the earliest of the circle is the top */
	assert_int_equal(tree.order[0], 2);
	trace_tree_done(&tree);
	/* a walk that begins outside, earlier than all of the circle, enters it at its latest span */
	const struct trace_tree_span entered[] = {{1, 3, 30, 1}, {2, 1, 20, 1}, {3, 2, 10, 1}, {4, 1, 5, 1}};
	assert_int_equal(trace_tree_build(entered, 4, &tree), 0);
	every_span_once(&tree);
	assert_true(tree.nodes[2].orphan);
	assert_false(tree.nodes[0].orphan);
	trace_tree_done(&tree);
	assert_int_equal(trace_tree_build(twins, 3, &tree), 0);
	every_span_once(&tree);
	assert_int_equal(tree.nodes[2].parent, 1);
	trace_tree_done(&tree);
	assert_int_equal(trace_tree_build(NULL, 0, &tree), 0);
	assert_true(tree.first_top == TRACE_TREE_NONE);
	trace_tree_done(&tree);
	assert_int_equal(trace_tree_build(self, TRACE_TREE_SPANS_MAX + 1, &tree), ERR_LIMIT);
}

static void random_graphs(void **state) {
	(void)state;
	struct seed seed = seed_start("trace tree");
	struct trace_tree_span spans[64];
	for (unsigned round = 0; round < seed_rounds(2000); round++) {
		uint32_t count = (uint32_t)seed_below(&seed, 65);
		uint64_t ids = 1 + seed_below(&seed, 70); /* few ids: twins and circles */
		for (uint32_t i = 0; i < count; i++) {
			struct trace_tree_span span = {1 + seed_below(&seed, ids), seed_below(&seed, ids + 3),
			                               seed_below(&seed, 20), seed_below(&seed, 1000)};
			spans[i] = span;
		}
		struct trace_tree tree;
		assert_int_equal(trace_tree_build(spans, count, &tree), 0);
		every_span_once(&tree);
		uint32_t limit = (uint32_t)seed_below(&seed, 20);
		assert_int_equal(trace_tree_select(&tree, spans, limit), 0);
		uint32_t shown = 0;
		for (uint32_t i = 0; i < count; i++) {
			shown += tree.nodes[i].shown;
			if (tree.nodes[i].shown && tree.nodes[i].parent != TRACE_TREE_NONE)
				assert_true(tree.nodes[tree.nodes[i].parent].shown);
		}
		assert_true(limit == 0 ? shown == count : shown <= limit);
		trace_tree_done(&tree);
	}
}

static void the_longest_are_selected(void **state) {
	(void)state;
	const struct trace_tree_span spans[] = {
	    {1, 0, 0, 100}, {2, 1, 10, 5}, {3, 1, 20, 50}, {4, 3, 25, 40}, {5, 1, 80, 7}};
	struct trace_tree tree;
	assert_int_equal(trace_tree_build(spans, 5, &tree), 0);
	assert_int_equal(trace_tree_select(&tree, spans, 3), 0);
	assert_true(tree.nodes[0].shown && tree.nodes[2].shown && tree.nodes[3].shown);
	assert_false(tree.nodes[1].shown || tree.nodes[4].shown);
	trace_tree_done(&tree);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plain_tree),
	    cmocka_unit_test(hostile_parents),
	    cmocka_unit_test(random_graphs),
	    cmocka_unit_test(the_longest_are_selected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
