/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch, beside a writer that commits when the test says so. Steps and books are given, so every figure is known; on a pseudo terminal it must obey
 * its keys, see what is committed meanwhile, live through a store that is away, and give the terminal back.
 *
 *     process 700 "shop"  steps of STEP_NS: A_NAME, as many spans as `step_spans` says; a hostile name once
 *     process 800 "gone"  one step, long ago
 */
#include "cli_answer.h"

#include "support/cmocka.h"
#include "support/pty_view.h"
#include "support/scratch.h"

#include "base/clock.h"
#include "base/errs.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_OFFSET_NS (UINT64_C(1795200000) * NS_PER_S)
#define START_NS (UINT64_C(1000) * NS_PER_S)
#define STEP_NS (10 * NS_PER_S)
#define A_NAME "GET /a"
#define HOSTILE "evil\x1b[2Jname"
#define SPANS_MAX 4000u
#define SKETCH_SLACK 0.0081

struct making {
	struct scratch scratch;
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t process[2];
	uint32_t thread;
	uint32_t steps;
	struct store_cursor cursor;
};

static uint64_t duration_of(uint32_t step, uint32_t i) {
	return 1000 + (uint64_t)(i * 7919 + step * 104729) % 100000;
}

static uint32_t step_spans(uint32_t step) {
	return 1000 + 500 * step;
}

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

static uint32_t site_of(struct making *making, const char *name) {
	struct store_site site = {string_of(making, name), string_of(making, "x.c"), 1, 0, 0, 0};
	uint32_t id = 0;
	assert_int_equal(catalog_site(making->catalog, &site, &id), 0);
	return id;
}

