/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a segment file:
 *
 *     segment-T-N.db.tmp   made empty (0600); schema and identity in one transaction; WAL mode; closed
 *     segment-T-N.db       renamed; opened again; one transaction per commit
 *                          sealed: seal row; WAL copied into the file; no WAL mode any more, one file alone
 *
 * Killed before the rename: the .tmp is removed by the next writer. Killed later: the next writer opens the file,
 * SQLite recovers all commits from the WAL, and it is sealed then. A reader that holds the file open can only
 * delay the last step, which the next writer repeats.
 *
 * The rows of a commit are in one transaction: catalog rows that the segment does not have yet, the batch,
 * cursors, accounts, samples, rollups.
 */
#include "segment_writer.h"
#include "checksum.h"

#include "account_rows.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "batch_rows.h"
#include "catalog_rows.h"
#include "checksum.h"
#include "evict_count.h"
#include "rollup_rows.h"
#include "sample_rows.h"
#include "segment_new.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

/* Checkpoint at 64 MiB of WAL: large ones cost less, and this bounds the disk space beyond the segment. */
#define WAL_PAGES 4096
#define WAL_BYTES_KEPT 67108864

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

struct segment_writer {
	struct db *db;
	char *path;
	char *name_sealed; /* the path it gets with its seal; NULL: it has it */
	struct db_statement *inserts[SCHEMA_TABLES];
	struct catalog_counts written;
	struct segment_counts counts;
	uint64_t spans;
	uint64_t links;
	uint64_t commits;
	uint64_t created_ns; /* monotonic */
	uint64_t wall_offset_ns;
	bool wall_offset_changed;
	struct batch_rows batch_rows;
	struct rollup_coder coder;
};

static int fail(const char *path, const char *doing, const struct db *db, int error, char *text) {
	(void)snprintf(text, SEGMENT_TEXT_BYTES, "%.300s: %s: %s%s", path, doing, db ? db_words(db) : strerror(-error),
	               error == ERR_FULL ? ": free space on this file system" : "");
	return error;
}

static void free_segment(struct segment_writer *segment) {
	for (int i = 0; i < SCHEMA_TABLES; i++)
		db_finalize(segment->inserts[i]);
	free(segment->path);
	free(segment->name_sealed);
	free(segment);
}

void segment_writer_abandon(struct segment_writer *segment) {
	if (!segment)
		return;
	struct db *db = segment->db;
	free_segment(segment);
	db_abandon(db);
}

static int put_meta(struct db_statement *insert, const char *key, const void *value, size_t bytes) {
	db_put_text(insert, key, strlen(key));
	db_put_blob(insert, value, bytes);
	return db_run(insert);
}

static int put_writer_cost(struct db_statement *insert, const struct store_writer_cost *cost) {
	struct segment_writer_cost row = {.cost = *cost, .checksum = checksum64(cost, sizeof(*cost), 0)};
	return put_meta(insert, SEGMENT_META_WRITER_COST, &row, sizeof(row));
}

static int put_identity(struct db *db, uint64_t sequence, uint64_t wall_ns,
                        const struct store_writer_options *options) {
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	uint8_t id[16];
	const char *version = options->agent_version ? options->agent_version : "";
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -EIO;
	int error = db_prepare(db, schema_tables[SCHEMA_META].insert, &insert);
	if (!error)
		error = put_meta(insert, "sequence", &sequence, sizeof(sequence));
	if (!error)
		error = put_meta(insert, "segment_id", id, sizeof(id));
	if (!error)
		error = put_meta(insert, "boot_id", options->boot_id, sizeof(options->boot_id));
	if (!error)
		error = put_meta(insert, "wall_offset_ns", &options->wall_offset_ns, sizeof(options->wall_offset_ns));
	if (!error)
		error = put_meta(insert, "created_wall_ns", &wall_ns, sizeof(wall_ns));
	if (!error)
		error = put_meta(insert, "agent_version", version, strlen(version));
	if (!error && options->writer_cost.rounds > 0)
		error = put_writer_cost(insert, &options->writer_cost);
	return error;
}

