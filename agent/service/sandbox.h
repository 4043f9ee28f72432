/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `run` gives up for good once it has all it needs, so that somebody who gets hold of the agent through a hostile ring gets little:
 *
 *     enter   before any thread: no new privileges; with `strict` (Landlock) nothing can be written outside of rings, store and the folder of
 *             a metrics socket
 *     seal    everything is open: a system call filter, for all threads, answers EPERM to programs (execve, fork), other processes
 *             (ptrace), sockets but unix ones, memory that is both made and executed, another io_uring, namespaces, mounts, modules, ids
 *
 * It is a list of what is refused, not of what is allowed: libraries and kernels change, and an agent that dies of a new harmless call is worse than one
 * that could make it. The unit file for systemd has the other kind of list. io_uring goes past such filters, so the agent's ring can only poll
 * and read (loop_uring.c). See docs/decisions/0016.
 */
#ifndef SPANRING_AGENT_SANDBOX_H
#define SPANRING_AGENT_SANDBOX_H

#include <stdbool.h>

#define SANDBOX_WHY_BYTES 160u

enum sandbox_mode {
	SANDBOX_AUTO,   /* the filter, where the kernel has it */
	SANDBOX_STRICT, /* the filter and Landlock, or no start */
	SANDBOX_OFF
};

/* Words of enum sandbox_mode; ends in NULL. */
extern const char *const sandbox_mode_names[];

struct sandbox {
	bool has_filter;
	bool has_paths; /* Landlock */
	char why[SANDBOX_WHY_BYTES];
};

struct config;

/* 0; or negative errno and why: only SANDBOX_STRICT fails. Makes the directories that rules are to name, as the agent would. */
int sandbox_enter(const struct config *config, struct sandbox *ret_sandbox);
int sandbox_seal(const struct config *config, struct sandbox *sandbox);

/* "off", "filter" or "strict". */
const char *sandbox_in_use(const struct sandbox *sandbox);

#endif
