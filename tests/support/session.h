/* SPDX-License-Identifier: Apache-2.0 */
/* A whole product in a scratch folder: rings, a store, an agent, producers, and the questions every test asks at the end. */
#ifndef SPANRING_TESTS_SUPPORT_SESSION_H
#define SPANRING_TESTS_SUPPORT_SESSION_H

#include "child.h"
#include "scratch.h"

#include <stdint.h>

struct session {
	struct scratch scratch;
	struct child agent;
	char environment[SCRATCH_PATH_BYTES + 16]; /* "SPANRING_DIR=..." */
	const char *agent_program;                 /* NULL: spanring-agent */
};

/* Figures that a producer prints at its end. */
struct session_counters {
	uint64_t begun;
	uint64_t ended;
	uint64_t open;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_no_ring;
};

void session_open(struct session *ret_session);
void session_close(struct session *session);

/* Start an agent and wait until it says that it runs. */
void session_start_agent(struct session *session);
/* Start one with these further options and environment, each NULL-terminated or NULL, and wait for nothing. */
void session_spawn_agent(struct session *session, const char *const *options, const char *const *environment);
/* SIGTERM: drains, commits, seals; fails the test unless it exits 0. */
void session_stop_agent(struct session *session);
/* SIGKILL. */
void session_kill_agent(struct session *session);
/* Start an agent and stop it: what lies in the rings is now in the store. */
void session_collect(struct session *session);

/* Start tests/integration/producer with these words after its name, NULL-terminated, at most 14. */
struct child session_producer(const struct session *session, const char *const *arguments);
/* Wait for its end; fails the test unless it exits 0. */
struct session_counters session_producer_finish(struct child *producer);

/* Fails the test unless `spanring-analyze audit` calls the store balanced. */
void session_check_audit(const struct session *session);
/* Fails the test unless `spanring-analyze verify` finds every segment sound and sealed; returns how many there are. */
unsigned session_check_segments(const struct session *session);

/* A file that producer --ack counts in, mapped; unmapped at exit. */
const uint64_t *session_acknowledgements(const char *path);

#endif
