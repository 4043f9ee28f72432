/* SPDX-License-Identifier: Apache-2.0 */
#include "flush.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "store_probe.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define LIST_STEP 64u

struct flush {
	struct store_writer *writer;
	const char *directory;
	struct retention_limits limits; /* a job takes a copy when it begins */
	struct merger *merger;
	bool merge_at_end;
	int event_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct flush_job *job; /* under way or done, not taken yet */
	bool probe_first;
	bool done;
	bool stopping;
	bool idle;              /* the loop thread's own view */
	uint64_t busy_since_ns; /* the same */
	struct flush_result result;
};

int flush_job_new(struct flush_job **ret_job) {
	struct flush_job *job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	int rc = batch_new(&job->batch);
	if (rc < 0) {
		free(job);
		return rc;
	}
	*ret_job = job;
	return 0;
}

void flush_job_free(struct flush_job *job) {
	if (!job)
		return;
	batch_free(job->batch);
	free(job->cursors);
	free(job->feeds);
	free(job->accounts);
	free(job->samples);
	flush_job_clear_rollups(job);
	free(job->rollups);
	free(job->rollup_totals);
	free(job);
}

void flush_job_clear(struct flush_job *job) {
	batch_clear(job->batch);
	job->cursor_count = 0;
	job->account_count = 0;
	job->sample_count = 0;
	flush_job_clear_rollups(job);
	job->unfinished_spans = 0;
	job->retain = false;
	job->oldest_ns = 0;
}

bool flush_job_empty(const struct flush_job *job) {
	return batch_empty(job->batch) && job->cursor_count == 0 && job->account_count == 0 && job->sample_count == 0 &&
	       job->rollup_count == 0 && job->rollup_total_count == 0;
}

/* A list with room for one more element of that size; NULL when there is no memory, then the old one stays. */
static void *reserve(void *list, size_t *room, size_t count, size_t bytes) {
	if (count < *room)
		return list;
	size_t wanted = (*room + LIST_STEP) * 2;
	void *grown = realloc(list, wanted * bytes);
	if (grown)
		*room = wanted;
	return grown;
}

int flush_job_add_cursor(struct flush_job *job, const struct store_cursor *cursor, struct feed *feed) {
	size_t room = job->cursor_room;
	struct feed **feeds = reserve(job->feeds, &room, job->cursor_count, sizeof(struct feed *));
	if (!feeds)
		return -ENOMEM;
	job->feeds = feeds;
	struct store_cursor *cursors = reserve(job->cursors, &job->cursor_room, job->cursor_count, sizeof(*cursors));
	if (!cursors)
		return -ENOMEM;
	job->cursors = cursors;
	cursors[job->cursor_count] = *cursor;
	feeds[job->cursor_count++] = feed;
	return 0;
}

int flush_job_add_account(struct flush_job *job, const struct store_process_account *account) {
	struct store_process_account *accounts =
	    reserve(job->accounts, &job->account_room, job->account_count, sizeof(*accounts));
	if (!accounts)
		return -ENOMEM;
	job->accounts = accounts;
	accounts[job->account_count++] = *account;
	return 0;
}

