/* SPDX-License-Identifier: Apache-2.0 */
#include "quiet_feed.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include <spanring/spanring.h>
#include <spanring/statistics_abi.h>

#include <stdio.h>
#include <string.h>

#define STEP_COMMITS 10u /* between two rows of rollups: statistics-interval at one commit a second */
#define BASE_NS (UINT64_C(1000) * NS_PER_S)
#define SAMPLES (WORKLOAD_PROCESSES + 1u)
#define SITES (WORKLOAD_PROCESSES * WORKLOAD_NAMES)
#define NS_PER_TICK_Q32 (UINT64_C(1) << 32)

struct counts {
	uint64_t bins[ROLLUP_BINS_MAX];
	uint64_t count;
	uint64_t errors;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
};

struct quiet_feed {
	const struct workload *workload;
	uint64_t base_ns;                 /* when the workload began */
	uint64_t taken[WORKLOAD_STREAMS]; /* of its streams */
	struct catalog *catalog;
	struct catalog *catalog_before; /* busy */
	struct batch *batch;
	uint32_t sites[WORKLOAD_NAMES]; /* ids of the catalog */
	uint32_t processes[WORKLOAD_PROCESSES];
	uint32_t threads[WORKLOAD_STREAMS];
	struct store_process_account accounts[WORKLOAD_PROCESSES];
	struct store_cursor cursors[WORKLOAD_STREAMS];
	struct store_cursor given[WORKLOAD_STREAMS];
	struct store_memory_sample samples[SAMPLES];
	struct counts step[SITES];
	struct counts total[SITES];
	struct store_rollup rollups[SITES];
	struct store_rollup_total totals[SITES];
	struct store_rollup_bin *bins; /* of both, STEP and TOTAL of a site each ROLLUP_BINS_MAX */
	size_t rollup_count;
};

static int add_sites(struct quiet_feed *feed) {
	uint32_t file = 0;
	int rc = catalog_string(feed->catalog, "workload.c", 10, &file);
	for (uint32_t i = 0; i < WORKLOAD_NAMES && rc == 0; i++) {
		char name[32];
		struct store_site site = {.file = file, .line = i + 1, .kind = SPANRING_KIND_SERVER};
		int bytes = snprintf(name, sizeof(name), "operation %u", i);
		rc = catalog_string(feed->catalog, name, (size_t)bytes, &site.name);
		if (rc == 0)
			rc = catalog_site(feed->catalog, &site, &feed->sites[i]);
	}
	return rc;
}

static int add_processes(struct quiet_feed *feed) {
	int rc = 0;
	for (uint32_t i = 0; i < WORKLOAD_STREAMS && rc == 0; i++) {
		uint32_t process = i / WORKLOAD_THREADS;
		struct store_process row = {
		    .instance = {(uint8_t)(process + 1)}, .pid = 1000 + process, .attach_ns = BASE_NS};
		rc = catalog_string(feed->catalog, "workload", 8, &row.executable);
		row.command = row.service = row.executable;
		if (rc == 0)
			rc = catalog_process(feed->catalog, &row, &feed->processes[process]);
		struct store_thread thread = {.process = feed->processes[process],
		                              .ring_index = i % WORKLOAD_THREADS,
		                              .tid = 1000 + i,
		                              .start_ns = BASE_NS};
		if (rc == 0)
			rc = catalog_thread(feed->catalog, &thread, &feed->threads[i]);
		feed->cursors[i].ring_index = thread.ring_index;
		feed->cursors[i].state = STORE_RING_LIVE;
		memcpy(feed->cursors[i].instance, row.instance, sizeof(row.instance));
		feed->accounts[process] = (struct store_process_account){.state = STORE_PROCESS_RUNNING,
		                                                         .rings_made = WORKLOAD_THREADS,
		                                                         .time_ns = BASE_NS,
		                                                         .statistics = STORE_STATISTICS_WHOLE};
		memcpy(feed->accounts[process].instance, row.instance, sizeof(row.instance));
	}
	return rc;
}

