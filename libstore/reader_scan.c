/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of spans: batch by batch, only the columns asked for, each checked against the directory's checksum before
 * it is parsed. A batch that does not hold is named and left out; the others of its segment are read on.
 */
#include "reader_walk.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "batch_rows.h"
#include "bloom.h"
#include "decode.h"
#include "reader_children.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void segment_walk_close(struct segment_walk *walk) {
	db_finalize(walk->batches);
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		db_finalize(walk->columns[i]);
	db_close(walk->opened);
}

__attribute__((format(printf, 3, 4))) static void add_damage(const struct segment_walk *walk, int error,
                                                             const char *format, ...) {
	char text[SEGMENT_TEXT_BYTES];
	int length = snprintf(text, sizeof(text), "%.300s: ", walk->segment->path);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	va_end(arguments);
	reader_add_damage(walk->reader, walk->segment->path, error, text);
}

/* Merged meanwhile (merge.c): the same rows in fewer batches, and fewer steps of rollups, which meta counts. */
static bool is_merged(const struct reader_segment *segment, struct db *db, const struct segment_totals *totals) {
	struct segment_identity identity;
	struct segment_totals expected = segment->totals;
	expected.batches = totals->batches;
	expected.batch_checksum = totals->batch_checksum;
	expected.catalog_checksum = totals->catalog_checksum;
	return totals->batches < segment->totals.batches && memcmp(&expected, totals, sizeof(expected)) == 0 &&
	       segment_read_identity(db, &identity) == 0 &&
	       memcmp(identity.segment_id, segment->identity.segment_id, sizeof(identity.segment_id)) == 0;
}

int reader_reopen(struct store_reader *reader, struct reader_segment *segment, struct db **ret_db) {
	char text[SEGMENT_TEXT_BYTES] = "";
	struct segment_totals totals;
	struct db *db = NULL;
	memset(&totals, 0, sizeof(totals));
	int error = segment_open(segment->path, DB_READ_ONLY, &db, text);
	if (error) {
		reader_add_damage(reader, segment->path, error, text);
		return error;
	}
	if (segment_read_seal(db, &totals) == 1 &&
	    (memcmp(&totals, &segment->totals, sizeof(totals)) == 0 || is_merged(segment, db, &totals))) {
		segment->totals = totals;
		*ret_db = db;
		return 0;
	}
	(void)snprintf(text, sizeof(text), "%.300s: changed while it was read: read it again", segment->path);
	reader_add_damage(reader, segment->path, ERR_DAMAGED, text);
	db_close(db);
	return ERR_DAMAGED;
}

int segment_walk_open(struct segment_walk *walk) {
	int error = walk->segment->db ? 0 : reader_reopen(walk->reader, walk->segment, &walk->opened);
	if (error)
		return error;
	walk->db = walk->opened ? walk->opened : walk->segment->db;
	error = db_prepare(walk->db, schema_tables[SCHEMA_BATCH].select, &walk->batches);
	for (int i = 0; i < FORMAT_COLUMNS && !error; i++)
		error = db_prepare(walk->db, BATCH_ROWS_SELECT_COLUMN, &walk->columns[i]);
	if (error)
		add_damage(walk, error, "cannot be read: %s", db_words(walk->db));
	return error;
}

static bool ids_inside(const uint32_t *ids, uint32_t count, uint32_t max) {
	uint32_t highest = 0;
	for (uint32_t i = 0; ids && i < count; i++)
		highest = ids[i] > highest ? ids[i] : highest;
	return highest <= max;
}

