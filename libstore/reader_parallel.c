/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several threads share a walk. Each opens segments of its own as long as there are any, then helps with those of the others. Who takes the next
 * batch of a segment holds its lock while it moves on; checksums, decoding and the callback need no lock.
 *
 * Columns of a sealed segment are read without it, too: each thread has cursors of its own in the file's pages (page_file.h). SQLite, which reads a
 * segment that an agent is writing, is used by one thread at a time, so that it keeps its one read transaction: there all columns of a batch are
 * copied under the lock.
 *
 * Two locks, the crew's inside of a segment's, never the other way round.
 */
#include "reader_walk.h"

#include "batch_rows.h"
#include "decode.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A segment that is open. */
struct opened {
	struct segment_walk walk;
	pthread_mutex_t lock; /* of its list of batches */
	uint64_t before;      /* batches taken, by number */
	bool ended;           /* no more are to be had */
	uint32_t users;       /* with the crew's lock: workers at it, the last one closes it */
};

struct crew {
	struct store_reader *reader;
	const struct store_scan *scan;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t opened;
	uint32_t opening;                            /* segments, which others may join soon */
	struct opened *open[STORE_SCAN_THREADS_MAX]; /* by the worker that opened it; NULL: none, or ended */
	size_t segment;                              /* the next one to open */
	uint64_t done;                               /* batches */
	uint64_t total;
	int result;
	bool stopped;
};

struct worker {
	struct crew *crew;
	pthread_t thread;
	uint32_t index;
	struct decoder *decoder;
	struct opened *at; /* whose batches it takes */
	struct db_statement *columns[FORMAT_COLUMNS];
	uint8_t *bytes; /* of the row of the batch, and of its columns if they are copied */
	size_t room;
	struct segment_batch batch;
	bool is_copied;
};

/* --- segments ---------------------------------------------------------------------------------------------------- */

static void stop(struct crew *crew, int result) {
	(void)pthread_mutex_lock(&crew->lock);
	if (!crew->stopped)
		crew->result = result;
	__atomic_store_n(&crew->stopped, true, __ATOMIC_RELAXED);
	(void)pthread_mutex_unlock(&crew->lock);
}

static bool is_stopped(struct crew *crew) {
	return __atomic_load_n(&crew->stopped, __ATOMIC_RELAXED);
}

static void report_progress(struct crew *crew, uint64_t batches) {
	(void)pthread_mutex_lock(&crew->lock);
	crew->done += batches;
	if (crew->scan->on_progress && crew->done <= crew->total)
		crew->scan->on_progress(crew->scan->context, crew->done, crew->total);
	(void)pthread_mutex_unlock(&crew->lock);
}

/* What a segment does not have, or was not asked for: no batch, but done. */
static void pass_over(struct crew *crew, const struct segment_walk *walk, uint64_t done) {
	(void)pthread_mutex_lock(&crew->lock);
	crew->done += walk->view->batches > done ? walk->view->batches - done : 0;
	(void)pthread_mutex_unlock(&crew->lock);
}

static void close_opened(struct opened *opened) {
	segment_walk_close(&opened->walk);
	(void)pthread_mutex_destroy(&opened->lock);
	free(opened);
}

/* The worker is at none afterwards. */
static void leave(struct worker *worker) {
	struct crew *crew = worker->crew;
	struct opened *opened = worker->at;
	if (!opened)
		return;
	for (int i = 0; i < FORMAT_COLUMNS; i++) {
		db_finalize(worker->columns[i]);
		worker->columns[i] = NULL;
	}
	worker->at = NULL;
	(void)pthread_mutex_lock(&crew->lock);
	bool is_last = --opened->users == 0;
	for (uint32_t i = 0; i < STORE_SCAN_THREADS_MAX; i++)
		if (crew->open[i] == opened)
			crew->open[i] = NULL; /* nobody leaves one that has not ended, or a scan that goes on */
	(void)pthread_mutex_unlock(&crew->lock);
	if (is_last)
		close_opened(opened);
}

/* False: all are taken. *ret_segment: the number of one that the caller is to open, and then to say so with end_opening. */
static bool take_segment(struct crew *crew, size_t *ret_segment) {
	(void)pthread_mutex_lock(&crew->lock);
	bool there = crew->segment < crew->reader->segments.count;
	*ret_segment = crew->segment;
	crew->segment += there;
	crew->opening += there;
	(void)pthread_mutex_unlock(&crew->lock);
	return there;
}

/* NULL: it was not opened. */
static void end_opening(struct worker *worker, struct opened *opened) {
	struct crew *crew = worker->crew;
	(void)pthread_mutex_lock(&crew->lock);
	crew->opening--;
	if (opened) {
		opened->users = 1;
		crew->open[worker->index] = opened;
		worker->at = opened;
	}
	(void)pthread_cond_broadcast(&crew->opened);
	(void)pthread_mutex_unlock(&crew->lock);
}

