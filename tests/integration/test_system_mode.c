/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: one agent that is nobody in particular collects the programs of all users, exactly once, and no user sees, hinders or fakes another.
 * Method: real uids. An agent without any right of its own, programs of three users with the narrowest umask, users who read, squat, lock and
 * damage what is not theirs, an agent killed in between; then the store is read back span by span.
 */
#include "support/all_users.h"
#include "support/cmocka.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USERS 3u
#define PATH_BYTES (2 * SCRATCH_PATH_BYTES)

static const char *const trees_of[USERS] = {"300", "200", "100"};
static const uint64_t tree_counts[USERS] = {300, 200, 100};

static struct child start_traced(const struct all_users *all, uint32_t number) {
	char process[16];
	const char *script = "umask 077; exec \"$0\" \"$@\"";
	(void)snprintf(process, sizeof(process), "%" PRIu32, number);
	const char *arguments[] = {"-c",
	                           script,
	                           child_program("spanring-test-producer"),
	                           "--process",
	                           process,
	                           "--trees",
	                           trees_of[number],
	                           "--flush-every",
	                           "50",
	                           NULL};
	return all_users_start(all, ALL_USERS_FIRST_UID + number, "/bin/sh", arguments);
}

static void check_stored(const struct all_users *all, uint32_t users) {
	struct stored stored;
	stored_load(all->session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint32_t i = 0; i < users; i++)
		assert_int_equal(stored_count_of(&stored, i, 0), tree_counts[i] * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(&all->session);
	assert_true(session_check_segments(&all->session) >= 1);
}

static void programs_of_three_users_are_stored_once(void **state) {
	(void)state;
	struct all_users all;
	struct child children[USERS];
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	for (uint32_t i = 0; i < USERS; i++)
		children[i] = start_traced(&all, i);
	for (uint32_t i = 0; i < USERS; i++)
		(void)session_producer_finish(&children[i]);
	all_users_wait_number(&all, 0, "processes", 0);
	char *status = all_users_status(&all);
	assert_int_equal(all_users_number(status, 0, "users"), USERS);
	assert_int_equal(all_users_number(status, 0, "names_refused"), 0);
	free(status);
	/* All is cleared up, so the agent may write in directories of others. */
	for (uint32_t i = 0; i < USERS; i++) {
		char name[32];
		char path[PATH_BYTES];
		(void)snprintf(name, sizeof(name), "%" PRIu32, ALL_USERS_FIRST_UID + i);
		all_users_path(&all, name, path, sizeof(path));
		assert_int_equal(rmdir(path), 0);
	}
	session_stop_agent(&all.session);
	check_stored(&all, USERS);
	all_users_close(&all);
}

/* What lies in the rings while there is no agent is there for the next one, and what was stored is not stored again. */
static void an_agent_killed_in_between_changes_nothing(void **state) {
	(void)state;
	struct all_users all;
	struct child children[USERS];
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	children[0] = start_traced(&all, 0);
	(void)session_producer_finish(&children[0]);
	session_kill_agent(&all.session);
	/* The lock of the dead is free at once. */
	all_users_start_agent(&all, NULL);
	for (uint32_t i = 1; i < USERS; i++)
		children[i] = start_traced(&all, i);
	for (uint32_t i = 1; i < USERS; i++)
		(void)session_producer_finish(&children[i]);
	session_stop_agent(&all.session);
	check_stored(&all, USERS);
	all_users_close(&all);
}

/* As this user; true if the shell says so. */
static bool can(const struct all_users *all, uint32_t uid, const char *script, const char *path) {
	struct child_result result = all_users_run(all, uid, "/bin/sh", (const char *[]){"-c", script, path, NULL});
	bool done = result.exit_code == 0;
	child_result_free(&result);
	return done;
}

static void users_cannot_touch_what_is_anothers(void **state) {
	(void)state;
	struct all_users all;
	char path[PATH_BYTES];
	char name[64];
	const uint32_t owner = ALL_USERS_FIRST_UID;
	const uint32_t other = ALL_USERS_FIRST_UID + 1;
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	struct child producer = all_users_start(&all, owner, "spanring-test-flood", (const char *[]){"1", "100", NULL});
	child_wait_for_line(&producer, "flooded");
	all_users_wait_number(&all, owner, "programs", 1);
	(void)snprintf(name, sizeof(name), "%" PRIu32, owner);
	all_users_path(&all, name, path, sizeof(path));
	assert_true(can(&all, owner, "ls \"$0\"", path));
	assert_false(can(&all, other, "ls \"$0\"", path));
	assert_false(can(&all, other, "cat \"$0\"/*/process", path));
	assert_false(can(&all, other, "mv \"$0\" \"$0.gone\" || rmdir \"$0\"", path));
	assert_false(can(&all, ALL_USERS_AGENT_UID + 1000, "ls \"$0\"", path));
	all_users_path(&all, "control", path, sizeof(path));
	assert_true(can(&all, other, "test -r \"$0\" && ! test -w \"$0\"", path));
	assert_false(can(&all, other, "rm -f \"$0\"", path));
	all_users_path(&all, "agent.sock", path, sizeof(path));
	assert_false(can(&all, other, "test -w \"$0\"", path));
	all_users_path(&all, "agent.lock", path, sizeof(path));
	assert_false(can(&all, other, "test -r \"$0\"", path));
	/* Each user's own commands. */
	all_users_path(&all, "", path, sizeof(path));
	struct child_result result =
	    all_users_run(&all, other, "spanring-agent",
	                  (const char *[]){"ctl", "all", "disable", "--system", "--rings", path, NULL});
	assert_int_equal(result.exit_code, 3);
	child_result_free(&result);
	all_users_path(&all, name, path, sizeof(path));
	result = all_users_run(&all, owner, "spanring-agent", (const char *[]){"ps", "--json", "--rings", path, NULL});
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, "\"claims_other_uid\": false"));
	child_result_free(&result);
	result =
	    all_users_run(&all, ALL_USERS_AGENT_UID, "spanring-agent", (const char *[]){"ps", "--rings", path, NULL});
	assert_int_equal(result.exit_code, 3);
	child_result_free(&result);
	child_signal(&producer, SIGKILL);
	result = child_finish(&producer);
	child_result_free(&result);
	session_stop_agent(&all.session);
	session_check_audit(&all.session);
	all_users_close(&all);
}

