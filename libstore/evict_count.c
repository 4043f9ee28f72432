/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting a segment out, so that the books balance for ever and nothing is counted twice.
 *
 *     eviction         per reason: segments, spans, bytes; and the highest sequence that is counted out ("through")
 *     evicted_ring     spans of a ring that were in evicted segments, as long as a segment has a cursor of the ring
 *     evicted_process  the same of the statistics of a process
 *     departed         sums of the last cursors of rings of which no segment tells any more, by state; for processes the row of
 *                      evicted_process whose instance is zero. So nothing here grows with the age of a store.
 *
 * Segments go strictly in order of sequence. All of the above is one transaction on the segment being written, flushed to the disk; the
 * file is unlinked after it. A reader leaves out files up to "through", and the next agent unlinks them: killed in between, a segment is
 * counted once and read by nobody. What a cursor says was stored up to the victim is what was evicted of its ring: all earlier segments
 * are gone, too. A new segment is born with the rows of the newest one (segment_writer.c).
 *
 * A ring whose last cursor is in the victim is looked for in the segments behind it: one that lives is in each of them. If it is in none
 * and its process is over, it departs. If its process may still live (this agent does not read it: too many at once), its cursor, its
 * account and its rollup totals are copied into the segment being written, so that whoever adopts it goes on where it stands.
 */
#include "evict_count.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "catalog.h"
#include "segment.h"

#include <stdio.h>
#include <string.h>

struct count {
	struct db *db; /* being written */
	struct db *victim;
	struct db *places[EVICT_LOOKAHEAD + 1]; /* where rings are looked for: the segments behind, and db */
	struct db_statement *rings[EVICT_LOOKAHEAD + 1];
	struct db_statement *accounts[EVICT_LOOKAHEAD + 1];
	size_t place_count;
	bool same_boot;
	uint64_t spans;
};

static void done(struct count *count) {
	for (size_t i = 0; i < count->place_count; i++) {
		db_finalize(count->rings[i]);
		db_finalize(count->accounts[i]);
		if (count->places[i] != count->db)
			db_close(count->places[i]);
	}
	db_close(count->victim);
}

/* 1: a segment that stays tells of this instance, or of this ring of it. */
static int is_covered(const struct count *count, const uint8_t *instance, const uint32_t *ring) {
	int found = 0;
	for (size_t i = 0; i < count->place_count && found == 0; i++) {
		struct db_statement *select = ring ? count->rings[i] : count->accounts[i];
		db_put_blob(select, instance, STORE_INSTANCE_BYTES);
		if (ring)
			db_put_u64(select, *ring);
		found = db_next(select);
		db_reset(select);
	}
	return found;
}

/* 1: nothing more will come of it. */
static int is_over(const struct count *count, const uint8_t *instance) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	if (!count->same_boot)
		return 1;
	int error = db_prepare(count->victim, "SELECT 1 FROM account WHERE instance=? AND state<>1", &select);
	if (error)
		return error;
	db_put_blob(select, instance, STORE_INSTANCE_BYTES);
	return db_next(select);
}

/* The victim's rows of one instance, or of one ring, into the segment being written. */
static int carry_rows(const struct count *count, enum schema_table table, const uint8_t *instance,
                      const uint32_t *ring) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	char sql[512];
	int row = segment_has_table(count->victim, table);
	if (row != 1)
		return row;
	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE instance=?%s", schema_tables[table].name,
	               ring ? " AND ring=?" : "");
	int error = db_prepare(count->victim, sql, &select);
	if (!error)
		error = db_prepare(count->db, schema_tables[table].insert, &insert);
	if (error)
		return error;
	db_put_blob(select, instance, STORE_INSTANCE_BYTES);
	if (ring)
		db_put_u64(select, *ring);
	while (!error && (row = db_next(select)) == 1) {
		db_put_row(insert, select);
		error = db_run(insert);
	}
	return error ? error : row;
}

static void add(uint64_t *sum, uint64_t value) {
	*sum = saturating_add(*sum, value);
}

