/* SPDX-License-Identifier: Apache-2.0 */
#include "call_view.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define NOT_SHOWN UINT32_MAX

/* --- another root ------------------------------------------------------------------------------------------------ */

static bool matches(const struct calls *calls, uint32_t key, const char *glob) {
	return key < calls->keys.key_count && fnmatch(glob, call_key_name(&calls->keys, key), 0) == 0;
}

/* The tree below the outermost nodes that match. ret_figures: by node of the new tree. */
static int take_root(const struct calls *calls, const char *glob, struct call_tree *tree,
                     struct call_figures **ret_figures) {
	const struct call_node *nodes = calls->tree.nodes;
	uint32_t *places CLEANUP_FREE = malloc(calls->tree.node_count * sizeof(*places));
	struct call_figures *figures = calloc(calls->tree.node_count + CALL_ABSENT + 1, sizeof(*figures));
	int error = places && figures ? 0 : -ENOMEM;
	for (uint32_t node = 0; node < calls->tree.node_count && !error; node++) {
		uint32_t above = node == CALL_ROOT ? NOT_SHOWN : places[nodes[node].parent];
		places[node] = above;
		if (above == NOT_SHOWN && matches(calls, nodes[node].key, glob))
			above = CALL_ROOT;
		if (above == NOT_SHOWN)
			continue;
		error = call_tree_child(tree, above, nodes[node].key, &places[node]);
		places[node] = CALL_NODE(places[node]);
		if (!error)
			call_figures_add(&figures[places[node]], &calls->figures[node]);
	}
	if (error)
		free(TAKE_PTR(figures));
	*ret_figures = figures;
	return error;
}

/* --- in order ---------------------------------------------------------------------------------------------------- */

struct shaping {
	const struct call_keys *keys;
	const struct call_tree *tree;
	const struct call_figures *figures;
	uint64_t *own; /* by node of the tree */
	uint64_t *wide;
	bool *counts; /* something counted here or below */
	uint32_t *first_child;
	uint32_t *next_sibling;
};

static uint64_t value_of(const struct call_figures *figures, enum call_value value) {
	switch (value) {
	case CALL_VALUE_WALL:
		return figures->total_ns;
	case CALL_VALUE_SELF:
		return figures->self_ns;
	case CALL_VALUE_ALLOCATED:
		return figures->heap_bytes;
	case CALL_VALUE_CALLS:
		return calls_count(figures->calls);
	}
	return 0;
}

/* From the last node to the first: children before their parents. */
static void give_values(struct shaping *shaping, enum call_value value) {
	const struct call_tree *tree = shaping->tree;
	bool holds_all = value == CALL_VALUE_WALL || value == CALL_VALUE_ALLOCATED;
	for (uint32_t node = tree->node_count; node-- > 0;) {
		uint64_t own = value_of(&shaping->figures[node], value);
		uint64_t below = shaping->wide[node];
		if (holds_all)
			own -= own < below ? own : below;
		shaping->own[node] = own;
		shaping->wide[node] = saturating_add(below, own);
		shaping->counts[node] |= shaping->figures[node].calls > 0;
		if (node == CALL_ROOT || !shaping->counts[node])
			continue;
		uint32_t parent = tree->nodes[node].parent;
		shaping->wide[parent] = saturating_add(shaping->wide[parent], shaping->wide[node]);
		shaping->counts[parent] = true;
		shaping->next_sibling[node] = shaping->first_child[parent];
		shaping->first_child[parent] = node;
	}
}

/* What had no room comes last. */
static int by_weight(const void *a, const void *b, void *context) {
	const struct shaping *shaping = context;
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;
	char left_text[CALL_KEY_TEXT_BYTES];
	char right_text[CALL_KEY_TEXT_BYTES];
	if (left == CALL_OTHER || right == CALL_OTHER)
		return left == CALL_OTHER ? 1 : -1;
	if (shaping->wide[left] != shaping->wide[right])
		return shaping->wide[left] > shaping->wide[right] ? -1 : 1;
	int order = strcmp(call_key_text(shaping->keys, shaping->tree->nodes[left].key, false, left_text),
	                   call_key_text(shaping->keys, shaping->tree->nodes[right].key, false, right_text));
	return order ? order : (left > right) - (left < right);
}

/* Level by level; `nodes` holds the node of the tree for each one of the view. */
static void put_in_order(struct shaping *shaping, struct call_view *view, uint32_t *nodes) {
	nodes[0] = CALL_ROOT;
	view->node_count = 1;
	for (uint32_t at = 0; at < view->node_count; at++) {
		struct call_view_node *shown = &view->nodes[at];
		uint32_t node = nodes[at];
		shown->key = shaping->tree->nodes[node].key;
		shown->own = shaping->own[node];
		shown->wide = shaping->wide[node];
		shown->figures = shaping->figures[node];
		shown->first = view->node_count;
		view->depth = shown->depth > view->depth ? shown->depth : view->depth;
		for (uint32_t child = shaping->first_child[node]; child; child = shaping->next_sibling[child]) {
			view->nodes[view->node_count].parent = at;
			view->nodes[view->node_count].depth = shown->depth + 1;
			nodes[view->node_count++] = child;
		}
		shown->count = view->node_count - shown->first;
		qsort_r(nodes + shown->first, shown->count, sizeof(*nodes), by_weight, shaping);
	}
}

static int shape(struct shaping *shaping, enum call_value value, struct call_view *view) {
	size_t count = shaping->tree->node_count;
	uint64_t *own CLEANUP_FREE = calloc(count, sizeof(*own));
	uint64_t *wide CLEANUP_FREE = calloc(count, sizeof(*wide));
	bool *counts CLEANUP_FREE = calloc(count, sizeof(*counts));
	uint32_t *first CLEANUP_FREE = calloc(count, sizeof(*first));
	uint32_t *next CLEANUP_FREE = calloc(count, sizeof(*next));
	uint32_t *nodes CLEANUP_FREE = calloc(count, sizeof(*nodes));
	view->nodes = calloc(count, sizeof(*view->nodes));
	if (!own || !wide || !counts || !first || !next || !nodes || !view->nodes) {
		call_view_free(view);
		return -ENOMEM;
	}
	shaping->own = own;
	shaping->wide = wide;
	shaping->counts = counts;
	shaping->first_child = first;
	shaping->next_sibling = next;
	give_values(shaping, value);
	put_in_order(shaping, view, nodes);
	return 0;
}

int call_view_new(const struct calls *calls, enum call_value value, const char *root, struct call_view *view) {
	struct shaping shaping = {.keys = &calls->keys, .tree = &calls->tree, .figures = calls->figures};
	struct call_figures *figures CLEANUP_FREE = NULL;
	struct call_tree tree = {0};
	*view = (struct call_view){.keys = &calls->keys};
	if (root) {
		int error = call_tree_new(&tree, CALL_NODES_MAX);
		if (!error)
			error = take_root(calls, root, &tree, &figures);
		if (error) {
			call_tree_free(&tree);
			return error;
		}
		shaping.tree = &tree;
		shaping.figures = figures;
	}
	int error = shape(&shaping, value, view);
	call_tree_free(&tree);
	return error;
}

void call_view_free(struct call_view *view) {
	free(view->nodes);
	memset(view, 0, sizeof(*view));
}
