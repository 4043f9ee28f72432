/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: with tail keep every failed and every slow trace is stored whole, of the others exactly those that the hash of their id says,
 * the books balance to the unit, and what the weights estimate is the truth within its own error. Killing the agent at any moment stores no
 * span twice and loses none uncounted.
 * Method: a program makes traces of every kind (tail_program.c) and says which; its spans lie on three threads, and some in processes of
 * their own that are over before their trace has failed. On a busy machine an ordinary trace may take long: it is then kept, and must have
 * a span that did.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"

#include "agent/tail/tail_choice.h"
#include "libstore/reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACES "4000"
#define TRACES_KILLED "6000"
#define RATIO "0.25"
#define SLOW "20ms"
#define SLOW_NS (20 * NS_PER_MS)
#define KILLS 6
#define SPANS_MAX (1u << 16)
#define KIND_BYTES 16
#define NAMES "request", "db", "remote", "below"

struct row {
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t duration_ns;
	uint32_t weight; /* 0: an attribute or event of the span, which are rows, too */
	uint64_t number; /* of them in their batch */
};

struct rows {
	struct row *rows;
	size_t count;
};

struct made {
	uint64_t trace_lo;
	char kind[KIND_BYTES];
};

static const char *const options[] = {"--tail-keep", "--tail-ratio", RATIO, "--tail-slow", SLOW, "--tail-rare",
                                      "0",           "--tail-first", "0",   NULL};

static int by_trace(const void *a, const void *b) {
	const struct row *left = a;
	const struct row *right = b;
	if (left->trace_lo != right->trace_lo)
		return left->trace_lo < right->trace_lo ? -1 : 1;
	if (left->span_id != right->span_id)
		return left->span_id < right->span_id ? -1 : 1;
	return left->number < right->number ? -1 : left->number > right->number;
}

static void add_extra(struct rows *rows, uint64_t trace_lo, uint64_t span_id, uint64_t batch, uint32_t number) {
	assert_true(rows->count < SPANS_MAX);
	rows->rows[rows->count++] =
	    (struct row){.trace_lo = trace_lo, .span_id = span_id, .number = (batch << 32 | number) + 1};
}

static int take_batch(void *context, const struct store_columns *columns) {
	struct rows *rows = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		assert_true(rows->count < SPANS_MAX);
		rows->rows[rows->count++] =
		    (struct row){.trace_lo = columns->trace_lo[i],
		                 .span_id = columns->span_id[i],
		                 .duration_ns = columns->duration_ns[i],
		                 .weight = columns->weight ? columns->weight[i] : STORE_WEIGHT_ONE};
	}
	for (uint32_t i = 0; i < columns->attribute_count; i++)
		add_extra(rows, columns->attributes[i].trace_lo, columns->attributes[i].span_id, columns->batch, 2 * i);
	for (uint32_t i = 0; i < columns->event_count; i++)
		add_extra(rows, columns->events[i].trace_lo, columns->events[i].span_id, columns->batch, 2 * i + 1);
	return 0;
}

/* In order of (trace, span), a span before what is its; fails the test if a span is there twice. */
static struct rows load(const char *store) {
	char text[512] = "";
	struct store_reader *reader = NULL;
	size_t damage = 0;
	struct rows rows = {.rows = calloc(SPANS_MAX, sizeof(struct row))};
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = &rows};
	assert_non_null(rows.rows);
	if (store_reader_open(store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
	qsort(rows.rows, rows.count, sizeof(*rows.rows), by_trace);
	for (size_t i = 1; i < rows.count; i++)
		if (by_trace(&rows.rows[i], &rows.rows[i - 1]) == 0)
			fail_msg("span %016llx is stored twice", (unsigned long long)rows.rows[i].span_id);
	return rows;
}

/* The rows of one trace. */
static const struct row *of_trace(const struct rows *rows, uint64_t trace_lo, size_t *ret_count) {
	size_t low = 0;
	size_t high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (rows->rows[middle].trace_lo < trace_lo)
			low = middle + 1;
		else
			high = middle;
	}
	size_t end = low;
	while (end < rows->count && rows->rows[end].trace_lo == trace_lo)
		end++;
	*ret_count = end - low;
	return rows->rows + low;
}

static bool has_slow(const struct row *rows, size_t count) {
	bool slow = false;
	for (size_t i = 0; i < count; i++)
		slow = slow || rows[i].duration_ns > SLOW_NS;
	return slow;
}

