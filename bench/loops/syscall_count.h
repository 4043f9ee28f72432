/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls of a stretch of a program, counted by the kernel's tracer (ptrace): each one stops the program, so a
 * stretch that makes none runs at full speed. The program marks both ends of the stretch with a call that means
 * nothing.
 */
#ifndef SPANRING_BENCH_SYSCALL_COUNT_H
#define SPANRING_BENCH_SYSCALL_COUNT_H

#include <sys/types.h>

/* In a child before exec: let the parent trace it. Where that is forbidden, nothing happens. */
void syscall_count_offer(void);

/* Begin or end of the stretch. */
void syscall_count_mark(void);

/* In the parent: let the child run to its end. The calls between its two marks; NaN if they could not be counted. */
double syscall_count_follow(pid_t pid, int *ret_status);

#endif
