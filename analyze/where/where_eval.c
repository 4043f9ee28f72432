/* SPDX-License-Identifier: Apache-2.0 */
#include "where_eval.h"

#include "libstore/batch.h"

#include "base/checked.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <assert.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct where_filter {
	const struct where *where;
	const struct store_overview *overview;
	struct span_values *values;
	uint32_t columns;
	uint8_t *wanted[WHERE_NODES_MAX]; /* comparisons of texts: by id of names, of services by process */
	uint32_t slot[WHERE_NODES_MAX];   /* comparisons of attributes */
	uint8_t *masks;                   /* of BATCH_SPANS_MAX each; the first is the caller's */
	bool is_shared;                   /* wanted is another filter's */
};

/* --- binding ----------------------------------------------------------------------------------------------------- */

static const uint32_t field_columns[] = {
    [WHERE_FIELD_DURATION] = STORE_COLUMN_DURATION,
    [WHERE_FIELD_START] = STORE_COLUMN_START,
    [WHERE_FIELD_END] = STORE_COLUMN_START | STORE_COLUMN_DURATION,
    [WHERE_FIELD_STATUS] = STORE_COLUMN_STATUS,
    [WHERE_FIELD_KIND] = STORE_COLUMN_KIND,
    [WHERE_FIELD_NAME] = STORE_COLUMN_SITE,
    [WHERE_FIELD_SERVICE] = STORE_COLUMN_THREAD,
    [WHERE_FIELD_SCOPE] = STORE_COLUMN_SITE,
    [WHERE_FIELD_TRACE] = STORE_COLUMN_TRACE,
    [WHERE_FIELD_SPAN] = STORE_COLUMN_SPAN_ID,
    [WHERE_FIELD_PARENT] = STORE_COLUMN_PARENT_ID,
    [WHERE_FIELD_THREAD] = STORE_COLUMN_THREAD,
    [WHERE_FIELD_THREAD_NAME] = STORE_COLUMN_THREAD,
    [WHERE_FIELD_PID] = STORE_COLUMN_THREAD,
    [WHERE_FIELD_HEAP_ALLOCATED] = STORE_COLUMN_HEAP | STORE_COLUMN_FLAGS,
    [WHERE_FIELD_HEAP_NET] = STORE_COLUMN_HEAP | STORE_COLUMN_FLAGS,
    [WHERE_FIELD_EVENT_NAME] = 0, /* span_values */
    [WHERE_FIELD_UNFINISHED] = STORE_COLUMN_FLAGS,
    [WHERE_FIELD_ATTRIBUTE] = 0,
};

static bool text_passes(const struct where *where, const struct where_node *node, const char *text) {
	for (uint32_t v = node->value; v < node->value + node->value_count; v++) {
		const char *wanted = where_text(where, where->values[v].text);
		bool same = node->op == WHERE_GLOB ? fnmatch(wanted, text, 0) == 0 : strcmp(wanted, text) == 0;
		if (same)
			return node->op != WHERE_NOT_EQUAL;
	}
	return node->op == WHERE_NOT_EQUAL;
}

static uint8_t *wanted_names(const struct where_filter *filter, const struct where_node *node) {
	const struct store_overview *overview = filter->overview;
	uint8_t *wanted = malloc((size_t)overview->name_count + 1);
	for (uint32_t id = 0; wanted && id <= overview->name_count; id++)
		wanted[id] = text_passes(filter->where, node, overview->names[id]);
	return wanted;
}

/* By process + 1; 0 is one that is not known. */
static uint8_t *wanted_services(const struct where_filter *filter, const struct where_node *node) {
	const struct store_overview *overview = filter->overview;
	uint8_t *wanted = calloc(overview->process_count + 1, 1);
	for (size_t i = 0; wanted && i < overview->process_count; i++)
		wanted[i + 1] = text_passes(filter->where, node, overview->processes[i].service);
	return wanted;
}

static uint32_t find_name(const struct store_overview *overview, const char *text) {
	for (uint32_t id = 1; id <= overview->name_count; id++)
		if (strcmp(overview->names[id], text) == 0)
			return id;
	return 0;
}

