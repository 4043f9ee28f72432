/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include "base/checked.h"
#include "base/errs.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BYTES_MAX 32u

enum { TRACE_DIGITS = 32, TRACE_LOW_DIGITS = 16 };

struct filter_condition {
	enum filter_field field;
	unsigned char op;
	const char *word;
};

static const struct filter_condition conditions[] = {
    {FILTER_START, SQLITE_INDEX_CONSTRAINT_EQ, "start_ns="},
    {FILTER_START, SQLITE_INDEX_CONSTRAINT_GE, "start_ns>="},
    {FILTER_START, SQLITE_INDEX_CONSTRAINT_GT, "start_ns>"},
    {FILTER_START, SQLITE_INDEX_CONSTRAINT_LE, "start_ns<="},
    {FILTER_START, SQLITE_INDEX_CONSTRAINT_LT, "start_ns<"},
    {FILTER_END, SQLITE_INDEX_CONSTRAINT_EQ, "end_ns="},
    {FILTER_END, SQLITE_INDEX_CONSTRAINT_GE, "end_ns>="},
    {FILTER_END, SQLITE_INDEX_CONSTRAINT_GT, "end_ns>"},
    {FILTER_END, SQLITE_INDEX_CONSTRAINT_LE, "end_ns<="},
    {FILTER_END, SQLITE_INDEX_CONSTRAINT_LT, "end_ns<"},
    {FILTER_DURATION, SQLITE_INDEX_CONSTRAINT_EQ, "duration_ns="},
    {FILTER_DURATION, SQLITE_INDEX_CONSTRAINT_GE, "duration_ns>="},
    {FILTER_DURATION, SQLITE_INDEX_CONSTRAINT_GT, "duration_ns>"},
    {FILTER_DURATION, SQLITE_INDEX_CONSTRAINT_LE, "duration_ns<="},
    {FILTER_DURATION, SQLITE_INDEX_CONSTRAINT_LT, "duration_ns<"},
    {FILTER_TRACE, SQLITE_INDEX_CONSTRAINT_EQ, "trace_id="},
    {FILTER_TRACE_LOW, SQLITE_INDEX_CONSTRAINT_EQ, "trace_id_low="},
    {FILTER_NAME, SQLITE_INDEX_CONSTRAINT_EQ, "name="},
    {FILTER_NAME, SQLITE_INDEX_CONSTRAINT_GLOB, "name~"},
    {FILTER_SERVICE, SQLITE_INDEX_CONSTRAINT_EQ, "service="},
    {FILTER_SERVICE, SQLITE_INDEX_CONSTRAINT_GLOB, "service~"},
    {FILTER_PROCESS, SQLITE_INDEX_CONSTRAINT_EQ, "process="},
    {FILTER_KEY, SQLITE_INDEX_CONSTRAINT_EQ, "key="},
    {FILTER_KEY, SQLITE_INDEX_CONSTRAINT_GLOB, "key~"},
};
#define CONDITION_COUNT (sizeof(conditions) / sizeof(conditions[0]))

const char *filter_word(enum filter_field field, unsigned char op) {
	for (size_t i = 0; i < CONDITION_COUNT && field != FILTER_NONE; i++)
		if (conditions[i].field == field && conditions[i].op == op)
			return conditions[i].word;
	return NULL;
}

static const struct filter_condition *condition_of(const char *word, size_t bytes) {
	for (size_t i = 0; i < CONDITION_COUNT; i++)
		if (strlen(conditions[i].word) == bytes && memcmp(conditions[i].word, word, bytes) == 0)
			return &conditions[i];
	return NULL;
}

/* A number that bounds whole ones, rounded outwards by the caller's choice; false if it is none. */
static bool bound_of(sqlite3_value *value, bool up, uint64_t *ret_bound) {
	if (sqlite3_value_type(value) == SQLITE_INTEGER) {
		sqlite3_int64 number = sqlite3_value_int64(value);
		*ret_bound = number > 0 ? (uint64_t)number : 0;
		return true;
	}
	if (sqlite3_value_type(value) != SQLITE_FLOAT)
		return false;
	double number = sqlite3_value_double(value);
	if (number >= 9e18)
		*ret_bound = up ? UINT64_MAX : (uint64_t)INT64_MAX / 2;
	else
		*ret_bound = number > 0 ? (uint64_t)number + up : 0;
	return true;
}

void filter_bounds(unsigned char op, sqlite3_value *value, uint64_t *min, uint64_t *max) {
	uint64_t bound = 0;
	if (op != SQLITE_INDEX_CONSTRAINT_LE && op != SQLITE_INDEX_CONSTRAINT_LT && bound_of(value, false, &bound) &&
	    bound > *min)
		*min = bound;
	if (op != SQLITE_INDEX_CONSTRAINT_GE && op != SQLITE_INDEX_CONSTRAINT_GT && bound_of(value, true, &bound) &&
	    bound < *max && bound < INT64_MAX) /* where shown values end: those above are shown as this one */
		*max = bound;
}

