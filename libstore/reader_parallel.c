/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several threads share one walk. Who has nothing to do takes the lock, fetches the bytes of the next batch into memory of its own and gives the
 * lock back; checksums, decoding and the callback need no lock. So SQLite is used by one thread at a time, and a segment that an agent is
 * writing keeps its one read transaction.
 */
#include "reader_walk.h"

#include "batch_rows.h"
#include "decode.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct crew {
	struct store_reader *reader;
	const struct store_scan *scan;
	pthread_mutex_t lock; /* of all that follows */
	struct segment_walk walk;
	size_t segment; /* the next one to open */
	bool is_open;
	uint64_t before; /* batches of the open segment */
	uint64_t done;   /* batches of the segments before it */
	uint64_t total;
	int result;
	bool stopped;
};

struct worker {
	struct crew *crew;
	pthread_t thread;
	uint32_t index;
	struct decoder *decoder;
	uint8_t *bytes;
	size_t room;
	struct segment_batch batch;
	struct segment_walk walk; /* of the batch: for what is said about it, and its catalog */
};

static void close_walk(struct crew *crew) {
	segment_walk_close(&crew->walk);
	crew->done += crew->walk.view->batches;
	crew->walk = (struct segment_walk){0};
	crew->is_open = false;
}

/* False: there are no more. */
static bool open_next_segment(struct crew *crew) {
	while (!crew->is_open && crew->segment < crew->reader->segments.count) {
		size_t i = crew->segment++;
		crew->walk = (struct segment_walk){.reader = crew->reader,
		                                   .segment = (struct reader_segment *)crew->reader->segments.items + i,
		                                   .view = (struct store_segment_view *)crew->reader->views.items + i};
		crew->before = 0;
		crew->is_open = true;
		if (!segment_walk_wants(crew->scan, crew->walk.view) || segment_walk_open(&crew->walk))
			close_walk(crew);
	}
	return crew->is_open;
}

/* All that the batch refers to, copied: what SQLite gave is valid only until the next one takes the lock. */
static int fetch_batch(struct worker *worker) {
	struct segment_batch *batch = &worker->batch;
	uint32_t needs = decode_needs(worker->crew->scan->columns, batch->columns[FORMAT_COLUMN_SITE_RUNS].bytes > 0);
	size_t wanted = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS; i++)
		wanted += needs >> i & 1 ? batch->columns[i].bytes : 0;
	if (wanted > worker->room) {
		free(worker->bytes);
		worker->bytes = malloc(wanted);
		worker->room = worker->bytes ? wanted : 0;
		if (!worker->bytes)
			return -ENOMEM;
	}
	uint8_t *at = worker->bytes;
	for (uint32_t i = 0; i < FORMAT_COLUMNS; i++) {
		struct format_column_bytes *column = &batch->encoded.columns[i];
		if (!(needs >> i & 1))
			continue;
		int error = batch_rows_fetch_column(worker->crew->walk.columns[i], batch, i);
		if (error)
			return error;
		if (!column->bytes)
			continue;
		memcpy(at, column->data, column->bytes);
		column->data = at;
		at += column->bytes;
	}
	return 0;
}

/* 1: worker->batch is fetched; 0: there are no more, or the scan has stopped. */
static int fetch_next(struct worker *worker) {
	struct crew *crew = worker->crew;
	while (!crew->stopped && open_next_segment(crew)) {
		bool lost = false;
		int row = db_next(crew->walk.batches);
		if (row != 1)
			segment_walk_end(&crew->walk, row, crew->before);
		bool wanted =
		    row == 1 && segment_walk_take(crew->scan, &crew->walk, &crew->before, &worker->batch, &lost);
		if (row != 1 || lost) {
			close_walk(crew);
			continue;
		}
		uint64_t done = crew->done + crew->before;
		if (crew->scan->on_progress)
			crew->scan->on_progress(crew->scan->context, done < crew->total ? done : crew->total,
			                        crew->total);
		int error = wanted ? fetch_batch(worker) : 0;
		worker->walk = crew->walk;
		if (error)
			segment_walk_name(&crew->walk, worker->batch.id, error);
		else if (wanted)
			return 1;
	}
	return 0;
}

static int read_fetched(struct worker *worker, struct store_columns *ret_columns) {
	int error = 0;
	for (uint32_t i = 0; i < FORMAT_COLUMNS && !error; i++)
		error = batch_rows_check_column(&worker->batch, i);
	if (!error)
		error = decode(worker->decoder, &worker->batch.encoded, worker->crew->scan->columns, ret_columns);
	if (!error)
		error = segment_walk_resolve(&worker->walk, ret_columns);
	ret_columns->segment = worker->walk.view;
	ret_columns->batch = worker->batch.id;
	ret_columns->worker = worker->index;
	return error;
}

static void *work(void *argument) {
	struct worker *worker = argument;
	struct crew *crew = worker->crew;
	(void)pthread_mutex_lock(&crew->lock);
	while (fetch_next(worker)) {
		struct store_columns columns;
		(void)pthread_mutex_unlock(&crew->lock);
		int error = read_fetched(worker, &columns);
		int result = error ? 0 : crew->scan->on_batch(crew->scan->context, &columns);
		(void)pthread_mutex_lock(&crew->lock);
		if (error)
			segment_walk_name(&worker->walk, worker->batch.id, error);
		if (result && !crew->stopped) {
			crew->result = result;
			crew->stopped = true;
		}
	}
	(void)pthread_mutex_unlock(&crew->lock);
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
	if (crew.is_open)
		close_walk(&crew);
	(void)pthread_mutex_destroy(&crew.lock);
	return crew.result;
}