/* Before the agent ever ran, and while it runs: names that are another's, links, pipes, a control page and a lock of one's own. */
static void squatters_cost_only_themselves(void **state) {
	(void)state;
	struct all_users all;
	const uint32_t squatter = ALL_USERS_FIRST_UID + 7;
	all_users_open(&all);
	const char *rings = all.session.scratch.rings;
	assert_int_equal(chmod(rings, 03777), 0);
	assert_true(can(&all, squatter, "cd \"$0\" && : > control && mkdir agent.lock", rings));
	all_users_start_agent(&all, NULL);
	struct stat status;
	char path[PATH_BYTES];
	all_users_path(&all, "control", path, sizeof(path));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_uid, ALL_USERS_AGENT_UID);
	char script[512];
	(void)snprintf(
	    script, sizeof(script),
	    "cd \"$0\" && ln -s /etc %u && mkfifo %u && mkdir -p x/kept y 00%u && mv x %u && mkdir -m 777 z && mv z %u",
	    ALL_USERS_FIRST_UID + 20, ALL_USERS_FIRST_UID + 21, ALL_USERS_FIRST_UID + 1, ALL_USERS_FIRST_UID, squatter);
	assert_true(can(&all, squatter, script, rings));
	/* The first user's place is taken: it runs untraced; the others do not notice. */
	struct child squatted = all_users_start(&all, ALL_USERS_FIRST_UID, "spanring-test-producer",
	                                        (const char *[]){"--trees", "10", NULL});
	struct session_counters counters = session_producer_finish(&squatted);
	assert_int_equal(counters.dropped_full, 0);
	struct child honest[2] = {start_traced(&all, 1), start_traced(&all, 2)};
	for (uint32_t i = 0; i < 2; i++)
		(void)session_producer_finish(&honest[i]);
	all_users_wait_number(&all, 0, "processes", 0);
	char *text = all_users_status(&all);
	assert_int_equal(all_users_number(text, 0, "users"), 2);
	assert_true(all_users_number(text, 0, "names_refused") >= 4);
	free(text);
	session_stop_agent(&all.session);
	struct stored stored;
	stored_load(all.session.scratch.store, &stored);
	assert_int_equal(stored_count_of(&stored, 0, 0), 0);
	assert_int_equal(stored_count_of(&stored, 1, 0), tree_counts[1] * STORED_SPANS_PER_TREE);
	assert_int_equal(stored_count_of(&stored, 2, 0), tree_counts[2] * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(&all.session);
	all_users_close(&all);
}

