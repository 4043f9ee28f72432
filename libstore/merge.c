/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quiet workload leaves a batch of some hundred spans for every second: traces are torn apart, and each column begins anew. When the
 * segment is sealed, its batches are decoded, put together in their order up to the limits of the format, and encoded again.
 *
 *     segment-T-N.db       sealed: nobody writes it any more, readers may hold it
 *     segment-T-N.db.tmp   1. all tables but those of batches, row by row
 *                          2. the batches
 *                          3. the seal; one sync of the whole file
 *                          4. the time of the old file
 *     segment-T-N.db       5. renamed over the old one
 *
 * SAFE AT EVERY POINT. Before the rename there is the old file, after it the new one: never both, never neither. What is left of a killed merge is
 * a .tmp, which the next writer removes. Whatever goes wrong, the .tmp goes and the old file stays. A reader that holds the old file goes on
 * reading it; one that opens the segment once more finds the same rows in fewer batches (reader_reopen). For as long as the merge runs the store
 * takes the size of one segment more.
 *
 * NOTHING CHANGES UNSEEN. The new file counts for sealed only with the figures of the old seal: spans, attributes, events, times, checksums of
 * the catalog and of the samples, sums of the rollups. Each column is checked against its checksum before it is decoded. A segment that fails is
 * damaged, and is left as it is. Which batches are which is all that differs.
 *
 * Memory: one decoder, one encoder, one batch and what child sums remember (child_sums.h), and two small caches of SQLite's: about 30 MiB for full
 * batches, whatever the size of the segment, and less for smaller ones (store_merge_options.rows).
 */
#include "merge.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "batch_rows.h"
#include "child_sums.h"
#include "decode.h"
#include "encode.h"
#include "merge_rows.h"
#include "rollup_gather.h"
#include "rollup_sites.h"
#include "segment_new.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Worth it: at least so many times fewer batches. */
#define FEWER 2u
/* Steps of rollups go together by the minute; so many at a time. */
#define ROLLUP_WINDOW_NS (UINT64_C(60) * 1000000000)
#define ROLLUP_STEPS 4096u
#define CACHE "PRAGMA cache_size=-1024;"

struct store_merge {
	struct store_writer *writer;
	char *path;
	char *temporary;
	struct stat status;
	struct db *from;
	struct db *to;
	struct db_statement *batches;
	struct db_statement *columns[FORMAT_COLUMNS];
	struct db_statement *inserts[SCHEMA_TABLES];
	struct segment_totals sealed; /* of the old file */
	uint8_t *begins;              /* merge_rows_plan */
	struct encoder *encoder;
	struct decoder *decoder;
	struct batch *group;
	struct child_sums *child_sums;
	struct merge_rows_view_room view;
	int table; /* to be copied next */
	struct rollup_gather *rollups;
	uint64_t taken; /* batches */
	uint64_t put;
	struct batch_rows scratch;
	struct store_merge_figures figures;
};

static int fail(const struct store_merge *merge, const char *what, int error, char *text, size_t text_bytes) {
	const char *words = error == -EIO && merge->to ? db_words(merge->to) : strerror(-error);
	(void)snprintf(text, text_bytes, "%.300s: %s: %s; it stays as it is", merge->path, what,
	               error == ERR_DAMAGED ? "its rows are not those that were sealed" : words);
	return error;
}

void store_merge_close(struct store_merge *merge) {
	if (!merge)
		return;
	rollup_gather_close(merge->rollups);
	db_finalize(merge->batches);
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		db_finalize(merge->columns[i]);
	for (int i = 0; i < SCHEMA_TABLES; i++)
		db_finalize(merge->inserts[i]);
	db_close(merge->from);
	db_close(merge->to);
	if (merge->temporary)
		(void)unlink(merge->temporary);
	encoder_free(merge->encoder);
	decoder_free(merge->decoder);
	batch_free(merge->group);
	child_sums_free(merge->child_sums);
	free(merge->begins);
	free(merge->temporary);
	free(merge->path);
	free(merge);
}

/* 1: sealed, out of WAL mode, and all that is in it is known. */
static int may_be_merged(struct store_merge *merge) {
	int64_t is_wal = 0;
	int64_t unknown = 0;
	int error = db_integer(merge->from, "SELECT journal_mode='wal' FROM pragma_journal_mode", &is_wal);
	int sealed = error ? error : segment_read_seal(merge->from, &merge->sealed);
	if (sealed != 1 || is_wal)
		return sealed < 0 ? sealed : 0;
	error = merge_rows_unknown_tables(merge->from, &unknown);
	return error ? error : unknown == 0;
}

