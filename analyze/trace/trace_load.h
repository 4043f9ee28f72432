/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trace out of a store: its spans, their attributes, events and links, wherever they lie. An attribute or event is stored when the program sets it,
 * maybe batches before its span; all of them carry the low half of the trace id, which the bloom filter of each batch knows.
 *
 * Times are monotonic inside one boot, moved by one offset to wall time, so that spans of two segments compare exactly.
 */
#ifndef SPANRING_ANALYZE_TRACE_LOAD_H
#define SPANRING_ANALYZE_TRACE_LOAD_H

#include "analyze/kernels/trace_id.h"
#include "analyze/kernels/trace_tree.h"
#include "analyze/query.h"

#include <stddef.h>
#include <stdint.h>

/* What is beyond these is left out, and `complete` is false. */
#define TRACE_LOAD_ROWS_MAX (1u << 20) /* of spans, of attributes, of events, of links */
#define TRACE_LOAD_TEXT_BYTES_MAX (64u << 20)
#define TRACE_LOAD_MATCHES_MAX 5u

struct trace_span {
	struct trace_tree_span tree; /* start is wall time */
	uint64_t place;              /* where in the store */
	uint32_t name;
	uint32_t file;
	uint32_t line;
	uint32_t scope_name; /* 0: none */
	uint32_t scope_version;
	uint32_t process; /* index + 1; 0: not known */
	uint32_t tid;
	uint32_t thread_name;
	uint32_t heap_alloc_units;
	int32_t heap_net_units;
	uint8_t kind;
	uint8_t status;
	uint8_t flags;
};

struct trace_attribute {
	uint64_t span_id;
	uint64_t value;
	size_t text_offset; /* of strings, in trace.text */
	uint32_t text_bytes;
	uint32_t key;
	uint32_t event_index;
	uint64_t place;
	uint8_t type;
};

struct trace_event {
	uint64_t span_id;
	uint64_t time_wall_ns;
	uint64_t place;
	uint32_t name;
	uint32_t event_index;
};

struct trace_link {
	uint64_t span_id;
	uint64_t linked_hi;
	uint64_t linked_lo;
	uint64_t linked_span_id;
	uint64_t place;
};

struct trace {
	uint64_t hi;
	uint64_t lo;
	struct trace_span *spans; /* in the order in which they were stored */
	uint32_t span_count;
	struct trace_attribute *attributes; /* by span, event, place; the last value of each key */
	uint32_t attribute_count;
	struct trace_event *events; /* by span, event index */
	uint32_t event_count;
	struct trace_link *links; /* by span, place */
	uint32_t link_count;
	char *text;
	bool complete;
};

/* The ids that a pattern matches, at most TRACE_LOAD_MATCHES_MAX of them; 0 or negative errno. */
struct trace_match {
	uint64_t hi;
	uint64_t lo;
};
int trace_load_matches(struct query *query, const struct trace_id_pattern *pattern,
                       struct trace_match ret_matches[TRACE_LOAD_MATCHES_MAX], size_t *ret_count);

/* 0 or negative errno; a trace without spans is not an error here. */
int trace_load(struct query *query, uint64_t hi, uint64_t lo, struct trace *ret_trace);
void trace_done(struct trace *trace);

/* First attribute of (span, event) and their number; event_index 0: those of the span itself. */
const struct trace_attribute *trace_attributes_of(const struct trace *trace, uint64_t span_id, uint32_t event_index,
                                                  size_t *ret_count);
const struct trace_event *trace_events_of(const struct trace *trace, uint64_t span_id, size_t *ret_count);
const struct trace_link *trace_links_of(const struct trace *trace, uint64_t span_id, size_t *ret_count);

#endif
