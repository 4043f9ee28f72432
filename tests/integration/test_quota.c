/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a user who asks for more than its share costs the agent no more than the share, and the other users nothing.
 * Method: floods of programs, rings and records from one user beside honest users whose every span must be stored; what the flood did not get
 * stored stands in the books with its reason, so that the audit balances; descriptors and memory of the agent are looked at in /proc.
 */
#include "support/all_users.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREEDY (ALL_USERS_FIRST_UID + 1)
#define HONEST (ALL_USERS_FIRST_UID + 2)
#define HONEST_USERS 2u
#define HONEST_TREES 200u
#define FLOODS_MAX 16u
#define RINGS_QUOTA 40u
#define PROGRAMS_QUOTA 2u
#define THREADS "300"
#define THREAD_COUNT 300u
#define MEMORY_CAP_KIB (64u << 10)

static struct child start_honest(const struct all_users *all, uint32_t number) {
	char process[16];
	char trees[16];
	(void)snprintf(process, sizeof(process), "%" PRIu32, number);
	(void)snprintf(trees, sizeof(trees), "%u", HONEST_TREES);
	return all_users_start(
	    all, HONEST + number, "spanring-test-producer",
	    (const char *[]){"--process", process, "--threads", "2", "--trees", trees, "--flush-every", "100", NULL});
}

static void run_honest(const struct all_users *all) {
	struct child children[HONEST_USERS];
	for (uint32_t i = 0; i < HONEST_USERS; i++)
		children[i] = start_honest(all, i);
	for (uint32_t i = 0; i < HONEST_USERS; i++) {
		struct session_counters counters = session_producer_finish(&children[i]);
		assert_int_equal(counters.dropped_full, 0);
	}
}

static void check_honest(const struct all_users *all) {
	struct stored stored;
	stored_load(all->session.scratch.store, &stored);
	for (uint32_t i = 0; i < HONEST_USERS; i++)
		for (uint32_t thread = 0; thread < 2; thread++)
			assert_int_equal(stored_count_of(&stored, i, thread), HONEST_TREES * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(&all->session);
}

static struct child start_flood(const struct all_users *all, const char *threads, const char *spans) {
	struct child child =
	    all_users_start(all, GREEDY, "spanring-test-flood", (const char *[]){threads, spans, NULL});
	child_wait_for_line(&child, "flooded");
	return child;
}

static void finish_flood(struct child *child) {
	child_signal(child, SIGUSR1);
	struct child_result result = child_finish(child);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
}

static uint32_t descriptors_of(pid_t pid) {
	char path[64];
	uint32_t count = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static uint64_t anonymous_kib_of(pid_t pid) {
	char path[64];
	char text[8192] = "";
	uint64_t kib = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	const char *at = strstr(text, "RssAnon:");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "RssAnon: %" SCNu64, &kib), 1);
	return kib;
}

/* Far more rings than the quota, of two programs, and programs that have to wait for theirs. */
static void rings_and_programs_beyond_the_quota(void **state) {
	(void)state;
	struct all_users all;
	struct child floods[FLOODS_MAX];
	char rings[16];
	char programs[16];
	uint32_t count = PROGRAMS_QUOTA + 1 + seed_rounds(1);
	count = count < FLOODS_MAX ? count : FLOODS_MAX;
	(void)snprintf(rings, sizeof(rings), "%u", RINGS_QUOTA);
	(void)snprintf(programs, sizeof(programs), "%u", PROGRAMS_QUOTA);
	all_users_open(&all);
	all_users_start_agent(&all, (const char *[]){"--quota-rings", rings, "--quota-programs", programs, NULL});
	uint32_t before = descriptors_of(all.session.agent.pid);
	for (uint32_t i = 0; i < count; i++)
		floods[i] = start_flood(&all, THREADS, "10");
	run_honest(&all);
	all_users_wait_number(&all, GREEDY, "programs", PROGRAMS_QUOTA);
	all_users_wait_number(&all, GREEDY, "user_rings", RINGS_QUOTA);
	all_users_wait_number(&all, GREEDY, "programs_waiting", count - PROGRAMS_QUOTA);
	/* A descriptor for a ring, two for a program, one for a user and what a commit has open. */
	assert_true(descriptors_of(all.session.agent.pid) <
	            before + RINGS_QUOTA + 2 * PROGRAMS_QUOTA + (1 + HONEST_USERS) + 16);
	if (getenv("ASAN_OPTIONS") == NULL)
		assert_true(anonymous_kib_of(all.session.agent.pid) < MEMORY_CAP_KIB);
	for (uint32_t i = 0; i < count; i++)
		finish_flood(&floods[i]);
	/* Each that waited had its turn. */
	all_users_wait_number(&all, GREEDY, "programs_waiting", 0);
	all_users_wait_number(&all, 0, "processes", 0);
	char *status = all_users_status(&all);
	uint64_t lost = all_users_number(status, GREEDY, "rings_lost");
	assert_int_equal(all_users_number(status, GREEDY, "user_rings"), 0);
	assert_in_range(lost, 1, (uint64_t)count * THREAD_COUNT);
	free(status);
	session_stop_agent(&all.session);
	check_honest(&all);
	/* Every span of the flood is stored, or stands as lost in a ring that had no place. */
	const char *argv[] = {child_program("spanring-analyze"), "audit", "--json", all.session.scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	const char *total = strstr(result.out, "\"total\"");
	assert_non_null(total);
	uint64_t begun = all_users_number(total, 0, "begun");
	uint64_t expected = (uint64_t)count * THREAD_COUNT * 10;
	assert_int_equal(begun, expected + (uint64_t)HONEST_USERS * 2 * HONEST_TREES * STORED_SPANS_PER_TREE);
	assert_int_equal(all_users_number(total, 0, "quota"), lost * 10);
	child_result_free(&result);
	all_users_close(&all);
}

/* The honest ones need less than the quota in all. What is over the quota is dropped by the flood itself, and told as that. */
static void records_beyond_the_quota(void **state) {
	(void)state;
	struct all_users all;
	all_users_open(&all);
	all_users_start_agent(&all, (const char *[]){"--quota-spans", "5000", NULL});
	struct child flood = start_flood(&all, "16", "200000");
	run_honest(&all);
	char *status = all_users_status(&all);
	assert_true(all_users_number(status, GREEDY, "turns_held_back") > 0);
	for (uint32_t i = 0; i < HONEST_USERS; i++)
		assert_int_equal(all_users_number(status, HONEST + i, "turns_held_back"), 0);
	free(status);
	finish_flood(&flood);
	all_users_wait_number(&all, 0, "processes", 0);
	session_stop_agent(&all.session);
	check_honest(&all);
	all_users_close(&all);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rings_and_programs_beyond_the_quota),
	    cmocka_unit_test(records_beyond_the_quota),
	};
	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
