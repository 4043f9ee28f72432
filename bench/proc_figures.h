/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says of one process just now. */
#ifndef SPANRING_BENCH_PROC_FIGURES_H
#define SPANRING_BENCH_PROC_FIGURES_H

#include <stdint.h>
#include <sys/types.h>

/* 0: could not be had. */
struct proc_figures {
	uint64_t time_ns;      /* monotonic, of this look */
	uint64_t cpu_ns;       /* of all its threads, those that have ended included */
	uint64_t store_cpu_ns; /* of an agent's store thread: encoding, compression, SQLite */
	uint64_t switches; /* how often its threads went to sleep by themselves, which is how often they were woken */
	uint64_t resident_bytes;
	uint64_t proportional_bytes; /* resident, what is shared counted in part */
	uint64_t threads;
	uint64_t descriptors;
};

struct proc_figures proc_figures(pid_t pid);

/* Of one core, between two looks. */
double proc_figures_cpu_percent(const struct proc_figures *before, const struct proc_figures *after);

#endif
