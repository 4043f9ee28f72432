/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "cmocka.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16
#define ACKNOWLEDGEMENT_BYTES 128

void session_open(struct session *ret_session) {
	memset(ret_session, 0, sizeof(*ret_session));
	scratch_make(&ret_session->scratch);
	(void)snprintf(ret_session->environment, sizeof(ret_session->environment), "SPANRING_DIR=%s",
	               ret_session->scratch.rings);
}

void session_close(struct session *session) {
	scratch_remove(&session->scratch);
}

void session_spawn_agent(struct session *session, const char *const *options, const char *const *environment) {
	const char *program = session->agent_program ? session->agent_program : "spanring-agent";
	const char *argv[ARGUMENTS_MAX] = {child_program(program), "run",     "--rings",
	                                   session->scratch.rings, "--store", session->scratch.store};
	for (int i = 0; options && options[i]; i++) {
		assert_in_range(i, 0, ARGUMENTS_MAX - 8);
		argv[i + 6] = options[i];
	}
	session->agent = child_start(argv, environment);
}

void session_start_agent(struct session *session) {
	session_spawn_agent(session, NULL, NULL);
	child_wait_for_line(&session->agent, session->scratch.store);
}

void session_stop_agent(struct session *session) {
	child_signal(&session->agent, SIGTERM);
	struct child_result result = child_finish(&session->agent);
	if (result.exit_code != 0)
		fail_msg("agent exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
}

void session_kill_agent(struct session *session) {
	child_signal(&session->agent, SIGKILL);
	struct child_result result = child_finish(&session->agent);
	assert_int_equal(result.exit_code, 128 + SIGKILL);
	child_result_free(&result);
}

void session_collect(struct session *session) {
	session_start_agent(session);
	session_stop_agent(session);
}

struct child session_producer(const struct session *session, const char *const *arguments) {
	const char *environment[] = {session->environment, NULL};
	const char *argv[ARGUMENTS_MAX] = {child_program("spanring-test-producer")};
	for (int i = 0; arguments[i]; i++) {
		assert_in_range(i, 0, ARGUMENTS_MAX - 3);
		argv[i + 1] = arguments[i];
	}
	return child_start(argv, environment);
}

struct session_counters session_producer_finish(struct child *producer) {
	struct session_counters counters = {0};
	struct child_result result = child_finish(producer);
	if (result.exit_code != 0)
		fail_msg("producer exits %d: %s", result.exit_code, result.err);
	int fields = sscanf(result.out, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
	                    &counters.begun, &counters.ended, &counters.open, &counters.dropped_full,
	                    &counters.dropped_depth, &counters.dropped_no_ring);
	assert_int_equal(fields, 6);
	child_result_free(&result);
	return counters;
}

void session_check_audit(const struct session *session) {
	const char *argv[] = {child_program("spanring-analyze"), "audit", session->scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("audit exits %d: %s%s", result.exit_code, result.out, result.err);
	child_result_free(&result);
}

unsigned session_check_segments(const struct session *session) {
	const char *argv[] = {child_program("spanring-analyze"), "verify", session->scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	unsigned sealed = 0;
	if (result.exit_code != 0 || strstr(result.out, " open "))
		fail_msg("verify exits %d: %s%s", result.exit_code, result.out, result.err);
	for (const char *at = result.out; (at = strstr(at, " sealed")); at++)
		sealed++;
	child_result_free(&result);
	return sealed;
}

const uint64_t *session_acknowledgements(const char *path) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, ACKNOWLEDGEMENT_BYTES), 0);
	void *words = mmap(NULL, ACKNOWLEDGEMENT_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(words != MAP_FAILED);
	(void)close(fd);
	return words;
}
