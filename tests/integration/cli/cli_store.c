/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_store.h"

#include "support/cmocka.h"

#include "base/clock.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A_HI UINT64_C(0x4bf92f3577b34da6)
#define A_LO UINT64_C(0xa3ce929d0e0e4736)
#define A_START_NS (UINT64_C(10) * NS_PER_S)

struct making {
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t process[2];
	uint32_t thread[3];
	struct store_rollup rollups[6];
	struct store_rollup_bin bins[6][ROLLUP_BINS_MAX];
	size_t rollup_count;
};

uint64_t cli_index_duration(uint32_t i) {
	uint64_t bits = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	bits ^= bits >> 29;
	return 1000 + bits % 1000000 + (i % 97 == 0 ? bits % 50000000 : 0);
}

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

static uint32_t site_of(struct making *making, const char *name, uint32_t kind) {
	struct store_site site = {string_of(making, name), string_of(making, "src/main.c"), 42, kind, 0, 0};
	uint32_t id = 0;
	assert_int_equal(catalog_site(making->catalog, &site, &id), 0);
	return id;
}

static void instance_of(uint32_t index, uint8_t ret_instance[STORE_INSTANCE_BYTES]) {
	memset(ret_instance, (int)(0x11 * (index + 1)), STORE_INSTANCE_BYTES);
}

/* A new catalog, thus a new segment, with both processes and their threads. */
static void new_segment(struct making *making) {
	static const char *const services[] = {"frontend", "indexer"};
	catalog_free(making->catalog);
	assert_int_equal(catalog_new(&making->catalog), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct store_process process = {.pid = 100 * (i + 1), .ppid = 1, .uid = 1000, .clock_kind = 1};
		instance_of(i, process.instance);
		process.attach_ns = 9 * NS_PER_S;
		process.attach_wall_ns = CLI_WALL_OFFSET_NS + process.attach_ns;
		process.executable = string_of(making, i ? "/usr/bin/indexer" : "/usr/bin/frontend");
		process.command = string_of(making, i ? "indexer --threads 2 /usr/share/doc" : "frontend --port 8080");
		process.service = string_of(making, services[i]);
		assert_int_equal(catalog_process(making->catalog, &process, &making->process[i]), 0);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct store_thread thread = {.process = making->process[i > 0],
		                              .ring_index = i == 2 ? 1 : 0,
		                              .tid = 1000 + i,
		                              .name = string_of(making, "worker"),
		                              .start_ns = 9 * NS_PER_S};
		assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread[i]), 0);
	}
}

static void add(struct making *making, const struct store_span *span) {
	assert_true(batch_has_room(making->batch, 1, 0, 0, 0));
	batch_add_span(making->batch, span);
}

static void add_attribute(struct making *making, uint64_t span_id, const char *key, uint8_t type, uint64_t value,
                          const char *text) {
	struct store_attribute attribute = {.trace_lo = A_LO,
	                                    .span_id = span_id,
	                                    .value = value,
	                                    .text_bytes = text ? (uint32_t)strlen(text) : 0,
	                                    .key = string_of(making, key),
	                                    .type = type};
	batch_add_attribute(making->batch, &attribute, text);
}