static size_t spans_of(const char *kind) {
	if (strcmp(kind, "spawned") == 0)
		return 2;
	return strcmp(kind, "long") == 0 ? 7 : 4;
}

/* Its attributes and events; the description of a status is an attribute. */
static size_t extras_of(const char *kind) {
	if (strcmp(kind, "spawned") == 0)
		return 1;
	if (strcmp(kind, "long") == 0)
		return 7;
	return strcmp(kind, "failed") == 0 ? 3 : 2;
}

static bool next_made(FILE *file, struct made *ret_made) {
	char id[64];
	if (fscanf(file, "%63s %15s", id, ret_made->kind) != 2)
		return false;
	assert_int_equal(strlen(id), 32);
	ret_made->trace_lo = strtoull(id + 16, NULL, 16);
	return true;
}

static void check_told(const struct made *made, const struct row *rows, size_t count) {
	size_t whole = spans_of(made->kind) + extras_of(made->kind);
	if (count != whole)
		fail_msg("%s trace %016llx: %zu of %zu rows", made->kind, (unsigned long long)made->trace_lo, count,
		         whole);
	for (size_t i = 0; i < count; i++)
		assert_true(rows[i].weight == STORE_WEIGHT_ONE || rows[i].number);
}

static void check_ordinary(const struct tail_rules *rules, const struct made *made, const struct row *rows,
                           size_t count) {
	uint32_t weight = tail_choice_weight(rules, made->trace_lo, 0);
	if (has_slow(rows, count))
		return;
	if (count != (weight ? spans_of(made->kind) + extras_of(made->kind) : 0))
		fail_msg("ordinary trace %016llx: %zu rows", (unsigned long long)made->trace_lo, count);
	for (size_t i = 0; i < count; i++)
		assert_true(rows[i].weight == weight || rows[i].number);
}

/* True sums against those of the weights; the bound is five standard deviations of the choice by hash. */
static void check_sums(const struct tail_rules *rules, const struct rows *rows, double spans_made) {
	double sum = 0;
	double p = (double)STORE_WEIGHT_ONE / rules->weight;
	double spread = sqrt(spans_made * 4 * (1 - p) / p);
	for (size_t i = 0; i < rows->count; i++)
		sum += (double)rows->rows[i].weight / STORE_WEIGHT_ONE;
	if (fabs(sum - spans_made) > 5 * spread)
		fail_msg("%.0f spans estimated, %.0f made, spread %.0f", sum, spans_made, spread);
}

/* `whole`: failed and slow ones were not interrupted by the death of an agent. */
static void check_traces(const struct session *session, const char *log, bool whole) {
	struct tail_rules rules = {0};
	struct made made;
	struct rows rows = load(session->scratch.store);
	double spans_made = 0;
	FILE *file = fopen(log, "re");
	assert_non_null(file);
	assert_true(tail_choice_set_ratio(&rules, RATIO));
	while (next_made(file, &made)) {
		size_t count;
		const struct row *found = of_trace(&rows, made.trace_lo, &count);
		spans_made += (double)spans_of(made.kind);
		if (strcmp(made.kind, "ordinary") == 0)
			check_ordinary(&rules, &made, found, count);
		else if (whole)
			check_told(&made, found, count);
	}
	(void)fclose(file);
	assert_true(spans_made > 1000);
	check_sums(&rules, &rows, spans_made);
	free(rows.rows);
}