/* 1: it would have at least FEWER times fewer batches. Links have limits, too, but are counted in no batch row: at the worst they end groups. */
static int is_worth_it(struct store_merge *merge, uint32_t rows) {
	uint64_t groups = 0;
	uint64_t links = 0;
	int error = merge_rows_plan(merge->from, merge->sealed.batches, rows, &merge->begins, &groups);
	if (!error)
		error = segment_read_number(merge->from, SEGMENT_META_LINKS, &links);
	return error ? error : merge->sealed.batches / FEWER >= groups + links / rows;
}

static int check_room(const struct store_merge *merge, uint64_t free_bytes) {
	struct statvfs status;
	if (statvfs(merge->path, &status) < 0)
		return -errno;
	uint64_t wanted = saturating_add((uint64_t)merge->status.st_size, free_bytes);
	return (uint64_t)status.f_bavail * status.f_frsize < wanted ? ERR_FULL : 0;
}

static int take_memory(struct store_merge *merge, uint32_t rows) {
	int error = encoder_new(&merge->encoder);
	if (!error)
		error = decoder_new(&merge->decoder);
	if (!error)
		error = batch_new(&merge->group);
	if (!error)
		error = child_sums_new(&merge->child_sums);
	if (!error)
		batch_set_room(merge->group, rows, merge_rows_text_bytes(rows), false);
	return error;
}

static int prepare(struct store_merge *merge) {
	int error = db_prepare(merge->from, schema_tables[SCHEMA_BATCH].select, &merge->batches);
	for (int i = 0; i < FORMAT_COLUMNS && !error; i++)
		error = db_prepare(merge->from, BATCH_ROWS_SELECT_COLUMN, &merge->columns[i]);
	for (int i = SCHEMA_BATCH; i <= SCHEMA_COLUMN_BLOB && !error; i++)
		error = db_prepare(merge->to, schema_tables[i].insert, &merge->inserts[i]);
	return error;
}

/* Nothing of it counts before the rename: no journal, and no sync but the last. */
static int make_file(struct store_merge *merge) {
	if (asprintf(&merge->temporary, "%s.tmp", merge->path) < 0) {
		merge->temporary = NULL;
		return -ENOMEM;
	}
	(void)unlink(merge->temporary);
	int fd CLEANUP_FD = open(merge->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, merge->status.st_mode & 07777) < 0)
		return -errno;
	cleanup_fd(&fd);
	fd = FD_NONE;
	int error = db_open(merge->temporary, DB_READ_WRITE, &merge->to);
	if (!error)
		error = db_execute(merge->to, CACHE "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF");
	return error ? error : segment_new_tables(merge->to);
}

static int open_files(struct store_merge *merge, uint64_t free_bytes, uint32_t rows) {
	int error = check_room(merge, free_bytes);
	if (!error)
		error = take_memory(merge, rows);
	if (!error)
		error = make_file(merge);
	return error ? error : prepare(merge);
}

/* 1: it is open and wanted; 0: nothing to do. */
static int look_at_segment(struct store_merge *merge, uint32_t rows, char *text) {
	if (stat(merge->path, &merge->status) < 0)
		return errno == ENOENT ? 0 : -errno;
	int error = segment_open(merge->path, DB_READ_ONLY, &merge->from, text);
	if (!error)
		error = db_execute(merge->from, CACHE);
	int wanted = error ? error : may_be_merged(merge);
	return wanted == 1 ? is_worth_it(merge, rows) : wanted;
}

int store_merge_open(struct store_writer *writer, const char *path, const struct store_merge_options *options,
                     struct store_merge **ret_merge, char *ret_text, size_t text_bytes) {
	char text[SEGMENT_TEXT_BYTES] = "";
	*ret_merge = NULL;
	struct store_merge *merge = calloc(1, sizeof(*merge));
	if (!merge)
		return -ENOMEM;
	merge->writer = writer;
	merge->path = strdup(path);
	uint32_t rows = options->rows && options->rows < BATCH_SPANS_MAX ? options->rows : BATCH_SPANS_MAX;
	int wanted = merge->path ? look_at_segment(merge, rows, text) : -ENOMEM;
	int error = wanted == 1 ? open_files(merge, options->free_bytes, rows) : wanted;
	if (wanted == 1 && !error) {
		*ret_merge = merge;
		return 0;
	}
	if (*text)
		(void)snprintf(ret_text, text_bytes, "%s", text);
	else if (error && merge->path)
		(void)fail(merge, "its batches cannot be merged now", error, ret_text, text_bytes);
	store_merge_close(merge);
	return error;
}