static void add_trace_a(struct making *making) {
	const struct store_span users = {.trace_hi = A_HI,
	                                 .trace_lo = A_LO,
	                                 .span_id = 1,
	                                 .start_ns = A_START_NS,
	                                 .duration_ns = 12340000,
	                                 .site = site_of(making, "GET /users", 1),
	                                 .thread = making->thread[0],
	                                 .kind = SPANRING_KIND_SERVER};
	const struct store_span login = {.trace_hi = A_HI,
	                                 .trace_lo = A_LO,
	                                 .span_id = 2,
	                                 .parent_id = 1,
	                                 .start_ns = A_START_NS + 210000,
	                                 .duration_ns = 1002000,
	                                 .site = site_of(making, "authenticate", 0),
	                                 .thread = making->thread[0]};
	const struct store_span query = {.trace_hi = A_HI,
	                                 .trace_lo = A_LO,
	                                 .span_id = 3,
	                                 .parent_id = 1,
	                                 .start_ns = A_START_NS + 1300000,
	                                 .duration_ns = 10900000,
	                                 .site = site_of(making, "query", 2),
	                                 .thread = making->thread[0],
	                                 .kind = SPANRING_KIND_CLIENT,
	                                 .status = SPANRING_STATUS_ERROR};
	const struct store_span orphan = {.trace_hi = A_HI,
	                                  .trace_lo = A_LO,
	                                  .span_id = 5,
	                                  .parent_id = 4,
	                                  .start_ns = A_START_NS + 2000000,
	                                  .duration_ns = 500000,
	                                  .site = site_of(making, "query", 2),
	                                  .thread = making->thread[0],
	                                  .kind = SPANRING_KIND_CLIENT,
	                                  .flags = STORE_SPAN_UNFINISHED};
	double ratio = 0.25;
	uint64_t ratio_bits;
	memcpy(&ratio_bits, &ratio, sizeof(ratio_bits));
	add(making, &login);
	add(making, &query);
	add(making, &orphan);
	add(making, &users);
	add_attribute(making, 2, "user.id", SPANRING_VALUE_I64, (uint64_t)-7, NULL);
	add_attribute(making, 3, "db.rows", SPANRING_VALUE_U64, 5, NULL);
	add_attribute(making, 3, "db.cached", SPANRING_VALUE_BOOL, 0, NULL);
	add_attribute(making, 3, "db.ratio", SPANRING_VALUE_F64, ratio_bits, NULL);
	add_attribute(making, 3, "db.statement", SPANRING_VALUE_STRING, 0, "SELECT \"x\"\x1b[2J FROM users");
	add_attribute(making, 3, "db.rows", SPANRING_VALUE_U64, 12, NULL);
	struct store_event event = {.trace_lo = A_LO,
	                            .span_id = 3,
	                            .time_ns = A_START_NS + 3100000,
	                            .name = string_of(making, "retry"),
	                            .event_index = 1};
	batch_add_event(making->batch, &event);
}

static void add_index_spans(struct making *making) {
	uint32_t site = site_of(making, "index file", 0);
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++) {
		struct store_span span = {.trace_hi = UINT64_C(0xb000000000000000) + i,
		                          .trace_lo = UINT64_C(0xc000000000000000) + i,
		                          .span_id = 1000 + i,
		                          .start_ns = CLI_INDEX_START_NS + i * NS_PER_MS,
		                          .duration_ns = cli_index_duration(i),
		                          .site = site,
		                          .thread = making->thread[1],
		                          .status = i % 100 == 0 ? SPANRING_STATUS_ERROR : SPANRING_STATUS_UNSET};
		add(making, &span);
	}
}

static void add_odd_names(struct making *making) {
	static const char *const names[] = {CLI_EVIL_NAME, CLI_WIDE_NAME};
	for (uint32_t i = 0; i < 2; i++) {
		struct store_span span = {.trace_hi = 1,
		                          .trace_lo = 2 + i,
		                          .span_id = 5000 + i,
		                          .start_ns = 30 * NS_PER_S,
		                          .duration_ns = i ? INT64_MAX : 0,
		                          .site = site_of(making, names[i], 0),
		                          .thread = making->thread[2],
		                          .flags = STORE_SPAN_HEAP,
		                          .heap_alloc_units = 64,
		                          .heap_net_units = i ? -2 : 4};
		/* the longest duration that there is would end beyond the clock: keep it inside */
		if (i)
			span.duration_ns = 3 * NS_PER_S;
		add(making, &span);
	}
}

/* A clock of 2 ticks per ns; each duration counts `times`. */
static void add_rollup(struct making *making, uint32_t process, uint32_t site, const uint64_t *durations_ns,
                       uint32_t count, uint64_t times, uint64_t errors) {
	static uint64_t bins[ROLLUP_BINS_MAX];
	struct store_rollup *rollup = &making->rollups[making->rollup_count];
	struct store_rollup_bin *sparse = making->bins[making->rollup_count++];
	*rollup = (struct store_rollup){.process = process,
	                                .site = site,
	                                .since_ns = A_START_NS,
	                                .until_ns = 33 * NS_PER_S,
	                                .ns_per_tick_q32 = UINT64_C(1) << 31,
	                                .count = count * times,
	                                .errors = errors,
	                                .min_ns = durations_ns[0],
	                                .bins = sparse};
	memset(bins, 0, sizeof(bins));
	for (uint32_t i = 0; i < count; i++) {
		bins[spanring_statistics_bin(durations_ns[i] * 2)] += times;
		rollup->sum_ns += durations_ns[i] * times;
		rollup->min_ns = durations_ns[i] < rollup->min_ns ? durations_ns[i] : rollup->min_ns;
		rollup->max_ns = durations_ns[i] > rollup->max_ns ? durations_ns[i] : rollup->max_ns;
	}
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (bins[bin])
			sparse[rollup->bin_count++] = (struct store_rollup_bin){.count = bins[bin], .bin = bin};
}