/* Check what refers to the catalog, and turn string ids into those of the overview. */
int segment_walk_resolve(const struct segment_walk *walk, struct store_columns *columns) {
	const struct reader_segment *segment = walk->segment;
	uint32_t last_site = columns->run_count ? columns->runs[columns->run_count - 1].site : 0;
	/* Runs have the sites of all rows. */
	const uint32_t *site = columns->run_count ? NULL : columns->site;
	if (last_site > walk->view->site_count || !ids_inside(site, columns->span_count, walk->view->site_count) ||
	    !ids_inside(columns->thread, columns->span_count, walk->view->thread_count))
		return ERR_DAMAGED;
	const struct store_child_sums *sums = columns->child_sums;
	if (sums && !ids_inside(sums->late_site, sums->late_count, walk->view->site_count))
		return ERR_DAMAGED;
	struct store_attribute *attributes = (struct store_attribute *)columns->attributes;
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		if (attributes[i].key > segment->string_count)
			return ERR_DAMAGED;
		attributes[i].key = attributes[i].key ? segment->names[attributes[i].key] : 0;
	}
	struct store_event *events = (struct store_event *)columns->events;
	for (uint32_t i = 0; i < columns->event_count; i++) {
		if (events[i].name > segment->string_count)
			return ERR_DAMAGED;
		events[i].name = events[i].name ? segment->names[events[i].name] : 0;
	}
	return 0;
}

static bool outside_time(const struct store_scan *scan, uint64_t wall_offset_ns, uint64_t start_ns, uint64_t end_ns) {
	return (scan->since_wall_ns && saturating_add(end_ns, wall_offset_ns) < scan->since_wall_ns) ||
	       (scan->until_wall_ns && saturating_add(start_ns, wall_offset_ns) > scan->until_wall_ns);
}

/* Attributes, events and links without spans have no time of their own: only the filter of traces can leave them out. */
static bool pruned(const struct store_scan *scan, const struct segment_walk *walk, const struct format_batch *encoded) {
	if (scan->has_trace && !bloom_may_hold(encoded->bloom, encoded->bloom_bytes, scan->trace_lo))
		return true;
	if (!encoded->span_count)
		return false;
	return outside_time(scan, walk->view->wall_offset_ns, encoded->start_ns_min, encoded->end_ns_max) ||
	       encoded->duration_ns_max < scan->duration_ns_min;
}

/* To decode so few is not more work than to look at starts first. */
#define LOOK_COLUMNS_MIN 5

static bool has_start_range(const struct store_scan *scan) {
	return scan->start_since_wall_ns || scan->start_until_wall_ns;
}

/* Of a wall time; the same comparison as that of rows, with what a batch says of all its rows. */
static bool starts_inside(const struct store_scan *scan, uint64_t wall_ns) {
	return wall_ns >= scan->start_since_wall_ns &&
	       (!scan->start_until_wall_ns || wall_ns < scan->start_until_wall_ns);
}

struct batch_plan segment_walk_plan(const struct store_scan *scan, const struct segment_walk *walk,
                                    const struct segment_batch *batch) {
	const struct format_batch *encoded = &batch->encoded;
	uint64_t offset_ns = walk->view->wall_offset_ns;
	struct batch_plan plan = {0, scan->columns};
	if (scan->has_trace && encoded->span_count)
		plan.look |= STORE_COLUMN_TRACE;
	if (!has_start_range(scan) || !encoded->span_count)
		return plan;
	/* no span starts after the last one ended */
	bool inside = starts_inside(scan, saturating_add(encoded->start_ns_min, offset_ns)) &&
	              starts_inside(scan, saturating_add(encoded->end_ns_max, offset_ns));
	if (inside && scan->columns_inside)
		plan.columns = scan->columns_inside;
	if (!inside && __builtin_popcount(scan->columns) > LOOK_COLUMNS_MIN)
		plan.look |= STORE_COLUMN_START;
	return plan;
}

static bool has_extras(const struct segment_batch *batch) {
	return batch->encoded.attribute_count || batch->encoded.event_count ||
	       batch->columns[FORMAT_COLUMN_LINKS].bytes;
}

/* Attributes, events and links of a trace may lie without its spans; where there are any, nobody can say without reading them. */
static bool holds_trace(const struct store_scan *scan, const struct segment_batch *batch,
                        const struct store_columns *look) {
	bool found = has_extras(batch);
	for (uint32_t row = 0; row < look->span_count && !found; row++)
		found = look->trace_lo[row] == scan->trace_lo;
	return found;
}

