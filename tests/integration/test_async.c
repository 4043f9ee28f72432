/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every async span that a program began is stored once, finished or unfinished, whatever thread ended it and wherever the program and
 * the agent were killed; and the books balance.
 * Method: a program with several threads keeps a log in shared memory of what it began and ended. It is killed after a random number of spans,
 * with an agent there before or after, which is killed at random moments, too. Each span of the log is looked for in the store.
 */
#include "async_log.h"
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SPANS_BEFORE_KILL_MAX 20000u
#define AGENT_KILLS 6u
#define AGENT_LIFE_NS_MAX (40 * NS_PER_MS)

struct scene {
	struct session session;
	struct child program;
	struct async_log *log;
	char log_path[SCRATCH_PATH_BYTES + 8];
};

static void open_scene(struct scene *scene) {
	session_open(&scene->session);
	(void)snprintf(scene->log_path, sizeof(scene->log_path), "%s/log", scene->session.scratch.files);
	int fd = open(scene->log_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(*scene->log)), 0);
	scene->log = mmap(NULL, sizeof(*scene->log), PROT_READ, MAP_SHARED, fd, 0);
	assert_true(scene->log != MAP_FAILED);
	(void)close(fd);
}

/* The rings hold all that is in the log: nothing is dropped, even where no agent runs. */
static void start_program(struct scene *scene, const char *count) {
	const char *argv[] = {child_program("spanring-test-async"), scene->log_path, count, NULL};
	const char *environment[] = {scene->session.environment, "SPANRING_RING_BYTES=16777216", NULL};
	scene->program = child_start(argv, environment);
}

static void close_scene(struct scene *scene) {
	assert_int_equal(munmap(scene->log, sizeof(*scene->log)), 0);
	session_close(&scene->session);
}

static void kill_program(struct scene *scene) {
	child_signal(&scene->program, SIGKILL);
	struct child_result result = child_finish(&scene->program);
	assert_int_equal(result.exit_code, 128 + SIGKILL);
	child_result_free(&result);
}

/* Puts each row in its place of the log; those whose seq was not stored any more are only counted. */
static size_t sort_rows(const struct stored *stored, const struct stored_span **rows) {
	size_t unknown = 0;
	for (size_t i = 0; i < stored->count + stored->open_count; i++) {
		const struct stored_span *span = &stored->spans[i];
		uint64_t thread = span->seq >> ASYNC_LOG_THREAD_SHIFT;
		uint64_t number = span->seq & UINT32_MAX;
		if (span->seq == UINT64_MAX || number >= ASYNC_LOG_SPANS || thread >= ASYNC_LOG_THREADS) {
			assert_true(span->seq == UINT64_MAX);
			unknown++;
			continue;
		}
		assert_null(rows[thread * ASYNC_LOG_SPANS + number]);
		rows[thread * ASYNC_LOG_SPANS + number] = span;
	}
	return unknown;
}

static void check_span(const struct async_log *log, uint64_t thread, uint64_t number, const struct stored_span *row) {
	const char *problem = NULL;
	if (number < log->begun[thread] && !row)
		problem = "was begun, and is not stored";
	else if (row && number > log->begun[thread])
		problem = "is stored, and was not begun";
	else if (row && row->open && log->ended[thread][number])
		problem = "had ended, and is stored as unfinished";
	else if (row && !row->open && !log->ending[thread][number])
		problem = "is stored as finished, and was not ended";
	if (problem)
		fail_msg("span %u of thread %u %s", (unsigned)number, (unsigned)thread, problem);
}