static void add_rollups(struct making *making, enum cli_defect defect) {
	static const uint64_t users[] = {12340000};
	static const uint64_t login[] = {1002000};
	static const uint64_t query[] = {10900000, 500000};
	static const uint64_t odd[] = {0, 3 * NS_PER_S};
	uint64_t index[CLI_INDEX_SPANS];
	uint32_t counted = defect == CLI_UNCOUNTED ? CLI_INDEX_SPANS - 1 : CLI_INDEX_SPANS;
	for (uint32_t i = 0; i < CLI_INDEX_SPANS; i++)
		index[i] = cli_index_duration(i);
	add_rollup(making, making->process[0], site_of(making, "GET /users", 1), users, 1, 1, 0);
	add_rollup(making, making->process[0], site_of(making, "authenticate", 0), login, 1, 1, 0);
	add_rollup(making, making->process[0], site_of(making, "query", 2), query, 2, 1, 1);
	add_rollup(making, making->process[1], site_of(making, "index file", 0), index, counted,
	           defect == CLI_STATISTICS ? 2 : 1, 20);
	add_rollup(making, making->process[1], site_of(making, CLI_EVIL_NAME, 0), &odd[0], 1, 1, 0);
	add_rollup(making, making->process[1], site_of(making, CLI_WIDE_NAME, 0), &odd[1], 1, 1, 0);
}

static void commit(struct making *making, const struct store_cursor *cursors, size_t cursor_count,
                   const struct store_process_account *accounts, const struct store_memory_sample *samples,
                   size_t sample_count) {
	struct store_commit commit = {.catalog = making->catalog,
	                              .batch = making->batch,
	                              .cursors = cursors,
	                              .cursor_count = cursor_count,
	                              .accounts = accounts,
	                              .account_count = accounts ? 2 : 0,
	                              .samples = samples,
	                              .sample_count = sample_count,
	                              .rollups = making->rollups,
	                              .rollup_count = making->rollup_count};
	struct store_receipt receipt;
	if (store_writer_commit(making->writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making->writer));
	batch_clear(making->batch);
}

static void fill_cursors(struct store_cursor cursors[3], enum cli_defect defect) {
	static const uint64_t stored[] = {4, CLI_INDEX_SPANS, 2};
	memset(cursors, 0, 3 * sizeof(cursors[0]));
	for (uint32_t i = 0; i < 3; i++) {
		instance_of(i > 0, cursors[i].instance);
		cursors[i].ring_index = i == 2 ? 1 : 0;
		cursors[i].state = STORE_RING_RETIRED;
		cursors[i].position = stored[i] + 10;
		cursors[i].begun = stored[i];
		cursors[i].stored_spans = stored[i];
	}
	cursors[0].begun += 2; /* the parent that is still open, and one dropped */
	cursors[0].open = 1;
	cursors[0].dropped_full = 1;
	if (defect == CLI_LIVE || defect == CLI_GAP)
		cursors[1].begun += 5;
	if (defect == CLI_LIVE)
		cursors[1].state = STORE_RING_LIVE;
	if (defect == CLI_DUPLICATES)
		cursors[1].stored_spans -= 3;
	if (defect == CLI_STATISTICS) {
		cursors[1].begun += CLI_INDEX_SPANS;
		cursors[1].sampled_out = CLI_INDEX_SPANS;
	}
}

#define SAMPLES 8u