/* Whoever wants attributes and the like gets those of spans in other batches, too. */
static bool holds_start(const struct store_scan *scan, const struct segment_batch *batch, uint64_t offset_ns,
                        const struct store_columns *look) {
	uint32_t extras = STORE_COLUMN_ATTRIBUTES | STORE_COLUMN_EVENTS | STORE_COLUMN_LINKS;
	bool found = scan->columns & extras && has_extras(batch);
	for (uint32_t row = 0; row < look->span_count && !found; row++)
		found = starts_inside(scan, saturating_add(look->start_ns[row], offset_ns));
	return found;
}

bool segment_walk_holds(const struct store_scan *scan, const struct segment_walk *walk,
                        const struct segment_batch *batch, const struct store_columns *look) {
	return (!look->trace_lo || !scan->has_trace || holds_trace(scan, batch, look)) &&
	       (!look->start_ns || holds_start(scan, batch, walk->view->wall_offset_ns, look));
}

void segment_walk_fill(const struct segment_walk *walk, const struct segment_batch *batch,
                       struct store_columns *columns) {
	columns->segment = walk->view;
	columns->batch = batch->id;
	columns->start_ns_min = batch->encoded.start_ns_min;
	columns->end_ns_max = batch->encoded.end_ns_max;
}

static int read_columns(const struct segment_walk *walk, uint32_t wanted, struct segment_batch *batch,
                        struct store_columns *ret_columns) {
	uint32_t needs = decode_needs(wanted, batch->columns[FORMAT_COLUMN_SITE_RUNS].bytes > 0);
	int error = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++)
		if (needs >> i & 1 && !batch->encoded.columns[i].data)
			error = batch_rows_get_column(walk->columns[i], batch, i);
	return error ? error : decode(walk->decoder, &batch->encoded, wanted, ret_columns);
}

/* 1: read; 0: a look at it was enough. */
static int read_batch(const struct store_scan *scan, const struct segment_walk *walk, struct segment_batch *batch,
                      struct store_columns *ret_columns) {
	struct batch_plan plan = segment_walk_plan(scan, walk, batch);
	int error = plan.look ? read_columns(walk, plan.look, batch, ret_columns) : 0;
	if (error || (plan.look && !segment_walk_holds(scan, walk, batch, ret_columns)))
		return error;
	error = read_columns(walk, plan.columns, batch, ret_columns);
	if (!error)
		error = segment_walk_resolve(walk, ret_columns);
	segment_walk_fill(walk, batch, ret_columns);
	return error ? error : 1;
}

void segment_walk_name(const struct segment_walk *walk, uint64_t batch, int error) {
	if (error == ERR_NEWER)
		add_damage(walk, error, "batch %" PRIu64 " has a coding of a newer Spanring: use a newer one", batch);
	else
		add_damage(walk, error, "batch %" PRIu64 " is damaged and left out: restore the file from a copy",
		           batch);
}

/* The batch of the row at hand: 1 when it is wanted, 0 when not. *ret_lost: the list of batches cannot be followed any further. */
int segment_walk_take(const struct store_scan *scan, const struct segment_walk *walk, uint64_t *before,
                      struct segment_batch *batch, bool *ret_lost) {
	int error = segment_get_batch(walk->batches, batch);
	if (batch->id <= *before || batch->id > SEGMENT_BATCHES_MAX) {
		add_damage(walk, ERR_DAMAGED,
		           "its list of batches is damaged after %" PRIu64 ": restore it from a copy", *before);
		*ret_lost = true;
		return 0;
	}
	if (batch->id != *before + 1)
		segment_walk_name(walk, *before + 1, ERR_DAMAGED);
	*before = batch->id;
	if (error)
		segment_walk_name(walk, batch->id, error);
	if (error || pruned(scan, walk, &batch->encoded))
		return 0;
	return !scan->wants_batch || scan->wants_batch(scan->context, walk->view, batch->id,
	                                               batch->encoded.start_ns_min, batch->encoded.end_ns_max);
}

/* One batch row: what on_batch returned. */
static int scan_row(const struct store_scan *scan, const struct segment_walk *walk, uint64_t *before, bool *ret_lost) {
	struct segment_batch batch;
	struct store_columns columns;
	if (!segment_walk_take(scan, walk, before, &batch, ret_lost))
		return 0;
	int result = read_batch(scan, walk, &batch, &columns);
	if (result < 0)
		segment_walk_name(walk, batch.id, result);
	if (result != 1)
		return 0;
	columns.worker = 0;
	return scan->on_batch(scan->context, &columns);
}

