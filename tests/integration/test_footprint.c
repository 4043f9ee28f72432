/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the store holds what each program and the agent used, and finding out costs less than half a percent of a core.
 * Method: programs that have done their work wait until the status says that there was no more to spend, or that enough samples
 * are taken; then the store is asked.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAMS 8
#define ROUNDS_PUT_OFF 20u /* far beyond what was saved up */
#define KEEP_BYTES 3000000
#define THREADS 3
/* Both accounts begin full (10 ms each), new programs may run into debt (20 ms), and a reading is paid for when it is over. */
#define BUDGET_NS_AT_START (40 * NS_PER_MS)
#define BUDGET_NS_OVERDRAWN (60 * NS_PER_MS * SANITIZER_SLOWDOWN)

static struct session session;

static int set_up(void **state) {
	(void)state;
	session_open(&session);
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	session_close(&session);
	return 0;
}

static uint64_t number_after(const char *text, const char *from, const char *key) {
	char pattern[64];
	uint64_t number = 0;
	const char *at = strstr(text, from);
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	at = at ? strstr(at, pattern) : NULL;
	if (!at || sscanf(at + strlen(pattern), "%" SCNu64, &number) != 1)
		fail_msg("no %s behind %s: %s", key, from, text);
	return number;
}

static char *ask(const char *program, const char *command, const char *word, const char *place) {
	const char *argv[] = {child_program(program), command, "--json", word, place, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s %s exits %d: %s", program, command, result.exit_code, result.err);
	free(result.err);
	return result.out;
}

/* The first status in which the number is at least that. */
static char *wait_for_status(const char *key, uint64_t least) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	for (;;) {
		char *text = ask("spanring-agent", "status", "--rings", session.scratch.rings);
		if (number_after(text, "{", key) >= least)
			return text;
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("%s stays below %" PRIu64 ": %s", key, least, text);
		free(text);
	}
}

static void start_agent(void) {
	static const char *const options[] = {"--memory-interval", "10ms", "--flush-interval", "10ms", NULL};
	session_spawn_agent(&session, options, NULL);
	child_wait_for_line(&session.agent, session.scratch.store);
}

/* Programs that wait for the end of what they read; setting: of the environment, or NULL. */
static int start_programs(struct child *programs, int count, const char *setting) {
	char keep[16];
	char threads[8];
	(void)snprintf(keep, sizeof(keep), "%d", KEEP_BYTES);
	(void)snprintf(threads, sizeof(threads), "%d", THREADS);
	const char *environment[] = {session.environment, setting, NULL};
	const char *argv[] = {child_program("spanring-test-producer"),
	                      "--threads",
	                      threads,
	                      "--trees",
	                      "10",
	                      "--wait",
	                      "--keep",
	                      keep,
	                      NULL};
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	for (int i = 0; i < count; i++)
		programs[i] = child_start(argv, environment);
	return ends[1];
}

static void let_go(struct child *programs, int count, int hold) {
	(void)close(hold);
	for (int i = 0; i < count; i++)
		(void)session_producer_finish(&programs[i]);
}

static void what_is_used_is_stored_within_the_budget(void **state) {
	(void)state;
	struct child programs[PROGRAMS];
	start_agent();
	int hold = start_programs(programs, PROGRAMS, NULL);
	char *text = wait_for_status("samples_put_off", ROUNDS_PUT_OFF);
	uint64_t uptime_ns = number_after(text, "{", "uptime_ns");
	uint64_t cpu_ns = number_after(text, "{", "sampling_cpu_ns");
	if (cpu_ns > uptime_ns / 200 + BUDGET_NS_AT_START + BUDGET_NS_OVERDRAWN)
		fail_msg("%" PRIu64 " ns of processor time for samples in %" PRIu64 " ns", cpu_ns, uptime_ns);
	assert_true(number_after(text, "\"agent_footprint\"", "rss_bytes") > 0);
	assert_true(number_after(text, "\"agent_footprint\"", "descriptors") > PROGRAMS);
	free(text);
	let_go(programs, PROGRAMS, hold);
	uint64_t agent_pid = (uint64_t)session.agent.pid;
	session_stop_agent(&session);
	text = ask("spanring-analyze", "memory", "--", session.scratch.store);
	for (int i = 0; i < PROGRAMS; i++) {
		char pid[32];
		(void)snprintf(pid, sizeof(pid), "\"pid\": %ld,", (long)programs[i].pid);
		assert_true(number_after(text, pid, "samples") > 1);
		assert_true(number_after(text, pid, "threads") >= 1);
		assert_true(number_after(text, pid, "descriptors") >= 3);
		assert_true(number_after(text, pid, "switches_voluntary") > 0);
		assert_true(number_after(text, pid, "faults_minor") > 0);
		assert_true(number_after(text, pid, "pss_samples") > 0);
	}
	assert_int_equal(number_after(text, "\"agents\"", "pid"), agent_pid);
	assert_true(number_after(text, "\"agents\"", "peak_bytes") > 0);
	free(text);
	/* The agent is none of the programs. */
	text = ask("spanring-analyze", "audit", "--", session.scratch.store);
	assert_null(strstr(text, "spanring-agent"));
	free(text);
	session_check_audit(&session);
	assert_int_equal(session_check_segments(&session), 1);
}

/* Of a sanitizer's allocator nothing can be counted. */
static void the_heap_of_a_whole_program_is_sampled(void **state) {
	(void)state;
	struct child program;
	char setting[600];
	if (SANITIZER_SLOWDOWN > 1)
		skip();
	(void)snprintf(setting, sizeof(setting), "LD_PRELOAD=%s", child_program("../lib/libspanring_heap.so.0"));
	start_agent();
	int hold = start_programs(&program, 1, setting);
	free(wait_for_status("committed_spans", THREADS * 10 * 5));
	char *text = wait_for_status("memory_samples", 1);
	uint64_t samples = number_after(text, "{", "memory_samples");
	free(text);
	/* Spans are stored, so heads are published; the threads' last publication may come a moment later. */
	free(wait_for_status("memory_samples", samples + 20));
	let_go(&program, 1, hold);
	session_stop_agent(&session);
	text = ask("spanring-analyze", "memory", "--", session.scratch.store);
	assert_in_range(number_after(text, "\"heap\": {", "last_bytes"), THREADS * KEEP_BYTES,
	                THREADS * (KEEP_BYTES + 200000));
	assert_true(number_after(text, "{", "heap_allocated_bytes") >= THREADS * KEEP_BYTES);
	free(text);
	session_check_audit(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_used_is_stored_within_the_budget, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_heap_of_a_whole_program_is_sampled, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
