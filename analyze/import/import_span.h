/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One span on its way from a file into a store, whatever the format of the file, and where it comes from. Both are filled by a reader
 * (import_read.h), used again for the next span, and bounded: what is too much for one span is refused.
 */
#ifndef SPANRING_ANALYZE_IMPORT_SPAN_H
#define SPANRING_ANALYZE_IMPORT_SPAN_H

#include "libstore/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_ROWS_MAX 4096u             /* attributes of a span with those of its events; events; links */
#define IMPORT_TEXT_BYTES_MAX (1u << 20)  /* all names, keys and values of a span */
#define IMPORT_VALUE_BYTES_MAX (1u << 16) /* a longer string is cut and counted */
#define IMPORT_KEY_BYTES_MAX 1024u
#define IMPORT_NAME_BYTES_MAX 1024u
#define IMPORT_RESOURCE_BYTES_MAX 4096u

struct import_text {
	uint32_t at; /* in text of the span */
	uint32_t bytes;
};

struct import_attribute {
	struct import_text key;
	struct import_text string;
	uint64_t value;       /* of all other types */
	uint32_t event_index; /* 0: of the span; n: of its n-th event */
	uint8_t type;         /* SPANRING_VALUE_* */
};

struct import_event {
	struct import_text name;
	uint64_t time_ns; /* 0: not given, that of the start */
};

struct import_link {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
};

#define IMPORT_HAS_TRACE (1u << 0)
#define IMPORT_HAS_SPAN_ID (1u << 1)
#define IMPORT_HAS_START (1u << 2)
#define IMPORT_HAS_END (1u << 3)
#define IMPORT_HAS_DURATION (1u << 4)
#define IMPORT_HAS_NAME (1u << 5)

struct import_span {
	uint32_t has; /* IMPORT_HAS_* */
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id;
	uint64_t start_ns; /* since 1970 UTC, as all times here */
	uint64_t end_ns;
	uint64_t duration_ns;
	uint32_t heap_alloc_units;
	int32_t heap_net_units;
	uint32_t tid;
	uint8_t kind;
	uint8_t status;
	uint8_t flags;   /* STORE_SPAN_* */
	uint32_t weight; /* as in store_span */
	uint32_t line;
	struct import_text file;
	struct import_text name;
	struct import_text thread;
	struct import_text status_message;
	struct import_text scope;
	struct import_text scope_version;
	struct store_limits limits; /* what the file says it lost, and what was cut here */
	uint32_t attribute_count;
	uint32_t event_count;
	uint32_t link_count;
	uint32_t text_bytes;
	struct import_attribute *attributes;
	struct import_event *events;
	struct import_link *links;
	char *text;
};

/* A process, as far as the file tells. */
struct import_origin {
	uint32_t pid;
	uint32_t ppid;
	uint32_t resource_left_out;
	char service[256];
	char executable[512];
	char command[512];
	char resource[IMPORT_RESOURCE_BYTES_MAX]; /* as in store_process */
};

int import_span_new(struct import_span **ret_span);
void import_span_free(struct import_span *span);
void import_span_clear(struct import_span *span);
void import_origin_clear(struct import_origin *origin);

/* What follows returns NULL, or what was expected instead ("at most ..."). */
const char *import_span_text(struct import_span *span, const char *text, size_t bytes, struct import_text *ret_text);
const char *import_span_name(struct import_span *span, const char *text, size_t bytes, struct import_text *ret_text);
const char *import_span_event(struct import_span *span, const char *name, size_t bytes);
const char *import_span_link(struct import_span *span, const struct import_link *link);
/* Is it all there, and does it fit together? Works out the duration. */
const char *import_span_complete(struct import_span *span);

/* Where attributes go: to a span or one of its events, or, with an origin, to that as text. */
struct import_target {
	struct import_span *span;
	struct import_origin *origin; /* NULL: the span */
	uint32_t event_index;
};

const char *import_add_string(const struct import_target *target, const char *key, const char *text, size_t bytes);
const char *import_add_bool(const struct import_target *target, const char *key, bool value);
/* A number as JSON writes it: I64, U64 where only that holds it, else F64. */
const char *import_add_number(const struct import_target *target, const char *key, const char *text);
const char *import_add_double(const struct import_target *target, const char *key, const char *text);

#endif
