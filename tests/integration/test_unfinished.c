/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the spans that a process had open when it was killed are stored, once, with parents and attributes, whatever happens to the agent;
 * a process that ends in good order leaves none; nothing else counts them.
 * Method: a program finishes some trees, opens a known stack of spans and is killed there. The agent was there before, or comes later, or is
 * killed again and again at random moments after the death.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DEPTH 7
#define TREES 20
#define FIRST_SEQ (UINT64_C(255) << 56)
#define ACK_OPEN 15
#define AGENT_KILLS 12
#define AGENT_LIFE_NS_MAX (40 * NS_PER_MS)

struct scene {
	struct session session;
	struct child producer;
	const uint64_t *acknowledged;
};

static void open_scene(struct scene *scene, const char *depth) {
	char ack[SCRATCH_PATH_BYTES + 8];
	(void)snprintf(ack, sizeof(ack), "%s/ack", scene->session.scratch.files);
	scene->acknowledged = session_acknowledgements(ack);
	const char *arguments[] = {"--trees", "20", "--ack", ack, "--hang-depth", depth, NULL};
	scene->producer = session_producer(&scene->session, arguments);
	clock_wait_for_u64(&scene->acknowledged[ACK_OPEN], strtoull(depth, NULL, 10));
}

static void kill_producer(struct scene *scene) {
	child_signal(&scene->producer, SIGKILL);
	struct child_result result = child_finish(&scene->producer);
	assert_int_equal(result.exit_code, 128 + SIGKILL);
	child_result_free(&result);
}

static struct child_result analyze(const struct session *session, const char *command, const char *option) {
	const char *argv[] = {
	    child_program("spanring-analyze"), command, session->scratch.store, "--json", option, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s%s", command, result.exit_code, result.out, result.err);
	return result;
}

static void expect_words(const struct session *session, const char *command, const char *option, const char *words) {
	struct child_result result = analyze(session, command, option);
	if (!strstr(result.out, words))
		fail_msg("%s says nothing like '%s': %s", command, words, result.out);
	child_result_free(&result);
}

static void check_stack(const struct session *session, size_t depth) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	assert_int_equal(stored.count, TREES * STORED_SPANS_PER_TREE);
	assert_int_equal(stored.open_count, depth);
	for (size_t i = 0; i < depth; i++) {
		const struct stored_span *span = &stored.open[i];
		assert_true(span->seq == FIRST_SEQ + i);
		assert_true(span->parent_id == (i == 0 ? 0 : stored.open[i - 1].span_id));
		assert_true(span->trace_hi == stored.open[0].trace_hi && span->trace_lo == stored.open[0].trace_lo);
		/* All were open until the same moment. */
		assert_true(span->start_ns + span->duration_ns == stored.open[0].start_ns + stored.open[0].duration_ns);
		for (size_t other = 0; other < stored.count; other++)
			assert_true(span->start_ns + span->duration_ns >=
			            stored.spans[other].start_ns + stored.spans[other].duration_ns);
	}
	stored_free(&stored);
	session_check_audit(session);
}

static void beside_an_agent(void **state) {
	(void)state;
	struct scene scene;
	session_open(&scene.session);
	session_start_agent(&scene.session);
	open_scene(&scene, "7");
	kill_producer(&scene);
	session_stop_agent(&scene.session);
	check_stack(&scene.session, DEPTH);
	expect_words(&scene.session, "audit", "-q", "\"unfinished\": 7");
	expect_words(&scene.session, "audit", "-q", "\"stored\": 100");
	expect_words(&scene.session, "info", "-q", "\"unfinished\": 7");
	expect_words(&scene.session, "unfinished", "--attributes", "\"depth\": 6");
	expect_words(&scene.session, "unfinished", "--attributes", "\"seq\": 18374686479671623686");
	expect_words(&scene.session, "unfinished", "--limit=3", "\"span_count\": 7");
	struct child_result latency = analyze(&scene.session, "latency", "-q");
	assert_null(strstr(latency.out, "hung"));
	assert_non_null(strstr(latency.out, "\"unfinished\": 7"));
	child_result_free(&latency);
	struct child_result slowest = analyze(&scene.session, "slowest", "--limit=1000");
	assert_null(strstr(slowest.out, "hung"));
	child_result_free(&slowest);
	session_close(&scene.session);
}

