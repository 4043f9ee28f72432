/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spans of one trace as a forest, whatever they claim. A span whose parent is not among them is an orphan and stands at the top level;
 * of spans that are each other's ancestors (only a damaged or hostile store has such) the earliest counts as an orphan too, so every span is
 * reached exactly once. Two spans with one id: the earlier one is the parent of the children. Siblings and tops stand in order of start.
 *
 * A long trace is shown in part: trace_tree_select keeps the longest spans and their ancestors.
 */
#ifndef SPANRING_ANALYZE_TRACE_TREE_H
#define SPANRING_ANALYZE_TRACE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_TREE_NONE UINT32_MAX
#define TRACE_TREE_SPANS_MAX (1u << 20)

struct trace_tree_span {
	uint64_t span_id;
	uint64_t parent_id; /* 0: root */
	uint64_t start_ns;
	uint64_t duration_ns;
};

struct trace_tree_node {
	uint32_t parent; /* index of a node, or NONE */
	uint32_t first_child;
	uint32_t next_sibling;
	uint32_t depth;
	bool orphan; /* has a parent that is not above it here */
	bool shown;  /* selected; all are until trace_tree_select */
};

struct trace_tree {
	struct trace_tree_node *nodes; /* node i is span i */
	uint32_t *order;               /* every node once, parents before children, depth first */
	uint32_t count;
	uint32_t first_top; /* tops are linked by next_sibling */
};

/* 0, -ENOMEM, or ERR_LIMIT above TRACE_TREE_SPANS_MAX. */
int trace_tree_build(const struct trace_tree_span *spans, uint32_t count, struct trace_tree *ret_tree);
void trace_tree_done(struct trace_tree *tree);

/* Mark at most limit spans as shown (0: all). 0 or -ENOMEM. */
int trace_tree_select(struct trace_tree *tree, const struct trace_tree_span *spans, uint32_t limit);

#endif
