/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store thread: takes one finished job at a time, encodes and commits it while the loop thread fills the next one.
 * A job is one transaction: rows, cursors, accounts, samples and rollups. A commit that failed leaves the job as it is, to be
 * given again, at choice with a probe of the store before it. A disk that hangs holds this thread only.
 */
#ifndef SPANRING_AGENT_FLUSH_H
#define SPANRING_AGENT_FLUSH_H

#include "libstore/writer.h"
#include "merger.h"
#include "retention.h"

#include <stdbool.h>
#include <stdint.h>

#define FLUSH_TEXT_BYTES 512u
#define FLUSH_THREAD_NAME "spanring-store" /* as top and /proc show it */

struct feed;

struct flush_job {
	uint64_t sequence;
	struct batch *batch;
	struct catalog *catalog;
	struct store_cursor *cursors;
	struct feed **feeds; /* whose cursors these are; NULL: no ring's (async.h) */
	size_t cursor_count;
	size_t cursor_room;
	struct store_process_account *accounts;
	size_t account_count;
	size_t account_room;
	struct store_memory_sample *samples;
	size_t sample_count;
	size_t sample_room;
	struct store_rollup *rollups; /* with bins of their own */
	size_t rollup_count;
	size_t rollup_room;
	struct store_rollup_total *rollup_totals; /* the same */
	size_t rollup_total_count;
	size_t rollup_total_room;
	uint64_t wall_offset_ns;
	uint64_t oldest_ns;        /* when the first of its spans was taken; 0: there is none */
	bool retain;               /* look whether old segments must go, after the commit */
	uint64_t unfinished_spans; /* rows of the batch that are spans that never ended */
};

int flush_job_new(struct flush_job **ret_job);
void flush_job_free(struct flush_job *job);
void flush_job_clear(struct flush_job *job);
bool flush_job_empty(const struct flush_job *job);
/* 0 or -ENOMEM. */
int flush_job_add_cursor(struct flush_job *job, const struct store_cursor *cursor, struct feed *feed);
int flush_job_add_account(struct flush_job *job, const struct store_process_account *account);
int flush_job_add_sample(struct flush_job *job, const struct store_memory_sample *sample);
/* The bins are copied. */
int flush_job_add_rollup(struct flush_job *job, const struct store_rollup *rollup);
int flush_job_add_rollup_total(struct flush_job *job, const struct store_rollup_total *total);
/* Take back all rollups and totals. */
void flush_job_clear_rollups(struct flush_job *job);

struct flush_result {
	int error;
	bool is_probe; /* it failed before the commit was tried */
	struct store_receipt receipt;
	struct retention_result retention;
	char text[FLUSH_TEXT_BYTES]; /* of the error */
};

struct flush;

/*
 * Starts the thread; the writer of the store in directory, which must stay valid, belongs to it from here on. On failure the writer
 * is closed.
 */
int flush_open(struct store_writer *writer, const char *directory, const struct retention_limits *limits,
               const struct merger_options *merge, struct flush **ret_flush);

/* Of old segments, beside the commits; NULL: they are not merged. */
struct merger *flush_merger(const struct flush *flush);

/* From the next job on. */
void flush_set_limits(struct flush *flush, const struct retention_limits *limits);

/* Readable when a result is there. */
int flush_fd(const struct flush *flush);

/* No job is under way. */
bool flush_is_idle(const struct flush *flush);

/* Give memory of the writer back, if no job is under way (store_writer_rest). */
void flush_rest(struct flush *flush);

/* Since when a job is under way; 0: none is. */
uint64_t flush_busy_since_ns(const struct flush *flush);

/* Only when idle. The job is the thread's until its result was taken. With probe_first it is committed only if the probe succeeds. */
void flush_submit(struct flush *flush, struct flush_job *job, bool probe_first);

/* The job that is done and how; NULL if none is. */
struct flush_job *flush_take(struct flush *flush, struct flush_result *ret_result);

/* Wait for the job under way, seal the segment, close the store. 0 or the error of sealing, in words in ret_text. */
int flush_close(struct flush *flush, char *ret_text, size_t text_bytes);

#endif
