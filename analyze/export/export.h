/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of a store as a stream in a format that others read. export_run finds the spans that are asked for, puts their attributes, events and links to
 * them wherever they are stored, and gives one whole span after the other to a format, which writes it. Nothing grows with the store.
 *
 * ORDER: segments by their numbers, batches as they were committed, in a batch the spans of a trace together and by start (docs/store-format.md); formats
 * that nest spans in processes (`grouped`) have those of a batch by process and scope first. Attributes are in order of their keys, events as they happened,
 * links as they were made.
 */
#ifndef SPANRING_ANALYZE_EXPORT_H
#define SPANRING_ANALYZE_EXPORT_H

#include "export_strays.h"
#include "export_text.h"

#include "analyze/query.h"

#include <stdbool.h>
#include <stdio.h>

struct export_value {
	const char *key;
	const char *text;
	uint64_t value;
	uint64_t batch; /* that it came in, and where in it: a key that was set twice has its last value */
	uint32_t arrival;
	uint32_t text_bytes;
	uint32_t event_index; /* 0: of the span; n: of its n-th event */
	uint8_t type;         /* SPANRING_VALUE_* */
};

struct export_event {
	const char *name;
	uint64_t time_wall_ns;
	uint64_t batch;
	uint32_t index;
	uint32_t arrival;
};

struct export_link {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t batch;
	uint32_t arrival;
};

struct export_span {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id; /* 0: root */
	uint64_t start_wall_ns;
	uint64_t duration_ns;
	const char *name; /* texts: never NULL */
	const char *file;
	const char *scope;
	const char *scope_version;
	const char *thread;
	uint32_t line;
	uint32_t tid;
	uint32_t process;                              /* index + 1; 0: not known */
	const struct store_process_view *process_view; /* NULL: not known */
	uint32_t weight;
	uint32_t heap_alloc_units;
	int32_t heap_net_units;
	uint8_t kind;
	uint8_t status;
	uint8_t flags;                     /* STORE_SPAN_* */
	uint32_t row;                      /* of the batch at hand */
	const struct export_value *values; /* by event_index, then key */
	uint32_t value_count;
	const struct export_event *events;
	uint32_t event_count;
	const struct export_link *links;
	uint32_t link_count;
};

struct export_run;

/* 0 or a negative errno each; any of them may be NULL but `span`. */
struct export_format {
	const char *name;
	const char *summary;
	bool grouped;        /* by process and scope within a batch */
	bool no_details;     /* of events and links: it cannot carry them */
	bool wants_children; /* cross-thread parents: `child` is called */
	int (*open)(struct export_run *run);
	/* The first pass: a batch, of which observe_row says which rows are asked for. Only with attributes. */
	int (*observe)(struct export_run *run, const struct store_columns *columns);
	int (*begin)(struct export_run *run);
	int (*batch)(struct export_run *run, const struct store_columns *columns); /* before its spans */
	int (*span)(struct export_run *run, const struct export_span *span);
	/* A child that was stored in another batch than this parent, on another thread or not. */
	int (*child)(struct export_run *run, const struct export_span *parent, const struct export_stray *child);
	int (*end)(struct export_run *run);
	void (*close)(struct export_run *run);
};

struct export_run {
	struct query *query;
	const struct export_format *format;
	FILE *out;
	bool details;   /* attributes, events and links are wanted */
	uint64_t limit; /* 0: none */
	struct export_text text;
	void *state; /* of the format */
	uint64_t span_count;
};

extern const struct export_format export_jsonl;
extern const struct export_format export_csv;
extern const struct export_format export_otlp;
extern const struct export_format export_chrome;

/*
 * Write all of it. 0, a negative errno, or what the format returned. ERR_LIMIT: more than EXPORT_STRAYS_MAX rows lie apart from their spans; nothing is
 * written then.
 */
int export_run(struct export_run *run);

/* Wall time of a moment in a segment; segments of one boot share one clock. */
uint64_t export_wall_ns(const struct export_run *run, const struct store_segment_view *segment, uint64_t time_ns);
/* Where in the batch at hand a span is; UINT32_MAX: it is not. Only with format.wants_children. */
uint32_t export_row_of(const struct export_run *run, const struct store_columns *columns, uint64_t trace_lo,
                       uint64_t span_id);

/* "ended", "unfinished", "open": as the table spans of SQL has it. */
const char *export_state_text(uint8_t flags);

#endif
