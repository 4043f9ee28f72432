/* SPDX-License-Identifier: Apache-2.0 */
#include "merger.h"

#include "agent/footprint/memory_cap.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "libstore/merge.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 512u
#define PAUSE_NS_MIN (2 * NS_PER_MS) /* shorter ones are saved up */
#define PAUSE_NS_MAX (10 * NS_PER_S)
#define AGAIN_NS (60 * NS_PER_S) /* after an error that may pass, or when memory or room is short */
#define FINISH_NS_MAX (10 * NS_PER_S)
#define MEMORY_BYTES (UINT64_C(4) << 20) /* beside what goes by the rows */
#define MEMORY_BYTES_PER_ROW 256u

struct merger {
	struct store_writer *writer;
	const char *directory;
	struct merger_options options;
	uint32_t rows;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t below; /* these under the lock */
	uint64_t next;  /* sequence to be looked at */
	bool stopping;
	bool finishing; /* somebody waits in merger_finish */
	bool idle;
	struct merger_figures figures;
	char text[TEXT_BYTES]; /* not told yet */
	bool text_is_problem;
	uint64_t owed_ns; /* of pauses; the thread's own */
};

uint64_t merger_pause_ns(uint64_t cpu_ns, uint64_t budget_percent) {
	if (budget_percent == 0 || budget_percent >= MERGER_BUDGET_ALL)
		return 0;
	return cpu_ns / budget_percent * (MERGER_BUDGET_ALL - budget_percent);
}

