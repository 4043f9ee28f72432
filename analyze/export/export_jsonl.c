/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines: a span in each line, with the keys that import reads (docs/import.md). What is at its default is left out. */
#include "export_origin.h"
#include "export_value.h"

#include "analyze/kernels/trace_id.h"

#include <errno.h>
#include <string.h>

#define HEAP_UNIT_BYTES 16
#define ATTRIBUTES ",\"attributes\":{"

static void put_key(struct export_text *text, const char *key) {
	export_put_word(text, ",\"");
	export_put_word(text, key);
	export_put_word(text, "\":");
}

static void put_text(struct export_text *text, const char *key, const char *value) {
	if (!*value)
		return;
	put_key(text, key);
	export_put_json_word(text, value);
}

static void put_number(struct export_text *text, const char *key, uint64_t value) {
	put_key(text, key);
	export_put_u64(text, value);
}

static void put_word(struct export_text *text, const char *key, const char *word) {
	put_key(text, key);
	export_put_word(text, "\"");
	export_put_word(text, word);
	export_put_word(text, "\"");
}

static void put_events(struct export_text *text, const struct export_span *span) {
	put_key(text, "events");
	for (uint32_t i = 0; i < span->event_count; i++) {
		export_put_word(text, i ? ",{\"name\":" : "[{\"name\":");
		export_put_json_word(text, span->events[i].name);
		put_number(text, "time_ns", span->events[i].time_wall_ns);
		export_put_values(text, span, span->events[i].index, ATTRIBUTES);
		export_put(text, "}", 1);
	}
	export_put(text, "]", 1);
}

static void put_ids(struct export_text *text, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id) {
	export_put_word(text, "{\"trace_id\":\"");
	export_put_id(text, trace_hi);
	export_put_id(text, trace_lo);
	export_put_word(text, "\",\"span_id\":\"");
	export_put_id(text, span_id);
	export_put(text, "\"", 1);
}

static void put_links(struct export_text *text, const struct export_span *span) {
	put_key(text, "links");
	for (uint32_t i = 0; i < span->link_count; i++) {
		export_put(text, i ? "," : "[", 1);
		put_ids(text, span->links[i].trace_hi, span->links[i].trace_lo, span->links[i].span_id);
		export_put(text, "}", 1);
	}
	export_put(text, "]", 1);
}

static void put_pair(struct export_text *text, const char *key, const char *value, size_t bytes) {
	export_put_word(text, text->bytes[text->count - 1] == '{' ? "" : ",");
	export_put_json_word(text, key);
	export_put(text, ":", 1);
	export_put_json(text, value, bytes);
}

/* ,"service":"web","pid":7,"resource":{...} */
static void put_origin(struct export_text *text, const struct store_process_view *process) {
	put_text(text, "service", process->service);
	if (process->pid)
		put_number(text, "pid", process->pid);
	if (!process->ppid && !process->executable[0] && !process->command[0] && !process->resource[0])
		return;
	put_key(text, "resource");
	export_put(text, "{", 1);
	if (!text->failed)
		export_resource(text, process, put_pair);
	export_put(text, "}", 1);
}

static void put_state(struct export_text *text, const struct export_span *span) {
	double weight = (double)span->weight / STORE_WEIGHT_ONE;
	if (span->flags & (STORE_SPAN_OPEN | STORE_SPAN_UNFINISHED))
		put_word(text, "state", export_state_text(span->flags));
	if (span->flags & STORE_SPAN_REMOTE_PARENT)
		export_put_word(text, ",\"remote_parent\":true");
	if (span->flags & STORE_SPAN_HEAP) {
		put_number(text, "heap_allocated_bytes", (uint64_t)span->heap_alloc_units * HEAP_UNIT_BYTES);
		put_key(text, "heap_net_bytes");
		export_put_i64(text, (int64_t)span->heap_net_units * HEAP_UNIT_BYTES);
	}
	if (span->weight != 0 && span->weight != STORE_WEIGHT_ONE) {
		put_key(text, "weight");
		export_put_f64(text, weight);
	}
}

static int put_span(struct export_run *run, const struct export_span *span) {
	struct export_text *text = &run->text;
	const char *origin = span->process ? export_origin(run->state, span->process, put_origin) : "";
	if (!origin)
		return -ENOMEM;
	put_ids(text, span->trace_hi, span->trace_lo, span->span_id);
	if (span->parent_id) {
		export_put_word(text, ",\"parent_id\":\"");
		export_put_id(text, span->parent_id);
		export_put(text, "\"", 1);
	}
	put_text(text, "name", span->name[0] ? span->name : "(no name)");
	if (span->kind)
		put_word(text, "kind", trace_kind_text(span->kind));
	if (span->status)
		put_word(text, "status", trace_status_text(span->status));
	put_number(text, "start_ns", span->start_wall_ns);
	put_number(text, "duration_ns", span->duration_ns);
	put_state(text, span);
	export_put_word(text, origin);
	put_text(text, "thread", span->thread);
	if (span->tid)
		put_number(text, "tid", span->tid);
	put_text(text, "scope", span->scope);
	put_text(text, "scope_version", span->scope[0] ? span->scope_version : "");
	put_text(text, "file", span->file);
	if (span->file[0])
		put_number(text, "line", span->line);
	export_put_values(text, span, 0, ATTRIBUTES);
	if (span->event_count)
		put_events(text, span);
	if (span->link_count)
		put_links(text, span);
	export_put(text, "}\n", 2);
	return 0;
}

static int open_jsonl(struct export_run *run) {
	struct export_origins *origins = NULL;
	int rc = export_origins_new(run->query->overview, &origins);
	run->state = origins;
	return rc;
}

static void close_jsonl(struct export_run *run) {
	export_origins_free(run->state);
}

const struct export_format export_jsonl = {
    .name = "jsonl",
    .summary = "JSON Lines, a span in each; import reads them back",
    .open = open_jsonl,
    .span = put_span,
    .close = close_jsonl,
};