static void count(struct counts *counts, const struct spanring_span_record *record, bool is_error) {
	uint64_t ticks = record->duration_ticks;
	counts->bins[spanring_statistics_bin(ticks)]++;
	counts->min = counts->count == 0 || ticks < counts->min ? ticks : counts->min;
	counts->max = ticks > counts->max ? ticks : counts->max;
	counts->sum += ticks;
	counts->errors += is_error;
	counts->count++;
}

static void add_span(struct quiet_feed *feed, uint32_t stream, const struct spanring_span_record *record) {
	uint32_t process = stream / WORKLOAD_THREADS;
	uint32_t site = process * WORKLOAD_NAMES + record->tail.ref;
	uint8_t bits = record->tail.bits;
	struct store_span span = {.trace_hi = record->trace_hi,
	                          .trace_lo = record->trace_lo,
	                          .span_id = record->span_id,
	                          .parent_id = record->parent_id,
	                          .start_ns = feed->base_ns + record->start_ticks,
	                          .duration_ns = record->duration_ticks,
	                          .site = feed->sites[record->tail.ref],
	                          .thread = feed->threads[stream],
	                          .kind = bits & SPANRING_BITS_KIND_MASK,
	                          .status = (bits >> SPANRING_BITS_STATUS_SHIFT) & 3u,
	                          .flags = bits & SPANRING_BITS_REMOTE_PARENT ? STORE_SPAN_REMOTE_PARENT : 0};
	batch_add_span(feed->batch, &span);
	bool is_error = span.status == SPANRING_STATUS_ERROR;
	count(&feed->step[site], record, is_error);
	count(&feed->total[site], record, is_error);
	struct store_cursor *cursor = &feed->cursors[stream];
	cursor->position++;
	cursor->begun++;
	cursor->stored_spans++;
}

/* What ended before until_ns, ring after ring, as the agent takes it. */
static bool take_spans(struct quiet_feed *feed, uint64_t until_ns) {
	bool more = false;
	for (uint32_t i = 0; i < WORKLOAD_STREAMS; i++) {
		const struct workload_stream *stream = &feed->workload->streams[i];
		uint64_t next = feed->taken[i];
		for (; next < stream->count && batch_has_room(feed->batch, 1, 0, 0, 0); next++) {
			const struct spanring_span_record *record = &stream->records[next];
			if (record->start_ticks + record->duration_ticks >= until_ns)
				break;
			add_span(feed, i, record);
		}
		feed->taken[i] = next;
		more |= next < stream->count;
	}
	return more;
}

static size_t give_cursors(struct quiet_feed *feed) {
	size_t given = 0;
	for (uint32_t i = 0; i < WORKLOAD_STREAMS; i++)
		if (feed->cursors[i].position > 0)
			feed->given[given++] = feed->cursors[i];
	return given;
}

/* Figures of programs that do little, and change as such figures do. */
static void give_samples(struct quiet_feed *feed, uint64_t commit) {
	for (uint32_t i = 0; i < SAMPLES; i++)
		feed->samples[i] = (struct store_memory_sample){
		    .process = i < WORKLOAD_PROCESSES ? feed->processes[i] : 0,
		    .threads = WORKLOAD_THREADS,
		    .time_ns = BASE_NS + commit * NS_PER_S + i * 12345,
		    .rss_bytes = (UINT64_C(40) << 20) + (commit * 7919 % 1000) * 4096,
		    .pss_bytes = (UINT64_C(38) << 20) + (commit * 104729 % 1000) * 4096,
		    .anonymous_bytes = (UINT64_C(30) << 20) + (commit * 7919 % 1000) * 4096,
		    .cpu_user_ns = commit * 1234567,
		    .cpu_system_ns = commit * 345678,
		    .faults_minor = 10000 + commit * 3,
		    .switches_voluntary = commit * 1100,
		    .switches_involuntary = commit / 2,
		    .descriptors = 42,
		    .pss_ns = 50000 + commit * 7919 % 20000,
		    .pss_state = STORE_PSS_READ,
		    .agent_pid = 999,
		    .agent_start = 1234567};
}

static uint32_t list_bins(const struct counts *counts, struct store_rollup_bin *ret_bins) {
	uint32_t listed = 0;
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (counts->bins[bin])
			ret_bins[listed++] = (struct store_rollup_bin){.count = counts->bins[bin], .bin = bin};
	return listed;
}