/* 0 and *ret_opened, which is NULL if it is not wanted, or cannot be opened, which is named then; or -ENOMEM. */
static int open_segment(struct crew *crew, size_t number, struct opened **ret_opened) {
	struct opened *opened = calloc(1, sizeof(*opened));
	int error = opened ? -pthread_mutex_init(&opened->lock, NULL) : -ENOMEM;
	*ret_opened = NULL;
	if (error) {
		free(opened);
		return error;
	}
	opened->walk = (struct segment_walk){.reader = crew->reader,
	                                     .segment = (struct reader_segment *)crew->reader->segments.items + number,
	                                     .view = (struct store_segment_view *)crew->reader->views.items + number};
	if (segment_walk_wants(crew->scan, opened->walk.view) && !segment_walk_open(&opened->walk)) {
		*ret_opened = opened;
		return 0;
	}
	pass_over(crew, &opened->walk, 0);
	close_opened(opened);
	return 0;
}

static struct opened *any_open(const struct crew *crew) {
	for (uint32_t i = 0; i < STORE_SCAN_THREADS_MAX; i++)
		if (crew->open[i])
			return crew->open[i];
	return NULL;
}

/* False: there is no other that has any. */
static bool join_another(struct worker *worker) {
	struct crew *crew = worker->crew;
	(void)pthread_mutex_lock(&crew->lock);
	while (!any_open(crew) && crew->opening > 0)
		(void)pthread_cond_wait(&crew->opened, &crew->lock);
	worker->at = any_open(crew);
	if (worker->at)
		worker->at->users++;
	(void)pthread_mutex_unlock(&crew->lock);
	return worker->at != NULL;
}

/* 1: the worker is at a segment; 0: there are no more; or -ENOMEM. */
static int find_segment(struct worker *worker) {
	size_t number = 0;
	int error = 0;
	while (!worker->at && !error && take_segment(worker->crew, &number)) {
		struct opened *opened = NULL;
		error = open_segment(worker->crew, number, &opened);
		end_opening(worker, opened);
	}
	return error ? error : worker->at || join_another(worker);
}

/* --- batches, with the lock of the segment ----------------------------------------------------------------------- */

static int make_room(struct worker *worker, size_t bytes) {
	if (bytes <= worker->room)
		return 0;
	free(worker->bytes);
	worker->bytes = malloc(bytes);
	worker->room = worker->bytes ? bytes : 0;
	return worker->bytes ? 0 : -ENOMEM;
}

static uint32_t needs_of(const struct segment_batch *batch, uint32_t wanted) {
	return decode_needs(wanted, batch->columns[FORMAT_COLUMN_SITE_RUNS].bytes > 0);
}

/* All that the batch refers to, copied: what SQLite gave is valid only until the next one takes the lock. */
static int copy_columns(struct worker *worker, uint32_t wanted) {
	struct segment_batch *batch = &worker->batch;
	uint32_t needs = needs_of(batch, wanted);
	size_t bytes = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS; i++)
		bytes += needs >> i & 1 ? batch->columns[i].bytes : 0;
	int error = make_room(worker, bytes);
	uint8_t *at = worker->bytes;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++) {
		struct format_column_bytes *column = &batch->encoded.columns[i];
		if (!(needs >> i & 1))
			continue;
		error = batch_rows_fetch_column(worker->at->walk.columns[i], batch, i);
		if (error || !column->bytes)
			continue;
		memcpy(at, column->data, column->bytes);
		column->data = at;
		at += column->bytes;
	}
	return error;
}

/* The small columns are in the row of the batch. */
static int copy_row(struct worker *worker) {
	int error = make_room(worker, worker->batch.small_bytes);
	if (error || !worker->batch.small_bytes)
		return error;
	memcpy(worker->bytes, worker->batch.small, worker->batch.small_bytes);
	worker->batch.small = worker->bytes;
	return 0;
}

static int take_columns(struct worker *worker) {
	worker->is_copied = !db_is_shared(worker->at->walk.db);
	if (!worker->is_copied)
		return copy_row(worker);
	struct batch_plan plan = segment_walk_plan(worker->crew->scan, &worker->at->walk, &worker->batch);
	return copy_columns(worker, plan.look | plan.columns);
}

/* 1: worker->batch is taken; 0: the segment has no more. */
static int take_batch_locked(struct worker *worker) {
	struct crew *crew = worker->crew;
	struct opened *opened = worker->at;
	while (!opened->ended && !is_stopped(crew)) {
		uint64_t before = opened->before;
		bool lost = false;
		int row = db_next(opened->walk.batches);
		if (row != 1)
			segment_walk_end(&opened->walk, row, before);
		bool wanted =
		    row == 1 && segment_walk_take(crew->scan, &opened->walk, &opened->before, &worker->batch, &lost);
		opened->ended = row != 1 || lost;
		if (opened->ended) {
			pass_over(crew, &opened->walk, before);
			break;
		}
		report_progress(crew, opened->before - before);
		int error = wanted ? take_columns(worker) : 0;
		if (error)
			segment_walk_name(&opened->walk, worker->batch.id, error);
		else if (wanted)
			return 1;
	}
	return 0;
}