static void a_trace_shows_them_in_place(void **state) {
	(void)state;
	struct scene scene;
	char id[33];
	session_open(&scene.session);
	open_scene(&scene, "3");
	kill_producer(&scene);
	session_collect(&scene.session);
	struct child_result unfinished = analyze(&scene.session, "unfinished", "-q");
	const char *at = strstr(unfinished.out, "\"trace_id\": \"");
	assert_non_null(at);
	(void)snprintf(id, sizeof(id), "%.32s", at + strlen("\"trace_id\": \""));
	child_result_free(&unfinished);
	const char *argv[] = {child_program("spanring-analyze"), "trace", id, scene.session.scratch.store, NULL};
	struct child_result trace = child_run(argv, NULL);
	assert_int_equal(trace.exit_code, 0);
	assert_non_null(strstr(trace.out, "open, its process died"));
	assert_non_null(strstr(trace.out, "seq = "));
	child_result_free(&trace);
	session_close(&scene.session);
}

static void before_the_agent_came(void **state) {
	(void)state;
	struct scene scene;
	session_open(&scene.session);
	open_scene(&scene, "7");
	kill_producer(&scene);
	session_collect(&scene.session);
	check_stack(&scene.session, DEPTH);
	/* The instance is gone; another agent finds nothing to add. */
	session_collect(&scene.session);
	check_stack(&scene.session, DEPTH);
	session_close(&scene.session);
}

static void as_deep_as_the_stack_is(void **state) {
	(void)state;
	struct scene scene;
	session_open(&scene.session);
	open_scene(&scene, "128");
	kill_producer(&scene);
	session_collect(&scene.session);
	check_stack(&scene.session, 128);
	session_close(&scene.session);
}

static void a_clean_exit_leaves_none(void **state) {
	(void)state;
	struct scene scene;
	struct stored stored;
	session_open(&scene.session);
	session_start_agent(&scene.session);
	open_scene(&scene, "7");
	child_signal(&scene.producer, SIGUSR1);
	struct session_counters counters = session_producer_finish(&scene.producer);
	assert_int_equal(counters.open, 0);
	session_stop_agent(&scene.session);
	stored_load(scene.session.scratch.store, &stored);
	assert_int_equal(stored.open_count, 0);
	assert_int_equal(stored.count, TREES * STORED_SPANS_PER_TREE + DEPTH);
	stored_free(&stored);
	session_check_audit(&scene.session);
	expect_words(&scene.session, "unfinished", "-q", "\"span_count\": 0");
	session_close(&scene.session);
}

/* Somewhere between its start and the end of its work, or after it. */
static void let_agent_live(struct session *session, uint64_t life_ns) {
	struct timespec life = {.tv_nsec = (long)life_ns};
	const char *argv[] = {child_program("spanring-agent"), "run", "--rings", session->scratch.rings, "--store",
	                      session->scratch.store,          NULL};
	session->agent = child_start(argv, NULL);
	(void)nanosleep(&life, NULL);
	session_kill_agent(session);
}

static void the_agent_is_killed_at_random_points(void **state) {
	(void)state;
	struct seed seed = seed_start("unfinished");
	for (unsigned round = 0; round < seed_rounds(10); round++) {
		struct scene scene;
		session_open(&scene.session);
		bool agent_first = seed_below(&seed, 2) == 0;
		if (agent_first)
			session_start_agent(&scene.session);
		open_scene(&scene, "7");
		kill_producer(&scene);
		if (agent_first)
			session_kill_agent(&scene.session);
		for (unsigned kills = 0; kills < AGENT_KILLS; kills++)
			let_agent_live(&scene.session, seed_below(&seed, AGENT_LIFE_NS_MAX));
		session_collect(&scene.session);
		check_stack(&scene.session, DEPTH);
		session_close(&scene.session);
	}
}

