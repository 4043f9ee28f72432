/* SPDX-License-Identifier: Apache-2.0 */
#include "call_tree.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_FIRST 256u
#define NONE 0u

static uint32_t hash_of(uint32_t parent, uint32_t key) {
	uint64_t hash = ((uint64_t)parent << 32 | key) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32) ^ (uint32_t)(hash >> 51);
}

static void put_slot(struct call_tree *tree, uint32_t node) {
	uint32_t mask = tree->slot_count - 1;
	uint32_t at = hash_of(tree->nodes[node].parent, tree->nodes[node].key) & mask;
	while (tree->slots[at])
		at = (at + 1) & mask;
	tree->slots[at] = node;
}

static int make_room(struct call_tree *tree) {
	if (tree->node_count < tree->node_room)
		return 0;
	uint32_t room = tree->node_room * 2;
	struct call_node *nodes = reallocarray(tree->nodes, room, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	tree->nodes = nodes;
	uint32_t *slots = calloc(room, 2 * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(tree->slots);
	tree->slots = slots;
	tree->slot_count = room * 2;
	tree->node_room = room;
	for (uint32_t node = 1; node < tree->node_count; node++)
		put_slot(tree, node);
	return 0;
}

static int add_node(struct call_tree *tree, const struct call_node *node, uint32_t *ret_node) {
	int error = make_room(tree);
	if (error)
		return error;
	tree->nodes[tree->node_count] = *node;
	*ret_node = tree->node_count++;
	if (*ret_node != CALL_ROOT)
		put_slot(tree, *ret_node);
	return 0;
}

int call_tree_new(struct call_tree *tree, uint32_t node_max) {
	static const struct call_node first[] = {
	    [CALL_ROOT] = {CALL_ROOT, CALL_KEY_ROOT, 0, false},
	    [CALL_OTHER] = {CALL_ROOT, CALL_KEY_OTHER, 1, false},
	    [CALL_ABSENT] = {CALL_ROOT, CALL_KEY_ABSENT, 1, false},
	};
	int error = 0;
	memset(tree, 0, sizeof(*tree));
	tree->nodes = malloc(NODES_FIRST * sizeof(*tree->nodes));
	tree->slots = calloc(NODES_FIRST, 2 * sizeof(*tree->slots));
	tree->node_max = node_max;
	tree->node_room = NODES_FIRST;
	tree->slot_count = NODES_FIRST * 2;
	if (!tree->nodes || !tree->slots)
		error = -ENOMEM;
	for (uint32_t node = 0; node < sizeof(first) / sizeof(first[0]) && !error; node++)
		error = add_node(tree, &first[node], &(uint32_t){0});
	if (error)
		call_tree_free(tree);
	return error;
}

void call_tree_free(struct call_tree *tree) {
	free(tree->nodes);
	free(tree->slots);
	memset(tree, 0, sizeof(*tree));
}

static uint32_t find(const struct call_tree *tree, uint32_t parent, uint32_t key) {
	uint32_t mask = tree->slot_count - 1;
	for (uint32_t at = hash_of(parent, key) & mask; tree->slots[at]; at = (at + 1) & mask) {
		const struct call_node *node = &tree->nodes[tree->slots[at]];
		if (node->parent == parent && node->key == key)
			return tree->slots[at];
	}
	return NONE;
}

bool call_tree_has_key(const struct call_tree *tree, uint32_t node, uint32_t key) {
	for (node = CALL_NODE(node); node != CALL_ROOT; node = tree->nodes[node].parent)
		if (tree->nodes[node].key == key)
			return true;
	return false;
}

/* Not in its own place: below CALL_OTHER. */
static int other_child(struct call_tree *tree, uint32_t parent, uint32_t key, uint32_t *ret_node) {
	bool nested = call_tree_is_other(tree, parent) || call_tree_has_key(tree, parent, key);
	uint32_t node = find(tree, CALL_OTHER, key);
	int error = 0;
	if (node == NONE && tree->other_count == CALL_OTHER_KEYS_MAX) {
		node = CALL_OTHER;
	} else if (node == NONE) {
		struct call_node made = {CALL_OTHER, key, 2, false};
		error = add_node(tree, &made, &node);
		tree->other_count += !error;
	}
	*ret_node = node | (nested ? CALL_NESTED : 0);
	return error;
}

int call_tree_child(struct call_tree *tree, uint32_t parent, uint32_t key, uint32_t *ret_node) {
	int error = 0;
	parent = CALL_NODE(parent);
	if (call_tree_is_other(tree, parent))
		return other_child(tree, parent, key, ret_node);
	uint32_t node = find(tree, parent, key);
	if (node == NONE) {
		struct call_node made = {parent, key, (uint16_t)(tree->nodes[parent].depth + 1),
		                         call_tree_has_key(tree, parent, key)};
		if (made.depth > CALL_DEPTH_MAX || tree->node_count - tree->other_count >= tree->node_max)
			return other_child(tree, parent, key, ret_node);
		error = add_node(tree, &made, &node);
		if (error)
			return error;
	}
	*ret_node = node | (tree->nodes[node].nested ? CALL_NESTED : 0);
	return 0;
}

/* self_ns wraps: of several parts of a sum one may be less than nothing. */
void call_figures_add(struct call_figures *figures, const struct call_figures *more) {
	if (more->calls > 0 && (figures->calls == 0 || more->min_ns < figures->min_ns))
		figures->min_ns = more->min_ns;
	if (more->max_ns > figures->max_ns)
		figures->max_ns = more->max_ns;
	figures->calls = saturating_add(figures->calls, more->calls);
	figures->errors = saturating_add(figures->errors, more->errors);
	figures->total_ns = saturating_add(figures->total_ns, more->total_ns);
	figures->outer_ns = saturating_add(figures->outer_ns, more->outer_ns);
	figures->heap_bytes = saturating_add(figures->heap_bytes, more->heap_bytes);
	figures->self_ns += more->self_ns;
}