/* 1: worker->batch is taken; 0: there are no more, or the scan has stopped. */
static int take_next(struct worker *worker) {
	struct crew *crew = worker->crew;
	int found = 0;
	while (!is_stopped(crew) && (found = find_segment(worker)) == 1) {
		(void)pthread_mutex_lock(&worker->at->lock);
		int taken = take_batch_locked(worker);
		(void)pthread_mutex_unlock(&worker->at->lock);
		if (taken)
			return 1;
		leave(worker);
	}
	if (found < 0)
		stop(crew, found);
	return 0;
}

/* --- without the lock -------------------------------------------------------------------------------------------- */

/* What is not there yet. */
static int fetch_columns(struct worker *worker, uint32_t needs) {
	struct segment_batch *batch = &worker->batch;
	int error = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++) {
		if (!(needs >> i & 1) || batch->encoded.columns[i].data)
			continue;
		if (!worker->columns[i])
			error = db_prepare(worker->at->walk.db, BATCH_ROWS_SELECT_COLUMN, &worker->columns[i]);
		if (!error)
			error = batch_rows_get_column(worker->columns[i], batch, i);
	}
	return error;
}

static int read_columns(struct worker *worker, uint32_t wanted, struct store_columns *ret_columns) {
	struct segment_batch *batch = &worker->batch;
	uint32_t needs = needs_of(batch, wanted);
	int error = worker->is_copied ? 0 : fetch_columns(worker, needs);
	for (uint32_t i = 0; worker->is_copied && i < FORMAT_COLUMNS && !error; i++)
		error = needs >> i & 1 ? batch_rows_check_column(batch, i) : 0;
	return error ? error : decode(worker->decoder, &batch->encoded, wanted, ret_columns);
}

/* 1: read; 0: a look at it was enough. */
static int read_batch(struct worker *worker, struct store_columns *ret_columns) {
	const struct store_scan *scan = worker->crew->scan;
	const struct segment_walk *walk = &worker->at->walk;
	struct batch_plan plan = segment_walk_plan(scan, walk, &worker->batch);
	int error = plan.look ? read_columns(worker, plan.look, ret_columns) : 0;
	if (error || (plan.look && !segment_walk_holds(scan, walk, &worker->batch, ret_columns)))
		return error;
	error = read_columns(worker, plan.columns, ret_columns);
	if (!error)
		error = segment_walk_resolve(walk, ret_columns);
	segment_walk_fill(walk, &worker->batch, ret_columns);
	ret_columns->worker = worker->index;
	return error ? error : 1;
}

static void *work(void *argument) {
	struct worker *worker = argument;
	struct crew *crew = worker->crew;
	while (take_next(worker)) {
		struct store_columns columns;
		int read = read_batch(worker, &columns);
		int result = read == 1 ? crew->scan->on_batch(crew->scan->context, &columns) : 0;
		if (read < 0)
			segment_walk_name(&worker->at->walk, worker->batch.id, read);
		if (result)
			stop(crew, result);
	}
	leave(worker);
	return NULL;
}

/* The caller is the first of them; where a thread cannot be had, fewer do it. */
int reader_scan_together(struct store_reader *reader, const struct store_scan *scan) {
	struct worker workers[STORE_SCAN_THREADS_MAX];
	struct crew crew = {.reader = reader, .scan = scan, .total = segment_walk_total(reader)};
	uint32_t wanted = scan->threads < STORE_SCAN_THREADS_MAX ? scan->threads : STORE_SCAN_THREADS_MAX;
	uint32_t count = 1;
	memset(workers, 0, sizeof(workers));
	int error = -pthread_mutex_init(&crew.lock, NULL);
	if (error)
		return error;
	error = -pthread_cond_init(&crew.opened, NULL);
	if (error) {
		(void)pthread_mutex_destroy(&crew.lock);
		return error;
	}
	workers[0] = (struct worker){.crew = &crew, .decoder = reader->decoder};
	for (; count < wanted; count++) {
		struct worker *worker = &workers[count];
		*worker = (struct worker){.crew = &crew, .index = count};
		if (decoder_new(&worker->decoder))
			break;
		if (pthread_create(&worker->thread, NULL, work, worker)) {
			decoder_free(worker->decoder);
			break;
		}
	}
	(void)work(&workers[0]);
	for (uint32_t i = 1; i < count; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		decoder_free(workers[i].decoder);
		free(workers[i].bytes);
	}
	free(workers[0].bytes);
	(void)pthread_cond_destroy(&crew.opened);
	(void)pthread_mutex_destroy(&crew.lock);
	return crew.result;
}