static int fill_new(struct db *db, const char *directory, uint64_t sequence, uint64_t wall_ns,
                    const struct store_writer_options *options) {
	int error = segment_new_tables(db);
	if (!error)
		error = put_identity(db, sequence, wall_ns, options);
	if (!error)
		error = segment_new_put_names(db);
	if (!error)
		error = evict_carry(db, directory);
	if (!error)
		error = db_execute(db, "COMMIT");
	return error ? error : db_execute(db, "PRAGMA journal_mode=WAL");
}

static int make_file(const char *path, const char *directory, uint64_t sequence, uint64_t wall_ns,
                     const struct store_writer_options *options, char *text) {
	int fd CLEANUP_FD = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(path, "cannot be made", NULL, -errno, text);
	cleanup_fd(&fd);
	fd = FD_NONE;
	struct db *db = NULL;
	int error = db_open(path, DB_READ_WRITE, &db);
	if (!error)
		error = fill_new(db, directory, sequence, wall_ns, options);
	if (error) {
		(void)fail(path, "cannot be filled", db, error, text);
		(void)unlink(path);
	}
	db_close(db);
	return error;
}

static int open_for_commits(struct segment_writer *segment, const struct store_writer_options *options, char *text) {
	int error = db_open(segment->path, DB_READ_WRITE, &segment->db);
	if (!error)
		error = db_execute(segment->db, "PRAGMA wal_autocheckpoint=" TEXT(
		                                    WAL_PAGES) ";"
		                                               "PRAGMA journal_size_limit=" TEXT(
		                                                   WAL_BYTES_KEPT) ";"
		                                                                   "PRAGMA cache_size=-2048");
	if (!error)
		error =
		    db_execute(segment->db, options->durability == STORE_DURABILITY_FULL ? "PRAGMA synchronous=FULL"
		                                                                         : "PRAGMA synchronous=NORMAL");
	for (int i = 0; i < SCHEMA_TABLES && !error; i++)
		error = db_prepare(segment->db, schema_tables[i].insert, &segment->inserts[i]);
	return error ? fail(segment->path, "cannot be opened for writing", segment->db, error, text) : 0;
}

static int name_file(const char *directory, uint64_t sequence, uint64_t wall_ns, char **ret_path,
                     char **ret_temporary) {
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm utc;
	char stamp[32];
	if (!gmtime_r(&seconds, &utc) || strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc) == 0)
		return -EINVAL;
	if (asprintf(ret_path, "%s/segment-%s-%06" PRIu64 ".db", directory, stamp, sequence) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	if (asprintf(ret_temporary, "%s.tmp", *ret_path) < 0) {
		*ret_temporary = NULL;
		return -ENOMEM;
	}
	return 0;
}

void segment_writer_discard(struct segment_writer *segment) {
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	for (size_t i = 0; segment && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *path CLEANUP_FREE = NULL;
		if (asprintf(&path, "%s%s", segment->path, suffixes[i]) < 0)
			path = NULL;
		else
			(void)unlink(path);
	}
	segment_writer_abandon(segment);
}

/* Its name, unless it is to get that with its seal. */
static int place(struct segment_writer *segment, char **temporary, bool when_sealed, char *text) {
	if (when_sealed) {
		segment->name_sealed = segment->path;
		segment->path = TAKE_PTR(*temporary);
		return 0;
	}
	if (rename(*temporary, segment->path) == 0)
		return 0;
	int error = fail(segment->path, "cannot be put in place", NULL, -errno, text);
	(void)unlink(*temporary);
	return error;
}