/* After the last batch row: were these all? */
void segment_walk_end(const struct segment_walk *walk, int row, uint64_t before) {
	if (row < 0)
		add_damage(walk, row, "cannot be read after batch %" PRIu64 ": %s", before, db_words(walk->db));
	else if (walk->segment->sealed && before != walk->segment->totals.batches)
		add_damage(walk, ERR_DAMAGED, "%" PRIu64 " of %" PRIu64 " batches are there: restore it from a copy",
		           before, walk->segment->totals.batches);
}

static int scan_segment(const struct store_scan *scan, struct segment_walk *walk, uint64_t done, uint64_t total) {
	uint64_t before = 0;
	int row = 0;
	while ((row = db_next(walk->batches)) == 1) {
		bool lost = false;
		int result = scan_row(scan, walk, &before, &lost);
		if (result || lost)
			return result;
		if (scan->on_progress)
			scan->on_progress(scan->context, done + before < total ? done + before : total, total);
	}
	segment_walk_end(walk, row, before);
	return 0;
}

bool segment_walk_wants(const struct store_scan *scan, const struct store_segment_view *view) {
	if (scan->wants_segment && !scan->wants_segment(scan->context, view))
		return false;
	bool spans_only = view->spans && !view->attributes && !view->events && !view->links;
	return !spans_only || !outside_time(scan, view->wall_offset_ns, view->start_ns_min, view->end_ns_max);
}

uint64_t segment_walk_total(const struct store_reader *reader) {
	const struct store_segment_view *views = reader->views.items;
	uint64_t total = 0;
	for (size_t i = 0; i < reader->segments.count; i++)
		total += views[i].batches;
	return total;
}

static int scan_alone(struct store_reader *reader, const struct store_scan *scan) {
	struct reader_segment *segments = reader->segments.items;
	const struct store_segment_view *views = reader->views.items;
	uint64_t total = segment_walk_total(reader);
	uint64_t done = 0;
	int result = 0;
	for (size_t i = 0; i < reader->segments.count && !result; i++) {
		struct segment_walk walk CLEANUP(segment_walk_close) = {
		    .reader = reader, .decoder = reader->decoder, .segment = &segments[i], .view = &views[i]};
		if (segment_walk_wants(scan, &views[i]) && !segment_walk_open(&walk))
			result = scan_segment(scan, &walk, done, total);
		done += views[i].batches;
	}
	return result;
}

int store_reader_scan(struct store_reader *reader, const struct store_scan *scan) {
	return scan->threads > 1 ? reader_scan_together(reader, scan) : scan_alone(reader, scan);
}

struct store_walk {
	struct store_scan scan;
	struct segment_walk segment;
	struct decoder *decoder;
	size_t next; /* segment */
	uint64_t before;
	bool inside; /* a segment */
	bool found;
	struct store_columns columns;
};

static int keep_batch(void *context, const struct store_columns *columns) {
	struct store_walk *walk = context;
	walk->columns = *columns;
	walk->found = true;
	return 0;
}

int store_walk_open(struct store_reader *reader, const struct store_scan *scan, struct store_walk **ret_walk) {
	struct store_walk *walk = calloc(1, sizeof(*walk));
	int error = walk ? decoder_new(&walk->decoder) : -ENOMEM;
	if (error) {
		free(walk);
		return error;
	}
	walk->scan = *scan;
	walk->segment.reader = reader;
	*ret_walk = walk;
	return 0;
}

static void leave_segment(struct store_walk *walk) {
	struct store_reader *reader = walk->segment.reader;
	segment_walk_close(&walk->segment);
	walk->segment = (struct segment_walk){.reader = reader};
	walk->inside = false;
	walk->before = 0;
}