/* A program believes no directory that another user could have put there. */
static void a_faked_directory_is_not_used(void **state) {
	(void)state;
	struct all_users all;
	const uint32_t faker = ALL_USERS_FIRST_UID + 7;
	const uint32_t victim = ALL_USERS_FIRST_UID;
	char path[PATH_BYTES];
	all_users_open(&all);
	char open_path[SCRATCH_PATH_BYTES];
	(void)snprintf(open_path, sizeof(open_path), "%.200s/open", all.scratch.files);
	assert_int_equal(mkdir(open_path, 0700), 0);
	assert_int_equal(chmod(open_path, 0777), 0);
	assert_true(can(&all, faker,
	                "mkdir \"$0\"/all && head -c 4096 /dev/zero > \"$0\"/all/control && chmod 3733 \"$0\"/all",
	                open_path));
	(void)snprintf(all.session.environment, sizeof(all.session.environment), "SPANRING_DIR=%.200s/open/all",
	               all.scratch.files);
	struct child child =
	    all_users_start(&all, victim, "spanring-test-producer", (const char *[]){"--trees", "10", NULL});
	(void)session_producer_finish(&child);
	assert_true(snprintf(path, sizeof(path), "%s/all/%" PRIu32, open_path, victim) > 0);
	assert_int_equal(access(path, F_OK), -1);
	all_users_close(&all);
}

/* A second agent, another user's agent, a directory that is not right: one line each, nothing touched. */
static void agents_that_may_not_are_told_why(void **state) {
	(void)state;
	struct all_users all;
	all_users_open(&all);
	const char *rings = all.session.scratch.rings;
	char store[SCRATCH_PATH_BYTES];
	(void)snprintf(store, sizeof(store), "%.200s/other", all.scratch.files);
	all_users_start_agent(&all, NULL);
	const char *second[] = {"run", "--system", "--rings", rings, "--store", store, NULL};
	struct child_result result = all_users_run(&all, ALL_USERS_FIRST_UID, "spanring-agent", second);
	assert_int_equal(result.exit_code, 6);
	assert_int_equal(access(store, F_OK), -1);
	child_result_free(&result);
	const char *root[] = {
	    child_program("spanring-agent"), "run", "--system", "--rings", rings, "--store", store, NULL};
	result = child_run(root, NULL);
	assert_int_equal(result.exit_code, 6);
	assert_non_null(strstr(result.err, "belongs to user"));
	child_result_free(&result);
	/* Whoever may read the control page may lock it against writers; the agent does not depend on that. */
	session_stop_agent(&all.session);
	char path[PATH_BYTES];
	all_users_path(&all, "control", path, sizeof(path));
	struct child locker =
	    all_users_start(&all, ALL_USERS_FIRST_UID, "spanring-test-ringer", (const char *[]){path, "lock", NULL});
	child_wait_for_line(&locker, "holding");
	all_users_start_agent(&all, NULL);
	session_stop_agent(&all.session);
	child_signal(&locker, SIGKILL);
	result = child_finish(&locker);
	child_result_free(&result);
	all_users_close(&all);
}

/* An endless bell costs no more than a look each millisecond, and the spans of others are stored meanwhile. */
static void a_bell_rung_without_end_hinders_nobody(void **state) {
	(void)state;
	struct all_users all;
	char path[PATH_BYTES];
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	all_users_path(&all, "control", path, sizeof(path));
	struct child ringer =
	    all_users_start(&all, ALL_USERS_FIRST_UID + 7, "spanring-test-ringer", (const char *[]){path, NULL});
	child_wait_for_line(&ringer, "ringing");
	struct child honest = start_traced(&all, 0);
	(void)session_producer_finish(&honest);
	child_signal(&ringer, SIGTERM);
	struct child_result result = child_finish(&ringer);
	assert_int_equal(result.exit_code, 128 + SIGTERM);
	child_result_free(&result);
	session_stop_agent(&all.session);
	check_stored(&all, 1);
	all_users_close(&all);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(programs_of_three_users_are_stored_once),
	    cmocka_unit_test(an_agent_killed_in_between_changes_nothing),
	    cmocka_unit_test(users_cannot_touch_what_is_anothers),
	    cmocka_unit_test(squatters_cost_only_themselves),
	    cmocka_unit_test(a_faked_directory_is_not_used),
	    cmocka_unit_test(agents_that_may_not_are_told_why),
	    cmocka_unit_test(a_bell_rung_without_end_hinders_nobody),
	};
	return cmocka_run_group_tests_name("system_mode", tests, NULL, NULL);
}