int segment_writer_create(const char *directory, uint64_t sequence, const struct store_writer_options *options,
                          struct segment_writer **ret_segment, char *ret_text) {
	char *temporary CLEANUP_FREE = NULL;
	uint64_t wall_ns = clock_wall_ns();
	struct segment_writer *segment = calloc(1, sizeof(*segment));
	if (!segment)
		return fail(directory, "new segment", NULL, -ENOMEM, ret_text);
	int error = name_file(directory, sequence, wall_ns, &segment->path, &temporary);
	if (error)
		(void)fail(directory, "new segment", NULL, error, ret_text);
	else
		error = make_file(temporary, directory, sequence, wall_ns, options, ret_text);
	if (!error)
		error = place(segment, &temporary, options->whole_segments, ret_text);
	bool placed = !error;
	if (!error && options->durability == STORE_DURABILITY_FULL && (error = segment_new_sync(directory)) < 0)
		(void)fail(directory, "cannot be synchronised", NULL, error, ret_text);
	if (!error)
		error = open_for_commits(segment, options, ret_text);
	if (error) {
		/* It never held a commit: each new try would leave another behind. */
		if (placed)
			segment_writer_discard(segment);
		else
			segment_writer_abandon(segment);
		return error;
	}
	segment->created_ns = clock_monotonic_ns();
	segment->wall_offset_ns = options->wall_offset_ns;
	*ret_segment = segment;
	return 0;
}

static int put_strings(struct segment_writer *segment, const struct catalog *catalog, uint32_t count) {
	struct db_statement *insert = segment->inserts[SCHEMA_STRING];
	int error = 0;
	for (uint32_t id = segment->written.strings + 1; id <= count && !error; id++) {
		const struct catalog_text *text = catalog_string_at(catalog, id);
		db_put_u64(insert, id);
		db_put_text(insert, text->text, text->bytes);
		error = db_run(insert);
	}
	return error;
}

static int put_scope(struct db_statement *insert, uint32_t id, const struct store_site *site) {
	db_put_u64(insert, id);
	db_put_u64(insert, site->scope_name);
	db_put_u64(insert, site->scope_version);
	return db_run(insert);
}

static int put_sites(struct segment_writer *segment, const struct catalog *catalog, uint32_t count) {
	struct db_statement *insert = segment->inserts[SCHEMA_SITE];
	int error = 0;
	for (uint32_t id = segment->written.sites + 1; id <= count && !error; id++) {
		const struct store_site *site = catalog_site_at(catalog, id);
		db_put_u64(insert, id);
		db_put_u64(insert, site->name);
		db_put_u64(insert, site->file);
		db_put_u64(insert, site->line);
		db_put_u64(insert, site->kind);
		error = db_run(insert);
		if (!error && site->scope_name)
			error = put_scope(segment->inserts[SCHEMA_SCOPE], id, site);
	}
	return error;
}

static int put_resource(struct db_statement *insert, uint32_t id, const struct store_process *process) {
	db_put_u64(insert, id);
	db_put_u64(insert, process->resource);
	db_put_u64(insert, process->resource_left_out);
	return db_run(insert);
}

static int put_processes(struct segment_writer *segment, const struct catalog *catalog, uint32_t count) {
	struct db_statement *insert = segment->inserts[SCHEMA_PROCESS];
	int error = 0;
	for (uint32_t id = segment->written.processes + 1; id <= count && !error; id++) {
		const struct store_process *process = catalog_process_at(catalog, id);
		db_put_u64(insert, id);
		db_put_blob(insert, process->instance, STORE_INSTANCE_BYTES);
		db_put_u64(insert, process->pid);
		db_put_u64(insert, process->ppid);
		db_put_u64(insert, process->uid);
		db_put_u64(insert, process->clock_kind);
		db_put_u64(insert, process->attach_ns);
		db_put_u64(insert, process->attach_wall_ns);
		db_put_u64(insert, process->executable);
		db_put_u64(insert, process->command);
		db_put_u64(insert, process->service);
		error = db_run(insert);
		if (!error && (process->resource || process->resource_left_out))
			error = put_resource(segment->inserts[SCHEMA_RESOURCE], id, process);
	}
	return error;
}

static int put_threads(struct segment_writer *segment, const struct catalog *catalog, uint32_t count) {
	struct db_statement *insert = segment->inserts[SCHEMA_THREAD];
	int error = 0;
	for (uint32_t id = segment->written.threads + 1; id <= count && !error; id++) {
		const struct store_thread *thread = catalog_thread_at(catalog, id);
		db_put_u64(insert, id);
		db_put_u64(insert, thread->process);
		db_put_u64(insert, thread->ring_index);
		db_put_u64(insert, thread->tid);
		db_put_u64(insert, thread->name);
		db_put_u64(insert, thread->start_ns);
		error = db_run(insert);
	}
	return error;
}

