/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent for all users as a plain user of its own, and programs of other users: real uids, for which a test has to be root. The ring
 * directory is a folder in the scratch folder of the session, which the session's environment then names.
 */
#ifndef SPANRING_TESTS_SUPPORT_ALL_USERS_H
#define SPANRING_TESTS_SUPPORT_ALL_USERS_H

#include "session.h"

#include <stdint.h>

#define ALL_USERS_AGENT_UID 64501u
#define ALL_USERS_AGENT_GID 64502u
#define ALL_USERS_FIRST_UID 64510u /* of programs; and the group of each has the same number */

struct all_users {
	struct session session; /* rings: the directory of the agent */
	struct scratch scratch; /* to be removed */
};

/* Skips the test, with the reason, where it cannot be. Not open yet: there is no ring directory before the agent runs. */
void all_users_open(struct all_users *ret_all);
void all_users_close(struct all_users *all);

/* With these further options; waits until it runs. */
void all_users_start_agent(struct all_users *all, const char *const *options);

/* Start a program of this build as that user; arguments end in NULL, at most 14. */
struct child all_users_start(const struct all_users *all, uint32_t uid, const char *program,
                             const char *const *arguments);
/* The same as that user and group 0 to the end: its result, to be freed. */
struct child_result all_users_run(const struct all_users *all, uint32_t uid, const char *program,
                                  const char *const *arguments);

/* What `status --json` of the agent says, to be freed; fails the test if it does not answer. */
char *all_users_status(const struct all_users *all);
/* The number behind "key" in the part about this user; uid 0: in the whole. */
uint64_t all_users_number(const char *status, uint32_t uid, const char *key);
/* Asks until the number is `wanted`, for at most half a minute; then fails the test. */
void all_users_wait_number(const struct all_users *all, uint32_t uid, const char *key, uint64_t wanted);

/* Path of something below the ring directory. */
void all_users_path(const struct all_users *all, const char *below, char *ret_path, size_t bytes);
/* Name of the only instance below the directory of that user. */
void all_users_instance(const struct all_users *all, uint32_t uid, char *ret_name, size_t bytes);

#endif