static void add_cursor(struct store_cursor *sum, const struct store_cursor *cursor) {
	add(&sum->begun, cursor->begun);
	add(&sum->open, cursor->open);
	add(&sum->dropped_full, cursor->dropped_full);
	add(&sum->dropped_depth, cursor->dropped_depth);
	add(&sum->dropped_attributes, cursor->dropped_attributes);
	add(&sum->dropped_events, cursor->dropped_events);
	add(&sum->stored_spans, cursor->stored_spans);
	add(&sum->stored_attributes, cursor->stored_attributes);
	add(&sum->stored_events, cursor->stored_events);
	add(&sum->rejected_spans, cursor->rejected_spans);
	add(&sum->rejected_other, cursor->rejected_other);
	add(&sum->lost_records, cursor->lost_records);
	add(&sum->sampled_out, cursor->sampled_out);
	add(&sum->sampled_out_short, cursor->sampled_out_short);
}

static int put_departed(struct db *db, uint64_t rings, const struct store_cursor *sum) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_DEPARTED].insert, &insert);
	if (error)
		return error;
	const uint64_t values[] = {sum->state,
	                           rings,
	                           sum->begun,
	                           sum->open,
	                           sum->dropped_full,
	                           sum->dropped_depth,
	                           sum->dropped_attributes,
	                           sum->dropped_events,
	                           sum->stored_spans,
	                           sum->stored_attributes,
	                           sum->stored_events,
	                           sum->rejected_spans,
	                           sum->rejected_other,
	                           sum->lost_records,
	                           sum->sampled_out,
	                           sum->sampled_out_short};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		db_put_u64(insert, values[i]);
	return db_run(insert);
}

static int run_for_ring(struct db *db, const char *sql, const struct store_cursor *cursor, bool with_spans) {
	struct db_statement *statement CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, sql, &statement);
	if (error)
		return error;
	db_put_blob(statement, cursor->instance, STORE_INSTANCE_BYTES);
	db_put_u64(statement, cursor->ring_index);
	if (with_spans)
		db_put_u64(statement, cursor->stored_spans);
	return db_run(statement);
}

static int read_sampling(const struct count *count, struct store_cursor *cursor) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	struct store_cursor sampling;
	int row = segment_has_table(count->victim, SCHEMA_SAMPLING);
	if (row != 1)
		return row;
	int error = db_prepare(count->victim, "SELECT * FROM sampling WHERE instance=? AND ring=?", &select);
	if (error)
		return error;
	db_put_blob(select, cursor->instance, STORE_INSTANCE_BYTES);
	db_put_u64(select, cursor->ring_index);
	row = db_next(select);
	if (row != 1)
		return row;
	error = segment_get_sampling(select, &sampling);
	if (!error)
		segment_merge_sampling(cursor, &sampling);
	return error;
}

/* A thread may stand between writing its last record and counting it (analyze/kernels/books.h): settled here, where it is one ring. */
static void settle_live(struct store_cursor *cursor) {
	uint64_t known = saturating_add(cursor->stored_spans, cursor->dropped_full);
	known = saturating_add(known, cursor->dropped_depth);
	known = saturating_add(known, cursor->rejected_spans);
	known = saturating_add(known, saturating_add(cursor->sampled_out, cursor->sampled_out_short));
	if (cursor->state != STORE_RING_LIVE || cursor->open > cursor->begun ||
	    known != cursor->begun - cursor->open + 1)
		return;
	if (cursor->open > 0)
		cursor->open--;
	else
		cursor->begun++;
}

static int depart(const struct count *count, struct store_evictions *sums, const struct store_cursor *cursor) {
	struct store_cursor last = *cursor;
	int error = read_sampling(count, &last);
	if (error)
		return error;
	uint32_t state = last.state < STORE_EVICT_STATES ? last.state : STORE_RING_QUARANTINED;
	settle_live(&last);
	add_cursor(&sums->departed[state], &last);
	sums->departed[state].state = state;
	sums->departed_rings[state]++;
	return run_for_ring(count->db, "DELETE FROM evicted_ring WHERE instance=? AND ring=?", cursor, false);
}