static int put_catalog(struct segment_writer *segment, const struct catalog *catalog,
                       const struct catalog_counts *counts) {
	int error = put_strings(segment, catalog, counts->strings);
	if (!error)
		error = put_sites(segment, catalog, counts->sites);
	if (!error)
		error = put_processes(segment, catalog, counts->processes);
	if (!error)
		error = put_threads(segment, catalog, counts->threads);
	return error;
}

/* A ring from which nothing was sampled out has no row. */
static int put_sampling(struct db_statement *insert, const struct store_cursor *cursor) {
	if (!(cursor->sampled_out | cursor->sampled_out_short))
		return 0;
	db_put_blob(insert, cursor->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, cursor->ring_index);
	db_put_u64(insert, cursor->sampled_out);
	db_put_u64(insert, cursor->sampled_out_short);
	return db_run(insert);
}

/* Nor has one whose spans all stand for themselves. */
static int put_thinned(struct db_statement *insert, const struct store_cursor *cursor) {
	if (!(cursor->thinned_spans | cursor->thinned_attributes | cursor->thinned_events | cursor->weighted_spans |
	      cursor->traces_in_part))
		return 0;
	db_put_blob(insert, cursor->instance, STORE_INSTANCE_BYTES);
	db_put_u64(insert, cursor->ring_index);
	db_put_u64(insert, cursor->thinned_spans);
	db_put_u64(insert, cursor->thinned_attributes);
	db_put_u64(insert, cursor->thinned_events);
	db_put_u64(insert, cursor->weighted_spans);
	db_put_u64(insert, cursor->traces_in_part);
	return db_run(insert);
}

static int put_cursors(struct segment_writer *segment, const struct store_commit *commit) {
	struct db_statement *insert = segment->inserts[SCHEMA_CURSOR];
	int error = 0;
	for (size_t i = 0; i < commit->cursor_count && !error; i++) {
		const struct store_cursor *cursor = &commit->cursors[i];
		db_put_blob(insert, cursor->instance, STORE_INSTANCE_BYTES);
		db_put_u64(insert, cursor->ring_index);
		db_put_u64(insert, cursor->state);
		db_put_u64(insert, cursor->position);
		db_put_u64(insert, cursor->begun);
		db_put_u64(insert, cursor->open);
		db_put_u64(insert, cursor->dropped_full);
		db_put_u64(insert, cursor->dropped_depth);
		db_put_u64(insert, cursor->dropped_attributes);
		db_put_u64(insert, cursor->dropped_events);
		db_put_u64(insert, cursor->stored_spans);
		db_put_u64(insert, cursor->stored_attributes);
		db_put_u64(insert, cursor->stored_events);
		db_put_u64(insert, cursor->rejected_spans);
		db_put_u64(insert, cursor->rejected_other);
		db_put_u64(insert, cursor->lost_records);
		db_put_u64(insert, cursor->reason);
		error = db_run(insert);
		if (!error)
			error = put_sampling(segment->inserts[SCHEMA_SAMPLING], cursor);
		if (!error)
			error = put_thinned(segment->inserts[SCHEMA_THINNED], cursor);
	}
	return error;
}

static int put_accounts(struct segment_writer *segment, const struct store_commit *commit) {
	struct db_statement *insert = segment->inserts[SCHEMA_ACCOUNT];
	int error = 0;
	for (size_t i = 0; i < commit->account_count && !error; i++) {
		const struct store_process_account *account = &commit->accounts[i];
		db_put_blob(insert, account->instance, STORE_INSTANCE_BYTES);
		db_put_u64(insert, account->state);
		db_put_u64(insert, account->rings_made);
		db_put_u64(insert, account->time_ns);
		db_put_u64(insert, account->threads_untraced);
		db_put_u64(insert, account->dropped_no_ring);
		db_put_u64(insert, account->names_cut);
		db_put_u64(insert, account->sites_overflowed);
		db_put_u64(insert, account->strings_overflowed);
		db_put_u64(insert, account->misuse);
		error = db_run(insert);
		if (!error)
			error = account_rows_put(segment->inserts, account);
	}
	return error;
}