static struct timespec time_of(uint64_t ns) {
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Until then, or until there is something to do at once. False: stop. */
static bool wait_ns(struct merger *merger, uint64_t ns) {
	uint64_t at_ns = clock_monotonic_ns() + ns;
	struct timespec until = time_of(at_ns);
	(void)pthread_mutex_lock(&merger->lock);
	while (!merger->stopping && !merger->finishing && clock_monotonic_ns() < at_ns)
		(void)pthread_cond_timedwait(&merger->changed, &merger->lock, &until);
	bool goes_on = !merger->stopping;
	(void)pthread_mutex_unlock(&merger->lock);
	return goes_on;
}

/* Count the work since then, and pause for it. False: stop. */
static bool pay(struct merger *merger, uint64_t *cpu_from_ns) {
	uint64_t now_ns = clock_thread_cpu_ns();
	uint64_t pause_ns = merger_pause_ns(now_ns - *cpu_from_ns, merger->options.budget_percent);
	(void)pthread_mutex_lock(&merger->lock);
	merger->figures.cpu_ns += now_ns - *cpu_from_ns;
	merger->figures.paused_ns += pause_ns;
	bool goes_on = !merger->stopping;
	(void)pthread_mutex_unlock(&merger->lock);
	*cpu_from_ns = now_ns;
	merger->owed_ns += pause_ns;
	if (!goes_on || merger->owed_ns < PAUSE_NS_MIN)
		return goes_on;
	pause_ns = merger->owed_ns < PAUSE_NS_MAX ? merger->owed_ns : PAUSE_NS_MAX;
	merger->owed_ns = 0;
	return wait_ns(merger, pause_ns);
}

static void note_problem(struct merger *merger, const char *text) {
	(void)pthread_mutex_lock(&merger->lock);
	merger->figures.failures++;
	merger->text_is_problem = true;
	(void)snprintf(merger->text, sizeof(merger->text), "%s", text);
	(void)pthread_mutex_unlock(&merger->lock);
}

static void note_merged(struct merger *merger, const char *path, const struct store_merge_figures *merged) {
	struct merger_figures *figures = &merger->figures;
	char before[UNITS_TEXT_BYTES];
	char after[UNITS_TEXT_BYTES];
	(void)pthread_mutex_lock(&merger->lock);
	figures->segments++;
	figures->batches_before += merged->batches_before;
	figures->batches_after += merged->batches_after;
	if (merged->bytes_before > merged->bytes_after)
		figures->bytes_saved += merged->bytes_before - merged->bytes_after;
	merger->text_is_problem = false;
	(void)snprintf(merger->text, sizeof(merger->text),
	               "%.300s: merged %" PRIu64 " batches into %" PRIu64 ", %s into %s", path, merged->batches_before,
	               merged->batches_after, units_format_bytes((double)merged->bytes_before, before),
	               units_format_bytes((double)merged->bytes_after, after));
	(void)pthread_mutex_unlock(&merger->lock);
}

/* 0: done with it; 1: stopped; or an error. */
static int run_merge(struct merger *merger, struct store_merge *merge, const char *path, uint64_t *cpu_from_ns,
                     char *text) {
	int rc = 1;
	while (rc == 1) {
		if (!pay(merger, cpu_from_ns))
			return 1;
		rc = store_merge_step(merge, text, TEXT_BYTES);
	}
	if (rc == 0) {
		struct store_merge_figures figures;
		store_merge_figures(merge, &figures);
		note_merged(merger, path, &figures);
	}
	return rc;
}

static int merge_segment(struct merger *merger, const char *path) {
	struct store_merge_options options = {.rows = merger->rows};
	struct store_merge *merge = NULL;
	char text[TEXT_BYTES] = "";
	uint64_t cpu_from_ns = clock_thread_cpu_ns();
	(void)pthread_mutex_lock(&merger->lock);
	struct retention_limits retain = merger->options.retain;
	(void)pthread_mutex_unlock(&merger->lock);
	options.free_bytes = retention_free_bytes(&retain, merger->directory);
	int rc = store_merge_open(merger->writer, path, &options, &merge, text, sizeof(text));
	if (rc == 0 && merge)
		rc = run_merge(merger, merge, path, &cpu_from_ns, text);
	store_merge_close(merge);
	if (rc < 0 && rc != -ENOENT) /* evicted meanwhile */
		note_problem(merger, text);
	if (!pay(merger, &cpu_from_ns))
		return 1;
	return rc == -ENOENT ? 0 : rc;
}

static bool has_memory(const struct merger *merger) {
	uint64_t wanted = MEMORY_BYTES + (uint64_t)merger->rows * MEMORY_BYTES_PER_ROW;
	return memory_cap_own_bytes() + wanted <= merger->options.memory_cap_bytes;
}

/* An error that will be the same tomorrow. */
static bool is_final(int error) {
	return error == ERR_DAMAGED || error == ERR_FOREIGN || error == ERR_NEWER;
}

static void set_next(struct merger *merger, uint64_t next) {
	(void)pthread_mutex_lock(&merger->lock);
	merger->next = next;
	(void)pthread_mutex_unlock(&merger->lock);
}

/* All segments from `next` to below `below`. 0: done; 1: stopped; or an error that may pass. */
static int merge_range(struct merger *merger, uint64_t below) {
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	int rc = store_evict_list(merger->directory, &segments, &count);
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (segments[i].sequence < merger->next || segments[i].sequence >= below)
			continue;
		rc = has_memory(merger) ? merge_segment(merger, segments[i].path) : -ENOMEM;
		rc = is_final(rc) ? 0 : rc;
		if (rc == 0)
			set_next(merger, segments[i].sequence + 1);
	}
	store_evict_list_free(segments, count);
	return rc;
}

/* The next range; false: stop. */
static bool wait_for_work(struct merger *merger, uint64_t *ret_below) {
	(void)pthread_mutex_lock(&merger->lock);
	merger->idle = true;
	(void)pthread_cond_broadcast(&merger->changed);
	while (!merger->stopping && merger->next >= merger->below)
		(void)pthread_cond_wait(&merger->changed, &merger->lock);
	merger->idle = false;
	*ret_below = merger->below;
	bool goes_on = !merger->stopping;
	(void)pthread_mutex_unlock(&merger->lock);
	return goes_on;
}

static void *work(void *context) {
	struct merger *merger = context;
	uint64_t below = 0;
	struct sched_param none = {.sched_priority = 0};
	(void)sched_setscheduler(0, SCHED_IDLE, &none); /* refused: the budget bounds it all the same */
	while (wait_for_work(merger, &below)) {
		int rc = merge_range(merger, below);
		if (rc == 1)
			break;
		(void)pthread_mutex_lock(&merger->lock);
		bool finishing = merger->finishing;
		(void)pthread_mutex_unlock(&merger->lock);
		/* Nobody waits for what cannot be merged now. */
		if (rc == 0 || finishing)
			set_next(merger, below);
		else if (!wait_ns(merger, AGAIN_NS))
			break;
	}
	return NULL;
}

