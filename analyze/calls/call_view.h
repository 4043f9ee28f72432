/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call tree made ready to be shown: without paths on which nothing counted, children by weight, the largest first, and what each is worth.
 *
 * VALUES of a node: `own` is what belongs to it and to no child, `wide` that and all that is below. Of
 *
 *     wall        wide is the time of its spans, or that of its children where they are more (they overlapped, outlived it, or it did not count)
 *     self, calls own is its self time, or its calls
 *     allocated   wide is what was allocated while its spans were open, or that of its children where that is more (on other threads)
 */
#ifndef SPANRING_ANALYZE_CALL_VIEW_H
#define SPANRING_ANALYZE_CALL_VIEW_H

#include "calls.h"

#include <stdbool.h>
#include <stdint.h>

enum call_value { CALL_VALUE_WALL, CALL_VALUE_SELF, CALL_VALUE_ALLOCATED, CALL_VALUE_CALLS };

struct call_view_node {
	uint32_t parent;
	uint32_t key;
	uint32_t first; /* children are first .. first + count - 1 */
	uint32_t count;
	uint32_t depth; /* of the node above all: 0 */
	uint64_t own;
	uint64_t wide;
	struct call_figures figures;
};

struct call_view {
	const struct call_keys *keys;
	struct call_view_node *nodes; /* 0 is above all; parents before children, children of one together */
	uint32_t node_count;
	uint32_t depth; /* of the deepest */
};

/*
 * root: a glob of names, or NULL. Then the outermost nodes that match are at the top, those of one name together, and what is above them is left out.
 * 0 or -ENOMEM; `view` holds something only after 0. It uses the keys of `calls`.
 */
int call_view_new(const struct calls *calls, enum call_value value, const char *root, struct call_view *view);
void call_view_free(struct call_view *view);

/* Of one whole, 0 where there is none. */
static inline double call_share(uint64_t part, uint64_t whole) {
	return whole > 0 ? (double)part / (double)whole : 0;
}

#endif