/* Five of one program, one of the other, two of the agent. */
static void fill_samples(struct store_memory_sample samples[SAMPLES], uint32_t process_a, uint32_t process_b) {
	memset(samples, 0, SAMPLES * sizeof(samples[0]));
	for (uint64_t i = 0; i < SAMPLES; i++) {
		samples[i].process = i > 5 ? 0 : i == 5 ? process_b : process_a;
		samples[i].agent_pid = i > 5 ? 4321 : 0;
		samples[i].cpu_user_ns = i * NS_PER_S / 4;
		samples[i].cpu_system_ns = i * NS_PER_S / 8;
		samples[i].switches_voluntary = 10 * i;
		samples[i].switches_involuntary = i;
		samples[i].descriptors = i == 3 ? 99 : 7;
		samples[i].heap_allocated_bytes = i > 4 ? UINT64_MAX : 4096 + 1024 * i;
		samples[i].heap_freed_bytes = i > 4 ? UINT64_MAX : i == 2 ? UINT64_MAX - 1 : 1024;
		samples[i].pss_state = i == 2 ? STORE_PSS_LEFT_OUT : STORE_PSS_READ;
		samples[i].pss_ns = i == 2 ? UINT64_MAX : 1000 * (i + 1);
		samples[i].threads = 2;
		samples[i].time_ns = CLI_WALL_OFFSET_NS + (10 + i) * NS_PER_S;
		samples[i].rss_bytes = i == 5 ? 8u << 20 : (10 + i) << 20;
		samples[i].pss_bytes = i == 2 ? UINT64_MAX : samples[i].rss_bytes / 2;
		samples[i].anonymous_bytes = samples[i].rss_bytes / 4;
	}
}

static void open_writer(const char *directory, struct store_writer **ret_writer) {
	struct store_writer_options options = {.wall_offset_ns = CLI_WALL_OFFSET_NS, .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	memset(options.boot_id, 0xb0, sizeof(options.boot_id));
	if (store_writer_open(directory, &options, ret_writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
}

void cli_store_make(const char *directory, enum cli_defect defect) {
	static struct making making; /* large */
	struct store_cursor cursors[3];
	struct store_memory_sample samples[SAMPLES];
	struct store_process_account accounts[2] = {{.state = STORE_PROCESS_DIED, .rings_made = 1},
	                                            {.state = STORE_PROCESS_EXITED, .rings_made = 2}};
	bool statistics = defect == CLI_STATISTICS || defect == CLI_UNCOUNTED;
	for (uint32_t i = 0; i < 2; i++) {
		instance_of(i, accounts[i].instance);
		accounts[i].statistics = statistics ? STORE_STATISTICS_WHOLE : STORE_STATISTICS_NONE;
	}
	memset(&making, 0, sizeof(making));
	open_writer(directory, &making.writer);
	assert_int_equal(batch_new(&making.batch), 0);
	new_segment(&making);
	add_index_spans(&making);
	add_attribute(&making, 1, "http.route", SPANRING_VALUE_STRING, 0, "/users");
	add_attribute(&making, 3, "db.rows", SPANRING_VALUE_U64, 1, NULL); /* set again later, in another segment */
	fill_samples(samples, making.process[0], making.process[1]);
	fill_cursors(cursors, defect);
	struct store_cursor half = cursors[1];
	half.position = 1;
	commit(&making, &half, 1, NULL, samples, SAMPLES);
	new_segment(&making);
	add_trace_a(&making);
	add_odd_names(&making);
	if (statistics)
		add_rollups(&making, defect);
	commit(&making, cursors, 3, accounts, NULL, 0);
	assert_int_equal(store_writer_close(making.writer), 0);
	catalog_free(making.catalog);
	batch_free(making.batch);
}

void cli_store_make_empty(const char *directory) {
	struct store_writer *writer = NULL;
	open_writer(directory, &writer);
	assert_int_equal(store_writer_close(writer), 0);
}

static int is_segment(const struct dirent *entry) {
	return strncmp(entry->d_name, "segment-", 8) == 0;
}

void cli_store_segment(const char *directory, char ret_path[CLI_PATH_BYTES]) {
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_segment, alphasort);
	assert_true(count > 0);
	(void)snprintf(ret_path, CLI_PATH_BYTES, "%s/%s", directory, entries[0]->d_name);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}
