/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what `overhead` says a span costs is what a program finds that runs the same work with and without spans, and the agent measures it without a
 * trace of its own in the store.
 *
 * The cores of a test are busy with other tests: the program's median must lie between a third of what the agent measured in a loop and three
 * times what it measured with cold caches.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "agent/footprint/writer_cost.h"
#include "base/errs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLACK 3.0
#define SPANS (101.0 * 2048.0) /* of the program */

static double number(const char *json, const char *anchor, const char *key) {
	const char *at = strstr(json, anchor);
	at = at ? strstr(at, key) : NULL;
	if (!at)
		fail_msg("no %s after %s in %s", key, anchor, json);
	return strtod(at + strlen(key), NULL);
}

static void a_program_finds_the_same(void **state) {
	struct session session;
	(void)state;
	session_open(&session);
	const char *record[] = {child_program("spanring-agent"),     "record", "-o", session.scratch.store, "--",
	                        child_program("spanring-test-cost"), NULL};
	struct child_result result = child_run(record, NULL);
	assert_int_equal(result.exit_code, 0);
	double added_ns = strtod(result.out, NULL) / 1000;
	child_result_free(&result);
	const char *overhead[] = {
	    child_program("spanring-analyze"), "overhead", session.scratch.store, "--json", "--check", NULL};
	result = child_run(overhead, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	double warm_ns = number(result.out, "\"span\": {", "\"median_ns\": ");
	double warm_low_ns = number(result.out, "\"span\": {", "\"rounds_low_ns\": ");
	double cold_high_ns = number(result.out, "\"span_cold\": {", "\"rounds_high_ns\": ");
	double bound_ns = cold_high_ns > warm_ns ? cold_high_ns : warm_ns;
	if (added_ns < warm_low_ns / SLACK || added_ns > bound_ns * SLACK)
		fail_msg("a span added %.1f ns; measured: %.1f to %.1f", added_ns, warm_low_ns, bound_ns);
	assert_true(number(result.out, "\"attribute\": {", "\"median_ns\": ") > 0);
	assert_true(number(result.out, "\"event\": {", "\"median_ns\": ") > 0);
	assert_true(number(result.out, "\"processes\"", "\"spans_begun\": ") == SPANS);
	assert_true(number(result.out, "\"agents\"", "\"spans_stored\": ") == SPANS);
	child_result_free(&result);
	session_close(&session);
}

/* What the environment says is for programs, not for the measurement; where it cannot be had the agent goes on without. */
static void it_is_had_or_not_had(void **state) {
	struct store_writer_cost cost;
	(void)state;
	assert_int_equal(setenv("OTEL_TRACES_SAMPLER", "always_off", 1), 0);
	assert_int_equal(setenv("SPANRING_RING_BYTES", "65536", 1), 0);
	writer_cost_measure(&cost);
	assert_int_equal(cost.rounds, WRITER_COST_ROUNDS);
	for (unsigned i = 0; i < STORE_COST_COUNT; i++)
		assert_true(cost.figures[i].low_ps <= cost.figures[i].median_ps &&
		            cost.figures[i].median_ps <= cost.figures[i].high_ps && cost.figures[i].spread_high_ps > 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		const struct rlimit none = {0, 0};
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &none); /* no file can have a byte */
		writer_cost_measure(&cost);
		_exit(cost.rounds == 0 ? 0 : 1);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* An agent that was killed while it measured cannot tidy up: the next one does, but only what is old, and ours. */
static void what_killed_agents_left_is_removed(void **state) {
	static const char *const names[] = {"old", "new"};
	struct store_writer_cost cost;
	char folders[2][64], files[2][200];
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(folders[i], sizeof(folders[i]), "/dev/shm/spanring-cost-%s-%d", names[i], (int)getpid());
		(void)snprintf(files[i], sizeof(files[i]), "%s/ring-0000", folders[i]);
		assert_int_equal(mkdir(folders[i], 0700), 0);
		int fd = open(files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0 && close(fd) == 0);
	}
	assert_int_equal(utimensat(AT_FDCWD, folders[0], old, 0), 0);
	writer_cost_measure(&cost);
	assert_int_equal(access(folders[0], F_OK), -1);
	assert_int_equal(access(files[1], F_OK), 0);
	assert_int_equal(unlink(files[1]), 0);
	assert_int_equal(rmdir(folders[1]), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_program_finds_the_same),
	    cmocka_unit_test(it_is_had_or_not_had),
	    cmocka_unit_test(what_killed_agents_left_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
