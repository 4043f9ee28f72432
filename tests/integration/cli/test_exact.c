/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `latency --exact` on a store that is large enough for its rollups to be used as guesses: whatever these say, all figures are those that are computed
 * here from the same durations, by sorting them, with one thread and with two. Some durations need more than 32 bits, some spans never ended, some
 * failed.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"

#include "base/clock.h"
#include "base/errs.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 5u
#define SPANS 300000u /* above GUESS_SPANS_MIN of analyze/latency/latency_runs.c */

#define WALL_OFFSET_NS NS_PER_S

enum rollups { ROLLUPS_RIGHT, ROLLUPS_OF_OTHERS, ROLLUPS_NONE, ROLLUP_CASES };

struct one_name {
	uint64_t *durations_ns;
	size_t count;
	uint64_t errors;
	struct store_rollup_bin bins[ROLLUP_BINS_MAX];
};

/* A span, as the filters see it. */
struct row {
	uint64_t duration_ns;
	uint64_t start_wall_ns;
	uint32_t name;
	bool failed;
	bool is_open;
};

static struct scratch scratch;
static const char *program;
static struct row rows[SPANS + BATCH_SPANS_MAX];
static uint32_t row_count;
static bool with_open; /* spans that never ended */

static uint64_t make_duration(struct seed *seed, uint32_t name) {
	uint64_t ns = 1000u * (name + 1) + seed_below(seed, UINT64_C(1) << (10 + seed_below(seed, 14)));
	if (name == 3)
		return UINT64_C(777777); /* all the same */
	return name == 1 && seed_below(seed, 3000) == 0 ? ns + (UINT64_C(5) << 32) : ns;
}

static void fill_batch(struct seed *seed, struct batch *batch, struct one_name *names, uint32_t thread) {
	for (uint32_t i = 0; i < BATCH_SPANS_MAX; i++) {
		uint32_t name = (uint32_t)seed_below(seed, NAMES);
		bool is_open = with_open && seed_below(seed, 5000) == 0;
		bool failed = seed_below(seed, 50) == 0;
		uint64_t id = row_count + 1;
		struct store_span span = {.trace_lo = id,
		                          .span_id = id,
		                          .start_ns = NS_PER_S + id,
		                          .duration_ns = make_duration(seed, name),
		                          .site = name + 2,
		                          .thread = thread,
		                          .flags = is_open ? STORE_SPAN_OPEN : 0,
		                          .status = failed ? SPANRING_STATUS_ERROR : SPANRING_STATUS_UNSET};
		batch_add_span(batch, &span);
		rows[row_count++] =
		    (struct row){span.duration_ns, WALL_OFFSET_NS + span.start_ns, name, failed, is_open};
		if (is_open)
			continue;
		names[name].durations_ns[names[name].count++] = span.duration_ns;
		names[name].errors += failed;
	}
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* Of durations `times` as long as those that are stored. */
static struct store_rollup make_rollup(struct one_name *name, uint32_t site, uint64_t times) {
	static uint64_t counts[ROLLUP_BINS_MAX];
	struct store_rollup rollup = {.process = 1,
	                              .site = site,
	                              .since_ns = 1,
	                              .until_ns = 2 * NS_PER_S,
	                              .ns_per_tick_q32 = UINT64_C(1) << 32,
	                              .count = name->count,
	                              .errors = name->errors,
	                              .min_ns = name->durations_ns[0] * times,
	                              .max_ns = name->durations_ns[name->count - 1] * times,
	                              .bins = name->bins};
	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < name->count; i++) {
		counts[spanring_statistics_bin(name->durations_ns[i] * times)]++;
		rollup.sum_ns += name->durations_ns[i] * times;
	}
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (counts[bin])
			name->bins[rollup.bin_count++] = (struct store_rollup_bin){.count = counts[bin], .bin = bin};
	return rollup;
}

static uint32_t make_catalog(struct catalog *catalog) {
	struct store_process process = {.pid = 7, .clock_kind = 1, .attach_ns = 1};
	struct store_thread thread = {.ring_index = 0, .tid = 7};
	uint32_t id = 0;
	for (uint32_t name = 0; name < NAMES; name++) {
		char text[16];
		struct store_site site = {0};
		int length = snprintf(text, sizeof(text), "name-%u", name);
		assert_int_equal(catalog_string(catalog, text, (size_t)length, &site.name), 0);
		assert_int_equal(catalog_site(catalog, &site, &id), 0);
		assert_int_equal(id, name + 2);
	}
	memset(process.instance, 1, sizeof(process.instance));
	assert_int_equal(catalog_process(catalog, &process, &thread.process), 0);
	assert_int_equal(catalog_thread(catalog, &thread, &id), 0);
	return id;
}

