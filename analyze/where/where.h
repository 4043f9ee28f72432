/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter expressions, as --where takes them (docs/query.md):
 *
 *     duration > 5ms and (status = error or attr.http.status_code >= 500) and not name ~ "health*"
 *
 *     where_parse.c   text to a tree; no meaning yet
 *     where_check.c   what fields and values mean, which operators go with them
 *     where_bounds.c  what follows for whole batches
 *     where_eval.c    rows of a batch in, a byte for each out
 *
 * Tree, values and texts have places in one struct of fixed size: whatever is typed, nothing grows, and the depth of the tree is
 * bounded, so that evaluation may recurse.
 */
#ifndef SPANRING_ANALYZE_WHERE_H
#define SPANRING_ANALYZE_WHERE_H

#include "analyze/kernels/trace_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHERE_TEXT_BYTES_MAX 4096u
#define WHERE_NODES_MAX 128u
#define WHERE_VALUES_MAX 256u
#define WHERE_DEPTH_MAX 24u /* of parentheses and `not` */
#define WHERE_ERROR_BYTES 160u

enum where_type { WHERE_COMPARE, WHERE_AND, WHERE_OR, WHERE_NOT };

enum where_operator {
	WHERE_EQUAL,
	WHERE_NOT_EQUAL,
	WHERE_LESS,
	WHERE_LESS_EQUAL,
	WHERE_GREATER,
	WHERE_GREATER_EQUAL,
	WHERE_GLOB,
	WHERE_IN,
	WHERE_ALONE /* a field with nothing behind it */
};

enum where_field {
	WHERE_FIELD_DURATION,
	WHERE_FIELD_START,
	WHERE_FIELD_END,
	WHERE_FIELD_STATUS,
	WHERE_FIELD_KIND,
	WHERE_FIELD_NAME,
	WHERE_FIELD_SERVICE,
	WHERE_FIELD_SCOPE,
	WHERE_FIELD_TRACE,
	WHERE_FIELD_SPAN,
	WHERE_FIELD_PARENT,
	WHERE_FIELD_THREAD,
	WHERE_FIELD_THREAD_NAME,
	WHERE_FIELD_PID,
	WHERE_FIELD_HEAP_ALLOCATED,
	WHERE_FIELD_HEAP_NET,
	WHERE_FIELD_EVENT_NAME,
	WHERE_FIELD_UNFINISHED,
	WHERE_FIELD_ATTRIBUTE
};

enum where_value_kind { WHERE_VALUE_TEXT, WHERE_VALUE_NUMBER, WHERE_VALUE_BOOL };

struct where_value {
	uint32_t text; /* offset in texts, zero-terminated there */
	uint32_t text_bytes;
	uint32_t column; /* of its first character, from 0, in bytes */
	bool quoted;
	/* where_check: */
	enum where_value_kind kind; /* of attributes */
	int64_t number;             /* ns, bytes, a number, or 0 and 1 */
	long double real;           /* of attributes: wide enough for 64-bit whole numbers and doubles */
	struct trace_id_pattern pattern;
};

struct where_node {
	enum where_type type;
	uint32_t left; /* node; of `not` the only one */
	uint32_t right;
	/* WHERE_COMPARE: */
	uint32_t field_text; /* offset in texts; of an attribute its key after where_check */
	uint32_t column;
	uint32_t operator_column;
	enum where_operator op;
	enum where_field field; /* where_check */
	uint32_t value;         /* first, and how many */
	uint32_t value_count;
};

struct where {
	struct where_node nodes[WHERE_NODES_MAX];
	uint32_t node_count;
	uint32_t root;
	struct where_value values[WHERE_VALUES_MAX];
	uint32_t value_count;
	char texts[2 * WHERE_TEXT_BYTES_MAX];
	uint32_t text_bytes;
	uint32_t levels; /* masks that an evaluation needs at the same time */
};

struct where_error {
	uint32_t column; /* in bytes, from 0 */
	char text[WHERE_ERROR_BYTES];
};

/* 0, or -EINVAL with what was expected and where. On failure *ret_where is of no use. */
int where_parse(const char *text, struct where *ret_where, struct where_error *ret_error);

/* now_wall_ns: what "ago" counts from. 0, or -EINVAL. */
int where_check(struct where *where, uint64_t now_wall_ns, struct where_error *ret_error);

/* What every span that passes keeps to: batches that cannot hold one need not be read. Of a checked expression. */
struct where_bounds {
	uint64_t duration_ns_min;
	uint64_t since_wall_ns; /* of its end */
	uint64_t until_wall_ns; /* of its start; UINT64_MAX: none */
	bool has_trace;
	uint64_t trace_lo;
};
struct where_bounds where_get_bounds(const struct where *where);

static inline const char *where_text(const struct where *where, uint32_t offset) {
	return &where->texts[offset];
}

#endif
