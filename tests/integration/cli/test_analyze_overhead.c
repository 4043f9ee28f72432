/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overhead, on stores made here: costs, counts and samples are given, so every figure is known.
 *
 *     process 500 "web"    SPANS spans begun in two rings, of them LOST dropped, ATTRIBUTES attributes, EVENTS events; CPU_NS of processor time in
 *                          SECONDS since it attached
 *     process 600 hostile  10 spans, 50 ms of processor time: too little for a share
 */
#include "cli_answer.h"

#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/clock.h"
#include "base/errs.h"
#include "libstore/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_OFFSET_NS (UINT64_C(1795200000) * NS_PER_S)
#define START_NS (UINT64_C(100) * NS_PER_S)
#define SPANS 2000000u
#define LOST 500u
#define ATTRIBUTES 1000000u
#define EVENTS 100000u
#define CPU_NS (20 * NS_PER_S)
#define SECONDS 40u
#define AGENT_RSS (UINT64_C(20) << 20)
#define HOSTILE "@SUM(1)\x1b[2J\xe2\x80\xae"
#define STORED 3u

enum kind { MEASURED, UNMEASURED, SENSELESS, DEAR, KINDS };

static struct scratch scratches[KINDS];

static const struct store_writer_cost costs[KINDS] = {
    [MEASURED] = {64,
                  1795200000000000000,
                  {{50000, 49000, 51500, 48000, 60000},
                   {300000, 290000, 310000, 200000, 900000},
                   {8000, 7900, 8100, 7000, 9000},
                   {20000, 19000, 21000, 18000, 30000}}},
    [SENSELESS] = {64,
                   1,
                   {{50000, 51000, 52000, 48000, 60000},
                    {300000, 290000, 310000, 200000, 900000},
                    {8000, 7900, 8100, 7000, 9000},
                    {20000, 19000, 21000, 18000, 30000}}},
    [DEAR] = {64,
              1,
              {{50000, 49000, 51500, 48000, 60000},
               {2000000000, 2000000000, 2000000000, 2000000000, 2000000000},
               {8000, 7900, 8100, 7000, 9000},
               {20000, 19000, 21000, 18000, 30000}}},
};

struct making {
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t process[2];
	uint32_t thread;
};

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

static void fill_catalog(struct making *making) {
	static const char *const services[] = {"web", HOSTILE};
	assert_int_equal(catalog_new(&making->catalog), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct store_process process = {
		    .pid = 500 + 100 * i, .attach_ns = START_NS, .attach_wall_ns = WALL_OFFSET_NS + START_NS};
		memset(process.instance, (int)(0x31 + i), sizeof(process.instance));
		process.executable = process.command = process.service = string_of(making, services[i]);
		assert_int_equal(catalog_process(making->catalog, &process, &making->process[i]), 0);
	}
	struct store_thread thread = {.process = making->process[0], .tid = 1, .name = string_of(making, "t")};
	struct store_site site = {string_of(making, "span"), string_of(making, "x.c"), 1, 0, 0, 0};
	uint32_t site_id = 0;
	assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread), 0);
	assert_int_equal(catalog_site(making->catalog, &site, &site_id), 0);
	for (uint64_t i = 0; i < STORED; i++) {
		struct store_span span = {.trace_hi = 1,
		                          .trace_lo = 1 + i,
		                          .span_id = 1 + i,
		                          .start_ns = START_NS + i,
		                          .duration_ns = 5,
		                          .site = site_id,
		                          .thread = making->thread};
		batch_add_span(making->batch, &span);
	}
}

static void fill_books(struct store_cursor cursors[3], struct store_process_account accounts[2]) {
	memset(cursors, 0, 3 * sizeof(cursors[0]));
	memset(accounts, 0, 2 * sizeof(accounts[0]));
	for (uint32_t i = 0; i < 3; i++) {
		memset(cursors[i].instance, i == 2 ? 0x32 : 0x31, sizeof(cursors[i].instance));
		cursors[i].ring_index = i == 1;
		cursors[i].state = STORE_RING_RETIRED;
		cursors[i].position = 10;
		cursors[i].begun = i == 2 ? 10 : SPANS / 2;
	}
	cursors[0].dropped_full = LOST - 100;
	cursors[0].stored_attributes = ATTRIBUTES - 10;
	cursors[0].dropped_attributes = 10;
	cursors[1].lost_records = 100;
	cursors[1].stored_events = EVENTS;
	for (uint32_t i = 0; i < 2; i++) {
		memset(accounts[i].instance, (int)(0x31 + i), sizeof(accounts[i].instance));
		accounts[i].state = STORE_PROCESS_EXITED;
		accounts[i].rings_made = 2 - i;
	}
}