static int count_ring(const struct count *count, struct store_evictions *sums, const struct store_cursor *cursor) {
	int covered = is_covered(count, cursor->instance, &cursor->ring_index);
	int over = covered == 0 ? is_over(count, cursor->instance) : 0;
	if (covered < 0 || over < 0)
		return covered < 0 ? covered : over;
	if (over)
		return depart(count, sums, cursor);
	int error = run_for_ring(count->db, schema_tables[SCHEMA_EVICTED_RING].insert, cursor, true);
	if (!error && !covered)
		error = carry_rows(count, SCHEMA_CURSOR, cursor->instance, &cursor->ring_index);
	if (!error && !covered)
		error = carry_rows(count, SCHEMA_SAMPLING, cursor->instance, &cursor->ring_index);
	if (!error && !covered)
		error = carry_rows(count, SCHEMA_THINNED, cursor->instance, &cursor->ring_index);
	return error;
}

static int count_rings(const struct count *count, struct store_evictions *sums) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(count->victim, schema_tables[SCHEMA_CURSOR].select, &select);
	int row = 0;
	for (uint32_t i = 0; !error && (row = db_next(select)) == 1; i++) {
		struct store_cursor cursor;
		error = i < SEGMENT_CURSORS_MAX ? segment_get_cursor(select, &cursor) : ERR_DAMAGED;
		if (!error)
			error = count_ring(count, sums, &cursor);
	}
	for (uint32_t state = 0; !error && row == 0 && state < STORE_EVICT_STATES; state++)
		if (sums->departed_rings[state] > 0)
			error = put_departed(count->db, sums->departed_rings[state], &sums->departed[state]);
	return error ? error : row;
}

/* --- processes --------------------------------------------------------------------------------------------------- */

/* A row of evicted_process. */
struct process_row {
	uint8_t instance[STORE_INSTANCE_BYTES]; /* zero: of those that departed */
	uint64_t processes;
	uint64_t statistics_spans;
	uint64_t dropped_no_ring;
	uint64_t dropped_reentry;
	uint64_t dropped_async;
};

static int get_process(struct db *db, struct process_row *row) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	size_t bytes;
	int error = db_prepare(db, "SELECT * FROM evicted_process WHERE instance=?", &select);
	if (error)
		return error;
	db_put_blob(select, row->instance, STORE_INSTANCE_BYTES);
	int found = db_next(select);
	if (found != 1)
		return found;
	(void)db_get_blob(select, &bytes);
	row->processes = db_get_u64(select);
	row->statistics_spans = db_get_u64(select);
	row->dropped_no_ring = db_get_u64(select);
	row->dropped_reentry = db_get_u64(select);
	row->dropped_async = db_get_u64(select);
	return db_row_end(select);
}

static int put_process(struct db *db, const struct process_row *row) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_EVICTED_PROCESS].insert, &insert);
	if (error)
		return error;
	db_put_blob(insert, row->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, row->processes);
	db_put_u64(insert, row->statistics_spans);
	db_put_u64(insert, row->dropped_no_ring);
	db_put_u64(insert, row->dropped_reentry);
	db_put_u64(insert, row->dropped_async);
	return db_run(insert);
}

static int delete_process(struct db *db, const struct process_row *row) {
	struct db_statement *delete CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, "DELETE FROM evicted_process WHERE instance=?", &delete);
	if (error)
		return error;
	db_put_blob(delete, row->instance, STORE_INSTANCE_BYTES);
	return db_run(delete);
}

