/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory, memory names, memory leaks and memory chart, on a store made here. Every wanted value is computed here from the inputs.
 *
 *     process 300 "leaky"    thread 0   REQUESTS x "request" -> "parse" (leaves what it allocates), "render" (leaves nothing);
 *                                       "main", in another segment than its children: CACHE x "fill cache", which find it full after a while
 *                            thread 1   "worker", a child of "main" on another thread; "helper", one of the first request
 *     process 400 "steady"   no spans
 *
 * Memory samples, a second apart: "leaky" grows by GROW_BYTES each, "steady" by nothing.
 */
#include "cli_answer.h"

#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/clock.h"
#include "base/errs.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_OFFSET_NS (UINT64_C(1795200000) * NS_PER_S)
#define START_NS (UINT64_C(100) * NS_PER_S)
#define REQUESTS 400u
#define REQUEST_NS (10 * NS_PER_MS)
#define CACHE 100u
#define CACHE_FILLING 40u /* the first of them */
#define CACHE_STEP_NS (40 * NS_PER_MS)
#define CACHE_UNITS 1000
#define WORKER_UNITS 5000
#define MAIN_OWN_UNITS 7
#define HELPER_UNITS 4321
#define MAIN_ID 999999u
#define RENDER_UNITS 500u
#define SAMPLES 60u
#define GROW_BYTES (UINT64_C(1) << 20)
#define UNIT 16.0
#define HOSTILE "=cmd|' /C calc'!A0\x1b[2J"

static struct scratch scratch;

struct making {
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t process[2];
	uint32_t thread[2];
};

static int64_t parse_units(uint32_t i) {
	return 100 + (int64_t)(i * 37 % 50);
}

/* What the request itself leaves: nothing in the mean. */
static int64_t request_own_units(uint32_t i) {
	return i % 2 ? 3 : -3;
}

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

static uint32_t site_of(struct making *making, const char *name) {
	struct store_site site = {string_of(making, name), string_of(making, "leaky.c"), 7, 0, 0, 0};
	uint32_t id = 0;
	assert_int_equal(catalog_site(making->catalog, &site, &id), 0);
	return id;
}

/* The threads come in another order in the second segment, so that their ids there are others. */
static void new_segment(struct making *making, bool is_second) {
	static const char *const services[] = {"leaky", HOSTILE};
	catalog_free(making->catalog);
	assert_int_equal(catalog_new(&making->catalog), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct store_process process = {.pid = 300 + 100 * i, .attach_ns = START_NS};
		memset(process.instance, (int)(0x21 + i), sizeof(process.instance));
		process.attach_wall_ns = WALL_OFFSET_NS + START_NS;
		process.executable = process.command = process.service = string_of(making, services[i]);
		assert_int_equal(catalog_process(making->catalog, &process, &making->process[i]), 0);
	}
	for (uint32_t n = 0; n < 2; n++) {
		uint32_t i = is_second ? 1 - n : n;
		struct store_thread thread = {.process = making->process[0],
		                              .ring_index = i,
		                              .tid = 1000 + i,
		                              .name = string_of(making, "worker"),
		                              .start_ns = START_NS};
		assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread[i]), 0);
	}
}

struct heap_span {
	const char *name;
	uint64_t trace;
	uint64_t id;
	uint64_t parent;
	uint64_t start_ns;
	uint64_t duration_ns;
	uint32_t allocated;
	int64_t net;
	uint32_t thread;
};

static void add(struct making *making, const struct heap_span *wanted) {
	struct store_span span = {.trace_hi = 1,
	                          .trace_lo = wanted->trace,
	                          .span_id = wanted->id,
	                          .parent_id = wanted->parent,
	                          .start_ns = wanted->start_ns,
	                          .duration_ns = wanted->duration_ns,
	                          .site = site_of(making, wanted->name),
	                          .thread = making->thread[wanted->thread],
	                          .flags = STORE_SPAN_HEAP,
	                          .heap_alloc_units = wanted->allocated,
	                          .heap_net_units = (int32_t)wanted->net};
	assert_true(batch_has_room(making->batch, 1, 0, 0, 0));
	batch_add_span(making->batch, &span);
}