static bool begins_group(const struct store_merge *merge, uint64_t batch) {
	return merge->begins[batch / 8] >> batch % 8 & 1;
}

/* Which children are in which batch changes, and with it the child sums of all. */
static int put_batch(struct store_merge *merge, struct format_batch *encoded, const struct child_rows *rows) {
	child_sums_add(merge->child_sums, ++merge->put, rows, encoded);
	child_sums_keep(merge->child_sums);
	return batch_rows_put(merge->inserts, merge->put, encoded, &merge->scratch);
}

/* The gathered rows as one batch. */
static int put_group(struct store_merge *merge) {
	struct format_batch encoded;
	struct child_rows rows;
	if (batch_empty(merge->group))
		return 0;
	encode(merge->encoder, merge->group, &encoded);
	batch_clear(merge->group);
	encoder_child_rows(merge->encoder, &rows);
	return put_batch(merge, &encoded, &rows);
}

static int put_as_it_is(struct store_merge *merge, struct format_batch *encoded, const struct store_columns *columns) {
	struct child_rows rows;
	merge_rows_view(columns, &merge->view, &rows);
	return put_batch(merge, encoded, &rows);
}

/* One batch: into the group, or over as it is if it is alone in its group. */
static int gather(struct store_merge *merge, struct format_batch *encoded, bool alone) {
	struct store_columns columns;
	int error = decode(merge->decoder, encoded, STORE_COLUMNS_ALL | STORE_COLUMN_PARENT_ROW, &columns);
	if (error)
		return error;
	if (alone)
		return put_as_it_is(merge, encoded, &columns);
	if (merge_rows_append(merge->group, &columns))
		return 0;
	error = put_group(merge); /* full: of links */
	if (error || merge_rows_append(merge->group, &columns))
		return error;
	return put_as_it_is(merge, encoded, &columns);
}

static int take_batch(struct store_merge *merge) {
	struct segment_batch batch;
	uint64_t index = merge->taken;
	int error = segment_get_batch(merge->batches, &batch);
	if (!error && (batch.id != index + 1 || batch.has_unknown))
		error = ERR_DAMAGED;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++)
		error = batch_rows_get_column(merge->columns[i], &batch, i);
	if (!error && begins_group(merge, index))
		error = put_group(merge);
	if (error)
		return error;
	merge->taken++;
	bool alone =
	    begins_group(merge, index) && (merge->taken == merge->sealed.batches || begins_group(merge, merge->taken));
	return gather(merge, &batch.encoded, alone);
}

/* What the rollups of the old file promise, if they keep it. */
static int check_rollups(struct store_merge *merge, struct rollup_sums *ret_sums) {
	struct rollup_sums found;
	int error = rollup_read_sums(merge->from, ret_sums);
	if (!error)
		error = rollup_sum(merge->from, &found);
	return error || memcmp(&found, ret_sums, sizeof(found)) == 0 ? error : ERR_DAMAGED;
}

static int count_statistics(struct db *db, int64_t *ret_count) {
	return db_integer(db, "SELECT coalesce(sum(count),0) FROM rollup", ret_count);
}

/* There are fewer steps now, of as many spans; all else is as it was. */
static int renew_rollup_sums(struct store_merge *merge) {
	struct rollup_sums before;
	struct rollup_sums after;
	int64_t spans_before = 0;
	int64_t spans_after = 0;
	int error = segment_has_table(merge->from, SCHEMA_ROLLUP_SEGMENT);
	if (error != 1)
		return error;
	error = check_rollups(merge, &before);
	if (!error)
		error = rollup_sum(merge->to, &after);
	if (!error)
		error = count_statistics(merge->from, &spans_before);
	if (!error)
		error = count_statistics(merge->to, &spans_after);
	if (error || before.steps == 0)
		return error;
	bool same = before.wholes == after.wholes && before.whole_checksum == after.whole_checksum &&
	            before.totals == after.totals && before.total_checksum == after.total_checksum &&
	            spans_before == spans_after;
	error = same ? rollup_write_sums(merge->to, &after) : ERR_DAMAGED;
	return error ? error : rollup_sites_check(merge->to);
}

