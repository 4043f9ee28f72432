/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench quiet: what an hour of a quiet system takes on disk, and what it costs to put its small batches together when its segment is
 * sealed. The agent itself is not in it (quiet_feed.h): it would need the hour.
 */
#include "base/clock.h"
#include "bench/case.h"
#include "bench/commands.h"
#include "bench/feed/quiet_feed.h"
#include "libstore/merge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOUR_SPANS 3600000u
#define QUICK_SPANS 60000u

enum {
	SPANS,
	COMMITS,
	BYTES_UNMERGED,
	BYTES_MERGED,
	BATCHES_BEFORE,
	BATCHES_AFTER,
	COMMIT_CPU,
	SEAL_WALL,
	MERGE_CPU,
	MERGE_WALL,
	MERGE_STEP,
	FIGURES
};

static const struct report_line lines[FIGURES] = {
    [SPANS] = {"spans", "spans", "", NULL},
    [COMMITS] = {"commits", "commits, one a second", "", NULL},
    [BYTES_UNMERGED] = {"sealed_bytes_per_span", "sealed, not merged, everything included", "bytes/span", NULL},
    [BYTES_MERGED] = {"store_bytes_per_span", "merged, everything included", "bytes/span", "14"},
    [BATCHES_BEFORE] = {"batches_sealed", "batches, not merged", "", NULL},
    [BATCHES_AFTER] = {"batches_merged", "batches, merged", "", NULL},
    [COMMIT_CPU] = {"commit_cpu_per_span_ns", "CPU of encoding and committing, per span", "ns", NULL},
    [SEAL_WALL] = {"seal_ms", "sealing: the store's thread is away for", "ms", NULL},
    [MERGE_CPU] = {"merge_cpu_per_span_ns", "CPU of merging, per span", "ns", NULL},
    [MERGE_WALL] = {"merge_ms", "merging without a pause", "ms", NULL},
    [MERGE_STEP] = {"merge_longest_step_ms", "  its longest step", "ms", NULL},
};

static int open_writer(const char *store, struct store_writer **ret_writer) {
	struct store_writer_options options = {.durability = STORE_DURABILITY_NORMAL, .agent_version = "bench"};
	char text[512];
	int holder;
	return store_writer_open(store, &options, ret_writer, &holder, text, sizeof(text));
}

static int feed_and_seal(const struct stage *stage, const struct workload *workload, double *values) {
	struct quiet_feed_result result;
	struct catalog *catalog = NULL;
	struct store_writer *writer = NULL;
	int rc = catalog_new(&catalog);
	if (rc == 0)
		rc = open_writer(stage->folders.store, &writer);
	if (rc == 0)
		rc = quiet_feed_run(writer, workload, catalog, &result);
	uint64_t from_ns = clock_monotonic_ns();
	int closed = store_writer_close(writer);
	catalog_free(catalog);
	if (rc < 0 || closed < 0)
		return rc < 0 ? rc : closed;
	values[SEAL_WALL] = (double)(clock_monotonic_ns() - from_ns) / 1e6;
	values[SPANS] = (double)result.spans;
	values[COMMITS] = (double)result.commits;
	values[COMMIT_CPU] = (double)result.cpu_ns / (double)result.spans;
	return result.spans == workload->span_count ? 0 : -EOVERFLOW;
}

static int merge_one(struct store_writer *writer, const char *path, double *values) {
	static const struct store_merge_options options = {.free_bytes = 0};
	struct store_merge_figures figures;
	struct store_merge *merge = NULL;
	char text[512];
	uint64_t longest_ns = 0;
	uint64_t from_ns = clock_monotonic_ns();
	uint64_t cpu_from_ns = clock_thread_cpu_ns();
	int rc = store_merge_open(writer, path, &options, &merge, text, sizeof(text));
	if (rc < 0 || !merge)
		return rc < 0 ? rc : -ENOENT;
	do {
		uint64_t step_ns = clock_thread_cpu_ns();
		rc = store_merge_step(merge, text, sizeof(text));
		step_ns = clock_thread_cpu_ns() - step_ns;
		longest_ns = step_ns > longest_ns ? step_ns : longest_ns;
	} while (rc == 1);
	store_merge_figures(merge, &figures);
	store_merge_close(merge);
	if (rc < 0)
		return rc;
	values[MERGE_CPU] = (double)(clock_thread_cpu_ns() - cpu_from_ns) / values[SPANS];
	values[MERGE_WALL] = (double)(clock_monotonic_ns() - from_ns) / 1e6;
	values[MERGE_STEP] = (double)longest_ns / 1e6;
	values[BATCHES_BEFORE] = (double)figures.batches_before;
	values[BATCHES_AFTER] = (double)figures.batches_after;
	return 0;
}

static int merge_store(const struct stage *stage, double *values) {
	struct store_writer *writer = NULL;
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	int rc = open_writer(stage->folders.store, &writer);
	if (rc == 0)
		rc = store_evict_list(stage->folders.store, &segments, &count);
	if (rc == 0)
		rc = count == 1 ? merge_one(writer, segments[0].path, values) : -EMFILE;
	store_evict_list_free(segments, count);
	int closed = store_writer_close(writer);
	return rc < 0 ? rc : closed;
}

static int run(const struct stage *stage, double *values) {
	struct workload workload = {0};
	uint64_t sealed = 0;
	uint64_t merged = 0;
	uint64_t spans = stage->options->is_quick ? QUICK_SPANS : HOUR_SPANS;
	int rc = workload_generate(spans, QUIET_FEED_RATE, stage->options->seed, &workload);
	if (rc == 0)
		rc = feed_and_seal(stage, &workload, values);
	workload_done(&workload);
	if (rc == 0)
		rc = temporary_folder_bytes(stage->folders.store, &sealed);
	if (rc == 0)
		rc = merge_store(stage, values);
	if (rc == 0)
		rc = temporary_folder_bytes(stage->folders.store, &merged);
	temporary_empty_store(&stage->folders);
	values[BYTES_UNMERGED] = (double)sealed / values[SPANS];
	values[BYTES_MERGED] = (double)merged / values[SPANS];
	return rc;
}

int quiet_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-quiet/1",
	    .title = "An hour at 1,000 spans a second in the store: sealed, and merged",
	    .note = "Through the store's writer, one commit for each second; the agent is not in it.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}