static char *analyze(const struct session *session, const char *command, const char *option) {
	const char *argv[] = {
	    child_program("spanring-analyze"), command, session->scratch.store, "--json", option, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s", command, result.exit_code, result.err);
	free(result.err);
	return result.out;
}

static double figure(const char *json, const char *name, const char *key) {
	char wanted[64];
	(void)snprintf(wanted, sizeof(wanted), "\"name\": \"%s\"", name);
	const char *at = strstr(json, wanted);
	(void)snprintf(wanted, sizeof(wanted), "\"%s\": ", key);
	at = at ? strstr(at, wanted) : NULL;
	if (!at)
		fail_msg("no %s of %s in %s", key, name, json);
	return strtod(at + strlen(wanted), NULL);
}

/* The statistics of the programs know the truth. */
static void check_estimates(const struct session *session) {
	static const char *const names[] = {NAMES};
	char *truth = analyze(session, "latency", NULL);
	char *estimate = analyze(session, "latency", "--exact");
	assert_non_null(strstr(truth, "\"coverage\": \"all\""));
	assert_non_null(strstr(estimate, "\"method\": \"estimate\""));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		double error = figure(estimate, names[i], "error_95");
		double count = figure(truth, names[i], "count");
		double off = fabs(figure(estimate, names[i], "count") / count - 1);
		assert_true(error > 0 && error < 0.2);
		if (off > 3 * error)
			fail_msg("%s: count is off by %f, error %f", names[i], off, error);
		assert_true(figure(estimate, names[i], "records") < count);
		/* every failed one is kept */
		assert_float_equal(figure(estimate, names[i], "errors"), figure(truth, names[i], "errors"), 0);
	}
	/* One in 331 is slow, and those are kept for certain. */
	assert_true(figure(estimate, "request", "p999_ns") > (double)SLOW_NS);
	/* the clock's rate is known better later on */
	double longest = figure(truth, "request", "max_ns");
	assert_true(fabs(figure(estimate, "request", "max_ns") / longest - 1) < 0.001);
	free(truth);
	free(estimate);
}

static void wait_for_end(struct child *program) {
	struct child_result result = child_finish(program);
	if (result.exit_code != 0)
		fail_msg("program exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
}

static void start_agent(struct session *session) {
	static const char *const environment[] = {"SPANRING_AGENT_FLUSH_INTERVAL=100ms", "SPANRING_AGENT_TAIL_WAIT=20s",
	                                          NULL};
	session_spawn_agent(session, options, environment);
	child_wait_for_line(&session->agent, session->scratch.store);
}

static struct child start_program(const struct session *session, const char *traces, const char *log, bool with_long) {
	const char *environment[] = {session->environment, "SPANRING_RING_BYTES=16777216", NULL};
	const char *argv[] = {child_program("spanring-test-tail"), traces, log, with_long ? "long" : NULL, NULL};
	return child_start(argv, environment);
}

static void traces_with_something_to_tell_stay_whole(void **state) {
	(void)state;
	struct session session;
	char log[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(log, sizeof(log), "%s/made", session.scratch.files);
	start_agent(&session);
	struct child program = start_program(&session, TRACES, log, true);
	wait_for_end(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	(void)session_check_segments(&session);
	check_traces(&session, log, true);
	check_estimates(&session);
	char *audit = analyze(&session, "audit", NULL);
	assert_null(strstr(audit, "\"thinned\": 0,\n    \"rejected"));
	char *info = analyze(&session, "info", NULL);
	if (!strstr(info, "\"traces_in_part\": 0"))
		fail_msg("traces in part: %s", info);
	free(audit);
	free(info);
	session_close(&session);
}

static void killed_at_random_points(void **state) {
	(void)state;
	struct seed seed = seed_start("tail_keep");
	struct session session;
	char log[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(log, sizeof(log), "%s/made", session.scratch.files);
	start_agent(&session);
	struct child program = start_program(&session, TRACES_KILLED, log, false);
	for (unsigned kill = 0; kill < KILLS; kill++) {
		clock_wait_ns(NS_PER_MS + seed_below(&seed, 250 * NS_PER_MS));
		session_kill_agent(&session);
		start_agent(&session);
	}
	wait_for_end(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	(void)session_check_segments(&session);
	check_traces(&session, log, false);
	session_close(&session);
}

/* Off, nothing of it is there: no weights, no table rows, nothing thinned. */
static void off_nothing_is_left_out(void **state) {
	(void)state;
	struct session session;
	char log[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(log, sizeof(log), "%s/made", session.scratch.files);
	session_start_agent(&session);
	struct child program = start_program(&session, "500", log, false);
	wait_for_end(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	struct rows rows = load(session.scratch.store);
	size_t spans = 0;
	for (size_t i = 0; i < rows.count; i++) {
		assert_true(rows.rows[i].weight == STORE_WEIGHT_ONE || rows.rows[i].number);
		spans += rows.rows[i].number == 0;
	}
	assert_int_equal(spans, 500 * 4);
	free(rows.rows);
	char *latency = analyze(&session, "latency", "--exact");
	assert_non_null(strstr(latency, "\"method\": \"exact\""));
	free(latency);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(traces_with_something_to_tell_stay_whole),
	    cmocka_unit_test(killed_at_random_points),
	    cmocka_unit_test(off_nothing_is_left_out),
	};
	return cmocka_run_group_tests_name("tail_keep", tests, NULL, NULL);
}
