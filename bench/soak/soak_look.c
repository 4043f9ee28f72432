/* SPDX-License-Identifier: Apache-2.0 */
#include "soak_look.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/answer.h"
#include "bench/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define INSTANCE_DIGITS 32u
#define MIB 1048576.0

const struct soak_figure_line soak_figure_lines[SOAK_FIGURES] = {
    [SOAK_SECONDS] = {"seconds", "s", 1, 0, 6},
    [SOAK_AGENT_RSS] = {"agent_rss_bytes", "RSS MiB", MIB, 2, 8},
    [SOAK_AGENT_PSS] = {"agent_pss_bytes", "PSS MiB", MIB, 2, 8},
    [SOAK_AGENT_DESCRIPTORS] = {"agent_descriptors", "fds", 1, 0, 5},
    [SOAK_AGENT_THREADS] = {"agent_threads", NULL, 1, 0, 0},
    [SOAK_AGENT_CPU] = {"agent_cpu_percent", "CPU %", 1, 2, 6},
    [SOAK_WRITER_RSS] = {"writer_rss_bytes", "writer MiB", MIB, 2, 11},
    [SOAK_RING_DIRECTORIES] = {"ring_directories", "dirs", 1, 0, 5},
    [SOAK_SPANS_RATE] = {"spans_per_s", "spans/s", 1, 0, 8},
    [SOAK_DROPPED_FULL] = {"dropped_full", "dropped", 1, 0, 8},
    [SOAK_DROPPED_DEPTH] = {"dropped_depth", NULL, 1, 0, 0},
    [SOAK_DROPPED_NO_RING] = {"dropped_no_ring", "no ring", 1, 0, 8},
    [SOAK_DROPPED_REENTRY] = {"dropped_reentry", NULL, 1, 0, 0},
    [SOAK_LATENCY_P50] = {"span_p50_ns", "p50 ns", 1, 0, 7},
    [SOAK_LATENCY_P99] = {"span_p99_ns", "p99 ns", 1, 0, 7},
    [SOAK_LATENCY_P999] = {"span_p999_ns", "p99.9 ns", 1, 0, 9},
    [SOAK_COMMIT_MEAN] = {"commit_mean_ns", "commit ms", 1e6, 2, 10},
    [SOAK_COMMIT_MAX] = {"commit_max_ns", "max ms", 1e6, 1, 7},
    [SOAK_STORE_BYTES] = {"store_bytes", "store MiB", MIB, 1, 10},
    [SOAK_STORE_SEGMENTS] = {"store_segments", "segs", 1, 0, 5},
    [SOAK_EVICTED_SEGMENTS] = {"evicted_segments", "gone", 1, 0, 5},
};

uint32_t soak_look_directories(const char *rings) {
	uint32_t count = 0;
	DIR *folder = opendir(rings);
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		count += strspn(entry->d_name, "0123456789abcdef") == INSTANCE_DIGITS;
	if (folder)
		(void)closedir(folder);
	return count;
}

static uint32_t count_segments(const char *store) {
	uint32_t count = 0;
	DIR *folder = opendir(store);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		size_t length = strlen(entry->d_name);
		count += strncmp(entry->d_name, "segment-", 8) == 0 && length > 3 &&
		         strcmp(entry->d_name + length - 3, ".db") == 0;
	}
	if (folder)
		(void)closedir(folder);
	return count;
}

static uint64_t since(const uint64_t *bins, const uint64_t *before, uint32_t bin) {
	return soak_ledger_get(&bins[bin]) - (before ? before[bin] : 0);
}

double soak_look_percentile(const uint64_t *bins, const uint64_t *before, double share) {
	uint64_t total = 0;
	uint64_t below = 0;
	for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++)
		total += since(bins, before, bin);
	uint64_t rank = (uint64_t)ceil(share * (double)total);
	for (uint32_t bin = 0; bin < HISTOGRAM_BINS && rank; bin++) {
		below += since(bins, before, bin);
		if (below >= rank)
			return (double)histogram_bin_low(bin) / 2 + (double)histogram_bin_high(bin) / 2;
	}
	return 0;
}

