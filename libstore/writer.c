/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A COMMIT IN DOUBT. When a write or fsync fails, the commit may be in the file all the same: its last frame can lie in the WAL, whole,
 * and whoever opens the file next takes it for committed. So an I/O error does not say that the rows are not stored, and given again in a
 * new segment they could be there twice. Therefore nothing is written before the old segment has answered:
 *
 *     the connection is closed as it is; the file is opened anew, as after a kill, and sealed, which writes all that its WAL holds into
 *     the file once more: no failed fsync is believed for having worked the second time;
 *     then its rows are counted. With the commit's: it is stored, and must not be given again. Without: it never comes back, the WAL is
 *     gone, and it may go into a new segment.
 *
 * While the file does not answer, commits fail. One that cannot be read at all, damaged or gone, can store nothing twice.
 */
#include "writer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "catalog_rows.h"
#include "child_sums.h"
#include "cursor_list.h"
#include "encode.h"
#include "evict_count.h"
#include "id_table.h"
#include "rollup_totals.h"
#include "segment_new.h"
#include "segment_writer.h"
#include "store_lock.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A commit that failed so that it may be stored or not. */
struct doubt {
	char *path; /* of its segment; NULL: there is none */
	struct segment_counts before;
	struct segment_counts after; /* if it is stored */
};

struct store_writer {
	char *directory;
	int lock_fd;
	struct store_writer_options options;
	char *agent_version;
	struct encoder *encoder;
	struct child_sums *child_sums;  /* of the open segment */
	struct segment_writer *segment; /* NULL: made by the next commit */
	uint64_t catalog_serial;        /* of the open segment */
	uint64_t sequence_next;
	bool segment_is_part;       /* it begins in the middle of its catalog, without the books given before */
	int seal_error;             /* a segment could not be sealed; 0: all are */
	pthread_mutex_t names_lock; /* a segment is removed, or replaced by its merged one: not both */
	struct doubt doubt;
	struct cursor_list found;
	struct rollup_totals found_totals;
	char error[SEGMENT_TEXT_BYTES];
};

/* 1 if the segment has its seal and no WAL; 0 if it wants sealing. */
static int is_sealed(const char *path, struct db **ret_db, char *text) {
	struct segment_totals totals;
	struct db *db = NULL;
	int64_t is_wal = 0;
	int error = segment_open(path, DB_READ_ONLY, &db, text);
	if (error)
		return error;
	error = db_integer(db, "SELECT journal_mode='wal' FROM pragma_journal_mode", &is_wal);
	int sealed = error ? error : segment_read_seal(db, &totals);
	if (sealed < 0) {
		(void)snprintf(text, SEGMENT_TEXT_BYTES, "%.300s: damaged: %s", path, db_words(db));
		db_close(db);
		return sealed;
	}
	*ret_db = db;
	return sealed && !is_wal;
}

/* The file has answered, and that is all there will be of it, or it is gone. Any other error may pass; SQLite's errno may be an old one. */
static bool is_final(const char *path, int error) {
	if (error == -ENOENT)
		return access(path, F_OK) < 0 && errno == ENOENT;
	return error == ERR_DAMAGED || error == ERR_FOREIGN || error == ERR_NEWER || error == ERR_LIMIT;
}

/* One that can be read and not sealed gives its cursors all the same: text says why, and it is tried again at close. */
static int take_over(struct store_writer *writer, const char *path, char *text) {
	struct db *db = NULL;
	int sealed = is_sealed(path, &db, text);
	if (sealed == ERR_FOREIGN || sealed == ERR_NEWER)
		return sealed;
	if (sealed <= 0) {
		char unread[SEGMENT_TEXT_BYTES] = "";
		db_close(db);
		db = NULL;
		int unsealed = segment_writer_recover(path, text);
		int error = segment_open(path, DB_READ_ONLY, &db, unread);
		if (error) {
			memcpy(text, unread, sizeof(unread));
			return error;
		}
		if (unsealed)
			writer->seal_error = unsealed;
	}
	int error = cursor_list_read(db, &writer->found);
	if (!error)
		error = cursor_list_read_beside(db, &writer->found, SCHEMA_SAMPLING, segment_get_sampling);
	if (!error)
		error = cursor_list_read_beside(db, &writer->found, SCHEMA_THINNED, segment_get_thinned);
	if (error)
		(void)snprintf(text, SEGMENT_TEXT_BYTES, "%.300s: cursors cannot be read: %s", path, db_words(db));
	db_close(db);
	return error;
}

