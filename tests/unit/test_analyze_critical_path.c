/* SPDX-License-Identifier: Apache-2.0 */
/* The path by hand in small traces, and in random ones against a walk that looks at everything again at every step. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/critical_path.h"

#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 30u

static void find(const struct trace_tree_span *spans, uint32_t count, struct trace_tree *tree,
                 struct critical_path *path) {
	assert_int_equal(trace_tree_build(spans, count, tree), 0);
	assert_int_equal(critical_path_find(tree, spans, path), 0);
}

static void check(const struct trace_tree_span *spans, uint32_t count, const struct critical_piece *pieces,
                  uint32_t piece_count) {
	struct trace_tree tree;
	struct critical_path path;
	find(spans, count, &tree, &path);
	assert_int_equal(path.piece_count, piece_count);
	for (uint32_t i = 0; i < piece_count; i++) {
		assert_int_equal(path.pieces[i].start_ns, pieces[i].start_ns);
		assert_int_equal(path.pieces[i].end_ns, pieces[i].end_ns);
		assert_int_equal(path.pieces[i].span, pieces[i].span);
		assert_true(path.on_path[pieces[i].span]);
	}
	critical_path_done(&path);
	trace_tree_done(&tree);
}

static void one_after_the_other(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 100}, {2, 1, 10, 20}, {3, 1, 50, 40}, {4, 3, 60, 10}};
	const struct critical_piece pieces[] = {{0, 10, 0},  {10, 30, 1}, {30, 50, 0}, {50, 60, 2},
	                                        {60, 70, 3}, {70, 90, 2}, {90, 100, 0}};
	(void)state;
	check(spans, 4, pieces, 7);
}

/* 2 and 3 run together: 3 ends later and is waited for; 2 was running when 3 began. */
static void children_that_overlap(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 100}, {2, 1, 10, 50}, {3, 1, 20, 60}, {4, 1, 5, 10}};
	const struct critical_piece pieces[] = {{0, 5, 0}, {5, 15, 3}, {15, 20, 0}, {20, 80, 2}, {80, 100, 0}};
	(void)state;
	check(spans, 4, pieces, 5);
}

/* A parent that only waits is on the path without any time on it. */
static void a_parent_that_waits(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 100}, {2, 1, 0, 100}};
	struct trace_tree tree;
	struct critical_path path;
	(void)state;
	find(spans, 2, &tree, &path);
	assert_int_equal(path.piece_count, 1);
	assert_int_equal(path.pieces[0].span, 1);
	assert_true(path.on_path[0]);
	assert_int_equal(path.span_ns[0], 0);
	assert_int_equal(path.path_ns, 100);
	critical_path_done(&path);
	trace_tree_done(&tree);
}

/* 2 outlives 1, which did not wait for it, but is the last to end; 3 runs on while 1 ends, and is nothing to the path. */
static void children_that_outlive_their_parent(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 50}, {2, 1, 30, 70}, {3, 1, 10, 60}};
	const struct critical_piece pieces[] = {{0, 30, 0}, {30, 100, 1}};
	const struct trace_tree_span later[] = {{1, 0, 0, 50}, {2, 1, 80, 20}};
	const struct critical_piece gap[] = {{0, 50, 0}, {80, 100, 1}};
	const struct trace_tree_span inside[] = {{1, 0, 0, 100}, {2, 1, 10, 20}, {3, 2, 20, 60}};
	const struct critical_piece ignored[] = {{0, 10, 0}, {10, 30, 1}, {30, 100, 0}};
	(void)state;
	check(spans, 3, pieces, 2);
	check(later, 2, gap, 2);
	check(inside, 3, ignored, 3);
}

/* Ages of open spans end together: the innermost is what the process was at. */
static void spans_that_never_ended(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 100}, {2, 1, 20, 80}, {3, 2, 70, 30}, {4, 2, 30, 10}};
	const struct critical_piece pieces[] = {{0, 20, 0}, {20, 30, 1}, {30, 40, 3}, {40, 70, 1}, {70, 100, 2}};
	(void)state;
	check(spans, 4, pieces, 5);
}

static void clocks_that_differ(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 100, 100}, {2, 1, 50, 100}};
	const struct critical_piece pieces[] = {{100, 150, 1}, {150, 200, 0}};
	(void)state;
	check(spans, 2, pieces, 2);
}

static void several_tops(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 0, 40}, {2, 9, 60, 40}, {3, 9, 30, 50}};
	const struct critical_piece pieces[] = {{0, 40, 0}, {60, 100, 1}};
	(void)state;
	check(spans, 3, pieces, 2);
}

static void no_time_at_all(void **state) {
	const struct trace_tree_span spans[] = {{1, 0, 5, 0}, {2, 1, 5, 0}};
	const struct trace_tree_span endless[] = {{1, 0, 5, UINT64_MAX}, {2, 1, UINT64_MAX, UINT64_MAX}};
	const struct critical_piece pieces[] = {{5, UINT64_MAX, 0}};
	(void)state;
	check(spans, 2, NULL, 0);
	check(endless, 2, pieces, 1);
}

/* --- random ------------------------------------------------------------------------------------------------------ */

