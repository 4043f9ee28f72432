/* SPDX-License-Identifier: Apache-2.0 */
#include "run_store.h"

#include "support/cmocka.h"
#include "support/seed.h"

#include "base/clock.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 25u
#define START_NS (UINT64_C(20) * NS_PER_S)
#define WALL_OFFSET_NS (UINT64_C(1795200000) * NS_PER_S)

const char *const run_names[RUN_NAMES] = {"GET /cart", "auth", "db.query", "render"};

struct making {
	const struct run_plan *plan;
	struct seed seed;
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t process;
	uint32_t thread;
	uint32_t sites[RUN_NAMES + 1];
	uint32_t keys[3];
	uint32_t requests;
	uint64_t stored;
	uint32_t errors;
	uint64_t bins[STEPS][RUN_NAMES][ROLLUP_BINS_MAX];
	struct store_rollup rollups[STEPS * RUN_NAMES];
	struct store_rollup_bin sparse[STEPS * RUN_NAMES][ROLLUP_BINS_MAX];
	size_t rollup_count;
};

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

static uint32_t site_of(struct making *making, const char *name) {
	struct store_site site = {string_of(making, name), string_of(making, "src/cart.c"), 7, 1, 0, 0};
	uint32_t id = 0;
	assert_int_equal(catalog_site(making->catalog, &site, &id), 0);
	return id;
}

static void fill_catalog(struct making *making) {
	static const char *const keys[] = {"shard", "region", "user"};
	struct store_process process = {.pid = 300, .ppid = 1, .uid = 1000, .clock_kind = 1, .attach_ns = START_NS - 1};
	assert_int_equal(catalog_new(&making->catalog), 0);
	memset(process.instance, 0x77, sizeof(process.instance));
	process.attach_wall_ns = WALL_OFFSET_NS + process.attach_ns;
	process.executable = string_of(making, "/usr/bin/shop");
	process.command = string_of(making, "shop");
	process.service = string_of(making, "shop");
	assert_int_equal(catalog_process(making->catalog, &process, &making->process), 0);
	struct store_thread thread = {.process = making->process, .tid = 301, .name = string_of(making, "worker")};
	assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread), 0);
	for (uint32_t i = 0; i < RUN_NAMES; i++)
		making->sites[i] = site_of(making, run_names[i]);
	making->sites[RUN_NAMES] = site_of(making, making->plan->extra ? making->plan->extra : "none");
	for (uint32_t i = 0; i < 3; i++)
		making->keys[i] = string_of(making, keys[i]);
}

static double uniform(struct making *making) {
	return ((double)(seed_next(&making->seed) >> 11) + 0.5) * 0x1p-53;
}

static uint64_t lognormal(struct making *making, double median_ns, double sigma, double factor) {
	double normal = sqrt(-2 * log(uniform(making))) * cos(2 * M_PI * uniform(making));
	return 1 + (uint64_t)(median_ns * exp(sigma * normal) * (factor > 0 ? factor : 1));
}

static void commit(struct making *making, bool last) {
	struct store_cursor cursor = {.state = STORE_RING_RETIRED,
	                              .position = making->stored,
	                              .begun = making->stored,
	                              .stored_spans = making->stored};
	struct store_process_account account = {.state = STORE_PROCESS_EXITED, .rings_made = 1};
	struct store_receipt receipt;
	memset(cursor.instance, 0x77, sizeof(cursor.instance));
	memset(account.instance, 0x77, sizeof(account.instance));
	account.statistics = making->plan->rollups ? STORE_STATISTICS_WHOLE : STORE_STATISTICS_NONE;
	struct store_commit commit = {.catalog = making->catalog,
	                              .batch = making->batch,
	                              .cursors = &cursor,
	                              .cursor_count = 1,
	                              .accounts = &account,
	                              .account_count = 1,
	                              .rollups = making->rollups,
	                              .rollup_count = last ? making->rollup_count : 0};
	if (store_writer_commit(making->writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making->writer));
	batch_clear(making->batch);
}

static void add_span(struct making *making, const struct store_span *span) {
	if (!batch_has_room(making->batch, 4, 4, 0, 64))
		commit(making, false);
	batch_add_span(making->batch, span);
	making->stored++;
}

static void add_attribute(struct making *making, const struct store_span *span, uint32_t key, uint64_t number,
                          const char *text) {
	struct store_attribute attribute = {.trace_lo = span->trace_lo,
	                                    .span_id = span->span_id,
	                                    .value = number,
	                                    .text_bytes = text ? (uint32_t)strlen(text) : 0,
	                                    .key = making->keys[key],
	                                    .type = text ? SPANRING_VALUE_STRING : SPANRING_VALUE_U64};
	batch_add_attribute(making->batch, &attribute, text);
}

static void count(struct making *making, uint32_t request, enum run_name name, uint64_t duration_ns,
                  struct run_truth *truth) {
	uint32_t step = (uint32_t)((uint64_t)request * STEPS / making->requests);
	making->bins[step][name][spanring_statistics_bin(duration_ns)]++;
	struct store_rollup *rollup = &making->rollups[step * RUN_NAMES + name];
	rollup->min_ns = rollup->count == 0 || duration_ns < rollup->min_ns ? duration_ns : rollup->min_ns;
	rollup->max_ns = duration_ns > rollup->max_ns ? duration_ns : rollup->max_ns;
	rollup->sum_ns += duration_ns;
	rollup->count++;
	if (truth) {
		truth->durations[name][request] = duration_ns;
		truth->totals[name] += duration_ns;
	}
}