/* What the victim's account says was dropped outside rings. */
static int read_account(const struct count *count, struct process_row *row) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(count->victim, "SELECT dropped_no_ring FROM account WHERE instance=?", &select);
	if (error)
		return error;
	db_put_blob(select, row->instance, STORE_INSTANCE_BYTES);
	int found = db_next(select);
	if (found == 1)
		row->dropped_no_ring = db_get_u64(select);
	int there = found < 0 ? found : segment_has_table(count->victim, SCHEMA_DROPS);
	if (there != 1)
		return there;
	struct db_statement *drops CLEANUP(db_finalize_cleanup) = NULL;
	error = db_prepare(count->victim, "SELECT dropped_reentry,dropped_async FROM drops WHERE instance=?", &drops);
	if (error)
		return error;
	db_put_blob(drops, row->instance, STORE_INSTANCE_BYTES);
	found = db_next(drops);
	if (found == 1) {
		row->dropped_reentry = db_get_u64(drops);
		row->dropped_async = db_get_u64(drops);
	}
	return found < 0 ? found : 0;
}

static int depart_process(const struct count *count, struct process_row *row) {
	struct process_row departed = {.processes = 0};
	int error = read_account(count, row);
	if (!error)
		error = get_process(count->db, &departed);
	add(&departed.processes, 1);
	add(&departed.statistics_spans, row->statistics_spans);
	add(&departed.dropped_no_ring, row->dropped_no_ring);
	add(&departed.dropped_reentry, row->dropped_reentry);
	add(&departed.dropped_async, row->dropped_async);
	if (!error)
		error = put_process(count->db, &departed);
	return error ? error : delete_process(count->db, row);
}

static int count_process(const struct count *count, struct process_row *row, uint64_t statistics_spans) {
	static const enum schema_table carried[] = {SCHEMA_ACCOUNT, SCHEMA_LIMITS, SCHEMA_STATISTICS, SCHEMA_DROPS,
	                                            SCHEMA_ROLLUP_TOTAL};
	int error = get_process(count->db, row);
	if (error)
		return error;
	add(&row->statistics_spans, statistics_spans);
	int covered = is_covered(count, row->instance, NULL);
	int over = covered == 0 ? is_over(count, row->instance) : 0;
	if (covered < 0 || over < 0)
		return covered < 0 ? covered : over;
	if (over)
		return depart_process(count, row);
	if (row->statistics_spans > 0)
		error = put_process(count->db, row);
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]) && !covered && !error; i++)
		error = carry_rows(count, carried[i], row->instance, NULL);
	return error;
}

/* Spans that the rollups of the victim count, by process id; the array has room for ids up to CATALOG_PROCESSES_MAX. */
static int sum_statistics(const struct count *count, uint64_t *sums) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = segment_has_table(count->victim, SCHEMA_ROLLUP);
	if (row != 1)
		return row;
	int error = db_prepare(count->victim, "SELECT process,count FROM rollup", &select);
	while (!error && (row = db_next(select)) == 1) {
		uint64_t process = db_get_u64(select);
		uint64_t spans = db_get_u64(select);
		if (db_row_end(select) || process > CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		add(&sums[process], spans);
	}
	return error ? error : row;
}

static int count_processes(const struct count *count) {
	static const uint8_t departed[STORE_INSTANCE_BYTES];
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	CLEANUP_FREE uint64_t *sums = calloc(CATALOG_PROCESSES_MAX + 1, sizeof(*sums));
	int error = sums ? sum_statistics(count, sums) : -ENOMEM;
	if (!error)
		error = db_prepare(count->victim, "SELECT id,instance FROM process ORDER BY id", &select);
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		size_t bytes = 0;
		struct process_row process = {.processes = 0};
		uint64_t id = db_get_u64(select);
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (db_row_end(select) || bytes != STORE_INSTANCE_BYTES || id > CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		memcpy(process.instance, instance, STORE_INSTANCE_BYTES);
		if (memcmp(process.instance, departed, sizeof(departed)) == 0)
			continue; /* nobody's */
		error = count_process(count, &process, sums[id]);
	}
	return error ? error : row;
}