static void commit_all(struct seed *seed, struct store_writer *writer, struct one_name *names, enum rollups rollups) {
	struct store_cursor cursor = {.state = STORE_RING_DIED, .position = 1};
	struct store_process_account account = {.state = STORE_PROCESS_DIED, .rings_made = 1};
	struct store_rollup sums[NAMES];
	struct catalog *catalog = NULL;
	struct batch *batch = NULL;
	struct store_receipt receipt;
	assert_int_equal(catalog_new(&catalog), 0);
	assert_int_equal(batch_new(&batch), 0);
	uint32_t thread = make_catalog(catalog);
	memset(cursor.instance, 1, sizeof(cursor.instance));
	memset(account.instance, 1, sizeof(account.instance));
	account.statistics = rollups == ROLLUPS_NONE ? STORE_STATISTICS_NONE : STORE_STATISTICS_WHOLE;
	for (uint64_t spans = 0; spans < SPANS; spans += BATCH_SPANS_MAX) {
		bool is_last = spans + BATCH_SPANS_MAX >= SPANS;
		struct store_commit commit = {.catalog = catalog, .batch = batch};
		batch_clear(batch);
		fill_batch(seed, batch, names, thread);
		for (uint32_t name = 0; name < NAMES && is_last; name++) {
			qsort(names[name].durations_ns, names[name].count, sizeof(uint64_t), by_value);
			sums[name] = make_rollup(&names[name], name + 2, rollups == ROLLUPS_OF_OTHERS ? 2 + name : 1);
			cursor.stored_spans += names[name].count;
		}
		cursor.open = spans + BATCH_SPANS_MAX - cursor.stored_spans;
		cursor.begun = spans + BATCH_SPANS_MAX;
		if (is_last) {
			commit.cursors = &cursor;
			commit.cursor_count = 1;
			commit.accounts = &account;
			commit.account_count = 1;
			commit.rollups = sums;
			commit.rollup_count = rollups == ROLLUPS_NONE ? 0 : NAMES;
		}
		if (store_writer_commit(writer, &commit, &receipt) != 0)
			fail_msg("%s", store_writer_error(writer));
	}
	catalog_free(catalog);
	batch_free(batch);
}

