/* SPDX-License-Identifier: Apache-2.0 */
/* What `spanring-analyze audit --json` says of a session's store: the books in total and of each process. */
#ifndef SPANRING_TESTS_INTEGRATION_HOST_BOOKS_H
#define SPANRING_TESTS_INTEGRATION_HOST_BOOKS_H

#include "support/session.h"

#define HOST_BOOKS_MAX 64u
#define HOST_BOOKS_INSTANCE_DIGITS 32u

struct host_books {
	uint64_t pid;
	char instance[HOST_BOOKS_INSTANCE_DIGITS + 1u];
	uint64_t begun;
	uint64_t ended;
	uint64_t open;
	uint64_t unfinished;
	uint64_t stored;
	uint64_t dropped_full;
	uint64_t dropped_no_ring;
};

/* Fails the test unless the store is balanced. */
struct host_books host_books_total(const struct session *session);

/* The same, then the processes, at most HOST_BOOKS_MAX; how many. */
unsigned host_books_load(const struct session *session, struct host_books ret_books[HOST_BOOKS_MAX]);

/* The n-th of this pid, in the order of the report; fails the test if there are fewer. */
const struct host_books *host_books_of(const struct host_books *books, unsigned count, pid_t pid, unsigned n);

#endif