int flush_job_add_sample(struct flush_job *job, const struct store_memory_sample *sample) {
	struct store_memory_sample *samples =
	    reserve(job->samples, &job->sample_room, job->sample_count, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	job->samples = samples;
	samples[job->sample_count++] = *sample;
	return 0;
}

void flush_job_clear_rollups(struct flush_job *job) {
	for (size_t i = 0; i < job->rollup_count; i++)
		free((void *)(uintptr_t)job->rollups[i].bins);
	for (size_t i = 0; i < job->rollup_total_count; i++)
		free((void *)(uintptr_t)job->rollup_totals[i].bins);
	job->rollup_count = 0;
	job->rollup_total_count = 0;
}

/* A copy; at least one byte, so that only a failure gives NULL. */
static struct store_rollup_bin *copy_bins(const struct store_rollup_bin *bins, uint32_t count) {
	struct store_rollup_bin *copy = malloc(((size_t)count + 1) * sizeof(*copy));
	if (copy && count > 0)
		memcpy(copy, bins, count * sizeof(*copy));
	return copy;
}

int flush_job_add_rollup(struct flush_job *job, const struct store_rollup *rollup) {
	struct store_rollup *rollups = reserve(job->rollups, &job->rollup_room, job->rollup_count, sizeof(*rollups));
	if (!rollups)
		return -ENOMEM;
	job->rollups = rollups;
	struct store_rollup_bin *bins = copy_bins(rollup->bins, rollup->bin_count);
	if (!bins)
		return -ENOMEM;
	rollups[job->rollup_count] = *rollup;
	rollups[job->rollup_count++].bins = bins;
	return 0;
}

int flush_job_add_rollup_total(struct flush_job *job, const struct store_rollup_total *total) {
	struct store_rollup_total *totals =
	    reserve(job->rollup_totals, &job->rollup_total_room, job->rollup_total_count, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	job->rollup_totals = totals;
	struct store_rollup_bin *bins = copy_bins(total->bins, total->bin_count);
	if (!bins)
		return -ENOMEM;
	totals[job->rollup_total_count] = *total;
	totals[job->rollup_total_count++].bins = bins;
	return 0;
}

static void commit(struct flush *flush, const struct flush_job *job, struct flush_result *ret_result) {
	struct store_commit commit = {.catalog = job->catalog,
	                              .batch = job->batch,
	                              .cursors = job->cursors,
	                              .cursor_count = job->cursor_count,
	                              .accounts = job->accounts,
	                              .account_count = job->account_count,
	                              .samples = job->samples,
	                              .sample_count = job->sample_count,
	                              .rollups = job->rollups,
	                              .rollup_count = job->rollup_count,
	                              .rollup_totals = job->rollup_totals,
	                              .rollup_total_count = job->rollup_total_count};
	if (flush_job_empty(job))
		return; /* made to look at old segments */
	store_writer_set_wall_offset(flush->writer, job->wall_offset_ns);
	ret_result->error = store_writer_commit(flush->writer, &commit, &ret_result->receipt);
	if (ret_result->error < 0)
		(void)snprintf(ret_result->text, sizeof(ret_result->text), "%s", store_writer_error(flush->writer));
}

/* The probe if there is to be one, then the commit. */
static void work_on(struct flush *flush, const struct flush_job *job, bool probe_first,
                    const struct retention_limits *limits, struct flush_result *ret_result) {
	*ret_result = (struct flush_result){0};
	if (probe_first)
		ret_result->error = store_probe(flush->directory, ret_result->text, sizeof(ret_result->text));
	ret_result->is_probe = ret_result->error < 0;
	if (ret_result->error == 0)
		commit(flush, job, ret_result);
	bool is_full = ret_result->error == ERR_FULL && retention_wanted(limits);
	if (is_full || (job->retain && ret_result->error == 0))
		retention_run(limits, flush->directory, flush->writer, job->catalog, &ret_result->retention);
}

/*
 * A thread that computes: when it is woken it does not push the loop thread aside, which has only to say that it sleeps. Where that is
 * forbidden the two share a core in another order.
 */
static void become_batch_thread(void) {
	const struct sched_param none = {0};
	(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
	(void)pthread_setname_np(pthread_self(), FLUSH_THREAD_NAME);
}

static void *work(void *context) {
	struct flush *flush = context;
	const uint64_t one = 1;
	become_batch_thread();
	(void)pthread_mutex_lock(&flush->lock);
	for (;;) {
		while (!flush->stopping && (!flush->job || flush->done))
			(void)pthread_cond_wait(&flush->changed, &flush->lock);
		if (!flush->job || flush->done)
			break;
		struct flush_job *job = flush->job;
		bool probe_first = flush->probe_first;
		struct retention_limits limits = flush->limits;
		struct flush_result result;
		(void)pthread_mutex_unlock(&flush->lock);
		work_on(flush, job, probe_first, &limits, &result);
		merger_allow(flush->merger, store_writer_closed_below(flush->writer));
		(void)pthread_mutex_lock(&flush->lock);
		flush->result = result;
		flush->done = true;
		ssize_t written = write(flush->event_fd, &one, sizeof(one));
		(void)written; /* fails only when full, and then it is readable */
	}
	(void)pthread_mutex_unlock(&flush->lock);
	return NULL;
}

int flush_open(struct store_writer *writer, const char *directory, const struct retention_limits *limits,
               const struct merger_options *merge, struct flush **ret_flush) {
	struct flush *flush = calloc(1, sizeof(*flush));
	int rc = flush ? 0 : -ENOMEM;
	if (rc == 0) {
		flush->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		rc = flush->event_fd < 0 ? -errno : 0;
	}
	if (rc == 0) {
		flush->writer = writer;
		flush->directory = directory;
		flush->limits = *limits;
		flush->idle = true;
		flush->merge_at_end = merge->budget_percent >= MERGER_BUDGET_ALL;
		(void)pthread_mutex_init(&flush->lock, NULL);
		(void)pthread_cond_init(&flush->changed, NULL);
		rc = merger_open(writer, directory, merge, &flush->merger);
	}
	if (rc == 0)
		rc = -pthread_create(&flush->thread, NULL, work, flush);
	if (rc < 0) {
		if (flush)
			merger_close(flush->merger);
		(void)store_writer_close(writer);
		if (flush && flush->event_fd >= 0)
			(void)close(flush->event_fd);
		free(flush);
		return rc;
	}
	merger_allow(flush->merger, store_writer_closed_below(writer));
	*ret_flush = flush;
	return 0;
}

void flush_set_limits(struct flush *flush, const struct retention_limits *limits) {
	(void)pthread_mutex_lock(&flush->lock);
	flush->limits = *limits;
	(void)pthread_mutex_unlock(&flush->lock);
	merger_set_limits(flush->merger, limits);
}

struct merger *flush_merger(const struct flush *flush) {
	return flush->merger;
}

int flush_fd(const struct flush *flush) {
	return flush->event_fd;
}

bool flush_is_idle(const struct flush *flush) {
	return flush->idle;
}

/* The lock alone says whose the writer is: without a job the thread waits. */
void flush_rest(struct flush *flush) {
	(void)pthread_mutex_lock(&flush->lock);
	if (!flush->job || flush->done)
		store_writer_rest(flush->writer);
	(void)pthread_mutex_unlock(&flush->lock);
}

uint64_t flush_busy_since_ns(const struct flush *flush) {
	return flush->idle ? 0 : flush->busy_since_ns;
}

void flush_submit(struct flush *flush, struct flush_job *job, bool probe_first) {
	(void)pthread_mutex_lock(&flush->lock);
	flush->job = job;
	flush->probe_first = probe_first;
	flush->done = false;
	flush->idle = false;
	flush->busy_since_ns = clock_monotonic_ns();
	(void)pthread_cond_signal(&flush->changed);
	(void)pthread_mutex_unlock(&flush->lock);
}

struct flush_job *flush_take(struct flush *flush, struct flush_result *ret_result) {
	uint64_t events;
	struct flush_job *job = NULL;
	ssize_t got = read(flush->event_fd, &events, sizeof(events));
	(void)got;
	(void)pthread_mutex_lock(&flush->lock);
	if (flush->job && flush->done) {
		job = TAKE_PTR(flush->job);
		*ret_result = flush->result;
		flush->done = false;
		flush->idle = true;
	}
	(void)pthread_mutex_unlock(&flush->lock);
	return job;
}

/* A store that nobody will write to again soon: the last segment, too. */
static void merge_the_rest(struct flush *flush) {
	if (flush->merge_at_end && store_writer_seal(flush->writer) == 0) {
		merger_allow(flush->merger, UINT64_MAX);
		merger_finish(flush->merger);
	}
	merger_close(flush->merger);
}

int flush_close(struct flush *flush, char *ret_text, size_t text_bytes) {
	if (!flush)
		return 0;
	(void)pthread_mutex_lock(&flush->lock);
	flush->stopping = true;
	(void)pthread_cond_signal(&flush->changed);
	(void)pthread_mutex_unlock(&flush->lock);
	(void)pthread_join(flush->thread, NULL);
	merge_the_rest(flush);
	int rc = store_writer_close(flush->writer);
	if (rc < 0)
		(void)snprintf(ret_text, text_bytes, "the open segment could not be sealed (%s); the next agent will",
		               strerror(-rc));
	(void)close(flush->event_fd);
	(void)pthread_cond_destroy(&flush->changed);
	(void)pthread_mutex_destroy(&flush->lock);
	free(flush);
	return rc;
}
