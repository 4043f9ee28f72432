/* SPDX-License-Identifier: Apache-2.0 */
/* The real agent, as a child process on rings and a store of its own. */
#ifndef SPANRING_BENCH_AGENT_PROCESS_H
#define SPANRING_BENCH_AGENT_PROCESS_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct agent_process_options {
	const char *program; /* NULL: spanring-agent in the folder of this program */
	const char *rings;
	const char *store;
	const char *flush_interval; /* as on its command line; NULL: its default */
	const char *const *more;    /* further options and their values, NULL at the end; NULL: none */
	int core;                   /* bind it there; TOPOLOGY_NO_CORE: nowhere */
};

#define AGENT_PROCESS_MORE_MAX 16u

struct agent_process_usage {
	uint64_t cpu_ns;     /* user and system, of its whole life */
	uint64_t peak_bytes; /* resident, until it was told to stop */
};

/* Where the agent's program is: as given, or beside this program. 0 or negative errno. */
int agent_process_path(const char *given, char ret_path[PATH_MAX]);

/* Start it and wait until it holds the ring directory. 0 or negative errno (-ECHILD: it ended by itself). */
int agent_process_start(const struct agent_process_options *options, pid_t *ret_pid);

/* SIGTERM: it drains, seals and exits. 0, negative errno, or -ECHILD if its exit status was not 0. */
int agent_process_stop(pid_t pid, struct agent_process_usage *ret_usage);

/* `spanring-agent ctl PID action`, on a process of that ring directory. 0, negative errno, or -ECHILD if it failed. */
int agent_process_ctl(const char *program, const char *rings, pid_t pid, const char *action);

#endif