static void free_merger(struct merger *merger) {
	(void)pthread_cond_destroy(&merger->changed);
	(void)pthread_mutex_destroy(&merger->lock);
	free(merger);
}

int merger_open(struct store_writer *writer, const char *directory, const struct merger_options *options,
                struct merger **ret_merger) {
	pthread_condattr_t attributes;
	struct memory_cap memory;
	*ret_merger = NULL;
	if (options->budget_percent == 0)
		return 0;
	struct merger *merger = calloc(1, sizeof(*merger));
	if (!merger)
		return -ENOMEM;
	memory_cap_init(&memory, options->memory_cap_bytes, 0);
	merger->writer = writer;
	merger->directory = directory;
	merger->options = *options;
	merger->rows = memory.rows_full;
	(void)pthread_mutex_init(&merger->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&merger->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	int rc = -pthread_create(&merger->thread, NULL, work, merger);
	if (rc < 0) {
		free_merger(merger);
		return rc;
	}
	*ret_merger = merger;
	return 0;
}

void merger_set_limits(struct merger *merger, const struct retention_limits *retain) {
	if (!merger)
		return;
	(void)pthread_mutex_lock(&merger->lock);
	merger->options.retain = *retain;
	(void)pthread_mutex_unlock(&merger->lock);
}

void merger_allow(struct merger *merger, uint64_t below_sequence) {
	if (!merger || below_sequence == 0)
		return;
	(void)pthread_mutex_lock(&merger->lock);
	if (below_sequence > merger->below) {
		merger->below = below_sequence;
		(void)pthread_cond_broadcast(&merger->changed);
	}
	(void)pthread_mutex_unlock(&merger->lock);
}

void merger_figures(struct merger *merger, struct merger_figures *ret_figures) {
	*ret_figures = (struct merger_figures){0};
	if (!merger)
		return;
	(void)pthread_mutex_lock(&merger->lock);
	*ret_figures = merger->figures;
	(void)pthread_mutex_unlock(&merger->lock);
}

void merger_write(struct merger *merger, struct json *json) {
	struct merger_figures figures;
	merger_figures(merger, &figures);
	json_u64(json, "merged_segments", figures.segments);
	json_u64(json, "merged_batches", figures.batches_before);
	json_u64(json, "merged_into_batches", figures.batches_after);
	json_u64(json, "merge_saved_bytes", figures.bytes_saved);
	json_u64(json, "merge_failures", figures.failures);
	json_u64(json, "merge_cpu_ns", figures.cpu_ns);
}

void merger_tell(struct merger *merger, const struct log *log) {
	char text[TEXT_BYTES];
	if (!merger)
		return;
	(void)pthread_mutex_lock(&merger->lock);
	bool is_problem = merger->text_is_problem;
	memcpy(text, merger->text, sizeof(text));
	merger->text[0] = '\0';
	(void)pthread_mutex_unlock(&merger->lock);
	if (*text && is_problem)
		log_event(log, LOG_LEVEL_WARNING, "merge_failed", NULL, "%s", text);
	else if (*text)
		log_event(log, LOG_LEVEL_INFO, "segment_merged", NULL, "%s", text);
}

void merger_finish(struct merger *merger) {
	struct sched_param none = {.sched_priority = 0};
	uint64_t until_ns = clock_monotonic_ns() + FINISH_NS_MAX;
	struct timespec until = time_of(until_ns);
	if (!merger)
		return;
	(void)pthread_setschedparam(merger->thread, SCHED_OTHER, &none); /* somebody waits for it now */
	(void)pthread_mutex_lock(&merger->lock);
	merger->finishing = true;
	(void)pthread_cond_broadcast(&merger->changed);
	while ((!merger->idle || merger->next < merger->below) && clock_monotonic_ns() < until_ns)
		(void)pthread_cond_timedwait(&merger->changed, &merger->lock, &until);
	merger->finishing = false;
	(void)pthread_mutex_unlock(&merger->lock);
}

void merger_close(struct merger *merger) {
	if (!merger)
		return;
	(void)pthread_mutex_lock(&merger->lock);
	merger->stopping = true;
	(void)pthread_cond_broadcast(&merger->changed);
	(void)pthread_mutex_unlock(&merger->lock);
	(void)pthread_join(merger->thread, NULL);
	free_merger(merger);
}