/* What is wrong with the file itself was told when its cursors were read. */
static int take_totals(struct store_writer *writer, const char *path, char *text) {
	struct db *db = NULL;
	int error = segment_open(path, DB_READ_ONLY, &db, text);
	if (error) {
		if (is_final(path, error))
			text[0] = 0;
		return error;
	}
	error = rollup_totals_load(&writer->found_totals, db);
	if (error)
		(void)snprintf(text, SEGMENT_TEXT_BYTES, "%.300s: rollup totals cannot be read: %s", path,
		               error == ERR_DAMAGED ? "damaged" : strerror(-error));
	db_close(db);
	return error;
}

/* Of the newest segments, newest first. An error that may pass ends it: without those totals spans would count twice. */
static int take_all_totals(struct store_writer *writer, struct dirent *const *entries, int count, char *text,
                           size_t text_bytes) {
	unsigned taken = 0;
	int fatal = 0;
	for (int i = count - 1; i >= 0 && taken < ROLLUP_TOTALS_SEGMENTS && !fatal; i--) {
		char *path CLEANUP_FREE = NULL;
		char problem[SEGMENT_TEXT_BYTES] = "";
		if (!segment_is_name(entries[i]->d_name))
			continue;
		if (asprintf(&path, "%s/%s", writer->directory, entries[i]->d_name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		taken++;
		int error = take_totals(writer, path, problem);
		fatal = is_final(path, error) ? 0 : error;
		if (*problem && text_bytes && (fatal || !*text))
			(void)snprintf(text, text_bytes, "%s", problem);
	}
	return fatal;
}

static uint64_t sequence_of(const char *name) {
	const char *dash = strrchr(name, '-');
	return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static bool is_left_over(const char *name) {
	return strncmp(name, "segment-", 8) == 0 && strstr(name, ".db.tmp");
}

static int only_ours(const struct dirent *entry) {
	return segment_is_name(entry->d_name) || is_left_over(entry->d_name);
}

/* Up to which sequence the newest segment calls all others evicted. One that does not answer now is told of when it is taken over. */
static uint64_t find_evicted(const struct store_writer *writer) {
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	uint64_t through = 0;
	const char *newest = NULL;
	if (store_evict_list(writer->directory, &segments, &count) == 0)
		(void)evict_through_list(segments, count, &through, &newest);
	store_evict_list_free(segments, count);
	return through;
}

/*
 * In order of names, which is order of time. What is wrong with one segment is told in text and stops nothing, but for an error that may
 * pass: to go on without cursors that are there would store spans twice.
 */
static int take_over_all(struct store_writer *writer, char *text, size_t text_bytes) {
	struct dirent **entries = NULL;
	int count = scandir(writer->directory, &entries, only_ours, alphasort);
	int error = count < 0 ? -errno : 0;
	uint64_t evicted = find_evicted(writer);
	for (int i = 0; i < count && !error; i++) {
		char *path CLEANUP_FREE = NULL;
		char problem[SEGMENT_TEXT_BYTES] = "";
		const char *name = entries[i]->d_name;
		if (asprintf(&path, "%s/%s", writer->directory, name) < 0) {
			path = NULL;
			error = -ENOMEM;
		} else if (is_left_over(name)) {
			(void)unlink(path);
		} else {
			uint64_t sequence = sequence_of(name);
			writer->sequence_next =
			    sequence >= writer->sequence_next ? sequence + 1 : writer->sequence_next;
			if (sequence > 0 && sequence <= evicted && unlink(path) == 0)
				continue; /* counted out by a writer that was killed before it removed it */
			int failed = take_over(writer, path, problem);
			error = is_final(path, failed) ? error : failed;
			if (*problem && text_bytes && (error || !*text))
				(void)snprintf(text, text_bytes, "%s", problem);
		}
	}
	if (!error)
		error = take_all_totals(writer, entries, count, text, text_bytes);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	return error;
}

static void free_writer(struct store_writer *writer) {
	encoder_free(writer->encoder);
	child_sums_free(writer->child_sums);
	id_table_done(&writer->found.by_ring);
	free(writer->found.cursors);
	rollup_totals_done(&writer->found_totals);
	free(writer->doubt.path);
	free(writer->agent_version);
	free(writer->directory);
	cleanup_fd(&writer->lock_fd);
	(void)pthread_mutex_destroy(&writer->names_lock);
	free(writer);
}

int store_writer_open(const char *directory, const struct store_writer_options *options,
                      struct store_writer **ret_writer, int *ret_holder_pid, char *ret_text, size_t text_bytes) {
	if (text_bytes)
		*ret_text = 0;
	struct store_writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	(void)pthread_mutex_init(&writer->names_lock, NULL);
	writer->lock_fd = FD_NONE;
	writer->sequence_next = 1;
	writer->options = *options;
	writer->directory = strdup(directory);
	writer->agent_version = strdup(options->agent_version ? options->agent_version : "");
	writer->options.agent_version = writer->agent_version;
	int error = writer->directory && writer->agent_version ? 0 : -ENOMEM;
	if (!error)
		error = encoder_new(&writer->encoder);
	if (!error)
		error = child_sums_new(&writer->child_sums);
	if (!error)
		error = store_lock_directory(directory, ret_text, text_bytes);
	if (!error)
		error = store_lock_take(directory, &writer->lock_fd, ret_holder_pid, ret_text, text_bytes);
	if (!error)
		error = take_over_all(writer, ret_text, text_bytes);
	if (error) {
		free_writer(writer);
		return error;
	}
	*ret_writer = writer;
	return 0;
}

int store_writer_cursors(struct store_writer *writer, const struct store_cursor **ret_cursors, size_t *ret_count) {
	*ret_cursors = writer->found.cursors;
	*ret_count = writer->found.count;
	return 0;
}

int store_writer_rollup_totals(struct store_writer *writer, const uint8_t *instance,
                               int (*on_total)(void *context, const struct store_rollup_total *total), void *context) {
	return rollup_totals_each(&writer->found_totals, instance, on_total, context);
}

void store_writer_set_wall_offset(struct store_writer *writer, uint64_t wall_offset_ns) {
	writer->options.wall_offset_ns = wall_offset_ns;
	if (writer->segment)
		segment_writer_set_wall_offset(writer->segment, wall_offset_ns);
}

void store_writer_rest(struct store_writer *writer) {
	encoder_rest(writer->encoder);
}

const char *store_writer_error(const struct store_writer *writer) {
	return writer->error;
}

static int seal_open_segment(struct store_writer *writer) {
	if (!writer->segment)
		return 0;
	int error = segment_writer_seal(writer->segment, writer->error);
	writer->segment = NULL;
	if (error)
		writer->seal_error = error;
	return error;
}

/*
 * A segment for this catalog. One that cannot be sealed now keeps all its commits, in the file and its WAL, and is
 * sealed at close or by the next writer, so that does not stop the new one.
 */
static int ready_segment(struct store_writer *writer, const struct catalog *catalog) {
	if (writer->segment && writer->catalog_serial != catalog_serial(catalog))
		(void)seal_open_segment(writer);
	if (writer->segment)
		return 0;
	int error = segment_writer_create(writer->directory, writer->sequence_next, &writer->options, &writer->segment,
	                                  writer->error);
	if (error)
		return error;
	writer->sequence_next++;
	child_sums_clear(writer->child_sums);
	writer->segment_is_part = writer->catalog_serial == catalog_serial(catalog);
	writer->catalog_serial = catalog_serial(catalog);
	return 0;
}

/* Errors after which the segment may still be written: nothing is wrong with the file. */
static bool may_go_on(int error) {
	return error == ERR_FULL || error == -ENOMEM || error == -EAGAIN;
}

static bool counts_equal(struct segment_counts a, struct segment_counts b) {
	return a.batches == b.batches && a.samples == b.samples && a.agent_samples == b.agent_samples &&
	       a.rollups == b.rollups;
}

/* From now on nothing is written until settle_doubt has its answer. */
static int begin_doubt(struct store_writer *writer, const struct store_commit *commit, bool has_batch) {
	struct doubt doubt = {.path = strdup(segment_writer_path(writer->segment)),
	                      .before = segment_writer_counts(writer->segment)};
	if (!doubt.path)
		return -ENOMEM;
	doubt.after = doubt.before;
	doubt.after.batches += has_batch;
	segment_counts_add_samples(&doubt.after, commit);
	doubt.after.rollups += commit->rollup_count;
	writer->doubt = doubt;
	segment_writer_abandon(writer->segment);
	writer->segment = NULL;
	return 0;
}

static int unsettled(struct store_writer *writer, int error, const char *words) {
	(void)snprintf(writer->error, sizeof(writer->error),
	               "%.200s: did not say whether the last commit is in it: %.200s; repair this file system",
	               writer->doubt.path, words);
	return error;
}

/* 0 and whether the commit is stored; else it is not known yet. */
static int settle_doubt(struct store_writer *writer, bool *ret_stored) {
	struct doubt *doubt = &writer->doubt;
	struct segment_counts found = {0};
	struct db *db = NULL;
	char words[SEGMENT_TEXT_BYTES] = "";
	int unsealed = segment_writer_recover(doubt->path, words);
	int sealed = is_sealed(doubt->path, &db, words);
	int error = sealed < 0 ? sealed : segment_writer_find_counts(db, &found);
	db_close(db);
	if (error && !is_final(doubt->path, error))
		return unsettled(writer, error, words);
	*ret_stored = !error && !counts_equal(doubt->before, doubt->after) && counts_equal(found, doubt->after);
	/* Stored, but not yet so that loss of power does it no harm. */
	if (*ret_stored && sealed != 1 && writer->options.durability == STORE_DURABILITY_FULL)
		return unsettled(writer, unsealed ? unsealed : -EAGAIN, *words ? words : "a reader holds it");
	if (unsealed && !error)
		writer->seal_error = unsealed;
	free(doubt->path);
	doubt->path = NULL;
	return 0;
}

/* Before anything is written: one row that no reader would believe must not cost the others. */
static int check_rollups(struct store_writer *writer, const struct store_commit *commit) {
	int error = 0;
	for (size_t i = 0; i < commit->rollup_count && !error; i++)
		error = store_rollup_check(&commit->rollups[i]);
	for (size_t i = 0; i < commit->rollup_total_count && !error; i++)
		error = store_rollup_total_check(&commit->rollup_totals[i]);
	if (error)
		(void)snprintf(writer->error, sizeof(writer->error),
		               "%.300s: a rollup that contradicts itself was not stored", writer->directory);
	return error;
}

/* In the segment where it will be. */
static void add_child_sums(struct store_writer *writer, struct format_batch *encoded, struct store_receipt *receipt) {
	struct child_rows rows;
	uint64_t from_ns = clock_thread_cpu_ns();
	encoder_child_rows(writer->encoder, &rows);
	child_sums_add(writer->child_sums, segment_writer_counts(writer->segment).batches + 1, &rows, encoded);
	receipt->encode_ns += clock_thread_cpu_ns() - from_ns;
}

/* 1: it is stored already; 0: it is now, or the error. */
static int write_commit(struct store_writer *writer, const struct store_commit *commit, struct format_batch *encoded,
                        struct store_receipt *receipt) {
	bool stored = false;
	int error = writer->doubt.path ? settle_doubt(writer, &stored) : 0;
	if (error || stored)
		return error ? error : 1;
	error = ready_segment(writer, commit->catalog);
	if (error)
		return error;
	if (encoded)
		add_child_sums(writer, encoded, receipt);
	error = segment_writer_commit(writer->segment, commit, encoded, writer->error);
	if (!error && encoded)
		child_sums_keep(writer->child_sums);
	if (!error || may_go_on(error))
		return error;
	char words[SEGMENT_TEXT_BYTES];
	memcpy(words, writer->error, sizeof(words));
	if (begin_doubt(writer, commit, encoded != NULL))
		return error; /* no memory: the segment stays open, and the commit is written over */
	int unknown = settle_doubt(writer, &stored);
	if (unknown || stored)
		return unknown ? unknown : 1;
	memcpy(writer->error, words, sizeof(words));
	return error;
}

int store_writer_commit(struct store_writer *writer, const struct store_commit *commit,
                        struct store_receipt *ret_receipt) {
	struct store_receipt receipt = {0};
	int error = check_rollups(writer, commit);
	if (error)
		return error;
	struct format_batch encoded;
	bool has_batch = commit->batch && !batch_empty(commit->batch);
	if (has_batch) {
		uint64_t from_ns = clock_thread_cpu_ns();
		encode(writer->encoder, commit->batch, &encoded);
		receipt.encode_ns = clock_thread_cpu_ns() - from_ns;
	}
	uint64_t from_ns = clock_monotonic_ns();
	int done = write_commit(writer, commit, has_batch ? &encoded : NULL, &receipt);
	if (done < 0)
		return done;
	for (int i = 0; i < FORMAT_COLUMNS && has_batch; i++)
		receipt.bytes += encoded.columns[i].bytes;
	receipt.commit_ns = clock_monotonic_ns() - from_ns;
	if (writer->segment)
		receipt.segment_spans = segment_writer_spans(writer->segment);
	/* Books given before are in another file: the caller is to begin a new segment, with all of them. */
	if (!writer->segment || writer->segment_is_part)
		receipt.segment_age_ns = STORE_SEGMENT_AGE_NS_MAX;
	else
		receipt.segment_age_ns = segment_writer_age_ns(writer->segment);
	if (ret_receipt)
		*ret_receipt = receipt;
	return 0;
}

uint64_t store_writer_open_sequence(const struct store_writer *writer) {
	return writer->segment ? writer->sequence_next - 1 : 0;
}

uint64_t store_writer_closed_below(const struct store_writer *writer) {
	if (writer->doubt.path)
		return 0;
	return writer->segment ? store_writer_open_sequence(writer) : writer->sequence_next;
}

/* 0: gone; 1: it stays, and so do all behind it; or an error. */
static int evict_one(struct store_writer *writer, const struct store_evict_segment *segments, size_t count,
                     uint64_t *ret_spans) {
	struct db *db = segment_writer_db(writer->segment);
	int kept = evict_count(db, segments, count, writer->options.boot_id, ret_spans);
	if (kept) {
		(void)snprintf(writer->error, sizeof(writer->error), "%.300s: cannot be evicted: %.150s",
		               segments->path,
		               kept > 0 ? "it is not sealed, or no segment of this store" : db_words(db));
		return kept;
	}
	(void)pthread_mutex_lock(&writer->names_lock);
	int error = unlink(segments->path) == 0 || errno == ENOENT ? 0 : -errno;
	(void)pthread_mutex_unlock(&writer->names_lock);
	if (!error)
		return 0;
	/* counted, and read by nobody: the next agent tries again */
	(void)snprintf(writer->error, sizeof(writer->error), "%.300s: cannot be removed: %s", segments->path,
	               strerror(-error));
	return error;
}

int store_writer_evict(struct store_writer *writer, const struct catalog *catalog,
                       const struct store_evict_segment *segments, size_t segment_count, size_t victim_count,
                       struct store_evict_sum *ret_sum) {
	*ret_sum = (struct store_evict_sum){0};
	if (writer->doubt.path)
		return 0;
	int error = ready_segment(writer, catalog);
	/* One that began in the middle has not all the books: the next one will. */
	if (error || writer->segment_is_part)
		return error;
	/* What replaces a segment must be on the disk before the segment is gone. */
	error = db_execute(segment_writer_db(writer->segment), "PRAGMA synchronous=FULL");
	for (size_t i = 0; i < victim_count && i < segment_count && !error; i++) {
		uint64_t spans = 0;
		if (segments[i].sequence >= store_writer_open_sequence(writer))
			break;
		error = evict_one(writer, segments + i, segment_count - i, &spans);
		if (error)
			break;
		ret_sum->segments++;
		ret_sum->spans += spans;
		ret_sum->bytes += segments[i].bytes;
	}
	if (writer->options.durability != STORE_DURABILITY_FULL)
		(void)db_execute(segment_writer_db(writer->segment), "PRAGMA synchronous=NORMAL");
	return error;
}

int store_writer_replace(struct store_writer *writer, const char *path, const char *with) {
	(void)pthread_mutex_lock(&writer->names_lock);
	int error = access(path, F_OK) == 0 && rename(with, path) == 0 ? 0 : -errno;
	(void)pthread_mutex_unlock(&writer->names_lock);
	return error ? error : segment_new_sync(writer->directory);
}

int store_writer_seal(struct store_writer *writer) {
	return seal_open_segment(writer);
}

void store_writer_discard(struct store_writer *writer) {
	if (writer->segment && writer->options.whole_segments)
		segment_writer_discard(TAKE_PTR(writer->segment));
}

int store_writer_close(struct store_writer *writer) {
	if (!writer)
		return 0;
	int error = seal_open_segment(writer);
	if (!error && writer->seal_error) {
		writer->seal_error = 0;
		error = take_over_all(writer, writer->error, sizeof(writer->error));
		error = error ? error : writer->seal_error;
	}
	free_writer(writer);
	return error;
}
