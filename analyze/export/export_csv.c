/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV: a span in each record, with the columns that import reads (docs/import.md), and one for each attribute key, in order of keys. The keys
 * are found in the first pass. Texts that a spreadsheet or import would take for something else have an apostrophe before them (import_mark.h).
 */
#include "export.h"

#include "analyze/import/import_mark.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/terminal/csv.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_UNIT_BYTES 16
#define COLUMNS_MAX 1024u /* import takes no more */

static const char *const titles[] = {"trace_id",      "span_id", "parent_id", "name",
                                     "service",       "kind",    "status",    "start_ns",
                                     "duration_ns",   "state",   "weight",    "remote_parent",
                                     "pid",           "thread",  "tid",       "scope",
                                     "scope_version", "file",    "line",      "heap_allocated_bytes",
                                     "heap_net_bytes"};
#define TITLES (sizeof(titles) / sizeof(titles[0]))

struct columns {
	uint8_t *seen; /* by id of names: there is an attribute of this key */
	const char *keys[COLUMNS_MAX];
	uint32_t key_count;
	struct csv csv;
	char *marked;
	size_t marked_room;
	bool failed;
};

static int open_csv(struct export_run *run) {
	struct columns *columns = calloc(1, sizeof(*columns));
	run->state = columns;
	if (!columns)
		return -ENOMEM;
	columns->seen = calloc((size_t)run->query->overview->name_count + 1, 1);
	return columns->seen ? 0 : -ENOMEM;
}

static void close_csv(struct export_run *run) {
	struct columns *columns = run->state;
	if (!columns)
		return;
	free(columns->seen);
	free(columns->marked);
	free(columns);
}

/* Of rows apart from their spans nobody knows yet whether they are asked for. */
static int observe_csv(struct export_run *run, const struct store_columns *rows) {
	struct columns *columns = run->state;
	for (uint32_t i = 0; i < rows->attribute_count; i++) {
		uint32_t key = rows->attributes[i].key;
		if (rows->attributes[i].event_index != 0 || key > run->query->overview->name_count ||
		    columns->seen[key])
			continue;
		uint32_t row = rows->attribute_row[i];
		columns->seen[key] = row >= rows->span_count || query_accepts(run->query, rows, row);
	}
	return 0;
}