/* Returns the number of unfinished ones. That no span is stored twice is what stored_load looks for. */
static size_t check_store(const struct scene *scene) {
	struct stored stored;
	const struct stored_span **rows =
	    calloc((size_t)ASYNC_LOG_THREADS * ASYNC_LOG_SPANS, sizeof(struct stored_span *));
	assert_non_null(rows);
	stored_load(scene->session.scratch.store, &stored);
	/* Each thread may have begun one more than it entered. */
	assert_in_range(sort_rows(&stored, rows), 0, ASYNC_LOG_THREADS);
	for (uint64_t thread = 0; thread < ASYNC_LOG_THREADS; thread++)
		for (uint64_t number = 0; number < ASYNC_LOG_SPANS; number++)
			check_span(scene->log, thread, number, rows[thread * ASYNC_LOG_SPANS + number]);
	size_t open_count = stored.open_count;
	free(rows);
	stored_free(&stored);
	session_check_audit(&scene->session);
	return open_count;
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

static void run_round(struct seed *seed, bool agent_first, bool agent_dies) {
	struct scene scene;
	open_scene(&scene);
	if (agent_first)
		session_start_agent(&scene.session);
	start_program(&scene, NULL);
	clock_wait_for_u64(&scene.log->total, seed_below(seed, SPANS_BEFORE_KILL_MAX));
	kill_program(&scene);
	if (agent_first && agent_dies)
		session_kill_agent(&scene.session);
	for (unsigned kills = 0; agent_dies && kills < AGENT_KILLS; kills++)
		let_agent_live(&scene.session, seed_below(seed, AGENT_LIFE_NS_MAX));
	if (agent_first && !agent_dies)
		session_stop_agent(&scene.session);
	else
		session_collect(&scene.session);
	(void)check_store(&scene);
	close_scene(&scene);
}

static void killed_beside_an_agent(void **state) {
	(void)state;
	struct seed seed = seed_start("async_killed");
	for (unsigned round = 0; round < seed_rounds(30); round++)
		run_round(&seed, true, false);
}

static void killed_before_the_agent_came(void **state) {
	(void)state;
	struct seed seed = seed_start("async_killed_before_agent");
	for (unsigned round = 0; round < seed_rounds(30); round++)
		run_round(&seed, false, false);
}

static void killed_with_the_agent(void **state) {
	(void)state;
	struct seed seed = seed_start("async_killed_with_agent");
	for (unsigned round = 0; round < seed_rounds(8); round++)
		run_round(&seed, seed_below(&seed, 2) == 0, true);
}

static struct child_result analyze(const struct scene *scene, const char *command, const char *place) {
	const char *argv[] = {child_program("spanring-analyze"), command, place, "--json", NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s%s", command, result.exit_code, result.out, result.err);
	(void)scene;
	return result;
}

static uint64_t number_after(const char *text, const char *words) {
	const char *at = strstr(text, words);
	if (!at)
		fail_msg("'%s' is not in %s", words, text);
	return strtoull(at + strlen(words), NULL, 10);
}

/* What a program leaves open when it exits is stored, too, and shown by those who show such things. */
static void left_open_by_a_clean_exit(void **state) {
	(void)state;
	struct scene scene;
	open_scene(&scene);
	start_program(&scene, "3000");
	struct child_result left = child_finish(&scene.program);
	assert_int_equal(left.exit_code, 0);
	child_result_free(&left);
	struct child_result rings = analyze(&scene, "rings", scene.session.scratch.rings);
	uint64_t open = number_after(rings.out, "\"open_async\": ");
	assert_in_range(open, 1, 300);
	child_result_free(&rings);
	session_collect(&scene.session);
	assert_int_equal(check_store(&scene), open);
	struct child_result unfinished = analyze(&scene, "unfinished", scene.session.scratch.store);
	assert_int_equal(number_after(unfinished.out, "\"span_count\": "), open);
	child_result_free(&unfinished);
	struct child_result audit = analyze(&scene, "audit", scene.session.scratch.store);
	assert_int_equal(number_after(audit.out, "\"open\": "), open);
	assert_int_equal(number_after(audit.out, "\"unfinished\": "), open);
	assert_int_equal(number_after(audit.out, "\"begun\": "), scene.log->total);
	child_result_free(&audit);
	close_scene(&scene);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_beside_an_agent),
	    cmocka_unit_test(killed_before_the_agent_came),
	    cmocka_unit_test(killed_with_the_agent),
	    cmocka_unit_test(left_open_by_a_clean_exit),
	};
	return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