static void fill_samples(const struct making *making, struct store_memory_sample samples[5]) {
	memset(samples, 0, 5 * sizeof(samples[0]));
	for (uint32_t i = 0; i < 5; i++) {
		struct store_memory_sample *sample = &samples[i];
		bool is_last = i >= 2;
		sample->process = i == 4 ? making->process[1] : i % 2 ? 0 : making->process[0];
		sample->agent_pid = sample->process == 0 ? 4321 : 0;
		sample->time_ns = START_NS + (is_last ? SECONDS : 0) * NS_PER_S;
		sample->rss_bytes = sample->process == 0 ? AGENT_RSS - i : 1u << 20;
		sample->cpu_user_ns = !is_last ? 0
		                      : i == 4 ? 50 * NS_PER_MS
		                      : i == 3 ? 2 * NS_PER_S
		                               : CPU_NS - NS_PER_S;
		sample->cpu_system_ns = i == 2 ? NS_PER_S : 0;
	}
}

static void make_store(const char *directory, const struct store_writer_cost *cost) {
	struct making making = {.writer = NULL};
	struct store_writer_options options = {
	    .wall_offset_ns = WALL_OFFSET_NS, .agent_version = "test", .writer_cost = *cost};
	struct store_cursor cursors[3];
	struct store_process_account accounts[2];
	struct store_memory_sample samples[5];
	struct store_receipt receipt;
	char text[512] = "";
	int holder = 0;
	if (store_writer_open(directory, &options, &making.writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(batch_new(&making.batch), 0);
	fill_catalog(&making);
	fill_books(cursors, accounts);
	fill_samples(&making, samples);
	struct store_commit commit = {.catalog = making.catalog,
	                              .batch = making.batch,
	                              .cursors = cursors,
	                              .cursor_count = 3,
	                              .accounts = accounts,
	                              .account_count = 2,
	                              .samples = samples,
	                              .sample_count = 5};
	if (store_writer_commit(making.writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making.writer));
	assert_int_equal(store_writer_close(making.writer), 0);
	catalog_free(making.catalog);
	batch_free(making.batch);
}

static int make_stores(void **state) {
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++) {
		scratch_make(&scratches[kind]);
		make_store(scratches[kind].store, &costs[kind]);
	}
	return 0;
}

static int remove_stores(void **state) {
	(void)state;
	for (unsigned kind = 0; kind < KINDS; kind++)
		scratch_remove(&scratches[kind]);
	return 0;
}

static struct child_result ask(enum kind kind, const char *words, int exit_code) {
	struct child_result result = cli_ask(scratches[kind].store, words, "COLUMNS", "LC_ALL=C.UTF-8");
	if (result.exit_code != exit_code)
		fail_msg("'%s' exits with %d: %s", words, result.exit_code, result.err);
	return result;
}

static void shares_are_counts_times_costs(void **state) {
	(void)state;
	struct child_result result = ask(MEASURED, "overhead STORE --json --check", EXIT_CODE_OK);
	double other_ns = ATTRIBUTES * 8.0 + EVENTS * 20.0;
	double cost_ns = SPANS * 50.0 + other_ns;
	double high_ns = SPANS * 300.0 + other_ns;
	const char *web = "\"service\": \"web\"";
	const char *targets = strstr(result.out, "\"targets\"");
	assert_non_null(targets);
	cli_expect_number(result.out, "\"span\": {", "median_ns", 50);
	cli_expect_number(result.out, "\"span\": {", "median_high_ns", 51.5);
	cli_expect_number(result.out, "\"span_cold\": {", "rounds_high_ns", 900);
	cli_expect_number(result.out, web, "spans_begun", SPANS);
	cli_expect_number(result.out, web, "spans_per_s", (double)SPANS / SECONDS);
	cli_expect_number(result.out, web, "attributes", ATTRIBUTES);
	cli_expect_number(result.out, web, "events", EVENTS);
	cli_expect_number(result.out, web, "spans_lost", LOST);
	cli_expect_number(result.out, web, "rings", 2);
	cli_expect_number(result.out, web, "tracing_cpu_ns", cost_ns);
	cli_expect_number(result.out, web, "tracing_cpu_high_ns", high_ns);
	cli_expect_number(result.out, web, "cpu_share", cost_ns / (double)CPU_NS);
	cli_expect_number(result.out, web, "cpu_share_high", high_ns / (double)CPU_NS);
	/* the other program did too little to have a share */
	cli_expect_text(result.out, "\"pid\": 600", "cpu_share", "null");
	cli_expect_number(targets, "\"target\": \"cpu\"", "value", (cost_ns + 500) / (double)(CPU_NS + 50 * NS_PER_MS));
	cli_expect_text(targets, "\"target\": \"cpu\"", "verdict", "\"above target\"");
	cli_expect_number(targets, "\"target\": \"span\"", "high", 300);
	cli_expect_text(targets, "\"target\": \"span\"", "verdict", "\"good\"");
	cli_expect_number(targets, "\"target\": \"request\"", "high", 30000);
	cli_expect_number(targets, "\"target\": \"ring_per_1000_spans\"", "value",
	                  64000.0 * (SPANS + 10 + ATTRIBUTES + EVENTS) / (SPANS + 10.0));
	cli_expect_number(targets, "\"target\": \"agent_rss\"", "value", (double)(AGENT_RSS - 1));
	cli_expect_number(targets, "\"target\": \"lost\"", "value", LOST / (SPANS + 10.0));
	cli_expect_number(result.out, "\"agents\"", "cpu_cores", 2.0 / SECONDS);
	cli_expect_number(result.out, "\"agents\"", "agent_cpu_per_span_ns", 2e9 / STORED);
	cli_expect_text(result.out, "{", "red_flag", "false");
	child_result_free(&result);
	result = ask(MEASURED, "overhead STORE --json --service web", EXIT_CODE_OK);
	cli_expect_number(result.out, "\"target\": \"cpu\"", "value", cost_ns / (double)CPU_NS);
	assert_null(strstr(result.out, "\"pid\": 600"));
	child_result_free(&result);
}

static void what_was_not_measured_is_said(void **state) {
	(void)state;
	for (unsigned kind = UNMEASURED; kind <= SENSELESS; kind++) {
		struct child_result result = ask((enum kind)kind, "overhead STORE --json --check", EXIT_CODE_OK);
		cli_expect_text(result.out, "{", "writer_cost", "null");
		cli_expect_text(result.out, "\"target\": \"span\"", "verdict", "\"not measured\"");
		cli_expect_text(result.out, "\"target\": \"cpu\"", "value", "null");
		cli_expect_text(result.out, "\"target\": \"lost\"", "verdict", "\"good\"");
		cli_expect_text(result.out, "\"service\": \"web\"", "tracing_cpu_ns", "null");
		child_result_free(&result);
	}
	struct child_result result = ask(UNMEASURED, "overhead STORE", EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "did not measure"));
	child_result_free(&result);
}