static int count_reason(const struct count *count, const struct store_evictions *before,
                        const struct store_evict_segment *segment) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(count->db, schema_tables[SCHEMA_EVICTION].insert, &insert);
	if (error)
		return error;
	const struct store_evict_sum *sum = &before->reasons[segment->reason];
	db_put_u64(insert, segment->reason);
	db_put_u64(insert, segment->sequence);
	db_put_u64(insert, saturating_add(sum->segments, 1));
	db_put_u64(insert, saturating_add(sum->spans, count->spans));
	db_put_u64(insert, saturating_add(sum->bytes, segment->bytes));
	return db_run(insert);
}

/* 0: open, sealed, ours; 1: not to be evicted now; ERR_DAMAGED: there is nothing in it to count. */
static int open_victim(struct count *count, const struct store_evict_segment *segment, const uint8_t *boot_id) {
	struct segment_identity identity;
	struct segment_totals totals;
	char text[SEGMENT_TEXT_BYTES];
	int64_t is_wal = 0;
	int error = segment_open(segment->path, DB_READ_ONLY, &count->victim, text);
	if (error == ERR_FOREIGN || error == ERR_NEWER || error == -EACCES || error == -EPERM)
		return 1;
	if (!error)
		error = db_integer(count->victim, "SELECT journal_mode='wal' FROM pragma_journal_mode", &is_wal);
	int sealed = error ? error : segment_read_seal(count->victim, &totals);
	if (sealed == 0 || (sealed == 1 && is_wal))
		return 1;
	error = sealed < 0 ? sealed : segment_read_identity(count->victim, &identity);
	if (error)
		return error;
	if (identity.sequence != segment->sequence)
		return 1; /* renamed by somebody */
	count->same_boot = memcmp(identity.boot_id, boot_id, sizeof(identity.boot_id)) == 0;
	count->spans = totals.spans;
	return 0;
}

static int open_places(struct count *count, const struct store_evict_segment *segments, size_t segment_count) {
	int error = 0;
	for (size_t i = 1; i < segment_count && i <= EVICT_LOOKAHEAD && !error; i++) {
		char text[SEGMENT_TEXT_BYTES];
		struct db *db = NULL;
		error = segment_open(segments[i].path, DB_READ_ONLY, &db, text);
		if (!error)
			count->places[count->place_count++] = db;
		else if (error == ERR_DAMAGED || error == ERR_FOREIGN || error == ERR_NEWER)
			error = 0;
	}
	count->places[count->place_count++] = count->db;
	for (size_t i = 0; i < count->place_count && !error; i++) {
		error =
		    db_prepare(count->places[i], "SELECT 1 FROM cursor WHERE instance=? AND ring=?", &count->rings[i]);
		if (!error)
			error =
			    db_prepare(count->places[i], "SELECT 1 FROM account WHERE instance=?", &count->accounts[i]);
	}
	return error;
}

static int count_all(struct count *count, const struct store_evict_segment *segment, bool damaged) {
	struct store_evictions sums;
	int error = evict_load(count->db, &sums);
	if (error || sums.through >= segment->sequence)
		return error; /* counted before */
	if (!damaged)
		error = count_rings(count, &sums);
	if (!error && !damaged)
		error = count_processes(count);
	return error ? error : count_reason(count, &sums, segment);
}

static int transact(struct count *count, const struct store_evict_segment *segment, bool damaged) {
	int error = db_execute(count->db, "BEGIN IMMEDIATE");
	if (!error)
		error = count_all(count, segment, damaged);
	if (!error)
		error = db_execute(count->db, "COMMIT");
	if (error)
		db_rollback(count->db);
	return error;
}

int evict_count(struct db *db, const struct store_evict_segment *segments, size_t count, const uint8_t *boot_id,
                uint64_t *ret_spans) {
	struct count state = {.db = db};
	int error = open_victim(&state, segments, boot_id);
	bool damaged = error == ERR_DAMAGED;
	if (!error || damaged)
		error = open_places(&state, segments, count);
	if (!error)
		error = transact(&state, segments, damaged);
	if (error == ERR_DAMAGED && !damaged)
		error = transact(&state, segments, true);
	*ret_spans = state.spans;
	done(&state);
	return error;
}