/* The same but for its batches, and the steps of its rollups? */
static int check_sums(struct store_merge *merge, struct segment_totals *ret_totals) {
	struct segment_totals totals = {0};
	int error = segment_sum_batches(merge->to, &totals);
	if (!error)
		error = segment_sum_catalog(merge->to, &totals);
	if (!error)
		error = segment_sum_samples(merge->to, &totals);
	if (error)
		return error;
	struct segment_totals expected = merge->sealed;
	expected.batches = totals.batches;
	expected.batch_checksum = totals.batch_checksum;
	if (memcmp(&expected, &totals, sizeof(expected)) != 0 || merge->taken != merge->sealed.batches ||
	    totals.batches != merge->put)
		return ERR_DAMAGED;
	error = renew_rollup_sums(merge);
	if (!error)
		error = segment_new_put_names(merge->to);
	if (!error)
		error = segment_sum_catalog(merge->to, &totals);
	*ret_totals = totals;
	return error;
}

/* The sync of the last commit is that of the whole file. */
static int seal(struct store_merge *merge) {
	struct segment_totals totals;
	int error = put_group(merge);
	if (!error)
		error = check_sums(merge, &totals);
	if (!error)
		error = db_execute(merge->to, "COMMIT;PRAGMA synchronous=FULL;BEGIN IMMEDIATE");
	if (!error)
		error = segment_write_seal(merge->to, &totals);
	return error ? error : db_execute(merge->to, "COMMIT");
}

static void close_new_file(struct store_merge *merge) {
	for (int i = 0; i < SCHEMA_TABLES; i++) {
		db_finalize(merge->inserts[i]);
		merge->inserts[i] = NULL;
	}
	db_close(merge->to);
	merge->to = NULL;
}

/* Retention goes by the time a segment was written last. */
static int swap(struct store_merge *merge) {
	struct stat status;
	struct timespec times[2] = {merge->status.st_atim, merge->status.st_mtim};
	close_new_file(merge);
	if (utimensat(AT_FDCWD, merge->temporary, times, 0) < 0 || stat(merge->temporary, &status) < 0)
		return -errno;
	merge->figures = (struct store_merge_figures){.batches_before = merge->sealed.batches,
	                                              .batches_after = merge->put,
	                                              .bytes_before = (uint64_t)merge->status.st_size,
	                                              .bytes_after = (uint64_t)status.st_size,
	                                              .spans = merge->sealed.spans};
	return store_writer_replace(merge->writer, merge->path, merge->temporary);
}

/* 1: there is more to do with this table. Steps of rollups become fewer, all else is copied. */
static int copy_table(struct store_merge *merge, enum schema_table table) {
	if (table != SCHEMA_ROLLUP)
		return segment_new_copy(merge->from, merge->to, table);
	if (!merge->rollups) {
		int there = segment_has_table(merge->from, table);
		int error = there == 1 ? rollup_gather_open(merge->from, ROLLUP_WINDOW_NS, &merge->rollups) : there;
		if (error)
			return error;
		if (!merge->rollups)
			return segment_new_copy(merge->from, merge->to, table);
	}
	return rollup_gather_rows(merge->rollups, merge->to, table, ROLLUP_STEPS);
}

/* 1: there is more to do. */
static int step(struct store_merge *merge, const char **ret_what) {
	*ret_what = "its tables cannot be copied";
	if (merge->table == SCHEMA_BATCH || merge->table == SCHEMA_COLUMN_BLOB)
		merge->table = SCHEMA_SEAL;
	if (merge->table < SCHEMA_SEAL) {
		int more = copy_table(merge, (enum schema_table)merge->table);
		merge->table += more == 0;
		return more < 0 ? more : 1;
	}
	*ret_what = "its batches cannot be merged";
	int row = db_next(merge->batches);
	if (row == 1) {
		int error = take_batch(merge);
		return error ? error : 1;
	}
	int error = row < 0 ? row : seal(merge);
	return error ? error : swap(merge);
}

int store_merge_step(struct store_merge *merge, char *ret_text, size_t text_bytes) {
	const char *what = "";
	int error = step(merge, &what);
	return error < 0 ? fail(merge, what, error, ret_text, text_bytes) : error;
}

void store_merge_figures(const struct store_merge *merge, struct store_merge_figures *ret_figures) {
	*ret_figures = merge->figures;
}
