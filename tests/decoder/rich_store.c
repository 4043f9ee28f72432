/* SPDX-License-Identifier: Apache-2.0 */
#include "rich_store.h"

#include "unit/store_rows.h"

#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>

#define IDS 20u
#define PROCESSES 3u
#define NAME_BYTES_MAX 60u
#define BINS_MAX 40u
#define STEP_NS UINT64_C(2000000000)

/* Small ones as well as large ones. */
static uint64_t any(struct seed *seed) {
	return seed_next(seed) >> seed_below(seed, 64);
}

static uint32_t any_u32(struct seed *seed) {
	return (uint32_t)(seed_next(seed) >> (32 + seed_below(seed, 32)));
}

static uint32_t any_id(struct seed *seed) {
	return 1 + (uint32_t)seed_below(seed, IDS);
}

static void add_name(struct catalog *catalog, struct seed *seed, uint32_t number) {
	char name[NAME_BYTES_MAX + 16];
	uint32_t id = 0;
	int bytes = snprintf(name, sizeof(name), "%u ", number);
	for (uint64_t more = seed_below(seed, NAME_BYTES_MAX); more > 0; more--)
		name[bytes++] = (char)(1 + seed_below(seed, 255));
	assert_int_equal(catalog_string(catalog, name, (size_t)bytes, &id), 0);
}

static void instance_of(uint32_t process, uint8_t ret_instance[STORE_INSTANCE_BYTES]) {
	memset(ret_instance, (int)(0xf0 + process), STORE_INSTANCE_BYTES);
}

static void add_process(struct catalog *catalog, struct seed *seed, uint32_t process) {
	uint32_t id = 0;
	struct store_process row = {.pid = any_u32(seed),
	                            .ppid = any_u32(seed),
	                            .uid = any_u32(seed),
	                            .clock_kind = (uint32_t)seed_below(seed, 3),
	                            .attach_ns = any(seed),
	                            .attach_wall_ns = any(seed),
	                            .executable = any_id(seed),
	                            .command = any_id(seed),
	                            .service = any_id(seed),
	                            .resource = process == 1 ? 0 : any_id(seed),
	                            .resource_left_out = process == 1 ? 0 : 1 + (uint32_t)seed_below(seed, 9)};
	instance_of(process, row.instance);
	assert_int_equal(catalog_process(catalog, &row, &id), 0);
}

struct catalog *rich_store_catalog(struct seed *seed) {
	struct catalog *catalog = NULL;
	uint32_t id = 0;
	assert_int_equal(catalog_new(&catalog), 0);
	for (uint32_t i = 1; i <= IDS; i++)
		add_name(catalog, seed, i);
	for (uint32_t i = 1; i <= PROCESSES; i++)
		add_process(catalog, seed, i);
	for (uint32_t i = 1; i <= IDS; i++) {
		struct store_site site = {any_id(seed), any_id(seed), i, (uint32_t)seed_below(seed, 5), 0, 0};
		if (i % 3 == 0) {
			site.scope_name = any_id(seed);
			site.scope_version = any_id(seed);
		}
		assert_int_equal(catalog_site(catalog, &site, &id), 0);
		struct store_thread thread = {.process = 1 + i % PROCESSES,
		                              .ring_index = i,
		                              .tid = any_u32(seed),
		                              .name = any_id(seed),
		                              .start_ns = any(seed)};
		assert_int_equal(catalog_thread(catalog, &thread, &id), 0);
	}
	return catalog;
}

static struct store_cursor make_cursor(struct seed *seed, uint64_t number) {
	struct store_cursor cursor = {.ring_index = (uint32_t)(number % 5 ? number % 3 : STORE_RING_ASYNC + number % 7),
	                              .state = 1 + (uint32_t)seed_below(seed, 4),
	                              .position = number,
	                              .begun = any(seed),
	                              .open = any(seed),
	                              .dropped_full = any(seed),
	                              .dropped_depth = any(seed),
	                              .dropped_attributes = any(seed),
	                              .dropped_events = any(seed),
	                              .stored_spans = any(seed),
	                              .stored_attributes = any(seed),
	                              .stored_events = any(seed),
	                              .rejected_spans = any(seed),
	                              .rejected_other = any(seed),
	                              .lost_records = any(seed),
	                              .reason = (uint32_t)seed_below(seed, 130),
	                              .sampled_out = any(seed),
	                              .sampled_out_short = any(seed),
	                              .thinned_spans = any(seed),
	                              .thinned_attributes = any(seed),
	                              .thinned_events = any(seed),
	                              .weighted_spans = any(seed),
	                              .traces_in_part = any(seed)};
	instance_of(1 + (uint32_t)(number % PROCESSES), cursor.instance);
	return cursor;
}

static struct store_process_account make_account(struct seed *seed, uint64_t number) {
	struct store_process_account account = {
	    .state = number % 7 ? 2 + (uint32_t)seed_below(seed, 2) : STORE_PROCESS_RUNNING,
	    .rings_made = any_u32(seed),
	    .time_ns = number,
	    .threads_untraced = any(seed),
	    .dropped_no_ring = any(seed),
	    .names_cut = any(seed),
	    .sites_overflowed = any(seed),
	    .strings_overflowed = any(seed),
	    .misuse = any(seed),
	    .limits = {any(seed), any(seed), any(seed), any(seed), any(seed), any(seed)},
	    .statistics = (uint32_t)seed_below(seed, 4),
	    .statistics_overflowed = any(seed),
	    .dropped_async = any(seed),
	    .dropped_contexts = any(seed),
	    .dropped_reentry = any(seed),
	    .ending = (uint32_t)seed_below(seed, 4),
	    .ending_value = (uint32_t)seed_below(seed, 256),
	    .claim = (uint32_t)(number % 4),
	    .claimed_uid = number % 4 ? any_u32(seed) : 0};
	instance_of(1 + (uint32_t)(number % PROCESSES), account.instance);
	return account;
}

