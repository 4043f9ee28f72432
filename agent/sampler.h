/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of a traced process. A pid is reused, so everything is read through one open directory of /proc,
 * which stays with the process it was opened for, and only believed if owner and start time are those of the instance.
 *
 * smaps_rollup walks the page tables of the process: milliseconds for one of many gigabytes. So after a reading that
 * took long, the next ones use the cheap figures (no PSS) until a hundred times that long has passed.
 */
#ifndef SPANRING_AGENT_SAMPLER_H
#define SPANRING_AGENT_SAMPLER_H

#include "libstore/span.h"

#include <stdint.h>
#include <sys/types.h>

/* Whose figures are wanted. */
struct sampler_target {
	uint32_t pid;
	uint64_t start_time; /* field 22 of stat; 0: unknown, never believed */
	uid_t uid;
	uint64_t rollup_after_ns; /* not before; kept by sampler_take */
};

struct sampler_stat {
	char state;
	uint64_t faults_minor;
	uint64_t faults_major;
	uint64_t user_ticks; /* of the kernel's USER_HZ */
	uint64_t system_ticks;
	uint32_t threads;
	uint64_t start_time;
	uint64_t rss_pages;
};

enum sampler_life {
	SAMPLER_ALIVE,
	SAMPLER_DEAD,
	SAMPLER_UNKNOWN /* not to be told from here */
};

/* 0 or ERR_DAMAGED. The command's name in it may hold anything. */
int sampler_parse_stat(const char *text, struct sampler_stat *ret_stat);

/* Bytes of a line such as "Pss:   1234 kB" of smaps_rollup or status; UINT64_MAX if it is not there. */
uint64_t sampler_parse_bytes(const char *text, const char *key);

enum sampler_life sampler_life(const struct sampler_target *target);

/* Fill all but `process`. 0, or -ESRCH when there is no such process any more. */
int sampler_take(struct sampler_target *target, struct store_memory_sample *ret_sample);

/* Inode of this process's pid namespace; 0 unknown. */
uint64_t sampler_pid_namespace(void);

#endif
