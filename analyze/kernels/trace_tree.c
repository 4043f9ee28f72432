/* SPDX-License-Identifier: Apache-2.0 */
#include "trace_tree.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

/* A span with what sorting needs, so that qsort needs no context. */
struct entry {
	uint64_t first;
	uint64_t second;
	uint32_t index;
};

static int by_entry(const void *a, const void *b) {
	const struct entry *left = a;
	const struct entry *right = b;
	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	if (left->second != right->second)
		return left->second < right->second ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* The earliest span with this id, in entries sorted by (id, start). */
static uint32_t find_span(const struct entry *by_id, uint32_t count, uint64_t span_id) {
	uint32_t low = 0;
	uint32_t high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (by_id[middle].first < span_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && by_id[low].first == span_id ? by_id[low].index : TRACE_TREE_NONE;
}

static void find_parents(struct trace_tree *tree, const struct trace_tree_span *spans, struct entry *entries) {
	for (uint32_t i = 0; i < tree->count; i++) {
		struct entry entry = {spans[i].span_id, spans[i].start_ns, i};
		entries[i] = entry;
	}
	qsort(entries, tree->count, sizeof(*entries), by_entry);
	for (uint32_t i = 0; i < tree->count; i++) {
		struct trace_tree_node *node = &tree->nodes[i];
		node->parent = TRACE_TREE_NONE;
		if (spans[i].parent_id == 0)
			continue;
		uint32_t parent = find_span(entries, tree->count, spans[i].parent_id);
		if (parent != i)
			node->parent = parent;
		node->orphan = node->parent == TRACE_TREE_NONE;
	}
}

/*
 * Cut cycles: walk up from each node, marking the walk with its number; a node met twice in one walk is on a cycle. Each node is left behind
 * marked, so the whole costs one step per node.
 */
static void cut_cycles(struct trace_tree *tree, uint32_t *walk_of, const struct entry *by_start) {
	for (uint32_t i = 0; i < tree->count; i++) {
		uint32_t walk = i + 1;
		uint32_t at = by_start[i].index;
		while (at != TRACE_TREE_NONE && walk_of[at] == 0) {
			walk_of[at] = walk;
			at = tree->nodes[at].parent;
		}
		if (at == TRACE_TREE_NONE || walk_of[at] != walk)
			continue;
		/* on a cycle: walks begin in order of start, yet this one may have entered it late */
		uint32_t first = at;
		for (uint32_t on = tree->nodes[at].parent; on != at; on = tree->nodes[on].parent)
			if (by_start[on].second < by_start[first].second)
				first = on;
		tree->nodes[first].parent = TRACE_TREE_NONE;
		tree->nodes[first].orphan = true;
	}
}

/* Link in falling order of start, each at the head of its list: the lists come out rising. */
static void link_children(struct trace_tree *tree, const struct entry *by_start) {
	tree->first_top = TRACE_TREE_NONE;
	for (uint32_t i = 0; i < tree->count; i++)
		tree->nodes[i].first_child = TRACE_TREE_NONE;
	for (uint32_t i = tree->count; i-- > 0;) {
		uint32_t index = by_start[i].index;
		struct trace_tree_node *node = &tree->nodes[index];
		uint32_t *head =
		    node->parent == TRACE_TREE_NONE ? &tree->first_top : &tree->nodes[node->parent].first_child;
		node->next_sibling = *head;
		*head = index;
	}
}

static void put_in_order(struct trace_tree *tree) {
	uint32_t out = 0;
	uint32_t at = tree->first_top;
	while (at != TRACE_TREE_NONE) {
		struct trace_tree_node *node = &tree->nodes[at];
		node->depth = node->parent == TRACE_TREE_NONE ? 0 : tree->nodes[node->parent].depth + 1;
		node->shown = true;
		tree->order[out++] = at;
		if (node->first_child != TRACE_TREE_NONE) {
			at = node->first_child;
			continue;
		}
		while (at != TRACE_TREE_NONE && tree->nodes[at].next_sibling == TRACE_TREE_NONE)
			at = tree->nodes[at].parent;
		if (at != TRACE_TREE_NONE)
			at = tree->nodes[at].next_sibling;
	}
}

int trace_tree_build(const struct trace_tree_span *spans, uint32_t count, struct trace_tree *ret_tree) {
	struct trace_tree tree = {.count = count, .first_top = TRACE_TREE_NONE};
	if (count > TRACE_TREE_SPANS_MAX)
		return ERR_LIMIT;
	size_t room = count ? count : 1;
	CLEANUP_FREE struct entry *entries = calloc(room, sizeof(*entries));
	CLEANUP_FREE uint32_t *walk_of = calloc(room, sizeof(*walk_of));
	tree.nodes = calloc(room, sizeof(*tree.nodes));
	tree.order = calloc(room, sizeof(*tree.order));
	if (!entries || !walk_of || !tree.nodes || !tree.order) {
		trace_tree_done(&tree);
		return -ENOMEM;
	}
	find_parents(&tree, spans, entries);
	for (uint32_t i = 0; i < count; i++) {
		struct entry entry = {spans[i].start_ns, spans[i].span_id, i};
		entries[i] = entry;
	}
	qsort(entries, count, sizeof(*entries), by_entry);
	/* `second` has done its work as a tie-break: from here entries[i].second is the place of span i in order of start */
	for (uint32_t i = 0; i < count; i++)
		entries[entries[i].index].second = i;
	cut_cycles(&tree, walk_of, entries);
	link_children(&tree, entries);
	put_in_order(&tree);
	*ret_tree = tree;
	return 0;
}

void trace_tree_done(struct trace_tree *tree) {
	free(tree->nodes);
	free(tree->order);
	memset(tree, 0, sizeof(*tree));
}

int trace_tree_select(struct trace_tree *tree, const struct trace_tree_span *spans, uint32_t limit) {
	if (limit == 0 || tree->count <= limit)
		return 0;
	CLEANUP_FREE struct entry *entries = calloc(tree->count, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->count; i++) {
		struct entry entry = {UINT64_MAX - spans[i].duration_ns, spans[i].start_ns, i};
		entries[i] = entry;
		tree->nodes[i].shown = false;
	}
	qsort(entries, tree->count, sizeof(*entries), by_entry);
	uint32_t left = limit;
	for (uint32_t i = 0; i < tree->count && left > 0; i++) {
		uint32_t needed = 0;
		for (uint32_t at = entries[i].index; at != TRACE_TREE_NONE && !tree->nodes[at].shown;
		     at = tree->nodes[at].parent)
			if (++needed > left)
				break;
		if (needed > left)
			continue;
		left -= needed;
		for (uint32_t at = entries[i].index; at != TRACE_TREE_NONE && !tree->nodes[at].shown;
		     at = tree->nodes[at].parent)
			tree->nodes[at].shown = true;
	}
	return 0;
}