static const char *text_of(sqlite3_value *value) {
	return sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
}

static bool hex_of(const char *text, uint64_t *ret_value) {
	uint64_t value = 0;
	for (unsigned i = 0; i < TRACE_LOW_DIGITS; i++) {
		const char *digit = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;
		if (!digit)
			return false;
		value = value << 4 | (uint64_t)(digit - "0123456789abcdef");
	}
	*ret_value = value;
	return true;
}

/* Ids are shown in one spelling only: any other text is equal to none. */
static void take_trace(struct filter *filter, const char *text, bool low) {
	uint64_t lo = 0;
	uint64_t hi = 0;
	size_t digits = low ? TRACE_LOW_DIGITS : TRACE_DIGITS;
	if (!text)
		return;
	bool sound =
	    strlen(text) == digits && (low || hex_of(text, &hi)) && hex_of(text + digits - TRACE_LOW_DIGITS, &lo);
	if (!sound || (filter->has_trace && filter->trace_lo != lo)) {
		filter->nothing = true;
		return;
	}
	filter->has_trace = true;
	filter->trace_lo = lo;
	if (!low) {
		filter->nothing |= filter->has_trace_hi && filter->trace_hi != hi;
		filter->has_trace_hi = true;
		filter->trace_hi = hi;
	}
}

static bool matches(const struct filter_condition *condition, const char *wanted, const char *text) {
	return condition->op == SQLITE_INDEX_CONSTRAINT_GLOB ? sqlite3_strglob(wanted, text) == 0
	                                                     : strcmp(wanted, text) == 0;
}

/* Texts are shown with U+FFFD for what is not UTF-8: those are left to SQLite. */
static bool is_plain(const char *text) {
	uint32_t code_point;
	for (size_t left = strlen(text); left > 0;) {
		size_t bytes = text_utf8_sequence(text, left, &code_point);
		if (bytes == 0)
			return false;
		text += bytes;
		left -= bytes;
	}
	return true;
}

/* A first set of ids, or what an earlier condition left of it. */
static int narrow(uint8_t **set, size_t count) {
	if (*set)
		return 0;
	*set = malloc(count + 1);
	if (!*set)
		return -ENOMEM;
	memset(*set, 1, count + 1);
	return 0;
}

static int take_name(uint8_t **set, const struct store_overview *overview, const struct filter_condition *condition,
                     const char *wanted) {
	if (!wanted)
		return 0;
	if (narrow(set, overview->name_count))
		return -ENOMEM;
	(*set)[0] = 0;
	for (uint32_t id = 1; id <= overview->name_count; id++)
		if ((*set)[id] && is_plain(overview->names[id]))
			(*set)[id] = matches(condition, wanted, overview->names[id]);
	return 0;
}

static int take_service(struct filter *filter, const struct store_overview *overview,
                        const struct filter_condition *condition, const char *wanted) {
	if (!wanted)
		return 0;
	if (narrow(&filter->processes, overview->process_count))
		return -ENOMEM;
	filter->processes[0] = 0;
	for (size_t i = 0; i < overview->process_count; i++)
		if (filter->processes[i + 1] && is_plain(overview->processes[i].service))
			filter->processes[i + 1] = matches(condition, wanted, overview->processes[i].service);
	return 0;
}

static int take_process(struct filter *filter, const struct store_overview *overview, sqlite3_value *value) {
	if (sqlite3_value_type(value) != SQLITE_INTEGER)
		return 0;
	sqlite3_int64 wanted = sqlite3_value_int64(value);
	if (narrow(&filter->processes, overview->process_count))
		return -ENOMEM;
	for (size_t id = 0; id <= overview->process_count; id++)
		filter->processes[id] &= (sqlite3_int64)id == wanted;
	return 0;
}

static int take(struct filter *filter, const struct store_overview *overview, const struct filter_condition *condition,
                sqlite3_value *value) {
	switch (condition->field) {
	case FILTER_START:
		filter_bounds(condition->op, value, &filter->start_ns_min, &filter->start_ns_max);
		return 0;
	case FILTER_END:
		filter_bounds(condition->op, value, &filter->end_ns_min, &filter->end_ns_max);
		return 0;
	case FILTER_DURATION:
		filter_bounds(condition->op, value, &filter->duration_ns_min, &filter->duration_ns_max);
		return 0;
	case FILTER_TRACE:
	case FILTER_TRACE_LOW:
		take_trace(filter, text_of(value), condition->field == FILTER_TRACE_LOW);
		return 0;
	case FILTER_NAME:
		return take_name(&filter->names, overview, condition, text_of(value));
	case FILTER_KEY:
		return take_name(&filter->keys, overview, condition, text_of(value));
	case FILTER_SERVICE:
		return take_service(filter, overview, condition, text_of(value));
	case FILTER_PROCESS:
		return take_process(filter, overview, value);
	case FILTER_NONE:
		break;
	}
	return 0;
}