static void a_red_flag_fails_a_check_only(void **state) {
	(void)state;
	struct child_result result = ask(DEAR, "overhead STORE --json", EXIT_CODE_OK);
	cli_expect_text(result.out, "{", "red_flag", "true");
	cli_expect_text(result.out, "\"target\": \"span\"", "verdict", "\"red flag\"");
	child_result_free(&result);
	result = ask(DEAR, "overhead STORE --check", EXIT_CODE_FAILED);
	child_result_free(&result);
	result = ask(DEAR, "overhead STORE --csv", EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "\r\nspan,ns,50,2000000,100000,1000000,red flag\r\n"));
	child_result_free(&result);
}

static void hostile_services_are_harmless(void **state) {
	(void)state;
	struct child_result result = ask(MEASURED, "overhead STORE", EXIT_CODE_OK);
	assert_null(strchr(result.out, 0x1b));
	assert_null(strstr(result.out, "\xe2\x80\xae"));
	child_result_free(&result);
}

static void outputs_are_the_golden_ones(void **state) {
	static const char *const columns[] = {"COLUMNS=80", "COLUMNS=40"};
	static const char *const files[] = {"overhead-80.txt", "overhead-40.txt"};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct child_result result =
		    cli_ask(scratches[MEASURED].store, "overhead STORE", columns[i], "LC_ALL=C.UTF-8");
		/* the size of the file is SQLite's affair */
		char *store = strstr(result.out, "store: ");
		assert_non_null(store);
		*store = 0;
		cli_expect_golden(files[i], result.out);
		child_result_free(&result);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_are_counts_times_costs), cmocka_unit_test(what_was_not_measured_is_said),
	    cmocka_unit_test(a_red_flag_fails_a_check_only), cmocka_unit_test(hostile_services_are_harmless),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, make_stores, remove_stores);
}