static int put_samples(struct segment_writer *segment, const struct store_commit *commit) {
	struct segment_counts counts = segment->counts;
	int error = 0;
	for (size_t i = 0; i < commit->sample_count && !error; i++) {
		const struct store_memory_sample *sample = &commit->samples[i];
		uint64_t *count = sample->process ? &counts.samples : &counts.agent_samples;
		error = sample_rows_put(segment->inserts, ++*count, sample);
	}
	return error;
}

static int put_rollups(struct segment_writer *segment, const struct store_commit *commit) {
	int error = 0;
	for (size_t i = 0; i < commit->rollup_count && !error; i++)
		error = rollup_put(segment->inserts[SCHEMA_ROLLUP], segment->counts.rollups + i + 1,
		                   &commit->rollups[i], &segment->coder);
	for (size_t i = 0; i < commit->rollup_total_count && !error; i++)
		error =
		    rollup_put_total(segment->inserts[SCHEMA_ROLLUP_TOTAL], &commit->rollup_totals[i], &segment->coder);
	return error;
}

static int put_all(struct segment_writer *segment, const struct store_commit *commit,
                   const struct format_batch *encoded, const struct catalog_counts *counts) {
	uint64_t commits = segment->commits + 1;
	int error = db_execute(segment->db, "BEGIN IMMEDIATE");
	/* So that every WAL holds the page that says whose it is, and how old. */
	if (!error)
		error = put_meta(segment->inserts[SCHEMA_META], SEGMENT_META_COMMITS, &commits, sizeof(commits));
	if (!error && segment->wall_offset_changed)
		error = put_meta(segment->inserts[SCHEMA_META], "wall_offset_ns", &segment->wall_offset_ns,
		                 sizeof(segment->wall_offset_ns));
	if (!error)
		error = put_catalog(segment, commit->catalog, counts);
	if (!error && encoded)
		error = batch_rows_put(segment->inserts, segment->counts.batches + 1, encoded, &segment->batch_rows);
	if (!error && encoded && encoded->link_count) {
		uint64_t links = segment->links + encoded->link_count;
		error = put_meta(segment->inserts[SCHEMA_META], SEGMENT_META_LINKS, &links, sizeof(links));
	}
	if (!error)
		error = put_cursors(segment, commit);
	if (!error)
		error = put_accounts(segment, commit);
	if (!error)
		error = put_samples(segment, commit);
	if (!error)
		error = put_rollups(segment, commit);
	return error ? error : db_execute(segment->db, "COMMIT");
}

void segment_counts_add_samples(struct segment_counts *counts, const struct store_commit *commit) {
	for (size_t i = 0; i < commit->sample_count; i++)
		*(commit->samples[i].process ? &counts->samples : &counts->agent_samples) += 1;
}

int segment_writer_commit(struct segment_writer *segment, const struct store_commit *commit,
                          const struct format_batch *encoded, char *ret_text) {
	struct catalog_counts counts = catalog_counts(commit->catalog);
	int error = put_all(segment, commit, encoded, &counts);
	if (error) {
		(void)fail(segment->path, "commit failed", segment->db, error, ret_text);
		db_rollback(segment->db);
		return error;
	}
	segment->written = counts;
	segment->commits++;
	segment->counts.rollups += commit->rollup_count;
	segment_counts_add_samples(&segment->counts, commit);
	segment->wall_offset_changed = false;
	if (encoded) {
		segment->counts.batches++;
		segment->spans += encoded->span_count;
		segment->links += encoded->link_count;
	}
	return 0;
}

void segment_writer_set_wall_offset(struct segment_writer *segment, uint64_t wall_offset_ns) {
	segment->wall_offset_changed |= segment->wall_offset_ns != wall_offset_ns;
	segment->wall_offset_ns = wall_offset_ns;
}

uint64_t segment_writer_spans(const struct segment_writer *segment) {
	return segment->spans;
}

uint64_t segment_writer_age_ns(const struct segment_writer *segment) {
	return clock_monotonic_ns() - segment->created_ns;
}

const char *segment_writer_path(const struct segment_writer *segment) {
	return segment->path;
}

struct db *segment_writer_db(const struct segment_writer *segment) {
	return segment->db;
}