static struct store_memory_sample make_sample(struct seed *seed, uint32_t process) {
	struct store_memory_sample sample = {.process = process,
	                                     .threads = any_u32(seed),
	                                     .time_ns = any(seed),
	                                     .rss_bytes = any(seed),
	                                     .pss_bytes = any(seed),
	                                     .anonymous_bytes = any(seed),
	                                     .swap_bytes = any(seed),
	                                     .cpu_user_ns = any(seed),
	                                     .cpu_system_ns = any(seed),
	                                     .faults_minor = any(seed),
	                                     .faults_major = any(seed),
	                                     .switches_voluntary = any(seed),
	                                     .switches_involuntary = any(seed),
	                                     .descriptors = any(seed),
	                                     .heap_allocated_bytes = process ? any(seed) : UINT64_MAX,
	                                     .heap_freed_bytes = process ? any(seed) : UINT64_MAX,
	                                     .pss_ns = seed_below(seed, 2) ? any(seed) : UINT64_MAX,
	                                     .pss_state = (uint32_t)seed_below(seed, 4),
	                                     .agent_pid = process ? 0 : any_u32(seed),
	                                     .agent_start = process ? 0 : any(seed)};
	return sample;
}

/* Runs and single ones, small counts and large ones. */
static uint32_t make_bins(struct seed *seed, struct store_rollup_bin bins[BINS_MAX], uint64_t *ret_sum) {
	uint32_t count = (uint32_t)seed_below(seed, BINS_MAX + 1);
	uint32_t bin = (uint32_t)seed_below(seed, ROLLUP_BINS_MAX - 40 * BINS_MAX);
	*ret_sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t spans = 1 + (seed_next(seed) >> (8 + seed_below(seed, 56)));
		bins[i] = (struct store_rollup_bin){.count = spans, .bin = bin};
		bin += seed_below(seed, 3) ? 1 : 1 + (uint32_t)seed_below(seed, 40);
		*ret_sum += spans;
	}
	return count;
}

static struct store_rollup make_rollup(struct seed *seed, uint64_t number, const struct store_rollup_bin *bins,
                                       uint32_t bin_count, uint64_t count) {
	uint64_t min_ns = any(seed) >> 1;
	return (struct store_rollup){.process = 1 + (uint32_t)(number % 2),
	                             .site = 1 + (uint32_t)(number % 3),
	                             .since_ns = number * STEP_NS,
	                             .until_ns = (number + 1) * STEP_NS,
	                             .ns_per_tick_q32 = (UINT64_C(1) << 32) + (number % 8 == 0 ? UINT64_C(1) << 31 : 0),
	                             .count = count,
	                             .errors = any(seed),
	                             .sum_ns = any(seed),
	                             .min_ns = min_ns,
	                             .max_ns = min_ns + (any(seed) >> 1),
	                             .heap_allocated_units = any(seed),
	                             .heap_net_units = (int64_t)seed_next(seed) >> seed_below(seed, 64),
	                             .heap_spans = any(seed),
	                             .bins = bins,
	                             .bin_count = bin_count};
}

static struct store_rollup_total make_total(struct seed *seed, uint64_t number, const struct store_rollup_bin *bins,
                                            uint32_t bin_count, uint64_t count) {
	struct store_rollup_total total = {.site = (uint32_t)(number % 3),
	                                   .bin_count = bin_count,
	                                   .time_ns = any(seed),
	                                   .count = count,
	                                   .errors = any(seed),
	                                   .sum_ticks = any(seed),
	                                   .min_ticks = any(seed),
	                                   .max_ticks = any(seed),
	                                   .heap_allocated_units = any(seed),
	                                   .heap_net_units = (int64_t)seed_next(seed),
	                                   .heap_spans = any(seed),
	                                   .bins = bins};
	instance_of(1 + (uint32_t)(number % PROCESSES), total.instance);
	return total;
}

void rich_store_commit(struct store_writer *writer, struct catalog *catalog, struct seed *seed, uint64_t number,
                       uint32_t spans_max) {
	struct store_rollup_bin bins[BINS_MAX];
	struct batch *batch = NULL;
	uint64_t count = 0;
	struct store_receipt receipt;
	enum store_shape shape = (enum store_shape)(number % STORE_SHAPES);
	struct store_cursor cursor = make_cursor(seed, number);
	struct store_process_account account = make_account(seed, number);
	struct store_memory_sample samples[] = {make_sample(seed, 1 + (uint32_t)(number % PROCESSES)),
	                                        make_sample(seed, 0)};
	uint32_t bin_count = make_bins(seed, bins, &count);
	struct store_rollup rollup = make_rollup(seed, number, bins, bin_count, count);
	struct store_rollup_total total = make_total(seed, number, bins, bin_count, count);
	assert_int_equal(batch_new(&batch), 0);
	store_rows_fill(batch, seed, shape, (uint32_t)seed_below(seed, spans_max), IDS);
	struct store_commit commit = {.catalog = catalog,
	                              .batch = batch,
	                              .cursors = &cursor,
	                              .cursor_count = 1,
	                              .accounts = &account,
	                              .account_count = 1,
	                              .samples = samples,
	                              .sample_count = sizeof(samples) / sizeof(samples[0]),
	                              .rollups = &rollup,
	                              .rollup_count = 1,
	                              .rollup_totals = &total,
	                              .rollup_total_count = 1};
	int error = store_writer_commit(writer, &commit, &receipt);
	if (error)
		fail_msg("commit %d: %s", error, store_writer_error(writer));
	batch_free(batch);
}