int filter_make(struct filter *filter, const struct store_overview *overview, const char *words,
                sqlite3_value *const *values, int value_count) {
	struct filter fresh = {.start_ns_max = UINT64_MAX, .end_ns_max = UINT64_MAX, .duration_ns_max = UINT64_MAX};
	*filter = fresh;
	for (int i = 0; i < value_count && words && *words; i++) {
		size_t bytes = strcspn(words, " ");
		const struct filter_condition *condition = condition_of(words, bytes);
		if (condition && sqlite3_value_type(values[i]) == SQLITE_NULL)
			filter->nothing = true; /* no comparison with NULL is true */
		else if (condition && take(filter, overview, condition, values[i]))
			return -ENOMEM;
		words += bytes + (words[bytes] == ' ');
	}
	filter->nothing |= filter->start_ns_min > filter->start_ns_max || filter->end_ns_min > filter->end_ns_max ||
	                   filter->duration_ns_min > filter->duration_ns_max;
	return 0;
}

void filter_clear(struct filter *filter) {
	free(filter->names);
	free(filter->processes);
	free(filter->keys);
	memset(filter, 0, sizeof(*filter));
}

void filter_scan(const struct filter *filter, struct store_scan *scan) {
	/* A batch that ends before, or begins after, has no such span. */
	scan->since_wall_ns = filter->start_ns_min > filter->end_ns_min ? filter->start_ns_min : filter->end_ns_min;
	scan->until_wall_ns = filter->start_ns_max < filter->end_ns_max ? filter->start_ns_max : filter->end_ns_max;
	if (scan->until_wall_ns == UINT64_MAX)
		scan->until_wall_ns = 0;
	scan->duration_ns_min = filter->duration_ns_min;
	scan->has_trace = filter->has_trace;
	scan->trace_lo = filter->trace_lo;
}

uint32_t filter_columns(const char *words) {
	static const uint32_t columns[] = {
	    [FILTER_START] = STORE_COLUMN_START,    [FILTER_DURATION] = STORE_COLUMN_DURATION,
	    [FILTER_TRACE] = STORE_COLUMN_TRACE,    [FILTER_TRACE_LOW] = STORE_COLUMN_TRACE,
	    [FILTER_NAME] = STORE_COLUMN_SITE,      [FILTER_SERVICE] = STORE_COLUMN_THREAD,
	    [FILTER_PROCESS] = STORE_COLUMN_THREAD, [FILTER_KEY] = 0};
	uint32_t wanted = 0;
	while (words && *words) {
		size_t bytes = strcspn(words, " ");
		const struct filter_condition *condition = condition_of(words, bytes);
		wanted |= condition ? columns[condition->field] : 0;
		words += bytes + (words[bytes] == ' ');
	}
	return wanted;
}

static bool accepts_ids(const struct filter *filter, const struct store_columns *columns, uint32_t row) {
	const struct store_segment_view *segment = columns->segment;
	if (filter->names) {
		uint32_t site = columns->site[row];
		if (!filter->names[site <= segment->site_count ? segment->sites[site].name : 0])
			return false;
	}
	if (filter->processes) {
		uint32_t thread = columns->thread[row];
		if (!filter->processes[thread <= segment->thread_count ? segment->threads[thread].process : 0])
			return false;
	}
	return true;
}

bool filter_accepts_span(const struct filter *filter, const struct store_columns *columns, uint32_t row) {
	if (filter->has_trace && columns->trace_lo[row] != filter->trace_lo)
		return false;
	if (filter->has_trace_hi && columns->trace_hi[row] != filter->trace_hi)
		return false;
	if (filter->duration_ns_min > 0 && columns->duration_ns[row] < filter->duration_ns_min)
		return false;
	if (filter->start_ns_min > 0 || filter->start_ns_max < UINT64_MAX) {
		uint64_t start_ns = saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns);
		if (start_ns < filter->start_ns_min || start_ns > filter->start_ns_max)
			return false;
	}
	return accepts_ids(filter, columns, row);
}

bool filter_accepts_segment(const struct filter *filter, const struct store_segment_view *segment) {
	bool name = !filter->names;
	bool process = !filter->processes;
	for (uint32_t i = 0; i <= segment->site_count && !name; i++)
		name = filter->names[segment->sites[i].name];
	for (uint32_t i = 0; i <= segment->thread_count && !process; i++)
		process = filter->processes[segment->threads[i].process];
	return name && process;
}