static void give_rollup(struct quiet_feed *feed, uint32_t site, uint64_t since_ns, uint64_t now_ns) {
	struct counts *step = &feed->step[site];
	const struct counts *total = &feed->total[site];
	struct store_rollup_bin *bins = feed->bins + (size_t)site * 2 * ROLLUP_BINS_MAX;
	uint32_t process = site / WORKLOAD_NAMES;
	struct store_rollup *row = &feed->rollups[feed->rollup_count];
	struct store_rollup_total *sum = &feed->totals[feed->rollup_count++];
	*row = (struct store_rollup){.process = feed->processes[process],
	                             .site = feed->sites[site % WORKLOAD_NAMES],
	                             .since_ns = since_ns,
	                             .until_ns = now_ns,
	                             .ns_per_tick_q32 = NS_PER_TICK_Q32,
	                             .count = step->count,
	                             .errors = step->errors,
	                             .sum_ns = step->sum,
	                             .min_ns = step->min,
	                             .max_ns = step->max,
	                             .bins = bins};
	row->bin_count = list_bins(step, bins);
	*sum = (struct store_rollup_total){.site = site % WORKLOAD_NAMES + 1,
	                                   .time_ns = now_ns,
	                                   .count = total->count,
	                                   .errors = total->errors,
	                                   .sum_ticks = total->sum,
	                                   .min_ticks = total->min,
	                                   .max_ticks = total->max,
	                                   .bins = bins + ROLLUP_BINS_MAX};
	sum->bin_count = list_bins(total, bins + ROLLUP_BINS_MAX);
	memcpy(sum->instance, feed->accounts[process].instance, sizeof(sum->instance));
	memset(step, 0, sizeof(*step));
}

static void give_rollups(struct quiet_feed *feed, uint64_t since_ns, uint64_t now_ns) {
	for (uint32_t site = 0; site < SITES; site++)
		if (feed->step[site].count > 0)
			give_rollup(feed, site, since_ns, now_ns);
}

static int feed_second(struct quiet_feed *feed, struct store_writer *writer, uint64_t second, bool is_last,
                       struct quiet_feed_result *result) {
	feed->rollup_count = 0;
	give_samples(feed, second);
	if (is_last || second % STEP_COMMITS == 0)
		give_rollups(feed, BASE_NS + (second - STEP_COMMITS) * NS_PER_S, BASE_NS + second * NS_PER_S);
	struct store_commit commit = {.catalog = feed->catalog,
	                              .batch = feed->batch,
	                              .cursors = feed->given,
	                              .cursor_count = give_cursors(feed),
	                              .accounts = feed->accounts,
	                              .account_count = second == 1 ? WORKLOAD_PROCESSES : 0,
	                              .samples = feed->samples,
	                              .sample_count = SAMPLES,
	                              .rollups = feed->rollups,
	                              .rollup_count = feed->rollup_count,
	                              .rollup_totals = feed->totals,
	                              .rollup_total_count = feed->rollup_count};
	uint64_t from_ns = clock_thread_cpu_ns();
	int rc = store_writer_commit(writer, &commit, NULL);
	result->cpu_ns += clock_thread_cpu_ns() - from_ns;
	result->spans += feed->batch->span_count;
	result->commits++;
	batch_clear(feed->batch);
	return rc;
}

static int open_feed(struct quiet_feed *feed) {
	feed->bins = calloc((size_t)SITES * 2 * ROLLUP_BINS_MAX, sizeof(*feed->bins));
	int rc = feed->bins ? batch_new(&feed->batch) : -ENOMEM;
	if (rc == 0)
		rc = add_sites(feed);
	return rc < 0 ? rc : add_processes(feed);
}