static void add_request(struct making *making, uint32_t i) {
	uint64_t start_ns = START_NS + i * REQUEST_NS;
	uint64_t id = 3 * (uint64_t)i + 1;
	uint32_t parsed = (uint32_t)parse_units(i);
	add(making, &(struct heap_span){"parse", 10 + i, id + 1, id, start_ns + 100, 1000, parsed, parsed, 0});
	add(making, &(struct heap_span){"render", 10 + i, id + 2, id, start_ns + 2000, 1000, RENDER_UNITS, 0, 0});
	add(making, &(struct heap_span){"request", 10 + i, id, 0, start_ns, 5000, parsed + RENDER_UNITS + 3,
	                                parsed + request_own_units(i), 0});
}

static void commit(struct making *making, const struct store_memory_sample *samples, size_t count) {
	struct store_commit commit = {
	    .catalog = making->catalog, .batch = making->batch, .samples = samples, .sample_count = count};
	struct store_receipt receipt;
	if (store_writer_commit(making->writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making->writer));
	batch_clear(making->batch);
}

static uint64_t leaky_bytes(uint32_t step) {
	return (32 + step) * GROW_BYTES + (uint64_t)(step * 7919 % 13) * 4096;
}

static void fill_samples(const struct making *making, struct store_memory_sample samples[2 * SAMPLES]) {
	memset(samples, 0, 2 * SAMPLES * sizeof(samples[0]));
	for (uint32_t i = 0; i < 2 * SAMPLES; i++) {
		struct store_memory_sample *sample = &samples[i];
		uint32_t step = i / 2;
		sample->process = making->process[i % 2];
		sample->time_ns = START_NS + step * NS_PER_S;
		sample->rss_bytes = i % 2 ? 64 * GROW_BYTES : leaky_bytes(step);
		sample->pss_bytes = step == 3 ? UINT64_MAX : sample->rss_bytes / 2;
		sample->anonymous_bytes = sample->rss_bytes / 4;
		sample->heap_allocated_bytes = i % 2 ? UINT64_MAX : 1000 * (uint64_t)step;
		sample->heap_freed_bytes = i % 2 ? UINT64_MAX : 400 * (uint64_t)step;
	}
}