/* False: there are no more. */
static bool enter_segment(struct store_walk *walk) {
	struct store_reader *reader = walk->segment.reader;
	while (walk->next < reader->segments.count) {
		size_t i = walk->next++;
		walk->segment.decoder = walk->decoder;
		walk->segment.segment = (struct reader_segment *)reader->segments.items + i;
		walk->segment.view = (const struct store_segment_view *)reader->views.items + i;
		if (segment_walk_wants(&walk->scan, walk->segment.view) && !segment_walk_open(&walk->segment)) {
			walk->inside = true;
			return true;
		}
		leave_segment(walk);
	}
	return false;
}

int store_walk_next(struct store_walk *walk, struct store_columns *ret_columns) {
	struct store_scan scan = walk->scan;
	scan.on_batch = keep_batch;
	scan.context = walk;
	walk->found = false;
	while (!walk->found) {
		if (!walk->inside && !enter_segment(walk))
			return 0;
		bool lost = false;
		int row = db_next(walk->segment.batches);
		if (row == 1)
			(void)scan_row(&scan, &walk->segment, &walk->before, &lost);
		else
			segment_walk_end(&walk->segment, row, walk->before);
		if (row != 1 || lost)
			leave_segment(walk);
	}
	*ret_columns = walk->columns;
	return 1;
}

void store_walk_close(struct store_walk *walk) {
	if (!walk)
		return;
	segment_walk_close(&walk->segment);
	decoder_free(walk->decoder);
	free(walk);
}

static void check_sqlite(const struct segment_walk *walk) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	size_t bytes = 0;
	int error = db_prepare(walk->db, "PRAGMA integrity_check(1)", &select);
	int row = error ? error : db_next(select);
	const char *text = row == 1 ? db_get_text(select, &bytes) : db_words(walk->db);
	if (row != 1 || !text || strcmp(text, "ok") != 0)
		add_damage(walk, ERR_DAMAGED, "SQLite finds it damaged: %.100s", text ? text : "no answer");
}

static void check_seal(const struct segment_walk *walk) {
	struct segment_totals found = {0};
	const struct segment_totals *sealed = &walk->segment->totals;
	int error = segment_sum_batches(walk->db, &found);
	if (!error)
		error = segment_sum_catalog(walk->db, &found);
	if (!error)
		error = segment_sum_samples(walk->db, &found);
	if (error)
		add_damage(walk, error, "its rows cannot be counted: %s", db_words(walk->db));
	else if (walk->segment->sealed && memcmp(&found, sealed, sizeof(found)) != 0)
		add_damage(walk, ERR_DAMAGED, "it does not hold what was sealed: restore it from a copy");
}

struct verify {
	int (*on_progress)(void *context, uint64_t done, uint64_t total);
	void *context;
	int stopped; /* what on_progress returned */
	struct reader_children *children;
};

static int take_batch(void *context, const struct store_columns *columns) {
	struct verify *verify = context;
	reader_children_check(verify->children, columns);
	return verify->stopped;
}

static void pass_progress(void *context, uint64_t done, uint64_t total) {
	struct verify *verify = context;
	if (verify->on_progress && !verify->stopped)
		verify->stopped = verify->on_progress(verify->context, done, total);
}

int store_reader_verify(struct store_reader *reader, int (*on_progress)(void *context, uint64_t done, uint64_t total),
                        void *context) {
	struct reader_segment *segments = reader->segments.items;
	const struct store_segment_view *views = reader->views.items;
	struct verify verify = {on_progress, context, 0, NULL};
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_CHILD_SUMS,
	                          .on_batch = take_batch,
	                          .on_progress = pass_progress,
	                          .context = &verify};
	int error = reader_children_new(reader, &verify.children);
	if (error)
		return error;
	for (size_t i = 0; i < reader->segments.count; i++) {
		struct segment_walk walk CLEANUP(segment_walk_close) = {
		    .reader = reader, .decoder = reader->decoder, .segment = &segments[i], .view = &views[i]};
		if (segment_walk_open(&walk))
			continue;
		check_sqlite(&walk);
		check_seal(&walk);
		reader_verify_rollups(reader, &segments[i], walk.db);
	}
	error = store_reader_scan(reader, &scan);
	reader_children_free(verify.children);
	return error;
}
