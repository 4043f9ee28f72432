/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where time goes: the spans of a store that pass the filters, added up by call path (call_tree.h) or by key alone. Filters choose what counts; the paths are those of
 * whole traces, whatever the filters say of the spans above, and a self time is what is left by all children.
 *
 * PASSES. Batches are shared out among threads; the tree is one, what is added up is each thread's own. Parents in other batches (call_away.h) take two
 * cheap passes before the one that counts, self times one more after it (self_time.h).
 */
#ifndef SPANRING_ANALYZE_CALLS_H
#define SPANRING_ANALYZE_CALLS_H

#include "analyze/query.h"
#include "call_keys.h"
#include "call_tree.h"

#include <stdbool.h>
#include <stdint.h>

struct calls_question {
	enum call_by by;
	bool by_path;
	bool wants_self;
	bool wants_heap;
};

struct calls {
	struct query *query;
	struct call_keys keys;
	struct call_tree tree;        /* by path */
	struct call_figures *figures; /* by node, or by key */
	uint32_t figure_count;
	uint64_t spans;  /* counted ones, each once */
	uint64_t open;   /* left out: they never ended */
	uint64_t others; /* by path: which found no room; by key: of which it is not known whether they are nested */
	uint64_t absent; /* whose parent is not stored, whether they are counted or not */
	bool by_path;
	bool self_known;
	bool heap_known; /* some span has heap figures */
	bool estimated;  /* from records that stand for more than themselves */
};

/* 0 or a negative errno; `calls` holds something only after 0. */
int calls_read(struct query *query, const struct calls_question *question, struct calls *calls);
void calls_free(struct calls *calls);

/* Spans that stand behind a number of units. */
uint64_t calls_count(uint64_t units);

/* Lines that say what was counted and what was not, below a table. */
void calls_print_notes(const struct calls *calls);

#endif
