/* SPDX-License-Identifier: Apache-2.0 */
/* A trace for people: a waterfall of names, offsets, durations and bars, with attributes and events below each span. */
#ifndef SPANRING_ANALYZE_TRACE_VIEW_H
#define SPANRING_ANALYZE_TRACE_VIEW_H

#include "trace_load.h"

#include "analyze/kernels/critical_path.h"

#include <stdio.h>

struct trace_view {
	const struct query *query;
	const struct trace *trace;
	const struct trace_tree *tree; /* built over trace.spans; only the shown nodes are drawn */
	const struct critical_path *path;
	bool attributes;
};

/* 0 or -ENOMEM. */
int trace_view_print(const struct trace_view *view, FILE *out);
/* The critical path alone, piece by piece, with its share of the trace. 0 or -ENOMEM. */
int trace_view_print_path(const struct trace_view *view, FILE *out);

#endif
