/* SPDX-License-Identifier: Apache-2.0 */
#include "all_users.h"

#include "clock_wait.h"
#include "cmocka.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETPRIV "/usr/bin/setpriv"
#define ARGUMENTS_MAX 24
#define NUMBER_TRIES 3000u

/* The words before those of the program. */
static int put_user(const char *argv[ARGUMENTS_MAX], char texts[2][32], uint32_t uid, uint32_t gid) {
	int count = 0;
	(void)snprintf(texts[0], sizeof(texts[0]), "--reuid=%" PRIu32, uid);
	(void)snprintf(texts[1], sizeof(texts[1]), "--regid=%" PRIu32, gid);
	argv[count++] = SETPRIV;
	argv[count++] = texts[0];
	argv[count++] = texts[1];
	argv[count++] = "--clear-groups";
	argv[count++] = "--pdeathsig=KILL";
	return count;
}

struct child all_users_start(const struct all_users *all, uint32_t uid, const char *program,
                             const char *const *arguments) {
	const char *environment[] = {all->session.environment, "SPANRING_RING_BYTES=65536", NULL};
	const char *argv[ARGUMENTS_MAX] = {NULL};
	char texts[2][32];
	int count = put_user(argv, texts, uid, uid);
	argv[count++] = *program == '/' ? program : child_program(program);
	for (int i = 0; arguments[i]; i++) {
		assert_true(count + 1 < ARGUMENTS_MAX);
		argv[count++] = arguments[i];
	}
	return child_start(argv, environment);
}

struct child_result all_users_run(const struct all_users *all, uint32_t uid, const char *program,
                                  const char *const *arguments) {
	struct child child = all_users_start(all, uid, program, arguments);
	return child_finish(&child);
}

static bool is_possible(const struct all_users *all) {
	if (geteuid() != 0 || access(SETPRIV, X_OK) != 0) {
		print_message("skipped: needs root and " SETPRIV " to act as several users\n");
		return false;
	}
	struct child_result result =
	    all_users_run(all, ALL_USERS_FIRST_UID, "spanring-agent", (const char *[]){"--version", NULL});
	bool reachable = result.exit_code == 0;
	child_result_free(&result);
	if (!reachable)
		print_message("skipped: other users cannot run the programs of this build\n");
	return reachable;
}

void all_users_open(struct all_users *ret_all) {
	struct scratch *scratch = &ret_all->session.scratch;
	memset(ret_all, 0, sizeof(*ret_all));
	session_open(&ret_all->session);
	ret_all->scratch = *scratch;
	if (!is_possible(ret_all)) {
		all_users_close(ret_all);
		skip();
	}
	/* Others pass through these folders; the agent makes what is below. */
	assert_int_equal(chmod(scratch->rings, 0711), 0);
	assert_int_equal(chmod(scratch->files, 0711), 0);
	assert_true(snprintf(scratch->rings, sizeof(scratch->rings), "%.200s/all", ret_all->scratch.rings) > 0);
	assert_true(snprintf(scratch->store, sizeof(scratch->store), "%.200s/kept/store", scratch->files) > 0);
	(void)snprintf(ret_all->session.environment, sizeof(ret_all->session.environment), "SPANRING_DIR=%s",
	               scratch->rings);
	char kept[SCRATCH_PATH_BYTES];
	assert_true(snprintf(kept, sizeof(kept), "%.200s/kept", scratch->files) > 0);
	assert_int_equal(mkdir(kept, 0755), 0);
	assert_int_equal(mkdir(scratch->rings, 0755), 0);
	assert_int_equal(chown(kept, ALL_USERS_AGENT_UID, ALL_USERS_AGENT_GID), 0);
	assert_int_equal(chown(scratch->rings, ALL_USERS_AGENT_UID, ALL_USERS_AGENT_GID), 0);
}

void all_users_close(struct all_users *all) {
	scratch_remove(&all->scratch);
}

void all_users_start_agent(struct all_users *all, const char *const *options) {
	struct session *session = &all->session;
	const char *argv[ARGUMENTS_MAX] = {NULL};
	char texts[2][32];
	int count = put_user(argv, texts, ALL_USERS_AGENT_UID, ALL_USERS_AGENT_GID);
	const char *words[] = {
	    child_program("spanring-agent"), "run", "--system", "--rings", session->scratch.rings, "--store",
	    session->scratch.store};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		argv[count++] = words[i];
	for (int i = 0; options && options[i]; i++) {
		assert_true(count + 1 < ARGUMENTS_MAX);
		argv[count++] = options[i];
	}
	session->agent = child_start(argv, (const char *[]){"SPANRING_DIR", NULL});
	child_wait_for_line(&session->agent, session->scratch.store);
}

char *all_users_status(const struct all_users *all) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--system", "--rings",
	                      all->session.scratch.rings,      NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("status exits %d: %s", result.exit_code, result.err);
	char *text = strdup(result.out);
	child_result_free(&result);
	assert_non_null(text);
	return text;
}

uint64_t all_users_number(const char *status, uint32_t uid, const char *key) {
	char pattern[64];
	uint64_t number = 0;
	(void)snprintf(pattern, sizeof(pattern), "\"user\": %" PRIu32 ",", uid);
	const char *at = uid ? strstr(status, pattern) : status;
	if (!at)
		return 0;
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	at = strstr(at, pattern);
	if (!at || sscanf(at + strlen(pattern), "%" SCNu64, &number) != 1)
		fail_msg("no %s in %s", key, status);
	return number;
}

void all_users_wait_number(const struct all_users *all, uint32_t uid, const char *key, uint64_t wanted) {
	const struct timespec pause = {.tv_nsec = 10000000};
	uint64_t number = 0;
	for (uint32_t i = 0; i < NUMBER_TRIES; i++) {
		char *status = all_users_status(all);
		number = all_users_number(status, uid, key);
		free(status);
		if (number == wanted)
			return;
		(void)nanosleep(&pause, NULL);
	}
	fail_msg("%s of user %" PRIu32 " is %" PRIu64 ", not %" PRIu64, key, uid, number, wanted);
}

void all_users_path(const struct all_users *all, const char *below, char *ret_path, size_t bytes) {
	assert_true((size_t)snprintf(ret_path, bytes, "%s/%s", all->session.scratch.rings, below) < bytes);
}

void all_users_instance(const struct all_users *all, uint32_t uid, char *ret_name, size_t bytes) {
	char path[2 * SCRATCH_PATH_BYTES];
	char name[16];
	uint32_t found = 0;
	(void)snprintf(name, sizeof(name), "%" PRIu32, uid);
	all_users_path(all, name, path, sizeof(path));
	DIR *directory = opendir(path);
	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == '.' || strchr(entry->d_name, '.'))
			continue;
		(void)snprintf(ret_name, bytes, "%s", entry->d_name);
		found++;
	}
	(void)closedir(directory);
	assert_int_equal(found, 1);
}