static int make_store(void **state) {
	static struct making making;
	struct store_writer_options options = {.wall_offset_ns = WALL_OFFSET_NS, .agent_version = "test"};
	struct store_memory_sample samples[2 * SAMPLES];
	char text[512] = "";
	int holder = 0;
	int64_t main_net = MAIN_OWN_UNITS + CACHE_FILLING * CACHE_UNITS;
	(void)state;
	scratch_make(&scratch);
	if (store_writer_open(scratch.store, &options, &making.writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(batch_new(&making.batch), 0);
	new_segment(&making, false);
	for (uint32_t i = 0; i < CACHE; i++) {
		uint32_t units = i < CACHE_FILLING ? CACHE_UNITS : 0;
		add(&making, &(struct heap_span){"fill cache", 1, 10000 + i, MAIN_ID, START_NS + i * CACHE_STEP_NS,
		                                 1000, units, units, 0});
	}
	add(&making, &(struct heap_span){"worker", 1, 20000, MAIN_ID, START_NS, 1000, WORKER_UNITS, WORKER_UNITS, 1});
	for (uint32_t i = 0; i < REQUESTS; i++)
		add_request(&making, i);
	/* in one batch with its parent, the first request, and not on its thread */
	add(&making, &(struct heap_span){"helper", 10, 30000, 1, START_NS + 10, 1000, HELPER_UNITS, HELPER_UNITS, 1});
	fill_samples(&making, samples);
	commit(&making, samples, 2 * SAMPLES);
	new_segment(&making, true);
	add(&making,
	    &(struct heap_span){"main", 1, MAIN_ID, 0, START_NS, REQUESTS * REQUEST_NS, 1u << 20, main_net, 0});
	commit(&making, NULL, 0);
	assert_int_equal(store_writer_close(making.writer), 0);
	catalog_free(making.catalog);
	batch_free(making.batch);
	return 0;
}

static int remove_store(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static struct child_result ask(const char *words) {
	struct child_result result = cli_ask(scratch.store, words, "COLUMNS", "LC_ALL=C.UTF-8");
	if (result.exit_code != EXIT_CODE_OK)
		fail_msg("'%s' exits with %d: %s", words, result.exit_code, result.err);
	return result;
}

static int by_value(const void *a, const void *b) {
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;
	return left < right ? -1 : left > right;
}

static int64_t nearest_rank(int64_t *values, uint32_t count, uint32_t percent) {
	qsort(values, count, sizeof(*values), by_value);
	return values[(count * percent + 99) / 100 - 1];
}

static void names_have_exact_spreads(void **state) {
	int64_t parsed[REQUESTS], left[REQUESTS];
	int64_t parse_total = 0, request_total = 0;
	(void)state;
	for (uint32_t i = 0; i < REQUESTS; i++) {
		parsed[i] = parse_units(i);
		left[i] = parsed[i] + request_own_units(i);
		parse_total += parsed[i];
		request_total += left[i];
	}
	struct child_result result = ask("memory names STORE --json");
	const char *parse = "\"name\": \"parse\"";
	const char *request = "\"name\": \"request\"";
	const char *request_net = strstr(result.out, request);
	cli_expect_text(result.out, "{", "schema", "\"memory-names/1\"");
	cli_expect_number(result.out, parse, "count", REQUESTS);
	cli_expect_number(result.out, parse, "heap_bytes", UNIT * (double)parse_total);
	cli_expect_number(result.out, parse, "heap_mean_bytes", UNIT * (double)parse_total / REQUESTS);
	cli_expect_number(result.out, parse, "heap_per_1000_spans_bytes", UNIT * 1000 * (double)parse_total / REQUESTS);
	cli_expect_number(result.out, parse, "p50_bytes", UNIT * (double)nearest_rank(parsed, REQUESTS, 50));
	cli_expect_number(result.out, parse, "p95_bytes", UNIT * (double)nearest_rank(parsed, REQUESTS, 95));
	cli_expect_number(result.out, parse, "p99_bytes", UNIT * (double)nearest_rank(parsed, REQUESTS, 99));
	cli_expect_number(result.out, parse, "max_bytes", UNIT * (double)parsed[REQUESTS - 1]);
	cli_expect_number(result.out, request, "heap_net_bytes", UNIT * (double)request_total);
	assert_non_null(request_net);
	cli_expect_number(request_net, "\"heap_net\": {", "p50_bytes", UNIT * (double)nearest_rank(left, REQUESTS, 50));
	cli_expect_number(request_net, "\"heap_net\": {", "p99_bytes", UNIT * (double)nearest_rank(left, REQUESTS, 99));
	cli_expect_text(result.out, parse, "all", "null"); /* no rollups here */
	child_result_free(&result);
	result = ask("memory names STORE --json --name request --where heap.net<0");
	assert_non_null(strstr(result.out, "\"heap_recorded\": false"));
	child_result_free(&result);
}

static void processes_have_verdicts(void **state) {
	(void)state;
	struct child_result result = ask("memory STORE --json");
	const char *leaky = "\"service\": \"leaky\"";
	const char *steady = "\"service\": \"=cmd";
	double mean = 0, square = 0, product = 0, times = 0;
	for (uint32_t step = 0; step < SAMPLES; step++)
		mean += (double)leaky_bytes(step) / SAMPLES;
	for (uint32_t step = 0; step < SAMPLES; step++) {
		double x = step - (SAMPLES - 1) / 2.0, y = (double)leaky_bytes(step) - mean;
		square += y * y;
		product += x * y;
		times += x * x;
	}
	double slope = 3600 * product / times;
	cli_expect_text(result.out, leaky, "verdict", "\"growing\"");
	cli_expect_text(result.out, steady, "verdict", "\"stable\"");
	assert_true(fabs(cli_number(result.out, leaky, "growth_bytes_per_hour") - slope) < 1e-6 * slope);
	double low = cli_number(result.out, leaky, "growth_low_bytes_per_hour");
	double high = cli_number(result.out, leaky, "growth_high_bytes_per_hour");
	assert_true(low < 3600.0 * (double)GROW_BYTES && high > 3600.0 * (double)GROW_BYTES &&
	            high - low < 0.01 * slope);
	assert_true(fabs(cli_number(result.out, leaky, "stddev_bytes") - sqrt(square / SAMPLES)) < 1);
	cli_expect_number(result.out, steady, "stddev_bytes", 0);
	child_result_free(&result);
	result = ask("memory STORE --csv --service leaky");
	assert_non_null(strstr(result.out, "\r\nleaky,300,60,33554432,"));
	assert_non_null(strstr(result.out, ",growing\r\n"));
	child_result_free(&result);
}

static void leaks_are_told_from_caches(void **state) {
	int64_t parse_total = 0;
	(void)state;
	for (uint32_t i = 0; i < REQUESTS; i++)
		parse_total += parse_units(i);
	struct child_result result = ask("memory leaks STORE --json");
	const char *parse = "\"name\": \"parse\"";
	const char *request = "\"name\": \"request\"";
	const char *cache = "\"name\": \"fill cache\"";
	const char *root = "\"name\": \"main\"";
	double mean = UNIT * (double)parse_total / REQUESTS;
	cli_expect_text(result.out, "{", "own_known", "true");
	cli_expect_text(result.out, parse, "verdict", "\"growing\"");
	cli_expect_number(result.out, parse, "own_net_bytes", UNIT * (double)parse_total);
	cli_expect_number(result.out, parse, "own_net_mean_bytes", mean);
	assert_true(cli_number(result.out, parse, "own_net_mean_low_bytes") < mean);
	assert_true(cli_number(result.out, parse, "own_net_mean_high_bytes") > mean);
	/* over the four seconds of the store */
	cli_expect_number(result.out, parse, "own_net_bytes_per_hour",
	                  UNIT * (double)parse_total * 3600e9 / (double)(REQUESTS * REQUEST_NS));
	cli_expect_text(result.out, request, "verdict", "\"stable\"");
	cli_expect_number(result.out, request, "own_net_bytes", 0);
	cli_expect_number(result.out, request, "net_bytes", UNIT * (double)parse_total);
	cli_expect_text(result.out, cache, "verdict", "\"once\"");
	cli_expect_number(result.out, cache, "own_net_bytes", UNIT * CACHE_FILLING * CACHE_UNITS);
	/* its children are in another segment, and one of them on another thread */
	cli_expect_number(result.out, root, "own_net_bytes", UNIT * MAIN_OWN_UNITS);
	cli_expect_text(result.out, root, "verdict", "\"not enough data\"");
	cli_expect_number(result.out, "\"name\": \"worker\"", "own_net_bytes", UNIT * WORKER_UNITS);
	assert_true(strstr(result.out, parse) < strstr(result.out, cache)); /* by what stays */
	cli_expect_number(result.out, "\"name\": \"helper\"", "own_net_bytes", UNIT * HELPER_UNITS);
	child_result_free(&result);
	/* a filter does not make parents of others' children */
	result = ask("memory leaks STORE --json --name main");
	cli_expect_number(result.out, root, "own_net_bytes", UNIT * MAIN_OWN_UNITS);
	assert_null(strstr(result.out, "parse"));
	child_result_free(&result);
	result = ask("memory leaks STORE --csv -n 1");
	assert_non_null(strstr(result.out, "name,count,own_net_bytes,"));
	child_result_free(&result);
}

/* Looked at only as long as the cache fills. */
static void what_grows_depends_on_the_time(void **state) {
	(void)state;
	struct child_result result = ask("memory leaks STORE --json --until 2026-11-20T18:41:41.600Z --name fill*");
	cli_expect_text(result.out, "fill cache", "verdict", "\"growing\"");
	cli_expect_number(result.out, "fill cache", "count", CACHE_FILLING);
	child_result_free(&result);
}

static void charts_have_every_sample(void **state) {
	(void)state;
	struct child_result result = ask("memory chart STORE --json");
	unsigned samples = 0, unread = 0;
	for (const char *at = result.out; (at = strstr(at, "\"time_wall_ns\"")); at++)
		samples++;
	for (const char *at = result.out; (at = strstr(at, "\"pss_bytes\": null")); at++)
		unread++;
	assert_int_equal(samples, 2 * SAMPLES);
	assert_int_equal(unread, 2);
	cli_expect_number(result.out, "\"leaky\"", "rss_bytes", (double)leaky_bytes(0));
	child_result_free(&result);
	result = ask("memory chart STORE --csv -n 1 --service leaky");
	assert_non_null(strstr(result.out, "time_wall_ns,service,pid,rss_bytes,"));
	char line[128];
	(void)snprintf(line, sizeof(line), "1795200103000000000,leaky,300,%lu,,%lu,0,1800\r\n",
	               (unsigned long)leaky_bytes(3), (unsigned long)leaky_bytes(3) / 4);
	if (!strstr(result.out, line))
		fail_msg("no %s in %s", line, result.out);
	child_result_free(&result);
}

static void hostile_services_are_harmless(void **state) {
	static const char *const words[] = {"memory STORE", "memory STORE --csv", "memory chart STORE",
	                                    "memory chart STORE --csv", "memory chart STORE --json"};
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct child_result result = ask(words[i]);
		bool is_csv = strstr(words[i], "--csv") != NULL;
		assert_true(is_csv || !strchr(result.out, 0x1b));
		assert_true(!is_csv || (!strstr(result.out, "\r\n=cmd") && !strstr(result.out, ",=cmd")));
		child_result_free(&result);
	}
}

static void usage_mistakes(void **state) {
	static const struct {
		const char *words;
		const char *text;
	} cases[] = {{"memory chart STORE --figure rrs", "did you mean 'rss'"},
	             {"memory leaks STORE --figure rss", "--figure is of 'memory chart'"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = cli_ask(scratch.store, cases[i].words, "COLUMNS=80", "LC_ALL=C.UTF-8");
		assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
		assert_non_null(strstr(result.err, cases[i].text));
		child_result_free(&result);
	}
}

static void outputs_are_the_golden_ones(void **state) {
	static const struct {
		const char *file;
		const char *words;
		const char *columns;
		const char *locale;
	} goldens[] = {
	    {"memory-leaky-80.txt", "memory STORE", "COLUMNS=80", "LC_ALL=C.UTF-8"},
	    {"memory-leaky-160.txt", "memory STORE", "COLUMNS=160", "LC_ALL=C.UTF-8"},
	    {"memory-leaks-80.txt", "memory leaks STORE", "COLUMNS=80", "LC_ALL=C.UTF-8"},
	    {"memory-leaks-40.txt", "memory leaks STORE", "COLUMNS=40", "LC_ALL=C"},
	    {"memory-chart-80.txt", "memory chart STORE --figure all --service leaky", "COLUMNS=80", "LC_ALL=C.UTF-8"},
	    {"memory-chart-40.txt", "memory chart STORE", "COLUMNS=40", "LC_ALL=C"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		struct child_result result =
		    cli_ask(scratch.store, goldens[i].words, goldens[i].columns, goldens[i].locale);
		assert_int_equal(result.exit_code, EXIT_CODE_OK);
		cli_expect_golden(goldens[i].file, result.out);
		child_result_free(&result);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_have_exact_spreads),
	    cmocka_unit_test(processes_have_verdicts),
	    cmocka_unit_test(leaks_are_told_from_caches),
	    cmocka_unit_test(what_grows_depends_on_the_time),
	    cmocka_unit_test(charts_have_every_sample),
	    cmocka_unit_test(hostile_services_are_harmless),
	    cmocka_unit_test(usage_mistakes),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, make_store, remove_store);
}
