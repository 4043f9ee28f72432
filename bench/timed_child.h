/* SPDX-License-Identifier: Apache-2.0 */
/* A program run once, for how long it takes and what it uses; what it says on standard output is thrown away. */
#ifndef SPANRING_BENCH_TIMED_CHILD_H
#define SPANRING_BENCH_TIMED_CHILD_H

#include <stdint.h>

struct timed_child {
	uint64_t wall_ns; /* from fork to the end */
	uint64_t cpu_ns;  /* user and system */
	uint64_t peak_bytes;
};

/*
 * arguments[0] is a path, or a name to be found in PATH; input: its standard input, NULL for none. 0, negative errno, -ENOENT if there is no such
 * program, or -ECHILD if its exit status is not 0.
 */
int timed_child_run(const char *const *arguments, const char *input, struct timed_child *ret_child);

#endif
