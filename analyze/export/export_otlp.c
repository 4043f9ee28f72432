/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP in JSON: lines that are an ExportTraceServiceRequest each, as the Collector's file exporter writes them, so that a line can be posted to
 * /v1/traces as it stands. A request holds one resource (a process) and at most REQUEST_SPANS_MAX spans of a batch, scope after scope.
 *
 * Attributes K.0, K.1, ... up to some number, without K itself, become one list K: that is what import makes of a list, so lists come back as they were.
 * What OTLP has no field for is written as attributes of names that import knows: the thread, the source line, heap bytes, spanring.state.
 */
#include "export_origin.h"

#include <spanring/record.h>
#include <spanring/spanring.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_SPANS_MAX 512u
#define HEAP_UNIT_BYTES 16
#define FLAG_SAMPLED 0x01u
#define FLAG_HAS_REMOTE 0x100u /* the next one says something */
#define FLAG_REMOTE 0x200u
#define STATUS_DESCRIPTION "otel.status_description"
#define INDEX_DIGITS_MAX 5u
#define KEY_ROOM 2048u /* longer keys are no lists */

struct otlp {
	struct export_origins *origins;
	uint32_t request_spans; /* of the request that is open; 0: none is */
	uint32_t process;
	const char *scope; /* texts of the store, and the same for the same scope */
	const char *scope_version;
	uint8_t *listed; /* of the values at hand */
	uint32_t listed_room;
};

static void put_text(struct export_text *text, const char *key, const char *value, size_t bytes) {
	export_put_word(text, "{\"key\":");
	export_put_json_word(text, key);
	export_put_word(text, ",\"value\":{\"stringValue\":");
	export_put_json(text, value, bytes);
	export_put_word(text, "}}");
}

static void put_integer(struct export_text *text, const char *key, int64_t value) {
	export_put_word(text, "{\"key\":");
	export_put_json_word(text, key);
	export_put_word(text, ",\"value\":{\"intValue\":\"");
	export_put_i64(text, value);
	export_put_word(text, "\"}}");
}

/* --- resource and scope ------------------------------------------------------------------------------------------ */

static void put_pair(struct export_text *text, const char *key, const char *value, size_t bytes) {
	export_put_word(text, text->bytes[text->count - 1] == '[' ? "" : ",");
	if (strcmp(key, "process.parent_pid") == 0)
		put_integer(text, key, strtoll(value, NULL, 10));
	else
		put_text(text, key, value, bytes);
}

/* "resource":{...} */
static void put_resource(struct export_text *text, const struct store_process_view *process) {
	export_put_word(text, "\"resource\":{\"attributes\":[");
	put_text(text, "service.name", process->service, strlen(process->service));
	if (process->pid) {
		export_put(text, ",", 1);
		put_integer(text, "process.pid", process->pid);
	}
	if (!text->failed)
		export_resource(text, process, put_pair);
	export_put(text, "]", 1);
	if (process->resource_left_out) {
		export_put_word(text, ",\"droppedAttributesCount\":");
		export_put_u64(text, process->resource_left_out);
	}
	export_put(text, "}", 1);
}

static void close_request(struct export_run *run) {
	struct otlp *otlp = run->state;
	if (otlp->request_spans > 0)
		export_put_word(&run->text, "]}]}]}\n");
	otlp->request_spans = 0;
}

static void open_scope(struct export_run *run, const struct export_span *span) {
	struct otlp *otlp = run->state;
	struct export_text *text = &run->text;
	otlp->scope = span->scope;
	otlp->scope_version = span->scope_version;
	export_put_word(text, "{");
	if (span->scope[0]) {
		export_put_word(text, "\"scope\":{\"name\":");
		export_put_json_word(text, span->scope);
		if (span->scope_version[0]) {
			export_put_word(text, ",\"version\":");
			export_put_json_word(text, span->scope_version);
		}
		export_put_word(text, "},");
	}
	export_put_word(text, "\"spans\":[");
}

