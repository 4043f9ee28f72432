/* SPDX-License-Identifier: Apache-2.0 */
/* The tables `attributes`, `events` and `links`. They name their span by the low half of its trace id and its own id, as the store does. */
#include "table.h"
#include "value.h"

#include "base/checked.h"

#include <spanring/record.h>

#include <string.h>

/* The first columns of all three. */
enum { TRACE_ID_LOW, SPAN_ID, SEGMENT, BATCH, OWN };

#define COMMON_COLUMNS                                                                                                 \
	[TRACE_ID_LOW] = {"trace_id_low TEXT", 0, FILTER_TRACE_LOW}, [SPAN_ID] = {"span_id TEXT", 0, FILTER_NONE},     \
	[SEGMENT] = {"segment INTEGER HIDDEN", 0, FILTER_NONE}, [BATCH] = {"batch INTEGER HIDDEN", 0, FILTER_NONE}

static void give_common(const struct sql_cursor *cursor, sqlite3_context *context, int column, uint64_t trace_lo,
                        uint64_t span_id) {
	if (column == TRACE_ID_LOW || column == SPAN_ID)
		value_id(context, column == SPAN_ID ? span_id : trace_lo);
	else
		value_u64(context, column == SEGMENT ? cursor->batch.segment->sequence : cursor->batch.batch);
}

static const char *name_of(const struct sql_cursor *cursor, uint32_t name) {
	const struct store_overview *overview = cursor->source->overview;
	return overview->names[name <= overview->name_count ? name : 0];
}

enum { ATTRIBUTE_EVENT_INDEX = OWN, ATTRIBUTE_KEY, ATTRIBUTE_TYPE, ATTRIBUTE_VALUE };

static const struct sql_column attribute_columns[] = {
    COMMON_COLUMNS,
    [ATTRIBUTE_EVENT_INDEX] = {"event_index INTEGER", 0, FILTER_NONE},
    [ATTRIBUTE_KEY] = {"key TEXT", 0, FILTER_KEY},
    [ATTRIBUTE_TYPE] = {"type TEXT", 0, FILTER_NONE},
    [ATTRIBUTE_VALUE] = {"value", 0, FILTER_NONE},
};

static void give_attribute_value(const struct sql_cursor *cursor, sqlite3_context *context,
                                 const struct store_attribute *attribute) {
	double number;
	switch (attribute->type) {
	case SPANRING_VALUE_BOOL:
		sqlite3_result_int(context, attribute->value != 0);
		break;
	case SPANRING_VALUE_F64:
		memcpy(&number, &attribute->value, sizeof(number));
		sqlite3_result_double(context, number);
		break;
	case SPANRING_VALUE_STRING:
		value_text_n(context, cursor->batch.text + attribute->value, attribute->text_bytes);
		break;
	case SPANRING_VALUE_U64:
		/* beyond a whole number of SQLite, rather rounded than cut off */
		if (attribute->value > INT64_MAX)
			sqlite3_result_double(context, (double)attribute->value);
		else
			value_u64(context, attribute->value);
		break;
	default:
		sqlite3_result_int64(context, (sqlite3_int64)attribute->value);
	}
}

static const char *type_text(uint8_t type) {
	static const char *const words[] = {[SPANRING_VALUE_BOOL] = "bool",
	                                    [SPANRING_VALUE_I64] = "int",
	                                    [SPANRING_VALUE_U64] = "uint",
	                                    [SPANRING_VALUE_F64] = "double",
	                                    [SPANRING_VALUE_STRING] = "string"};
	return type < sizeof(words) / sizeof(words[0]) && words[type] ? words[type] : "unknown";
}

static void give_attribute(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_attribute *attribute = &cursor->batch.attributes[cursor->row];
	switch (column) {
	case ATTRIBUTE_EVENT_INDEX:
		if (attribute->event_index)
			value_u64(context, attribute->event_index);
		break;
	case ATTRIBUTE_KEY:
		value_text(context, name_of(cursor, attribute->key));
		break;
	case ATTRIBUTE_TYPE:
		value_word(context, type_text(attribute->type));
		break;
	case ATTRIBUTE_VALUE:
		give_attribute_value(cursor, context, attribute);
		break;
	default:
		give_common(cursor, context, column, attribute->trace_lo, attribute->span_id);
	}
}

static uint64_t attribute_size(const struct source_sizes *sizes) {
	return sizes->attributes;
}

const struct sql_table table_attributes = {
    .name = "attributes",
    .from = SQL_ATTRIBUTES,
    .columns = attribute_columns,
    .column_count = sizeof(attribute_columns) / sizeof(attribute_columns[0]),
    .size = attribute_size,
    .value = give_attribute,
};

enum { EVENT_INDEX = OWN, EVENT_NAME, EVENT_TIME_NS };

static const struct sql_column event_columns[] = {
    COMMON_COLUMNS,
    [EVENT_INDEX] = {"event_index INTEGER", 0, FILTER_NONE},
    [EVENT_NAME] = {"name TEXT", 0, FILTER_NAME},
    [EVENT_TIME_NS] = {"time_ns INTEGER", 0, FILTER_NONE},
};

static void give_event(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_event *event = &cursor->batch.events[cursor->row];
	switch (column) {
	case EVENT_INDEX:
		value_u64(context, event->event_index);
		break;
	case EVENT_NAME:
		value_text(context, name_of(cursor, event->name));
		break;
	case EVENT_TIME_NS:
		value_u64(context, saturating_add(event->time_ns, cursor->batch.segment->wall_offset_ns));
		break;
	default:
		give_common(cursor, context, column, event->trace_lo, event->span_id);
	}
}

static uint64_t event_size(const struct source_sizes *sizes) {
	return sizes->events;
}

const struct sql_table table_events = {
    .name = "events",
    .from = SQL_EVENTS,
    .columns = event_columns,
    .column_count = sizeof(event_columns) / sizeof(event_columns[0]),
    .size = event_size,
    .value = give_event,
};

enum { LINK_TRACE_ID = OWN, LINK_SPAN_ID };

static const struct sql_column link_columns[] = {
    COMMON_COLUMNS,
    [LINK_TRACE_ID] = {"linked_trace_id TEXT", 0, FILTER_NONE},
    [LINK_SPAN_ID] = {"linked_span_id TEXT", 0, FILTER_NONE},
};

static void give_link(const struct sql_cursor *cursor, sqlite3_context *context, int column) {
	const struct store_link *link = &cursor->batch.links[cursor->row];
	if (column == LINK_TRACE_ID)
		value_trace(context, link->linked_trace_hi, link->linked_trace_lo);
	else if (column == LINK_SPAN_ID)
		value_id(context, link->linked_span_id);
	else
		give_common(cursor, context, column, link->trace_lo, link->span_id);
}

static uint64_t link_size(const struct source_sizes *sizes) {
	return sizes->links;
}

const struct sql_table table_links = {
    .name = "links",
    .from = SQL_LINKS,
    .columns = link_columns,
    .column_count = sizeof(link_columns) / sizeof(link_columns[0]),
    .size = link_size,
    .value = give_link,
};