static int by_text(const void *a, const void *b) {
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int find_keys(struct export_run *run) {
	struct columns *columns = run->state;
	const struct store_overview *overview = run->query->overview;
	for (uint32_t id = 1; id <= overview->name_count; id++) {
		if (!columns->seen[id] || !overview->names[id][0])
			continue;
		if (columns->key_count + TITLES == COLUMNS_MAX) {
			log_error(
			    &run->query->context->log,
			    "export csv: more than %zu attribute keys, a column each: take jsonl, or leave them out with "
			    "--no-attributes",
			    COLUMNS_MAX - TITLES);
			return ERR_FULL;
		}
		columns->keys[columns->key_count++] = overview->names[id];
	}
	qsort(columns->keys, columns->key_count, sizeof(columns->keys[0]), by_text);
	return 0;
}

/* The text must be zero-terminated behind its bytes, or bytes be all there is to look at. */
static void put_text(struct export_run *run, struct csv *csv, const char *text, size_t bytes) {
	struct columns *columns = run->state;
	if (!import_needs_mark(text, bytes)) {
		csv_text(csv, text, bytes);
		return;
	}
	if (bytes + 1 > columns->marked_room) {
		char *grown = realloc(columns->marked, 2 * (bytes + 1));
		if (!grown) {
			columns->failed = true;
			return;
		}
		columns->marked = grown;
		columns->marked_room = 2 * (bytes + 1);
	}
	columns->marked[0] = '\'';
	memcpy(columns->marked + 1, text, bytes);
	csv_text(csv, columns->marked, bytes + 1);
}

static void put_word(struct export_run *run, struct csv *csv, const char *text) {
	if (*text)
		put_text(run, csv, text, strlen(text));
	else
		csv_number(csv, "");
}

static int begin_csv(struct export_run *run) {
	struct columns *columns = run->state;
	struct csv *csv = &columns->csv;
	int rc = find_keys(run);
	if (rc != 0)
		return rc;
	csv->out = run->out;
	for (size_t i = 0; i < TITLES; i++)
		csv_number(csv, titles[i]);
	for (uint32_t i = 0; i < columns->key_count; i++) {
		CLEANUP_FREE char *title = NULL;
		if (asprintf(&title, "attr.%s", columns->keys[i]) < 0)
			return -ENOMEM;
		put_word(run, csv, title);
	}
	csv_end(csv);
	return columns->failed ? -ENOMEM : 0;
}

static void put_number(struct csv *csv, bool is_there, uint64_t value) {
	if (is_there)
		csv_u64(csv, value);
	else
		csv_number(csv, "");
}

static void put_signed(struct csv *csv, bool is_there, int64_t value) {
	char text[32] = "";
	if (is_there)
		(void)snprintf(text, sizeof(text), "%" PRId64, value);
	csv_number(csv, text);
}

static void put_double(struct csv *csv, double value) {
	struct export_text text = {0};
	if (!isfinite(value)) {
		csv_number(csv, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
		return;
	}
	export_put_f64(&text, value);
	export_put(&text, "", 1);
	csv_number(csv, text.failed ? "" : text.bytes);
	export_text_done(&text);
}

static void put_value(struct export_run *run, struct csv *csv, const struct export_value *value) {
	double number;
	switch (value->type) {
	case SPANRING_VALUE_STRING:
		put_text(run, csv, value->text, value->text_bytes);
		break;
	case SPANRING_VALUE_BOOL:
		csv_number(csv, value->value ? "true" : "false");
		break;
	case SPANRING_VALUE_I64:
		put_signed(csv, true, (int64_t)value->value);
		break;
	case SPANRING_VALUE_F64:
		memcpy(&number, &value->value, sizeof(number));
		put_double(csv, number);
		break;
	default:
		csv_u64(csv, value->value);
	}
}

/* Both are in order of keys. */
static void put_values(struct export_run *run, struct csv *csv, const struct export_span *span) {
	const struct columns *columns = run->state;
	uint32_t at = 0;
	for (uint32_t i = 0; i < columns->key_count; i++) {
		while (at < span->value_count && span->values[at].event_index == 0 &&
		       strcmp(span->values[at].key, columns->keys[i]) < 0)
			at++;
		if (at < span->value_count && span->values[at].event_index == 0 &&
		    strcmp(span->values[at].key, columns->keys[i]) == 0)
			put_value(run, csv, &span->values[at]);
		else
			csv_number(csv, "");
	}
}

static void put_place(struct export_run *run, struct csv *csv, const struct export_span *span) {
	put_number(csv, span->process_view && span->process_view->pid,
	           span->process_view ? span->process_view->pid : 0);
	put_word(run, csv, span->thread);
	put_number(csv, span->tid != 0, span->tid);
	put_word(run, csv, span->scope);
	put_word(run, csv, span->scope[0] ? span->scope_version : "");
	put_word(run, csv, span->file);
	put_number(csv, span->file[0] != 0, span->line);
}

static int put_span(struct export_run *run, const struct export_span *span) {
	struct columns *columns = run->state;
	struct csv *csv = &columns->csv;
	char id[TRACE_ID_TEXT_BYTES];
	bool heap = span->flags & STORE_SPAN_HEAP;
	bool weighted = span->weight != 0 && span->weight != STORE_WEIGHT_ONE;
	csv_number(csv, trace_id_text(span->trace_hi, span->trace_lo, id));
	csv_number(csv, span_id_text(span->span_id, id));
	csv_number(csv, span->parent_id ? span_id_text(span->parent_id, id) : "");
	put_word(run, csv, span->name[0] ? span->name : "(no name)");
	put_word(run, csv, span->process_view ? span->process_view->service : "");
	csv_number(csv, trace_kind_text(span->kind));
	csv_number(csv, trace_status_text(span->status));
	csv_u64(csv, span->start_wall_ns);
	csv_u64(csv, span->duration_ns);
	csv_number(csv, export_state_text(span->flags));
	if (weighted)
		put_double(csv, (double)span->weight / STORE_WEIGHT_ONE);
	else
		csv_number(csv, "");
	csv_number(csv, span->flags & STORE_SPAN_REMOTE_PARENT ? "true" : "");
	put_place(run, csv, span);
	put_number(csv, heap, (uint64_t)span->heap_alloc_units * HEAP_UNIT_BYTES);
	put_signed(csv, heap, (int64_t)span->heap_net_units * HEAP_UNIT_BYTES);
	put_values(run, csv, span);
	csv_end(csv);
	return columns->failed ? -ENOMEM : 0;
}

const struct export_format export_csv = {
    .name = "csv",
    .summary = "a record for each span and a column for each attribute; import reads it back",
    .no_details = true,
    .open = open_csv,
    .observe = observe_csv,
    .begin = begin_csv,
    .span = put_span,
    .close = close_csv,
};