static void look_at_ledger(struct soak_observer *observer, double seconds, double *values) {
	const struct soak_ledger *ledger = observer->ledger;
	uint64_t bins[HISTOGRAM_BINS];
	uint64_t ended = soak_ledger_get(&ledger->ended);
	for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++)
		bins[bin] = soak_ledger_get(&ledger->latency_ns[bin]);
	values[SOAK_SPANS_RATE] = (double)(ended - observer->before_ended) / seconds;
	values[SOAK_DROPPED_FULL] = (double)soak_ledger_get(&ledger->dropped_full);
	values[SOAK_DROPPED_DEPTH] = (double)soak_ledger_get(&ledger->dropped_depth);
	values[SOAK_DROPPED_NO_RING] = (double)soak_ledger_get(&ledger->dropped_no_ring);
	values[SOAK_DROPPED_REENTRY] = (double)soak_ledger_get(&ledger->dropped_reentry);
	values[SOAK_LATENCY_P50] = soak_look_percentile(bins, observer->before_latency_ns, 0.5);
	values[SOAK_LATENCY_P99] = soak_look_percentile(bins, observer->before_latency_ns, 0.99);
	values[SOAK_LATENCY_P999] = soak_look_percentile(bins, observer->before_latency_ns, 0.999);
	observer->before_ended = ended;
	memcpy(observer->before_latency_ns, bins, sizeof(bins));
}

static int look_at_status(struct soak_observer *observer, double *values) {
	const char *arguments[] = {observer->program, "status", "--json", "--rings", observer->rings, NULL};
	char *text CLEANUP_FREE = NULL;
	int rc = answer_ask(arguments, &text);
	if (rc != 0)
		return rc < 0 ? rc : -ENOTCONN;
	uint64_t commits = answer_number(text, "commits");
	uint64_t commit_ns = answer_number(text, "commit_ns");
	uint64_t more = commits - observer->before_commits;
	values[SOAK_COMMIT_MEAN] = more ? (double)(commit_ns - observer->before_commit_ns) / (double)more : 0;
	values[SOAK_COMMIT_MAX] = (double)answer_number(text, "commit_ns_max");
	values[SOAK_EVICTED_SEGMENTS] = (double)answer_number(text, "evicted_segments");
	observer->before_commits = commits;
	observer->before_commit_ns = commit_ns;
	return 0;
}

int soak_look_take(struct soak_observer *observer, struct soak_look *ret_look) {
	double *values = ret_look->values;
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t bytes = 0;
	double seconds = (double)(now_ns - observer->before_ns) / 1e9;
	struct proc_figures agent = proc_figures(observer->agent);
	struct proc_figures writer = proc_figures(observer->writer);
	memset(values, 0, sizeof(ret_look->values));
	values[SOAK_SECONDS] = (double)(now_ns - observer->start_ns) / 1e9;
	values[SOAK_AGENT_RSS] = (double)agent.resident_bytes;
	values[SOAK_AGENT_PSS] = (double)agent.proportional_bytes;
	values[SOAK_AGENT_DESCRIPTORS] = (double)agent.descriptors;
	values[SOAK_AGENT_THREADS] = (double)agent.threads;
	values[SOAK_AGENT_CPU] = (double)(agent.cpu_ns - observer->before_cpu_ns) / 1e7 / seconds;
	values[SOAK_WRITER_RSS] = (double)writer.resident_bytes;
	values[SOAK_RING_DIRECTORIES] = soak_look_directories(observer->rings);
	look_at_ledger(observer, seconds, values);
	if (temporary_folder_bytes(observer->store, &bytes) == 0)
		values[SOAK_STORE_BYTES] = (double)bytes;
	values[SOAK_STORE_SEGMENTS] = count_segments(observer->store);
	observer->before_ns = now_ns;
	observer->before_cpu_ns = agent.cpu_ns;
	return look_at_status(observer, values);
}
