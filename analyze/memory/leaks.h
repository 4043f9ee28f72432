/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory leaks: which span names leave heap behind.
 *
 * NET of a span is what its thread allocated while it was open, less what that thread freed. Its children are part of it; so the outermost spans
 * would always come first. OWN is net without that of the direct children on the same thread, and is what names are ranked by.
 *
 * What that cannot know: memory that another thread frees later counts as left behind, and in that thread as freed too much. A cache that fills
 * leaves memory behind, too, but not for ever. So a name is called growing only when the mean of its spans is above 0 with its whole 95 %
 * interval, and it left memory behind in most parts of the time in which it ran.
 *
 * METHOD. Two passes. A span ends after its children, so these may be in an earlier batch than it: the first pass collects, by the parent's id,
 * the net of children whose parent is not in their batch, at most LEAKS_STRAYS_MAX parents; the second takes it off.
 */
#ifndef SPANRING_ANALYZE_LEAKS_H
#define SPANRING_ANALYZE_LEAKS_H

#include "analyze/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAKS_PARTS 16u
#define LEAKS_STRAYS_MAX (1u << 20)
#define LEAKS_SPANS_MIN 30u /* with fewer there is no verdict */
#define LEAKS_PARTS_MIN 4u  /* likewise, of parts in which spans ended */
#define LEAKS_RANGE_NS_MIN UINT64_C(2000000000)

enum leak_verdict { LEAK_SHORT, LEAK_STABLE, LEAK_ONCE, LEAK_GROWING };

/* Sums in units of SPANRING_HEAP_UNIT_BYTES. */
struct leak {
	uint32_t name;
	uint64_t count;
	int64_t net;
	int64_t own;
	double own_square;
	int64_t parts[LEAKS_PARTS]; /* own of the spans that ended in each */
	uint64_t part_spans[LEAKS_PARTS];
	/* Bytes: */
	double mean;
	double mean_low;
	double mean_high;
	enum leak_verdict verdict;
};

struct leak_strays;

struct leaks {
	struct query *query;
	struct leak *lines; /* by name id while reading, then dense, by falling own */
	size_t line_count;
	uint64_t start_wall_ns;
	uint64_t end_wall_ns;
	struct leak_strays *strays;
	bool own_known; /* else own is net: there were too many strays */
	int64_t *own;   /* of the rows at hand */
	uint32_t own_room;
};

/* has_none: it is known that no span counted its heap. 0 or a negative errno. */
int leaks_read(struct query *query, bool has_none, struct leaks *ret_leaks);
void leaks_done(struct leaks *leaks);
/* 0 or -ENOMEM. */
int leaks_print(const struct leaks *leaks);

#endif