static void add_request(struct making *making, uint32_t request, struct run_truth *truth) {
	static const double medians_ns[] = {300000, 200000, 2000000, 500000};
	static const double sigmas[] = {0.3, 0.3, 0.5, 0.4};
	const struct run_plan *plan = making->plan;
	bool is_slow = uniform(making) < (plan->shard_share > 0 ? plan->shard_share : 0.2);
	uint64_t start_ns = START_NS + request * RUN_GAP_NS;
	uint64_t at_ns = start_ns + lognormal(making, medians_ns[RUN_CART], sigmas[RUN_CART],
	                                      (plan->factors[RUN_CART] > 0 ? plan->factors[RUN_CART] : 1) *
	                                          (is_slow && plan->shard_factor > 0 ? plan->shard_factor : 1));
	struct store_span span = {.trace_hi = plan->seed, .trace_lo = request + 1, .thread = making->thread};
	uint64_t root_id = request * UINT64_C(8) + 1;
	for (uint32_t name = RUN_AUTH; name < RUN_NAMES; name++) {
		span.span_id = root_id + name;
		span.parent_id = root_id;
		span.site = making->sites[name];
		span.start_ns = at_ns;
		span.duration_ns = lognormal(making, medians_ns[name], sigmas[name], plan->factors[name]);
		bool failed = name == RUN_DB && uniform(making) < plan->errors;
		span.status = failed ? SPANRING_STATUS_ERROR : SPANRING_STATUS_UNSET;
		making->errors += failed;
		making->rollups[(uint64_t)request * STEPS / making->requests * RUN_NAMES + name].errors += failed;
		at_ns += span.duration_ns;
		add_span(making, &span);
		count(making, request, (enum run_name)name, span.duration_ns, truth);
	}
	span.span_id = root_id;
	span.parent_id = 0;
	span.site = making->sites[RUN_CART];
	span.status = SPANRING_STATUS_UNSET;
	span.start_ns = start_ns;
	span.duration_ns = at_ns - start_ns;
	add_span(making, &span);
	count(making, request, RUN_CART, span.duration_ns, truth);
	add_attribute(making, &span, 0, 0, is_slow ? "c" : request % 2 ? "a" : "b");
	add_attribute(making, &span, 1, 0, uniform(making) < 0.5 ? "eu" : "us");
	add_attribute(making, &span, 2, request, NULL);
}

static void add_extra(struct making *making) {
	struct store_span span = {.trace_hi = 1,
	                          .trace_lo = RUN_REQUESTS_MAX + 1,
	                          .span_id = RUN_REQUESTS_MAX * 8 + 9,
	                          .start_ns = START_NS,
	                          .duration_ns = 5000,
	                          .site = making->sites[RUN_NAMES],
	                          .thread = making->thread};
	add_span(making, &span);
}

/* A clock of one tick a ns. */
static void fill_rollups(struct making *making) {
	uint64_t width_ns = making->requests * RUN_GAP_NS / STEPS;
	for (uint32_t i = 0; i < STEPS * RUN_NAMES; i++) {
		struct store_rollup rollup = making->rollups[i];
		if (rollup.count == 0)
			continue;
		uint32_t step = i / RUN_NAMES;
		rollup.process = making->process;
		rollup.site = making->sites[i % RUN_NAMES];
		rollup.since_ns = START_NS + step * width_ns;
		rollup.until_ns = rollup.since_ns + width_ns;
		rollup.ns_per_tick_q32 = UINT64_C(1) << 32;
		rollup.bins = making->sparse[making->rollup_count];
		for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
			if (making->bins[step][i % RUN_NAMES][bin])
				making->sparse[making->rollup_count][rollup.bin_count++] = (struct store_rollup_bin){
				    .count = making->bins[step][i % RUN_NAMES][bin], .bin = bin};
		making->rollups[making->rollup_count++] = rollup;
	}
}

static int by_u64(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

void run_store_make(const char *directory, const struct run_plan *plan, struct run_truth *ret_truth) {
	struct store_writer_options options = {.wall_offset_ns = WALL_OFFSET_NS, .agent_version = "test"};
	struct making *making = calloc(1, sizeof(*making));
	char text[512] = "";
	int holder = 0;
	assert_non_null(making);
	making->plan = plan;
	making->seed.state = plan->seed;
	making->requests = plan->requests ? plan->requests : 2500;
	assert_true(making->requests <= RUN_REQUESTS_MAX);
	if (ret_truth)
		*ret_truth = (struct run_truth){.requests = making->requests};
	memset(options.boot_id, 0xb0, sizeof(options.boot_id));
	if (store_writer_open(directory, &options, &making->writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(batch_new(&making->batch), 0);
	fill_catalog(making);
	for (uint32_t request = 0; request < making->requests; request++)
		add_request(making, request, ret_truth);
	if (plan->extra)
		add_extra(making);
	if (plan->rollups)
		fill_rollups(making);
	commit(making, true);
	assert_int_equal(store_writer_close(making->writer), 0);
	if (ret_truth)
		ret_truth->errors = making->errors;
	for (unsigned name = 0; ret_truth && name < RUN_NAMES; name++)
		qsort(ret_truth->durations[name], making->requests, sizeof(uint64_t), by_u64);
	catalog_free(making->catalog);
	batch_free(making->batch);
	free(making);
}
