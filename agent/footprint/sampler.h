/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of a traced process. A pid is reused, so everything is read through one open directory of /proc,
 * which stays with the process it was opened for, and only believed if owner and start time are those of the instance.
 *
 * COST. A plain sample (stat, status, number of descriptors) takes tens of microseconds. A full one also reads smaps_rollup, which walks
 * the page tables of the process, milliseconds for one of many gigabytes, and the context switches of every thread, which the
 * kernel tells one by one. Each kind has a budget of its own (sampler_budget.h) for all processes together: one part in 300
 * and one in 700 of a core, less than half a percent together. A process whose full sample took long has plain ones
 * until 800 times that long has passed, so that it leaves something to the others; a sample says which kind it is.
 */
#ifndef SPANRING_AGENT_SAMPLER_H
#define SPANRING_AGENT_SAMPLER_H

#include "libstore/span.h"
#include "sampler_budget.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whose figures are wanted. */
struct sampler_target {
	uint32_t pid;
	uint64_t start_time; /* field 22 of stat; 0: unknown, never believed */
	uid_t uid;
	uint64_t full_after_ns; /* no full sample before; kept by sampler_take */
};

/* Since the start. */
struct sampler_figures {
	uint64_t samples;
	uint64_t cpu_ns;       /* that they took, all told */
	uint64_t pss_left_out; /* plain samples for want of budget */
};

struct sampler {
	const char *root; /* of the files, /proc; the caller's */
	bool sizes_count; /* the size of a directory `fd` is the number of descriptors (Linux 6.2) */
	uint64_t tick_ns;
	uint64_t page_bytes;
	struct sampler_budget plain;
	struct sampler_budget full; /* what a full sample takes beyond a plain one */
	struct sampler_figures figures;
};

struct sampler_stat {
	char state;
	uint64_t faults_minor;
	uint64_t faults_major;
	uint64_t user_ticks; /* of the kernel's USER_HZ */
	uint64_t system_ticks;
	uint32_t threads;
	uint64_t start_time;
	uint64_t virtual_bytes; /* 0: it has given its memory back, on its way to the end */
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

/* The number behind "key:" at the beginning of a line; UINT64_MAX if it is not there. */
uint64_t sampler_parse_count(const char *text, const char *key);

void sampler_init(struct sampler *sampler, const char *root);

/* Is there budget for a sample? A process seen for the first time may go some way into debt. */
bool sampler_may(struct sampler *sampler, bool first, uint64_t now_ns);

/* Work of the caller for a sample. */
void sampler_pay(struct sampler *sampler, uint64_t cost_ns);

enum sampler_life sampler_life(const struct sampler_target *target);

/* For sure alive, with memory of its own: not on its way to the end. */
bool sampler_runs(const struct sampler_target *target);

/* For sure alive, and none of its uids is the target's. */
bool sampler_is_of_another(const struct sampler_target *target);

/* When that process started, as the kernel counts; 0 if it cannot be told. */
uint64_t sampler_start_time(pid_t pid);

/* Fill all but `process` and the heap, and pay for it. 0, or -ESRCH when there is no such process any more. */
int sampler_take(struct sampler *sampler, struct sampler_target *target, struct store_memory_sample *ret_sample);

/* Inode of this process's pid namespace; 0 unknown. */
uint64_t sampler_pid_namespace(void);

#endif