struct slow {
	const struct trace_tree *tree;
	const struct trace_tree_span *spans;
	uint64_t ns[SPANS_MAX];
};

static uint64_t slow_end(const struct slow *slow, uint32_t span) {
	return slow->spans[span].start_ns + slow->spans[span].duration_ns;
}

/* From `now` backwards to `low` in a span or, TRACE_TREE_NONE, in the trace. */
static void slow_walk(struct slow *slow, uint32_t span, uint64_t now, uint64_t low) {
	for (;;) {
		uint32_t best = TRACE_TREE_NONE;
		for (uint32_t i = 0; i < slow->tree->count; i++) {
			uint64_t end = slow_end(slow, i);
			if (slow->tree->nodes[i].parent != span || end > now || slow->spans[i].start_ns >= now ||
			    end <= low)
				continue;
			if (best == TRACE_TREE_NONE || end > slow_end(slow, best) ||
			    (end == slow_end(slow, best) && slow->spans[i].start_ns < slow->spans[best].start_ns))
				best = i;
		}
		uint64_t to = best == TRACE_TREE_NONE ? low : slow_end(slow, best);
		if (span != TRACE_TREE_NONE && now > to)
			slow->ns[span] += now - to;
		if (best == TRACE_TREE_NONE)
			return;
		uint64_t start = slow->spans[best].start_ns;
		slow_walk(slow, best, to, start > low ? start : low);
		now = start > low ? start : low;
	}
}

static void slow_find(struct slow *slow) {
	uint32_t last = TRACE_TREE_NONE;
	for (uint32_t i = 0; i < slow->tree->count; i++) {
		uint32_t span = slow->tree->order[i];
		bool later = last == TRACE_TREE_NONE || slow_end(slow, span) > slow_end(slow, last);
		if (later || (slow_end(slow, span) == slow_end(slow, last) &&
		              slow->tree->nodes[span].depth < slow->tree->nodes[last].depth))
			last = span;
	}
	uint64_t now = slow_end(slow, last);
	for (uint32_t span = last;; span = slow->tree->nodes[span].parent) {
		uint64_t low = span == TRACE_TREE_NONE ? 0 : slow->spans[span].start_ns;
		if (span != TRACE_TREE_NONE && slow_end(slow, span) < now)
			now = slow_end(slow, span);
		slow_walk(slow, span, now, low);
		now = low < now ? low : now;
		if (span == TRACE_TREE_NONE)
			return;
	}
}

static void check_random(struct seed *seed) {
	struct trace_tree_span spans[SPANS_MAX];
	struct trace_tree tree;
	struct critical_path path;
	uint32_t count = 1 + (uint32_t)seed_below(seed, SPANS_MAX);
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		spans[i] = (struct trace_tree_span){1 + i, seed_below(seed, i + 2), seed_below(seed, 60),
		                                    seed_below(seed, 3) ? seed_below(seed, 40) : 0};
	find(spans, count, &tree, &path);
	struct slow slow = {.tree = &tree, .spans = spans};
	slow_find(&slow);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(path.span_ns[i], slow.ns[i]);
	for (uint32_t i = 0; i < path.piece_count; i++) {
		const struct critical_piece *piece = &path.pieces[i];
		assert_true(piece->start_ns < piece->end_ns);
		assert_true(i == 0 || path.pieces[i - 1].end_ns <= piece->start_ns);
		assert_true(piece->start_ns >= spans[piece->span].start_ns);
		assert_true(piece->end_ns <= slow_end(&slow, piece->span));
		sum += piece->end_ns - piece->start_ns;
	}
	assert_int_equal(sum, path.path_ns);
	assert_true(path.path_ns <= path.trace_ns);
	critical_path_done(&path);
	trace_tree_done(&tree);
}

static void random_traces(void **state) {
	struct seed seed = seed_start("critical path");
	(void)state;
	for (unsigned round = 0; round < seed_rounds(3000); round++)
		check_random(&seed);
}

/* A chain as long as a trace may be: no recursion. */
static void a_long_chain(void **state) {
	uint32_t count = TRACE_TREE_SPANS_MAX / 4;
	struct trace_tree_span *spans = calloc(count, sizeof(*spans));
	struct trace_tree tree;
	struct critical_path path;
	(void)state;
	assert_non_null(spans);
	for (uint32_t i = 0; i < count; i++)
		spans[i] = (struct trace_tree_span){1 + i, i, i, 2 * (uint64_t)(count - i)};
	find(spans, count, &tree, &path);
	assert_int_equal(path.path_ns, path.trace_ns);
	assert_int_equal(path.trace_ns, 2 * (uint64_t)count);
	critical_path_done(&path);
	trace_tree_done(&tree);
	free(spans);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_after_the_other),    cmocka_unit_test(children_that_overlap),
	    cmocka_unit_test(a_parent_that_waits),    cmocka_unit_test(children_that_outlive_their_parent),
	    cmocka_unit_test(spans_that_never_ended), cmocka_unit_test(clocks_that_differ),
	    cmocka_unit_test(several_tops),           cmocka_unit_test(no_time_at_all),
	    cmocka_unit_test(random_traces),          cmocka_unit_test(a_long_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