int quiet_feed_run(struct store_writer *writer, const struct workload *workload, struct catalog *catalog,
                   struct quiet_feed_result *ret_result) {
	struct quiet_feed_result result = {0};
	struct quiet_feed *feed CLEANUP_FREE = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	feed->workload = workload;
	feed->base_ns = BASE_NS;
	feed->catalog = catalog;
	int rc = open_feed(feed);
	bool more = true;
	for (uint64_t second = 1; more && rc == 0; second++) {
		more = take_spans(feed, second * NS_PER_S);
		rc = feed_second(feed, writer, second, !more, &result);
	}
	batch_free(feed->batch);
	free(feed->bins);
	*ret_result = result;
	return rc;
}

/* --- busy -------------------------------------------------------------------------------------------------------- */

static int fill_catalog(struct quiet_feed *feed) {
	/* the writer tells catalogs apart by where they are: the one before stays until there is another */
	catalog_free(feed->catalog_before);
	feed->catalog_before = feed->catalog;
	feed->catalog = NULL;
	int rc = catalog_new(&feed->catalog);
	if (rc == 0)
		rc = add_sites(feed);
	return rc < 0 ? rc : add_processes(feed);
}

/* The batch as it is, with rollups when the segment ends with it. */
static int commit_busy(struct busy_feed *busy, bool ends_segment) {
	struct quiet_feed *feed = busy->feed;
	feed->rollup_count = 0;
	if (ends_segment)
		give_rollups(feed, busy->segment_ns, busy->now_ns);
	struct store_commit commit = {.catalog = feed->catalog,
	                              .batch = feed->batch,
	                              .cursors = feed->given,
	                              .cursor_count = give_cursors(feed),
	                              .accounts = feed->accounts,
	                              .account_count = busy->segment_spans == 0 ? WORKLOAD_PROCESSES : 0,
	                              .rollups = feed->rollups,
	                              .rollup_count = feed->rollup_count,
	                              .rollup_totals = feed->totals,
	                              .rollup_total_count = feed->rollup_count};
	int rc = busy->on_batch ? busy->on_batch(busy->context, feed->batch)
	                        : store_writer_commit(busy->writer, &commit, NULL);
	busy->segment_spans += feed->batch->span_count;
	busy->spans += feed->batch->span_count;
	batch_clear(feed->batch);
	if (rc == 0 && ends_segment) {
		busy->segment_spans = 0;
		busy->segment_ns = busy->now_ns;
		rc = fill_catalog(feed);
	}
	return rc;
}

int busy_feed_open(struct store_writer *writer, int (*on_batch)(void *context, const struct batch *batch),
                   void *context, struct busy_feed *ret_busy) {
	struct busy_feed busy = {
	    .writer = writer, .on_batch = on_batch, .context = context, .now_ns = BASE_NS, .segment_ns = BASE_NS};
	busy.feed = calloc(1, sizeof(*busy.feed));
	int rc = busy.feed ? catalog_new(&busy.feed->catalog) : -ENOMEM;
	if (rc == 0)
		rc = open_feed(busy.feed);
	if (rc < 0)
		busy_feed_close(&busy);
	else
		*ret_busy = busy;
	return rc;
}

int busy_feed_take(struct busy_feed *busy, const struct workload *workload) {
	struct quiet_feed *feed = busy->feed;
	int rc = 0;
	bool more = true;
	feed->workload = workload;
	feed->base_ns = busy->now_ns;
	memset(feed->taken, 0, sizeof(feed->taken));
	for (uint64_t until_ns = BUSY_FEED_DRAIN_NS; more && rc == 0;) {
		more = take_spans(feed, until_ns);
		busy->now_ns = feed->base_ns + until_ns;
		if (batch_has_room(feed->batch, 1, 0, 0, 0))
			until_ns += BUSY_FEED_DRAIN_NS;
		else
			rc = commit_busy(busy, busy->segment_spans + BATCH_SPANS_MAX >= STORE_SEGMENT_SPANS_MAX);
	}
	return rc;
}

int busy_feed_finish(struct busy_feed *busy) {
	return commit_busy(busy, true);
}

void busy_feed_close(struct busy_feed *busy) {
	if (!busy->feed)
		return;
	batch_free(busy->feed->batch);
	catalog_free(busy->feed->catalog);
	catalog_free(busy->feed->catalog_before);
	free(busy->feed->bins);
	free(busy->feed);
	busy->feed = NULL;
}