static int open_request(struct export_run *run, const struct export_span *span) {
	struct otlp *otlp = run->state;
	const char *resource =
	    span->process ? export_origin(otlp->origins, span->process, put_resource) : "\"resource\":{}";
	if (!resource)
		return -ENOMEM;
	otlp->process = span->process;
	export_put_word(&run->text, "{\"resourceSpans\":[{");
	export_put_word(&run->text, resource);
	export_put_word(&run->text, ",\"scopeSpans\":[");
	open_scope(run, span);
	return 0;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

static void put_any(struct export_text *text, const struct export_value *value) {
	double number;
	switch (value->type) {
	case SPANRING_VALUE_STRING:
		export_put_word(text, "{\"stringValue\":");
		export_put_json(text, value->text, value->text_bytes);
		break;
	case SPANRING_VALUE_BOOL:
		export_put_word(text, value->value ? "{\"boolValue\":true" : "{\"boolValue\":false");
		break;
	case SPANRING_VALUE_F64:
		memcpy(&number, &value->value, sizeof(number));
		export_put_word(text, "{\"doubleValue\":");
		export_put_f64(text, number);
		break;
	case SPANRING_VALUE_I64:
		export_put_word(text, "{\"intValue\":\"");
		export_put_i64(text, (int64_t)value->value);
		export_put(text, "\"", 1);
		break;
	default:
		/* there is no unsigned type: beyond the signed one it is written all the same, as import reads it */
		export_put_word(text, "{\"intValue\":\"");
		export_put_u64(text, value->value);
		export_put(text, "\"", 1);
	}
	export_put(text, "}", 1);
}

/* One among the values of (span, event) by its key; they are in order of keys. */
static const struct export_value *find_value(const struct export_value *values, uint32_t count, const char *key) {
	uint32_t low = 0;
	uint32_t high = count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(values[middle].key, key);
		if (order == 0)
			return &values[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static const struct export_value *find_item(const struct export_value *values, uint32_t count, const char *key,
                                            size_t stem, uint32_t index) {
	char wanted[KEY_ROOM];
	(void)snprintf(wanted, sizeof(wanted), "%.*s.%" PRIu32, (int)stem, key, index);
	return find_value(values, count, wanted);
}

/* Bytes of K if the key is K.<number> and K can be a list; 0: it is none. */
static size_t stem_of(const char *key, uint32_t *ret_index) {
	const char *point = strrchr(key, '.');
	size_t bytes = strlen(key);
	if (!point || point == key || bytes + INDEX_DIGITS_MAX >= KEY_ROOM)
		return 0;
	const char *digits = point + 1;
	size_t count = strlen(digits);
	if (count == 0 || count > INDEX_DIGITS_MAX || strspn(digits, "0123456789") != count ||
	    (*digits == '0' && count > 1))
		return 0;
	*ret_index = (uint32_t)strtoul(digits, NULL, 10);
	return (size_t)(point - key);
}

/* Which of the values of (span, event) are in a list that its first item writes. */
static int mark_lists(struct otlp *otlp, const struct export_value *values, uint32_t count) {
	char whole[KEY_ROOM];
	if (count > otlp->listed_room) {
		uint8_t *grown = realloc(otlp->listed, 2 * (size_t)count);
		if (!grown)
			return -ENOMEM;
		otlp->listed = grown;
		otlp->listed_room = 2 * count;
	}
	memset(otlp->listed, 0, count);
	for (uint32_t v = 0; v < count; v++) {
		const struct export_value *item = &values[v];
		uint32_t index = 0;
		size_t stem = stem_of(values[v].key, &index);
		if (stem == 0 || index != 0)
			continue;
		(void)snprintf(whole, sizeof(whole), "%.*s", (int)stem, values[v].key);
		if (find_value(values, count, whole))
			continue;
		for (uint32_t i = 0; item; item = find_item(values, count, values[v].key, stem, ++i))
			otlp->listed[item - values] = true;
	}
	return 0;
}

static void put_list(struct export_text *text, const struct export_value *values, uint32_t count, const char *key,
                     size_t stem) {
	const struct export_value *item;
	export_put_word(text, "{\"key\":");
	export_put_json(text, key, stem);
	export_put_word(text, ",\"value\":{\"arrayValue\":{\"values\":[");
	for (uint32_t i = 0; (item = find_item(values, count, key, stem, i)); i++) {
		export_put_word(text, i ? "," : "");
		put_any(text, item);
	}
	export_put_word(text, "]}}}");
}

static void separate(struct export_text *text) {
	export_put_word(text, text->count > 0 && text->bytes[text->count - 1] == '[' ? "" : ",");
}

static bool is_message(const struct export_value *value) {
	return value->event_index == 0 && value->type == SPANRING_VALUE_STRING &&
	       strcmp(value->key, STATUS_DESCRIPTION) == 0;
}

static int put_values(struct export_run *run, const struct export_value *values, uint32_t count) {
	struct otlp *otlp = run->state;
	struct export_text *text = &run->text;
	int rc = mark_lists(otlp, values, count);
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		uint32_t index = 0;
		size_t stem = otlp->listed[i] ? stem_of(values[i].key, &index) : 0;
		if (index > 0 || is_message(&values[i]))
			continue;
		separate(text);
		if (stem > 0) {
			put_list(text, values, count, values[i].key, stem);
			continue;
		}
		export_put_word(text, "{\"key\":");
		export_put_json_word(text, values[i].key);
		export_put_word(text, ",\"value\":");
		put_any(text, &values[i]);
		export_put(text, "}", 1);
	}
	return rc;
}

static const struct export_value *values_of(const struct export_span *span, uint32_t event_index, uint32_t *ret_count) {
	uint32_t first = 0;
	while (first < span->value_count && span->values[first].event_index < event_index)
		first++;
	uint32_t end = first;
	while (end < span->value_count && span->values[end].event_index == event_index)
		end++;
	*ret_count = end - first;
	return span->values + first;
}

/* What has a column here and none there. */
static void put_columns(struct export_text *text, const struct export_span *span) {
	if (span->thread[0]) {
		separate(text);
		put_text(text, "thread.name", span->thread, strlen(span->thread));
	}
	if (span->tid) {
		separate(text);
		put_integer(text, "thread.id", span->tid);
	}
	if (span->flags & STORE_SPAN_HEAP) {
		separate(text);
		put_integer(text, "spanring.heap_allocated_bytes", (int64_t)span->heap_alloc_units * HEAP_UNIT_BYTES);
		separate(text);
		put_integer(text, "spanring.heap_net_bytes", (int64_t)span->heap_net_units * HEAP_UNIT_BYTES);
	}
	if (span->flags & (STORE_SPAN_OPEN | STORE_SPAN_UNFINISHED)) {
		const char *state = export_state_text(span->flags);
		separate(text);
		put_text(text, "spanring.state", state, strlen(state));
	}
	if (span->weight != 0 && span->weight != STORE_WEIGHT_ONE) {
		separate(text);
		export_put_word(text, "{\"key\":\"spanring.weight\",\"value\":{\"doubleValue\":");
		export_put_f64(text, (double)span->weight / STORE_WEIGHT_ONE);
		export_put_word(text, "}}");
	}
}

static void put_source(struct export_text *text, const struct export_span *span, const struct export_value *values,
                       uint32_t count) {
	if (!span->file[0] || find_value(values, count, "code.file.path"))
		return;
	separate(text);
	put_text(text, "code.file.path", span->file, strlen(span->file));
	if (span->line && !find_value(values, count, "code.line.number")) {
		separate(text);
		put_integer(text, "code.line.number", span->line);
	}
}

static int put_attributes(struct export_run *run, const struct export_span *span) {
	uint32_t count = 0;
	const struct export_value *values = values_of(span, 0, &count);
	export_put_word(&run->text, ",\"attributes\":[");
	int rc = put_values(run, values, count);
	put_source(&run->text, span, values, count);
	put_columns(&run->text, span);
	export_put(&run->text, "]", 1);
	return rc;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

static void put_time(struct export_text *text, const char *key, uint64_t wall_ns) {
	export_put_word(text, ",\"");
	export_put_word(text, key);
	export_put_word(text, "\":\"");
	export_put_u64(text, wall_ns);
	export_put(text, "\"", 1);
}

static int put_events(struct export_run *run, const struct export_span *span) {
	struct export_text *text = &run->text;
	int rc = 0;
	export_put_word(text, ",\"events\":[");
	for (uint32_t i = 0; i < span->event_count && rc == 0; i++) {
		const struct export_event *event = &span->events[i];
		uint32_t count = 0;
		const struct export_value *values = values_of(span, event->index, &count);
		export_put_word(text, i ? ",{\"name\":" : "{\"name\":");
		export_put_json_word(text, event->name);
		put_time(text, "timeUnixNano", event->time_wall_ns);
		if (count > 0) {
			export_put_word(text, ",\"attributes\":[");
			rc = put_values(run, values, count);
			export_put(text, "]", 1);
		}
		export_put(text, "}", 1);
	}
	export_put(text, "]", 1);
	return rc;
}

static void put_id(struct export_text *text, const char *key, bool trace, uint64_t hi, uint64_t lo) {
	export_put_word(text, key);
	if (trace)
		export_put_id(text, hi);
	export_put_id(text, lo);
	export_put(text, "\"", 1);
}

static void put_links(struct export_text *text, const struct export_span *span) {
	export_put_word(text, ",\"links\":[");
	for (uint32_t i = 0; i < span->link_count; i++) {
		const struct export_link *link = &span->links[i];
		put_id(text, i ? ",{\"traceId\":\"" : "{\"traceId\":\"", true, link->trace_hi, link->trace_lo);
		put_id(text, ",\"spanId\":\"", false, 0, link->span_id);
		export_put(text, "}", 1);
	}
	export_put(text, "]", 1);
}

static void put_status(struct export_text *text, const struct export_span *span) {
	uint32_t count = 0;
	const struct export_value *values = values_of(span, 0, &count);
	const struct export_value *message = find_value(values, count, STATUS_DESCRIPTION);
	if (message && !is_message(message))
		message = NULL;
	if (span->status == SPANRING_STATUS_UNSET && !message)
		return;
	export_put_word(text, ",\"status\":{");
	if (message) {
		export_put_word(text, "\"message\":");
		export_put_json(text, message->text, message->text_bytes);
		export_put(text, ",", 1);
	}
	export_put_word(text, "\"code\":");
	export_put_u64(text, span->status);
	export_put(text, "}", 1);
}

static int put_body(struct export_run *run, const struct export_span *span) {
	struct export_text *text = &run->text;
	uint32_t flags = FLAG_SAMPLED;
	if (span->parent_id)
		flags |= FLAG_HAS_REMOTE | (span->flags & STORE_SPAN_REMOTE_PARENT ? FLAG_REMOTE : 0);
	put_id(text, "{\"traceId\":\"", true, span->trace_hi, span->trace_lo);
	put_id(text, ",\"spanId\":\"", false, 0, span->span_id);
	if (span->parent_id)
		put_id(text, ",\"parentSpanId\":\"", false, 0, span->parent_id);
	export_put_word(text, ",\"flags\":");
	export_put_u64(text, flags);
	export_put_word(text, ",\"name\":");
	export_put_json_word(text, span->name[0] ? span->name : "(no name)");
	export_put_word(text, ",\"kind\":");
	export_put_u64(text, span->kind <= SPANRING_KIND_CONSUMER ? span->kind + 1u : 0);
	put_time(text, "startTimeUnixNano", span->start_wall_ns);
	put_time(text, "endTimeUnixNano", span->start_wall_ns + span->duration_ns);
	int rc = put_attributes(run, span);
	if (rc == 0 && span->event_count)
		rc = put_events(run, span);
	if (span->link_count)
		put_links(text, span);
	put_status(text, span);
	export_put(text, "}", 1);
	return rc;
}

static int put_span(struct export_run *run, const struct export_span *span) {
	struct otlp *otlp = run->state;
	if (otlp->request_spans == REQUEST_SPANS_MAX || (otlp->request_spans > 0 && otlp->process != span->process))
		close_request(run);
	if (otlp->request_spans == 0) {
		int rc = open_request(run, span);
		if (rc != 0)
			return rc;
	} else if (strcmp(otlp->scope, span->scope) != 0 || strcmp(otlp->scope_version, span->scope_version) != 0) {
		export_put_word(&run->text, "]},");
		open_scope(run, span);
	} else {
		export_put(&run->text, ",", 1);
	}
	otlp->request_spans++;
	return put_body(run, span);
}

static int open_otlp(struct export_run *run) {
	struct otlp *otlp = calloc(1, sizeof(*otlp));
	run->state = otlp;
	return otlp ? export_origins_new(run->query->overview, &otlp->origins) : -ENOMEM;
}

static int end_otlp(struct export_run *run) {
	close_request(run);
	return 0;
}

static void close_otlp(struct export_run *run) {
	struct otlp *otlp = run->state;
	if (otlp) {
		export_origins_free(otlp->origins);
		free(otlp->listed);
	}
	free(otlp);
}

const struct export_format export_otlp = {
    .name = "otlp",
    .summary = "OTLP in JSON, a request in each line; import reads it back",
    .grouped = true,
    .open = open_otlp,
    .span = put_span,
    .end = end_otlp,
    .close = close_otlp,
};