static void make_store(struct seed *seed, struct one_name *names, enum rollups rollups) {
	struct store_writer_options options = {.wall_offset_ns = WALL_OFFSET_NS, .agent_version = "test"};
	struct store_writer *writer = NULL;
	char text[512] = "";
	int holder = 0;
	for (uint32_t name = 0; name < NAMES; name++) {
		names[name].durations_ns = calloc(SPANS + BATCH_SPANS_MAX, sizeof(uint64_t));
		assert_non_null(names[name].durations_ns);
	}
	row_count = 0;
	scratch_make(&scratch);
	if (store_writer_open(scratch.store, &options, &writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	commit_all(seed, writer, names, rollups);
	assert_int_equal(store_writer_close(writer), 0);
}

static void near(const char *what, double found, long double expected) {
	if (fabsl(found - expected) > 1e-9L * (expected + 1))
		fail_msg("%s: %.17g, not %.17Lg", what, found, expected);
}

static void check_line(const char *text, const char *title, const struct one_name *name) {
	static const unsigned per_mille[] = {500, 900, 950, 990, 999};
	uint64_t figures[3 + 7];
	double mean, stddev;
	uint64_t total = 0;
	long double square = 0;
	const char *at = strstr(text, title);
	if (!at)
		fail_msg("no %s", title);
	int fields = sscanf(at + strlen(title),
	                    " \"count\": %" SCNu64 ", \"errors\": %" SCNu64 ", \"total_ns\": %" SCNu64
	                    ", \"mean_ns\": %lf, \"stddev_ns\": %lf, \"min_ns\": %" SCNu64 ", \"p50_ns\": %" SCNu64
	                    ", \"p90_ns\": %" SCNu64 ", \"p95_ns\": %" SCNu64 ", \"p99_ns\": %" SCNu64
	                    ", \"p999_ns\": %" SCNu64 ", \"max_ns\": %" SCNu64,
	                    &figures[0], &figures[1], &figures[2], &mean, &stddev, &figures[3], &figures[4],
	                    &figures[5], &figures[6], &figures[7], &figures[8], &figures[9]);
	assert_int_equal(fields, 12);
	for (size_t i = 0; i < name->count; i++)
		total += name->durations_ns[i];
	long double expected_mean = (long double)total / (long double)name->count;
	for (size_t i = 0; i < name->count; i++)
		square += (name->durations_ns[i] - expected_mean) * (name->durations_ns[i] - expected_mean);
	assert_true(figures[0] == name->count && figures[1] == name->errors && figures[2] == total);
	near("mean", mean, expected_mean);
	near("standard deviation", stddev, sqrtl(square / (long double)name->count));
	assert_true(figures[3] == name->durations_ns[0] && figures[9] == name->durations_ns[name->count - 1]);
	for (unsigned q = 0; q < 5; q++)
		assert_true(figures[4 + q] == name->durations_ns[(name->count * per_mille[q] + 999) / 1000 - 1]);
}

static void check_answer(const struct one_name *names, const char *threads, const char *const *filter) {
	const char *argv[16] = {program, "latency", scratch.store, "--exact", "--json", "--threads", threads};
	for (size_t i = 0; filter[i]; i++)
		argv[7 + i] = filter[i];
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != EXIT_CODE_OK)
		fail_msg("exit %d: %s", result.exit_code, result.err);
	for (uint32_t name = 0; name < NAMES; name++) {
		char title[16];
		(void)snprintf(title, sizeof(title), "\"name-%u\",", name);
		if (names[name].count)
			check_line(result.out, title, &names[name]);
		else
			assert_null(strstr(result.out, title));
	}
	child_result_free(&result);
}

static void figures_are_those_of_the_records(void **state) {
	static struct one_name names[NAMES];
	(void)state;
	static const char *const none[] = {NULL};
	struct seed seed = seed_start("exact");
	with_open = true;
	for (enum rollups rollups = 0; rollups < ROLLUP_CASES; rollups++) {
		memset(names, 0, sizeof(names));
		make_store(&seed, names, rollups);
		for (uint32_t name = 0; name < NAMES; name++)
			qsort(names[name].durations_ns, names[name].count, sizeof(uint64_t), by_value);
		check_answer(names, "1", none);
		check_answer(names, "2", none);
		for (uint32_t name = 0; name < NAMES; name++)
			free(names[name].durations_ns);
		scratch_remove(&scratch);
	}
}

/* --- filters ----------------------------------------------------------------------------------------------------- */

#define SINCE_NS (WALL_OFFSET_NS + NS_PER_S + 100000u)
#define UNTIL_NS (WALL_OFFSET_NS + NS_PER_S + 250000u)
#define SINCE "1970-01-01T00:00:02.000100000Z"
#define UNTIL "1970-01-01T00:00:02.000250000Z"

static bool in_time(const struct row *row) {
	return row->start_wall_ns >= SINCE_NS && row->start_wall_ns < UNTIL_NS;
}

static bool is_odd(const struct row *row) {
	return row->name % 2 == 1;
}

static bool is_odd_in_time(const struct row *row) {
	return is_odd(row) && in_time(row);
}

static bool is_short_or_failed(const struct row *row) {
	return row->duration_ns < 9000 || row->failed;
}

static bool is_long(const struct row *row) {
	return row->duration_ns > NS_PER_S * 20;
}

static bool is_failed_in_time(const struct row *row) {
	return row->failed && in_time(row);
}

static const struct {
	const char *words[9];
	bool (*passes)(const struct row *row);
} filters[] = {
    {{"--since", SINCE, "--until", UNTIL}, in_time},
    {{"--name", "name-[13]"}, is_odd},
    {{"--name", "name-[13]", "--since", SINCE, "--until", UNTIL}, is_odd_in_time},
    {{"--where", "duration < 9us or status = error"}, is_short_or_failed},
    {{"--where", "duration > 20s"}, is_long},
    {{"--where", "status = error", "--since", SINCE, "--until", UNTIL}, is_failed_in_time},
};

static void expect_those_that_pass(struct one_name *names, size_t filter) {
	for (uint32_t name = 0; name < NAMES; name++)
		names[name].count = names[name].errors = 0;
	for (uint32_t i = 0; i < row_count; i++) {
		struct one_name *name = &names[rows[i].name];
		if (rows[i].is_open || !filters[filter].passes(&rows[i]))
			continue;
		name->durations_ns[name->count++] = rows[i].duration_ns;
		name->errors += rows[i].failed;
	}
	for (uint32_t name = 0; name < NAMES; name++)
		qsort(names[name].durations_ns, names[name].count, sizeof(uint64_t), by_value);
	check_answer(names, "1", filters[filter].words);
	check_answer(names, "2", filters[filter].words);
	check_answer(names, "5", filters[filter].words);
}

/* Batches outside of the time, inside, and across its ends; where spans never ended, each row is looked at. */
static void filters_leave_the_others(void **state) {
	static struct one_name names[NAMES];
	(void)state;
	struct seed seed = seed_start("exact with filters");
	for (int open = 0; open < 2; open++) {
		with_open = open;
		memset(names, 0, sizeof(names));
		make_store(&seed, names, ROLLUPS_NONE);
		for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
			expect_those_that_pass(names, i);
		for (uint32_t name = 0; name < NAMES; name++)
			free(names[name].durations_ns);
		scratch_remove(&scratch);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(figures_are_those_of_the_records),
	    cmocka_unit_test(filters_leave_the_others),
	};
	static char path[1024];
	const char *folder = getenv("SPANRING_TEST_BIN");
	(void)snprintf(path, sizeof(path), "%s/spanring-analyze", folder ? folder : ".");
	program = path;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
