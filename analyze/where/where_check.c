/* SPDX-License-Identifier: Apache-2.0 */
#include "where.h"

#include "analyze/kernels/time_point.h"

#include "base/suggest.h"
#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_PREFIX "attr."

enum type {
	TYPE_DURATION,
	TYPE_TIME,
	TYPE_STATUS,
	TYPE_KIND,
	TYPE_TEXT,
	TYPE_TRACE,
	TYPE_ID,
	TYPE_NUMBER,
	TYPE_BYTES,
	TYPE_FLAG,
	TYPE_ATTRIBUTE
};

static const struct field {
	const char *word;
	enum type type;
} fields[] = {
    [WHERE_FIELD_DURATION] = {"duration", TYPE_DURATION},
    [WHERE_FIELD_START] = {"start", TYPE_TIME},
    [WHERE_FIELD_END] = {"end", TYPE_TIME},
    [WHERE_FIELD_STATUS] = {"status", TYPE_STATUS},
    [WHERE_FIELD_KIND] = {"kind", TYPE_KIND},
    [WHERE_FIELD_NAME] = {"name", TYPE_TEXT},
    [WHERE_FIELD_SERVICE] = {"service", TYPE_TEXT},
    [WHERE_FIELD_SCOPE] = {"scope", TYPE_TEXT},
    [WHERE_FIELD_TRACE] = {"trace", TYPE_TRACE},
    [WHERE_FIELD_SPAN] = {"span", TYPE_ID},
    [WHERE_FIELD_PARENT] = {"parent", TYPE_ID},
    [WHERE_FIELD_THREAD] = {"thread", TYPE_NUMBER},
    [WHERE_FIELD_THREAD_NAME] = {"thread.name", TYPE_TEXT},
    [WHERE_FIELD_PID] = {"pid", TYPE_NUMBER},
    [WHERE_FIELD_HEAP_ALLOCATED] = {"heap.allocated", TYPE_BYTES},
    [WHERE_FIELD_HEAP_NET] = {"heap.net", TYPE_BYTES},
    [WHERE_FIELD_EVENT_NAME] = {"event.name", TYPE_TEXT},
    [WHERE_FIELD_UNFINISHED] = {"unfinished", TYPE_FLAG},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* Which operators a type has, as bits, and how to say so. */
#define BIT(op) (1u << (op))
#define EQUALITY (BIT(WHERE_EQUAL) | BIT(WHERE_NOT_EQUAL) | BIT(WHERE_IN))
#define ORDER (BIT(WHERE_LESS) | BIT(WHERE_LESS_EQUAL) | BIT(WHERE_GREATER) | BIT(WHERE_GREATER_EQUAL))
static const struct {
	uint32_t operators;
	const char *words;
	const char *value; /* what is expected behind them */
} types[] = {
    [TYPE_DURATION] = {EQUALITY | ORDER, "= != < <= > >= or in", "a duration like 5ms or 1.5s"},
    [TYPE_TIME] = {EQUALITY | ORDER, "= != < <= > >= or in",
                   "a time like 2026-11-20T18:43:30Z, or how long ago, like 10m"},
    [TYPE_STATUS] = {EQUALITY, "= != or in", "unset, ok or error"},
    [TYPE_KIND] = {EQUALITY, "= != or in", "internal, server, client, producer or consumer"},
    [TYPE_TEXT] = {EQUALITY | BIT(WHERE_GLOB), "= != ~ or in", "a text"},
    [TYPE_TRACE] = {EQUALITY, "= != or in", "4 to 32 hexadecimal digits of a trace id, or a traceparent"},
    [TYPE_ID] = {EQUALITY, "= != or in", "16 hexadecimal digits of a span id, or none"},
    [TYPE_NUMBER] = {EQUALITY | ORDER, "= != < <= > >= or in", "a whole number"},
    [TYPE_BYTES] = {EQUALITY | ORDER, "= != < <= > >= or in", "a number of bytes like 4096, 64KiB or -1MiB"},
    [TYPE_FLAG] = {BIT(WHERE_EQUAL) | BIT(WHERE_NOT_EQUAL) | BIT(WHERE_ALONE), "= != or nothing", "true or false"},
    [TYPE_ATTRIBUTE] = {EQUALITY | ORDER | BIT(WHERE_GLOB) | BIT(WHERE_ALONE), "= != < <= > >= ~ in or nothing",
                        "a value"},
};

__attribute__((format(printf, 3, 4))) static int refuse(struct where_error *error, uint32_t column, const char *format,
                                                        ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	error->column = column;
	return -EINVAL;
}

static int find_field(struct where *where, struct where_node *node, enum type *ret_type, struct where_error *error) {
	const char *known[FIELD_COUNT];
	const char *word = where_text(where, node->field_text);
	size_t prefix = strlen(ATTRIBUTE_PREFIX);
	if (strncmp(word, ATTRIBUTE_PREFIX, prefix) == 0 && word[prefix] != 0) {
		node->field = WHERE_FIELD_ATTRIBUTE;
		node->field_text += (uint32_t)prefix;
		*ret_type = TYPE_ATTRIBUTE;
		return 0;
	}
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		known[i] = fields[i].word;
		if (strcmp(word, fields[i].word) != 0)
			continue;
		node->field = (enum where_field)i;
		*ret_type = fields[i].type;
		return 0;
	}
	const char *nearest = suggest_nearest(word, known, FIELD_COUNT);
	if (nearest)
		return refuse(error, node->column, "unknown field '%.40s': did you mean '%s'?", word, nearest);
	return refuse(
	    error, node->column,
	    "unknown field '%.40s': expected duration, start, end, status, kind, name, service, ... or attr.KEY", word);
}

