/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The critical path of a trace: at each moment the span that the end of the trace waited for. Make one of its pieces shorter, and the trace ends earlier.
 *
 * It is found backwards. It begins at the end of the span that ends last (of several the one nearest the root). From a moment t in a span S it goes to
 * that child of S which ended last before t, or at t: since then S ran by itself, and before that S waited for the child, whose own path is
 * followed from its end to its start; there it is back in S. Where no child is left, S has the rest down to its start, and its parent goes on from there.
 *
 *     children that overlap            the last to end is waited for; those that ended while it ran are not
 *     a child that was running at t    S did not wait for it: it is not on the path (async, or it outlives its parent)
 *     a child that ends last of all    is where the path begins, also if its parents ended before; between the end of a parent and the start of
 *                                      such a child no span is on the path (gap)
 *     a child before its parent        (clocks that differ) counts from the start of its parent on
 *     spans that never ended           end when their process was found dead
 *     several tops                     stand to the trace as children to their parent
 */
#ifndef SPANRING_ANALYZE_CRITICAL_PATH_H
#define SPANRING_ANALYZE_CRITICAL_PATH_H

#include "trace_tree.h"

#include <stdbool.h>
#include <stdint.h>

struct critical_piece {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t span; /* index */
};

struct critical_path {
	struct critical_piece *pieces; /* in order of time, none empty, none overlapping */
	uint32_t piece_count;
	uint64_t *span_ns; /* by span: its time on the path */
	bool *on_path;     /* by span: also those that only waited */
	uint64_t path_ns;  /* sum over the spans */
	uint64_t trace_ns; /* from the first start to the last end; path_ns and gaps */
};

/* The tree is of these spans. 0 or -ENOMEM. */
int critical_path_find(const struct trace_tree *tree, const struct trace_tree_span *spans,
                       struct critical_path *ret_path);
void critical_path_done(struct critical_path *path);

#endif