static struct child_result look_at_rings(const struct session *session) {
	const char *argv[] = {
	    child_program("spanring-analyze"), "rings", session->scratch.rings, "--json", "--last=3", NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("rings exits %d: %s%s", result.exit_code, result.out, result.err);
	return result;
}

static size_t count_words(const char *text, const char *words) {
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		count++;
	return count;
}

static void rings_are_read_without_an_agent(void **state) {
	(void)state;
	struct scene scene;
	session_open(&scene.session);
	open_scene(&scene, "7");
	struct child_result living = look_at_rings(&scene.session);
	assert_non_null(strstr(living.out, "\"schema\": \"rings/1\""));
	assert_int_equal(count_words(living.out, "\"age_ns\""), 7);
	assert_int_equal(count_words(living.out, "\"duration_ns\""), 3);
	assert_int_equal(count_words(living.out, "\"name\": \"hung\""), 7);
	assert_int_equal(count_words(living.out, "\"state\": \"running\""), 2);
	child_result_free(&living);
	kill_producer(&scene);
	struct child_result dead = look_at_rings(&scene.session);
	assert_int_equal(count_words(dead.out, "\"age_ns\""), 7);
	assert_int_equal(count_words(dead.out, "\"name\": \"outer\""), 1);
	assert_int_equal(count_words(dead.out, "\"name\": \"inner\""), 2);
	assert_int_equal(count_words(dead.out, "\"state\": \"died\""), 2);
	child_result_free(&dead);
	/* Nothing was taken by looking. */
	session_collect(&scene.session);
	check_stack(&scene.session, DEPTH);
	struct child_result none = look_at_rings(&scene.session);
	assert_int_equal(count_words(none.out, "\"pid\""), 0);
	child_result_free(&none);
	session_close(&scene.session);
}

static void rings_under_load_are_read_beside_an_agent(void **state) {
	(void)state;
	struct session session;
	char ack[SCRATCH_PATH_BYTES + 8];
	session_open(&session);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session.scratch.files);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	const char *arguments[] = {"--threads", "2", "--trees", "0", "--ack", ack, NULL};
	session_start_agent(&session);
	struct child producer = session_producer(&session, arguments);
	for (uint64_t look = 1; look <= 20; look++) {
		clock_wait_for_u64(&acknowledged[0], look * 1000);
		clock_wait_for_u64(&acknowledged[1], 1); /* the second thread has its ring, too */
		struct child_result result = look_at_rings(&session);
		assert_int_equal(count_words(result.out, "\"ring\""), 2);
		/* Each name is one that the program uses, each duration makes sense. */
		assert_int_equal(count_words(result.out, "\"name\": \"outer\"") +
		                     count_words(result.out, "\"name\": \"inner\""),
		                 count_words(result.out, "\"name\""));
		child_result_free(&result);
	}
	child_signal(&producer, SIGKILL);
	struct child_result killed = child_finish(&producer);
	child_result_free(&killed);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

static void expect_refused(const char *const *argv, int exit_code, const char *words) {
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, exit_code);
	if (!strstr(result.err, words))
		fail_msg("says nothing like '%s': %s", words, result.err);
	child_result_free(&result);
}

static void bad_words_and_places_are_refused(void **state) {
	(void)state;
	struct session session;
	char path[SCRATCH_PATH_BYTES + 64];
	session_open(&session);
	const char *program = child_program("spanring-analyze");
	const char *rings = session.scratch.rings;
	const char *missing[] = {program, "rings", "/nowhere/at/all", NULL};
	const char *bad_last[] = {program, "rings", rings, "--last", "many", NULL};
	const char *two[] = {program, "rings", rings, rings, NULL};
	const char *wrong_option[] = {program, "unfinished", rings, "--last", "3", NULL};
	const char *no_store[] = {program, "unfinished", "/nowhere/at/all", NULL};
	const char *sound[] = {program, "rings", rings, NULL};
	expect_refused(missing, 3, "/nowhere/at/all");
	expect_refused(bad_last, 2, "--last 'many'");
	expect_refused(two, 2, "one ring directory at a time");
	expect_refused(wrong_option, 2, "does not apply");
	expect_refused(no_store, 3, "/nowhere/at/all");
	expect_refused(sound, 0, "no process has rings there");
	/* A process file that is none, and an instance that is a link: named, nothing followed. */
	(void)snprintf(path, sizeof(path), "%s/000102030405060708090a0b0c0d0e0f", rings);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)strcat(path, "/process");
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	expect_refused(sound, 3, "000102030405060708090a0b0c0d0e0f: not a file of its place");
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(beside_an_agent),
	    cmocka_unit_test(a_trace_shows_them_in_place),
	    cmocka_unit_test(before_the_agent_came),
	    cmocka_unit_test(as_deep_as_the_stack_is),
	    cmocka_unit_test(a_clean_exit_leaves_none),
	    cmocka_unit_test(the_agent_is_killed_at_random_points),
	    cmocka_unit_test(rings_are_read_without_an_agent),
	    cmocka_unit_test(bad_words_and_places_are_refused),
	    cmocka_unit_test(rings_under_load_are_read_beside_an_agent),
	};
	return cmocka_run_group_tests_name("unfinished", tests, NULL, NULL);
}