/* One of a list of words, by its number. */
static int number_of_word(const char *word, const char *(*text_of)(uint8_t), int64_t *ret_number) {
	for (uint8_t i = 0; i < 8; i++) {
		if (strcmp(text_of(i), word) != 0)
			continue;
		*ret_number = i;
		return 0;
	}
	return -EINVAL;
}

static int read_number(const char *text, int64_t *ret_number) {
	char *end = NULL;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || errno != 0)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int read_bytes(const char *text, int64_t *ret_number) {
	bool negative = *text == '-';
	uint64_t bytes = 0;
	if (units_parse_bytes(text + negative, &bytes) != 0)
		return -EINVAL;
	*ret_number = negative ? -(int64_t)bytes : (int64_t)bytes;
	return 0;
}

static int read_unsigned(int (*parse)(const char *text, uint64_t *ret_value), const char *text, int64_t *ret_number) {
	uint64_t value = 0;
	if (parse(text, &value) != 0 || value > INT64_MAX)
		return -EINVAL;
	*ret_number = (int64_t)value;
	return 0;
}

static int read_time(const char *text, uint64_t now_wall_ns, int64_t *ret_number) {
	uint64_t wall_ns = 0;
	if (time_point_parse(text, now_wall_ns, &wall_ns) != 0 || wall_ns > INT64_MAX)
		return -EINVAL;
	*ret_number = (int64_t)wall_ns;
	return 0;
}

static int read_id(const char *text, int64_t *ret_number) {
	char *end = NULL;
	if (strcmp(text, "none") == 0) {
		*ret_number = 0;
		return 0;
	}
	if (strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16)
		return -EINVAL;
	*ret_number = (int64_t)strtoull(text, &end, 16);
	return 0;
}

static int read_flag(const char *text, int64_t *ret_number) {
	*ret_number = strcmp(text, "true") == 0;
	return *ret_number || strcmp(text, "false") == 0 ? 0 : -EINVAL;
}

/* Unquoted, a number is a number and true and false are truths; all else is text. */
static void read_attribute(const char *text, bool is_text, struct where_value *value) {
	char *end = NULL;
	value->kind = WHERE_VALUE_TEXT;
	if (is_text)
		return;
	if (read_flag(text, &value->number) == 0) {
		value->kind = WHERE_VALUE_BOOL;
		return;
	}
	if (strspn(text, "0123456789+-.eE") != strlen(text))
		return;
	long double real = strtold(text, &end);
	if (end == text || *end != 0 || !isfinite(real))
		return;
	value->kind = WHERE_VALUE_NUMBER;
	value->real = real;
}

static int check_value(const struct where *where, const struct where_node *node, enum type type, uint64_t now_wall_ns,
                       struct where_value *value) {
	const char *text = where_text(where, value->text);
	switch (type) {
	case TYPE_DURATION:
		return read_unsigned(units_parse_duration, text, &value->number);
	case TYPE_TIME:
		return read_time(text, now_wall_ns, &value->number);
	case TYPE_STATUS:
		return number_of_word(text, trace_status_text, &value->number);
	case TYPE_KIND:
		return number_of_word(text, trace_kind_text, &value->number);
	case TYPE_TRACE:
		return trace_id_parse(text, &value->pattern);
	case TYPE_ID:
		return read_id(text, &value->number);
	case TYPE_NUMBER:
		return read_number(text, &value->number);
	case TYPE_BYTES:
		return read_bytes(text, &value->number);
	case TYPE_FLAG:
		return read_flag(text, &value->number);
	case TYPE_ATTRIBUTE:
		read_attribute(text, value->quoted || node->op == WHERE_GLOB, value);
		return 0;
	case TYPE_TEXT:
		return 0;
	}
	return -EINVAL;
}

int where_check(struct where *where, uint64_t now_wall_ns, struct where_error *ret_error) {
	for (uint32_t i = 0; i < where->node_count; i++) {
		struct where_node *node = &where->nodes[i];
		enum type type = TYPE_TEXT;
		if (node->type != WHERE_COMPARE)
			continue;
		if (find_field(where, node, &type, ret_error) != 0)
			return -EINVAL;
		if (!(types[type].operators & BIT(node->op)))
			return refuse(ret_error, node->operator_column, "expected %s behind %s", types[type].words,
			              type == TYPE_ATTRIBUTE ? "an attribute" : fields[node->field].word);
		for (uint32_t v = node->value; v < node->value + node->value_count; v++) {
			struct where_value *value = &where->values[v];
			if (check_value(where, node, type, now_wall_ns, value) != 0)
				return refuse(ret_error, value->column, "expected %s, not '%.40s'", types[type].value,
				              where_text(where, value->text));
		}
	}
	return 0;
}