static void open_store(struct making *making) {
	static const char *const services[] = {"shop", "gone"};
	struct store_writer_options options = {.wall_offset_ns = WALL_OFFSET_NS, .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	memset(making, 0, sizeof(*making));
	scratch_make(&making->scratch);
	if (store_writer_open(making->scratch.store, &options, &making->writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(batch_new(&making->batch), 0);
	assert_int_equal(catalog_new(&making->catalog), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct store_process process = {.pid = 700 + 100 * i, .attach_ns = START_NS};
		memset(process.instance, (int)(0x41 + i), sizeof(process.instance));
		process.attach_wall_ns = WALL_OFFSET_NS + START_NS;
		process.executable = process.command = process.service = string_of(making, services[i]);
		assert_int_equal(catalog_process(making->catalog, &process, &making->process[i]), 0);
	}
	struct store_thread thread = {.process = making->process[0], .tid = 1, .name = string_of(making, "t")};
	assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread), 0);
	memset(making->cursor.instance, 0x41, sizeof(making->cursor.instance));
	making->cursor.state = STORE_RING_LIVE;
}

static void close_store(struct making *making) {
	assert_int_equal(store_writer_close(making->writer), 0);
	catalog_free(making->catalog);
	batch_free(making->batch);
	scratch_remove(&making->scratch);
}

struct step {
	struct store_rollup rollup;
	struct store_rollup_bin bins[ROLLUP_BINS_MAX];
};

static void fill_step(struct step *step, uint32_t process, uint32_t site, uint64_t since_ns,
                      const uint64_t *durations_ns, uint32_t count) {
	static uint64_t bins[ROLLUP_BINS_MAX];
	memset(bins, 0, sizeof(bins));
	step->rollup = (struct store_rollup){.process = process,
	                                     .site = site,
	                                     .since_ns = since_ns,
	                                     .until_ns = since_ns + STEP_NS,
	                                     .ns_per_tick_q32 = UINT64_C(1) << 32,
	                                     .count = count,
	                                     .errors = count / 100,
	                                     .min_ns = durations_ns[0],
	                                     .bins = step->bins};
	for (uint32_t i = 0; i < count; i++) {
		bins[spanring_statistics_bin(durations_ns[i])]++;
		step->rollup.sum_ns += durations_ns[i];
		if (durations_ns[i] < step->rollup.min_ns)
			step->rollup.min_ns = durations_ns[i];
		if (durations_ns[i] > step->rollup.max_ns)
			step->rollup.max_ns = durations_ns[i];
	}
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (bins[bin])
			step->bins[step->rollup.bin_count++] =
			    (struct store_rollup_bin){.count = bins[bin], .bin = bin};
}

static void commit(struct making *making, const struct store_rollup *rollups, size_t count) {
	struct store_process_account accounts[2];
	struct store_receipt receipt;
	memset(accounts, 0, sizeof(accounts));
	for (uint32_t i = 0; i < 2; i++) {
		memset(accounts[i].instance, (int)(0x41 + i), sizeof(accounts[i].instance));
		accounts[i].state = i ? STORE_PROCESS_EXITED : STORE_PROCESS_RUNNING;
		accounts[i].statistics = STORE_STATISTICS_WHOLE;
	}
	making->cursor.position++;
	struct store_commit commit = {.catalog = making->catalog,
	                              .batch = making->batch,
	                              .cursors = &making->cursor,
	                              .cursor_count = 1,
	                              .accounts = accounts,
	                              .account_count = 2,
	                              .rollups = rollups,
	                              .rollup_count = count};
	if (store_writer_commit(making->writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making->writer));
	batch_clear(making->batch);
}

/* The next step of "shop"; the first one brings that of "gone", an hour before, along. */
static void add_step(struct making *making, const char *other_name) {
	static struct step steps[3]; /* large */
	struct store_rollup rollups[3];
	static uint64_t durations_ns[SPANS_MAX];
	static const uint64_t one = 5000;
	uint32_t n = making->steps++;
	size_t count = 2;
	for (uint32_t i = 0; i < step_spans(n); i++)
		durations_ns[i] = duration_of(n, i);
	fill_step(&steps[0], making->process[0], site_of(making, A_NAME), START_NS + n * STEP_NS, durations_ns,
	          step_spans(n));
	fill_step(&steps[1], making->process[0], site_of(making, other_name), START_NS + n * STEP_NS, &one, 1);
	if (n == 0) {
		fill_step(&steps[2], making->process[1], site_of(making, "old name"), START_NS - 360 * NS_PER_S, &one,
		          1);
		count = 3;
	}
	for (size_t i = 0; i < count; i++)
		rollups[i] = steps[i].rollup;
	making->cursor.begun += step_spans(n) + 1;
	making->cursor.dropped_full += 7;
	commit(making, rollups, count);
}

static struct child_result ask(const struct making *making, const char *words, int code) {
	struct child_result result = cli_ask(making->scratch.store, words, "COLUMNS=80", "LC_ALL=C.UTF-8");
	if (result.exit_code != code)
		fail_msg("'%s' exits with %d: %s", words, result.exit_code, result.err);
	return result;
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static void expect_near(double got, double wanted, double slack) {
	if (fabs(got - wanted) > slack * wanted)
		fail_msg("%.17g, not %.17g", got, wanted);
}

/* The last `count` steps. */
static void expect_steps(const struct making *making, const char *words, uint32_t count) {
	static uint64_t durations_ns[4 * SPANS_MAX];
	uint32_t spans = 0, errors = 0;
	double busy = 0;
	for (uint32_t n = making->steps - count; n < making->steps; n++) {
		for (uint32_t i = 0; i < step_spans(n); i++) {
			durations_ns[spans++] = duration_of(n, i);
			busy += (double)duration_of(n, i);
		}
		errors += step_spans(n) / 100;
	}
	qsort(durations_ns, spans, sizeof(durations_ns[0]), by_value);
	struct child_result result = ask(making, words, EXIT_CODE_OK);
	const char *name = "\"name\": \"" A_NAME "\"";
	double seconds = (double)(count * STEP_NS) / 1e9;
	cli_expect_number(result.out, name, "count", spans);
	cli_expect_number(result.out, name, "errors", errors);
	cli_expect_number(result.out, name, "rate_per_s", spans / seconds);
	cli_expect_number(result.out, name, "busy_ns_per_s", busy / seconds);
	cli_expect_number(result.out, name, "max_ns", (double)durations_ns[spans - 1]);
	expect_near(cli_number(result.out, name, "p50_ns"), (double)durations_ns[(spans + 1) / 2 - 1], SKETCH_SLACK);
	expect_near(cli_number(result.out, name, "p99_ns"), (double)durations_ns[(spans * 99 + 99) / 100 - 1],
	            SKETCH_SLACK);
	cli_expect_number(result.out, "{", "as_of_wall_ns",
	                  (double)(WALL_OFFSET_NS + START_NS + making->steps * STEP_NS));
	assert_null(strstr(result.out, "old name"));
	child_result_free(&result);
}

static void the_window_is_the_last_steps(void **state) {
	static struct making making;
	(void)state;
	open_store(&making);
	for (uint32_t n = 0; n < 3; n++)
		add_step(&making, HOSTILE);
	expect_steps(&making, "watch STORE --once --json", 1);
	expect_steps(&making, "watch STORE --once --json --window 1s", 1);
	expect_steps(&making, "watch STORE --once --json --window 20s", 2);
	expect_steps(&making, "watch STORE --once --json --window 1h --service shop", 3);
	struct child_result result = ask(&making, "watch STORE --once --json", EXIT_CODE_OK);
	cli_expect_number(result.out, "{", "spans_begun", (double)making.cursor.begun);
	cli_expect_number(result.out, "{", "spans_lost", 21);
	cli_expect_number(result.out, "{", "spans_lost_since_start", 0);
	cli_expect_number(result.out, "{", "running_processes", 1);
	cli_expect_text(result.out, "{", "source", "\"statistics\"");
	assert_null(strchr(result.out, 0x1b));
	child_result_free(&result);
	result = ask(&making, "watch STORE --once --sort name --name evil*", EXIT_CODE_OK);
	assert_non_null(strstr(result.out, "evil\\x1b[2Jname"));
	assert_null(strchr(result.out, 0x1b));
	assert_null(strstr(result.out, A_NAME));
	child_result_free(&result);
	close_store(&making);
}

static void a_document_is_a_line(void **state) {
	static struct making making;
	unsigned lines = 0;
	(void)state;
	open_store(&making);
	add_step(&making, HOSTILE);
	struct child_result result = ask(&making, "watch STORE --json --count 3 --interval 100ms", EXIT_CODE_OK);
	for (const char *at = result.out; *at; at = strchr(at, '\n') + 1, lines++) {
		assert_int_equal(strncmp(at, "{\"schema\": \"watch/1\", ", 22), 0);
		assert_non_null(strchr(at, '\n'));
	}
	assert_int_equal(lines, 3);
	child_result_free(&result);
	close_store(&making);
}

static void without_statistics_the_records_count(void **state) {
	static struct making making;
	(void)state;
	open_store(&making);
	for (uint64_t i = 0; i < 1000; i++) {
		/* one each 20 ms; the last 10 s have 500 */
		struct store_span span = {.trace_hi = 1,
		                          .trace_lo = 1 + i,
		                          .span_id = 1 + i,
		                          .start_ns = START_NS + i * 20 * NS_PER_MS,
		                          .duration_ns = 1000 + i,
		                          .site = site_of(&making, A_NAME),
		                          .thread = making.thread,
		                          .status = i % 10 == 0 ? SPANRING_STATUS_ERROR : SPANRING_STATUS_UNSET};
		batch_add_span(making.batch, &span);
	}
	commit(&making, NULL, 0);
	struct child_result result = ask(&making, "watch STORE --once --json", EXIT_CODE_OK);
	cli_expect_text(result.out, "{", "source", "\"records\"");
	cli_expect_number(result.out, A_NAME, "count", 500);
	cli_expect_number(result.out, A_NAME, "rate_per_s", 50);
	cli_expect_number(result.out, A_NAME, "errors", 50);
	cli_expect_number(result.out, A_NAME, "p50_ns", 1000 + 500 + 249);
	cli_expect_number(result.out, A_NAME, "p99_ns", 1000 + 500 + 494);
	cli_expect_number(result.out, A_NAME, "max_ns", 1999);
	child_result_free(&result);
	close_store(&making);
}

static void start(const struct making *making, struct pty_view *ret_view) {
	const char *argv[] = {
	    child_program("spanring-analyze"), "watch", making->scratch.store, "--interval", "100ms", NULL};
	static const char *const environment[] = {"LC_ALL=C.UTF-8", NULL};
	pty_view_start(argv, environment, ret_view);
}

static void the_view_lives(void **state) {
	static struct making making;
	static struct pty_view view;
	char away[SCRATCH_PATH_BYTES + 8];
	(void)state;
	open_store(&making);
	add_step(&making, HOSTILE);
	start(&making, &view);
	pty_view_wait_for(&view, PTY_VIEW_TAKEN);
	pty_view_wait_for(&view, A_NAME);
	pty_view_wait_for(&view, "evil\\x1b[2Jname"); /* shown, not obeyed */
	pty_view_wait_for(&view, "s sorts (rate)");
	add_step(&making, "POST /new");
	pty_view_wait_for(&view, "7 of them since the last look");
	pty_view_wait_for(&view, "POST /new");
	pty_view_press(&view, "s");
	pty_view_wait_for(&view, "s sorts (busy)");
	pty_view_wait_for(&view, "errors");
	pty_view_resize(&view, 12, 40);
	pty_view_wait_for(&view, "p99\033[0m\033[K"); /* a narrow one has fewer columns */
	(void)snprintf(away, sizeof(away), "%s.away", making.scratch.store);
	assert_int_equal(rename(making.scratch.store, away), 0);
	pty_view_wait_for(&view, "segment-*.db");
	assert_int_equal(rename(away, making.scratch.store), 0);
	add_step(&making, "PUT /back");
	pty_view_wait_for(&view, "PUT /back");
	pty_view_press(&view, "q");
	pty_view_finish(&view, EXIT_CODE_OK);
	close_store(&making);
}

static void the_terminal_is_given_back(void **state) {
	static struct making making;
	static struct pty_view view;
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	(void)state;
	open_store(&making);
	add_step(&making, HOSTILE);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		start(&making, &view);
		pty_view_wait_for(&view, A_NAME);
		assert_int_equal(kill(view.pid, signals[i]), 0);
		pty_view_finish(&view, EXIT_CODE_OK);
	}
	start(&making, &view);
	pty_view_wait_for(&view, A_NAME);
	pty_view_press(&view, "\003"); /* Ctrl-C */
	pty_view_finish(&view, EXIT_CODE_OK);
	close_store(&making);
}

static void mistakes(void **state) {
	static const struct {
		const char *words;
		int code;
		const char *text;
	} cases[] = {{"watch STORE --sort p98", EXIT_CODE_USAGE, "did you mean 'p99'"},
	             {"watch STORE --interval 1ms", EXIT_CODE_USAGE, "at least 100ms"},
	             {"watch /nowhere/at/all --once", EXIT_CODE_INPUT, "/nowhere/at/all"}};
	static struct making making;
	(void)state;
	open_store(&making);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask(&making, cases[i].words, cases[i].code);
		assert_non_null(strstr(result.err, cases[i].text));
		child_result_free(&result);
	}
	close_store(&making);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_window_is_the_last_steps),         cmocka_unit_test(a_document_is_a_line),
	    cmocka_unit_test(without_statistics_the_records_count), cmocka_unit_test(the_view_lives),
	    cmocka_unit_test(the_terminal_is_given_back),           cmocka_unit_test(mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
