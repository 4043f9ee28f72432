/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call paths: a tree in which a node stands for all spans that were reached over the same names. Node 0 is above all others; a node's parent has a
 * smaller number. A path is made of keys: small numbers that stand for names, sites or files (call_keys.h).
 *
 * BOUNDED. When the tree has as many nodes as it may have, or a path is CALL_DEPTH_MAX deep, a span goes to the node CALL_OTHER, below which each key has at most
 * one node (CALL_OTHER_KEYS_MAX of them, then all go to CALL_OTHER itself): its figures stay those of its key, only the path is lost.
 *
 * RECURSION. The node that a span goes to says with CALL_NESTED whether its key is already on the stack. In CALL_OTHER that is only known of spans whose
 * parent still has a path; the others are taken for nested, so that nothing counts twice.
 */
#ifndef SPANRING_ANALYZE_CALL_TREE_H
#define SPANRING_ANALYZE_CALL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#define CALL_NODES_MAX 32768u     /* of a tree with figures */
#define CALL_PARTS_MAX (2u << 20) /* of one without */
#define CALL_OTHER_KEYS_MAX 16384u
#define CALL_DEPTH_MAX 128u

#define CALL_ROOT 0u
#define CALL_OTHER 1u  /* paths for which there was no room */
#define CALL_ABSENT 2u /* spans whose parent is not stored */
#define CALL_NESTED (1u << 31)
#define CALL_STRAY (1u << 30) /* of keys: it depends on a parent in another batch */
#define CALL_NODE(id) ((id) & ~(CALL_NESTED | CALL_STRAY))

/* Keys of the nodes above; all others are below. */
#define CALL_KEY_ROOT UINT32_MAX
#define CALL_KEY_OTHER (UINT32_MAX - 1u)
#define CALL_KEY_ABSENT (UINT32_MAX - 2u)
#define CALL_KEYS_MAX (1u << 30)

struct call_node {
	uint32_t parent;
	uint32_t key;
	uint16_t depth; /* of CALL_ROOT: 0 */
	bool nested;    /* a node above has the same key */
};

/* One cache line. Of the spans of one node: what is below them has nodes of its own. */
struct call_figures {
	uint64_t calls;  /* in units of 1/STORE_WEIGHT_ONE */
	uint64_t errors; /* likewise */
	uint64_t total_ns;
	uint64_t self_ns;
	uint64_t outer_ns; /* of those that are not nested */
	uint64_t heap_bytes;
	uint64_t min_ns;
	uint64_t max_ns;
};

struct call_tree {
	struct call_node *nodes;
	uint32_t node_count;
	uint32_t node_room;
	uint32_t node_max;
	uint32_t other_count; /* nodes below CALL_OTHER */
	uint32_t *slots;      /* node, by hash of parent and key; 0: free */
	uint32_t slot_count;
};

/* 0 or -ENOMEM. At most node_max nodes, beside those below CALL_OTHER. */
int call_tree_new(struct call_tree *tree, uint32_t node_max);
void call_tree_free(struct call_tree *tree);

/* The node of `key` below `parent`, made when there is none; with CALL_NESTED where that is so. 0 or -ENOMEM. */
int call_tree_child(struct call_tree *tree, uint32_t parent, uint32_t key, uint32_t *ret_node);

static inline bool call_tree_is_other(const struct call_tree *tree, uint32_t node) {
	return node == CALL_OTHER || (node != CALL_ROOT && tree->nodes[node].parent == CALL_OTHER);
}

/* Has the path of a node this key? */
bool call_tree_has_key(const struct call_tree *tree, uint32_t node, uint32_t key);

/* One of 64, which several keys share. */
static inline uint64_t call_tree_key_bit(uint32_t key) {
	return UINT64_C(1) << ((key * UINT32_C(0x9e3779b1)) >> 26);
}

void call_figures_add(struct call_figures *figures, const struct call_figures *more);

#endif