struct segment_counts segment_writer_counts(const struct segment_writer *segment) {
	return segment->counts;
}

static int find_count(struct db *db, const char *sql, uint64_t *ret_count) {
	int64_t count = 0;
	int error = db_integer(db, sql, &count);
	*ret_count = (uint64_t)count;
	return error;
}

int segment_writer_find_counts(struct db *db, struct segment_counts *ret_counts) {
	int error = find_count(db, "SELECT coalesce(max(id),0) FROM batch", &ret_counts->batches);
	if (!error)
		error = find_count(db, "SELECT coalesce(max(id),0) FROM sample", &ret_counts->samples);
	if (!error)
		error = find_count(db, "SELECT coalesce(max(id),0) FROM agent_sample", &ret_counts->agent_samples);
	if (!error)
		error = find_count(db, "SELECT coalesce(max(id),0) FROM rollup", &ret_counts->rollups);
	return error;
}

/*
 * Checkpoint and leave WAL mode, which is one write of the file's header. With a journal file for that write, a
 * kill would leave a file that no reader may touch before the next writer has rolled it back; in memory there is
 * nothing to roll back, and the header is one sector. A reader that holds the file makes this wait for the next
 * writer; the seal row counts already.
 */
static int leave_wal(struct db *db) {
	int error = db_execute(db, "PRAGMA wal_checkpoint(TRUNCATE);PRAGMA journal_mode=MEMORY");
	return error == -EAGAIN ? 0 : error;
}

/* So that a seal that gets lost is missed. */
static int put_sealed(struct db *db) {
	static const uint64_t one = 1;
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_META].insert, &insert);
	return error ? error : put_meta(insert, SEGMENT_META_SEALED, &one, sizeof(one));
}

static int write_seal(struct db *db) {
	struct segment_totals totals = {0};
	int error = db_execute(db, "BEGIN IMMEDIATE");
	int sealed = error ? error : segment_read_seal(db, &totals);
	if (sealed == 0) {
		error = segment_sum_batches(db, &totals);
		if (!error)
			error = put_sealed(db);
		if (!error)
			error = rollup_seal(db);
		if (!error)
			error = segment_sum_catalog(db, &totals);
		if (!error)
			error = segment_sum_samples(db, &totals);
		if (!error)
			error = segment_write_seal(db, &totals);
	} else if (sealed < 0) {
		error = sealed;
	}
	if (!error)
		error = db_execute(db, "COMMIT");
	return error;
}

static int seal(struct db *db, const char *path, char *text) {
	int error = write_seal(db);
	if (error) {
		(void)fail(path, "cannot be sealed", db, error, text);
		db_rollback(db);
		return error;
	}
	error = leave_wal(db);
	return error ? fail(path, "cannot be checkpointed", db, error, text) : 0;
}

/* It appears in the store, whole, for good. */
static int show_sealed(const char *path, const char *name, char *text) {
	char *directory CLEANUP_FREE = strdup(name);
	if (!directory)
		return fail(name, "cannot be put in place", NULL, -ENOMEM, text);
	*strrchr(directory, '/') = 0;
	if (rename(path, name) < 0)
		return fail(name, "cannot be put in place", NULL, -errno, text);
	int error = segment_new_sync(directory);
	return error ? fail(directory, "cannot be synchronised", NULL, error, text) : 0;
}

int segment_writer_seal(struct segment_writer *segment, char *ret_text) {
	int error = seal(segment->db, segment->path, ret_text);
	if (error) {
		segment_writer_abandon(segment);
		return error;
	}
	char *path CLEANUP_FREE = TAKE_PTR(segment->path);
	char *name CLEANUP_FREE = TAKE_PTR(segment->name_sealed);
	struct db *db = segment->db;
	free_segment(segment);
	db_close(db);
	return name ? show_sealed(path, name, ret_text) : 0;
}

int segment_writer_recover(const char *path, char *ret_text) {
	struct db *db = NULL;
	int error = segment_open(path, DB_READ_WRITE, &db, ret_text);
	if (error)
		return error;
	error = seal(db, path, ret_text);
	if (error)
		db_abandon(db);
	else
		db_close(db);
	return error;
}