static int bind_comparison(struct where_filter *filter, uint32_t index) {
	const struct where_node *node = &filter->where->nodes[index];
	filter->columns |= field_columns[node->field];
	switch (node->field) {
	case WHERE_FIELD_ATTRIBUTE:
		return span_values_want(filter->values,
		                        find_name(filter->overview, where_text(filter->where, node->field_text)),
		                        &filter->slot[index]);
	case WHERE_FIELD_EVENT_NAME:
		span_values_want_events(filter->values);
		filter->wanted[index] = wanted_names(filter, node);
		return filter->wanted[index] ? 0 : -ENOMEM;
	case WHERE_FIELD_NAME:
	case WHERE_FIELD_SCOPE:
	case WHERE_FIELD_THREAD_NAME:
		filter->wanted[index] = wanted_names(filter, node);
		return filter->wanted[index] ? 0 : -ENOMEM;
	case WHERE_FIELD_SERVICE:
		filter->wanted[index] = wanted_services(filter, node);
		return filter->wanted[index] ? 0 : -ENOMEM;
	default:
		return 0;
	}
}

int where_bind(const struct where *where, const struct store_overview *overview, struct where_filter **ret_filter) {
	struct where_filter *filter = calloc(1, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	filter->where = where;
	filter->overview = overview;
	int error = span_values_new(&filter->values);
	filter->masks = malloc((size_t)where->levels * BATCH_SPANS_MAX);
	if (!filter->masks)
		error = -ENOMEM;
	for (uint32_t i = 0; i < where->node_count && !error; i++)
		if (where->nodes[i].type == WHERE_COMPARE)
			error = bind_comparison(filter, i);
	if (error) {
		where_filter_free(filter);
		return error;
	}
	filter->columns |= span_values_columns(filter->values);
	*ret_filter = filter;
	return 0;
}

int where_filter_share(const struct where_filter *filter, struct where_filter **ret_filter) {
	struct where_filter *shared = malloc(sizeof(*shared));
	if (!shared)
		return -ENOMEM;
	*shared = *filter;
	shared->is_shared = true;
	shared->values = NULL;
	shared->masks = malloc((size_t)filter->where->levels * BATCH_SPANS_MAX);
	int error = shared->masks ? span_values_share(filter->values, &shared->values) : -ENOMEM;
	if (error) {
		where_filter_free(shared);
		return error;
	}
	*ret_filter = shared;
	return 0;
}

void where_filter_free(struct where_filter *filter) {
	if (!filter)
		return;
	for (uint32_t i = 0; i < WHERE_NODES_MAX && !filter->is_shared; i++)
		free(filter->wanted[i]);
	span_values_free(filter->values);
	free(filter->masks);
	free(filter);
}

uint32_t where_columns(const struct where_filter *filter) {
	return filter->columns;
}

uint32_t where_observes(const struct where_filter *filter) {
	return span_values_columns(filter->values);
}

int where_observe(struct where_filter *filter, const struct store_columns *columns) {
	return span_values_observe(filter->values, columns);
}

/* --- comparisons ------------------------------------------------------------------------------------------------- */

static bool order_passes(enum where_operator op, int order) {
	switch (op) {
	case WHERE_EQUAL:
	case WHERE_IN:
		return order == 0;
	case WHERE_NOT_EQUAL:
		return order != 0;
	case WHERE_LESS:
		return order < 0;
	case WHERE_LESS_EQUAL:
		return order <= 0;
	case WHERE_GREATER:
		return order > 0;
	case WHERE_GREATER_EQUAL:
		return order >= 0;
	case WHERE_GLOB:
	case WHERE_ALONE:
		break;
	}
	return false;
}

static bool number_passes(const struct where *where, const struct where_node *node, int64_t number) {
	for (uint32_t v = node->value; v < node->value + node->value_count; v++) {
		int64_t wanted = where->values[v].number;
		if (order_passes(node->op, (number > wanted) - (number < wanted)))
			return true;
	}
	return false;
}

static int64_t to_signed(uint64_t number) {
	return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static const struct store_site *site_of(const struct store_columns *columns, uint32_t row) {
	static const struct store_site unknown;
	uint32_t site = columns->site[row];
	return site > 0 && site <= columns->segment->site_count ? &columns->segment->sites[site] : &unknown;
}

/* NULL: not known. */
static const struct store_thread *thread_of(const struct store_columns *columns, uint32_t row) {
	uint32_t thread = columns->thread[row];
	return thread > 0 && thread <= columns->segment->thread_count ? &columns->segment->threads[thread] : NULL;
}

static uint32_t process_of(const struct where_filter *filter, const struct store_columns *columns, uint32_t row) {
	const struct store_thread *thread = thread_of(columns, row);
	return thread && thread->process <= filter->overview->process_count ? thread->process : 0;
}

static uint64_t wall_of(const struct store_columns *columns, uint64_t time_ns) {
	return saturating_add(time_ns, columns->segment->wall_offset_ns);
}

/* Fields that are a number; false: the span has none. */
static bool get_number(const struct where_filter *filter, enum where_field field, const struct store_columns *columns,
                       uint32_t row, int64_t *ret_number) {
	const struct store_thread *thread = NULL;
	uint32_t process = 0;
	switch (field) {
	case WHERE_FIELD_DURATION:
		*ret_number = to_signed(columns->duration_ns[row]);
		return true;
	case WHERE_FIELD_START:
		*ret_number = to_signed(wall_of(columns, columns->start_ns[row]));
		return true;
	case WHERE_FIELD_END:
		*ret_number =
		    to_signed(wall_of(columns, saturating_add(columns->start_ns[row], columns->duration_ns[row])));
		return true;
	case WHERE_FIELD_STATUS:
		*ret_number = columns->status[row];
		return true;
	case WHERE_FIELD_KIND:
		*ret_number = columns->kind[row];
		return true;
	case WHERE_FIELD_SPAN:
		*ret_number = (int64_t)columns->span_id[row];
		return true;
	case WHERE_FIELD_PARENT:
		*ret_number = (int64_t)columns->parent_id[row];
		return true;
	case WHERE_FIELD_THREAD:
		thread = thread_of(columns, row);
		*ret_number = thread ? thread->tid : 0;
		return thread != NULL;
	case WHERE_FIELD_PID:
		process = process_of(filter, columns, row);
		*ret_number = process ? filter->overview->processes[process - 1].pid : 0;
		return process != 0;
	case WHERE_FIELD_HEAP_ALLOCATED:
		*ret_number = (int64_t)columns->heap_alloc_units[row] * (int64_t)SPANRING_HEAP_UNIT_BYTES;
		return (columns->flags[row] & STORE_SPAN_HEAP) != 0;
	case WHERE_FIELD_HEAP_NET:
		*ret_number = (int64_t)columns->heap_net_units[row] * (int64_t)SPANRING_HEAP_UNIT_BYTES;
		return (columns->flags[row] & STORE_SPAN_HEAP) != 0;
	default:
		return false;
	}
}

static void compare_numbers(const struct where_filter *filter, const struct where_node *node,
                            const struct store_columns *columns, uint8_t *mask) {
	for (uint32_t row = 0; row < columns->span_count; row++) {
		int64_t number = 0;
		mask[row] = get_number(filter, node->field, columns, row, &number) &&
		            number_passes(filter->where, node, number);
	}
}

/* The one that is asked most, so that the compiler can make a loop without branches of it. */
static void compare_duration(const struct where_filter *filter, const struct where_node *node,
                             const struct store_columns *columns, uint8_t *mask) {
	uint64_t wanted = (uint64_t)filter->where->values[node->value].number;
	const uint64_t *duration_ns = columns->duration_ns;
	if (node->op == WHERE_GREATER)
		for (uint32_t row = 0; row < columns->span_count; row++)
			mask[row] = duration_ns[row] > wanted;
	else if (node->op == WHERE_GREATER_EQUAL)
		for (uint32_t row = 0; row < columns->span_count; row++)
			mask[row] = duration_ns[row] >= wanted;
	else
		compare_numbers(filter, node, columns, mask);
}

static void compare_texts(const struct where_filter *filter, uint32_t index, const struct store_columns *columns,
                          uint8_t *mask) {
	const struct where_node *node = &filter->where->nodes[index];
	const uint8_t *wanted = filter->wanted[index];
	for (uint32_t row = 0; row < columns->span_count; row++) {
		uint32_t id = 0;
		if (node->field == WHERE_FIELD_SERVICE) {
			id = process_of(filter, columns, row);
		} else if (node->field == WHERE_FIELD_THREAD_NAME) {
			const struct store_thread *thread = thread_of(columns, row);
			id = thread ? thread->name : 0;
		} else {
			const struct store_site *site = site_of(columns, row);
			id = node->field == WHERE_FIELD_NAME ? site->name : site->scope_name;
		}
		bool known = node->field == WHERE_FIELD_SERVICE || id <= filter->overview->name_count;
		mask[row] = wanted[known ? id : 0];
	}
}

static void compare_traces(const struct where_filter *filter, const struct where_node *node,
                           const struct store_columns *columns, uint8_t *mask) {
	for (uint32_t row = 0; row < columns->span_count; row++) {
		bool same = false;
		for (uint32_t v = node->value; v < node->value + node->value_count && !same; v++)
			same = trace_id_matches(&filter->where->values[v].pattern, columns->trace_hi[row],
			                        columns->trace_lo[row]);
		mask[row] = same != (node->op == WHERE_NOT_EQUAL);
	}
}

static void compare_flags(const struct where_filter *filter, const struct where_node *node,
                          const struct store_columns *columns, uint8_t *mask) {
	bool wanted = node->op == WHERE_ALONE || filter->where->values[node->value].number;
	if (node->op == WHERE_NOT_EQUAL)
		wanted = !wanted;
	for (uint32_t row = 0; row < columns->span_count; row++)
		mask[row] = ((columns->flags[row] & (STORE_SPAN_OPEN | STORE_SPAN_UNFINISHED)) != 0) == wanted;
}

/* True when any event of the span passes. */
static void compare_events(const struct where_filter *filter, uint32_t index, const struct store_columns *columns,
                           uint8_t *mask) {
	uint32_t count = 0;
	const struct span_event *events = span_values_events(filter->values, &count);
	memset(mask, 0, columns->span_count);
	for (uint32_t i = 0; i < count; i++)
		if (events[i].name <= filter->overview->name_count && filter->wanted[index][events[i].name])
			mask[events[i].row] = 1;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static bool is_number(const struct span_value *value, long double *ret_real) {
	double real;
	switch (value->type) {
	case SPANRING_VALUE_I64:
		*ret_real = (long double)(int64_t)value->value;
		return true;
	case SPANRING_VALUE_U64:
		*ret_real = (long double)value->value;
		return true;
	case SPANRING_VALUE_F64:
		memcpy(&real, &value->value, sizeof(real));
		*ret_real = (long double)real;
		return real == real; /* what is not a number is not equal, less or greater */
	default:
		return false;
	}
}

/* Bytes in order; the shorter of equal beginnings first. */
static int compare_bytes(const char *left, uint32_t left_bytes, const char *right, uint32_t right_bytes) {
	uint32_t common = left_bytes < right_bytes ? left_bytes : right_bytes;
	int order = common ? memcmp(left, right, common) : 0;
	if (order == 0)
		order = (left_bytes > right_bytes) - (left_bytes < right_bytes);
	return order;
}

/* fnmatch wants an end, and attributes hold any bytes: what is behind a zero byte does not match. */
static bool glob_passes(const char *glob, const struct span_value *value) {
	char text[SPANRING_STRING_VALUE_MAX + 1];
	if (value->text_bytes >= sizeof(text) || (value->text_bytes && memchr(value->text, 0, value->text_bytes)))
		return false;
	if (value->text_bytes)
		memcpy(text, value->text, value->text_bytes);
	text[value->text_bytes] = 0;
	return fnmatch(glob, text, 0) == 0;
}

/* Values of different types are not equal, and neither is less. */
static bool value_passes(const struct where *where, enum where_operator op, const struct where_value *wanted,
                         const struct span_value *value) {
	const char *text = where_text(where, wanted->text);
	long double real = 0;
	bool is_text = value->type == SPANRING_VALUE_STRING;
	if (op == WHERE_GLOB)
		return is_text && glob_passes(text, value);
	if (wanted->kind == WHERE_VALUE_TEXT && is_text)
		return order_passes(op, compare_bytes(value->text, value->text_bytes, text, wanted->text_bytes));
	if (wanted->kind == WHERE_VALUE_BOOL && value->type == SPANRING_VALUE_BOOL)
		return order_passes(op, (int)(value->value != 0) - (int)wanted->number);
	if (wanted->kind == WHERE_VALUE_NUMBER && is_number(value, &real))
		return order_passes(op, (real > wanted->real) - (real < wanted->real));
	return op == WHERE_NOT_EQUAL;
}

static void compare_attributes(const struct where_filter *filter, uint32_t index, const struct store_columns *columns,
                               uint8_t *mask) {
	const struct where *where = filter->where;
	const struct where_node *node = &where->nodes[index];
	for (uint32_t row = 0; row < columns->span_count; row++) {
		struct span_value value = span_values_get(filter->values, columns, filter->slot[index], row);
		bool passes = value.type != 0 && node->op == WHERE_ALONE;
		for (uint32_t v = node->value; value.type && !passes && v < node->value + node->value_count; v++)
			passes = value_passes(where, node->op, &where->values[v], &value);
		mask[row] = passes;
	}
}

/* --- tree -------------------------------------------------------------------------------------------------------- */

static void compare(const struct where_filter *filter, uint32_t index, const struct store_columns *columns,
                    uint8_t *mask) {
	const struct where_node *node = &filter->where->nodes[index];
	switch (node->field) {
	case WHERE_FIELD_ATTRIBUTE:
		compare_attributes(filter, index, columns, mask);
		return;
	case WHERE_FIELD_EVENT_NAME:
		compare_events(filter, index, columns, mask);
		return;
	case WHERE_FIELD_NAME:
	case WHERE_FIELD_SERVICE:
	case WHERE_FIELD_SCOPE:
	case WHERE_FIELD_THREAD_NAME:
		compare_texts(filter, index, columns, mask);
		return;
	case WHERE_FIELD_TRACE:
		compare_traces(filter, node, columns, mask);
		return;
	case WHERE_FIELD_UNFINISHED:
		compare_flags(filter, node, columns, mask);
		return;
	case WHERE_FIELD_DURATION:
		compare_duration(filter, node, columns, mask);
		return;
	default:
		compare_numbers(filter, node, columns, mask);
	}
}

/* Recursion is bounded by the number of nodes, masks by where.levels. */
static void evaluate(const struct where_filter *filter, uint32_t index, const struct store_columns *columns,
                     uint32_t level, uint8_t *mask) {
	const struct where_node *node = &filter->where->nodes[index];
	if (node->type == WHERE_COMPARE) {
		compare(filter, index, columns, mask);
		return;
	}
	evaluate(filter, node->left, columns, level, mask);
	if (node->type == WHERE_NOT) {
		for (uint32_t row = 0; row < columns->span_count; row++)
			mask[row] ^= 1;
		return;
	}
	assert(level + 1 < filter->where->levels);
	uint8_t *right = filter->masks + (size_t)(level + 1) * BATCH_SPANS_MAX;
	evaluate(filter, node->right, columns, level + 1, right);
	for (uint32_t row = 0; row < columns->span_count; row++)
		mask[row] = node->type == WHERE_AND ? mask[row] & right[row] : mask[row] | right[row];
}

int where_rows(struct where_filter *filter, const struct store_columns *columns, uint8_t *ret_keep) {
	int error = where_observes(filter) ? span_values_place(filter->values, columns) : 0;
	if (!error)
		evaluate(filter, filter->where->root, columns, 0, ret_keep);
	return error;
}
